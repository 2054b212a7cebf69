//! An HTTP proxy that knows the hosts it connects to, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::support::read_head;

/// Dropping it stops it.
pub(super) struct HttpProxy {
    pub(super) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: JoinHandle<()>,
}

/// A request: its first line, and its `Proxy-Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) authorization: Option<String>,
}

/// What the proxy does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    Connects,
    /// It answers this, and waits.
    Says(&'static str),
}

// === impl HttpProxy ===

impl HttpProxy {
    /// Connects to this server, whatever host is asked for.
    pub(super) async fn start(server: SocketAddr, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let accepting = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(converse(client, server, manners, Arc::clone(&seen)));
                }
            }
        });
        Self { addr, seen, accepting }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn converse(mut client: TcpStream, server: SocketAddr, manners: Manners, seen: Arc<Mutex<Vec<Seen>>>) {
    let Some(head) = read_head(&mut client).await else { return };
    let is_authorization = |line: &&str| line.to_ascii_lowercase().starts_with("proxy-authorization: ");
    let authorization = head.lines().find(is_authorization).map(str::to_owned);
    let line = head.lines().next().unwrap().to_owned();
    seen.lock().unwrap().push(Seen { line: line.clone(), authorization: authorization.clone() });
    if let Manners::Says(answer) = manners {
        client.write_all(answer.as_bytes()).await.unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
        return;
    }
    let mut server = TcpStream::connect(server).await.unwrap();
    if line.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    } else {
        // As RFC 9112 §3.2.2 has it: the host of the URI counts, and the rest of the URI goes on.
        let [method, uri, version] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (host, path) = uri.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let of_s3 = |line: &&str| !is_authorization(line) && !line.to_ascii_lowercase().starts_with("host: ");
        let fields = head.lines().skip(1).filter(of_s3).filter(|line| !line.is_empty());
        let head: String =
            [format!("{method} /{path} {version}"), format!("host: {host}"), "connection: close".to_owned()]
                .into_iter()
                .chain(fields.map(str::to_owned))
                .map(|line| line + "\r\n")
                .collect();
        server.write_all((head + "\r\n").as_bytes()).await.unwrap();
    }
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
