//! Failed tries: how long the next one waits, and for whom.
//!
//! A try is counted *before* the password is looked at and taken back after it was right, so that many
//! at once are no way around the count. Three counters decide:
//!
//! - this name from this place (its terminal, or its address; of IPv6 the /64 network): always;
//! - this name from anywhere: only for a place from which this account has not signed in lately. So
//!   somebody elsewhere who locks a name does not lock its owner out of the place they work at;
//! - this place, whatever name, ten times later, for names unknown there.
//!
//! They are rows of the database: a restart or another program of the installation counts on. A name
//! that nobody has is counted and locked like any other. Rows are swept when their time is over; how
//! many there can be is bounded by how many passwords one thread checks in that time.

use std::net::IpAddr;
use std::time::Duration;

use mimamori_domain::{Error, Result, Timestamp};
use mimamori_policy::Pack;
use mimamori_store::{Change, Row};

use crate::refusals::address_hash;
use crate::{App, Origin, sql};

/// Stands for every name, or every place.
const ANY: &[u8] = &[0; 16];
/// In the place of an address: failures since the last sign-in, for its owner to see.
const TALLY: &[u8] = &[1; 16];
/// In the place of an address: somebody unlocked the name; it is not locked as a whole for a while.
const GRACE: &[u8] = &[2; 16];

/// A place is known for so long after a sign-in from it.
const KNOWN_FOR: Duration = Duration::from_secs(90 * 86_400);
/// The tally is kept for so long.
const TALLY_FOR: Duration = Duration::from_secs(400 * 86_400);
/// After somebody unlocked a name it is not locked as a whole for so long.
const GRACE_FOR: Duration = Duration::from_secs(3_600);
/// From one place so many times more failures lock it for every name unknown there.
const PLACE_FACTOR: u64 = 10;

/// The pack's rules about failures.
pub(crate) struct Limits {
    lock_after: u64,
    lock: Duration,
    delays: Vec<u64>,
}

impl Limits {
    pub(crate) fn of(pack: &Pack) -> Result<Self> {
        Ok(Self {
            lock_after: pack.parameter_u64("sign-in.lock-after-failures")?,
            lock: Duration::from_secs(60 * pack.parameter_u64("sign-in.lock-minutes")?),
            delays: pack.parameter_list("sign-in.delays-seconds")?.to_vec(),
        })
    }

    /// How long after the last of so many failures the next try is refused.
    fn wait(&self, failures: u64, lock_after: u64) -> Duration {
        if failures >= lock_after {
            return self.lock;
        }
        let at = usize::try_from(failures).unwrap_or(usize::MAX).min(self.delays.len().saturating_sub(1));
        Duration::from_secs(self.delays.get(at).copied().unwrap_or(0))
    }
}

/// Failures counted in one row.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    failures: u64,
    last: Timestamp,
}

/// What was counted about one name at one place.
#[derive(Default)]
pub(crate) struct Counted {
    here: Counter,
    anywhere: Counter,
    place: Counter,
    pub(crate) tally: u64,
    /// The account signed in from here lately.
    pub(crate) known: bool,
    grace: bool,
}

impl Counted {
    /// Until when a try waits. `under_way`: one more has been counted for the try that asks.
    pub(crate) fn waits_until(&self, limits: &Limits, now: Timestamp, under_way: bool) -> Option<Timestamp> {
        let until = |counter: Counter, lock_after: u64, delays: bool| {
            let before = counter.failures.saturating_sub(u64::from(under_way));
            // Failures that ended longer ago than a lock lasts count no more.
            if before == 0 || now.since(counter.last) >= limits.lock {
                return None;
            }
            // While it is under way its own time is the last one: only the number counts.
            if under_way {
                return (before >= lock_after).then(|| counter.last.plus(limits.lock));
            }
            if !delays && before < lock_after {
                return None;
            }
            Some(counter.last.plus(limits.wait(before, lock_after))).filter(|until| now < *until)
        };
        let mut all = vec![until(self.here, limits.lock_after, true)];
        if !self.known {
            if !self.grace {
                all.push(until(self.anywhere, limits.lock_after, true));
            }
            all.push(until(self.place, limits.lock_after.saturating_mul(PLACE_FACTOR), false));
        }
        all.into_iter().flatten().max()
    }
}

/// One name tried from one place.
pub(crate) struct Try {
    pub(crate) login: Vec<u8>,
    known: Vec<u8>,
    place: [u8; 16],
}

impl App {
    /// The keys of the counters of a name tried from somewhere.
    pub(crate) fn try_of(&self, login: &str, origin: &Origin) -> Try {
        Try {
            login: self.login_token(login),
            known: self.login_token(&format!("known|{login}")),
            place: self.place_hash(origin),
        }
    }

    /// Where a try comes from: the terminal, if it showed who it is, else the address.
    fn place_hash(&self, origin: &Origin) -> [u8; 16] {
        match origin.terminal {
            Some(terminal) => {
                let token = self.login_token(&format!("terminal|{terminal}"));
                let mut short = [0; 16];
                short.iter_mut().zip(token).for_each(|(to, from)| *to = from);
                short
            }
            None => address_hash(&self.address_salt, origin.address.map(network)),
        }
    }

    pub(crate) async fn counted(&self, tried: &Try, now: Timestamp) -> Result<Counted> {
        let args = vec![
            tried.login.clone().into(),
            tried.place.into(),
            ANY.into(),
            tried.known.clone().into(),
            TALLY.into(),
            GRACE.into(),
        ];
        let mut counted = Counted::default();
        for row in self.store.query(&sql::ATTEMPTS, args).await? {
            counted.add(&row, tried, now).map_err(Error::unavailable)?;
        }
        Ok(counted)
    }

    /// Counts a try as a failure until it is known to be none. `owned`: somebody has this name.
    pub(crate) async fn count_try(
        &self,
        tried: &Try,
        counted: &Counted,
        limits: &Limits,
        owned: bool,
        now: Timestamp,
    ) -> Result<()> {
        let row = |login: &[u8], place: &[u8], anew: Duration, keep: Duration| {
            let anew = Timestamp::from_micros(
                now.as_micros().saturating_sub(i64::try_from(anew.as_micros()).unwrap_or(i64::MAX)),
            );
            let args = vec![login.into(), place.into(), now.into(), now.plus(keep).into(), anew.into()];
            Change::any(&sql::COUNT_FAILURE, args)
        };
        let lock = limits.lock;
        let mut changes = vec![row(&tried.login, &tried.place, lock, lock)];
        if !counted.known {
            changes.push(row(&tried.login, ANY, lock, lock));
            changes.push(row(ANY, &tried.place, lock, lock));
        }
        if owned {
            changes.push(row(&tried.login, TALLY, TALLY_FOR, TALLY_FOR));
        }
        self.store.upkeep(changes).await.map_err(crate::access::commit_error)?;
        Ok(())
    }

    /// A try was right: what was counted for the name is forgotten, what it added to its place is taken
    /// back, and the place is known from now on. `session` keeps how many failures there were.
    pub(crate) async fn forget_tries(
        &self,
        tried: &Try,
        counted: &Counted,
        session: &[u8; 16],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let keep = |key: &[u8], place: &[u8], failures: u64, until: Timestamp| {
            let args = vec![key.into(), place.into(), failures.into(), now.into(), until.into()];
            Change::any(&sql::KEEP_ATTEMPT, args)
        };
        let mut changes = vec![
            Change::any(&sql::FORGET_FAILURES, vec![tried.login.clone().into()]),
            keep(&tried.known, &tried.place, 0, now.plus(KNOWN_FOR)),
            keep(session, TALLY, counted.tally, expires),
        ];
        if !counted.known {
            changes.push(Change::any(&sql::TAKE_BACK, vec![ANY.into(), tried.place.into()]));
        }
        self.store.upkeep(changes).await.map_err(crate::access::commit_error)?;
        Ok(())
    }

    /// A try was none: what it added is taken back.
    pub(crate) async fn take_back(&self, tried: &Try, counted: &Counted) -> Result<()> {
        let place = tried.place.as_slice();
        let login = tried.login.as_slice();
        let mut rows = vec![(login, place), (login, TALLY)];
        if !counted.known {
            rows.extend([(login, ANY), (ANY, place)]);
        }
        let back =
            |(key, place): (&[u8], &[u8])| Change::any(&sql::TAKE_BACK, vec![key.into(), place.into()]);
        let changes = rows.into_iter().map(back).collect();
        self.store.upkeep(changes).await.map_err(crate::access::commit_error)?;
        Ok(())
    }

    /// Counts a try of somebody whose name is known until it is known to be none.
    ///
    /// # Errors
    /// Busy while further tries must wait.
    pub(crate) async fn begin_try(&self, login: &str, origin: &Origin) -> Result<(Try, Counted)> {
        let now = self.clock.now();
        let (tried, limits) = (self.try_of(login, origin), Limits::of(&self.pack)?);
        let counted = self.counted(&tried, now).await?;
        if counted.waits_until(&limits, now, false).is_some() {
            return Err(self.refused_to_wait(origin));
        }
        self.count_try(&tried, &counted, &limits, true, now).await?;
        if self.counted(&tried, now).await?.waits_until(&limits, now, true).is_some() {
            return Err(self.refused_to_wait(origin));
        }
        Ok((tried, counted))
    }

    /// What unlocks a name: to go into the unit that records it.
    pub(crate) fn unlocking(&self, login: &str, now: Timestamp) -> Vec<Change> {
        let token = self.login_token(login);
        let until = now.plus(GRACE_FOR);
        let grace = vec![token.clone().into(), GRACE.into(), 1_u64.into(), now.into(), until.into()];
        vec![Change::any(&sql::FORGET_FAILURES, vec![token.into()]), Change::any(&sql::KEEP_ATTEMPT, grace)]
    }

    /// Until when tries at a name are refused somewhere, as of now.
    pub(crate) async fn locked_until(&self, login: &str, now: Timestamp) -> Result<Option<Timestamp>> {
        let limits = Limits::of(&self.pack)?;
        let args = vec![self.login_token(login).into(), limits.lock_after.into()];
        let mut latest = None;
        for row in self.store.query(&sql::LOCKED_PLACES, args).await? {
            let place = row.blob(0).map_err(Error::unavailable)?;
            if place == TALLY || place == GRACE {
                continue;
            }
            let until = row.time(1).map_err(Error::unavailable)?.plus(limits.lock);
            latest = latest.max(Some(until).filter(|until| now < *until));
        }
        Ok(latest)
    }

    /// How many tries had failed before a session began.
    pub(crate) async fn failed_before(&self, session: &[u8; 16]) -> Result<u64> {
        let row = self.store.query_one(&sql::TALLIED, vec![(*session).into(), TALLY.into()]).await?;
        row.map_or(Ok(0), |row| row.unsigned(0)).map_err(Error::unavailable)
    }

    /// Notes beside a session how many tries had failed before it began.
    pub(crate) fn noting_failed(
        &self,
        session: &[u8; 16],
        failed: u64,
        expires: Timestamp,
        now: Timestamp,
    ) -> Change {
        let args = vec![session.as_slice().into(), TALLY.into(), failed.into(), now.into(), expires.into()];
        Change::any(&sql::KEEP_ATTEMPT, args)
    }

    /// Takes away what no counter needs any more.
    pub(crate) async fn sweep_tries(&self) -> Result<()> {
        let sweep = Change::any(&sql::SWEEP_ATTEMPTS, vec![self.clock.now().into()]);
        self.store
            .upkeep(vec![sweep, self.sweeping_ceremonies()])
            .await
            .map_err(crate::access::commit_error)?;
        Ok(())
    }
}

impl Counted {
    fn add(&mut self, row: &Row, tried: &Try, now: Timestamp) -> Result<(), mimamori_store::RowError> {
        let (login, place) = (row.blob(0)?, row.blob(1)?);
        let counter = Counter { failures: row.unsigned(2)?, last: row.time(3)? };
        let lasts = now < row.time(4)?;
        if login == tried.known.as_slice() {
            self.known = lasts;
        } else if login == ANY {
            self.place = counter;
        } else if place == ANY {
            self.anywhere = counter;
        } else if place == TALLY {
            self.tally = counter.failures;
        } else if place == GRACE {
            self.grace = lasts;
        } else {
            self.here = counter;
        }
        Ok(())
    }
}

/// Of an IPv6 address the /64 network, which is what one subscriber has (RFC 6177); IPv4 in IPv6 as IPv4.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_one_place() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
