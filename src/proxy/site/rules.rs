//! The rules of a website's files `_headers` and `_redirects`, as requests meet them.

use std::borrow::Cow;

use http::{Response, StatusCode};

use super::{Search, redirect};
use crate::{
    body::ObjectBody,
    config::RuleFiles,
    object::{ObjectKey, decode_once, has_dot_segment},
    published::{Outcome, Place},
    site::{Aim, Candidate, plan},
};

// === impl Search ===

impl Search {
    fn rules(&self) -> Option<&RuleFiles> {
        self.view.as_ref()?.snapshot.rules.as_ref()
    }

    /// Whether this is a file of rules, which nobody gets.
    pub(super) fn is_hidden(&self, key: &ObjectKey) -> bool {
        self.rules().is_some_and(|rules| rules.keys().contains(&key))
    }

    /// The path as rules see it: decoded, and with a slash in front. `None` if it could not name an object either.
    pub(super) fn path(&self) -> Option<String> {
        let rest = decode_once(self.rest()).ok().filter(|rest| !has_dot_segment(rest))?;
        Some(format!("/{rest}"))
    }

    /// The response by the first rule for a path that names no object; `None` if there is none, or it leads to nothing.
    pub(super) async fn follow_rules(&mut self) -> Option<Response<ObjectBody>> {
        let path = self.path()?;
        match self.rules()?.redirects.seen.value.find(&path)? {
            Outcome::Redirect(status, place) => redirect(status, &self.location(place)),
            Outcome::Rewrite(rest) => {
                let site = self.mount.0.website.as_ref()?;
                // It is a page, not a place: a folder is its index document.
                let serve = |candidate| Candidate { aim: Aim::Serve, ..candidate };
                self.candidates = plan(site, "/", &rest, false).into_iter().map(serve).collect();
                let response = self.find(None).await;
                (!super::is_missing(&response)).then_some(response)
            }
            Outcome::Missing(rest) => {
                if let Some(view) = &mut self.view {
                    view.missing_page = Some(rest);
                }
                None
            }
        }
    }

    /// A path of the site is relative to the request's own: it holds wherever the service is nested, and leads to no other host.
    /// The query is the request's, unless the rule has one.
    pub(super) fn location(&self, place: Place) -> String {
        let (place, front) = match place {
            Place::Url(url) => (url, String::new()),
            Place::Site(rest) => (rest, self.to_root()),
        };
        let query = self.uri.query().filter(|_| !place.contains('?'));
        let (path, fragment) = place.split_at(place.find('#').unwrap_or(place.len()));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{front}{path}{query}{fragment}")
    }

    /// From the request's path to the root of the site, also if that is the mount's path without its slash.
    fn to_root(&self) -> String {
        let path = self.uri.path();
        match self.rest().is_empty() && !path.ends_with('/') {
            true => format!("./{}/", path.rsplit('/').next().unwrap_or_default()),
            false => self.up(),
        }
    }

    /// The page of the bucket for a status.
    pub(super) fn page_of(&self, status: StatusCode) -> Option<Cow<'_, str>> {
        let of_rule = self.view.as_ref().and_then(|view| view.missing_page.as_deref());
        if let Some(page) = of_rule.filter(|_| status == StatusCode::NOT_FOUND) {
            return Some(page.into());
        }
        self.site()?.error_document(status).map(Into::into)
    }

    /// Puts the site's own fields on a response.
    pub(super) fn put_fields(&self, response: &mut Response<ObjectBody>) {
        if let Some(rules) = self.rules() {
            // What can name no object gets the site's page all the same, and that page what protects it.
            let path = self.path().unwrap_or_else(|| format!("/{}", self.rest()));
            let status = response.status();
            let headers = response.headers_mut();
            rules.fields.seen.value.apply(&path, status, headers);
            if self.mount.0.cors.is_some() {
                // The mount says who may read across origins.
                let of_cors = headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
                for name in of_cors.cloned().collect::<Vec<_>>() {
                    headers.remove(name);
                }
            }
        }
    }
}
