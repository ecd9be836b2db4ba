//! What a procedure's decision does to terminals: it registers one, for which a certificate can be issued
//! then, or takes those of a device out of use.

use std::collections::BTreeMap;

use mimamori_domain::{Action, ActorId, ObjectId, Result, TerminalId};
use mimamori_policy::Decision;
use mimamori_policy::model::EffectKind;
use mimamori_store::{AccessKey, Unit};
use serde_json::Value;

use super::{MOST_NAME, Terminal};
use crate::App;
use crate::accounts::BY_PROCEDURE;
use crate::caller::Caller;
use crate::governance::registers::RegisterEntry;

/// An effect's arguments.
type Arguments = BTreeMap<String, Value>;

fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

impl App {
    /// Registers a terminal or takes terminals out of use, in the unit of the decision. `false` when
    /// something does not fit, so that somebody sees to it.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn put_device_effect(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        action: EffectKind,
        arguments: &Arguments,
    ) -> Result<bool> {
        // Where the form names no device there is nothing to take out of use.
        let Some(device) = text(arguments, "device") else {
            return Ok(action == EffectKind::RetireDevice);
        };
        match action {
            EffectKind::RegisterDevice => {
                self.put_registered(caller, decision, unit, device, arguments).await
            }
            EffectKind::RetireDevice => self.put_retired(caller, decision, unit, device).await,
            _ => Ok(false),
        }
    }

    /// A new terminal without a certificate: it opens nothing until one is issued for it. `device` is its
    /// entry in a register of devices, or a name.
    async fn put_registered(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        device: &str,
        arguments: &Arguments,
    ) -> Result<bool> {
        let asset: Option<ObjectId> = device.parse().ok();
        let name = match asset {
            None => device.to_owned(),
            Some(asset) => {
                let entry = self.governed::<RegisterEntry>(asset).await?;
                let Some((register, entry)) = self.asset_register(asset).await?.zip(entry) else {
                    return Ok(false);
                };
                self.entry_title(&register, &entry).await?
            }
        };
        // One device is one terminal: another certificate for it is a renewal.
        let known = self.every_terminal().await?;
        if known.iter().any(|(_, other)| other.active && asset.is_some() && other.asset == asset) {
            return Ok(false);
        }
        let institution = match text(arguments, "institution") {
            None => None,
            Some(word) => match self.institution_named(word).await? {
                Some(institution) => Some(institution),
                None => return Ok(false),
            },
        };
        let terminal = Terminal {
            name: name.chars().take(MOST_NAME).collect(),
            place: text(arguments, "place").unwrap_or_default().chars().take(MOST_NAME).collect(),
            institution,
            owner: text(arguments, "owner").and_then(|id| id.parse::<ActorId>().ok()),
            asset,
            active: true,
            revoked_because: None,
            certificates: Vec::new(),
        };
        let id = TerminalId::random();
        unit.bumps.push(AccessKey::from(id));
        self.put_terminal(caller, decision, unit, Action::Create, (id, 1), &terminal, Some(BY_PROCEDURE))?;
        Ok(true)
    }

    /// Takes every terminal of a device out of use, with all its certificates: at once and everywhere. Of an
    /// entry in a register of devices that is no terminal there is nothing to take; a name that is not that
    /// of one terminal is for somebody to look at.
    async fn put_retired(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        device: &str,
    ) -> Result<bool> {
        let id: Option<ObjectId> = device.parse().ok();
        let known = self.every_terminal().await?.into_iter().filter(|(_, terminal)| terminal.active);
        let mut meant: Vec<(TerminalId, Terminal)> = match id {
            Some(id) => known
                .filter(|(own, terminal)| terminal.asset == Some(id) || ObjectId::from(*own) == id)
                .collect(),
            None => known.filter(|(_, terminal)| terminal.name == device).collect(),
        };
        if id.is_none() && meant.len() != 1 {
            return Ok(false);
        }
        for (id, terminal) in &mut meant {
            // As it is now: its version is what the unit follows.
            let Some((version, _)) = self.terminal_object((*id).into()).await? else { continue };
            terminal.active = false;
            terminal.revoked_because = Some(BY_PROCEDURE.to_owned());
            terminal.revoke(self.clock.now());
            unit.bumps.push(AccessKey::from(*id));
            let at = (*id, version + 1);
            self.put_terminal(caller, decision, unit, Action::Withdraw, at, terminal, Some(BY_PROCEDURE))?;
        }
        Ok(true)
    }
}
