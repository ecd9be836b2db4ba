//! Passkeys and security keys (W3C Web Authentication, level 2): each verifies its user itself. What a
//! challenge was about stays here, sealed, is good for one answer and for five minutes.

use std::sync::Arc;

use mimamori_domain::{ActorId, Error, Result, Timestamp};
use mimamori_store::{Change, Unit};
use url::Url;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::{NewFactor, not_confirmed, not_yours};
use crate::body::{Factor, FactorKind};
use crate::caller::{ActorContext, Caller};
use crate::credentials::second::Proved;
use crate::credentials::{Begun, SecondHalf};
use crate::sessions::Shown;
use crate::sign_in::SignedIn;
use crate::{App, Origin, sql};

/// Who is asked when nobody has said yet who they are.
const ANYBODY: ActorId = ActorId::from_bytes([0; 16]);

/// A challenge for the browser.
pub struct Challenge {
    /// What finishes it.
    pub token: String,
    /// The options for `navigator.credentials`, as JSON.
    pub options: String,
}

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Challenge").finish_non_exhaustive()
    }
}

/// How passkeys are checked: for which site.
pub(crate) fn webauthn(address: &str, name: &str) -> Result<Webauthn> {
    let refused = |why: &str| Error::invalid(format!("passkeys need the address of the pages: {why}"));
    let origin = Url::parse(address).map_err(|_| refused("it is no address"))?;
    let domain = origin.domain().ok_or_else(|| refused("a host name, not a number"))?.to_owned();
    if origin.scheme() != "https" && domain != "localhost" {
        return Err(refused("https, but for localhost"));
    }
    let built = WebauthnBuilder::new(&domain, &origin).and_then(|builder| builder.rp_name(name).build());
    built.map_err(|_| refused("its host name does not fit"))
}

impl App {
    /// Says under which address people reach the pages: passkeys are for it alone. Without it there are
    /// none. Said once, when a server begins.
    ///
    /// # Errors
    /// Invalid for an address that passkeys cannot be for.
    pub fn serve_passkeys(&self, address: &str, name: &str) -> Result<()> {
        let made = webauthn(address, name)?;
        // Said again it changes nothing.
        let _ = self.shared.webauthn.set(made);
        Ok(())
    }

    /// Whether people may sign in by a passkey here.
    #[must_use]
    pub fn offers_passkeys(&self) -> bool {
        self.passkeys().is_some()
    }

    pub(crate) fn passkeys(&self) -> Option<&Webauthn> {
        self.shared.webauthn.get()
    }

    fn needed(&self) -> Result<&Webauthn> {
        self.passkeys()
            .ok_or_else(|| Error::conflict("passkeys are not set up here; use an authenticator app"))
    }

    /// Begins to make a passkey for the caller.
    ///
    /// # Errors
    /// Forbidden until the caller shows again who they are; conflict where passkeys are not set up.
    pub async fn begin_passkey(&self, caller: &Caller) -> Result<Challenge> {
        let (context, _) = caller.person()?;
        self.require_enrolment(caller).await?;
        self.lately(caller)?;
        let account = &context.account;
        let known: Result<Vec<_>> =
            passkeys_of(&context).map(|factor| Ok(read(factor)?.cred_id().clone())).collect();
        let user = Uuid::from_bytes(*context.actor.as_bytes());
        let (options, state): (CreationChallengeResponse, PasskeyRegistration) = self
            .needed()?
            .start_passkey_registration(user, &account.login, &account.name, Some(known?))
            .map_err(Error::internal)?;
        // The browser may keep it so that it signs in without a name; security keys need not.
        let mut options = serde_json::to_value(options).map_err(Error::internal)?;
        if let Some(wanted) = options.pointer_mut("/publicKey/authenticatorSelection") {
            wanted["residentKey"] = "preferred".into();
        }
        let token = self.begin(Begun::NewPasskey, context.actor, state).await?;
        Ok(Challenge { token, options: options.to_string() })
    }

    /// Enrols a passkey that the browser made.
    ///
    /// # Errors
    /// Invalid (`code`) for what does not answer the challenge; gone when it took too long.
    pub async fn add_passkey(
        &self,
        caller: &Caller,
        token: &str,
        answer: &str,
        name: &str,
    ) -> Result<NewFactor> {
        let begun = self.begun::<PasskeyRegistration>(Begun::NewPasskey, token).await?;
        if begun.actor != caller.actor {
            return Err(not_yours());
        }
        self.lately(caller)?;
        let answer: RegisterPublicKeyCredential =
            serde_json::from_str(answer).map_err(|_| not_confirmed())?;
        let made = self.needed()?.finish_passkey_registration(&answer, &begun.body);
        let made = made.map_err(|error| {
            tracing::info!(%error, "a passkey was not made");
            not_confirmed()
        })?;
        let secret = serde_json::to_string(&made).map_err(Error::internal)?;
        self.add_factor(caller, (FactorKind::Passkey, secret, 0), name, begun.taking).await
    }

    /// Asks the passkeys of somebody whose sign-in waits for its second factor.
    ///
    /// # Errors
    /// Gone when there is no such sign-in any more; conflict without a passkey.
    pub async fn ask_second_passkey(&self, pending: &str) -> Result<Challenge> {
        let begun = self.begun::<SecondHalf>(Begun::SignIn, pending).await?;
        self.ask(&*self.actor_context_now(begun.actor).await?).await
    }

    /// Asks the caller's own passkeys.
    ///
    /// # Errors
    /// Forbidden to programs; conflict without a passkey.
    pub async fn ask_own_passkey(&self, caller: &Caller) -> Result<Challenge> {
        let (context, _) = caller.person()?;
        self.ask(&context).await
    }

    async fn ask(&self, context: &ActorContext) -> Result<Challenge> {
        let keys = passkeys_of(context).map(read).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(Error::conflict("this account has no passkey"));
        }
        let (options, state): (RequestChallengeResponse, PasskeyAuthentication) =
            self.needed()?.start_passkey_authentication(&keys).map_err(Error::internal)?;
        let token = self.begin(Begun::Passkey, context.actor, state).await?;
        let options = serde_json::to_string(&options).map_err(Error::internal)?;
        Ok(Challenge { token, options })
    }

    /// Whether a passkey's answer is right.
    pub(in crate::credentials) async fn passkey_proved(
        &self,
        context: &ActorContext,
        challenge: &str,
        answer: &str,
        now: Timestamp,
    ) -> Result<Option<Proved>> {
        let begun = self.begun::<PasskeyAuthentication>(Begun::Passkey, challenge).await?;
        if begun.actor != context.actor {
            return Err(not_yours());
        }
        let Ok(answer) = serde_json::from_str::<PublicKeyCredential>(answer) else { return Ok(None) };
        let Ok(shown) = self.needed()?.finish_passkey_authentication(&answer, &begun.body) else {
            return Ok(None);
        };
        let mut used = None;
        for factor in passkeys_of(context) {
            if read(factor)?.cred_id() == shown.cred_id() {
                used = Some(factor);
            }
        }
        let Some(factor) = used.filter(|_| shown.user_verified()) else { return Ok(None) };
        let changes = vec![begun.taking, using(factor, shown.counter(), now)];
        Ok(Some(Proved { shown: Shown::Passkey, changes, used: None }))
    }

    /// Asks any passkey for this site, of whoever is there. Nothing is kept of it: its state goes along,
    /// sealed, so that nobody fills the database by asking.
    ///
    /// # Errors
    /// Conflict where passkeys are not set up.
    pub async fn ask_any_passkey(&self) -> Result<Challenge> {
        let (mut options, state): (RequestChallengeResponse, DiscoverableAuthentication) =
            self.needed()?.start_discoverable_authentication().map_err(Error::internal)?;
        // Asked for by a button, not offered while typing.
        options.mediation = None;
        let token = self.seal_begun(Begun::Passkey, ANYBODY, state)?;
        let options = serde_json::to_string(&options).map_err(Error::internal)?;
        Ok(Challenge { token, options })
    }

    /// Signs somebody in by a passkey alone: it verified its user itself, so that is two factors.
    ///
    /// # Errors
    /// Unauthenticated for a passkey that is not known; busy after too many failures; gone when it took
    /// too long or was answered before.
    pub async fn sign_in_by_passkey(
        &self,
        challenge: &str,
        answer: &str,
        origin: &Origin,
    ) -> Result<SignedIn> {
        let refused = || {
            self.refused_before_sign_in(origin, "passkey-failed");
            crate::sign_in::refused()
        };
        let begun = self.unseal_begun::<DiscoverableAuthentication>(Begun::Passkey, challenge)?;
        let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(|_| refused())?;
        let webauthn = self.needed()?;
        let (user, id) = webauthn.identify_discoverable_authentication(&answer).map_err(|_| refused())?;
        let actor = ActorId::from_bytes(*user.as_bytes());
        let context = match self.actor_context_now(actor).await {
            Ok(context) if context.account.active => context,
            Ok(_) => return Err(refused()),
            Err(error) if error.kind() == mimamori_domain::ErrorKind::NotFound => return Err(refused()),
            Err(error) => return Err(error),
        };
        let (tried, attempts) = self.begin_try(&context.account.login, origin).await?;
        let mut known = None;
        for factor in passkeys_of(&context) {
            let key = read(factor)?;
            if key.cred_id().as_slice() == id {
                known = Some((factor, key));
            }
        }
        let (factor, key) = known.ok_or_else(refused)?;
        let shown = webauthn.finish_discoverable_authentication_v2(&answer, begun.body, &key);
        let shown = shown.ok().filter(|shown| shown.user_verified()).ok_or_else(refused)?;
        let now = self.clock.now();
        let last = self.store.query_one(&sql::LAST_SESSION, vec![actor.into()]).await?;
        let last = last.map(|row| row.time(0)).transpose().map_err(Error::unavailable)?;
        if let Some(over) = self.over(&context.account, last, now)? {
            return Err(over);
        }
        let mut unit = Unit::new();
        unit.changes.push(begun.taking);
        unit.changes.push(using(factor, shown.counter(), now));
        let shown = Shown::PasskeyAlone;
        let counted = (&tried, &attempts);
        let opened = self.open_counted(&mut unit, Arc::clone(&context), shown, origin, now, counted).await?;
        self.signed_in(unit, opened, last, &tried, &attempts, shown.as_str()).await
    }
}

fn passkeys_of(context: &ActorContext) -> impl Iterator<Item = &Factor> {
    context.account.credential.factors.kept.iter().filter(|factor| factor.kind == FactorKind::Passkey)
}

fn read(factor: &Factor) -> Result<Passkey> {
    serde_json::from_str(&factor.secret).map_err(|_| Error::unavailable("a passkey is unreadable"))
}

/// Notes the use. A key that counts must count on (section 7.2, step 21): otherwise there is a copy.
fn using(factor: &Factor, counter: u32, now: Timestamp) -> Change {
    if counter == 0 {
        return Change::one(&sql::SEE_FACTOR, vec![factor.id.into(), now.into()]);
    }
    Change::one(&sql::USE_FACTOR, vec![factor.id.into(), u64::from(counter).into(), now.into()])
}
