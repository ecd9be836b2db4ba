//! What only the site knows.

use mimamori_domain::RoleCode;

use crate::text::Text;

/// 部署: an organisational unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub code: String,
    pub name: Text,
}

/// An information system that rules speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    pub code: String,
    pub name: Text,
}

/// A group of the organisation's identity provider, and what being in it means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInGroup {
    pub code: String,
    pub name: Text,
    /// What the provider calls it, exactly.
    pub group: String,
    /// Held by whoever signs in with the group, until their longest session ends.
    pub role: Option<RoleCode>,
    /// For a role whose scope is a unit.
    pub unit: Option<String>,
    /// For a role whose scope is an information system.
    pub system: Option<String>,
    /// Who is in none of the groups marked so does not sign in by the provider.
    pub required: bool,
}

/// Fixed wording that an official form carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    pub procedure: String,
    pub text: Text,
}
