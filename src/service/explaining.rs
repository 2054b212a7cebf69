use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::{
    body::ObjectBody,
    error::BoxError,
    explain::{Asked, Report},
    explained::Explaining,
    fetch::FetchFuture,
    proxy::{Admission, Proxy, Stage, is_missing},
    response::Fallback,
};

/// `None` if the inner service would answer.
type Answering = Pin<Box<dyn Future<Output = Option<Response<ObjectBody>>> + Send>>;

/// The answer to a request, explained.
pub(super) fn explain<B>(proxy: &Arc<Proxy>, asked: Asked, request: Request<B>) -> FetchFuture
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let explaining = Explaining::default();
    let (mount, named) = proxy.told_of(&request);
    let answering = explaining.clone().scope_now(|| answer(proxy, request, Stage::Unasked));
    Box::pin(explaining.clone().scope(async move {
        let response = answering.await.filter(|response| {
            let falls_back = mount.as_ref().is_some_and(|mount| mount.fallback() == Fallback::Inner);
            !(falls_back && is_missing(response))
        });
        explaining.with(|facts| {
            let (asked, mount, response) = (&asked, mount.as_ref(), response.as_ref());
            Report { asked, mount, named, facts, response }.into_response()
        })
    }))
}

fn answer<B>(proxy: &Arc<Proxy>, mut request: Request<B>, stage: Stage) -> Answering
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let answering: FetchFuture = match proxy.admit(&request, stage).admission {
        Admission::NotOurs | Admission::Changing(_) => return Box::pin(std::future::ready(None)),
        Admission::Guarded(guarded) => {
            let (asking, proxy) = (guarded.run(), Arc::clone(proxy));
            return Box::pin(async move {
                match asking.await {
                    Err(response) => Some(*response),
                    Ok(mut passed) => {
                        passed.introduce(&mut request);
                        answer(&proxy, request, Stage::Passed).await
                    }
                }
            });
        }
        Admission::Answered(response) => Box::pin(std::future::ready(response)),
        Admission::PassThrough(pass) => pass.run(request),
        Admission::Relay(relay) => relay.run(request.into_body()),
        Admission::Write(write) => write.run(request.into_body()),
        Admission::Fetch(fetch) | Admission::FetchOrInner(fetch) => fetch.run(),
        Admission::Link(fetch) => fetch.run(),
        Admission::Visit(visit) | Admission::VisitOrInner(visit) => visit.run(),
        #[cfg(feature = "listing")]
        Admission::Browse(browse) | Admission::BrowseOrInner(browse) => browse.run(),
        #[cfg(feature = "s3-clients")]
        Admission::S3Client(call) => call.run(request),
    };
    Box::pin(async move { Some(answering.await) })
}
