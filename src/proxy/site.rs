//! Requests for the pages of a website.

mod bucket;
mod live;
mod load;
mod read_text;
mod rules;

use std::collections::VecDeque;

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, VARY,
    },
    request,
};

use super::{
    Admission,
    claimed::Claimed,
    is_missing,
    naming::{head_of, refuse_customer_key},
};
use crate::{
    body::ObjectBody,
    config::{Mount, SitePolicy, View},
    error::{ProxyError, ProxyErrorKind},
    fetch::{Asks, Bucket, Elsewhere, Fetch, FetchFuture, Finish, Wanted},
    object::{CacheBust, Edition, ObjectKey},
    request::{Coding, Query, ReadMethod, ReadRequest, is_compressible},
    response::{Fallback, WEBSITE_REDIRECT},
    route::BucketSource,
    site::{Aim, Candidate, Form, first, navigates, plan, with_slash},
};

/// A request for a page. The object that most paths mean is asked for as on any mount, and others are if it is missing.
pub(crate) struct Visit {
    /// `None` where the first of the candidates is not just an object.
    first: Option<Fetch>,
    search: Box<Search>,
}

/// The objects that a path can mean: they are asked for one after the other, until one exists.
struct Search {
    /// The mount with the site.
    mount: Mount,
    /// The one whose credentials read.
    reader: Mount,
    uri: Uri,
    /// For the functions of the embedder that look at it.
    head: Option<Box<request::Parts>>,
    read: ReadRequest,
    asks: Asks,
    navigates: bool,
    /// Those of the site that the client takes.
    codings: Vec<Coding>,
    query: Query,
    candidates: VecDeque<Candidate>,
    /// Of a site that can change while it is served.
    view: Option<View>,
    finish: Finish,
}

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// The outcome of a read on a mount that is a website.
    pub(super) fn visit<B>(
        &self,
        request: &Request<B>,
        method: ReadMethod,
        site: &SitePolicy,
        finish: Finish,
    ) -> Admission {
        let query = Query::parse(request.uri().query(), self.mount.0.query).map_err(ProxyErrorKind::from);
        let query = match query.and_then(|query| refuse_customer_key(request.headers()).map(|()| query)) {
            Ok(query) => query,
            Err(_) if self.falls_back() => return Admission::NotOurs,
            Err(kind) => {
                let response = self.mount.error_response(ProxyError::new(kind), method, None);
                return Admission::Answered(finish.apply(response));
            }
        };
        let reader = match self.mount.select(request) {
            Ok(reader) => reader,
            Err(failure) => {
                let named = self.mount.name(self.rest, || head_of(request)).ok();
                let key = named.as_ref().map(|(_, key, _)| key);
                return Admission::Answered(finish.apply(self.mount.refuse(failure, method, key)));
            }
        };
        let read = ReadRequest::new(method, request.headers());
        if site.live.is_some() {
            return self.admit_visit(self.visit_live(request, site, reader, read, query, finish));
        }
        let asks = Asks::new(reader, request.headers());
        let first = first(site, request.uri().path(), self.rest).and_then(|rest| {
            let (bucket, key, bust) = self.mount.name(&rest, || head_of(request)).ok()?;
            let Query { version, disposition } = of_object(&query, rest == self.rest);
            let (mount, edition) = (reader.clone(), Edition { version, bust });
            let wanted = Wanted { read: read.clone(), disposition, asks };
            let gate = self.mount.gate(|| head_of(request));
            Some(Fetch { mount, bucket, key, edition, wanted, gate, finish: Finish::default() })
        });
        if let Some(response) = first.as_ref().and_then(Fetch::recall_at_once).filter(is_page) {
            return Admission::Answered(finish.apply(response));
        }
        let mut search = Box::new(Search {
            mount: self.mount.clone(),
            reader: reader.clone(),
            uri: request.uri().clone(),
            head: self.looks_at_heads().then(|| Box::new(head_of(request))),
            read,
            asks,
            navigates: site.single_page.is_some() && navigates(request.headers()),
            // A version is one object, and a file that is saved keeps its name.
            codings: match site.codings.is_empty() || query != Query::default() {
                true => Vec::new(),
                false => Coding::accepted(request.headers(), &site.codings),
            },
            query,
            candidates: VecDeque::new(),
            view: None,
            finish,
        });
        if first.is_none() {
            search.plan();
            search.expand();
            if let Some(response) = search.recall() {
                return Admission::Answered(search.finish.apply(response));
            }
        }
        self.admit_visit(Visit { first, search })
    }

    fn admit_visit(&self, visit: Visit) -> Admission {
        match self.mount.0.answers.fallback {
            Fallback::None => Admission::Visit(visit),
            Fallback::Inner => Admission::VisitOrInner(visit),
        }
    }

    /// Whether a function of the embedder looks at the heads of requests.
    pub(super) fn looks_at_heads(&self) -> bool {
        let parts = &self.mount.0;
        parts.access.authorizer.is_some() || matches!(parts.bucket, BucketSource::Resolver(_))
    }
}

/// What the query says is of the object that the path names.
fn of_object(query: &Query, is_own: bool) -> Query {
    if is_own { query.clone() } else { Query::default() }
}

/// Whether the response is that of the website as it is.
fn is_page(response: &Response<ObjectBody>) -> bool {
    !is_missing(response) && !response.headers().contains_key(&WEBSITE_REDIRECT)
}

// === impl Visit ===

impl Visit {
    pub(crate) fn run(self) -> FetchFuture {
        let Self { first, search } = self;
        match first {
            Some(first) => first.run_then(|response| search.go_on(response)),
            None => Box::pin(search.respond(None)),
        }
    }

    /// The same, but `other` may answer what is missing, before the site's page for that does.
    #[cfg(feature = "listing")]
    pub(super) async fn run_or<F>(self, other: F) -> Response<ObjectBody>
    where
        F: Future<Output = Option<Response<ObjectBody>>>,
    {
        let Self { first, mut search } = self;
        let first = match first {
            Some(first) => Some(first.run().await),
            None => None,
        };
        let response = search.look(first).await;
        if is_missing(&response)
            && let Some(other) = other.await
        {
            // A page of another has its own fields, and an error is one of the site.
            return match other.extensions().get::<ProxyError>() {
                Some(_) => search.conclude(other).await,
                None => search.finish.apply(other),
            };
        }
        search.conclude(response).await
    }
}

// === impl Search ===

impl Search {
    /// Most responses are that of the first object.
    async fn go_on(mut self: Box<Self>, response: Response<ObjectBody>) -> Response<ObjectBody> {
        if response.status().is_success() && !response.headers().contains_key(&WEBSITE_REDIRECT) {
            return std::mem::take(&mut self.finish).apply(response);
        }
        Box::pin(self.respond(Some(response))).await
    }

    /// `first` is the response of the first candidate, where that was asked for.
    async fn respond(mut self: Box<Self>, first: Option<Response<ObjectBody>>) -> Response<ObjectBody> {
        let response = self.look(first).await;
        self.conclude(response).await
    }

    async fn look(&mut self, first: Option<Response<ObjectBody>>) -> Response<ObjectBody> {
        match first {
            Some(first) if is_missing(&first) => {
                self.plan();
                self.candidates.pop_front();
                self.find(Some(first)).await
            }
            Some(first) => first,
            None if self.live().is_some() => Box::pin(self.look_at()).await,
            None => self.find(None).await,
        }
    }

    async fn conclude(mut self: Box<Self>, response: Response<ObjectBody>) -> Response<ObjectBody> {
        let finish = std::mem::take(&mut self.finish);
        let mut response = self.dress(response).await;
        self.put_fields(&mut response);
        finish.apply(response)
    }

    fn plan(&mut self) {
        if let Some(site) = &self.mount.0.website {
            self.candidates = plan(site, self.uri.path(), self.rest(), self.navigates).into();
        }
    }

    /// What of the path is behind the mount's.
    fn rest(&self) -> &str {
        self.mount.0.path.strip(self.uri.path()).unwrap_or_default()
    }

    /// The object that a path of the site names.
    fn name(&self, rest: &str) -> Result<(Bucket, ObjectKey, Option<CacheBust>), ProxyErrorKind> {
        let folder = match (&self.view, &self.mount.0.website) {
            (Some(view), Some(site)) => view.folder(site).ok_or(ProxyErrorKind::NotFound)?,
            (None, _) | (_, None) => return self.mount.name(rest, || self.head()),
        };
        let named = self.mount.name(&format!("{folder}{rest}"), || self.head())?;
        if self.is_hidden(&named.1) { Err(ProxyErrorKind::NotFound) } else { Ok(named) }
    }

    fn head(&self) -> request::Parts {
        self.head.as_deref().cloned().unwrap_or_else(|| Request::new(()).into_parts().0)
    }

    /// What the cache has of the first candidate, if that is the response.
    fn recall(&mut self) -> Option<Response<ObjectBody>> {
        loop {
            let candidate = self.candidates.front().filter(|candidate| candidate.aim == Aim::Serve)?;
            let response = self.fetch(candidate).ok()?.recall_at_once()?;
            match (is_missing(&response), candidate.form) {
                (true, Form::Coded(_)) => drop(self.candidates.pop_front()),
                (false, _) if is_page(&response) => return Some(self.in_form(candidate, response)),
                _ => return None,
            }
        }
    }

    /// Puts the codings of the first candidate before it, if it may have any.
    fn expand(&mut self) {
        let site = self.site();
        if site.is_none_or(|site| site.codings.is_empty()) {
            return;
        }
        let is_open =
            |candidate: &&Candidate| candidate.aim != Aim::AddSlash && candidate.form == Form::Plain;
        let Some(first) = self.candidates.front().filter(is_open) else { return };
        let named = self.name(&first.rest).ok();
        let content_type = named.and_then(|(_, key, _)| self.mount.0.content_types.apply(&key, None));
        if !content_type.as_ref().is_some_and(is_compressible) {
            return;
        }
        if let Some(first) = self.candidates.pop_front() {
            for form in first.in_forms(&self.codings).rev() {
                self.candidates.push_front(form);
            }
        }
    }

    /// Tells of the form in which a candidate is stored.
    fn in_form(&self, candidate: &Candidate, mut response: Response<ObjectBody>) -> Response<ObjectBody> {
        let status = response.status();
        let is_object = status.is_success() || status == StatusCode::NOT_MODIFIED;
        if candidate.form == Form::Plain || !is_object {
            return response;
        }
        let headers = response.headers_mut();
        headers.append(VARY, const { HeaderValue::from_static("Accept-Encoding") });
        if let Form::Coded(coding) = candidate.form
            && status.is_success()
            && let Ok((_, key, _)) = self.name(candidate.asked())
        {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            if let Some(content_type) = self.mount.0.content_types.apply(&key, None) {
                headers.insert(CONTENT_TYPE, content_type);
            }
        }
        response
    }

    /// The response to the first candidate that exists, or that S3 gives trouble with; `missing` is that to those before.
    pub(super) async fn find(&mut self, mut missing: Option<Response<ObjectBody>>) -> Response<ObjectBody> {
        loop {
            self.expand();
            let Some(candidate) = self.candidates.pop_front() else { break };
            let response = match self.fetch(&candidate) {
                Ok(fetch) => fetch.run().await,
                Err(kind) => self.error(kind),
            };
            if is_missing(&response) {
                // What the client asked for itself is what is missing.
                if !matches!(candidate.form, Form::Coded(_)) {
                    missing.get_or_insert(response);
                }
                continue;
            }
            return match candidate.aim {
                Aim::AddSlash if response.status().is_success() => {
                    add_slash(&self.uri).unwrap_or_else(|| self.error(ProxyErrorKind::NotFound))
                }
                Aim::AddSlash => self.in_words(response),
                Aim::Serve => self.in_form(&candidate, response),
                Aim::Navigate => for_navigations(self.in_form(&candidate, response)),
            };
        }
        missing.unwrap_or_else(|| self.error(ProxyErrorKind::NotFound))
    }

    fn fetch(&self, candidate: &Candidate) -> Result<Fetch, ProxyErrorKind> {
        let (bucket, key, bust) = self.name(&candidate.rest)?;
        let Query { version, disposition } = of_object(&self.query, candidate.asked() == self.rest());
        let (read, elsewhere) = match (candidate.aim, candidate.form) {
            (Aim::AddSlash, _) => (ReadRequest::new(ReadMethod::Head, &HeaderMap::new()), Elsewhere::Never),
            // Of S3 a client would get neither the type nor, for certain, the coding. And a decoder would take the heads of several
            // parts for encoded content.
            (Aim::Serve | Aim::Navigate, Form::Coded(_)) => {
                (self.read.clone().in_one_part(), Elsewhere::Never)
            }
            (Aim::Serve | Aim::Navigate, Form::Plain | Form::NotCoded) => {
                (self.read.clone(), self.asks.elsewhere)
            }
        };
        let (mount, asks) = (self.reader.clone(), Asks { elsewhere, ..self.asks });
        let gate = self.mount.gate(|| self.head());
        let (wanted, edition) = (Wanted { read, disposition, asks }, Edition { version, bust });
        Ok(Fetch { mount, bucket, key, edition, wanted, gate, finish: Finish::default() })
    }

    fn error(&self, kind: ProxyErrorKind) -> Response<ObjectBody> {
        self.mount.error_response(ProxyError::new(kind), self.read.method, None)
    }

    /// An error with its words, which a response to HEAD lacks.
    fn in_words(&self, response: Response<ObjectBody>) -> Response<ObjectBody> {
        let (Some(error), ReadMethod::Get) = (response.extensions().get::<ProxyError>(), self.read.method)
        else {
            return response;
        };
        let (_, words) = self.mount.0.answers.errors.body(error);
        response.map(|_| words.into())
    }

    /// Makes a redirect of an object that names another place, and gives an error its page.
    async fn dress(&self, mut response: Response<ObjectBody>) -> Response<ObjectBody> {
        if let Some(place) = response.headers_mut().remove(&WEBSITE_REDIRECT)
            && response.status().is_success()
        {
            return self.elsewhere(&place).unwrap_or(response);
        }
        let page = self.page_of(response.status());
        // A denial has the words of the function that denies.
        let error = response.extensions().get::<ProxyError>();
        let is_ours = error.is_some_and(|error| error.kind() != ProxyErrorKind::Denied);
        let Some(page) = page.filter(|_| is_ours) else { return response };
        let Some(page) = self.page(&page).await else { return response };
        let (mut head, _) = response.into_parts();
        let (of_page, body) = page.into_parts();
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            match of_page.headers.get(&name) {
                Some(value) => drop(head.headers.insert(name, value.clone())),
                None => drop(head.headers.remove(&name)),
            }
        }
        Response::from_parts(head, body)
    }

    /// A page of the bucket, whole; `None` if it can't be had. Nobody is asked about it: it is for those who may have nothing.
    async fn page(&self, rest: &str) -> Option<Response<ObjectBody>> {
        let (bucket, key, _) = self.name(rest).ok()?;
        let read = ReadRequest::new(self.read.method, &HeaderMap::new());
        // A link has no status of its own.
        let asks = Asks { elsewhere: Elsewhere::Never, ..Asks::default() };
        let wanted = Wanted { read, disposition: None, asks };
        let (mount, edition) = (self.reader.clone(), Edition { version: None, bust: None });
        let fetch = Fetch { mount, bucket, key, edition, wanted, gate: None, finish: Finish::default() };
        let response = fetch.run().await;
        (response.status() == StatusCode::OK).then_some(response)
    }

    /// S3's own kind of redirect: to a URL, or to another key of the bucket, with a slash in front ([S3 user guide, "Configuring a
    /// webpage redirect"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html)).
    fn elsewhere(&self, place: &HeaderValue) -> Option<Response<ObjectBody>> {
        let place = place.to_str().ok()?;
        let location = match place.strip_prefix('/') {
            Some(key) if !key.starts_with('/') => format!("{}{key}", self.up()),
            Some(_) => return None,
            None if place.starts_with("https://") || place.starts_with("http://") => place.to_owned(),
            None => return None,
        };
        redirect(StatusCode::MOVED_PERMANENTLY, &location)
    }

    /// From the request's path to that of the mount.
    fn up(&self) -> String {
        match self.rest().matches('/').count() {
            0 => "./".to_owned(),
            depth => "../".repeat(depth),
        }
    }
}

/// Others get the error (RFC 9110 §12.5.5): a browser's cache must not hand the page to an application that asks for data.
pub(super) fn for_navigations(mut response: Response<ObjectBody>) -> Response<ObjectBody> {
    response.headers_mut().append(VARY, const { HeaderValue::from_static("Sec-Fetch-Mode, Accept") });
    response
}

/// A folder whose path lacks its slash.
pub(super) fn add_slash(uri: &Uri) -> Option<Response<ObjectBody>> {
    redirect(StatusCode::PERMANENT_REDIRECT, &with_slash(uri))
}

fn redirect(status: StatusCode, location: &str) -> Option<Response<ObjectBody>> {
    let mut response = Response::new(ObjectBody::Empty);
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(location).ok()?);
    // Without it browsers keep them for very long (RFC 9111 §4.2.2), and a folder can become an object.
    response.headers_mut().insert(CACHE_CONTROL, const { HeaderValue::from_static("max-age=300") });
    Some(response)
}
