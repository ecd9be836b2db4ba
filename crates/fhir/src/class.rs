//! Information classes (情報区分) of resources: `data/classes.tsv`.

use std::sync::OnceLock;

use mimamori_domain::ClassCode;

use crate::resource::Resource;
use crate::search::{tokens, walk};
use crate::tables::rows;

const CLASSES: &str = include_str!("../data/classes.tsv");

#[derive(Debug)]
struct Row {
    kind: &'static str,
    path: Vec<&'static str>,
    system: &'static str,
    code: &'static str,
    class: ClassCode,
}

/// A resource's information class: that of the first line of `data/classes.tsv` that fits.
#[must_use]
pub fn information_class(resource: &Resource) -> ClassCode {
    let found = table().iter().find(|row| fits(row, resource));
    // The table's last line fits anything (a test keeps it so).
    found.or(table().last()).map_or_else(fallback, |row| row.class.clone())
}

/// Every information class that the table can give, each once, in its order.
#[must_use]
pub fn information_classes() -> Vec<ClassCode> {
    let mut found: Vec<ClassCode> = Vec::new();
    for row in table() {
        if !found.contains(&row.class) {
            found.push(row.class.clone());
        }
    }
    found
}

fn fits(row: &Row, resource: &Resource) -> bool {
    if row.kind != "*" && row.kind != resource.resource_type() {
        return false;
    }
    if row.path.is_empty() {
        return true;
    }
    let mut codes = Vec::new();
    walk(resource.root(), &row.path, &mut |value| tokens(value, &mut codes));
    let fits = |wanted: &str, given: &str| wanted == "*" || wanted == given;
    codes.iter().any(|(system, code)| fits(row.system, system) && fits(row.code, code))
}

fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| rows(CLASSES).filter_map(|cells| row(&cells)).collect())
}

fn row(cells: &[&'static str]) -> Option<Row> {
    let [kind, path, system, code, class] = cells else {
        return None;
    };
    let path = if *path == "*" { Vec::new() } else { path.split('.').collect() };
    Some(Row { kind, path, system, code, class: ClassCode::new(class).ok()? })
}

/// The table is compiled in and a test reads every line of it.
fn fallback() -> ClassCode {
    unreachable!("data/classes.tsv has lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood_and_the_last_fits_anything() {
        assert_eq!(rows(CLASSES).count(), table().len());
        let last = table().last().unwrap();
        assert!(last.kind == "*" && last.path.is_empty());
        for row in table() {
            assert!(row.kind == "*" || crate::tables::tables().resource(row.kind).is_some(), "{}", row.kind);
        }
        for served in crate::served_types().iter().filter(|kind| crate::is_in_compartment(kind)) {
            assert!(table().iter().any(|row| row.kind == *served && row.path.is_empty()), "{served}");
        }
    }
}
