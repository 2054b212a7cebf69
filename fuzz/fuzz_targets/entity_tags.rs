//! Lists of entity tags parse as a byte-by-byte reader parses them, and conditions follow RFC 9110 §13.1.

#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use tower_s3_proxy::internals;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (text, own) = input;
    let proper = proper(text);
    for bytes in [text, written(&proper).as_slice()] {
        let Ok(list) = HeaderValue::from_bytes(bytes) else { continue };
        let members = internals::entity_tags(&list);
        assert_eq!(members, model(bytes));
        // Of what an origin sends as its tag, only a proper one can match.
        let opaque = etagc(own);
        let own = HeaderValue::from_bytes(&quoted(false, &opaque)).expect("a tag is a field value");
        let weakly = members.as_ref().is_none_or(|tags| tags.iter().any(|(_, tag)| *tag == opaque));
        let strongly =
            members.as_ref().is_none_or(|tags| tags.iter().any(|(weak, tag)| !weak && *tag == opaque));
        assert_eq!(internals::if_none_match(&list, &own), !weakly);
        assert_eq!(internals::if_match(&list, &own), strongly);
    }
    if let Ok(list) = HeaderValue::from_bytes(&written(&proper))
        && !proper.is_empty()
    {
        assert_eq!(internals::entity_tags(&list), Some(proper), "what is written is read");
    }
});

type Tag = (bool, Vec<u8>);

/// `None` is `*`.
fn model(text: &[u8]) -> Option<Vec<Tag>> {
    let is_space = |byte: u8| byte == b' ' || byte == b'\t';
    if text.iter().copied().filter(|byte| !is_space(*byte)).eq([b'*']) {
        return None;
    }
    let mut tags = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if is_space(text[at]) {
            at += 1;
            continue;
        }
        let mut next = at;
        let tag = tag(text, &mut next);
        while next < text.len() && is_space(text[next]) {
            next += 1;
        }
        if next == text.len() || text[next] == b',' {
            tags.extend(tag);
        }
        // What stands before the next comma belongs to no tag.
        while next < text.len() && text[next] != b',' {
            next += 1;
        }
        at = next + 1;
    }
    Some(tags)
}

/// The tag that begins here, with its quotes or without them; `at` is set behind it.
fn tag(text: &[u8], at: &mut usize) -> Option<Tag> {
    let is_etagc = |byte: u8| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80;
    let weak = text[*at..].starts_with(b"W/\"");
    let begin = if weak { *at + 2 } else { *at };
    if text[begin] == b'"' {
        let mut end = begin + 1;
        while end < text.len() && is_etagc(text[end]) {
            end += 1;
        }
        if end < text.len() && text[end] == b'"' {
            *at = end + 1;
            return Some((weak, text[begin + 1..end].to_vec()));
        }
        return None;
    }
    let weak = text[*at..].starts_with(b"W/");
    let begin = if weak { *at + 2 } else { *at };
    let mut end = begin;
    while end < text.len() && !matches!(text[end], b',' | b' ' | b'\t') {
        if !is_etagc(text[end]) {
            return None;
        }
        end += 1;
    }
    let opaque = text[begin..end].to_vec();
    if opaque.is_empty() {
        return None;
    }
    *at = end;
    Some((weak, opaque))
}

/// Tags that are proper, from any bytes: each begins with its length.
fn proper(mut input: &[u8]) -> Vec<Tag> {
    let mut tags = Vec::new();
    while let [head, rest @ ..] = input {
        let (opaque, rest) = rest.split_at(usize::from(head % 8).min(rest.len()));
        let opaque =
            opaque.iter().map(|byte| if matches!(byte, 0..=0x20 | 0x22 | 0x7f) { b',' } else { *byte });
        tags.push((head & 0x80 != 0, opaque.collect()));
        input = rest;
    }
    tags
}

fn etagc(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if matches!(byte, 0..=0x20 | 0x22 | 0x7f) { b',' } else { *byte }).collect()
}

fn written(tags: &[Tag]) -> Vec<u8> {
    tags.iter().map(|(weak, opaque)| quoted(*weak, opaque)).collect::<Vec<_>>().join(&b", "[..])
}

fn quoted(weak: bool, opaque: &[u8]) -> Vec<u8> {
    [if weak { &b"W/"[..] } else { b"" }, b"\"", opaque, b"\""].concat()
}
