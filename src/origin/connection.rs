//! The fields of a response that are only for the recipient on the connection.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

/// Whether a field is for the connection (RFC 9110 §7.6.1) or for authentication at a proxy (RFC 9111 §3.1).
pub(crate) fn is_of_connection(name: &HeaderName) -> bool {
    CONNECTION_FIELDS.contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "proxy-authentication-info")
}

/// Whether the `Connection` of a response names this field (RFC 9110 §7.6.1).
pub(crate) fn is_nominated(name: &HeaderName, response: &HeaderMap) -> bool {
    let lines = response.get_all(CONNECTION).iter();
    let mut members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    members.any(|member| member.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}

const CONNECTION_FIELDS: [HeaderName; 7] =
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn fields_are_of_the_connection_by_name_or_because_it_names_them() {
        let lines = [(CONNECTION, "close, X-One"), (CONNECTION, "\tx-two ,,")];
        let response: HeaderMap =
            lines.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
        for (name, is_of, is_named) in [
            ("connection", true, false),
            ("keep-alive", true, false),
            ("proxy-authentication-info", true, false),
            ("x-one", false, true),
            ("x-two", false, true),
            ("x-three", false, false),
            ("etag", false, false),
        ] {
            let name = HeaderName::from_static(name);
            assert_eq!(
                (is_of_connection(&name), is_nominated(&name, &response)),
                (is_of, is_named),
                "{name}"
            );
        }
    }
}
