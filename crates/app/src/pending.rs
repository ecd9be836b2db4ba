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

    pub async fn rotate_ring(&self, caller: &Caller) -> R<u64> { no() }
    /// Destroys the data key of a subject's class and month. Plan first (`apply` false), then apply.
    pub async fn shred(&self, caller: &Caller, subject: SubjectId, class: ClassCode, month: &str, apply: bool) -> R<String> { no() }
    pub async fn explain(&self, caller: &Caller, login: &str, subject: SubjectId, action: Action, class: ClassCode, institution: InstitutionId, language: &str) -> R<String> { no() }
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

