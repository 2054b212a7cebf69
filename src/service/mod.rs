//! The layer, the service that it makes, and the types of their responses and futures.

#[cfg(feature = "explain")]
mod explaining;
mod future;
mod layer;
mod s3_proxy;

pub use self::{
    future::ResponseFuture,
    layer::S3ProxyLayer,
    s3_proxy::{NotFound, S3Proxy},
};
pub use crate::body::{ByteRate, PacedBody, ResponseBody, SendBuffer};
