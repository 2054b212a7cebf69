use std::{net::IpAddr, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Version,
    header::{REFERER, USER_AGENT},
};
use tower_s3_proxy::cache::CacheUse;

use super::{
    entry::Ending,
    moment::Moment,
    redact::redacted,
    text::{address, escaped, fraction, member, number, seconds, shown, target},
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

// === impl Format ===

/// The parts of a line. It has them in this order: opening, outcome, fields of the request, answer, end, the identifier that S3
/// gave, close.
impl Format {
    pub(super) fn opening<B>(
        self,
        moment: &Moment,
        client: Option<IpAddr>,
        request: &Request<B>,
        line: &mut Vec<u8>,
    ) {
        let (method, version) = (request.method().as_str(), version(request.version()));
        let target = target(request.uri());
        let target = redacted(&target);
        if self == Self::Json {
            line.extend_from_slice(b"{\"time\":\"");
            line.extend_from_slice(moment.rfc3339.as_bytes());
            fraction(moment.millis, 1_000, line);
            line.extend_from_slice(b"Z\"");
            if let Some(client) = client {
                line.extend_from_slice(b",\"client\":\"");
                address(client, line);
                line.push(b'"');
            }
            for (name, value) in [("method", method), ("target", &*target), ("version", version)] {
                member(name, Some(value), line);
            }
            return;
        }
        match client {
            Some(client) => address(client, line),
            None => line.push(b'-'),
        }
        line.extend_from_slice(b" - - [");
        line.extend_from_slice(moment.clf.as_bytes());
        line.extend_from_slice(b"] \"");
        escaped(method.as_bytes(), line);
        line.push(b' ');
        escaped(target.as_bytes(), line);
        line.push(b' ');
        line.extend_from_slice(version.as_bytes());
        line.push(b'"');
    }

    pub(super) fn outcome(self, status: u16, bytes: u64, line: &mut Vec<u8>) {
        let (before, between) = match self {
            Self::Json => (",\"status\":", ",\"bytes\":"),
            Self::Common | Self::Combined => (" ", " "),
        };
        line.extend_from_slice(before.as_bytes());
        number(status, line);
        line.extend_from_slice(between.as_bytes());
        number(bytes, line);
    }

    pub(super) fn request_fields(self, headers: &HeaderMap, line: &mut Vec<u8>) {
        if self == Self::Common {
            return;
        }
        for (name, field) in [("referer", REFERER), ("user_agent", USER_AGENT)] {
            let value = headers.get(field).map(shown);
            let value = value.as_deref().map(redacted);
            if self == Self::Json {
                member(name, value.as_deref(), line);
                continue;
            }
            line.extend_from_slice(b" \"");
            escaped(value.as_deref().unwrap_or("-").as_bytes(), line);
            line.push(b'"');
        }
    }

    pub(super) fn answer(
        self,
        mount: Option<&str>,
        cache: CacheUse,
        first_byte: Duration,
        line: &mut Vec<u8>,
    ) {
        match self {
            Self::Common => {}
            Self::Combined => {
                line.extend_from_slice(b" mount=\"");
                escaped(mount.unwrap_or("-").as_bytes(), line);
                line.extend_from_slice(b"\" cache=");
                line.extend_from_slice(cache.as_str().as_bytes());
                line.extend_from_slice(b" first_byte=");
                seconds(first_byte, line);
            }
            Self::Json => {
                member("mount", mount, line);
                member("cache", Some(cache.as_str()), line);
                line.extend_from_slice(b",\"first_byte_seconds\":");
                seconds(first_byte, line);
            }
        }
    }

    /// In the place of an answer.
    pub(super) fn no_answer(self, line: &mut Vec<u8>) {
        if self == Self::Combined {
            line.extend_from_slice(b" mount=\"-\" cache=none");
        }
    }

    pub(super) fn end(self, total: Duration, ending: Ending, line: &mut Vec<u8>) {
        match self {
            Self::Common => {}
            Self::Combined => {
                line.extend_from_slice(b" total=");
                seconds(total, line);
                line.extend_from_slice(b" end=");
                line.extend_from_slice(end(ending).as_bytes());
            }
            Self::Json => {
                line.extend_from_slice(b",\"total_seconds\":");
                seconds(total, line);
                member("end", Some(end(ending)), line);
            }
        }
    }

    pub(super) fn s3_request_id(self, id: &HeaderValue, line: &mut Vec<u8>) {
        match self {
            Self::Common => {}
            Self::Combined => {
                line.extend_from_slice(b" s3_request_id=\"");
                escaped(id.as_bytes(), line);
                line.push(b'"');
            }
            Self::Json => member("s3_request_id", Some(&shown(id)), line),
        }
    }

    pub(super) fn close(self) -> &'static [u8] {
        match self {
            Self::Common | Self::Combined => b"\n",
            Self::Json => b"}\n",
        }
    }
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
