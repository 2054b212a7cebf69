use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{self, CONTENT_TYPE, VARY},
};

use super::{Complaint, Why, pattern::Pattern};

/// The rules of a file `_headers`: fields for responses, by their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldRules {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    path: Pattern,
    fields: Vec<(HeaderName, HeaderValue)>,
}

/// Which responses a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    /// Objects: an error is not kept for as long as the page that it stands for.
    Kept,
    /// The content of objects: 304 has none (RFC 9110 §15.4.5), and the parts of a 206 have fields of their own.
    Content,
}

/// Cloudflare's limits.
const MAX_RULES: usize = 100;
/// In bytes.
const MAX_LINE: usize = 2_000;

// === impl FieldRules ===

impl FieldRules {
    /// The rules of the good lines, and what is wrong with the others.
    pub(crate) fn parse(text: &str) -> (Self, Vec<Complaint>) {
        let (mut rules, mut complaints) = (Vec::<Rule>::new(), Vec::new());
        // Below a path that has no effect its fields have none.
        let mut is_open = false;
        let mut begun = 0;
        for (n, line) in text.lines().enumerate() {
            let mut complain = |why| complaints.push(Complaint { line: n + 1, why });
            let is_indented = line.starts_with([' ', '\t']);
            let text = line.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if line.len() > MAX_LINE {
                is_open &= is_indented;
                complain(Why::TooLong);
            } else if !is_indented || text.starts_with('/') {
                is_open = false;
                begun += 1;
                match Pattern::parse(text) {
                    Ok(_) if begun == MAX_RULES + 1 => complain(Why::TooMany(MAX_RULES)),
                    Ok(_) if begun > MAX_RULES => {}
                    Ok(path) => {
                        is_open = true;
                        rules.push(Rule { path, fields: Vec::new() });
                    }
                    Err(why) => complain(why),
                }
            } else {
                match (parse_field(text), rules.last_mut().filter(|_| is_open)) {
                    (Ok(field), Some(rule)) => rule.fields.push(field),
                    (Err(why), Some(_)) => complain(why),
                    (_, None) if begun == 0 => {
                        complain(Why::Form("a field stands below the path that it is for"));
                    }
                    (_, None) => {}
                }
            }
        }
        (Self { rules }, complaints)
    }

    /// Puts the fields for a path on a response. They take the place of those that it has; what several rules, or several lines,
    /// say of a field is a list.
    pub(crate) fn apply(&self, path: &str, status: StatusCode, headers: &mut HeaderMap) {
        let is_multipart =
            headers.get(CONTENT_TYPE).is_some_and(|of| of.as_bytes().starts_with(b"multipart/byteranges"));
        let mut set = HeaderMap::new();
        let rules = self.rules.iter().filter(|rule| rule.path.matches(path).is_some());
        for (name, value) in rules.flat_map(|rule| &rule.fields) {
            let is_for_it = match For::of(name) {
                For::All => true,
                For::Kept => {
                    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
                }
                For::Content => {
                    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) && !is_multipart
                }
            };
            if is_for_it {
                let joined = set.get(name).and_then(|before: &HeaderValue| {
                    HeaderValue::from_bytes(&[before.as_bytes(), b", ", value.as_bytes()].concat()).ok()
                });
                set.insert(name, joined.unwrap_or_else(|| value.clone()));
            }
        }
        // What the response depends on, it still does.
        if let Some(vary) = set.remove(VARY) {
            headers.append(VARY, vary);
        }
        headers.extend(set);
    }
}

fn parse_field(text: &str) -> Result<(HeaderName, HeaderValue), Why> {
    if text.starts_with('!') {
        return Err(Why::Form("taking away a field (\"! Name\") is not supported"));
    }
    let Some((name, value)) = text.split_once(':') else {
        return Err(Why::Form("a field is a name, a colon and a value"));
    };
    let (name, value) = (name.trim_end(), value.trim());
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Why::FieldName(name.to_owned()))?;
    if RESERVED.contains(&name.as_str()) || name.as_str().starts_with(OF_SERVERS) {
        return Err(Why::Reserved(name.as_str().to_owned()));
    }
    match HeaderValue::from_str(value) {
        Ok(value) if !value.is_empty() => Ok((name, value)),
        Ok(_) | Err(_) => Err(Why::FieldValue(name.as_str().to_owned())),
    }
}

/// Fields that say how the message is framed or what its content is, those of a connection, and those that the proxy or its server
/// gives.
const RESERVED: [&str; 34] = [
    // RFC 9110 §7.6.1.
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    // RFC 9110 §6.5, §6.6, §8 and §14.
    "accept-ranges",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "last-modified",
    "trailer",
    // RFC 9110 §10.2, §11 and §15, RFC 9111 §5, RFC 9211.
    "age",
    "allow",
    "cache-status",
    "location",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "retry-after",
    "server",
    "via",
    "www-authenticate",
    // For all visitors, one and the same; and where its certificate is.
    "alt-svc",
    "set-cookie",
    "set-cookie2",
    "host",
    // As `X-Accel-Redirect`, in other servers.
    "x-sendfile",
    "x-sendfile2",
    "x-lighttpd-send-file",
    "x-litespeed-location",
    "x-reproxy-url",
];

/// By these a server in front is told to send a file of its own (nginx, `X-Accel-Redirect`).
const OF_SERVERS: &str = "x-accel-";

// === impl For ===

impl For {
    fn of(name: &HeaderName) -> Self {
        match *name {
            header::CONTENT_TYPE
            | header::CONTENT_DISPOSITION
            | header::CONTENT_LANGUAGE
            | header::CONTENT_LOCATION => Self::Content,
            header::EXPIRES | header::PRAGMA => Self::Kept,
            // And those for caches of one kind (RFC 9213).
            _ if name.as_str().ends_with("cache-control")
                || matches!(name.as_str(), "surrogate-control" | "edge-control") =>
            {
                Self::Kept
            }
            _ => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
# All of it.
/*
  X-Frame-Options: DENY
  Content-Security-Policy: default-src 'self'; img-src *
  cache-control: no-cache
  Vary: X-Test

/assets/*
\tCache-Control: max-age=31536000
  Link: </a.css>; rel=preload
  Link: </b.css>; rel=preload
/*.md
  Content-Type: text/markdown; charset=utf-8
";

    fn applied(path: &str, status: u16, before: &[(&'static str, &'static str)]) -> Vec<String> {
        let (rules, complaints) = FieldRules::parse(FILE);
        assert_eq!(complaints, []);
        let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let mut headers: HeaderMap = before.iter().map(field).collect();
        rules.apply(path, StatusCode::from_u16(status).unwrap(), &mut headers);
        let mut told: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        told.sort();
        told
    }

    #[test]
    fn fields_are_put_on_the_responses_that_they_are_for() {
        let csp = "content-security-policy: default-src 'self'; img-src *";
        let (deny, vary) = ("x-frame-options: DENY", "vary: X-Test");
        let links = "link: </a.css>; rel=preload, </b.css>; rel=preload";
        let both = "cache-control: no-cache, max-age=31536000";
        let markdown = "content-type: text/markdown; charset=utf-8";
        for (path, status, before, expected) in [
            ("/", 200, &[][..], vec!["cache-control: no-cache", csp, vary, deny]),
            ("/", 404, &[("cache-control", "max-age=1")], vec!["cache-control: max-age=1", csp, vary, deny]),
            ("/", 308, &[], vec![csp, vary, deny]),
            ("/assets/a.js", 200, &[("cache-control", "private")], vec![both, csp, links, vary, deny]),
            ("/assets/a.js", 304, &[("etag", "\"1\"")], vec![both, csp, "etag: \"1\"", links, vary, deny]),
            (
                "/a.md",
                200,
                &[("content-type", "a/b")],
                vec!["cache-control: no-cache", csp, markdown, vary, deny],
            ),
            ("/a.md", 304, &[], vec!["cache-control: no-cache", csp, vary, deny]),
            ("/a.md", 404, &[("content-type", "a/b")], vec![csp, "content-type: a/b", vary, deny]),
            (
                "/a.md",
                206,
                &[("content-type", "multipart/byteranges; boundary=x")],
                vec![
                    "cache-control: no-cache",
                    csp,
                    "content-type: multipart/byteranges; boundary=x",
                    vary,
                    deny,
                ],
            ),
            (
                "/",
                200,
                &[("vary", "Accept-Encoding")],
                vec!["cache-control: no-cache", csp, "vary: Accept-Encoding", vary, deny],
            ),
        ] {
            assert_eq!(applied(path, status, before), expected, "{path} {status}");
        }
    }

    #[test]
    fn each_wrong_line_is_told_and_the_others_count() {
        for (line, says) in [
            ("  Content-Length: 1", "can't set content-length"),
            ("  transfer-encoding: chunked", "can't set transfer-encoding"),
            ("  ETag: \"1\"", "can't set etag"),
            ("  Set-Cookie: a=b", "can't set set-cookie"),
            ("  X-Accel-Redirect: /secret", "can't set x-accel-redirect"),
            ("  X-Sendfile: /etc/passwd", "can't set x-sendfile"),
            ("  X-Sendfile2: /etc/passwd 0-", "can't set x-sendfile2"),
            ("  X-LIGHTTPD-send-file: /etc/passwd", "can't set x-lighttpd-send-file"),
            ("  X-LiteSpeed-Location: /secret", "can't set x-litespeed-location"),
            ("  ! X-Frame-Options", "taking away"),
            ("  X-Frame-Options", "a name, a colon and a value"),
            ("  X Frame: DENY", "\"X Frame\" is no name"),
            ("  X-Frame-Options:", "the value of x-frame-options is empty"),
            ("  X-A: b\u{1}c", "the value of x-a"),
        ] {
            let (rules, complaints) = FieldRules::parse(&format!("/a\n{line}\n  X-Good: 1"));
            let [Complaint { line: 2, why }] = &*complaints else { panic!("{line}: {complaints:?}") };
            assert!(why.to_string().contains(says), "{line}: {why}");
            assert_eq!(rules.rules[0].fields.len(), 1, "{line}");
        }
        let long = format!("/a\n X-A: {}\n X-B: 1", "x".repeat(MAX_LINE));
        for (file, line, fields) in [
            ("  X-A: 1\n/a\n  X-B: 1", 1, vec![1]),
            ("https://x.test/*\n  X-A: 1\n/a\n  X-B: 1", 1, vec![1]),
            ("a\n  X-A: 1\n  X-B: 1", 1, vec![]),
            (&*long, 2, vec![1]),
        ] {
            let (rules, complaints) = FieldRules::parse(file);
            assert_eq!(
                complaints.iter().map(|complaint| complaint.line).collect::<Vec<_>>(),
                [line],
                "{file}"
            );
            let counts: Vec<_> = rules.rules.iter().map(|rule| rule.fields.len()).collect();
            assert_eq!(counts, fields, "{file}");
        }
        let many: String = (0..MAX_RULES + 5).map(|n| format!("/{n}\n  X-A: 1\n")).collect();
        let (rules, complaints) = FieldRules::parse(&many);
        assert_eq!((rules.rules.len(), complaints.len()), (MAX_RULES, 1));
        assert_eq!((complaints[0].line, &complaints[0].why), (2 * MAX_RULES + 1, &Why::TooMany(MAX_RULES)));
    }
}
