//! Reports, read back by other programs: CSV by Python's reader, JSON by a validator of its schema,
//! HTML by a browser that prints it.

use crate::desk::{Desk, op, sim};
use jiff::SignedDuration;
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::CreateRequest;
use palette_keys_core::outbox::{OutboxAction, OutboxAddRequest};
use palette_keys_core::report::{OffboardReportRequest, Replacement, ReportFormat, ReportRequest};
use palette_keys_core::{ErrorCode, Failure};
use palette_sim::{Fault, Matcher, NewKey, Seed};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn request(desk: &Desk, format: ReportFormat) -> ReportRequest {
    ReportRequest {
        connection: desk.connection.clone(),
        format,
        uids: None,
        filter: "=cmd, \"owner:sam\"".into(),
    }
}

async fn saved(desk: &Desk, request: ReportRequest) -> PathBuf {
    let path = desk.folder().join(format!("report.{}", request.format.extension()));
    let view = desk.keys.save_report(request, &path).await.unwrap();
    assert_eq!(Some(view.file.as_str()), path.file_name().and_then(|name| name.to_str()));
    path
}

/// Names that mean no good, in the tenant.
async fn hostile_names(desk: &Desk) {
    let names = [
        "=HYPERLINK(\"http://evil.example\")",
        "+1",
        "-1, and \"more\"",
        "@SUM(A1)",
        "<script>alert(1)</script>",
        "two\nlines",
        " \t=1",
        "a\u{202e}b",
    ];
    let uids: Vec<String> = desk.sim.keys().into_iter().map(|key| key.uid).collect();
    for (uid, name) in uids.iter().zip(names) {
        desk.sim.edit_key_directly(uid, |key| {
            key.name = name.to_owned();
            key.description = name.to_owned();
        });
    }
    desk.list(true).await;
}

/// Runs a program with `input`; what it said, or none where it is not there.
fn output(program: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.ok()?;
    child.stdin.take().unwrap().write_all(input).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{program}: {said}");
    Some(String::from_utf8(ended.stdout).unwrap())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A validator of JSON Schema: Python's `jsonschema`, else `ajv`, which the window's linter brings.
fn assert_valid(json: &str) {
    let schema = root().join("docs/report.schema.json");
    let schema = schema.to_str().unwrap();
    let python = "import json, sys, jsonschema\n\
                  jsonschema.validate(json.load(sys.stdin), json.load(open(sys.argv[1])))";
    let has_python = Command::new("python3")
        .args(["-c", "import jsonschema"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if has_python {
        output("python3", &["-c", python, schema], json.as_bytes());
        return;
    }
    let ajv = root().join("ui/node_modules/ajv");
    assert!(ajv.exists(), "neither Python's jsonschema nor ui/node_modules/ajv (npm ci) is there");
    let node = "const fs = require('fs');\n\
                const ajv = new (require(process.argv[1]))({ allErrors: true });\n\
                const check = ajv.compile(JSON.parse(fs.readFileSync(process.argv[2])));\n\
                if (!check(JSON.parse(fs.readFileSync(0)))) throw new Error(ajv.errorsText(check.errors));";
    let ran = output("node", &["-e", node, ajv.to_str().unwrap(), schema], json.as_bytes());
    assert!(ran.is_some(), "node is there where the window is built");
}

#[tokio::test]
async fn python_reads_the_csv_as_it_was_meant() {
    let desk = Desk::admin().await;
    hostile_names(&desk).await;
    let path = saved(&desk, request(&desk, ReportFormat::Csv)).await;
    let bytes = std::fs::read(path).unwrap();
    let read = "import csv, io, json, sys\n\
                text = sys.stdin.buffer.read().decode('utf-8')\n\
                print(json.dumps(list(csv.DictReader(io.StringIO(text, newline='')))))";
    let Some(rows) = output("python3", &["-c", read], &bytes) else {
        println!("skipped: there is no python3 to read the CSV with");
        return;
    };
    let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_str(&rows).unwrap();
    let keys = desk.list(false).await.keys;
    assert_eq!(rows.len(), keys.len());
    for (row, key) in rows.iter().zip(&keys) {
        assert_eq!(row.len(), 22, "{row:?}");
        assert_eq!(row["uid"], key.uid);
        let name = row["name"].as_str().unwrap();
        assert_eq!(name.replace('\'', ""), key.name.replace('\'', ""));
        for (column, cell) in row {
            let cell = cell.as_str().unwrap();
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@']), "{column}: {cell}");
        }
        assert_eq!(row["host"].as_str().unwrap(), desk.sim.origin().trim_start_matches("http://"));
        assert_eq!(row["filter"], "'=cmd, \"owner:sam\"");
    }
    assert_eq!(rows.iter().filter(|row| row["name"] == "'+1").count(), 1);
}

#[tokio::test]
async fn the_json_is_valid_and_tells_every_key_once() {
    let desk = Desk::admin().await;
    hostile_names(&desk).await;
    let text = std::fs::read_to_string(saved(&desk, request(&desk, ReportFormat::Json)).await);
    let text = text.unwrap();
    assert_valid(&text);
    let json: Value = serde_json::from_str(&text).unwrap();
    let keys = desk.list(false).await.keys;
    assert_eq!(json["counts"]["keys"], keys.len());
    assert_eq!(json["tenant"], "acme");
    assert_eq!(json["made_by"]["name"], "Jane Doe");
    let told: Vec<&str> =
        json["keys"].as_array().unwrap().iter().map(|key| key["uid"].as_str().unwrap()).collect();
    let known: Vec<&str> = keys.iter().map(|key| key.uid.as_str()).collect();
    assert_eq!(told, known);
    // A validator that takes everything would not be one.
    let wrong = text.replacen("\"version\": 1", "\"version\": 2", 1);
    assert!(std::panic::catch_unwind(|| assert_valid(&wrong)).is_err());
}

#[tokio::test]
async fn a_browser_prints_the_page() {
    let desk = Desk::admin().await;
    hostile_names(&desk).await;
    let path = saved(&desk, request(&desk, ReportFormat::Html)).await;
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    assert!(!page.contains("http://evil.example\"") || page.contains("&quot;http://evil.example"));
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let there =
        |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let Some(browser) = browsers.into_iter().find(|name| there(name)) else {
        println!("skipped: there is no Chromium to print the page with");
        return;
    };
    let pdf = desk.folder().join("report.pdf");
    let ran = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"])
        .arg(format!("--user-data-dir={}", desk.folder().join("browser").display()))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let bytes = std::fs::read(&pdf).unwrap_or_default();
    assert!(bytes.starts_with(b"%PDF-"), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[tokio::test]
async fn only_what_the_filter_let_through_is_told_in_its_order() {
    let desk = Desk::admin().await;
    let keys = desk.list(false).await.keys;
    let uids = vec![keys[4].uid.clone(), keys[1].uid.clone(), "not-there".to_owned()];
    let request = ReportRequest {
        uids: Some(uids.clone()),
        filter: "Expiring, owner:sam".into(),
        ..request(&desk, ReportFormat::Json)
    };
    let name = desk.keys.report_name(&request).unwrap();
    assert!(name.starts_with("acme keys 20") && name.ends_with(".json"), "{name}");
    let text = std::fs::read_to_string(saved(&desk, request).await).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["filter"], "Expiring, owner:sam");
    assert_eq!(json["counts"]["keys"], 2);
    assert_eq!(json["keys"][0]["uid"], uids[0]);
    assert_eq!(json["keys"][1]["uid"], uids[1]);
    desk.line_ended(Act::ExportReport, ActState::Done);
    assert_eq!(desk.line(Act::ExportReport).key_name.as_deref(), Some("2 keys"));
}

#[tokio::test]
async fn a_report_of_some_keys_says_nothing_of_the_others() {
    let mut desk = Desk::on(sim(Seed::Empty).await);
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    let sam = desk.sim.user().uid;
    for n in 0..12 {
        let owner_uid = Some(if n % 3 == 0 { sam.clone() } else { account.uid.clone() });
        let name = format!("endless-{n:02}");
        desk.sim.add_key(NewKey { owner_uid, expiry: None, ..NewKey::named(&name) });
    }
    desk.list(true).await;
    let keys = desk.list(false).await.keys;
    let uid_of = |name: &str| keys.iter().find(|key| key.name == name).unwrap().uid.clone();
    let others = |text: &str, but: &[&str]| {
        let names = keys.iter().map(|key| &*key.name).filter(|name| name.starts_with("endless"));
        names
            .filter(|name| !but.contains(name) && text.contains(name))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let one = uid_of("endless-04");
    for format in [ReportFormat::Csv, ReportFormat::Json, ReportFormat::Html] {
        let request = ReportRequest {
            uids: Some(vec![one.clone()]),
            filter: String::new(),
            ..request(&desk, format)
        };
        let text = std::fs::read_to_string(saved(&desk, request).await).unwrap();
        assert!(text.contains("endless-04 never expires"), "{format:?}: {text}");
        assert_eq!(others(&text, &["endless-04"]), Vec::<String>::new(), "{format:?}");
        if format == ReportFormat::Json {
            let json: Value = serde_json::from_str(&text).unwrap();
            let found = json["findings"].as_array().unwrap();
            assert!(found.iter().all(|one| one["keys"].as_array().unwrap().len() == 1), "{text}");
        }
    }
    // Of a group each key says what it is about, not how many there are.
    let text = saved(&desk, request(&desk, ReportFormat::Json)).await;
    let json: Value = serde_json::from_str(&std::fs::read_to_string(text).unwrap()).unwrap();
    let told = json["findings"].as_array().unwrap().iter().map(|one| &one["title"]);
    let titles: Vec<&Value> = told.collect();
    assert!(titles.iter().any(|title| *title == "12 keys never expire"), "{titles:?}");
    let keys_of = json["keys"].as_array().unwrap();
    let key = keys_of.iter().find(|key| key["uid"] == *one).unwrap();
    assert_eq!(key["findings"][0], "Never expires");

    let path = desk.folder().join("offboarding.html");
    let request = OffboardReportRequest {
        connection: desk.connection.clone(),
        format: ReportFormat::Html,
        person_uid: sam,
        name: "Sam Okafor".into(),
        email: None,
        uids: Vec::new(),
        successor_uid: None,
        replacements: Vec::new(),
        since: 0,
    };
    desk.keys.save_offboard_report(request, &path).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let theirs = ["endless-00", "endless-03", "endless-06", "endless-09"];
    assert!(theirs.iter().all(|name| text.contains(&format!("{name} never expires"))), "{text}");
    assert_eq!(others(&text, &theirs), Vec::<String>::new());
}

#[tokio::test]
async fn no_report_holds_a_value_of_any_key() {
    let desk = Desk::admin().await;
    for save_to_keychain in [true, false] {
        let name = format!("kept {save_to_keychain}");
        desk.created(&CreateRequest { save_to_keychain, ..desk.new_key(&name) }).await;
    }
    desk.list(true).await;
    for format in [ReportFormat::Csv, ReportFormat::Json, ReportFormat::Html] {
        let text = std::fs::read_to_string(saved(&desk, request(&desk, format)).await).unwrap();
        for key in desk.sim.keys() {
            assert!(!text.contains(&key.value), "{format:?} holds the value of {}", key.name);
        }
        for account in [desk.sim.admin(), desk.sim.user()] {
            assert!(!text.contains(&account.password), "{format:?}");
        }
    }
}

#[tokio::test]
async fn a_report_is_written_whole_or_not_at_all() {
    let desk = Desk::admin().await;
    let path = desk.folder().join("absent").join("report.csv");
    let problem = desk.keys.save_report(request(&desk, ReportFormat::Csv), &path).await;
    let Failure { code, message, .. } = problem.unwrap_err();
    assert_eq!(code, ErrorCode::FileFailed);
    assert!(message.ends_with("No report was written."), "{message}");
    assert!(!path.exists());
    desk.line_ended(Act::ExportReport, ActState::Failed);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = saved(&desk, request(&desk, ReportFormat::Csv)).await;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn an_offboarding_is_told_by_journal_and_server_not_by_the_window() {
    let desk = Desk::admin().await;
    let since = (desk.sim.now() - SignedDuration::from_secs(2)).as_millisecond();
    let sam = desk.sim.user();
    let theirs: Vec<_> = {
        let list = desk.list(false).await.keys.into_iter();
        list.filter(|key| key.owner_uid == sam.uid).collect()
    };
    let uids: Vec<String> = theirs.iter().map(|key| key.uid.clone()).collect();
    // One replacement, everything revoked, one of them deleted by somebody else meanwhile.
    let made = desk.created(&desk.new_key("handed-over")).await.uid.unwrap();
    let working: Vec<String> = {
        let keys = desk.sim.keys().into_iter();
        keys.filter(|key| key.active && uids.contains(&key.uid)).map(|key| key.uid).collect()
    };
    assert!(working.len() > 1);
    let request = |format| OffboardReportRequest {
        connection: desk.connection.clone(),
        format,
        person_uid: sam.uid.clone(),
        name: "Sam Okafor".into(),
        email: Some(sam.email.clone()),
        uids: uids.clone(),
        successor_uid: Some(desk.sim.admin().uid),
        replacements: vec![Replacement { old: working[0].clone(), new: made.clone() }],
        since,
    };
    let path = desk.folder().join("offboarding.json");
    let report = async |format| {
        desk.keys.save_offboard_report(request(format), &path).await.unwrap();
        std::fs::read_to_string(&path).unwrap()
    };
    let before: Value = serde_json::from_str(&report(ReportFormat::Json).await).unwrap();
    assert_ne!(before["offboarding"]["still_work"], 0, "nothing was revoked yet");

    let add = OutboxAddRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        action: OutboxAction::Revoke,
        uids: working.clone(),
    };
    desk.keys.add_to_outbox(add).await.unwrap();
    desk.drained().await;
    let gone = working.last().unwrap().clone();
    desk.sim.remove_key(&gone);
    let text = report(ReportFormat::Json).await;
    assert_valid(&text);
    let json: Value = serde_json::from_str(&text).unwrap();
    let told = &json["offboarding"];
    assert_eq!((&told["still_work"], &told["confirmed"]), (&Value::from(0), &Value::from(true)));
    assert_eq!(told["person"]["name"], "Sam Okafor");
    assert_eq!(told["successor"]["name"], "Jane Doe");
    assert_eq!(told["deleted"], serde_json::json!([gone]));
    assert_eq!(told["replacements"][0]["new_name"], "handed-over");
    assert_eq!(told["replacements"][0]["confirmed"], true);
    let acts = told["acts"].as_array().unwrap();
    let revoked = acts.iter().filter(|act| act["act"] == "revoked");
    let confirmed = revoked.filter(|act| act["outcome"] == "confirmed").count();
    assert_eq!(confirmed, working.len(), "{acts:#?}");
    assert_eq!(acts.iter().filter(|act| act["act"] == "made").count(), 1);

    // One that cannot be understood may be a key of theirs that works.
    let hidden = working[0].clone();
    let as_it_was = desk.sim.key(&hidden).unwrap();
    desk.garble(&hidden);
    let text = report(ReportFormat::Json).await;
    assert_valid(&text);
    let json: Value = serde_json::from_str(&text).unwrap();
    let told = &json["offboarding"];
    assert_eq!((&told["confirmed"], &json["not_understood"]), (&Value::from(false), &1.into()));
    assert_eq!(told["deleted"], serde_json::json!([]), "it is not said to be deleted");
    let page = report(ReportFormat::Html).await;
    assert!(page.contains("<dd>1 key that could not be understood</dd>"));
    assert!(page.contains("No key of Sam Okafor is known to work, but the server has not"));
    desk.sim.edit_key_directly(&hidden, |key| key.description = as_it_was.description);
    let page = report(ReportFormat::Html).await;
    assert!(page.contains("No key of Sam Okafor works any more, as the server says."));
    assert!(page.contains("<p>Sam Okafor may still sign in.</p>"), "{page}");
    let gone = format!("<span class=\"uid\">{gone}</span></li>\n</ul>");
    assert!(page.contains("<p>Not on the server any more:</p>") && page.contains(&gone), "{page}");

    // Who people are is asked for the report; what is remembered of them is no word on today.
    assert_eq!(told["person_state"], "active");
    let failing = Fault::error(500, "Internal", "no");
    desk.sim.set_fault(Matcher::path("/v1/users/meta"), failing, None);
    let json: Value = serde_json::from_str(&report(ReportFormat::Json).await).unwrap();
    let told = &json["offboarding"];
    assert_eq!((&told["confirmed"], &told["person_state"]), (&true.into(), &"unknown".into()));
    desk.sim.clear_faults();

    // Their account is removed at this moment.
    desk.sim.remove_user(&sam.uid);
    let json: Value = serde_json::from_str(&report(ReportFormat::Json).await).unwrap();
    assert_eq!(json["offboarding"]["person_state"], "gone");

    // Who may not see them any more is told of no key, which is no word on theirs.
    desk.sim.set_user_roles(&desk.sim.admin().uid, &[]);
    let json: Value = serde_json::from_str(&report(ReportFormat::Json).await).unwrap();
    let told = &json["offboarding"];
    assert_eq!((&told["confirmed"], &told["deleted"]), (&false.into(), &serde_json::json!([])));
    assert_eq!(told["person_state"], "unknown");

    // Without the server it says so, and claims nothing new.
    desk.sim.go_down().await;
    let json: Value = serde_json::from_str(&report(ReportFormat::Json).await).unwrap();
    assert_eq!(json["offboarding"]["confirmed"], false);
    let page = report(ReportFormat::Html).await;
    assert!(page.contains("Offboarding of Sam Okafor") && page.contains("handed-over"));
    let csv = desk.keys.offboard_report_name(&request(ReportFormat::Csv)).unwrap_err();
    assert_eq!(csv.code, ErrorCode::Internal);
}
