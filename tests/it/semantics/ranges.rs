//! Rows 10 to 17, and row 22.

use super::{
    check::{Failures, Row, asks_properly, check, check_origins},
    expect::{Expect, Grace, ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Mangled, Object, Often},
    support::{is_cached, proxy, request},
};

/// Origins whose answers can be mended.
const MENDED: &[Lie] = &[
    Lie::IgnoresRange,
    Lie::PartialAs200,
    Lie::FirstOfSeveral,
    Lie::WholeForSeveral,
    Lie::RefusesSeveral,
    Lie::RefusesJunk,
    Lie::UnsatisfiableWithoutRange,
    Lie::UnsatisfiableMute,
    Lie::AcceptRangesNone,
    Lie::UnquotedTag,
    Lie::WeakTag,
    Lie::UnquotedWeakTag,
    Lie::NoTag,
    Lie::NoLastModified,
    Lie::Framed(Framed::Chunked),
    Lie::Framed(Framed::UntilClose),
];

/// Origins that contradict themselves: whoever asks again another way may get the right answer, and else it is 502.
const CONTRADICT: &[Lie] = &[
    Lie::SuffixFromStart,
    Lie::OtherPart,
    Lie::RefusesRanges,
    Lie::Range(Mangled::Shifted),
    Lie::Range(Mangled::UnknownTotal),
    Lie::Range(Mangled::Missing),
    Lie::Range(Mangled::Garbage),
    Lie::PartLonger(1),
    Lie::PartLonger(-1),
    Lie::MultipartForOne,
];

const MIB: usize = 1 << 20;

// Rows 11 and 12
#[tokio::test]
async fn a_range_gives_these_bytes_and_says_which() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=0-0")], Expect::Part(0, 0)),
        ("GET", &[("range", "bytes=500-998")], Expect::Part(500, 998)),
        ("GET", &[("range", "bytes=999-999")], Expect::Part(999, 999)),
        ("GET", &[("range", "bytes=990-")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=999-")], Expect::Part(999, 999)),
        ("GET", &[("range", "bytes=-10")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=-1")], Expect::Part(999, 999)),
        ("GET", &[("range", "bytes=-999")], Expect::Part(1, 999)),
        ("GET", &[("range", "bytes=000000000000000000000000-9")], Expect::Part(0, 9)),
        // Everything, and still a part (Safari).
        ("GET", &[("range", "bytes=0-")], Expect::Part(0, 999)),
        ("GET", &[("range", "bytes=0-999")], Expect::Part(0, 999)),
        ("GET", &[("range", "bytes=-1000")], Expect::Part(0, 999)),
        // Clamped.
        ("GET", &[("range", "bytes=0-1000")], Expect::Part(0, 999)),
        ("GET", &[("range", "bytes=990-5000")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=-5000")], Expect::Part(0, 999)),
        ("GET", &[("range", "bytes=990-99999999999999999999999")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=-99999999999999999999999")], Expect::Part(0, 999)),
        ("GET", &[("range", "bytes=-18446744073709551615")], Expect::Part(0, 999)),
        ("GET", &[("range", "bytes=-9223372036854775808")], Expect::Part(0, 999)),
        // Names of units have no case (RFC 9110 §14.1).
        ("GET", &[("range", "Bytes=0-9")], Expect::Part(0, 9)),
    ];
    check(&Object::of_size(1000), rows, &[(Grace::Never, MENDED), (Grace::Refusal, CONTRADICT)]).await;
}

/// A wrong total shows only where the end of the range depends on it.
#[tokio::test]
async fn a_wrong_total_is_found_out_by_ranges_up_to_the_end() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=990-")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=-10")], Expect::Part(990, 999)),
        ("GET", &[("range", "bytes=990-5000")], Expect::Part(990, 999)),
    ];
    let origin = Origin::lying(&Object::of_size(1000), &[Lie::Range(Mangled::OtherTotal)]).await;
    check_origins(&[(Grace::Refusal, origin)], rows).await;
}

// Row 13
#[tokio::test]
async fn a_range_that_is_not_there_is_told_the_length() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=1000-")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=1000-1000")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=5000-6000")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=-0")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=99999999999999999999999-")], Expect::Unsatisfiable),
        ("GET", &[("range", "bytes=5000-5009,6000-")], Expect::Unsatisfiable),
    ];
    check(&Object::of_size(1000), rows, &[(Grace::Never, MENDED), (Grace::Refusal, CONTRADICT)]).await;
}

// Row 10
#[tokio::test]
async fn what_is_no_range_of_bytes_is_ignored() {
    let rows: &[Row] = &[
        ("GET", &[("range", "")], Expect::Whole),
        ("GET", &[("range", "bytes")], Expect::Whole),
        ("GET", &[("range", "bytes=")], Expect::Whole),
        ("GET", &[("range", "bytes=,")], Expect::Whole),
        ("GET", &[("range", "bytes=-")], Expect::Whole),
        ("GET", &[("range", "bytes=abc")], Expect::Whole),
        ("GET", &[("range", "bytes=9")], Expect::Whole),
        ("GET", &[("range", "bytes=9-0")], Expect::Whole),
        ("GET", &[("range", "bytes=--5")], Expect::Whole),
        ("GET", &[("range", "bytes=1-2-3")], Expect::Whole),
        ("GET", &[("range", "bytes=+1-5")], Expect::Whole),
        ("GET", &[("range", "bytes=0x0-0x9")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9x")], Expect::Whole),
        ("GET", &[("range", "bytes=0 - 9")], Expect::Whole),
        ("GET", &[("range", "bytes:0-9")], Expect::Whole),
        ("GET", &[("range", "bytes 0-9")], Expect::Whole),
        ("GET", &[("range", "0-9")], Expect::Whole),
        ("GET", &[("range", "lines=0-9")], Expect::Whole),
        ("GET", &[("range", "none=0-9")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9,x")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9,20-10")], Expect::Whole),
        ("GET", &[("range", "bytes=0-9;20-30")], Expect::Whole),
    ];
    check(&Object::of_size(1000), rows, &[(Grace::Never, MENDED), (Grace::Never, CONTRADICT)]).await;
}

// Row 14
#[tokio::test]
async fn an_empty_object_has_no_parts() {
    let rows: &[Row] = &[
        ("GET", &[], Expect::Whole),
        ("HEAD", &[], Expect::Whole),
        ("GET", &[("range", "bytes=0-")], Expect::Whole),
        ("GET", &[("range", "bytes=0-0")], Expect::Whole),
        ("GET", &[("range", "bytes=-1")], Expect::Whole),
        ("GET", &[("range", "bytes=5-9")], Expect::Whole),
        ("GET", &[("range", "bytes=0-0,5-9")], Expect::Whole),
        ("GET", &[("range", "bytes=0-"), ("if-range", "{tag}")], Expect::Whole),
        ("GET", &[("range", "bytes=0-"), ("if-none-match", "{tag}")], Expect::NotModified),
        ("GET", &[("range", "bytes=0-"), ("if-match", "\"x\"")], Expect::Failed),
    ];
    let lies = &[
        Lie::EmptyIgnoresRange,
        Lie::IgnoresRange,
        Lie::UnsatisfiableWithoutRange,
        Lie::UnsatisfiableMute,
        Lie::IgnoresIfMatch,
        Lie::AcceptRangesNone,
    ];
    check(&Object::of_size(0), rows, &[(Grace::Never, lies)]).await;
}

// Row 15
#[tokio::test]
async fn a_range_is_nothing_to_head() {
    let rows: &[Row] = &[
        ("HEAD", &[("range", "bytes=0-9")], Expect::Whole),
        ("HEAD", &[("range", "bytes=5000-")], Expect::Whole),
        ("HEAD", &[("range", "bytes=0-9,500-509")], Expect::Whole),
        ("HEAD", &[("range", "bytes=9-0")], Expect::Whole),
    ];
    check(&Object::of_size(1000), rows, &[(Grace::Never, MENDED), (Grace::Never, CONTRADICT)]).await;
}

// Row 16
#[tokio::test]
async fn the_whole_in_place_of_a_range_is_cut_if_it_is_small_and_passed_on_if_not() {
    for (size, rows) in [
        (
            MIB,
            &[
                ("GET", &[("range", "bytes=0-9")][..], Expect::Part(0, 9)),
                ("GET", &[("range", "bytes=1048570-")], Expect::Part(1_048_570, 1_048_575)),
                ("GET", &[("range", "bytes=-1")], Expect::Part(1_048_575, 1_048_575)),
                ("GET", &[("range", "bytes=0-")], Expect::Part(0, 1_048_575)),
                ("GET", &[("range", "bytes=2000000-")], Expect::Unsatisfiable),
            ][..],
        ),
        (
            2 * MIB + 7,
            &[
                ("GET", &[("range", "bytes=0-9")], Expect::PartOrWhole(0, 9)),
                ("GET", &[("range", "bytes=2097150-")], Expect::PartOrWhole(2_097_150, 2_097_158)),
                ("GET", &[("range", "bytes=-1")], Expect::PartOrWhole(2_097_158, 2_097_158)),
                ("GET", &[("range", "bytes=0-")], Expect::PartOrWhole(0, 2_097_158)),
                ("HEAD", &[("range", "bytes=0-9")], Expect::Whole),
            ],
        ),
    ] {
        let origin = Origin::lying(&Object::of_size(size), &[Lie::IgnoresRange]).await;
        check_origins(&[(Grace::Never, origin)], rows).await;
    }
}

// Row 16
#[tokio::test]
async fn a_part_of_a_large_object_stays_a_part() {
    let rows: &[Row] = &[
        ("GET", &[("range", "bytes=0-9")], Expect::Part(0, 9)),
        ("GET", &[("range", "bytes=5-1500000")], Expect::Part(5, 1_500_000)),
        ("GET", &[("range", "bytes=-1200000")], Expect::Part(897_159, 2_097_158)),
    ];
    check(&Object::of_size(2 * MIB + 7), rows, &[(Grace::Never, &[Lie::PartialAs200, Lie::NoTag])]).await;
}

/// A byte of a large object must not cost the object (RangeAmp).
#[tokio::test]
async fn a_byte_costs_s3_no_more_than_a_byte() {
    // With a cache it costs a block.
    if is_cached() {
        return;
    }
    let origin = LyingOrigin::start(&Object::of_size(8 * MIB), &[]).await;
    let service = proxy(origin.mount());
    for range in ["bytes=0-0", "bytes=-1", "bytes=4000000-4000000"] {
        let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", range)])).await;
        assert_eq!((got.status, got.body.len()), (206, 1), "{range}");
    }
    assert_eq!(origin.sent(), 3);
}

// Row 17
#[tokio::test]
async fn a_part_in_place_of_the_whole_is_asked_for_again_and_then_refused() {
    let object = Object::of_size(1000);
    let mut failures = Failures::default();
    for status in [206, 200] {
        let once = Origin::lying(&object, &[Lie::PartialToPlain(status, Often::Once)]).await;
        let got = fetch(&proxy(once.mount()), request("GET", &format!("/{KEY}"), &[])).await;
        let checked = Expect::Whole.verify(Grace::Never, &once.truth, "GET", &got);
        failures.note(&format!("{status} once"), checked);

        let always = Origin::lying(&object, &[Lie::PartialToPlain(status, Often::Always)]).await;
        let got = fetch(&proxy(always.mount()), request("GET", &format!("/{KEY}"), &[])).await;
        failures.note(&format!("{status} always"), got.is_error(502));
        let asked = always.seen().len();
        failures.note(&format!("{status} always"), ensure(asked <= 3, || format!("asked {asked} times")));
    }
    failures.report();
}

// Row 22
#[tokio::test]
async fn ranges_are_offered_on_every_answer_about_the_object() {
    let object = Object::of_size(1000).with("content-encoding", "gzip");
    let mut failures = Failures::default();
    for lies in [&[][..], &[Lie::AcceptRangesNone], &[Lie::IgnoresRange]] {
        let origin = Origin::lying(&object, lies).await;
        let service = proxy(origin.mount());
        for (method, fields) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("GET", &[("range", "bytes=0-9")]),
            ("GET", &[("range", "bytes=5000-")]),
        ] {
            let got = fetch(&service, request(method, &format!("/{KEY}"), fields)).await;
            let found = got.field("accept-ranges").map(str::to_owned);
            let row = format!("{}: {method} {fields:?} {}", origin.name, got.status);
            failures.note(&row, ensure(found.as_deref() == Some("bytes"), || format!("{found:?}")));
        }
        for seen in origin.seen() {
            failures.note("what S3 saw", asks_properly(&seen));
        }
    }
    failures.report();
}
