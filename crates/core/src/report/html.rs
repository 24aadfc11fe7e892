//! HTML: one file, light, without script, links or anything from elsewhere, made to be printed.

use super::{KeyPart, Report, offboard::Offboarding};
use crate::keys::{expiry, name::is_invisible};
use jiff::{Timestamp, tz::TimeZone};
use std::fmt::Write as _;

const STYLE: &str = "
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 32px auto; max-width: 1080px; padding: 0 24px; background: #fff; color: #1b1d22;
  font: 14px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0 0 4px; font-size: 24px; line-height: 1.2; }
h2 { margin: 28px 0 8px; font-size: 16px; }
p { margin: 0 0 6px; }
.lead { color: #4a4f5a; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 16px 0; }
dt { color: #5a606c; }
dd { margin: 0; overflow-wrap: anywhere; }
.counts { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0; padding: 0; list-style: none; }
.counts li { padding: 6px 12px; border: 1px solid #d9dce3; border-radius: 6px; }
.counts b { margin-right: 6px; font-size: 16px; }
table { width: 100%; border-collapse: collapse; font-size: 12.5px; }
th { border-bottom: 2px solid #9aa0ac; color: #4a4f5a; text-align: left; font-weight: 600; }
th, td { padding: 5px 8px 5px 0; vertical-align: top; }
td { border-bottom: 1px solid #e3e5ea; overflow-wrap: anywhere; }
td.when { white-space: nowrap; }
td small, td .soft, .soft { color: #5a606c; }
.status { white-space: nowrap; font-weight: 600; }
.active { color: #17683a; } .expiring { color: #8a5300; } .expired { color: #a3232b; }
.revoked { color: #5a606c; }
.uid { font: 11px ui-monospace, monospace; }
footer { margin-top: 28px; color: #5a606c; font-size: 12px; }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 11px; }
  table { font-size: 9.5px; }
  thead { display: table-header-group; }
  tr, .counts li { break-inside: avoid; }
  h2 { break-after: avoid; }
}
@page { margin: 14mm; }
";

/// A report as a page. Times are in `zone`, with its name.
pub(super) fn html(report: &Report, zone: &TimeZone) -> String {
    let mut page = String::with_capacity(4096 + report.keys.len() * 512);
    let title = match &report.offboarding {
        Some(offboarding) => format!("Offboarding of {}", offboarding.person.name),
        None => format!("API keys of {}", or(&report.tenant, &report.connection)),
    };
    let title = escaped(&title);
    // Writing into a text cannot fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
    );
    about(&mut page, report, zone);
    counts(&mut page, report);
    if let Some(offboarding) = &report.offboarding {
        offboarded(&mut page, offboarding, zone);
    }
    findings(&mut page, report);
    table(&mut page, report, zone);
    let _ = write!(
        page,
        "<footer>Made with {}. It holds no key's value.</footer>\n</body>\n</html>\n",
        escaped(&report.made_with)
    );
    page
}

fn about(page: &mut String, report: &Report, zone: &TimeZone) {
    page.push_str("<dl>\n");
    let mut line = |term: &str, words: &str| {
        let _ = writeln!(page, "<dt>{term}</dt><dd>{}</dd>", escaped(words));
    };
    line("Tenant", or(&report.tenant, "not known"));
    line("Palette", &report.host);
    line("Made", &time(report.made_at, zone));
    if let Some(me) = &report.made_by {
        let email = me.email.as_deref().map(|email| format!(" ({email})")).unwrap_or_default();
        line("By", &format!("{}{email}", me.name));
    }
    match report.as_of {
        Some(at) => line("As of", &time(at, zone)),
        None => line("As of", "not known"),
    }
    if report.sees == Some("own_keys") {
        line("Covers", "only the own keys of the person who made it");
    }
    match report.not_understood {
        0 => {}
        1 => line("Left out", "1 key that could not be understood"),
        many => line("Left out", &format!("{many} keys that could not be understood")),
    }
    line("Filter", report.filter.as_deref().unwrap_or("none"));
    page.push_str("</dl>\n");
}

fn counts(page: &mut String, report: &Report) {
    let counts = &report.counts;
    page.push_str("<ul class=\"counts\">\n");
    for (number, one, several) in [
        (counts.keys, "key", "keys"),
        (counts.people, "owner", "owners"),
        (counts.active, "active", "active"),
        (counts.expiring, "expiring", "expiring"),
        (counts.expired, "expired", "expired"),
        (counts.revoked, "revoked", "revoked"),
        (counts.never_expires, "never expires", "never expire"),
        (counts.owner_gone, "with its owner gone", "with their owner gone"),
        (counts.owner_inactive, "with an inactive owner", "with an inactive owner"),
        (counts.findings, "finding", "findings"),
    ] {
        let words = if number == 1 { one } else { several };
        if number > 0 || one == "key" {
            let _ = writeln!(page, "<li><b>{number}</b>{words}</li>");
        }
    }
    page.push_str("</ul>\n");
}

fn offboarded(page: &mut String, offboarding: &Offboarding, zone: &TimeZone) {
    let Offboarding {
        person,
        person_state,
        successor,
        replacements,
        acts,
        still_work,
        confirmed,
        deleted,
        ..
    } = offboarding;
    page.push_str("<h2>What was done</h2>\n");
    let name = escaped(&person.name);
    let still = match (still_work, confirmed) {
        (0, true) => format!("No key of {name} works any more, as the server says."),
        (0, false) => format!(
            "No key of {name} is known to work, but the server has not confirmed that there is none."
        ),
        (still_work, _) => format!("<b>{still_work}</b> of the keys of {name} still work."),
    };
    let _ = writeln!(page, "<p class=\"lead\">{still}</p>");
    let state = match *person_state {
        "active" => "may still sign in",
        "inactive" => "may not sign in",
        "gone" => "is not among the people any more",
        _ => "may or may not sign in: people could not be read",
    };
    let _ = writeln!(page, "<p>{name} {state}.</p>");
    if let Some(successor) = successor {
        let _ = writeln!(page, "<p>Successor: {}</p>", escaped(&successor.name));
    }
    if !replacements.is_empty() {
        page.push_str("<ul>\n");
        for pair in replacements {
            let _ = writeln!(
                page,
                "<li>{} is replaced by {} <span class=\"uid\">{}</span>{}</li>",
                escaped(&pair.old_name),
                escaped(or(&pair.new_name, "a key that is not in the list")),
                escaped(&pair.new_uid),
                if pair.confirmed { "" } else { " (not found on the server)" },
            );
        }
        page.push_str("</ul>\n");
    }
    if !deleted.is_empty() {
        let words = match confirmed {
            true => "Not on the server any more:",
            false => "Not in the list as it was last read:",
        };
        let _ = writeln!(page, "<p>{words}</p>\n<ul>");
        for uid in deleted {
            let known = acts.iter().find(|act| act.key_uid == *uid).map_or("", |act| &act.key_name);
            let _ = writeln!(
                page,
                "<li>{} <span class=\"uid\">{}</span></li>",
                escaped(known),
                escaped(uid)
            );
        }
        page.push_str("</ul>\n");
    }
    if acts.is_empty() {
        page.push_str("<p>This app has done nothing to these keys yet.</p>\n");
        return;
    }
    page.push_str(
        "<table>\n<thead><tr><th>When</th><th>Key</th><th>Act</th><th>Outcome</th>\
         <th>What the server said</th></tr></thead>\n<tbody>\n",
    );
    for act in acts {
        let _ = writeln!(
            page,
            "<tr><td class=\"when\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&time(act.at, zone)),
            escaped(&act.key_name),
            act.act,
            act.outcome,
            escaped(&act.detail),
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

fn findings(page: &mut String, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    page.push_str("<h2>Findings</h2>\n<table>\n<thead><tr><th>Severity</th><th>Finding</th>");
    page.push_str("<th>Evidence</th><th>Keys</th></tr></thead>\n<tbody>\n");
    for finding in &report.findings {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            capital(&finding.severity.replace('_', " ")),
            escaped(&finding.title),
            escaped(&finding.evidence),
            finding.keys.len(),
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

fn table(page: &mut String, report: &Report, zone: &TimeZone) {
    page.push_str("<h2>Keys</h2>\n");
    if report.keys.is_empty() {
        page.push_str("<p>No key is in this report.</p>\n");
        return;
    }
    page.push_str(
        "<table>\n<thead><tr><th>Status</th><th>Name</th><th>Owner</th><th>Ends</th>\
         <th>Made</th><th>Remarks</th></tr></thead>\n<tbody>\n",
    );
    for key in &report.keys {
        row(page, key, zone);
    }
    page.push_str("</tbody>\n</table>\n");
}

fn row(page: &mut String, key: &KeyPart, zone: &TimeZone) {
    let description = match key.description.is_empty() {
        true => String::new(),
        false => format!("<br><span class=\"soft\">{}</span>", escaped(&key.description)),
    };
    let email = match &key.owner.email {
        Some(email) => format!("<br><small>{}</small>", escaped(email)),
        None => String::new(),
    };
    let mut remarks: Vec<String> = key.flags.iter().map(|flag| flag.replace('_', " ")).collect();
    remarks.extend(key.made_by.iter().map(|maker| format!("made by {maker}")));
    // "Never expires" beside "never expires" says nothing more.
    let is_new = |finding: &&String| !remarks.contains(&finding.to_lowercase());
    let found: Vec<String> = key.findings.iter().filter(is_new).cloned().collect();
    remarks.extend(found);
    let ends = key.expires.map_or_else(|| "never".to_owned(), |at| time(at, zone));
    let made = key.created.map_or_else(|| "not known".to_owned(), |at| time(at, zone));
    let _ = writeln!(
        page,
        "<tr><td class=\"status {0}\">{1}</td><td>{2}{description}<br><span class=\"uid\">{3}</span>\
         </td><td>{4}{email}</td><td class=\"when\">{5}</td><td class=\"when\">{6}</td><td>{7}</td>\
         </tr>",
        key.status,
        capital(key.status),
        escaped(&key.name),
        escaped(&key.uid),
        escaped(or(&key.owner.name, "Unknown person")),
        escaped(&ends),
        escaped(&made),
        escaped(&remarks.join(", ")),
    );
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    expiry::local_text(at, zone)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// Text as HTML shows it. What cannot be seen, or turns the direction of what follows, is named: a
/// page that is printed and signed must not say something else than it holds.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' | '\r' => safe.push(' '),
            c if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(safe, "\u{27e8}U+{:04X}\u{27e9}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}
