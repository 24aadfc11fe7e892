//! The server's audit log: read only when asked, by page, and whatever it says is only text.

use crate::desk::Desk;
use palette_keys_core::ErrorCode;
use palette_keys_core::clock::Clock;
use palette_keys_core::connection::ConnectionRequest;
use palette_keys_core::keys::KeyRequest;
use palette_keys_core::keys::audits::{AuditView, AuditsRequest, AuditsView};
use palette_sim::{Fault, Matcher};

fn of(desk: &Desk, uid: Option<&str>) -> AuditsRequest {
    AuditsRequest {
        connection: desk.connection.clone(),
        uid: uid.map(str::to_owned),
        from: None,
        until: None,
        next: None,
    }
}

async fn listed(desk: &Desk, request: AuditsRequest) -> (Vec<AuditView>, Option<String>) {
    match desk.keys.list_audits(request).await.unwrap() {
        AuditsView::Listed { entries, next, .. } => (entries, next),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_keys_entries_are_its_own_and_newest_first() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    let (entries, next) = listed(&desk, of(&desk, Some(&key.uid))).await;
    assert_eq!(next, None);
    assert!(entries.iter().all(|entry| entry.key_uid.as_deref() == Some(&*key.uid)));
    assert!(entries.is_sorted_by(|newer, older| newer.at >= older.at));
    assert!(entries.len() >= 4, "{entries:?}");
    assert_eq!((&*entries[0].action, &*entries[0].actor), ("update", "Jane Doe"));
    assert_eq!(entries[0].message, "API key 'ci-prod' revoked");
    let truth = desk.sim.audits().into_iter().rfind(|audit| audit.resource_uid == key.uid);
    assert_eq!(Some(entries[0].at), truth.map(|truth| truth.at.as_millisecond()));
}

#[tokio::test]
async fn nothing_is_read_before_somebody_looks() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    desk.list(true).await;
    let request = KeyRequest { connection: desk.connection.clone(), uid: key.uid.clone() };
    desk.keys.key_details(request).await.unwrap();
    let request = ConnectionRequest { connection: desk.connection.clone() };
    desk.keys.select_connection(request).await.unwrap();
    assert_eq!(desk.sent("GET", "/v1/audits"), 0);
    listed(&desk, of(&desk, Some(&key.uid))).await;
    assert_eq!(desk.sent("GET", "/v1/audits"), 1);
    let requests = desk.sim.requests();
    let asked = requests.iter().rfind(|request| request.path.starts_with("/v1/audits")).unwrap();
    let query = format!("{asked:?}");
    for part in ["resourceKind", "apiKey", "resourceUid", "limit", "50"] {
        assert!(query.contains(part), "{part} in {query}");
    }
}

#[tokio::test]
async fn all_pages_together_are_the_whole_log_of_keys() {
    let desk = Desk::admin().await;
    for _ in 0..60 {
        desk.sim.edit_key_directly(&desk.listed("ci-prod").await.uid, |key| {
            key.description.push('.');
        });
    }
    let (mut all, mut request) = (Vec::new(), of(&desk, None));
    loop {
        let (entries, next) = listed(&desk, request.clone()).await;
        assert!(entries.len() <= 50);
        all.extend(entries);
        let Some(next) = next else { break };
        request.next = Some(next);
    }
    let truth = desk.sim.audits();
    let keys = truth.iter().filter(|audit| audit.resource_kind == "apiKey").count();
    assert_eq!(all.len(), keys);
    assert!(all.is_sorted_by(|newer, older| newer.at >= older.at));
}

#[tokio::test]
async fn a_span_of_time_is_by_this_computers_clock() {
    let desk = Desk::bare().await;
    desk.sim.set_clock_offset_seconds(-3_600);
    let mut desk = desk;
    let admin = desk.sim.admin();
    desk.sign_in(&admin).await;
    let key = desk.listed("ci-prod").await;
    let before = desk.clock.now().as_millisecond() - 5_000;
    desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    let request = AuditsRequest { from: Some(before), ..of(&desk, Some(&key.uid)) };
    let (entries, _) = listed(&desk, request).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let apart = entries[0].local_at - entries[0].at;
    assert!((apart - 3_600_000).abs() < 5_000, "{apart}");
    assert!(entries[0].local_at > before);
    let request = AuditsRequest { until: Some(before), ..of(&desk, Some(&key.uid)) };
    assert!(listed(&desk, request).await.0.iter().all(|entry| entry.local_at <= before));
}

#[tokio::test]
async fn without_the_permission_it_is_said_in_words() {
    let desk = Desk::user().await;
    let key = desk.listed("grafana-reader").await;
    for uid in [None, Some(&*key.uid)] {
        let view = desk.keys.list_audits(of(&desk, uid)).await.unwrap();
        let AuditsView::NotAllowed { message } = view else { panic!("{view:?}") };
        assert!(message.contains("acme") && message.contains("audit.list"), "{message}");
    }
    // Taken away meanwhile.
    let desk = Desk::admin().await;
    desk.sim.set_user_roles(&desk.sim.admin().uid, &["Tenant Team Admin"]);
    let view = desk.keys.list_audits(of(&desk, None)).await.unwrap();
    assert!(matches!(view, AuditsView::NotAllowed { .. }), "{view:?}");
}

#[tokio::test]
async fn hostile_entries_are_text_and_the_bad_ones_are_counted() {
    let desk = Desk::admin().await;
    let secret = desk.sim.admin().api_key;
    let entry = |message: &str, uid: &str| {
        serde_json::json!({
            "metadata": { "uid": "a1", "creationTimestamp": "2026-11-20T10:00:00.000Z" },
            "spec": {
                "actionMsg": message, "actionType": ["no", "text"], "userMsg": 7,
                "actor": { "actorType": "service", "serviceName": "hubble\u{202e}" },
                "resource": { "kind": "apiKey", "uid": uid, "name": "<img src=x>\n" },
            },
        })
    };
    let body = serde_json::json!({
        "items": [
            entry(&format!("{secret} \u{202e}{}", "x".repeat(9_000)), "../users"),
            { "metadata": {}, "spec": {} },
            { "metadata": { "creationTimestamp": "soon" }, "spec": {} },
            "nothing",
        ],
        "listmeta": { "continue": "again", "count": 1, "limit": 50, "offset": 0 },
    });
    let fault = Fault::GarbageJson(body.to_string());
    desk.sim.set_fault(Matcher::on("GET", "/v1/audits"), fault, None);
    let view = desk.keys.list_audits(of(&desk, None)).await.unwrap();
    let AuditsView::Listed { entries, skipped, next } = view else { panic!("{view:?}") };
    assert_eq!((entries.len(), skipped, next.as_deref()), (1, 3, Some("again")));
    let said = &entries[0];
    assert!(!said.message.contains(&secret[..8]), "{}", said.message);
    assert!(said.message.starts_with("[redacted] ⟨U+202E⟩xxx"), "{}", said.message);
    assert!(said.message.chars().count() <= 300);
    assert_eq!((&*said.actor, &*said.key_name), ("hubble⟨U+202E⟩", "<img src=x>⟨U+000A⟩"));
    assert_eq!((&*said.action, &*said.note, said.key_uid.as_deref()), ("", "7", None));

    // A server that sends us in a circle has come to its end.
    let request = AuditsRequest { next: Some("again".into()), ..of(&desk, None) };
    assert_eq!(listed(&desk, request).await.1, None);
}

#[tokio::test]
async fn trouble_is_said_and_a_strange_place_is_refused() {
    let desk = Desk::admin().await;
    let request = AuditsRequest { next: Some("x".repeat(5_000)), ..of(&desk, None) };
    assert!(desk.keys.list_audits(request).await.is_err());
    assert!(desk.keys.list_audits(of(&desk, Some("../x"))).await.is_err());
    assert_eq!(desk.sent("GET", "/v1/audits"), 0);
    desk.sim.go_down().await;
    let failure = desk.keys.list_audits(of(&desk, None)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::HostUnreachable);
}
