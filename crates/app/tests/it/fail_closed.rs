//! While nothing can be recorded, nothing is answered (invariant 1); and it recovers by itself.
//!
//! The table holds every use case there is: one that is added without a word about what it does
//! then fails a test.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use mimamori_app::{
    App, Caller, CaseFilter, CreateAs, Disposal, ErrorKind, JobEnd, NewAppointment, NewDocument, NewProgram,
    NewStaff, NewStatement, NewTerminal, Origin, Paging, PeopleQuery, Proof, ReviewQuery, TimelineFilter,
    Window,
};
use mimamori_domain::{Action, ActorId, Kind, Result, TerminalId};
use mimamori_fhir::{Handling, SearchQuery};
use mimamori_policy::Language;
use mimamori_store::{EngineOptions, Store};
use mimamori_vault::RootKeyFile;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use crate::cluster::Cluster;
use crate::import::{bundle, patient};
use crate::record_files::{a_file, document, paper};
use crate::support::{Database, On, PASSWORD, START, Site, note, observation, parts};
use crate::town::{Ids, Town};

/// What becomes of a use case while nothing can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It gives personal data, and refuses; afterwards it gives it again.
    Reads,
    /// It changes something, and refuses.
    Changes,
    /// It gives nothing of anybody's record: what it gives instead, and why that may be.
    Gives(&'static str),
    /// It is the subject of tests of its own.
    Elsewhere(&'static str),
}

use Then::{Changes, Elsewhere, Gives, Reads};

const TABLE: &[(&str, Then)] = &[
    ("account", Reads),
    ("accounts", Reads),
    ("accounts_of", Reads),
    ("by_hand_tasks", Reads),
    ("cases", Reads),
    ("inbox", Reads),
    ("attestation", Reads),
    ("attestations", Reads),
    ("calendar_feed", Reads),
    ("clause_states", Reads),
    ("contact_network", Reads),
    ("document", Reads),
    ("documents", Reads),
    ("duties", Reads),
    ("reminders", Reads),
    ("measures", Reads),
    ("around", Reads),
    ("system_status", Reads),
    ("roles", Reads),
    ("explain", Reads),
    ("find_in_emergency", Reads),
    ("history", Reads),
    ("history_and", Reads),
    ("my_people", Reads),
    ("find_in_timeline", Reads),
    ("person", Reads),
    ("person_and", Reads),
    ("person_choices", Reads),
    ("read", Reads),
    ("review", Reads),
    ("review_counts", Reads),
    ("search", Reads),
    ("search_newest", Reads),
    ("search_people", Reads),
    ("timeline", Reads),
    ("record_file", Reads),
    ("binary", Reads),
    ("vread", Reads),
    ("who_looked", Reads),
    ("who_sees", Reads),
    ("acknowledge_document", Changes),
    ("appoint", Changes),
    ("attest", Changes),
    ("calendar_address", Changes),
    ("publish_document", Changes),
    ("revoke_calendar", Changes),
    ("record_job", Changes),
    ("note_job", Changes),
    ("set_mail", Changes),
    ("citizen_accounts", Reads),
    ("held_items", Reads),
    ("own_shared_ids", Elsewhere("shared_ids.rs")),
    ("permitted_people", Elsewhere("shared_ids.rs")),
    ("permit_shared", Elsewhere("shared_ids.rs")),
    ("take_shared", Elsewhere("shared_ids.rs")),
    ("leave_shared", Elsewhere("shared_ids.rs")),
    ("probe_provider", Gives("how many keys the identity provider has")),
    ("provider_sign_out", Gives("an address at the identity provider")),
    ("begin_provider_sign_in", Gives("an address at the identity provider, with random numbers")),
    ("begin_own_link", Gives("the same")),
    ("begin_provider_again", Gives("the same")),
    ("finish_provider", Elsewhere("single_sign_on.rs")),
    ("link_account", Elsewhere("single_sign_on.rs")),
    ("unlink_account", Elsewhere("single_sign_on.rs")),
    ("link_own", Elsewhere("single_sign_on.rs")),
    ("unlink_own", Elsewhere("single_sign_on.rs")),
    ("step_up_by_provider", Elsewhere("single_sign_on.rs")),
    ("seal_emergency_account", Elsewhere("accounts_life.rs")),
    ("review_emergency_use", Elsewhere("accounts_life.rs")),
    ("emergency_notices", Elsewhere("accounts_life.rs")),
    ("emergencies_open", Gives("how many uses of emergency accounts wait for a review")),
    ("look_at_accounts", Reads),
    ("import_accounts", Changes),
    ("set_account_end", Changes),
    ("set_account_sort", Changes),
    ("tidy_accounts", Changes),
    ("set_own_mail", Changes),
    ("remind_by_mail", Elsewhere("reminders.rs")),
    ("tell_emergencies_by_mail", Elsewhere("reminders.rs")),
    ("tell_urgent_notes", Elsewhere("urgent_notes.rs")),
    ("verify_when_due", Elsewhere("jobs.rs")),
    ("client_token", Elsewhere("programs.rs")),
    ("register_program", Changes),
    ("programs", Reads),
    ("revoke_program", Elsewhere("programs.rs")),
    ("recognise", Gives("the pseudonymous id of a terminal, to the program itself")),
    ("register_terminal", Changes),
    ("renew_terminal", Changes),
    ("revoke_terminal", Changes),
    ("terminal_authority", Changes),
    ("terminal_revocations", Gives("serial numbers of certificates, which name nobody")),
    ("terminal_roots", Gives("certificates of the authority for terminals, which name nobody")),
    ("renew_terminal_authority", Elsewhere("terminals.rs")),
    ("retire_terminal_authority", Elsewhere("terminals.rs")),
    ("terminals", Reads),
    ("add_citizen", Changes),
    ("add_consent", Changes),
    ("add_institution", Changes),
    ("add_proxy", Changes),
    ("add_staff", Changes),
    ("add_team_member", Changes),
    ("break_glass", Changes),
    ("confirm", Changes),
    ("create", Changes),
    ("create_together", Changes),
    ("create_with_files", Changes),
    ("update_with_files", Changes),
    ("create_token", Changes),
    ("discard_record", Changes),
    ("end_team_member", Changes),
    ("import_bundle", Changes),
    ("import_lines", Changes),
    ("resume_account", Changes),
    ("revoke_token", Changes),
    ("rotate_index", Changes),
    ("set_password", Changes),
    ("change_own_password", Changes),
    ("issue_staff", Changes),
    ("reissue_password", Elsewhere("credentials.rs")),
    ("report_own_leak", Changes),
    ("suspect_leak", Changes),
    ("unlock_account", Changes),
    ("own_sign_ins", Gives("when the caller signed in and out, to the caller themself")),
    ("actor_named", Gives("the pseudonymous id of a sign-in name, to the operator of the machine")),
    ("second_means", Gives("what finishes a sign-in, to whoever knows the password")),
    ("ledger_mark", Gives("how many entries the ledger has")),
    ("written_since", Gives("pseudonymous ids, to the program itself, of whose records were written to")),
    ("has_news", Gives("whether a page that was shown and recorded is out of date: yes or no")),
    ("recheck_sessions", Gives("nothing; it forgets sessions that ended")),
    ("former", Gives("whose session it was that is over, as a token that only seals for them")),
    ("own_means", Gives("what the caller may show, to the caller themself")),
    ("own_factors", Gives("the caller's own second factors, to the caller themself")),
    ("begin_one_time", Gives("a new secret, to the caller themself; nothing is enrolled by it")),
    ("begun_one_time", Gives("the same secret again, to the caller themself")),
    ("begin_passkey", Gives("a challenge, to the caller themself")),
    ("ask_own_passkey", Gives("a challenge, to the caller themself")),
    ("ask_second_passkey", Gives("a challenge, to whoever knows the password")),
    ("ask_any_passkey", Gives("a challenge for anybody's passkey: it names nobody")),
    ("finish_sign_in", Elsewhere("clauses_identity.rs")),
    ("sign_in_by_passkey", Elsewhere("clauses_identity.rs")),
    ("add_one_time", Elsewhere("clauses_identity.rs")),
    ("add_passkey", Elsewhere("clauses_identity.rs")),
    ("remove_factor", Elsewhere("clauses_identity.rs")),
    ("make_recovery_codes", Elsewhere("clauses_identity.rs")),
    ("report_lost_factor", Elsewhere("clauses_identity.rs")),
    ("replace_factor", Elsewhere("clauses_identity.rs")),
    ("unlock", Elsewhere("clauses_identity.rs")),
    ("step_up", Changes),
    ("lock", Changes),
    ("own_sessions", Reads),
    ("sessions_of", Reads),
    ("end_own_sessions", Changes),
    ("end_sessions_of", Changes),
    ("set_protection", Changes),
    ("set_unit", Changes),
    ("shred", Changes),
    ("sign_in", Changes),
    ("sign_out", Changes),
    ("resume_actor", Changes),
    ("stop_account", Changes),
    ("stop_actor", Changes),
    ("update", Changes),
    ("withdraw", Changes),
    ("withdraw_consent", Changes),
    ("write_refusals", Changes),
    ("checkpoint", Changes),
    ("institution_names", Gives("names of institutions, which are nobody's personal data")),
    ("actors", Gives("names of users, for showing who wrote what another use case has given and recorded")),
    ("caller", Gives("who is signed in, to the program itself")),
    ("caller_from_bearer", Gives("whose token it is, to the program itself")),
    ("institutions", Gives("names of institutions, which are no personal data")),
    ("for_operations", Gives("the caller again, to the program itself")),
    ("ready", Gives("whether the database answers and commits are made")),
    ("verify", Gives("what is wrong, by ids")),
    ("prove", Gives("one entry: pseudonymous and sealed, to the operator of the machine")),
    ("export_ledger", Gives("all entries: pseudonymous and sealed, to the operator of the machine")),
    ("procedures", Gives("which procedures the rules have, and who may begin them: no case")),
    ("attestation_file", Elsewhere("governance_people.rs")),
    ("document_file", Elsewhere("governance_people.rs")),
    ("end_appointment", Elsewhere("governance_people.rs")),
    ("skip_duty", Elsewhere("governance_duties.rs")),
    ("rotate_ring", Elsewhere("key_admin.rs")),
    ("act_on_case", Elsewhere("procedures.rs")),
    ("act_on_case_saying", Elsewhere("procedures.rs")),
    ("begin_case", Elsewhere("procedures.rs")),
    ("carry_out_by_hand", Elsewhere("procedures.rs")),
    ("case", Elsewhere("procedures.rs")),
    ("case_file", Elsewhere("procedures.rs")),
    ("discard_draft", Elsewhere("procedures.rs")),
    ("resubmit_case", Elsewhere("procedures.rs")),
    ("save_draft", Elsewhere("procedures.rs")),
    ("submit_case", Elsewhere("procedures.rs")),
    ("registers", Gives("which registers the rules have, and what the caller may do there: no entry")),
    ("add_entry", Elsewhere("registers.rs")),
    ("add_entry_once", Elsewhere("registers.rs")),
    ("amend_entry", Elsewhere("registers.rs")),
    ("attach_file", Elsewhere("registers.rs")),
    ("entry", Elsewhere("registers.rs")),
    ("entry_choices", Elsewhere("registers.rs")),
    ("entry_file", Elsewhere("registers.rs")),
    ("export_entries", Elsewhere("registers.rs")),
    ("import_entries", Elsewhere("registers.rs")),
    ("notices", Elsewhere("registers.rs")),
    ("register_entries", Elsewhere("registers.rs")),
    ("register_reviews", Elsewhere("registers.rs")),
    ("review_register", Elsewhere("registers.rs")),
    ("strike_entry", Elsewhere("registers.rs")),
    ("install", Elsewhere("every test begins with it")),
    ("stored_pack", Gives("the rules in force, to the program itself when it starts")),
    ("in_force", Gives("the application under the rules in force, to the program itself")),
    ("pack_history", Elsewhere("adoption.rs")),
    ("open", Elsewhere("tamper.rs")),
    ("open_rolled_back", Elsewhere("tamper.rs")),
    ("new_epoch", Elsewhere("tamper.rs")),
    // Last: nobody is used any more after it.
    ("close_account", Changes),
];

/// Every `pub async fn` of the application, as its source says.
fn use_cases(folder: &Path, found: &mut BTreeSet<String>) {
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            use_cases(&path, found);
        } else {
            let source = std::fs::read_to_string(&path).unwrap();
            let mut in_app = false;
            for line in source.lines() {
                match line {
                    "impl App {" => in_app = true,
                    "}" => in_app = false,
                    _ => {}
                }
                if let Some(rest) = line.strip_prefix("    pub async fn ").filter(|_| in_app) {
                    let name = rest.split(['(', '<']).next().unwrap();
                    assert!(found.insert(name.to_owned()), "{name} is there twice");
                }
            }
        }
    }
}

#[test]
fn every_use_case_is_in_the_table() {
    let mut written = BTreeSet::new();
    use_cases(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut written);
    let listed: BTreeSet<String> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), TABLE.len(), "a name is there twice");
    let missing: Vec<_> = written.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&written).collect();
    assert!(missing.is_empty(), "say in TABLE what these do while nothing can be recorded: {missing:?}");
    assert!(gone.is_empty(), "these are no more: {gone:?}");
}

/// Those who ask, signed in while that was possible.
struct Asking {
    hana: Caller,
    jiro: Caller,
    kansa: Caller,
    haru: Caller,
    operator: Caller,
    program: ActorId,
    stopped: ActorId,
    draft: mimamori_domain::ObjectId,
    /// A document and its file.
    paper: (mimamori_domain::ObjectId, mimamori_domain::ObjectId),
    /// The address of a calendar.
    calendar: String,
    root: RootKeyFile,
    terminal: TerminalId,
}

impl Asking {
    async fn new(town: &Town) -> Self {
        let (app, ids) = (&town.site.app, town.ids);
        let operator = town.site.operator();
        let hana = town.caller("hana").await;
        let scopes = ["Observation.read".to_owned()];
        let token = app.create_token(&operator, "検査システム", ids.hospital, &scopes, 30).await.unwrap();
        let program = app.caller_from_bearer(&token, &Origin::default()).await.unwrap().actor_id();
        let stopped = app.add_citizen(&operator, "fuyu", "山田 冬", PASSWORD, None).await.unwrap();
        app.stop_actor(&operator, stopped, "調査のため").await.unwrap();
        let draft = app.create(&hana, note(ids.subject, "下書き").into(), CreateAs::Draft).await.unwrap().id;
        let paper = paper(app, &hana, ids.subject, CreateAs::Confirmed).await;
        // To be acknowledged by every member of staff.
        app.publish_document(&operator, "security-policy", 0, &policy()).await.unwrap();
        let terminal = app.register_terminal(&operator, &terminal()).await.unwrap().terminal;
        let calendar = app.calendar_address(&town.caller("kansa").await).await.unwrap();
        Self {
            calendar,
            terminal,
            jiro: town.caller("jiro").await,
            kansa: town.caller("kansa").await,
            haru: town.caller("haru").await,
            hana,
            operator,
            paper,
            program,
            stopped,
            draft,
            root: RootKeyFile::open(&town.site.folder.path().join("root.key")).unwrap(),
        }
    }
}

fn terminal() -> NewTerminal {
    NewTerminal { name: "病棟1".to_owned(), place: "2階".to_owned(), ..NewTerminal::default() }
}

fn policy() -> NewDocument {
    NewDocument {
        label: "第1版".to_owned(),
        effective: "2026-11-21".to_owned(),
        text: "方針".to_owned(),
        file: None,
    }
}

/// Carries one use case out, as somebody who may.
async fn ask(app: &App, asking: &Asking, ids: Ids, name: &str) -> Result<()> {
    let Asking {
        hana,
        paper,
        jiro,
        kansa,
        haru,
        operator,
        program,
        stopped,
        draft,
        calendar,
        root,
        terminal: known,
    } = asking;
    let (observed, communicated) = (Kind::of("Observation"), Kind::of("Communication"));
    let window = Window { from: START, until: START.plus(std::time::Duration::from_secs(3600)) };
    let all = Paging::default();
    match name {
        "account" => app.account(operator, ids.aki).await.map(drop),
        "accounts" => app.accounts(operator).await.map(drop),
        "accounts_of" => app.accounts_of(operator, ids.hospital).await.map(drop),
        "attestation" => app.attestation(kansa, "rights-reviewed").await.map(drop),
        "attestations" => app.attestations(kansa).await.map(drop),
        "calendar_feed" => app.calendar_feed(calendar, &Origin::default(), Language::Ja).await.map(drop),
        "clause_states" => app.clause_states(kansa).await.map(drop),
        "contact_network" => app.contact_network(hana).await.map(drop),
        "document" => app.document(hana, "security-policy").await.map(drop),
        "documents" => app.documents(hana).await.map(drop),
        "duties" => app.duties(kansa, window).await.map(drop),
        "reminders" => app.reminders(hana).await.map(drop),
        "around" => app.around(hana, ids.subject).await.map(drop),
        "system_status" => app.system_status(kansa).await.map(drop),
        "measures" => app.measures(kansa).await.map(drop),
        "roles" => app.roles(kansa).await.map(drop),
        "acknowledge_document" => app.acknowledge_document(hana, "security-policy", 1).await,
        "appoint" => {
            let new = NewAppointment {
                actor: ids.hana,
                role: "help-desk".parse().unwrap(),
                institution: None,
                unit: None,
                system: None,
                from: START,
                until: None,
                deputy: false,
            };
            app.appoint(operator, &new).await.map(drop)
        }
        "attest" => {
            let new = NewStatement {
                holds: true,
                statement: "見直した".to_owned(),
                evidence: "一覧".to_owned(),
                files: Vec::new(),
            };
            app.attest(operator, "rights-reviewed", &new).await.map(drop)
        }
        "record_job" => app.record_job("clock", JobEnd::Done).await,
        "note_job" => app.note_job("checkpoint", JobEnd::Done).await,
        "set_mail" => app.set_mail(operator, ids.hana, "hana@example.jp").await,
        "citizen_accounts" => app.citizen_accounts(operator, None).await.map(drop),
        "held_items" => app.held_items(operator, ids.hana).await.map(drop),
        "look_at_accounts" | "import_accounts" => {
            let table = "login,name,institution\nshinjin,新人,見守り病院\n".as_bytes();
            let csv = mimamori_app::TableFormat::Csv;
            if name == "look_at_accounts" {
                app.look_at_accounts(operator, table, csv).await.map(drop)
            } else {
                app.import_accounts(operator, table, csv).await.map(drop)
            }
        }
        "set_account_end" => {
            let ends = app.clock().now().plus(std::time::Duration::from_secs(86_400));
            app.set_account_end(operator, ids.aki, Some(ends), "任期の終わり").await
        }
        "set_account_sort" => {
            app.set_account_sort(operator, ids.aki, mimamori_app::AccountSort::Development, "開発").await
        }
        "tidy_accounts" => app.tidy_accounts().await.map(drop),
        "close_account" => app.close_account(operator, *stopped, "退職").await,
        "set_own_mail" => app.set_own_mail(hana, "hana@example.jp").await,
        "calendar_address" => app.calendar_address(hana).await.map(drop),
        "publish_document" => app.publish_document(operator, "security-policy", 1, &policy()).await,
        "revoke_calendar" => app.revoke_calendar(hana).await,
        "register_program" => {
            let new = NewProgram {
                name: "検査システム".to_owned(),
                institution: ids.hospital,
                scopes: vec!["system/Observation.rs".to_owned()],
                jwks: None,
                terminal: Some(*known),
            };
            app.register_program(operator, &new).await.map(drop)
        }
        "programs" => app.programs(operator).await.map(drop),
        "register_terminal" => app.register_terminal(operator, &terminal()).await.map(drop),
        "renew_terminal" => app.renew_terminal(operator, *known).await.map(drop),
        "revoke_terminal" => app.revoke_terminal(operator, *known, "紛失").await,
        "terminal_authority" => app.terminal_authority(operator).await.map(drop),
        "terminals" => app.terminals(operator).await.map(drop),
        "by_hand_tasks" => app.by_hand_tasks(kansa).await.map(drop),
        "cases" => app.cases(kansa, &CaseFilter::default()).await.map(drop),
        "inbox" => app.inbox(hana).await.map(drop),
        "explain" => {
            let class = "note".parse().unwrap();
            app.explain(
                kansa,
                "jiro",
                ids.subject,
                Action::Read,
                class,
                ids.hospital,
                &Origin::default(),
                Language::Ja,
            )
            .await
            .map(drop)
        }
        "find_in_emergency" => {
            let query = PeopleQuery {
                name: Some("佐藤 一郎".to_owned()),
                birth_date: Some("1940-05-06".to_owned()),
                ..PeopleQuery::default()
            };
            app.find_in_emergency(jiro, &query).await.map(drop)
        }
        "history" => app.history(hana, &observed, ids.observation).await.map(drop),
        "history_and" => {
            app.history_and(hana, &observed, ids.observation, |_| std::future::ready(())).await.map(drop)
        }
        "my_people" => app.my_people(jiro, &all).await.map(drop),
        "person" => app.person(haru, ids.subject).await.map(drop),
        "person_and" => app.person_and(haru, ids.subject, std::future::ready(())).await.map(drop),
        "person_choices" => app.person_choices(hana).await.map(drop),
        "read" => app.read(jiro, &observed, ids.observation).await.map(drop),
        "review" => {
            let query = ReviewQuery { subject: None, actor: Some(ids.hana), institution: None, window };
            app.review(kansa, &query, &all).await.map(drop)
        }
        "review_counts" => app.review_counts(kansa, &[window], &Paging::default()).await.map(drop),
        "search" => {
            let asked = [("patient".to_owned(), ids.subject.to_string())];
            let query = SearchQuery::parse("Observation", &asked, Handling::Strict).unwrap();
            app.search(jiro, &query, &all).await.map(drop)
        }
        "search_newest" => {
            let asked = [("patient".to_owned(), ids.subject.to_string())];
            let query = SearchQuery::parse("Observation", &asked, Handling::Strict).unwrap();
            app.search_newest(jiro, &query).await.map(drop)
        }
        "search_people" => {
            let query = PeopleQuery { name: Some("山田".to_owned()), ..PeopleQuery::default() };
            app.search_people(hana, &query, &all).await.map(drop)
        }
        "find_in_timeline" => {
            app.find_in_timeline(hana, ids.subject, "熱", &TimelineFilter::default(), &all).await.map(drop)
        }
        "timeline" => app.timeline(hana, ids.subject, &TimelineFilter::default(), &all).await.map(drop),
        "vread" => app.vread(hana, &observed, ids.observation, 1).await.map(drop),
        "who_looked" => app.who_looked(haru, ids.subject, window, &all).await.map(drop),
        "who_sees" => app.who_sees(haru, ids.subject, &"note".parse().unwrap()).await.map(drop),
        "add_citizen" => app.add_citizen(operator, "natsu", "鈴木 夏", PASSWORD, None).await.map(drop),
        "add_consent" => app.add_consent(hana, ids.subject, false, None, None).await.map(drop),
        "add_institution" => {
            let organization = r#"{"resourceType":"Organization","active":true,"name":"あおば薬局"}"#;
            app.add_institution(operator, organization).await.map(drop)
        }
        "add_proxy" => app.add_proxy(operator, ids.other, ids.aki, None).await,
        "add_staff" => {
            let staff = NewStaff {
                login: "saburo".to_owned(),
                name: "三郎".to_owned(),
                kana: None,
                occupation: None,
                institution: Some(ids.clinic),
                roles: Vec::new(),
                password: PASSWORD.to_owned(),
            };
            app.add_staff(operator, &staff).await.map(drop)
        }
        "add_team_member" => app.add_team_member(hana, ids.other, Some(ids.jiro), None).await,
        "break_glass" => app.break_glass(jiro, ids.other, "意識がない").await.map(drop),
        "confirm" => app.confirm(hana, &communicated, *draft, 1).await.map(drop),
        "create" => {
            app.create(hana, observation(ids.subject, "36.1").into(), CreateAs::Confirmed).await.map(drop)
        }
        "create_together" => {
            let all = ["36.2", "36.3"].map(|value| observation(ids.subject, value).into());
            app.create_together(hana, &all, CreateAs::Confirmed).await.map(drop)
        }
        "create_with_files" => {
            let file = a_file(app);
            let record = document(ids.subject, &[&file]);
            app.create_with_files(hana, record, &[file], CreateAs::Confirmed).await.map(drop)
        }
        "update_with_files" => {
            let file = a_file(app);
            let record = document(ids.subject, &[&file]);
            let kind = Kind::of("DocumentReference");
            app.update_with_files(hana, &kind, paper.0, record, &[file], 1).await.map(drop)
        }
        "record_file" => {
            app.record_file(jiro, &Kind::of("DocumentReference"), paper.0, paper.1).await.map(drop)
        }
        "binary" => app.binary(jiro, paper.1).await.map(drop),
        "create_token" => {
            let scopes = ["*.read".to_owned()];
            app.create_token(operator, "連携", ids.hospital, &scopes, 1).await.map(drop)
        }
        "discard_record" => app.discard_record(hana, &communicated, *draft, 1).await.map(drop),
        "end_team_member" => app.end_team_member(operator, ids.subject, Some(ids.jiro), None).await,
        "import_bundle" => {
            let person = patient("p", "12345678", "田中", "実", "1950-01-01");
            let file = bundle("transaction", &[("urn:uuid:11111111-1111-4111-8111-111111111111", person)]);
            app.import_bundle(operator, ids.hospital, file).await.map(drop)
        }
        "import_lines" => {
            let lines =
                [bytes::Bytes::from(patient("q", "87654321", "中田", "稔", "1951-01-01").to_string())];
            app.import_lines(operator, ids.hospital, &lines).await.map(drop)
        }
        "resume_account" => app.resume_account(operator, "aki").await,
        "set_unit" => app.set_unit(operator, "aki", None).await,
        "revoke_token" => app.revoke_token(operator, *program).await,
        "rotate_index" => app.rotate_index(operator).await.map(drop),
        "change_own_password" => app.change_own_password(hana, PASSWORD, "midori-densha-ga-hashi-7").await,
        "issue_staff" => {
            let staff = NewStaff {
                login: "aratani".to_owned(),
                name: "新谷".to_owned(),
                kana: None,
                occupation: None,
                institution: Some(ids.hospital),
                roles: Vec::new(),
                password: String::new(),
            };
            app.issue_staff(operator, &staff).await.map(drop)
        }
        "report_own_leak" => app.report_own_leak(hana).await,
        "suspect_leak" => app.suspect_leak(operator, ids.aki, "紛失").await,
        "unlock_account" => app.unlock_account(operator, ids.aki).await,
        "set_password" => app.set_password(operator, "aki", PASSWORD).await,
        "set_protection" => app.set_protection(operator, ids.subject, true).await,
        "shred" => {
            let disposal = Disposal {
                subject: ids.other,
                class: "vital-signs".parse().unwrap(),
                month: "2026-11".to_owned(),
                reason: "保存期間が過ぎた".to_owned(),
            };
            app.shred(operator, root, &disposal, false).await.map(drop)
        }
        "sign_in" => app.sign_in("hana", PASSWORD, &Origin::default()).await.map(drop),
        "sign_out" => app.sign_out(haru).await,
        "step_up" => app.step_up(kansa, &Proof::Password(PASSWORD.to_owned())).await.map(drop),
        "lock" => app.lock(jiro).await,
        "own_sessions" => app.own_sessions(kansa).await.map(drop),
        "sessions_of" => app.sessions_of(operator, ids.aki).await.map(drop),
        "end_own_sessions" => app.end_own_sessions(kansa, None).await,
        "end_sessions_of" => app.end_sessions_of(operator, ids.aki, None).await,
        "resume_actor" => app.resume_actor(operator, *stopped, "調査が終わった").await,
        "stop_actor" => app.stop_actor(operator, ids.aki, "調査のため").await,
        "stop_account" => app.stop_account(operator, "aki", "調査のため").await,
        "update" => {
            let amended = note(ids.subject, "よく眠れなかった");
            app.update(hana, &communicated, ids.note, amended.into(), 1).await.map(drop)
        }
        "withdraw" => app.withdraw(hana, &communicated, ids.note, 1, "取り違え").await.map(drop),
        "withdraw_consent" => app.withdraw_consent(operator, ids.subject, ids.consent).await,
        "write_refusals" => {
            app.refused_before_sign_in(&Origin::default(), "sign-in-failed");
            app.write_refusals().await
        }
        "checkpoint" => app.checkpoint().await.map(drop),
        other => panic!("{other} is never carried out"),
    }
}

/// Every use case refuses, and says no more than that it cannot answer now.
async fn all_refuse(app: &App, asking: &Asking, ids: Ids) {
    // Several at a time: each waits out the patience of the store.
    let asked = TABLE.iter().filter(|(_, then)| matches!(then, Reads | Changes));
    let asked = futures::stream::iter(asked).map(async |(name, _)| (name, ask(app, asking, ids, name).await));
    let mut answers = std::pin::pin!(asked.buffer_unordered(16));
    while let Some((name, answer)) = answers.next().await {
        let error = answer.err().unwrap_or_else(|| panic!("{name} was done, unrecorded"));
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Busy), "{name}: {error}");
        for content in ["山田", "花", "36.", "よく", "下書き"] {
            assert!(!format!("{error:?} {error}").contains(content), "{name}: {error:?}");
        }
    }
    // Nor is anybody told that they may not, without that being recorded.
    let refused = app.read(&asking.jiro, &Kind::of("Observation"), ids.of_other).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    // A balancer learns of it.
    assert_eq!(app.ready().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Asks until it is answered; connections may have to be made anew first.
async fn again(app: &App, asking: &Asking, ids: Ids, name: &str) {
    for _ in 0..50 {
        match ask(app, asking, ids, name).await {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    panic!("{name}: it does not recover");
}

/// What reads, reads again.
async fn all_recover(app: &App, asking: &Asking, ids: Ids) {
    // Without any request, an instance finds out that it can answer again.
    for _ in 0..50 {
        if app.ready().await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    app.ready().await.unwrap();
    for (name, then) in TABLE {
        if *then == Reads {
            again(app, asking, ids, name).await;
        }
    }
    again(app, asking, ids, "write_refusals").await;
    again(app, asking, ids, "create").await;
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

/// Somebody else's lock on a SQLite file.
pub async fn lock(database: &Database) -> SqliteConnection {
    let Database::Sqlite(path) = database else { panic!("SQLite only") };
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    connection.execute("BEGIN IMMEDIATE").await.unwrap();
    connection
}

#[tokio::test]
async fn a_locked_file_refuses_everything_and_recovers() {
    let town = Town::new(On::Sqlite).await;
    let asking = Asking::new(&town).await;
    // A program that does not wait long for the lock, and has answered before.
    let store =
        town.site.database.open_patiently(&town.site.clock, std::time::Duration::from_millis(100)).await;
    let app = town.site.second(Arc::clone(&store)).await;
    all_recover(&app, &asking, town.ids).await;
    let before = store.head().await.unwrap();
    let mut other = lock(&town.site.database).await;
    all_refuse(&app, &asking, town.ids).await;
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.head().await.unwrap(), before);
    all_recover(&app, &asking, town.ids).await;

    // The same with nothing in memory.
    let app = town.site.second(Arc::clone(&store)).await;
    let mut other = lock(&town.site.database).await;
    all_refuse(&app, &asking, town.ids).await;
    other.execute("ROLLBACK").await.unwrap();
    all_recover(&app, &asking, town.ids).await;
    store.close().await;
    town.site.store.close().await;
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let town = Town::new(On::Sqlite).await;
    let Database::Sqlite(path) = &town.site.database else { panic!("SQLite only") };
    let clock: Arc<dyn mimamori_domain::Clock> = Arc::clone(&town.site.clock) as _;
    let engine = EngineOptions::new(clock, mimamori_domain::InstanceId::random());
    let options = mimamori_store_sqlite::SqliteOptions::new(engine);
    let store = Arc::new(mimamori_store_sqlite::open(path.to_str().unwrap(), options).await.unwrap());
    let app = town.site.second(Arc::clone(&store) as Arc<dyn Store>).await;
    let hana = town.caller("hana").await;
    let read = async || app.read(&hana, &Kind::of("Observation"), town.ids.observation).await;
    // No page may be added: what is left of those there are is soon used up.
    store.driver().limit_pages(Some(1));
    let mut refused = None;
    for _ in 0..1_000 {
        refused = read().await.err();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused.unwrap().kind(), ErrorKind::Unavailable);
    assert_eq!(read().await.unwrap_err().kind(), ErrorKind::Unavailable);
    store.driver().limit_pages(None);
    read().await.unwrap();
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    store.close().await;
    town.site.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_out_of_space_or_stopped_refuses_everything_and_recovers() {
    let mut cluster = Cluster::start("-c fsync=off");
    let database = Database::Postgres(cluster.url(&cluster.create().await));
    let folder = tempfile::TempDir::new().unwrap();
    let town = Town::at(Site::at(folder, database).await).await;
    let asking = Asking::new(&town).await;
    let (app, ids) = (&town.site.app, town.ids);
    let before = town.site.store.head().await.unwrap();

    // As when the disk of the ledger is full (SQLSTATE 53100).
    town.site
        .database
        .run(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER full_disk BEFORE INSERT ON ledger_entry EXECUTE FUNCTION full_disk()",
        )
        .await
        .unwrap();
    let recorded: Vec<_> = TABLE.iter().filter(|(name, _)| *name != "checkpoint").collect();
    for (name, then) in recorded {
        if matches!(then, Reads | Changes) {
            let error = ask(app, &asking, ids, name).await.err().unwrap_or_else(|| panic!("{name} was done"));
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Busy), "{name}: {error}");
        }
    }
    town.site.database.run("DROP TRIGGER full_disk ON ledger_entry").await.unwrap();
    assert_eq!(town.site.store.head().await.unwrap(), before);
    all_recover(app, &asking, ids).await;

    cluster.crash();
    all_refuse(app, &asking, ids).await;
    assert_eq!(app.ready().await.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.run();
    all_recover(app, &asking, ids).await;
    town.site.store.close().await;
}

/// A program that signed a log which is no longer there answers nothing.
#[tokio::test]
async fn a_halted_program_refuses_everything() {
    let town = Town::new(On::Sqlite).await;
    let asking = Asking::new(&town).await;
    let app = &town.site.app;
    town.site.clock.advance(std::time::Duration::from_secs(60));
    app.checkpoint().await.unwrap();
    town.site.database.drop_triggers().await;
    // One entry less than was signed, with a head that agrees.
    let head = town.site.store.head().await.unwrap().unwrap();
    let args = vec![0_u32.into(), 0_i64.into(), (head.size - 1).into(), 100_000_i64.into()];
    let rows = town.site.store.query(&mimamori_store::statements::ledger::ENTRIES, args).await.unwrap();
    let mut frontier = mimamori_ledger::Frontier::new();
    rows.iter().for_each(|row| frontier.push(mimamori_ledger::leaf_hash(row.blob(1).unwrap())));
    let bytes = town.site.database.blob(&frontier.to_bytes());
    let size = frontier.size();
    let sql = format!(
        "DELETE FROM ledger_entry WHERE sequence >= {size}; UPDATE ledger_head SET size = {size}, frontier = {bytes}"
    );
    town.site.database.run(&sql).await.unwrap();
    assert_eq!(app.checkpoint().await.unwrap_err().kind(), ErrorKind::Unavailable);
    all_refuse(app, &asking, town.ids).await;
    let again = parts(&town.site.folder, Arc::clone(&town.site.store), Arc::clone(&town.site.clock));
    assert!(App::open(again).await.is_err());
    town.site.store.close().await;
}
