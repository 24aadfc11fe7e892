//! What is set before the first thread starts, and the memory wiper.
//!
//! This is the one module in which `unsafe` is allowed: the environment can only
//! be changed safely while the process has one thread, which the compiler cannot see.

/// Wipes every block of memory that Rust frees, which also covers the copies of a
/// secret that no type of ours owns (HTTP buffers, JSON text, IPC messages).
#[global_allocator]
static WIPE_ON_FREE: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Must be the first thing `main` does.
pub fn before_threads() {
    #[cfg(unix)]
    unix();
    #[cfg(target_os = "linux")]
    linux();
}

/// Files are the user's alone, and a crash leaves no core file with a secret in it.
#[cfg(unix)]
fn unix() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    // One byte, not zero: the kernel special-cases exactly 1 for core patterns that
    // are pipes, and 0 does not stop a pipe.
    let limit =
        Rlimit { current: Some(1), maximum: getrlimit(Resource::Core).maximum.map(|m| m.min(1)) };
    if setrlimit(Resource::Core, limit).is_err() {
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "one thread so far: the environment may be changed")]
fn linux() {
    let began_anew = std::env::var_os(BEGAN_ANEW).is_some();
    if began_anew {
        unsafe { std::env::remove_var(BEGAN_ANEW) };
    }
    // Another program of the same user may not read our memory or attach to us.
    // A debug build stays open to debuggers, a build for measuring to WebDriver.
    #[cfg(not(any(debug_assertions, feature = "automation")))]
    {
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        // Would let anyone who can set our environment steer the page.
        unsafe { std::env::remove_var("TAURI_WEBVIEW_AUTOMATION") };
    }
    // WebKitGTK shows a blank window on some drivers; a person's own choice wins.
    if std::env::var_os("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() {
        unsafe { std::env::set_var("WEBKIT_DISABLE_DMABUF_RENDERER", "1") };
    }
    // A thread for each processor, in each of two runtimes, is memory that an agent never uses.
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        unsafe { std::env::set_var("TOKIO_WORKER_THREADS", "2") };
    }
    // Last: with it the process has a second thread.
    if began_anew {
        await_children_of_the_last_image();
    }
}

/// Set for a program that replaced itself.
#[cfg(target_os = "linux")]
const BEGAN_ANEW: &str = "PALETTE_KEYS_BEGAN_ANEW";

/// Replaces the program by itself with this argument: everything that it held is given back, and it
/// keeps its process id. Returns only when the system refuses (the program's file is gone after an
/// update): then all is as before.
#[cfg(target_os = "linux")]
pub fn begin_anew(argument: &str) {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return };
    let error = std::process::Command::new(program).arg(argument).env(BEGAN_ANEW, "1").exec();
    tracing::info!("the agent could not begin anew: {error}");
}

/// What the last image started (WebKit's network process) ends when its connection closes, and
/// nobody else takes note of that end.
#[cfg(target_os = "linux")]
fn await_children_of_the_last_image() {
    use rustix::process::{Pid, WaitOptions, waitpid};
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let children: Vec<Pid> = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw))
        .collect();
    // Each by its id: what is started from now on is awaited by whoever starts it.
    std::thread::spawn(move || {
        for child in children {
            let _ = waitpid(Some(child), WaitOptions::empty());
        }
    });
}

/// Counts the starts that met an instance in the moment of its death.
#[cfg(target_os = "linux")]
const STARTS: &str = "PALETTE_KEYS_STARTS";

/// An instance that was killed keeps its D-Bus name for a moment and answers nobody; the start that
/// meets it fails. Starting anew a little later works, so that is done, three times at most. Returns
/// when the failure was another one.
#[cfg(target_os = "linux")]
pub fn start_again_after_a_dying_instance(error: &(dyn std::error::Error + 'static)) {
    use std::os::unix::process::CommandExt;
    let Some(tauri::Error::PluginInitialization(plugin, _)) = error.downcast_ref() else { return };
    let starts: u32 =
        std::env::var(STARTS).ok().and_then(|count| count.parse().ok()).unwrap_or_default();
    if plugin != "single-instance" || starts >= 3 {
        return;
    }
    std::thread::sleep(std::time::Duration::from_millis(250));
    let Ok(program) = std::env::current_exe() else { return };
    // Returns only when the program could not be replaced; the first error is then told.
    let _ = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(STARTS, (starts + 1).to_string())
        .exec();
}
