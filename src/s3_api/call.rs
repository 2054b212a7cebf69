use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use s3s::{S3Error, S3ErrorCode};
use tracing::{Dispatch, dispatcher, instrument::WithSubscriber};

use super::{answer, operations::Operations, read::AskedObject, scope::Scope, strict, verify, version_2};
use crate::{
    body::ObjectBody,
    clients::{ClientAccessKey, Mechanism},
    error::BoxError,
    fetch::{FetchFuture, Finish},
    request::ReadMethod,
};

/// A request that is signed by a key of a table, as it says.
pub(crate) struct ApiCall {
    pub(crate) scope: Scope,
    pub(crate) mechanism: Mechanism,
    pub(crate) finish: Finish,
}

// === impl ApiCall ===

impl ApiCall {
    pub(crate) fn run<B>(self: Box<Self>, request: Request<B>) -> FetchFuture
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (head, body) = request.into_parts();
        let body =
            s3s::Body::http_body_unsync(http_body_util::BodyExt::map_err(body, Into::<BoxError>::into));
        Box::pin(self.respond(head, body))
    }

    async fn respond(self: Box<Self>, mut head: Parts, body: s3s::Body) -> Response<ObjectBody> {
        let Self { scope, mechanism, finish } = *self;
        let method = if head.method == Method::HEAD { ReadMethod::Head } else { ReadMethod::Get };
        head.extensions.insert(ClientAccessKey::of(&scope.key));
        let checked = strict::check(&mut head, mechanism).and_then(|()| match mechanism {
            Mechanism::QueryV2 => version_2::verify(&mut head, scope.key.secret_key()),
            _ => Ok(()),
        });
        let response = match checked {
            Ok(()) => serve(Arc::new(scope), head, body, method).await,
            Err(refused) => answer::refused(&refused, method),
        };
        finish.apply(response)
    }
}

async fn serve(scope: Arc<Scope>, head: Parts, body: s3s::Body, method: ReadMethod) -> Response<ObjectBody> {
    let asked = Arc::new(OnceLock::<AskedObject>::new());
    let operations = Operations {
        scope: Arc::clone(&scope),
        head: Arc::new(head.clone()),
        asked: Arc::clone(&asked),
        subscriber: dispatcher::get_default(Clone::clone),
    };
    let service = verify::service(&scope.key, operations);
    // `s3s` logs each refusal as an error, and at level DEBUG the signature that would have been right. What is worth a line
    // gets one here.
    let answer = service.call(verify::request(&head, body)).with_subscriber(Dispatch::none()).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => {
            let why = S3Error::with_source(S3ErrorCode::InternalError, why.into());
            return answer::refused(&why, method);
        }
    };
    match asked.get() {
        // Its own answer is a stand-in: that of the lane comes in its place.
        Some(object) if answer.status().is_success() => object.read(head, answer.headers(), method).await,
        _ if answer.status() >= StatusCode::BAD_REQUEST => answer::from_s3s(&answer, method),
        _ => answer::whole(answer),
    }
}
