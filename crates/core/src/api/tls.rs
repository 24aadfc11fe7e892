//! Whom we trust: the system's authorities, the bundled ones, and the connection's own.
//!
//! The three are added to each other. Other Palette clients let a custom CA *replace* the system's,
//! which then breaks their SaaS profile (fact sheet §1 \[DOC\]). There is no "ignore certificate"
//! switch anywhere, and one TLS configuration serves one connection only, so that the CA of one is
//! never trusted for another (trust.md T5).

use super::error::{ApiError, TlsProblem};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore};
use rustls::{SignatureScheme, client::verify_server_name};
use std::sync::Arc;

/// Reads the certificates of a PEM text.
///
/// # Errors
/// [`ApiError::CertificateInvalid`] when there is none, or one of them is damaged.
pub(crate) fn read_pem(pem: &str) -> Result<Vec<CertificateDer<'static>>, ApiError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| ApiError::CertificateInvalid)?;
    if certificates.is_empty() {
        return Err(ApiError::CertificateInvalid);
    }
    Ok(certificates)
}

/// The TLS configuration of one connection: TLS 1.2 or later, on ring.
///
/// # Errors
/// [`ApiError::CertificateInvalid`] when `added` holds something that is not a certificate.
pub(crate) fn configuration(added: &[CertificateDer<'static>]) -> Result<ClientConfig, ApiError> {
    let mut roots = RootCertStore::empty();
    // A damaged certificate in the system's store must not stop the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    for certificate in added {
        roots.add(certificate.clone()).map_err(|_| ApiError::CertificateInvalid)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|_| ApiError::Internal("no certificate authorities"))?;
    let verifier = PinnedOrIssued { inner, pinned: added.to_vec() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| ApiError::Internal("no TLS version"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The ordinary verification, and one addition: the very certificate a person added may be the
/// server's own, even when it calls itself an authority.
///
/// Self-hosted Palette starts with a self-signed certificate (fact sheet §1 \[DOC\]), and the
/// common tools make those with `CA:TRUE`. webpki then answers `CaUsedAsEndEntity`, after it has
/// checked the dates and before it looks for an issuer. Byte-equality with what was added stands
/// for the issuer's signature; the dates, the name and the proof of the private key are still
/// checked, each by rustls' own code. Go's verifier does the same.
#[derive(Debug)]
struct PinnedOrIssued {
    inner: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for PinnedOrIssued {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            Err(error) if is_ca_as_end_entity(&error) && self.pinned.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn is_ca_as_end_entity(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    matches!(other.0.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// What a TLS error means for a person.
pub(crate) fn problem(error: &rustls::Error) -> TlsProblem {
    use CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            C::Expired | C::ExpiredContext { .. } => TlsProblem::Expired,
            C::NotValidYet | C::NotValidYetContext { .. } => TlsProblem::NotYetValid,
            C::NotValidForName | C::NotValidForNameContext { .. } => TlsProblem::WrongHost,
            C::UnknownIssuer => TlsProblem::UnknownAuthority,
            // A self-signed certificate that calls itself an authority and was not added.
            _ if is_ca_as_end_entity(error) => TlsProblem::UnknownAuthority,
            _ => TlsProblem::BadCertificate,
        },
        rustls::Error::NoCertificatesPresented => TlsProblem::BadCertificate,
        _ => TlsProblem::Protocol,
    }
}
