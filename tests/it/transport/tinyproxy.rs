//! tinyproxy in between. Run by `scripts/with-tinyproxy cargo test --test it tinyproxy`; without that server the tests skip
//! it.

use http::StatusCode;
use tower_s3_proxy::Transport;

use super::tls::Authority;
use crate::support::{BUCKET, ask, get, mount, proxy, s3};

#[tokio::test]
async fn tinyproxy_tunnels_and_forwards_for_those_who_know_the_password() {
    let Ok(url) = std::env::var("TINYPROXY_TEST_URL") else {
        eprintln!("skipped: there is no TINYPROXY_TEST_URL");
        return;
    };
    let s3 = s3().await;
    s3.store().put(BUCKET, "a", "good".into());
    let authority = Authority::new();
    let by_tls = authority.front("localhost", s3.addr()).await;
    let wrong = url.replacen("user:", "user:not-", 1);
    for endpoint in [s3.endpoint(), format!("https://localhost:{}", by_tls.addr.port())] {
        for (url, status) in [(&url, StatusCode::OK), (&wrong, StatusCode::BAD_GATEWAY)] {
            let transport = Transport::builder().proxy(url).ca_file(&authority.file).build().unwrap();
            let service = proxy(mount(&s3).endpoint_url(&endpoint).transport(&transport));
            for _ in 0..3 {
                let got = ask(&service, get("/a")).await;
                assert_eq!(got.status, status, "{endpoint}: {:?}", got.error);
                assert!(status != StatusCode::OK || got.body == "good", "{endpoint}");
            }
        }
    }
}
