use super::{csv::COLUMNS, *};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn part(name: &str, description: &str) -> KeyPart {
    KeyPart {
        uid: "66e844c44bab2337f20c7471".into(),
        name: name.into(),
        description: description.into(),
        status: "expiring",
        flags: vec!["owner_gone", "in_keychain"],
        owner: OwnerPart {
            uid: "u1".into(),
            name: "Sam Okafor".into(),
            email: Some("sam@acme.example".into()),
            state: "gone",
        },
        made_by: None,
        created: "2026-09-01T00:00:00Z".parse().ok(),
        modified: None,
        expires: "2026-12-01T17:00:00.125Z".parse().ok(),
        findings: vec!["Owner gone".into()],
    }
}

fn report(keys: Vec<KeyPart>) -> Report {
    Report {
        format: "palette-keys-report",
        version: VERSION,
        kind: "keys",
        made_with: "Palette Keys 0.1.0".into(),
        made_at: "2026-11-25T04:10:00Z".parse().unwrap(),
        made_by: Some(PersonPart {
            uid: "u0".into(),
            name: "Jane Doe".into(),
            email: Some("jane@acme.example".into()),
        }),
        connection: "acme".into(),
        tenant: "acme".into(),
        host: "palette.example".into(),
        sees: Some("every_key"),
        as_of: "2026-11-25T04:09:58Z".parse().ok(),
        not_understood: 0,
        filter: Some("expiring, owner:sam".into()),
        counts: Counts { keys: keys.len(), people: 1, ..Counts::default() },
        keys,
        findings: vec![FindingPart {
            rule: "owner_gone".into(),
            severity: "act_now",
            title: "Owner gone".into(),
            evidence: "Sam Okafor is not among the people of acme.".into(),
            keys: vec!["66e844c44bab2337f20c7471".into()],
        }],
        offboarding: None,
    }
}

/// A small reader of RFC 4180, so that what is read back is not what was written by the same code.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) if chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    rows
}

#[test]
fn the_csv_is_as_documented() {
    let text = csv::csv(&report(vec![part("ci, \"prod\"", "=cmd|' /C calc'!A0")]));
    let expected = "status,name,description,owner_name,owner_email,owner_uid,owner_state,made_by,\
                    created_utc,modified_utc,expires_utc,flags,findings,uid,tenant,host,connection,\
                    reported_at_utc,reported_by,filter,as_of_utc,not_understood\r\n\
                    expiring,\"ci, \"\"prod\"\"\",'=cmd|' /C calc'!A0,Sam Okafor,sam@acme.example,u1,\
                    gone,,2026-09-01T00:00:00Z,,2026-12-01T17:00:00Z,owner_gone in_keychain,\
                    Owner gone,66e844c44bab2337f20c7471,acme,palette.example,acme,\
                    2026-11-25T04:10:00Z,Jane Doe <jane@acme.example>,\"expiring, owner:sam\",\
                    2026-11-25T04:09:58Z,0\r\n";
    assert_eq!(text, expected);
}

#[test]
fn every_line_of_the_csv_says_how_many_keys_are_missing() {
    let keys = vec![part("ci", ""), part("cd", "")];
    let rows = cells(&csv::csv(&Report { not_understood: 3, ..report(keys) }));
    assert_eq!(COLUMNS.last(), Some(&"not_understood"));
    assert!(rows[1..].iter().all(|row| row.last().unwrap() == "3"), "{rows:?}");
}

#[test]
fn the_page_of_an_offboarding_says_all_that_the_json_says() {
    let person = |name: &str| PersonPart { uid: "u1".into(), name: name.into(), email: None };
    let offboarding = |person_state, confirmed| offboard::Offboarding {
        person: person("Sam <b>"),
        person_state,
        successor: Some(person("Jane Doe")),
        began: None,
        confirmed,
        still_work: 0,
        deleted: vec!["d1".into(), "d2".into()],
        replacements: Vec::new(),
        acts: vec![offboard::Done {
            at: "2026-11-25T04:10:00Z".parse().unwrap(),
            key_uid: "d1".into(),
            key_name: "old & ci".into(),
            act: "deleted",
            outcome: "confirmed",
            detail: String::new(),
        }],
    };
    let page = |state, confirmed| {
        let offboarding = Some(offboarding(state, confirmed));
        html::html(&Report { kind: "offboarding", offboarding, ..report(vec![]) }, &TimeZone::UTC)
    };
    for (state, words) in [
        ("active", "<p>Sam &lt;b&gt; may still sign in.</p>"),
        ("inactive", "<p>Sam &lt;b&gt; may not sign in.</p>"),
        ("gone", "<p>Sam &lt;b&gt; is not among the people any more.</p>"),
        ("unknown", "people could not be read.</p>"),
    ] {
        assert!(page(state, true).contains(words), "{state}");
    }
    let gone = "<ul>\n<li>old &amp; ci <span class=\"uid\">d1</span></li>\n<li> <span \
                class=\"uid\">d2</span></li>\n</ul>";
    assert!(page("gone", true).contains(&format!("<p>Not on the server any more:</p>\n{gone}")));
    assert!(page("gone", false).contains("<p>Not in the list as it was last read:</p>"));
}

#[test]
fn a_key_that_never_ends_says_so() {
    let never = KeyPart { expires: None, ..part("ci", "") };
    let rows = cells(&csv::csv(&report(vec![never])));
    assert_eq!(rows[1][10], "never");
}

#[test]
fn cells_that_a_spreadsheet_would_run_are_text() {
    for bad in [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u{feff}=1",
        "\u{200b}@x",
        "\u{ff1d}1",
        "\u{ff0b}1",
        "\u{a0}-1",
        "\0=1",
        "\x0b=1",
    ] {
        assert!(csv::harmless(bad).starts_with('\''), "{bad:?}");
    }
    for fine in ["ci-prod", "", "a=b", "'quoted", "1-2", "Ünïcode", "…", "a; b-c", "x, -y", "a\nb"]
    {
        assert_eq!(csv::harmless(fine), fine);
    }
    // Where cells are cut at semicolons and line breaks, whatever quotes say.
    for (bad, safe) in [
        ("deploy;=cmd|' /C calc'!A0;x", "deploy;'=cmd|' /C calc'!A0;x"),
        ("a; +1", "a;' +1"),
        ("a;\"=1", "a;'\"=1"),
        ("list:\r\n- one\n- two", "list:\r\n'- one\n'- two"),
        ("a\t@b", "a\t'@b"),
        ("a;\u{e0041}=1", "a;'\u{e0041}=1"),
    ] {
        assert_eq!(csv::harmless(bad), safe);
    }
}

proptest! {
    #[test]
    fn no_cell_begins_with_a_sign_and_every_row_is_whole(
        names in prop::collection::vec((any::<String>(), any::<String>()), 0..6),
        signs in "[=+\\-@\t\r\n \u{ff1d}]{0,3}[a-z\",;\r\n]{0,4}",
    ) {
        let mut keys: Vec<_> = names.iter().map(|(name, text)| part(name, text)).collect();
        keys.push(part(&signs, &signs));
        let count = keys.len();
        let file = csv::csv(&report(keys));
        for piece in file.split([';', '\t', '\r', '\n']) {
            let piece = piece.trim_matches(['"', ' ']);
            prop_assert!(!piece.starts_with(['=', '+', '-', '@']), "{:?}", piece);
        }
        let rows = cells(&file);
        prop_assert_eq!(rows.len(), count + 1);
        for row in &rows {
            prop_assert_eq!(row.len(), COLUMNS.len());
            for cell in row {
                prop_assert!(!cell.trim_start().starts_with(['=', '+', '-', '@']), "{:?}", cell);
                prop_assert!(!cell.starts_with(['\t', '\r', '\n']), "{:?}", cell);
            }
        }
    }

    #[test]
    fn the_page_holds_only_our_own_tags(name in any::<String>(), text in "[<>&\"'a-z/! -]{1,40}") {
        let page = html::html(&report(vec![part(&name, &text)]), &TimeZone::UTC);
        let plain = html::html(&report(vec![part("x", "y")]), &TimeZone::UTC);
        prop_assert_eq!(page.matches('<').count(), plain.matches('<').count(), "{}", name);
        prop_assert_eq!(page.matches('>').count(), plain.matches('>').count(), "{}", name);
        let odd = page.contains('\0') || page.contains('\u{202e}');
        prop_assert!(!odd, "what cannot be seen is named");
    }
}

#[test]
fn the_page_is_one_file_without_script_or_links() {
    let page =
        html::html(&report(vec![part("<script>alert(1)</script>", "a\u{202e}b")]), &TimeZone::UTC);
    for absent in [
        "<script", "<link", "<img", "<iframe", "<a ", "http://", "https://", "url(", "@import",
        "src=",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("a\u{27e8}U+202E\u{27e9}b"), "what turns the text round is named");
    for said in [
        "acme",
        "palette.example",
        "Jane Doe (jane@acme.example)",
        "expiring, owner:sam",
        "Wed 25 Nov 2026, 04:10 UTC",
        "<b>1</b>key",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_json_is_as_documented() {
    let json: serde_json::Value =
        serde_json::from_str(&serde_json::to_string(&report(vec![part("ci", "x")])).unwrap())
            .unwrap();
    assert_eq!(json["format"], "palette-keys-report");
    assert_eq!(json["version"], 1);
    assert_eq!(json["made_at"], "2026-11-25T04:10:00Z");
    assert_eq!(json["keys"][0]["expires"], "2026-12-01T17:00:00.125Z");
    assert_eq!(json["keys"][0]["modified"], serde_json::Value::Null);
    assert_eq!(json["keys"][0]["owner"]["state"], "gone");
    assert_eq!(json["findings"][0]["keys"][0], "66e844c44bab2337f20c7471");
    assert!(json.get("offboarding").is_none());
}
