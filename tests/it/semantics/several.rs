//! Row 9: several ranges at once.

use std::{collections::HashSet, time::Duration};

use tower_s3_proxy::Cache;

use super::{
    check::{Failures, Row, asks_properly, check, check_origins},
    expect::{Expect, Grace, ensure, fetch},
    multipart,
    origin::Origin,
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Mangled, Object},
    support::{is_cached, proxy, request},
};

const SIZE: usize = 256 * 1024;
const LAST: u64 = 262_143;

/// What S3-like servers do to several ranges must not matter: they never see more than one.
const MENDED: &[Lie] = &[
    Lie::FirstOfSeveral,
    Lie::WholeForSeveral,
    Lie::RefusesSeveral,
    Lie::RefusesJunk,
    Lie::IgnoresRange,
    Lie::PartialAs200,
    Lie::IgnoresIfMatch,
    Lie::UnquotedTag,
    Lie::AcceptRangesNone,
    Lie::NoLastModified,
    Lie::Framed(Framed::Chunked),
    Lie::Framed(Framed::UntilClose),
];

/// Parts of such objects can't be pinned, or can't be had.
const UNPINNED: &[Lie] = &[
    Lie::FailsPreconditions,
    Lie::WeakTag,
    Lie::UnquotedWeakTag,
    Lie::NoTag,
    Lie::OtherPart,
    Lie::RefusesRanges,
    Lie::Range(Mangled::Shifted),
    Lie::Range(Mangled::UnknownTotal),
    Lie::Range(Mangled::Missing),
    Lie::PartLonger(1),
    Lie::PartLonger(-1),
    Lie::MultipartForOne,
];

#[tokio::test]
async fn parts_that_are_far_apart_come_as_parts() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9,100000-100009")], Expect::Parts(&[(0, 9), (100_000, 100_009)])),
        ("GET", &[("range", "bytes=0-9,-10")], Expect::Parts(&[(0, 9), (262_134, LAST)])),
        ("GET", &[("range", "bytes=0-9,262000-")], Expect::Parts(&[(0, 9), (262_000, LAST)])),
        ("GET", &[("range", "bytes=0-9,262000-999999")], Expect::Parts(&[(0, 9), (262_000, LAST)])),
        (
            "GET",
            &[("range", "bytes=0-70000,100000-170000,200000-")],
            Expect::Parts(&[(0, 70_000), (100_000, 170_000), (200_000, LAST)]),
        ),
        // In the order of the client.
        ("GET", &[("range", "bytes=100000-100009,0-9")], Expect::Parts(&[(100_000, 100_009), (0, 9)])),
        (
            "GET",
            &[("range", "bytes=-10,100000-100009,0-9")],
            Expect::Parts(&[(262_134, LAST), (100_000, 100_009), (0, 9)]),
        ),
        // What is not there is left out.
        (
            "GET",
            &[("range", "bytes=0-9,900000-,100000-100009")],
            Expect::Parts(&[(0, 9), (100_000, 100_009)]),
        ),
        // Spaces and empty members of a list (RFC 9110 §5.6.1).
        ("GET", &[("range", "bytes=0-9 , 100000-100009")], Expect::Parts(&[(0, 9), (100_000, 100_009)])),
        ("GET", &[("range", "bytes=,0-9,,100000-100009,")], Expect::Parts(&[(0, 9), (100_000, 100_009)])),
        // With conditions.
        (
            "GET",
            &[("range", "bytes=0-9,100000-100009"), ("if-range", "{tag}")],
            Expect::Parts(&[(0, 9), (100_000, 100_009)]),
        ),
        ("GET", &[("range", "bytes=0-9,100000-100009"), ("if-range", "\"x\"")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9,100000-100009"), ("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("range", "bytes=0-9,100000-100009"), ("if-match", "\"x\"")], Expect::Failed),
        (
            "GET",
            &[("range", "bytes=0-9,100000-100009"), ("if-match", "{tag}")],
            Expect::Parts(&[(0, 9), (100_000, 100_009)]),
        ),
        ("HEAD", &[("range", "bytes=0-9,100000-100009")], Expect::Whole),
    ];
    check(&Object::of_size(SIZE), rows, &[(Grace::Never, MENDED)]).await;
}

#[tokio::test]
async fn parts_that_can_not_be_pinned_to_one_version_are_not_guessed() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9,100000-100009")], Expect::Parts(&[(0, 9), (100_000, 100_009)])),
        (
            "GET",
            &[("range", "bytes=100000-100009,-10")],
            Expect::Parts(&[(100_000, 100_009), (262_134, LAST)]),
        ),
    ];
    check(&Object::of_size(SIZE), rows, &[(Grace::WholeOrRefusal, UNPINNED)]).await;
}

#[tokio::test]
async fn parts_that_touch_or_nearly_do_are_one() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9,5-20")], Expect::Part(0, 20)),
        ("GET", &[("range", "bytes=0-9,10-20")], Expect::Part(0, 20)),
        ("GET", &[("range", "bytes=10-20,0-9")], Expect::Part(0, 20)),
        ("GET", &[("range", "bytes=0-9,0-9,0-9")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=0-50000,40000-60000")], Expect::Part(0, 60_000)),
        ("GET", &[("range", "bytes=0-60000,40000-50000")], Expect::Part(0, 60_000)),
        // A gap is sent along that is no larger than what a part takes besides (RFC 9110 §15.3.7.2).
        ("GET", &[("range", "bytes=0-99,200-300")], Expect::Part(0, 300)),
        ("GET", &[("range", "bytes=0-99,250-300")], Expect::Parts(&[(0, 99), (250, 300)])),
        // The third brings the first two together.
        ("GET", &[("range", "bytes=0-9,120-129,60-69")], Expect::Part(0, 129)),
        // One of them is there at all.
        ("GET", &[("range", "bytes=0-9,900000-")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=900000-,0-9,999999-999999")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=900000-,999999-")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=-0,999999-")], Expect::Unsatisfiable),
        // Joined, they stand where the first of them stood.
        (
            "GET",
            &[("range", "bytes=200000-200009,0-9,200100-200109")],
            Expect::Parts(&[(200_000, 200_109), (0, 9)]),
        ),
    ];
    check(&Object::of_size(SIZE), rows, &[(Grace::Never, MENDED)]).await;
}

#[tokio::test]
async fn parts_that_are_no_less_than_the_object_are_the_object() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-150000,100000-")], Expect::PartOrWhole(0, LAST)),
        ("GET", &[("range", "bytes=0-,0-,0-")], Expect::PartOrWhole(0, LAST)),
        ("GET", &[("range", "bytes=-999999,0-9")], Expect::PartOrWhole(0, LAST)),
        // CVE-2017-7529.
        ("GET", &[("range", "bytes=-262000,-9223372036854775807")], Expect::PartOrWhole(0, LAST)),
        ("GET", &[("range", "bytes=0-18446744073709551615,1-")], Expect::PartOrWhole(0, LAST)),
        ("GET", &[("range", "bytes=0-9,x")], Expect::Whole),
    ];
    check(&Object::of_size(SIZE), rows, &[(Grace::Never, MENDED)]).await;

    let small: &[Row] = &[
        ("GET", &[("range", "bytes=0-9,20-29,-10")], Expect::Parts(&[(0, 29), (990, 999)])),
        ("GET", &[("range", "bytes=0-9,-10")], Expect::Parts(&[(0, 9), (990, 999)])),
        ("GET", &[("range", "bytes=0-0,999-999")], Expect::Parts(&[(0, 0), (999, 999)])),
        ("GET", &[("range", "bytes=0-399,600-999")], Expect::Whole),
    ];
    check(&Object::of_size(1000), small, &[(Grace::Never, MENDED)]).await;
}

/// Where every part would cost the object, it is sent as it is (RFC 9110 §14.2).
#[tokio::test]
async fn parts_of_a_large_object_without_ranges_are_the_whole() {
    if is_cached() {
        // The object may be in the cache by the time, and then the parts are cut out of that.
        return;
    }
    let origin = Origin::lying(&Object::of_size(3 << 20), &[Lie::IgnoresRange]).await;
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=2000000-2000009,3000000-3000009")], Expect::Whole),
        ("GET", &[("range", "bytes=0-1,3000000-3000009")], Expect::Whole),
        ("GET", &[("range", "bytes=0-1,-10"), ("if-range", "{tag}")], Expect::Whole),
    ];
    check_origins(&[(Grace::Never, origin)], rows).await;
}

#[tokio::test]
async fn hundreds_of_parts_of_a_small_object_are_one_request() {
    let apart = |count: u64| {
        let ranges: Vec<_> = (0..count).map(|n| (n * 200, n * 200 + 9)).collect();
        let list: Vec<_> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        (ranges, format!("bytes={}", list.join(",")))
    };
    let object = Object::of_size(SIZE);
    let mut failures = Failures::default();
    for lies in [&[][..], &[Lie::IgnoresRange], &[Lie::RefusesSeveral]] {
        let origin = Origin::lying(&object, lies).await;
        let service = proxy(origin.mount());
        for count in [17, 256, 1024] {
            let (ranges, list) = apart(count);
            let expect = Expect::Parts(ranges.leak());
            origin.forget();
            let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", &list)])).await;
            let checked = expect.verify(Grace::Never, &origin.truth, "GET", &got);
            failures.note(&format!("{}: {count} parts", origin.name), checked);
            let asked = origin.seen().len();
            let checked = ensure(asked <= 2, || format!("S3 was asked {asked} times"));
            failures.note(&format!("{}: {count} parts", origin.name), checked);
        }
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", &apart(1025).1)])).await;
        let checked = Expect::Whole.verify(Grace::Never, &origin.truth, "GET", &got);
        failures.note(&format!("{}: 1025 parts", origin.name), checked);
    }
    failures.report();
}

/// librepo begins with 256. S3 is asked for each, and for the whole object if there are more.
#[tokio::test]
async fn two_hundred_and_fifty_six_parts_far_apart_are_as_many_requests_and_more_are_the_whole() {
    if is_cached() {
        // The bytes are there.
        return;
    }
    let object = Object::of_size(16 << 20);
    let mut failures = Failures::default();
    let origin = Origin::lying(&object, &[]).await;
    let service = proxy(origin.mount());
    for count in [256_u64, 257] {
        let ranges: Vec<_> = (0..count).map(|n| (n * 60_000, n * 60_000 + 9)).collect();
        let list: Vec<_> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        let list = format!("bytes={}", list.join(","));
        let (expect, most) = match count {
            256 => (Expect::Parts(ranges.leak()), 257),
            _ => (Expect::Whole, 2),
        };
        origin.forget();
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", &list)])).await;
        failures.note(&format!("{count} parts"), expect.verify(Grace::Never, &origin.truth, "GET", &got));
        let asked = origin.seen().len();
        failures
            .note(&format!("{count} parts"), ensure(asked <= most, || format!("S3 was asked {asked} times")));
    }
    failures.report();
}

#[tokio::test]
async fn parts_of_a_cached_object_cost_no_request_however_many_there_are() {
    let object = Object::of_size(16 << 20);
    let origin = Origin::lying(&object, &[]).await;
    let cache = Cache::builder(128 << 20).build().unwrap();
    let service = proxy(origin.mount().cache(&cache).cache_ttl(Duration::from_secs(3600)));
    assert_eq!(fetch(&service, request("GET", &format!("/{KEY}"), &[])).await.status, 200);
    origin.forget();
    let ranges: Vec<_> = (0..1000_u64).map(|n| (n * 16_000, n * 16_000 + 9)).collect();
    let list: Vec<_> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
    let list = format!("bytes={}", list.join(","));
    let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", &list)])).await;
    Expect::Parts(ranges.leak()).verify(Grace::Never, &origin.truth, "GET", &got).unwrap();
    assert_eq!(origin.seen().len(), 0);
}

/// CVE-2011-3192, RangeAmp: no list makes S3 send more than the object.
#[tokio::test]
async fn a_thousand_overlapping_ranges_cost_no_more_than_the_object() {
    let list = |range: fn(u64) -> String| {
        let list: Vec<_> = (0..1300).map(range).collect();
        format!("bytes={}", list.join(","))
    };
    let lists = [
        ("open", list(|n| format!("{n}-"))),
        ("suffixes", list(|n| format!("-{}", n + 1))),
        ("the same", list(|_| "0-".to_owned())),
        ("nested", list(|n| format!("{n}-{}", 262_143 - n))),
        ("far apart", list(|n| format!("{}-{}", n * 190, n * 190))),
    ];
    let object = Object::of_size(SIZE);
    let mut failures = Failures::default();
    for (what, list) in lists {
        for lies in [&[][..], &[Lie::IgnoresRange], &[Lie::WholeForSeveral]] {
            let origin = LyingOrigin::start(&object, lies).await;
            let service = proxy(origin.mount());
            let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", &list)])).await;
            let row = format!("{what}, {lies:?}");
            let is_fit = matches!(got.status, 200 | 206) && got.broke_off.is_none();
            failures.note(&row, ensure(is_fit, || format!("{} {:?}", got.status, got.broke_off)));
            let is_small = got.body.len() as u64 <= object.len();
            failures.note(&row, ensure(is_small, || format!("{} bytes came", got.body.len())));
            let (sent, asked) = (origin.sent(), origin.seen().len());
            let is_cheap = sent <= object.len() && asked <= 2;
            failures.note(&row, ensure(is_cheap, || format!("S3 sent {sent} bytes in {asked} answers")));
            for seen in origin.seen() {
                failures.note(&row, asks_properly(&seen));
            }
        }
    }
    failures.report();
}

/// Every read after the one that named the tag is pinned to it.
#[tokio::test]
async fn parts_are_read_from_one_version_by_its_tag() {
    // Parts are read by blocks: `cache` looks at that.
    if is_cached() {
        return;
    }
    let object = Object::of_size(SIZE);
    let mut failures = Failures::default();
    for origin in [Origin::demo(&object).await, Origin::lying(&object, &[]).await] {
        let service = proxy(origin.mount());
        let list = "bytes=0-9,50000-50009,100000-100009,150000-150009,-10";
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", list)])).await;
        failures.note(&origin.name, ensure(got.status == 206, || got.status.to_string()));
        // One more may go ahead to learn length and tag.
        let tag = origin.truth.object.quoted_tag();
        let seen = origin.seen();
        let reads = seen.iter().filter(|seen| seen.method == "GET").count();
        failures.note(&origin.name, ensure((5..=6).contains(&reads), || format!("{reads} reads")));
        for later in seen.iter().skip(1) {
            let pin = later.field("if-match");
            failures.note(&origin.name, ensure(pin == Some(&tag), || format!("{:?}", later.raw)));
        }
    }
    failures.report();
}

#[tokio::test]
async fn an_encoded_object_comes_whole() {
    let object = Object::of_size(SIZE).with("content-encoding", "gzip").with("content-language", "en");
    // The coding would be said of the multipart body, which no decoder could undo.
    let rows: &[Row] = &[("GET", &[("range", "bytes=0-9,100000-100009")], Expect::Whole)];
    let origins =
        [(Grace::Never, Origin::demo(&object).await), (Grace::Never, Origin::lying(&object, &[]).await)];
    check_origins(&origins, rows).await;
}

/// A boundary that is the same for all answers could be planted in an object.
#[tokio::test]
async fn no_two_answers_have_the_same_boundary() {
    let origin = Origin::lying(&Object::of_size(SIZE), &[]).await;
    let service = proxy(origin.mount());
    let mut boundaries = HashSet::new();
    for _ in 0..8 {
        let fields = [("range", "bytes=0-9,100000-100009")];
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &fields)).await;
        let content_type = got.field("content-type").unwrap();
        boundaries.insert(multipart::boundary(content_type).unwrap().to_owned());
    }
    assert_eq!(boundaries.len(), 8);
}
