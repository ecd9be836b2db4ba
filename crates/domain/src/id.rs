//! Typed identifiers: one type per kind of thing, so that they cannot be mixed up.
//!
//! Every identifier is issued by this program and random (UUID version 4, RFC 9562 section 5.4); those of
//! records and keys begin with the time at which they were issued (version 7, section 5.7). Nothing in one
//! is derived from who or what it names, so identifiers may stand in clear.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// What is wrong with a text that should have been an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: 32 hexadecimal digits in the form 8-4-4-4-12 are expected")]
pub struct IdError;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new random identifier.
            #[must_use]
            pub fn random() -> Self {
                Self(*Uuid::new_v4().as_bytes())
            }

            /// An identifier read back from where it was stored.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// An identifier read back from a stored slice.
            ///
            /// # Errors
            /// [`IdError`] when the slice is not 16 bytes long.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError)
            }

            /// The 16 bytes, as stored.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The 16 bytes as an owned vector, as statements take them.
            #[must_use]
            pub fn to_vec(self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            /// Only the hyphenated lower- or upper-case form is read: one text form per identifier.
            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != 36 {
                    return Err(IdError);
                }
                Uuid::try_parse(text).map(|id| Self(*id.as_bytes())).map_err(|_| IdError)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

typed_ids! {
    /// The person a record is about (対象者). Also the logical id of their FHIR Patient.
    SubjectId;
    /// Somebody or something that acts: a staff member, a citizen user or a program.
    ActorId;
    /// A hospital, clinic, pharmacy, station, office or city department (利用機関).
    InstitutionId;
    /// A registered device (端末).
    TerminalId;
    /// One signed-in session; never the secret token that proves it.
    SessionId;
    /// One unit of work: all of it commits, or none.
    UnitId;
    /// Anything kept as versions in `object_version`. For a FHIR resource, its logical id.
    ObjectId;
    /// A key of the vault.
    KeyId;
    /// One running program of an installation.
    InstanceId;
}

impl ObjectId {
    /// An identifier for a record or a file of one: it begins with the time, in milliseconds since 1970 UTC.
    /// What is written together so lies together in every index. Never for a person, an account, an
    /// institution or a terminal: those say nothing, not even since when they are known.
    #[must_use]
    pub fn in_order() -> Self {
        Self(*Uuid::now_v7().as_bytes())
    }
}

impl KeyId {
    /// An identifier that begins with the time, as [`ObjectId::in_order`]: a person's keys, made together,
    /// lie together.
    #[must_use]
    pub fn in_order() -> Self {
        Self(*Uuid::now_v7().as_bytes())
    }
}

impl From<SubjectId> for ObjectId {
    fn from(id: SubjectId) -> Self {
        Self(id.0)
    }
}

impl From<ObjectId> for SubjectId {
    fn from(id: ObjectId) -> Self {
        Self(id.0)
    }
}

impl From<TerminalId> for ObjectId {
    fn from(id: TerminalId) -> Self {
        Self(id.0)
    }
}

impl From<ObjectId> for TerminalId {
    fn from(id: ObjectId) -> Self {
        Self(id.0)
    }
}

impl From<InstitutionId> for ObjectId {
    fn from(id: InstitutionId) -> Self {
        Self(id.0)
    }
}

impl From<ObjectId> for InstitutionId {
    fn from(id: ObjectId) -> Self {
        Self(id.0)
    }
}

impl From<ActorId> for ObjectId {
    fn from(id: ActorId) -> Self {
        Self(id.0)
    }
}

impl From<ObjectId> for ActorId {
    fn from(id: ObjectId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_other_forms_are_refused() {
        let id = SubjectId::random();
        assert_eq!(id.to_string().parse::<SubjectId>(), Ok(id));
        assert!(id.to_string().replace('-', "").parse::<SubjectId>().is_err());
        assert!(format!("urn:uuid:{id}").parse::<SubjectId>().is_err());
        assert!("".parse::<SubjectId>().is_err());
    }

    #[test]
    fn ids_of_records_follow_one_another_and_others_say_nothing() {
        let ids: Vec<ObjectId> = (0..1_000).map(|_| ObjectId::in_order()).collect();
        assert!(ids.is_sorted());
        let version = |id: ObjectId| Uuid::from_bytes(*id.as_bytes()).get_version_num();
        assert!(ids.iter().all(|id| version(*id) == 7));
        assert_eq!(version(SubjectId::random().into()), 4);
        assert_eq!(version(ObjectId::random()), 4);
    }
}
