//! What several tests need: certificates from the `openssl` command, a listener that is served.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use mimamori::config::Tls;
use mimamori::net::{Certificates, Limits, Listener, Stopper, server_config, stop_pair};
use tokio::task::JoinHandle;

/// A self-signed certificate for `name`, in files below `folder`.
pub fn certificate(folder: &Path, name: &str) -> Tls {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}")])
        // A server's own certificate, not an authority: strict clients tell them apart.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("the openssl command is needed by this test");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Tls { certificate, key }
}

/// A listener at work.
pub struct Served {
    pub address: SocketAddr,
    pub certificates: Option<Arc<Certificates>>,
    pub stopper: Stopper,
    pub done: JoinHandle<()>,
}

/// Serves a small router: `/` names the peer, `/slow` takes half a second, `/echo` gives back.
pub async fn serve(files: Option<&Tls>, limits: Limits) -> Served {
    let certificates = files.map(|files| Certificates::load(files).unwrap());
    let tls = certificates.clone().map(|certificates| server_config(certificates).unwrap());
    let listener = Listener::bind("staff", "127.0.0.1:0".parse().unwrap(), tls, limits).await.unwrap();
    let address = listener.address();
    let router = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                "slow but complete"
            }),
        )
        .route("/echo", post(|body: String| async move { body }));
    let (stopper, stop) = stop_pair();
    let done = tokio::spawn(listener.serve(router, stop));
    Served { address, certificates, stopper, done }
}

/// Runs `openssl s_client` against a listener, with nothing to say.
pub async fn s_client(address: SocketAddr, arguments: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &address.to_string(), "-servername", "localhost"])
        .args(arguments)
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}
