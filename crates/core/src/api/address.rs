//! The address a person types, understood strictly.
//!
//! People paste what they have: `api.spectrocloud.com`, a URL, the console's address bar. All of
//! those end in one [`Origin`]. What could send a key somewhere unexpected is refused instead of
//! repaired:
//!
//! - plain `http`, except to this computer (`127.0.0.0/8`, `::1`, `localhost`);
//! - a name and password in the address;
//! - letters outside ASCII. A look-alike such as a Cyrillic `а` would otherwise pass unseen. The
//!   refusal shows the `xn--` form, and that form, typed, is accepted as it stands;
//! - numbers that some programs read as an IP address (`2130706433`, `0x7f.1`, `127.1`).
//!
//! Why the origin and not a URL: every path starts at `/v1`, no prefix is documented (fact sheet
//! §1 \[SPEC\]).

use crate::{ErrorCode, Failure};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `scheme://host[:port]` of a Palette host: https, or http on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    text: String,
    secure: bool,
    loopback: bool,
}

/// Why a typed address was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was typed.
    #[error("empty")]
    Empty,
    /// It holds a user name or a password.
    #[error("has credentials")]
    HasCredentials,
    /// Plain http to another computer.
    #[error("not secure")]
    NotSecure,
    /// Letters outside ASCII; holds the `xn--` form when there is one.
    #[error("not ASCII")]
    NotAscii(Option<String>),
    /// Anything else that is not a host.
    #[error("invalid")]
    Invalid,
}

impl AddressError {
    /// What is wrong and what to type, in words.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Empty => Failure::new(
                ErrorCode::AddressEmpty,
                "Enter the address of your Palette, for example api.spectrocloud.com.",
            ),
            Self::HasCredentials => Failure::new(
                ErrorCode::AddressHasCredentials,
                "An address must not hold a user name or password. Enter only the host.",
            ),
            Self::NotSecure => Failure::new(
                ErrorCode::AddressNotSecure,
                "Plain http would show your key to the network. Use https.",
            ),
            Self::NotAscii(Some(shown)) => Failure::new(
                ErrorCode::AddressInvalid,
                format!(
                    "This address has letters that can look like others; it would be {shown}. \
                     If that is really meant, enter it in that form."
                ),
            ),
            Self::NotAscii(None) | Self::Invalid => Failure::new(
                ErrorCode::AddressInvalid,
                "This is not an address. Enter a host such as api.spectrocloud.com.",
            ),
        }
    }
}

impl Origin {
    /// Understands what a person typed or pasted. The flag is true when something typed was
    /// dropped (a path, a query, a fragment, a trailing dot).
    ///
    /// A bare host means https, on this computer too.
    ///
    /// # Errors
    /// See [`AddressError`]; nothing is guessed.
    pub fn parse(typed: &str) -> Result<(Self, bool), AddressError> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(AddressError::Empty);
        }
        // Backslashes are read as slashes by some URL parsers and not by others.
        if typed.len() > 2048 || typed.chars().any(|c| c.is_control() || c == '\\') {
            return Err(AddressError::Invalid);
        }
        let (secure, rest) = match typed.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            // "host/path?to=https://elsewhere" has no scheme of its own.
            Some((host, _)) if host.contains(['/', '?', '#']) => (true, typed),
            Some(_) => return Err(AddressError::Invalid),
            None => (true, typed),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, dropped) = rest.split_at(end);
        if authority.contains('@') {
            return Err(AddressError::HasCredentials);
        }
        let (host, port) = split_port(authority)?;
        let (host, loopback, dotted) = understand_host(host)?;
        if !secure && !loopback {
            return Err(AddressError::NotSecure);
        }
        let scheme = if secure { "https" } else { "http" };
        let default = if secure { 443 } else { 80 };
        let port = port.filter(|port| *port != default);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let adjusted = dotted || !matches!(dropped, "" | "/");
        let text = format!("{scheme}://{host}{port}");
        // The URL parser of the HTTP client has the last word: it must read the same host.
        let same = url::Url::parse(&text)
            .is_ok_and(|url| url.host_str() == Some(host.as_str()) && url.path() == "/");
        if !same {
            return Err(AddressError::Invalid);
        }
        Ok((Self { text, secure, loopback }, adjusted))
    }

    /// `https://host[:port]`, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `host[:port]`.
    pub fn host(&self) -> &str {
        self.text.split_once("://").map_or(&self.text, |(_, host)| host)
    }

    /// True for this computer, by address or as `localhost`.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// True for https.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

/// Host and port of an authority without credentials.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), AddressError> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(AddressError::Invalid)?;
        let (host, after) = authority.split_at(end + 1);
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(AddressError::Invalid),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let Some(port) = port else { return Ok((host, None)) };
    if !(1..=5).contains(&port.len()) || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::Invalid);
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(AddressError::Invalid),
    }
}

/// The host in lower case, whether it is this computer, and whether a trailing dot was dropped.
fn understand_host(host: &str) -> Result<(String, bool, bool), AddressError> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(AddressError::Invalid)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| AddressError::Invalid)?;
        return understand_ip(IpAddr::V6(address)).map(|loopback| {
            // One spelling for one address, so that two connections to it are recognised as one.
            (format!("[{address}]"), loopback, false)
        });
    }
    if !host.is_ascii() {
        let shown = match url::Host::parse(host) {
            Ok(url::Host::Domain(domain)) if domain.contains("xn--") => Some(domain),
            _ => None,
        };
        return Err(AddressError::NotAscii(shown));
    }
    let (host, dotted) = match host.strip_suffix('.') {
        Some(host) => (host, true),
        None => (host, false),
    };
    let host = host.to_ascii_lowercase();
    if host.is_empty() || host.len() > 253 || !host.split('.').all(is_label) {
        return Err(AddressError::Invalid);
    }
    // The rule of the URL standard: a last part that is a number makes the whole an IPv4 address,
    // in whatever notation. Only the plain one is accepted.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if numeric {
        let address: Ipv4Addr = host.parse().map_err(|_| AddressError::Invalid)?;
        return understand_ip(IpAddr::V4(address)).map(|loopback| (host, loopback, dotted));
    }
    let loopback = host == "localhost";
    Ok((host, loopback, dotted))
}

/// Whether an IP address is this computer; an error for those that are no single host.
fn understand_ip(address: IpAddr) -> Result<bool, AddressError> {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || broadcast {
        return Err(AddressError::Invalid);
    }
    Ok(address.is_loopback())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a typed address becomes: the origin (with `*` when something was dropped) or the error.
    fn read(typed: &str) -> String {
        match Origin::parse(typed) {
            Ok((origin, adjusted)) => {
                format!("{}{}", origin.as_str(), if adjusted { " *" } else { "" })
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn golden_table() {
        let long = format!("{}.com", "a".repeat(300));
        let many = format!("{}com", "abcdefgh.".repeat(28));
        let table: &[(&str, &str)] = &[
            // What people type and paste
            ("api.spectrocloud.com", "https://api.spectrocloud.com"),
            ("  api.spectrocloud.com\n", "https://api.spectrocloud.com"),
            ("API.SpectroCloud.COM", "https://api.spectrocloud.com"),
            ("https://api.spectrocloud.com", "https://api.spectrocloud.com"),
            ("HTTPS://api.spectrocloud.com/", "https://api.spectrocloud.com"),
            ("https://api.spectrocloud.com:443", "https://api.spectrocloud.com"),
            ("palette.example.com:8443", "https://palette.example.com:8443"),
            (
                "https://acme.console.spectrocloud.com/admin/users-and-teams?tab=1#keys",
                "https://acme.console.spectrocloud.com *",
            ),
            ("api.spectrocloud.com/v1", "https://api.spectrocloud.com *"),
            ("api.spectrocloud.com?x=1", "https://api.spectrocloud.com *"),
            ("api.spectrocloud.com#top", "https://api.spectrocloud.com *"),
            ("palette.example.com/go?to=https://evil.example", "https://palette.example.com *"),
            ("api.spectrocloud.com.", "https://api.spectrocloud.com *"),
            ("palette", "https://palette"),
            ("10.1.2.3", "https://10.1.2.3"),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
            ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            // Plain http
            ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
            ("http://127.8.9.10", "http://127.8.9.10"),
            ("http://localhost:8787/v1", "http://localhost:8787 *"),
            ("http://localhost.:8787", "http://localhost:8787 *"),
            ("http://[::1]:8787", "http://[::1]:8787"),
            ("127.0.0.1:8787", "https://127.0.0.1:8787"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://api.spectrocloud.com", "not secure"),
            ("http://10.0.0.1", "not secure"),
            ("http://127.0.0.1.example.com", "not secure"),
            ("http://localhost.example.com", "not secure"),
            ("http://[::ffff:127.0.0.1]", "not secure"),
            // Credentials
            ("https://user:pass@api.spectrocloud.com", "has credentials"),
            ("https://api.spectrocloud.com@evil.example", "has credentials"),
            ("user@palette.example.com", "has credentials"),
            // Nothing, and not an address
            ("", "empty"),
            (" \t\n", "empty"),
            ("https://", "invalid"),
            ("https:///v1", "invalid"),
            ("//api.spectrocloud.com", "invalid"),
            ("ftp://api.spectrocloud.com", "invalid"),
            ("javascript:alert(1)", "invalid"),
            ("file:///etc/passwd", "invalid"),
            ("https://https://api.spectrocloud.com", "invalid"),
            ("https:\\\\api.spectrocloud.com", "invalid"),
            ("api.spectrocloud.com\\@evil.example", "invalid"),
            ("api spectrocloud.com", "invalid"),
            ("api.spectrocloud.com evil.example", "invalid"),
            ("api.spectro\u{0}cloud.com", "invalid"),
            ("api.spectrocloud.com\r\nHost: evil.example", "invalid"),
            ("api..spectrocloud.com", "invalid"),
            (".spectrocloud.com", "invalid"),
            ("api.spectrocloud.com..", "invalid"),
            ("-api.spectrocloud.com", "invalid"),
            ("%61pi.spectrocloud.com", "invalid"),
            ("api.spectrocloud.com:0", "invalid"),
            ("api.spectrocloud.com:65536", "invalid"),
            ("api.spectrocloud.com:", "invalid"),
            ("api.spectrocloud.com:+443", "invalid"),
            ("api.spectrocloud.com:443:443", "invalid"),
            (&long, "invalid"),
            (&many, "invalid"),
            // Numbers that are not plainly an address
            ("2130706433", "invalid"),
            ("0x7f.1", "invalid"),
            ("0x7f000001", "invalid"),
            ("http://127.1", "invalid"),
            ("127.0.0.01", "invalid"),
            ("0177.0.0.1", "invalid"),
            ("1.2.3.4.5", "invalid"),
            ("0.0.0.0", "invalid"),
            ("255.255.255.255", "invalid"),
            ("[::]", "invalid"),
            ("::1", "invalid"),
            ("[::1", "invalid"),
            ("[fe80::1%25eth0]", "invalid"),
            ("[::1]x", "invalid"),
            // Letters that look like others
            ("\u{430}pi.spectrocloud.com", "not ASCII"),
            ("bücher.example", "not ASCII"),
            ("api.spectrocloud.com\u{200b}", "not ASCII"),
            ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", "not ASCII"),
            ("api\u{3002}spectrocloud.com", "not ASCII"),
            ("\u{202e}moc.duolc", "not ASCII"),
        ];
        for (typed, expected) in table {
            assert_eq!(&read(typed), expected, "typed {typed:?}");
        }
    }

    #[test]
    fn a_look_alike_is_shown_for_what_it_is() {
        let error = Origin::parse("\u{430}pi.spectrocloud.com").expect_err("look-alike");
        assert!(error.failure().message.contains("xn--"), "{}", error.failure().message);
    }

    #[test]
    fn host_and_loopback() {
        let (origin, _) = Origin::parse("https://Palette.example.com:8443/x").expect("origin");
        assert_eq!(origin.host(), "palette.example.com:8443");
        assert!(!origin.is_loopback());
        let (origin, _) = Origin::parse("http://[::1]:1").expect("origin");
        assert_eq!(origin.host(), "[::1]:1");
        assert!(origin.is_loopback());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever is typed: no panic, and what is accepted is stable and safe.
        #[test]
        fn accepted_addresses_are_stable(typed in "(https?://)?[a-z0-9.:/?#@\\[\\]%\\\\ \\-А-я]{0,40}") {
            if let Ok((origin, _)) = Origin::parse(&typed) {
                prop_assert!(origin.is_loopback() || origin.as_str().starts_with("https://"));
                prop_assert!(origin.as_str().is_ascii());
                let again = Origin::parse(origin.as_str()).expect("an origin is an address");
                prop_assert_eq!(again, (origin, false));
            }
        }

        /// Any text at all.
        #[test]
        fn any_text(typed in "\\PC{0,60}") {
            let _ = Origin::parse(&typed);
        }
    }
}
