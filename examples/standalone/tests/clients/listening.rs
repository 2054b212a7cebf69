//! Where the program listens, and whose word counts about the addresses of clients.

use std::{
    net::{SocketAddr, TcpListener},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::Path,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UnixStream},
};

use crate::proxy::{Proxy, ask, get};

/// Lines of a mount of S3 at this URL.
pub(crate) fn mount(url: &str) -> String {
    format!(
        "[[mount]]\nbucket = \"media\"\nendpoint_url = \"{url}\"\npath_style = true\ncredentials = \"own\"\n[credentials.own]\ntype = \"environment\"\n"
    )
}

/// An address that is free now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A header of the PROXY protocol, version 2, for this client.
fn proxied(client: [u8; 4]) -> Vec<u8> {
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    [&signature[..], &[0x21, 0x11, 0, 12], &client, &[127, 0, 0, 1], &[1, 0, 0, 80]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_place_of_the_file_is_served_and_a_socket_file_goes_with_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (file, socket, other) = (folder.path().join("proxy.toml"), folder.path().join("p.sock"), free());
    let text = |url: &str| {
        format!(
            "[[listen]]\naddress = \"127.0.0.1:0\"\n[[listen]]\naddress = \"{other}\"\n[[listen]]\naddress = \"unix:{}\"\nunix_mode = \"600\"\n{}",
            socket.display(),
            mount(url)
        )
    };
    // What a program left that was killed.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let mut proxy = Proxy::start_from(&file, text).await;
    let request = get("/small.txt");
    for answer in [
        proxy.ask(&request).await,
        ask(TcpStream::connect(other).await.unwrap(), &request).await,
        ask(UnixStream::connect(&socket).await.unwrap(), &request).await,
    ] {
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    }
    let large = ask(UnixStream::connect(&socket).await.unwrap(), &get("/large.bin")).await;
    assert!(large.len() > crate::proxy::LARGE);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    proxy.signal("TERM");
    assert_eq!(proxy.exit().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_file_of_a_running_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("p.sock");
    let address = format!("unix:{}", socket.display());
    let first = Proxy::start(&["--listen", &address]).await;
    let second = output(&address);
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && told.contains("address in use"), "{told}");
    let answer = ask(UnixStream::connect(&socket).await.unwrap(), &get("/ping")).await;
    assert!(answer.ends_with("pong\n"), "{answer}");
    drop(first);
    let is_file = folder.path().join("text");
    std::fs::write(&is_file, "text").unwrap();
    let refused = output(&format!("unix:{}", is_file.display()));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is a file that is no socket"));
    assert_eq!(std::fs::read_to_string(&is_file).unwrap(), "text");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_protocol_names_the_client_that_the_limits_are_for() {
    let flags = ["--proxy-protocol", "--max-connections-per-address", "2", "--first-byte-timeout", "2s"];
    let proxy = Proxy::start(&flags).await;
    let connect = async |client: [u8; 4]| {
        let mut connection = proxy.connect().await;
        connection.write_all(&proxied(client)).await.unwrap();
        connection
    };
    // Both from one address here.
    let mut held = vec![connect([192, 0, 2, 1]).await, connect([192, 0, 2, 1]).await];
    for connection in &mut held {
        connection.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        connection.readable().await.unwrap();
    }
    let third = ask(connect([192, 0, 2, 1]).await, &get("/ping")).await;
    assert_eq!(third, "", "its address has two");
    for _ in 0..4 {
        let other = ask(connect([192, 0, 2, 2]).await, &get("/small.txt")).await;
        assert!(other.ends_with("hello"), "{other}");
    }
    let without = ask(proxy.connect().await, &get("/ping")).await;
    assert_eq!(without, "", "no request is answered without the header");
    let silent = ask(proxy.connect().await, "").await;
    assert_eq!(silent, "", "nor is it waited for");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_proxies_tell_whose_requests_they_bring() {
    let slow = |address: &str| {
        format!(
            "GET /large.bin HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\nConnection: close\r\n\r\n"
        )
    };
    for (trusted, second_is_refused) in [(&["--trusted-proxy", "127.0.0.0/8"][..], false), (&[], true)] {
        let flags = [&["--max-connections-per-address", "1", "--write-timeout", "1h"], trusted].concat();
        let proxy = Proxy::start(&flags).await;
        let mut first = proxy.connect().await;
        first.write_all(slow("192.0.2.1").as_bytes()).await.unwrap();
        first.readable().await.unwrap();
        let other = proxy.ask(&slow("192.0.2.2").replace("large.bin", "small.txt")).await;
        assert_eq!(other.starts_with("HTTP/1.1 503"), second_is_refused, "{trusted:?}: {other}");
        let same = proxy.ask(&slow("198.51.100.1, 192.0.2.1").replace("large.bin", "small.txt")).await;
        assert!(same.starts_with("HTTP/1.1 503"), "{trusted:?}: {same}");
        drop(first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_systemd_hands_over_are_listened_at() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let descriptor = listener.as_raw_fd();
    // As systemd does: the sockets are file 3 and on, and the process is named.
    let script = format!(
        "exec 3<&{descriptor}; export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$; exec {} --listen systemd:web",
        env!("CARGO_BIN_EXE_tower-s3-proxy")
    );
    let folder = tempfile::tempdir().unwrap();
    let notify = folder.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(crate::proxy::BOUND)).unwrap();
    let child = keep_open(&listener, &script, &notify);
    let mut state = [0; 256];
    let length = manager.recv(&mut state).unwrap();
    assert_eq!(&state[..length], b"READY=1\n");
    drop(listener);
    let answer = ask(TcpStream::connect(address).await.unwrap(), &get("/ping")).await;
    assert!(answer.ends_with("pong\n"), "{answer}");
    let id = child.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let length = manager.recv(&mut state).unwrap();
    assert_eq!(&state[..length], b"STOPPING=1\n");
}

/// What comes of a program that is to listen there, and would serve for ever if it could.
fn output(address: &str) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_tower-s3-proxy");
    std::process::Command::new("timeout").args(["10", program, "--listen", address]).output().unwrap()
}

struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a script that inherits the listener.
fn keep_open(listener: &TcpListener, script: &str, notify: &Path) -> Running {
    let inherited = listener.try_clone().unwrap();
    // Without the flag that closes it in other programs.
    socket2::SockRef::from(&inherited).set_cloexec(false).unwrap();
    let script =
        script.replacen(&format!("3<&{}", listener.as_raw_fd()), &format!("3<&{}", inherited.as_raw_fd()), 1);
    let child = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("NOTIFY_SOCKET", notify)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}
