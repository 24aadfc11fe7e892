use super::*;
use proptest::prelude::*;

const KEY: &str = "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl";
const HOSTILE: &str = "a'b\"c\\d$(id)`id`${x}%{y};e f";
const ORIGIN: &str = "https://api.spectrocloud.com";

const ALL: [CopyShape; 12] = [
    CopyShape::Value,
    CopyShape::SpectrocloudExport,
    CopyShape::PaletteExport,
    CopyShape::Powershell,
    CopyShape::Dotenv,
    CopyShape::Curl,
    CopyShape::TerraformProvider,
    CopyShape::Tfvars,
    CopyShape::McpServer,
    CopyShape::Go,
    CopyShape::Typescript,
    CopyShape::Python,
];

fn shaped_at(shape: CopyShape, origin: &str, value: &str) -> String {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let text = snippet(shape, origin, host, &Secret::new(value.to_owned()));
    // EXPOSE: a test's own value
    text.expose_secret().to_owned()
}

fn shaped(shape: CopyShape, value: &str) -> String {
    shaped_at(shape, ORIGIN, value)
}

/// The shapes as they are documented in fact sheet §8, word for word.
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
            CopyShape::Powershell,
            "$env:PALETTE_HOST = 'api.spectrocloud.com'
$env:PALETTE_API_KEY = 'QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl'
$env:SPECTROCLOUD_HOST = 'api.spectrocloud.com'
$env:SPECTROCLOUD_APIKEY = 'QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl'
",
        ),
        (
            CopyShape::Dotenv,
            "PALETTE_HOST=api.spectrocloud.com
PALETTE_API_KEY=QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl
SPECTROCLOUD_HOST=api.spectrocloud.com
SPECTROCLOUD_APIKEY=QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl
",
        ),
        (
            CopyShape::Curl,
            "printf 'header = \"ApiKey: %s\"\\n' QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl | \
             curl -sS -K - https://api.spectrocloud.com/v1/users/info",
        ),
        (
            CopyShape::TerraformProvider,
            r#"provider "spectrocloud" {
  host         = "api.spectrocloud.com"
  api_key      = "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl"
  project_name = "Default"
}
"#,
        ),
        (CopyShape::Tfvars, "sc_api_key = \"QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl\"\n"),
        (
            CopyShape::McpServer,
            r#"{
  "mcpServers": {
    "palette": {
      "command": "docker",
      "args": ["run", "--rm", "-i", "-e", "PALETTE_HOST", "-e", "PALETTE_API_KEY", "public.ecr.aws/palette-ai/palette-mcp-server:latest"],
      "env": { "PALETTE_HOST": "api.spectrocloud.com", "PALETTE_API_KEY": "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl" }
    }
  }
}
"#,
        ),
        (
            CopyShape::Go,
            r#"package main

import (
	"fmt"
	"log"

	"github.com/spectrocloud/palette-sdk-go/client"
)

func main() {
	// Keep the key out of the repository: os.Getenv("PALETTE_API_KEY") reads it from the environment.
	pc := client.New(
		client.WithPaletteURI("api.spectrocloud.com"),
		client.WithAPIKey("QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl"),
	)
	keys, err := pc.GetAPIKeys()
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range keys.Items {
		fmt.Println(key.Metadata.Name)
	}
}
"#,
        ),
        (
            CopyShape::Typescript,
            r#"import { apiKeysList } from "@spectrocloud/palette-sdk-typescript";

// Keep the key out of the repository: process.env.PALETTE_API_KEY reads it from the environment.
const keys = await apiKeysList({
  baseUrl: "https://api.spectrocloud.com",
  headers: { ApiKey: "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl", "Content-Type": "application/json" },
} as RequestInit);
console.log(keys.items?.map((key) => key.metadata?.name));
"#,
        ),
        (
            CopyShape::Python,
            r#"import requests

# Keep the key out of the repository: os.environ["PALETTE_API_KEY"] reads it from the environment.
answer = requests.get(
    "https://api.spectrocloud.com/v1/apiKeys",
    headers={"ApiKey": "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl"},
    timeout=30,
)
answer.raise_for_status()
print([key["metadata"]["name"] for key in answer.json().get("items", [])])
"#,
        ),
    ];
    assert_eq!(golden.map(|(shape, _)| shape), ALL, "every shape has its golden text");
    for (shape, expected) in golden {
        assert_eq!(shaped(shape, KEY), expected, "{shape:?}");
    }
}

/// Bare where the tool puts the scheme before it, an address where it does not; with its port, and
/// with what plain http to this computer needs.
#[test]
fn each_tool_gets_the_host_in_its_own_form() {
    let here = |shape| shaped_at(shape, "http://127.0.0.1:18080", KEY);
    assert!(here(CopyShape::PaletteExport).contains("PALETTE_HOST=127.0.0.1:18080 "));
    assert!(here(CopyShape::Dotenv).contains("SPECTROCLOUD_HOST=127.0.0.1:18080\n"));
    assert!(here(CopyShape::Powershell).contains("$env:PALETTE_HOST = '127.0.0.1:18080'\n"));
    assert!(here(CopyShape::Curl).ends_with("-K - http://127.0.0.1:18080/v1/users/info"));
    assert!(here(CopyShape::TerraformProvider).contains(
        "  # The provider speaks https only; this host speaks http.\n  host         = \
         \"127.0.0.1:18080\"\n"
    ));
    assert!(here(CopyShape::Go).contains(
        "WithPaletteURI(\"127.0.0.1:18080\"),\n\t\tclient.WithSchemes([]string{\"http\"}),\n"
    ));
    assert!(here(CopyShape::Typescript).contains("baseUrl: \"http://127.0.0.1:18080\","));
    assert!(here(CopyShape::Python).contains("    \"http://127.0.0.1:18080/v1/apiKeys\",\n"));

    let port = |shape| shaped_at(shape, "https://palette.example:8443", KEY);
    assert!(
        port(CopyShape::TerraformProvider).contains("{\n  host         = \"palette.example:8443\"")
    );
    assert!(!port(CopyShape::Go).contains("WithSchemes"), "https is what it takes by itself");
    assert!(!port(CopyShape::McpServer).contains("--network"));

    for (host, is_here) in [
        ("localhost", true),
        ("localhost:1", true),
        ("127.0.0.1:8080", true),
        ("[::1]:8080", true),
        ("[::1]", true),
        ("[2001:db8::1]:443", false),
        ("localhost.example", false),
        ("palette.example:8443", false),
    ] {
        let origin = format!("https://{host}");
        let network =
            shaped_at(CopyShape::McpServer, &origin, KEY).contains("\"--network\", \"host\", ");
        assert_eq!(network, is_here, "{host}");
    }
    // Square brackets mean something to a shell.
    assert!(shaped_at(CopyShape::PaletteExport, "http://[::1]:9", KEY).contains("='[::1]:9' "));
}

#[test]
fn terraform_strings_expand_nothing() {
    assert_eq!(
        shaped(CopyShape::Tfvars, HOSTILE),
        r#"sc_api_key = "a'b\"c\\d$(id)`id`\u0024{x}\u0025{y};e f""#.to_owned() + "\n"
    );
    assert_eq!(shaped(CopyShape::Tfvars, "$$${x}\n"), "sc_api_key = \"$$\\u0024{x}\\u000a\"\n");
}

#[test]
fn powershell_joins_what_a_console_would_act_on() {
    for (value, expected) in [
        ("it's", "'it''s'"),
        ("a\u{2019}b", "'a\u{2019}\u{2019}b'"),
        ("$x `n", "'$x `n'"),
        ("a\nb", "'a' + [char]10 + 'b'"),
        ("\u{3}", "'' + [char]3"),
        ("", "''"),
    ] {
        assert_eq!(powershell(value), expected);
    }
}

/// Text with everything that is special somewhere, and anything else. No NUL: a shell has no word
/// with one, and drops it.
fn texts() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        "'\"\\`$(){}[]%!#&;|<>*?~^=:@-_., \n\r\t\u{3}\u{1b}\u{7f}\u{85}\u{2019}\u{202e}\u{feff}é😀aZ0"
            .chars()
            .collect::<Vec<_>>(),
    );
    let char =
        prop_oneof![4 => special, 1 => any::<char>().prop_filter("NUL", |char| *char != '\0')];
    prop::collection::vec(char, 0..24).prop_map(String::from_iter)
}

/// Reads what [`powershell`] writes by the rules of PowerShell (about_Quoting_Rules).
fn read_powershell(text: &str) -> Option<String> {
    let is_quote = |char: char| matches!(char, '\'' | '\u{2018}'..='\u{201b}');
    let mut value = String::new();
    let mut rest = text;
    loop {
        if let Some(number) = rest.strip_prefix("[char]") {
            let end = number.find(|char: char| !char.is_ascii_digit()).unwrap_or(number.len());
            value.push(char::from_u32(number[..end].parse().ok()?)?);
            rest = &number[end..];
        } else {
            let mut chars = rest.chars();
            if !is_quote(chars.next()?) {
                return None;
            }
            loop {
                let char = chars.next()?;
                if !is_quote(char) {
                    value.push(char);
                } else if chars.as_str().starts_with(is_quote) {
                    value.extend(chars.next());
                } else {
                    break;
                }
            }
            rest = chars.as_str();
        }
        match rest {
            "" => return Some(value),
            _ => rest = rest.strip_prefix(" + ")?,
        }
    }
}

/// Reads a value of a `.env` file by the rules that its readers share.
fn read_dotenv(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'')?;
        return (!inner.contains('\'')).then(|| inner.to_owned());
    }
    let Some(inner) = text.strip_prefix('"') else {
        let special = |char: char| char.is_whitespace() || "'\"\\$`#".contains(char);
        return (!text.contains(special)).then(|| text.to_owned());
    };
    let mut value = String::new();
    let mut chars = inner.strip_suffix('"')?.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                char @ ('"' | '\\' | '$' | '`') => char,
                _ => return None,
            }),
            '"' | '$' | '`' => return None,
            _ => value.push(char),
        }
    }
    Some(value)
}

/// The text between two others, and that nothing else is in `text`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_else(|| {
        panic!("{text:?} is not {before:?}…{after:?}");
    })
}

/// Replaces both texts by marks: what is left must not depend on them.
fn frame(shape: CopyShape, quote: impl Fn(&str) -> String, value: &str) -> String {
    shaped(shape, value).replacen(&quote(value), "KEY", 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// A real bash reads back host and key, and nothing after them is run.
    #[cfg(unix)]
    #[test]
    fn bash_reads_back_every_word(value in texts(), host in texts()) {
        for (shape, host_name, name) in [
            (CopyShape::SpectrocloudExport, "SPECTROCLOUD_HOST", "SPECTROCLOUD_APIKEY"),
            (CopyShape::PaletteExport, "PALETTE_HOST", "PALETTE_API_KEY"),
        ] {
            let script = format!(
                "{}\nprintf '%s\\0%s\\0' \"${host_name}\" \"${name}\"",
                shaped_at(shape, &host, &value)
            );
            let told = host.split_once("://").map_or(&*host, |(_, host)| host);
            prop_assert_eq!(bash(&script), format!("{}\0{}\0", told, value));
        }
    }

    /// What curl is given is one option, whose inside reads as the key by curl's own rules.
    #[cfg(unix)]
    #[test]
    fn curl_is_given_one_header(value in texts()) {
        let script = shaped(CopyShape::Curl, &value);
        let printed = between(&script, "", " | curl -sS -K - https://api.spectrocloud.com/v1/users/info");
        let given = bash(printed);
        let inside = between(&given, "header = \"ApiKey: ", "\"\n");
        let mut read = String::new();
        let mut chars = inside.chars();
        while let Some(char) = chars.next() {
            prop_assert!(char != '"' && !char.is_control());
            read.extend(if char == '\\' { chars.next() } else { Some(char) });
        }
        prop_assert_eq!(read, value.chars().filter(|char| !char.is_control()).collect::<String>());
    }

    #[test]
    fn json_is_read_back(value in texts(), host in texts()) {
        let text = snippet(CopyShape::McpServer, "https://x", &host, &Secret::new(value.clone()));
        // EXPOSE: a test's own value
        let read: serde_json::Value = serde_json::from_str(text.expose_secret()).unwrap();
        let env = &read["mcpServers"]["palette"]["env"];
        prop_assert_eq!(env, &serde_json::json!({ "PALETTE_HOST": host, "PALETTE_API_KEY": value }));
        prop_assert_eq!(read.as_object().unwrap().len(), 1);
    }

    #[test]
    fn powershell_is_read_back_line_by_line(value in texts(), host in texts()) {
        let text = snippet(CopyShape::Powershell, "https://x", &host, &Secret::new(value.clone()));
        // EXPOSE: a test's own value
        let text = text.expose_secret().to_owned();
        prop_assert_eq!(text.matches('\n').count(), 4, "one line for each: {:?}", text);
        for ((line, name), expected) in text.lines().zip(VARIABLES).zip([&host, &value, &host, &value]) {
            let written = between(line, &format!("$env:{name} = "), "");
            prop_assert_eq!(read_powershell(written), Some(expected.clone()), "{}", written);
        }
    }

    #[test]
    fn dotenv_is_read_back_line_by_line(value in texts(), host in texts()) {
        let text = snippet(CopyShape::Dotenv, "https://x", &host, &Secret::new(value.clone()));
        // EXPOSE: a test's own value
        let text = text.expose_secret().to_owned();
        prop_assert_eq!(text.matches('\n').count(), 4, "one line for each: {:?}", text);
        let kept = |text: &str| -> String {
            let kept = |char: &char| !char.is_control() || matches!(char, '\n' | '\r' | '\t');
            text.chars().filter(kept).collect()
        };
        for ((line, name), expected) in text.split('\n').zip(VARIABLES).zip([&host, &value, &host, &value]) {
            let written = between(line, &format!("{name}="), "");
            prop_assert_eq!(read_dotenv(written), Some(kept(expected)), "{}", written);
        }
    }

    /// A literal is read back by JSON, of whose strings Go, TypeScript, Python and HCL take these
    /// escapes alike, and the code around it is the same whatever is in it.
    #[test]
    fn literals_are_read_back_and_the_code_around_them_stays(value in texts()) {
        let written = literal(&value);
        prop_assert_eq!(serde_json::from_str::<String>(&written).ok(), Some(value.clone()));
        prop_assert!(!written.contains(char::is_control), "{}", written);
        let expanded = hcl(&value);
        prop_assert_eq!(serde_json::from_str::<String>(&expanded).ok(), Some(value.clone()));
        prop_assert!(!expanded.contains("${") && !expanded.contains("%{"), "{}", expanded);
        for shape in [CopyShape::Go, CopyShape::Typescript, CopyShape::Python] {
            prop_assert_eq!(frame(shape, literal, &value), frame(shape, literal, KEY));
        }
        for shape in [CopyShape::TerraformProvider, CopyShape::Tfvars] {
            prop_assert_eq!(frame(shape, hcl, &value), frame(shape, hcl, KEY));
        }
    }
}

#[cfg(unix)]
#[test]
fn any_shell_reads_back_what_no_terminal_acts_on() {
    for value in [KEY, HOSTILE, "--", "=", "~", "a!b"] {
        let script =
            format!("{}\nprintf %s \"$PALETTE_API_KEY\"", shaped(CopyShape::PaletteExport, value));
        assert_eq!(run("sh", &script), value);
    }
    assert_eq!(sh("a\u{3}1'\n"), "$'a\\0031\\'\\012'", "a terminal sees no control character");
}

#[cfg(unix)]
fn bash(script: &str) -> String {
    run("bash", script)
}

#[cfg(unix)]
fn run(shell: &str, script: &str) -> String {
    let output = std::process::Command::new(shell).args(["-c", script]).output().unwrap();
    assert!(output.stderr.is_empty(), "{script:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
