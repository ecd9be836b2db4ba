//! The closed word lists that decisions and ledger entries use.
//!
//! Each word has a stable text (stored in ledger entries for ever: add words, never change one).

use std::fmt;
use std::str::FromStr;

use crate::CodeError;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$wdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$wdoc])* $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = CodeError;
            fn from_str(text: &str) -> Result<Self, CodeError> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(CodeError) }
            }
        }
    )*};
}

words! {
    /// What is done.
    Action {
        /// Look at content.
        Read = "read",
        /// Ask for a list; one entry for the query itself.
        Search = "search",
        /// Make something new.
        Create = "create",
        /// Change a draft, or add a version to something that is not a record (team, consent ...).
        Update = "update",
        /// 確定.
        Confirm = "confirm",
        /// 訂正.
        Amend = "amend",
        /// 取消.
        Withdraw = "withdraw",
        /// Take content out of the system as a file.
        Export = "export",
        /// Take content in from a file.
        Import = "import",
        /// See who looked.
        Review = "review",
        /// Who may do what was asked or explained.
        Explain = "explain",
        /// 緊急時アクセス declared.
        BreakGlass = "break-glass",
        SignIn = "sign-in",
        SignOut = "sign-out",
        /// Accounts, roles, tokens, institutions, packs, settings.
        Administer = "administer",
        /// Keys: made, rotated, destroyed.
        Key = "key",
        /// What the program does by itself: start, checkpoint, migration, epoch.
        System = "system",
    }

    /// How it ended.
    Outcome {
        Success = "success",
        /// Not permitted.
        Refused = "refused",
        /// Permitted and tried, and did not work; nothing was changed.
        Failed = "failed",
    }

    /// Why it was done, as stated (HL7 PurposeOfUse in words).
    Purpose {
        /// Treatment and nursing care.
        Care = "care",
        /// The person's or proxy's own request.
        Personal = "personal",
        /// Danger to life.
        Emergency = "emergency",
        /// Running and administering the system.
        Operations = "operations",
        /// Audit and review.
        Audit = "audit",
        /// Between programs on an institution's behalf.
        Exchange = "exchange",
    }

    /// The ground in law on which personal data is handled.
    LegalBasis {
        /// The institution's own care of the person.
        OwnCare = "own-care",
        /// The person's consent.
        Consent = "consent",
        /// A duty or permission in law.
        Law = "law",
        /// Danger to life, body or property.
        DangerToLife = "danger-to-life",
        /// Commissioned by the institution that answers for it.
        Commission = "commission",
        /// The person themself, or who may speak for them.
        Self_ = "self",
        /// No personal data was handled.
        None = "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for word in Action::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
        }
        for word in LegalBasis::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
        }
        assert!("browse".parse::<Action>().is_err());
    }
}
