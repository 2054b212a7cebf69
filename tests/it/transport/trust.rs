use http::StatusCode;
use tower_s3_proxy::{Transport, error::ConfigErrorKind};

use super::tls::Authority;
use crate::support::{BUCKET, ask, get, mount, proxy, s3};

#[tokio::test]
async fn only_the_authorities_of_the_file_are_trusted() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "good".into());
    let (ours, strangers) = (Authority::new(), Authority::new());
    let front = ours.front("s3.test", s3.addr()).await;
    for (file, status) in [
        (Some(&ours.file), StatusCode::OK),
        (Some(&strangers.file), StatusCode::BAD_GATEWAY),
        (None, StatusCode::BAD_GATEWAY),
    ] {
        let transport = match file {
            Some(file) => Transport::builder().ca_file(file),
            None => Transport::builder(),
        };
        let mount = mount(&s3).endpoint_url("https://s3.test").connect_to(front.addr.to_string());
        let got = ask(&proxy(mount.transport(&transport.build().unwrap())), get("/a")).await;
        assert_eq!(got.status, status, "{file:?}");
        if status == StatusCode::OK {
            assert_eq!(got.body, "good");
        }
    }
}

#[test]
fn a_file_that_can_not_serve_is_refused_when_the_transport_is_built() {
    let ours = Authority::new();
    let own_client = aws_smithy_http_client::Builder::new().build_http();
    for (builder, kind, message) in [
        (
            Transport::builder().ca_file("/absent.pem"),
            ConfigErrorKind::Tls,
            "ca_file /absent.pem: the file can't be read",
        ),
        (
            Transport::builder().ca_file("/dev/null"),
            ConfigErrorKind::Tls,
            "ca_file /dev/null: the file holds no certificate",
        ),
        (
            Transport::builder().ca_file(&ours.file).http_client(own_client),
            ConfigErrorKind::Contradiction,
            "let the client trust",
        ),
    ] {
        let why = builder.build().unwrap_err();
        assert_eq!(why.kind(), kind, "{why}");
        assert!(why.to_string().contains(message), "{why}");
    }
}
