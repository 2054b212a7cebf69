//! Hosts that keep silent: each time-out is hit, and nothing is left behind.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use http::StatusCode;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tower_s3_proxy::{Mount, Transport, transport::TransportBuilder};

use super::tls::Authority;
use crate::support::{BUCKET, REGION, ask, bucket, get, proxy};

const LIMIT: Duration = Duration::from_millis(300);

/// Longer than anything here takes: only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

const REQUESTS: usize = 100;

/// Where a host falls silent.
#[derive(Debug, Clone, Copy)]
enum Hang {
    Connect,
    Tls,
    FirstByte,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_connect_times_out() {
    let hole = BlackHole::dig();
    let transport = Transport::builder().connect_timeout(LIMIT).tls_timeout(LONG).response_timeout(LONG);
    hang(Hang::Connect, hole.address, transport, StatusCode::BAD_GATEWAY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_end_the_tls_handshake_times_out() {
    let silent = Silent::start().await;
    let transport = Transport::builder().connect_timeout(LONG).tls_timeout(LIMIT).response_timeout(LONG);
    hang(Hang::Tls, silent.addr, transport, StatusCode::BAD_GATEWAY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_begin_its_answer_times_out() {
    let silent = Silent::start().await;
    let authority = Authority::new();
    let by_tls = authority.front("s3.test", silent.addr).await;
    let limits = || Transport::builder().connect_timeout(LONG).tls_timeout(LONG).response_timeout(LIMIT);
    hang(Hang::FirstByte, silent.addr, limits(), StatusCode::GATEWAY_TIMEOUT).await;
    hang(Hang::Tls, by_tls.addr, limits().ca_file(&authority.file), StatusCode::GATEWAY_TIMEOUT).await;
}

async fn hang(place: Hang, address: SocketAddr, transport: TransportBuilder, status: StatusCode) {
    let mount = Mount::builder(bucket(BUCKET)).path_style(true).region(REGION).anonymous();
    let mount = match place {
        Hang::Connect | Hang::FirstByte => mount.endpoint_url(format!("http://{address}")),
        Hang::Tls => mount.endpoint_url("https://s3.test").connect_to(address.to_string()),
    };
    let service = proxy(mount.transport(&transport.build().unwrap()));
    let metrics = Handle::current().metrics();
    let (tasks, sockets) = (metrics.num_alive_tasks(), sockets_to(address));
    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let service = service.clone();
        requests.spawn(async move {
            let begun = Instant::now();
            (ask(&service, get(&format!("/{number}"))).await.status, begun.elapsed())
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = timeout(LONG, requests.join_next()).await.expect("no request hangs") {
        let (answered, took) = ended.unwrap();
        assert_eq!(answered, status, "{place:?}");
        assert!(took >= LIMIT, "{place:?}: not before the limit, {took:?}");
        times.push(took);
    }
    times.sort();
    println!(
        "{place:?}: {LIMIT:?}, and {REQUESTS} requests took {:?} to {:?}",
        times[0],
        times[REQUESTS - 1]
    );
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

/// A server that accepts, reads, and says nothing.
struct Silent {
    addr: SocketAddr,
    accepting: JoinHandle<()>,
}

// === impl Silent ===

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(swallow(stream));
            }
        });
        Self { addr, accepting }
    }
}

async fn swallow(mut stream: TcpStream) {
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
