//! Verification of one epoch's entries as they stream by, from a database or from bundles.

use std::collections::BTreeMap;

use mimamori_domain::Timestamp;

use crate::{
    Entry, EntryHead, EpochReport, Finding, Findings, Frontier, Hash, Position, PreviousLog, Problem,
    leaf_hash,
};

/// How a verification goes about it.
#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions {
    /// How closely entries are read. Their bytes are hashed in any case.
    pub reading: Reading,
    /// How many findings are kept; the rest are counted.
    pub most_findings: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { reading: Reading::Whole, most_findings: 1_000 }
    }
}

/// How closely entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Every field, refusing what is not in its one form.
    Whole,
    /// Only epoch, sequence and time. Enough to prove that nothing changed since it was signed.
    Head,
}

/// Checks entries one after the other: form, place, time, and the roots of checkpoints.
#[derive(Debug)]
pub struct TreeVerifier {
    epoch: u32,
    reading: Reading,
    frontier: Frontier,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    previous: Option<PreviousLog>,
    expected: BTreeMap<u64, Vec<Hash>>,
    /// The smallest key of `expected`, so that most entries cost one comparison.
    next_expected: u64,
    compared: u64,
    findings: Findings,
}

impl TreeVerifier {
    /// For an epoch from its first entry.
    #[must_use]
    pub const fn new(epoch: u32, options: VerifyOptions) -> Self {
        Self::resume(epoch, Frontier::new(), None, options)
    }

    /// Goes on after entries that were verified before: their frontier, and the time of the last.
    /// For a new epoch, the time of the last entry of the epoch before.
    #[must_use]
    pub const fn resume(
        epoch: u32,
        frontier: Frontier,
        last: Option<Timestamp>,
        options: VerifyOptions,
    ) -> Self {
        Self {
            epoch,
            reading: options.reading,
            frontier,
            first: None,
            last,
            previous: None,
            expected: BTreeMap::new(),
            next_expected: u64::MAX,
            compared: 0,
            findings: Findings::up_to(options.most_findings),
        }
    }

    /// Compares the root once this many entries were seen: for every (verified) checkpoint. To be
    /// told before the tree grows past that size.
    pub fn expect_root(&mut self, size: u64, root: Hash) {
        if size < self.frontier.size() {
            self.found(Some(size), Problem::CheckpointOrder { size });
            return;
        }
        self.expected.entry(size).or_default().push(root);
        self.compare_roots();
    }

    /// Takes the next entry's exact bytes; gives its leaf hash.
    pub fn push(&mut self, entry: &[u8]) -> Hash {
        self.push_and_see(entry, |_, _, _| {})
    }

    /// As [`push`](Self::push), for whoever looks at the entry too: gives it without its policies and its
    /// sealed bytes, `None` when it is not well formed. `completed` is told of every perfect subtree
    /// that becomes whole: height (1 and more), index among those of that height, root.
    pub fn push_and_read(&mut self, entry: &[u8], completed: impl FnMut(u32, u64, &Hash)) -> Option<Entry> {
        let read = Entry::outline(entry);
        match &read {
            Ok(read) => {
                if read.draft.previous.is_some() {
                    self.previous.clone_from(&read.draft.previous);
                }
                let Position { epoch, sequence, recorded, .. } = read.position;
                self.place(EntryHead { epoch, sequence, recorded });
            }
            Err(error) => self.found(Some(self.size()), Problem::Entry(*error)),
        }
        self.push_leaf(leaf_hash(entry), completed);
        read.ok()
    }

    pub(crate) fn push_and_see(&mut self, entry: &[u8], completed: impl FnMut(u32, u64, &Hash)) -> Hash {
        let leaf = leaf_hash(entry);
        match self.read(entry) {
            Ok(head) => self.place(head),
            Err(error) => self.found(Some(self.size()), Problem::Entry(error)),
        }
        self.push_leaf(leaf, completed);
        leaf
    }

    /// Takes a leaf whose entry could not be had: the tree goes on, the entry is not checked.
    pub(crate) fn push_leaf(&mut self, leaf: Hash, completed: impl FnMut(u32, u64, &Hash)) {
        self.frontier.push_and_see(leaf, completed);
        if self.frontier.size() == self.next_expected {
            self.compare_roots();
        }
    }

    /// The number of entries seen, and the sequence of the next.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The right edge of what was seen, to [`resume`](Self::resume) from.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The recorded time of the last entry seen.
    #[must_use]
    pub const fn last_recorded(&self) -> Option<Timestamp> {
        self.last
    }

    /// The previous log as the first entry named it; only known when entries are read whole.
    #[must_use]
    pub const fn previous(&self) -> Option<&PreviousLog> {
        self.previous.as_ref()
    }

    pub(crate) fn found(&mut self, sequence: Option<u64>, problem: Problem) {
        self.findings.add(Finding { epoch: self.epoch, sequence, problem });
    }

    /// Ends the verification: roots that were expected beyond the last entry are findings.
    #[must_use]
    pub fn finish(mut self) -> (EpochReport, Findings) {
        for size in std::mem::take(&mut self.expected).into_keys() {
            self.found(Some(self.size()), Problem::BeyondEnd { size });
        }
        let report = EpochReport {
            epoch: self.epoch,
            size: self.size(),
            root: self.frontier.root(),
            recorded: self.first.zip(self.last),
            roots_compared: self.compared,
        };
        (report, self.findings)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<EntryHead, crate::DecodeError> {
        // What names the log before this epoch is always read: it binds the epochs together.
        if self.reading == Reading::Head && self.size() > 0 {
            return EntryHead::peek(bytes);
        }
        let (position, previous) = Entry::check(bytes)?;
        if previous.is_some() {
            self.previous = previous;
        }
        Ok(EntryHead { epoch: position.epoch, sequence: position.sequence, recorded: position.recorded })
    }

    fn place(&mut self, head: EntryHead) {
        let here = Some(self.size());
        if head.epoch != self.epoch {
            self.found(here, Problem::Epoch(head.epoch));
        }
        if head.sequence != self.size() {
            self.found(here, Problem::Sequence(head.sequence));
        }
        if let Some(before) = self.last.filter(|before| head.recorded < *before) {
            self.found(here, Problem::Time { before, found: head.recorded });
        }
        self.first = self.first.or(Some(head.recorded));
        self.last = self.last.max(Some(head.recorded));
    }

    fn compare_roots(&mut self) {
        let size = self.frontier.size();
        if let Some(roots) = self.expected.remove(&size) {
            let root = self.frontier.root();
            for expected in roots {
                self.compared += 1;
                if expected != root {
                    // The last entry the root covers; what changed is it or one before.
                    self.found(size.checked_sub(1), Problem::Root { size });
                }
            }
        }
        self.next_expected = self.expected.keys().next().copied().unwrap_or(u64::MAX);
    }
}
