use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};

use super::{
    Pace, WireError,
    pool::{Pool, PooledBody, Reuse},
    sdk_client::SdkClient,
};
use crate::{error::BoxError, origin::endpoint::Endpoint};

/// The client for one endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Pool(Pool),
    Sdk(SdkClient),
}

/// A body as it comes from S3, frame by frame. Dropping it early drops its connection.
pub(crate) enum WireBody {
    Pool(PooledBody),
    Sdk(SdkBody),
}

// === impl Wire ===

impl Wire {
    /// Sends a request in origin form, `Host` included, and waits for the head of the response.
    pub(crate) async fn send(
        &self,
        endpoint: &Endpoint,
        request: Request<()>,
        reuse: Reuse,
    ) -> Result<Response<WireBody>, WireError> {
        match self {
            Self::Pool(pool) => {
                let response = pool.send(request.map(|()| SdkBody::empty()), reuse).await?;
                Ok(response.map(WireBody::Pool))
            }
            Self::Sdk(client) => Ok(client.send(endpoint, request).await?.map(WireBody::Sdk)),
        }
    }
}

// === impl WireBody ===

impl WireBody {
    pub(crate) fn poll_at(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if pace == Pace::Full {
            return Pin::new(self).poll_frame(cx);
        }
        if let Self::Pool(body) = self {
            body.set_pace(pace);
        }
        let polled = Pin::new(&mut *self).poll_frame(cx);
        if let Self::Pool(body) = self {
            body.set_pace(Pace::Full);
        }
        polled.map_ok(|frame| frame.map_data(|data| Bytes::copy_from_slice(&data)))
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Pool(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Sdk(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Pool(body) => body.is_end_stream(),
            Self::Sdk(body) => Body::is_end_stream(body),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Pool(body) => body.size_hint(),
            Self::Sdk(body) => Body::size_hint(body),
        }
    }
}

impl fmt::Debug for WireBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WireBody").field(&self.size_hint()).finish()
    }
}
