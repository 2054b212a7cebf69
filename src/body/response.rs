use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::ObjectBody;
use crate::{error::BoxError, meter::BodyMeter, origin::Pace};

pin_project! {
    /// The body of a response: the inner service's own, or an object.
    ///
    /// An object's frames are the very `Bytes` that were read from S3. They are read as the client takes them, and
    /// dropping the body ends the request to S3. If S3 breaks off, the body ends in an error, never cleanly.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Object { body: ObjectBody, meter: BodyMeter },
    }
}

// === impl ResponseBody ===

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    /// One that is not counted.
    pub(crate) fn object(body: ObjectBody) -> Self {
        Self::measured(body, BodyMeter::default())
    }

    pub(crate) fn measured(body: ObjectBody, meter: BodyMeter) -> Self {
        Self { kind: Kind::Object { body, meter } }
    }

    /// The mount whose response it is, as metrics name it: its path, behind its host if it has one. `None` if it is the inner
    /// service's.
    #[cfg(feature = "metrics")]
    pub fn mount(&self) -> Option<&str> {
        match &self.kind {
            Kind::Inner { .. } => None,
            Kind::Object { meter, .. } => meter.mount(),
        }
    }
}

/// An empty body, as in the response of `tower-http`'s time-out, for one.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::object(ObjectBody::Empty)
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx).map_err(Into::into),
            KindProjection::Object { body, meter } => {
                let polled = body.poll_frame(Pace::Full, cx);
                if let Poll::Ready(Some(Ok(frame))) = &polled {
                    meter.sent(frame.data_ref().map_or(0, Bytes::len));
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Object { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Object { body, .. } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Inner { .. } => f.write_str("ResponseBody::Inner"),
            Kind::Object { body, .. } => f.debug_tuple("ResponseBody").field(body).finish(),
        }
    }
}
