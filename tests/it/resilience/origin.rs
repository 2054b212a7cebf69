//! An origin with one object, which does with each request what a script says.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::sleep,
};
use tower_s3_proxy::MountBuilder;

use crate::support::{mount_at, read_head};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Served,
    /// The body breaks off after so many bytes, in this way.
    Broken(u64, Break),
    /// An error document.
    Refused(u16, &'static str),
    /// The same, with `Retry-After` in seconds.
    RetryAfter(u16, &'static str, u64),
    /// The connection is reset in place of a response.
    Reset,
    /// There is no response, and no end.
    Silent,
    /// The object, after a while.
    Late(Duration),
    /// 501 if the request has `If-Match`, else the object.
    NoIfMatch,
    /// The object, whatever the request's `If-Match` says.
    IgnoresIfMatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// The connection is reset.
    Reset,
    /// The connection is closed.
    Fin,
    /// Of a part: chunks, whose end comes early.
    Short,
    /// Nothing more comes.
    Silence,
}

pub(super) const BREAKS: [Break; 4] = [Break::Reset, Break::Fin, Break::Short, Break::Silence];

pub(super) struct Faulty {
    pub(super) addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// What becomes of a request with this number and this head.
type Script = dyn Fn(usize, &str) -> Fate + Send + Sync;

struct Shared {
    script: Box<Script>,
    object: Mutex<(Bytes, usize)>,
    asked: Mutex<Vec<String>>,
    open: AtomicUsize,
}

// === impl Faulty ===

impl Faulty {
    /// `script` is told the number of the request, from 0, and its head.
    pub(super) async fn start(
        object: Bytes,
        script: impl Fn(usize, &str) -> Fate + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), object, script)
    }

    pub(super) fn on(
        listener: TcpListener,
        object: Bytes,
        script: impl Fn(usize, &str) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            object: Mutex::new((object, 1)),
            asked: Mutex::default(),
            open: AtomicUsize::new(0),
        });
        let same = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&same);
                connections.spawn(async move {
                    shared.open.fetch_add(1, Ordering::Relaxed);
                    let _ = shared.serve(stream).await;
                    shared.open.fetch_sub(1, Ordering::Relaxed);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { addr, shared, accepting: accepting.abort_handle() }
    }

    pub(super) fn mount(&self) -> MountBuilder {
        mount_at(self.addr)
    }

    /// The heads of the requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Puts another state in the place of the object.
    pub(super) fn put(&self, object: Bytes) {
        let mut kept = self.shared.object.lock().unwrap();
        *kept = (object, kept.1 + 1);
    }

    /// The connections that are open.
    pub(super) fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

// === impl Shared ===

impl Shared {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        while let Some(head) = read_head(&mut stream).await {
            let number = {
                let mut asked = self.asked.lock().unwrap();
                asked.push(head.clone());
                asked.len() - 1
            };
            match (self.script)(number, &head) {
                Fate::Served => drop(self.answer(&mut stream, &head, None).await?),
                Fate::IgnoresIfMatch => {
                    let head = head.replace("if-match", "x-ignored");
                    let _ = self.answer(&mut stream, &head, None).await?;
                }
                Fate::NoIfMatch if field(&head, "if-match").is_none() => {
                    let _ = self.answer(&mut stream, &head, None).await?;
                }
                Fate::NoIfMatch => refuse(&mut stream, 501, "NotImplemented", None).await?,
                Fate::Broken(after, how) => {
                    let is_whole = self.answer(&mut stream, &head, Some((after, how))).await?;
                    if !is_whole {
                        return end(stream, how).await;
                    }
                }
                Fate::Refused(status, code) => refuse(&mut stream, status, code, None).await?,
                Fate::RetryAfter(status, code, secs) => refuse(&mut stream, status, code, Some(secs)).await?,
                Fate::Late(by) => {
                    sleep(by).await;
                    let _ = self.answer(&mut stream, &head, None).await?;
                }
                Fate::Reset => return end(stream, Break::Reset).await,
                Fate::Silent => return end(stream, Break::Silence).await,
            }
        }
        Ok(())
    }

    /// Whether it was sent whole.
    async fn answer(
        &self,
        stream: &mut TcpStream,
        head: &str,
        broken: Option<(u64, Break)>,
    ) -> io::Result<bool> {
        let (object, version) = self.object.lock().unwrap().clone();
        let tag = format!("\"v{version}\"");
        if field(head, "if-match").is_some_and(|wanted| wanted != tag) {
            refuse(stream, 412, "PreconditionFailed", None).await?;
            return Ok(true);
        }
        let total = object.len();
        let range = field(head, "range").map(|range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let last = last.parse().unwrap_or(total - 1).min(total - 1);
            (first.parse::<usize>().unwrap(), last)
        });
        let (status, first, last) = match range {
            Some((first, last)) => ("206 Partial Content", first, last),
            None => ("200 OK", 0, total - 1),
        };
        let body = object.slice(first..=last);
        let mut answer = format!("HTTP/1.1 {status}\r\netag: {tag}\r\ncache-control: max-age=60\r\n");
        if range.is_some() {
            answer += &format!("content-range: bytes {first}-{last}/{total}\r\n");
        }
        // Of a part, Content-Range tells the length. Of the whole, nothing would.
        let is_chunked = range.is_some() && matches!(broken, Some((_, Break::Short)));
        match is_chunked {
            true => answer += "transfer-encoding: chunked\r\n\r\n",
            false => answer += &format!("content-length: {}\r\n\r\n", body.len()),
        }
        stream.write_all(answer.as_bytes()).await?;
        if head.starts_with("HEAD") {
            return Ok(true);
        }
        let sent = broken.map_or(body.len(), |(after, _)| usize::try_from(after).unwrap().min(body.len()));
        let sent = &body[..sent];
        if is_chunked {
            for chunk in sent.chunks(60_000) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                stream.write_all(chunk).await?;
                stream.write_all(b"\r\n").await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
            return Ok(sent.len() == body.len());
        }
        stream.write_all(sent).await?;
        Ok(sent.len() == body.len())
    }
}

async fn end(stream: TcpStream, how: Break) -> io::Result<()> {
    match how {
        Break::Reset => {
            // What was written gets there first.
            sleep(Duration::from_millis(5)).await;
            stream.set_zero_linger()
        }
        Break::Fin | Break::Short => Ok(()),
        Break::Silence => {
            let mut stream = stream;
            while read_head(&mut stream).await.is_some() {}
            Ok(())
        }
    }
}

async fn refuse(stream: &mut TcpStream, status: u16, code: &str, retry_after: Option<u64>) -> io::Result<()> {
    let body = format!("<Error><Code>{code}</Code></Error>");
    let retry_after = retry_after.map(|secs| format!("retry-after: {secs}\r\n")).unwrap_or_default();
    let head = format!("HTTP/1.1 {status} Some\r\n{retry_after}content-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await
}

/// A field of a request.
pub(super) fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

pub(super) fn noise(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}
