//! Code and message are the texts between the tags, and no document can make parsing slow.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tower_s3_proxy::internals;

fuzz_target!(|input: (Vec<(u8, &str)>, u16, &[u8])| {
    let (fields, seed, junk) = input;
    check(junk);

    let document = document(&fields);
    let (code, message) = check(document.as_bytes());
    assert_eq!(code, texts(&fields, "Code"));
    assert_eq!(message, texts(&fields, "Message"));

    // The same with something wrong in it, and more of that than would be read of an answer.
    let at = usize::from(seed) % (document.len() + 1);
    let (before, behind) = document.as_bytes().split_at(at);
    check(&[before, junk, behind].concat());
    if !junk.is_empty() && seed % 16 == 0 {
        let flood = junk.repeat(FLOOD / junk.len() + 1);
        let begin = Instant::now();
        check(&[before, &flood, behind].concat());
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(1), "{took:?} for {} bytes", flood.len());
    }
});

const FLOOD: usize = 64 * 1024;

const NAMES: [&str; 6] = ["Code", "Message", "Key", "RequestId", "code", "CodeMessage"];

/// An error document as S3 writes it.
fn document(fields: &[(u8, &str)]) -> String {
    let mut document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>".to_owned();
    for &(name, text) in fields {
        let name = NAMES[usize::from(name) % NAMES.len()];
        document += &format!("<{name}>{}</{name}>", plain(text));
    }
    document + "</Error>"
}

/// A field that is there twice is read as one.
fn texts(fields: &[(u8, &str)], name: &str) -> String {
    let of_name = fields.iter().filter(|(n, _)| NAMES[usize::from(*n) % NAMES.len()] == name);
    of_name.map(|(_, text)| plain(text)).collect()
}

/// Text that needs no escape.
fn plain(text: &str) -> String {
    text.replace(['<', '&'], "")
}

/// Compares with the model, as far as that goes.
fn check(xml: &[u8]) -> (String, String) {
    let read = internals::s3_error(xml);
    if let Some(expected) = std::str::from_utf8(xml).ok().and_then(extracted) {
        assert_eq!(read, expected);
    }
    read
}

/// Code and message of a document that has nothing but fields with text in an `Error`.
fn extracted(xml: &str) -> Option<(String, String)> {
    if xml.contains('&') {
        return None;
    }
    let (mut code, mut message) = (String::new(), String::new());
    let mut rest = xml.trim_start_matches(['\n', ' ']).strip_prefix("<Error>")?;
    loop {
        // Text between the fields is nobody's.
        rest = &rest[rest.find('<')?..];
        if let Some(end) = rest.strip_prefix("</Error>") {
            return end.trim_matches(['\n', ' ']).is_empty().then_some((code, message));
        }
        let (name, behind) = rest[1..].split_once('>')?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let (text, behind) = behind.split_once('<')?;
        rest = behind.strip_prefix(&format!("/{name}>"))?;
        match name {
            "Code" => code += text,
            "Message" => message += text,
            _ => {}
        }
    }
}
