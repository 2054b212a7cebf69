//! Rows 7 and 8.

use std::time::SystemTime;

use super::{
    check::{Failures, Row, check, check_origins},
    expect::{Expect, Grace, ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{KEY, Lie, Object, RETRY_AFTER, Which},
    support::{is_cached, proxy, request},
};

/// Origins that must not show: `If-Range` is never left to any of them.
const MISJUDGE: &[Lie] = &[
    Lie::IgnoresIfMatch,
    Lie::IgnoresDates,
    Lie::IgnoresRange,
    Lie::PartialAs200,
    Lie::NoTagLists,
    Lie::DatesBeforeTags,
    Lie::RangeBeforeConditions,
    Lie::UnquotedTag,
];

// Row 7
#[tokio::test]
async fn if_range_with_the_tag_of_the_object_gives_the_part_and_else_the_whole() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{tag}")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=-10"), ("if-range", "{tag}")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=990-"), ("if-range", "{tag}")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "\"x\"")], Expect::Whole),
        ("GET", &[("range", "bytes=-10"), ("if-range", "\"x\"")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "W/{tag}")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "*")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{tag}, \"x\"")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "garbage")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "")], Expect::Whole),
        ("GET", &[("if-range", "{tag}")], Expect::Whole),
        ("GET", &[("if-range", "\"x\"")], Expect::Whole),
        ("GET", &[("range", "lines=0-9"), ("if-range", "{tag}")], Expect::Whole),
        ("HEAD", &[("range", "bytes=0-9"), ("if-range", "{tag}")], Expect::Whole),
        ("HEAD", &[("range", "bytes=0-9"), ("if-range", "\"x\"")], Expect::Whole),
        // It comes last (RFC 9110 §13.2.2).
        ("GET", &[("range", "bytes=5000-"), ("if-range", "{tag}")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=5000-"), ("if-range", "\"x\"")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{tag}"), ("if-match", "\"x\"")], Expect::Failed),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "\"x\""), ("if-match", "{tag}")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{tag}"), ("if-match", "{tag}")], Expect::Part(0, 9)),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-range", "\"x\""), ("if-none-match", "{tag}")],
            Expect::NotModified,
        ),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-range", "{tag}"), ("if-none-match", "{tag}")],
            Expect::NotModified,
        ),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-range", "\"x\""), ("if-unmodified-since", "{before}")],
            Expect::Failed,
        ),
    ];
    let lies = [(Grace::Never, MISJUDGE), (Grace::Whole, &[Lie::FailsPreconditions])];
    check(&Object::of_size(1000), rows, &lies).await;
}

// Row 8
#[tokio::test]
async fn if_range_with_the_date_of_the_object_gives_the_part_and_else_the_whole() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{date}")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=-10"), ("if-range", "{date}")], Expect::Part(990, 999)),
        // Later than the object is no match, either: the date has to be that one (RFC 9110 §13.1.5).
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{after}")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{before}")], Expect::Whole),
        ("GET", &[("range", "bytes=5000-"), ("if-range", "{date}")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=5000-"), ("if-range", "{after}")], Expect::Whole),
        ("GET", &[("if-range", "{date}")], Expect::Whole),
        ("HEAD", &[("range", "bytes=0-9"), ("if-range", "{date}")], Expect::Whole),
    ];
    let lies = [(Grace::Never, MISJUDGE), (Grace::Whole, &[Lie::FailsPreconditions])];
    check(&Object::of_size(1000), rows, &lies).await;
}

// Row 8
#[tokio::test]
async fn a_date_that_is_not_strong_gives_the_whole() {
    let rows: &[Row] = &[("GET", &[("range", "bytes=0-9"), ("if-range", "{date}")], Expect::Whole)];
    let object = Object { modified: SystemTime::now(), ..Object::of_size(1000) };
    let just_modified = Origin::lying(&object, &[Lie::JustModified]).await;
    let undated = Origin::lying(&object, &[Lie::NoLastModified]).await;
    check_origins(&[(Grace::Never, just_modified), (Grace::Never, undated)], rows).await;
}

// Row 7
#[tokio::test]
async fn a_tag_that_is_weak_or_absent_gives_the_whole() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{tag}")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "W/{tag}")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9"), ("if-range", "{date}")], Expect::Part(0, 9)),
    ];
    let object = Object::of_size(1000);
    let weak = Origin::lying(&object, &[Lie::WeakTag]).await;
    let unquoted = Origin::lying(&object, &[Lie::UnquotedWeakTag]).await;
    let none = Origin::lying(&object, &[Lie::NoTag]).await;
    check_origins(&[(Grace::Never, weak), (Grace::Never, unquoted), (Grace::Never, none)], rows).await;
}

// Rows 7 and 8
#[tokio::test]
async fn if_range_costs_one_round_trip_and_two_where_it_does_not_hold() {
    let object = Object::of_size(1000);
    let mut failures = Failures::default();
    for origin in [Origin::demo(&object).await, Origin::lying(&object, &[]).await] {
        let service = proxy(origin.mount());
        for (validator, status, most) in [
            ("{tag}", 206, 1),
            ("{date}", 206, 1),
            ("\"x\"", 200, 2),
            ("{before}", 200, 2),
            ("{after}", 200, 2),
            // These can't hold whatever the object is.
            ("W/{tag}", 200, 1),
            ("garbage", 200, 1),
        ] {
            origin.forget();
            let value = origin.truth.fill(validator);
            let fields = [("range", "bytes=0-9"), ("if-range", value.as_str())];
            let got = fetch(&service, request("GET", &format!("/{KEY}"), &fields)).await;
            let row = format!("{}: If-Range: {validator}", origin.name);
            failures.note(&row, ensure(got.status == status, || format!("{}", got.status)));
            let asked = origin.seen().len();
            failures
                .note(&row, ensure(asked <= most || is_cached(), || format!("S3 was asked {asked} times")));
        }
    }
    failures.report();
}

/// A refusal of the whole is the answer: it is no reason to ask on (row 27).
#[tokio::test]
async fn if_range_that_does_not_hold_at_a_busy_s3_costs_two_round_trips() {
    if is_cached() {
        // Its head comes first, and the bytes come as parts: this S3 gives both.
        return;
    }
    let lies = [Lie::RefusesOnly(Which::PlainGets, 503, "SlowDown")];
    let origin = Origin::lying(&Object::of_size(1000), &lies).await;
    let service = proxy(origin.mount());
    let mut failures = Failures::default();
    for validator in ["\"x\"", "{before}", "{after}"] {
        origin.forget();
        let value = origin.truth.fill(validator);
        let fields = [("range", "bytes=0-9"), ("if-range", value.as_str())];
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &fields)).await;
        failures.note(validator, got.is_error(503));
        let retry_after = got.field("retry-after");
        failures.note(validator, ensure(retry_after == Some(RETRY_AFTER), || format!("{retry_after:?}")));
        let asked = origin.seen().len();
        failures.note(validator, ensure(asked <= 2, || format!("S3 was asked {asked} times")));
    }
    failures.report();
}
