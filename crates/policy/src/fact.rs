//! The named truths that the program computes before it asks Cedar, and their words.
//!
//! Policies combine these and nothing finer, so that every condition can be told by itself when
//! somebody asks why.

use crate::text::Text;

/// One truth about a request. Its name is the attribute of Cedar's `context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fact {
    OwnInstitution,
    InTeam,
    RegisteringInstitution,
    ConsentPermits,
    ConsentDenies,
    IsSelf,
    IsProxy,
    IsAuthor,
    EnteredForCaller,
    ActsForOther,
    IsOwner,
    HasOccupation,
    OccupationReads,
    OccupationWrites,
    OccupationFindsPeople,
    OccupationRegistersPeople,
    OccupationMayBreakGlass,
    BreakGlassDeclared,
    Protected,
    Place,
    ClassOpenToPerson,
    ClassPersonWrites,
    ClassRegistration,
    ScopePermits,
    RegisteredTerminal,
    NamedByPack,
    ZoneClosed,
    TerminalMissing,
    FactorMissing,
    OutsideWorker,
}

/// Fact, attribute name, Japanese, English: in the order of the enumeration.
const TABLE: &[(Fact, &str, &str, &str)] = &[
    (
        Fact::OwnInstitution,
        "own_institution",
        "所属機関がその記録や物事に責任を負う",
        "the caller's institution answers for it",
    ),
    (
        Fact::InTeam,
        "in_team",
        "期間内の支援チームの一員である",
        "the caller is a current member of the care team",
    ),
    (
        Fact::RegisteringInstitution,
        "registering_institution",
        "所属機関が対象者を登録した",
        "the caller's institution registered the person",
    ),
    (
        Fact::ConsentPermits,
        "consent_permits",
        "本人の同意がこの区分と機関に及ぶ",
        "the person's consent covers this class and institution",
    ),
    (
        Fact::ConsentDenies,
        "consent_denies",
        "本人がこの区分か機関を拒んでいる",
        "the person denied this class or institution",
    ),
    (Fact::IsSelf, "is_self", "本人である", "the caller is the person"),
    (
        Fact::IsProxy,
        "is_proxy",
        "この区分について期間内の代諾者である",
        "the caller is a current proxy for this class",
    ),
    (Fact::IsAuthor, "is_author", "記録を書いた人である", "the caller wrote the record"),
    (
        Fact::EnteredForCaller,
        "entered_for_caller",
        "この人の代行で入力された",
        "it was entered on the caller's behalf",
    ),
    (
        Fact::ActsForOther,
        "acts_for_other",
        "ほかの人の代行をしている",
        "the caller acts on behalf of somebody else",
    ),
    (Fact::IsOwner, "is_owner", "自分のものである", "it is the caller's own"),
    (Fact::HasOccupation, "has_occupation", "職種を持つ", "the caller has an occupation"),
    (
        Fact::OccupationReads,
        "occupation_reads",
        "職種がこの区分を見てよい",
        "the occupation reads this class",
    ),
    (
        Fact::OccupationWrites,
        "occupation_writes",
        "職種がこの区分を書いてよい",
        "the occupation writes this class",
    ),
    (
        Fact::OccupationFindsPeople,
        "occupation_finds_people",
        "職種が対象者を探してよい",
        "the occupation may look for people",
    ),
    (
        Fact::OccupationRegistersPeople,
        "occupation_registers_people",
        "職種が対象者を登録してよい",
        "the occupation may register people",
    ),
    (
        Fact::OccupationMayBreakGlass,
        "occupation_may_break_glass",
        "職種が緊急時アクセスを認められている",
        "the occupation may break the glass",
    ),
    (
        Fact::BreakGlassDeclared,
        "break_glass_declared",
        "理由を示した緊急時アクセスの期間内である",
        "break-glass is declared with a reason and not over",
    ),
    (Fact::Protected, "protected", "見られない事情がある", "a circumstance withholds it"),
    (Fact::Place, "place", "居場所や訪問が分かる区分である", "the class tells places or visits"),
    (
        Fact::ClassOpenToPerson,
        "class_open_to_person",
        "本人に見せる区分である",
        "the class is shown to the person",
    ),
    (
        Fact::ClassPersonWrites,
        "class_person_writes",
        "本人が書く区分である",
        "the class is written by the person",
    ),
    (
        Fact::ClassRegistration,
        "class_registration",
        "登録に要る区分である",
        "the class is needed for registration",
    ),
    (Fact::ScopePermits, "scope_permits", "プログラムに許された範囲である", "the program's scopes cover it"),
    (
        Fact::RegisteredTerminal,
        "registered_terminal",
        "登録された端末からである",
        "it comes from a registered terminal",
    ),
    (
        Fact::NamedByPack,
        "named_by_pack",
        "規程パックがこの人（の役割）をこの仕事に定めている",
        "the pack names the caller, or a role of theirs, for this",
    ),
    (
        Fact::ZoneClosed,
        "zone_closed",
        "この接続区分からの利用を許されていない",
        "the caller is not permitted to come from this zone",
    ),
    (
        Fact::TerminalMissing,
        "terminal_missing",
        "この接続区分では登録端末が要るが、そうでない",
        "this zone asks the caller for a registered terminal, and it is none",
    ),
    (
        Fact::FactorMissing,
        "factor_missing",
        "この接続区分では二要素の本人確認が要るが、すんでいない",
        "this zone asks the caller for two factors, and one was given",
    ),
    (
        Fact::OutsideWorker,
        "outside_worker",
        "開発用・保守用のアカウントである",
        "the caller's account is one for development or maintenance",
    ),
];

impl Fact {
    /// Every fact, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The attribute's name in Cedar's `context`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.get(self as usize).map_or("", |row| row.1)
    }

    /// The fact in words.
    #[must_use]
    pub fn words(self) -> Text {
        TABLE.get(self as usize).map_or_else(Text::default, |row| Text::new(row.2, row.3))
    }

    /// The fact whose attribute has this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// A set of facts that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FactSet(u32);

impl FactSet {
    pub fn set(&mut self, fact: Fact, holds: bool) {
        if holds {
            self.0 |= 1 << fact as u32;
        }
    }

    #[must_use]
    pub const fn holds(self, fact: Fact) -> bool {
        self.0 & (1 << fact as u32) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enumeration() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, at, "{}", row.1);
            assert_eq!(Fact::named(row.1), Some(row.0));
        }
        assert!(TABLE.len() <= 32, "the set is 32 bits wide");
    }
}
