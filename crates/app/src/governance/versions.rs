//! Versions of the organisation's objects as the database keeps them: read once, and still sealed.
//!
//! A version never changes (invariant 3), so what was read of it holds. Which version is the current one is
//! asked for each time; and without its key, which is destroyed for disposal, a version here says nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mimamori_domain::{Error, ObjectId, Result};
use mimamori_store::{MAX_LIST, ObjectVersion, Value};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::context::object_from_row;
use crate::together::each;
use crate::{App, sql};

/// Bytes that are kept in memory.
const MOST_BYTES: u64 = 16 << 20;
/// About what a version takes beside its body, in bytes.
const BESIDE: u64 = 512;

/// An object and the number of a version.
type Named = (ObjectId, u64);

#[derive(Clone)]
struct Size;

impl Weighter<Named, Arc<ObjectVersion>> for Size {
    fn weight(&self, _: &Named, version: &Arc<ObjectVersion>) -> u64 {
        BESIDE + version.body.len() as u64
    }
}

/// The versions that were read last.
pub(crate) struct Versions(Cache<Named, Arc<ObjectVersion>, Size>);

impl Default for Versions {
    fn default() -> Self {
        let items = usize::try_from(MOST_BYTES / (2 * BESIDE)).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items, MOST_BYTES, Size))
    }
}

impl App {
    /// Versions of the organisation's objects, in the order in which they are named.
    ///
    /// # Errors
    /// Unavailable, also when one is not there or is not what was committed to.
    pub(crate) async fn kept_versions(&self, named: &[Named]) -> Result<Vec<Arc<ObjectVersion>>> {
        let mut known: HashMap<Named, Arc<ObjectVersion>> =
            named.iter().filter_map(|one| Some((*one, self.versions.0.get(one)?))).collect();
        let missing: Vec<Named> = named.iter().filter(|one| !known.contains_key(one)).copied().collect();
        let ask = |some: &[Named]| {
            let objects: Vec<Value> = some.iter().map(|(object, _)| (*object).into()).collect();
            let numbers: BTreeSet<u64> = some.iter().map(|(_, number)| *number).collect();
            // Not a list of pairs, for which no database takes the index: one version in a few is not wanted.
            let lists = vec![objects, numbers.into_iter().map(Value::from).collect()];
            async move { Ok(self.store.query_lists(&sql::VERSIONS_AMONG, Vec::new(), lists).await?) }
        };
        for mut row in each(missing.chunks(MAX_LIST).map(ask).collect()).await?.into_iter().flatten() {
            let version = Arc::new(object_from_row(&mut row)?);
            let one = (version.object, version.version);
            self.versions.0.insert(one, Arc::clone(&version));
            known.insert(one, version);
        }
        let found = named.iter().map(|one| known.get(one).cloned());
        found
            .collect::<Option<_>>()
            .ok_or_else(|| Error::unavailable("a head names a version that is missing"))
    }
}
