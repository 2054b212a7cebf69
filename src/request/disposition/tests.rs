use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use super::*;

/// The type and the name of a disposition; `None` if it is refused.
fn read(field: &str) -> Option<(DispositionKind, Option<String>)> {
    let Disposition { kind, name } = Disposition::parse(field).ok()?;
    let name = match name {
        DownloadName::Unsaid => None,
        DownloadName::Given(name) => Some(name),
        DownloadName::OfKey => panic!("a field names no key"),
    };
    Some((kind, name))
}

#[test]
fn types_and_names_are_read_as_rfc_6266_says() {
    use DispositionKind::{Attachment, Inline};
    for (field, kind, name) in [
        ("attachment", Attachment, None),
        (" AttachMent\t", Attachment, None),
        ("inline", Inline, None),
        ("inline ; size=3", Inline, None),
        ("attachment; filename=a.txt", Attachment, Some("a.txt")),
        ("attachment;filename=a.txt;", Attachment, Some("a.txt")),
        ("attachment;; FileName\t=\ta.txt ;", Attachment, Some("a.txt")),
        ("attachment; filename=\"\"", Attachment, Some("")),
        ("attachment; filename=\"a b;c=d.txt\"", Attachment, Some("a b;c=d.txt")),
        ("attachment; filename=\"a\\\"b\\\\c\\d\"", Attachment, Some("a\"b\\cd")),
        ("attachment; filename=\"€.txt\"", Attachment, Some("€.txt")),
        ("attachment; filename=\"a%20b\"", Attachment, Some("a%20b")),
        ("attachment; filename*=UTF-8''%e2%82%AC%20a", Attachment, Some("€ a")),
        ("attachment; filename*=utf-8'en-GB'a", Attachment, Some("a")),
        ("attachment; filename=a; filename*=UTF-8''b", Attachment, Some("b")),
        ("attachment; filename*=UTF-8''b; filename=a", Attachment, Some("b")),
        ("attachment; filename*=UTF-8''", Attachment, Some("")),
        ("attachment; creation-date=\"x\"; filename=a; name*=x'y'z", Attachment, Some("a")),
    ] {
        assert_eq!(read(field), Some((kind, name.map(str::to_owned))), "{field}");
    }
}

#[test]
fn what_is_malformed_is_refused() {
    for field in [
        "",
        ";",
        "form-data; name=x",
        "attachment, inline",
        "attachment filename=a",
        "attachment=a",
        "\"attachment\"",
        "filename=a",
        "attachment; filename",
        "attachment; filename=",
        "attachment; =a",
        "attachment; filename=a b",
        "attachment; filename=a/b",
        "attachment; filename=ä",
        "attachment; filename=\"a",
        "attachment; filename=\"a\\\"",
        "attachment; filename=\"a\" b",
        "attachment; filename='a b'",
        "attachment; filename=a; filename=b",
        "attachment; filename=\"a\"; FILENAME=a",
        "attachment; filename*=UTF-8''a; filename*=UTF-8''a",
        "attachment; filename*=a",
        "attachment; filename*=UTF-8'a",
        "attachment; filename*=\"UTF-8''a\"",
        "attachment; filename*=ISO-8859-1''a",
        "attachment; filename*=UTF-8''%ff",
        "attachment; filename*=UTF-8''%e",
        "attachment; filename*=UTF-8''a(1)",
        "attachment; filename*=UTF-8'e n'a",
        "attachment; filename=\"a\r\nset-cookie: b=c\"",
        "attachment\r\nset-cookie: b=c",
        "attachment; filename=\"a\\\nb\"",
        "attachment; filename=\"a\0\"",
        "attachment; filename=\"a\u{7f}\"",
        "attachment; filename=a\n",
    ] {
        assert_eq!(read(field), None, "{field:?}");
    }
}

/// A naive model: cuts the text at every semicolon outside quotes, then looks at the pieces.
fn model(field: &str) -> Option<(DispositionKind, Option<String>)> {
    let mut pieces = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in field.chars() {
        if c == ';' && !is_quoted {
            pieces.push(String::new());
            continue;
        }
        pieces.last_mut().unwrap().push(c);
        if is_escaped {
            is_escaped = false;
        } else if c == '"' {
            is_quoted = !is_quoted;
        } else if c == '\\' && is_quoted {
            is_escaped = true;
        }
    }
    let space = [' ', '\t'];
    let kind = match pieces.remove(0).trim_matches(space).to_ascii_lowercase().as_str() {
        "attachment" => DispositionKind::Attachment,
        "inline" => DispositionKind::Inline,
        _ => return None,
    };
    let mut names: Vec<(String, String)> = Vec::new();
    for piece in pieces {
        let piece = piece.trim_matches(space);
        if piece.is_empty() {
            continue;
        }
        let (name, value) = piece.split_once('=')?;
        let (name, value) = (name.trim_matches(space).to_ascii_lowercase(), value.trim_matches(space));
        let is_quoted = value.starts_with('"');
        let text = if is_quoted { model_of_quoted(value)? } else { value.to_owned() };
        if !is_token(&name) || !is_quoted && !is_token(value) {
            return None;
        }
        match name.as_str() {
            "filename" => names.push((name, text)),
            "filename*" if is_quoted => return None,
            "filename*" => names.push((name, model_of_extended(value)?)),
            _ => {}
        }
    }
    names.sort();
    if names.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    Some((kind, names.pop().map(|(_, text)| text)))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, '!'..='~') && !"()<>@,;:\\\"/[]?={}".contains(c))
}

fn model_of_quoted(value: &str) -> Option<String> {
    let mut inner: Vec<char> = value.strip_prefix('"')?.strip_suffix('"')?.chars().rev().collect();
    let mut text = String::new();
    while let Some(c) = inner.pop() {
        match c {
            '"' => return None,
            '\\' => text.push(inner.pop()?),
            c => text.push(c),
        }
    }
    let is_clean = text.chars().all(|c| c == '\t' || c >= ' ' && c != '\u{7f}');
    is_clean.then_some(text)
}

fn model_of_extended(value: &str) -> Option<String> {
    let parts: Vec<_> = value.split('\'').collect();
    let [charset, language, text] = parts.as_slice() else { return None };
    let has_language = language.chars().all(|c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-'));
    let has_escapes = text
        .split('%')
        .skip(1)
        .all(|behind| behind.len() > 1 && behind.chars().take(2).all(|c| c.is_ascii_hexdigit()));
    if !charset.eq_ignore_ascii_case("utf-8") || !has_language || !has_escapes || text.contains('*') {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(String::from)
}

/// Texts made of pieces of the grammar and of other pieces.
fn field() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "; filename=a",
            "; FileName=\"a b\"",
            "; filename=\"a\\\"\\b;\"",
            ";filename*=UTF-8''%e2%82%ac",
            "; filename*=utf-8'en'a%0d%0a",
            "; x=y",
            "; x=\"y\" ",
        ]),
        1 => prop::sample::select(vec![
            "attachment", "inline", "filename", "filename*", "=", ";", " ", "\t", "\"", "\\", "%", "%e2", "'", "''", "*",
            "UTF-8''", "ISO-8859-1''", "a", "/", "€", "\r\n", "\0",
        ]),
    ];
    let pieces = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let start = prop::sample::select(vec!["attachment", "Inline", " inline ", ""]);
    (start, pieces, prop::option::weighted(0.1, (any::<char>(), any::<prop::sample::Index>()))).prop_map(
        |(start, pieces, odd)| {
            let mut chars: Vec<char> = start.chars().chain(pieces.chars()).collect();
            if let Some((c, at)) = odd {
                chars.insert(at.index(chars.len() + 1), c);
            }
            chars.into_iter().collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_naive_model_reads_the_same(field in field()) {
        prop_assert_eq!(read(&field), model(&field));
    }
}
