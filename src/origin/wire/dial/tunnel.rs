use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use bytes::Bytes;
use http::{
    Request,
    header::{HOST, PROXY_AUTHORIZATION},
    uri::Authority,
};
use http_body_util::Empty;
use hyper::{client::conn::http1, upgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::TunnelFault;
use crate::origin::wire::proxy::Proxy;

/// Has a proxy connect to a host (RFC 9110 §9.3.6). From then on the connection is the host's.
pub(super) async fn tunnel<T>(io: T, proxy: &Proxy, host: &Authority) -> Result<T, TunnelFault>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.max_buf_size(MOST_OF_A_HEAD);
    let (mut sender, connection) = http.handshake(TokioIo::new(io)).await.map_err(TunnelFault::Broken)?;
    let mut driver = Driver { connection: pin!(connection.with_upgrades()), failure: None, is_over: false };
    let answer = driver.drive(sender.send_request(connect(proxy, host)?)).await;
    // What the connection met says more than that the answer was cancelled.
    let answer = answer.map_err(|why| TunnelFault::Broken(driver.failure.take().unwrap_or(why)))?;
    if !answer.status().is_success() {
        return Err(TunnelFault::Refused(answer.status()));
    }
    let upgraded = driver.drive(upgrade::on(answer)).await.map_err(TunnelFault::Broken)?;
    let parts = upgraded.downcast::<TokioIo<T>>().map_err(|_| TunnelFault::Confused)?;
    // Neither in TLS nor in HTTP does the server speak first.
    match parts.read_buf.is_empty() {
        true => Ok(parts.io.into_inner()),
        false => Err(TunnelFault::Confused),
    }
}

fn connect(proxy: &Proxy, host: &Authority) -> Result<Request<Empty<Bytes>>, TunnelFault> {
    let mut request = Request::connect(host.as_str()).header(HOST, host.as_str());
    if let Some(authorization) = &proxy.authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    request.body(Empty::new()).map_err(|_| TunnelFault::Confused)
}

/// In bytes.
const MOST_OF_A_HEAD: usize = 16 * 1024;

struct Driver<'a, C> {
    connection: Pin<&'a mut C>,
    failure: Option<hyper::Error>,
    is_over: bool,
}

// === impl Driver ===

impl<C: Future<Output = hyper::Result<()>>> Driver<'_, C> {
    /// Waits for what the connection brings.
    async fn drive<F: Future>(&mut self, awaited: F) -> F::Output {
        let mut awaited = pin!(awaited);
        poll_fn(|cx| {
            if !self.is_over
                && let Poll::Ready(end) = self.connection.as_mut().poll(cx)
            {
                self.is_over = true;
                self.failure = end.err();
            }
            awaited.as_mut().poll(cx)
        })
        .await
    }
}
