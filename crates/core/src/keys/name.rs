//! What a key may be called and how it may be described.
//!
//! The server documents no pattern, length or uniqueness (fact sheet §3.3 \[SPEC\]), so the limits
//! here are our own: long enough for anybody, short enough for a list, a tray and a dialog.

use super::{ApiKey, KeyUid};
use crate::{ErrorCode, Failure};

/// Longest name, in characters. Our own limit, see above.
pub const LONGEST_NAME: usize = 256;
/// Longest description, in characters. Our own limit, see above.
pub const LONGEST_DESCRIPTION: usize = 1_000;

/// Why a name or description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or only spaces.
    #[error("Enter a name.")]
    Empty,
    /// More than [`LONGEST_NAME`] characters.
    #[error("The name has {0} characters; {LONGEST_NAME} are the most.")]
    TooLong(usize),
    /// A line break, tab or another control character.
    #[error("The name has a line break, a tab or another control character. Remove it.")]
    ControlCharacter,
    /// A character that cannot be seen, or that turns the direction of text around (trust.md T4).
    #[error(
        "The name has an invisible character (U+{0:04X}). It could pass for another name; type the \
         name instead of pasting it."
    )]
    Invisible(u32),
    /// The owner has another key of this name.
    #[error("{owner} already has a key named \u{201c}{name}\u{201d}. Choose another name.")]
    Taken {
        /// The name.
        name: String,
        /// The owner, or "This person".
        owner: String,
    },
    /// More than [`LONGEST_DESCRIPTION`] characters.
    #[error("The description has {0} characters; {LONGEST_DESCRIPTION} are the most.")]
    DescriptionTooLong(usize),
    /// The policy wants another name.
    #[error("The policy wants names like {0}.")]
    OutsidePolicy(String),
    /// The policy wants a description.
    #[error("The policy wants a description: say what the key is for.")]
    DescriptionMissing,
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        let code = match error {
            NameError::Empty => ErrorCode::NameEmpty,
            NameError::TooLong(_) => ErrorCode::NameTooLong,
            NameError::ControlCharacter | NameError::Invisible(_) => {
                ErrorCode::NameHasControlCharacters
            }
            NameError::Taken { .. } => ErrorCode::NameTaken,
            NameError::DescriptionTooLong(_) => ErrorCode::DescriptionTooLong,
            NameError::OutsidePolicy(_) => ErrorCode::NameOutsidePolicy,
            NameError::DescriptionMissing => ErrorCode::DescriptionMissing,
        };
        Failure::new(code, error.to_string())
    }
}

/// The name as it will be sent: trimmed, and free of anything that does not show.
pub fn checked_name(typed: &str) -> Result<String, NameError> {
    let name = typed.trim();
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(NameError::ControlCharacter);
    }
    if let Some(hidden) = name.chars().find(|c| is_invisible(*c)) {
        return Err(NameError::Invisible(hidden.into()));
    }
    let length = name.chars().count();
    if length > LONGEST_NAME {
        return Err(NameError::TooLong(length));
    }
    Ok(name.to_owned())
}

/// The description as it will be sent: trimmed. It may have several lines.
pub fn checked_description(typed: &str) -> Result<String, NameError> {
    let description = typed.trim();
    let length = description.chars().count();
    if length > LONGEST_DESCRIPTION {
        return Err(NameError::DescriptionTooLong(length));
    }
    Ok(description.to_owned())
}

/// Refuses a name that another key of the same owner has. `but` is the key that is renamed. A
/// revoked key does not hold its name: what replaces it may be called the same.
pub fn not_taken<'a>(
    name: &str,
    owner_uid: &str,
    owner_name: &str,
    but: Option<&KeyUid>,
    keys: impl IntoIterator<Item = &'a ApiKey>,
) -> Result<(), NameError> {
    let taken = keys.into_iter().any(|key| {
        key.active && key.owner_uid == owner_uid && key.name.trim() == name && Some(&key.uid) != but
    });
    if !taken {
        return Ok(());
    }
    let owner = if owner_name.is_empty() { "This person" } else { owner_name };
    Err(NameError::Taken { name: name.to_owned(), owner: owner.to_owned() })
}

/// Characters that show nothing, join others unseen, or turn the direction of text around.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}'                  // soft hyphen
        | '\u{034F}'                // combining grapheme joiner
        | '\u{061C}'                // Arabic letter mark
        | '\u{115F}' | '\u{1160}'   // Hangul fillers
        | '\u{17B4}' | '\u{17B5}'   // Khmer inherent vowels
        | '\u{180B}'..='\u{180F}'   // Mongolian selectors and separator
        | '\u{200B}'..='\u{200F}'   // zero-width space and joiners, direction marks
        | '\u{202A}'..='\u{202E}'   // embeddings and overrides
        | '\u{2060}'..='\u{206F}'   // word joiner, isolates, deprecated format characters
        | '\u{3164}' | '\u{FFA0}'   // Hangul fillers
        | '\u{FE00}'..='\u{FE0F}'   // variation selectors
        | '\u{FEFF}'                // byte order mark
        | '\u{FFF0}'..='\u{FFFB}'   // annotation characters
        | '\u{E0000}'..='\u{E0FFF}' // tags and further selectors
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::key;

    #[test]
    fn names_are_trimmed_and_checked() {
        let long = "x".repeat(LONGEST_NAME);
        let too_long = "ä".repeat(LONGEST_NAME + 1);
        let table: [(&str, Result<&str, NameError>); 16] = [
            ("ci-prod", Ok("ci-prod")),
            ("  ci prod\u{3000}", Ok("ci prod")),
            ("ключ 鍵 مفتاح ñ 🔑", Ok("ключ 鍵 مفتاح ñ 🔑")),
            ("<img src=x onerror=alert(1)> & \"", Ok("<img src=x onerror=alert(1)> & \"")),
            (&long, Ok(&long)),
            ("", Err(NameError::Empty)),
            (" \u{a0}\t\n", Err(NameError::Empty)),
            (&too_long, Err(NameError::TooLong(LONGEST_NAME + 1))),
            ("two\nlines", Err(NameError::ControlCharacter)),
            ("tab\there", Err(NameError::ControlCharacter)),
            ("nul\0", Err(NameError::ControlCharacter)),
            ("line\u{2028}separator", Err(NameError::ControlCharacter)),
            ("pro\u{202e}d", Err(NameError::Invisible(0x202e))),
            ("pro\u{200b}d", Err(NameError::Invisible(0x200b))),
            ("\u{feff}prod", Err(NameError::Invisible(0xfeff))),
            ("prod\u{e0041}", Err(NameError::Invisible(0xe0041))),
        ];
        for (typed, expected) in table {
            assert_eq!(checked_name(typed), expected.map(str::to_owned), "{typed:?}");
        }
    }

    #[test]
    fn a_hidden_character_has_words_and_its_code() {
        let failure = Failure::from(checked_name("pro\u{202e}d").unwrap_err());
        assert_eq!(failure.code, ErrorCode::NameHasControlCharacters);
        assert!(failure.message.contains("U+202E"), "{}", failure.message);
    }

    #[test]
    fn descriptions_may_have_lines_but_not_be_endless() {
        assert_eq!(checked_description(" two\nlines ").as_deref(), Ok("two\nlines"));
        assert_eq!(checked_description("").as_deref(), Ok(""));
        assert_eq!(
            checked_description(&"x".repeat(LONGEST_DESCRIPTION + 1)),
            Err(NameError::DescriptionTooLong(LONGEST_DESCRIPTION + 1))
        );
    }

    #[test]
    fn a_name_is_taken_only_by_another_key_of_the_same_owner() {
        let mut ours = key("k1", "jane");
        ours.name = "ci".into();
        let mut theirs = key("k2", "sam");
        theirs.name = "nightly".into();
        let keys = [ours.clone(), theirs];
        assert!(not_taken("ci", "jane", "Jane Doe", None, &keys).is_err());
        assert_eq!(not_taken("ci", "jane", "Jane Doe", Some(&ours.uid), &keys), Ok(()));
        assert_eq!(not_taken("nightly", "jane", "Jane Doe", None, &keys), Ok(()));
        assert_eq!(not_taken("CI", "jane", "Jane Doe", None, &keys), Ok(()));
        ours.active = false;
        assert_eq!(not_taken("ci", "jane", "Jane Doe", None, &[ours]), Ok(()), "revoked");
    }
}
