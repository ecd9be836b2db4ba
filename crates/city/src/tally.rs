//! What the made-up half year holds, counted through the same use cases; and what waits for somebody.

use std::collections::BTreeMap;

use mimamori_app::{App, Caller, CaseFilter, CaseStage, DutyState, RegisterQuery, Window};
use mimamori_domain::{Error, ErrorKind, RecordState, Timestamp};
use serde::Serialize;

/// So many entries of one register are counted.
const MOST: usize = 20_000;

/// Counts of one register.
#[derive(Debug, Default, Serialize)]
pub struct Entries {
    pub entries: usize,
    pub amended: usize,
    pub struck: usize,
    pub reviews: usize,
    /// Reviews that found something.
    pub findings: usize,
}

/// Counts by register, by procedure and how its cases stand, and by how duties stand.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    pub registers: BTreeMap<String, Entries>,
    pub cases: BTreeMap<String, BTreeMap<&'static str, usize>>,
    pub duties: BTreeMap<&'static str, usize>,
    pub documents: BTreeMap<&'static str, usize>,
    pub statements: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Counts everything that the pack in force asks for, from a time until another.
    ///
    /// # Errors
    /// What the use cases refused.
    pub async fn count(
        app: &App,
        operator: &Caller,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Self, Error> {
        let mut tally = Self::default();
        for register in app.pack().registers() {
            let query = RegisterQuery { struck: true, page_size: MOST, ..RegisterQuery::default() };
            let page = app.register_entries(operator, &register.code, &query).await?;
            let of = |state| page.rows.iter().filter(|row| row.state == state).count();
            let reviews = app.register_reviews(operator, &register.code).await?;
            let counted = Entries {
                entries: page.total,
                amended: of(RecordState::Amended),
                struck: of(RecordState::Withdrawn),
                reviews: reviews.len(),
                findings: reviews.iter().filter(|review| !review.in_order).count(),
            };
            tally.registers.insert(register.code.clone(), counted);
        }
        for procedure in app.pack().procedures() {
            let counts = tally.cases.entry(procedure.code.clone()).or_default();
            let mut filter =
                CaseFilter { procedure: Some(procedure.code.clone()), page: 1, ..CaseFilter::default() };
            loop {
                let page = app.cases(operator, &filter).await?;
                for row in &page.rows {
                    *counts.entry(stage(row.stage)).or_default() += 1;
                    if row.overdue {
                        *counts.entry("overdue").or_default() += 1;
                    }
                    if row.emergency {
                        *counts.entry("emergency").or_default() += 1;
                    }
                }
                if filter.page >= page.pages {
                    break;
                }
                filter.page += 1;
            }
        }
        for view in app.duties(operator, Window { from, until }).await? {
            let state = match view.state {
                DutyState::Upcoming => "upcoming",
                DutyState::Due => "due",
                DutyState::Overdue => "overdue",
                DutyState::Done(..) => "done",
                DutyState::Skipped { .. } => "skipped",
            };
            *tally.duties.entry(state).or_default() += 1;
        }
        for summary in app.documents(operator).await? {
            let state = if summary.current.is_some() { "published" } else { "missing" };
            *tally.documents.entry(state).or_default() += 1;
        }
        for view in app.attestations(operator).await? {
            let state = match view.statements.first() {
                None => "never",
                Some(statement) if statement.holds => "holds",
                Some(_) => "does-not-hold",
            };
            *tally.statements.entry(state).or_default() += 1;
        }
        Ok(tally)
    }

    /// In one line of Japanese and English.
    #[must_use]
    pub fn line(&self) -> String {
        let entries: usize = self.registers.values().map(|counted| counted.entries).sum();
        let stages = |wanted: &[&str]| -> usize {
            let of = |counts: &BTreeMap<&str, usize>| {
                wanted.iter().filter_map(|stage| counts.get(stage)).sum::<usize>()
            };
            self.cases.values().map(of).sum()
        };
        let (open, closed) = (stages(&["open", "returned"]), stages(&["finished", "refused", "withdrawn"]));
        let duty = |state: &str| self.duties.get(state).copied().unwrap_or(0);
        format!(
            "台帳の記載 / register entries: {entries}   手続 / cases: {closed} 済 / closed, {open} 進行中 / open   \
             定期業務 / duties: {} 済 / done, {} 期限前 / due, {} 期限切れ / overdue",
            duty("done"),
            duty("due"),
            duty("overdue"),
        )
    }
}

const fn stage(stage: CaseStage) -> &'static str {
    match stage {
        CaseStage::Draft => "draft",
        CaseStage::Open => "open",
        CaseStage::Returned => "returned",
        CaseStage::Finished => "finished",
        CaseStage::Refused => "refused",
        CaseStage::Withdrawn => "withdrawn",
    }
}

/// What waits for somebody: how many of what, in Japanese and English.
///
/// # Errors
/// Unavailable. What somebody may not see does not wait for them.
pub async fn waiting(app: &App, caller: &Caller, window: Window) -> Result<(String, String), Error> {
    let inbox = seen(app.inbox(caller).await)?;
    let duties = seen(app.duties(caller, window).await)?.unwrap_or_default();
    let documents = seen(app.documents(caller).await)?.unwrap_or_default();
    let own = |state: &DutyState| duties.iter().filter(|duty| duty.mine && duty.state == *state).count();
    let inbox = inbox.unwrap_or_default();
    let returned = inbox.applied.iter().filter(|row| row.stage == CaseStage::Returned).count();
    let counts = [
        (inbox.waiting.len(), "確認・承認待ち", "to decide or do"),
        (inbox.overdue.len(), "期限を過ぎた案件", "cases late"),
        (returned, "差戻し", "returned for correction"),
        (inbox.applied.len() - returned, "申請中", "applied for"),
        (inbox.drafts.len(), "書きかけの申請", "drafts"),
        (inbox.by_hand.len(), "手作業", "tasks by hand"),
        (own(&DutyState::Due), "期限前の定期業務", "duties due"),
        (own(&DutyState::Overdue), "期限切れの定期業務", "duties overdue"),
        (
            documents.iter().filter(|document| document.to_acknowledge).count(),
            "未読の文書",
            "documents to read",
        ),
    ];
    let some = || counts.iter().filter(|(count, ..)| *count > 0);
    let ja: Vec<String> = some().map(|(count, ja, _)| format!("{ja}{count}件")).collect();
    let en: Vec<String> = some().map(|(count, _, en)| format!("{count} {en}")).collect();
    Ok((ja.join("、"), en.join(", ")))
}

fn seen<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::Forbidden => Ok(None),
        Err(error) => Err(error),
    }
}
