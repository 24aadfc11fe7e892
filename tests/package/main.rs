//! The package as a person meets it: installed with apt in a root that has nothing else, started
//! from its desktop entry, quit from its tray, removed.
//!
//! `cargo xtask test --only package` builds the .deb, makes the root and runs this as root. Display,
//! session bus and panel are this test's own, so that nothing in the root stands in for something
//! that the package forgot to depend on.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is a failed test"
)]
#![allow(clippy::print_stdout, reason = "what was measured is printed")]

mod panel;
mod root;
mod screen;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use panel::Panel;
use root::Root;
use screen::Screen;

const PACKAGE: &str = "palette-keys";
/// Below the home of the person; the app's identifier.
const DATA: &str = ".local/share/dev.palettekeys.app";

#[test]
#[ignore = "needs the .deb and a clean root: cargo xtask test --only package"]
fn it_installs_starts_shows_itself_and_leaves_only_the_persons_data() {
    let given = |name: &str| PathBuf::from(std::env::var_os(name).expect(name));
    let deb = given("PALETTE_KEYS_DEB");
    let root = Root::unpack(&given("PALETTE_KEYS_CLEAN_ROOT"));
    let before = root.files();

    let said = root.install(&deb);
    assert!(said.contains(" 1 newly installed, 0 to remove"), "{PACKAGE} alone is new:\n{said}");
    say("apt installs it, and what it depends on is enough for that");

    let entry = Entry::of(&root);
    say("its desktop entry is valid, and its program and icon are there");

    let policy = root.path("usr/share/polkit-1/actions/dev.palettekeys.app.policy");
    let policy = std::fs::read_to_string(policy).expect("the policy can be read");
    assert!(policy.contains(r#"<action id="dev.palettekeys.app.unlock">"#), "{policy}");
    assert!(!policy.contains("<allow_active>yes"), "it asks for a password");
    say("polkit is told what unlocking asks for");

    let screen = Screen::start();
    let panel = Panel::start(root.runtime());
    let mut app = root.start(&entry.program, &screen.display());
    let window = eventually("its window", || screen.window("Palette Keys"));
    assert_eq!(screen.class(window), entry.window_class, "the dock finds the entry by this");
    eventually("a page in its window", || (screen.colours(window) > 32).then_some(()));
    say("its window opens, belongs to its desktop entry, and has a page in it");

    let item = eventually("its tray item", || panel.item());
    let menu = eventually("the menu of its tray item", || {
        let menu = panel.menu(&item)?;
        menu.iter().any(|(label, _)| label == "Quit").then_some(menu)
    });
    let labels: Vec<&String> = menu.iter().map(|(label, _)| label).collect();
    assert!(labels.iter().any(|label| *label == "Open Palette Keys"), "{labels:?}");
    say("its tray item is registered and has its menu");

    assert!(app.is_closed_to_others(), "built for debuggers or for WebDriver, not for people");
    say("no other program may look into it: it is the build that people get");

    panel.click(&item, menu.iter().find(|(label, _)| label == "Quit").expect("found above").1);
    let status = eventually("its end", || app.ended());
    assert!(status.success(), "it ended with {status}:\n{}", app.said());
    assert!(!app.said().contains("panicked"), "{}", app.said());
    say("Quit in its tray menu ends it");

    let kept = root.home();
    assert!(kept.keys().any(|path| path.starts_with(DATA)), "its data: {:?}", kept.keys());
    root.apt(&["remove", "--purge", "--yes", PACKAGE]);
    let after = root.files();
    let left: Vec<_> = after.difference(&before).collect();
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(left.is_empty() && lost.is_empty(), "left behind: {left:?}, lost: {lost:?}");
    say("removed, it leaves no file");
    assert_eq!(root.home(), kept, "the person's files are as they were");
    say("and what is the person's stays as it was");
}

fn say(what: &str) {
    println!("ok     {what}");
}

/// What the desktop reads of us.
struct Entry {
    program: String,
    window_class: String,
}

impl Entry {
    fn of(root: &Root) -> Self {
        let path = root.path("usr/share/applications/palette-keys.desktop");
        root::must("desktop-file-validate", &[path.to_str().unwrap()]);
        let text = std::fs::read_to_string(&path).expect("the entry can be read");
        let values: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.split_once('=')).collect();
        let program = values["Exec"];
        assert!(root.path("usr/bin").join(program).is_file(), "Exec={program}");
        let icons = root.path("usr/share/icons/hicolor");
        for size in ["32x32", "128x128", "256x256", "512x512"] {
            let icon = icons.join(size).join("apps").join(format!("{}.png", values["Icon"]));
            assert!(icon.is_file(), "{}", icon.display());
        }
        Self { program: program.to_owned(), window_class: values["StartupWMClass"].to_owned() }
    }
}

/// Looks again and again, for as long as a busy computer may take.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let patience = Duration::from_secs(30);
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "{what}: not within {} s", patience.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}
