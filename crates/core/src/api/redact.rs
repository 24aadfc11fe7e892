//! Server text made fit to be shown: no active secret in any encoding, no control characters, and
//! not long.
//!
//! Palette has echoed API keys in error messages (fact sheet §6, GO PR #209). A secret is looked
//! for as it is, percent-encoded, in base64 at each of its three alignments, and in hex; parts of
//! eight characters or more count, so a key that was cut or wrapped is found as well.

use crate::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::collections::HashSet;

/// Longest message kept, in characters.
pub(super) const LONGEST_MESSAGE: usize = 400;
/// Longest code or reference kept.
pub(super) const LONGEST_WORD: usize = 80;
/// Text beyond this is not even searched; far more than is kept.
const LONGEST_SEARCHED: usize = 8 * 1024;
/// A part of a secret this long gives it away.
const PART: usize = 8;
/// What stands in a secret's place.
const MARK: &str = "[redacted]";

/// `text` without the secrets, in one line, at most `longest` characters.
pub(super) fn redacted(text: &str, secrets: &[&Secret], longest: usize) -> String {
    let text: String =
        text.chars().take(LONGEST_SEARCHED).map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    cut(&without_secrets(&text, secrets), longest)
}

/// `text` without the secrets, whatever else is in it; what lies far beyond all that is shown of a
/// text is left out.
pub(super) fn without_secrets(text: &str, secrets: &[&Secret]) -> String {
    let text = match text.char_indices().nth(LONGEST_SEARCHED) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    let mut hidden = vec![false; text.len()];
    for secret in secrets {
        // EXPOSE: to find and hide it; the encoded forms below are dropped at once.
        let secret = secret.expose_secret();
        hide_all(text, secret, &mut hidden);
    }
    rebuilt(text, &hidden)
}

/// Marks every part of every form of `secret`.
fn hide_all(text: &str, secret: &str, hidden: &mut [bool]) {
    let plain: View = text.bytes().enumerate().map(|(at, byte)| (byte, at, at + 1)).collect();
    let decoded = percent_decoded(text.as_bytes());
    // Form-encoding writes a space as a plus.
    let form = replaced(&decoded, &[(b'+', b' ')]);
    for view in [&plain, &decoded, &form] {
        hide(view, secret.as_bytes(), hidden);
    }
    // One alphabet for both kinds of base64.
    let ordinary = replaced(&decoded, &[(b'-', b'+'), (b'_', b'/')]);
    for encoded in base64_forms(secret.as_bytes()) {
        hide(&ordinary, &encoded, hidden);
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    hide(&plain, hex.as_bytes(), hidden);
}

/// A text read in some way: each byte with the range of the text it came from.
type View = Vec<(u8, usize, usize)>;

fn replaced(view: &View, pairs: &[(u8, u8)]) -> View {
    let other = |byte: u8| pairs.iter().find(|(from, _)| *from == byte).map_or(byte, |pair| pair.1);
    view.iter().map(|(byte, start, end)| (other(*byte), *start, *end)).collect()
}

/// Marks every run of `view` that shares `PART` bytes with `needle`, or all of a shorter one; in
/// any case of letters.
fn hide(view: &View, needle: &[u8], hidden: &mut [bool]) {
    let part = PART.min(needle.len());
    if part == 0 || view.len() < part {
        return;
    }
    let needle = needle.to_ascii_lowercase();
    let parts: HashSet<&[u8]> = needle.windows(part).collect();
    let seen: Vec<u8> = view.iter().map(|(byte, _, _)| byte.to_ascii_lowercase()).collect();
    for (at, window) in seen.windows(part).enumerate() {
        if parts.contains(window) {
            for (_, start, end) in &view[at..at + part] {
                hidden[*start..*end].fill(true);
            }
        }
    }
}

/// The bytes of `text` with `%41` read as `A`.
fn percent_decoded(text: &[u8]) -> View {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(((high * 16 + low) as u8, at, at + 3));
                at += 3;
            }
            _ => {
                decoded.push((*byte, at, at + 1));
                at += 1;
            }
        }
    }
    decoded
}

/// What of a secret is always the same in base64, wherever in a longer text it stands.
fn base64_forms(secret: &[u8]) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|before| {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let encoded = STANDARD_NO_PAD.encode(&bytes).into_bytes();
        // The first characters hold bits of what stands before, the last of what comes after.
        let first = [0, 2, 3][before];
        let last = if bytes.len() % 3 == 0 { 0 } else { 1 };
        let end = encoded.len().saturating_sub(last).max(first);
        encoded.get(first..end).unwrap_or_default().to_vec()
    })
}

/// `text` with a mark for each hidden run.
fn rebuilt(text: &str, hidden: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marked = false;
    for (at, c) in text.char_indices() {
        if hidden[at..at + c.len_utf8()].contains(&true) {
            if !marked {
                out.push_str(MARK);
            }
            marked = true;
        } else {
            out.push(c);
            marked = false;
        }
    }
    out
}

fn cut(text: &str, longest: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(longest - 1).collect();
    short.push('…');
    short
}

/// Control characters, and those that change the order of letters or take no room.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    const KEY: &str = "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl";

    fn shown(text: &str) -> String {
        redacted(text, &[&Secret::new(KEY.into())], LONGEST_MESSAGE)
    }

    #[test]
    fn every_encoding() {
        let percent: String = KEY.bytes().map(|b| format!("%{b:02X}")).collect();
        let hex: String = KEY.bytes().map(|b| format!("{b:02x}")).collect();
        for text in [
            KEY.to_owned(),
            percent,
            hex.to_uppercase(),
            hex,
            KEY.to_lowercase(),
            STANDARD.encode(KEY),
            STANDARD.encode(format!("ApiKey: {KEY}")),
            STANDARD.encode(format!("x{KEY}y")),
            URL_SAFE.encode(format!("xy{KEY}yz")),
        ] {
            let message = shown(&format!("Invalid API key '{text}' sent"));
            let rest = message.replace(MARK, "");
            // In longer base64 the neighbours' characters may stay; none of the key's do.
            assert!(message.contains(MARK), "{message}");
            assert!(rest.len() < "Invalid API key '' sent".len() + 16, "{message}");
        }
        assert_eq!(shown(&format!("no key {KEY}.")), "no key [redacted].");
        assert_eq!(shown(&format!("no key {}…", &KEY[..20])), "no key [redacted]…");
        assert_eq!(shown("Nothing to hide"), "Nothing to hide");
    }

    #[test]
    fn passwords_with_letters_of_any_kind() {
        let secret = Secret::new("пароль & ключ+1".into());
        for text in ["bad пароль & ключ+1!", "bad %D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C+%26 x"]
        {
            let message = redacted(text, &[&secret], LONGEST_MESSAGE);
            assert!(message.starts_with("bad [redacted]"), "{message}");
        }
        assert_eq!(redacted("ab cd", &[&Secret::new("cd".into())], 400), "ab [redacted]");
        assert_eq!(redacted("ab cd", &[&Secret::new(String::new())], 400), "ab cd");
    }

    #[test]
    fn one_line_and_short() {
        assert_eq!(shown("a\r\nb\u{202e}c\u{0}"), "a  b c");
        let long = shown(&"ä".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST_MESSAGE);
        let split = format!("{}{KEY}", "x".repeat(LONGEST_MESSAGE - 12));
        assert!(!shown(&split).contains(&KEY[..6]), "cut after it was hidden");
    }

    proptest! {
        /// Wherever the key stands, no eight characters of it are left.
        #[test]
        fn no_part_is_left(before in "\\PC{0,30}", after in "\\PC{0,30}", from in 0..20usize) {
            let message = shown(&format!("{before}{}{after}", &KEY[from..]));
            for part in KEY.as_bytes().windows(PART) {
                let part = std::str::from_utf8(part).expect("ASCII");
                prop_assert!(!message.contains(part), "{message}");
            }
        }
    }
}
