//! Clients that write by the mount's own credentials.

mod bodies;
mod on_the_wire;
mod refused;
mod rules;

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use demo_s3::DemoS3;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::ServiceExt;
use tower_s3_proxy::{
    MountBuilder, S3Proxy,
    writes::{Writers, Writes},
};

use crate::support::{Answer, mount};

/// A body without a length, in pieces.
struct Pieces {
    pieces: VecDeque<Bytes>,
    end: End,
}

/// What comes behind the pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    BreaksOff,
    Hangs,
}

// === impl Pieces ===

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = impl Into<Bytes>>, end: End) -> Self {
        Self { pieces: pieces.into_iter().map(Into::into).collect(), end }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::BreaksOff) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            (None, End::Hangs) => Poll::Pending,
        }
    }
}

/// Rules that let anybody write and delete anything.
fn anything() -> Writes {
    Writes::new().writers(Writers::Anybody).allow_overwrite(true).allow_delete(true)
}

fn writable(s3: &DemoS3, writes: Writes) -> MountBuilder {
    mount(s3).writes(writes)
}

async fn send<B>(service: &S3Proxy, method: &str, path: &str, fields: &[(&str, &str)], body: B) -> Answer
where
    B: Body<Data = Bytes, Error: Into<tower_s3_proxy::error::BoxError>> + Send + 'static,
{
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    Answer::read(service.clone().oneshot(request.body(body).unwrap()).await.unwrap()).await
}

async fn put(service: &S3Proxy, path: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    send(service, "PUT", path, fields, Full::new(body.into())).await
}
