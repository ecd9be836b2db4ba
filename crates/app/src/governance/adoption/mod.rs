//! Adopting a new version of the rules by an approved procedure (effect `adopt-pack`).
//!
//! The form brings the pack as an archive. It is read and checked in full before the form is taken,
//! and the case is bound to its hash and to the pack that it would follow: what approvers see changed
//! is what comes into force, or nothing does. The last approval writes the new version of the pack's
//! object and raises the access version of the rules, in one unit; see `in_force.rs` for what
//! happens to everything decided before.

mod archive;

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, Fault, ObjectId, Result, Timestamp};
use mimamori_policy::model::{EffectKind, Procedure, Source};
use mimamori_policy::{Decision, Pack, PackDiff};
use mimamori_store::{AccessKey, Unit};
use serde::{Deserialize, Serialize};

pub use self::archive::pack_archive;
use super::procedures::Case;
use super::values::Values;
use super::who::target;
use super::{procedures, purpose};
use crate::access::{Settled, decided, kept_changing, rules_changed};
use crate::body::{self, PackBody, kind};
use crate::caller::Caller;
use crate::context::{object_from_row, open_object};
use crate::in_force::object_of_rules;
use crate::record::{NewVersion, own_label, put_version};
use crate::{App, sql};

/// What a case would bring into force, as its form was handed in.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Proposed {
    /// The attachment that holds the archive.
    file: ObjectId,
    /// Hash of the pack in it, in hexadecimal.
    hash: String,
    /// Hash of the pack that was in force then: what it is compared with.
    follows: String,
}

/// A pack that a case proposes, beside the one that it would follow.
#[derive(Clone)]
pub struct Proposal {
    pub pack: Arc<Pack>,
    pub follows: Arc<Pack>,
    pub diff: Arc<PackDiff>,
    /// Other rules came into force meanwhile: it cannot be adopted as it is.
    pub outdated: bool,
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proposal").field("pack", &self.pack.hash_text()).finish_non_exhaustive()
    }
}

/// A version of the rules that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackVersion {
    /// From 1: the one that the installation began under.
    pub version: u64,
    /// In lower-case hexadecimal.
    pub hash: String,
    /// UTC.
    pub since: Timestamp,
    /// The case whose approval brought it into force; none for the first.
    pub case: Option<ObjectId>,
    /// Who gave the last approval; empty for the first.
    pub by: String,
    pub in_force: bool,
}

/// Problems of a pack that its form is told; who mends it finds all of them by `mimamori pack check`.
const MOST_PROBLEMS: usize = 50;
/// Versions of the rules that the history shows at most.
const MOST_VERSIONS: i64 = 1_000;

impl App {
    /// What a form would bring into force, when its procedure adopts rules: read and checked in full.
    pub(crate) async fn proposed(&self, procedure: &Procedure, values: &Values) -> Result<Option<Proposed>> {
        let Some(field) = proposing_field(procedure) else { return Ok(None) };
        let file = values.get(field).and_then(|value| value.as_str()?.parse::<ObjectId>().ok());
        let file = file.ok_or_else(|| wrong(field, ["a policy pack is needed".to_owned()]))?;
        let pack = archive::read(&self.attachment(file).await?.bytes).map_err(|problems| {
            let told = problems.iter().take(MOST_PROBLEMS);
            let told = told.map(|problem| format!("the policy pack is not valid: {problem}"));
            let more = problems.len().saturating_sub(MOST_PROBLEMS);
            let more = (more > 0).then(|| format!("the policy pack has {more} more problems"));
            wrong(field, told.chain(more))
        })?;
        let unset: Vec<String> = pack
            .unset_parameters()
            .map(|parameter| {
                format!("the policy pack leaves open what only the site can say: {}", parameter.key)
            })
            .collect();
        if !unset.is_empty() {
            return Err(wrong(field, unset));
        }
        if pack.hash() == self.pack.hash() {
            return Err(wrong(field, ["this policy pack is in force already".to_owned()]));
        }
        let proposed = Proposed { file, hash: pack.hash_text(), follows: self.pack.hash_text() };
        self.packs.insert(pack.hash(), Arc::new(pack));
        Ok(Some(proposed))
    }

    /// The pack that a case proposes: the very one that was checked when the form was handed in.
    async fn proposed_pack(&self, proposed: &Proposed) -> Result<Arc<Pack>> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&proposed.hash, &mut hash).map_err(Error::unavailable)?;
        if let Some(pack) = self.packs.get(&hash) {
            return Ok(pack);
        }
        let read = archive::read(&self.attachment(proposed.file).await?.bytes);
        // What the pack extends may come from the program, and the program may be another one by now.
        let pack = read.ok().filter(|pack| pack.hash() == hash).map(Arc::new).ok_or_else(|| {
            Error::conflict(
                "this policy pack is not what was handed in any more; apply anew with its archive",
            )
        })?;
        self.packs.insert(hash, Arc::clone(&pack));
        Ok(pack)
    }

    /// What a case proposes, compared with what it would follow.
    pub(crate) async fn proposal(&self, case: &Case) -> Result<Option<Proposal>> {
        let Some(proposed) = &case.proposed else { return Ok(None) };
        let pack = match self.proposed_pack(proposed).await {
            Ok(pack) => pack,
            // The case stays readable; its effect would be refused.
            Err(error) if error.kind() == mimamori_domain::ErrorKind::Conflict => return Ok(None),
            Err(error) => return Err(error),
        };
        let follows = self.pack_named(&proposed.follows).await?;
        // Neither pack ever changes: what differs is found once.
        let both = (follows.hash(), pack.hash());
        let diff = self.diffs.get_or_insert_with(&both, || Ok::<_, Error>(Arc::new(follows.diff(&pack))))?;
        let outdated = !case.settled && proposed.follows != self.pack.hash_text();
        Ok(Some(Proposal { pack, follows, diff, outdated }))
    }

    /// Puts the new version of the rules into the unit of the approval. `false`: the form was handed in
    /// to a program that could not check it.
    pub(crate) async fn put_adoption(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        id: ObjectId,
        case: &Case,
    ) -> Result<bool> {
        let Some(proposed) = &case.proposed else { return Ok(false) };
        if proposed.follows != self.pack.hash_text() {
            return Err(Error::conflict(
                "other rules came into force since this was handed in: return it, so that it is handed in again \
                 and what it changes is seen anew",
            ));
        }
        let pack = self.proposed_pack(proposed).await?;
        let object = object_of_rules(&*self.store).await?;
        let current = self.current(object).await?.ok_or_else(Error::not_found)?;
        if current.pack != self.pack.hash() {
            return Err(rules_changed());
        }
        let now = self.clock.now();
        let version = NewVersion {
            object,
            version: current.version + 1,
            kind: kind::PACK,
            label: own_label("pack")?,
            author: Some(caller.actor),
            on_behalf: None,
            confirmer: None,
            plain: &body::to_bytes(&PackBody::of(&pack, Some(id)))?,
            pack: pack.hash(),
            recorded: now,
        };
        let version = version.seal(&self.keys.settings, None, unit.id)?;
        let at = (object, version.version);
        let commitment = put_version(unit, version, now);
        unit.bumps.push(AccessKey::PACK);
        self.put_administered(caller, decision, unit, kind::PACK, at, commitment)?;
        Ok(true)
    }

    /// Every version of the rules that was in force, newest first: for staff, and for the operator.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn pack_history(&self, caller: &Caller) -> Result<Arc<Vec<PackVersion>>> {
        let caller = purpose(caller);
        let named = caller.is_staff();
        let decision = self.require_general(&caller, Action::Read, target(procedures::THING, named)).await?;
        let object = object_of_rules(&*self.store).await?;
        let versions = Box::pin(async { self.versions_of_rules(object).await.map(Arc::new) });
        let versions = self.asked.packs.ask(self.pack.hash(), versions).await?;
        let unit = Unit::new();
        let mut line = decided(caller.entry(unit.id, Action::Read), &decision);
        line.resource = Some((kind::PACK, Some(object)));
        line.count = versions.len() as u64;
        let line = self.with_sealed(&caller, line, 0, None)?;
        match self.settle(&caller, unit.entry(line)).await? {
            Settled::Done => Ok(versions),
            Settled::Again => Err(kept_changing()),
        }
    }

    async fn versions_of_rules(&self, object: ObjectId) -> Result<Vec<PackVersion>> {
        let rows = self.store.query(&sql::VERSIONS_OF, vec![object.into(), MOST_VERSIONS.into()]).await?;
        let mut versions = Vec::with_capacity(rows.len());
        for mut row in rows {
            let version = object_from_row(&mut row)?;
            let stored: PackBody = body::from_bytes(&open_object(&self.keys.settings, &version)?)?;
            let by: Option<ActorId> = version.author.filter(|_| stored.case.is_some());
            versions.push(PackVersion {
                version: version.version,
                in_force: version.pack == self.pack.hash() && versions.is_empty(),
                hash: stored.hash,
                since: version.recorded,
                case: stored.case,
                by: self.name_of(by).await?,
            });
        }
        Ok(versions)
    }
}

/// The field of the form that brings a pack, when the procedure adopts one.
fn proposing_field(procedure: &Procedure) -> Option<&str> {
    let effect = procedure.effects.iter().find(|effect| effect.action == EffectKind::AdoptPack)?;
    match effect.with.get("pack") {
        Some(Source::Field(reference)) if reference.step.is_none() => Some(reference.field.as_str()),
        _ => None,
    }
}

fn wrong(field: &str, rules: impl IntoIterator<Item = String>) -> Error {
    let faults = rules.into_iter().map(|rule| Fault { place: field.to_owned(), rule, code: "business-rule" });
    Error::invalid_at("some fields need your attention", faults.collect())
}
