//! Whether the pack names the caller for something: so that pages ask only for what they will be
//! given. What is permitted is decided by the use cases alone.

use mimamori_policy::model::{Document, Who};

use crate::layout::Ask;

/// Whether one of these words stands for the caller, by the roles they hold.
pub(super) fn names(ask: &Ask, words: &[Who]) -> bool {
    words.iter().any(|who| match who {
        Who::Anyone => ask.caller.is_staff(),
        Who::Citizen => !ask.caller.is_staff(),
        Who::Role(role) => ask.caller.roles().contains(role),
        Who::Applicant => false,
    })
}

/// Whether a duty of the pack is the caller's.
pub(super) fn has_duties(ask: &Ask) -> bool {
    let pack = ask.web.app.pack();
    let reviews = pack.registers().iter().filter_map(|register| register.review.as_ref());
    pack.schedules().iter().any(|schedule| names(ask, &schedule.owner))
        || reviews.into_iter().any(|review| names(ask, &review.by))
}

/// Whether the caller must say of some document that they read it.
pub(super) fn acknowledges(ask: &Ask) -> bool {
    ask.web.app.pack().documents().iter().any(|document| names(ask, &document.acknowledged_by))
}

/// Whether some document is posted for the caller.
pub(super) fn reads_documents(ask: &Ask) -> bool {
    let reads = |document: &Document| {
        names(ask, &document.posted) || names(ask, &document.acknowledged_by) || names(ask, &document.owner)
    };
    ask.web.app.pack().documents().iter().any(reads)
}
