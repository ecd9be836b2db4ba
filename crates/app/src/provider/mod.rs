//! Single sign-on: people show who they are to the organisation's own identity provider (OpenID Connect
//! Core 1.0, authorization code flow with PKCE).
//!
//! What the provider says is who somebody is, and nothing else: which account that is was linked
//! beforehand, and everything that holds for the account holds here too. `docs/decisions/0013` says why.

mod client;
mod groups;
mod link;
mod sign_in;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mimamori_domain::{Error, Result};
pub use openidconnect::{HttpRequest as ProviderRequest, HttpResponse as ProviderResponse};
use zeroize::Zeroizing;

pub use self::link::{LinkView, PROVIDER_SUBJECT_LENGTH};
pub use self::sign_in::{ProviderAnswer, ProviderEnd, ProviderFailure, ProviderStart};
use crate::App;

/// The provider could not be asked: not reached, too slow, too much, or no answer at all. For the
/// operator: addresses and the kind of failure, nothing of what was sent.
#[derive(Debug)]
pub struct ProviderUnreachable(pub String);

impl std::fmt::Display for ProviderUnreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProviderUnreachable {}

/// The answer to come.
pub type ProviderSending<'a> =
    Pin<Box<dyn Future<Output = std::result::Result<ProviderResponse, ProviderUnreachable>> + Send + 'a>>;

/// Sends one request to the provider. Whoever implements it bounds time and size, follows no redirect, and
/// speaks plain HTTP to this machine only.
pub trait ProviderTransport: Send + Sync {
    fn send(&self, request: ProviderRequest) -> ProviderSending<'_>;
}

/// What the program must know about the provider.
#[derive(Clone)]
pub struct ProviderSettings {
    /// The issuer, exactly as it stands in its tokens.
    pub issuer: String,
    pub client_id: String,
    /// None for a public client, which PKCE alone protects.
    pub client_secret: Option<Zeroizing<String>>,
    /// Asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that names the person; `sub` unless the provider's subjects are of no use.
    pub subject_claim: String,
    /// The claim that lists their groups.
    pub groups_claim: String,
    /// What people call it: for the button.
    pub name_ja: String,
    pub name_en: String,
    /// Where people open the pages, without a trailing `/`.
    pub address: String,
}

/// Secret and names stay out of debug output.
impl std::fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderSettings").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Where the provider leads people back to, below the pages' address.
pub const PROVIDER_RETURN: &str = "/sign-in/provider/return";

/// The provider as this program knows it.
pub(crate) struct Provider {
    pub(crate) settings: ProviderSettings,
    transport: Arc<dyn ProviderTransport>,
    known: tokio::sync::Mutex<client::Known>,
}

impl App {
    /// Lets people sign in by an identity provider from now on. Nothing is asked of it yet: the program
    /// starts although its provider is down.
    ///
    /// # Errors
    /// Invalid for an issuer or address that is no URL, or that is reached in clear beyond this machine;
    /// conflict when there is one already.
    pub fn serve_provider(
        &self,
        settings: ProviderSettings,
        transport: Arc<dyn ProviderTransport>,
    ) -> Result<()> {
        for address in [&settings.issuer, &settings.address] {
            if !protected(address) {
                return Err(Error::invalid(
                    "the address must begin with https:// (http:// on this machine only)",
                ));
            }
        }
        let provider = Provider { settings, transport, known: tokio::sync::Mutex::default() };
        self.provider.set(Arc::new(provider)).map_err(|_| Error::conflict("there is a provider already"))
    }

    /// What the provider is called, Japanese and English; none where nobody signs in by one.
    #[must_use]
    pub fn provider_names(&self) -> Option<(&str, &str)> {
        let provider = self.provider.get()?;
        Some((&provider.settings.name_ja, &provider.settings.name_en))
    }

    /// The provider's issuer; none where nobody signs in by one.
    #[must_use]
    pub fn provider_issuer(&self) -> Option<&str> {
        self.provider.get().map(|provider| provider.settings.issuer.as_str())
    }

    pub(crate) fn needed_provider(&self) -> Result<Arc<Provider>> {
        let none = || Error::conflict("no identity provider is set up here");
        self.provider.get().cloned().ok_or_else(none)
    }

    /// Asks the provider what it offers, for `mimamori doctor`. Gives how many keys it signs with.
    ///
    /// # Errors
    /// Unavailable, with what is wrong for the operator.
    pub async fn probe_provider(&self) -> Result<usize> {
        self.needed_provider()?.probe(self.clock.now()).await
    }

    /// Where somebody signs out at the provider too (OpenID Connect RP-Initiated Logout 1.0, section 2);
    /// none when it offers no such page, or cannot be asked.
    pub async fn provider_sign_out(&self) -> Option<String> {
        let provider = self.provider.get()?;
        provider.end_session(self.clock.now()).await
    }
}

/// Whether what goes to an address is encrypted, or does not leave this machine.
pub fn protected(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else { return false };
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    url.username().is_empty()
        && url.password().is_none()
        && (url.scheme() == "https" || url.scheme() == "http" && here)
}

#[cfg(test)]
mod tests {
    use super::protected;

    #[test]
    fn only_this_machine_is_spoken_to_in_clear() {
        for good in
            ["https://idp.example.jp/realm", "http://127.0.0.1:8080", "http://[::1]/x", "http://localhost"]
        {
            assert!(protected(good), "{good}");
        }
        for bad in [
            "http://idp.example.jp",
            "ftp://127.0.0.1",
            "https://user:word@idp.example.jp",
            "http://127.0.0.1.example.jp",
            "idp",
            "",
        ] {
            assert!(!protected(bad), "{bad}");
        }
    }
}
