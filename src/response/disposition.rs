use http::{HeaderMap, HeaderValue, header::CONTENT_DISPOSITION};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    object::ObjectKey,
    request::{Disposition, DispositionKind, DownloadName},
};

/// Replaces the stored disposition by the one that the request asks for, in a response that carries the object.
///
/// Nothing is copied from the request: the field is written anew from the type and a clean name.
pub(crate) fn apply_disposition(asked: &Disposition, key: &ObjectKey, headers: &mut HeaderMap) {
    // Many sites store uploads as attachments, so that none of them becomes a page of the site. A link must not undo
    // that.
    if asked.kind == DispositionKind::Inline && !headers.get_all(CONTENT_DISPOSITION).iter().all(is_inline) {
        return;
    }
    headers.insert(CONTENT_DISPOSITION, disposition_field(asked, key));
}

/// The field that the request asks for.
pub(crate) fn disposition_field(asked: &Disposition, key: &ObjectKey) -> HeaderValue {
    let name = match &asked.name {
        DownloadName::Unsaid => None,
        DownloadName::OfKey => key.as_str().rsplit('/').next(),
        DownloadName::Given(name) => Some(name.as_str()),
    };
    field(asked.kind, name.and_then(FileName::clean).as_ref())
}

/// An unknown type counts as an attachment (RFC 6266 §4.2).
fn is_inline(stored: &HeaderValue) -> bool {
    let kind = stored.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"inline")
}

/// ```text
/// attachment; filename="_ 100_.txt"; filename*=UTF-8''%E2%82%AC%20100%25.txt
/// ```
///
/// `filename*` is for names that not every browser reads correctly from `filename` (RFC 6266 appendix D): some take it
/// for Latin-1, some decode `%41`, some don't know escapes.
fn field(kind: DispositionKind, name: Option<&FileName>) -> HeaderValue {
    let kind = match kind {
        DispositionKind::Attachment => "attachment",
        DispositionKind::Inline => "inline",
    };
    let Some(FileName(name)) = name else { return HeaderValue::from_static(kind) };
    let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '%');
    let mut text = format!("{kind}; filename=\"");
    for c in name.chars() {
        match c {
            '"' => text.push_str("\\\""),
            c => text.push(if is_plain(c) { c } else { '_' }),
        }
    }
    text.push('"');
    if !name.chars().all(is_plain) {
        text.push_str("; filename*=UTF-8''");
        text.extend(utf8_percent_encode(name, NOT_IN_EXT_VALUE));
    }
    HeaderValue::try_from(text).expect("every character of it is printable ASCII")
}

/// Everything except `attr-char` (RFC 8187 §3.2.1).
const NOT_IN_EXT_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A name that a file may be stored under: 1 to 255 bytes of UTF-8 without separators, control characters and
/// characters that change the direction of text; no blank at either end, and not only dots.
///
/// A leading dot is kept, as are names and characters that only one system reserves (`CON`, `:`): browsers replace what
/// their system can't store (RFC 6266 §4.3).
#[derive(Debug, PartialEq, Eq)]
struct FileName(String);

// === impl FileName ===

impl FileName {
    /// The text reduced to a valid name; `None` if nothing is left, or a folder's name (`.`, `..`).
    fn clean(text: &str) -> Option<Self> {
        let kept = text.chars().filter(|c| !is_invisible(*c));
        let name: String = kept.map(|c| if matches!(c, '/' | '\\') { '_' } else { c }).collect();
        let name = cut(name.trim());
        (!name.bytes().all(|b| b == b'.')).then_some(Self(name))
    }
}

/// Controls, and characters that make `txt.exe` look like `exe.txt`: line separators, embeddings, overrides, isolates.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Shortens a name to the length that file systems store, between characters and before the extension.
fn cut(name: &str) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if name.len() - dot <= MAX_EXTENSION_BYTES => name.split_at(dot),
        Some(_) | None => (name, ""),
    };
    let (stem, _) = stem.split_at(stem.floor_char_boundary(MAX_NAME_BYTES - extension.len()));
    format!("{}{extension}", stem.trim_end())
}

const MAX_NAME_BYTES: usize = 255;

/// With its dot. A longer suffix is hardly an extension.
const MAX_EXTENSION_BYTES: usize = 17;

#[cfg(test)]
mod tests;
