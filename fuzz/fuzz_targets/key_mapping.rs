//! A path is decoded exactly once, and every key can be requested.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_s3_proxy::{bucket::InvalidKey, internals};

fuzz_target!(|rest: &str| {
    let key = internals::map_key(rest).map(|key| key.as_str().to_owned());
    assert_eq!(key, decoded_once(rest));
    if let Ok(key) = key {
        let encoded: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
        assert_eq!(internals::map_key(&encoded).as_ref().map(AsRef::as_ref), Ok(key.as_str()));
    }
});

fn decoded_once(rest: &str) -> Result<String, InvalidKey> {
    let mut bytes = Vec::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            let mut digit = || chars.next().and_then(|c| c.to_digit(16)).ok_or(InvalidKey::BadEscape);
            let byte = digit()? * 16 + digit()?;
            bytes.push(byte.try_into().expect("two digits are a byte"));
        } else {
            bytes.extend(c.to_string().into_bytes());
        }
    }
    let key = String::from_utf8(bytes).map_err(|_| InvalidKey::NotUtf8)?;
    let segments: Vec<&str> = key.split('/').flat_map(|segment| segment.split('\\')).collect();
    match key.len() {
        0 => Err(InvalidKey::Empty),
        1025.. => Err(InvalidKey::TooLong),
        _ if key.chars().any(|c| c == '\0') => Err(InvalidKey::Nul),
        _ if segments.contains(&".") || segments.contains(&"..") => Err(InvalidKey::DotSegment),
        _ => Ok(key),
    }
}
