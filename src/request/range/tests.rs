use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

mod model;

fn headers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(RANGE, HeaderValue::from_str(value).unwrap())])
}

fn parse(value: &str) -> Option<Ranges> {
    Ranges::parse(&headers(value))
}

fn range(first: u64, last: u64) -> ByteRange {
    ByteRange::new(first, last).unwrap()
}

// === parse ===

#[test]
fn ranges_of_the_grammar_are_understood() {
    use RangeSpec::{From, FromTo, Suffix};
    for (value, expected) in [
        ("bytes=0-0", &[FromTo(0, 0)][..]),
        ("bytes=0-499", &[FromTo(0, 499)]),
        ("BYTES=9500-", &[From(9500)]),
        ("Bytes=-500", &[Suffix(500)]),
        ("bytes=-0", &[Suffix(0)]),
        ("bytes=007-08", &[FromTo(7, 8)]),
        ("bytes=0-99999999999999999999", &[FromTo(0, u64::MAX)]),
        ("bytes=18446744073709551615-18446744073709551616", &[FromTo(u64::MAX, u64::MAX)]),
        ("bytes=-99999999999999999999", &[Suffix(u64::MAX)]),
        ("bytes=0-0,-1", &[FromTo(0, 0), Suffix(1)]),
        ("bytes= 0-999, 4500-5499 ,\t-1000 ", &[FromTo(0, 999), FromTo(4500, 5499), Suffix(1000)]),
        ("bytes=,, 5- ,", &[From(5)]),
        ("bytes=5-,,5-", &[From(5), From(5)]),
    ] {
        let expected = match *expected {
            [spec] => Ranges::One(spec),
            _ => Ranges::Several(expected.into()),
        };
        assert_eq!(parse(value), Some(expected), "{value:?}");
    }
}

#[test]
fn what_is_not_understood_is_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes= ",
        "bytes=,",
        "bytes=-",
        "bytes=1",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=--1",
        "bytes=1-2-3",
        "bytes=1 -2",
        "bytes=1- 2",
        "bytes=- 2",
        "bytes=0-1 2-3",
        "bytes=0-1;2-3",
        "bytes=2-1",
        "bytes=0-1,2-1",
        "bytes=0-1,x",
        "bytes:0-1",
        "bytes =0-1",
        " bytes=0-1",
        "bytes 0-1",
        "items=0-1",
        "bytesx=0-1",
        "=0-1",
        "bytes==0-1",
        "bytes=\"0-1\"",
    ] {
        assert_eq!(parse(value), None, "{value:?}");
    }
    assert_eq!(Ranges::parse(&HeaderMap::new()), None);
    let latin1 = HeaderValue::from_bytes(b"bytes=0-\xb2").unwrap();
    assert_eq!(Ranges::parse(&HeaderMap::from_iter([(RANGE, latin1)])), None);
}

#[test]
fn two_lines_are_ambiguous_and_ignored() {
    let mut headers = headers("bytes=0-1");
    headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
    assert_eq!(Ranges::parse(&headers), None);
}

#[test]
fn more_members_than_anyone_needs_are_ignored() {
    let set = |members| vec!["0-1"; members].join(",,");
    let Some(Ranges::Several(specs)) = parse(&format!("bytes={}", set(1024))) else {
        panic!("they are read")
    };
    assert_eq!(specs.len(), 1024);
    assert_eq!(parse(&format!("bytes={}", set(1025))), None);
}

#[test]
fn one_range_costs_no_allocation() {
    let headers = headers("bytes=0-499");
    let counted = allocation_counter::measure(|| {
        let ranges = Ranges::parse(&headers).expect("the value is a range");
        assert_eq!(ranges.resolve(100, || 90), Resolved::One(range(0, 99)));
    });
    assert_eq!(counted.count_total, 0);
}

// === resolve ===

#[test]
fn a_range_is_clamped_to_the_object() {
    for (value, total, expected) in [
        ("bytes=0-9", 100, Resolved::One(range(0, 9))),
        ("bytes=0-", 100, Resolved::One(range(0, 99))),
        ("bytes=0-99", 100, Resolved::One(range(0, 99))),
        ("bytes=90-200", 100, Resolved::One(range(90, 99))),
        ("bytes=99-", 100, Resolved::One(range(99, 99))),
        ("bytes=-1", 100, Resolved::One(range(99, 99))),
        ("bytes=-500", 100, Resolved::One(range(0, 99))),
        ("bytes=-99999999999999999999", 100, Resolved::One(range(0, 99))),
        ("bytes=100-", 100, Resolved::Unsatisfiable),
        ("bytes=100-200", 100, Resolved::Unsatisfiable),
        ("bytes=-0", 100, Resolved::Unsatisfiable),
        ("bytes=0-", 0, Resolved::Whole),
        ("bytes=-5", 0, Resolved::Whole),
        ("bytes=-0", 0, Resolved::Whole),
        ("bytes=5-,6-", 0, Resolved::Whole),
        ("bytes=0-", u64::MAX, Resolved::One(range(0, u64::MAX - 1))),
        ("bytes=18446744073709551615-", u64::MAX, Resolved::Unsatisfiable),
    ] {
        assert_eq!(parse(value).unwrap().resolve(total, || 90), expected, "{value} of {total}");
    }
}

#[test]
fn of_several_ranges_those_near_each_other_are_one() {
    let several = |parts: &[(u64, u64)]| {
        Resolved::Several(parts.iter().map(|&(first, last)| range(first, last)).collect())
    };
    for (value, expected) in [
        ("bytes=0-1,100000-100001", several(&[(0, 1), (100_000, 100_001)])),
        ("bytes=100000-100001,0-1", several(&[(100_000, 100_001), (0, 1)])),
        ("bytes=0-5,3-9", Resolved::One(range(0, 9))),
        ("bytes=0-9,3-5", Resolved::One(range(0, 9))),
        ("bytes=0-4,5-9", Resolved::One(range(0, 9))),
        ("bytes=0-0,91-91", Resolved::One(range(0, 91))),
        ("bytes=92-92,0-0", several(&[(92, 92), (0, 0)])),
        ("bytes=0-,500-", Resolved::One(range(0, 999_999))),
        ("bytes=0-0,-1,10-20", several(&[(0, 20), (999_999, 999_999)])),
        ("bytes=500000-500001,-1,0-0,500002-500003", {
            several(&[(500_000, 500_003), (999_999, 999_999), (0, 0)])
        }),
        ("bytes=1000000-,5-6", Resolved::One(range(5, 6))),
        ("bytes=1000000-,2000000-2000001,-0", Resolved::Unsatisfiable),
    ] {
        assert_eq!(parse(value).unwrap().resolve(1_000_000, || 90), expected, "{value}");
    }
}

/// First and last byte and number of parts of the spans of these parts.
fn spanned(parts: &[(u64, u64)], total: u64) -> Option<Vec<(u64, u64, usize)>> {
    let spans = spans(&parts.iter().map(|&(first, last)| range(first, last)), total)?;
    Some(spans.iter().map(|span| (span.range.first(), span.range.last(), span.parts)).collect())
}

/// So many parts of ten bytes, each so far from the last.
fn apart(parts: u64, distance: u64) -> Vec<(u64, u64)> {
    (0..parts).map(|n| (n * distance, n * distance + 9)).collect()
}

#[test]
fn parts_in_their_order_and_close_to_each_other_are_one_request() {
    let total = 1_000_000;
    for (parts, expected) in [
        (&[][..], &[][..]),
        (&[(0, 9), (8202, 8202), (9000, 9999)], &[(0, 9999, 3)]),
        (&[(0, 9), (8203, 8203)], &[(0, 9, 1), (8203, 8203, 1)]),
        (&[(200, 209), (0, 9), (100, 109)], &[(200, 209, 1), (0, 109, 2)]),
    ] {
        assert_eq!(spanned(parts, total).as_deref(), Some(expected), "{parts:?}");
    }
}

#[test]
fn more_than_a_few_requests_are_made_fewer_by_reading_what_lies_between() {
    let requests = |parts, distance| spanned(&apart(parts, distance), 1 << 40).map(|spans| spans.len());
    for (parts, distance, expected) in [
        (16, 10_000, Some(16)),
        // Beyond that, up to a mebibyte is read in vain.
        (17, 10_000, Some(1)),
        (100, 10_000, Some(1)),
        (106, 10_000, Some(106)),
        (17, 60_000, Some(1)),
        (17, 100_000, Some(17)),
        (256, 1_000_000, Some(256)),
        (257, 1_000_000, None),
        (1024, 8_000, Some(1)),
    ] {
        assert_eq!(requests(parts, distance), expected, "{parts} parts, each {distance} bytes from the last");
    }
}

/// Fifteen parts far from each other, and after two of them another, so far away.
#[test]
fn gaps_are_widened_no_further_than_it_takes() {
    const KIB: u64 = 1024;
    for (gap, wider, expected) in [
        (32 * KIB, 100 * KIB, 16),
        (32 * KIB + 1, 100 * KIB, 15),
        (128 * KIB, 200 * KIB, 16),
        (128 * KIB + 1, 200 * KIB, 15),
        (512 * KIB, 600 * KIB, 16),
        (512 * KIB + 1, 600 * KIB, 17),
    ] {
        let mut parts = apart(13, 1_000_000);
        for (at, gap) in [(20_000_000, gap), (30_000_000, wider)] {
            parts.extend([(at, at + 9), (at + 10 + gap, at + 19 + gap)]);
        }
        let requests = spanned(&parts, 1 << 40).map(|spans| spans.len());
        assert_eq!(requests, Some(expected), "{gap} and {wider}");
    }
}

#[test]
fn no_more_is_read_than_the_object_has() {
    // Each pair is joined, and the pairs lie within each other.
    let nested: Vec<_> =
        (0..100).flat_map(|n| [(n * 10, n * 10 + 1), (8000 - n * 10, 8001 - n * 10)]).collect();
    assert_eq!(spanned(&nested, 8100), None);
    assert!(spanned(&nested[..4], 1 << 40).is_some());
}

proptest! {
    #[test]
    fn spans_have_all_parts_in_their_order_and_no_more_than_the_object(
        (total, starts) in (1_u64..4_000_000).prop_flat_map(|total| {
            (Just(total), prop::collection::vec((0..total, 1_u64..50_000), 0..300))
        }),
    ) {
        let asked = starts.iter().map(|&(at, len)| range(at, (at + len - 1).min(total - 1)));
        let parts = coalesce(asked, 90);
        let Some(spans) = spans(&parts.iter().copied(), total) else { return Ok(()) };
        let mut rest = parts.iter();
        for span in &spans {
            for part in rest.by_ref().take(span.parts) {
                prop_assert!(span.range.first() <= part.first() && part.last() <= span.range.last());
            }
        }
        prop_assert_eq!(rest.next(), None);
        prop_assert!(spans.len() <= MAX_SPANS);
        prop_assert!(spans.iter().map(|span| span.range.len()).sum::<u64>() <= total);
    }
}

#[test]
fn a_byte_range_has_a_byte_and_a_length() {
    for (first, last, len) in [(0, 0, 1), (3, 9, 7), (0, u64::MAX - 1, u64::MAX)] {
        let range = range(first, last);
        assert_eq!((range.first(), range.last(), range.len()), (first, last, len));
    }
    for (first, last) in [(1, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        assert_eq!(ByteRange::new(first, last), None, "{first}-{last}");
    }
    assert!(range(0, 9).is_within(10) && !range(0, 9).is_within(9));
}

#[test]
fn a_byte_range_is_split_after_so_many_bytes() {
    for (count, first, rest) in [
        (1, (10, 10), Some((11, 19))),
        (9, (10, 18), Some((19, 19))),
        (10, (10, 19), None),
        (11, (10, 19), None),
        (u64::MAX, (10, 19), None),
    ] {
        let whole = range(10, 19);
        assert_eq!(whole.first_bytes(count), range(first.0, first.1), "{count}");
        assert_eq!(whole.after(count), rest.map(|(first, last)| range(first, last)), "{count}");
    }
}

// === ContentRange ===

#[test]
fn an_answer_says_which_part_it_has() {
    let part = |first, last, total| ContentRange::Range { range: range(first, last), total };
    for (value, expected) in [
        ("bytes 0-9/100", Some(part(0, 9, Some(100)))),
        ("Bytes 0-0/1", Some(part(0, 0, Some(1)))),
        ("bytes 42-1233/*", Some(part(42, 1233, None))),
        ("bytes */1234", Some(ContentRange::Unsatisfied { total: 1234 })),
        ("bytes */0", Some(ContentRange::Unsatisfied { total: 0 })),
        ("bytes 0-18446744073709551614/18446744073709551615", Some(part(0, u64::MAX - 1, Some(u64::MAX)))),
        ("bytes 0-18446744073709551615/*", None),
        ("bytes 0-9/99999999999999999999", None),
        ("bytes */99999999999999999999", None),
        ("bytes 9-0/100", None),
        ("bytes 0-100/100", None),
        ("bytes 0-0/0", None),
        ("bytes */*", None),
        ("bytes 0-/100", None),
        ("bytes -9/100", None),
        ("bytes -/100", None),
        ("bytes 0-9", None),
        ("bytes 0-9/", None),
        ("bytes 0-9/100/", None),
        ("bytes 0-9-9/100", None),
        ("bytes +0-9/100", None),
        ("bytes 0-9/+100", None),
        ("bytes 0x0-9/100", None),
        ("bytes  0-9/100", None),
        ("bytes\t0-9/100", None),
        ("bytes 0-9/100 ", None),
        ("bytes 0 -9/100", None),
        ("bytes 0-9 /100", None),
        (" bytes 0-9/100", None),
        ("bytes=0-9/100", None),
        ("items 0-9/100", None),
        ("0-9/100", None),
        ("bytes", None),
        ("", None),
    ] {
        assert_eq!(ContentRange::parse(&HeaderValue::from_static(value)), expected, "{value:?}");
    }
}

// === against the models ===

impl From<RangeSpec> for model::Spec {
    fn from(spec: RangeSpec) -> Self {
        match spec {
            RangeSpec::FromTo(first, last) => (Some(first), Some(last)),
            RangeSpec::From(first) => (Some(first), None),
            RangeSpec::Suffix(length) => (None, Some(length)),
        }
    }
}

fn specs(ranges: Ranges) -> Vec<model::Spec> {
    match ranges {
        Ranges::One(spec) => vec![spec.into()],
        Ranges::Several(specs) => specs.iter().map(|&spec| spec.into()).collect(),
    }
}

fn parts(resolved: Resolved) -> model::Parts {
    let ends = |range: ByteRange| (range.first(), range.last());
    match resolved {
        Resolved::Whole => None,
        Resolved::One(range) => Some(vec![ends(range)]),
        Resolved::Several(parts) => Some(parts.into_iter().map(ends).collect()),
        Resolved::Unsatisfiable => Some(Vec::new()),
    }
}

fn any_number(below: u64) -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..below, 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn any_spec(below: u64) -> impl Strategy<Value = RangeSpec> {
    let number = || any_number(below);
    prop_oneof![
        (number(), number()).prop_map(|(a, b)| RangeSpec::FromTo(a.min(b), a.max(b))),
        number().prop_map(RangeSpec::From),
        number().prop_map(RangeSpec::Suffix),
    ]
}

/// The bytes of a small object that a member selects.
fn bytes_of(spec: RangeSpec, total: u64) -> BTreeSet<u64> {
    (0..total).filter(|&byte| model::means(spec.into(), byte, total)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn ranges_are_parsed_as_byte_by_byte(
        unit in prop_oneof![6 => Just("bytes="), 1 => Just("bYtEs="), 1 => Just("bytes"), 1 => Just("")],
        set in prop_oneof![
            "[-bytes=, 0-9\t+xB]{0,24}",
            "([0-9]{0,2}-[0-9]{0,2}[ \t]?,?[ \t]?){1,5}",
            "([0-9]{1,2}-|-[0-9]{18,22}|[0-9]{0,21}-9[0-9]{18,22})(,[0-9]-){0,2}",
        ],
    ) {
        let value = format!("{unit}{set}");
        prop_assert_eq!(parse(&value).map(specs), model::parse(value.as_bytes()), "{:?}", value);
    }

    #[test]
    fn a_member_is_resolved_to_the_bytes_that_it_means(spec in any_spec(40), total in 0_u64..40) {
        let expected = bytes_of(spec, total);
        let resolved: BTreeSet<u64> =
            spec.resolve(total).map_or_else(BTreeSet::new, |range| (range.first()..=range.last()).collect());
        prop_assert_eq!(resolved, expected);
    }

    #[test]
    fn coalesced_parts_are_the_runs_of_bytes_once_small_gaps_are_filled(
        specs in prop::collection::vec(any_spec(60), 0..8),
        total in 1_u64..60,
        gap in 0_u64..6,
    ) {
        let asked: Vec<ByteRange> = specs.iter().filter_map(|spec| spec.resolve(total)).collect();
        let parts = coalesce(asked.iter().copied(), gap);

        let union: BTreeSet<u64> = specs.iter().flat_map(|&spec| bytes_of(spec, total)).collect();
        // A byte between two others that are at most `gap` bytes apart is read with them.
        let is_filled = |byte: u64| {
            let before = union.range(..byte).next_back();
            let behind = union.range(byte..).next();
            before.zip(behind).is_some_and(|(before, behind)| behind - before - 1 <= gap)
        };
        let filled: BTreeSet<u64> =
            (0..total).filter(|&byte| union.contains(&byte) || is_filled(byte)).collect();
        let mut runs: Vec<ByteRange> = Vec::new();
        for &byte in &filled {
            match runs.last_mut() {
                Some(run) if run.last + 1 == byte => run.last = byte,
                _ => runs.push(range(byte, byte)),
            }
        }
        // Each run stands where the first member within it stood.
        runs.sort_by_key(|run| asked.iter().position(|range| run.first <= range.first && range.last <= run.last));
        prop_assert_eq!(parts, runs);
    }

    #[test]
    fn what_is_sent_is_what_the_model_sends(
        (total, members) in prop_oneof![0_u64..50, 0_u64..100_000, any::<u64>()].prop_flat_map(|total| {
            let small = prop::collection::vec(any_spec(total.saturating_add(2)), 1..5);
            let many = prop::collection::vec((0..=total).prop_map(|at| RangeSpec::FromTo(at, at)), 1..40);
            (Just(total), prop_oneof![small, many])
        }),
        gap in 0_u64..200,
    ) {
        let ranges = match *members {
            [spec] => Ranges::One(spec),
            _ => Ranges::Several(members.into()),
        };
        let expected = model::resolve(&specs(ranges.clone()), total, gap);
        prop_assert_eq!(parts(ranges.resolve(total, || gap)), expected);
    }

    #[test]
    fn a_member_is_read_as_it_is_written(spec in any_spec(1000)) {
        let headers = HeaderMap::from_iter([(RANGE, spec.header_value())]);
        prop_assert_eq!(Ranges::parse(&headers), Some(Ranges::One(spec)));
    }

    #[test]
    fn a_part_is_read_as_it_is_written(a in 0..u64::MAX, b in 0..u64::MAX, more in any::<u64>()) {
        let range = range(a.min(b), a.max(b));
        let total = range.last().saturating_add(1).saturating_add(more);
        let told = ContentRange::parse(&range.content_range(total));
        prop_assert_eq!(told, Some(ContentRange::Range { range, total: Some(total) }));
    }

    #[test]
    fn answers_are_parsed_as_byte_by_byte(
        value in prop_oneof![
            "[bytes]{0,5} [-0-9/* +]{0,12}",
            "bytes [-0-9/* +]{0,12}",
            "bytes ([0-9]{1,2}-[0-9]{1,2}|\\*)/([0-9]{1,2}|\\*)",
            "bytes ([0-9]{1,21}-[0-9]{19,21}|\\*)/([0-9]{19,21}|\\*)",
        ],
    ) {
        let told = ContentRange::parse(&HeaderValue::from_str(&value).unwrap()).map(|answer| match answer {
            ContentRange::Range { range, total } => (Some((range.first(), range.last())), total),
            ContentRange::Unsatisfied { total } => (None, Some(total)),
        });
        prop_assert_eq!(told, model::content_range(value.as_bytes()), "{:?}", value);
    }
}
