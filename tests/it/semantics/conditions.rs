//! Rows 1 to 6, and the fields of a 304 (row 20).

use std::time::SystemTime;

use super::{
    check::{Failures, Row, asks_properly, check, check_origins},
    expect::{Expect, Grace, ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{Framed, KEY, Lie, Object},
    support::{proxy, request},
};

/// Origins that see conditions in another light. None of them may show.
const MISJUDGE: &[Lie] = &[
    Lie::IgnoresIfMatch,
    Lie::IgnoresIfNoneMatch,
    Lie::IgnoresDates,
    Lie::NoTagLists,
    Lie::DatesBeforeTags,
    Lie::ExactDateOnly,
    Lie::NotModifiedAlways,
    Lie::NotModifiedWithoutTag,
    Lie::RangeBeforeConditions,
    Lie::UnquotedTag,
    Lie::IgnoresRange,
    Lie::AcceptRangesNone,
    Lie::Framed(Framed::Chunked),
    Lie::Framed(Framed::UntilClose),
];

/// No part of its object can be pinned by `If-Match`: the whole will do in place of a part, and nothing else.
const FAILS: &[Lie] = &[Lie::FailsPreconditions];

async fn check_conditions(rows: &[Row]) {
    check(&Object::of_size(1000), rows, &[(Grace::Never, MISJUDGE), (Grace::Whole, FAILS)]).await;
}

// Row 1
#[tokio::test]
async fn conditions_go_in_the_order_of_the_rfc_and_before_the_range() {
    check_conditions(&[
        ("GET", &[("if-match", "\"x\""), ("if-none-match", "{tag}")], Expect::Failed),
        ("GET", &[("if-match", "{tag}"), ("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("if-unmodified-since", "{before}"), ("if-none-match", "{tag}")], Expect::Failed),
        ("GET", &[("if-unmodified-since", "{date}"), ("if-modified-since", "{date}")], Expect::NotModified),
        ("GET", &[("if-match", "\"x\""), ("range", "bytes=0-9")], Expect::Failed),
        ("GET", &[("if-none-match", "{tag}"), ("range", "bytes=0-9")], Expect::NotModified),
        ("GET", &[("if-modified-since", "{date}"), ("range", "bytes=0-9")], Expect::NotModified),
        ("GET", &[("if-match", "{tag}"), ("range", "bytes=0-9")], Expect::Part(0, 9)),
        ("GET", &[("if-none-match", "\"x\""), ("range", "bytes=0-9")], Expect::Part(0, 9)),
        ("GET", &[("if-modified-since", "{before}"), ("range", "bytes=-10")], Expect::Part(990, 999)),
        // What S3 does with a range that is not there, when a condition does not hold either, nobody has written down.
        ("GET", &[("if-match", "\"x\""), ("range", "bytes=5000-")], Expect::Failed),
        ("GET", &[("if-unmodified-since", "{before}"), ("range", "bytes=5000-")], Expect::Failed),
        ("GET", &[("if-none-match", "{tag}"), ("range", "bytes=5000-")], Expect::NotModified),
        ("GET", &[("if-modified-since", "{after}"), ("range", "bytes=5000-")], Expect::NotModified),
        ("GET", &[("if-match", "{tag}"), ("range", "bytes=5000-")], Expect::Unsatisfiable),
        ("GET", &[("if-none-match", "\"x\""), ("range", "bytes=5000-")], Expect::Unsatisfiable),
    ])
    .await;
}

// Row 1
#[tokio::test]
async fn what_is_not_there_is_not_found_whatever_the_conditions() {
    let object = Object::of_size(10);
    let mut origins = vec![Origin::demo(&object).await, Origin::lying(&object, &[]).await];
    for lie in MISJUDGE.iter().chain(FAILS) {
        origins.push(Origin::lying(&object, &[*lie]).await);
    }
    let mut failures = Failures::default();
    for origin in origins {
        let service = proxy(origin.mount());
        for method in ["GET", "HEAD"] {
            for (name, value) in [
                ("if-match", "\"x\""),
                ("if-match", "*"),
                ("if-none-match", "*"),
                ("if-none-match", "\"x\""),
                ("if-modified-since", "{date}"),
                ("if-unmodified-since", "{before}"),
                ("range", "bytes=0-9"),
                ("range", "bytes=0-9,90000-90009"),
            ] {
                let value = origin.truth.fill(value);
                let got = fetch(&service, request(method, "/missing", &[(name, &value)])).await;
                failures.note(&format!("{}: {method} {name}: {value}", origin.name), got.is_error(404));
            }
        }
    }
    failures.report();
}

// Rows 2 and 3
#[tokio::test]
async fn a_date_beside_a_tag_is_ignored() {
    check_conditions(&[
        ("GET", &[("if-match", "{tag}"), ("if-unmodified-since", "{before}")], Expect::Whole),
        ("GET", &[("if-match", "\"x\""), ("if-unmodified-since", "{after}")], Expect::Failed),
        ("GET", &[("if-none-match", "{tag}"), ("if-modified-since", "{before}")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"x\""), ("if-modified-since", "{after}")], Expect::Whole),
        ("HEAD", &[("if-match", "{tag}"), ("if-unmodified-since", "{before}")], Expect::Whole),
        ("HEAD", &[("if-match", "\"x\""), ("if-unmodified-since", "{after}")], Expect::Failed),
        ("HEAD", &[("if-none-match", "{tag}"), ("if-modified-since", "{before}")], Expect::NotModified),
        ("HEAD", &[("if-none-match", "\"x\""), ("if-modified-since", "{after}")], Expect::Whole),
    ])
    .await;
}

// Row 4
#[tokio::test]
async fn dates_count_to_the_second_and_only_if_they_are_dates() {
    check_conditions(&[
        ("GET", &[("if-modified-since", "{before}")], Expect::Whole),
        ("GET", &[("if-modified-since", "{date}")], Expect::NotModified),
        ("GET", &[("if-modified-since", "{after}")], Expect::NotModified),
        ("HEAD", &[("if-modified-since", "{before}")], Expect::Whole),
        ("HEAD", &[("if-modified-since", "{after}")], Expect::NotModified),
        ("GET", &[("if-unmodified-since", "{before}")], Expect::Failed),
        ("GET", &[("if-unmodified-since", "{date}")], Expect::Whole),
        ("GET", &[("if-unmodified-since", "{after}")], Expect::Whole),
        ("HEAD", &[("if-unmodified-since", "{before}")], Expect::Failed),
        ("HEAD", &[("if-unmodified-since", "{after}")], Expect::Whole),
        // The obsolete forms (RFC 9110 §5.6.7).
        ("GET", &[("if-modified-since", "Wednesday, 21-Oct-15 07:28:00 GMT")], Expect::NotModified),
        ("GET", &[("if-modified-since", "Wed Oct 21 07:28:00 2015")], Expect::NotModified),
        ("GET", &[("if-modified-since", "Wed Oct 21 07:27:59 2015")], Expect::Whole),
        ("GET", &[("if-unmodified-since", "Wed Oct 21 07:27:59 2015")], Expect::Failed),
        // No dates at all.
        ("GET", &[("if-modified-since", "yesterday")], Expect::Whole),
        ("GET", &[("if-modified-since", "")], Expect::Whole),
        ("GET", &[("if-modified-since", "2015-10-21T07:28:00Z")], Expect::Whole),
        ("GET", &[("if-modified-since", "Wed, 32 Oct 2015 07:28:00 GMT")], Expect::Whole),
        ("GET", &[("if-unmodified-since", "yesterday")], Expect::Whole),
        ("GET", &[("if-unmodified-since", "0")], Expect::Whole),
        // Later than now.
        ("GET", &[("if-modified-since", "Fri, 01 Jan 2999 00:00:00 GMT")], Expect::Whole),
    ])
    .await;
}

// Row 4
#[tokio::test]
async fn without_a_last_modified_no_date_holds_anything_back() {
    let object = Object::of_size(1000);
    let origin = Origin::lying(&object, &[Lie::NoLastModified, Lie::IgnoresDates]).await;
    let rows: &[Row] = &[
        ("GET", &[("if-modified-since", "{after}")], Expect::Whole),
        ("GET", &[("if-unmodified-since", "{before}")], Expect::Whole),
        ("GET", &[("if-none-match", "{tag}")], Expect::NotModified),
    ];
    check_origins(&[(Grace::Never, origin)], rows).await;
}

// Row 5
#[tokio::test]
async fn if_none_match_is_a_list_compared_weakly() {
    check_conditions(&[
        ("GET", &[("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "W/{tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"x\", {tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"x\",W/\"y\",W/{tag},\"z\"")], Expect::NotModified),
        ("GET", &[("if-none-match", ", ,\"x\", ,{tag},")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"x\""), ("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"a,b\", {tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "*")], Expect::NotModified),
        ("HEAD", &[("if-none-match", "{tag}")], Expect::NotModified),
        ("HEAD", &[("if-none-match", "\"x\", W/{tag}")], Expect::NotModified),
        ("HEAD", &[("if-none-match", "*")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"*\"")], Expect::Whole),
        ("GET", &[("if-none-match", "\"x\"")], Expect::Whole),
        ("GET", &[("if-none-match", "W/\"x\"")], Expect::Whole),
        ("GET", &[("if-none-match", "\"x\", \"y\"")], Expect::Whole),
        ("GET", &[("if-none-match", "\"x,{opaque},y\"")], Expect::Whole),
        ("HEAD", &[("if-none-match", "\"x\", \"y\"")], Expect::Whole),
    ])
    .await;
}

// Row 5
#[tokio::test]
async fn a_comma_in_a_tag_does_not_end_it() {
    let object = Object::of_size(1000).tagged("a,b");
    let origin = |lies: &'static [Lie]| Origin::lying(&object, lies);
    let origins =
        [(Grace::Never, origin(&[]).await), (Grace::Never, origin(&[Lie::IgnoresIfNoneMatch]).await)];
    let rows: &[Row] = &[
        ("GET", &[("if-none-match", "\"a,b\"")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"x\", W/\"a,b\"")], Expect::NotModified),
        ("GET", &[("if-none-match", "\"a\", \"b\"")], Expect::Whole),
        ("GET", &[("if-none-match", "\"a\",\"b\"")], Expect::Whole),
        ("GET", &[("if-match", "\"a,b\"")], Expect::Whole),
        ("GET", &[("if-match", "\"a\", \"b\"")], Expect::Failed),
    ];
    check_origins(&origins, rows).await;
}

// Row 5
#[tokio::test]
async fn a_list_of_two_hundred_tags_is_read_here_and_never_there() {
    let origin = Origin::lying(&Object::of_size(1000), &[]).await;
    let service = proxy(origin.mount());
    let others: Vec<_> = (0..200).map(|n| format!("W/\"tag-{n}\"")).collect();
    let misses = others.join(", ");
    let hits = format!("{misses}, W/{}", origin.truth.object.quoted_tag());
    let mut failures = Failures::default();
    for (list, expect) in [(&misses, Expect::Whole), (&hits, Expect::NotModified)] {
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("if-none-match", list)])).await;
        failures.note("the answer", expect.verify(Grace::Never, &origin.truth, "GET", &got));
    }
    for seen in origin.seen() {
        failures.note("what S3 saw", asks_properly(&seen));
    }
    failures.report();
}

// Row 6
#[tokio::test]
async fn if_match_is_a_list_compared_strongly() {
    check_conditions(&[
        ("GET", &[("if-match", "{tag}")], Expect::Whole),
        ("GET", &[("if-match", "\"x\", {tag}")], Expect::Whole),
        ("GET", &[("if-match", "W/{tag}, {tag}")], Expect::Whole),
        ("GET", &[("if-match", "\"x\""), ("if-match", "{tag}")], Expect::Whole),
        ("GET", &[("if-match", "*")], Expect::Whole),
        ("GET", &[("if-match", "W/{tag}")], Expect::Failed),
        ("GET", &[("if-match", "\"x\"")], Expect::Failed),
        ("GET", &[("if-match", "\"x\", W/{tag}, \"y\"")], Expect::Failed),
        ("HEAD", &[("if-match", "{tag}")], Expect::Whole),
        ("HEAD", &[("if-match", "W/{tag}")], Expect::Failed),
        ("HEAD", &[("if-match", "\"x\", \"y\"")], Expect::Failed),
    ])
    .await;
}

// Rows 5 and 6
#[tokio::test]
async fn a_weak_tag_of_s3_or_none_is_compared_as_what_it_is() {
    let object = Object::of_size(1000);
    let weak = [
        (Grace::Never, Origin::lying(&object, &[Lie::WeakTag]).await),
        (Grace::Never, Origin::lying(&object, &[Lie::UnquotedWeakTag]).await),
    ];
    let rows: &[Row] = &[
        ("GET", &[], Expect::Whole),
        ("GET", &[("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "W/{tag}")], Expect::NotModified),
        ("GET", &[("if-match", "*")], Expect::Whole),
        ("GET", &[("if-match", "{tag}")], Expect::Failed),
        ("GET", &[("if-match", "W/{tag}")], Expect::Failed),
        ("GET", &[("range", "bytes=0-9")], Expect::Part(0, 9)),
    ];
    check_origins(&weak, rows).await;

    let none = [(Grace::Never, Origin::lying(&object, &[Lie::NoTag]).await)];
    let rows: &[Row] = &[
        ("GET", &[], Expect::Whole),
        ("GET", &[("if-none-match", "{tag}")], Expect::Whole),
        ("GET", &[("if-none-match", "*")], Expect::NotModified),
        ("GET", &[("if-modified-since", "{date}")], Expect::NotModified),
        ("GET", &[("if-match", "*")], Expect::Whole),
        ("GET", &[("if-match", "{tag}")], Expect::Failed),
        ("GET", &[("range", "bytes=0-9")], Expect::Part(0, 9)),
    ];
    check_origins(&none, rows).await;
}

// Row 20
#[tokio::test]
async fn a_304_says_what_a_200_would_say_of_caching() {
    let object = Object::of_size(1000)
        .with("expires", "Wed, 21 Oct 2099 07:28:00 GMT")
        .with("content-encoding", "gzip")
        .with("content-disposition", "inline");
    let rows: &[Row] = &[
        ("GET", &[("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("if-none-match", "*")], Expect::NotModified),
        ("GET", &[("if-modified-since", "{date}")], Expect::NotModified),
        ("GET", &[("if-none-match", "{tag}"), ("range", "bytes=0-9")], Expect::NotModified),
        ("HEAD", &[("if-none-match", "{tag}")], Expect::NotModified),
        ("HEAD", &[("if-modified-since", "{after}")], Expect::NotModified),
    ];
    check(&object, rows, &[(Grace::Never, MISJUDGE), (Grace::Never, FAILS)]).await;
}

/// S3 keeps neither with an object, but what stands before a server may add them (row 20).
#[tokio::test]
async fn a_304_keeps_vary_and_content_location() {
    let lies = [Lie::Says("vary", "accept-language"), Lie::Says("content-location", "/elsewhere")];
    let origin = Origin::lying(&Object::of_size(1000), &lies).await;
    let service = proxy(origin.mount());
    for fields in [&[][..], &[("if-none-match", "*")]] {
        let got = fetch(&service, request("GET", &format!("/{KEY}"), fields)).await;
        assert_eq!(got.field("vary"), Some("accept-language"), "{}", got.status);
        assert_eq!(got.field("content-location"), Some("/elsewhere"), "{}", got.status);
    }
}

// Row 20
#[tokio::test]
async fn a_304_goes_through_the_policy_like_a_200() {
    let object = Object::of_size(1000);
    let bare = Object { fields: vec![("content-type", "text/css")], ..object.clone() };
    let lies = [&[][..], &[Lie::NotModifiedWithoutTag], &[Lie::IgnoresIfNoneMatch]];
    let mut failures = Failures::default();
    for lies in lies {
        for (what, object, expected) in [
            ("a default over a stored value", &object, "max-age=60, public"),
            ("a default over none", &bare, "max-age=7"),
        ] {
            let origin = Origin::lying(object, lies).await;
            let service = proxy(origin.mount().default_cache_control("max-age=7"));
            let got = fetch(&service, request("GET", "/object", &[("if-none-match", "*")])).await;
            let found = (got.status, got.field("cache-control"));
            let checked = ensure(found == (304, Some(expected)), || format!("{found:?}"));
            failures.note(&format!("{lies:?}: {what}"), checked);
        }
        let origin = Origin::lying(&object, lies).await;
        let service = proxy(origin.mount().override_cache_control("no-cache"));
        for (name, value) in
            [("if-none-match", "*"), ("if-none-match", "{tag}"), ("if-modified-since", "{date}")]
        {
            let value = origin.truth.fill(value);
            let got = fetch(&service, request("GET", "/object", &[(name, &value)])).await;
            let found = (got.status, got.field("cache-control"), got.field("etag"));
            let expected = (304, Some("no-cache"), origin.truth.tag.as_deref());
            let checked = ensure(found == expected, || format!("{found:?}"));
            failures.note(&format!("{lies:?}: an override, {name}: {value}"), checked);
        }
    }
    failures.report();
}

/// An answer that nobody asked for is no answer (rows 1 and 20).
#[tokio::test]
async fn a_304_to_a_request_without_conditions_is_a_bad_gateway() {
    let origin = Origin::lying(&Object::of_size(1000), &[Lie::NotModifiedUnasked]).await;
    let service = proxy(origin.mount());
    let mut failures = Failures::default();
    for (method, fields) in [("GET", &[][..]), ("HEAD", &[]), ("GET", &[("range", "bytes=0-9")])] {
        let got = fetch(&service, request(method, "/object", fields)).await;
        failures.note(&format!("{method} {fields:?}"), got.is_error(502));
    }
    failures.report();
}

// Row 4
#[tokio::test]
async fn an_object_of_this_second_is_modified_since_the_last_one() {
    let object = Object { modified: SystemTime::now(), ..Object::of_size(1000) };
    let rows: &[Row] = &[
        ("GET", &[("if-modified-since", "{before}")], Expect::Whole),
        ("GET", &[("if-unmodified-since", "{before}")], Expect::Failed),
    ];
    check(&object, rows, &[(Grace::Never, &[Lie::JustModified, Lie::IgnoresDates])]).await;
}
