//! TLS settings: only what CRYPTREC's TLS guideline calls the high-security type, and certificates that
//! can be exchanged while running.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use mimamori_domain::Timestamp;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};

use crate::config::{ClientCertificates, Tls};
use crate::exit::{Exit, Failure, Result};

/// The cipher suites offered, best first: ephemeral keys and authenticated encryption only.
pub const CIPHER_SUITES: &[SupportedCipherSuite] = &[
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// The key agreements offered; the first also withstands a quantum computer.
const KEY_AGREEMENTS: &[&dyn SupportedKxGroup] =
    &[kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// The settings of a TLS listener: versions 1.2 (RFC 5246, with extended master secret) and 1.3
/// (RFC 8446).
///
/// # Errors
/// [`Exit::Internal`] when the cryptographic library does not know what we ask for.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>> {
    configured(certificates, WebPkiClientVerifier::no_client_auth())
}

/// The same for a listener that asks for client certificates of the authorities whose certificates (DER) are
/// given. Which of them are in use is not asked here but at every request.
///
/// # Errors
/// As [`server_config`].
pub fn terminal_config(
    certificates: Arc<Certificates>,
    authorities: &[Vec<u8>],
    insist: ClientCertificates,
) -> Result<Arc<ServerConfig>> {
    let internal = |error: &dyn Display| Failure::new(Exit::Internal, format!("TLS settings: {error}"));
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from(authority.clone())).map_err(|error| internal(&error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = match insist {
        ClientCertificates::Required => verifier,
        ClientCertificates::Asked => verifier.allow_unauthenticated(),
    };
    configured(certificates, verifier.build().map_err(|error| internal(&error))?)
}

fn configured(
    certificates: Arc<Certificates>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>> {
    let internal = |error: rustls::Error| Failure::new(Exit::Internal, format!("TLS settings: {error}"));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(internal)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.require_ems = true;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        kx_groups: KEY_AGREEMENTS.to_vec(),
        ..aws_lc_rs::default_provider()
    })
}

/// The certificate in use. [`Certificates::reload`] exchanges it for connections to come.
#[derive(Debug)]
pub struct Certificates {
    files: Tls,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when a file cannot be read; [`Exit::Configuration`] when they are no
    /// usable pair.
    pub fn load(files: &Tls) -> Result<Arc<Self>> {
        let current = RwLock::new(Arc::new(read_pair(files)?));
        Ok(Arc::new(Self { files: files.clone(), current }))
    }

    /// Until when the certificate in use is valid; `None` when that cannot be read.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        super::expiry::not_after(current.cert.first()?)
    }

    /// Reads the files again. When they are of no use the present certificate stays.
    ///
    /// # Errors
    /// As [`Certificates::load`].
    pub fn reload(&self) -> Result<()> {
        let fresh = Arc::new(read_pair(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read_pair(files: &Tls) -> Result<CertifiedKey> {
    let read = |path: &Path| fs::read(path).map_err(|error| Failure::io(Exit::Unavailable, path, &error));
    let unusable = |path: &Path, what: &str| {
        Failure::new(Exit::Configuration, format!("{}: {what}", path.display()))
            .next("tls.certificate wants a PEM certificate chain, tls.key its unencrypted PEM private key.")
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable(&files.certificate, "not PEM"))?;
    if chain.is_empty() {
        return Err(unusable(&files.certificate, "holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|_| unusable(&files.key, "holds no private key"))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| unusable(&files.certificate, &format!("certificate and key are no pair: {error}")))
}
