//! "Copy as": the shapes in which other tools take a key.

use crate::Secret;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A shape to copy a value in (fact sheet §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum CopyShape {
    /// The value alone.
    Value,
    /// `export SPECTROCLOUD_HOST=… SPECTROCLOUD_APIKEY=…`
    SpectrocloudExport,
    /// `export PALETTE_HOST=… PALETTE_API_KEY=…`
    PaletteExport,
    /// A curl call that keeps the key out of the process list.
    Curl,
    /// A Terraform provider block.
    TerraformProvider,
    /// A `.tfvars` line.
    Tfvars,
}

/// Copy a value to the clipboard, in Rust.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CopyRequest {
    /// Which value.
    pub source: crate::held::ValueSource,
    /// In which shape.
    pub shape: CopyShape,
}

/// A value in a shape that can be pasted as it is.
///
/// `host` is bare (`host[:port]`), which every tool of fact sheet §8 takes; only curl needs the
/// whole `origin`.
pub fn snippet(shape: CopyShape, origin: &str, host: &str, value: &Secret) -> Secret {
    // EXPOSE: written into the text that the person asked to copy, which is a Secret again
    let plain = value.expose_secret();
    Secret::new(match shape {
        CopyShape::Value => plain.to_owned(),
        CopyShape::SpectrocloudExport => {
            format!("export SPECTROCLOUD_HOST={} SPECTROCLOUD_APIKEY={}", sh(host), sh(plain))
        }
        CopyShape::PaletteExport => {
            format!("export PALETTE_HOST={} PALETTE_API_KEY={}", sh(host), sh(plain))
        }
        // printf is built into every shell, so the value is in no process list (§8).
        CopyShape::Curl => format!(
            "printf 'header = \"ApiKey: %s\"\\n' {} | curl -sS -K - {}",
            sh(&plain.replace('\\', "\\\\").replace('"', "\\\"")),
            sh(&format!("{origin}/v1/users/info")),
        ),
        CopyShape::TerraformProvider => format!(
            "provider \"spectrocloud\" {{\n  host         = {}\n  api_key      = {}\n  project_name = \"Default\"\n}}\n",
            hcl(host),
            hcl(plain),
        ),
        CopyShape::Tfvars => format!("sc_api_key = {}\n", hcl(plain)),
    })
}

/// One word of a POSIX shell: as it is when nothing in it is special, else in single quotes.
fn sh(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A string of HCL in which nothing is expanded.
fn hcl(text: &str) -> String {
    let escaped =
        text.replace('\\', r"\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl";
    const HOSTILE: &str = "a'b\"c\\d$(id)`id`${x}%{y};e f";

    fn shaped(shape: CopyShape, value: &str) -> String {
        let value = Secret::new(value.to_owned());
        let text = snippet(shape, "https://api.spectrocloud.com", "api.spectrocloud.com", &value);
        // EXPOSE: a test's own value
        text.expose_secret().to_owned()
    }

    #[test]
    fn shapes_are_those_that_the_tools_take() {
        let golden = [
            (CopyShape::Value, "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl"),
            (
                CopyShape::SpectrocloudExport,
                "export SPECTROCLOUD_HOST=api.spectrocloud.com \
                 SPECTROCLOUD_APIKEY=QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl",
            ),
            (
                CopyShape::PaletteExport,
                "export PALETTE_HOST=api.spectrocloud.com \
                 PALETTE_API_KEY=QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl",
            ),
            (
                CopyShape::Curl,
                "printf 'header = \"ApiKey: %s\"\\n' QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl | \
                 curl -sS -K - https://api.spectrocloud.com/v1/users/info",
            ),
            (
                CopyShape::TerraformProvider,
                "provider \"spectrocloud\" {\n  host         = \"api.spectrocloud.com\"\n  \
                 api_key      = \"QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl\"\n  \
                 project_name = \"Default\"\n}\n",
            ),
            (CopyShape::Tfvars, "sc_api_key = \"QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl\"\n"),
        ];
        for (shape, expected) in golden {
            assert_eq!(shaped(shape, KEY), expected, "{shape:?}");
        }
    }

    #[test]
    fn terraform_strings_expand_nothing() {
        assert_eq!(
            shaped(CopyShape::Tfvars, HOSTILE),
            r#"sc_api_key = "a'b\"c\\d$(id)`id`$${x}%%{y};e f""#.to_owned() + "\n"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_real_shell_reads_back_every_value() {
        for (shape, variable) in [
            (CopyShape::SpectrocloudExport, "SPECTROCLOUD_APIKEY"),
            (CopyShape::PaletteExport, "PALETTE_API_KEY"),
        ] {
            for value in [KEY, HOSTILE, "--", "=", "~"] {
                let script = format!("{}\nprintf %s \"${variable}\"", shaped(shape, value));
                assert_eq!(run(&script), value, "{shape:?}");
            }
        }
        // curl's own configuration reads \\ and \" inside quotes: look at what it would be given.
        let script = shaped(CopyShape::Curl, HOSTILE);
        let (printed, _) = script.split_once(" | ").unwrap();
        assert_eq!(run(printed), "header = \"ApiKey: a'b\\\"c\\\\d$(id)`id`${x}%{y};e f\"\n");
    }

    #[cfg(unix)]
    fn run(script: &str) -> String {
        let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}
