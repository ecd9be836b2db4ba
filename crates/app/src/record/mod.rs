//! Records: read, list, write. Every way to a person's record is one of these.

mod files;
mod index;
mod list;
mod master;
mod picture;
mod read;
mod register;
mod search;
mod step;
mod timeline;
mod version;
mod write;

pub use files::{MOST_FILES, RecordFile};
pub(crate) use index::{clinical_rows, field_number, person_names, person_token_rows, sort_time};
pub(crate) use list::{Listed, Permitted, Reach, TIMELINE_KINDS};
pub(crate) use read::{MASTER, authorship_of, label_of, stored};
pub(crate) use version::{NewVersion, put_version};
pub use write::CreateAs;
pub(crate) use write::{checked, fault, invalid, own_label, stated_reason};
