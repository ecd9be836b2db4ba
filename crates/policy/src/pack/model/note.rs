//! How notes are written.

use crate::text::Text;

/// A way of beginning a note: what stands in the field before anything is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteTemplate {
    pub code: String,
    pub name: Text,
    /// What the note begins with, one line for each thing to be told.
    pub text: Text,
    /// Notes begun so stand on the board of the care team until they are taken down.
    pub board: bool,
}
