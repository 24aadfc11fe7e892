//! Text from outside made fit to be read: names, messages and everything else that a server or
//! another person may have written. Tray, notices and audit entries all show it through here.

use crate::keys::name::is_invisible;

/// Text from outside on one line, at most `longest` characters. Characters that show nothing or
/// turn text around are written out (trust.md T4); a long text loses its middle, where names differ
/// least; text that runs from right to left keeps to itself, so that it cannot reorder ours (its two
/// isolates come on top of `longest`). Nothing is trimmed: a name with a tab at its end must not pass
/// for the one without. Empty when there is nothing to see.
pub fn visible(text: &str, longest: usize) -> String {
    let mut seen = String::with_capacity(text.len().min(longest * 4));
    // More than can be shown need not be looked at: the end is taken from the end.
    let total = text.chars().count();
    let write = |seen: &mut String, c: char| match c {
        c if is_hidden(c) => seen.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c))),
        c if c.is_whitespace() => seen.push(' '),
        c => seen.push(c),
    };
    if total <= longest * 2 {
        text.chars().for_each(|c| write(&mut seen, c));
    } else {
        text.chars().take(longest).for_each(|c| write(&mut seen, c));
        text.chars().skip(total - longest).for_each(|c| write(&mut seen, c));
    }
    if seen.trim().is_empty() {
        return String::new();
    }
    let length = seen.chars().count();
    let mut short = seen;
    if length > longest || total > longest * 2 {
        let (head, tail) = (longest / 2, longest - longest / 2 - 1);
        let start: String = short.chars().take(head).collect();
        let end: String = short.chars().skip(length - tail).collect();
        short = format!("{start}\u{2026}{end}");
    }
    if short.chars().any(runs_from_right) {
        short = format!("\u{2068}{short}\u{2069}");
    }
    short
}

/// Shows nothing, or breaks the line.
fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Hebrew, Arabic and their relatives.
fn runs_from_right(c: char) -> bool {
    matches!(c,
        '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_one_visible_line() {
        let table = [
            ("ci-prod", "ci-prod"),
            (" ci prod ", " ci prod "),
            ("ci\t", "ci⟨U+0009⟩"),
            ("pro\u{202e}d", "pro⟨U+202E⟩d"),
            ("pro\u{200b}d", "pro⟨U+200B⟩d"),
            ("two\nlines\0", "two⟨U+000A⟩lines⟨U+0000⟩"),
            ("line\u{2028}sep", "line⟨U+2028⟩sep"),
            ("<b>&amp;", "<b>&amp;"),
            ("\u{feff}", "⟨U+FEFF⟩"),
            ("ключ 鍵 🔑", "ключ 鍵 🔑"),
            ("مفتاح", "\u{2068}مفتاح\u{2069}"),
            (" \u{a0} ", ""),
        ];
        for (text, expected) in table {
            assert_eq!(visible(text, 60), expected, "{text:?}");
        }
    }

    #[test]
    fn long_text_loses_its_middle() {
        for text in ["ä".repeat(10_000), "\u{202e}".repeat(100_000), "x".repeat(61)] {
            let shown = visible(&format!("START{text}END"), 60);
            assert_eq!(shown.chars().count(), 60, "{shown}");
            assert!(shown.starts_with("START") && shown.ends_with("END"), "{shown}");
            assert!(shown.contains('\u{2026}'), "{shown}");
        }
    }
}
