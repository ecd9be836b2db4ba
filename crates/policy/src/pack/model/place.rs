//! What only the site knows.

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

/// Fixed wording that an official form carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    pub procedure: String,
    pub text: Text,
}
