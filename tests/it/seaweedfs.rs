//! A real S3 server that is not ours. Run by `scripts/with-seaweedfs cargo test --test it seaweedfs`; without that
//! server the tests skip it.

use std::env;

use aws_sdk_s3::{
    Client as Sdk,
    config::{BehaviorVersion, Region, RequestChecksumCalculation},
    primitives::ByteStream,
};
use http::StatusCode;
use tower_s3_proxy::{
    Mount, MountBuilder, ProxyErrorKind, bucket::ObjectKey, credentials::Credentials, listing::Listing,
};

use crate::support::{
    Client, NASTY_KEYS, Protocol, REGION, Server, Spelling, ask, bucket, get, path_of, proxy, random_key,
    request, serve,
};

const MIB: usize = 1 << 20;
const ODD_KEYS: usize = 200;

#[tokio::test]
async fn objects_are_read_whole_in_part_and_conditionally() {
    let Some(weed) = SeaweedFs::from_env("reads").await else { return };
    let mut body = vec![0; MIB];
    fastrand::Rng::with_seed(0x5eed).fill(&mut body);
    weed.put("films/one.bin", body.clone()).await;
    let server = weed.serve().await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;

    let whole = client.ask(get("/films/one.bin")).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body == body, "the bytes of the object");
    assert_eq!(whole.header("content-length"), MIB.to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert!(!whole.headers.keys().any(|name| name.as_str().starts_with("x-amz-")), "{:?}", whole.headers);
    let tag = whole.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");

    let head = client.ask(request("HEAD", "/films/one.bin", &[])).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    for name in ["content-length", "content-type", "etag", "last-modified"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }

    for (range, first, last) in
        [("bytes=0-99", 0, 99), ("bytes=1000-", 1000, MIB - 1), ("bytes=-10", MIB - 10, MIB - 1)]
    {
        let part = client.ask(request("GET", "/films/one.bin", &[("range", range)])).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/{MIB}"), "{range}");
        assert!(part.body == body[first..=last], "{range}: the bytes of the part");
    }
    let outside = client.ask(request("GET", "/films/one.bin", &[("range", "bytes=2000000-")])).await;
    assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE);

    let same = client.ask(request("GET", "/films/one.bin", &[("if-none-match", tag)])).await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let other = client.ask(request("GET", "/films/one.bin", &[("if-none-match", "\"other\"")])).await;
    assert_eq!((other.status, other.body.len()), (StatusCode::OK, MIB));
    let changed = client.ask(request("GET", "/films/one.bin", &[("if-match", "\"other\"")])).await;
    assert_eq!(changed.status, StatusCode::PRECONDITION_FAILED);

    for method in ["GET", "HEAD"] {
        let missing = client.ask(request(method, "/films/two.bin", &[])).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{method}");
        let body = String::from_utf8_lossy(&missing.body);
        assert!(!body.contains('<') && !body.contains(&weed.bucket), "{method}: {body}");
    }
}

#[tokio::test]
async fn odd_keys_written_by_the_sdk_are_read_back_byte_for_byte() {
    let Some(weed) = SeaweedFs::from_env("keys").await else { return };
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let mut odd = NASTY_KEYS.map(str::to_owned).to_vec();
    odd.resize_with(ODD_KEYS, || random_key(&mut rng));
    // Each in a folder of its own: for this server `a` can't be both an object and the folder of `a/b`.
    let keys: Vec<String> = odd
        .iter()
        .enumerate()
        .map(|(n, key)| format!("{n}/{key}"))
        .filter(|key| ObjectKey::new(key.as_str()).is_ok())
        .collect();

    let server = weed.serve().await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    let (mut equal, mut passed_over) = (0, Vec::new());
    for key in &keys {
        // What the server does not take, or keeps under another name, it is not asked for.
        if !weed.round_trips(key).await {
            passed_over.push(key);
            continue;
        }
        for spelling in [Spelling::Strict, Spelling::Browser] {
            let answer = client.ask(get(&path_of(key, spelling))).await;
            assert_eq!(answer.status, StatusCode::OK, "{key:?} {spelling:?}");
            assert_eq!(answer.body, key.as_bytes(), "{key:?} {spelling:?}");
        }
        equal += 1;
    }
    eprintln!("{equal} of {} keys are equal; SeaweedFS keeps no {passed_over:?}", keys.len());
    assert!(equal >= 150, "most keys are ones that the server keeps");
}

#[tokio::test]
async fn a_wrong_secret_is_a_bad_gateway_and_never_not_found() {
    let Some(weed) = SeaweedFs::from_env("secret").await else { return };
    weed.put("there", b"there".to_vec()).await;
    let wrong = Credentials::new(&weed.access_key, "wrong", None, None, "test");
    let unknown = Credentials::new("nobody", &weed.secret_key, None, None, "test");
    for credentials in [wrong, unknown] {
        let proxy = proxy(weed.mount().credentials(credentials));
        for (method, path) in
            [("GET", "/there"), ("GET", "/missing"), ("HEAD", "/there"), ("HEAD", "/missing")]
        {
            let answer = ask(&proxy, request(method, path, &[])).await;
            assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{method} {path}");
            assert_eq!(answer.kind(), Some(ProxyErrorKind::OriginRefused), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_folder_follow_each_other_until_all_has_been_seen_once() {
    let Some(weed) = SeaweedFs::from_env("listing").await else { return };
    for n in 0..7 {
        for key in [format!("d{n}/a"), format!("d{n}/b/c"), format!("f{n} +%.txt")] {
            weed.put(&format!("films/{key}"), b"x".to_vec()).await;
        }
    }
    let service = proxy(weed.mount().prefix("films").listing(Listing::new().page_size(3)));
    let (mut path, mut seen) = ("/?format=json".to_owned(), Vec::new());
    for _ in 0..6 {
        let answer = ask(&service, get(&path)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        let page: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let names = page["entries"].as_array().unwrap().iter();
        seen.extend(names.map(|entry| entry["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = next.replacen("./", "/", 1),
            None => break,
        }
    }
    let expected: Vec<_> =
        (0..7).map(|n| format!("d{n}")).chain((0..7).map(|n| format!("f{n} +%.txt"))).collect();
    assert_eq!(seen, expected);
    assert_eq!(ask(&service, get("/missing/")).await.status, StatusCode::NOT_FOUND);
}

/// The server that the environment names, with a bucket of the test's own.
pub(crate) struct SeaweedFs {
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) bucket: String,
    pub(crate) sdk: Sdk,
}

// === impl SeaweedFs ===

impl SeaweedFs {
    pub(crate) async fn from_env(test: &str) -> Option<Self> {
        let Ok(endpoint) = env::var("S3_TEST_ENDPOINT") else {
            eprintln!("passed over: S3_TEST_ENDPOINT is not set (see scripts/with-seaweedfs)");
            return None;
        };
        let (access_key, secret_key) =
            (env::var("S3_TEST_ACCESS_KEY").unwrap(), env::var("S3_TEST_SECRET_KEY").unwrap());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(&access_key, &secret_key, None, None, "test"))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let sdk = Sdk::from_conf(config);
        let bucket = format!("{test}-{:016x}", fastrand::u64(..));
        sdk.create_bucket().bucket(&bucket).send().await.unwrap();
        Some(Self { endpoint, access_key, secret_key, bucket, sdk })
    }

    pub(crate) async fn put(&self, key: &str, body: Vec<u8>) {
        let put = self.sdk.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(body));
        put.send().await.unwrap();
    }

    /// Whether the SDK reads back what it wrote under the key: the key itself.
    async fn round_trips(&self, key: &str) -> bool {
        let body = ByteStream::from(key.as_bytes().to_vec());
        if self.sdk.put_object().bucket(&self.bucket).key(key).body(body).send().await.is_err() {
            return false;
        }
        let Ok(answer) = self.sdk.get_object().bucket(&self.bucket).key(key).send().await else {
            return false;
        };
        answer.body.collect().await.is_ok_and(|body| body.into_bytes() == key.as_bytes())
    }

    fn mount(&self) -> MountBuilder {
        Mount::builder(bucket(&self.bucket))
            .endpoint_url(&self.endpoint)
            .path_style(true)
            .region(REGION)
            .credentials(Credentials::new(&self.access_key, &self.secret_key, None, None, "test"))
    }

    async fn serve(&self) -> Server {
        serve(Protocol::Http1, proxy(self.mount())).await
    }
}
