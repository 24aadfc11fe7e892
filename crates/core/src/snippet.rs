//! "Copy as": the shapes in which other tools take a key (fact sheet §8).
//!
//! Whatever a server calls a key or a person calls a host is written so that the tool reads back
//! exactly that text and nothing after it: each language has its own quoting here, and the tests
//! read it back with that language, or by its rules where it is not on this computer.

use crate::Secret;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
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
    /// `$env:` lines of both families, for PowerShell.
    Powershell,
    /// Lines of a `.env` file, both families.
    Dotenv,
    /// A curl call that keeps the key out of the process list.
    Curl,
    /// A Terraform provider block.
    TerraformProvider,
    /// A `.tfvars` line.
    Tfvars,
    /// The configuration of an MCP client for Palette's MCP server, in JSON.
    McpServer,
    /// A program in Go with Palette's SDK.
    Go,
    /// A module in TypeScript with Palette's SDK.
    Typescript,
    /// A script in Python; there is no official SDK.
    Python,
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

/// The four names that tools read: both families of fact sheet §8, host before key.
const VARIABLES: [&str; 4] =
    ["PALETTE_HOST", "PALETTE_API_KEY", "SPECTROCLOUD_HOST", "SPECTROCLOUD_APIKEY"];

/// A value in a shape that can be pasted as it is.
///
/// `host` is bare (`host[:port]`), which is what the variables, Terraform, the MCP server and the Go
/// SDK take; curl, TypeScript and Python need the whole `origin` (fact sheet §8).
pub fn snippet(shape: CopyShape, origin: &str, host: &str, value: &Secret) -> Secret {
    // EXPOSE: written into the text that the person asked to copy, which is a Secret again
    let plain = value.expose_secret();
    // Only to this computer; an https address has no such part.
    let is_plain_http = origin.starts_with("http://");
    Secret::new(match shape {
        CopyShape::Value => plain.to_owned(),
        CopyShape::SpectrocloudExport => {
            format!("export SPECTROCLOUD_HOST={} SPECTROCLOUD_APIKEY={}", sh(host), sh(plain))
        }
        CopyShape::PaletteExport => {
            format!("export PALETTE_HOST={} PALETTE_API_KEY={}", sh(host), sh(plain))
        }
        CopyShape::Powershell => {
            lines(host, plain, |name, text| format!("$env:{name} = {}\n", powershell(text)))
        }
        CopyShape::Dotenv => lines(host, plain, |name, text| format!("{name}={}\n", dotenv(text))),
        // printf is built into every shell, so the value is in no process list (§8).
        CopyShape::Curl => format!(
            "printf 'header = \"ApiKey: %s\"\\n' {} | curl -sS -K - {}",
            sh(&curl(plain)),
            sh(&format!("{origin}/v1/users/info")),
        ),
        CopyShape::TerraformProvider => format!(
            "provider \"spectrocloud\" {{\n{}  host         = {}\n  api_key      = {}\n  \
             project_name = \"Default\"\n}}\n",
            if is_plain_http {
                "  # The provider speaks https only; this host speaks http.\n"
            } else {
                ""
            },
            hcl(host),
            hcl(plain),
        ),
        CopyShape::Tfvars => format!("sc_api_key = {}\n", hcl(plain)),
        CopyShape::McpServer => mcp_server(host, plain),
        CopyShape::Go => format!(
            "package main\n\nimport (\n\t\"fmt\"\n\t\"log\"\n\n\t\"github.com/spectrocloud/palette-sdk-go/client\"\n)\n\n\
             func main() {{\n\t// Keep the key out of the repository: os.Getenv(\"PALETTE_API_KEY\") reads it from the environment.\n\
             \tpc := client.New(\n\t\tclient.WithPaletteURI({}),\n{}\t\tclient.WithAPIKey({}),\n\t)\n\
             \tkeys, err := pc.GetAPIKeys()\n\tif err != nil {{\n\t\tlog.Fatal(err)\n\t}}\n\
             \tfor _, key := range keys.Items {{\n\t\tfmt.Println(key.Metadata.Name)\n\t}}\n}}\n",
            literal(host),
            if is_plain_http { "\t\tclient.WithSchemes([]string{\"http\"}),\n" } else { "" },
            literal(plain),
        ),
        CopyShape::Typescript => format!(
            "import {{ apiKeysList }} from \"@spectrocloud/palette-sdk-typescript\";\n\n\
             // Keep the key out of the repository: process.env.PALETTE_API_KEY reads it from the environment.\n\
             const keys = await apiKeysList({{\n  baseUrl: {},\n  headers: {{ ApiKey: {}, \"Content-Type\": \"application/json\" }},\n}} as RequestInit);\n\
             console.log(keys.items?.map((key) => key.metadata?.name));\n",
            literal(origin),
            literal(plain),
        ),
        CopyShape::Python => format!(
            "import requests\n\n\
             # Keep the key out of the repository: os.environ[\"PALETTE_API_KEY\"] reads it from the environment.\n\
             answer = requests.get(\n    {},\n    headers={{\"ApiKey\": {}}},\n    timeout=30,\n)\n\
             answer.raise_for_status()\n\
             print([key[\"metadata\"][\"name\"] for key in answer.json().get(\"items\", [])])\n",
            literal(&format!("{origin}/v1/apiKeys")),
            literal(plain),
        ),
    })
}

/// One line for each of the four variables.
fn lines(host: &str, value: &str, line: impl Fn(&str, &str) -> String) -> String {
    let texts = [host, value, host, value];
    VARIABLES.iter().zip(texts).map(|(name, text)| line(name, text)).collect()
}

/// What an MCP client starts: the server of today's documents in its container, with the names that
/// are passed on. Inside a container this computer's loopback is another one, so it gets the network
/// of this computer there.
fn mcp_server(host: &str, value: &str) -> String {
    let network = if is_loopback(host) { "\"--network\", \"host\", " } else { "" };
    format!(
        r#"{{
  "mcpServers": {{
    "palette": {{
      "command": "docker",
      "args": ["run", "--rm", "-i", {network}"-e", "PALETTE_HOST", "-e", "PALETTE_API_KEY", "public.ecr.aws/palette-ai/palette-mcp-server:latest"],
      "env": {{ "PALETTE_HOST": {}, "PALETTE_API_KEY": {} }}
    }}
  }}
}}
"#,
        literal(host),
        literal(value),
    )
}

/// Whether `host[:port]` is this computer.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Nothing in it is special to a shell or to any reader of `.env` files.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// One word of a shell: as it is when nothing in it is special, else in single quotes.
///
/// A terminal acts on control characters before the shell reads them, quoted or not; no key has
/// any, but a server may say what it likes. Such a word is written in the `$'…'` of bash and zsh.
fn sh(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.chars().any(char::is_control) {
        let mut word = String::from("$'");
        for char in text.chars() {
            match char {
                '\'' | '\\' => word.extend(['\\', char]),
                // The bytes one by one: bash knows no escape for a character that depends on nothing.
                _ if char.is_control() => {
                    for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(word, "\\{byte:03o}");
                    }
                }
                _ => word.push(char),
            }
        }
        word.push('\'');
        word
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The inside of a quoted string in a configuration of curl, where `\` escapes and a line ends the
/// option. No header can carry a control character, so those are left out.
fn curl(text: &str) -> String {
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A string of PowerShell in which nothing is expanded. It takes the typographic quotes for single
/// ones too, and a doubled one for itself. Control characters, which a console acts on, are written
/// as numbers and joined.
fn powershell(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut quoted = String::new();
    for char in text.chars() {
        if char.is_control() {
            if !quoted.is_empty() {
                parts.push(format!("'{}'", std::mem::take(&mut quoted)));
            }
            parts.push(format!("[char]{}", u32::from(char)));
            continue;
        }
        quoted.push(char);
        if matches!(char, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(char);
        }
    }
    if !quoted.is_empty() || parts.is_empty() {
        parts.push(format!("'{quoted}'"));
    }
    match &*parts {
        // A number first would be added to, not joined.
        [first, ..] if first.starts_with('[') => format!("'' + {}", parts.join(" + ")),
        _ => parts.join(" + "),
    }
}

/// A value of a `.env` file. Readers agree on a plain one, which is what every real key is; on what
/// quotes mean they differ, so single ones are used where nothing in them needs an escape, and double
/// ones with the escapes of a shell otherwise.
fn dotenv(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if !text.chars().any(|char| matches!(char, '\'' | '\\') || char.is_control()) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // No reader has an escape for the others, and no key has them.
            _ if char.is_control() => {}
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// A string of HCL in which nothing is expanded. `$${` would do after anything but a third `$`; an
/// escape is read after the templates were found, wherever it stands.
fn hcl(text: &str) -> String {
    literal(text).replace("${", "\\u0024{").replace("%{", "\\u0025{")
}

/// A string literal that JSON, Go, TypeScript, Python and HCL read alike. All but plain characters
/// are written as `\uXXXX`, so that none can turn the direction of the text around it.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            ' '..='~' => quoted.push(char),
            _ if u32::from(char) <= 0xffff => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            // The five have no escape in common for these, and none is needed.
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
