//! Secrets from the first byte.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// A credential or a key's value.
///
/// It has no `Debug`, `Display` or `Serialize` on purpose: a secret that would be
/// printed or sent to the window does not compile. Its memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(secrecy::SecretString);

impl Secret {
    /// Takes ownership of the text; the only copy from here on.
    pub fn new(mut value: String) -> Self {
        if value.capacity() == value.len() {
            return Self(secrecy::SecretString::from(value));
        }
        // Shrinking a String to fit may move it and leave the old block as it was, so copy it
        // ourselves and wipe the original.
        let exact: Box<str> = value.as_str().into();
        value.zeroize();
        Self(secrecy::SecretString::from(exact))
    }

    /// The text itself. Every call has an `// EXPOSE:` line above it that says why.
    pub fn expose_secret(&self) -> &str {
        secrecy::ExposeSecret::expose_secret(&self.0)
    }

    /// Whether both hold the same text. The time taken does not tell where they differ.
    pub fn same_as(&self, other: &Self) -> bool {
        // EXPOSE: compared here, byte by byte; nothing of it leaves this function
        let (ours, theirs) = (self.expose_secret().as_bytes(), other.expose_secret().as_bytes());
        let differing = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
        ours.len() == theirs.len() && differing == 0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn holds_the_text_whatever_its_spare_capacity() {
        for spare in [0, 1, 300] {
            let mut text = String::with_capacity("abc".len() + spare);
            text.push_str("abc");
            // EXPOSE: a test's own text
            assert_eq!(Secret::new(text).expose_secret(), "abc");
        }
    }

    #[test]
    fn compares_whole_texts() {
        let secret = Secret::new("abc".into());
        for (other, same) in
            [("abc", true), ("abd", false), ("ab", false), ("abcd", false), ("", false)]
        {
            assert_eq!(secret.same_as(&Secret::new(other.into())), same, "{other}");
        }
    }
}
