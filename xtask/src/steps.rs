//! `cargo xtask test`: the steps, in the order in which CI runs them.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    Outcome, clean_root,
    command::{Step, on_path},
    licences, package, policy,
    system::{self, Needs},
    tally::Tally,
    ui,
    workspace::Workspace,
};

/// What a step found: its counts, and what would mend the first thing that failed.
pub struct Report {
    pub tally: Tally,
    pub mend: Option<String>,
}

impl Report {
    pub fn passed() -> Self {
        Self { tally: Tally::PASSED, mend: None }
    }

    pub fn failed(mend: impl Into<String>) -> Self {
        Self { tally: Tally::FAILED, mend: Some(mend.into()) }
    }

    /// Not done, and why; the reason is printed at once and the skip is counted.
    pub fn skipped(what: &str, why: &str) -> Self {
        println!("SKIPPED {what}: {why}");
        Self { tally: Tally::SKIPPED, mend: None }
    }

    pub fn and(mut self, other: Self) -> Self {
        self.tally += other.tally;
        self.mend = self.mend.or(other.mend);
        self
    }

    fn of_command(command: Step, count: fn(&str) -> Tally, mend: &str) -> Outcome<Self> {
        let line = command.line().to_owned();
        let ended = command.run()?;
        let mend =
            if mend.is_empty() { format!("To see it alone: {line}") } else { mend.to_owned() };
        let tally = count(&ended.text).or_step(ended.ok);
        Ok(Self { tally, mend: (tally.failed > 0).then_some(mend) })
    }
}

struct Named {
    name: &'static str,
    what: &'static str,
    run: fn(&Workspace, Length) -> Outcome<Report>,
}

/// Whether the checks that are sampled run whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Usual,
    Full,
}

/// The window comes before everything that compiles the app, because the app contains it.
const STEPS: &[Named] = &[
    Named { name: "setup", what: "system packages and npm packages", run: setup },
    Named { name: "fmt", what: "cargo fmt --check", run: fmt },
    Named { name: "policy", what: "rules of the house that no compiler checks", run: policy_step },
    Named { name: "ui", what: "lint, types, unit tests and build of the window", run: ui_step },
    Named { name: "clippy", what: "lints of every Rust target, warnings refused", run: clippy },
    Named { name: "types", what: "the window's types are what the Rust ones say", run: types },
    Named { name: "rust", what: "core, simulator, shell and this program", run: rust },
    Named { name: "e2e", what: "the real program in its web view, with a real keychain", run: e2e },
    Named {
        name: "package",
        what: "the .deb in a clean root: installed, started, removed",
        run: package_step,
    },
    Named {
        name: "licences",
        what: "licences and known holes of what we ship",
        run: licences_step,
    },
];

pub fn test(words: &[&str]) -> Outcome<ExitCode> {
    let mut length = Length::Usual;
    let mut only: Option<Vec<&str>> = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--list" => {
                for step in STEPS {
                    println!("{:<9} {}", step.name, step.what);
                }
                return Ok(ExitCode::SUCCESS);
            }
            "--full" => length = Length::Full,
            "--only" => {
                let names = words.next().ok_or("`--only` needs the name of a step.")?;
                only = Some(names.split(',').collect());
            }
            other => return Err(format!("`cargo xtask test` does not know `{other}`.")),
        }
    }
    let chosen = chosen(only.as_deref())?;
    let workspace = Workspace::find()?;
    let began = Instant::now();
    let mut lines = Vec::new();
    let mut sum = Tally::default();
    for step in chosen {
        println!("\n── {}: {}", step.name, step.what);
        let step_began = Instant::now();
        let report = (step.run)(&workspace, length).unwrap_or_else(Report::failed);
        sum += report.tally;
        lines.push((step.name, step_began.elapsed(), report));
    }
    println!("\n── summary");
    for (name, took, report) in &lines {
        println!("{name:<9} {:>7}  {}", seconds(*took), report.tally);
    }
    println!("{:<9} {:>7}", "all", seconds(began.elapsed()));
    for (name, _, report) in &lines {
        if let Some(mend) = &report.mend {
            println!("\n{name} failed. {mend}\nAgain, alone: cargo xtask test --only {name}");
        }
    }
    // The last line is read by machines: nothing may follow it.
    println!("\n{sum}");
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(only: Option<&[&str]>) -> Outcome<Vec<&'static Named>> {
    let Some(only) = only else { return Ok(STEPS.iter().collect()) };
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("There is no step `{unknown}`; there are: {}", names.join(", ")));
    }
    Ok(STEPS.iter().filter(|step| only.contains(&step.name)).collect())
}

fn seconds(time: Duration) -> String {
    let all = time.as_secs();
    if all < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{}:{:02}", all / 60, all % 60)
    }
}

fn setup(workspace: &Workspace, _: Length) -> Outcome<Report> {
    system::install_missing(Needs::Tests)?;
    ui::install_packages(workspace)?;
    println!("Everything that is needed is here.");
    Ok(Report::passed())
}

fn fmt(workspace: &Workspace, _: Length) -> Outcome<Report> {
    let command = Step::new("cargo", &["fmt", "--all", "--check"]).within(&workspace.root);
    Report::of_command(command, |_| Tally::default(), "To mend it: cargo fmt --all")
}

fn policy_step(workspace: &Workspace, _: Length) -> Outcome<Report> {
    policy::check(workspace)
}

fn ui_step(workspace: &Workspace, _: Length) -> Outcome<Report> {
    ui::install_packages(workspace)?;
    let one = |_: &str| Tally::default();
    let lint = Report::of_command(
        ui::npm(workspace, &["run", "lint"]),
        one,
        "To mend layout: cd ui && npm run format; what is left is a rule of eslint.config.js",
    )?;
    let check = Report::of_command(ui::npm(workspace, &["run", "check"]), one, "")?;
    let test = Report::of_command(ui::npm(workspace, &["test"]), Tally::of_vitest, "")?;
    let build = match ui::build(workspace) {
        Ok(()) => Report::passed(),
        Err(error) => Report::failed(error),
    };
    Ok(lint.and(check).and(test).and(build))
}

fn clippy(workspace: &Workspace, _: Length) -> Outcome<Report> {
    ready_to_compile(workspace)?;
    let line = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let command = Step::new("cargo", &line).within(&workspace.root);
    Report::of_command(command, |_| Tally::default(), "")
}

fn types(workspace: &Workspace, _: Length) -> Outcome<Report> {
    ready_to_compile(workspace)?;
    let fresh = workspace.target.join("ipc-types");
    // Types that the code no longer writes must not survive from an earlier run.
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).map_err(|e| format!("{} cannot be made: {e}", fresh.display()))?;
    types_into(workspace, &fresh).must()?;
    let committed = workspace.ui().join("src/lib/ipc/generated");
    let (fresh, committed) = (files(&fresh)?, files(&committed)?);
    if fresh.is_empty() {
        return Ok(Report::failed("No type was written: is there a test `generate_ipc_types`?"));
    }
    let mut drifted: Vec<&String> = fresh
        .keys()
        .chain(committed.keys())
        .filter(|n| fresh.get(*n) != committed.get(*n))
        .collect();
    drifted.sort();
    drifted.dedup();
    for name in &drifted {
        println!("ui/src/lib/ipc/generated/{name} is not what the Rust types say");
    }
    Ok(if drifted.is_empty() {
        Report::passed()
    } else {
        Report::failed("To mend it: cargo xtask gen, and commit what changed.")
    })
}

/// Has the app's own test write the types into this folder.
pub fn types_into(workspace: &Workspace, folder: &Path) -> Step {
    let line = ["test", "--quiet", "--workspace", "--lib", "generate_ipc_types"];
    Step::new("cargo", &line).within(&workspace.root).with("PALETTE_KEYS_GEN_TYPES", folder)
}

fn files(folder: &Path) -> Outcome<BTreeMap<String, String>> {
    let unreadable = |e: std::io::Error| format!("{} cannot be read: {e}", folder.display());
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let text = fs::read_to_string(entry.path()).map_err(unreadable)?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), text);
    }
    Ok(files)
}

fn rust(workspace: &Workspace, length: Length) -> Outcome<Report> {
    // Keychains, buses and traced children are tested here, too.
    system::install_missing(Needs::Tests)?;
    ready_to_compile(workspace)?;
    // Every call names the whole workspace: with fewer packages cargo would choose other features
    // for the shared crates and compile them a second time.
    let mut line = vec!["--workspace", "--lib", "--bins"];
    for name in &workspace.tests {
        line.extend(["--test", name]);
    }
    let nextest = on_path("cargo-nextest");
    let runner: &[&str] =
        if nextest { &["nextest", "run", "--no-fail-fast"] } else { &["test", "--no-fail-fast"] };
    // Never the ignored ones: those are the bodies of child processes, which others run.
    let full = if length == Length::Full { "1" } else { "0" };
    let command = Step::new("cargo", &[runner, &line].concat())
        .within(&workspace.root)
        .with("PALETTE_KEYS_FULL", full);
    let tests = Report::of_command(command, Tally::of_cargo, "")?;
    // nextest does not run the examples in the documentation.
    let examples = ["test", "--workspace", "--doc", "--no-fail-fast"];
    let examples = Step::new("cargo", &examples).within(&workspace.root);
    Ok(tests.and(Report::of_command(examples, Tally::of_cargo, "")?))
}

fn e2e(workspace: &Workspace, length: Length) -> Outcome<Report> {
    system::install_missing(Needs::Tests)?;
    ui::build(workspace)?;
    let extra: &[&str] = if length == Length::Full { &["--include-ignored"] } else { &[] };
    let ended = end_to_end(workspace, extra).run()?;
    let mut tally = Tally::of_cargo(&ended.text).or_step(ended.ok);
    for name in second_tries(&ended.text) {
        // Alone, as everything that waits for a real desktop can be late on a busy computer. It is
        // said, so that a test that often needs it is noticed.
        println!("── {name} failed: once more, alone");
        let again = end_to_end(workspace, &["--exact", name]).run()?;
        if again.ok {
            println!("── {name} passed at the second try");
            tally.failed -= 1;
            tally.passed += 1;
        }
    }
    let mend = "The pictures of what failed are in target/e2e-failures. One test alone: cargo test \
                --workspace --test e2e NAME";
    Ok(Report { tally, mend: (tally.failed > 0).then(|| mend.to_owned()) })
}

/// How many failed end-to-end tests are tried again. More at once are no coincidence.
const SECOND_TRIES: usize = 4;

/// The names of the failed tests, or none when there are too many to be a coincidence.
fn second_tries(text: &str) -> Vec<&str> {
    let failed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .collect();
    if failed.len() > SECOND_TRIES { Vec::new() } else { failed }
}

/// The end-to-end tests; `extra` goes to the test program.
pub fn end_to_end(workspace: &Workspace, extra: &[&str]) -> Step {
    // Each test runs a desktop of its own; more than two at once only make each other late here.
    let line = ["test", "--workspace", "--test", "e2e", "--", "--test-threads=2"];
    Step::new("cargo", &[&line, extra].concat()).within(&workspace.root)
}

/// The release build is the long part of it.
fn package_step(workspace: &Workspace, _: Length) -> Outcome<Report> {
    let began = Instant::now();
    let packages = package::build(workspace)?;
    println!("built in {}", seconds(began.elapsed()));
    let built = Report::passed();
    if let Some(why) = clean_root::impossible() {
        return Ok(built.and(Report::skipped("the .deb in a clean root", &why)));
    }
    system::install_missing(Needs::CleanRoot)?;
    let began = Instant::now();
    let root = match clean_root::with(workspace, &packages.deb) {
        Ok(root) => root,
        Err(clean_root::Trouble::NoMirror(why)) => {
            return Ok(built.and(Report::skipped("the .deb in a clean root", &why)));
        }
        Err(clean_root::Trouble::Failed(why)) => return Err(why),
    };
    println!("clean root ready in {}", seconds(began.elapsed()));
    let line = ["test", "--workspace", "--test", "package", "--", "--nocapture", "--ignored"];
    let command = Step::new("cargo", &line)
        .within(&workspace.root)
        .with("PALETTE_KEYS_DEB", &packages.deb)
        .with("PALETTE_KEYS_CLEAN_ROOT", &root);
    Ok(built.and(Report::of_command(command, Tally::of_cargo, "")?))
}

fn licences_step(workspace: &Workspace, _: Length) -> Outcome<Report> {
    licences::check(workspace)
}

fn ready_to_compile(workspace: &Workspace) -> Outcome {
    system::install_missing(Needs::App)?;
    ui::build(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_failures_are_tried_again_and_many_are_not() {
        let line = |name: &str, end: &str| format!("test {name} ... {end}\n");
        let few = line("create::a", "ok") + &line("reveal::b", "FAILED");
        assert_eq!(second_tries(&few), ["reveal::b"]);
        let many: String = (0..5).map(|n| line(&format!("m::t{n}"), "FAILED")).collect();
        assert!(second_tries(&many).is_empty());
    }
}
