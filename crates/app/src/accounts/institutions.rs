//! Institutions, and names that go with records.

use std::collections::{HashMap, HashSet};

use mimamori_domain::{Action, ActorId, InstitutionId, Kind, ObjectId, Result};
use mimamori_policy::GeneralTarget;

use super::STRIDE;
use crate::body::kind;
use crate::caller::Caller;
use crate::context::object_from_row;
use crate::record::{checked, fault};
use crate::{ActorView, App, Stored, sql};

impl App {
    /// Adds an institution from a FHIR Organization.
    ///
    /// # Errors
    /// Invalid, forbidden, unavailable.
    pub async fn add_institution(&self, caller: &Caller, organization: &str) -> Result<InstitutionId> {
        let bytes = bytes::Bytes::copy_from_slice(organization.as_bytes());
        if checked(&bytes)?.resource_type() != kind::ORGANIZATION.as_str() {
            return Err(fault("resourceType", "an Organization is expected", "invalid"));
        }
        let kept = self.create(caller, bytes, crate::CreateAs::Confirmed).await?;
        Ok(InstitutionId::from(kept.id))
    }

    /// Every institution with its name, sorted by name.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn institutions(&self, caller: &Caller) -> Result<Vec<(InstitutionId, String)>> {
        if caller.is_staff() || caller.context.is_none() {
            self.require_general(caller, Action::Read, GeneralTarget::of(Kind::of("institution"))).await?;
        }
        let mut found = Vec::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ORGANIZATION.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            for mut row in rows.iter().cloned() {
                let version = object_from_row(&mut row)?;
                after = version.object;
                let id = InstitutionId::from(version.object);
                if let Some(name) = self.institution_name(id).await? {
                    found.push((id, name));
                }
            }
            if (rows.len() as i64) < STRIDE {
                break;
            }
        }
        found.sort_by(|a, b| a.1.cmp(&b.1));
        Ok(found)
    }

    /// Names of institutions that another use case has just given; of one that is none, nothing.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn institution_names(
        &self,
        _caller: &Caller,
        given: &[InstitutionId],
    ) -> Result<HashMap<InstitutionId, String>> {
        let mut names = HashMap::new();
        for id in given {
            if !names.contains_key(id)
                && let Some(name) = self.institution_name(*id).await?
            {
                names.insert(*id, name);
            }
        }
        Ok(names)
    }

    /// Names of those who had to do with records that another use case has just given, and recorded:
    /// authors, on whose behalf, confirmers, readers. Nobody else's are told.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn actors(&self, _caller: &Caller, shown: &[Stored]) -> Result<HashMap<ActorId, ActorView>> {
        let ids: HashSet<ActorId> = shown
            .iter()
            .flat_map(|record| {
                let readers = record.attention.readers.iter().map(|(reader, _)| Some(*reader));
                let told = record.attention.told.iter().map(|told| Some(told.actor));
                [record.author, record.on_behalf_of, record.confirmer].into_iter().chain(readers).chain(told)
            })
            .flatten()
            .collect();
        let mut views = HashMap::new();
        for id in ids {
            if let Some(view) = self.actor_view(id).await? {
                views.insert(id, view);
            }
        }
        Ok(views)
    }
}
