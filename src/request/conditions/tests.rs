use std::time::{Duration, SystemTime};

use http::header::{ETAG, LAST_MODIFIED};
use proptest::prelude::*;

use super::*;

const OLD: &str = "Wed, 21 Oct 2015 07:27:59 GMT";
const OWN: &str = "Wed, 21 Oct 2015 07:28:00 GMT";
const NEW: &str = "Wed, 21 Oct 2015 07:28:01 GMT";
const NOW: &str = "Thu, 22 Oct 2015 00:00:00 GMT";
const LATER: &str = "Fri, 23 Oct 2015 00:00:00 GMT";

fn fields(rows: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn object() -> HeaderMap {
    fields(&[("etag", "\"a\""), ("last-modified", OWN), ("date", NOW)])
}

fn at(date: &str) -> HttpDate {
    date.parse().unwrap()
}

#[test]
fn conditions_are_evaluated_in_the_order_of_rfc_9110() {
    use Verdict::{Failed, NotModified, Proceed};
    for (rows, verdict) in [
        (&[][..], Proceed),
        (&[("if-match", "\"a\"")], Proceed),
        (&[("if-match", "\"x\", \"a\"")], Proceed),
        (&[("if-match", "*")], Proceed),
        (&[("if-match", "\"x\"")], Failed),
        (&[("if-match", "W/\"a\"")], Failed),
        (&[("if-match", "")], Failed),
        (&[("if-match", "\"x\""), ("if-match", "\"a\"")], Proceed),
        (&[("if-match", "\"a\""), ("if-unmodified-since", OLD)], Proceed),
        (&[("if-match", "\"x\""), ("if-unmodified-since", NEW)], Failed),
        (&[("if-unmodified-since", OLD)], Failed),
        (&[("if-unmodified-since", OWN)], Proceed),
        (&[("if-unmodified-since", "yesterday")], Proceed),
        (&[("if-unmodified-since", OLD), ("if-unmodified-since", OLD)], Proceed),
        (&[("if-none-match", "\"a\"")], NotModified),
        (&[("if-none-match", "W/\"a\"")], NotModified),
        (&[("if-none-match", "a")], NotModified),
        (&[("if-none-match", "\"x,\", \"a\"")], NotModified),
        (&[("if-none-match", "*")], NotModified),
        (&[("if-none-match", "\"x\"")], Proceed),
        (&[("if-none-match", "\"x\""), ("if-modified-since", OWN)], Proceed),
        (&[("if-none-match", "\"a\""), ("if-modified-since", OLD)], NotModified),
        (&[("if-modified-since", OWN)], NotModified),
        (&[("if-modified-since", NEW)], NotModified),
        (&[("if-modified-since", "Wednesday, 21-Oct-15 07:28:00 GMT")], NotModified),
        (&[("if-modified-since", "Wed Oct 21 07:28:00 2015")], NotModified),
        (&[("if-modified-since", OLD)], Proceed),
        // RFC 9110 §13.1.3 has no exception for it.
        (&[("if-modified-since", LATER)], NotModified),
        (&[("if-modified-since", "0")], Proceed),
        (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], NotModified),
        (&[("if-match", "\"x\""), ("if-none-match", "\"a\"")], Failed),
        (&[("if-unmodified-since", OLD), ("if-none-match", "\"a\"")], Failed),
    ] {
        let conditions = Conditions::new(&fields(rows));
        assert_eq!(conditions.evaluate(Validators::of(&object())), verdict, "{rows:?}");
    }
}

#[test]
fn without_validators_only_stars_decide() {
    let nothing = HeaderMap::new();
    for (rows, verdict) in [
        (&[("if-match", "\"a\"")], Verdict::Failed),
        (&[("if-match", "*")], Verdict::Proceed),
        (&[("if-unmodified-since", OLD)], Verdict::Proceed),
        (&[("if-none-match", "\"a\"")], Verdict::Proceed),
        (&[("if-none-match", "*")], Verdict::NotModified),
        (&[("if-modified-since", NEW)], Verdict::Proceed),
    ] {
        let conditions = Conditions::new(&fields(rows));
        assert_eq!(conditions.evaluate(Validators::of(&nothing)), verdict, "{rows:?}");
        assert!(!conditions.are_decided_by(Validators::of(&nothing)), "{rows:?}");
        assert!(conditions.are_decided_by(Validators::of(&object())), "{rows:?}");
    }
}

fn for_s3(rows: &[(&'static str, &str)]) -> Option<Vec<String>> {
    match Conditions::new(&fields(rows)).for_s3() {
        ForS3::HeadFirst => None,
        ForS3::Fields(sent) => {
            Some(sent.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect())
        }
    }
}

#[test]
fn s3_is_asked_what_every_server_understands() {
    let own = format!("if-modified-since: {OWN}");
    let unmodified = format!("if-unmodified-since: {OWN}");
    for (rows, sent) in [
        (&[("if-match", "\"a\"")][..], Some(&["if-match: \"a\""][..])),
        (&[("if-match", "a")], Some(&["if-match: \"a\""])),
        (&[("if-match", "\"a\", \"b\"")], Some(&[])),
        (&[("if-match", "*")], Some(&[])),
        (&[("if-match", "W/\"a\"")], None),
        (&[("if-match", "\"a")], None),
        (&[("if-match", "\"a\""), ("if-unmodified-since", OWN)], Some(&["if-match: \"a\""])),
        (&[("if-unmodified-since", OWN)], Some(&[&unmodified])),
        (&[("if-none-match", "W/\"a\"")], Some(&["if-none-match: \"a\""])),
        (&[("if-none-match", "\"a\", \"b\"")], None),
        (&[("if-none-match", "*")], None),
        (&[("if-none-match", "\"\u{fc}\"")], None),
        (&[("if-none-match", "\"a\""), ("if-modified-since", OWN)], Some(&["if-none-match: \"a\""])),
        (&[("if-modified-since", "Wed Oct 21 07:28:00 2015")], Some(&[&own])),
        (&[("if-modified-since", LATER)], Some(&["if-modified-since: Fri, 23 Oct 2015 00:00:00 GMT"])),
        (
            &[("if-none-match", "\"a\""), ("if-unmodified-since", OWN)],
            Some(&["if-none-match: \"a\"", &unmodified]),
        ),
        (&[("if-match", "\"b\""), ("if-modified-since", OWN)], Some(&["if-match: \"b\"", &own])),
    ] {
        let sent = sent.map(|sent| sent.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(for_s3(rows), sent, "{rows:?}");
    }
}

#[test]
fn a_range_applies_to_its_own_state_of_the_object_only() {
    for (if_range, fits) in [
        ("\"a\"", true),
        ("\"b\"", false),
        ("W/\"a\"", false),
        ("\"a\", \"b\"", false),
        ("*", false),
        (OWN, true),
        (OLD, false),
        (NEW, false),
        ("Wed Oct 21 07:28:00 2015", true),
        ("", false),
    ] {
        let if_range = IfRange::new(&fields(&[("if-range", if_range)])).unwrap();
        assert_eq!(if_range.fits(&object()), fits, "{if_range:?}");
    }
    assert_eq!(IfRange::new(&fields(&[("if-range", "\"a\""), ("if-range", "\"a\"")])), Some(IfRange::Never));
    assert_eq!(IfRange::new(&HeaderMap::new()), None);
    let date = IfRange::Date(at(OWN));
    let fresh = fields(&[("last-modified", OWN), ("date", OWN)]);
    assert!(!date.fits(&fresh), "written within the second of the response: it may change again");
    assert!(!date.fits(&fields(&[("last-modified", OWN)])), "the time of the response is unknown");
    let weak = fields(&[("etag", "W/\"a\"")]);
    assert!(!IfRange::new(&fields(&[("if-range", "\"a\"")])).unwrap().fits(&weak));
}

// --- against a naive model ---

#[derive(Debug, Clone)]
struct Asked {
    tags: [Option<Vec<(bool, u8)>>; 2],
    dates: [Option<u64>; 2],
}

fn text((weak, tag): (bool, u8)) -> String {
    format!("{}\"{tag}\"", if weak { "W/" } else { "" })
}

fn day(n: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(n * 86_400)
}

proptest! {
    #[test]
    fn the_verdict_is_that_of_the_naive_model(
        if_match in prop::option::of(prop::collection::vec((any::<bool>(), 0_u8..3), 1..3)),
        if_none_match in prop::option::of(prop::collection::vec((any::<bool>(), 0_u8..3), 1..3)),
        unmodified in prop::option::of(0_u64..5),
        modified in prop::option::of(0_u64..5),
        own_tag in prop::option::of((any::<bool>(), 0_u8..3)),
        own_date in prop::option::of(0_u64..5),
    ) {
        let asked = Asked { tags: [if_match, if_none_match], dates: [unmodified, modified] };
        let mut headers = HeaderMap::new();
        for (name, tags) in [IF_MATCH, IF_NONE_MATCH].into_iter().zip(&asked.tags) {
            for tag in tags.iter().flatten() {
                headers.append(&name, HeaderValue::try_from(text(*tag)).unwrap());
            }
        }
        for (name, date) in [IF_UNMODIFIED_SINCE, IF_MODIFIED_SINCE].into_iter().zip(asked.dates) {
            headers.extend(date.map(|date| (name, written(day(date).into()))));
        }
        let mut object = HeaderMap::new();
        object.extend(own_tag.map(|tag| (ETAG, HeaderValue::try_from(text(tag)).unwrap())));
        object.extend(own_date.map(|date| (LAST_MODIFIED, written(day(date).into()))));

        // RFC 9110 §13.2.2, word by word.
        let model = || {
            if let Some(tags) = &asked.tags[0] {
                // 1. strong comparison
                if !tags.iter().any(|tag| !tag.0 && own_tag == Some((false, tag.1))) {
                    return Verdict::Failed;
                }
            } else if let (Some(since), Some(own)) = (asked.dates[0], own_date) {
                // 2.
                if own > since {
                    return Verdict::Failed;
                }
            }
            if let Some(tags) = &asked.tags[1] {
                // 3. weak comparison
                if tags.iter().any(|tag| own_tag.is_some_and(|own| own.1 == tag.1)) {
                    return Verdict::NotModified;
                }
            } else if let (Some(since), Some(own)) = (asked.dates[1], own_date) {
                // 4.
                if own <= since {
                    return Verdict::NotModified;
                }
            }
            Verdict::Proceed
        };
        let conditions = Conditions::new(&headers);
        prop_assert_eq!(conditions.evaluate(Validators::of(&object)), model(), "{:?}", asked);
        // The request to S3 must never be stricter than the client's.
        if let ForS3::Fields(sent) = conditions.for_s3() {
            let sent = Conditions::new(&HeaderMap::from_iter(sent));
            if model() == Verdict::Proceed {
                prop_assert_eq!(sent.evaluate(Validators::of(&object)), Verdict::Proceed);
            }
        }
    }
}
