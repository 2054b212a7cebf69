use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Uri, header::ACCEPT};

use crate::{
    config::{CleanUrls, SitePolicy},
    request::Coding,
};

/// An object that a path can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// What the path would be, as it comes: encoded, and behind the mount's own.
    pub(crate) rest: String,
    pub(crate) aim: Aim,
    pub(crate) form: Form,
}

/// In which form the object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is, and it was not looked for in others.
    Plain,
    /// In a coding that the client takes, beside itself.
    Coded(Coding),
    /// As it is, since it is in no coding that the client takes.
    NotCoded,
}

/// What becomes of a candidate that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// It is the response.
    Serve,
    /// It is the response to navigations.
    Navigate,
    /// It is the index document of a folder whose path lacks its slash.
    AddSlash,
}

/// The objects that a path can mean, in the order in which they are asked for. `rest` is what of it is behind the mount's.
pub(crate) fn plan(policy: &SitePolicy, path: &str, rest: &str, navigates: bool) -> Vec<Candidate> {
    let candidate = |rest: String, aim| Candidate { rest, aim, form: Form::Plain };
    let serve = |rest: String| candidate(rest, Aim::Serve);
    let mut candidates = Vec::with_capacity(2);
    if rest.is_empty() || rest.ends_with('/') {
        // The mount's own path can lack its slash.
        let aim = if path.ends_with('/') { Aim::Serve } else { Aim::AddSlash };
        candidates.extend(policy.index.iter().map(|name| candidate(format!("{rest}{name}"), aim)));
    } else {
        candidates.push(serve(rest.to_owned()));
        let has_extension = rest.rsplit('/').next().is_some_and(|name| name.ends_with(".html"));
        if policy.clean_urls == CleanUrls::Yes && !has_extension {
            candidates.push(serve(format!("{rest}.html")));
        }
        let indices = policy.index.iter().map(|name| format!("{rest}/{name}"));
        candidates.extend(indices.map(|rest| candidate(rest, Aim::AddSlash)));
    }
    let single_page = policy.single_page.iter().filter(|_| navigates);
    candidates.extend(single_page.map(|page| candidate(page.clone(), Aim::Navigate)));
    candidates
}

/// The path of the first of them, where that needs no plan: most paths name an object, or a folder that has its slash.
pub(crate) fn first<'r>(policy: &SitePolicy, path: &str, rest: &'r str) -> Option<Cow<'r, str>> {
    let is_folder = rest.is_empty() || rest.ends_with('/');
    match () {
        () if !policy.codings.is_empty() => None,
        () if !is_folder => Some(rest.into()),
        () if !path.ends_with('/') => None,
        () => policy.index.first().map(|name| format!("{rest}{name}").into()),
    }
}

// === impl Candidate ===

impl Candidate {
    /// The same object in the codings that a client takes, and then as it is.
    pub(crate) fn in_forms(self, codings: &[Coding]) -> impl DoubleEndedIterator<Item = Self> + use<> {
        let coded = codings.iter().map(|coding| {
            let rest = format!("{}{}", self.rest, coding.suffix());
            Self { rest, aim: self.aim, form: Form::Coded(*coding) }
        });
        let coded: Vec<_> = coded.collect();
        coded.into_iter().chain([Self { form: Form::NotCoded, ..self }])
    }

    /// The path of the object itself.
    pub(crate) fn asked(&self) -> &str {
        match self.form {
            Form::Plain | Form::NotCoded => &self.rest,
            Form::Coded(coding) => self.rest.strip_suffix(coding.suffix()).unwrap_or(&self.rest),
        }
    }
}

/// Whether a browser asks for a page, and not for a part of one.
///
/// Browsers say so by `Sec-Fetch-Mode` (W3C, "Fetch Metadata Request Headers"), but not over plain HTTP; else by `Accept`, in which
/// only a navigation names HTML.
pub(crate) fn navigates(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(&SEC_FETCH_MODE) {
        Some(mode) => mode.eq_ignore_ascii_case("navigate"),
        None => text(&ACCEPT).is_some_and(|accept| {
            let types = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
            types.into_iter().any(|name| name.eq_ignore_ascii_case("text/html"))
        }),
    }
}

/// Where a path that lacks its slash leads. Relative, so that it holds wherever the service is nested and leads to no other host, and
/// with the query as it came.
pub(crate) fn with_slash(uri: &Uri) -> String {
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("./{name}/{query}")
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{BucketName, Mount, website::Website};

    fn told(site: Website, rest: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mount = Mount::builder(BucketName::parse("media").unwrap()).region("us-west-2").anonymous();
        let mount = mount.website(site).build().unwrap();
        let headers = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let path = format!("/{rest}");
        let policy = mount.0.website.as_ref().unwrap();
        let candidates = plan(policy, &path, rest, navigates(&headers.collect()));
        if let Some(first) = first(policy, &path, rest) {
            assert_eq!(Some(&*first), candidates.first().map(|candidate| candidate.rest.as_str()));
        }
        let told = candidates.into_iter().map(|Candidate { rest, aim, .. }| match aim {
            Aim::Serve | Aim::Navigate => rest,
            Aim::AddSlash => format!("{rest} -> /"),
        });
        told.collect()
    }

    #[test]
    fn a_path_means_an_object_a_page_or_a_folder() {
        let plain = || Website::new();
        let full =
            || Website::new().index(["index.html", "default.htm"]).clean_urls(true).single_page("app.html");
        for (site, rest, expected) in [
            (plain(), "", &["index.html"][..]),
            (plain(), "docs/", &["docs/index.html"]),
            (plain(), "docs", &["docs", "docs/index.html -> /"]),
            (plain(), "a%20b/c", &["a%20b/c", "a%20b/c/index.html -> /"]),
            (full(), "", &["index.html", "default.htm"]),
            (full(), "a", &["a", "a.html", "a/index.html -> /", "a/default.htm -> /"]),
            (full(), "a.html", &["a.html", "a.html/index.html -> /", "a.html/default.htm -> /"]),
            (Website::new().index(["ünï.html"]), "", &["%C3%BCn%C3%AF.html"]),
            (Website::new().index(Vec::<String>::new()), "a", &["a"]),
            (Website::new().index(Vec::<String>::new()), "a/", &[]),
        ] {
            assert_eq!(told(site, rest, &[]), expected, "{rest}");
        }
    }

    #[test]
    fn a_slash_is_added_to_the_last_segment_alone() {
        for (uri, expected) in
            [("/docs", "./docs/"), ("/www//evil.example?a=b", "./evil.example/?a=b"), ("/a%2Fb", "./a%2Fb/")]
        {
            assert_eq!(with_slash(&uri.parse().unwrap()), expected);
        }
    }

    #[test]
    fn the_single_page_is_for_navigations() {
        let html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (fields, is_one) in [
            (&[("sec-fetch-mode", "navigate")][..], true),
            (&[("sec-fetch-mode", "no-cors"), ("accept", html)], false),
            (&[("sec-fetch-mode", "cors"), ("accept", "*/*")], false),
            (&[("accept", html)], true),
            (&[("accept", "image/avif,image/webp,*/*")], false),
            (&[("accept", "text/html-sandboxed")], false),
            (&[], false),
        ] {
            let site = Website::new().index(Vec::<String>::new()).single_page("app.html");
            let expected = if is_one { vec!["a/b", "app.html"] } else { vec!["a/b"] };
            assert_eq!(told(site, "a/b", fields), expected, "{fields:?}");
        }
    }
}
