//! Servers that mean no good: bodies without end or sense, redirects, echoes (trust checks 23, 30
//! and 31). Whatever comes: no panic, an error in time, no secret in it.

use crate::raw::{Answer, CANARY, Raw, client, json, response, serve, short, stranger};
use base64::Engine;
use palette_keys_core::api::{ApiError, Credential, PaletteClient, Sent};
use palette_keys_core::keys::{ApiKey, KeyChange, KeyUid, NewKey};
use palette_keys_core::{ErrorCode, Secret};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn uid() -> KeyUid {
    KeyUid::new("66e844c44bab2337f20c7471").unwrap()
}

fn a_key() -> ApiKey {
    ApiKey {
        uid: uid(),
        name: "n".into(),
        description: String::new(),
        annotations: BTreeMap::new(),
        labels: BTreeMap::new(),
        owner_uid: "u".into(),
        owner_name: String::new(),
        made_by_uid: None,
        permissions: Vec::new(),
        created: None,
        modified: None,
        deleted: None,
        expires: None,
        active: true,
    }
}

fn new_key() -> NewKey {
    NewKey {
        name: "n".into(),
        description: String::new(),
        owner_uid: "u".into(),
        expires: "2030-01-01T00:00:00Z".parse().unwrap(),
        annotations: BTreeMap::new(),
    }
}

/// Every call there is, each with the error it ended in.
async fn every_call(client: &PaletteClient) -> Vec<(&'static str, Option<ApiError>)> {
    let change = KeyChange { name: "n".into(), description: String::new(), expires: None };
    let mut ends = vec![
        ("who_am_i", client.who_am_i().await.err()),
        ("prove", client.prove(&Secret::new(CANARY.into())).await.err()),
        ("list", client.list_keys().await.err()),
        ("key", client.key(&uid()).await.err()),
        ("create", client.create_key(&new_key()).await.err()),
        ("update", client.update_key(&a_key(), &change).await.err()),
        ("revoke", client.set_active(&uid(), false).await.err()),
        ("delete", client.delete_key(&uid()).await.err()),
        ("people", client.people().await.err()),
        ("user", client.user("u1").await.err()),
        ("roles", client.roles_of("u1").await.err()),
        ("permissions", client.role_permissions(&["r1".into()]).await.err()),
        ("limit", client.key_limit("t1").await.err()),
        ("me", client.me().await.err()),
    ];
    let login = stranger(client.origin().as_str());
    let password = Secret::new(CANARY.into());
    ends.push(("login", login.authenticate("a@b.c", "acme", &password).await.err()));
    ends
}

/// Calls that decode something and for which nothing is optional.
const STRICT: [&str; 8] =
    ["who_am_i", "prove", "create", "update", "revoke", "delete", "login", "key"];

async fn always(bytes: Vec<u8>) -> Raw {
    serve(move |_, _| Answer::Bytes(bytes.clone())).await
}

#[tokio::test]
async fn bodies_without_sense() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let deep_object = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("empty", b"".to_vec()),
        ("NUL", b"\0\0\0\0".to_vec()),
        ("NUL inside", b"{\"userUid\":\"a\0b\"}".to_vec()),
        ("BOM", b"\xef\xbb\xbf{\"userUid\":\"u\"}".to_vec()),
        ("bad UTF-8", b"{\"userUid\":\"\xff\xfe\",\"items\":[{\"x\":\"\xc3\x28\"}]}".to_vec()),
        ("deep", deep.into_bytes()),
        ("deep object", deep_object.into_bytes()),
        ("truncated", b"{\"items\":[{\"metadata\":{\"uid\":\"66e8".to_vec()),
        ("a number", b"7".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a text", format!("\"{CANARY}\"").into_bytes()),
        ("null", b"null".to_vec()),
        ("two", b"{} {}".to_vec()),
        (
            "twice the same",
            b"{\"items\":[],\"items\":[],\"userUid\":\"a\",\"userUid\":\"b\"}".to_vec(),
        ),
        ("HTML", b"<!doctype html><title>Sign in</title>".to_vec()),
        ("XML", b"<?xml version=\"1.0\"?><a/>".to_vec()),
        ("escapes", b"{\"userUid\":\"\\ud800\"}".to_vec()),
    ];
    for (name, body) in bodies {
        let server = always(response("200 OK", "application/json", &body)).await;
        for (call, error) in every_call(&client(&server.origin, CANARY)).await {
            if STRICT.contains(&call) {
                let error = error.unwrap_or_else(|| panic!("{call} took {name} for an answer"));
                let code = error.code();
                assert!(
                    matches!(code, ErrorCode::AnswerUnreadable | ErrorCode::NotPalette),
                    "{call} {name}: {error:?}"
                );
                assert!(!format!("{error:?}{:?}", error.failure()).contains(CANARY), "{call}");
            }
        }
    }
}

#[tokio::test]
async fn answers_of_the_wrong_kind() {
    let page = "<html><body>Welcome to the airport</body></html>";
    for (kind, body) in [
        ("text/html; charset=utf-8", page),
        ("text/html", r#"{"userUid":"u","items":[]}"#),
        ("application/octet-stream", r#"{"userUid":"u","items":[]}"#),
        ("image/png", "\u{89}PNG"),
        ("application/json", page),
        ("application/xhtml+xml", page),
    ] {
        let server = always(response("200 OK", kind, body.as_bytes())).await;
        for (call, error) in every_call(&client(&server.origin, CANARY)).await {
            let code = error.unwrap_or_else(|| panic!("{call} took {kind}")).code();
            let change = ["update", "revoke", "delete"].contains(&call);
            let expected =
                code == ErrorCode::NotPalette || (change && code == ErrorCode::AnswerUnreadable);
            assert!(expected, "{call} {kind}: {code:?}");
        }
    }
    // A bare text/plain or no type at all with the right JSON is still the right JSON.
    for kind in ["text/plain", "application/problem+json", ""] {
        let server = always(response("200 OK", kind, br#"{"userUid":"u"}"#)).await;
        let who = client(&server.origin, CANARY).who_am_i().await;
        assert_eq!(who.unwrap().user_uid, "u", "{kind:?}");
    }
}

#[tokio::test]
async fn json_cut_at_every_byte() {
    let body = r#"{"items":[{"metadata":{"uid":"66e844c44bab2337f20c7471","name":"ü"}}]}"#;
    let server = serve(move |number, _| {
        Answer::Bytes(response("200 OK", "application/json", &body.as_bytes()[..number]))
    })
    .await;
    let client = client(&server.origin, CANARY);
    // The throttle would spread these over seconds: a few offsets are enough here, every byte is
    // cut in the unit test of the decoder.
    for _ in 0..18 {
        let error = client.list_keys().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::AnswerUnreadable);
    }
}

#[tokio::test]
async fn answers_shorter_than_announced() {
    let whole = json(r#"{"userUid":"u","apiKey":"0123456789abcdef0123"}"#);
    let server = always(whole[..whole.len() - 3].to_vec()).await;
    let client = client(&server.origin, CANARY);
    let error = client.create_key(&new_key()).await.err().unwrap();
    assert!(matches!(error, ApiError::ConnectionLost(_)), "{error:?}");
    assert_eq!((error.sent(), server.requests().len()), (Sent::Unknown, 1));
    let error = client.who_am_i().await.unwrap_err();
    assert!(matches!(error, ApiError::ConnectionLost(_)), "{error:?}");
}

#[tokio::test]
async fn bodies_without_end() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let until_close = format!("{head}\r\n[");
    let announced = format!("{head}Content-Length: 1000000000\r\n\r\n");
    let chunk = format!("10000\r\n{}\r\n", "7".repeat(0x10000));
    for (name, head, again, code) in [
        ("endless chunks", chunked, chunk, ErrorCode::AnswerTooLarge),
        ("endless", until_close, " ".repeat(65_536), ErrorCode::AnswerTooLarge),
        ("1 GB announced", announced, " ".repeat(65_536), ErrorCode::AnswerTooLarge),
    ] {
        let (head, again) = (head.into_bytes(), again.into_bytes());
        let server = serve(move |_, _| Answer::Endless(head.clone(), again.clone())).await;
        let client = client(&server.origin, CANARY);
        let start = Instant::now();
        assert_eq!(client.list_keys().await.unwrap_err().code(), code, "{name}");
        assert_eq!(client.who_am_i().await.unwrap_err().code(), code, "{name}");
        let error = client.create_key(&new_key()).await.err().unwrap();
        assert_eq!((error.code(), error.sent()), (code, Sent::Unknown), "{name}");
        assert!(start.elapsed() < 4 * short().total, "{name} took {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn answers_that_drip_or_never_come() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".to_vec();
    let tenth = Duration::from_millis(100);
    type Play = Box<dyn Fn() -> Answer + Send + Sync>;
    let plays: Vec<(&str, Play)> = vec![
        // Each byte comes within the read time-out: only the total one ends it.
        ("a drip", Box::new(move || Answer::Drip(head.clone(), tenth))),
        (
            "a drip of headers",
            Box::new(move || Answer::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), tenth)),
        ),
        ("silence", Box::new(|| Answer::Silence)),
    ];
    for (name, play) in plays {
        let server = serve(move |_, _| play()).await;
        let client = client(&server.origin, CANARY);
        let start = Instant::now();
        let error = client.create_key(&new_key()).await.err().unwrap();
        assert_eq!((error.code(), error.sent()), (ErrorCode::TimedOut, Sent::Unknown), "{name}");
        assert!(start.elapsed() < short().total * 2, "{name} took {:?}", start.elapsed());
        assert_eq!(server.requests().len(), 1, "{name}");
        let start = Instant::now();
        let error = client.list_keys().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TimedOut, "{name}");
        let most = short().retry_within + short().total * 2;
        assert!(start.elapsed() < most, "{name} took {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn heads_without_sense() {
    let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let big = format!("X: {}\r\n", "y".repeat(1024 * 1024));
    for (name, head) in [
        ("10k headers", format!("HTTP/1.1 200 OK\r\n{many}\r\n{{}}")),
        ("1 MB header", format!("HTTP/1.1 200 OK\r\n{big}\r\n{{}}")),
        ("not HTTP", "SSH-2.0-OpenSSH_9.6\r\n".into()),
        ("status 1000", "HTTP/1.1 1000 OK\r\n\r\n".into()),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}".into(),
        ),
        ("bad length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}".into()),
        ("bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}".into()),
    ] {
        let server = always(head.into_bytes()).await;
        let client = client(&server.origin, CANARY);
        let error = client.who_am_i().await.err().unwrap_or_else(|| panic!("{name}"));
        assert!(!format!("{error:?}").contains(CANARY));
        let error = client.create_key(&new_key()).await.err().unwrap();
        assert_eq!(error.sent(), Sent::Unknown, "{name}: {error:?}");
        let posts = server.lines().iter().filter(|line| line.starts_with("POST")).count();
        assert_eq!(posts, 1, "{name}");
    }
}

/// Trust check 23: nothing reaches the second server, for any call.
#[tokio::test]
async fn redirects_are_never_followed() {
    let second = serve(|_, _| Answer::Bytes(json(r#"{"userUid":"thief"}"#))).await;
    let port = second.port;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temp", "308 Permanent"] {
        for to in [
            format!("http://127.0.0.1:{port}/v1/users/info"),
            format!("http://localhost:{port}/v1/users/info"),
            format!("//127.0.0.1:{port}/"),
            format!("https://127.0.0.1:{port}/"),
        ] {
            let first = always(
                format!(
                    "HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\n\
                     Connection: close\r\n\r\n"
                )
                .into_bytes(),
            )
            .await;
            let client = client(&first.origin, CANARY);
            let create = client.create_key(&new_key()).await.err();
            for error in
                [client.who_am_i().await.err(), create, client.delete_key(&uid()).await.err()]
            {
                let error = error.unwrap();
                assert_eq!(error.code(), ErrorCode::RedirectRefused, "{status} {to}");
            }
            assert_eq!(first.requests().len(), 3, "nor repeated");
        }
    }
    assert_eq!(second.requests().len(), 0, "requests at the second server");
}

/// Trust T7 and check 31: a secret that the server sends back is in no error.
#[tokio::test]
async fn echoes_are_redacted() {
    let percent: String = CANARY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(format!("ApiKey: {CANARY}"));
    for echo in [CANARY.to_owned(), percent, base64, format!("{CANARY}{CANARY}")] {
        for status in ["400 B", "401 U", "403 F", "404 N", "409 C", "422 U", "429 T", "500 I"] {
            // A 429 is waited for: once is enough.
            if status.starts_with("429") && echo != CANARY {
                continue;
            }

            let body = format!(
                r#"{{"code":"{echo}","message":"bad {echo} key","ref":"{echo}",
                    "details":{{"{echo}":"{echo}"}}}}"#
            );
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nRetry-After: 0\r\n\
                 X-Echo: {echo}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let server = always(head.into_bytes()).await;
            let client = client(&server.origin, CANARY);
            let errors = [
                client.who_am_i().await.err(),
                client.create_key(&new_key()).await.err(),
                client.set_active(&uid(), false).await.err(),
            ];
            for error in errors {
                let error = error.unwrap();
                let all = format!("{error} {error:?} {:?}", error.failure());
                assert!(!all.contains(&echo), "{status}: {all}");
                assert!(all.contains("[redacted]"), "{status}: {all}");
            }
        }
    }
}

#[tokio::test]
async fn a_password_or_token_sent_back_is_redacted() {
    let server = serve(|_, request| {
        let echo = request.rsplit("\r\n").next().unwrap_or_default().replace('"', "'");
        let head = request.replace(['\r', '\n', '"'], " ");
        let body = format!(r#"{{"code":"X","message":"{echo} {head}"}}"#);
        Answer::Bytes(response("400 Bad", "application/json", body.as_bytes()))
    })
    .await;
    let login = stranger(&server.origin);
    let password = Secret::new("correct horse battery".into());
    let error = login.authenticate("a@b.c", "acme", &password).await.unwrap_err();
    let said = format!("{error:?}");
    assert!(said.contains("[redacted]") && !said.contains("horse"), "{said}");

    login.sign_in(Credential::Session { jwt: Secret::new(format!("{CANARY}.e30.sig-sig-sig")) });
    let error = login.delete_key(&uid()).await.unwrap_err();
    let said = format!("{error:?}");
    assert!(!said.contains(&CANARY[..8]) && !said.contains("sig-sig"), "{said}");
}

#[tokio::test]
async fn server_messages_are_capped_and_plain() {
    let long = format!("<b>{}\\u202e\\u0000\\n", "x".repeat(5_000));
    let body = format!(r#"{{"code":"Bad","message":"{long}","ref":"{long}"}}"#);
    let server = always(response("400 Bad", "application/json", body.as_bytes())).await;
    let error = client(&server.origin, CANARY).delete_key(&uid()).await.unwrap_err();
    let details = error.failure().details.unwrap();
    let message = details.server_message.unwrap();
    assert_eq!(message.chars().count(), 400);
    assert!(details.reference.unwrap().chars().count() <= 80);
    assert_eq!(details.status, Some(400));
    assert!(!message.contains(char::is_control));
}
