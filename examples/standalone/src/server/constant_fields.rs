use http::{HeaderMap, HeaderName, HeaderValue, Response};

/// Fields that every response has, whatever it answers: HSTS, CSP, `nosniff`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConstantFields(HeaderMap);

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct ConstantField(HeaderName, HeaderValue);

// === impl ConstantFields ===

impl ConstantFields {
    /// Adds them in place of others of the same name.
    pub(crate) fn apply<B>(&self, response: &mut Response<B>) {
        if !self.0.is_empty() {
            response.headers_mut().extend(self.0.clone());
        }
    }
}

impl FromIterator<ConstantField> for ConstantFields {
    fn from_iter<I: IntoIterator<Item = ConstantField>>(fields: I) -> Self {
        let mut all = HeaderMap::new();
        for ConstantField(name, value) in fields {
            all.append(name, value);
        }
        Self(all)
    }
}

/// A field as on the wire: `NAME: VALUE`.
pub(crate) fn parse_field(text: &str) -> Result<ConstantField, String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("give a name and a value, like \"X-Content-Type-Options: nosniff\"".to_owned());
    };
    let name: HeaderName = name.trim().parse().map_err(|_| format!("{name:?} is not the name of a field"))?;
    if let Some(why) = why_not(&name) {
        return Err(format!("{name} {why}"));
    }
    let value = value.trim();
    match HeaderValue::from_str(value) {
        Ok(value) if !value.is_empty() => Ok(ConstantField(name, value)),
        Ok(_) => Err(format!("{name} has no value: give one, or leave it out")),
        Err(_) => Err(format!("the value of {name} has a character that no field can have")),
    }
}

/// Why a field can't be the same in all responses, if it can't.
fn why_not(name: &HeaderName) -> Option<&'static str> {
    const FRAMING: [&str; 10] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "date",
        "http2-settings",
    ];
    // RFC 9110 §8, §10.2, §11.6, §12.5.5, §13 to §15, RFC 9111 §5: each is about one response.
    const OF_RESPONSE: [&str; 17] = [
        "accept-ranges",
        "age",
        "allow",
        "cache-status",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-location",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
        "location",
        "proxy-authenticate",
        "retry-after",
        "vary",
        "www-authenticate",
    ];
    let name = name.as_str();
    match name {
        _ if FRAMING.contains(&name) => Some("is the server's own: it frames the response or its connection"),
        _ if OF_RESPONSE.contains(&name) => {
            Some("is different in each response: it can't be the same in all")
        }
        "cache-control" | "expires" => {
            Some("is for mounts: give --default-cache-control or --override-cache-control")
        }
        _ if name.starts_with("access-control-") => Some("is for mounts: give --cors-origin"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_as_it_is_written_on_the_wire() {
        for (text, name, value) in [
            ("X-Content-Type-Options: nosniff", "x-content-type-options", "nosniff"),
            (
                "strict-transport-security:max-age=63072000; preload",
                "strict-transport-security",
                "max-age=63072000; preload",
            ),
            (
                "Content-Security-Policy:  default-src https: ",
                "content-security-policy",
                "default-src https:",
            ),
            ("Cross-Origin-Resource-Policy: same-site", "cross-origin-resource-policy", "same-site"),
        ] {
            let ConstantField(got, told) = parse_field(text).unwrap();
            assert_eq!((got.as_str(), told.to_str().unwrap()), (name, value));
        }
    }

    #[test]
    fn what_would_break_a_response_is_refused_with_its_reason() {
        for (text, hint) in [
            ("nosniff", "give a name and a value"),
            (": a", "is not the name"),
            ("X Y: a", "is not the name"),
            ("X-A:", "has no value"),
            ("X-A: a\r\nSet-Cookie: b", "a character that no field can have"),
            ("Content-Length: 5", "frames the response"),
            ("Transfer-Encoding: chunked", "frames the response"),
            ("Connection: close", "frames the response"),
            ("upgrade: h2c", "frames the response"),
            ("Date: now", "frames the response"),
            ("Vary: Origin", "is different in each response"),
            ("ETag: \"a\"", "is different in each response"),
            ("Content-Type: text/html", "is different in each response"),
            ("Cache-Control: no-store", "--override-cache-control"),
            ("Access-Control-Allow-Origin: *", "--cors-origin"),
        ] {
            let why = parse_field(text).unwrap_err();
            assert!(why.contains(hint), "{text}: {why}");
        }
    }

    #[test]
    fn they_replace_what_is_there_and_one_name_can_have_two_lines() {
        let fields = ["X-A: 1", "X-A: 2", "X-B: 3"].map(|text| parse_field(text).unwrap());
        let mut response = Response::new(());
        response.headers_mut().insert("x-a", HeaderValue::from_static("0"));
        response.headers_mut().insert("x-c", HeaderValue::from_static("4"));
        ConstantFields::from_iter(fields).apply(&mut response);
        let lines =
            |name| response.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!((lines("x-a"), lines("x-b"), lines("x-c")), (vec!["1", "2"], vec!["3"], vec!["4"]));
    }
}
