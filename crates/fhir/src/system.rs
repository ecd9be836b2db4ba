//! Code and identifier systems by short names of ours: `data/systems.tsv`.

use crate::tables::rows;

const SYSTEMS: &str = include_str!("../data/systems.tsv");

/// The URI of a system, by our short name for it (`loinc`, `ucum`, `hot9`, `jlac10` ...).
#[must_use]
pub fn system_uri(name: &str) -> Option<&'static str> {
    systems().find(|system| system.name == name).map(|system| system.uri)
}

/// The known systems, in the order of the table.
pub fn systems() -> impl Iterator<Item = System> {
    rows(SYSTEMS).filter_map(|cells| match cells.as_slice() {
        [name, uri, title] => Some(System { name, uri, title }),
        _ => None,
    })
}

/// A code or identifier system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Our short name.
    pub name: &'static str,
    pub uri: &'static str,
    /// What it is, in Japanese.
    pub title: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_system_with_a_name_of_its_own() {
        assert_eq!(rows(SYSTEMS).count(), systems().count());
        for system in systems() {
            assert_eq!(system_uri(system.name), Some(system.uri), "two systems of one name");
            assert!(system.uri.starts_with("http://") || system.uri.starts_with("urn:oid:"));
        }
        assert_eq!(system_uri("no-such-system"), None);
    }

    #[test]
    fn the_table_of_classes_uses_the_same_addresses() {
        for cells in rows(include_str!("../data/classes.tsv"))
            .filter(|cells| cells[0] == "Observation" && cells[2] != "*")
        {
            assert!(systems().any(|system| system.uri == cells[2]), "{}", cells[2]);
        }
    }
}
