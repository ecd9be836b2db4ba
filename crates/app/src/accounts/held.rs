//! What somebody has and must return when they leave: entries of the registers that say so.

use mimamori_domain::{Action, ActorId, ObjectId, RecordState, Result};
use mimamori_policy::Text;
use serde_json::Value;

use crate::App;
use crate::administration::target_of;
use crate::caller::Caller;
use crate::governance::object::{Governed, Look};
use crate::governance::procedures::words;
use crate::governance::registers::{ENTRY, RegisterEntry};

/// Something that somebody has.
#[derive(Clone)]
pub struct HeldItem {
    /// The code of its register, and what that is called.
    pub register: String,
    pub register_name: Text,
    pub entry: ObjectId,
    /// What the entry is called.
    pub title: String,
}

/// What it is stays out of debug output (invariant 9).
impl std::fmt::Debug for HeldItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldItem").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl App {
    /// What somebody has not returned yet, by the registers of the pack with `held-by` and `returned`. For
    /// whoever may see the account: they are told what it is called, and no more of the entry.
    ///
    /// # Errors
    /// Not found for an unknown account; forbidden; unavailable.
    pub async fn held_items(&self, caller: &Caller, actor: ActorId) -> Result<Vec<HeldItem>> {
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Read, target_of(&context)).await?;
        let found = self.held_by(actor).await?;
        let look = Look::at(Action::Read, ENTRY).count(found.len()).stated("what somebody must return");
        self.note_look(caller, &decision, look).await?;
        Ok(found)
    }

    /// What somebody has not returned yet; who may be told, and that it is recorded, is the caller's to see to.
    pub(crate) async fn held_by(&self, actor: ActorId) -> Result<Vec<HeldItem>> {
        let mut found = Vec::new();
        for register in self.pack.registers() {
            let Some((held_by, returned)) = register.held_by.as_ref().zip(register.returned.as_ref()) else {
                continue;
            };
            let (entries, _) = self.governed_list::<RegisterEntry>(&register.code).await?;
            for entry in entries.into_iter().filter(|entry| has(entry, held_by, returned, actor)) {
                found.push(HeldItem {
                    register: register.code.clone(),
                    register_name: register.name.clone(),
                    title: self.entry_title(&register.code, &entry).await?,
                    entry: entry.object,
                });
            }
        }
        Ok(found)
    }

    /// The fields that make an entry's name, in words.
    pub(crate) async fn entry_title(
        &self,
        register: &str,
        entry: &Governed<RegisterEntry>,
    ) -> Result<String> {
        let pack = self.pack_at(entry.pack).await?;
        let Some(register) = pack.register(register) else { return Ok(String::new()) };
        let fields: Vec<_> =
            register.fields.iter().filter(|field| register.title.contains(&field.code)).cloned().collect();
        let mut shown = self.show_values(&pack, &fields, &entry.body.values).await?;
        let parts = register.title.iter().filter_map(|code| shown.remove(code));
        Ok(parts.flatten().map(words).collect::<Vec<_>>().join(" "))
    }
}

fn has(entry: &Governed<RegisterEntry>, held_by: &str, returned: &str, actor: ActorId) -> bool {
    let values = &entry.body.values;
    let actor = actor.to_string();
    let names = |value: &Value| match value {
        Value::Array(many) => many.iter().any(|one| one.as_str() == Some(&actor)),
        one => one.as_str() == Some(&actor),
    };
    let back = values.get(returned).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
    entry.state != RecordState::Withdrawn && values.get(held_by).is_some_and(names) && !back
}
