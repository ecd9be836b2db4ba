//! The files of a record, as people see them.

use mimamori_app::Stored;
use mimamori_fhir::{JsonKind, Resource, Value};

use super::read;
use crate::language::Texts;

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileShown {
    pub(crate) name: String,
    /// What kind of file, and how large.
    pub(crate) about: String,
    /// Whether a browser shows it as a picture.
    pub(crate) picture: bool,
    /// Where it is opened.
    pub(crate) page: String,
    /// Where the record says it is: `Binary/<id>`.
    pub(crate) url: String,
}

/// The types that a browser is asked to show, and nothing else: none of them can run anything.
pub(crate) const PICTURES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];

/// The files that a record names, in its order.
pub(crate) fn files(stored: &Stored, texts: &Texts) -> Vec<FileShown> {
    read(stored).map(|resource| files_of(&resource, stored, texts)).unwrap_or_default()
}

/// The same of a record that was read already.
pub(super) fn files_of(resource: &Resource, stored: &Stored, texts: &Texts) -> Vec<FileShown> {
    let mut found = Vec::new();
    attachments(resource.root(), &mut found);
    let base = format!("/records/{}/{}/files", stored.kind, stored.id);
    found.into_iter().filter_map(|attachment| shown(attachment, &base, texts)).collect()
}

/// Attachments whose file is kept here, wherever they stand.
fn attachments<'a>(value: Value<'a>, found: &mut Vec<Value<'a>>) {
    if value.string("url").is_some_and(|url| url.starts_with("Binary/")) {
        found.push(value);
    } else if matches!(value.kind(), JsonKind::Object | JsonKind::Array) {
        value.children().for_each(|child| attachments(child, found));
    }
}

fn shown(attachment: Value<'_>, base: &str, texts: &Texts) -> Option<FileShown> {
    let url = attachment.string("url")?;
    let id = url.strip_prefix("Binary/")?;
    let media_type = attachment.string("contentType").unwrap_or_default();
    let size = attachment.get("size").and_then(|size| size.raw().trim().parse::<u64>().ok());
    let format = texts.find(&format!("media-type-{}", media_type.replace('/', "-")));
    let size = size.map(|bytes| size_words(bytes, texts));
    let about: Vec<String> = [format, size].into_iter().flatten().collect();
    Some(FileShown {
        name: attachment.string("title").unwrap_or(id).to_owned(),
        about: about.join(&texts.get("list-comma")),
        picture: PICTURES.contains(&media_type),
        page: format!("{base}/{id}"),
        url: url.to_owned(),
    })
}

/// A size in kilobytes or megabytes, as telephones tell it.
fn size_words(bytes: u64, texts: &Texts) -> String {
    if bytes < 1_000_000 {
        texts.with("size-kb", "size", &bytes.div_ceil(1000).to_string())
    } else {
        let tenths = bytes.div_ceil(100_000);
        texts.with("size-mb", "size", &format!("{}.{}", tenths / 10, tenths % 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::present::sample;

    #[test]
    fn files_kept_here_are_shown_with_kind_and_size_and_others_are_not() {
        let json = r#"{"resourceType":"Communication","status":"completed","payload":[{"contentString":"傷"},
            {"contentAttachment":{"contentType":"image/jpeg","url":"Binary/1","size":1234567,"title":"かかと.jpg"}},
            {"contentAttachment":{"contentType":"application/pdf","url":"https://example.jp/x.pdf"}},
            {"contentAttachment":{"contentType":"application/pdf","url":"Binary/2","size":1}}]}"#;
        let stored = sample("Communication", json);
        let found = files(&stored, Language::Japanese.texts());
        let told: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.about.as_str(), f.picture)).collect();
        assert_eq!(told, [("かかと.jpg", "写真（JPEG）、1.3 MB", true), ("2", "PDF、1 KB", false)]);
        assert!(found[0].page.ends_with("/files/1") && found[0].page.starts_with("/records/Communication/"));
    }
}
