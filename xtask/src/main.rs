//! The commands that a person types, and what CI calls. `cargo xtask` lists them.

mod app;
mod clean_root;
mod command;
mod licences;
mod package;
mod policy;
mod steps;
mod system;
mod tally;
mod third_party;
mod ui;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
Palette Keys: what you can type

  cargo xtask run                  open the app on the demo tenant; installs what is missing first
                                   (without a display: takes screenshots instead)
  cargo xtask test                 everything CI runs
      --list                       the steps, and what each one does
      --only NAME[,NAME]           just these steps
      --full                       the long versions of the tests as well
  cargo xtask build [--release]    window and app; the last line is the program's path
  cargo xtask package              the .deb and the .rpm; the last lines are their paths
  cargo xtask gen                  write the window's types anew from the Rust ones
  cargo xtask screenshots          every screen, light and dark, into target/screenshots
  cargo xtask bench [list|smooth|review|start|tray|revokes|agent] [full]
                                   times the release build; docs/bench.md tells what and how
";

/// What went wrong, in words, and what would mend it.
pub type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&words) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("\n{message}");
            ExitCode::FAILURE
        }
    }
}

fn command(words: &[&str]) -> Outcome<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match words {
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        ["run"] => app::run(&Workspace::find()?).map(done),
        ["build"] => app::build(&Workspace::find()?, false).map(done),
        ["build", "--release"] => app::build(&Workspace::find()?, true).map(done),
        ["package"] => package::package(&Workspace::find()?).map(done),
        ["gen"] => app::generate_types(&Workspace::find()?).map(done),
        ["screenshots"] => app::screenshots(&Workspace::find()?).map(done),
        ["bench", parts @ ..] => app::bench(&Workspace::find()?, parts).map(done),
        ["test", rest @ ..] => steps::test(rest),
        _ => Err(format!("There is no `cargo xtask {}`.\n\n{USAGE}", words.join(" "))),
    }
}
