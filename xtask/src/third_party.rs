//! The licences of everything that is inside the program, in full: most of them ask for no more
//! than to be handed on with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Outcome, command::Step, licences, workspace::Workspace};

/// One library or font, and where its sources are.
struct Part {
    name: String,
    licence: String,
    folder: PathBuf,
}

/// The whole text: a list of names, then each licence once with the names that it holds for.
pub fn text(workspace: &Workspace) -> Outcome<String> {
    let mut parts = crates(workspace)?;
    parts.extend(licences::shipped_npm(workspace)?.into_iter().map(|package| Part {
        licence: package.licence.unwrap_or_default(),
        name: package.name,
        folder: package.folder,
    }));
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    if parts.len() < 50 {
        return Err(format!("Only {} libraries were found in the program.", parts.len()));
    }
    let mut text = String::from("Palette Keys contains code and fonts of others.\n\n");
    let mut shared: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for part in &parts {
        text.push_str(&format!("  {} ({})\n", part.name, part.licence));
        for licence in texts(&part.folder) {
            shared.entry(licence).or_default().insert(&part.name);
        }
    }
    for (licence, names) in shared {
        let names: Vec<&str> = names.into_iter().collect();
        text.push_str(&format!("\n{}\n{}\n\n{licence}\n", "=".repeat(78), names.join(", ")));
    }
    Ok(text)
}

/// What the program is linked from on this system; tests and build scripts stay at home.
fn crates(workspace: &Workspace) -> Outcome<Vec<Part>> {
    let host = Step::new("rustc", &["-vV"]).output()?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("`rustc -vV` names no host")?;
    let line = ["metadata", "--format-version", "1", "--locked", "--filter-platform", host];
    let metadata = Step::new("cargo", &line).within(&workspace.root).output()?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| format!("`cargo metadata` answered what cannot be read: {error}"))?;
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).map(|package| (word(&package["id"]), package)).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).map(|node| (word(&node["id"]), node)).collect();
    let mut open = vec![word(&metadata["resolve"]["root"])];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(id).filter(|_| seen.insert(id)) else { continue };
        let linked = list(&node["deps"])
            .filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()));
        open.extend(linked.map(|dep| word(&dep["pkg"])));
    }
    let of_others = seen.into_iter().filter_map(|id| packages.get(id).copied());
    // Our own packages come from no registry.
    let of_others = of_others.filter(|package| !package["source"].is_null());
    Ok(of_others
        .map(|package| Part {
            name: format!("{} {}", word(&package["name"]), word(&package["version"])),
            licence: word(&package["license"]).to_owned(),
            folder: Path::new(word(&package["manifest_path"]))
                .parent()
                .map(Path::to_owned)
                .unwrap_or_default(),
        })
        .collect())
}

/// The licence files of a package, in one form of line ends.
fn texts(folder: &Path) -> Vec<String> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        ["license", "licence", "copying", "notice", "copyright", "ofl", "unlicense"]
            .iter()
            .any(|start| name.starts_with(start))
            && !name.ends_with(".rs")
    };
    paths
        .iter()
        .filter(|path| is_licence(path))
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|text| {
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            lines.join("\n").trim_matches('\n').to_owned()
        })
        .filter(|text| !text.is_empty())
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
