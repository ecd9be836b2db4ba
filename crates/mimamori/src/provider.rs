//! The connection to the organisation's identity provider: HTTP over TLS, bounded in time and size, no
//! redirect followed, in clear to this machine only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::http;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mimamori_app::{
    App, ProviderRequest, ProviderResponse, ProviderSending, ProviderSettings, ProviderTransport,
    ProviderUnreachable, provider_protected,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::config::{Config, SignIn};
use crate::exit::{Exit, Failure, Result};
use crate::home;

/// Longest time for one request: three of them, and a page has to wait no longer than people do.
const LONGEST: Duration = Duration::from_secs(5);
/// The largest answer: metadata, keys or tokens, which have a few kilobytes.
const LARGEST: usize = 256 * 1024;
/// So many connections are kept open for the next request.
const IDLE: usize = 4;

/// Lets people sign in by the provider that the settings name, if they name one. `port` is the pages' own.
///
/// # Errors
/// [`Exit::Configuration`] for settings and files that cannot be used, with what to do.
pub fn serve(app: &App, config: &Config, port: u16) -> Result<()> {
    let Some(sign_in) = &config.sign_in else { return Ok(()) };
    let here = config.tls.is_none().then(|| format!("http://localhost:{port}"));
    let address = config.address.clone().or(here).ok_or_else(|| {
        wrong("sign-in.issuer is set, but address is not".to_owned())
            .next("The provider leads people back to address: set it to how people open the pages.")
    })?;
    let client_secret = sign_in.client_secret.as_deref().map(read).transpose()?.map(Into::into);
    let settings = ProviderSettings {
        issuer: sign_in.issuer.clone(),
        client_id: sign_in.client_id.clone(),
        client_secret,
        scopes: sign_in.scopes.clone(),
        subject_claim: sign_in.subject_claim.clone(),
        groups_claim: sign_in.groups_claim.clone(),
        name_ja: sign_in.name_ja.clone(),
        name_en: sign_in.name_en.clone(),
        address: address.trim_end_matches('/').to_owned(),
    };
    app.serve_provider(settings, Arc::new(Https::new(sign_in)?))
        .map_err(|error| wrong(format!("sign-in.issuer: {}", error.message())))
}

/// Asks the provider.
struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Https {
    fn new(sign_in: &SignIn) -> Result<Self> {
        let backend = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(backend)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(format!("TLS cannot be used: {error}")))?;
        let tls = match &sign_in.authority {
            Some(file) => {
                let unreadable =
                    || wrong(format!("sign-in.authority: {} holds no certificate (PEM)", file.display()));
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
                    roots.add(certificate.map_err(|_| unreadable())?).map_err(|_| unreadable())?;
                }
                if roots.is_empty() {
                    return Err(unreadable());
                }
                versions.with_root_certificates(roots)
            }
            // A machine without any authority still asks a provider of its own in clear.
            None => match versions.clone().with_native_roots() {
                Ok(versions) => versions,
                Err(error) => {
                    tracing::warn!(%error, "this machine trusts no certificate authority");
                    versions.with_root_certificates(RootCertStore::empty())
                }
            },
        }
        .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE).build(connector);
        Ok(Self { client })
    }

    async fn ask(
        &self,
        request: ProviderRequest,
    ) -> std::result::Result<ProviderResponse, ProviderUnreachable> {
        let place = request.uri().host().unwrap_or_default().to_owned();
        let unreachable = |why: String| ProviderUnreachable(format!("{place}: {why}"));
        if !provider_protected(&request.uri().to_string()) {
            return Err(unreachable("would be asked in clear".to_owned()));
        }
        let asked = async {
            let response = self.client.request(request.map(|body| Full::new(Bytes::from(body)))).await;
            let (parts, body) = response.map_err(|error| unreachable(whole(&error)))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|_| unreachable("the answer is too long, or broke off".to_owned()))?;
            Ok(http::Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        let ended = tokio::time::timeout(LONGEST, asked).await;
        ended.unwrap_or_else(|_| Err(unreachable(format!("no answer within {} seconds", LONGEST.as_secs()))))
    }
}

impl ProviderTransport for Https {
    fn send(&self, request: ProviderRequest) -> ProviderSending<'_> {
        Box::pin(self.ask(request))
    }
}

/// An error with what led to it: which of connecting, name and certificate it was.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// The client's secret.
fn read(file: &std::path::Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Failure::io(Exit::Configuration, file, &error)
            .next("sign-in.client-secret-file holds the client's secret, and nothing else.")
    };
    if let Some(problem) = home::permission_problem(file).map_err(unreadable)? {
        return Err(wrong(format!("sign-in.client-secret-file: {}: {problem}", file.display()))
            .next(format!("chmod 600 {0}, and make it belong to the account that serves", file.display())));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Configuration, message)
}
