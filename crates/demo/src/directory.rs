//! Finds who of the city's staff looks after a person.

use std::collections::HashMap;

use crate::random::Stream;
use crate::table::{self, Row, rows};
use crate::{City, Institution, Staff};

/// Staff by occupation and kind of institution.
#[derive(Debug)]
pub(crate) struct Directory<'a> {
    by_post: HashMap<(&'a str, &'static str), Vec<Member<'a>>>,
    typical: Vec<&'static str>,
}

/// A staff member with where they work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) staff: &'a Staff,
    pub(crate) institution: &'a Institution,
}

/// The first people of a city often have the typical staff, so that these find people to look at.
const TYPICAL_PANEL: u32 = 60;

impl<'a> Directory<'a> {
    pub(crate) fn of(city: &'a City) -> Self {
        let by_key: HashMap<&str, &Institution> =
            city.institutions.iter().map(|i| (i.key.as_str(), i)).collect();
        let mut by_post: HashMap<_, Vec<Member>> = HashMap::new();
        for staff in &city.staff {
            if let Some(&institution) = by_key.get(staff.institution.as_str()) {
                let post = (staff.occupation.as_str(), institution.kind.as_str());
                by_post.entry(post).or_default().push(Member { staff, institution });
            }
        }
        let typical = rows(include_str!("../data/typical.tsv")).map(|row| row.text(0)).collect();
        Self { by_post, typical }
    }

    /// Somebody of that occupation in that kind of institution, for person `number`.
    pub(crate) fn somebody(
        &self,
        occupation: &str,
        kind: &str,
        number: u32,
        chance: &mut Stream,
    ) -> Option<Member<'a>> {
        let members = self.by_post.iter().find(|((o, k), _)| *o == occupation && *k == kind)?.1;
        let known = members.iter().find(|m| self.typical.contains(&m.staff.login.as_str()));
        let likely = match number {
            1 => 100,
            2..=TYPICAL_PANEL => 45,
            _ => 0,
        };
        match known {
            Some(member) if chance.chance(likely) => Some(*member),
            _ => chance.pick(members).copied(),
        }
    }
}

impl Member<'_> {
    /// As a FHIR reference shows them.
    pub(crate) fn display(&self) -> String {
        let occupation = table::occupation_ja(self.staff.occupation.as_str());
        format!("{} {}（{occupation}・{}）", self.staff.family, self.staff.given, self.institution.name_ja)
    }
}

/// A regular service a person has: a row of `visits.tsv` and who comes.
#[derive(Debug, Clone)]
pub(crate) struct Service<'a> {
    pub(crate) row: Row,
    pub(crate) by: Member<'a>,
    pub(crate) shown: String,
}

impl Service<'_> {
    pub(crate) fn key(&self) -> &'static str {
        self.row.text(0)
    }

    pub(crate) fn measures(&self, what: &str) -> bool {
        self.row.words(7).contains(&what)
    }
}
