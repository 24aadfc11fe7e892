//! A clean root of this system's own release, with nothing in it but what every Debian has and what
//! our package says that it needs. Kept as archives in `target`, so that a second run is quick.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Outcome,
    command::{Ended, Step},
    system,
    workspace::Workspace,
};

/// What the script says when apt's mirror does not answer.
const NO_MIRROR_SAID: &str = "xtask: the mirror does not answer";

/// An archive older than this is made anew: the release has got newer packages since.
const FRESH: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Why no root can be made here, if so.
pub fn impossible() -> Option<String> {
    if !system::is_root() {
        return Some("a root for another system is made by root only".into());
    }
    if System::here().is_none() {
        return Some("this is neither Debian nor Ubuntu".into());
    }
    let own_mounts = ["--mount", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"];
    match Step::new("unshare", &own_mounts).quiet().run() {
        Ok(ended) if ended.ok => None,
        _ => Some("this computer or container does not allow `unshare --mount --pid`".into()),
    }
}

/// The release that runs here. The package is built against its libraries, so it is installed on it.
struct System {
    codename: String,
    mirror: String,
    /// Where the libraries are that the package needs.
    components: &'static str,
}

impl System {
    fn here() -> Option<Self> {
        let text = fs::read_to_string("/etc/os-release").ok()?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(line.trim_matches('"').to_owned())
        };
        let codename = value("VERSION_CODENAME")?;
        let (usual, components) = match value("ID")?.as_str() {
            "debian" => ("http://deb.debian.org/debian", "main"),
            "ubuntu" => ("http://archive.ubuntu.com/ubuntu", "main,universe"),
            _ => return None,
        };
        let mirror = configured_mirror(&codename).unwrap_or_else(|| usual.to_owned());
        Some(Self { codename, mirror, components })
    }
}

/// Where apt gets this release from, if that is an address that debootstrap understands.
fn configured_mirror(codename: &str) -> Option<String> {
    let format = ["indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"];
    let sites = Step::new("apt-get", &format).output().ok()?;
    let mut lines = sites.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(site, release)| *release == codename && site.starts_with("http"))
        .map(|(site, _)| site.trim_end_matches('/').to_owned())
}

/// Why there is no root.
pub enum Trouble {
    /// The mirror of the release does not answer: nothing is told about the package.
    NoMirror(String),
    /// Anything else; that what the package depends on cannot be installed, for instance.
    Failed(String),
}

impl From<String> for Trouble {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// The archive of a clean root with all that the package depends on, and nothing else.
pub fn with(workspace: &Workspace, deb: &Path) -> Result<PathBuf, Trouble> {
    let system = System::here().ok_or_else(|| "This is neither Debian nor Ubuntu.".to_owned())?;
    let folder = workspace.target.join("clean-root");
    fs::create_dir_all(&folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
    let depends = Step::new("dpkg-deb", &["--field", &word(deb), "Depends"]).output()?;
    let depends = depends.trim();
    let mut hasher = DefaultHasher::new();
    depends.hash(&mut hasher);
    let archive = folder.join(format!("{}-{:016x}.tar.zst", system.codename, hasher.finish()));
    if fresh(&archive) {
        return Ok(archive);
    }
    let base = base(&folder, &system)?;
    println!("A root with what the package depends on: {depends}");
    let root = folder.join("depends");
    unpack(&base, &root)?;
    // What was fetched once is not fetched again for another list.
    let fetched = folder.join("archives");
    fs::create_dir_all(&fetched).map_err(|e| e.to_string())?;
    let script = format!(
        "set -e
         mount -t proc proc '{root}/proc'
         mount --bind '{fetched}' '{root}/var/cache/apt/archives'
         cp /etc/resolv.conf '{root}/etc/resolv.conf'
         printf '#!/bin/sh\\nexit 101\\n' > '{root}/usr/sbin/policy-rc.d'
         chmod 755 '{root}/usr/sbin/policy-rc.d'
         export DEBIAN_FRONTEND=noninteractive LC_ALL=C
         chroot '{root}' apt-get -q update || {{ echo '{NO_MIRROR_SAID}'; exit 1; }}
         chroot '{root}' apt-get -q -o DPkg::Options::=--force-unsafe-io satisfy --yes --no-install-recommends '{depends}'",
        root = word(&root),
        fetched = word(&fetched),
    );
    let ended = run_apart(&script)?;
    if !ended.ok {
        let message = last_lines(&ended.text);
        return Err(match ended.text.contains(NO_MIRROR_SAID) {
            true => Trouble::NoMirror(message),
            false => Trouble::Failed(message),
        });
    }
    pack(&root, &archive)?;
    Ok(archive)
}

/// The archive of the smallest root there is.
fn base(folder: &Path, system: &System) -> Result<PathBuf, Trouble> {
    let archive = folder.join(format!("{}.tar.zst", system.codename));
    if fresh(&archive) {
        return Ok(archive);
    }
    let root = folder.join("base");
    emptied(&root)?;
    apart(&format!(
        "exec debootstrap --variant=minbase --components={} {} '{}' '{}'",
        system.components,
        system.codename,
        word(&root),
        system.mirror
    ))
    .map_err(Trouble::NoMirror)?;
    pack(&root, &archive)?;
    Ok(archive)
}

/// Runs a script whose mounts and processes are gone when it ends, however it ends.
fn apart(script: &str) -> Outcome {
    let ended = run_apart(script)?;
    if ended.ok { Ok(()) } else { Err(last_lines(&ended.text)) }
}

fn run_apart(script: &str) -> Outcome<Ended> {
    let line = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script];
    Step::new("unshare", &line).quiet().run()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(30)..];
    format!("The clean root could not be made:\n{}", last.join("\n"))
}

fn unpack(archive: &Path, root: &Path) -> Outcome {
    emptied(root)?;
    let line = ["--extract", "--zstd", "--numeric-owner", "--file", &word(archive)];
    Step::new("tar", &[&line[..], &["--directory", &word(root)]].concat()).must()
}

/// Into an archive that is complete or not there, and away with the folder.
fn pack(root: &Path, archive: &Path) -> Outcome {
    let half = archive.with_extension("half");
    let line = ["--create", "--use-compress-program", "zstd -1", "--numeric-owner", "--file"];
    let what = [&word(&half), "--directory", &word(root), "."];
    Step::new("tar", &[&line[..], &what[..]].concat()).must()?;
    fs::rename(&half, archive).map_err(|e| format!("{}: {e}", archive.display()))?;
    emptied(root)
}

fn emptied(root: &Path) -> Outcome {
    if root.exists() {
        fs::remove_dir_all(root).map_err(|e| format!("{}: {e}", root.display()))?;
    }
    fs::create_dir_all(root).map_err(|e| format!("{}: {e}", root.display()))
}

fn fresh(archive: &Path) -> bool {
    let changed = fs::metadata(archive).and_then(|metadata| metadata.modified()).ok();
    changed.and_then(|time| time.elapsed().ok()).is_some_and(|age| age < FRESH)
}

fn word(path: &Path) -> String {
    path.display().to_string()
}
