//! What the provider is asked, and what is believed of its answers.
//!
//! Of the ID token: the signature by one of the provider's published keys under an asymmetric algorithm,
//! `iss`, `aud`, `azp`, `exp`, `iat`, `nonce`, `auth_time` (OpenID Connect Core 1.0, section 3.1.3.7).
//! Metadata and keys are kept for an hour; a key that is not known is looked for again, at a bounded rate.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use mimamori_domain::{Error, Result, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGrantType, CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
    CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, HttpRequest, IssuerUrl, LanguageTag, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    TokenResponse as _,
};
use serde::{Deserialize, Serialize};

use super::sign_in::ProviderFailure;
use super::{PROVIDER_RETURN, Provider, ProviderSending, ProviderTransport, ProviderUnreachable, protected};

/// How long metadata and keys are kept: a key that the provider withdrew is believed no longer than this.
const KEPT: Duration = Duration::from_secs(3_600);
/// A provider that did not answer is not asked again sooner: those who wait do not wait one after the other.
const PAUSE: Duration = Duration::from_secs(5);
/// For a key that is not known the keys are read again at most this often.
const REFRESH: Duration = Duration::from_secs(60);
/// How far the provider's clock may be from ours.
const SKEW: Duration = Duration::from_secs(120);
/// A token that was made longer ago was not made for this sign-in.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Groups that are looked at, and the longest name of one.
const MOST_GROUPS: usize = 1_000;

/// Never `none`, and never a keyed hash: whoever checks it could have made it.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What the metadata says beyond Discovery 1.0.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Further {
    /// RP-Initiated Logout 1.0, section 2.1.
    #[serde(default)]
    end_session_endpoint: Option<String>,
    /// RFC 9207, section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Further {}

type Metadata = ProviderMetadata<
    Further,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is known of the provider.
#[derive(Default)]
pub(super) struct Known {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    failed: Option<Timestamp>,
    /// When the keys were last read again for one that was not known.
    refreshed: Option<Timestamp>,
}

/// What an authorization request carries and its answer must fit.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// How old the provider's own sign-in may be, in seconds; none: as old as it likes.
    pub(super) most_age: Option<u64>,
}

/// What a verified ID token says.
pub(super) struct Vouched {
    pub(super) subject: String,
    pub(super) groups: Vec<String>,
    /// How they showed it (`amr`, RFC 8176), and how well (`acr`).
    pub(super) methods: Vec<String>,
    pub(super) class: Option<String>,
    /// When they showed it, if the provider says so, UTC.
    pub(super) shown: Option<Timestamp>,
}

/// The claims that are read after the signature was verified.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    #[serde(default)]
    acr: Option<String>,
    #[serde(default)]
    auth_time: Option<f64>,
    #[serde(flatten)]
    all: serde_json::Map<String, serde_json::Value>,
}

struct Http(Arc<dyn ProviderTransport>);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = ProviderUnreachable;
    type Future = ProviderSending<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.0.send(request)
    }
}

fn moment(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.as_micros()).unwrap_or_default()
}

fn seconds(at: DateTime<Utc>) -> i64 {
    at.timestamp()
}

impl Provider {
    /// The address that somebody is sent to.
    pub(super) async fn address(
        &self,
        asked: &Asked,
        language: &str,
        anew: bool,
        now: Timestamp,
    ) -> std::result::Result<String, ProviderFailure> {
        let metadata = self.metadata(now).await.map_err(unreachable)?;
        let client = CoreClient::from_provider_metadata((*metadata).clone(), self.client_id(), None);
        let (state, nonce) = (asked.state.clone(), asked.nonce.clone());
        let redirect = self.redirect()?;
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .add_ui_locale(LanguageTag::new(language.to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
                asked.verifier.clone(),
            )));
        if let Some(age) = asked.most_age {
            request = request.set_max_age(Duration::from_secs(age));
        }
        if anew {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        let (url, _, _) = request.url();
        if protected(url.as_str()) {
            Ok(url.into())
        } else {
            Err(unreachable("its sign-in page is reached in clear"))
        }
    }

    /// Changes a code for an ID token and says what that says, once it is believed.
    pub(super) async fn redeem(
        &self,
        asked: &Asked,
        code: &str,
        issuer: Option<&str>,
        now: Timestamp,
    ) -> std::result::Result<Vouched, ProviderFailure> {
        let metadata = self.metadata(now).await.map_err(unreachable)?;
        // An answer of another provider, mixed in (RFC 9207, section 2.4).
        let names =
            metadata.additional_metadata().authorization_response_iss_parameter_supported == Some(true);
        match issuer {
            Some(issuer) if issuer != self.settings.issuer => {
                return Err(unproven("the answer is another issuer's"));
            }
            None if names => return Err(unproven("the answer does not say whose it is")),
            _ => {}
        }
        let token = self.exchange(&metadata, asked, code).await?;
        let nonce = Nonce::new(asked.nonce.clone());
        match self.verify(&metadata, &token, &nonce, asked.most_age, now) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let metadata = self.refreshed(now).await?;
                self.verify(&metadata, &token, &nonce, asked.most_age, now)
            }
            verified => verified,
        }
        .map_err(|error| unproven(kind_of(&error)))?;
        self.read(&token)
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        asked: &Asked,
        code: &str,
    ) -> std::result::Result<CoreIdToken, ProviderFailure> {
        let secret = self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.to_string()));
        let public = secret.is_none();
        let methods = metadata.token_endpoint_auth_methods_supported();
        // Basic is the default (Discovery 1.0, section 3).
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let in_body = public || !basic;
        let auth = if in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        if !metadata.token_endpoint().is_some_and(|url| protected(url.as_str())) {
            return Err(unreachable("its token endpoint is missing, or reached in clear"));
        }
        let client = CoreClient::from_provider_metadata(metadata.clone(), self.client_id(), secret)
            .set_auth_type(auth)
            .set_redirect_uri(self.redirect()?);
        let http = Http(Arc::clone(&self.transport));
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| unreachable("it has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(asked.verifier.clone()));
        let answered = request.request_async(&http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => {
                tracing::warn!(error = %said.error(), "the identity provider refused a code");
                ProviderFailure::Unproven
            }
            RequestTokenError::Request(error) => unreachable(error),
            // What came may hold a token: it is not told.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                unreachable("its answer is not understood")
            }
        })?;
        answered.id_token().cloned().ok_or_else(|| unproven("there is no ID token"))
    }

    fn verify(
        &self,
        metadata: &Metadata,
        token: &CoreIdToken,
        nonce: &Nonce,
        most_age: Option<u64>,
        now: Timestamp,
    ) -> std::result::Result<(), ClaimsVerificationError> {
        let skew = i64::try_from(SKEW.as_secs()).unwrap_or(0);
        let fresh = i64::try_from(FRESH.as_secs()).unwrap_or(0);
        let here = moment(now);
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|error| ClaimsVerificationError::InvalidIssuer(error.to_string()))?;
        let verifier =
            CoreIdTokenVerifier::new_public_client(self.client_id(), issuer, metadata.jwks().clone())
                .set_allowed_algs(ALGORITHMS)
                .set_time_fn(move || here)
                .set_issue_time_verifier_fn(move |made| {
                    let age = seconds(here) - seconds(made);
                    if (-skew..=fresh).contains(&age) { Ok(()) } else { Err("not made now".to_owned()) }
                })
                .set_auth_time_verifier_fn(move |shown| match (most_age, shown) {
                    (None, _) => Ok(()),
                    (Some(_), None) => Err("auth_time is missing".to_owned()),
                    (Some(most), Some(shown)) => {
                        let age = seconds(here) - seconds(shown);
                        let most = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(skew);
                        if (-skew..=most).contains(&age) {
                            Ok(())
                        } else {
                            Err("shown too long ago".to_owned())
                        }
                    }
                });
        token.claims(&verifier, nonce).map(drop)
    }

    /// What a token that is believed says.
    fn read(&self, token: &CoreIdToken) -> std::result::Result<Vouched, ProviderFailure> {
        let text = token.to_string();
        let payload = text.split('.').nth(1).unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| unproven("the token is unreadable"))?;
        let claims: Claims =
            serde_json::from_slice(&bytes).map_err(|_| unproven("the claims are unreadable"))?;
        // Section 3.1.3.7, steps 4 and 5.
        if claims.azp.as_ref().is_some_and(|party| *party != self.settings.client_id) {
            return Err(unproven("the token was made for another party"));
        }
        let text_of = |name: &str| claims.all.get(name).and_then(serde_json::Value::as_str);
        let name = self.settings.subject_claim.as_str();
        // A mail address is somebody's only if the provider made sure.
        let verified = claims.all.get("email_verified").and_then(serde_json::Value::as_bool);
        if name == "email" && verified != Some(true) {
            return Err(unproven("the mail address is not verified"));
        }
        let subject = text_of(name)
            .filter(|subject| !subject.is_empty() && subject.len() <= super::PROVIDER_SUBJECT_LENGTH);
        let subject =
            subject.ok_or_else(|| unproven("the claim that names the person is missing"))?.to_owned();
        let groups = match claims.all.get(&self.settings.groups_claim) {
            Some(serde_json::Value::Array(list)) => list
                .iter()
                .filter_map(|group| group.as_str().map(ToOwned::to_owned))
                .take(MOST_GROUPS)
                .collect(),
            Some(serde_json::Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        // It may have a fraction.
        let shown = claims
            .auth_time
            .map(|seconds| Timestamp::from_micros((seconds as i64).saturating_mul(1_000_000)));
        Ok(Vouched { subject, groups, methods: claims.amr, class: claims.acr, shown })
    }

    fn client_id(&self) -> ClientId {
        ClientId::new(self.settings.client_id.clone())
    }

    fn redirect(&self) -> std::result::Result<RedirectUrl, ProviderFailure> {
        let address = format!("{}{PROVIDER_RETURN}", self.settings.address);
        RedirectUrl::new(address).map_err(|error| ProviderFailure::Other(Error::internal(error)))
    }

    /// Metadata and keys, at most an hour old.
    async fn metadata(&self, now: Timestamp) -> std::result::Result<Arc<Metadata>, String> {
        let mut known = self.known.lock().await;
        if let Some((metadata, _)) = known.metadata.as_ref().filter(|(_, read)| now.since(*read) < KEPT) {
            return Ok(Arc::clone(metadata));
        }
        if known.failed.is_some_and(|failed| now.since(failed) < PAUSE) {
            return Err("it did not answer a moment ago".to_owned());
        }
        self.fetch(&mut known, now).await
    }

    /// The keys, read again because one is not known.
    async fn refreshed(&self, now: Timestamp) -> std::result::Result<Arc<Metadata>, ProviderFailure> {
        let mut known = self.known.lock().await;
        if known.refreshed.is_some_and(|at| now.since(at) < REFRESH) {
            return known
                .metadata
                .as_ref()
                .map(|(metadata, _)| Arc::clone(metadata))
                .ok_or_else(|| unreachable("no keys"));
        }
        known.refreshed = Some(now);
        self.fetch(&mut known, now).await.map_err(unreachable)
    }

    async fn fetch(&self, known: &mut Known, now: Timestamp) -> std::result::Result<Arc<Metadata>, String> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(|error| error.to_string())?;
        let http = Http(Arc::clone(&self.transport));
        let found = Metadata::discover_async(issuer, &http).await.map_err(|error| match error {
            openidconnect::DiscoveryError::Request(error) => error.0,
            openidconnect::DiscoveryError::Response(status, ..) => format!("it answers {status}"),
            openidconnect::DiscoveryError::Validation(said) => said,
            openidconnect::DiscoveryError::Parse(error) => {
                format!("its metadata is not understood at {}", error.path())
            }
            other => other.to_string(),
        });
        match found {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((Arc::clone(&metadata), now));
                known.failed = None;
                Ok(metadata)
            }
            Err(error) => {
                known.failed = Some(now);
                Err(error)
            }
        }
    }

    /// Asks anew what the provider offers; gives how many keys it has.
    pub(super) async fn probe(&self, now: Timestamp) -> Result<usize> {
        let mut known = self.known.lock().await;
        let metadata = self.fetch(&mut known, now).await.map_err(Error::unavailable)?;
        let keys = metadata.jwks().keys().len();
        if keys == 0 {
            return Err(Error::unavailable("it publishes no key that this program knows how to use"));
        }
        let offered = metadata.id_token_signing_alg_values_supported();
        if !offered.iter().any(|offered| ALGORITHMS.contains(offered)) {
            return Err(Error::unavailable(
                "it signs ID tokens by no algorithm that is accepted (RS256, PS256, ES256 ...)",
            ));
        }
        Ok(keys)
    }

    /// Where somebody signs out there too.
    pub(super) async fn end_session(&self, now: Timestamp) -> Option<String> {
        let metadata = self.metadata(now).await.ok()?;
        let page = metadata.additional_metadata().end_session_endpoint.clone()?;
        let mut url = url::Url::parse(&page).ok().filter(|url| protected(url.as_str()))?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &format!("{}/sign-in", self.settings.address));
        Some(url.into())
    }
}

/// For the operator's log: what is wrong, nothing of whom.
fn unreachable(why: impl std::fmt::Display) -> ProviderFailure {
    tracing::warn!(%why, "the identity provider could not be asked");
    ProviderFailure::Unreachable
}

fn unproven(why: &'static str) -> ProviderFailure {
    tracing::warn!(why, "what the identity provider answered is not believed");
    ProviderFailure::Unproven
}

/// What is wrong with a token, without its content.
fn kind_of(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "the token is expired, or was not made now",
        ClaimsVerificationError::InvalidAudience(_) => "the token was made for another audience",
        ClaimsVerificationError::InvalidIssuer(_) => "the token is another issuer's",
        ClaimsVerificationError::InvalidNonce(_) => "the token belongs to another sign-in",
        ClaimsVerificationError::InvalidAuthTime(_) => "they showed who they are too long ago",
        ClaimsVerificationError::SignatureVerification(_) => "the signature is not right",
        _ => "the token breaks a rule",
    }
}
