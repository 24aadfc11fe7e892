//! What is set before the first thread starts, the memory wiper, and what an idle agent gives back.
//!
//! This is the one module in which `unsafe` is allowed: the environment can only
//! be changed safely while the process has one thread, which the compiler cannot see; nor does it
//! know what may be unmapped.

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
        // Without that renderer nothing is drawn with this device. WebKitGTK would find it out all
        // the same, and load Mesa with LLVM into this process for it: 24 MiB and 40 ms of a start.
        if std::env::var_os("WEBKIT_WEB_RENDER_DEVICE_FILE").is_none() {
            unsafe { std::env::set_var("WEBKIT_WEB_RENDER_DEVICE_FILE", "/dev/null") };
        }
    }
    // A thread for each processor is memory that an agent never uses.
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

/// Unmaps what of the program's own file only the last work needed, most of it code of starting up.
/// It is mapped again, from the system's cache of files, when it is used again. Takes some
/// milliseconds. (Libraries are left alone: one that is unloaded meanwhile gives its place to
/// memory that must not be touched. The program is never unloaded.)
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a page that is the program file's comes back as it was")]
pub fn let_go_of_program() {
    use rustix::mm::{Advice, madvise};
    let Ok(program) = std::fs::read_link("/proc/self/exe") else { return };
    let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else { return };
    for range in clean_mappings(&smaps, &program.to_string_lossy()) {
        let start = std::ptr::with_exposed_provenance_mut(range.start);
        // What it says is advice: refused, the pages stay.
        let _ = unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) };
    }
}

/// The private, unwritable mappings of a file that hold no page of their own, in the words of
/// proc(5): a page that the loader changed (relocations) is not in the file and must stay.
#[cfg(target_os = "linux")]
fn clean_mappings(smaps: &str, file: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut mapping = None;
    let mut own_pages = true;
    for line in smaps.lines() {
        if let Some((range, rights, path)) = mapping_of(line) {
            mapping = (matches!(rights, "r-xp" | "r--p") && path == file).then_some(range);
            own_pages = false;
        } else if line.starts_with("Anonymous:") || line.starts_with("Swap:") {
            own_pages |= line.split_whitespace().nth(1) != Some("0");
        } else if line.starts_with("VmFlags:")
            && let Some(range) = mapping.take()
            && !own_pages
        {
            found.push(range);
        }
    }
    found
}

/// Where a mapping lies, its rights and its file; none: the line does not begin one.
#[cfg(target_os = "linux")]
fn mapping_of(line: &str) -> Option<(std::ops::Range<usize>, &str, &str)> {
    // start-end rights offset device inode path, where the path may have blanks
    let mut parts = line.splitn(6, ' ');
    let (start, end) = parts.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(start)?..address(end)?;
    Some((range, parts.next()?, parts.nth(3).unwrap_or_default().trim_start()))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn mapping(head: &str, anonymous: u32, swap: u32) -> String {
        format!(
            "{head}\nSize: 8 kB\nRss: 8 kB\nAnonymous: {anonymous} kB\nSwap: {swap} kB\n\
             SwapPss: 0 kB\nVmFlags: rd mr mw me\n"
        )
    }

    #[test]
    fn only_pages_that_are_the_programs_file_are_let_go_of() {
        let program = "/opt/a path/palette-keys";
        let text = [
            mapping(&format!("1000-3000 r-xp 00001000 fd:00 12                 {program}"), 0, 0),
            mapping(&format!("3000-4000 r--p 00003000 fd:00 12                 {program}"), 0, 0),
            mapping(&format!("4000-5000 r--p 00004000 fd:00 12                 {program}"), 4, 0),
            mapping(&format!("5000-6000 r--p 00005000 fd:00 12                 {program}"), 0, 4),
            mapping(&format!("6000-7000 rw-p 00006000 fd:00 12                 {program}"), 0, 0),
            mapping(&format!("7000-8000 r--s 00007000 fd:00 12                 {program}"), 0, 0),
            mapping("8000-9000 r-xp 00000000 00:00 0                  [vdso]", 0, 0),
            mapping("9000-a000 r--p 00000000 00:00 0 ", 0, 0),
            mapping("a000-b000 r-xp 00000000 fd:00 14                 /usr/lib/libgtk-3.so", 0, 0),
        ]
        .concat();
        assert_eq!(clean_mappings(&text, program), [0x1000..0x3000, 0x3000..0x4000]);
        assert!(clean_mappings("what is this\n", program).is_empty());
    }

    #[test]
    fn the_program_goes_on_with_less() {
        let program = std::fs::read_link("/proc/self/exe").unwrap();
        let mapped = || {
            let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut inside = false;
            let mut sum = 0;
            for line in text.lines() {
                if let Some((_, _, path)) = mapping_of(line) {
                    inside = path == program.to_string_lossy();
                } else if let Some(rss) = line.strip_prefix("Rss:").filter(|_| inside) {
                    let size = rss.trim().trim_end_matches(" kB").parse::<u64>();
                    sum += size.unwrap();
                }
            }
            sum
        };
        let before = mapped();
        let_go_of_program();
        let after = mapped();
        assert!(after * 10 < before * 9, "{before} kB before, {after} kB after");
        // What ran meanwhile was mapped again: the program is where it was.
        assert!(after > 0 && mapped() >= after, "{after} kB");
    }
}
