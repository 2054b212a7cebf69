//! Row 26: buckets in another region.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http::Response;
use tower_s3_proxy::{Mount, ProxyErrorKind, S3Proxy, Transport};

use super::{
    check::{Failures, asks_properly},
    expect::{ensure, fetch},
};
use crate::{
    lying::{KEY, Lie, LyingOrigin, Object, RegionHint},
    support::{BUCKET, FnClient, REGION, bucket, is_cached, keys, mount, proxy, request, s3},
};

const THERE: &str = "eu-central-1";

#[tokio::test]
async fn a_region_is_learnt_signed_for_and_remembered() {
    let object = Object::of_size(1000);
    let foreign = LyingOrigin::start(&object, &[]).await;
    let mut failures = Failures::default();
    for hint in [
        RegionHint::MovedWithField,
        RegionHint::MovedWithXml,
        RegionHint::Malformed,
        RegionHint::Temporary(foreign.addr),
    ] {
        for (method, fields, status) in [
            ("GET", &[][..], 200),
            ("HEAD", &[], 200),
            ("GET", &[("range", "bytes=0-9")], 206),
            ("GET", &[("if-none-match", "*")], 304),
        ] {
            let origin = LyingOrigin::start(&object, &[Lie::LivesIn(THERE, hint)]).await;
            let service = proxy(origin.mount());
            let row = format!("{hint:?}: {method} {fields:?}");
            let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
            failures.note(&row, ensure(got.status == status, || format!("{} {:?}", got.status, got.error)));
            failures.note(&row, got.leaks_nothing());
            let seen = origin.seen();
            let here = seen.iter().filter(|seen| seen.region() == Some(REGION)).count();
            // An answer to HEAD may have to be explained first, also where it comes before a GET.
            let begins_with_head = seen.first().is_some_and(|first| first.method == "HEAD");
            let most = if begins_with_head { 2 } else { 1 };
            let is_learnt = (1..=most).contains(&here);
            failures.note(&row, ensure(is_learnt, || format!("{here} requests for the old region")));
            let is_signed = seen.last().and_then(|seen| seen.region()) == Some(THERE);
            failures.note(&row, ensure(is_signed, || "never signed for the new region".to_owned()));

            origin.forget();
            let got = fetch(&service, request("GET", "/object", &[("range", "bytes=0-0")])).await;
            let regions: Vec<_> = origin.seen().iter().map(|seen| seen.region().map(str::to_owned)).collect();
            let is_known = regions == [Some(THERE.to_owned())] || (is_cached() && regions.is_empty());
            let is_straight = got.status == 206 && is_known;
            failures.note(&row, ensure(is_straight, || format!("then {}: {regions:?}", got.status)));
            for seen in origin.seen() {
                failures.note(&row, asks_properly(&seen));
            }
        }
    }
    failures.note("the other address", ensure(foreign.connections() == 0, || "was called".to_owned()));
    failures.report();
}

/// The same over a server that checks signatures.
#[tokio::test]
async fn a_region_that_is_configured_wrongly_is_put_right() {
    let s3 = s3().await;
    s3.store().put(BUCKET, KEY, bytes::Bytes::from_static(b"object"));
    let service = proxy(mount(&s3).region(THERE));
    for method in ["HEAD", "GET", "GET"] {
        let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
        assert_eq!(got.status, 200, "{method}: {:?}", got.error);
    }
    s3.clear_log();
    assert_eq!(fetch(&service, request("GET", "/missing", &[])).await.status, 404);
    assert_eq!(s3.log().len(), 1, "the region is remembered");
}

#[tokio::test]
async fn a_region_that_nobody_names_is_a_bad_gateway() {
    let object = Object::of_size(1000);
    let foreign = LyingOrigin::start(&object, &[]).await;
    let mut failures = Failures::default();
    for hint in [RegionHint::Nothing, RegionHint::TemporaryMute(foreign.addr), RegionHint::NeverThere] {
        for method in ["GET", "HEAD"] {
            let origin = LyingOrigin::start(&object, &[Lie::LivesIn(THERE, hint)]).await;
            let service = proxy(origin.mount());
            let row = format!("{hint:?}: {method}");
            for _ in 0..3 {
                origin.forget();
                let got = fetch(&service, request(method, &format!("/{KEY}"), &[])).await;
                failures.note(&row, got.is_error(502));
                let kind = got.kind();
                let is_kind = kind == Some(ProxyErrorKind::OriginMisconfigured);
                failures.note(&row, ensure(is_kind, || format!("{kind:?}")));
                let asked = origin.seen().len();
                failures.note(&row, ensure(asked <= 4, || format!("S3 was asked {asked} times")));
            }
        }
    }
    failures.note("the other address", ensure(foreign.connections() == 0, || "was called".to_owned()));
    failures.report();
}

/// A mount of AWS itself, where the region is a part of the host; with the hosts that were asked.
fn at_aws<F>(answer: F) -> (S3Proxy, Asked)
where
    F: Fn(&HttpRequest) -> Response<&'static str> + Clone + Send + Sync + 'static,
{
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let client = FnClient(move |request: HttpRequest| {
        log.lock().unwrap().push(request.uri().to_owned());
        HttpResponse::try_from(answer(&request).map(SdkBody::from)).unwrap()
    });
    let builder = Mount::builder(bucket(BUCKET))
        .region(REGION)
        .credentials(keys())
        .transport(&Transport::builder().http_client(client).build().unwrap());
    (proxy(builder), asked)
}

type Asked = Arc<Mutex<Vec<String>>>;

#[tokio::test]
async fn at_aws_the_host_follows_the_region() {
    let (service, asked) = at_aws(|request| {
        let response = Response::builder();
        if request.uri().contains(THERE) {
            return response.header("content-length", 6).header("etag", "\"e\"").body("object").unwrap();
        }
        response.status(301).header("x-amz-bucket-region", THERE).body("").unwrap()
    });
    for _ in 0..2 {
        let got = fetch(&service, request("GET", "/object", &[])).await;
        assert_eq!((got.status, got.body.as_ref()), (200, b"object".as_ref()), "{:?}", got.error);
    }
    let asked = asked.lock().unwrap();
    let [first, rest @ ..] = asked.as_slice() else { panic!("nothing was asked") };
    assert!(first.starts_with("https://media.s3.us-west-2.amazonaws.com/object"), "{first}");
    assert_eq!(rest.len(), 2, "{rest:?}");
    for uri in rest {
        assert!(uri.starts_with("https://media.s3.eu-central-1.amazonaws.com/object"), "{uri}");
    }
}

/// Whatever stands in that field would become a part of a host name.
#[tokio::test]
async fn what_is_no_region_never_becomes_a_host() {
    for region in [
        "evil.test/",
        "evil.test#",
        "evil.test?",
        "x@evil.test",
        "evil.test:443",
        "a b",
        "",
        "..",
        "eu-central-1.evil.test",
        "EU",
        "%2f",
        "s3-external-1.evil",
    ] {
        let (service, asked) = at_aws(move |_| {
            Response::builder().status(301).header("x-amz-bucket-region", region).body("").unwrap()
        });
        let got = fetch(&service, request("GET", "/object", &[])).await;
        assert_eq!((got.status, got.kind()), (502, Some(ProxyErrorKind::OriginMisconfigured)), "{region:?}");
        for uri in asked.lock().unwrap().iter() {
            let host = uri.strip_prefix("https://").unwrap().split(['/', '?', '#', ':', '@']).next().unwrap();
            let is_ours = host.starts_with("media.s3.") && host.ends_with(".amazonaws.com");
            assert!(is_ours && !host.contains("evil"), "{region:?}: {uri}");
        }
    }
}
