//! What an approval does, and where values come from.

use std::collections::BTreeMap;
use std::fmt;

/// Something done once, after the last approval, in one transaction with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub action: EffectKind,
    /// Argument, and where its value comes from.
    pub with: BTreeMap<String, Source>,
}

super::words! {
    /// What an approval can do.
    EffectKind {
        IssueAccount = "issue-account",
        ChangeAccount = "change-account",
        StopAccount = "stop-account",
        ResumeAccount = "resume-account",
        DeleteAccount = "delete-account",
        Appoint = "appoint",
        EndAppointment = "end-appointment",
        GrantPrivilege = "grant-privilege",
        RegisterDevice = "register-device",
        RetireDevice = "retire-device",
        PermitTakingOut = "permit-taking-out",
        ReleaseData = "release-data",
        OpenMaintenance = "open-maintenance",
        CloseMaintenance = "close-maintenance",
        PermitDisposal = "permit-disposal",
        AdoptPack = "adopt-pack",
        PublishDocument = "publish-document",
    }
}

/// Each effect's arguments; the first must be given.
const ARGUMENTS: &[(EffectKind, &[&str])] = &[
    (
        EffectKind::IssueAccount,
        &[
            "name",
            "login",
            "institution",
            "occupation",
            "kana",
            "unit",
            "mail",
            "until",
            "sort",
            "subject",
            "relation",
        ],
    ),
    (
        EffectKind::ChangeAccount,
        &["account", "name", "kana", "occupation", "institution", "unit", "mail", "from", "way"],
    ),
    (EffectKind::StopAccount, &["account", "at", "way"]),
    (EffectKind::ResumeAccount, &["account"]),
    (EffectKind::DeleteAccount, &["account", "at"]),
    (EffectKind::Appoint, &["person", "role", "from", "until"]),
    (EffectKind::EndAppointment, &["person", "role", "from", "until"]),
    (EffectKind::GrantPrivilege, &["person", "role", "from", "until"]),
    (EffectKind::RegisterDevice, &["device", "place", "owner", "institution"]),
    (EffectKind::RetireDevice, &["device"]),
    (EffectKind::PermitTakingOut, &["asset", "person", "from", "until"]),
    (EffectKind::ReleaseData, &["applicant", "scope", "until"]),
    (EffectKind::OpenMaintenance, &["system", "from", "until", "account"]),
    (EffectKind::CloseMaintenance, &["system", "from", "until", "account"]),
    (EffectKind::PermitDisposal, &["asset", "method"]),
    (EffectKind::AdoptPack, &["pack"]),
    (EffectKind::PublishDocument, &["document"]),
];

impl EffectKind {
    /// What it touches, as the access policies call it: `step-up.things` names such things.
    #[must_use]
    pub const fn thing(self) -> Option<&'static str> {
        match self {
            Self::IssueAccount
            | Self::ChangeAccount
            | Self::StopAccount
            | Self::ResumeAccount
            | Self::DeleteAccount
            | Self::OpenMaintenance
            | Self::CloseMaintenance => Some("account"),
            Self::Appoint | Self::EndAppointment | Self::GrantPrivilege => Some("role"),
            Self::RegisterDevice | Self::RetireDevice => Some("terminal"),
            Self::AdoptPack => Some("pack"),
            Self::PermitTakingOut | Self::ReleaseData | Self::PermitDisposal | Self::PublishDocument => None,
        }
    }

    /// The arguments it knows; the first must be given.
    #[must_use]
    pub fn arguments(self) -> &'static [&'static str] {
        ARGUMENTS.iter().find(|row| row.0 == self).map_or(&[], |row| row.1)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A field of the form or of a step.
    Field(FieldReference),
    /// This text; a choice's code where the target is a choice.
    Text(String),
    /// Whoever applied; in a decision, whoever began it.
    Applicant,
    /// The day of the last approval.
    DecidedOn,
    /// Who gave the last approval.
    DecidedBy,
}

/// A field of a procedure's form, or of one of its steps: `field-code` or `step-code.field-code`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldReference {
    /// The step that fills it in; none: the form.
    pub step: Option<String>,
    pub field: String,
}

impl FieldReference {
    /// Reads `field-code` or `step-code.field-code`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((step, field)) => Self { step: Some(step.to_owned()), field: field.to_owned() },
            None => Self { step: None, field: text.to_owned() },
        }
    }
}

impl fmt::Display for FieldReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(f, "{step}.{}", self.field),
            None => f.write_str(&self.field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_has_arguments() {
        for kind in EffectKind::ALL {
            assert!(!kind.arguments().is_empty(), "{kind}");
        }
    }
}
