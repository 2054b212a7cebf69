//! Slow clients beside others, over sockets.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use tower::{ServiceExt, service_fn};
use tower_s3_proxy::{Cache, S3Proxy, S3ProxyConfig, service::SendBuffer};

use crate::support::{BUCKET, Client, Protocol, get, mount, s3, serve};

/// Longer than anything here takes; only a hang gets there.
const HANG: Duration = Duration::from_secs(60);

const MIB: usize = 1 << 20;

/// In bytes, more than systems take for a client that reads nothing.
const SIZE: usize = 24 * MIB;

/// What a server took of each response: the sum, and the largest piece.
type Taken = Arc<Mutex<HashMap<String, (usize, usize)>>>;

/// A server that notes what it takes.
async fn noting(service: S3Proxy) -> (crate::support::Server, Taken) {
    let taken = Taken::default();
    let noted = Arc::clone(&taken);
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, noted) = (service.clone(), Arc::clone(&noted));
        async move {
            let name = request.uri().query().unwrap_or_default().to_owned();
            let response = service.oneshot(request).await.unwrap();
            Ok::<_, Infallible>(response.map(move |body| {
                body.map_frame(move |frame| {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    let mut noted = noted.lock().unwrap();
                    let (sum, largest) = noted.entry(name.clone()).or_default();
                    *sum += length;
                    *largest = length.max(*largest);
                    frame
                })
            }))
        }
    });
    (serve(Protocol::Http1, service).await, taken)
}

/// A client that sends a request and reads nothing.
async fn silent(addr: SocketAddr, name: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    let request = format!("GET /a?{name} HTTP/1.1\r\nhost: proxy.test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Waits until nothing more is taken.
async fn settled(taken: &Taken, clients: usize) {
    let sum = || taken.lock().unwrap().values().map(|(sum, _)| *sum).sum::<usize>();
    let mut before = 0;
    let settling = async {
        while before == 0 || before != sum() || taken.lock().unwrap().len() < clients {
            before = sum();
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(HANG, settling).await.expect("no hang");
}

#[tokio::test]
async fn clients_that_read_nothing_leave_the_full_pace_to_one_that_reads() {
    const SILENT: usize = 8;
    let s3 = s3().await;
    let object: Bytes = (0..251).cycle().take(SIZE).collect();
    s3.store().put(BUCKET, "a", object.clone());
    let cache = Cache::builder(128 << 20).build().unwrap();
    let mount = mount(&s3).cache(&cache).default_cache_control("max-age=600");
    let buffer = SendBuffer::new(128 * 1024, 4 * MIB).unwrap();
    let service = S3Proxy::new(S3ProxyConfig::from(mount.build().unwrap()).send_buffer(buffer));
    let (server, taken) = noting(service).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let largest = |name: &str| taken.lock().unwrap()[name].1;
    assert!(client.ask(get("/a?first")).await.body == object);
    let mut silent_ones = Vec::new();
    for n in 0..SILENT {
        silent_ones.push(silent(server.addr, &format!("silent-{n}")).await);
    }
    settled(&taken, SILENT + 1).await;
    assert!(client.ask(get("/a?beside")).await.body == object);
    assert!(largest("first") > 60 * 1024, "{}", largest("first"));
    assert!(largest("beside") > 60 * 1024, "{}", largest("beside"));
}
