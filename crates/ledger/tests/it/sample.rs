//! Entries and values for the tests.

use mimamori_domain::{
    Action, ActorId, InstanceId, InstitutionId, KeyId, Kind, LegalBasis, ObjectId, Outcome, Purpose,
    SessionId, SubjectId, TerminalId, Timestamp, UnitId, ZoneCode,
};
use mimamori_ledger::{EntryDraft, Frontier, Hash, MemoryTiles, Position, PreviousLog, Sealed, grow};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// A position with fixed instance and time.
pub fn position(epoch: u32, sequence: u64) -> Position {
    Position {
        epoch,
        sequence,
        instance: InstanceId::from_bytes([0x11; 16]),
        recorded: Timestamp::from_micros(1_795_000_000_000_000 + i64::try_from(sequence).unwrap() * 1_000),
        clock_error_micros: Some(850),
    }
}

/// An entry such as a read of one record makes: every id known, one commitment, a sealed part.
pub fn read_entry(sequence: u64) -> EntryDraft {
    let mark = sequence.to_be_bytes()[7];
    EntryDraft {
        actor: Some(ActorId::from_bytes([0x22; 16])),
        session: Some(SessionId::from_bytes([0x33; 16])),
        institution: Some(InstitutionId::from_bytes([0x44; 16])),
        terminal: Some(TerminalId::from_bytes([0x55; 16])),
        zone: Some(ZoneCode::new("ward").unwrap()),
        subject: Some(SubjectId::from_bytes([mark; 16])),
        resource: Some((Kind::of("Observation"), Some(ObjectId::from_bytes([0x66; 16])))),
        version: Some(3),
        purpose: Purpose::Care,
        legal_basis: LegalBasis::OwnCare,
        policies: vec!["team-reads-notebook".to_owned()],
        commitments: vec![[0x77; 32]],
        sealed: Some(Sealed { key: KeyId::from_bytes([0x88; 16]), bytes: vec![0x99; 60] }),
        ..EntryDraft::new(UnitId::from_bytes([0xaa; 16]), [mark; 16], Action::Read, [0xbb; 32])
    }
}

/// Short, different entries for tree tests that do not look into them.
pub fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| mimamori_ledger::leaf_hash(&n.to_be_bytes())).collect()
}

/// The root over these leaves, by the recursive definition of RFC 9162 section 2.1.1.
pub fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => mimamori_ledger::empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            mimamori_ledger::node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

/// All tiles of a tree over these leaves.
pub fn tiles(leaves: &[Hash]) -> MemoryTiles {
    let mut tiles = MemoryTiles::new();
    tiles.extend(grow(&MemoryTiles::new(), 0, leaves).unwrap());
    tiles
}

pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    frontier.extend(leaves.iter().copied());
    frontier.root()
}

/// Any entry that the format can carry.
pub fn any_entry() -> impl Strategy<Value = (Position, EntryDraft)> {
    let id = any::<[u8; 16]>;
    let place = (any::<u32>(), prop_oneof![Just(0_u64), any::<u64>()], id(), any::<i64>(), of(any::<u64>()));
    let who = (of(id()), of(id()), of(id()), of(id()), of(id()), of("[a-z][a-z0-9-]{0,63}"), of(id()));
    let what = (
        select(Action::ALL),
        of(("[A-Za-z][A-Za-z0-9-]{0,63}", of(id()), of(any::<u64>()))),
        select(Outcome::ALL),
        any::<u64>(),
        select(Purpose::ALL),
        select(LegalBasis::ALL),
    );
    let proof = (
        vec("[a-z情報 ]{1,40}", 0..5),
        any::<[u8; 32]>(),
        vec(any::<[u8; 32]>(), 0..40),
        of((id(), vec(any::<u8>(), 1..300))),
        ("[a-z./]{1,60}", any::<u64>(), any::<[u8; 32]>()),
    );
    (place, id(), id(), who, what, proof).prop_map(|(place, unit, nonce, who, what, proof)| {
        let (epoch, sequence, instance, recorded, clock_error_micros) = place;
        let position = Position {
            epoch,
            sequence,
            instance: InstanceId::from_bytes(instance),
            recorded: Timestamp::from_micros(recorded),
            clock_error_micros,
        };
        let (origin, size, root) = proof.4;
        let draft = EntryDraft {
            unit: UnitId::from_bytes(unit),
            nonce,
            actor: who.0.map(ActorId::from_bytes),
            on_behalf_of: who.1.map(ActorId::from_bytes),
            session: who.2.map(SessionId::from_bytes),
            institution: who.3.map(InstitutionId::from_bytes),
            terminal: who.4.map(TerminalId::from_bytes),
            zone: who.5.map(|zone| ZoneCode::new(&zone).unwrap()),
            subject: who.6.map(SubjectId::from_bytes),
            action: what.0,
            version: what.1.as_ref().and_then(|(_, _, version)| *version),
            resource: what
                .1
                .map(|(kind, object, _)| (Kind::new(&kind).unwrap(), object.map(ObjectId::from_bytes))),
            outcome: what.2,
            count: what.3,
            purpose: what.4,
            legal_basis: what.5,
            policies: proof.0,
            pack: proof.1,
            commitments: proof.2,
            sealed: proof.3.map(|(key, bytes)| Sealed { key: KeyId::from_bytes(key), bytes }),
            previous: (epoch > 0 && sequence == 0).then_some(PreviousLog { origin, size, root }),
        };
        (position, draft)
    })
}
