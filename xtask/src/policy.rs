//! Rules of the house that neither the compiler nor a linter checks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Outcome, command::Step, steps::Report, workspace::Workspace};

/// One rule: what it demands, and where it is broken.
struct Rule {
    demand: &'static str,
    broken: Vec<String>,
}

pub fn check(workspace: &Workspace) -> Outcome<Report> {
    let sources = Sources::read(&workspace.root)?;
    let graph = Graph::read(workspace)?;
    let rules = [
        Rule {
            demand: "each `expose_secret` has a line `// EXPOSE: why` directly above",
            broken: sources.rust.iter().flat_map(unexplained_exposures).collect(),
        },
        Rule {
            demand: "each `#[tauri::command]` is an `async fn` (a plain one stops the window)",
            broken: sources.rust.iter().flat_map(blocking_commands).collect(),
        },
        Rule {
            demand: "`@tauri-apps/` is imported under ui/src/lib/ipc only",
            broken: lines_with(
                sources.ui.iter().filter(|file| !file.name.starts_with("ui/src/lib/ipc/")),
                "@tauri-apps/",
            ),
        },
        Rule {
            demand: "no `{@html …}`: names and messages of a server are text",
            broken: lines_with(sources.ui.iter(), "{@html"),
        },
        Rule {
            demand: "no capability grants `core:default` or the store to a window",
            broken: ["\"core:default\"", "\"store:"]
                .iter()
                .flat_map(|grant| lines_with(sources.config.iter(), grant))
                .collect(),
        },
        Rule {
            demand: "no error of the keychain is printed with `{:?}` (it can hold the secret)",
            broken: lines_with(
                sources.rust.iter().filter(|file| file.name.contains("/keychain")),
                ":?}",
            ),
        },
        Rule {
            demand: "zbus runs without its `tokio` feature (with it the keychain panics in a worker)",
            broken: graph.with_feature("zbus", &["tokio"]),
        },
        Rule {
            demand: "tauri runs without `devtools` and `tracing` (they show or record what is said)",
            broken: graph.with_feature("tauri", &["devtools", "tracing"]),
        },
        Rule {
            demand: "TLS is rustls: no native-tls, no openssl",
            broken: graph.packages(&["native-tls", "openssl", "openssl-sys"]),
        },
        Rule {
            demand: "core knows neither tauri nor the simulator, the simulator does not know core",
            broken: [
                graph.reached_from("palette-keys-core", &["tauri", "palette-sim", "palette-keys"]),
                graph.reached_from("palette-sim", &["tauri", "palette-keys-core", "palette-keys"]),
            ]
            .concat(),
        },
    ];
    let mut report = Report { tally: Default::default(), mend: None };
    for rule in rules {
        let kept = rule.broken.is_empty();
        println!("{} {}", if kept { "ok    " } else { "BROKEN" }, rule.demand);
        for place in &rule.broken {
            println!("       {place}");
        }
        report = report.and(if kept {
            Report::passed()
        } else {
            Report::failed(format!(
                "The rule: {}. Broken at: {}",
                rule.demand,
                rule.broken.join(", ")
            ))
        });
    }
    Ok(report)
}

struct File {
    /// From the top of the clone, with `/`.
    name: String,
    text: String,
}

struct Sources {
    /// What ships; tests, and the test modules at the end of a file, are left out.
    rust: Vec<File>,
    ui: Vec<File>,
    config: Vec<File>,
}

impl Sources {
    fn read(root: &Path) -> Outcome<Self> {
        let mut rust = Vec::new();
        for folder in ["src-tauri/src", "crates/core/src", "crates/sim/src"] {
            collect(root, &root.join(folder), &["rs"], &mut rust)?;
        }
        for file in &mut rust {
            if let Some(at) = file.text.find("#[cfg(test)]\nmod tests {") {
                file.text.truncate(at);
            }
        }
        let mut ui = Vec::new();
        collect(root, &root.join("ui/src"), &["ts", "js", "svelte", "html"], &mut ui)?;
        let mut config = Vec::new();
        collect(root, &root.join("src-tauri/capabilities"), &["json", "toml"], &mut config)?;
        push(root, &root.join("tauri.conf.json"), &mut config)?;
        Ok(Self { rust, ui, config })
    }
}

fn collect(root: &Path, folder: &Path, endings: &[&str], into: &mut Vec<File>) -> Outcome {
    let unreadable =
        |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, endings, into)?;
        } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
            push(root, &path, into)?;
        }
    }
    Ok(())
}

fn push(root: &Path, path: &Path, into: &mut Vec<File>) -> Outcome {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    into.push(File { name, text });
    Ok(())
}

fn lines_with<'a>(files: impl Iterator<Item = &'a File>, part: &str) -> Vec<String> {
    files
        .flat_map(|file| file.text.lines().zip(1..).map(move |(line, number)| (file, line, number)))
        .filter(|(_, line, _)| line.contains(part) && !line.trim_start().starts_with("//"))
        .map(|(file, _, number)| format!("{}:{number}", file.name))
        .collect()
}

fn unexplained_exposures(file: &File) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().map(str::trim_start).collect();
    let exposes = |line: &str| {
        line.contains("expose_secret")
            && !line.starts_with("//")
            && !line.contains("fn expose_secret")
    };
    let explained = |at: usize| {
        // The reason may run over several comment lines.
        lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("//"))
            .any(|line| line.starts_with("// EXPOSE:"))
    };
    // The one place that is the exposure itself.
    let defined = |at: usize| at > 0 && lines[at - 1].contains("fn expose_secret");
    (0..lines.len())
        .filter(|at| exposes(lines[*at]) && !explained(*at) && !defined(*at))
        .map(|at| format!("{}:{}", file.name, at + 1))
        .collect()
}

fn blocking_commands(file: &File) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().map(str::trim_start).collect();
    let is_async = |at: usize| {
        let passed_over = |line: &&&str| {
            line.is_empty() || ["#", "//", "$(#"].iter().any(|start| line.starts_with(start))
        };
        let declared = lines[at + 1..].iter().find(|line| !passed_over(line));
        declared.is_some_and(|line| line.contains("async fn"))
    };
    (0..lines.len())
        .filter(|at| lines[*at].starts_with("#[tauri::command") && !is_async(*at))
        .map(|at| format!("{}:{}", file.name, at + 1))
        .collect()
}

/// What cargo resolved, for every platform.
pub struct Graph {
    metadata: Value,
}

impl Graph {
    pub fn read(workspace: &Workspace) -> Outcome<Self> {
        let text = Step::new("cargo", &["metadata", "--format-version", "1", "--locked"])
            .within(&workspace.root)
            .output()
            .map_err(|error| {
                format!(
                    "{error}\nIf Cargo.lock is behind: cargo update --workspace, and commit it."
                )
            })?;
        let metadata = serde_json::from_str(&text)
            .map_err(|error| format!("`cargo metadata` answered what cannot be read: {error}"))?;
        Ok(Self { metadata })
    }

    /// Every package: name, version and what its manifest says of its licence.
    pub fn licences(&self) -> impl Iterator<Item = (String, Option<&str>)> {
        list(&self.metadata["packages"]).map(|package| {
            let name = format!("{} {}", text(&package["name"]), text(&package["version"]));
            (name, package["license"].as_str())
        })
    }

    fn id_name(&self, id: &str) -> &str {
        list(&self.metadata["packages"])
            .find(|package| package["id"] == id)
            .map_or("", |package| text(&package["name"]))
    }

    fn nodes(&self) -> impl Iterator<Item = &Value> {
        list(&self.metadata["resolve"]["nodes"])
    }

    fn packages(&self, names: &[&str]) -> Vec<String> {
        let found = self.nodes().map(|node| self.id_name(text(&node["id"])));
        found.filter(|name| names.contains(name)).map(str::to_owned).collect()
    }

    fn with_feature(&self, name: &str, features: &[&str]) -> Vec<String> {
        self.nodes()
            .filter(|node| self.id_name(text(&node["id"])) == name)
            .flat_map(|node| list(&node["features"]).map(text))
            .filter(|feature| features.contains(feature))
            .map(|feature| format!("{name}/{feature}"))
            .collect()
    }

    /// Those of `names` that `from` depends on, tests and build scripts left out.
    fn reached_from(&self, from: &str, names: &[&str]) -> Vec<String> {
        let start = self.nodes().map(|node| text(&node["id"]));
        let mut open: Vec<&str> = start.filter(|id| self.id_name(id) == from).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(node) = self.nodes().find(|node| node["id"] == id) else { continue };
            let normal = list(&node["deps"])
                .filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()));
            open.extend(normal.map(|dep| text(&dep["pkg"])));
        }
        let mut reached: Vec<String> = seen
            .iter()
            .map(|id| self.id_name(id))
            .filter(|name| *name != from && names.contains(name))
            .map(|name| format!("{from} → {name}"))
            .collect();
        reached.sort();
        reached
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File { name: "x.rs".into(), text: text.into() }
    }

    #[test]
    fn an_exposure_needs_its_reason_directly_above() {
        let good = "// EXPOSE: the header is what the server reads,\n// and it is sensitive.\na.expose_secret();";
        assert!(unexplained_exposures(&file(good)).is_empty());
        let far = "// EXPOSE: why\n\na.expose_secret();";
        assert_eq!(unexplained_exposures(&file(far)), ["x.rs:3"]);
        assert_eq!(unexplained_exposures(&file("// why\na.expose_secret();")), ["x.rs:2"]);
        assert!(unexplained_exposures(&file("pub fn expose_secret(&self) {")).is_empty());
    }

    #[test]
    fn a_plain_command_is_found_behind_its_attributes() {
        let good = "#[tauri::command]\n/// Says.\n#[allow(x)]\npub async fn a() {}";
        assert!(blocking_commands(&file(good)).is_empty());
        assert_eq!(blocking_commands(&file("#[tauri::command]\nfn a() {}")), ["x.rs:1"]);
        assert_eq!(blocking_commands(&file("#[tauri::command(async)]\nfn a() {}")), ["x.rs:1"]);
    }
}
