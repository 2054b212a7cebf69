//! Requests for pages of a website that can change while it is served.

use http::{Request, Response};

use super::{
    super::{head_of, is_missing},
    Claimed, Search, Visit,
};
use crate::{
    body::ObjectBody,
    config::{Live, Mount, SitePolicy, View},
    fetch::{Asks, Finish},
    published::is_hashed,
    request::{Coding, Query, ReadRequest},
    site::{Aim, Candidate, Form, navigates},
};

// === impl Claimed ===

impl Claimed<'_, '_> {
    /// As [`visit`](Self::visit), with nothing decided before it is known what is current.
    pub(super) fn visit_live<B>(
        &self,
        request: &Request<B>,
        site: &SitePolicy,
        reader: &Mount,
        read: ReadRequest,
        query: Query,
        finish: Finish,
    ) -> Visit {
        let search = Box::new(Search {
            mount: self.mount.clone(),
            reader: reader.clone(),
            uri: request.uri().clone(),
            head: self.looks_at_heads().then(|| Box::new(head_of(request))),
            read,
            asks: Asks::new(reader, request.headers()),
            navigates: navigates(request.headers()),
            codings: match query == Query::default() {
                true => Coding::accepted(request.headers(), &site.codings),
                false => Vec::new(),
            },
            query,
            candidates: [].into(),
            view: None,
            finish,
        });
        Visit { first: None, search }
    }
}

// === impl Search ===

impl Search {
    pub(super) fn live(&self) -> Option<&Live> {
        self.mount.0.website.as_ref()?.live.as_ref()
    }

    /// The response of a site that can change: all of it is of what is current now.
    pub(super) async fn look_at(&mut self) -> Response<ObjectBody> {
        let Some(live) = self.live() else { return self.find(None).await };
        match self.mount.snapshot(live).await {
            Ok(snapshot) => self.view = Some(View { snapshot, release: 0 }),
            Err(error) => return self.mount.error_response(error, self.read.method, None),
        }
        self.plan();
        let response = self.find(None).await;
        match is_missing(&response) && is_hashed(self.rest()) {
            true => self.find_earlier().await.unwrap_or(response),
            false => response,
        }
    }

    /// An asset that only earlier releases have: pages of theirs are still open.
    async fn find_earlier(&mut self) -> Option<Response<ObjectBody>> {
        let view = self.view.clone()?;
        let releases = view.snapshot.deployed.as_ref()?.value.earlier.len();
        for release in 1..=releases {
            self.view = Some(View { release, ..view.clone() });
            let asset = Candidate { rest: self.rest().to_owned(), aim: Aim::Serve, form: Form::Plain };
            self.candidates = [asset].into();
            let response = self.find(None).await;
            if !is_missing(&response) {
                return Some(response);
            }
        }
        // Pages of errors are the current release's.
        self.view = Some(view);
        None
    }
}
