//! `Range` and `Content-Range` mean what the models of the unit tests say.

#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use tower_s3_proxy::internals;

#[path = "../../src/request/range/tests/model.rs"]
mod model;

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, text) = input;
    // As many short objects as long ones.
    let total = (seed >> 6) >> (seed % 64);
    let gap = seed % 256;
    let written = written(text);
    for value in [text, &[b"bytes=", text].concat(), &[b"bytes ", text].concat(), written.as_bytes()] {
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        assert_eq!(internals::content_range(&value), model::content_range(value.as_bytes()));
        let members = internals::range_members(&value);
        assert_eq!(members, model::parse(value.as_bytes()));
        let parts = internals::range_parts(&value, total, gap);
        assert_eq!(parts, members.as_deref().and_then(|members| model::resolve(members, total, gap)));
        if let (Some(members), Some(parts), ..=SMALL) = (members, parts, total) {
            asked_bytes_are_sent_once(&members, &parts, total);
        }
    }
});

/// Of such an object every byte is looked at.
const SMALL: u64 = 512;

/// A proper `Range` of many members, near to each other and far apart: four bytes of the input for each.
fn written(input: &[u8]) -> String {
    let member = |bytes: &[u8]| {
        let [kind, a, b, length] = bytes.try_into().expect("a chunk has four bytes");
        let first = u64::from(u16::from_le_bytes([a, b])) << (kind >> 4);
        match kind % 8 {
            0 => format!("-{length}"),
            1 => format!("{first}-"),
            _ => format!("{first}-{}", first + u64::from(length)),
        }
    };
    format!("bytes={}", input.chunks_exact(4).map(member).collect::<Vec<_>>().join(","))
}

fn asked_bytes_are_sent_once(members: &[model::Spec], parts: &[(u64, u64)], total: u64) {
    for byte in 0..total {
        let is_asked = members.iter().any(|&member| model::means(member, byte, total));
        let sent = parts.iter().filter(|(first, last)| (first..=last).contains(&&byte)).count();
        assert!(sent <= 1, "byte {byte} is sent twice");
        assert!(sent == 1 || !is_asked, "byte {byte} is left out");
        assert!(is_asked || sent == 0 || members.len() > 1, "byte {byte} is not asked for");
    }
}
