use std::{borrow::Cow, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{LinkMethod, PresignRequest};
use crate::object::{ObjectKey, decode_once};

/// What a client asks the endpoint of links for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkAsk {
    /// The key as in the path of a read, encoded: without the mount's prefix, and with the bucket if the path names it.
    pub(crate) rest: String,
    pub(crate) method: LinkMethod,
    expires: Option<Duration>,
    download: Option<String>,
    version: Option<String>,
    content_type: Option<String>,
    content_length: Option<u64>,
}

/// The query is not that of such a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadAsk(());

/// What the client can choose, as for reads of the mount.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    pub(crate) downloads: bool,
    pub(crate) versions: bool,
}

/// What a path keeps as it is: the unreserved characters of RFC 3986, and slashes.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

// === impl LinkAsk ===

impl LinkAsk {
    /// Reads a query, as `URLSearchParams` writes it. An unknown parameter is refused, and so is one that is there twice: what
    /// is asked for must not be left out unawares.
    pub(crate) fn parse(query: &str, choices: Choices) -> Result<Self, BadAsk> {
        let (mut key, mut method, mut expires, mut download) = (None, None, None, None);
        let (mut version, mut content_type, mut content_length) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match decode_form(name)?.as_ref() {
                "key" => &mut key,
                "method" => &mut method,
                "expires" => &mut expires,
                "download" if choices.downloads => &mut download,
                "version" if choices.versions => &mut version,
                "content-type" => &mut content_type,
                "content-length" => &mut content_length,
                _ => return Err(BadAsk(())),
            };
            if place.replace(decode_form(value)?.into_owned()).is_some() {
                return Err(BadAsk(()));
            }
        }
        let key = key.filter(|key| !key.is_empty()).ok_or(BadAsk(()))?;
        let method = match method.as_deref() {
            None | Some("GET") => LinkMethod::Get,
            Some("HEAD") => LinkMethod::Head,
            Some("PUT") => LinkMethod::Put,
            Some("DELETE") => LinkMethod::Delete,
            Some(_) => return Err(BadAsk(())),
        };
        let number = |text: Option<String>| text.map(|text| digits(&text).ok_or(BadAsk(()))).transpose();
        Ok(Self {
            rest: utf8_percent_encode(&key, PATH).to_string(),
            method,
            expires: number(expires)?.map(Duration::from_secs),
            download,
            version,
            content_type,
            content_length: number(content_length)?,
        })
    }

    pub(crate) fn into_request(self, key: ObjectKey) -> PresignRequest {
        let mut request = PresignRequest::new(self.method, key);
        request.expires_in = self.expires;
        request.version = self.version;
        if let Some(name) = self.download {
            request = request.download(name);
        }
        if let Some(value) = self.content_type {
            request = request.content_type(value);
        }
        match self.content_length {
            Some(bytes) => request.content_length(bytes),
            None => request,
        }
    }
}

fn decode_form(text: &str) -> Result<Cow<'_, str>, BadAsk> {
    if !text.contains('+') {
        return decode_once(text).map_err(|_| BadAsk(()));
    }
    let spaced = text.replace('+', " ");
    decode_once(&spaced).map(|decoded| Cow::Owned(decoded.into_owned())).map_err(|_| BadAsk(()))
}

fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Choices = Choices { downloads: true, versions: true };

    #[test]
    fn a_query_is_read_as_a_form_is_written() {
        let key = || ObjectKey::new("films/k").unwrap();
        for (query, rest, request) in [
            ("key=a", "a", PresignRequest::get(key())),
            ("key=films%2Fa+b%2B%C3%BC//c", "films/a%20b%2B%C3%BC//c", PresignRequest::get(key())),
            ("key=100%25&method=HEAD", "100%25", PresignRequest::head(key())),
            ("key=a&expires=60", "a", PresignRequest::get(key()).expires_in(Duration::from_secs(60))),
            ("&key=a&download=x+y.txt&", "a", PresignRequest::get(key()).download("x y.txt")),
            ("key=a&version=3%2FL4", "a", PresignRequest::get(key()).version("3/L4")),
            (
                "method=PUT&key=a&content-type=image/png&content-length=7",
                "a",
                PresignRequest::put(key()).content_type("image/png").content_length(7),
            ),
            ("k%65y=a&method=DELETE", "a", PresignRequest::delete(key())),
        ] {
            let ask = LinkAsk::parse(query, ALL).unwrap();
            assert_eq!(ask.rest, rest, "{query}");
            assert_eq!(ask.into_request(key()), request, "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for query in [
            "",
            "key",
            "key=",
            "method=GET",
            "key=a&key=b",
            "key=a&method=POST",
            "key=a&method=get",
            "key=a&expires=-1",
            "key=a&expires=1h",
            "key=a&expires=",
            "key=a&expires=99999999999999999999",
            "key=a&response-content-type=text/html",
            "key=a&x=y",
            "key=%zz",
            "key=%ff",
        ] {
            assert_eq!(LinkAsk::parse(query, ALL), Err(BadAsk(())), "{query}");
        }
        let none = Choices { downloads: false, versions: false };
        for query in ["key=a&download=x", "key=a&version=1"] {
            assert!(LinkAsk::parse(query, ALL).is_ok() && LinkAsk::parse(query, none).is_err(), "{query}");
        }
    }
}
