//! A pack of its own with small procedures, and the office that works under it.

use std::collections::BTreeMap;
use std::sync::Arc;

use mimamori_app::{Act, App, Caller, CaseStage, ErrorKind, Typed};
use mimamori_domain::{ActorId, InstitutionId, ManualClock, ObjectId, Result};
use mimamori_policy::Pack;
use mimamori_vault::{Ring, RootKeyFile};
use tempfile::TempDir;

use crate::support::{Database, On, START, Site, parts};

const PACK: &str = "\
id: small
extends: base
ja: \"小さな規程\"
en: \"Small rules\"
languages: [ja, en]
catalogues: []
parameters: [{key: second-factor.required-of, value: nobody}, {key: session.most-per-account, value: 20}]
";
const ROLES: &str = "\
roles:
  - {code: board-member, ja: \"委員\", en: \"board member\", scope: installation, appointed-by: [ciso], committee: true}
";
const REGISTERS: &str = "\
registers:
  - code: granted
    ja: \"許可台帳\"
    en: \"Granted\"
    keeper: [operations-manager]
    title: [what]
    fields:
      - {code: what, ja: \"件名\", en: \"what\", type: text, required: true}
      - {code: kind, ja: \"種類\", en: \"kind\", type: text}
      - {code: decided, ja: \"決定日\", en: \"decided\", type: date}
      - {code: by, ja: \"決定者\", en: \"by\", type: person}
      - {code: result, ja: \"結果\", en: \"result\", type: text}
";
const PROCEDURES: &str = "\
procedures:
  - code: leave
    ja: \"持ち出し\"
    en: \"Taking out\"
    kind: application
    applicants: [anyone]
    fields:
      - {code: what, ja: \"件名\", en: \"what\", type: text, required: true}
      - {code: kind, ja: \"種類\", en: \"kind\", type: choice, required: true, choices: [{code: plain, ja: \"普通\", en: \"plain\"}, {code: secret, ja: \"重要\", en: \"secret\"}]}
    steps:
      - {code: check, ja: \"確認\", en: \"check\", kind: review, by: [facility-manager], of: applicant-institution, passes-to: [operations-manager], deadline: P7D}
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager], delegates: [help-desk], deadline: P3D}
      - {code: highest, ja: \"最終決定\", en: \"last decision\", kind: approve, by: [ciso], when: {field: kind, is: [secret]}}
      - {code: work, ja: \"作業\", en: \"work\", kind: carry-out, by: [key-manager], to: [applicant], fields: [{code: result, ja: \"結果\", en: \"result\", type: text, required: true}]}
    effects:
      - {do: permit-disposal, with: {asset: what}}
    records: {register: granted, fields: {what: what, kind: kind, decided: decided-on, by: decided-by, result: work.result}}
  - code: stop
    ja: \"利用停止\"
    en: \"Stopping an account\"
    kind: application
    applicants: [facility-manager]
    fields: [{code: account, ja: \"利用者\", en: \"user\", type: person, required: true}]
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager]}
    emergency: {by: [privacy-officer], report-within: P1D}
    effects: [{do: stop-account, with: {account: account}}]
  - code: resume
    ja: \"利用再開\"
    en: \"Resuming an account\"
    kind: application
    applicants: [facility-manager]
    fields: [{code: account, ja: \"利用者\", en: \"user\", type: person, required: true}]
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager]}
    effects: [{do: resume-account, with: {account: account}}]
  - code: post
    ja: \"任命\"
    en: \"Appointment\"
    kind: application
    applicants: [anyone]
    fields:
      - {code: person, ja: \"人\", en: \"person\", type: person, required: true}
      - {code: role, ja: \"役割\", en: \"role\", type: choice, required: true, choices-from: roles}
      - {code: until, ja: \"まで\", en: \"until\", type: date}
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager]}
    effects: [{do: appoint, with: {person: person, role: role, until: until}}]
  - code: unpost
    ja: \"解任\"
    en: \"End of an appointment\"
    kind: application
    applicants: [anyone]
    fields:
      - {code: person, ja: \"人\", en: \"person\", type: person, required: true}
      - {code: role, ja: \"役割\", en: \"role\", type: choice, required: true, choices-from: roles}
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager]}
    effects: [{do: end-appointment, with: {person: person, role: role}}]
  - code: board
    ja: \"委員会\"
    en: \"Board\"
    kind: application
    applicants: [anyone]
    fields:
      - {code: what, ja: \"件名\", en: \"what\", type: text, required: true}
      - {code: paper, ja: \"資料\", en: \"paper\", type: file}
    steps:
      - {code: vote, ja: \"議決\", en: \"vote\", kind: approve, by: [board-member], rule: committee, committee: {least: 3, majority: half}}
  - code: late
    ja: \"後からの確認\"
    en: \"Late look\"
    kind: application
    applicants: [anyone]
    fields: [{code: account, ja: \"利用者\", en: \"user\", type: person, required: true}]
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager]}
      - {code: look, ja: \"確認\", en: \"look\", kind: review, by: [ciso], fields: [{code: proof, ja: \"資料\", en: \"proof\", type: file}]}
      - {code: board, ja: \"委員会\", en: \"board\", kind: carry-out, by: [board-member], rule: committee, committee: {least: 2, majority: all}}
    effects: [{do: stop-account, with: {account: account}}]
  - code: both
    ja: \"合議\"
    en: \"Both\"
    kind: application
    applicants: [anyone]
    fields: [{code: what, ja: \"件名\", en: \"what\", type: text, required: true}]
    steps:
      - {code: agree, ja: \"承認\", en: \"approval\", kind: approve, by: [operations-manager, privacy-officer], rule: all}
  - code: ruling
    ja: \"決裁\"
    en: \"Ruling\"
    kind: decision
    fields: [{code: what, ja: \"件名\", en: \"what\", type: text, required: true}]
    steps:
      - {code: draft, ja: \"起案\", en: \"draft\", kind: review, by: [operations-manager]}
      - {code: final, ja: \"決定\", en: \"decision\", kind: approve, by: [operations-manager, ciso]}
";

/// The base pack with these files beside it, as one pack.
pub(super) fn small() -> Arc<Pack> {
    static PACK_ONCE: std::sync::OnceLock<Arc<Pack>> = std::sync::OnceLock::new();
    let files = [
        ("pack.yaml", PACK),
        ("roles.yaml", ROLES),
        ("registers/granted.yaml", REGISTERS),
        ("procedures/all.yaml", PROCEDURES),
    ];
    let load = || {
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let pack = Pack::from_files(files.collect()).unwrap_or_else(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        });
        Arc::new(pack)
    };
    Arc::clone(PACK_ONCE.get_or_init(load))
}

/// An installation under a pack.
pub async fn site_under(on: On, pack: Arc<Pack>) -> Site {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(on, &folder).await;
    site_in(folder, database, pack).await
}

/// A new installation under a pack, in an empty database.
pub async fn site_in(folder: TempDir, database: Database, pack: Arc<Pack>) -> Site {
    let root = RootKeyFile::create(&folder.path().join("root.key")).unwrap();
    Ring::create(&folder.path().join("ring"), &root, START).unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let store = database.open(&clock).await;
    let made = || {
        let mut made = parts(&folder, Arc::clone(&store), Arc::clone(&clock));
        made.pack = Arc::clone(&pack);
        made
    };
    App::install(&made(), "test.example").await.unwrap();
    let app = App::open(made()).await.unwrap();
    app.hash_lightly(true).unwrap();
    Site { folder, database, clock, store, app }
}

/// Everybody of the small office, by sign-in name.
const PEOPLE: &[(&str, &[&str])] = &[
    ("plain", &[]),
    ("other", &[]),
    ("chief", &["facility-manager"]),
    ("ops", &["operations-manager"]),
    ("ops-two", &["operations-manager"]),
    ("top", &["ciso"]),
    ("desk", &["help-desk"]),
    ("keys", &["key-manager"]),
    ("privacy", &["privacy-officer"]),
    ("board-a", &["board-member"]),
    ("board-b", &["board-member"]),
    ("board-c", &["board-member"]),
    ("board-d", &["board-member"]),
];

pub(super) struct Office {
    pub(super) site: Site,
    pub(super) actors: BTreeMap<&'static str, ActorId>,
    /// Where `strange-chief` works and is facility manager.
    pub(super) elsewhere: InstitutionId,
}

impl Office {
    /// The office with those of [`PEOPLE`] who are wanted.
    pub(super) async fn with(on: On, wanted: &[&str]) -> Self {
        let site = site_under(on, small()).await;
        let here = site.institution("見守り病院").await;
        let elsewhere = site.institution("みどり診療所").await;
        let mut actors = BTreeMap::new();
        for (login, roles) in PEOPLE.iter().filter(|(login, _)| wanted.contains(login)) {
            actors.insert(*login, site.staff(login, None, here, roles).await);
        }
        Self { site, actors, elsewhere }
    }

    pub(super) fn app(&self) -> &App {
        &self.site.app
    }

    pub(super) async fn call(&self, login: &str) -> Caller {
        self.site.sign_in(login).await
    }

    pub(super) async fn begin(&self, login: &str, procedure: &str, typed: &[(&str, &str)]) -> ObjectId {
        let caller = self.call(login).await;
        self.app().begin_case(&caller, procedure, &form(typed), false).await.unwrap()
    }

    pub(super) async fn version(&self, applicant: &str, case: ObjectId) -> u64 {
        self.app().case(&self.call(applicant).await, case).await.unwrap().version
    }

    /// Acts as somebody on the version that the applicant sees now.
    pub(super) async fn act(&self, login: &str, applicant: &str, case: ObjectId, act: Act) -> Result<()> {
        self.fill(login, applicant, case, act, &[]).await
    }

    pub(super) async fn fill(
        &self,
        login: &str,
        applicant: &str,
        case: ObjectId,
        act: Act,
        typed: &[(&str, &str)],
    ) -> Result<()> {
        let seen = self.version(applicant, case).await;
        self.app().act_on_case(&self.call(login).await, case, seen, &act, &form(typed)).await
    }

    pub(super) async fn stage(&self, applicant: &str, case: ObjectId) -> CaseStage {
        self.app().case(&self.call(applicant).await, case).await.unwrap().stage
    }

    pub(super) async fn clean(&self) {
        let report = self.app().verify(&|_, _| {}).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
}

pub fn form(values: &[(&str, &str)]) -> Typed {
    let mut typed = Typed::new();
    for (code, text) in values {
        typed.entry((*code).to_owned()).or_default().push((*text).to_owned());
    }
    typed
}

pub(super) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

pub(super) fn why(reason: &str) -> String {
    reason.to_owned()
}
