//! The shapes of a pack's YAML files as written. Unknown keys are refused; what may be missing here
//! and is needed is reported by `check`, so that one reading tells every problem.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{ParameterValue, RoleScope};

/// A text with the line it stands on.
pub(super) type Located = Spanned<String>;

/// `pack.yaml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackFile {
    pub id: Located,
    pub ja: Option<String>,
    pub en: Option<String>,
    pub languages: Vec<Located>,
    #[serde(default)]
    pub zones: Vec<ZoneRow>,
    pub parameters: Vec<ParameterRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZoneRow {
    pub code: Located,
    pub ja: Option<String>,
    pub en: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterRow {
    pub key: Located,
    pub value: ParameterValue,
    pub least: Option<u64>,
    pub most: Option<u64>,
    pub ja: Option<String>,
    pub en: Option<String>,
}

/// `occupations.yaml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OccupationsFile {
    pub occupations: Vec<OccupationRow>,
    #[serde(default)]
    pub groups: Vec<GroupRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OccupationRow {
    pub code: Located,
    pub ja: Option<String>,
    pub en: Option<String>,
    pub medical: bool,
    pub finds_people: bool,
    pub registers_people: bool,
    pub break_glass: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupRow {
    pub code: Located,
    pub members: Vec<Located>,
}

/// `roles.yaml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesFile {
    pub roles: Vec<RoleRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RoleRow {
    pub code: Located,
    pub ja: Option<String>,
    pub en: Option<String>,
    pub scope: RoleScope,
    pub appointed_by: Vec<Located>,
    #[serde(default)]
    pub not_with: Vec<Located>,
    #[serde(default)]
    pub privileged: bool,
}

/// `classes.yaml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassesFile {
    pub classes: Vec<ClassRow>,
    pub things: Vec<ThingRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ClassRow {
    pub code: Located,
    pub ja: Option<String>,
    pub en: Option<String>,
    pub sensitivity: u8,
    #[serde(default)]
    pub place: bool,
    #[serde(default)]
    pub registration: bool,
    #[serde(default)]
    pub person_reads: bool,
    #[serde(default)]
    pub person_writes: bool,
    #[serde(default)]
    pub kinds: Vec<Located>,
    pub readers: Vec<Located>,
    pub writers: Vec<Located>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThingRow {
    pub code: Located,
    pub ja: Option<String>,
    pub en: Option<String>,
    #[serde(default)]
    pub kinds: Vec<Located>,
}
