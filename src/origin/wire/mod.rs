//! The connections to S3: our own pool for HTTP/1.1, or any HTTP client of the SDK.

mod dial;
mod error;
mod exchange;
mod pace;
mod pool;
mod proxy;
mod sdk_adapter;
mod sdk_client;
mod service;
mod silence;
mod stream;
mod trust;
mod unreached;
mod upload;

pub(super) use self::stream::bare;
pub(crate) use self::{
    dial::DialSettings,
    error::{WireError, WireErrorKind},
    exchange::{Wire, WireBody},
    pace::Pace,
    pool::{Budget, Peer, PoolSettings, Pools, ReadBuffer, Reuse},
    proxy::{Proxies, Proxy, ProxySettings, ProxyUrlError},
    sdk_adapter::PooledClient,
    sdk_client::SdkClient,
    service::ServiceClient,
    stream::ConnectTo,
    trust::{TlsError, tls_connector, tls_connector_trusting},
    unreached::Unreached,
    upload::Upload,
};
#[cfg(feature = "diagnosis")]
pub(crate) use self::{
    dial::{DialError, Line},
    pool::{Pool, TlsFault},
};
