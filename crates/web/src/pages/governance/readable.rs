//! What the caller may open, so that no page leads them to a refusal.

use std::collections::BTreeSet;

use super::words::Line;
use crate::layout::Ask;

/// The registers whose entries the caller may read.
pub(super) struct Readable {
    registers: BTreeSet<String>,
}

impl Readable {
    pub(super) fn of(ask: &Ask) -> Self {
        let registers = ask.web.app.readable_registers(&ask.caller);
        Self { registers: registers.into_iter().collect() }
    }

    pub(super) fn register(&self, code: &str) -> bool {
        self.registers.contains(code)
    }

    /// Takes the links away that lead into other registers; their words stay.
    pub(super) fn keep<'a>(&self, lines: impl Iterator<Item = &'a mut Line>) {
        for cell in lines.flat_map(|line| &mut line.cells) {
            let into = cell.link.as_deref().and_then(|link| link.strip_prefix("/rules/registers/"));
            let register = into.and_then(|rest| rest.split_once('/')).map(|(code, _)| code);
            if register.is_some_and(|code| !self.register(code)) {
                cell.link = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Cell;
    use super::*;

    #[test]
    fn links_into_other_registers_become_words() {
        let cell = |link: &str| Cell { text: "x".to_owned(), link: Some(link.to_owned()) };
        let links = ["/rules/registers/open/entries/1", "/rules/registers/closed/entries/2", "/people/3"];
        let mut lines = [Line { cells: links.map(cell).to_vec(), ..Line::default() }];
        Readable { registers: BTreeSet::from(["open".to_owned()]) }.keep(lines.iter_mut());
        let left: Vec<bool> = lines[0].cells.iter().map(|cell| cell.link.is_some()).collect();
        assert_eq!(left, [true, false, true]);
        assert!(lines[0].cells.iter().all(|cell| cell.text == "x"));
    }
}
