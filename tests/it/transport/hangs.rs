//! Hosts that keep silent: each time-out is hit, and nothing is left behind.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use http::StatusCode;
use http_body_util::BodyExt;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tower::ServiceExt;
use tower_s3_proxy::{Mount, Transport, transport::TransportBuilder};

use super::tls::Authority;
use crate::support::{BUCKET, REGION, bucket, get, once, proxy, read_head};

const LIMIT: Duration = Duration::from_millis(300);

/// Longer than anything here takes: only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

/// In so many reads at a time: each holds a file or two.
const AT_ONCE: usize = 100;

/// Where a host falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hang {
    Connect,
    Tls,
    FirstByte,
    FirstByteByTls,
    Body,
}

const HANGS: [Hang; 5] = [Hang::Connect, Hang::Tls, Hang::FirstByte, Hang::FirstByteByTls, Hang::Body];

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_host_hangs_its_time_out_ends_the_read_and_nothing_is_left() {
    for place in HANGS {
        hang(place, AT_ONCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: the same with a thousand reads of each"]
async fn a_thousand_reads_from_hosts_that_hang_leave_nothing() {
    for place in HANGS {
        hang(place, 1000).await;
    }
}

/// Reads from a host that hangs there. Its own time-out alone is short enough to end them.
async fn hang(place: Hang, reads: usize) {
    let patient = Transport::builder()
        .connect_timeout(LONG)
        .tls_timeout(LONG)
        .response_timeout(LONG)
        .read_timeout(LONG);
    match place {
        Hang::Connect => {
            let hole = BlackHole::dig();
            read_all(place, reads, hole.address, patient.connect_timeout(LIMIT)).await;
        }
        Hang::Tls => {
            let silent = Silent::start(b"").await;
            read_all(place, reads, silent.addr, patient.tls_timeout(LIMIT)).await;
        }
        Hang::FirstByte => {
            let silent = Silent::start(b"").await;
            read_all(place, reads, silent.addr, patient.response_timeout(LIMIT)).await;
        }
        Hang::FirstByteByTls => {
            let (silent, authority) = (Silent::start(b"").await, Authority::new());
            let front = authority.front("s3.test", silent.addr).await;
            let transport = patient.response_timeout(LIMIT).ca_file(&authority.file);
            read_all(place, reads, front.addr, transport).await;
        }
        Hang::Body => {
            let halting = Silent::start(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
            read_all(place, reads, halting.addr, patient.read_timeout(LIMIT)).await;
        }
    }
}

async fn read_all(place: Hang, reads: usize, address: SocketAddr, transport: TransportBuilder) {
    let mount = Mount::builder(bucket(BUCKET)).path_style(true).region(REGION).anonymous();
    let mount = match place {
        Hang::Connect | Hang::FirstByte | Hang::Body => mount.endpoint_url(format!("http://{address}")),
        Hang::Tls | Hang::FirstByteByTls => {
            mount.endpoint_url("https://s3.test").connect_to(address.to_string())
        }
    };
    // A read that is repeated takes several time-outs.
    let service = proxy(once(mount.transport(&transport.build().unwrap())));
    let metrics = Handle::current().metrics();
    let (tasks, sockets) = (metrics.num_alive_tasks(), sockets_to(address));
    let mut times = Vec::new();
    while times.len() < reads {
        let mut under_way = JoinSet::new();
        for number in 0..AT_ONCE.min(reads - times.len()) {
            let service = service.clone();
            under_way.spawn(async move {
                let begun = Instant::now();
                let response = service.oneshot(get(&format!("/{number}"))).await.unwrap();
                let status = response.status();
                let is_whole = response.into_body().collect().await.is_ok();
                ((status, is_whole), begun.elapsed())
            });
        }
        while let Some(ended) = timeout(LONG, under_way.join_next()).await.expect("no read hangs") {
            let (outcome, took) = ended.unwrap();
            let expected = match place {
                Hang::Connect | Hang::Tls => (StatusCode::BAD_GATEWAY, true),
                Hang::FirstByte | Hang::FirstByteByTls => (StatusCode::GATEWAY_TIMEOUT, true),
                Hang::Body => (StatusCode::OK, false),
            };
            assert_eq!(outcome, expected, "{place:?}");
            assert!(took >= LIMIT, "{place:?}: not before the limit, {took:?}");
            times.push(took);
        }
    }
    times.sort();
    println!("{place:?}: {LIMIT:?}, and {reads} reads took {:?} to {:?}", times[0], times[reads - 1]);
    let settled = async {
        while sockets_to(address) > sockets || metrics.num_alive_tasks() > tasks {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let left =
        || format!("{} sockets, {} tasks", sockets_to(address) - sockets, metrics.num_alive_tasks() - tasks);
    assert!(timeout(LONG, settled).await.is_ok(), "{place:?}: left are {}", left());
}

/// The sockets that processes hold towards an address; those of other tests lead elsewhere.
fn sockets_to(address: SocketAddr) -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    let remote = format!("0100007F:{:04X}", address.port());
    let is_held = |line: &&str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns.get(2) == Some(&remote.as_str()) && columns.get(9).is_some_and(|inode| *inode != "0")
    };
    table.lines().filter(is_held).count()
}

/// A server that accepts, reads, and says no more than this for each request.
struct Silent {
    addr: SocketAddr,
    accepting: JoinHandle<()>,
}

// === impl Silent ===

impl Silent {
    async fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(swallow(stream, answer));
            }
        });
        Self { addr, accepting }
    }
}

async fn swallow(mut stream: TcpStream, answer: &[u8]) {
    if !answer.is_empty() && read_head(&mut stream).await.is_some() {
        let _ = stream.write_all(answer).await;
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A port that answers no SYN: as many connections wait there to be accepted as it lets wait.
struct BlackHole {
    address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

// === impl BlackHole ===

impl BlackHole {
    fn dig() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        });
        Self { address: address.as_socket().unwrap(), _waiting: waiting.collect(), _listener: listener }
    }
}
