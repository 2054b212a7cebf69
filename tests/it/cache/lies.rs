//! Origins that lie or break: the cache keeps nothing wrong.

use tower_s3_proxy::{Cache, S3Proxy};

use super::origin::MIB;
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Mangled, Object},
    support::{proxy, request},
};

/// Reads as far as it goes.
async fn read(service: &S3Proxy, fields: &[(&str, &str)]) -> (u16, Vec<u8>, bool) {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let response = service.clone().oneshot(request("GET", &format!("/{KEY}"), fields)).await.unwrap();
    let status = response.status().as_u16();
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    loop {
        match tokio::time::timeout(super::origin::HANG, body.frame()).await.expect("no hang") {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => return (status, bytes, false),
            None => return (status, bytes, true),
        }
    }
}

/// Whatever is asked again and again, what ends cleanly is the right bytes of one version.
#[tokio::test]
async fn nothing_wrong_comes_from_memory() {
    const LENGTH: usize = 300_000;
    let object = Object::of_size(LENGTH);
    for lies in [
        &[Lie::Truncated(150_000)][..],
        &[Lie::Truncated(LENGTH - 1)],
        &[Lie::Reset(150_000)],
        &[Lie::Framed(Framed::Chunked), Lie::Truncated(LENGTH)],
        &[Lie::Framed(Framed::UntilClose), Lie::Truncated(150_000)],
        &[Lie::PartLonger(1)],
        &[Lie::PartLonger(-1)],
        &[Lie::Range(Mangled::Shifted)],
        &[Lie::Range(Mangled::OtherTotal)],
        &[Lie::Range(Mangled::UnknownTotal)],
        &[Lie::OtherPart],
        &[Lie::Surplus],
        &[Lie::IgnoresRange],
        &[Lie::TagFlips],
        &[Lie::TagFlips, Lie::IgnoresIfMatch],
        &[Lie::TagFlips, Lie::NotModifiedAlways],
        &[Lie::TagFlips, Lie::WeakTag],
        &[Lie::TagFlips, Lie::NoTag],
        &[Lie::TagFlips, Lie::Framed(Framed::Chunked)],
    ] {
        let origin = LyingOrigin::start(&object, lies).await;
        let cache = Cache::builder(16 * MIB).block_size(65_536).build().unwrap();
        let service = proxy(origin.mount().cache(&cache));
        let (mut whole, mut failed) = (0, 0);
        for _ in 0..4 {
            for (fields, first, last) in [
                (&[("range", "bytes=70000-80000")][..], 70_000, 80_000),
                (&[], 0, LENGTH - 1),
                (&[("range", "bytes=-100000")], 200_000, LENGTH - 1),
            ] {
                let (status, bytes, is_whole) = read(&service, fields).await;
                if !is_whole || status == 502 {
                    failed += 1;
                    continue;
                }
                whole += 1;
                let (first, last) = if status == 200 { (0, LENGTH - 1) } else { (first, last) };
                let is_version = |number| object.version(number).bytes[first..=last] == bytes[..];
                assert!(
                    (0..60).any(is_version),
                    "{lies:?}: {status} {fields:?}: {} wrong bytes",
                    bytes.len()
                );
            }
        }
        let snapshot = cache.snapshot();
        let breaks = lies.iter().any(|lie| matches!(lie, Lie::Reset(_)));
        assert!(!breaks || failed > 0, "{lies:?}: {whole} and {failed}, {snapshot:?}");
    }
}

#[tokio::test]
async fn what_breaks_off_is_asked_for_again() {
    let object = Object::of_size(300_000);
    for lie in [Lie::Truncated(150_000), Lie::Reset(150_000)] {
        let origin = LyingOrigin::start(&object, &[lie]).await;
        let cache = Cache::builder(16 * MIB).build().unwrap();
        let service = proxy(origin.mount().cache(&cache));
        for n in 1..4 {
            let (_, bytes, is_whole) = read(&service, &[]).await;
            assert!(!is_whole && bytes.len() <= 150_000);
            assert!(origin.seen().len() >= n, "{lie:?}");
        }
    }
}

/// RFC 9111 §4.3.4.
#[tokio::test]
async fn a_304_of_another_state_confirms_nothing() {
    let object = Object::of_size(1000);
    let origin = LyingOrigin::start(&object, &[Lie::TagFlips, Lie::NotModifiedAlways]).await;
    let cache = Cache::builder(16 * MIB).build().unwrap();
    let service = proxy(origin.mount().cache(&cache));
    let (_, first, _) = read(&service, &[]).await;
    for _ in 0..2 {
        let (status, bytes, _) = read(&service, &[("cache-control", "no-cache")]).await;
        assert!(status != 200 || bytes != first, "what S3 has changed since");
    }
    assert_eq!(cache.snapshot().revalidated, 0);
}
