//! Requests for what is in a folder.

mod list;

use http::{Request, Response};

use self::list::List;
use super::{
    Admission, Visit,
    claimed::Claimed,
    is_missing,
    naming::{head_of, refuse_customer_key},
};
use crate::{
    body::ObjectBody,
    error::{Failure, ProxyError, ProxyErrorKind},
    fetch::{Bucket, Fetch, FetchFuture, Finish},
    listing::{Ask, Place},
    object::{InvalidKey, ObjectKey},
    request::{Query, ReadMethod, ReadRequest},
    response::Fallback,
    site::navigates,
};

/// A request that can be for a folder.
pub(crate) struct Browse {
    first: First,
    list: List,
    finish: Finish,
}

/// What is asked for before, and is the response unless it is missing.
enum First {
    Nothing,
    Known(Box<Response<ObjectBody>>),
    Fetch(Box<Fetch>),
    Visit(Box<Visit>),
}

/// How a path means a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It ends with a slash.
    In,
    /// Its slash is missing.
    Slash,
}

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// The outcome of a read on a mount with listings.
    pub(super) fn browse<B>(&self, request: &Request<B>, method: ReadMethod, finish: Finish) -> Admission {
        let is_folder = self.rest.is_empty() || self.rest.ends_with('/');
        if !is_folder && !navigates(request.headers()) {
            return self.read_object(request, method, finish);
        }
        let (first, finish) = match is_folder && self.mount.0.website.is_none() {
            true => (None, finish),
            false => {
                let own = finish.clone();
                match self.read_object(request, method, finish) {
                    // Most paths name an object, and most objects are in memory or at S3 at once.
                    Admission::Answered(response) if !is_missing(&response) => {
                        return Admission::Answered(response);
                    }
                    admission => (Some(admission), own),
                }
            }
        };
        let step = match request.uri().path().ends_with('/') {
            true => Step::In,
            false => Step::Slash,
        };
        let (list, first) = match (self.list(request, method, step), first) {
            (Ok(Some(list)), first) => (list, first),
            (Ok(None), Some(admission)) => return admission,
            (Ok(None), None) => return self.read_object(request, method, finish),
            (Err((failure, key)), _) => {
                return Admission::Answered(finish.apply(self.mount.refuse(failure, method, &key)));
            }
        };
        let first = match first {
            None | Some(Admission::NotOurs) => First::Nothing,
            Some(Admission::Answered(response)) => First::Known(Box::new(response)),
            Some(Admission::Fetch(fetch) | Admission::FetchOrInner(fetch)) => First::Fetch(Box::new(fetch)),
            Some(Admission::Visit(visit) | Admission::VisitOrInner(visit)) => First::Visit(Box::new(visit)),
            Some(other) => return other,
        };
        let browse = Box::new(Browse { first, list, finish });
        match self.mount.0.answers.fallback {
            Fallback::None => Admission::Browse(browse),
            Fallback::Inner => Admission::BrowseOrInner(browse),
        }
    }

    /// The list that a request means; `None` if it is an object's after all.
    fn list<B>(
        &self,
        request: &Request<B>,
        method: ReadMethod,
        step: Step,
    ) -> Result<Option<List>, (Failure, ObjectKey)> {
        let parts = &self.mount.0;
        let query = Query::parse(request.uri().query(), parts.query);
        let is_plain = query.is_ok_and(|query| query == Query::default())
            && refuse_customer_key(request.headers()).is_ok();
        let rest = match step {
            Step::In => self.rest.to_owned(),
            Step::Slash if self.rest.is_empty() => String::new(),
            Step::Slash => format!("{}/", self.rest),
        };
        let Some(listing) = parts.listing.as_ref().filter(|_| is_plain) else { return Ok(None) };
        let Some((bucket, key)) = self.folder(request, &rest) else { return Ok(None) };
        let place = Place::new(&parts.keys, key.as_ref());
        let Some(key) = key.or_else(|| root_key(&place)) else { return Ok(None) };
        let lister = match self.mount.select(request) {
            Ok(lister) => lister.clone(),
            Err(failure) => return Err((failure, key)),
        };
        // The redirect has the query as it is.
        let query = request.uri().query().filter(|_| step == Step::In);
        Ok(Some(List {
            mount: self.mount.clone(),
            lister,
            listing: listing.clone(),
            bucket,
            key,
            place,
            step,
            request: self.head(request),
            read: ReadRequest::new(method, request.headers()),
            ask: Ask::parse(query, request.headers()),
            rest,
        }))
    }

    /// Bucket and key of a folder; no key is the whole mount.
    fn folder<B>(&self, request: &Request<B>, rest: &str) -> Option<(Bucket, Option<ObjectKey>)> {
        let (bucket, rest) = self.mount.bucket_of(rest, || head_of(request))?;
        match self.mount.0.keys.name(rest) {
            Ok((key, None)) if key.as_str().ends_with('/') => Some((bucket, Some(key))),
            Err(InvalidKey::Empty) => Some((bucket, None)),
            Ok(_) | Err(_) => None,
        }
    }

    /// The head of a request, with its fields if a function of the embedder looks at them.
    fn head<B>(&self, request: &Request<B>) -> Request<()> {
        if self.looks_at_heads() {
            return Request::from_parts(head_of(request), ());
        }
        let mut bare = Request::new(());
        *bare.uri_mut() = request.uri().clone();
        bare
    }
}

/// What stands for the key of a whole mount.
fn root_key(place: &Place) -> Option<ObjectKey> {
    let prefix = if place.prefix.is_empty() { "/" } else { place.prefix.as_str() };
    ObjectKey::new(prefix).ok()
}

// === impl Browse ===

impl Browse {
    pub(crate) fn run(self: Box<Self>) -> FetchFuture {
        Box::pin(self.respond())
    }

    async fn respond(self: Box<Self>) -> Response<ObjectBody> {
        let Self { first, mut list, finish } = *self;
        let missing = match first {
            First::Visit(visit) => return visit.run_or(list.respond()).await,
            First::Nothing => None,
            First::Known(response) => Some(*response),
            First::Fetch(fetch) => {
                // It has the last word, and then it is finished.
                let response = fetch.run().await;
                if !is_missing(&response) {
                    return response;
                }
                Some(response)
            }
        };
        match (list.respond().await, missing) {
            (Some(response), _) => finish.apply(response),
            (None, Some(missing)) => missing,
            (None, None) => {
                let error = ProxyError::new(ProxyErrorKind::NotFound);
                finish.apply(list.mount.error_response(error, list.read.method, Some(&list.key)))
            }
        }
    }
}
