//! What an administrator of the database could change behind the program's back: `verify` finds it
//! and names it, and nothing false comes out meanwhile.

use mimamori_app::{App, ErrorKind, Origin, Paging};
use mimamori_domain::{Kind, ObjectId, Timestamp};
use mimamori_ledger::{Frontier, leaf_hash};
use mimamori_store::statements::ledger;
use mimamori_store::{ObjectVersion, Store};
use tempfile::TempDir;

use crate::support::{Database, On, PASSWORD, Site, parts, version_of};
use crate::town::{Ids, Town};

pub const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

/// The town with nobody in it any more: what the cases are copies of.
struct Base {
    folder: TempDir,
    database: Database,
    ids: Ids,
    /// Number of entries that a checkpoint was signed for.
    signed: u64,
    now: Timestamp,
}

/// One case's own copy, opened.
struct Copy {
    site: Site,
    ids: Ids,
    signed: u64,
}

impl Base {
    async fn new(on: On) -> Self {
        let town = Town::new(on).await;
        // The last entry that is signed stands alone: nothing committed to anything there.
        let hana = town.caller("hana").await;
        town.site.app.read(&hana, &Kind::of("Observation"), town.ids.observation).await.unwrap();
        let signed = close(town.site).await;
        Self {
            ids: town.ids,
            signed: signed.size,
            folder: signed.folder,
            database: signed.database,
            now: signed.now,
        }
    }

    async fn copy(&self) -> Copy {
        let folder = TempDir::new().unwrap();
        copy_files(&self.folder, &folder);
        let database = self.database.copy(&folder).await;
        let site = Site::reopen(folder, database, self.now).await.map_err(|(error, _)| error).unwrap();
        site.database.drop_triggers().await;
        Copy { site, ids: self.ids, signed: self.signed }
    }
}

pub struct Closed {
    pub folder: TempDir,
    pub database: Database,
    pub size: u64,
    pub now: Timestamp,
}

/// Signs, and ends the program. The lease of whoever signed before has run out.
pub async fn close(site: Site) -> Closed {
    site.clock.advance(MINUTE);
    site.app.checkpoint().await.unwrap();
    let size = site.store.head().await.unwrap().unwrap().size;
    let now = mimamori_domain::Clock::now(&*site.clock);
    let Site { folder, database, store, app, .. } = site;
    store.close().await;
    drop((app, store));
    Closed { folder, database, size, now }
}

/// Keys and the signer's state, without the database.
fn copy_files(from: &TempDir, to: &TempDir) {
    for file in std::fs::read_dir(from.path()).unwrap() {
        let file = file.unwrap();
        let name = file.file_name();
        if !name.to_string_lossy().starts_with("mimamori.db") {
            std::fs::copy(file.path(), to.path().join(name)).unwrap();
        }
    }
}

impl Copy {
    async fn run(&self, sql: &str) {
        self.site.database.run(sql).await.map_err(|error| format!("{error}: {sql}")).unwrap();
    }

    fn id(&self, id: impl AsRef<[u8]>) -> String {
        self.site.database.blob(id.as_ref())
    }

    async fn version(&self, object: ObjectId, version: u64) -> ObjectVersion {
        version_of(&*self.site.store, object, version).await
    }

    /// Writes a version's body, with the commitment that would belong to it where asked.
    async fn put_body(&self, version: &ObjectVersion, with_commitment: bool) {
        let database = &self.site.database;
        let commitment = if with_commitment {
            format!(", commitment = {}", database.blob(&version.commitment()))
        } else {
            String::new()
        };
        self.run(&format!(
            "UPDATE object_version SET body = {}{commitment} WHERE object = {} AND version = {}",
            database.blob(&version.body),
            database.blob(version.object.as_bytes()),
            version.version,
        ))
        .await;
    }

    async fn findings(&self) -> Vec<String> {
        self.site.app.verify(&|_, _| {}).await.unwrap().findings
    }

    /// Every one of these is named by a finding.
    async fn expect(self, what: &str, expected: &[String]) {
        let findings = self.findings().await;
        for named in expected {
            assert!(findings.iter().any(|finding| finding.contains(named)), "{what}: {named}: {findings:#?}");
        }
        self.site.store.close().await;
    }

    async fn object_of_kind(&self, kind: &'static str) -> ObjectId {
        let args = vec![kind.into(), vec![0_u8; 16].into(), 10_i64.into()];
        let rows = self.site.store.query(&mimamori_app::sql::CURRENT_OF_KIND, args).await.unwrap();
        rows[0].id_of(0).unwrap()
    }
}

/// The bytes of entries from the first on.
async fn entries(store: &dyn Store, epoch: u32) -> Vec<Vec<u8>> {
    let args = vec![epoch.into(), 0_i64.into(), i64::MAX.into(), 10_000_i64.into()];
    let rows = store.query(&ledger::ENTRIES, args).await.unwrap();
    rows.into_iter().map(|mut row| row.take_blob(1).unwrap()).collect()
}

/// The first entry that commits to a version.
async fn entry_of(copy: &Copy, version: &ObjectVersion) -> usize {
    let commitment = version.commitment();
    let holds = |bytes: &Vec<u8>| {
        let entry = mimamori_ledger::Entry::decode(bytes).unwrap();
        entry.draft.unit == version.unit && entry.draft.commitments.contains(&commitment)
    };
    entries(&*copy.site.store, 0).await.iter().position(holds).unwrap()
}

async fn whatever_is_changed_is_found_and_named(on: On) {
    let base = Base::new(on).await;
    let untouched = base.copy().await;
    assert_eq!(untouched.findings().await, Vec::<String>::new());
    untouched.site.store.close().await;

    a_body(&base).await;
    an_entry(&base).await;
    an_index_column(&base).await;
    an_index_column_that_looks_alike(&base).await;
    a_version_column(&base).await;
    a_head_column(&base).await;
    the_newest_entry_dropped(&base).await;
    two_entries_swapped(&base).await;
    a_version_deleted(&base).await;
    a_version_added(&base).await;
    a_withdrawal_hidden(&base).await;
    the_frame_of_the_ledger(&base).await;
    nothing_false_comes_out(&base).await;
    nobody_signs_in_by_a_row(&base).await;
    an_account_exchanged(&base).await;
    rows_kept_in_another_order(&base).await;
}

/// A database keeps rows wherever there is room, and reads a small table from its beginning: that is no
/// finding.
async fn rows_kept_in_another_order(base: &Base) {
    let copy = base.copy().await;
    copy.run("UPDATE ledger_entry SET action = action WHERE sequence % 3 = 1").await;
    copy.run("ANALYZE ledger_entry").await;
    assert_eq!(copy.findings().await, Vec::<String>::new());
    copy.site.store.close().await;
}

/// A record, a role, a consent and an account, each with one bit changed in its sealed body: first
/// bluntly, then with the commitment that belongs to the changed row.
async fn a_body(base: &Base) {
    for with_commitment in [false, true] {
        let copy = base.copy().await;
        let ids = copy.ids;
        let role = copy.object_of_kind("role").await;
        let mut expected = Vec::new();
        for (object, kind) in [
            (ids.observation, "Observation"),
            (role, "role"),
            (ids.consent, "consent"),
            (ObjectId::from(ids.hana), "account"),
        ] {
            let mut version = copy.version(object, 1).await;
            let middle = version.body.len() / 2;
            version.body[middle] ^= 1;
            copy.put_body(&version, with_commitment).await;
            let told = if with_commitment { "no entry of the ledger commits" } else { "it was changed" };
            expected.push(format!("object {object} ({kind}), version 1: {told}"));
        }
        copy.expect("a body", &expected).await;
    }
}

/// One bit of an entry, at the beginning, in the middle and at the end.
async fn an_entry(base: &Base) {
    for part in [0, 1, 2] {
        let copy = base.copy().await;
        let last = copy.signed - 1;
        let mut bytes = entries(&*copy.site.store, 0).await.remove(usize::try_from(last).unwrap());
        let at = part * (bytes.len() - 1) / 2;
        bytes[at] ^= 1;
        let entry = copy.site.database.blob(&bytes);
        copy.run(&format!("UPDATE ledger_entry SET entry = {entry} WHERE epoch = 0 AND sequence = {last}"))
            .await;
        copy.expect("an entry", &[format!("epoch 0, entry {last}: ")]).await;
    }
}

async fn an_index_column(base: &Base) {
    let copy = base.copy().await;
    let last = copy.signed - 1;
    let other = copy.id(copy.ids.jiro.as_bytes());
    let columns = ["unit", "actor", "subject", "institution", "action", "recorded"];
    let mut expected = Vec::new();
    for (at, column) in columns.into_iter().enumerate() {
        let sequence = last - at as u64;
        let value = match column {
            "action" => "'export'".to_owned(),
            "recorded" => "recorded + 1".to_owned(),
            _ => other.clone(),
        };
        copy.run(&format!(
            "UPDATE ledger_entry SET {column} = {value} WHERE epoch = 0 AND sequence = {sequence}"
        ))
        .await;
        expected.push(format!("epoch 0, entry {sequence}: column {column} "));
    }
    copy.expect("an index column", &expected).await;
}

/// Rows are compared many at a time, one after the other: a byte or a comma that moves from one to the
/// next, or what stands for a missing id, must not hide among them.
async fn an_index_column_that_looks_alike(base: &Base) {
    let copy = base.copy().await;
    let args = vec![0_i64.into(), 0_i64.into(), copy.signed.into(), 1_000_i64.into()];
    let rows = copy.site.store.query(&ledger::ENTRIES_WITH_INDEX, args).await.unwrap();
    let actors: Vec<Option<&[u8]>> = rows.iter().map(|row| row.opt_blob(3).unwrap()).collect();
    let first = actors.iter().zip(&actors[1..]).position(|(one, next)| one.is_some() && next.is_some());
    let first = first.unwrap();
    let (one, next) = (actors[first].unwrap(), actors[first + 1].unwrap());
    // Of a row with several wrong columns the first one is named: every change has a row of its own.
    let lacks = |at: &usize| rows[*at].opt_blob(4).unwrap().is_none();
    let lacking = (first + 2..rows.len()).find(lacks).unwrap();
    let quiet = rows.len() - 1;
    assert!(quiet > lacking);
    let changes = [
        (first, "actor", copy.id(&one[..15])),
        (first + 1, "actor", copy.id([&one[15..], next].concat())),
        (lacking, "subject", copy.id([b'0'; 16])),
        (quiet, "action", "action || ',1 1 read'".to_owned()),
    ];
    for (sequence, column, value) in &changes {
        copy.run(&format!(
            "UPDATE ledger_entry SET {column} = {value} WHERE epoch = 0 AND sequence = {sequence}"
        ))
        .await;
        let findings = copy.findings().await;
        let expected = format!("epoch 0, entry {sequence}: column {column} is not what the entry says");
        assert!(findings.contains(&expected), "{expected}: {findings:#?}");
    }
    copy.run("INSERT INTO ledger_entry SELECT epoch, -7, unit, recorded, actor, subject, institution, action, entry \
              FROM ledger_entry WHERE epoch = 0 AND sequence = 0").await;
    let findings = copy.findings().await;
    assert!(findings.iter().any(|told| told.contains("entry -7: column sequence")), "{findings:?}");
    copy.site.store.close().await;
}

/// Every column of a version that decides who sees it, or says who wrote it and when.
async fn a_version_column(base: &Base) {
    let copy = base.copy().await;
    let (note, visit, kept) = (copy.ids.note, copy.ids.visit, copy.ids.of_other);
    let clinic = copy.id(copy.ids.clinic.as_bytes());
    let jiro = copy.id(copy.ids.jiro.as_bytes());
    let other = copy.id(copy.ids.other.as_bytes());
    for (object, change) in [
        (note, "class = 'basic'".to_owned()),
        (visit, format!("institution = {clinic}")),
        (kept, format!("author = {jiro}")),
        (copy.ids.observation, "state = 'withdrawn'".to_owned()),
        (copy.ids.consent, format!("subject = {other}")),
        (ObjectId::from(copy.ids.other), "recorded = recorded - 1".to_owned()),
        (ObjectId::from(copy.ids.jiro), "kind = 'role'".to_owned()),
        (copy.ids.withdrawn, "sort_time = sort_time - 1".to_owned()),
        // As if it came from before the ledger committed to it.
        (ObjectId::from(copy.ids.subject), "sort_time = NULL".to_owned()),
    ] {
        let object = copy.id(object.as_bytes());
        copy.run(&format!("UPDATE object_version SET {change} WHERE object = {object} AND version = 1"))
            .await;
    }
    // What is labelled otherwise behind the program's back is not given out either.
    let hana = copy.site.sign_in("hana").await;
    let read = copy.site.app.read(&hana, &Kind::of("Communication"), note).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    let expected = [
        note,
        visit,
        kept,
        copy.ids.observation,
        copy.ids.consent,
        copy.ids.other.into(),
        copy.ids.jiro.into(),
        copy.ids.withdrawn,
        copy.ids.subject.into(),
    ]
    .map(|object| format!("object {object} "));
    copy.expect("a version's column", &expected).await;
}

async fn a_head_column(base: &Base) {
    let copy = base.copy().await;
    let ids = copy.ids;
    let clinic = copy.id(ids.clinic.as_bytes());
    let other = copy.id(ids.other.as_bytes());
    let role = copy.object_of_kind("role").await;
    let mut expected = Vec::new();
    for (object, change) in [
        (ids.note, "class = 'basic'".to_owned()),
        (ids.visit, format!("institution = {clinic}")),
        (ids.consent, format!("subject = {other}")),
        (ids.of_other, "state = 'withdrawn'".to_owned()),
        (ids.observation, "version = 1".to_owned()),
        (ObjectId::from(ids.hana), "kind = 'role'".to_owned()),
        (ObjectId::from(ids.subject), "author = NULL".to_owned()),
        (ObjectId::from(ids.other), "updated = updated - 1".to_owned()),
        // When a duty counts as done, and where a record stands in a notebook.
        (role, "sort_time = sort_time - 86400000000".to_owned()),
        (ids.withdrawn, "sort_time = sort_time + 1".to_owned()),
    ] {
        let id = copy.id(object.as_bytes());
        copy.run(&format!("UPDATE object_head SET {change} WHERE object = {id}")).await;
        expected.push(format!("object {object}: its head is not that of version "));
    }
    copy.expect("a head's column", &expected).await;
}

/// The ledger as it was one entry before, head and all, although that entry was signed.
async fn drop_newest(copy: &Copy) {
    let (_, kept) = entries(&*copy.site.store, 0)
        .await
        .split_last()
        .map(|(last, kept)| (last.clone(), kept.to_vec()))
        .unwrap();
    let mut frontier = Frontier::new();
    kept.iter().for_each(|bytes| frontier.push(leaf_hash(bytes)));
    let (size, bytes) = (frontier.size(), copy.site.database.blob(&frontier.to_bytes()));
    copy.run(&format!("DELETE FROM ledger_entry WHERE epoch = 0 AND sequence >= {size}")).await;
    copy.run(&format!(
        "UPDATE ledger_head SET size = {size}, frontier = {bytes}, \
         recorded = (SELECT max(recorded) FROM ledger_entry)"
    ))
    .await;
}

async fn the_newest_entry_dropped(base: &Base) {
    // The program is started again: it refuses.
    let copy = base.copy().await;
    drop_newest(&copy).await;
    let signed = copy.signed;
    let again = parts(&copy.site.folder, copy.site.store.clone(), copy.site.clock.clone());
    let refused = App::open(again).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let told = refused.to_string();
    assert!(
        told.contains("older than what was signed") && told.contains("mimamori ledger new-epoch"),
        "{told}"
    );
    // Both the checkpoint in the database and the signer's state outside know better.
    copy.run("DELETE FROM checkpoint").await;
    copy.expect(
        "the newest entry dropped",
        &[format!("epoch 0, entry {}: a checkpoint was signed for {signed}", signed - 1)],
    )
    .await;

    // The program goes on, other entries come in the place of the one dropped: a fork. Nothing is
    // signed any more, and nothing is answered.
    let copy = base.copy().await;
    drop_newest(&copy).await;
    let hana = copy.site.sign_in("hana").await;
    copy.site.app.read(&hana, &Kind::of("Communication"), copy.ids.note).await.unwrap();
    copy.site.clock.advance(MINUTE);
    assert_eq!(copy.site.app.checkpoint().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let read = copy.site.app.read(&hana, &Kind::of("Communication"), copy.ids.note).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable, "after a fork nothing is answered");
    copy.expect("a fork", &[format!("epoch 0, entry {}: the entries up to size {signed}", signed - 1)]).await;
}

async fn two_entries_swapped(base: &Base) {
    let copy = base.copy().await;
    let (first, second) = (copy.signed - 4, copy.signed - 2);
    for (from, to) in [(first, -1), (second, i64::try_from(first).unwrap())] {
        copy.run(&format!("UPDATE ledger_entry SET sequence = {to} WHERE epoch = 0 AND sequence = {from}"))
            .await;
    }
    copy.run(&format!("UPDATE ledger_entry SET sequence = {second} WHERE epoch = 0 AND sequence = -1")).await;
    let expected =
        [first, second].map(|sequence| format!("epoch 0, entry {sequence}: the entry says it is number"));
    copy.expect("two entries swapped", &expected).await;
}

async fn a_version_deleted(base: &Base) {
    // The first of two, the last of two, the only one, and one together with its head.
    let copy = base.copy().await;
    let ids = copy.ids;
    let mut expected = Vec::new();
    for (object, number, with_head) in
        [(ids.observation, 1, false), (ids.withdrawn, 2, false), (ids.note, 1, false), (ids.visit, 1, true)]
    {
        let version = copy.version(object, number).await;
        let entry = entry_of(&copy, &version).await;
        let id = copy.id(object.as_bytes());
        copy.run(&format!("DELETE FROM object_version WHERE object = {id} AND version = {number}")).await;
        if with_head {
            copy.run(&format!("DELETE FROM object_head WHERE object = {id}")).await;
        }
        expected.push(format!("epoch 0, entry {entry}: a version it committed to is missing"));
    }
    expected.push(format!("object {}: version 1 is missing", ids.observation));
    expected.push(format!("object {}: its head is not that of version 1", ids.withdrawn));
    expected.push(format!("object {}: it has a head and no version", ids.note));
    copy.expect("a version deleted", &expected).await;
}

async fn a_version_added(base: &Base) {
    let copy = base.copy().await;
    let columns = "kind, subject, class, state, author, on_behalf, confirmer, institution, recorded, pack, key, body, \
         sort_time";
    let insert = async |version: &ObjectVersion, from: ObjectId| {
        copy.run(&format!(
            "INSERT INTO object_version (object, version, {columns}, commitment, unit) \
             SELECT {}, {}, {columns}, {}, unit FROM object_version WHERE object = {} AND version = 1",
            copy.id(version.object.as_bytes()),
            version.version,
            copy.site.database.blob(&version.commitment()),
            copy.id(from.as_bytes()),
        ))
        .await;
    };
    // A new consent out of nothing, and a second version of a note.
    let mut consent = copy.version(copy.ids.consent, 1).await;
    consent.object = ObjectId::random();
    insert(&consent, copy.ids.consent).await;
    copy.run(&format!(
        "INSERT INTO object_head SELECT {}, version, kind, subject, class, state, institution, author, updated, \
         sort_time FROM object_head WHERE object = {}",
        copy.id(consent.object.as_bytes()),
        copy.id(copy.ids.consent.as_bytes())
    ))
    .await;
    let mut note = copy.version(copy.ids.note, 1).await;
    note.version = 2;
    insert(&note, copy.ids.note).await;
    copy.run(&format!(
        "UPDATE object_head SET version = 2 WHERE object = {}",
        copy.id(note.object.as_bytes())
    ))
    .await;
    let expected =
        [(consent.object, "consent", 1), (note.object, "Communication", 2)].map(|(object, kind, version)| {
            format!("object {object} ({kind}), version {version}: no entry of the ledger commits to it")
        });
    // Neither has any effect: the person's record is not opened at all with a false consent in it.
    let hana = copy.site.sign_in("hana").await;
    let read = copy.site.app.read(&hana, &Kind::of("Communication"), copy.ids.note).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    copy.expect("a version added", &expected).await;
}

/// A consent that was withdrawn, put back by pointing its head at the version before.
async fn a_withdrawal_hidden(base: &Base) {
    let copy = base.copy().await;
    let consent = copy.ids.withdrawn;
    copy.run(&format!(
        "UPDATE object_head SET version = 1, updated = (SELECT recorded FROM object_version WHERE object = {0} \
         AND version = 1) WHERE object = {0}",
        copy.id(consent.as_bytes())
    ))
    .await;
    copy.expect("a withdrawal hidden", &[format!("object {consent}: its head is not that of version 2")])
        .await;
}

/// The few rows that say what the ledger is.
async fn the_frame_of_the_ledger(base: &Base) {
    for (change, expected) in [
        (
            "UPDATE ledger_epoch SET origin = 'elsewhere.example/mimamori'",
            "epoch 0: its origin in ledger_epoch ",
        ),
        ("UPDATE ledger_head SET origin = 'elsewhere.example/mimamori'", "epoch 0: the head's origin "),
        ("UPDATE ledger_head SET recorded = recorded + 1", "epoch 0: the head's recorded time "),
        ("DELETE FROM ledger_epoch", "epoch 0: it is missing from ledger_epoch"),
        ("UPDATE checkpoint SET note = replace(note, '\n\n', '\nx\n\n')", "epoch 0: the checkpoint of size "),
        ("UPDATE checkpoint SET size = size + 1", "epoch 0: the checkpoint of size "),
    ] {
        let copy = base.copy().await;
        copy.run(change).await;
        copy.expect(change, &[expected.to_owned()]).await;
    }
}

/// Rows that lead somewhere, changed: nothing comes out that should not, whether verified or not.
async fn nothing_false_comes_out(base: &Base) {
    let copy = base.copy().await;
    let (app, ids) = (&copy.site.app, copy.ids);
    let [jiro_id, other_id, subject_id] =
        [ids.jiro.as_bytes(), ids.other.as_bytes(), ids.subject.as_bytes()].map(|id| copy.id(id));

    // A link makes nobody a member of a care team.
    copy.run(&format!(
        "INSERT INTO link (object, role, target, subject) VALUES ({}, 'team', {jiro_id}, {other_id})",
        copy.id(ObjectId::random().as_bytes())
    ))
    .await;
    let jiro = copy.site.sign_in("jiro").await;
    let mine = app.my_people(&jiro, &Paging::default()).await.unwrap();
    assert_eq!(mine.cards().map(|card| card.subject).collect::<Vec<_>>(), [ids.subject]);

    // A record's row under another person's id is not opened with that person's rights.
    copy.run(&format!(
        "UPDATE object_head SET subject = {subject_id} WHERE object = {}",
        copy.id(ids.of_other.as_bytes())
    ))
    .await;
    let page = app.timeline(&jiro, ids.subject, &Default::default(), &Paging::default()).await;
    let shown = page.map(|page| page.items.iter().any(|item| item.id == ids.of_other)).unwrap_or(false);
    assert!(!shown, "a record of somebody else is shown");
    let read = app.read(&jiro, &Kind::of("Observation"), ids.of_other).await;
    assert!(read.is_err(), "a record of somebody else is read");

    // Keys exchanged between people open nothing.
    copy.run(&format!(
        "UPDATE wrapped_key SET owner = CASE WHEN owner = {subject_id} THEN {other_id} ELSE {subject_id} END \
         WHERE owner IN ({subject_id}, {other_id})"
    ))
    .await;
    let second = copy.site.second(copy.site.store.clone()).await;
    let hana = copy.site.sign_in("hana").await;
    for object in [ids.observation, ids.of_other] {
        let read = second.read(&hana, &Kind::of("Observation"), object).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    copy.site.store.close().await;
}

async fn nobody_signs_in_by_a_row(base: &Base) {
    let copy = base.copy().await;
    let (app, ids) = (&copy.site.app, copy.ids);
    let database = &copy.site.database;
    let [hana, jiro] = [ids.hana.as_bytes(), ids.jiro.as_bytes()].map(|id| copy.id(id));
    let origin = Origin::default();
    let unauthenticated = |result: mimamori_domain::Result<mimamori_app::Caller>| {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unauthenticated);
    };

    // A session and a bearer token made by hand.
    let secret = [7_u8; 32];
    let (hash, id) =
        (database.blob(&mimamori_vault::hash_token(&secret)), copy.id(ObjectId::random().as_bytes()));
    let far = i64::MAX;
    copy.run(&format!(
        "INSERT INTO session (token_hash, id, actor, strength, created, last_seen, expires) \
         VALUES ({hash}, {id}, {hana}, 'password', 0, {far}, {far})"
    ))
    .await;
    copy.run(&format!(
        "INSERT INTO bearer_token (token_hash, id, actor, scopes, created, expires) \
         VALUES ({hash}, {id}, {hana}, '*.*', 0, {far})"
    ))
    .await;
    unauthenticated(app.caller(&hex::encode(secret), &origin).await);
    unauthenticated(app.caller_from_bearer(&hex::encode(secret), &origin).await);

    // One's own session under another's name, or for longer.
    for change in [format!("actor = {hana}"), "expires = expires + 1".to_owned()] {
        let own = app.sign_in("jiro", PASSWORD, &origin).await.unwrap();
        copy.run(&format!("UPDATE session SET {change} WHERE actor = {jiro}")).await;
        let second = copy.site.second(copy.site.store.clone()).await;
        unauthenticated(second.caller(&own.token, &origin).await);
        copy.run(&format!("DELETE FROM session WHERE actor IN ({jiro}, {hana})")).await;
    }

    // Another's sign-in name leading to one's own account, whose password one knows.
    copy.run(&format!("UPDATE login SET actor = {jiro} WHERE actor = {hana}")).await;
    let refused = app.sign_in("hana", PASSWORD, &origin).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    copy.site.store.close().await;
}

/// One's own account in the place of another's, password and all; and somebody else's appointment.
async fn an_account_exchanged(base: &Base) {
    let copy = base.copy().await;
    let ids = copy.ids;
    let role = copy.object_of_kind("role").await;
    let (role_id, jiro) = (copy.id(role.as_bytes()), copy.id(ids.jiro.as_bytes()));
    copy.run(&format!("INSERT INTO link (object, role, target) VALUES ({role_id}, 'appointed', {jiro})"))
        .await;
    let origin = Origin::default();
    if let Ok(signed) = copy.site.app.sign_in("jiro", PASSWORD, &origin).await {
        let caller = copy.site.app.caller(&signed.token, &origin).await.unwrap();
        assert!(caller.roles().is_empty(), "appointed by a link");
    }
    let own = copy.version(ids.jiro.into(), 1).await;
    let mut theirs = copy.version(ids.hana.into(), 1).await;
    theirs.body = own.body;
    copy.put_body(&theirs, true).await;
    let refused = copy.site.app.sign_in("hana", PASSWORD, &origin).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let hana = ObjectId::from(ids.hana);
    copy.expect("an account exchanged", &[format!("object {hana} (account), version 1: no entry")]).await;
}

#[tokio::test]
async fn whatever_is_changed_is_found_on_sqlite() {
    whatever_is_changed_is_found_and_named(On::Sqlite).await;
}

#[tokio::test]
async fn whatever_is_changed_is_found_on_postgres() {
    whatever_is_changed_is_found_and_named(On::Postgres).await;
}
