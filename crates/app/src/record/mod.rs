//! Records: read, list, write. Every way to a person's record is one of these.

mod index;
mod list;
mod master;
mod read;
mod register;
mod search;
mod write;

pub(crate) use index::{field_number, person_names};
pub(crate) use list::Listed;
pub(crate) use read::{authorship_of, label_of, stored};
pub use write::CreateAs;
pub(crate) use write::{NewVersion, checked, fault, own_label, put_version};
