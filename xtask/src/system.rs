//! The packages of the system: one list, checked with dpkg, installed with apt.

use crate::{
    Outcome,
    command::{Step, on_path},
};

/// What the app is built from.
const TO_BUILD: &[&str] = &[
    "build-essential",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "libwebkit2gtk-4.1-dev",
    "libxdo-dev",
    "pkg-config",
];

/// What it runs on: a session bus and a keychain to keep keys in.
const TO_RUN: &[&str] = &["dbus", "gnome-keyring"];

/// What drives and watches the real program on a machine without a display.
const TO_TEST: &[&str] = &[
    "dbus-x11",
    "fonts-dejavu-core",
    "fonts-noto-core",
    "libsecret-tools",
    "procps",
    "strace",
    "tzdata",
    "util-linux",
    "webkit2gtk-driver",
    "x11-utils",
    "xclip",
    "xdotool",
    "xvfb",
];

/// What makes a clean root to install the package in, and looks at what it brought.
const TO_PACKAGE: &[&str] = &["debootstrap", "desktop-file-utils", "zstd"];

/// What its start is measured against.
const TO_COMPARE: &[&str] = &["keepassxc"];

/// What a command needs of the system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Compile and open the app.
    App,
    /// That, and the end-to-end tests.
    Tests,
    /// That, and the package in a clean root.
    CleanRoot,
    /// The app, the end-to-end tests and the measurements.
    Bench,
}

/// Installs what is missing, with a word first.
pub fn install_missing(needs: Needs) -> Outcome {
    let mut wanted = [TO_BUILD, TO_RUN].concat();
    if needs != Needs::App {
        wanted.extend(TO_TEST);
    }
    if needs == Needs::CleanRoot {
        wanted.extend(TO_PACKAGE);
    }
    if needs == Needs::Bench {
        wanted.extend(TO_COMPARE);
    }
    if !on_path("dpkg-query") {
        println!(
            "This is neither Debian nor Ubuntu, so nothing is installed for you. On Debian the \
             packages are:\n  {}",
            wanted.join(" ")
        );
        return Ok(());
    }
    let missing = missing(&wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    println!("These system packages are missing and are installed now: {}", missing.join(" "));
    let by_hand = format!("sudo apt-get update && sudo apt-get install {}", missing.join(" "));
    apt(&["update"])
        .and_then(|()| apt(&[&["install", "--yes", "--no-install-recommends"], &*missing].concat()))
        .map_err(|error| format!("{error}\nTo install them yourself: {by_hand}"))
}

fn missing<'a>(wanted: &[&'a str]) -> Outcome<Vec<&'a str>> {
    // dpkg-query ends with an error when one of the names is unknown to it, and lists the others
    // all the same: so only what it printed counts.
    let listed = Step::new(
        "dpkg-query",
        &[&["--show", "--showformat=${Package} ${db:Status-Status}\\n"], wanted].concat(),
    )
    .quiet()
    .run()?
    .text;
    let installed = |package: &str| {
        listed.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
    };
    Ok(wanted.iter().copied().filter(|package| !installed(package)).collect())
}

/// Whether this runs as root.
pub fn is_root() -> bool {
    Step::new("id", &["--user"]).output().is_ok_and(|id| id.trim() == "0")
}

fn apt(arguments: &[&str]) -> Outcome {
    if is_root() {
        return Step::new("apt-get", arguments).with("DEBIAN_FRONTEND", "noninteractive").must();
    }
    if !on_path("sudo") {
        return Err("Installing system packages needs root, and there is no `sudo` here.".into());
    }
    // Where nobody can type a password, sudo must fail instead of waiting for one.
    let ask: &[&str] = if std::env::var_os("CI").is_some() { &["--non-interactive"] } else { &[] };
    let line = [ask, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    Step::new("sudo", &line).must()
}
