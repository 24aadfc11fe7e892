//! An address that was understood is the one that is called, and no other.

use crate::raw::{Answer, CANARY, client, json, serve};
use palette_keys_core::api::Origin;

#[tokio::test]
async fn every_spelling_of_this_computer_reaches_it() {
    let server = serve(|_, _| Answer::Bytes(json(r#"{"userUid":"u","tenantUid":"t"}"#))).await;
    let port = server.port;
    for typed in [
        format!("http://127.0.0.1:{port}"),
        format!("  http://127.0.0.1:{port}/v1/apiKeys?x=1#top\n"),
        format!("HTTP://LOCALHOST:{port}/"),
        format!("http://localhost.:{port}"),
    ] {
        let (origin, _) = Origin::parse(&typed).unwrap();
        let who = client(origin.as_str(), CANARY).who_am_i().await;
        assert_eq!(who.unwrap().user_uid, "u", "{typed:?}");
    }
    for request in server.requests() {
        assert!(request.starts_with("GET /v1/users/info HTTP/1.1\r\n"), "{request}");
    }
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn the_host_header_is_the_origin_host() {
    let server = serve(|_, _| Answer::Bytes(json(r#"{"userUid":"u"}"#))).await;
    client(&server.origin, CANARY).who_am_i().await.unwrap();
    let host = format!("host: 127.0.0.1:{}\r\n", server.port);
    assert!(server.requests()[0].to_ascii_lowercase().contains(&host));
}
