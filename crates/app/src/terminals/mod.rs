//! 端末: registered devices and their certificates (kasama.3.4-3, mhlw5.6.11-C-3).
//!
//! A terminal shows a certificate of the installation's own authority. Which certificate is in use stands in
//! the terminal's object; it is looked up at every request ([`App::recognise`]), so a terminal that was
//! revoked is refused at once by every program, whatever connection or TLS session it still has. What is
//! done from a terminal is guarded on its access version, so that nothing under way commits afterwards.

mod authority;
mod certify;
mod der;
mod effects;
mod pkcs12;

use mimamori_domain::{
    Action, ActorId, Error, ErrorKind, InstitutionId, ObjectId, Result, TerminalId, Timestamp,
};
use mimamori_ledger::sha256;
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::{AccessKey, Change, ColumnType, Unit, Value, tables};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::authority::Authority;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{self, Body, kind, time};
use crate::caller::Caller;
use crate::context::{object_from_row, open_object};
use crate::credentials::random_secret;
use crate::governance::registers::RegisterEntry;
use crate::record::{fault, put_version, stated_reason};
use crate::{App, Origin, sql};

/// What leads from a certificate to its terminal.
const LINK: &str = "certificate";
/// Class of these objects.
const CLASS: &str = "terminal";
/// Terminals read at a time.
const STRIDE: i64 = 500;
const MOST_NAME: usize = 100;
/// Bits of the passphrase of a file with a key.
const PASSPHRASE_BITS: u64 = 80;
/// Longest life of a certificate that may be asked for, in days.
const MOST_DAYS: u64 = 1_100;

/// A terminal as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Terminal {
    name: String,
    place: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    institution: Option<InstitutionId>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<ActorId>,
    /// Its entry in a register of devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset: Option<ObjectId>,
    active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_because: Option<String>,
    certificates: Vec<Certificate>,
}

impl Body for Terminal {
    const KIND: mimamori_domain::Kind = kind::TERMINAL;
}

/// One certificate of a terminal. Times are microseconds UTC.
#[derive(Clone, Serialize, Deserialize)]
struct Certificate {
    /// In hex.
    serial: String,
    /// SHA-256 of the DER, in hex.
    fingerprint: String,
    issued: i64,
    until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<i64>,
    /// Which authority of the installation issued it.
    #[serde(default)]
    authority: u32,
}

impl Terminal {
    /// Whether a certificate of this fingerprint opens anything now.
    fn knows(&self, fingerprint: &[u8; 32], authority: &Authority, now: Timestamp) -> bool {
        let hex = hex::encode(fingerprint);
        let good = |one: &Certificate| one.ends(authority).is_some_and(|ends| now < ends);
        self.active && self.certificates.iter().any(|one| one.fingerprint == hex && good(one))
    }

    /// Until when it can be used.
    fn until(&self, authority: Option<&Authority>) -> Option<Timestamp> {
        let authority = authority.filter(|_| self.active)?;
        self.certificates.iter().filter_map(|certificate| certificate.ends(authority)).max()
    }

    fn revoke(&mut self, now: Timestamp) {
        for certificate in self.certificates.iter_mut().filter(|one| one.revoked.is_none()) {
            certificate.revoked = Some(now.as_micros());
        }
    }
}

impl Certificate {
    /// Until when it opens anything; `None` for one that was revoked.
    fn ends(&self, authority: &Authority) -> Option<Timestamp> {
        let believed = authority.believed_until(self.authority).filter(|_| self.revoked.is_none())?;
        Some(time(self.until.min(believed)))
    }
}

/// A terminal to be registered.
#[derive(Clone, Default)]
pub struct NewTerminal {
    /// What people call it.
    pub name: String,
    /// Where it stands, or who carries it.
    pub place: String,
    pub institution: Option<InstitutionId>,
    /// Sign-in name of whoever answers for it.
    pub owner: Option<String>,
    /// Its entry in a register of devices.
    pub asset: Option<ObjectId>,
}

/// Sign-in names stay out of debug output (invariant 9), as do names below.
impl std::fmt::Debug for NewTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTerminal").field("institution", &self.institution).finish_non_exhaustive()
    }
}

/// A terminal in a list.
#[derive(Clone)]
pub struct TerminalView {
    pub id: TerminalId,
    pub name: String,
    pub place: String,
    pub institution: Option<(InstitutionId, String)>,
    /// Name of whoever answers for it.
    pub owner: Option<String>,
    /// Register and entry.
    pub asset: Option<(String, ObjectId)>,
    pub active: bool,
    pub revoked_because: Option<String>,
    /// When the newest certificate was issued, and until when one is good, UTC.
    pub issued: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// It is time to renew.
    pub expiring: bool,
    /// Serial numbers in hex, the newest last, and whether each was revoked.
    pub certificates: Vec<(String, bool)>,
}

impl std::fmt::Debug for TerminalView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalView")
            .field("id", &self.id)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// A certificate with its key, given out once.
pub struct TerminalFile {
    pub terminal: TerminalId,
    pub name: String,
    /// PKCS#12 (RFC 7292).
    pub file: Zeroizing<Vec<u8>>,
    pub passphrase: Zeroizing<String>,
    /// UTC.
    pub until: Timestamp,
}

/// Key and passphrase stay out of debug output.
impl std::fmt::Debug for TerminalFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalFile").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl App {
    /// Finds the terminal whose certificate the client showed. Asked at every request: nothing is kept in
    /// memory, so a revocation by any program counts at once. Without a certificate nothing is looked for.
    ///
    /// # Errors
    /// Forbidden for a certificate that is not in use: unknown, revoked, expired; unavailable.
    pub async fn recognise(&self, origin: &Origin) -> Result<Origin> {
        let Some(fingerprint) = &origin.certificate else { return Ok(origin.clone()) };
        let now = self.clock.now();
        let (short, _) = fingerprint.split_at(16);
        let args = vec![short.to_vec().into(), LINK.into(), vec![0_u8; 16].into(), 8_i64.into()];
        for row in self.store.query(&sql::LINKS_TO, args).await? {
            let object: ObjectId = row.id_of(0).map_err(Error::unavailable)?;
            let id = TerminalId::from(object);
            // The version first: what changes after it fails the guard.
            let version = self.access_version(AccessKey::from(id)).await?;
            // The link only says where to look: the object itself says whose certificate it is.
            if let Some((_, terminal)) = self.terminal_object(object).await?
                && let Some(authority) = self.authority().await?
                && terminal.knows(fingerprint, &authority, now)
            {
                return Ok(Origin { terminal: Some(id), terminal_version: version, ..origin.clone() });
            }
        }
        self.refused_before_sign_in(origin, "terminal-refused");
        Err(Error::new(
            ErrorKind::Forbidden,
            "the certificate of this terminal is not in use; ask the system manager for another one",
        ))
    }

    /// The certificates of the authority for terminals that are believed, in DER, newest first; made when
    /// there is none yet.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn terminal_authority(&self, caller: &Caller) -> Result<Vec<Vec<u8>>> {
        let now = self.clock.now();
        if let Some(authority) = self.authority().await? {
            let decision = self.require_general(caller, Action::Read, target(None)).await?;
            let unit = Unit::new();
            let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
            entry.resource = Some((authority::KIND, Some(authority::OBJECT)));
            let entry = self.with_sealed(caller, entry, 0, None)?;
            self.settle(caller, unit.entry(entry)).await?;
            return authority.trusted(now).map(authority::Issuing::certificate).collect();
        }
        let decision = self.require_general(caller, Action::Create, target(None)).await?;
        Ok(vec![self.some_authority(caller, &decision).await?.newest.certificate()?])
    }

    /// The lists of revoked certificates of terminals (RFC 5280), in DER, as of now: one for each authority
    /// that is believed, in the order of [`App::terminal_authority`]; none while there is no authority. They
    /// name serial numbers and nothing else: whoever wants to may have them.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn terminal_revocations(&self) -> Result<Vec<Vec<u8>>> {
        let Some(authority) = self.authority().await? else { return Ok(Vec::new()) };
        let (now, terminals) = (self.clock.now(), self.every_terminal().await?);
        let mut lists = Vec::new();
        for issuing in authority.trusted(now) {
            let mut revoked = Vec::new();
            let all = terminals.iter().flat_map(|(_, terminal)| &terminal.certificates);
            for certificate in all.filter(|one| one.authority == issuing.generation) {
                let Some(when) = certificate.revoked.filter(|_| now < time(certificate.until)) else {
                    continue;
                };
                let serial = hex::decode(&certificate.serial).ok().and_then(|bytes| bytes.try_into().ok());
                revoked.push((serial.ok_or_else(|| Error::internal("a serial number is unreadable"))?, when));
            }
            lists.push(issuing.revocations(&revoked, now)?);
        }
        Ok(lists)
    }

    /// Every terminal, by name.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn terminals(&self, caller: &Caller) -> Result<Vec<TerminalView>> {
        let decision = self.require_general(caller, Action::Search, target(None)).await?;
        let (mut views, authority) = (Vec::new(), self.authority().await?);
        for (id, terminal) in self.every_terminal().await? {
            views.push(self.view_of(id, terminal, authority.as_ref()).await?);
        }
        views.sort_by(|a, b| (!a.active, &a.name, a.id).cmp(&(!b.active, &b.name, b.id)));
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Search), &decision);
        entry.resource = Some((kind::TERMINAL, None));
        entry.count = views.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(views),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Registers a terminal and gives out its first certificate.
    ///
    /// # Errors
    /// Invalid without name and place, or for an owner, institution or device that is not known; forbidden.
    pub async fn register_terminal(&self, caller: &Caller, new: &NewTerminal) -> Result<TerminalFile> {
        let decision = self.require_general(caller, Action::Create, target(new.institution)).await?;
        let worded = |field: &str, text: &str| match text.trim() {
            "" => Err(fault(field, "a name and a place are needed", "required")),
            text if text.chars().count() > MOST_NAME => {
                Err(fault(field, "a name and a place have at most 100 characters", "too-long"))
            }
            text => Ok(text.to_owned()),
        };
        let owner = match new.owner.as_deref().map(str::trim).filter(|login| !login.is_empty()) {
            Some(login) => Some(
                self.actor_of_login(&self.login_token(login))
                    .await?
                    .ok_or_else(|| fault("owner", "there is no account of this sign-in name", "not-found"))?,
            ),
            None => None,
        };
        if let Some(institution) = new.institution
            && self.institution_name(institution).await?.is_none()
        {
            return Err(fault("institution", "there is no such institution", "not-found"));
        }
        if let Some(asset) = new.asset
            && self.asset_register(asset).await?.is_none()
        {
            return Err(fault("asset", "no register of devices has this entry", "not-found"));
        }
        let terminal = Terminal {
            name: worded("name", &new.name)?,
            place: worded("place", &new.place)?,
            institution: new.institution,
            owner,
            asset: new.asset,
            active: true,
            revoked_because: None,
            certificates: Vec::new(),
        };
        let authority = self.some_authority(caller, &decision).await?;
        let id = TerminalId::random();
        self.give_out(caller, &decision, &authority, id, 1, terminal).await
    }

    /// Gives out another certificate for a terminal that is in use. The earlier one stays good until it
    /// expires, so that the terminal is never without; what was lost is revoked.
    ///
    /// # Errors
    /// Not found; conflict for a terminal that was revoked; forbidden.
    pub async fn renew_terminal(&self, caller: &Caller, id: TerminalId) -> Result<TerminalFile> {
        let (version, terminal) = self.terminal_object(id.into()).await?.ok_or_else(Error::not_found)?;
        let decision = self.require_general(caller, Action::Update, target(terminal.institution)).await?;
        if !terminal.active {
            return Err(Error::conflict("this terminal was revoked; register it anew"));
        }
        let authority = self.some_authority(caller, &decision).await?;
        self.give_out(caller, &decision, &authority, id, version + 1, terminal).await
    }

    /// Takes a terminal out of use for a stated reason: all its certificates, at once and everywhere.
    ///
    /// # Errors
    /// Invalid without a reason; not found; conflict for one that was revoked already; forbidden.
    pub async fn revoke_terminal(&self, caller: &Caller, id: TerminalId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        for _ in 0..ATTEMPTS {
            let (version, mut terminal) =
                self.terminal_object(id.into()).await?.ok_or_else(Error::not_found)?;
            let target = target(terminal.institution);
            let decision = self.require_general(caller, Action::Withdraw, target).await?;
            if !terminal.active {
                return Err(Error::conflict("this terminal was revoked already"));
            }
            terminal.active = false;
            terminal.revoked_because = Some(reason.to_owned());
            terminal.revoke(self.clock.now());
            let mut unit = Unit::new();
            unit.bumps.push(AccessKey::from(id));
            let done = self
                .keep_terminal(
                    caller,
                    &decision,
                    unit,
                    Action::Withdraw,
                    id,
                    version + 1,
                    &terminal,
                    Some(reason),
                )
                .await?;
            if let Settled::Done = done {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// Issues a certificate, keeps it with the terminal, and gives out the file.
    async fn give_out(
        &self,
        caller: &Caller,
        decision: &Decision,
        authority: &Authority,
        id: TerminalId,
        version: u64,
        mut terminal: Terminal,
    ) -> Result<TerminalFile> {
        let now = self.clock.now();
        let days = self.pack.parameter_u64("terminals.certificate-days")?.clamp(1, MOST_DAYS);
        let issued = authority.newest.issue(&id.to_string(), now, i64::try_from(days).unwrap_or(1))?;
        let fingerprint = sha256(&issued.certificate);
        terminal.certificates.push(Certificate {
            serial: hex::encode(issued.serial),
            fingerprint: hex::encode(fingerprint),
            issued: now.as_micros(),
            until: issued.until.as_micros(),
            revoked: None,
            authority: authority.newest.generation,
        });
        let passphrase = random_secret(PASSPHRASE_BITS)?;
        let file = pkcs12::write(
            &terminal.name,
            &issued.key,
            &issued.certificate,
            &authority.newest.certificate()?,
            &passphrase,
        )?;
        let mut unit = Unit::new();
        let (short, _) = fingerprint.split_at(16);
        let link = vec![
            ObjectId::from(id).into(),
            LINK.into(),
            short.to_vec().into(),
            Value::Null(ColumnType::Blob),
        ];
        unit.changes.push(Change::insert(&tables::LINK, link));
        unit.bumps.push(AccessKey::from(id));
        let action = if version == 1 { Action::Create } else { Action::Update };
        match self.keep_terminal(caller, decision, unit, action, id, version, &terminal, None).await? {
            Settled::Done => Ok(TerminalFile {
                terminal: id,
                name: terminal.name,
                file: Zeroizing::new(file),
                passphrase,
                until: issued.until,
            }),
            Settled::Again => Err(kept_changing()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of one change")]
    async fn keep_terminal(
        &self,
        caller: &Caller,
        decision: &Decision,
        mut unit: Unit,
        action: Action,
        id: TerminalId,
        version: u64,
        terminal: &Terminal,
        stated: Option<&str>,
    ) -> Result<Settled> {
        self.put_terminal(caller, decision, &mut unit, action, (id, version), terminal, stated)?;
        self.settle(caller, unit).await
    }

    /// Puts a version of a terminal and its ledger entry into a unit; what permits it is the caller's to
    /// have asked.
    #[expect(clippy::too_many_arguments, reason = "each is one part of one change")]
    fn put_terminal(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        action: Action,
        (id, version): (TerminalId, u64),
        terminal: &Terminal,
        stated: Option<&str>,
    ) -> Result<()> {
        let object = ObjectId::from(id);
        let bytes = body::to_bytes(terminal)?;
        let sealed = self.own_version(caller, object, version, kind::TERMINAL, CLASS, &bytes)?;
        let sealed = sealed.seal(&self.keys.settings, None, unit.id)?;
        let commitment = put_version(unit, sealed, self.clock.now());
        let mut entry = decided(caller.entry(unit.id, action), decision);
        entry.resource = Some((kind::TERMINAL, Some(object)));
        entry.version = Some(version);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, stated)?;
        unit.entries.push(entry);
        Ok(())
    }

    async fn terminal_object(&self, object: ObjectId) -> Result<Option<(u64, Terminal)>> {
        match self.current(object).await?.filter(|version| version.kind == kind::TERMINAL) {
            Some(version) => {
                let terminal = body::from_bytes(&open_object(&self.keys.settings, &version)?)?;
                Ok(Some((version.version, terminal)))
            }
            None => Ok(None),
        }
    }

    /// Whether there is such a terminal, and it was not revoked.
    pub(crate) async fn terminal_in_use(&self, id: TerminalId) -> Result<bool> {
        Ok(self.terminal_object(id.into()).await?.is_some_and(|(_, terminal)| terminal.active))
    }

    async fn every_terminal(&self) -> Result<Vec<(TerminalId, Terminal)>> {
        let mut found = Vec::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::TERMINAL.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let read = rows.len() as i64;
            for mut row in rows {
                let version = object_from_row(&mut row)?;
                after = version.object;
                let terminal = body::from_bytes(&open_object(&self.keys.settings, &version)?)?;
                found.push((TerminalId::from(version.object), terminal));
            }
            if read < STRIDE {
                return Ok(found);
            }
        }
    }

    async fn view_of(
        &self,
        id: TerminalId,
        terminal: Terminal,
        authority: Option<&Authority>,
    ) -> Result<TerminalView> {
        let institution = match terminal.institution {
            Some(institution) => self.institution_name(institution).await?.map(|name| (institution, name)),
            None => None,
        };
        let owner = match terminal.owner {
            Some(owner) => self.actor_view(owner).await?.map(|view| view.name),
            None => None,
        };
        let asset = match terminal.asset {
            Some(asset) => self.asset_register(asset).await?.map(|register| (register, asset)),
            None => None,
        };
        let (now, until) = (self.clock.now(), terminal.until(authority));
        let warn = self.pack.parameter_u64("terminals.renew-days")? * 86_400;
        let expiring = until.is_some_and(|until| until.minus(std::time::Duration::from_secs(warn)) <= now);
        Ok(TerminalView {
            id,
            institution,
            owner,
            asset,
            issued: terminal.certificates.last().map(|certificate| time(certificate.issued)),
            certificates: terminal
                .certificates
                .iter()
                .map(|certificate| (certificate.serial.clone(), certificate.revoked.is_some()))
                .collect(),
            name: terminal.name,
            place: terminal.place,
            active: terminal.active,
            revoked_because: terminal.revoked_because,
            until,
            expiring,
        })
    }

    /// The register of devices that an entry stands in; `None` when it is in none.
    async fn asset_register(&self, asset: ObjectId) -> Result<Option<String>> {
        let Some(entry) = self.governed::<RegisterEntry>(asset).await? else { return Ok(None) };
        let register = self.pack.register(entry.code.as_str()).filter(|register| register.assets);
        Ok(register.map(|register| register.code.to_string()))
    }
}

fn target(institution: Option<InstitutionId>) -> GeneralTarget {
    let target = GeneralTarget::of(kind::TERMINAL);
    institution.map_or(target.clone(), |institution| target.at(institution))
}
