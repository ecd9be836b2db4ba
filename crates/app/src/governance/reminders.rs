//! How somebody is reminded of what waits for them: by a calendar they subscribe to, and by mail.

use email_address::{EmailAddress, Options};
use mimamori_domain::{Action, ActorId, Kind, Result, Timestamp};
use mimamori_store::Unit;

use super::calendar::CalendarAddress;
use super::duties::THING;
use super::purpose;
use super::who::target;
use crate::App;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::record::fault;

/// What reminders are in the ledger.
const REMINDERS: Kind = Kind::of("reminders");

/// Longest address (RFC 5321, section 4.5.3.1.3).
const MOST_ADDRESS: usize = 254;

/// How somebody is reminded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reminders {
    pub calendar: Option<CalendarAddress>,
    /// Where mail goes; `None`: nowhere.
    pub mail: Option<String>,
    /// The last message of the past month, UTC, and whether it was sent.
    pub last_mail: Option<(Timestamp, bool)>,
}

/// The address stays out of debug output (invariant 9).
impl std::fmt::Debug for Reminders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reminders").field("calendar", &self.calendar).finish_non_exhaustive()
    }
}

impl App {
    /// How the caller is reminded.
    ///
    /// # Errors
    /// Forbidden for others than staff; unavailable.
    pub async fn reminders(&self, caller: &Caller) -> Result<Reminders> {
        let caller = purpose(caller);
        let decision = self.require_general(&caller, Action::Read, target(THING, caller.is_staff())).await?;
        let found = Reminders {
            calendar: self.own_calendar(&caller).await?,
            mail: caller.context.as_ref().and_then(|context| context.account.mail.clone()),
            last_mail: self.last_mail(caller.actor).await?,
        };
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
        entry.resource = Some((REMINDERS, None));
        let entry = self.with_sealed(&caller, entry, 0, None)?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Says where the caller's reminders are sent by mail; an empty address ends them.
    ///
    /// # Errors
    /// Invalid for what is no address; forbidden for others than staff; unavailable.
    pub async fn set_own_mail(&self, caller: &Caller, address: &str) -> Result<()> {
        let caller = purpose(caller);
        let address = checked_mail(address)?;
        let decision =
            self.require_general(&caller, Action::Update, target(THING, caller.is_staff())).await?;
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            let change = |account: &mut crate::body::Account| account.mail.clone_from(&address);
            self.put_account_change(&caller, &decision, &mut unit, caller.actor, None, change).await?;
            if let Settled::Done = self.settle(&caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// The same for somebody else, by who administers accounts.
    ///
    /// # Errors
    /// Invalid for what is no address; forbidden; not found; unavailable.
    pub async fn set_mail(&self, caller: &Caller, actor: ActorId, address: &str) -> Result<()> {
        let address = checked_mail(address)?;
        self.change_actor(caller, actor, Action::Update, None, |account| {
            account.mail.clone_from(&address);
            Ok(())
        })
        .await
    }
}

/// An address that mail can be sent to (RFC 5321, section 4.1.2: without quotes, literals and comments,
/// which no organisation gives out), or none.
pub(crate) fn checked_mail(address: &str) -> Result<Option<String>> {
    let address = address.trim();
    if address.is_empty() {
        return Ok(None);
    }
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    let good = address.is_ascii()
        && address.len() <= MOST_ADDRESS
        && !address.contains('"')
        && EmailAddress::parse_with_options(address, options).is_ok();
    if good {
        return Ok(Some(address.to_owned()));
    }
    Err(fault("mail", "this is no mail address; one looks like name@example.jp", "value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_and_anything_else_is_not() {
        for good in ["hana@example.jp", " hana.sato+duty@mail.city.example.lg.jp ", "a_b-c@x-y.example"] {
            assert_eq!(checked_mail(good).unwrap().as_deref(), Some(good.trim()), "{good}");
        }
        assert_eq!(checked_mail("  ").unwrap(), None);
        let long = format!("{}@example.jp", "a".repeat(65));
        for bad in [
            "hana",
            "hana@",
            "@example.jp",
            "hana@localhost",
            "a b@example.jp",
            "a@b@example.jp",
            "a@example.jp\r\nBcc: b@example.jp",
            "a@example.jp, b@example.jp",
            "Hana <hana@example.jp>",
            "\"a b\"@example.jp",
            "a@[127.0.0.1]",
            "花@example.jp",
            "a..b@example.jp",
            long.as_str(),
        ] {
            assert!(checked_mail(bad).is_err(), "{bad}");
        }
    }
}
