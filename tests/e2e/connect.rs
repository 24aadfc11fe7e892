//! Getting in: the first run, the demo tenant, every way to sign in, and every way to fail at it.

use palette_sim::{Fault, Matcher, SimOptions, TlsIdentity};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::{
    acts::{
        SERVICE, assert_nothing_saved, connect, go, listed, refused, row, status, type_account,
        type_key, wait_for_keys,
    },
    harness::{Launch, Page, Setting, Stage, containing},
};

#[tokio::test(flavor = "multi_thread")]
async fn first_run_leads_to_the_demo_tenant() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    page.role("heading", "Connect to Palette").wait().await;
    page.role("textbox", "Palette address").wait_value("api.spectrocloud.com").await;
    assert!(page.role("radiogroup", "Sign in with").role("radio", "API key").is_checked().await);
    assert!(!page.role("button", "Connection options").is_expanded().await);
    page.role("button", "Try the demo tenant").click().await;

    wait_for_keys(&page).await;
    row(&page, "ci-prod").wait().await;
    let frame = page.role("navigation", "Main");
    frame.role("button", "Connection: Demo tenant").wait().await;
    assert!(frame.words("Demo tenant").count().await >= 2, "the name and the standing chip");
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await, [], "the demo leaves no credential");

    // It ends with the app.
    assert_nothing_saved(&mut stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_argument_starts_on_the_demo_tenant() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::demo()).await;
    wait_for_keys(&page).await;
    page.role("button", "Connection: Demo tenant").wait().await;
    status(&page).wait_text("You see every key of acme").await;
    row(&page, "ci-prod").wait().await;
    assert!(stage.sim.requests().is_empty(), "its tenant is the one inside the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_signs_in_and_says_who_you_are() {
    let mut stage = Stage::new().await;
    let admin = stage.sim.admin();
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &admin.api_key).await;

    let said = page.words(containing("You are Jane Doe")).text().await;
    assert!(said.contains("jane.doe@acme.example"), "{said}");
    assert!(said.contains("You see every key of acme."), "{said}");
    assert!(said.contains("holds your secrets"), "{said}");
    status(&page).wait_text("You see every key of acme").await;
    page.role("button", "Connection: acme").wait().await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());

    let kept = stage.secrets(&[("service", SERVICE)]).await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].secret, admin.api_key);
    assert_eq!(kept[0].label, "Palette Keys sign-in: acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn email_and_password_sign_in() {
    let mut stage = Stage::new().await;
    let admin = stage.sim.admin();
    let page = stage.launch(Launch::default()).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    type_account(&page, &admin.email, &admin.organization, &admin.password).await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    page.words(containing("You are Jane Doe")).wait().await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await, [], "a session is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_two_organizations_is_asked_which() {
    let mut stage = Stage::new().await;
    let grace = stage.sim.account("grace.kim@acme.example");
    let page = stage.launch(Launch::default()).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    type_account(&page, &grace.email, "", &grace.password).await;
    page.role("button", "Connect").click().await;
    page.role("textbox", "Organization").wait_invalid().await;
    page.words(containing("needs to know the organization")).wait().await;
    assert_eq!(page.role("textbox", "Email").value().await, grace.email, "nothing typed is lost");

    page.role("textbox", "Organization").fill("acme").await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    page.words(containing("You see your own keys.")).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_address_is_understood_or_refused() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    let address = page.role("textbox", "Palette address");
    address.put("https://console.spectrocloud.com/project/overview?tab=1").await;
    page.words("Will connect to https://console.spectrocloud.com").wait().await;

    for (typed, words) in [
        ("http://palette.example.com", "Plain http would show your key to the network"),
        ("https://jane:secret@palette.example.com", "must not hold a user name or password"),
        ("palette.exаmple.com", "letters that can look like others"),
        ("", "Enter the address of your Palette"),
    ] {
        type_key(&page, typed, &stage.sim.admin().api_key).await;
        page.role("button", "Connect").click().await;
        address.wait_invalid().await;
        page.words(containing(words)).wait().await;
    }
    assert_nothing_saved(&mut stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_says_so() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    let key = stage.sim.admin().api_key;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (address, words) in [
        ("https://palette.invalid", "No computer named palette.invalid was found."),
        (&*closed, "cannot be reached. Check your network"),
    ] {
        type_key(&page, address, &key).await;
        page.role("button", "Connect").click().await;
        refused(&page, words).await;
        assert!(page.role("button", "Connect").is_enabled().await, "one may try again");
    }
    assert_nothing_saved(&mut stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_work_is_refused_and_never_echoed() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    let origin = stage.sim.origin();
    let value = |name: &str| stage.sim.key_named(name).expect("in the seed").value;
    let cases = [
        ("unknown", "never-was-a-key-of-this-tenant-1".to_owned()),
        ("expired", value("vertex-sandbox")),
        ("revoked", value("leaked-in-slack")),
    ];
    for (kind, key) in &cases {
        // The server echoes the key in its answer, in one of two ways.
        for not_found in [false, true] {
            stage.sim.set_bad_key_not_found(not_found);
            type_key(&page, &origin, key).await;
            page.role("button", "Connect").click().await;
            let said = refused(&page, "does not accept this credential").await;
            assert!(!said.contains(&**key), "an {kind} key is shown: {said}");
            let page_text = page.evaluate("return document.documentElement.outerHTML").await;
            assert!(!page_text.to_string().contains(&**key), "an {kind} key is in the page");
            // Gone before the next attempt, or its words would be taken for that one's.
            page.password("API key").put("x").await;
            page.role("alert", crate::harness::any()).wait_gone().await;
        }
    }
    type_key(&page, &origin, "short").await;
    page.role("button", "Connect").click().await;
    page.password("API key").wait_invalid().await;
    page.words(containing("does not look like an API key")).wait().await;
    page.password("API key").put("").await;
    page.role("button", "Connect").click().await;
    page.words("Paste an API key.").wait().await;
    assert_nothing_saved(&mut stage).await;
    for (_, key) in &cases {
        assert!(!stage.log().contains(&**key), "in the log");
        assert_eq!(stage.files_with(key.as_bytes()), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_second_factor_are_told_apart() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    let admin = stage.sim.admin();
    type_account(&page, &admin.email, "", "not the password").await;
    page.role("button", "Connect").click().await;
    refused(&page, "does not accept").await;

    let chloe = stage.sim.mfa_user();
    type_account(&page, &chloe.email, "", &chloe.password).await;
    page.role("button", "Connect").click().await;
    refused(&page, "second factor").await;
    refused(&page, "API key").await;
    assert_nothing_saved(&mut stage).await;
}

/// A certificate authority and a certificate it issued for this name.
pub fn authority(name: &str) -> (String, TlsIdentity) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "acme test authority");
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let cert_pem = leaf.signed_by(&key, &issuer).unwrap().pem();
    (ca_pem, TlsIdentity { cert_pem, key_pem: key.serialize_pem() })
}

pub async fn choose_authority(page: &Page, stage: &Stage, pem: &str) {
    let path = stage.home().join("authority.pem");
    std::fs::write(&path, pem).unwrap();
    page.field("CA certificate").attach(&path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_is_refused_until_it_is_added() {
    let (ca, identity) = authority("127.0.0.1");
    let palette = SimOptions { tls: Some(identity), ..SimOptions::default() };
    let mut stage = Stage::set(Setting { palette, ..Setting::default() }).await;
    let key = stage.sim.admin().api_key;
    let page = stage.launch(Launch::default()).await;
    type_key(&page, &stage.sim.origin(), &key).await;
    page.role("button", "Connect").click().await;
    refused(&page, "not from an authority this computer knows").await;
    assert!(stage.sim.requests().is_empty(), "not a byte of a request was sent");
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await, []);

    // The options have opened by themselves; a file that is none is refused.
    page.role("textbox", "Connection name").wait().await;
    choose_authority(&page, &stage, "no certificate").await;
    page.words(containing("is not a certificate in PEM format")).wait().await;
    choose_authority(&page, &stage, &ca).await;
    page.words("authority.pem").wait().await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;

    stage.quit().await;
    let page = stage.relaunch().await;
    wait_for_keys(&page).await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_is_refused_even_from_a_known_authority() {
    let (ca, identity) = authority("palette.example.com");
    let palette = SimOptions { tls: Some(identity), ..SimOptions::default() };
    let mut stage = Stage::set(Setting { palette, ..Setting::default() }).await;
    let page = stage.launch(Launch::default()).await;
    type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connection options").click().await;
    choose_authority(&page, &stage, &ca).await;
    page.words("authority.pem").wait().await;
    page.role("button", "Connect").click().await;
    refused(&page, "is for another host").await;
    assert!(stage.sim.requests().is_empty(), "not a byte of a request was sent");
    assert_nothing_saved(&mut stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let mut stage = Stage::new().await;
    let elsewhere = palette_sim::start(SimOptions::default()).await.unwrap();
    let page = stage.launch(Launch::default()).await;
    for code in [301, 302, 307, 308] {
        stage.sim.clear_faults();
        let to = format!("{}/v1/users/info", elsewhere.origin());
        stage.sim.set_fault(Matcher::any(), Fault::Redirect { code, to }, None);
        type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
        page.role("button", "Connect").click().await;
        refused(&page, "sent us to another address").await;
        page.password("API key").put("x").await;
        page.role("alert", crate::harness::any()).wait_gone().await;
    }
    assert!(elsewhere.requests().is_empty(), "the other host heard nothing");
    assert_nothing_saved(&mut stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_html_is_not_taken_for_palette() {
    let mut stage = Stage::new().await;
    stage.sim.set_fault(Matcher::any(), Fault::HtmlOk, None);
    let page = stage.launch(Launch::default()).await;
    type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connect").click().await;
    let said = refused(&page, "does not look like Palette").await;
    assert!(said.contains("network sign-in page"), "{said}");
    assert!(!said.contains('<'), "no markup is shown: {said}");

    // Signed in to the network, the same form works.
    stage.sim.clear_faults();
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    go(&page, "Settings").await;
    page.role("heading", "Settings").wait().await;
}
