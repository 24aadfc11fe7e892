//! CSV after RFC 4180: UTF-8, one header, one line for each key, lines end with CR LF.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula and runs it, and
//! names come from other people. Such a cell begins with an apostrophe here, which spreadsheets show
//! as text. So do cells that begin with a tab or a line break, behind which some of them look for
//! one, and the wide forms of the four signs. Where a computer's lists are separated by semicolons a
//! spreadsheet opens this file so, cuts cells there and at line breaks, and heeds no quotes: a sign
//! that would come to begin a cell then has its apostrophe, too.

use super::{Report, iso};
use crate::keys::name::is_invisible;

/// The columns, in their order. New ones are added at the end; none goes away without a new version.
pub(super) const COLUMNS: [&str; 22] = [
    "status",
    "name",
    "description",
    "owner_name",
    "owner_email",
    "owner_uid",
    "owner_state",
    "made_by",
    "created_utc",
    "modified_utc",
    "expires_utc",
    "flags",
    "findings",
    "uid",
    "tenant",
    "host",
    "connection",
    "reported_at_utc",
    "reported_by",
    "filter",
    "as_of_utc",
    "not_understood",
];

/// The keys of a report.
pub(super) fn csv(report: &Report) -> String {
    let mut text = String::new();
    line(&mut text, COLUMNS.map(str::to_owned));
    let by = report.made_by.as_ref().map(|me| match &me.email {
        Some(email) => format!("{} <{email}>", me.name),
        None => me.name.clone(),
    });
    let time = |at: Option<_>| at.map(iso).unwrap_or_default();
    for key in &report.keys {
        line(
            &mut text,
            [
                key.status.to_owned(),
                key.name.clone(),
                key.description.clone(),
                key.owner.name.clone(),
                key.owner.email.clone().unwrap_or_default(),
                key.owner.uid.clone(),
                key.owner.state.to_owned(),
                key.made_by.clone().unwrap_or_default(),
                time(key.created),
                time(key.modified),
                key.expires.map_or_else(|| "never".to_owned(), iso),
                key.flags.join(" "),
                key.findings.join("; "),
                key.uid.clone(),
                report.tenant.clone(),
                report.host.clone(),
                report.connection.clone(),
                iso(report.made_at),
                by.clone().unwrap_or_default(),
                report.filter.clone().unwrap_or_default(),
                time(report.as_of),
                report.not_understood.to_string(),
            ],
        );
    }
    text
}

fn line(text: &mut String, cells: [String; COLUMNS.len()]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&quoted(&harmless(cell)));
    }
    text.push_str("\r\n");
}

/// A cell that no spreadsheet takes for a formula, nor a part of it.
pub(super) fn harmless(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len() + 1);
    // What cannot be seen in front of a sign does not hide it from every spreadsheet.
    let mut begins = true;
    if cell.starts_with(['\t', '\r', '\n', '\0']) {
        safe.push('\'');
        begins = false;
    }
    // The apostrophe goes to where the cell would begin.
    let mut start = safe.len();
    // A NUL ends the file for some readers.
    for c in cell.chars().filter(|c| *c != '\0') {
        let is_sign =
            matches!(c, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}');
        if begins && is_sign {
            safe.insert(start, '\'');
        }
        safe.push(c);
        if matches!(c, ';' | '\t' | '\r' | '\n') {
            (begins, start) = (true, safe.len());
        } else if !is_unseen(c) && c != '"' {
            // Quotes around nothing go away where the cell is cut.
            begins = false;
        }
    }
    safe
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || c.is_control() || is_invisible(c)
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n', ';', '\t']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
