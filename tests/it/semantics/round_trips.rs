//! The requests per response: an honest S3 is asked once, and a second time only for what its first response leaves
//! out.

use super::{
    check::{Failures, asks_properly},
    expect::{ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{KEY, Object},
    support::{proxy, request},
};

type Fields = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn the_usual_questions_cost_one_request() {
    let rows: &[(&str, Fields, u16, usize)] = &[
        ("GET", &[], 200, 1),
        ("HEAD", &[], 200, 1),
        ("HEAD", &[("range", "bytes=0-9")], 200, 1),
        ("GET", &[("range", "bytes=0-9")], 206, 1),
        ("GET", &[("range", "bytes=0-")], 206, 1),
        ("GET", &[("range", "bytes=-10")], 206, 1),
        ("GET", &[("range", "bytes=0-9999")], 206, 1),
        ("GET", &[("range", "lines=0-9")], 200, 1),
        ("GET", &[("range", "bytes=0-9,x")], 200, 1),
        ("GET", &[("if-none-match", "\"x\"")], 200, 1),
        ("GET", &[("if-modified-since", "{before}")], 200, 1),
        ("GET", &[("if-match", "{tag}")], 200, 1),
        ("GET", &[("if-match", "{tag}"), ("range", "bytes=0-9")], 206, 1),
        ("GET", &[("if-unmodified-since", "{date}")], 200, 1),
        ("GET", &[("if-range", "{tag}"), ("range", "bytes=0-9")], 206, 1),
        // S3's own 304 says less than a 200 (row 20), and its 412 and 416 nothing of the object.
        ("GET", &[("if-none-match", "{tag}")], 304, 2),
        ("GET", &[("if-modified-since", "{date}")], 304, 2),
        ("GET", &[("if-none-match", "\"x\", {tag}")], 304, 2),
        ("GET", &[("if-none-match", "\"x\", \"y\"")], 200, 2),
        ("GET", &[("if-match", "\"x\"")], 412, 2),
        ("HEAD", &[("if-match", "\"x\"")], 412, 2),
        ("GET", &[("range", "bytes=5000-")], 416, 2),
        ("GET", &[("range", "bytes=0-9,20-29")], 206, 2),
    ];
    let object = Object::of_size(1000);
    let mut failures = Failures::default();
    for origin in [Origin::demo(&object).await, Origin::lying(&object, &[]).await] {
        let service = proxy(origin.mount());
        for (method, fields, status, most) in rows {
            let filled: Vec<_> =
                fields.iter().map(|(name, value)| (*name, origin.truth.fill(value))).collect();
            let filled: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
            origin.forget();
            let got = fetch(&service, request(method, &format!("/{KEY}"), &filled)).await;
            let row = format!("{}: {method} {fields:?}", origin.name);
            failures.note(&row, ensure(got.status == *status, || format!("{}", got.status)));
            let seen = origin.seen();
            failures.note(&row, ensure(seen.len() <= *most, || format!("S3 was asked {} times", seen.len())));
            failures.note(&row, seen.iter().try_for_each(asks_properly));
        }
    }
    failures.report();
}

#[tokio::test]
async fn what_an_override_says_of_a_304_needs_no_second_question() {
    for origin in
        [Origin::demo(&Object::of_size(1000)).await, Origin::lying(&Object::of_size(1000), &[]).await]
    {
        let service = proxy(origin.mount().override_cache_control("no-cache"));
        let tag = origin.truth.object.quoted_tag();
        let fields = [("if-none-match", tag.as_str())];
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &fields)).await;
        assert_eq!((got.status, got.field("cache-control")), (304, Some("no-cache")));
        assert_eq!(origin.seen().len(), 1, "{}", origin.name);
    }
}
