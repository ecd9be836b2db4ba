use std::collections::{BTreeMap, BTreeSet};

use mimamori_domain::KeyId;
use mimamori_vault::{
    KeyUse, Parent, Remains, SecretKey, ShredChanges, ShredPlan, ShredStep, SubjectIndex, Vault, VaultError,
    WrappedKey, open, seal,
};

use crate::support::{NOW, OWNER, Site, place};

/// The table of wrapped keys, as a database would hold it.
#[derive(Clone, Default)]
struct Table(BTreeMap<KeyId, WrappedKey>);

impl Table {
    fn insert(&mut self, row: WrappedKey) {
        self.0.insert(row.id, row);
    }

    fn apply(&mut self, changes: ShredChanges) {
        for id in changes.delete {
            assert!(self.0.remove(&id).is_some());
        }
        for row in changes.replace {
            assert!(self.0.insert(row.id, row).is_some());
        }
        for row in changes.insert {
            assert!(self.0.insert(row.id, row).is_none());
        }
    }

    fn rotate_rest(&mut self, vault: &Vault, site: &Site) {
        let old = vault.rotation().unwrap().old;
        for row in self.0.values_mut().filter(|row| row.parent == old) {
            *row = vault.rewrap(row).unwrap();
        }
        let left = self.0.values().filter(|row| row.parent == old).count();
        vault.finish_rotation(&site.root, old, left as u64).unwrap();
    }
}

/// Whatever can be opened with this ring and any mixture of rows, old and new: opens keys until no
/// further one opens.
fn everything_that_opens(vault: &Vault, tables: &[&Table]) -> BTreeMap<KeyId, SecretKey> {
    let rows: Vec<&WrappedKey> = tables.iter().flat_map(|table| table.0.values()).collect();
    let mut opened = BTreeMap::new();
    loop {
        let before = opened.len();
        for row in &rows {
            let from_ring = vault.verify(row, Parent::Ring);
            let from_key = opened.get(&row.parent).map(|parent| vault.verify(row, Parent::Key(parent)));
            if let Some(key) = from_ring.ok().or_else(|| from_key.and_then(Result::ok)) {
                opened.insert(row.id, key);
            }
        }
        if opened.len() == before {
            return opened;
        }
    }
}

struct Person {
    subject: WrappedKey,
    data: Vec<(SecretKey, WrappedKey)>,
}

impl Person {
    fn new(site: &Site, table: &mut Table, owner: [u8; 16]) -> Self {
        let (key, subject) = site.subject(owner);
        let data: Vec<_> =
            ["note", "medicine", "document"].iter().map(|class| site.data(&key, class)).collect();
        table.insert(subject.clone());
        data.iter().for_each(|(_, row)| table.insert(row.clone()));
        Self { subject, data }
    }

    fn rows(&self) -> Vec<WrappedKey> {
        self.data.iter().map(|(_, row)| row.clone()).collect()
    }
}

#[test]
fn a_shredded_data_key_opens_from_no_copy_and_everything_else_still_does() {
    let site = Site::new();
    let mut table = Table::default();
    let (anna, ben) = (Person::new(&site, &mut table, OWNER), Person::new(&site, &mut table, [8; 16]));
    let sealed: Vec<_> = anna.data.iter().map(|(key, _)| seal(key, &place(), b"text").unwrap()).collect();
    let copy_before = table.clone();

    let doomed = anna.data[0].0.id();
    let plan = ShredPlan::data_keys(&anna.subject, &anna.rows(), &BTreeSet::from([doomed])).unwrap();
    assert!(matches!(plan.changes(&site.vault, NOW), Err(VaultError::Plan(_))), "the rotation comes first");
    let rotation = site.vault.begin_rotation(&site.root, NOW).unwrap();
    let copy_during = table.clone();
    table.apply(plan.changes(&site.vault, NOW).unwrap());
    let copy_midway = table.clone();
    table.rotate_rest(&site.vault, &site);

    let vault = site.reopened();
    let opened = everything_that_opens(&vault, &[&table, &copy_before, &copy_during, &copy_midway]);
    assert!(!opened.contains_key(&doomed));
    assert!(!opened.contains_key(&anna.subject.id));
    for (key, _) in anna.data[1..].iter().chain(&ben.data) {
        assert_eq!(opened.get(&key.id()), Some(key));
    }
    assert!(opened.contains_key(&ben.subject.id));
    assert_eq!(opened.keys().collect::<Vec<_>>(), table.0.keys().collect::<Vec<_>>());
    for (sealed, (key, _)) in sealed.iter().zip(&anna.data).skip(1) {
        assert_eq!(open(&opened[&key.id()], &place(), sealed).unwrap().as_slice(), b"text");
    }

    let certificate = plan.certificate(vec![rotation.old], NOW, None);
    assert_eq!(certificate.keys.len(), 1);
    assert_eq!((certificate.keys[0].id, certificate.keys[0].owner), (doomed, Some(OWNER)));
    assert_eq!(certificate.rings_destroyed, [rotation.old]);
}

/// Why the subject key has to be replaced: were it only the ring that changed, an older copy of the
/// doomed row would open under the subject key that lives on.
#[test]
fn without_a_new_subject_key_an_old_copy_would_open() {
    let site = Site::new();
    let mut table = Table::default();
    let anna = Person::new(&site, &mut table, OWNER);
    let copy_before = table.clone();
    let doomed = anna.data[0].0.id();
    site.vault.begin_rotation(&site.root, NOW).unwrap();
    table.0.remove(&doomed);
    table.rotate_rest(&site.vault, &site);
    assert!(everything_that_opens(&site.reopened(), &[&table, &copy_before]).contains_key(&doomed));
}

#[test]
fn a_whole_subject_goes_with_every_data_key() {
    let site = Site::new();
    let mut table = Table::default();
    let (anna, ben) = (Person::new(&site, &mut table, OWNER), Person::new(&site, &mut table, [8; 16]));
    let copy_before = table.clone();
    let plan = ShredPlan::subject(&anna.subject, &anna.rows()).unwrap();
    site.vault.begin_rotation(&site.root, NOW).unwrap();
    table.apply(plan.changes(&site.vault, NOW).unwrap());
    table.rotate_rest(&site.vault, &site);
    let opened = everything_that_opens(&site.reopened(), &[&table, &copy_before]);
    assert!(opened.values().all(|key| key.owner() == Some([8; 16])));
    assert_eq!(opened.len(), 1 + ben.data.len());
}

#[test]
fn one_rotation_serves_several_disposals() {
    let site = Site::new();
    let mut table = Table::default();
    let people: Vec<_> = (1..=3).map(|owner| Person::new(&site, &mut table, [owner; 16])).collect();
    let (_, staff) = site.plain(KeyUse::Staff);
    table.insert(staff.clone());
    let copy_before = table.clone();
    let doomed = |person: &Person| BTreeSet::from([person.rows()[1].id]);
    let mut plans: Vec<_> = people
        .iter()
        .map(|person| ShredPlan::data_keys(&person.subject, &person.rows(), &doomed(person)).unwrap())
        .collect();
    plans.push(ShredPlan::single(&staff).unwrap());
    site.vault.begin_rotation(&site.root, NOW).unwrap();
    for plan in &plans {
        table.apply(plan.changes(&site.vault, NOW).unwrap());
    }
    table.rotate_rest(&site.vault, &site);
    let opened = everything_that_opens(&site.reopened(), &[&table, &copy_before]);
    for plan in &plans {
        assert!(plan.shredded().iter().all(|key| !opened.contains_key(&key.id)));
    }
    assert_eq!(opened.len(), people.len() * 3);
}

#[test]
fn a_plan_says_what_will_happen_and_in_which_order() {
    let site = Site::new();
    let mut table = Table::default();
    let anna = Person::new(&site, &mut table, OWNER);
    let rows = anna.rows();
    let plan = ShredPlan::data_keys(&anna.subject, &rows, &BTreeSet::from([rows[2].id])).unwrap();
    assert!(matches!(plan.remains(), Remains::Subject { keep, .. } if keep.len() == 2));
    let rewrap: Vec<_> = rows[..2].iter().map(|row| row.id).collect();
    assert_eq!(
        plan.steps(),
        [
            ShredStep::BeginRotation,
            ShredStep::ChangeRows { delete: vec![rows[2].id, anna.subject.id], rewrap },
            ShredStep::Evict { owner: OWNER },
            ShredStep::RebuildCodes { owner: OWNER },
            ShredStep::RewrapRing,
            ShredStep::FinishRotation,
        ]
    );
    let whole = ShredPlan::subject(&anna.subject, &rows).unwrap();
    assert!(!whole.steps().contains(&ShredStep::RebuildCodes { owner: OWNER }));
    assert_eq!(whole.shredded().len(), 4);
}

#[test]
fn plans_that_do_not_fit_their_rows_are_refused() {
    let site = Site::new();
    let mut table = Table::default();
    let (anna, ben) = (Person::new(&site, &mut table, OWNER), Person::new(&site, &mut table, [8; 16]));
    let none = BTreeSet::new();
    let unknown = BTreeSet::from([KeyId::random()]);
    let first = BTreeSet::from([anna.rows()[0].id]);
    for outcome in [
        ShredPlan::data_keys(&anna.subject, &anna.rows(), &none),
        ShredPlan::data_keys(&anna.subject, &anna.rows(), &unknown),
        ShredPlan::data_keys(&ben.subject, &anna.rows(), &first),
        ShredPlan::data_keys(&anna.rows()[1], &anna.rows(), &first),
        ShredPlan::subject(&anna.subject, &ben.rows()),
        ShredPlan::single(&anna.subject),
        ShredPlan::single(&anna.rows()[0]),
    ] {
        assert!(matches!(outcome, Err(VaultError::Plan(_))));
    }
}

#[test]
fn nothing_is_deleted_when_what_stays_cannot_be_opened() {
    let site = Site::new();
    let mut table = Table::default();
    let anna = Person::new(&site, &mut table, OWNER);
    let mut rows = anna.rows();
    rows[1].bytes[40] ^= 1;
    let plan = ShredPlan::data_keys(&anna.subject, &rows, &BTreeSet::from([rows[0].id])).unwrap();
    site.vault.begin_rotation(&site.root, NOW).unwrap();
    assert!(matches!(plan.changes(&site.vault, NOW), Err(VaultError::Refused)));
}

#[test]
fn a_new_subject_key_gives_other_code_tokens() {
    let site = Site::new();
    let token = |key: &SecretKey| SubjectIndex::new(key).unwrap().code_token("http://loinc.org", "8310-5");
    assert_ne!(token(&site.subject(OWNER).0), token(&site.subject(OWNER).0));
}
