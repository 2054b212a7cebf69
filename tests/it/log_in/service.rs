//! A log-in service that answers by a script, and remembers what it was asked.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tower::service_fn;

use crate::support::{Protocol, Server, serve};

/// A request that the service got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A service on a free port. Dropping it stops it.
pub(crate) struct LogIn {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

// === impl Asked ===

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

// === impl LogIn ===

impl LogIn {
    /// Answers each request by this function.
    pub(crate) async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(Asked) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Incoming>| {
            let (answer, log) = (answer.clone(), Arc::clone(&log));
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let asked =
                    Asked { method: head.method, uri: head.uri.to_string(), headers: head.headers, body };
                log.lock().unwrap().push(asked.clone());
                Ok::<_, Infallible>(answer(asked).await)
            }
        });
        Self { server: serve(Protocol::Http1, service).await, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.addr)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer of the service.
pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    let response = fields.iter().fold(response, |response, (name, value)| response.header(*name, *value));
    response.body(Full::from(Bytes::from(body.to_owned()))).unwrap()
}
