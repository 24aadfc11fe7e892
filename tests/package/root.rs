//! A root of its own, and programs that run in it. Every program has its own mounts and processes,
//! which end with it: nothing has to be unmounted, however the test ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

/// The person who uses the app; not root, as nobody's desktop is.
const PERSON: u32 = 1000;

/// Mounts what a program expects, and runs it. Its first word is the root, its second the folder of
/// the session bus.
const WITHIN: &str = r#"
    set -e
    root=$1 runtime=$2
    shift 2
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mkdir -p "$root/tmp/.X11-unix" "$root/run/user/1000"
    mkdir -p /tmp/.X11-unix
    mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
    mount --bind "$runtime" "$root/run/user/1000"
    chroot "$@"
"#;

/// The root; it is deleted with this.
pub struct Root {
    folder: tempfile::TempDir,
    runtime: tempfile::TempDir,
}

/// A program of the person's; it ends with this.
pub struct App {
    child: Child,
    log: PathBuf,
}

impl Root {
    pub fn unpack(archive: &Path) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = tempfile::tempdir_in(target).expect("a folder for the root");
        must(
            "tar",
            &[
                "--extract",
                "--zstd",
                "--numeric-owner",
                "--file",
                archive.to_str().unwrap(),
                "--directory",
                folder.path().to_str().unwrap(),
            ],
        );
        // As `/` is: the person may walk through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Not in `target`: the path of a socket may have 107 bytes at most.
        let runtime = tempfile::tempdir().expect("a folder for the session bus");
        chown(runtime.path(), Some(PERSON), Some(PERSON)).expect("run as root");
        let root = Self { folder, runtime };
        let id = PERSON.to_string();
        root.run(&["useradd", "--create-home", "--uid", &id, "--user-group", "person"]);
        root
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the session bus, outside.
    pub fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    pub fn install(&self, deb: &Path) -> String {
        fs::copy(deb, self.path("tmp/package.deb")).expect("the .deb is copied");
        self.apt(&["install", "--yes", "--no-install-recommends", "/tmp/package.deb"])
    }

    pub fn apt(&self, words: &[&str]) -> String {
        let line = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"];
        self.run(&[&line, words].concat())
    }

    /// Starts a program as the person, with what a desktop session has in its environment.
    pub fn start(&self, program: &str, display: &str) -> App {
        let log = self.path("tmp/log");
        let file = fs::File::create(&log).expect("a log");
        let mut command = self.command(&[&format!("--userspec={PERSON}:{PERSON}")]);
        command.args([
            "env",
            "--ignore-environment",
            "--chdir=/home/person",
            "HOME=/home/person",
            "USER=person",
            "LOGNAME=person",
            "LANG=C.UTF-8",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "XDG_RUNTIME_DIR=/run/user/1000",
            "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
            &format!("DISPLAY={display}"),
            program,
        ]);
        command.stderr(file.try_clone().unwrap()).stdout(file);
        App { child: command.spawn().expect("unshare starts"), log }
    }

    /// Every file of the system. Logs and caches of others' programs are theirs.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let passed_over =
            ["dev", "home/person", "proc", "run", "sys", "tmp", "var/cache", "var/log"];
        let mut files = BTreeSet::new();
        self.walk(Path::new(""), &passed_over, &mut |path| {
            files.insert(path.to_owned());
        });
        files
    }

    /// Every file of the person, with what is in it.
    pub fn home(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let home = Path::new("home/person");
        let mut files = BTreeMap::new();
        self.walk(home, &[], &mut |path| {
            let inside = path.strip_prefix(home).unwrap().to_owned();
            let is_file = self.folder.path().join(path).symlink_metadata().unwrap().is_file();
            let bytes =
                if is_file { fs::read(self.folder.path().join(path)).unwrap() } else { vec![] };
            files.insert(inside, bytes);
        });
        files
    }

    fn walk(&self, from: &Path, passed_over: &[&str], found: &mut dyn FnMut(&Path)) {
        let entries = fs::read_dir(self.folder.path().join(from)).expect("a folder of the root");
        for entry in entries {
            let entry = entry.unwrap();
            let path = from.join(entry.file_name());
            if passed_over.iter().any(|name| path == Path::new(name)) {
                continue;
            }
            found(&path);
            if entry.file_type().unwrap().is_dir() {
                self.walk(&path, passed_over, found);
            }
        }
    }

    /// Runs a program in the root as root, to its good end.
    fn run(&self, words: &[&str]) -> String {
        let output = self.command(&[]).args(words).output().expect("unshare starts");
        good(&words.join(" "), output)
    }

    /// `unshare … chroot OPTIONS ROOT`: the words of the program are to follow.
    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        // The kernel ends all of it when the test itself is ended.
        command.args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork"]);
        command.args(["--kill-child", "sh", "-c", WITHIN, "sh"]);
        command.arg(self.folder.path()).arg(self.runtime.path()).args(options);
        command.arg(self.folder.path()).stdin(Stdio::null());
        command
    }
}

impl App {
    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// What it printed.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether the kernel keeps other programs of the same person out of its memory: what is of such
    /// a process in `/proc` belongs to root.
    pub fn is_closed_to_others(&self) -> bool {
        let process = super::eventually("the process of the app", || self.process());
        let owner = fs::metadata(process.join("fd")).expect("it runs").uid();
        owner == 0
    }

    /// Its folder in `/proc`: below `unshare` is a shell, below that the app.
    fn process(&self) -> Option<PathBuf> {
        let children = |process: &str| -> Vec<String> {
            let path = format!("/proc/{process}/task/{process}/children");
            let text = fs::read_to_string(path).unwrap_or_default();
            text.split_whitespace().map(str::to_owned).collect()
        };
        let mut open = vec![self.child.id().to_string()];
        while let Some(process) = open.pop() {
            let folder = PathBuf::from(format!("/proc/{process}"));
            if fs::read_to_string(folder.join("comm"))
                .is_ok_and(|name| name.trim() == "palette-keys")
            {
                return Some(folder);
            }
            open.extend(children(&process));
        }
        None
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("── what the app printed\n{}", self.said());
        }
    }
}

/// Runs a program of this computer to its good end.
pub fn must(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    good(program, output.unwrap_or_else(|error| panic!("{program} cannot be started: {error}")))
}

fn good(what: &str, output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{said}\n{errors}", output.status);
    said
}
