//! Whether a unit is rightly made, found out before it waits in the queue.

use mimamori_domain::{InstanceId, Timestamp};
use mimamori_ledger::Position;

use crate::statement::{Effect, Keeping, Table, arity_for};
use crate::tables;
use crate::unit::{Change, CommitError, Unit};
use crate::value::{ColumnType, Value};

/// The greatest weight of one unit, in bytes. Larger content belongs into files.
pub(crate) const MAX_UNIT_BYTES: usize = 64 << 20;

/// Tables that only the commit queue writes.
static QUEUE_ONLY: &[&Table] =
    &[&tables::LEDGER_HEAD, &tables::LEDGER_EPOCH, &tables::LEDGER_ENTRY, &tables::ACCESS_VERSION];

/// Checks a unit; gives its weight in bytes.
pub(crate) fn unit(unit: &Unit, starts_epoch: Option<u32>) -> Result<usize, CommitError> {
    if unit.entries.is_empty() {
        return Err(invalid("a unit needs a ledger entry"));
    }
    let mut weight = changes(&unit.changes, false)?;
    for (index, entry) in unit.entries.iter().enumerate() {
        // The longest place there can be: a later encoding is never longer.
        let first = starts_epoch.filter(|_| index == 0);
        let place = Position {
            epoch: if first == Some(0) { 0 } else { u32::MAX },
            sequence: if first.is_some() { 0 } else { u64::MAX },
            instance: InstanceId::from_bytes([0; 16]),
            recorded: Timestamp::from_micros(i64::MAX),
            clock_error_micros: Some(u64::MAX),
        };
        let length = entry.encode(&place).map_err(|error| invalid(error.to_string()))?.len();
        weight = weight.saturating_add(length + ENTRY_SPARE);
    }
    within_limit(weight)
}

/// The few bytes by which a shorter placed encoding may be underestimated, and the index columns.
const ENTRY_SPARE: usize = 128;

/// Checks housekeeping; gives its weight in bytes.
pub(crate) fn upkeep(unit: &Unit) -> Result<usize, CommitError> {
    if unit.changes.is_empty() {
        return Err(invalid("there is nothing to do"));
    }
    within_limit(changes(&unit.changes, true)?)
}

fn within_limit(weight: usize) -> Result<usize, CommitError> {
    if weight > MAX_UNIT_BYTES {
        return Err(invalid(format!("{weight} bytes are more than the {MAX_UNIT_BYTES} a unit may have")));
    }
    Ok(weight)
}

fn changes(changes: &[Change], only_upkeep: bool) -> Result<usize, CommitError> {
    let mut weight = 0_usize;
    for change in changes {
        match change {
            Change::Insert { table, rows } => {
                if QUEUE_ONLY.iter().any(|other| other.name == table.name) {
                    return Err(invalid(format!("{} is written by the commit queue alone", table.name)));
                }
                if only_upkeep && table.keeping != Keeping::Upkeep {
                    return Err(invalid(format!("{} needs a ledger entry", table.name)));
                }
                for row in rows {
                    if let Some(told) = table.mismatch(row) {
                        return Err(invalid(told));
                    }
                    weight = weight.saturating_add(row.iter().map(Value::weight).sum());
                }
            }
            Change::Execute { statement, args, .. } => {
                let allowed = match statement.effect {
                    Effect::Read => false,
                    Effect::Change => !only_upkeep,
                    Effect::Upkeep => true,
                };
                if !allowed || !statement.lists.is_empty() {
                    return Err(invalid(format!("{} is not a change allowed here", statement.name)));
                }
                if let Some(told) = statement.mismatch(args) {
                    return Err(invalid(told));
                }
                weight = weight.saturating_add(args.iter().map(Value::weight).sum());
            }
        }
    }
    Ok(weight)
}

/// Pads a list with its last item to a length that is prepared; gives that length in items.
pub(crate) fn pad(name: &str, list: &mut Vec<Value>, item: &'static [ColumnType]) -> Result<usize, String> {
    let width = item.len().max(1);
    let fits = list.len().is_multiple_of(width)
        && list
            .chunks(width)
            .all(|values| values.iter().zip(item).all(|(value, column)| value.column_type() == *column));
    let arity = if fits { arity_for(list.len() / width) } else { None };
    let Some(arity) = arity else {
        return Err(format!("a list of {name} is too long or of other types"));
    };
    let last = list.get(list.len().saturating_sub(width)..).unwrap_or_default().to_vec();
    while list.len() < arity * width {
        list.extend_from_slice(&last);
    }
    Ok(arity)
}

fn invalid(told: impl Into<String>) -> CommitError {
    CommitError::Invalid(told.into())
}
