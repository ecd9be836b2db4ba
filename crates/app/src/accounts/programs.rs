//! Tokens for the programs of institutions.

use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, InstitutionId, Kind, ObjectId, Result};
use mimamori_store::{Change, ColumnType, Unit, Value, tables};
use mimamori_vault::{hash_token, random_token};

use crate::App;
use crate::body::{Account, AccountKind};
use crate::caller::{Caller, scope};
use crate::record::fault;

impl App {
    /// A bearer token for a program of an institution, for so many days. Scopes are a FHIR type or
    /// `*`, then `.read`, `.write` or `.*`. The token is given once and kept only as a hash.
    ///
    /// # Errors
    /// Invalid for a scope of another form.
    pub async fn create_token(
        &self,
        caller: &Caller,
        name: &str,
        institution: InstitutionId,
        scopes: &[String],
        days: u32,
    ) -> Result<String> {
        if scopes.is_empty() || scopes.iter().any(|text| scope(text).is_none()) {
            return Err(fault(
                "scope",
                "a scope is TYPE.read, TYPE.write or TYPE.*, where TYPE may be *",
                "value",
            ));
        }
        if days == 0 || days > 366 {
            return Err(fault("days", "a token lasts 1 to 366 days", "value"));
        }
        if self.institution_name(institution).await?.is_none() {
            return Err(fault("institution", "there is no such institution", "not-found"));
        }
        let account = Account {
            institution: Some(institution),
            scopes: scopes.to_vec(),
            ..Account::new(AccountKind::Program, "", name)
        };
        let actor = self.keep_account(caller, &account, &[]).await?;
        let secret = random_token().map_err(Error::unavailable)?;
        let now = self.clock.now();
        let mut unit = Unit::new();
        let token_hash = hash_token(&secret);
        let expires = now.plus(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
        let id = self.session_id(&token_hash, actor, expires, None);
        unit.changes.push(Change::insert(
            &tables::BEARER_TOKEN,
            vec![
                token_hash.into(),
                id.into(),
                actor.into(),
                scopes.join(" ").into(),
                institution.into(),
                now.into(),
                expires.into(),
                Value::Null(ColumnType::Int),
            ],
        ));
        let mut entry = caller.entry(unit.id, Action::Administer);
        entry.resource = Some((Kind::of("bearer-token"), Some(ObjectId::from(actor))));
        let entry = self.with_sealed(caller, entry, 0, None)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(hex::encode(secret))
    }

    /// Revokes the tokens of a program at once.
    ///
    /// # Errors
    /// Not found for an unknown program.
    pub async fn revoke_token(&self, caller: &Caller, id: ActorId) -> Result<()> {
        self.change_actor(caller, id, Action::Withdraw, None, |account| {
            account.active = false;
            Ok(())
        })
        .await
    }
}
