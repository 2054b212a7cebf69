//! How the parts of a line are written, without the machinery of `std::fmt`, which took most of the time of a line.

use std::{borrow::Cow, io::Write, net::IpAddr, time::Duration};

use http::{HeaderValue, Uri};

/// Within quotes, as Apache writes it: what is no visible ASCII can neither end the field nor move a terminal.
pub(super) fn escaped(bytes: &[u8], line: &mut Vec<u8>) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\');
    // No early end: the compiler makes it one comparison of many bytes.
    if bytes.iter().fold(true, |all, byte| all & is_plain(*byte)) {
        return line.extend_from_slice(bytes);
    }
    for byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            b' '..=b'~' => line.push(*byte),
            byte => drop(write!(line, "\\x{byte:02x}")),
        }
    }
}

/// A member of an object, unless there is no value.
pub(super) fn member(name: &str, value: Option<&str>, line: &mut Vec<u8>) {
    let Some(value) = value else { return };
    for part in [",\"", name, "\":\""] {
        line.extend_from_slice(part.as_bytes());
    }
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\');
    if value.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        line.extend_from_slice(value.as_bytes());
    } else {
        in_json(value, line);
    }
    line.push(b'"');
}

fn in_json(value: &str, line: &mut Vec<u8>) {
    for character in value.chars() {
        match character {
            '"' => line.extend_from_slice(b"\\\""),
            '\\' => line.extend_from_slice(b"\\\\"),
            // RFC 8259 §7 has the first range; the rest moves terminals as well.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(line, "\\u{:04x}", u32::from(character));
            }
            character => line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

pub(super) fn number(number: impl itoa::Integer, line: &mut Vec<u8>) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// With all digits of the fraction, of which there are as many as `one` has zeros.
pub(super) fn fraction(part: u32, one: u32, line: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    line.push(b'.');
    line.extend(digits.format(one + part).bytes().skip(1));
}

/// In seconds, with the microseconds.
pub(super) fn seconds(time: Duration, line: &mut Vec<u8>) {
    number(time.as_secs(), line);
    fraction(time.subsec_micros(), 1_000_000, line);
}

pub(super) fn address(address: IpAddr, line: &mut Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            for (n, octet) in address.octets().into_iter().enumerate() {
                if n > 0 {
                    line.push(b'.');
                }
                number(octet, line);
            }
        }
        IpAddr::V6(address) => drop(write!(line, "{address}")),
    }
}

pub(super) fn shown(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// As the client wrote it: over HTTP/2 without scheme and authority.
pub(super) fn target(uri: &Uri) -> Cow<'_, str> {
    uri.path_and_query().map_or_else(|| uri.to_string().into(), |target| target.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn no_client_can_end_a_field_or_a_line() {
        for (bytes, plain) in [
            (&b"curl/8"[..], "curl/8"),
            (b"a\" 200 \"b", "a\\\" 200 \\\"b"),
            (b"a\\\"", "a\\\\\\\""),
            (b"a\tb\x1b[2J\x7f\xff", "a\\x09b\\x1b[2J\\x7f\\xff"),
        ] {
            assert_eq!(written(|line| escaped(bytes, line)), plain);
            let value = String::from_utf8_lossy(bytes);
            let members = written(|line| member("agent", Some(&value), line));
            let object = format!("{{\"a\":1{members}}}");
            assert!(!object.chars().any(char::is_control), "{object:?}");
            let read: serde_json::Value = serde_json::from_str(&object).unwrap();
            assert_eq!(read["agent"], *value);
        }
    }

    #[test]
    fn times_and_addresses_are_written_as_std_has_them() {
        for nanos in [0, 999, 1_000, 12_345_678, 999_999_000, 1_000_000_000, 86_399_000_001_000] {
            let time = Duration::from_nanos(nanos);
            let micros = Duration::from_micros(u64::try_from(time.as_micros()).unwrap());
            assert_eq!(written(|line| seconds(time, line)), format!("{:.6}", micros.as_secs_f64()));
        }
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1"),
            ("255.20.3.0", "255.20.3.0"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(written(|line| address(text.parse().unwrap(), line)), shown);
        }
    }
}
