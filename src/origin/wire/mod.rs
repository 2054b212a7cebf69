//! The way to S3: our own pool of HTTP/1.1 connections, or any HTTP client of the SDK.

mod pool;
mod sdk_adapter;
mod sdk_client;
mod stream;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};

use self::pool::PooledBody;
#[cfg(feature = "diagnosis")]
pub(crate) use self::pool::TlsFault;
pub(super) use self::stream::bare;
pub(crate) use self::{
    pool::{Pool, PoolSettings, Pools, ReadBuffer, Reuse},
    sdk_client::SdkClient,
    stream::{ConnectTo, tls_connector},
};
use super::endpoint::Endpoint;
use crate::error::BoxError;
pub(crate) use sdk_adapter::PooledClient;

/// What carries requests to one endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Pool(Pool),
    Sdk(SdkClient),
}

/// A body as it comes from S3, frame by frame. Dropping it early drops the connection that it is read from.
pub(crate) enum WireBody {
    Pool(PooledBody),
    Sdk(SdkBody),
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) struct WireError {
    pub(crate) kind: WireErrorKind,
    source: BoxError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireErrorKind {
    /// A kept connection broke before the head of an answer was complete: a read is safe to send again.
    Stale,
    Connect,
    Timeout,
    /// The connection broke, or what came is not HTTP.
    Broken,
}

// === impl Wire ===

impl Wire {
    /// Sends a request in origin form, `Host` included, and waits for the head of the answer.
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

// === impl WireError ===

impl WireError {
    fn new(kind: WireErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into() }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            WireErrorKind::Stale => "the kept connection was closed",
            WireErrorKind::Connect => "no connection to the origin",
            WireErrorKind::Timeout => "the origin did not answer in time",
            WireErrorKind::Broken => "the exchange with the origin broke off",
        })
    }
}

impl std::error::Error for WireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
