use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use demo_s3::DemoS3;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time,
};

/// The program, in front of a bucket with `small.txt`, `medium.bin` and `large.bin`, until it is dropped.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Of a log that nobody reads.
    _stderr: Option<ChildStderr>,
    s3: DemoS3,
}

/// What becomes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogReader {
    Reads,
    /// Holds the pipe and does not read.
    Stalls,
    /// Has closed the pipe.
    IsGone,
}

/// Of the bucket.
pub(crate) const KEYS: (&str, &str) = ("AKIDREADER", "a-secret");

/// Of the admin interface.
pub(crate) const ADMIN_TOKEN: &str = "a-token-that-nobody-guesses";

/// More than both ends of a connection hold.
pub(crate) const LARGE: usize = 24 * 1024 * 1024;

/// More than the end of a response that is sent with its last bytes.
pub(crate) const MEDIUM: usize = 40 * 1024;

/// Longer than anything takes here that happens at all.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

impl Proxy {
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy")), LogReader::Reads, flags).await
    }

    /// In front of another S3.
    pub(crate) async fn start_before(s3: SocketAddr, flags: &[&str]) -> Self {
        let connect_to = s3.to_string();
        Self::start(&[&["--connect-to", connect_to.as_str()], flags].concat()).await
    }

    /// Logs everything.
    pub(crate) async fn start_with_log(reader: LogReader, flags: &[&str]) -> Self {
        Self::start_with_env(&[], reader, flags).await
    }

    /// Logs everything, with these variables too, like `NAME=value`.
    pub(crate) async fn start_with_env(variables: &[&str], reader: LogReader, flags: &[&str]) -> Self {
        let mut env = Command::new("env");
        env.arg("RUST_LOG=trace").args(variables).arg(env!("CARGO_BIN_EXE_tower-s3-proxy"));
        Self::start_by(env, reader, flags).await
    }

    /// With this limit of open files, soft and hard.
    pub(crate) async fn start_with_files(files: u32, flags: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_tower-s3-proxy")]);
        Self::start_by(shell, LogReader::Reads, flags).await
    }

    /// With a file whose text this gives for the URL of S3, and that can be written anew. Its first address is of TCP.
    pub(crate) async fn start_from(file: &Path, text: impl FnOnce(&str) -> String) -> Self {
        let s3 = s3().await;
        std::fs::write(file, text(&s3.endpoint())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
        command.arg("--config").arg(file);
        Self::run(command, LogReader::Reads, s3).await
    }

    pub(crate) fn s3(&self) -> &DemoS3 {
        &self.s3
    }

    async fn start_by(mut command: Command, reader: LogReader, flags: &[&str]) -> Self {
        let s3 = s3().await;
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--bucket",
            "media",
            "--path-style",
            "--region",
            "us-east-1",
        ]);
        command.args(["--endpoint", &s3.endpoint()]).args(flags);
        Self::run(command, reader, s3).await
    }

    async fn run(mut command: Command, reader: LogReader, s3: DemoS3) -> Self {
        let (key, secret) = KEYS;
        command.env_clear().envs([
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("CACHE_ADMIN_TOKEN", ADMIN_TOKEN),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, lines) = (child.stderr.take(), Arc::clone(&log));
        match reader {
            LogReader::Reads => {
                let mut stderr = stderr.take().unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                        lines.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
                    }
                });
            }
            LogReader::Stalls => {}
            LogReader::IsGone => drop(stderr.take()),
        }
        let stdout = child.stdout.take().unwrap();
        let mut greeting = String::new();
        BufReader::new(stdout).read_line(&mut greeting).unwrap();
        let address = greeting.trim().rsplit_once("://").map(|(_, address)| address.parse().unwrap());
        let address = address.unwrap_or_else(|| panic!("{greeting}{}", log.lock().unwrap()));
        Self { child, address, log, _stderr: stderr, s3 }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        time::timeout(BOUND, TcpStream::connect(self.address)).await.expect("a connection").unwrap()
    }

    /// A connection of another address of this machine.
    pub(crate) async fn connect_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        time::timeout(BOUND, socket.connect(self.address)).await.expect("a connection").unwrap()
    }

    /// The answer to this request on a connection of its own, which may be cut off.
    pub(crate) async fn ask(&self, request: &str) -> String {
        ask(self.connect().await, request).await
    }

    /// Waits until `/ping` is answered on a new connection of another address.
    pub(crate) async fn ping(&self) -> String {
        ask(self.connect_from([127, 0, 0, 9]).await, &get("/ping")).await
    }

    /// All that was logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for text in the log.
    pub(crate) async fn logs(&self, text: &str) {
        let logged = time::timeout(BOUND, async {
            while !self.log.lock().unwrap().contains(text) {
                time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(logged.await.is_ok(), "no {text:?} in the log:\n{}", self.log.lock().unwrap());
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let exited = time::timeout(BOUND, async {
            loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => return status,
                    None => time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        exited.await.expect("the end of the process")
    }
}

async fn s3() -> DemoS3 {
    let (key, secret) = KEYS;
    let s3 = DemoS3::builder().bucket("media").credentials(key, secret).start().await.unwrap();
    s3.store().put("media", "small.txt", Bytes::from_static(b"hello"));
    s3.store().put("media", "medium.bin", Bytes::from(vec![7; MEDIUM]));
    s3.store().put("media", "large.bin", Bytes::from(vec![7; LARGE]));
    s3
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request whose connection is closed after its answer.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n")
}

/// What comes back, until the connection ends or nothing comes for long.
pub(crate) async fn ask(mut connection: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let mut answer = Vec::new();
    let asked = time::timeout(BOUND, async {
        let _ = connection.write_all(request.as_bytes()).await;
        let _ = connection.read_to_end(&mut answer).await;
    });
    let outcome = asked.await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match outcome {
        Ok(()) => answer,
        Err(_) => format!("[no end within {BOUND:?}] {answer}"),
    }
}

/// A client that speaks HTTP/2, with windows of this size for each response; and what drives its connection.
pub(crate) async fn http2(
    connection: TcpStream,
    window: u32,
) -> (h2::client::SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let (client, connection) = http2_undriven(connection, window).await;
    (client, tokio::spawn(connection))
}

pub(crate) async fn http2_undriven(
    connection: TcpStream,
    window: u32,
) -> (h2::client::SendRequest<Bytes>, h2::client::Connection<TcpStream>) {
    h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1 << 20)
        .handshake(connection)
        .await
        .unwrap()
}

pub(crate) fn http2_get(path: &str) -> http::request::Builder {
    http::Request::get(format!("http://proxy.test{path}"))
}
