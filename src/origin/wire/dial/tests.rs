use std::net::Ipv4Addr;

use socket2::SockRef;
use tokio::net::TcpListener;

use super::*;

/// Longer than anything here takes: only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

fn settings(connect_timeout: Duration) -> DialSettings {
    DialSettings {
        connect_timeout,
        tcp_keep_alive: Duration::from_secs(45),
        tcp_user_timeout: Duration::from_secs(25),
    }
}

fn dialer(addresses: &[SocketAddr], connect_timeout: Duration) -> Dialer {
    let dialer = Dialer::new(("s3.test", 443), None, settings(connect_timeout), Arc::default());
    dialer.knowing(addresses.to_vec())
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn tcp(line: &Line) -> &TcpStream {
    match &line.io {
        LineIo::Tcp(tcp) => tcp,
        LineIo::Tls(tls) => tls.get_ref().0,
    }
}

/// An address that refuses.
async fn closed() -> SocketAddr {
    listener().await.1
}

#[tokio::test]
async fn an_address_that_swallows_packets_costs_its_head_start_once() {
    let hole = BlackHole::dig();
    let (_listener, good) = listener().await;
    // Which of two addresses is tried first is left to chance.
    for round in 0..64 {
        let dialer = dialer(&[hole.address, good], LONG);
        let begun = Instant::now();
        assert_eq!(dialer.connect().await.unwrap().peer, good, "round {round}");
        assert!(begun.elapsed() < LONG / 4, "it is not waited for: {:?}", begun.elapsed());
        if dialer.avoids(&hole.address) {
            for _ in 0..8 {
                assert_eq!(dialer.in_order(vec![hole.address, good]), [good, hole.address]);
            }
            return;
        }
    }
    panic!("it was never tried first, or is not remembered");
}

#[tokio::test]
async fn an_address_that_refuses_costs_nothing_and_is_avoided() {
    let (dead, (_listener, good)) = (closed().await, listener().await);
    for _ in 0..64 {
        let dialer = dialer(&[dead, good], LONG);
        assert_eq!(dialer.connect().await.unwrap().peer, good);
        if dialer.avoids(&dead) {
            return;
        }
    }
    panic!("it was never tried first, or is not remembered");
}

#[tokio::test]
async fn what_is_to_be_avoided_is_tried_all_the_same_if_there_is_nothing_else() {
    let (_listener, good) = listener().await;
    let dialer = dialer(&[good], LONG);
    dialer.avoid(good);
    assert_eq!(dialer.connect().await.unwrap().peer, good);
}

#[tokio::test]
async fn the_error_says_what_was_tried() {
    let (hole, other, dead) = (BlackHole::dig(), BlackHole::dig(), closed().await);
    let brief = Duration::from_millis(300);
    for (addresses, message) in [
        (vec![], "the host has no address".to_owned()),
        (vec![dead], format!("{dead} can't be reached")),
        (vec![hole.address], format!("timed out: {} did not answer in 300ms", hole.address)),
        (vec![hole.address, other.address], "timed out: none of 2 addresses answered in 300ms".to_owned()),
    ] {
        let dialer = dialer(&addresses, brief);
        let why = dialer.connect().await.err().unwrap().to_string();
        assert!(why.starts_with(&message), "{why}");
        assert!(
            addresses.iter().all(|address| dialer.avoids(address)),
            "all of them are avoided: {addresses:?}"
        );
    }
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let (_listener, good) = listener().await;
    for (host, connects) in [("localhost", true), ("127.0.0.1", true), ("host.invalid", false)] {
        let dialer = Dialer::new((host, good.port()), None, settings(LONG), Arc::default());
        match dialer.connect().await {
            Ok(line) => assert!(connects && line.peer == good, "{host}"),
            Err(why) => assert!(!connects && matches!(why, DialError::LookUp(_)), "{host}: {why}"),
        }
    }
}

#[tokio::test]
async fn the_options_of_tcp_are_set() {
    let (_listener, good) = listener().await;
    let line = dialer(&[good], LONG).connect().await.unwrap();
    let socket = SockRef::from(tcp(&line));
    assert!(tcp(&line).nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        let second = Duration::from_secs;
        assert_eq!(socket.tcp_keepalive_time().unwrap(), second(45));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), second(45));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(second(25)));
    }
    let off = DialSettings { tcp_keep_alive: Duration::ZERO, ..settings(LONG) };
    let dialer = Dialer::new(("s3.test", 443), None, off, Arc::default()).knowing(vec![good]);
    assert!(!SockRef::from(tcp(&dialer.connect().await.unwrap())).keepalive().unwrap());
}

/// A port that answers no SYN: as many connections wait there to be accepted as it lets wait.
struct BlackHole {
    address: SocketAddr,
    _listener: socket2::Socket,
    _waiting: Vec<socket2::Socket>,
}

// === impl BlackHole ===

impl BlackHole {
    fn dig() -> Self {
        use socket2::{Domain, Socket, Type};

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
