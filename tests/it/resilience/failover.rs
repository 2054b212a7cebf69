//! A bucket that goes away under load and comes back, again and again: its replica answers meanwhile.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use socket2::{Domain, Socket, Type};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower_s3_proxy::{S3Proxy, Transport, resilience::Replica};

use super::{
    origin::{Break, Fate, Faulty, noise},
    replica::hasty,
};
use crate::support::{Client, Protocol, get, mount_at, serve};

/// How long S3 can be silent.
const LIMIT: Duration = Duration::from_secs(1);

/// Longer than anything here takes: only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

/// In bytes: more than fits into the buffers between S3 and a client, so that outages find bodies on their way.
const OBJECT: usize = 1_000_000;

/// How a bucket is gone.
#[derive(Debug, Clone, Copy)]
enum Outage {
    /// Its host refuses connections, and has dropped those that were open.
    Refusing,
    /// It answers 503.
    Failing,
    /// Nothing comes from its host any more, in the middle of bodies too.
    Silent,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_fails_while_a_bucket_goes_away_and_comes_back() {
    go_away_and_come_back(8, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: the same with more readers, and many more outages"]
async fn no_read_fails_while_a_bucket_goes_away_and_comes_back_for_minutes() {
    go_away_and_come_back(32, 20).await;
}

async fn go_away_and_come_back(readers: usize, rounds: usize) {
    let object = noise(OBJECT, 8);
    let mut own = Own::start(object.clone()).await;
    let second = Faulty::start(object.clone(), |_, _| Fate::Served).await;
    let transport = Transport::builder().response_timeout(LIMIT).read_timeout(LIMIT).build().unwrap();
    let replica = Replica::new(second.mount().build().unwrap());
    let mount = hasty(mount_at(own.addr)).transport(&transport).replica(replica).build().unwrap();
    let proxy = serve(Protocol::Http1, S3Proxy::new(mount.clone())).await;
    let load = Load::start(proxy.addr, readers, &object);
    let failed_over = || mount.origin().failed_over;
    for round in 0..rounds {
        for outage in [Outage::Refusing, Outage::Failing, Outage::Silent] {
            let before = failed_over();
            own.goes_away(outage, readers / 2);
            load.reads(readers * 8).await;
            assert!(failed_over() > before, "{outage:?} {round}: the replica answers");
            own.comes_back().await;
            // The next probe finds it; reads that the replica has begun to answer end meanwhile.
            let returns = async {
                loop {
                    let (before, asked) = (failed_over(), own.asked());
                    load.reads(readers * 4).await;
                    if failed_over() == before {
                        break own.asked() - asked;
                    }
                }
            };
            let asked = timeout(HANG, returns).await.expect("the bucket is asked again");
            assert!(asked >= readers, "{outage:?} {round}: the bucket answers again, {asked}");
        }
    }
    let (reads, failures) = load.end().await;
    println!("{reads} reads: {:?}", mount.origin());
    assert!(failures.is_empty(), "{} of {reads} failed: {:?}", failures.len(), &failures[0]);
}

/// The server of the own bucket, at one address.
struct Own {
    addr: SocketAddr,
    object: Bytes,
    /// Keeps the port for this server while it is gone: a socket that does not listen refuses connections.
    _reserved: Socket,
    serving: Option<Faulty>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    outage: Mutex<Option<Outage>>,
    asked: AtomicUsize,
    /// Of so many requests more the body begins.
    fading: AtomicUsize,
}

// === impl Own ===

impl Own {
    async fn start(object: Bytes) -> Self {
        let reserved = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let addr = reserved.local_addr().unwrap().as_socket().unwrap();
        let mut own = Self { addr, object, _reserved: reserved, serving: None, state: Arc::default() };
        own.comes_back().await;
        own
    }

    fn goes_away(&mut self, outage: Outage, fading: usize) {
        self.state.fading.store(fading, Ordering::Relaxed);
        *self.state.outage.lock().unwrap() = Some(outage);
        match outage {
            Outage::Refusing => self.serving = None,
            Outage::Failing | Outage::Silent => {}
        }
    }

    async fn comes_back(&mut self) {
        *self.state.outage.lock().unwrap() = None;
        if self.serving.is_none() {
            let socket = socket(self.addr);
            socket.listen(1024).unwrap();
            let listener = TcpListener::from_std(socket.into()).unwrap();
            let state = Arc::clone(&self.state);
            let object = self.object.clone();
            self.serving = Some(Faulty::on(listener, object, move |_, _| state.fate()));
        }
    }

    /// The requests that it was able to answer.
    fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }
}

fn socket(addr: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&addr.into()).unwrap();
    socket
}

// === impl State ===

impl State {
    fn fate(&self) -> Fate {
        match *self.outage.lock().unwrap() {
            None | Some(Outage::Refusing) => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                Fate::Served
            }
            Some(Outage::Failing) => Fate::Refused(503, "SlowDown"),
            Some(Outage::Silent) => {
                let one_less = |left: usize| left.checked_sub(1);
                match self.fading.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
                    Ok(_) => Fate::Broken(OBJECT as u64 / 2, Break::Silence),
                    Err(_) => Fate::Silent,
                }
            }
        }
    }
}

/// Clients that read one object after the other.
struct Load {
    ended: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    reading: JoinSet<()>,
}

// === impl Load ===

impl Load {
    fn start(addr: SocketAddr, readers: usize, object: &Bytes) -> Self {
        let mut load = Self { ended: Arc::default(), failures: Arc::default(), reading: JoinSet::new() };
        for reader in 0..readers {
            let (ended, failures) = (Arc::clone(&load.ended), Arc::clone(&load.failures));
            let object = object.clone();
            load.reading.spawn(async move {
                let mut client = Client::connect(Protocol::Http1, addr).await;
                for number in 0.. {
                    let path = format!("/{reader}-{number}");
                    if let Err(why) = read(&mut client, &path, &object).await {
                        failures.lock().unwrap().push(format!("{path}: {why}"));
                        client = Client::connect(Protocol::Http1, addr).await;
                    }
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        load
    }

    /// Waits until so many reads more have ended.
    async fn reads(&self, more: usize) {
        let until = self.ended.load(Ordering::Relaxed) + more;
        let reads = async {
            while self.ended.load(Ordering::Relaxed) < until {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(HANG, reads).await.expect("no read hangs");
    }

    /// The number of reads, and those that failed.
    async fn end(mut self) -> (usize, Vec<String>) {
        self.reading.shutdown().await;
        let failures = std::mem::take(&mut *self.failures.lock().unwrap());
        (self.ended.load(Ordering::Relaxed), failures)
    }
}

async fn read(client: &mut Client, path: &str, object: &Bytes) -> Result<(), String> {
    let response = client.send(get(path)).await.map_err(|why| why.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|why| why.to_string())?.to_bytes();
    match status == StatusCode::OK && body == object {
        true => Ok(()),
        false => Err(format!("{status}, {} bytes", body.len())),
    }
}
