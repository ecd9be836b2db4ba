//! All SQL of the program that is not the schema, as `static`s.
//!
//! To add one: write it in the file of its subject inside `statements!`, with its parameter and
//! column types; the contract test then prepares it on both databases. Other crates may keep lists
//! of their own and hand them to [`crate::contract::check_statements`].

/// Declares statements and the list `ALL` of the module.
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $made:expr;)*) => {
        $($(#[$doc])* pub static $name: $crate::Statement = $made;)*
        /// Every statement of this module.
        pub static ALL: &[&$crate::Statement] = &[$(&$name),*];
    };
}

pub mod access;
pub mod keys;
pub mod ledger;
pub mod objects;
pub mod search;
pub mod upkeep;

use crate::statement::Statement;

/// Every list of statements of this crate.
pub static LISTS: &[&[&Statement]] =
    &[access::ALL, keys::ALL, ledger::ALL, objects::ALL, search::ALL, upkeep::ALL];

/// Every statement of this crate.
pub fn all() -> impl Iterator<Item = &'static Statement> {
    LISTS.iter().flat_map(|list| list.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let mut seen = BTreeSet::new();
        for statement in all() {
            assert!(seen.insert(statement.name), "{}", statement.name);
        }
    }
}
