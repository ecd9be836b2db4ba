//! The TLS settings, tried with clients that are not ours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mimamori::net::{CIPHER_SUITES, Limits};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{certificate, s_client, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_gets_only_what_the_guideline_allows() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve(Some(&certificate(folder.path(), "localhost")), Limits::default()).await;

    // OpenSSL is told to allow anything, so that a refusal is the server's.
    let anything = "ALL:@SECLEVEL=0";
    let refused: &[&[&str]] = &[
        &["-tls1_1", "-cipher", anything],
        &["-tls1", "-cipher", anything],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES256-GCM-SHA384:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "NULL-SHA256:aNULL:@SECLEVEL=0"],
    ];
    for arguments in refused {
        let output = s_client(served.address, arguments).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && text.contains("Cipher is (NONE)"), "{arguments:?}: {text}");
        // The client must have spoken: a cipher this OpenSSL lacks would prove nothing.
        assert!(!text.contains("written 0 bytes") && text.contains("CONNECTED"), "{arguments:?}: {text}");
    }
    let allowed: &[(&[&str], &str)] = &[
        (&["-tls1_3"], "TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"),
        (&["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], "TLS_CHACHA20_POLY1305_SHA256"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"),
    ];
    for (arguments, wanted) in allowed {
        let output = s_client(served.address, arguments).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(wanted), "{arguments:?}: {text}");
    }
}

/// Proves: what comes over a network is answered encrypted, or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clause_kawaguchi_9_2_2_7_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "localhost");
    let served = serve(Some(&files), Limits::default()).await;
    assert!(ask(served.address, &files.certificate, "localhost").await.unwrap().contains("127.0.0.1"));
    let mut plain = TcpStream::connect(served.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The other side may close before everything was read.
    let _ended = plain.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("HTTP/") && !answer.contains("127.0.0.1"), "{answer}");
    let old = s_client(served.address, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).await;
    assert!(!old.status.success());
}

#[test]
fn a_certificate_tells_until_when_it_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "localhost");
    let expires = mimamori::net::Certificates::load(&files).unwrap().expires().unwrap();
    let now = mimamori_domain::Clock::now(&mimamori_domain::SystemClock::default());
    let left = (expires.as_micros() - now.as_micros()) / 1_000_000;
    assert!((2 * 86_400 - 60..=2 * 86_400).contains(&left), "{left}");
}

#[test]
fn every_suite_offered_is_ephemeral_and_authenticated() {
    for suite in CIPHER_SUITES {
        let name = format!("{:?}", suite.suite());
        assert!(name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"), "{name}");
        assert!(name.contains("_GCM_") || name.contains("CHACHA20_POLY1305"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_exchanged_while_running_and_a_bad_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "first.example");
    let served = serve(Some(&files), Limits::default()).await;
    let certificates = served.certificates.clone().unwrap();
    assert!(ask(served.address, &files.certificate, "first.example").await.unwrap().ends_with("127.0.0.1"));

    std::fs::write(&files.key, "not a key").unwrap();
    assert!(certificates.reload().is_err());
    assert!(ask(served.address, &files.certificate, "first.example").await.is_ok());

    certificate(folder.path(), "second.example");
    certificates.reload().unwrap();
    assert!(ask(served.address, &files.certificate, "second.example").await.is_ok());
    assert!(ask(served.address, &files.certificate, "first.example").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_shakes_hands_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let served = serve(Some(&certificate(folder.path(), "localhost")), limits).await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(begun.elapsed() >= limits.handshake && begun.elapsed() < limits.handshake * 10);
}

/// One request by a rustls client that trusts only the certificate in `file`.
async fn ask(address: std::net::SocketAddr, file: &std::path::Path, name: &str) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = connector.connect(name, TcpStream::connect(address).await?).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
