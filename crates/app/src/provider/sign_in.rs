//! Signing in by the provider: what is begun, and what becomes of the provider's answer.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, Outcome, Result, Timestamp};
use mimamori_store::{CommitError, Unit};
use mimamori_vault::{constant_time_eq, random_token};
use serde::{Deserialize, Serialize};

use super::client::{Asked, Vouched};
use crate::access::Settled;
use crate::accounts::AccountSort;
use crate::body::AccountKind;
use crate::caller::{ActorContext, Caller};
use crate::credentials::{Begun, Counted, SecondHalf, Try};
use crate::sessions::Shown;
use crate::sign_in::SignedIn;
use crate::{App, Origin, sql};

/// Longest address to come back to that is kept; longer ones lead to the first page.
const LONGEST_RETURN: usize = 500;

/// A sign-in that was begun.
pub struct ProviderStart {
    /// Where the browser is sent.
    pub address: String,
    /// What the browser keeps meanwhile and nobody else has: without it the answer is worth nothing.
    pub token: String,
}

/// The token and what the address carries stay out of debug output.
impl std::fmt::Debug for ProviderStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProviderStart")
    }
}

/// What the browser brings back (OpenID Connect Core 1.0, section 3.1.2.5; RFC 9207).
#[derive(Clone, Default)]
pub struct ProviderAnswer {
    pub state: String,
    pub code: Option<String>,
    pub issuer: Option<String>,
    /// The provider's word for what went wrong, such as `access_denied`.
    pub error: Option<String>,
}

impl std::fmt::Debug for ProviderAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProviderAnswer")
    }
}

/// How the provider's answer ended.
#[derive(Debug)]
pub enum ProviderEnd {
    /// Signed in, or waiting for the program's own second factor; and where the person was going.
    SignedIn(SignedIn, String),
    /// Somebody who is signed in asked to have it linked, or to show again who they are: their own session
    /// finishes that with this secret, which names nobody.
    Confirm { linking: bool, token: String, to: String },
}

/// Why signing in by the provider ended without a session.
pub enum ProviderFailure {
    /// Begun in another browser, too long ago, or finished already.
    Late,
    /// The provider does not answer, or not as the standards say.
    Unreachable,
    /// The person or the provider broke off.
    Declined,
    /// What it answered is not believed.
    Unproven,
    /// The provider's person is linked to no account: as whom it knows them, for them to tell.
    Unlinked(String),
    /// The account cannot be used now, or not in this way.
    Closed,
    /// They are in none of the groups that the rules ask for.
    Group,
    Other(Error),
}

impl ProviderFailure {
    /// Its word, for texts and the ledger.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Unreachable => "unreachable",
            Self::Declined => "declined",
            Self::Unproven => "unproven",
            Self::Unlinked(_) => "unlinked",
            Self::Closed => "closed",
            Self::Group => "group",
            Self::Other(_) => "other",
        }
    }
}

/// Whom the provider knows stays out of debug output.
impl std::fmt::Debug for ProviderFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(error) => f.debug_tuple("Other").field(error).finish(),
            other => f.write_str(other.word()),
        }
    }
}

impl From<Error> for ProviderFailure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

type Answered<T> = std::result::Result<T, ProviderFailure>;

/// What it was begun for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Wanted {
    SignIn,
    /// Somebody signed in wants it linked to their account.
    Link,
    /// Somebody signed in shows again who they are.
    Again,
}

/// What the browser keeps, sealed.
#[derive(Serialize, Deserialize)]
struct Waiting {
    wanted: Wanted,
    asked: Asked,
    to: String,
}

/// What the provider said about somebody signed in, sealed for their session to finish.
#[derive(Serialize, Deserialize)]
pub(super) struct Confirmed {
    pub(super) wanted: Wanted,
    pub(super) subject: String,
    /// When they showed it at the provider, microseconds UTC.
    pub(super) shown: Option<i64>,
    /// It counts for two factors.
    pub(super) two: bool,
}

impl App {
    /// Begins to sign somebody in by the provider. Nothing is kept of it here: it goes along, sealed, so that
    /// nobody fills the database by asking.
    ///
    /// # Errors
    /// [`ProviderFailure::Unreachable`] while the provider does not answer; conflict where there is none.
    pub async fn begin_provider_sign_in(&self, to: &str, language: &str) -> Answered<ProviderStart> {
        self.begin_provider(Wanted::SignIn, ActorId::from_bytes([0; 16]), to, language).await
    }

    /// Begins to link the caller's own account to whom the provider knows them as.
    ///
    /// # Errors
    /// As [`App::begin_provider_sign_in`]; forbidden until the caller has lately shown who they are.
    pub async fn begin_own_link(&self, caller: &Caller, language: &str) -> Answered<ProviderStart> {
        let (context, _) = caller.person()?;
        self.lately(caller)?;
        self.linkable(&context)?;
        self.begin_provider(Wanted::Link, caller.actor, "/account", language).await
    }

    /// Begins to show again, at the provider, who the caller is.
    ///
    /// # Errors
    /// As [`App::begin_provider_sign_in`]; conflict for an account that is not linked.
    pub async fn begin_provider_again(
        &self,
        caller: &Caller,
        to: &str,
        language: &str,
    ) -> Answered<ProviderStart> {
        let (context, _) = caller.person()?;
        if context.account.credential.provider.is_none() {
            return Err(Error::conflict("this account is not linked to the identity provider").into());
        }
        self.begin_provider(Wanted::Again, caller.actor, to, language).await
    }

    async fn begin_provider(
        &self,
        wanted: Wanted,
        actor: ActorId,
        to: &str,
        language: &str,
    ) -> Answered<ProviderStart> {
        let provider = self.needed_provider()?;
        let secret = || random_token().map(hex::encode).map_err(Error::unavailable);
        let anew = wanted == Wanted::Again;
        let minutes = self.pack.parameter_u64("single-sign-on.most-age-minutes")?;
        let most_age = if anew { Some(0) } else { Some(60 * minutes).filter(|seconds| *seconds > 0) };
        let asked = Asked { state: secret()?, nonce: secret()?, verifier: secret()?, most_age };
        let address = provider.address(&asked, language, anew, self.clock.now()).await?;
        let to = if to.len() > LONGEST_RETURN { "/" } else { to }.to_owned();
        let token = self.seal_begun(Begun::Provider, actor, Waiting { wanted, asked, to })?;
        Ok(ProviderStart { address, token })
    }

    /// Takes the provider's answer: good once, in the browser in which it was begun, in time.
    ///
    /// # Errors
    /// [`ProviderFailure`]; every one is counted or recorded.
    pub async fn finish_provider(
        &self,
        token: &str,
        answer: &ProviderAnswer,
        origin: &Origin,
    ) -> Answered<ProviderEnd> {
        let ended = self.provider_answered(token, answer, origin).await;
        if let Err(failure) = &ended {
            self.count_provider_failure(failure, origin);
        }
        ended
    }

    async fn provider_answered(
        &self,
        token: &str,
        answer: &ProviderAnswer,
        origin: &Origin,
    ) -> Answered<ProviderEnd> {
        let provider = self.needed_provider()?;
        let begun =
            self.unseal_begun::<Waiting>(Begun::Provider, token).map_err(|_| ProviderFailure::Late)?;
        let Waiting { wanted, asked, to } = begun.body;
        if !constant_time_eq(asked.state.as_bytes(), answer.state.as_bytes()) {
            return Err(ProviderFailure::Late);
        }
        // Before anything is asked with it: what was tried once is not tried again.
        self.store.upkeep(vec![begun.taking]).await.map_err(|error| match error {
            CommitError::UniqueViolation { .. } | CommitError::Conflict { .. } => ProviderFailure::Late,
            other => ProviderFailure::Other(crate::access::commit_error(other)),
        })?;
        let Some(code) = answer.code.as_deref().filter(|_| answer.error.is_none()) else {
            return Err(ProviderFailure::Declined);
        };
        let now = self.clock.now();
        let vouched = provider.redeem(&asked, code, answer.issuer.as_deref(), now).await?;
        match wanted {
            Wanted::SignIn => {
                let signed = self.sign_in_vouched(&vouched, origin, now).await?;
                Ok(ProviderEnd::SignedIn(signed, to))
            }
            Wanted::Link | Wanted::Again => {
                let shown = vouched.shown.map(Timestamp::as_micros);
                let two = self.vouches_for_two(&vouched)?;
                let body = Confirmed { wanted, subject: vouched.subject, shown, two };
                let token = self.seal_begun(Begun::Vouched, begun.actor, body)?;
                Ok(ProviderEnd::Confirm { linking: wanted == Wanted::Link, token, to })
            }
        }
    }

    /// Signs in whom the provider vouched for. All that holds for the account holds here as well.
    async fn sign_in_vouched(
        &self,
        vouched: &Vouched,
        origin: &Origin,
        now: Timestamp,
    ) -> Answered<SignedIn> {
        let Some(context) = self.linked_to(&vouched.subject).await? else {
            self.record_provider_refusal(None, &vouched.subject, "unlinked", origin).await?;
            return Err(ProviderFailure::Unlinked(vouched.subject.clone()));
        };
        let refuse = async |failure: ProviderFailure| -> ProviderFailure {
            let recorded = self
                .record_provider_refusal(Some(context.actor), &vouched.subject, failure.word(), origin)
                .await;
            recorded.map_or_else(ProviderFailure::Other, |()| failure)
        };
        if !self.by_provider(&context) {
            return Err(refuse(ProviderFailure::Closed).await);
        }
        let last = self.store.query_one(&sql::LAST_SESSION, vec![context.actor.into()]).await;
        let last = last.map_err(Error::from)?;
        let last = last.map(|row| row.time(0)).transpose().map_err(Error::unavailable)?;
        if self.unused_too_long(&context.account.credential, last, now)? {
            return Err(refuse(ProviderFailure::Closed).await);
        }
        if !self.in_required_group(&vouched.groups) {
            return Err(refuse(ProviderFailure::Group).await);
        }
        // A name that is locked after failed tries is locked here as well.
        let (tried, attempts) = self.begin_try(&context.account.login, origin).await?;
        let ended = self.let_in(context.actor, vouched, last, (&tried, &attempts), origin).await;
        // What fails from here on was no guess, and a second half is counted for itself.
        if ended.as_ref().map_or(true, |signed| signed.second) {
            self.take_back(&tried, &attempts).await?;
        }
        match ended {
            Err(failure @ ProviderFailure::Closed) => Err(refuse(failure).await),
            ended => ended,
        }
    }

    /// Gives them the roles of their groups and a session, or the second half of signing in.
    async fn let_in(
        &self,
        actor: ActorId,
        vouched: &Vouched,
        last: Option<Timestamp>,
        (tried, attempts): (&Try, &Counted),
        origin: &Origin,
    ) -> Answered<SignedIn> {
        self.hold_groups(actor, &vouched.groups, origin).await?;
        // What groups changed was changed a moment ago: the session begins after it.
        let now = self.clock.now();
        let context = self.actor_context_now(actor).await?;
        if !self.by_provider(&context) {
            return Err(ProviderFailure::Closed);
        }
        let vouches = self.vouches_for_two(vouched)?;
        if !vouches && context.account.credential.factors.asked() {
            let half = SecondHalf { version: context.version, provider: true };
            let token = self.begin(Begun::SignIn, actor, half).await?;
            return Ok(SignedIn::half(token));
        }
        let shown = if vouches { Shown::ProviderVouched } else { Shown::Provider };
        let mut unit = Unit::new();
        let counted = (tried, attempts);
        let opened = self.open_counted(&mut unit, Arc::clone(&context), shown, origin, now, counted).await?;
        let stated = self.stated_shown(shown);
        Ok(self.signed_in(unit, opened, last, tried, attempts, &stated).await?)
    }

    /// Whether an account may be signed in to by the provider at all. What is sealed for an emergency or
    /// opened for maintenance has its own way in.
    fn by_provider(&self, context: &ActorContext) -> bool {
        let account = &context.account;
        account.active
            && account.kind == AccountKind::Staff
            && matches!(account.life.sort, AccountSort::Ordinary | AccountSort::Development)
    }

    /// Whether the rules take what the provider said for two factors.
    fn vouches_for_two(&self, vouched: &Vouched) -> Result<bool> {
        let methods = self.pack.parameter_text("single-sign-on.second-factor-methods")?;
        let classes = self.pack.parameter_text("single-sign-on.second-factor-classes")?;
        let by_method =
            methods.split_whitespace().any(|word| vouched.methods.iter().any(|said| said == word));
        let by_class = classes.split_whitespace().any(|word| vouched.class.as_deref() == Some(word));
        Ok(by_method || by_class)
    }

    /// Whether the rules take anything that the provider may say for two factors.
    pub(crate) fn may_vouch(&self) -> bool {
        ["single-sign-on.second-factor-methods", "single-sign-on.second-factor-classes"]
            .iter()
            .any(|key| self.pack.parameter_text(key).is_ok_and(|words| !words.trim().is_empty()))
    }

    /// What the ledger says about how somebody showed who they are: with the provider's name, if it did.
    pub(crate) fn stated_shown(&self, shown: Shown) -> String {
        match self.provider_issuer().filter(|_| shown.by_provider()) {
            Some(issuer) => format!("{} {issuer}", shown.as_str()),
            None => shown.as_str().to_owned(),
        }
    }

    fn count_provider_failure(&self, failure: &ProviderFailure, origin: &Origin) {
        let reason = match failure {
            ProviderFailure::Late => "provider-late",
            ProviderFailure::Unreachable => "provider-unreachable",
            ProviderFailure::Declined => "provider-declined",
            ProviderFailure::Unproven => "provider-unproven",
            // Recorded by itself.
            ProviderFailure::Unlinked(_) | ProviderFailure::Closed | ProviderFailure::Group => return,
            ProviderFailure::Other(_) => "provider-failed",
        };
        self.refused_before_sign_in(origin, reason);
    }

    /// Records that somebody whom the provider vouched for was not let in: only who signed in there gets so
    /// far, so nobody fills the ledger by it.
    async fn record_provider_refusal(
        &self,
        actor: Option<ActorId>,
        subject: &str,
        word: &str,
        origin: &Origin,
    ) -> Result<()> {
        let caller = self.itself().coming_from(origin);
        let unit = Unit::new();
        let mut entry = caller.entry(unit.id, Action::SignIn);
        entry.actor = actor.or(entry.actor);
        entry.outcome = Outcome::Refused;
        entry.count = 0;
        let issuer = self.provider_issuer().unwrap_or_default();
        let entry =
            self.with_sealed(&caller, entry, 0, Some(&format!("provider {issuer} {word}: {subject}")))?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(crate::access::kept_changing()),
        }
    }
}
