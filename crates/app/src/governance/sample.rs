//! The measures that look at a sample of what is kept: drawn once for all of them.

use std::collections::{BTreeMap, HashSet};

use mimamori_domain::{Error, KeyId, Kind, ObjectId, Result};
use mimamori_store::{ObjectVersion, Question, Row, Value};
use tokio::sync::OnceCell;

use super::checks::{DAY, Measured};
use super::registers::ENTRY;
use crate::body::kind;
use crate::context::object_from_row;
use crate::together::each;
use crate::{App, sql};

/// Objects of one kind that a sample looks at.
const SAMPLE: i64 = 100;

/// What was seen of some objects with all their versions.
pub(crate) struct Sample(Vec<Drawn>);

/// What was seen of one object.
struct Drawn {
    kind: Kind,
    /// It has every version, and each is what was committed to.
    whole: bool,
    /// Its current version is ciphertext under the key that its row names.
    sealed: bool,
}

impl App {
    /// A sample of every sealed kind is ciphertext under the key that its row names.
    pub(super) async fn check_encryption_at_rest(&self, sample: &OnceCell<Sample>) -> Result<Measured> {
        let Sample(drawn) = sample.get_or_try_init(|| self.draw()).await?;
        let drawn = drawn.iter().filter(|drawn| [kind::PATIENT, ENTRY].contains(&drawn.kind));
        let mut sealed: Vec<bool> = drawn.map(|drawn| drawn.sealed).collect();
        let asked = [kind::ACCOUNT, kind::CONSENT].map(|kind| Question {
            statement: &sql::CURRENT_OF_KIND,
            args: vec![kind.as_str().to_owned().into(), vec![0_u8; 16].into(), SAMPLE.into()],
            lists: Vec::new(),
        });
        let mut rows = self.store.query_together(asked.into()).await?;
        // A row that is not what was committed to may be anything.
        let rows = rows.iter_mut().flatten();
        sealed.extend(rows.map(|row| object_from_row(row).is_ok_and(|version| is_sealed(&version))));
        let (seen, wrong) = (sealed.len(), sealed.iter().filter(|sealed| !**sealed).count());
        if seen == 0 {
            return Ok(Measured::unknown("まだ何も保存されていない", "nothing is kept yet"));
        }
        Ok(Measured::new(
            wrong == 0,
            format!("抜き取り{seen}件のうち暗号化されていないもの：{wrong}件"),
            format!("of a sample of {seen}, {wrong} are not encrypted"),
        ))
    }

    /// A sample of records has every version from the first.
    pub(super) async fn check_record_versions(&self, sample: &OnceCell<Sample>) -> Result<Measured> {
        let Sample(drawn) = sample.get_or_try_init(|| self.draw()).await?;
        let (seen, broken) = (drawn.len(), drawn.iter().filter(|drawn| !drawn.whole).count());
        Ok(Measured::new(
            broken == 0,
            format!("抜き取り{seen}件のうち版の欠けや食い違い：{broken}件"),
            format!("of a sample of {seen}, {broken} lack a version or differ from their commitment"),
        ))
    }

    /// No record of a sample lost its key, and with it its content, before its time.
    pub(super) async fn check_records_retention(&self) -> Result<Measured> {
        let years = self.pack.parameter_u64("retention.records-years")?;
        let limit = self.clock.now().minus(DAY * u32::try_from(years * 366).unwrap_or(u32::MAX));
        let mut seen = 0;
        // How many records of the sample need each key.
        let mut needed: BTreeMap<KeyId, u64> = BTreeMap::new();
        let asked = ["Patient", "Observation", "Communication", "Encounter"].map(|kind| Question {
            statement: &sql::KEPT_OF_KIND,
            args: vec![kind.into(), SAMPLE.into()],
            lists: Vec::new(),
        });
        for row in self.store.query_together(asked.into()).await?.iter().flatten() {
            seen += 1;
            let key = row.opt_id_of(0).map_err(Error::unavailable)?;
            if let Some(key) = key.filter(|_| row.time(1).is_ok_and(|recorded| recorded >= limit)) {
                *needed.entry(key).or_insert(0) += 1;
            }
        }
        let keys: Vec<Value> = needed.keys().map(|key| (*key).into()).collect();
        let rows = self.store.query_many(&sql::KEYS_AMONG, Vec::new(), keys).await?;
        let there = rows.iter().map(|row| row.id_of(0).map_err(Error::unavailable));
        let there = there.collect::<Result<HashSet<KeyId>>>()?;
        let lost: u64 =
            needed.iter().filter(|(key, _)| !there.contains(key)).map(|(_, records)| records).sum();
        Ok(Measured::new(
            lost == 0,
            format!("抜き取り{seen}件のうち、{years}年たたずに読めなくなったもの：{lost}件"),
            format!("of a sample of {seen}, {lost} were made unreadable before {years} years had passed"),
        ))
    }

    async fn draw(&self) -> Result<Sample> {
        let kinds = [kind::PATIENT, kind::CARE_TEAM, ENTRY];
        let drawn = each(kinds.iter().map(|kind| self.draw_of(kind)).collect()).await?;
        Ok(Sample(drawn.into_iter().flatten().collect()))
    }

    async fn draw_of(&self, kind: &Kind) -> Result<Vec<Drawn>> {
        let args = vec![kind.as_str().to_owned().into(), SAMPLE.into()];
        let mut versions: BTreeMap<ObjectId, Vec<Row>> = BTreeMap::new();
        for row in self.store.query(&sql::VERSIONS_OF_FIRST, args).await? {
            let object = row.id_of(sql::HEAD_OBJECT_AFTER_VERSION).map_err(Error::unavailable)?;
            versions.entry(object).or_default().push(row);
        }
        let one = |mut rows: Vec<Row>| {
            let head = rows.first().and_then(|row| row.unsigned(sql::HEAD_AFTER_VERSION).ok()).unwrap_or(0);
            // Reading a row compares it with its commitment; one without a version cannot be read.
            let right: Vec<_> = rows.iter_mut().filter_map(|row| object_from_row(row).ok()).collect();
            Drawn {
                kind: kind.clone(),
                whole: head > 0 && right.len() as u64 == head.min(1_000),
                sealed: right.iter().any(|version| version.version == head && is_sealed(version)),
            }
        };
        Ok(versions.into_values().map(one).collect())
    }
}

/// Whether a version is ciphertext under the key that its row names.
fn is_sealed(version: &ObjectVersion) -> bool {
    version.key.is_some() && mimamori_vault::key_id_of(&version.body).ok() == version.key
}
