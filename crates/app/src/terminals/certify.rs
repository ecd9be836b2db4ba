//! The authority's own life: made when it is first needed, exchanged for another one while both are believed.

use std::time::Duration;

use mimamori_domain::{Action, Error, Result, Timestamp};
use mimamori_policy::Decision;
use mimamori_store::Unit;
use zeroize::Zeroizing;

use super::authority::{self, Authority};
use super::{CLASS, target};
use crate::App;
use crate::access::{Settled, decided, kept_changing};
use crate::body;
use crate::caller::Caller;
use crate::context::open_object;
use crate::record::{fault, put_version};

/// The least time for exchanging the certificates of terminals, and for programs to notice.
const LEAST: Duration = Duration::from_secs(3_600);

impl App {
    /// Exchanges the authority for terminals: certificates are issued by a new one from now on, and those of
    /// the present one are believed until `until`, UTC, so that every terminal can be renewed meanwhile.
    ///
    /// # Errors
    /// Invalid for a time less than an hour ahead; not found while there is no authority; forbidden;
    /// unavailable.
    pub async fn renew_terminal_authority(&self, caller: &Caller, until: Timestamp) -> Result<()> {
        let decision = self.require_general(caller, Action::Administer, target(None)).await?;
        let now = self.clock.now();
        if until < now.plus(LEAST) {
            let rule = "the present certificates are believed for at least another hour";
            return Err(fault("until", rule, "value"));
        }
        let (version, present) = self.authority_version().await?.ok_or_else(Error::not_found)?;
        let next = present.renewed(&self.name, now, until)?;
        self.keep_authority(caller, &decision, version + 1, &next, "the authority was exchanged").await
    }

    /// Believes the earlier authorities' certificates no more, before their time is over.
    ///
    /// # Errors
    /// Conflict while a terminal in use has no certificate of the present authority, and when there is no
    /// earlier one; not found while there is no authority; forbidden; unavailable.
    pub async fn retire_terminal_authority(&self, caller: &Caller) -> Result<()> {
        let decision = self.require_general(caller, Action::Administer, target(None)).await?;
        let now = self.clock.now();
        let (version, mut present) = self.authority_version().await?.ok_or_else(Error::not_found)?;
        if present.trusted(now).count() < 2 {
            return Err(Error::conflict("there is no earlier authority any more"));
        }
        let newest = present.newest.generation;
        let behind = |terminal: &super::Terminal| {
            let good = terminal.certificates.iter().filter(|one| one.revoked.is_none());
            let mut good = good.filter(|one| now < body::time(one.until)).peekable();
            terminal.active && good.peek().is_some() && !good.any(|one| one.authority == newest)
        };
        if self.every_terminal().await?.iter().any(|(_, terminal)| behind(terminal)) {
            return Err(Error::conflict(
                "some terminals have certificates of the earlier authority only; renew them first",
            ));
        }
        present.earlier.clear();
        self.keep_authority(caller, &decision, version + 1, &present, "earlier authorities were retired")
            .await
    }

    /// The certificates of the authority that are believed now, in DER, newest first: for whoever verifies
    /// connections. They name nobody.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn terminal_roots(&self) -> Result<Vec<Vec<u8>>> {
        let Some(authority) = self.authority().await? else { return Ok(Vec::new()) };
        authority.trusted(self.clock.now()).map(authority::Issuing::certificate).collect()
    }

    /// The authority, made now if there is none yet.
    pub(super) async fn some_authority(&self, caller: &Caller, decision: &Decision) -> Result<Authority> {
        if let Some(authority) = self.authority().await? {
            return Ok(authority);
        }
        let authority = Authority::create(&self.name, self.clock.now())?;
        let made = self.keep_authority(caller, decision, 1, &authority, "the authority was made").await;
        // Another program may have made it meanwhile: that one counts.
        match self.authority().await? {
            Some(kept) => Ok(kept),
            None => made.and(Err(kept_changing())),
        }
    }

    async fn keep_authority(
        &self,
        caller: &Caller,
        decision: &Decision,
        version: u64,
        authority: &Authority,
        stated: &str,
    ) -> Result<()> {
        let bytes = Zeroizing::new(body::to_bytes(authority)?);
        let mut unit = Unit::new();
        let (object, kind) = (authority::OBJECT, authority::KIND);
        let sealed = self.own_version(caller, object, version, kind.clone(), CLASS, &bytes)?;
        let sealed = sealed.seal(&self.keys.settings, None, unit.id)?;
        let commitment = put_version(&mut unit, sealed, self.clock.now());
        let mut entry = decided(caller.entry(unit.id, Action::Key), decision);
        entry.resource = Some((kind, Some(object)));
        entry.version = Some(version);
        entry.commitments = vec![commitment];
        let entry = self.with_sealed(caller, entry, 0, Some(stated))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    pub(super) async fn authority(&self) -> Result<Option<Authority>> {
        Ok(self.authority_version().await?.map(|(_, authority)| authority))
    }

    async fn authority_version(&self) -> Result<Option<(u64, Authority)>> {
        match self.current(authority::OBJECT).await?.filter(|version| version.kind == authority::KIND) {
            Some(version) => {
                let authority = body::from_bytes(&open_object(&self.keys.settings, &version)?)?;
                Ok(Some((version.version, authority)))
            }
            None => Ok(None),
        }
    }
}
