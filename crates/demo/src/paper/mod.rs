//! Documents and pictures of the made-up city: real PDF and PNG files, drawn when they are asked for.
//!
//! Until then a [`DemoFile`] is a few words or numbers, so a city of thousands stays small in memory.

mod picture;
mod sheet;

pub(crate) use picture::Picture;
pub(crate) use sheet::{Part, Sheet};

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFile {
    /// What its owner calls it.
    pub name: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Sheet(Box<Sheet>),
    Picture(Picture),
}

impl DemoFile {
    pub(crate) fn sheet(name: String, sheet: Sheet) -> Self {
        Self { name, content: Content::Sheet(Box::new(sheet)) }
    }

    pub(crate) fn picture(name: String, picture: Picture) -> Self {
        Self { name, content: Content::Picture(picture) }
    }

    /// `application/pdf` or `image/png`.
    #[must_use]
    pub const fn media_type(&self) -> &'static str {
        match self.content {
            Content::Sheet(_) => "application/pdf",
            Content::Picture(_) => "image/png",
        }
    }

    /// Draws it: the same bytes each time. Empty if it could not be drawn.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match &self.content {
            Content::Sheet(sheet) => sheet::draw(sheet),
            Content::Picture(picture) => picture::draw(*picture),
        }
    }
}

/// The characters that documents can be set in.
#[must_use]
pub fn can_be_set(character: char) -> bool {
    sheet::can_be_set(character)
}
