use std::fmt;

use aws_sdk_s3::{
    operation::get_bucket_website::GetBucketWebsiteOutput,
    types::{Protocol, Redirect, RoutingRule},
};
use http::StatusCode;
use percent_encoding::utf8_percent_encode;

use super::rules::{IN_PATH, Place};
use crate::object::has_dot_segment;

/// The website configuration of a bucket, as S3's website endpoint follows it
/// ([S3 user guide, "Configuring a webpage redirect"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html)).
/// Its keys are those of the bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketSite {
    /// What a path that ends with a slash has behind it.
    pub(crate) index: Option<String>,
    /// The page for errors 4xx, behind the mount's prefix.
    pub(crate) error: Option<String>,
    all: Option<Host>,
    rules: Vec<Rule>,
    /// The mount's: what lies outside of it is no place here.
    prefix: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    prefix: String,
    /// For responses with this status alone.
    error: Option<StatusCode>,
    status: StatusCode,
    host: Option<Host>,
    key: NewKey,
}

#[derive(Debug, PartialEq, Eq)]
struct Host {
    /// With its colon. Empty for that of the request.
    scheme: &'static str,
    name: String,
}

#[derive(Debug, PartialEq, Eq)]
enum NewKey {
    Same,
    /// In place of the prefix of the condition.
    Prefix(String),
    Whole(String),
}

/// A part of a configuration that has no effect here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoEffect {
    IndexWithSlash,
    ErrorOutside,
    Host,
    Protocol,
    RedirectCode,
    ErrorCode,
    KeyOutside,
}

// === impl BucketSite ===

impl BucketSite {
    /// For a mount with this prefix, which is empty or ends with a slash.
    pub(crate) fn new(website: &GetBucketWebsiteOutput, prefix: &str) -> (Self, Vec<NoEffect>) {
        let mut told = Vec::new();
        let index = website.index_document().map(|index| index.suffix().to_owned());
        let index = index.filter(|suffix| {
            let is_name = !suffix.is_empty() && !suffix.contains('/');
            told.extend((!is_name).then_some(NoEffect::IndexWithSlash));
            is_name
        });
        let error = website.error_document().and_then(|error| {
            let key = error.key().strip_prefix(prefix).filter(|key| !key.is_empty());
            told.extend(key.is_none().then_some(NoEffect::ErrorOutside));
            key.map(str::to_owned)
        });
        let all = website.redirect_all_requests_to().and_then(|to| {
            let host = Host::new(to.host_name(), to.protocol());
            told.extend(host.is_none().then_some(NoEffect::Host));
            host
        });
        let rules =
            website.routing_rules().iter().filter_map(|rule| match Rule::new(rule, prefix, &mut told) {
                Ok(rule) => Some(rule),
                Err(why) => {
                    told.push(why);
                    None
                }
            });
        let rules = rules.collect();
        (Self { index, error, all, rules, prefix: prefix.to_owned() }, told)
    }

    /// Where a request for a key of the bucket leads before the object is looked for.
    pub(crate) fn before(&self, key: &str) -> Option<(StatusCode, Place)> {
        if let Some(host) = &self.all {
            return Some((StatusCode::MOVED_PERMANENTLY, host.place(key)));
        }
        self.follow(key, None)
    }

    /// Where it leads after an error.
    pub(crate) fn after(&self, key: &str, error: StatusCode) -> Option<(StatusCode, Place)> {
        self.follow(key, Some(error))
    }

    /// The first rule that fits decides.
    fn follow(&self, key: &str, error: Option<StatusCode>) -> Option<(StatusCode, Place)> {
        self.rules.iter().filter(|rule| rule.error == error).find_map(|rule| {
            let rest = key.strip_prefix(&*rule.prefix)?;
            let to = match &rule.key {
                NewKey::Same => key.to_owned(),
                NewKey::Prefix(prefix) => format!("{prefix}{rest}"),
                NewKey::Whole(key) => key.clone(),
            };
            let place = match &rule.host {
                Some(host) => host.place(&to),
                // To itself it leads nowhere.
                None if to == key => return None,
                // Browsers climb by such segments.
                None => {
                    let rest = to.strip_prefix(&self.prefix).filter(|rest| !has_dot_segment(rest))?;
                    Place::Site(encoded(rest))
                }
            };
            Some((rule.status, place))
        })
    }
}

// === impl Rule ===

impl Rule {
    fn new(rule: &RoutingRule, mount: &str, told: &mut Vec<NoEffect>) -> Result<Self, NoEffect> {
        let condition = rule.condition();
        let prefix = condition.and_then(|condition| condition.key_prefix_equals()).unwrap_or_default();
        let error = condition.and_then(|condition| condition.http_error_code_returned_equals());
        let error = error.filter(|code| !code.is_empty()).map(|code| {
            let code = StatusCode::from_bytes(code.as_bytes()).ok();
            code.filter(|code| code.is_client_error() || code.is_server_error()).ok_or(NoEffect::ErrorCode)
        });
        let Some(to) = rule.redirect() else { return Err(NoEffect::Host) };
        let host =
            to.host_name().map(|name| Host::new(name, to.protocol()).ok_or(NoEffect::Host)).transpose()?;
        if host.is_none() && to.protocol().is_some() {
            // The proxy may be behind others, and does not know how it is called.
            told.push(NoEffect::Protocol);
        }
        let key = match (to.replace_key_with(), to.replace_key_prefix_with()) {
            (Some(key), _) => NewKey::Whole(key.to_owned()),
            (None, Some(prefix)) => NewKey::Prefix(prefix.to_owned()),
            (None, None) => NewKey::Same,
        };
        match &key {
            NewKey::Whole(key) if host.is_none() && !key.starts_with(mount) => {
                return Err(NoEffect::KeyOutside);
            }
            NewKey::Whole(_) | NewKey::Prefix(_) | NewKey::Same => {}
        }
        let status = status_of(to, told);
        Ok(Self { prefix: prefix.to_owned(), error: error.transpose()?, status, host, key })
    }
}

/// 301 without one.
fn status_of(to: &Redirect, told: &mut Vec<NoEffect>) -> StatusCode {
    let Some(code) = to.http_redirect_code().filter(|code| !code.is_empty()) else {
        return StatusCode::MOVED_PERMANENTLY;
    };
    match code {
        "301" | "302" | "303" | "307" | "308" => StatusCode::from_bytes(code.as_bytes()).ok(),
        _ => None,
    }
    .unwrap_or_else(|| {
        told.push(NoEffect::RedirectCode);
        StatusCode::MOVED_PERMANENTLY
    })
}

// === impl Host ===

impl Host {
    fn new(name: &str, protocol: Option<&Protocol>) -> Option<Self> {
        let is_known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
        let is_host = !name.is_empty() && !name.starts_with(':') && name.bytes().all(is_known);
        let scheme = match protocol {
            Some(Protocol::Http) => "http:",
            Some(Protocol::Https) => "https:",
            _ => "",
        };
        is_host.then(|| Self { scheme, name: name.to_owned() })
    }

    fn place(&self, key: &str) -> Place {
        Place::Url(format!("{}//{}/{}", self.scheme, self.name, encoded(key)))
    }
}

fn encoded(key: &str) -> String {
    utf8_percent_encode(key, IN_PATH).to_string()
}

// === impl NoEffect ===

impl fmt::Display for NoEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IndexWithSlash => "the suffix of index documents is empty or has a slash",
            Self::ErrorOutside => "the error document is not below the mount's prefix",
            Self::Host => "a redirect has no host name, or none that is one",
            Self::Protocol => "a redirect has a protocol and no host name: the protocol stays the request's",
            Self::RedirectCode => "a redirect has another status than 301, 302, 303, 307 and 308: it is 301",
            Self::ErrorCode => "the error code of a condition is no status from 400 to 599",
            Self::KeyOutside => {
                "a redirect without a host name leads to a key that is not below the mount's prefix"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{Condition, ErrorDocument, IndexDocument, RedirectAllRequestsTo};

    use super::*;

    fn rule(
        prefix: &str,
        error: &str,
        to: impl FnOnce(
            aws_sdk_s3::types::builders::RedirectBuilder,
        ) -> aws_sdk_s3::types::builders::RedirectBuilder,
    ) -> RoutingRule {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let condition = Condition::builder()
            .set_key_prefix_equals(given(prefix))
            .set_http_error_code_returned_equals(given(error))
            .build();
        RoutingRule::builder().condition(condition).redirect(to(Redirect::builder()).build()).build()
    }

    fn told(place: Option<(StatusCode, Place)>) -> String {
        match place {
            None => "none".to_owned(),
            Some((status, Place::Site(rest))) => format!("{} site {rest}", status.as_u16()),
            Some((status, Place::Url(url))) => format!("{} {url}", status.as_u16()),
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let website = GetBucketWebsiteOutput::builder()
            .index_document(IndexDocument::builder().suffix("index.html").build().unwrap())
            .error_document(ErrorDocument::builder().key("site/error.html").build().unwrap())
            .routing_rules(rule("site/docs/", "", |to| to.replace_key_prefix_with("site/documents/")))
            .routing_rules(rule("site/images/", "", |to| {
                to.replace_key_with("site/folder deleted.html").http_redirect_code("302")
            }))
            .routing_rules(rule("site/away/", "", |to| to.host_name("x.test:8080").protocol(Protocol::Https)))
            .routing_rules(rule("site/where/", "", |to| to.host_name("x.test").replace_key_with("")))
            .routing_rules(rule("site/out/", "", |to| to.replace_key_prefix_with("other/")))
            .routing_rules(rule("site/loop", "", |to| to.replace_key_with("site/loop")))
            .routing_rules(rule("site/up", "", |to| to.replace_key_prefix_with("site/")))
            .routing_rules(rule("", "404", |to| {
                to.host_name("old.test").replace_key_prefix_with("report-404/")
            }))
            .routing_rules(rule("site/x", "403", |to| {
                to.replace_key_with("site/denied.html").http_redirect_code("307")
            }))
            .build();
        let (site, no_effect) = BucketSite::new(&website, "site/");
        assert_eq!(no_effect, []);
        assert_eq!((site.index.as_deref(), site.error.as_deref()), (Some("index.html"), Some("error.html")));
        for (key, expected) in [
            ("site/docs/a b.html", "301 site documents/a%20b.html"),
            ("site/images/1.jpg", "302 site folder%20deleted.html"),
            ("site/away/a", "301 https://x.test:8080/site/away/a"),
            ("site/where/a", "301 //x.test/"),
            ("site/out/a", "none"),
            ("site/loop", "none"),
            ("site/other", "none"),
            ("site/upper", "301 site per"),
            // No path names such a key.
            ("site/up../x", "none"),
            ("site/upa/./x", "none"),
            ("site/docs//evil.test", "301 site documents//evil.test"),
        ] {
            assert_eq!(told(site.before(key)), expected, "{key}");
        }
        for (key, error, expected) in [
            ("site/x", 404, "301 //old.test/report-404/site/x"),
            ("site/x", 403, "307 site denied.html"),
            ("site/y", 403, "none"),
            ("site/y", 503, "none"),
        ] {
            assert_eq!(
                told(site.after(key, StatusCode::from_u16(error).unwrap())),
                expected,
                "{key} {error}"
            );
        }
    }

    #[test]
    fn all_requests_can_lead_elsewhere() {
        for (protocol, expected) in
            [(None, "301 //x.test/a%3Fb"), (Some(Protocol::Http), "301 http://x.test/a%3Fb")]
        {
            let to =
                RedirectAllRequestsTo::builder().host_name("x.test").set_protocol(protocol).build().unwrap();
            let website = GetBucketWebsiteOutput::builder().redirect_all_requests_to(to).build();
            let (site, no_effect) = BucketSite::new(&website, "");
            assert_eq!((no_effect, &*told(site.before("a?b"))), (vec![], expected));
        }
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let website = GetBucketWebsiteOutput::builder()
            .index_document(IndexDocument::builder().suffix("a/index.html").build().unwrap())
            .error_document(ErrorDocument::builder().key("error.html").build().unwrap())
            .routing_rules(rule("a", "", |to| to.host_name("x.test/path")))
            .routing_rules(rule("b", "", |to| to.host_name("@evil.test")))
            .routing_rules(rule("c", "", |to| to.protocol(Protocol::Https).replace_key_with("site/c")))
            .routing_rules(rule("d", "", |to| to.host_name("x.test").http_redirect_code("200")))
            .routing_rules(rule("e", "200", |to| to.host_name("x.test")))
            .routing_rules(rule("f", "", |to| to.replace_key_with("f")))
            .build();
        let (site, no_effect) = BucketSite::new(&website, "site/");
        let expected = [
            NoEffect::IndexWithSlash,
            NoEffect::ErrorOutside,
            NoEffect::Host,
            NoEffect::Host,
            NoEffect::Protocol,
            NoEffect::RedirectCode,
            NoEffect::ErrorCode,
            NoEffect::KeyOutside,
        ];
        assert_eq!(no_effect, expected);
        assert_eq!((site.index, site.error, site.rules.len()), (None, None, 2));
    }
}
