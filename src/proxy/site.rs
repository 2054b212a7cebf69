//! Requests for the pages of a website.

use std::collections::VecDeque;

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, VARY,
    },
};

use super::{Admission, Claimed, head_of, is_missing, refuse_customer_key};
use crate::{
    body::ObjectBody,
    config::{Mount, SitePolicy},
    error::{ProxyError, ProxyErrorKind},
    fetch::{Asks, Fetch, FetchFuture, Finish, Wanted},
    object::Edition,
    request::{Coding, Query, ReadMethod, ReadRequest, is_compressible},
    response::{Fallback, WEBSITE_REDIRECT},
    route::BucketSource,
    site::{Aim, Candidate, Form, first, navigates, plan},
};

/// A request for a page: the objects that it can mean are asked for one after the other, until one exists.
pub(crate) struct Visit {
    /// The one with the site.
    mount: Mount,
    /// The one whose credentials read.
    reader: Mount,
    /// Without its body, and if nobody looks at them, without its fields.
    request: Request<()>,
    read: ReadRequest,
    asks: Asks,
    navigates: bool,
    /// Those of the site that the client takes.
    codings: Vec<Coding>,
    /// The path behind the mount's.
    rest: String,
    query: Query,
    /// The first of the candidates, where the others are not planned yet.
    first: Option<Fetch>,
    candidates: VecDeque<Candidate>,
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
            Ok(reader) => reader.clone(),
            Err(failure) => {
                let response = self.mount.error_response(failure.error, method, None);
                return Admission::Answered(finish.apply(response));
            }
        };
        let read = ReadRequest::new(method, request.headers());
        let asks = Asks::new(&reader, request.headers());
        let first = first(site, request.uri().path(), self.rest).and_then(|rest| {
            let (bucket, key, bust) = self.mount.name(&rest, request).ok()?;
            let Query { version, disposition } = of_object(&query, rest == self.rest);
            let gate = self.mount.gate(|| head_of(request));
            let wanted = Wanted { read: read.clone(), disposition, asks };
            let (mount, edition) = (reader.clone(), Edition { version, bust });
            Some(Fetch { mount, bucket, key, edition, wanted, gate, finish: Finish::default() })
        });
        if let Some(first) = &first
            && first.gate.is_none()
            && !first.may_redirect()
            && let Some(response) = first.recall().filter(is_page)
        {
            return Admission::Answered(finish.apply(response));
        }
        let mut visit = Visit {
            navigates: site.single_page.is_some() && navigates(request.headers()),
            // A version is one object, and a file that is saved keeps its name.
            codings: match site.codings.is_empty() || query != Query::default() {
                true => Vec::new(),
                false => Coding::accepted(request.headers(), &site.codings),
            },
            request: self.without_body(request),
            mount: self.mount.clone(),
            rest: self.rest.to_owned(),
            candidates: VecDeque::new(),
            reader,
            read,
            asks,
            query,
            first,
            finish,
        };
        if visit.first.is_none() {
            visit.plan();
            visit.expand();
            if let Some(response) = visit.recall() {
                return Admission::Answered(std::mem::take(&mut visit.finish).apply(response));
            }
        }
        match self.mount.0.answers.fallback {
            Fallback::None => Admission::Visit(Box::new(visit)),
            Fallback::Inner => Admission::VisitOrInner(Box::new(visit)),
        }
    }

    /// The head of a request, with its fields if a function of the embedder looks at them.
    fn without_body<B>(&self, request: &Request<B>) -> Request<()> {
        let parts = &self.mount.0;
        if parts.access.authorizer.is_some() || matches!(parts.bucket, BucketSource::Resolver(_)) {
            return Request::from_parts(head_of(request), ());
        }
        let mut bare = Request::new(());
        *bare.uri_mut() = request.uri().clone();
        bare
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
    pub(crate) fn run(self: Box<Self>) -> FetchFuture {
        Box::pin(self.respond())
    }

    fn plan(&mut self) {
        if let Some(site) = &self.mount.0.website {
            self.candidates = plan(site, self.request.uri().path(), &self.rest, self.navigates).into();
        }
    }

    /// What the cache has of the first candidate, if that is the response.
    fn recall(&mut self) -> Option<Response<ObjectBody>> {
        loop {
            let candidate = self.candidates.front().filter(|candidate| candidate.aim == Aim::Serve)?;
            let fetch = self.fetch(candidate).ok()?;
            if fetch.gate.is_some() || fetch.may_redirect() {
                return None;
            }
            let response = fetch.recall()?;
            match (is_missing(&response), candidate.form) {
                (true, Form::Coded(_)) => drop(self.candidates.pop_front()),
                (false, _) if is_page(&response) => return Some(self.in_form(candidate, response)),
                _ => return None,
            }
        }
    }

    /// Puts the codings of the first candidate before it, if it may have any.
    fn expand(&mut self) {
        let site = self.mount.0.website.as_ref();
        if site.is_none_or(|site| site.codings.is_empty()) {
            return;
        }
        let is_open = |candidate: &&Candidate| (candidate.aim, candidate.form) == (Aim::Serve, Form::Plain);
        let Some(first) = self.candidates.front().filter(is_open) else { return };
        let named = self.mount.name(&first.rest, &self.request).ok();
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
            && let Ok((_, key, _)) = self.mount.name(candidate.asked(), &self.request)
        {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            if let Some(content_type) = self.mount.0.content_types.apply(&key, None) {
                headers.insert(CONTENT_TYPE, content_type);
            }
        }
        response
    }

    async fn respond(mut self: Box<Self>) -> Response<ObjectBody> {
        let finish = std::mem::take(&mut self.finish);
        let response = self.find().await;
        finish.apply(self.dress(response).await)
    }

    /// The response to the first candidate that exists, or that S3 gives trouble with.
    async fn find(&mut self) -> Response<ObjectBody> {
        let mut missing = None;
        if let Some(first) = self.first.take() {
            let response = first.run().await;
            if !is_missing(&response) {
                return response;
            }
            missing = Some(response);
            self.plan();
            self.candidates.pop_front();
        }
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
                Aim::AddSlash if response.status().is_success() => self.add_slash(),
                Aim::AddSlash | Aim::Serve => self.in_form(&candidate, response),
            };
        }
        missing.unwrap_or_else(|| self.error(ProxyErrorKind::NotFound))
    }

    fn fetch(&self, candidate: &Candidate) -> Result<Fetch, ProxyErrorKind> {
        let (bucket, key, bust) = self.mount.name(&candidate.rest, &self.request)?;
        let Query { version, disposition } = of_object(&self.query, candidate.asked() == self.rest);
        let read = match candidate.aim {
            Aim::Serve => self.read.clone(),
            Aim::AddSlash => ReadRequest::new(ReadMethod::Head, &HeaderMap::new()),
        };
        let (mount, asks) = (self.reader.clone(), self.asks);
        let gate = self.mount.gate(|| head_of(&self.request));
        let (wanted, edition) = (Wanted { read, disposition, asks }, Edition { version, bust });
        Ok(Fetch { mount, bucket, key, edition, wanted, gate, finish: Finish::default() })
    }

    fn error(&self, kind: ProxyErrorKind) -> Response<ObjectBody> {
        self.mount.error_response(ProxyError::new(kind), self.read.method, None)
    }

    /// A folder whose path lacks its slash. The redirect is relative: it holds wherever the service is nested, and leads to no
    /// other host.
    fn add_slash(&self) -> Response<ObjectBody> {
        let uri = self.request.uri();
        let name = uri.path().rsplit('/').next().unwrap_or_default();
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        redirect(StatusCode::PERMANENT_REDIRECT, &format!("./{name}/{query}"))
            .unwrap_or_else(|| self.error(ProxyErrorKind::NotFound))
    }

    /// Makes a redirect of an object that names another place, and gives an error its page.
    async fn dress(&self, mut response: Response<ObjectBody>) -> Response<ObjectBody> {
        if let Some(place) = response.headers_mut().remove(&WEBSITE_REDIRECT)
            && response.status().is_success()
        {
            return self.elsewhere(&place).unwrap_or(response);
        }
        let page = self.mount.0.website.as_ref().and_then(|site| site.error_document(response.status()));
        // A denial has the words of the function that denies.
        let error = response.extensions().get::<ProxyError>();
        let is_ours = error.is_some_and(|error| error.kind() != ProxyErrorKind::Denied);
        let Some(page) = page.filter(|_| is_ours) else { return response };
        let Some(page) = self.page(page).await else { return response };
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
        let (bucket, key, _) = self.mount.name(rest, &self.request).ok()?;
        let read = ReadRequest::new(self.read.method, &HeaderMap::new());
        let wanted = Wanted { read, disposition: None, asks: Asks::default() };
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
        match self.rest.matches('/').count() {
            0 => "./".to_owned(),
            depth => "../".repeat(depth),
        }
    }
}

fn redirect(status: StatusCode, location: &str) -> Option<Response<ObjectBody>> {
    let mut response = Response::new(ObjectBody::Empty);
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(location).ok()?);
    // Without it browsers keep them for very long (RFC 9111 §4.2.2), and a folder can become an object.
    response.headers_mut().insert(CACHE_CONTROL, const { HeaderValue::from_static("max-age=300") });
    Some(response)
}
