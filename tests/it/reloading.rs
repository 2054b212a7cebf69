//! A layer whose configuration changes while it serves.

use bytes::Bytes;
use demo_s3::DemoS3;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_s3_proxy::{ConfigFile, S3Proxy, S3ProxyConfig, S3ProxyLayer, service::NotFound};

use crate::support::{BUCKET, ask, get, keys, request, s3};

/// The text of a file with one mount, and these lines in it.
fn text(s3: &DemoS3, lines: &str) -> String {
    let (url, keys) = (s3.endpoint(), keys());
    format!(
        "region = \"us-east-1\"\n[cache]\nsize = \"8MiB\"\nmax_object = \"1MiB\"\n[[mount]]\nbucket = \"{BUCKET}\"\nendpoint_url = \"{url}\"\n\
         path_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n{lines}\n",
        keys.access_key_id(),
        keys.secret_access_key(),
    )
}

/// Serves the first text, and then others.
struct Reloaded {
    layer: S3ProxyLayer,
    config: S3ProxyConfig,
}

impl Reloaded {
    fn serve(text: &str) -> (Self, S3Proxy) {
        let config = ConfigFile::parse(text).unwrap().build(None).unwrap();
        let layer = S3ProxyLayer::new(config.clone());
        let service = layer.layer(NotFound);
        (Self { layer, config }, service)
    }

    fn reload(&mut self, text: &str) {
        self.config = ConfigFile::parse_after(text, &self.config).unwrap().build(None).unwrap();
        self.layer.reload(self.config.clone());
    }
}

#[tokio::test]
async fn services_that_exist_serve_the_new_configuration_and_what_is_cached_stays() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"text"));
    let fresh = "default_cache_control = \"max-age=60\"";
    let (mut reloaded, service) = Reloaded::serve(&text(&s3, fresh));
    assert_eq!(ask(&service, get("/a.txt")).await.text(), "text");
    let asked = s3.log().len();

    let with_cors = format!("{fresh}\ncors = {{ origins = [\"*\"] }}");
    for (lines, cors) in [(fresh, ""), (&*with_cors, "*"), (fresh, "")] {
        reloaded.reload(&text(&s3, lines));
        let answer = ask(&service, request("GET", "/a.txt", &[("origin", "https://a.test")])).await;
        assert_eq!(answer.header("access-control-allow-origin"), cors, "{lines}");
        assert!(answer.header("cache-status").contains("hit"), "{lines}: {}", answer.header("cache-status"));
    }
    assert_eq!(s3.log().len(), asked, "all from memory");

    // Another path: the old one is nobody's.
    reloaded.reload(&text(&s3, "path = \"/media\""));
    assert_eq!(ask(&service, get("/a.txt")).await.status, 404);
    assert_eq!(ask(&service, get("/media/a.txt")).await.text(), "text");

    // Its stored fields would be others: it begins anew.
    reloaded.reload(&text(&s3, "default_cache_control = \"max-age=7\""));
    let answer = ask(&service, get("/a.txt")).await;
    assert_eq!(answer.header("cache-control"), "max-age=7");
}

#[tokio::test]
async fn a_response_that_has_begun_is_read_to_its_end() {
    let s3 = s3().await;
    let body: Bytes = vec![7; 4 * 1024 * 1024].into();
    s3.store().put(BUCKET, "large.bin", body.clone());
    let (mut reloaded, service) = Reloaded::serve(&text(&s3, ""));
    let mut response = service.clone().oneshot(get("/large.bin")).await.unwrap();
    let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    reloaded.reload(&text(&s3, "path = \"/elsewhere\""));
    assert_eq!(ask(&service, get("/large.bin")).await.status, 404);
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!([first, rest].concat(), body);
}
