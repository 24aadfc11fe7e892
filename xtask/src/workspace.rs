//! Where things are.

use std::path::{Path, PathBuf};

use crate::{Outcome, command::Step};

/// The folders of this clone.
pub struct Workspace {
    /// The top of the clone.
    pub root: PathBuf,
    /// Where cargo puts what it builds; `CARGO_TARGET_DIR` may have moved it.
    pub target: PathBuf,
    /// Names of the integration tests of every package, without the end-to-end ones and the one of
    /// the .deb: those need a display, a keychain or a clean root, and have steps of their own.
    pub tests: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub fn find() -> Outcome<Self> {
        let root = root();
        let text = Step::new("cargo", &["metadata", "--no-deps", "--format-version", "1"])
            .within(&root)
            .quiet()
            .output()?;
        let metadata: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| format!("`cargo metadata` answered what cannot be read: {error}"))?;
        let target = metadata["target_directory"]
            .as_str()
            .map(PathBuf::from)
            .ok_or("`cargo metadata` names no target directory")?;
        let mut tests: Vec<String> = list(&metadata["packages"])
            .flat_map(|package| list(&package["targets"]))
            .filter(|target| list(&target["kind"]).any(|kind| kind == "test"))
            .filter_map(|target| target["name"].as_str())
            .filter(|name| !["e2e", "package"].contains(name))
            .map(str::to_owned)
            .collect();
        tests.sort();
        tests.dedup();
        Ok(Self { root, target, tests })
    }

    /// The folder of the window's sources.
    pub fn ui(&self) -> PathBuf {
        self.root.join("ui")
    }
}

fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

fn list(value: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    value.as_array().into_iter().flatten()
}
