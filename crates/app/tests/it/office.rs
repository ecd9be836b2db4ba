//! A small office under a small pack of its own: duties of every kind of proof, documents, statements,
//! scoped roles and clauses.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mimamori_app::{App, Caller, Finding, NewAppointment, NewDocument, NewStatement, State, Window};
use mimamori_domain::{ActorId, Clock as _, InstitutionId, ObjectId, Result, Timestamp};
use mimamori_policy::Pack;

use crate::procedures::{form, site_under};
use crate::support::{On, START, Site};

pub const DAY: Duration = Duration::from_secs(86_400);

/// Monday, 23 November 2026, 00:00 in Tokyo: when the office's weekly duties first open.
pub const MONDAY: Timestamp = Timestamp::from_micros(1_795_359_600_000_000);

pub const PACK: &str = "\
id: office
extends: base
ja: \"事務所の規程\"
en: \"Rules of an office\"
languages: [ja, en]
catalogues: [office]
";
/// People sign in by password only.
pub const NOBODY: &str = "{key: second-factor.required-of, value: nobody}";
const ROLES: &str = "\
roles:
  - {code: security-manager, ja: \"情報セキュリティ管理者\", en: \"security manager\", scope: unit, appointed-by: [ciso], not-with: [auditor]}
  - {code: notebook-keeper, ja: \"連絡帳の担当\", en: \"keeper of the notebook\", scope: system, appointed-by: [operations-manager]}
  - {code: unit-clerk, ja: \"部署の担当\", en: \"clerk of a unit\", scope: unit, appointed-by: [security-manager], clauses: [office.1-1]}
";
const SITE: &str = "\
units: [{code: planning, ja: \"企画課\", en: \"Planning\"}, {code: welfare, ja: \"福祉課\", en: \"Welfare\"}]
systems: [{code: notebook, ja: \"連絡帳\", en: \"Notebook\"}]
";
const REGISTERS: &str = "\
registers:
  - code: watch
    ja: \"見回りの記録\"
    en: \"Rounds\"
    keeper: [operations-manager]
    title: [what]
    review: {rule: \"FREQ=WEEKLY;BYDAY=MO\", by: [operations-manager], within-days: 3}
    fields: [{code: what, ja: \"内容\", en: \"what\", type: text, required: true}]
  - code: notes
    ja: \"覚え書き\"
    en: \"Notes\"
    clauses: [office.1-2]
    keeper: [operations-manager]
    title: [what]
    fields: [{code: what, ja: \"内容\", en: \"what\", type: text, required: true}]
  - code: shelf
    ja: \"棚の記録\"
    en: \"Shelves\"
    clauses: [office.1-3]
    keeper: [operations-manager]
    title: [what]
    review: {rule: \"FREQ=WEEKLY;BYDAY=MO\", by: [operations-manager], within-days: 3}
    fields: [{code: what, ja: \"内容\", en: \"what\", type: text, required: true}]
";
const SCHEDULES: &str = "\
schedules:
  - {code: by-entry, ja: \"記載\", en: \"entry\", clauses: [office.2-1], owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {register: watch}}
  - {code: by-review, ja: \"見直し\", en: \"review\", owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {review: watch}}
  - {code: by-document, ja: \"文書\", en: \"document\", owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {document: house-rules}}
  - {code: by-statement, ja: \"申告\", en: \"statement\", clauses: [office.2-2], owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {attestation: door-locked}}
  - {code: by-procedure, ja: \"手続\", en: \"procedure\", owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {procedure: leave}}
  - {code: by-shelf, ja: \"棚の点検, 毎週\", en: \"shelves; weekly\", clauses: [office.2-3], owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {register: shelf}}
  - {code: by-job, ja: \"証跡の検証\", en: \"ledger\", owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {job: ledger-verify}}
  - {code: by-backup, ja: \"バックアップ\", en: \"backup\", owner: [operations-manager], rule: \"FREQ=WEEKLY;BYDAY=MO\", within-days: 3, remind-days: [1], period: chosen, proof: {job: back-up}}
";
const DOCUMENTS: &str = "\
documents:
  - {code: house-rules, ja: \"内規\", en: \"House rules\", clauses: [office.3-1], kind: rule, owner: [operations-manager], review-months: 1, posted: [anyone], acknowledged-by: [operations-manager, ciso], within-days: 30}
  - {code: citizens-guide, ja: \"市民の案内\", en: \"Guide\", kind: notice, owner: [operations-manager], posted: [citizen]}
  - {code: inner-plan, ja: \"内部の計画\", en: \"Inner plan\", kind: plan, owner: [operations-manager]}
  - {code: sign-in-notice, ja: \"注意書き\", en: \"Notice\", kind: notice, owner: [operations-manager], posted: [anyone]}
";
const CONTROLS: &str = "\
measures:
  - {code: m-separate, check: appointments-separate, ja: \"兼務\", en: \"separate\"}
  - {code: m-durable, check: database-durable, ja: \"書き込み\", en: \"durable\", clauses: [office.4-4]}
  - {code: m-retention, check: records-retention, ja: \"保存\", en: \"kept\"}
  - {code: m-notice, check: sign-in-notice, ja: \"注意書き\", en: \"notice\", clauses: [office.4-1]}
attestations:
  - {code: door-locked, ja: \"施錠\", en: \"doors are locked\", clauses: [office.4-2], owner: [operations-manager], valid: P1M}
disclosures:
  - {code: house, ja: \"内規\", en: \"rules\", clauses: [office.4-3], document: house-rules}
informative:
  - {clauses: [office.5-1], ja: \"目的\", en: \"purpose\"}
";
const PROCEDURES: &str = "\
procedures:
  - code: leave
    ja: \"持ち出し\"
    en: \"Taking out\"
    clauses: [office.6-1]
    kind: application
    applicants: [anyone]
    fields: [{code: what, ja: \"件名\", en: \"what\", type: text, required: true}]
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager], deadline: P2D}
";
const CATALOGUE: &str = "\
catalogue: office
ja: \"事務所\"
en: \"Office\"
clauses:
";

/// Clauses of the office: the place of each and how it is answered. Nothing answers the last one.
const CLAUSES: [(&str, &str); 15] = [
    ("1-1", "procedure"),
    ("1-2", "register"),
    ("1-3", "register"),
    ("2-1", "schedule"),
    ("2-2", "schedule"),
    ("2-3", "schedule"),
    ("3-1", "document"),
    ("4-1", "enforce"),
    ("4-2", "attest"),
    ("4-3", "disclose"),
    ("4-4", "enforce"),
    ("5-1", "attest"),
    ("6-1", "procedure"),
    ("7-1", "enforce"),
    ("9-9", "attest"),
];

pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files() -> Files {
    let mut catalogue = CATALOGUE.to_owned();
    for (place, how) in CLAUSES {
        let scope = if how == "enforce" { ", scope: product" } else { "" };
        catalogue.push_str(&format!(
            "  - {{id: office.{place}, ref: \"{place}\", ja: \"条項{place}\", en: \"clause {place}\", how: [{how}]{scope}}}\n"
        ));
    }
    let parameter =
        format!("parameters: [{NOBODY}, {{key: sign-in.lock-minutes, value: 30, clauses: [office.7-1]}}]\n");
    let files = [
        ("pack.yaml", format!("{PACK}{parameter}")),
        ("roles.yaml", ROLES.to_owned()),
        ("site.yaml", SITE.to_owned()),
        ("registers/office.yaml", REGISTERS.to_owned()),
        ("schedules/office.yaml", SCHEDULES.to_owned()),
        ("documents/office.yaml", DOCUMENTS.to_owned()),
        ("controls/office.yaml", CONTROLS.to_owned()),
        ("procedures/office.yaml", PROCEDURES.to_owned()),
        ("requirements/office.yaml", catalogue),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect()
}

pub fn load(files: Files) -> Arc<Pack> {
    Arc::new(Pack::from_files(files).unwrap_or_else(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    }))
}

/// The office's pack with other parameters.
pub fn with_parameters(rows: &str) -> Arc<Pack> {
    let mut files = files();
    // Unless they say themselves who must have a second factor.
    let own = rows.contains("second-factor.required-of");
    let asked = if own { String::new() } else { format!("{NOBODY}, ") };
    files.insert("pack.yaml".to_owned(), format!("{PACK}parameters: [{asked}{rows}]\n").into_bytes());
    load(files)
}

pub struct Office {
    pub site: Site,
    pub institution: InstitutionId,
    pub actors: BTreeMap<&'static str, ActorId>,
}

impl Office {
    /// `plain`, and whoever is wanted: `ops`, `top` (ciso), `audit`.
    pub async fn new(on: On, wanted: &[&'static str]) -> Self {
        static OFFICE: OnceLock<Arc<Pack>> = OnceLock::new();
        let pack = Arc::clone(OFFICE.get_or_init(|| load(files())));
        let site = site_under(on, pack).await;
        let institution = site.institution("見守り病院").await;
        let mut actors = BTreeMap::new();
        for login in wanted.iter().copied().chain(["plain"]) {
            let roles: &[&str] = match login {
                "ops" => &["operations-manager"],
                "top" => &["ciso"],
                "audit" => &["auditor"],
                _ => &[],
            };
            actors.insert(login, site.staff(login, None, institution, roles).await);
        }
        Self { site, institution, actors }
    }

    pub fn app(&self) -> &App {
        &self.site.app
    }

    pub fn now(&self) -> Timestamp {
        self.site.clock.now()
    }

    /// Moves the clock on to a time.
    pub fn until(&self, time: Timestamp) {
        self.site.clock.advance(time.since(self.now()));
    }

    pub async fn call(&self, login: &str) -> Caller {
        self.site.sign_in(login).await
    }

    /// Another program of the installation.
    pub async fn second(&self) -> Arc<App> {
        self.site.second(Arc::clone(&self.site.store)).await
    }

    /// The installation under other rules, once: what works under the earlier ones may do nothing more.
    pub async fn under(&self, pack: &Pack) -> Arc<App> {
        crate::adoption::under(&self.site, self.institution, pack).await
    }

    pub async fn enter(&self, register: &str) -> ObjectId {
        let ops = self.call("ops").await;
        self.app().add_entry(&ops, register, &form(&[("what", "異常なし")])).await.unwrap()
    }

    pub async fn publish(&self, code: &str, seen: u64, effective: &str) -> Result<()> {
        let ops = self.call("ops").await;
        self.app().publish_document(&ops, code, seen, &document(effective)).await
    }

    pub async fn state_that(&self, holds: bool) -> ObjectId {
        let ops = self.call("ops").await;
        let new = NewStatement {
            holds,
            statement: "鍵をかけている".to_owned(),
            evidence: "写真".to_owned(),
            files: Vec::new(),
        };
        self.app().attest(&ops, "door-locked", &new).await.unwrap()
    }

    /// How a clause stands: its state, and the English words of its answers.
    pub async fn clause(&self, id: &str) -> (State, Vec<String>) {
        clause_of(self.app(), &self.site.operator(), id).await
    }

    pub async fn finds(&self, check: &str) -> Finding {
        finds(self.app(), &self.site.operator(), check).await
    }

    pub fn appointment(&self, login: &str, role: &str) -> NewAppointment {
        NewAppointment {
            actor: self.actors[login],
            role: role.parse().unwrap(),
            institution: None,
            unit: None,
            system: None,
            from: self.now(),
            until: None,
            deputy: false,
        }
    }

    /// Nothing of what was done is missing from the ledger.
    pub async fn clean(&self) {
        let report = self.app().verify(&|_, _| {}).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
        self.site.store.close().await;
    }
}

pub fn document(effective: &str) -> NewDocument {
    NewDocument {
        label: "第1版".to_owned(),
        effective: effective.to_owned(),
        text: "鍵をかけること".to_owned(),
        file: None,
    }
}

pub async fn clause_of(app: &App, caller: &Caller, id: &str) -> (State, Vec<String>) {
    let states = app.clause_states(caller).await.unwrap();
    let found = states.iter().find(|state| state.id == format!("office.{id}")).unwrap();
    let words = found
        .answers
        .iter()
        .map(|answer| answer.seen.get(mimamori_policy::Language::En).to_owned())
        .collect();
    (found.state, words)
}

pub async fn finds(app: &App, caller: &Caller, check: &str) -> Finding {
    let found = app.measures(caller).await.unwrap();
    found.iter().find(|(measure, _)| measure.check == check).unwrap().1.finding
}

/// Everything that opens within two months of the beginning.
pub fn two_months() -> Window {
    Window { from: START.minus(DAY * 30), until: START.plus(DAY * 60) }
}
