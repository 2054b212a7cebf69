use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use tokio::{
    io::{AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tower_s3_proxy::MountBuilder;

use super::{
    answer::answer,
    lie::{Lie, Lies},
    object::Object,
    reply::Connection,
    seen::Seen,
};
use crate::support::{keys, mount_at, once};

/// A running origin. Dropping it stops it and closes its connections.
#[derive(Debug)]
pub(crate) struct LyingOrigin {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    object: Object,
    lies: Lies,
    seen: Mutex<Vec<Seen>>,
    asked: AtomicUsize,
    changes: AtomicUsize,
    connections: AtomicUsize,
    sent: AtomicU64,
}

// === impl LyingOrigin ===

impl LyingOrigin {
    pub(crate) async fn start(object: &Object, lies: &[Lie]) -> Self {
        let shared = Arc::new(Shared {
            object: object.clone(),
            lies: Lies::new(lies),
            seen: Mutex::default(),
            asked: AtomicUsize::new(0),
            changes: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { addr, shared, accepting }
    }

    /// A mount of its bucket at `/`, with signed requests. It repeats none: each lie counts.
    pub(crate) fn mount(&self) -> MountBuilder {
        once(self.resilient_mount())
    }

    /// A mount that repeats what fails, as by default.
    pub(crate) fn resilient_mount(&self) -> MountBuilder {
        mount_at(self.addr).credentials(keys())
    }

    /// What arrived so far, in its order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen().clone()
    }

    /// Forgets what arrived so far.
    pub(crate) fn forget(&self) {
        self.shared.seen().clear();
    }

    /// Puts the next version in place of the object.
    pub(crate) fn change(&self) {
        self.shared.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many bytes of bodies it has handed to its sockets.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for LyingOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        stream.set_nodelay(true).unwrap();
        let shared = Arc::clone(&shared);
        // A connection that the proxy gives up is the proxy's own business.
        connections.spawn(async move { shared.serve(stream).await.unwrap_or_default() });
    }
}

// === impl Shared ===

impl Shared {
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(asked) = self.read_request(&mut stream).await {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let reply = answer(&self.object(number), &self.lies, &asked, SystemTime::now());
            let is_head = asked.method == "HEAD";
            if reply.write(stream.get_mut(), is_head, &self.sent).await? == Connection::Closed {
                break;
            }
        }
        Ok(())
    }

    /// The version of the object that a request meets.
    fn object(&self, number: usize) -> Object {
        let resized = self.lies.pick(|lie| match lie {
            Lie::ResizedAfter(after, size) => (number >= after).then_some(size),
            _ => None,
        });
        if let Some(size) = resized {
            return self.object.version(1).resized(size);
        }
        let flipped = self.lies.pick(|lie| version(lie, number));
        self.object.version(flipped.unwrap_or(self.changes.load(Ordering::Relaxed)))
    }

    /// `None` at the end of the connection; a request that it cuts short is recorded all the same.
    async fn read_request(&self, stream: &mut BufReader<TcpStream>) -> Option<Seen> {
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => raw.push(byte),
                Err(_) if raw.is_empty() => return None,
                Err(_) => {
                    self.seen().push(Seen::parse(&raw));
                    return None;
                }
            }
        }
        let asked = Seen::parse(&raw);
        self.seen().push(asked.clone());
        Some(asked)
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the version, where a lie says which.
fn version(lie: Lie, number: usize) -> Option<usize> {
    match lie {
        Lie::TagFlips => Some(number),
        Lie::TagFlipsAfter(after) => Some(usize::from(number >= after)),
        _ => None,
    }
}
