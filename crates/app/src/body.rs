//! The bodies of our own objects: what decides, and what is decided on.
//!
//! Each is JSON with its schema version in `v`, sealed like every other body. A newer program
//! raises an older body when it reads it and never rewrites it.

use mimamori_domain::{
    ActorId, ClassCode, Error, InstitutionId, Kind, ObjectId, OccupationCode, Result, RoleCode, SubjectId,
    TerminalId, Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The kinds of our own objects.
pub(crate) mod kind {
    use mimamori_domain::Kind;
    pub(crate) const ACCOUNT: Kind = Kind::of("account");
    pub(crate) const ROLE: Kind = Kind::of("role");
    pub(crate) const CONSENT: Kind = Kind::of("consent");
    pub(crate) const PROXY: Kind = Kind::of("proxy");
    pub(crate) const FLAGS: Kind = Kind::of("flags");
    pub(crate) const BREAK_GLASS: Kind = Kind::of("break-glass");
    pub(crate) const PACK: Kind = Kind::of("pack");
    pub(crate) const TERMINAL: Kind = Kind::of("terminal");
    pub(crate) const PATIENT: Kind = Kind::of("Patient");
    pub(crate) const CARE_TEAM: Kind = Kind::of("CareTeam");
    pub(crate) const ORGANIZATION: Kind = Kind::of("Organization");
    pub(crate) const PRACTITIONER: Kind = Kind::of("Practitioner");
    pub(crate) const ALLERGY: Kind = Kind::of("AllergyIntolerance");
    pub(crate) const COMMUNICATION: Kind = Kind::of("Communication");
}

/// Schema version of the bodies written now.
const SCHEMA: u32 = 1;

/// An object of ours that is kept as versions.
pub(crate) trait Body: Serialize + DeserializeOwned {
    const KIND: Kind;
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    body: T,
}

/// The bytes to seal.
pub(crate) fn to_bytes<T: Body>(body: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(&Versioned { v: SCHEMA, body }).map_err(Error::internal)
}

/// Reads what [`to_bytes`] wrote.
pub(crate) fn from_bytes<T: Body>(bytes: &[u8]) -> Result<T> {
    // serde_json's message may quote content: only its position goes into the detail.
    let read: Versioned<T> = serde_json::from_slice(bytes)
        .map_err(|e| Error::internal(format!("{} body unreadable at column {}", T::KIND, e.column())))?;
    if read.v > SCHEMA {
        return Err(Error::unavailable(format!(
            "{} body has schema {}, newer than this program",
            T::KIND,
            read.v
        )));
    }
    Ok(read.body)
}

/// What kind of user an account belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AccountKind {
    Staff,
    Citizen,
    Program,
}

/// An account. Its object id is the actor's id.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) kind: AccountKind,
    pub(crate) login: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kana: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) occupation: Option<OccupationCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<InstitutionId>,
    /// 部署: the code of one of the site's units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Where reminders are sent by mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<String>,
    /// For a citizen user: the person they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own_subject: Option<SubjectId>,
    /// Argon2id in PHC string form; none for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// For programs: what their token may be used for, such as `Observation.read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<String>,
    pub(crate) active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped_because: Option<String>,
    /// What belongs to the password.
    #[serde(default)]
    pub(crate) credential: Credential,
    /// How long it lives.
    #[serde(default)]
    pub(crate) life: crate::accounts::life::Life,
    /// For programs that prove who they are by a key or certificate of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<Client>,
}

impl Account {
    /// An account that is in use, of nobody's institution and without a password. Upper and lower case of
    /// a sign-in name are the same.
    pub(crate) fn new(kind: AccountKind, login: &str, name: &str) -> Self {
        Self {
            kind,
            login: login.trim().to_lowercase(),
            name: name.to_owned(),
            kana: None,
            occupation: None,
            institution: None,
            unit: None,
            mail: None,
            own_subject: None,
            password: None,
            scopes: Vec::new(),
            active: true,
            stopped_because: None,
            credential: Credential::default(),
            life: crate::accounts::life::Life::default(),
            client: None,
        }
    }
}

/// What a program proves itself by.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    /// Its public keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<jsonwebtoken::jwk::Jwk>,
    /// The registered terminal that it must come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) terminal: Option<TerminalId>,
}

/// What is kept beside a password. Times are microseconds UTC.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// When its owner chose it; none for a first password, and for what an older program kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chosen: Option<i64>,
    /// It is a first password, good until then and only for choosing one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_until: Option<i64>,
    /// Hashes of earlier ones, the latest first, as many as the pack refuses to be used again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier: Vec<String>,
    /// Since when disuse is counted if nobody signs in: the account was made, resumed or reissued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<i64>,
    /// It may have leaked: the account is stopped and waits for another password since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leaked: Option<i64>,
    /// It was chosen under the rule for those who sign in with a second factor: alone it is too short.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) only_with_second: bool,
    /// Second factors.
    #[serde(default)]
    pub(crate) factors: Factors,
    /// Who its owner is at the organisation's identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<Linked>,
}

/// Somebody whom an identity provider knows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Linked {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// Microseconds UTC.
    pub(crate) since: i64,
}

/// Second factors of an account. Times are microseconds UTC.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Factors {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept: Vec<Factor>,
    /// Keyed hashes of the recovery codes that were not used yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recovery: Vec<String>,
    /// When the recovery codes were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recovery_made: Option<i64>,
    /// When a recovery code was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recovery_used: Option<i64>,
    /// A factor was lost and none is left: until another one is there, the password alone opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<i64>,
    /// The code for enrolling another factor in place of a lost one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replacement: Option<Replacement>,
}

impl Factors {
    /// Whether signing in asks for more than the password.
    pub(crate) fn asked(&self) -> bool {
        !self.kept.is_empty() || self.lost.is_some()
    }
}

/// One second factor.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Factor {
    pub(crate) id: ObjectId,
    /// What its owner calls it.
    pub(crate) name: String,
    pub(crate) added: i64,
    pub(crate) kind: FactorKind,
    /// The shared secret in Base32 (RFC 4648 section 6) or the public key as the library keeps it.
    pub(crate) secret: String,
}

/// What kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactorKind {
    /// One-time passwords of an authenticator app (RFC 6238).
    OneTime,
    /// A passkey or security key (W3C Web Authentication).
    Passkey,
}

/// A code, used once, for enrolling a factor in place of a lost one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Replacement {
    /// Its keyed hash.
    pub(crate) code: String,
    pub(crate) until: i64,
}

impl Body for Account {
    const KIND: Kind = kind::ACCOUNT;
}

/// An appointment to a role.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) actor: ActorId,
    pub(crate) role: RoleCode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<InstitutionId>,
    /// Limited to one unit (部署) of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Limited to one information system of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    pub(crate) from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
    /// Stands in for the holder (代理): acts when the holder cannot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deputy: bool,
    /// Who appointed; `None` for appointments made at the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) appointed_by: Option<ActorId>,
    /// A privilege granted for a time: the case that approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) granted: Option<ObjectId>,
    /// Given by a group of the identity provider: the code of the pack's mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// Counts for nothing under the rules that it was read under: a privileged role that nobody granted
    /// for a time, where the pack lets no other one count.
    #[serde(skip)]
    pub(crate) idle: bool,
}

impl Body for Role {
    const KIND: Kind = kind::ROLE;
}

/// A consent or a refusal, for a class and an institution or for all.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) permit: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<ClassCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<InstitutionId>,
    pub(crate) from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
}

impl Body for Consent {
    const KIND: Kind = kind::CONSENT;
}

/// A proxy's standing (代諾者).
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Proxy {
    pub(crate) actor: ActorId,
    pub(crate) from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<i64>,
}

impl Body for Proxy {
    const KIND: Kind = kind::PROXY;
}

/// What holds for a person beside their record.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Flags {
    /// 保護: abuse or domestic violence; withholds proxies' access and all places and visits.
    pub(crate) protection: bool,
    /// The citizen user the person is, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own_actor: Option<ActorId>,
    /// The institution that registered the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registered_by: Option<InstitutionId>,
}

impl Body for Flags {
    const KIND: Kind = kind::FLAGS;
}

/// A declared emergency.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BreakGlass {
    pub(crate) actor: ActorId,
    pub(crate) reason: String,
    pub(crate) until: i64,
}

impl Body for BreakGlass {
    const KIND: Kind = kind::BREAK_GLASS;
}

/// A policy pack as adopted: its files, so that what was recorded under it stays readable.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PackBody {
    pub(crate) hash: String,
    pub(crate) files: Vec<(String, String)>,
    /// The case whose approval brought it into force; none: the installation began under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) case: Option<ObjectId>,
}

impl PackBody {
    pub(crate) fn of(pack: &mimamori_policy::Pack, case: Option<ObjectId>) -> Self {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Self {
            hash: pack.hash_text(),
            files: pack.files().iter().map(|(path, bytes)| (path.clone(), text(bytes))).collect(),
            case,
        }
    }

    /// The pack, read again.
    pub(crate) fn pack(
        self,
    ) -> std::result::Result<mimamori_policy::Pack, Vec<mimamori_policy::PackProblem>> {
        let files = self.files.into_iter().map(|(path, text)| (path, text.into_bytes()));
        mimamori_policy::Pack::from_stored(files.collect())
    }
}

impl Body for PackBody {
    const KIND: Kind = kind::PACK;
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reads_back_and_a_newer_schema_is_refused() {
        let flags = Flags { protection: true, ..Flags::default() };
        let bytes = to_bytes(&flags).unwrap();
        assert!(from_bytes::<Flags>(&bytes).unwrap().protection);
        let newer = String::from_utf8(bytes).unwrap().replace("\"v\":1", "\"v\":2");
        assert!(from_bytes::<Flags>(newer.as_bytes()).is_err());
    }
}
