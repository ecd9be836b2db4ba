//! The life of a record: draft, awaiting confirmation, confirmed, amended, withdrawn.
//!
//! Each stage is a type that has only the steps the stage allows: a draft has no `amend`, a
//! confirmed record has no `edit`. [`RecordState`] is the same as stored data.

use std::fmt;
use std::str::FromStr;

use crate::{ActorId, ClassCode, InstitutionId};

/// The state one version of a record is in, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordState {
    /// 下書き: only its author sees it; may be changed freely.
    Draft,
    /// 確定待ち: entered on behalf of somebody who has yet to confirm it.
    AwaitingConfirmation,
    /// 確定: never overwritten from here on.
    Confirmed,
    /// 訂正: a confirmed record with a further version.
    Amended,
    /// 取消: withdrawn; the earlier versions stay.
    Withdrawn,
}

impl RecordState {
    pub const ALL: [Self; 5] =
        [Self::Draft, Self::AwaitingConfirmation, Self::Confirmed, Self::Amended, Self::Withdrawn];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingConfirmation => "awaiting",
            Self::Confirmed => "confirmed",
            Self::Amended => "amended",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RecordState {
    type Err = crate::CodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(crate::CodeError)
    }
}

/// What an access decision is about, and all it may depend on of a record: decided once per
/// distinct label of a subject, never per row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessLabel {
    pub class: ClassCode,
    pub state: RecordState,
    /// The institution that answers for the record.
    pub institution: InstitutionId,
}

/// A stage of a record's life, as a type.
pub trait Stage: sealed::Sealed {
    const STATE: RecordState;
}

mod sealed {
    pub trait Sealed {}
}

/// Who wrote a record and for whom. Moves from stage to stage with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorship {
    pub author: ActorId,
    /// 代行: the person on whose behalf it was entered, who must confirm it.
    pub on_behalf_of: Option<ActorId>,
}

macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident => $state:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(Authorship);
        impl sealed::Sealed for $name {}
        impl Stage for $name {
            const STATE: RecordState = RecordState::$state;
        }
        impl $name {
            #[must_use]
            pub const fn authorship(&self) -> &Authorship {
                &self.0
            }
        }
    )*};
}

stages! {
    /// A draft: may be edited, finished or thrown away.
    Draft => Draft;
    /// Entered on behalf of somebody: waits for that person.
    AwaitingConfirmation => AwaitingConfirmation;
    /// Confirmed: may be amended or withdrawn, never edited.
    Confirmed => Confirmed;
    /// Confirmed with amendments.
    Amended => Amended;
    /// Withdrawn: nothing more can be done with it.
    Withdrawn => Withdrawn;
}

/// What finishing a draft led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    Confirmed(Confirmed),
    Awaiting(AwaitingConfirmation),
}

impl Draft {
    #[must_use]
    pub const fn new(author: ActorId, on_behalf_of: Option<ActorId>) -> Self {
        Self(Authorship { author, on_behalf_of })
    }

    /// Finishes the draft: what its author wrote in their own name is confirmed, what was entered
    /// on behalf of somebody waits for that person.
    #[must_use]
    pub fn finish(self) -> Finished {
        match self.0.on_behalf_of {
            Some(principal) if principal != self.0.author => Finished::Awaiting(AwaitingConfirmation(self.0)),
            _ => Finished::Confirmed(Confirmed(self.0)),
        }
    }
}

impl AwaitingConfirmation {
    #[must_use]
    pub const fn new(author: ActorId, on_behalf_of: ActorId) -> Self {
        Self(Authorship { author, on_behalf_of: Some(on_behalf_of) })
    }

    /// Confirmation by the person on whose behalf it was entered.
    ///
    /// # Errors
    /// The record itself, unchanged, when somebody else tries.
    pub fn confirm(self, by: ActorId) -> Result<Confirmed, Self> {
        if self.0.on_behalf_of == Some(by) { Ok(Confirmed(self.0)) } else { Err(self) }
    }
}

impl Confirmed {
    #[must_use]
    pub const fn new(author: ActorId, on_behalf_of: Option<ActorId>) -> Self {
        Self(Authorship { author, on_behalf_of })
    }

    #[must_use]
    pub fn amend(self) -> Amended {
        Amended(self.0)
    }

    #[must_use]
    pub fn withdraw(self) -> Withdrawn {
        Withdrawn(self.0)
    }
}

impl Amended {
    #[must_use]
    pub fn amend(self) -> Self {
        self
    }

    #[must_use]
    pub fn withdraw(self) -> Withdrawn {
        Withdrawn(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_on_behalf_waits_for_that_person_and_nobody_else() {
        let (author, principal) = (ActorId::random(), ActorId::random());
        let Finished::Awaiting(waiting) = Draft::new(author, Some(principal)).finish() else {
            panic!("it must wait");
        };
        let waiting = waiting.confirm(author).expect_err("its author may not confirm it");
        assert_eq!(waiting.confirm(principal).unwrap().authorship().author, author);
    }

    #[test]
    fn an_own_draft_is_confirmed_when_finished() {
        let author = ActorId::random();
        assert!(matches!(Draft::new(author, None).finish(), Finished::Confirmed(_)));
        assert!(matches!(Draft::new(author, Some(author)).finish(), Finished::Confirmed(_)));
    }

    #[test]
    fn stored_text_of_a_state_round_trips() {
        for state in RecordState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
