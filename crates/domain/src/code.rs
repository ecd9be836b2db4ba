//! Short codes that policy packs define. Their meaning is data; only their form is checked here.

use std::fmt;
use std::str::FromStr;

/// What is wrong with a text that should have been a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a code: 1 to 64 of a-z, 0-9 and '-', beginning with a letter, are expected")]
pub struct CodeError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads a code.
            ///
            /// # Errors
            /// [`CodeError`] when the text is not of a code's form.
            pub fn new(text: &str) -> Result<Self, CodeError> {
                let mut bytes = text.bytes();
                let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
                let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                if first && rest && text.len() <= 64 { Ok(Self(text.into())) } else { Err(CodeError) }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = CodeError;
            fn from_str(text: &str) -> Result<Self, CodeError> {
                Self::new(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

codes! {
    /// Information class (情報区分): the kind of information, for access rules.
    ClassCode;
    /// Occupation (職種): doctor, nurse, pharmacist, care-manager ...
    OccupationCode;
    /// Role (役割): a duty somebody is appointed to.
    RoleCode;
    /// Zone (接続区分): the kind of network a request comes from.
    ZoneCode;
}

/// What kind of thing an object is: a FHIR resource type (`Patient`) or one of ours in lower case
/// (`account`, `consent`). 1 to 64 ASCII letters, digits and '-', beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(std::borrow::Cow<'static, str>);

impl Kind {
    /// A kind known when the program was compiled.
    #[must_use]
    pub const fn of(text: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(text))
    }

    /// Reads a kind.
    ///
    /// # Errors
    /// [`CodeError`] when the text is not of a kind's form.
    pub fn new(text: &str) -> Result<Self, CodeError> {
        let form = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if form && first && text.len() <= 64 {
            Ok(Self(std::borrow::Cow::Owned(text.to_owned())))
        } else {
            Err(CodeError)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a FHIR resource type (they begin with a capital letter).
    #[must_use]
    pub fn is_fhir(&self) -> bool {
        self.0.starts_with(|c: char| c.is_ascii_uppercase())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_a_code_is_accepted() {
        assert!(ClassCode::new("vital-signs").is_ok());
        for bad in ["", "Vital", "1st", "vital signs", "情報", &"a".repeat(65)] {
            assert_eq!(ClassCode::new(bad), Err(CodeError), "{bad}");
        }
        assert!(Kind::new("Patient").is_ok_and(|k| k.is_fhir()));
        assert!(Kind::new("pat/ient").is_err());
    }
}
