//! Programs that a stage starts, and that end with it.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// A running program in a process group of its own; the whole group ends when this is dropped.
#[derive(Debug)]
pub struct Child {
    child: std::process::Child,
    name: String,
}

/// How to start one.
#[derive(Debug)]
pub struct Program {
    name: String,
    command: Command,
    input: Option<Vec<u8>>,
}

impl Program {
    /// With exactly this environment and nothing of the one the tests run in.
    pub fn new(program: &str, environment: &[(String, String)]) -> Self {
        // The kernel ends the program when the tests are killed before they could tidy up.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]);
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { name: program.to_owned(), command, input: None }
    }

    pub fn args<S: AsRef<std::ffi::OsStr>>(mut self, arguments: &[S]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Appends what it prints to this file.
    pub fn log(mut self, path: &Path) -> Self {
        let file = File::options().create(true).append(true).open(path).expect("the log opens");
        self.command.stderr(file.try_clone().expect("the log is shared")).stdout(file);
        self
    }

    /// Keeps standard output for [`Child::line`].
    pub fn piped(mut self) -> Self {
        self.command.stdout(Stdio::piped());
        self
    }

    /// Written to its standard input, which is then closed.
    pub fn input(mut self, input: &[u8]) -> Self {
        self.input = Some(input.to_vec());
        self.command.stdin(Stdio::piped());
        self
    }

    pub fn start(mut self) -> Child {
        use std::os::unix::process::CommandExt;
        self.command.process_group(0);
        let mut child = spawn(self.command).unwrap_or_else(|error| {
            panic!(
                "{} cannot be started: {error}; `cargo xtask test --only setup` mends it",
                self.name
            )
        });
        if let (Some(input), Some(mut stdin)) = (self.input, child.stdin.take()) {
            stdin.write_all(&input).expect("the program reads its input");
        }
        Child { child, name: self.name }
    }
}

impl Child {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// First line of its standard output, which it must print.
    pub fn line(&mut self) -> String {
        use std::io::{BufRead, BufReader};
        let stdout = self.child.stdout.take().expect("started with a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("its output can be read");
        assert!(!line.is_empty(), "{} printed nothing", self.name);
        line.trim().to_owned()
    }

    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks only the program itself to end, as a desktop does at its own end, and waits: the code
    /// with which it ended by itself, none when the signal ended it or it did not end.
    #[allow(dead_code, reason = "not for the measurements")]
    pub fn told_to_end(&mut self, within: Duration) -> Option<i32> {
        end_process(self.child.id(), false);
        let deadline = Instant::now() + within;
        while self.alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.try_wait().ok()??.code()
    }

    /// Asks the group to end, waits, and then insists.
    pub fn end(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(3);
        while self.alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Also when the leader is gone: what it started is in the same group.
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // The group may be gone already, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

type Request = (Command, mpsc::Sender<std::io::Result<std::process::Child>>);

/// Starts a program from one thread that lives as long as the tests: the kernel's "end when your
/// parent ends" means the parent's thread, and a test's thread may end before the program.
fn spawn(command: Command) -> std::io::Result<std::process::Child> {
    static STARTER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, started) = mpsc::channel();
    starter.send((command, reply)).expect("the starter lives");
    started.recv().expect("the starter answers")
}

/// A process and those it started, by pid, with the kernel's short name (15 letters).
pub fn descendants(pid: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        let Ok(name) = std::fs::read_to_string(format!("/proc/{pid}/comm")) else { continue };
        found.push((pid, name.trim().to_owned()));
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children =
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

/// Ends one process: asks with TERM or, for a crash, does not ask.
pub fn end_process(pid: u32, crash: bool) {
    let signal = if crash { Signal::KILL } else { Signal::TERM };
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
