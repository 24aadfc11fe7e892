//! The window's sources: npm packages, and the built pages that go into the program.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{Outcome, command::Step, workspace::Workspace};

const OLDEST_NODE: (u32, u32) = (20, 19);

/// Node, and the packages of `package-lock.json`, exactly.
pub fn install_packages(workspace: &Workspace) -> Outcome {
    check_node()?;
    let ui = workspace.ui();
    // npm writes this file at the end of an install.
    let installed = changed(&ui.join("node_modules/.package-lock.json"));
    let wanted = ["package.json", "package-lock.json"].map(|name| changed(&ui.join(name)));
    if installed.is_some() && wanted.iter().all(|time| *time <= installed) {
        return Ok(());
    }
    npm(workspace, &["ci", "--no-audit", "--no-fund"])
        .must()
        .map_err(|error| format!("{error}\nTo mend it: cd ui && npm ci"))
}

/// Builds `ui/dist`, unless it is newer than everything it is made from. The app's build watches
/// that folder, so a needless build of the window would cost one of the app as well.
pub fn build(workspace: &Workspace) -> Outcome {
    install_packages(workspace)?;
    if built_since_last_change(&workspace.ui()) {
        return Ok(());
    }
    npm(workspace, &["run", "build"])
        .must()
        .map_err(|error| format!("{error}\nTo see it alone: cd ui && npm run build"))
}

/// An npm command in `ui`, without colours so that its counts can be read.
pub fn npm(workspace: &Workspace, arguments: &[&str]) -> Step {
    Step::new("npm", arguments).within(&workspace.ui()).with("NO_COLOR", "1")
}

fn check_node() -> Outcome {
    let version = Step::new("node", &["--version"]).output()?;
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    let found = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => return Err(format!("`node --version` answered {version:?}.")),
    };
    if found < OLDEST_NODE {
        return Err(format!(
            "Node {} is too old: {}.{} or later is needed (https://nodejs.org).",
            version.trim(),
            OLDEST_NODE.0,
            OLDEST_NODE.1
        ));
    }
    Ok(())
}

fn built_since_last_change(ui: &Path) -> bool {
    let Some(built) = changed(&ui.join("dist/index.html")) else { return false };
    let mut sources = vec![ui.join("src"), ui.join("public")];
    let files = fs::read_dir(ui).into_iter().flatten().flatten().map(|entry| entry.path());
    sources.extend(files.filter(|path| path.is_file()));
    sources.iter().all(|source| newest(source).is_none_or(|time| time < built))
}

fn newest(path: &PathBuf) -> Option<SystemTime> {
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    inside.filter_map(|entry| newest(&entry.path())).chain(changed(path)).max()
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
