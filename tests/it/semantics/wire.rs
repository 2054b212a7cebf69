use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tower_s3_proxy::S3Proxy;

use super::expect::HANG;

/// A hyper server that answers all that it has understood before it closes a connection whose client has nothing more
/// to say: so that the end of an exchange is an event, and no time has to pass.
#[derive(Debug)]
pub(super) struct RawServer {
    addr: SocketAddr,
    accepting: AbortHandle,
}

// === impl RawServer ===

impl RawServer {
    pub(super) async fn start(service: S3Proxy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (io, service) = (TokioIo::new(stream), TowerToHyperService::new(service.clone()));
                // A connection that breaks is the client's to notice.
                connections.spawn(async move {
                    let _ = http1::Builder::new().half_close(true).serve_connection(io, service).await;
                });
            }
        });
        Self { addr, accepting: accepting.abort_handle() }
    }

    /// Sends bytes, and nothing more, and returns all that comes.
    pub(super) async fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let mut answer = Vec::new();
        // A server that has seen enough may close while it is still being written to.
        if stream.write_all(bytes).await.is_ok() {
            let _ = stream.shutdown().await;
        }
        let _ = timeout(HANG, stream.read_to_end(&mut answer)).await.expect("no hang");
        answer
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
