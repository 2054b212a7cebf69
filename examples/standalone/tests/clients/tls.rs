//! TLS towards clients.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpStream, process::Command, time};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    },
};

use crate::proxy::{BOUND, Proxy, ask, get};

/// An authority, and a folder with certificates of it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `NAME.pem` and `NAME.key`, for this host.
    fn write(&self, name: &str, host: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// The flags of a certificate.
    fn flags(&self, name: &str) -> [String; 4] {
        let path = |end: &str| self.path(&format!("{name}.{end}")).to_str().unwrap().to_owned();
        ["--tls-cert".to_owned(), path("pem"), "--tls-key".to_owned(), path("key")]
    }

    /// A client that trusts it, and speaks these protocols.
    fn client(&self, alpn: &[&str], identity: Option<&str>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(name) => {
                use tokio_rustls::rustls::pki_types::pem::PemObject;

                let chain = CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
                config.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

async fn serve(flags: &[&[String]]) -> Proxy {
    let flags = flags.concat();
    Proxy::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn connect(proxy: &Proxy, client: &TlsConnector, host: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = proxy.connect().await;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    time::timeout(BOUND, client.connect(name, tcp)).await.expect("the end of the handshake")
}

#[tokio::test]
async fn objects_come_over_http_1_and_2_as_the_handshake_says() {
    let authority = Authority::new();
    authority.write("site", "site.test");
    let proxy = serve(&[&authority.flags("site")]).await;
    for alpn in [&[][..], &["http/1.1"]] {
        let stream = connect(&proxy, &authority.client(alpn, None), "site.test").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let answer = ask(stream, &get("/small.txt")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    }
    let stream = connect(&proxy, &authority.client(&["h2", "http/1.1"], None), "site.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = http::Request::get("https://site.test/medium.bin").body(()).unwrap();
    let (answer, _) = send.send_request(request, true).unwrap();
    let answer = time::timeout(BOUND, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data: Bytes = data.unwrap();
        length += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(length, crate::proxy::MEDIUM);
    driving.abort();
}

#[tokio::test]
async fn a_certificate_is_chosen_by_name_and_replaced_without_a_restart() {
    let authority = Authority::new();
    authority.write("a", "a.test");
    authority.write("b", "b.test");
    let proxy = serve(&[&authority.flags("a"), &authority.flags("b")]).await;
    let client = authority.client(&[], None);
    for host in ["a.test", "b.test"] {
        connect(&proxy, &client, host).await.unwrap();
    }
    assert!(connect(&proxy, &client, "c.test").await.is_err(), "it is for none of the names");
    let mut kept = connect(&proxy, &client, "b.test").await.unwrap();
    // A file that is wrong changes nothing.
    std::fs::write(authority.path("b.pem"), "-----BEGIN").unwrap();
    proxy.logs("the certificates stay as they are: --tls-cert").await;
    connect(&proxy, &client, "b.test").await.unwrap();
    authority.write("b", "c.test");
    proxy.logs("the files of certificates were read again").await;
    connect(&proxy, &client, "c.test").await.unwrap();
    assert!(connect(&proxy, &client, "b.test").await.is_err());
    kept.write_all(get("/small.txt").as_bytes()).await.unwrap();
    assert!(ask(kept, "").await.ends_with("hello"), "a connection goes on with the certificate that it has");
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_are_let_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.write("site", "site.test");
    authority.write("client", "client.test");
    other.write("client", "client.test");
    let ca = ["--tls-client-ca".to_owned(), authority.path("ca.pem").to_str().unwrap().to_owned()];
    let proxy = serve(&[&authority.flags("site"), &ca]).await;
    let answered = async |client: &TlsConnector| match connect(&proxy, client, "site.test").await {
        Ok(stream) => ask(stream, &get("/small.txt")).await.ends_with("hello"),
        Err(_) => false,
    };
    assert!(answered(&authority.client(&[], Some("client"))).await);
    assert!(!answered(&authority.client(&[], None)).await);
    std::fs::copy(other.path("client.pem"), authority.path("other.pem")).unwrap();
    std::fs::copy(other.path("client.key"), authority.path("other.key")).unwrap();
    assert!(!answered(&authority.client(&[], Some("other"))).await);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_closed_and_so_is_plain_http() {
    let authority = Authority::new();
    authority.write("site", "site.test");
    let short = ["--header-timeout", "1s", "--first-byte-timeout", "1s"].map(str::to_owned);
    let proxy = serve(&[&authority.flags("site"), &short]).await;
    // A part of a ClientHello.
    for begin in ["", "\u{16}\u{3}\u{1}\u{1}", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let answer = ask(proxy.connect().await, begin).await;
        assert!(!answer.contains("HTTP/1.1") && !answer.contains("no end within"), "{begin:?}: {answer:?}");
    }
    // An idle connection after its handshake is no head that has begun.
    let mut idle = connect(&proxy, &authority.client(&[], None), "site.test").await.unwrap();
    time::sleep(Duration::from_secs(3)).await;
    idle.write_all(get("/small.txt").as_bytes()).await.unwrap();
    assert!(ask(idle, "").await.ends_with("hello"));
}

#[tokio::test]
async fn plain_http_is_led_to_https() {
    let authority = Authority::new();
    authority.write("site", "site.test");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redirect = ["--redirect-http".to_owned(), port.to_string()];
    let proxy = serve(&[&authority.flags("site"), &redirect]).await;
    let ask_plain = async |request: &str| ask(TcpStream::connect(port).await.unwrap(), request).await;
    let answer = ask_plain(&get("/a%20b?c=d")).await;
    let location = format!("location: https://proxy.test:{}/a%20b?c=d\r\n", proxy.address.port());
    assert!(answer.starts_with("HTTP/1.1 308 ") && answer.contains(&location), "{answer}");
    let other_port = "GET //evil.test/ HTTP/1.1\r\nHost: site.test:8080\r\nConnection: close\r\n\r\n";
    let answer = ask_plain(other_port).await;
    let location = format!("location: https://site.test:{}//evil.test/\r\n", proxy.address.port());
    assert!(answer.contains(&location), "{answer}");
    let answer = ask_plain("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains("no Host, so that there is no address to redirect to"), "{answer}");
    assert!(answer.starts_with("HTTP/1.0 400 ") || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(ask_plain(&get("/ping")).await.ends_with("pong\n"));
}

#[tokio::test]
async fn files_that_cannot_be_served_are_refused_at_the_start() {
    let authority = Authority::new();
    authority.write("a", "a.test");
    authority.write("b", "b.test");
    let [_, certificate, _, key] = authority.flags("a");
    let [_, _, _, other_key] = authority.flags("b");
    std::fs::write(authority.path("empty.pem"), "").unwrap();
    let empty = authority.path("empty.pem").to_str().unwrap().to_owned();
    let other_form = |name: &str, to: &str| {
        let text = std::fs::read_to_string(&key).unwrap().replace("PRIVATE KEY", to);
        std::fs::write(authority.path(name), text).unwrap();
        authority.path(name).to_str().unwrap().to_owned()
    };
    let encrypted = other_form("encrypted.key", "ENCRYPTED PRIVATE KEY");
    // The bytes of another form than it says.
    let broken = other_form("broken.key", "RSA PRIVATE KEY");
    for (flags, message) in [
        (vec!["--tls-cert", &certificate], "--tls-key <FILE>"),
        (vec!["--tls-cert", "/no/such", "--tls-key", &key], "--tls-cert /no/such: No such file"),
        (vec!["--tls-cert", &empty, "--tls-key", &key], "has no certificate in PEM"),
        (vec!["--tls-cert", &certificate, "--tls-key", &empty], "has no private key in PEM"),
        (
            vec!["--tls-cert", &certificate, "--tls-key", &other_key],
            "give the keys in the order of their certificates",
        ),
        (vec!["--tls-cert", &certificate, "--tls-key", &encrypted], "is encrypted: decrypt it"),
        (vec!["--tls-cert", &certificate, "--tls-key", &broken], "give an RSA key of 2048"),
        (
            vec!["--tls-cert", &certificate, "--tls-key", &key, "--tls-cert", &certificate],
            "give a key for each certificate",
        ),
        (vec!["--redirect-http", "127.0.0.1:0"], "--tls-cert <FILE>"),
    ] {
        let program = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"))
            .args(["--listen", "127.0.0.1:0", "--bucket", "media", "--region", "us-west-2", "--anonymous"])
            .args(&flags)
            .output();
        let output = time::timeout(BOUND, program).await.expect("the end of the program").unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{flags:?}: {told}");
    }
}
