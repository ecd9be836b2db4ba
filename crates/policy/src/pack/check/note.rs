//! `notes.yaml`: ways of beginning a note.

use super::Context;
use crate::pack::model::{NoteTemplate, ObjectKind};
use crate::text::Text;

/// Longest beginning of a note, in characters: the note itself must fit behind it.
const LONGEST: usize = 2_000;

pub(super) fn templates(cx: &Context<'_>) -> Vec<NoteTemplate> {
    cx.read(ObjectKind::NoteTemplate, |object| {
        let (name, code) = (object.name(), object.code());
        let (ja, en) = (object.need_text("text-ja"), object.need_text("text-en"));
        for (key, text) in [("text-ja", ja), ("text-en", en)] {
            if text.is_some_and(|text| text.chars().count() > LONGEST) {
                object.problem_at(object.line_of(key), format!("{key} has more than {LONGEST} characters"));
            }
        }
        let board = object.flag("board");
        Some(NoteTemplate { code: code?, name, text: Text::new(ja?, en?), board })
    })
}
