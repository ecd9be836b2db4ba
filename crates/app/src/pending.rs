use mimamori_domain::*;

use crate::*;

type R<T> = Result<T>;
fn no<T>() -> R<T> {
    Err(Error::unavailable("not connected"))
}







#[allow(unused_variables, clippy::unused_async, missing_docs)]
impl App {

    /// Imports one source file's content piece: all of a Bundle or nothing.
    pub async fn import_bundle(&self, caller: &Caller, institution: InstitutionId, bytes: bytes::Bytes) -> R<ImportReport> { no() }
    /// Imports resources of NDJSON lines; each line stands for itself.
    pub async fn import_lines(&self, caller: &Caller, institution: InstitutionId, lines: &[bytes::Bytes]) -> R<ImportReport> { no() }

    pub(crate) async fn require_not_rolled_back(&self) -> R<()> { Ok(()) }
    /// Signs the present ledger head; returns the checkpoint note. Also stores full tiles.
    pub async fn checkpoint(&self) -> R<String> { no() }
    /// Walks ledger and object versions both ways.
    pub async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> R<VerifyReport> { no() }
    /// A receipt for one entry, in text.
    pub async fn prove(&self, epoch: u32, sequence: u64) -> R<String> { no() }
    /// Writes bundles, tiles and checkpoints for offline verification.
    pub async fn export_ledger(&self, dir: &std::path::Path, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> R<u64> { no() }
    /// The verifier key text for checkpoints.
    pub fn verifier_key(&self) -> String { String::new() }
    pub async fn rotate_ring(&self, caller: &Caller) -> R<u64> { no() }
    /// Destroys the data key of a subject's class and month. Plan first (`apply` false), then apply.
    pub async fn shred(&self, caller: &Caller, subject: SubjectId, class: ClassCode, month: &str, apply: bool) -> R<String> { no() }
    pub async fn explain(&self, caller: &Caller, login: &str, subject: SubjectId, action: Action, class: ClassCode, institution: InstitutionId, language: &str) -> R<String> { no() }
    /// A new epoch after an older database was put back; needs a reason.
    pub async fn new_epoch(&self, caller: &Caller, reason: &str) -> R<u32> { no() }
}


#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct ImportReport {
    pub stored: u64,
    /// Already there from an earlier import.
    pub known: u64,
    /// Reason -> how many.
    pub skipped: std::collections::BTreeMap<String, u64>,
    /// Place (e.g. `Bundle.entry[3]`, `line 7`), rule.
    pub problems: Vec<(String, String)>,
}

#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct VerifyReport {
    pub entries: u64,
    pub versions: u64,
    pub checkpoints: u64,
    /// What is wrong, each naming what and where; empty when clean.
    pub findings: Vec<String>,
    /// Tables that the walk does not cover, with why.
    pub uncovered: Vec<(String, String)>,
}
