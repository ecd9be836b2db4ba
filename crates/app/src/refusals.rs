//! Refusals before sign-in: counted in memory per minute, address and reason, and written down
//! together, so that nobody can fill the disk and stop care.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use mimamori_domain::{Action, Outcome, Result};
use mimamori_store::{Change, Unit};
use mimamori_vault::hash_token;

use crate::access::Settled;
use crate::{App, Origin, sql};

/// Different addresses and reasons kept in one minute; the rest is counted together.
const MOST: usize = 1_000;

#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Counted, i64>>);

/// Minute, hash of the address, reason.
type Counted = (i64, [u8; 16], &'static str);

/// A keyed hash of an address: the table tells equal from different, not who.
pub(crate) fn address_hash(salt: &[u8; 32], address: Option<IpAddr>) -> [u8; 16] {
    let text = address.map(|address| address.to_string()).unwrap_or_default();
    let mut bytes = salt.to_vec();
    bytes.extend_from_slice(text.as_bytes());
    let hash = hash_token(&bytes);
    let mut short = [0; 16];
    short.copy_from_slice(hash.get(..16).unwrap_or(&[0; 16]));
    short
}

impl App {
    /// Counts a refusal before sign-in. `reason` is one of few fixed words.
    pub fn refused_before_sign_in(&self, origin: &Origin, reason: &'static str) {
        let minute = self.clock.now().as_micros().div_euclid(60_000_000);
        let address = address_hash(&self.address_salt, origin.address);
        let mut counts = self.refusals.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = counts.len() >= MOST;
        let key = (minute, address, reason);
        let key = if full && !counts.contains_key(&key) { (minute, [0; 16], "others") } else { key };
        *counts.entry(key).or_insert(0) += 1;
    }

    /// Writes down what was counted, under the rules in force now, and sweeps counters of tries: rows per
    /// address and minute, and one ledger entry with the sum.
    ///
    /// # Errors
    /// Unavailable; what was counted is kept and written the next time.
    pub async fn write_refusals(&self) -> Result<()> {
        self.in_force().await?.write_counted().await
    }

    async fn write_counted(&self) -> Result<()> {
        let counts = std::mem::take(&mut *self.refusals.0.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return Ok(());
        }
        let swept = self.sweep_tries().await;
        let caller = self.itself();
        let mut unit = Unit::new();
        for ((minute, address, reason), count) in &counts {
            let args = vec![(*minute).into(), (*address).into(), (*reason).into(), (*count).into()];
            unit.changes.push(Change::any(&sql::COUNT_REFUSALS, args));
        }
        let mut entry = caller.entry(unit.id, Action::SignIn);
        entry.outcome = Outcome::Refused;
        entry.count = counts.values().map(|count| count.unsigned_abs()).sum();
        let written = self.settle(&caller, unit.entry(entry)).await;
        if !matches!(written, Ok(Settled::Done)) {
            let mut kept = self.refusals.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counts {
                *kept.entry(key).or_insert(0) += count;
            }
        }
        written.map(drop).and(swept)
    }
}
