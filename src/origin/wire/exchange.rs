use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{
    Pace, WireError, WireErrorKind,
    pool::{Pool, PooledBody, Reuse},
    sdk_client::SdkClient,
    silence::{Silence, Silent},
    upload::Upload,
};
use crate::{
    error::BoxError,
    meter::Meter,
    origin::{budget::ByteCount, endpoint::Endpoint},
};

/// The client for one endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Pool(Pool),
    Sdk(SdkClient),
}

/// A body as it comes from S3, frame by frame. Dropping it early drops the connection that it is read from.
pub(crate) struct WireBody {
    source: Source,
    /// What came before the head was handed on.
    first: Bytes,
    /// To have a request in flight, until S3's part of it is over.
    permit: Option<OwnedSemaphorePermit>,
    /// Of a mount that has a budget.
    byte_count: Option<Box<ByteCount>>,
    /// Of the mount that reads it.
    meter: Option<Meter>,
}

enum Source {
    Pool(PooledBody),
    /// Boxed: it is large beside the other.
    Sdk(Box<SdkSource>),
}

struct SdkSource {
    body: SdkBody,
    silence: Silence,
}

// === impl Wire ===

impl Wire {
    /// Sends a request in origin form, `Host` included, and waits for the head of the answer. That of a success comes with
    /// the first byte of its body: what breaks off before it can still be told as an error.
    ///
    /// The request is taken when it is sent. By value, each future on the way would have room for two of it.
    pub(crate) async fn send(
        &self,
        endpoint: &Endpoint,
        request: &mut Request<SdkBody>,
        reuse: Reuse,
    ) -> Result<Response<WireBody>, WireError> {
        let mut response = match self {
            Self::Pool(pool) => {
                let response = pool.send(request, reuse).await?;
                response.map(|body| WireBody::new(Source::Pool(body)))
            }
            Self::Sdk(client) => {
                let response = client.send(endpoint, take(request)).await?;
                response.map(|body| WireBody::new(Source::sdk(body, client.read_timeout)))
            }
        };
        if response.status().is_success() {
            response.body_mut().begin().await?;
        }
        Ok(response)
    }

    /// Sends a request as its client sends it, and waits for the head of the answer. If it turns out that it was never sent, it
    /// is sent again.
    pub(in crate::origin) async fn upload(
        &self,
        endpoint: &Endpoint,
        request: Request<Upload>,
    ) -> Result<Response<WireBody>, WireError> {
        let sent = request.body().sent();
        let request = request.map(SdkBody::from_body_1_x);
        match self {
            Self::Pool(pool) => {
                let response = pool.upload(request, &sent).await?;
                Ok(response.map(|body| WireBody::new(Source::Pool(body))))
            }
            Self::Sdk(client) => {
                let response = client.send(endpoint, request).await?;
                Ok(response.map(|body| WireBody::new(Source::sdk(body, client.read_timeout))))
            }
        }
    }
}

/// The request, to be sent.
pub(super) fn take(request: &mut Request<SdkBody>) -> Request<SdkBody> {
    std::mem::replace(request, Request::new(SdkBody::taken()))
}

// === impl WireBody ===

impl WireBody {
    fn new(source: Source) -> Self {
        Self { source, first: Bytes::new(), permit: None, byte_count: None, meter: None }
    }

    /// Has other connections go to another address of the host for a while, if there is one.
    pub(in crate::origin) fn avoid_peer(&self) {
        match &self.source {
            Source::Pool(body) => body.avoid_peer(),
            // Where they go is the client's own business.
            Source::Sdk(_) => {}
        }
    }

    /// Holds the permit until the body has been read, or is dropped, and counts its bytes.
    pub(in crate::origin) fn hold(
        &mut self,
        permit: Option<OwnedSemaphorePermit>,
        byte_count: Option<Box<ByteCount>>,
    ) {
        self.byte_count = byte_count;
        if let Some(count) = &mut self.byte_count {
            count.add(self.first.len());
        }
        if !self.source.is_end_stream() {
            self.permit = permit;
        }
    }

    /// Counts its bytes from now on, and those that have come already.
    pub(in crate::origin) fn measure(&mut self, meter: &Meter) {
        meter.received(self.first.len());
        self.meter = Some(meter.clone());
    }

    /// The whole body, if it came with the head and has this length: then its connection has gone back.
    pub(crate) fn take_whole(&mut self, length: u64) -> Option<Bytes> {
        let is_whole = self.source.is_end_stream() && self.first.len() as u64 == length;
        is_whole.then(|| std::mem::take(&mut self.first))
    }

    /// The next frame, at this pace.
    pub(crate) fn poll_at(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if pace == Pace::Full {
            return Pin::new(self).poll_frame(cx);
        }
        self.source.set_pace(pace);
        let polled = Pin::new(&mut *self).poll_frame(cx);
        self.source.set_pace(Pace::Full);
        polled.map_ok(|frame| frame.map_data(|data| Bytes::copy_from_slice(&data)))
    }

    async fn begin(&mut self) -> Result<(), WireError> {
        // Mostly it came with the head: then no timer is set.
        let began = match poll_fn(|cx| Poll::Ready(self.poll_first(cx))).await {
            Poll::Ready(began) => began,
            Poll::Pending => self.first().await?,
        };
        began.map_err(|error| {
            let kind = if error.is::<Silent>() { WireErrorKind::Timeout } else { WireErrorKind::Broken };
            WireError::new(kind, error)
        })
    }

    /// The first byte has the same deadline as the head. The SDK's clients tell nobody theirs: there it is the one between
    /// two pieces.
    async fn first(&mut self) -> Result<Result<(), BoxError>, WireError> {
        let deadline = self.source.deadline();
        let first = poll_fn(|cx| self.poll_first(cx));
        match deadline {
            Some(deadline) => timeout_at(deadline, first)
                .await
                .map_err(|elapsed| WireError::new(WireErrorKind::Timeout, elapsed)),
            None => Ok(first.await),
        }
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        while self.first.is_empty() && !self.source.is_end_stream() {
            match ready!(self.source.poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.first = data,
                // The end, or trailers, which nobody is handed.
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl From<PooledBody> for WireBody {
    fn from(body: PooledBody) -> Self {
        Self::new(Source::Pool(body))
    }
}

impl From<SdkBody> for WireBody {
    fn from(body: SdkBody) -> Self {
        Self::new(Source::sdk(body, Duration::MAX))
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
        }
        let polled = this.source.poll_frame(cx);
        if let (Some(count), Poll::Ready(Some(Ok(frame)))) = (&mut this.byte_count, &polled) {
            count.add(frame.data_ref().map_or(0, Bytes::len));
        }
        if let (Poll::Ready(Some(Ok(frame))), Some(meter)) = (&polled, &this.meter) {
            meter.received(frame.data_ref().map_or(0, Bytes::len));
        }
        if this.source.is_end_stream() || matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            this.permit = None;
            this.byte_count = None;
            this.meter = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, first) = (self.source.size_hint(), self.first.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(first));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint
    }
}

// === impl Source ===

impl Source {
    fn sdk(body: SdkBody, read_timeout: Duration) -> Self {
        Self::Sdk(Box::new(SdkSource { body, silence: Silence::new(read_timeout) }))
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Pool(body) => body.deadline(),
            Self::Sdk(_) => None,
        }
    }

    fn set_pace(&mut self, pace: Pace) {
        if let Self::Pool(body) = self {
            body.set_pace(pace);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Pool(body) => Pin::new(body).poll_frame(cx),
            Self::Sdk(source) => source.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Pool(body) => body.is_end_stream(),
            Self::Sdk(source) => Body::is_end_stream(&source.body),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Pool(body) => body.size_hint(),
            Self::Sdk(source) => Body::size_hint(&source.body),
        }
    }
}

// === impl SdkSource ===

impl SdkSource {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.silence.broken();
            return polled;
        }
        self.silence.poll(cx).map(|silent| Some(Err(silent.into())))
    }
}

impl fmt::Debug for WireBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WireBody").field(&self.size_hint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_taken_whole_only_if_all_of_it_came_with_the_head() {
        for (sent, length, whole) in [
            ("hello", 5, Some("hello")),
            ("", 0, Some("")),
            // It ended early, or late.
            ("hello", 6, None),
            ("hello", 4, None),
        ] {
            let mut body = WireBody::from(SdkBody::from(sent));
            body.begin().await.unwrap();
            assert_eq!(body.take_whole(length).as_deref(), whole.map(str::as_bytes), "{sent:?} of {length}");
            assert_eq!(body.is_end_stream(), whole.is_some(), "{sent:?} of {length}");
        }
        let mut body = WireBody::from(SdkBody::from("hello"));
        assert_eq!(body.take_whole(5), None, "it has not come yet");
    }
}
