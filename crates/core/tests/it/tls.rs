//! Whom the client trusts (trust checks 32 and T5): servers with every kind of bad certificate get
//! no byte of a key, and a connection's own authority is added to the others, for it alone.

use crate::raw::{CANARY, settled};
use palette_keys_core::api::{ApiError, ClientSettings, Credential, Origin, PaletteClient};
use palette_keys_core::api::{Sent, TlsProblem};
use palette_keys_core::clock::SystemClock;
use palette_keys_core::connection::ProxyChoice;
use palette_keys_core::{ErrorCode, Secret};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// A certificate for a server: its chain and key as PEM.
pub struct Identity {
    pub chain: String,
    pub key: String,
}

/// An authority.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

pub fn authority(name: &str) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { pem, issuer: Issuer::new(params, key) }
}

pub fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

pub fn issued(by: &Authority, params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &by.issuer).unwrap();
    Identity { chain: certificate.pem(), key: key.serialize_pem() }
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity { chain: certificate.pem(), key: key.serialize_pem() }
}

/// A server that answers `users/info` over TLS; what it could read is kept.
struct Server {
    port: u16,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    fn saw(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.read.lock().unwrap()).contains(text)
    }
}

async fn start(identity: &Identity) -> Server {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(identity.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(chain, key)
    .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = Arc::new(Mutex::new(Vec::new()));
    let server = Server { port, read: Arc::clone(&read) };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 8192];
            let count = stream.read(&mut buffer).await.unwrap_or(0);
            read.lock().unwrap().extend_from_slice(&buffer[..count]);
            let body = r#"{"userUid":"u","tenantUid":"t","orgName":"o"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    server
}

fn client(origin: &str, ca: Option<&str>) -> PaletteClient {
    let client = settled(origin, ca, ProxyChoice::None);
    client.sign_in(Credential::ApiKey(Secret::new(CANARY.into())));
    client
}

fn problem(error: &ApiError) -> Option<TlsProblem> {
    match error {
        ApiError::TlsUntrusted(_, problem) => Some(*problem),
        _ => None,
    }
}

#[tokio::test]
async fn bad_certificates_are_refused_before_a_byte_of_the_key() {
    let (own, other) = (authority("own"), authority("other"));
    let mut expired = params("localhost");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut future = params("localhost");
    future.not_before = date_time_ymd(2090, 1, 1);
    let mut self_made = params("localhost");
    self_made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut expired_self_made = expired.clone();
    expired_self_made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut elsewhere_self_made = params("palette.example.com");
    elsewhere_self_made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut other_purpose = params("localhost");
    other_purpose.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let expired_self_made = self_signed(&expired_self_made);
    let elsewhere_self_made = self_signed(&elsewhere_self_made);
    let another_self_made = self_signed(&self_made).chain;

    use TlsProblem::*;
    let own_ca = || Some(own.pem.clone());
    let table = [
        ("expired", issued(&own, &expired), own_ca(), Expired),
        ("not yet valid", issued(&own, &future), own_ca(), NotYetValid),
        ("wrong host", issued(&own, &params("palette.example.com")), own_ca(), WrongHost),
        ("an address instead of the name", issued(&own, &params("127.0.0.1")), own_ca(), WrongHost),
        ("another purpose", issued(&own, &other_purpose), own_ca(), BadCertificate),
        ("unknown authority", issued(&other, &params("localhost")), None, UnknownAuthority),
        (
            "the authority of another connection",
            issued(&own, &params("localhost")),
            Some(other.pem.clone()),
            UnknownAuthority,
        ),
        ("self-signed", self_signed(&params("localhost")), None, UnknownAuthority),
        ("self-signed authority", self_signed(&self_made), None, UnknownAuthority),
        (
            "self-signed authority, another one added",
            self_signed(&self_made),
            Some(another_self_made),
            UnknownAuthority,
        ),
        (
            "added, but expired",
            Identity { ..copy(&expired_self_made) },
            Some(expired_self_made.chain),
            Expired,
        ),
        (
            "added, but for another host",
            Identity { ..copy(&elsewhere_self_made) },
            Some(elsewhere_self_made.chain),
            WrongHost,
        ),
    ];
    for (name, identity, ca, expected) in table {
        let server = start(&identity).await;
        let origin = format!("https://localhost:{}", server.port);
        let client = client(&origin, ca.as_deref());
        let error = client.who_am_i().await.err().unwrap_or_else(|| panic!("{name} was trusted"));
        assert_eq!(problem(&error), Some(expected), "{name}: {error:?}");
        assert_eq!(error.sent(), Sent::No, "{name}");
        let failure = error.failure();
        assert_eq!(failure.code, ErrorCode::TlsUntrusted, "{name}");
        assert!(failure.message.contains("localhost"), "{name}: {}", failure.message);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!server.saw(CANARY) && !server.saw("apikey"), "{name}: a byte of the key arrived");
    }
}

fn copy(identity: &Identity) -> Identity {
    Identity { chain: identity.chain.clone(), key: identity.key.clone() }
}

#[tokio::test]
async fn an_added_authority_works() {
    let (own, other) = (authority("own"), authority("other"));
    let both = format!("# ours\n{}\n{}", other.pem, own.pem);
    let mut self_made = params("localhost");
    self_made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let self_made = self_signed(&self_made);
    let plain = self_signed(&params("localhost"));
    for (name, identity, ca) in [
        ("an authority", issued(&own, &params("localhost")), own.pem.clone()),
        ("one of two", issued(&own, &params("localhost")), both),
        ("the certificate itself", copy(&plain), plain.chain),
        ("the certificate itself, CA:TRUE", copy(&self_made), self_made.chain),
    ] {
        let server = start(&identity).await;
        let origin = format!("https://localhost:{}", server.port);
        let who = client(&origin, Some(&ca)).who_am_i().await;
        assert_eq!(who.unwrap_or_else(|e| panic!("{name}: {e:?}")).user_uid, "u");
        assert!(server.saw(CANARY), "{name}: the server has to see the key");
    }
    let server = start(&issued(&own, &params("127.0.0.1"))).await;
    let origin = format!("https://127.0.0.1:{}", server.port);
    assert!(client(&origin, Some(&own.pem)).who_am_i().await.is_ok(), "an address by its address");
}

#[tokio::test]
async fn the_authority_of_one_connection_is_not_trusted_by_another() {
    let own = authority("own");
    let server = start(&issued(&own, &params("localhost"))).await;
    let origin = format!("https://localhost:{}", server.port);
    assert!(client(&origin, Some(&own.pem)).who_am_i().await.is_ok());
    let error = client(&origin, None).who_am_i().await.unwrap_err();
    assert_eq!(problem(&error), Some(TlsProblem::UnknownAuthority));
}

#[tokio::test]
async fn what_does_not_speak_modern_tls() {
    // An alert "protocol_version" in a TLS 1.1 record; plain HTTP; noise.
    let answers: [&[u8]; 3] = [
        &[21, 3, 2, 0, 2, 2, 70],
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        &[0xff; 64],
    ];
    for answer in answers {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let read = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&read);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 8192];
                let count = stream.read(&mut buffer).await.unwrap_or(0);
                seen.lock().unwrap().extend_from_slice(&buffer[..count]);
                let _ = stream.write_all(answer).await;
                let _ = stream.read(&mut buffer).await;
            }
        });
        let error =
            client(&format!("https://localhost:{port}"), None).who_am_i().await.unwrap_err();
        assert_eq!(problem(&error), Some(TlsProblem::Protocol), "{error:?}");
        assert_eq!(error.sent(), Sent::No);
        let hello = read.lock().unwrap().clone();
        assert!(!String::from_utf8_lossy(&hello).contains(CANARY));
    }
}

#[tokio::test]
async fn certificates_that_are_none() {
    let own = authority("own").pem;
    let damaged = own.replace("\nMII", "\nXXX");
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n", damaged.as_str()] {
        let settings = ClientSettings {
            origin: Origin::parse("https://localhost:1").unwrap().0,
            ca_certificate: Some(text.to_owned()),
            proxy: ProxyChoice::None,
        };
        let opened = PaletteClient::open(settings, Arc::new(SystemClock));
        assert_eq!(opened.err(), Some(ApiError::CertificateInvalid), "{text:?}");
    }
}
