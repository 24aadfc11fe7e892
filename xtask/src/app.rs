//! Building and opening the app.

use std::fs;

use crate::{
    Outcome,
    command::Step,
    steps,
    system::{self, Needs},
    tally::Tally,
    ui,
    workspace::Workspace,
};

/// Opens the demo tenant, or photographs it where there is no display.
pub fn run(workspace: &Workspace) -> Outcome {
    let display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if !display && cfg!(target_os = "linux") {
        println!(
            "There is no display here (DISPLAY and WAYLAND_DISPLAY are not set), so the window \
             opens on a virtual one and its main screens are written to target/screenshots."
        );
        return screenshots(workspace);
    }
    system::install_missing(Needs::App)?;
    ui::build(workspace)?;
    cargo_build(workspace, false)?;
    println!("Opening Palette Keys on the demo tenant: nothing in it is real.");
    Step::new(&program(workspace, false), &["--demo"]).within(&workspace.root).open()
}

/// Builds window and app, and says where the program is.
pub fn build(workspace: &Workspace, release: bool) -> Outcome {
    system::install_missing(Needs::App)?;
    ui::build(workspace)?;
    cargo_build(workspace, release)?;
    println!("{}", program(workspace, release));
    Ok(())
}

/// Writes the types that the window is checked against.
pub fn generate_types(workspace: &Workspace) -> Outcome {
    let folder = workspace.ui().join("src/lib/ipc/generated");
    fs::create_dir_all(&folder)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    steps::types_into(workspace, &folder)
        .must()
        .map_err(|error| format!("{error}\nThe types are written by the Rust code: mend it first."))
}

/// The end-to-end tests that photograph every screen.
pub fn screenshots(workspace: &Workspace) -> Outcome {
    system::install_missing(Needs::Tests)?;
    ui::build(workspace)?;
    let ended = steps::end_to_end(workspace, &["screenshots"]).run()?;
    if !ended.ok {
        return Err("The screenshots failed; the pictures so far are in target/screenshots.".into());
    }
    if Tally::of_cargo(&ended.text).passed == 0 {
        return Err("No end-to-end test takes screenshots (none has the word in its name).".into());
    }
    println!("The screenshots are in {}", workspace.target.join("screenshots").display());
    Ok(())
}

/// Times the release build; `parts` are names of what alone shall be measured.
pub fn bench(workspace: &Workspace, parts: &[&str]) -> Outcome {
    const PARTS: [&str; 8] =
        ["list", "smooth", "review", "start", "tray", "revokes", "agent", "full"];
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("`{unknown}` is not measured; there are: {}.", PARTS.join(", ")));
    }
    system::install_missing(Needs::Bench)?;
    ui::build(workspace)?;
    // The feature leaves a release build open to WebDriver; what is shipped never has it.
    let line = ["bench", "--features", "automation", "--bench", "bench", "--"];
    Step::new("cargo", &[&line, parts].concat()).within(&workspace.root).must()
}

fn cargo_build(workspace: &Workspace, release: bool) -> Outcome {
    let mut arguments = vec!["build", "--bin", "palette-keys"];
    if release {
        arguments.push("--release");
    }
    Step::new("cargo", &arguments).within(&workspace.root).must()
}

fn program(workspace: &Workspace, release: bool) -> String {
    let profile = if release { "release" } else { "debug" };
    let name = format!("palette-keys{}", std::env::consts::EXE_SUFFIX);
    workspace.target.join(profile).join(name).display().to_string()
}
