//! What the organisation's own rules demand: registers, procedures, duties, documents, controls.
//!
//! The rules are data (the policy pack); the modules here are the engines that run them. What they
//! keep belongs to the organisation and to no subject: objects of [`object`], sealed under keys of
//! the register or procedure and month they were made in ([`keys`]), each version committed to by
//! the ledger entry of the change (invariant 2). Who may do what is decided by the policies like
//! everything else; [`who`] says whether the pack names the caller.

pub(crate) mod adoption;
pub(crate) mod appointments;
pub(crate) mod attachments;
pub(crate) mod calendar;
pub(crate) mod checks;
pub(crate) mod choices;
pub(crate) mod controls;
pub(crate) mod documents;
pub(crate) mod duties;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod mail;
pub(crate) mod object;
pub(crate) mod parts;
pub(crate) mod procedures;
pub(crate) mod registers;
pub(crate) mod reminders;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod system;
pub(crate) mod values;
pub(crate) mod who;

use mimamori_domain::Purpose;

use crate::caller::Caller;

/// The caller, doing the organisation's own work: staff for running it, citizens for themselves.
pub(crate) fn purpose(caller: &Caller) -> Caller {
    if caller.is_staff() { caller.for_purpose(Purpose::Operations) } else { caller.clone() }
}
