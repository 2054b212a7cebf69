//! Presigned URLs that were made for S3's host, and lead to the proxy.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use demo_s3::DemoS3;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_s3_proxy::{
    BucketName, Cache, Cors, Mount, MountBuilder, ProxyErrorKind, Transport,
    access::{Access, Authorizer, Denial},
    presigned::{LinkAnswers, PresignedRequests, UnsignedRequests},
};

use crate::support::{
    Answer, BUCKET, Protocol, REGION, Server, ask, get, keys, mount, origin, proxy, read_head, request, s3,
    serve,
};

/// A link for the server at `host`, as an SDK makes it.
struct Maker<'a> {
    host: &'a str,
    region: &'a str,
    expires_in: Duration,
    at: SystemTime,
}

// === impl Maker ===

impl<'a> Maker<'a> {
    fn new(host: &'a str) -> Self {
        Self { host, region: REGION, expires_in: Duration::from_secs(900), at: SystemTime::now() }
    }

    /// The path and query.
    fn link(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let identity = Identity::from(keys());
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.expires_in = Some(self.expires_in);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("s3")
            .time(self.at)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("http://{}{path}", self.host);
        let signable =
            SignableRequest::new(method, &uri, fields.iter().copied(), SignableBody::UnsignedPayload)
                .unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let mut link = path.to_owned();
        for (name, value) in instructions.params() {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            link.push(if link.contains('?') { '&' } else { '?' });
            link.push_str(&format!("{name}={value}"));
        }
        link
    }
}

fn read_and_write() -> PresignedRequests {
    PresignedRequests::new().allow_writes(true).unsigned(UnsignedRequests::Refused)
}

/// A mount that signs nothing itself.
fn signs_nothing(s3: &DemoS3) -> MountBuilder {
    Mount::builder(BucketName::parse(BUCKET).unwrap())
        .endpoint_url(s3.endpoint())
        .path_style(true)
        .region(REGION)
        .presigned(read_and_write())
}

async fn send(protocol: Protocol, server: &Server, mut request: Request<Full<Bytes>>) -> Answer {
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let response = match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            request.headers_mut().insert("host", "proxy.test".parse().unwrap());
            sender.send_request(request).await
        }
        Protocol::Http2 => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            *request.uri_mut() = format!("http://proxy.test{}", request.uri()).parse().unwrap();
            sender.send_request(request).await
        }
    };
    Answer::read(response.unwrap()).await
}

fn with_body(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).body(Full::new(body.into())).unwrap()
}

/// The host and port of a server, as a client of it names them.
fn host_of(s3: &DemoS3) -> String {
    s3.addr().to_string()
}

#[tokio::test]
async fn links_for_s3_do_here_what_they_do_there() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let s3 = s3().await;
        let host = host_of(&s3);
        let maker = Maker::new(&host);
        let server = serve(protocol, proxy(signs_nothing(&s3))).await;
        let whole = Bytes::from(vec![7; 6 << 20]);
        let send = |method: &'static str, path: String, body: Bytes| {
            let (server, maker) = (&server, &maker);
            async move { send(protocol, server, with_body(method, &maker.link(method, &path, &[]), body)).await }
        };
        let key = "/media/a%20b/%C3%BC%2B.bin".to_owned();
        let put = send("PUT", key.clone(), whole.clone()).await;
        assert_eq!(put.status, 200, "{protocol:?} {}", put.text());
        let tag = put.header("etag").to_owned();
        let got = send("GET", format!("{key}?response-content-type=text%2Fplain"), Bytes::new()).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "text/plain"));
        assert_eq!((got.body == whole, got.header("etag")), (true, tag.as_str()));
        let head = send("HEAD", key.clone(), Bytes::new()).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "6291456"));

        let created = send("POST", format!("{key}?uploads"), Bytes::new()).await;
        let id = created.text().split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let mut parts = String::new();
        for number in 1..=2 {
            let part = send("PUT", format!("{key}?partNumber={number}&uploadId={id}"), whole.clone()).await;
            assert_eq!(part.status, 200, "{}", part.text());
            let tag = part.header("etag");
            parts.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
        }
        let parts = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let completed = send("POST", format!("{key}?uploadId={id}"), parts.into()).await;
        assert_eq!(completed.status, 200, "{}", completed.text());
        let head = send("HEAD", key.clone(), Bytes::new()).await;
        assert_eq!(head.header("content-length"), "12582912");

        assert_eq!(send("DELETE", key.clone(), Bytes::new()).await.status, 204);
        assert_eq!(send("GET", key.clone(), Bytes::new()).await.status, 404);
    }
}

#[tokio::test]
async fn a_range_of_a_link_is_a_range() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", vec![1; 1000].into());
    let host = host_of(&s3);
    let link = Maker::new(&host).link("GET", "/media/a", &[]);
    let service = proxy(signs_nothing(&s3));
    let part = ask(&service, request("GET", &link, &[("range", "bytes=0-9")])).await;
    assert_eq!((part.status.as_u16(), part.header("content-range")), (206, "bytes 0-9/1000"));
    let unchanged = ask(&service, request("GET", &link, &[("if-none-match", "*")])).await;
    assert_eq!(unchanged.status, 304);
}

/// What S3 says of a signature is for the maker of the link.
#[tokio::test]
async fn s3_refuses_what_was_tampered_with_and_its_words_reach_the_client() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "x".into());
    let host = host_of(&s3);
    let link = Maker::new(&host).link("GET", "/media/a", &[]);
    let service = proxy(signs_nothing(&s3));
    let other_key = link.replace("/media/a?", "/media/b?");
    for (method, link) in [("GET", other_key.as_str()), ("HEAD", &link), ("DELETE", &link)] {
        let answer = ask(&service, request(method, link, &[])).await;
        assert_eq!(answer.status, 403, "{method} {link}");
        assert!(
            method == "HEAD" || answer.text().contains("<Code>SignatureDoesNotMatch</Code>"),
            "{}",
            answer.text()
        );
    }
}

/// What a scripted origin was sent.
#[derive(Debug, Clone, Default)]
struct Recorded {
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

// === impl Recorded ===

impl Recorded {
    /// An origin that answers everything with this head, and its address.
    async fn origin(&self, answer: &'static str) -> std::net::SocketAddr {
        let recorded = self.clone();
        origin(move |_, mut stream| {
            let recorded = recorded.clone();
            async move {
                recorded.connections.fetch_add(1, Ordering::Relaxed);
                while let Some(head) = read_head(&mut stream).await {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                    stream.read_exact(&mut body).await.unwrap();
                    recorded.heads.lock().unwrap().push(head);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        })
        .await
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

const EMPTY: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-amz-request-id: 1\r\nkeep-alive: timeout=5\r\n\r\n";

fn at(address: std::net::SocketAddr) -> MountBuilder {
    Mount::builder(BucketName::parse(BUCKET).unwrap())
        .endpoint_url(format!("http://{address}"))
        .path_style(true)
        .region(REGION)
        .presigned(read_and_write())
}

/// Of version 2; a server that records does not check it.
const V2: &str = "AWSAccessKeyId=AKID&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=4102444799";

#[tokio::test]
async fn path_query_and_host_go_on_as_they_were_signed_and_nothing_is_signed_again() {
    let recorded = Recorded::default();
    let address = recorded.origin(EMPTY).await;
    let host = address.to_string();
    let paths = [
        "/media/a//b",
        "/media/a%2fb%2B%c3%bc",
        "/media/%61?x-id=GetObject&response-content-type=a%2Fb",
        "/media/a+b",
    ];
    let service = proxy(at(address));
    for path in paths {
        let link = Maker::new(&host).link("GET", path, &[]);
        for link in [link, format!("{path}{}{V2}", if path.contains('?') { '&' } else { '?' })] {
            let fields = [
                ("cookie", "session=1"),
                ("authorization", "Basic eA=="),
                ("x-amz-meta-a", "b"),
                ("range", "bytes=0-1"),
            ];
            let answer = ask(&service, request("GET", &link, &fields)).await;
            assert_eq!(answer.status, 200, "{link}");
            assert_eq!((answer.header("x-amz-request-id"), answer.header("keep-alive")), ("1", ""));
            let head = recorded.heads().pop().unwrap();
            assert!(head.starts_with(&format!("GET {link} HTTP/1.1\r\n")), "{head}\n{link}");
            let mut names: Vec<_> =
                head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
            names.sort_unstable();
            let meta = link.contains("AWSAccessKeyId").then_some("x-amz-meta-a");
            assert_eq!(names, ["host", "range", "user-agent"].into_iter().chain(meta).collect::<Vec<_>>());
            assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
        }
    }
}

#[tokio::test]
async fn the_host_can_be_another_that_was_signed() {
    let recorded = Recorded::default();
    let address = recorded.origin(EMPTY).await;
    for host in ["media.s3.amazonaws.com", "media.s3.amazonaws.com:443"] {
        let links = read_and_write().host(host);
        let answer = ask(&proxy(at(address).presigned(links)), get(&format!("/media/a?{V2}"))).await;
        assert_eq!(answer.status, 200);
        assert!(recorded.heads().pop().unwrap().contains(&format!("\r\nhost: {host}\r\n")));
    }
    let with_scheme = at(address).presigned(read_and_write().host("https://s3.amazonaws.com/a b")).build();
    assert!(with_scheme.unwrap_err().to_string().contains("give a name"));
}

#[tokio::test]
async fn signed_fields_go_on_with_the_body_and_others_do_not() {
    let recorded = Recorded::default();
    let address = recorded.origin(EMPTY).await;
    let host = address.to_string();
    let link =
        Maker::new(&host).link("PUT", "/media/a", &[("x-amz-meta-title", "x"), ("content-type", "a/b")]);
    let server = serve(Protocol::Http1, proxy(at(address))).await;
    let mut put = with_body("PUT", &link, "hello");
    for (name, value) in
        [("x-amz-meta-title", "x"), ("content-type", "a/b"), ("x-amz-acl", "public-read"), ("cookie", "a")]
    {
        put.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(send(Protocol::Http1, &server, put).await.status, 200);
    let head = recorded.heads().pop().unwrap();
    for (field, is_there) in [
        ("x-amz-meta-title: x", true),
        ("content-type: a/b", true),
        ("content-length: 5", true),
        ("x-amz-acl", false),
        ("cookie", false),
    ] {
        assert_eq!(head.contains(field), is_there, "{field}\n{head}");
    }
}

#[tokio::test]
async fn what_is_not_for_this_mount_never_reaches_s3() {
    let recorded = Recorded::default();
    let address = recorded.origin(EMPTY).await;
    let host = address.to_string();
    let service = proxy(at(address).prefix("films"));
    let read_only = proxy(at(address).prefix("films").presigned(PresignedRequests::new()).anonymous());
    let maker = Maker::new(&host);
    let good = maker.link("GET", "/media/films/a", &[]);
    let elsewhere = Maker { region: "eu-central-1", ..Maker::new(&host) }.link("GET", "/media/films/a", &[]);
    let hours_ago = SystemTime::now() - Duration::from_secs(7200);
    let expired = Maker { at: hours_ago, ..Maker::new(&host) }.link("GET", "/media/films/a", &[]);
    let expired_v2 = format!("/media/films/a?{}", V2.replace("4102444799", "1141889120"));
    use ProxyErrorKind::{ExpiredLink, ForeignLink, LinkRequired, MalformedLink, MethodNotAllowed};
    for (method, link, kind) in [
        ("GET", maker.link("GET", "/other/films/a", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media/secret/a", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media/filmsa", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media/films/../secret/a", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media/films/%2e%2e/secret/a", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media/films/%2e%2e%2fsecret", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media/", &[]), ForeignLink),
        ("GET", maker.link("GET", "/media", &[]), ForeignLink),
        ("GET", maker.link("GET", "/", &[]), ForeignLink),
        ("GET", elsewhere, ForeignLink),
        ("GET", good.replace("%2Fs3%2F", "%2Fsqs%2F"), ForeignLink),
        ("GET", expired, ExpiredLink),
        ("GET", expired_v2, ExpiredLink),
        ("GET", format!("{good}&X-Amz-Expires=1000"), MalformedLink),
        ("GET", format!("{good}&x-amz-expires=1000"), MalformedLink),
        ("GET", format!("{good}&{V2}"), MalformedLink),
        ("GET", good.replace("X-Amz-Date", "X-Amz-Data"), MalformedLink),
        ("GET", maker.link("GET", "/media/films/a?acl", &[]), MalformedLink),
        ("PUT", maker.link("PUT", "/media/films/a?tagging", &[]), MalformedLink),
        ("PUT", maker.link("PUT", "/media/films/a?x-amz-copy-source=%2Fb%2Fc", &[]), MalformedLink),
        ("POST", maker.link("POST", "/media/films/a?delete", &[]), MalformedLink),
        ("PATCH", maker.link("PATCH", "/media/films/a", &[]), MethodNotAllowed),
        ("GET", "/media/films/a".to_owned(), LinkRequired),
        ("PUT", "/media/films/a".to_owned(), LinkRequired),
    ] {
        let answer = ask(&service, request(method, &link, &[])).await;
        assert_eq!(answer.kind(), Some(kind), "{method} {link}");
        assert_eq!(answer.status, kind.status());
    }
    for method in ["PUT", "DELETE", "POST"] {
        let path = if method == "POST" { "/media/films/a?uploads" } else { "/media/films/a" };
        let answer = ask(&read_only, request(method, &maker.link(method, path, &[]), &[])).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD, OPTIONS"), "{method}");
    }
    let copy = [("x-amz-copy-source", "/other/key"), ("x-amz-copy-source-range", "bytes=0-1")];
    for field in copy {
        let link = maker.link("PUT", "/media/films/a", &[field]);
        let answer = ask(&service, request("PUT", &link, &[field])).await;
        assert_eq!(answer.kind(), Some(MalformedLink));
    }
    assert_eq!(recorded.connections.load(Ordering::Relaxed), 0);
    assert_eq!(ask(&service, get(&good)).await.status, 200, "{good}");
}

#[tokio::test]
async fn one_mount_serves_links_and_web_reads() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "x".into());
    let host = host_of(&s3);
    // The rest of its path is a key for web reads, and the path of S3 for links.
    let service = proxy(mount(&s3).at("/files").presigned(PresignedRequests::new()));
    let link = Maker::new(&host).link("GET", "/media/a", &[]);
    assert_eq!(ask(&service, get("/files/a")).await.text(), "x");
    assert_eq!(ask(&service, get(&format!("/files{link}"))).await.text(), "x");
    let options = ask(&service, request("OPTIONS", "/files/a", &[])).await;
    assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn what_a_link_writes_is_gone_from_the_cache() {
    let s3 = s3().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let links = PresignedRequests::new().allow_writes(true);
    let builder = mount(&s3).cache(&cache).default_cache_control("max-age=3600").presigned(links);
    let server = serve(Protocol::Http1, proxy(builder)).await;
    let host = host_of(&s3);
    let maker = Maker::new(&host);
    let read = || send(Protocol::Http1, &server, with_body("GET", "/a", ""));
    for text in ["one", "two"] {
        let put = with_body("PUT", &maker.link("PUT", "/media/a", &[]), text);
        assert_eq!(send(Protocol::Http1, &server, put).await.status, 200);
        assert_eq!(read().await.text(), text);
        assert_eq!(read().await.text(), text);
    }
    let delete = with_body("DELETE", &maker.link("DELETE", "/media/a", &[]), "");
    assert_eq!(send(Protocol::Http1, &server, delete).await.status, 204);
    assert_eq!(read().await.status, 404);
}

#[tokio::test]
async fn an_authorizer_is_asked_for_links_too() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "x".into());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let authorizer = Authorizer::new(move |request| {
        let method = request.head().method.clone();
        seen.lock().unwrap().push((method.clone(), request.key().as_str().to_owned()));
        async move { Ok(if method == Method::PUT { Access::Deny(Denial::forbidden()) } else { Access::Allow }) }
    });
    let service = proxy(signs_nothing(&s3).authorize(authorizer));
    let host = host_of(&s3);
    let maker = Maker::new(&host);
    assert_eq!(ask(&service, get(&maker.link("GET", "/media/a", &[]))).await.text(), "x");
    let denied = ask(&service, request("PUT", &maker.link("PUT", "/media/b", &[]), &[])).await;
    assert_eq!(denied.status, 403);
    let expected = [(Method::GET, "a".to_owned()), (Method::PUT, "b".to_owned())];
    assert_eq!(*asked.lock().unwrap(), expected);
    assert_eq!(s3.log().len(), 1);
}

/// The body goes on while it comes: S3 has the first piece before the client sends the second.
#[tokio::test]
async fn an_upload_streams_and_its_end_is_the_clients() {
    for ends in [true, false] {
        let (to_test, mut from_origin) = tokio::sync::mpsc::unbounded_channel();
        let address = origin(move |_, mut stream| {
            let to_test = to_test.clone();
            async move {
                read_head(&mut stream).await.unwrap();
                let mut piece = [0; 5];
                while stream.read_exact(&mut piece).await.is_ok() {
                    to_test.send(Some(piece)).unwrap();
                    if &piece == b"world" {
                        stream.write_all(EMPTY.as_bytes()).await.unwrap();
                    }
                }
                to_test.send(None).unwrap();
            }
        })
        .await;
        let server = serve(Protocol::Http1, proxy(at(address))).await;
        let mut client = TcpStream::connect(server.addr).await.unwrap();
        let head = format!(
            "PUT /media/a?{V2} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(read_head(&mut client).await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"hello").await.unwrap();
        assert_eq!(from_origin.recv().await.unwrap().as_ref(), Some(b"hello"));
        if ends {
            client.write_all(b"world").await.unwrap();
            assert!(read_head(&mut client).await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(from_origin.recv().await.unwrap().as_ref(), Some(b"world"));
        } else {
            drop(client);
            assert_eq!(from_origin.recv().await.unwrap(), None, "its connection is closed without the rest");
        }
    }
}

/// A kept connection that S3 closes when it sees the second request: a read is sent again, and a write is not, since S3 may
/// have done it.
#[tokio::test]
async fn a_read_is_sent_again_over_a_fresh_connection_and_a_write_is_not() {
    for (method, status) in [("GET", 200), ("HEAD", 200), ("PUT", 502), ("DELETE", 502)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let address = origin(move |number, mut stream| {
            let asked = Arc::clone(&counter);
            async move {
                let mut served = 0;
                while read_head(&mut stream).await.is_some() {
                    asked.fetch_add(1, Ordering::Relaxed);
                    served += 1;
                    if number == 0 && served == 2 {
                        break;
                    }
                    stream.write_all(EMPTY.as_bytes()).await.unwrap();
                }
            }
        })
        .await;
        let service = proxy(at(address));
        let ask = || ask(&service, request(method, &format!("/media/a?{V2}"), &[]));
        assert_eq!(ask().await.status, 200, "{method}");
        assert_eq!(ask().await.status, status, "{method}");
        assert_eq!(asked.load(Ordering::Relaxed), if status == 200 { 3 } else { 2 }, "{method}");
    }
}

/// Neither is S3's fault: the client falls silent, or S3 answers before it has read all.
#[tokio::test]
async fn a_client_that_falls_silent_is_told_and_an_early_answer_reaches_it() {
    let early = "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n";
    let address = origin(move |_, mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        if head.contains("/early") {
            stream.write_all(early.as_bytes()).await.unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let patient = Transport::builder().read_timeout(Duration::from_millis(200)).build().unwrap();
    let server = serve(Protocol::Http1, proxy(at(address).transport(&patient))).await;
    for (path, status) in [("/media/silent", "408"), ("/media/early", "403")] {
        let mut client = TcpStream::connect(server.addr).await.unwrap();
        let head = format!("PUT {path}?{V2} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello");
        client.write_all(head.as_bytes()).await.unwrap();
        let answer = read_head(&mut client).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {answer}");
    }
}

#[tokio::test]
async fn s3_leads_no_client_to_its_own_host() {
    let recorded = Recorded::default();
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://media.s3.amazonaws.com/a\r\ncontent-length: 0\r\n\r\n";
    let address = recorded.origin(moved).await;
    let answer = ask(&proxy(at(address)), get(&format!("/media/a?{V2}"))).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_GATEWAY, ""));
}

#[tokio::test]
async fn the_page_of_another_origin_may_upload_if_cors_says_so() {
    let s3 = s3().await;
    let cors = || Cors::origins(["https://app.test"]).methods(["GET", "PUT"]).allow_header("content-type");
    let service = proxy(signs_nothing(&s3).cors(cors()));
    let preflight = [
        ("origin", "https://app.test"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = ask(&service, request("OPTIONS", "/media/a?X-Amz-Signature=1", &preflight)).await;
    assert_eq!(answer.header("access-control-allow-methods"), "GET, PUT");
    let host = host_of(&s3);
    let link = Maker::new(&host).link("PUT", "/media/a", &[]);
    let put = ask(&service, request("PUT", &link, &[("origin", "https://app.test")])).await;
    assert_eq!((put.status.as_u16(), put.header("access-control-allow-origin")), (200, "https://app.test"));
    let why = mount(&s3).cors(cors()).build().unwrap_err().to_string();
    assert!(why.contains("the mount answers only \"GET, HEAD, OPTIONS\""), "{why}");
}

#[test]
fn links_without_a_bucket_that_is_known_are_refused_at_once() {
    let why = |builder: MountBuilder| {
        builder.region(REGION).presigned(read_and_write()).build().unwrap_err().to_string()
    };
    assert!(why(Mount::bucket_from_path(["media-*"])).contains("set path_style"));
    let express = BucketName::parse("films--usw2-az1--x-s3").unwrap();
    assert!(why(Mount::builder(express).credentials(keys())).contains("belong to a session"));
    let in_path =
        Mount::bucket_from_path(["media-*"]).path_style(true).region(REGION).presigned(read_and_write());
    assert!(in_path.build().is_ok());
}

/// A mount that answers links from its cache, and nothing else.
fn from_cache(s3: &DemoS3) -> MountBuilder {
    let links = PresignedRequests::new().unsigned(UnsignedRequests::Refused).answers(LinkAnswers::Cache);
    mount(s3)
        .presigned(links)
        .cache(&Cache::builder(1 << 20).build().unwrap())
        .cache_ttl(Duration::from_secs(600))
}

#[tokio::test]
async fn a_link_that_s3_has_accepted_is_answered_from_the_cache() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "hello".into());
    let host = host_of(&s3);
    let maker = Maker::new(&host);
    let service = proxy(from_cache(&s3));
    let link = maker.link("GET", "/media/a", &[]);
    let asked = |s3: &DemoS3| s3.log().len();
    assert_eq!(ask(&service, get(&link)).await.text(), "hello");
    assert_eq!(asked(&s3), 1, "as the link was signed");
    assert!(s3.log()[0].uri.contains("X-Amz-Signature"));
    for _ in 0..5 {
        assert_eq!(ask(&service, get(&link)).await.text(), "hello");
    }
    assert_eq!(asked(&s3), 2, "once more, by the mount's own credentials");
    assert!(!s3.log()[1].uri.contains('?'));
    let part = ask(&service, request("GET", &link, &[("range", "bytes=1-2")])).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "el"));
    assert_eq!(asked(&s3), 2);

    // What has not been accepted goes to S3 each time, and so does what asks for more than the object.
    s3.clear_log();
    let (before, signature) = link.split_once("X-Amz-Signature=").unwrap();
    let other = if signature.starts_with('0') { '1' } else { '0' };
    let tampered = format!("{before}X-Amz-Signature={other}{}", &signature[1..]);
    let longer = link.replace("X-Amz-Expires=900", "X-Amz-Expires=901");
    let head = request("HEAD", &link, &[]);
    for (n, request) in [get(&tampered), get(&longer), head, get("/media/a")].into_iter().enumerate() {
        let status = ask(&service, request).await.status;
        assert_eq!(status, 403, "{n}");
    }
    let gone = maker.link("GET", "/media/b", &[]);
    let as_text = maker.link("GET", "/media/a?response-content-type=text%2Fplain", &[]);
    let covered = maker.link("GET", "/media/a", &[("x-amz-meta-a", "1")]);
    for link in [&gone, &as_text] {
        let before = asked(&s3);
        for _ in 0..3 {
            ask(&service, get(link)).await;
        }
        assert_eq!(asked(&s3), before + 3, "{link}");
    }
    let before = asked(&s3);
    for _ in 0..2 {
        let read = ask(&service, request("GET", &covered, &[("x-amz-meta-a", "1")])).await;
        assert_eq!(read.status, 200);
    }
    assert_eq!(asked(&s3), before + 2);
}

#[tokio::test]
async fn an_accepted_link_expires_and_its_visitors_are_asked_about() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "hello".into());
    let host = host_of(&s3);
    let maker = Maker { expires_in: Duration::from_secs(2), ..Maker::new(&host) };
    let denied = Arc::new(AtomicUsize::new(0));
    let may = Arc::clone(&denied);
    let authorizer = Authorizer::new(move |_| {
        let is_denied = may.load(Ordering::Relaxed) > 0;
        async move { Ok(if is_denied { Access::Deny(Denial::forbidden()) } else { Access::Allow }) }
    });
    let service = proxy(from_cache(&s3).authorize(authorizer));
    let link = maker.link("GET", "/media/a", &[]);
    for _ in 0..2 {
        assert_eq!(ask(&service, get(&link)).await.text(), "hello");
    }
    denied.store(1, Ordering::Relaxed);
    assert_eq!(ask(&service, get(&link)).await.kind(), Some(ProxyErrorKind::Denied));
    denied.store(0, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&service, get(&link)).await.kind(), Some(ProxyErrorKind::ExpiredLink));
}

#[test]
fn links_answered_from_a_cache_need_one_and_credentials() {
    let links = || PresignedRequests::new().unsigned(UnsignedRequests::Refused).answers(LinkAnswers::Cache);
    let at = || Mount::builder(BucketName::parse(BUCKET).unwrap()).region(REGION).presigned(links());
    let why = at().credentials(keys()).build().unwrap_err().to_string();
    assert!(why.contains("give it a cache"), "{why}");
    let cache = Cache::builder(1 << 20).build().unwrap();
    let why = at().cache(&cache).build().unwrap_err().to_string();
    assert!(why.contains("credentials"), "{why}");
}
