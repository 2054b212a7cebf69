//! What must not get into a log: who knows it could use it.

use std::borrow::Cow;

/// Parameters of queries that are signatures or tokens, in lower case.
const SECRET: [&str; 7] = [
    "x-amz-signature",
    "x-amz-security-token",
    "signature",
    "token",
    "access_token",
    "key-pair-signature",
    "policy",
];

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// The segment before a token of an own link.
const LINK: &str = "t";

/// An address without signatures and tokens: those of the query, and those of own links, which are segments of the path.
pub(super) fn redacted(address: &str) -> Cow<'_, str> {
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    let has_token = path.contains("/t/");
    let is_secret = |parameter: &str| {
        let name = decoded(parameter.split('=').next().unwrap_or_default());
        parameter.contains('=') && SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    };
    if !has_token && !query.is_some_and(|query| query.split('&').any(is_secret)) {
        return Cow::Borrowed(address);
    }
    let mut shown = String::with_capacity(address.len());
    let mut last = "";
    for (n, segment) in path.split('/').enumerate() {
        if n > 0 {
            shown.push('/');
        }
        shown.push_str(if last == LINK && is_token(segment) { HIDDEN } else { segment });
        last = segment;
    }
    for (n, parameter) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if n == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(parameter) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
            }
            Some(_) | None => shown.push_str(parameter),
        }
    }
    Cow::Owned(shown)
}

/// Whether a segment can be a token: names of files are shorter, or have other characters.
fn is_token(segment: &str) -> bool {
    segment.len() >= 16
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~=%:".contains(&byte))
}

/// A name without its escapes: `X-Amz-%53ignature` is one, too.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escape =
            (*byte == b'%').then(|| after.split_at_checked(2)).flatten().and_then(|(digits, behind)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, behind))
            });
        let (byte, after) = escape.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_tokens_are_hidden_and_all_else_is_shown() {
        for (address, shown) in [
            ("/a/b.txt", "/a/b.txt"),
            ("/a?versionId=1&x", "/a?versionId=1&x"),
            ("/a?X-Amz-Signature=0af1&X-Amz-Date=1", "/a?X-Amz-Signature=***&X-Amz-Date=1"),
            ("/a?b=1&x-amz-signature=0af1", "/a?b=1&x-amz-signature=***"),
            ("/a?X-Amz-%53ignature=0af1", "/a?X-Amz-%53ignature=***"),
            ("/a?X-Amz-Security-Token=FwoG%3D", "/a?X-Amz-Security-Token=***"),
            ("/a?Expires=1&Signature=q%2B=&AWSAccessKeyId=A", "/a?Expires=1&Signature=***&AWSAccessKeyId=A"),
            ("/t/eyJwIjoiYSJ9.c2lnbmF0dXJl/films/a.m3u8", "/t/***/films/a.m3u8"),
            ("/media/t/eyJwIjoiYSJ9.c2lnbmF0dXJl/a?token=x", "/media/t/***/a?token=***"),
            // A folder that is called like that.
            ("/t/index.html", "/t/index.html"),
            ("https://app.test/?access_token=x", "https://app.test/?access_token=***"),
            ("/a?%", "/a?%"),
        ] {
            assert_eq!(redacted(address), shown, "{address}");
        }
    }
}
