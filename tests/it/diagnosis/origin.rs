use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// The fields' lines.
    pub(super) head: String,
    pub(super) body: String,
}

/// A server that answers each request as a function says, and remembers it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
}

// === impl Asked ===

impl Asked {
    /// The value of a field; empty if it is absent.
    pub(super) fn field(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

// === impl Origin ===

impl Origin {
    pub(super) async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(Asked) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = String> + Send + 'static,
    {
        let seen = Arc::<Mutex<Vec<Asked>>>::default();
        let shared = Arc::clone(&seen);
        let addr = support::origin(move |_, mut stream| {
            let (answer, seen) = (answer.clone(), Arc::clone(&shared));
            async move {
                while let Some(asked) = read(&mut stream).await {
                    seen.lock().unwrap().push(asked.clone());
                    let is_head = asked.method == "HEAD";
                    let answer = answer(asked).await;
                    let end = if is_head { answer.find("\r\n\r\n").map(|at| at + 4) } else { None };
                    if stream.write_all(&answer.as_bytes()[..end.unwrap_or(answer.len())]).await.is_err() {
                        break;
                    }
                }
            }
        })
        .await;
        Self { addr, seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(super) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let head = support::read_head(stream).await?;
    let mut parts = head.split_whitespace();
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut asked = Asked { method, path, head: head.clone(), body: String::new() };
    let length = asked.field("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}

/// An answer with the right date.
pub(super) fn reply(status: u16, xml: &str) -> String {
    let date = crate::lying::http_date(std::time::SystemTime::now());
    format!("HTTP/1.1 {status} Status\r\ndate: {date}\r\ncontent-length: {}\r\n\r\n{xml}", xml.len())
}

pub(super) fn refuse(status: u16, code: &str, message: &str) -> String {
    let xml =
        format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>R1</RequestId></Error>");
    reply(status, &xml)
}
