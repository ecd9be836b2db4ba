//! FHIR R4 (4.0.1): a strict codec and validation, driven by tables made from FHIR's own
//! definitions, with what the rest of the program needs of a resource: references, whose record it
//! belongs to, what can be searched for, its information class.
//!
//! ```
//! use mimamori_fhir::{Limits, parse, search_values, validate};
//!
//! let received = br#"{"resourceType":"Patient","birthDate":"1950-04-01","active":true}"#;
//! let resource = parse(received, &Limits::default()).map_err(|issues| issues[0].clone())?;
//! assert!(validate(&resource).is_empty());
//! assert_eq!(search_values(&resource).birth_date.as_deref(), Some("1950-04-01"));
//! assert_eq!(resource.bytes(), received);
//! # Ok::<(), mimamori_fhir::Issue>(())
//! ```
//!
//! Never here: I/O, async, a model of resources as Rust types, floating-point numbers.
//! The guide is `docs/fhir.md`.

mod answer;
mod bundle;
mod class;
mod date;
mod invariants;
mod issue;
mod json;
mod meta;
mod narrative;
mod ndjson;
mod path;
mod primitive;
mod query;
mod reader;
mod reference;
mod resource;
mod search;
mod system;
mod tables;
mod validate;
mod write;

pub use answer::{Capability, TypeCapability, capability_statement, operation_outcome};
pub use bundle::{BundleReader, BundleWriter, Entry, EntryResponse};
pub use class::{information_class, information_classes};
pub use date::Interval;
pub use issue::{Issue, IssueCode, Position, Severity};
pub use json::{Children, Kind as JsonKind, Limits, Value};
pub use meta::{Coding, Meta, splice_meta};
pub use ndjson::{Line, ndjson_lines};
pub use query::{
    DateFilter, Handling, MOST_COUNT, MOST_PATIENTS, NameFilter, NamePart, Prefix, SearchQuery, Sort, Token,
    USUAL_COUNT, served_parameters,
};
pub use reference::{RefAt, RefKind, ReferenceText, references, rewrite_references};
pub use resource::{Resource, parse, served_types};
pub use search::{
    NameParts, PatientRef, Representation, SearchValues, date_interval, is_in_compartment, patient_of,
    search_values,
};
pub use system::{System, system_uri, systems};
pub use validate::validate;
