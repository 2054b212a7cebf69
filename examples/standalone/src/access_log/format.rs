use std::{fmt::Write, time::SystemTime};

use http::{HeaderValue, Version};

use super::{
    entry::{Ending, Entry},
    redact::redacted,
};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// The Common Log Format, of which every tool knows the fields
    Common,
    /// The same with referer and agent, and behind them what no other format has
    #[default]
    Combined,
    /// One JSON object in a line
    Json,
}

/// Of a client that left before there was a response, as nginx has it.
const NO_ANSWER: u16 = 499;

// === impl Format ===

impl Format {
    /// The line of a request, with its end.
    pub(super) fn line(self, entry: &Entry) -> String {
        let mut line = String::with_capacity(512);
        match self {
            Self::Common => common(entry, &mut line),
            Self::Combined => combined(entry, &mut line),
            Self::Json => json(entry, &mut line),
        }
        line.push('\n');
        line
    }
}

fn common(entry: &Entry, line: &mut String) {
    match entry.client {
        Some(client) => drop(write!(line, "{}", client.to_canonical())),
        None => line.push('-'),
    }
    let status = entry.answer.as_ref().map_or(NO_ANSWER, |answer| answer.status.as_u16());
    let _ = write!(line, " - - [{}] \"", clf_time(entry.begun));
    escaped(entry.method.as_str().as_bytes(), line);
    line.push(' ');
    escaped(redacted(&target(entry)).as_bytes(), line);
    let _ = write!(line, " {}\" {status} {}", version(entry.version), entry.bytes);
}

fn combined(entry: &Entry, line: &mut String) {
    common(entry, line);
    for field in [&entry.referer, &entry.agent] {
        line.push_str(" \"");
        match field {
            Some(value) => escaped(redacted(&text(value)).as_bytes(), line),
            None => line.push('-'),
        }
        line.push('"');
    }
    let answer = entry.answer.as_ref();
    line.push_str(" mount=\"");
    escaped(answer.and_then(|answer| answer.mount.as_deref()).unwrap_or("-").as_bytes(), line);
    let _ = write!(line, "\" cache={}", answer.map_or("none", |answer| answer.cache.as_str()));
    if let Some(answer) = answer {
        let _ = write!(line, " first_byte={:.6}", answer.first_byte.as_secs_f64());
    }
    let _ = write!(line, " total={:.6} end={}", entry.total.as_secs_f64(), end(entry.ending));
    if let Some(id) = answer.and_then(|answer| answer.s3_request_id.as_ref()) {
        line.push_str(" s3_request_id=\"");
        escaped(id.as_bytes(), line);
        line.push('"');
    }
}

fn json(entry: &Entry, line: &mut String) {
    let answer = entry.answer.as_ref();
    let _ = write!(line, "{{\"time\":\"{}\"", rfc3339(entry.begun));
    member("client", entry.client.map(|client| client.to_canonical().to_string()).as_deref(), line);
    member("method", Some(entry.method.as_str()), line);
    member("target", Some(&redacted(&target(entry))), line);
    member("version", Some(version(entry.version)), line);
    let status = answer.map_or(NO_ANSWER, |answer| answer.status.as_u16());
    let _ = write!(line, ",\"status\":{status},\"bytes\":{}", entry.bytes);
    member("referer", entry.referer.as_ref().map(text).as_deref().map(redacted).as_deref(), line);
    member("user_agent", entry.agent.as_ref().map(text).as_deref().map(redacted).as_deref(), line);
    member("mount", answer.and_then(|answer| answer.mount.as_deref()), line);
    member("cache", answer.map(|answer| answer.cache.as_str()), line);
    if let Some(answer) = answer {
        let _ = write!(line, ",\"first_byte_seconds\":{:.6}", answer.first_byte.as_secs_f64());
    }
    let _ = write!(line, ",\"total_seconds\":{:.6}", entry.total.as_secs_f64());
    member("end", Some(end(entry.ending)), line);
    let id = answer.and_then(|answer| answer.s3_request_id.as_ref()).map(text);
    member("s3_request_id", id.as_deref(), line);
    line.push('}');
}

/// A member of an object, unless there is no value.
fn member(name: &str, value: Option<&str>, line: &mut String) {
    let Some(value) = value else { return };
    let _ = write!(line, ",\"{name}\":\"");
    for character in value.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            // RFC 8259 §7 has the first range; the rest moves terminals as well.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(line, "\\u{:04x}", u32::from(character));
            }
            character => line.push(character),
        }
    }
    line.push('"');
}

/// Within quotes, as Apache writes it: what is no visible ASCII can neither end the field nor move a terminal.
fn escaped(bytes: &[u8], line: &mut String) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                line.push('\\');
                line.push(char::from(*byte));
            }
            b' '..=b'~' => line.push(char::from(*byte)),
            byte => drop(write!(line, "\\x{byte:02x}")),
        }
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// As the client wrote it: over HTTP/2 without scheme and authority.
fn target(entry: &Entry) -> String {
    entry
        .target
        .path_and_query()
        .map_or_else(|| entry.target.to_string(), |target| target.as_str().to_owned())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

fn end(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::CutOff => "cut-off",
        Ending::Failed => "failed",
    }
}

/// `06/Nov/1994:08:49:37 +0000`, out of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn clf_time(at: SystemTime) -> String {
    let date = httpdate::fmt_http_date(at);
    let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
    format!("{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

/// `1994-11-06T08:49:37.000Z`.
fn rfc3339(at: SystemTime) -> String {
    let date = httpdate::fmt_http_date(at);
    let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
    let month = MONTHS.iter().position(|month| *month == part(8..11)).unwrap_or(0) + 1;
    let millis = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_millis();
    format!("{}-{month:02}-{}T{}.{millis:03}Z", part(12..16), part(5..7), part(17..25))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_in_both_forms() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_250);
        assert_eq!(clf_time(at), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(rfc3339(at), "1994-11-06T08:49:37.250Z");
    }

    #[test]
    fn no_client_can_end_a_field_or_a_line() {
        for (bytes, plain) in [
            (&b"curl/8"[..], "curl/8"),
            (b"a\" 200 \"b", "a\\\" 200 \\\"b"),
            (b"a\\\"", "a\\\\\\\""),
            (b"a\tb\x1b[2J\x7f\xff", "a\\x09b\\x1b[2J\\x7f\\xff"),
        ] {
            let mut line = String::new();
            escaped(bytes, &mut line);
            assert_eq!(line, plain);
            let mut object = "{\"a\":1".to_owned();
            let value = String::from_utf8_lossy(bytes);
            member("agent", Some(&value), &mut object);
            object.push('}');
            assert!(!object.chars().any(char::is_control), "{object:?}");
            let read: serde_json::Value = serde_json::from_str(&object).unwrap();
            assert_eq!(read["agent"], *value);
        }
    }
}
