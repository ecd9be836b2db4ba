//! Known answers, made by a second implementation (`tests/vectors.py`): formats and tokens must
//! never drift, or what was stored could no longer be opened or found.

use mimamori_domain::{ClassCode, KeyId, Kind, ObjectId, Timestamp};

use crate::aead::KeyBytes;
use crate::{
    CHUNK_SIZE, ChunkOpener, ChunkSealer, CursorKey, HEADER_SIZE, IndexField, IndexKey, KeyUse, Month, Place,
    SecretKey, SubjectIndex, Token, VaultError, WrappedKey, open,
};

const VECTORS: &str = include_str!("../tests/vectors.txt");
const CREATED: Timestamp = Timestamp::from_micros(1_763_683_200_000_000);
const EXPIRES: Timestamp = Timestamp::from_micros(1_763_683_260_000_000);

fn vector(name: &str) -> &'static str {
    VECTORS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap()
}

fn bytes_of(name: &str) -> Vec<u8> {
    hex::decode(vector(name)).unwrap()
}

fn data_use() -> KeyUse {
    KeyUse::Data { class: ClassCode::new("vital-signs").unwrap(), month: Month::new(2025, 11).unwrap() }
}

fn key(usage: KeyUse) -> SecretKey {
    let bytes = KeyBytes::new(std::array::from_fn(|i| u8::try_from(i).unwrap()));
    SecretKey::from_parts(KeyId::from_bytes([0x11; 16]), usage, Some([0x33; 16]), bytes)
}

fn place() -> Place {
    Place::object(ObjectId::from_bytes([0x44; 16]), 3, &Kind::of("Observation"))
}

#[test]
fn envelope() {
    let plain = open(&key(data_use()), &place(), &bytes_of("seal")).unwrap();
    assert_eq!(plain.as_slice(), "体温 36.5".as_bytes());
}

#[test]
fn chunked_file() {
    let plain: Vec<u8> = (0..CHUNK_SIZE + 100).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let vector = bytes_of("chunks");
    let (digest, rest) = vector.split_at(32);
    let (header, last) = rest.split_at(HEADER_SIZE);
    let number = header[HEADER_SIZE - 24..].try_into().unwrap();

    let mut sealer = ChunkSealer::numbered(&key(data_use()), &place(), number).unwrap();
    let mut file = sealer.header().to_vec();
    file.extend(sealer.push(&plain).unwrap());
    file.extend(sealer.finish().unwrap());
    assert!(file.ends_with(last));
    let found = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &file);
    assert_eq!(found.as_ref(), digest);

    let mut opener = ChunkOpener::new(&key(data_use()), &place(), header).unwrap();
    let mut opened = opener.push(&file[HEADER_SIZE..]).unwrap().to_vec();
    opened.extend_from_slice(&opener.finish().unwrap());
    assert!(opened == plain);
}

#[test]
fn wrapped_key() {
    let row = WrappedKey {
        id: KeyId::from_bytes([0x11; 16]),
        parent: KeyId::from_bytes([0x22; 16]),
        usage: data_use(),
        owner: Some([0x33; 16]),
        created: CREATED,
        bytes: bytes_of("wrap"),
    };
    let parent = std::array::from_fn(|i| u8::try_from(i + 32).unwrap());
    assert_eq!(row.unwrap_with(&parent).unwrap(), key(data_use()));
}

#[test]
fn cursor() {
    let key = CursorKey::new(&key(KeyUse::Cursor)).unwrap();
    let payload = key.open(b"caller and query", vector("cursor"), CREATED).unwrap();
    assert_eq!(payload.as_slice(), b"position");
    let late = key.open(b"caller and query", vector("cursor"), EXPIRES);
    assert!(matches!(late, Err(VaultError::Cursor)));
}

#[test]
fn root_key_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    std::fs::write(&path, key(KeyUse::Cursor).bytes()).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let root = crate::RootKeyFile::open(&path).unwrap();
    assert_eq!(crate::RootKey::id(&root).as_bytes().to_vec(), bytes_of("root-id"));
}

/// What people write; the vectors were made from the normal forms.
const WRITTEN: [(IndexField, &str); 8] = [
    (IndexField::Identifier, "urn:oid:1.2.392.100495.20.3.61|００１２－３４５"),
    (IndexField::Kana, "ﾔﾏﾀﾞ　ハナコ"),
    (IndexField::KanaPrefix, "ヤマ"),
    (IndexField::Name, "髙﨑　花子"),
    (IndexField::NamePrefix, "髙\u{E0100}"),
    (IndexField::BirthYear, "1950"),
    (IndexField::BirthMonth, "1950-03"),
    (IndexField::BirthDay, "1950-03-05"),
];

#[test]
fn tokens() {
    let index = IndexKey::new(&key(KeyUse::Index { generation: 1 })).unwrap();
    assert!(IndexField::all().eq(WRITTEN.iter().map(|(field, _)| *field)));
    for (field, value) in WRITTEN {
        assert_eq!(index.token(field, value).to_vec(), bytes_of(field.as_str()), "{field}");
    }
    let codes = SubjectIndex::new(&key(KeyUse::Subject)).unwrap();
    let token = codes.code_token("http://loinc.org", "8310-5");
    assert_eq!(Token::from_bytes(*token.as_bytes()).to_vec(), bytes_of("code"));
}
