//! Running other programs: what they print is shown as it comes and kept for counting.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use crate::Outcome;

/// One call of another program.
pub struct Step {
    command: Command,
    line: String,
    quiet: bool,
}

/// How it ended, and all it printed.
pub struct Ended {
    pub ok: bool,
    pub text: String,
}

impl Step {
    pub fn new<S: AsRef<str>>(program: &str, arguments: &[S]) -> Self {
        let mut command = Command::new(program);
        let mut line = program.to_owned();
        for argument in arguments {
            command.arg(argument.as_ref());
            line.push(' ');
            line.push_str(argument.as_ref());
        }
        // `cargo run` tells this program which package it is. Handed on, it would make build scripts
        // that look at it (ring's does) compile half of the tree anew at every change between
        // `cargo xtask` and plain `cargo`.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            }) {
                command.env_remove(name);
            }
        }
        // Nothing here asks a question: CI has no standard input.
        command.stdin(Stdio::null());
        Self { command, line, quiet: false }
    }

    pub fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    pub fn with(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Keeps the output without showing it.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The command line, as a person would type it.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Outcome<Ended> {
        if !self.quiet {
            println!("$ {}", self.line);
        }
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_start(&self.line, &error))?;
        let text = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let quiet = self.quiet;
        std::thread::scope(|scope| {
            scope.spawn(|| copy(out, &text, (!quiet).then(std::io::stdout)));
            scope.spawn(|| copy(err, &text, (!quiet).then(std::io::stderr)));
        });
        let ended = child.wait().map_err(|error| format!("`{}` was lost: {error}", self.line))?;
        let text = text.lock().map(|text| text.clone()).unwrap_or_default();
        Ok(Ended { ok: ended.success(), text })
    }

    /// Runs it; an end other than success is a failure that names the command.
    pub fn must(self) -> Outcome {
        let (line, quiet) = (self.line.clone(), self.quiet);
        let ended = self.run()?;
        if ended.ok {
            return Ok(());
        }
        let shown = if quiet { format!("\n{}", ended.text.trim_end()) } else { String::new() };
        Err(format!("`{line}` failed.{shown}"))
    }

    /// What it prints on standard output alone.
    pub fn output(mut self) -> Outcome<String> {
        let output = self.command.output().map_err(|error| cannot_start(&self.line, &error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}` failed.\n{}", self.line, said.trim_end()))
    }

    /// Runs it with the terminal handed over, for the app itself.
    pub fn open(mut self) -> Outcome {
        println!("$ {}", self.line);
        let ended = self.command.status().map_err(|error| cannot_start(&self.line, &error))?;
        if ended.success() { Ok(()) } else { Err(format!("`{}` ended with {ended}.", self.line)) }
    }
}

fn cannot_start(line: &str, error: &std::io::Error) -> String {
    let program = line.split(' ').next().unwrap_or(line);
    let mend = match program {
        "npm" | "node" => "Install Node 20.19 or later (https://nodejs.org, with npm).",
        "cargo" => "Install Rust (https://rustup.rs).",
        "git" => "Install git.",
        _ => "`cargo xtask test --only setup` installs what the tests need.",
    };
    format!("`{program}` cannot be started: {error}. {mend}")
}

fn copy(from: Option<impl Read>, kept: &Mutex<String>, mut shown: Option<impl Write>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
        if let Some(shown) = &mut shown {
            // A closed pipe (`| head`) is the reader's wish; the step goes on.
            let _ = shown.write_all(&line);
        }
        if let Ok(mut kept) = kept.lock() {
            kept.push_str(&String::from_utf8_lossy(&line));
        }
        line.clear();
    }
}

/// Whether a program of this name is on the PATH.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
