//! Import: FHIR Bundles and NDJSON from other systems.
//!
//! What is sent gets new random identifiers, and its references follow. Each source id is kept as a
//! blind token, so that the same file sent again adds nothing. A Bundle is stored whole or not at
//! all; a line of NDJSON stands for itself. `item` takes apart what was sent, `resolve` finds out
//! what it becomes, `store` seals it.

mod item;
mod resolve;
mod store;

use std::collections::BTreeMap;

use bytes::Bytes;
use mimamori_domain::{Action, Error, ErrorKind, InstitutionId, Kind, Outcome, Result};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::Unit;

use self::item::{Item, Looked, Sent};
use self::resolve::Target;
use self::store::Order;
use crate::App;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::caller::Caller;

pub(crate) use resolve::claim;
pub(crate) use store::gathered;

/// So many lines of NDJSON commit together.
const LINES_TOGETHER: usize = 500;

/// What became of what was sent.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// Resources that are new here.
    pub stored: u64,
    /// Resources that were here already, or were sent twice.
    pub known: u64,
    /// Why resources were not taken, and how many.
    pub skipped: BTreeMap<String, u64>,
    /// Place (`Bundle.entry[3].resource: Observation.status`, `line 7: ...`) and the rule that is
    /// broken there. Of a Bundle with any, nothing was stored.
    pub problems: Vec<(String, String)>,
}

impl App {
    /// Imports a Bundle of type transaction, batch or collection: all of it, or nothing when any
    /// resource breaks a rule. `institution` answers for what is new. May be called for many Bundles
    /// at the same time.
    ///
    /// # Errors
    /// Invalid when it is no such Bundle or there is no such institution; too large; forbidden; busy;
    /// unavailable. Nothing was stored then.
    pub async fn import_bundle(
        &self,
        caller: &Caller,
        institution: InstitutionId,
        bytes: Bytes,
    ) -> Result<ImportReport> {
        let decision = self.may_import(caller, institution).await?;
        let opened = item::open(bytes).await?;
        let looked = item::look_at_all(opened.sent).await?;
        let file = format!("Bundle {}", opened.kind);
        self.import(caller, institution, &decision, &file, looked, true).await
    }

    /// Imports resources, one from each line of NDJSON. A line that breaks a rule is named and left
    /// out; the others are stored, whatever their order. `institution` answers for what is new.
    ///
    /// # Errors
    /// As [`App::import_bundle`], except that earlier lines may have been stored: they are known when
    /// the lines are sent again.
    pub async fn import_lines(
        &self,
        caller: &Caller,
        institution: InstitutionId,
        lines: &[Bytes],
    ) -> Result<ImportReport> {
        let decision = self.may_import(caller, institution).await?;
        let sent = lines.iter().enumerate().map(|(at, bytes)| Sent::line(at + 1, bytes)).collect();
        let looked = item::look_at_all(sent).await?;
        self.import(caller, institution, &decision, "NDJSON", looked, false).await
    }

    async fn may_import(&self, caller: &Caller, institution: InstitutionId) -> Result<Decision> {
        let target = GeneralTarget::of(Kind::of("subject")).at(institution);
        let decision = self.require_general(caller, Action::Import, target).await?;
        if self.institution_name(institution).await?.is_none() {
            return Err(crate::record::fault("institution", "there is no such institution", "not-found"));
        }
        Ok(decision)
    }

    async fn import(
        &self,
        caller: &Caller,
        institution: InstitutionId,
        decision: &Decision,
        file: &str,
        looked: Vec<Looked>,
        whole: bool,
    ) -> Result<ImportReport> {
        let (items, mut report) = sorted(looked);
        let mut done = vec![false; items.len()];
        'again: for _ in 0..ATTEMPTS {
            let resolved = self.resolve_import(institution, &items).await?;
            let problems = resolved.problems.iter().map(|(at, place, rule)| {
                let item = items.get(*at).map(|item| item.place.as_str()).unwrap_or_default();
                (format!("{item}: {place}"), (*rule).to_owned())
            });
            let problems: Vec<_> = report.problems.iter().cloned().chain(problems).collect();
            let is_known = |at: &usize| matches!(resolved.targets.get(*at), Some(Target::Known(_)));
            let known =
                (0..items.len()).filter(|at| done.get(*at) == Some(&false)).filter(is_known).count() as u64;
            if whole && !problems.is_empty() {
                report.problems = problems;
                self.record_refused(caller, institution, decision, file, &report).await?;
                return Ok(report);
            }
            let open: Vec<usize> = (0..items.len()).filter(|at| done.get(*at) == Some(&false)).collect();
            let together = if whole { open.len().max(1) } else { LINES_TOGETHER };
            let parts: Vec<&[usize]> =
                if open.is_empty() { vec![&[]] } else { open.chunks(together).collect() };
            for part in parts {
                let stated = serde_json::json!({
                    "file": file, "resources": part.len(), "known": known, "problems": problems.len(),
                    "skipped": report.skipped,
                });
                let order = Order { caller, institution, decision, stated: stated.to_string() };
                let contexts = self.contexts(&resolved, part).await?;
                let (unit, stored) =
                    off_the_reactor(|| self.import_unit(&order, &items, &resolved, part, contexts))?;
                match self.settle(caller, unit).await {
                    Ok(Settled::Done) => {}
                    Ok(Settled::Again) => continue 'again,
                    // Another import stored the same meanwhile: then it is known.
                    Err(error) if error.kind() == ErrorKind::Conflict => continue 'again,
                    Err(error) => return Err(error),
                }
                report.stored += stored;
                for at in part.iter().filter(|at| resolved.new_at(**at).is_some()) {
                    if let Some(done) = done.get_mut(*at) {
                        *done = true;
                    }
                }
            }
            report.known = known;
            report.problems = problems;
            return Ok(report);
        }
        Err(kept_changing())
    }

    /// Writes down that a Bundle was refused.
    async fn record_refused(
        &self,
        caller: &Caller,
        institution: InstitutionId,
        decision: &Decision,
        file: &str,
        report: &ImportReport,
    ) -> Result<()> {
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Import), decision);
        entry.institution = Some(institution);
        entry.outcome = Outcome::Failed;
        entry.count = 0;
        let stated = serde_json::json!({ "file": file, "problems": report.problems.len() }).to_string();
        let entry = self.with_sealed(caller, entry, 0, Some(&stated))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }
}

/// What is taken, what others refer to first; and what is not.
fn sorted(looked: Vec<Looked>) -> (Vec<Item>, ImportReport) {
    let mut report = ImportReport::default();
    let mut items = Vec::with_capacity(looked.len());
    for looked in looked {
        match looked {
            Looked::Taken(item) => items.push(*item),
            Looked::Skipped(reason) => *report.skipped.entry(reason).or_default() += 1,
            Looked::Broken(mut problems) => report.problems.append(&mut problems),
        }
    }
    items.sort_by_key(|item| item.group);
    (items, report)
}

/// Runs what takes long without holding up whatever else the thread serves.
fn off_the_reactor<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let flavour = tokio::runtime::Handle::try_current().map_err(Error::internal)?.runtime_flavor();
    match flavour {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
