//! What decisions need of a subject, kept in memory as of one access version.
//!
//! Whatever a decision relies on is read *after* the access version, and every unit is guarded on
//! that version: a change in between is found at the commit, and everything is read again. So no
//! read transaction is needed, and a kept context can never lead to an answer that a fresh one
//! would not give.

use std::collections::HashMap;
use std::sync::Arc;

use mimamori_domain::{
    AccessLabel, ActorId, Error, InstitutionId, KeyId, ObjectId, Result, SubjectId, Timestamp,
};
use mimamori_policy::{ConsentEffect, ConsentFact, ProxyFact, SubjectFacts};
use mimamori_store::{AccessKey, Guard, ObjectVersion, Question, Row, Value};
use mimamori_vault::{KeyUse, Parent, Place, SecretKey, key_id_of};
use zeroize::Zeroizing;

use crate::body::{self, Account, BreakGlass, Consent, Flags, Proxy, Role, kind, time};
use crate::caller::ActorContext;
use crate::keys::{SubjectKeys, key_from_row, unwrap, vault_error};
use crate::{App, fhir_read, sql};

/// What is known about a subject as of one access version.
pub(crate) struct SubjectContext {
    pub(crate) subject: SubjectId,
    pub(crate) version: i64,
    pub(crate) keys: SubjectKeys,
    pub(crate) facts: SubjectFacts,
    /// Emergencies declared by actors, and until when.
    pub(crate) emergencies: Vec<(ActorId, Timestamp)>,
    /// Every access label the subject's records have.
    pub(crate) labels: Vec<AccessLabel>,
}

impl SubjectContext {
    pub(crate) fn guard(&self) -> Guard {
        Guard { key: AccessKey::from(self.subject), version: self.version }
    }
}

/// Kinds of objects that decide who may see a subject's record.
pub(crate) const DECIDING: [&str; 5] = ["CareTeam", "consent", "proxy", "flags", "break-glass"];

impl App {
    /// The access version of a key; 0 when nothing ever changed.
    pub(crate) async fn access_version(&self, key: AccessKey) -> Result<i64> {
        let row = self
            .store
            .query_one(&sql::ACCESS_VERSION, vec![key.id.into(), i64::from(key.scope as u8).into()])
            .await?;
        row.map_or(Ok(0), |row| row.int(0)).map_err(Error::unavailable)
    }

    /// The context of a subject, from memory or from the database; not found when there is none.
    ///
    /// What is in memory is compared with the access version, for another program of the installation
    /// may have changed something. The guard at the commit would notice, but an answer that there is
    /// nothing to see, or that a key is gone, is given without relying on a commit.
    pub(crate) async fn subject_context(&self, subject: SubjectId) -> Result<Arc<SubjectContext>> {
        let version = self.access_version(AccessKey::from(subject)).await?;
        self.subject_context_as_of(subject, version).await
    }

    /// The same, from memory as it is there: for a use case whose every answer is committed with the
    /// context's guard. Before it refuses, it asks [`App::still_as_of`].
    pub(crate) async fn subject_context_kept(&self, subject: SubjectId) -> Result<Arc<SubjectContext>> {
        match self.subjects.get(&subject) {
            Some(context) => Ok(context),
            None => self.subject_context(subject).await,
        }
    }

    /// Whether nothing has changed since a context was read; what has is read again from now on.
    pub(crate) async fn still_as_of(&self, context: &SubjectContext) -> Result<bool> {
        let key = AccessKey::from(context.subject);
        let same = self.access_version(key).await? == context.version;
        if !same {
            self.forget(key);
        }
        Ok(same)
    }

    /// The same, by somebody who has just read the subject's access version.
    pub(crate) async fn subject_context_as_of(
        &self,
        subject: SubjectId,
        version: i64,
    ) -> Result<Arc<SubjectContext>> {
        if let Some(context) = self.subjects.get(&subject).filter(|context| context.version == version) {
            return Ok(context);
        }
        let found = self.store.query_together(context_questions(subject).into()).await?;
        self.subject_context_of(subject, version, found)
    }

    /// A subject's Patient and context; what is not in memory is asked for at once.
    ///
    /// # Errors
    /// Not found when there is no such person; unavailable.
    pub(crate) async fn patient_in_context(
        &self,
        subject: SubjectId,
    ) -> Result<(ObjectVersion, Arc<SubjectContext>)> {
        let kept = self.subjects.get(&subject);
        let mut questions = vec![Question::of(&sql::CURRENT_GUARDED, vec![subject.into()])];
        if kept.is_none() {
            questions.extend(context_questions(subject));
        }
        let mut found = self.store.query_together(questions).await?;
        // The access version comes first: whatever is read with it or after it is guarded on it.
        let mut patient = found.remove(0).pop().ok_or_else(Error::not_found)?;
        let version = patient.int(sql::SORT_TIME_AFTER_VERSION).map_err(Error::unavailable)?;
        let context = match kept {
            Some(_) => self.subject_context_as_of(subject, version).await?,
            None => self.subject_context_of(subject, version, found)?,
        };
        Ok((object_from_row(&mut patient)?, context))
    }

    /// The context that is made of the answers to [`context_questions`], kept in memory from now on.
    fn subject_context_of(
        &self,
        subject: SubjectId,
        version: i64,
        found: Vec<Vec<Row>>,
    ) -> Result<Arc<SubjectContext>> {
        let [mut keys, labels, objects] = <[Vec<Row>; 3]>::try_from(found)
            .map_err(|_| Error::internal("a context has another number of answers"))?;
        if keys.is_empty() {
            return Err(Error::not_found());
        }
        let wrapped = keys.iter_mut().map(key_from_row).collect::<Result<Vec<_>>>()?;
        let keys = SubjectKeys::open(&self.vault, &wrapped)?;
        let labels = labels.iter().map(label_from_row).collect::<Result<Vec<_>>>()?;

        let mut facts = SubjectFacts::new(subject);
        let mut emergencies = Vec::new();
        for mut row in objects {
            let version = object_from_row(&mut row)?;
            if version.state == Some(mimamori_domain::RecordState::Withdrawn) {
                continue;
            }
            let plain = open_with(&keys, &version)?;
            match version.kind.as_str() {
                "CareTeam" => facts.team.append(&mut fhir_read::team(&plain)?),
                "consent" => facts.consents.push(consent_fact(body::from_bytes(&plain)?)),
                "proxy" => facts.proxies.push(proxy_fact(&body::from_bytes(&plain)?)),
                "flags" => {
                    let flags: Flags = body::from_bytes(&plain)?;
                    facts.protection_flag = flags.protection;
                    facts.self_actor = flags.own_actor;
                    facts.registering_institution = flags.registered_by;
                }
                "break-glass" => {
                    let declared: BreakGlass = body::from_bytes(&plain)?;
                    emergencies.push((declared.actor, time(declared.until)));
                }
                _ => {}
            }
        }
        let context = Arc::new(SubjectContext { subject, version, keys, facts, emergencies, labels });
        self.subjects.insert(subject, Arc::clone(&context));
        Ok(context)
    }

    /// The context of somebody who acts, as it is now: for signing in, and before somebody is told that
    /// their account is stopped.
    pub(crate) async fn actor_context_now(&self, actor: ActorId) -> Result<Arc<ActorContext>> {
        let version = self.access_version(AccessKey::from(actor)).await?;
        self.actor_context_as_of(actor, version).await
    }

    /// The same, by somebody who has just read the actor's access version.
    pub(crate) async fn actor_context_as_of(
        &self,
        actor: ActorId,
        version: i64,
    ) -> Result<Arc<ActorContext>> {
        if self.actors.get(&actor).is_some_and(|context| context.version != version) {
            self.actors.remove(&actor);
        }
        self.actor_context(actor).await
    }

    /// The context of somebody who acts, from memory or from the database. It may be older than the
    /// last change by another program: whatever relies on it is guarded on its version.
    pub(crate) async fn actor_context(&self, actor: ActorId) -> Result<Arc<ActorContext>> {
        let now = self.clock.now();
        let ours = |context: &Arc<ActorContext>| {
            context.pack == self.pack.hash() && context.until.is_none_or(|until| now < until)
        };
        if let Some(context) = self.actors.get(&actor).filter(ours) {
            return Ok(context);
        }
        let version = self.access_version(AccessKey::from(actor)).await?;
        let key = self.staff_key(actor).await?;
        let object = self.current(ObjectId::from(actor)).await?.ok_or_else(Error::not_found)?;
        let account: Account = body::from_bytes(&open_object(&key, &object)?)?;
        let stopped = !account.active;
        let (account, until) = account.standing(now);
        let mut roles = Vec::new();
        let mut role_objects = Vec::new();
        let mut vanished = Vec::new();
        let links = self
            .store
            .query(
                &sql::LINKS_TO,
                vec![actor.into(), "appointed".into(), vec![0_u8; 16].into(), 200_i64.into()],
            )
            .await?;
        for row in links {
            let role: ObjectId = row.id_of(0).map_err(Error::unavailable)?;
            if let Some(version) = self.current(role).await? {
                let mut appointment: Role = body::from_bytes(&open_object(&key, &version)?)?;
                appointment.idle = self.is_idle(&appointment)?;
                if appointment.actor == actor && self.pack.role(&appointment.role).is_none() {
                    vanished.push((appointment, (role, version.version)));
                } else if appointment.actor == actor {
                    role_objects.push((role, version.version));
                    roles.push(appointment);
                }
            }
        }
        let institution_name = match account.institution {
            Some(institution) => self.institution_name(institution).await?,
            None => None,
        };
        let pack = self.pack.hash();
        let context = Arc::new(ActorContext {
            actor,
            version,
            account,
            stopped,
            until,
            pack,
            roles,
            role_objects,
            vanished,
            institution_name,
            under: None,
        });
        self.actors.insert(actor, Arc::clone(&context));
        Ok(context)
    }

    /// Whether an appointment counts for nothing: nobody is an administrator all the time where the pack
    /// wants privileges to be granted for a time. What was appointed at the command line counts, so that an
    /// installation can begin and recover.
    fn is_idle(&self, role: &Role) -> Result<bool> {
        let privileged = self.pack.role(&role.role).is_some_and(|role| role.privileged);
        Ok(privileged
            && role.appointed_by.is_some()
            && !(role.granted.is_some() && role.until.is_some())
            && self.pack.parameter_bool("privileges.only-by-grant")?)
    }

    /// The key that seals what concerns one actor.
    pub(crate) async fn staff_key(&self, actor: ActorId) -> Result<SecretKey> {
        let mut rows = self.store.query(&sql::KEYS_OF, vec![actor.into()]).await?;
        for row in &mut rows {
            let wrapped = key_from_row(row)?;
            if wrapped.usage == KeyUse::Staff {
                return unwrap(&self.vault, &wrapped, Parent::Ring);
            }
        }
        Err(Error::not_found())
    }

    /// The current version of an object.
    pub(crate) async fn current(&self, object: ObjectId) -> Result<Option<ObjectVersion>> {
        match self.store.query_one(&sql::CURRENT, vec![object.into()]).await? {
            Some(mut row) => object_from_row(&mut row).map(Some),
            None => Ok(None),
        }
    }

    /// The current versions of some objects, by their ids; those that are not there are left out.
    pub(crate) async fn current_of(
        &self,
        objects: impl Iterator<Item = ObjectId>,
    ) -> Result<HashMap<ObjectId, ObjectVersion>> {
        let list: Vec<Value> = objects.map(Value::from).collect();
        let mut rows = self.store.query_many(&sql::CURRENT_OF, Vec::new(), list).await?;
        rows.iter_mut().map(|row| object_from_row(row).map(|version| (version.object, version))).collect()
    }

    /// An institution's name as its Organization states it now. Names of institutions are not
    /// personal data.
    pub(crate) async fn institution_name(&self, institution: InstitutionId) -> Result<Option<String>> {
        if let Some(name) = self.institution_names.get(&institution) {
            return Ok(Some(name));
        }
        let Some(version) = self.current(ObjectId::from(institution)).await? else { return Ok(None) };
        if version.kind != kind::ORGANIZATION {
            return Ok(None);
        }
        let plain = open_object(&self.keys.settings, &version)?;
        let name = fhir_read::organization_name(&plain)?;
        if let Some(name) = &name {
            self.institution_names.insert(institution, name.clone());
        }
        Ok(name)
    }

    /// Forgets what is kept in memory about a key, after a guard on it failed or it was changed.
    pub(crate) fn forget(&self, key: AccessKey) {
        self.subjects.remove(&SubjectId::from_bytes(key.id));
        self.actors.remove(&ActorId::from_bytes(key.id));
        self.sessions.forget(key.id);
        self.vault.evict_owner(key.id);
    }
}

/// What a subject's context is made of.
fn context_questions(subject: SubjectId) -> [Question; 3] {
    [
        Question::of(&sql::KEYS_OF, vec![subject.into()]),
        Question::of(&sql::LABELS, vec![subject.into()]),
        deciding_question(subject),
    ]
}

/// The current versions of what decides who may see a subject's record.
pub(crate) fn deciding_question(subject: SubjectId) -> Question {
    let kinds = DECIDING.iter().map(|kind| (*kind).into()).collect();
    Question { statement: &sql::CURRENT_OF_SUBJECT, args: vec![subject.into()], lists: vec![kinds] }
}

/// Reads an object's version; a row changed behind the program's back is refused.
pub(crate) fn object_from_row(row: &mut Row) -> Result<ObjectVersion> {
    ObjectVersion::from_row(row, 0).map_err(Error::unavailable)
}

/// Opens an object's body with a given key.
pub(crate) fn open_object(key: &SecretKey, version: &ObjectVersion) -> Result<Zeroizing<Vec<u8>>> {
    let place = Place::object(version.object, version.version, &version.kind);
    mimamori_vault::open(key, &place, &version.body).map_err(vault_error)
}

/// Opens an object's body with whichever of a subject's keys it names. A destroyed key means the
/// content is gone for good.
pub(crate) fn open_with(keys: &SubjectKeys, version: &ObjectVersion) -> Result<Zeroizing<Vec<u8>>> {
    let id: KeyId = key_id_of(&version.body).map_err(vault_error)?;
    let key = keys.find(id).ok_or_else(|| {
        Error::new(mimamori_domain::ErrorKind::Gone, "this content was erased; it cannot be read any more")
    })?;
    open_object(key, version)
}

fn label_from_row(row: &Row) -> Result<AccessLabel> {
    let wrong = |_| Error::unavailable("an access label in object_head is unreadable");
    Ok(AccessLabel {
        class: row.text(0).map_err(Error::unavailable)?.parse().map_err(wrong)?,
        state: row.text(1).map_err(Error::unavailable)?.parse().map_err(wrong)?,
        institution: row.id_of(2).map_err(Error::unavailable)?,
    })
}

fn consent_fact(consent: Consent) -> ConsentFact {
    ConsentFact {
        effect: if consent.permit { ConsentEffect::Permit } else { ConsentEffect::Deny },
        class: consent.class,
        institution: consent.institution,
        actor: None,
        from: time(consent.from),
        until: consent.until.map(time),
    }
}

fn proxy_fact(proxy: &Proxy) -> ProxyFact {
    ProxyFact { actor: proxy.actor, from: time(proxy.from), until: proxy.until.map(time), classes: None }
}
