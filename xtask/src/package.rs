//! `cargo xtask package`: the .deb and the .rpm, as a person installs them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    Outcome,
    command::{Step, on_path},
    system::{self, Needs},
    third_party, ui,
    workspace::Workspace,
};

/// No package may be larger: it is downloaded by people who wait for it.
const LARGEST: u64 = 10 * 1024 * 1024;

/// Where the packages are.
pub struct Packages {
    pub deb: PathBuf,
    pub rpm: PathBuf,
}

/// Builds both, prints their sizes; the last lines are their paths.
pub fn package(workspace: &Workspace) -> Outcome {
    let packages = build(workspace)?;
    println!("{}\n{}", packages.deb.display(), packages.rpm.display());
    Ok(())
}

/// Builds both packages, and refuses one that is too large.
pub fn build(workspace: &Workspace) -> Outcome<Packages> {
    if !cfg!(target_os = "linux") {
        return Err("Packages are built on Linux only, so far.".into());
    }
    system::install_missing(Needs::App)?;
    ui::build(workspace)?;
    // Never with the feature `automation`: this is the program that people get.
    tauri(workspace, &["build", "--ci", "--no-bundle"]).must()?;
    let folder = workspace.target.join("package");
    fs::create_dir_all(&folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
    let config = folder.join("tauri.package.json");
    write(&config, &additions(workspace, &folder)?)?;
    // Yesterday's packages of another version must not be taken for today's.
    let bundles = workspace.target.join("release/bundle");
    let _ = fs::remove_dir_all(&bundles);
    let config = config.display().to_string();
    tauri(workspace, &["bundle", "--ci", "--bundles", "deb,rpm", "--config", &config]).must()?;
    let packages = Packages {
        deb: only(&bundles.join("deb"), "deb")?,
        rpm: only(&bundles.join("rpm"), "rpm")?,
    };
    for path in [&packages.deb, &packages.rpm] {
        let size = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!("{name}: {}", mebibytes(size));
        if size > LARGEST {
            return Err(format!("{name} is larger than {}.", mebibytes(LARGEST)));
        }
    }
    Ok(packages)
}

/// What is only known once the program is built: the libraries it is linked to, and whose code is in
/// it. It is added to `tauri.linux.conf.json` for the bundling alone, so that it compiles nothing.
fn additions(workspace: &Workspace, folder: &Path) -> Outcome<String> {
    let third_party = folder.join("third-party.txt");
    write(&third_party, &third_party::text(workspace)?)?;
    let name = third_party.display().to_string();
    Step::new("gzip", &["--force", "--keep", "--best", "--no-name", &name]).must()?;
    let files = json!({ "/usr/share/doc/palette-keys/third-party.txt.gz": format!("{name}.gz") });
    let mut additions = json!({ "bundle": { "linux": {
        "deb": { "files": files },
        "rpm": { "files": files },
    } } });
    if on_path("dpkg-shlibdeps") {
        let mut depends = libraries(workspace, folder)?;
        // Loaded by name at run time, so nothing is linked to it.
        depends.push("libayatana-appindicator3-1".to_owned());
        additions["bundle"]["linux"]["deb"]["depends"] = json!(depends);
    }
    serde_json::to_string_pretty(&additions).map_err(|error| error.to_string())
}

/// The Debian packages of the linked libraries, with the oldest version that will do. Without them a
/// package built on a newer system installs on an older one, and does not start there.
fn libraries(workspace: &Workspace, folder: &Path) -> Outcome<Vec<String>> {
    let control = folder.join("debian/control");
    // The tool reads no word of it, but does not work without.
    fs::create_dir_all(folder.join("debian")).map_err(|e| e.to_string())?;
    write(&control, "Source: palette-keys\n\nPackage: palette-keys\nArchitecture: any\n")?;
    let program = format!("-e{}", workspace.target.join("release/palette-keys").display());
    let said = Step::new("dpkg-shlibdeps", &["-O", &program]).within(folder).output()?;
    parse_libraries(&said)
        .ok_or_else(|| format!("`dpkg-shlibdeps` answered what cannot be read: {said}"))
}

fn parse_libraries(said: &str) -> Option<Vec<String>> {
    let list = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="))?;
    let names: Vec<String> = list
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    (!names.is_empty()).then_some(names)
}

fn tauri(workspace: &Workspace, arguments: &[&str]) -> Step {
    let cli = workspace.ui().join("node_modules/.bin/tauri");
    Step::new(&cli.display().to_string(), arguments)
        .within(&workspace.root)
        .with("CARGO_TARGET_DIR", &workspace.target)
        // Taken from the environment, either would make a program other than the one tested.
        .without("TAURI_CONFIG")
        .without("RUSTFLAGS")
}

fn only(folder: &Path, ending: &str) -> Outcome<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = found.filter(|path| path.extension().is_some_and(|e| e == ending));
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(format!("One .{ending} was to be in {}.", folder.display())),
    }
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|e| format!("{} cannot be written: {e}", path.display()))
}

fn mebibytes(bytes: u64) -> String {
    let hundredths = bytes * 100 / (1024 * 1024);
    format!("{}.{:02} MiB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_libraries_keep_their_versions() {
        let said = "shlibs:Depends=libc6 (>= 2.34), libgtk-3-0 (>= 3.16.2) | libgtk-3-0t64\n";
        let expected = ["libc6 (>= 2.34)", "libgtk-3-0 (>= 3.16.2) | libgtk-3-0t64"];
        assert_eq!(parse_libraries(said).as_deref(), Some(&expected.map(str::to_owned)[..]));
        assert_eq!(parse_libraries("shlibs:Depends=\n"), None);
        assert_eq!(parse_libraries("something else"), None);
    }

    #[test]
    fn sizes_are_rounded_down_to_hundredths() {
        assert_eq!(mebibytes(10 * 1024 * 1024), "10.00 MiB");
        assert_eq!(mebibytes(7_654_321), "7.29 MiB");
    }
}
