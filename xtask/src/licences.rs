//! Licences of everything that is shipped, and known holes in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    Outcome,
    command::{Step, on_path},
    policy::Graph,
    steps::Report,
    ui,
    workspace::Workspace,
};

pub fn check(workspace: &Workspace) -> Outcome<Report> {
    ui::install_packages(workspace)?;
    let allowed = allowed(&workspace.root)?;
    Ok(crates(workspace, &allowed)?
        .and(npm_packages(workspace, &allowed)?)
        .and(npm_holes(workspace)?)
        .and(crate_holes(workspace)?))
}

/// The list in `deny.toml`, which `cargo deny` reads as well.
fn allowed(root: &Path) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(root.join("deny.toml"))
        .map_err(|error| format!("deny.toml cannot be read: {error}"))?;
    let list = text
        .split_once("\nallow = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(list, _)| list)
        .ok_or("deny.toml has no list `allow = [` of licences")?;
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    Ok(lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect())
}

fn crates(workspace: &Workspace, allowed: &[String]) -> Outcome<Report> {
    let graph = Graph::read(workspace)?;
    let all: Vec<(String, Option<&str>)> = graph.licences().collect();
    Ok(judge("crates", &all, allowed))
}

fn npm_packages(workspace: &Workspace, allowed: &[String]) -> Outcome<Report> {
    let shipped = shipped_npm(workspace)?;
    let shipped: Vec<(String, Option<&str>)> =
        shipped.iter().map(|package| (package.name.clone(), package.licence.as_deref())).collect();
    Ok(judge("npm packages", &shipped, allowed))
}

/// An npm package that is part of the window.
pub struct NpmPackage {
    pub name: String,
    pub licence: Option<String>,
    pub folder: PathBuf,
}

/// The npm packages that are part of the window, by the lock file.
pub fn shipped_npm(workspace: &Workspace) -> Outcome<Vec<NpmPackage>> {
    let read = |path: &Path| -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    };
    let lock = read(&workspace.ui().join("package-lock.json"))
        .ok_or("ui/package-lock.json cannot be read")?;
    let packages = lock["packages"].as_object().ok_or("ui/package-lock.json lists no packages")?;
    Ok(packages
        .iter()
        // The empty name is the window itself; what is `dev` builds and tests it.
        .filter(|(name, package)| !name.is_empty() && package["dev"] != true)
        .map(|(name, package)| {
            let folder = workspace.ui().join(name);
            let licence = package["license"].as_str().map(str::to_owned);
            let named =
                || read(&folder.join("package.json"))?["license"].as_str().map(str::to_owned);
            let licence = licence.or_else(named).or_else(|| of_text(&folder));
            let version = package["version"].as_str().unwrap_or_default();
            NpmPackage { name: format!("{name} {version}"), licence, folder }
        })
        .collect())
}

/// For packages that ship the text of the licence and forget to name it.
fn of_text(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("LICENSE")).ok()?;
    let is_mit = text.trim_start().starts_with("MIT License")
        && text.contains("Permission is hereby granted, free of charge");
    is_mit.then(|| "MIT".to_owned())
}

fn judge(what: &str, all: &[(String, Option<&str>)], allowed: &[String]) -> Report {
    let refused: Vec<String> = all
        .iter()
        .filter(|(_, licence)| !licence.is_some_and(|licence| accepted(licence, allowed)))
        .map(|(name, licence)| format!("{name} ({})", licence.unwrap_or("no licence named")))
        .collect();
    println!("{what}: {} with licences, {} of them not allowed", all.len(), refused.len());
    if refused.is_empty() {
        return Report::passed();
    }
    Report::failed(format!(
        "These {what} have a licence that deny.toml does not allow: {}. Choose another package, \
         or add the licence there with the reason.",
        refused.join(", ")
    ))
}

/// Whether an SPDX expression can be met with the allowed licences. `AND` binds closer than `OR`;
/// the old `MIT/Apache-2.0` means `OR`.
fn accepted(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&words, &mut at, allowed);
    met && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(words, at, allowed);
    }
    met
}

fn all_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any_of(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut name = (*word).to_owned();
    if let (Some(&"WITH"), Some(exception)) = (words.get(*at), words.get(*at + 1)) {
        name = format!("{name} WITH {exception}");
        *at += 2;
    }
    allowed.contains(&name)
}

fn npm_holes(workspace: &Workspace) -> Outcome<Report> {
    let ended = ui::npm(workspace, &["audit", "--omit=dev", "--json"]).quiet().run()?;
    // npm mixes its warnings into what it prints; the answer is the JSON object.
    let json = ended.text.find('{').zip(ended.text.rfind('}')).map(|(a, b)| &ended.text[a..=b]);
    let answer: Value = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let Some(counts) = answer["metadata"]["vulnerabilities"].as_object() else {
        let why = answer["message"].as_str().unwrap_or("the npm registry did not answer the audit");
        return Ok(Report::skipped("npm audit", why));
    };
    let found = counts.get("total").and_then(Value::as_u64).unwrap_or_default();
    println!("npm audit: {found} known holes in what is shipped");
    Ok(if found == 0 {
        Report::passed()
    } else {
        Report::failed("npm knows holes in what is shipped: cd ui && npm audit --omit=dev")
    })
}

fn crate_holes(workspace: &Workspace) -> Outcome<Report> {
    if !on_path("cargo-deny") {
        return Ok(Report::skipped(
            "RustSec advisories and `cargo deny check`",
            "cargo-deny is not installed (cargo install --locked cargo-deny)",
        ));
    }
    let deny = |what: &[&str]| {
        Step::new("cargo", &[&["deny", "check"], what].concat()).within(&workspace.root)
    };
    let rules = deny(&["bans", "licenses", "sources"]).run()?;
    let rules = if rules.ok {
        Report::passed()
    } else {
        Report::failed("To see it alone: cargo deny check bans licenses sources")
    };
    let advisories = deny(&["advisories"]).run()?;
    let unreachable = ["failed to fetch", "failed to clone", "failed to open advisory"]
        .iter()
        .any(|words| advisories.text.contains(words));
    Ok(rules.and(match (advisories.ok, unreachable) {
        (true, _) => Report::passed(),
        (false, true) => {
            Report::skipped("RustSec advisories", "their database cannot be fetched here")
        }
        (false, false) => Report::failed("To see it alone: cargo deny check advisories"),
    }))
}

#[cfg(test)]
mod tests {
    use super::accepted;

    #[test]
    fn expressions_are_met_as_spdx_says() {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        let cases = [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT/GPL-3.0", true),
            ("GPL-3.0 OR (MIT AND Apache-2.0)", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("MIT AND GPL-3.0 OR Apache-2.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
            ("Apache-2.0 WITH Other", false),
            ("(MIT", true),
            ("", false),
        ];
        for (expression, wanted) in cases {
            let met = accepted(expression, &allowed);
            // An unclosed bracket is nobody's licence; it only must not panic.
            assert!(met == wanted || expression == "(MIT", "{expression}");
        }
    }
}
