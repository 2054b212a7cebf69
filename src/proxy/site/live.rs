//! Requests for pages of a website that can change while it is served.

use http::{Request, Response};

use super::{
    super::{claimed::Claimed, is_missing, naming::head_of},
    Search, Visit,
};
use crate::{
    body::ObjectBody,
    config::{Live, Mount, SitePolicy, View},
    fetch::{Asks, Finish},
    published::is_hashed,
    request::{Coding, Query, ReadRequest},
    site::{Aim, Candidate, Form, navigates, plan},
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
            Ok(snapshot) => self.view = Some(View { snapshot, ..View::default() }),
            Err(error) => return self.mount.error_response(error, self.read.method, None),
        }
        if let Some(redirect) = self.redirect_of_bucket(None) {
            return redirect;
        }
        if let Some(site) = self.site() {
            self.candidates = plan(site, self.uri.path(), self.rest(), false).into();
        }
        let response = self.find(None).await;
        if let Some(status) = Self::error_of(&response)
            && let Some(redirect) = self.redirect_of_bucket(Some(status))
        {
            return redirect;
        }
        if !is_missing(&response) {
            return response;
        }
        if is_hashed(self.rest())
            && let Some(asset) = self.find_earlier().await
        {
            return asset;
        }
        match self.follow_rules().await {
            Some(response) => response,
            None => self.find_single_page().await.unwrap_or(response),
        }
    }

    /// The page of an application, which comes last: after rules for its paths.
    async fn find_single_page(&mut self) -> Option<Response<ObjectBody>> {
        let page = self.mount.0.website.as_ref()?.single_page.clone().filter(|_| self.navigates)?;
        self.candidates = [Candidate { rest: page, aim: Aim::Navigate, form: Form::Plain }].into();
        let response = self.find(None).await;
        (!is_missing(&response)).then_some(response)
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
