//! Roles by the provider's groups: an appointment that begins when somebody signs in with the group, ends
//! with the longest session, and ends at once when they sign in without it.

use mimamori_domain::{Action, ActorId, Kind, ObjectId, Result, Timestamp};
use mimamori_policy::model::SignInGroup;
use mimamori_policy::{Decision, GeneralTarget, RoleScope};
use mimamori_store::Unit;

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{Role, kind, time};
use crate::caller::{ActorContext, Caller};
use crate::governance::appointments::Given;
use crate::{App, ErrorKind, NewAppointment, Origin};

/// An end so little later is the same.
const LESS_IS_THE_SAME: std::time::Duration = std::time::Duration::from_secs(60);

impl App {
    /// Whether somebody is in one of the groups that the rules ask for; they may ask for none.
    pub(super) fn in_required_group(&self, groups: &[String]) -> bool {
        let mut required = self.pack.sign_in_groups().iter().filter(|mapped| mapped.required).peekable();
        required.peek().is_none() || required.any(|mapped| groups.contains(&mapped.group))
    }

    /// Lets somebody hold the roles of their groups from now until the longest session ends, and no others
    /// that groups gave them. What the rules do not let them hold beside their other roles they do not get.
    pub(super) async fn hold_groups(&self, actor: ActorId, groups: &[String], origin: &Origin) -> Result<()> {
        let context = self.actor_context_now(actor).await?;
        if self.pack.sign_in_groups().is_empty() && !context.roles.iter().any(|role| role.group.is_some()) {
            return Ok(());
        }
        let caller = self.itself().coming_from(origin);
        let target = GeneralTarget::of(Kind::of("role"));
        let decision = self.require_general(&caller, Action::Administer, target).await?;
        let (mut not_given, mut tries) = (Vec::new(), 0);
        loop {
            let context = self.actor_context_now(context.actor).await?;
            let mut unit = Unit::new();
            // What ends comes first: it may have stood in the way of what begins.
            let wanted = self.put_ends(&caller, &decision, &mut unit, &context, groups).await?;
            if unit.entries.is_empty() {
                let next = wanted.into_iter().find(|mapped| !not_given.contains(&mapped.code));
                let Some(mapped) = next else { return Ok(()) };
                if !self.put_given(&caller, &decision, &mut unit, &context, mapped).await? {
                    not_given.push(mapped.code.clone());
                    continue;
                }
            }
            if let Settled::Again = self.settle(&caller, unit).await? {
                tries += 1;
            }
            if tries >= ATTEMPTS {
                return Err(kept_changing());
            }
        }
    }

    /// Puts the ends of what groups gave into a unit, later or now; gives what is to begin.
    async fn put_ends(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        context: &ActorContext,
        groups: &[String],
    ) -> Result<Vec<&SignInGroup>> {
        let now = self.clock.now();
        let until = now.plus(self.session_absolute()?);
        let carried = |mapped: &&SignInGroup| mapped.role.is_some() && groups.contains(&mapped.group);
        let mut wanted: Vec<&SignInGroup> = self.pack.sign_in_groups().iter().filter(carried).collect();
        for (role, object, version) in of_groups(context, now) {
            let at = wanted.iter().position(|mapped| {
                role.group.as_deref() == Some(mapped.code.as_str()) && self.same_place(mapped, role, context)
            });
            let end = match at {
                Some(at) => {
                    wanted.remove(at);
                    until
                }
                None => now,
            };
            // While these units are made the end would move on: a minute more is no change.
            if at.is_some() && role.until.is_some_and(|held| until.since(time(held)) < LESS_IS_THE_SAME) {
                continue;
            }
            let commitment = self.put_until(caller, unit, context.actor, object, end).await?;
            let stated = role.group.as_deref().map(|group| format!("group {group}"));
            self.note_role(caller, decision, unit, (object, version + 1, commitment), stated.as_deref())?;
        }
        Ok(wanted)
    }

    /// Puts the role of a group into a unit; says no where the rules do not let it be held.
    async fn put_given(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        context: &ActorContext,
        mapped: &SignInGroup,
    ) -> Result<bool> {
        let Some(role) = mapped.role.clone() else { return Ok(false) };
        let now = self.clock.now();
        let new = NewAppointment {
            actor: context.actor,
            role,
            institution: context.account.institution,
            unit: mapped.unit.clone(),
            system: mapped.system.clone(),
            from: now,
            until: Some(now.plus(self.session_absolute()?)),
            deputy: false,
        };
        match self.put_appointment(caller, unit, &new, Given::Group(mapped.code.clone())).await {
            Ok((object, commitment)) => {
                let stated = format!("group {}", mapped.code);
                self.note_role(caller, decision, unit, (object, 1, commitment), Some(&stated))?;
                Ok(true)
            }
            // Held apart from another role, or without the institution it is for.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::warn!(
                    group = mapped.code,
                    "a role by group is not given: the rules do not let it be held"
                );
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Puts into a unit that roles by groups end now: the account is not the provider's any more.
    pub(super) async fn put_end_of_groups(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        context: &ActorContext,
    ) -> Result<()> {
        let now = self.clock.now();
        for (_, object, _) in of_groups(context, now) {
            let commitment = self.put_until(caller, unit, context.actor, object, now).await?;
            if let Some(entry) = unit.entries.last_mut() {
                entry.commitments.push(commitment);
            }
        }
        Ok(())
    }

    /// Whether an appointment is where the mapping would put it now.
    fn same_place(&self, mapped: &SignInGroup, role: &Role, context: &ActorContext) -> bool {
        let Some(known) = self.pack.role(&role.role) else { return false };
        let institution = context.account.institution.filter(|_| known.scope == RoleScope::Institution);
        mapped.role.as_ref() == Some(&role.role)
            && role.institution == institution
            && (known.scope != RoleScope::Unit || role.unit == mapped.unit)
            && (known.scope != RoleScope::System || role.system == mapped.system)
    }

    fn note_role(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        (object, version, commitment): (ObjectId, u64, [u8; 32]),
        stated: Option<&str>,
    ) -> Result<()> {
        let mut entry = decided(caller.entry(unit.id, Action::Administer), decision);
        entry.resource = Some((kind::ROLE, Some(object)));
        entry.version = Some(version);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, stated)?;
        unit.entries.push(entry);
        Ok(())
    }
}

/// Appointments that groups gave and that are not over.
fn of_groups(context: &ActorContext, now: Timestamp) -> impl Iterator<Item = (&Role, ObjectId, u64)> {
    let roles = context.roles.iter().zip(&context.role_objects);
    roles
        .filter(move |(role, _)| role.group.is_some() && role.until.is_none_or(|until| now < time(until)))
        .map(|(role, (object, version))| (role, *object, *version))
}
