use http::{HeaderName, HeaderValue, header::CACHE_CONTROL};
use proptest::prelude::*;

use super::*;
use crate::cache::rules::{CDN_CACHE_CONTROL, ClientControl};

/// A date of seconds since the epoch, far enough from it for dates before.
const BASE: u64 = 1_000_000_000;

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(BASE + second)
}

fn http(second: u64) -> String {
    httpdate::fmt_http_date(at(second))
}

fn fields(rows: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        // A number in a date field is that of its second.
        let is_date = ["date", "expires", "last-modified"].contains(name);
        let value = match value.strip_prefix('@').filter(|_| is_date) {
            Some(second) => http(second.parse().unwrap()),
            None => (*value).to_owned(),
        };
        headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
    }
    headers
}

const HEURISTIC: Heuristic = Heuristic { percent: 10, cap: Duration::from_secs(50) };

/// Asked for and received at second 1000.
fn of(answer: &HeaderMap, ttl: Option<u64>, heuristic: Option<Heuristic>) -> Storability {
    let ttl = ttl.map(Duration::from_secs);
    Lifetime::of(answer, &[CDN_CACHE_CONTROL], ttl, heuristic, at(1000), at(1000))
}

fn stored(answer: &HeaderMap) -> Lifetime {
    match of(answer, None, None) {
        Storability::Store(lifetime) => lifetime,
        Storability::Never(reason) => panic!("{reason:?}: {answer:?}"),
    }
}

fn of_control(value: &str) -> Lifetime {
    stored(&fields(&[("cache-control", value)]))
}

fn asked(value: &str) -> RequestControl {
    RequestControl::new(&fields(&[("cache-control", value)]), ClientControl::Honoured)
}

const CONFIRM: State = State::Stale { may_stand_in_for_error: false };
const IN_NEED: State = State::Stale { may_stand_in_for_error: true };

#[test]
fn the_lifetime_is_that_of_rfc_9111() {
    for (section, rows, ttl, heuristic, lifetime) in [
        (
            "4.2.1: s-maxage",
            &[("cache-control", "max-age=1, s-maxage=5"), ("expires", "@1009")][..],
            None,
            None,
            5,
        ),
        (
            "4.2.1: max-age",
            &[("cache-control", "max-age=5"), ("date", "@1000"), ("expires", "@1009")],
            None,
            None,
            5,
        ),
        (
            "4.2.1: max-age before an Expires that is over",
            &[("cache-control", "max-age=5"), ("expires", "0")],
            None,
            None,
            5,
        ),
        ("4.2.1: Expires", &[("date", "@1000"), ("expires", "@1009")], None, None, 9),
        (
            "4.2.1: the first of two",
            &[("date", "@1000"), ("expires", "@1009"), ("expires", "@1005")],
            None,
            None,
            9,
        ),
        ("4.2.1: wrong is stale", &[("cache-control", "max-age=x"), ("expires", "@1009")], None, None, 0),
        (
            "4.2.1: wrong is no reason to guess",
            &[("cache-control", "max-age=x"), ("last-modified", "@900")],
            None,
            Some(HEURISTIC),
            0,
        ),
        ("4.2.2: nothing said, nothing asked for", &[("last-modified", "@900")], None, None, 0),
        ("4.2.2: a share", &[("date", "@1000"), ("last-modified", "@900")], None, Some(HEURISTIC), 10),
        ("4.2.2: a share, without a date", &[("last-modified", "@900")], None, Some(HEURISTIC), 10),
        ("4.2.2: the cap", &[("last-modified", "@100")], None, Some(HEURISTIC), 50),
        ("4.2.2: nothing to take a share of", &[("date", "@1000")], None, Some(HEURISTIC), 0),
        (
            "4.2.2: modified later than made",
            &[("date", "@1000"), ("last-modified", "@1001")],
            None,
            Some(HEURISTIC),
            0,
        ),
        (
            "4.2.2: not with an explicit time",
            &[("cache-control", "max-age=5"), ("last-modified", "@900")],
            None,
            Some(HEURISTIC),
            5,
        ),
        ("4.2.2: not with Expires", &[("expires", "0"), ("last-modified", "@900")], None, Some(HEURISTIC), 0),
        ("5.2.2.4: no-cache", &[("cache-control", "no-cache, max-age=5")], None, None, 0),
        (
            "5.2.2.4: no-cache, no guess",
            &[("cache-control", "no-cache"), ("last-modified", "@900")],
            None,
            Some(HEURISTIC),
            0,
        ),
        ("5.3: in the past", &[("date", "@1000"), ("expires", "@999")], None, None, 0),
        ("5.3: no date at all", &[("expires", "0")], None, None, 0),
        ("5.3: no date of HTTP", &[("expires", "Thu, 18 Aug 2050 02:01:18 EST")], None, None, 0),
        ("5.3: since Date", &[("date", "@1003"), ("expires", "@1009")], None, None, 6),
        ("5.3: since it came, without Date", &[("expires", "@1009")], None, None, 9),
        ("5.3: since it came, Date is wrong", &[("date", "today"), ("expires", "@1009")], None, None, 9),
        ("RFC 8246: as without", &[("cache-control", "max-age=5, immutable")], None, None, 5),
        (
            "RFC 9213, 2.2",
            &[("cdn-cache-control", "max-age=5"), ("cache-control", "s-maxage=9"), ("expires", "@1009")],
            None,
            None,
            5,
        ),
        (
            "RFC 9213, 2.2: no Expires beside it",
            &[("cdn-cache-control", "none"), ("cache-control", "max-age=9"), ("expires", "@1009")],
            None,
            None,
            0,
        ),
        (
            "RFC 9213, 2.2: no-store is for others",
            &[("cdn-cache-control", "max-age=5"), ("cache-control", "no-store")],
            None,
            None,
            5,
        ),
        (
            "RFC 9213, 2.1: invalid",
            &[("cdn-cache-control", "max-age=5,"), ("cache-control", "max-age=9")],
            None,
            None,
            9,
        ),
        (
            "a rule before all",
            &[("cache-control", "s-maxage=5"), ("expires", "0")],
            Some(7),
            Some(HEURISTIC),
            7,
        ),
        ("a rule for what says nothing", &[], Some(7), None, 7),
        ("a rule does not confirm", &[("cache-control", "no-cache")], Some(7), None, 0),
    ] {
        let Storability::Store(of) = of(&fields(rows), ttl, heuristic) else { panic!("§{section}") };
        assert_eq!(of.lifetime, Duration::from_secs(lifetime), "§{section}");
    }
}

#[test]
fn what_is_not_for_a_shared_cache_is_not_stored() {
    use Unstorable::{NoStore, Private, SetCookie, Vary};
    for (section, rows, expected) in [
        ("3: nothing said", &[][..], None),
        ("5.2.2.5", &[("cache-control", "no-store, max-age=5")], Some(NoStore)),
        ("5.2.2.3", &[("cache-control", "no-store, must-understand, max-age=5")], None),
        ("5.2.2.7", &[("cache-control", "private, max-age=5")], Some(Private)),
        ("5.2.2.7: with field names", &[("cache-control", "private=\"x\"")], Some(Private)),
        ("5.2.2.4", &[("cache-control", "no-cache")], None),
        ("4.1: *", &[("vary", "*")], Some(Vary)),
        ("4.1: among others", &[("vary", "origin"), ("vary", "Accept-Encoding, X")], Some(Vary)),
        ("4.1: no member", &[("vary", ", "), ("vary", "")], None),
        ("7.3", &[("set-cookie", "a=b"), ("cache-control", "max-age=5")], Some(SetCookie)),
        ("7.3: public", &[("set-cookie", "a=b"), ("cache-control", "public, max-age=5")], None),
        (
            "RFC 9213, 2.2: private",
            &[("cdn-cache-control", "private"), ("cache-control", "max-age=5")],
            Some(Private),
        ),
        (
            "RFC 9213, 2.2: no-store",
            &[("cdn-cache-control", "no-store"), ("cache-control", "max-age=5")],
            Some(NoStore),
        ),
    ] {
        for ttl in [None, Some(7)] {
            let reason = match of(&fields(rows), ttl, None) {
                Storability::Store(_) => None,
                Storability::Never(reason) => Some(reason),
            };
            assert_eq!(reason, expected, "§{section}, with a rule: {ttl:?}");
        }
    }
}

#[test]
fn the_age_is_that_of_rfc_9111() {
    // Asked for, received and now: seconds.
    for (section, rows, times, age) in [
        ("4.2.3: just made", &[("date", "@1000")][..], [1000, 1000, 1000], 0),
        ("4.2.3: resident time", &[("date", "@1000")], [1000, 1000, 1007], 7),
        ("4.2.3: apparent age", &[("date", "@990")], [1000, 1000, 1007], 17),
        ("4.2.3: Date ahead of our clock", &[("date", "@1005")], [1000, 1000, 1007], 7),
        ("4.2.3: no Date", &[], [1000, 1000, 1007], 7),
        ("4.2.3: response delay", &[("date", "@1003")], [1000, 1003, 1007], 7),
        ("4.2.3: Age and delay", &[("date", "@1003"), ("age", "20")], [1000, 1003, 1007], 27),
        ("4.2.3: the greater, apparent", &[("date", "@950"), ("age", "20")], [1000, 1003, 1007], 57),
        ("4.2.3: clock set back while it came", &[("date", "@1000")], [1005, 1000, 1007], 7),
        ("4.2.3: clock set back since", &[("date", "@990")], [1000, 1000, 500], 10),
        ("5.1: no number", &[("date", "@1000"), ("age", "abc")], [1000, 1000, 1000], 0),
        ("5.1: negative", &[("date", "@1000"), ("age", "-7200")], [1000, 1000, 1000], 0),
        ("5.1: a decimal", &[("date", "@1000"), ("age", "7200.0")], [1000, 1000, 1000], 0),
        ("5.1: the first of a list", &[("date", "@1000"), ("age", "7200, 0")], [1000, 1000, 1000], 7200),
        ("5.1: the first of a list, 0", &[("date", "@1000"), ("age", "0, 7200")], [1000, 1000, 1000], 0),
        ("5.1: the first line", &[("date", "@1000"), ("age", "0"), ("age", "7200")], [1000, 1000, 1000], 0),
        (
            "5.1: the first line, old",
            &[("date", "@1000"), ("age", "7200"), ("age", "0")],
            [1000, 1000, 1000],
            7200,
        ),
        ("5.1: too large", &[("date", "@1000"), ("age", "99999999999")], [1000, 1000, 1000], 1 << 31),
    ] {
        let [requested_at, received_at, now] = times.map(at);
        let stored = Lifetime::of(&fields(rows), &[], None, None, requested_at, received_at);
        let Storability::Store(stored) = stored else { panic!("§{section}") };
        assert_eq!(stored.age(now), Duration::from_secs(age), "§{section}");
    }
}

#[test]
fn a_date_without_parts_of_seconds_makes_nothing_older() {
    let late = |second| at(second) + Duration::from_millis(900);
    let answer = fields(&[("date", "@1000"), ("cache-control", "max-age=1")]);
    let Storability::Store(stored) = Lifetime::of(&answer, &[], None, None, late(1000), late(1000)) else {
        panic!("stored")
    };
    assert_eq!(stored.age(late(1000)), Duration::ZERO);
    assert_eq!(stored.state(late(1000), &RequestControl::default()), State::Fresh);
}

#[test]
fn what_remains_is_rounded_down() {
    let stored = of_control("max-age=10");
    for (millis, remaining) in
        [(0, 10), (1, 9), (9_000, 1), (9_999, 0), (10_000, 0), (10_001, -1), (11_000, -1), (11_500, -2)]
    {
        assert_eq!(stored.remaining(at(1000) + Duration::from_millis(millis)), remaining, "{millis} ms");
    }
    assert_eq!(of_control("no-cache, max-age=10").remaining(at(1003)), -3);
}

#[test]
fn it_is_stale_from_the_end_of_its_lifetime_on() {
    let stored = of_control("max-age=10");
    for (age, is_stale) in [(0, false), (9, false), (10, true), (11, true)] {
        assert_eq!(stored.is_stale(at(1000 + age)), is_stale, "{age}");
    }
}

#[test]
fn the_state_is_that_of_the_answer() {
    use State::{Fresh, StaleWhileRevalidate};
    for (section, control, age, state) in [
        ("4.2: fresh", "max-age=10", 9, Fresh),
        ("4.2: as old as it may become", "max-age=10", 10, CONFIRM),
        ("4.2: nothing said", "", 0, CONFIRM),
        ("4.2.4: stale", "max-age=10", 11, CONFIRM),
        ("5.2.2.1: max-age=0", "max-age=0", 0, CONFIRM),
        ("5.2.2.4: no-cache", "no-cache, max-age=10", 0, CONFIRM),
        (
            "5.2.2.4: no-cache never goes stale in use",
            "no-cache, stale-while-revalidate=9, stale-if-error=9",
            1,
            CONFIRM,
        ),
        ("5.2.2.2: must-revalidate, fresh", "max-age=10, must-revalidate", 9, Fresh),
        (
            "5.2.2.2: must-revalidate",
            "max-age=10, must-revalidate, stale-while-revalidate=9, stale-if-error=9",
            10,
            CONFIRM,
        ),
        (
            "5.2.2.8: proxy-revalidate",
            "max-age=10, proxy-revalidate, stale-while-revalidate=9, stale-if-error=9",
            10,
            CONFIRM,
        ),
        ("5.2.2.10: s-maxage", "s-maxage=10, stale-while-revalidate=9, stale-if-error=9", 10, CONFIRM),
        ("5.2.2.10: s-maxage, fresh", "s-maxage=10", 9, Fresh),
        ("RFC 8246: immutable", "max-age=10, immutable", 10, CONFIRM),
        ("RFC 5861, 3: fresh", "max-age=10, stale-while-revalidate=5", 9, Fresh),
        ("RFC 5861, 3: the first moment", "max-age=10, stale-while-revalidate=5", 10, StaleWhileRevalidate),
        ("RFC 5861, 3: the last", "max-age=10, stale-while-revalidate=5", 14, StaleWhileRevalidate),
        ("RFC 5861, 3: over", "max-age=10, stale-while-revalidate=5", 15, CONFIRM),
        ("RFC 5861, 3: none", "max-age=10, stale-while-revalidate=0", 10, CONFIRM),
        ("RFC 5861, 3: without a lifetime", "stale-while-revalidate=5", 4, StaleWhileRevalidate),
        ("RFC 5861, 4: fresh", "max-age=10, stale-if-error=5", 9, Fresh),
        ("RFC 5861, 4: the first moment", "max-age=10, stale-if-error=5", 10, IN_NEED),
        ("RFC 5861, 4: the last", "max-age=10, stale-if-error=5", 14, IN_NEED),
        ("RFC 5861, 4: over", "max-age=10, stale-if-error=5", 15, CONFIRM),
        ("RFC 5861, 4: none", "max-age=10, stale-if-error=0", 10, CONFIRM),
        (
            "RFC 5861, 3 and 4",
            "max-age=10, stale-while-revalidate=2, stale-if-error=5",
            11,
            StaleWhileRevalidate,
        ),
        ("RFC 5861, 3, then 4", "max-age=10, stale-while-revalidate=2, stale-if-error=5", 12, IN_NEED),
    ] {
        let now = at(1000 + age);
        assert_eq!(of_control(control).state(now, &RequestControl::default()), state, "§{section}");
    }
}

#[test]
fn the_state_is_that_for_the_client() {
    use State::{Fresh, StaleWhileRevalidate};
    for (section, control, request, age, state) in [
        ("5.2.1.1: max-age, as old", "max-age=10", "max-age=5", 5, Fresh),
        ("5.2.1.1: max-age, older", "max-age=10", "max-age=5", 6, CONFIRM),
        ("5.2.1.1: max-age, longer than ours", "max-age=10", "max-age=50", 10, CONFIRM),
        ("5.2.1.1: max-age=0", "max-age=10, stale-if-error=5", "max-age=0", 1, IN_NEED),
        (
            "5.2.1.1: max-age takes nothing stale",
            "max-age=10, stale-while-revalidate=5",
            "max-age=50",
            11,
            CONFIRM,
        ),
        (
            "5.2.1.1: max-age with max-stale",
            "max-age=10",
            "max-age=50, max-stale=5",
            11,
            StaleWhileRevalidate,
        ),
        ("5.2.1.1: too old, though max-stale", "max-age=10", "max-age=5, max-stale=5", 6, CONFIRM),
        ("5.2.1.2: max-stale, fresh", "max-age=10", "max-stale=5", 9, Fresh),
        ("5.2.1.2: max-stale", "max-age=10", "max-stale=5", 15, StaleWhileRevalidate),
        ("5.2.1.2: max-stale, over", "max-age=10", "max-stale=5", 16, CONFIRM),
        (
            "5.2.1.2: max-stale, less than the answer allows",
            "max-age=10, stale-while-revalidate=9",
            "max-stale=1",
            12,
            CONFIRM,
        ),
        ("5.2.1.2: max-stale, any", "max-age=10", "max-stale", 999_999, StaleWhileRevalidate),
        ("5.2.1.2: max-stale, must-revalidate", "max-age=10, must-revalidate", "max-stale", 11, CONFIRM),
        ("5.2.1.2: max-stale, no-cache", "no-cache", "max-stale", 0, CONFIRM),
        ("5.2.1.2: max-stale, s-maxage", "s-maxage=10", "max-stale", 11, CONFIRM),
        ("5.2.1.3: min-fresh", "max-age=10", "min-fresh=5", 5, Fresh),
        ("5.2.1.3: min-fresh, not for so long", "max-age=10", "min-fresh=5", 6, CONFIRM),
        ("5.2.1.3: min-fresh=0", "max-age=10", "min-fresh=0", 10, CONFIRM),
        (
            "5.2.1.3: min-fresh takes nothing stale",
            "max-age=10, stale-while-revalidate=9",
            "min-fresh=1, max-stale",
            11,
            CONFIRM,
        ),
        ("5.2.1.4: no-cache", "max-age=10, stale-if-error=9", "no-cache", 0, CONFIRM),
        ("5.2.1.4: no-cache with max-stale", "max-age=10", "no-cache, max-stale", 11, CONFIRM),
        ("5.2.1.5: no-store", "max-age=10", "no-store", 9, Fresh),
        ("5.2.1.6: no-transform", "max-age=10", "no-transform", 9, Fresh),
        ("5.2.1.7: only-if-cached, fresh", "max-age=10", "only-if-cached", 9, Fresh),
        ("5.2.1.7: only-if-cached, stale", "max-age=10", "only-if-cached", 10, CONFIRM),
        ("RFC 5861, 4: of a request", "max-age=10", "stale-if-error=5", 14, IN_NEED),
        ("RFC 5861, 4: of a request, less", "max-age=10, stale-if-error=9", "stale-if-error=5", 15, CONFIRM),
        (
            "RFC 5861, 4: of a request, must-revalidate",
            "max-age=10, must-revalidate",
            "stale-if-error=5",
            11,
            CONFIRM,
        ),
    ] {
        assert_eq!(of_control(control).state(at(1000 + age), &asked(request)), state, "§{section}");
    }
}

#[test]
fn a_lifetime_is_small() {
    assert!(size_of::<Lifetime>() <= 64);
}

/// RFC 9111 §4.2 in whole, signed seconds, word for word.
#[derive(Debug)]
struct Model {
    lifetime: i64,
    age: i64,
}

impl Model {
    fn state(&self, answer: &HeaderMap, asked: &RequestControl) -> State {
        let control = answer[CACHE_CONTROL].to_str().unwrap();
        let number = |name: &str| {
            control.split(", ").find_map(|row| row.strip_prefix(name)?.strip_prefix('=')?.parse::<i64>().ok())
        };
        let limit = |limit: Option<u32>| limit.map(i64::from);
        let stale_for = self.age - self.lifetime;
        let forbidden = ["no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"]
            .iter()
            .any(|name| control.split(", ").any(|row| row.split('=').next() == Some(name)));
        let wants_newer = asked.no_cache || limit(asked.max_age).is_some_and(|max| self.age > max);
        let wants_longer = limit(asked.min_fresh).is_some_and(|min| self.lifetime - self.age < min);
        if stale_for < 0 && !wants_newer && !wants_longer {
            return State::Fresh;
        }
        let by_client = limit(asked.max_stale).map(|max| stale_for <= max);
        let by_answer = number("stale-while-revalidate").is_some_and(|window| stale_for < window);
        let tolerated = by_client.unwrap_or(by_answer && asked.max_age.is_none());
        if !forbidden && !wants_newer && asked.min_fresh.is_none() && tolerated {
            return State::StaleWhileRevalidate;
        }
        let window = limit(asked.stale_if_error).or(number("stale-if-error")).unwrap_or(0);
        let may_stand_in_for_error = !forbidden && !asked.no_cache && stale_for.max(0) < window;
        State::Stale { may_stand_in_for_error }
    }
}

fn directive(name: &'static str) -> impl Strategy<Value = String> {
    let some = (0_u32..12).prop_map(move |seconds| format!("{name}={seconds}, "));
    prop_oneof![Just(String::new()), some]
}

fn flag(name: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![9 => Just(String::new()), 1 => Just(format!("{name}, "))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn age_and_state_are_those_of_the_naive_model(
        lifetimes in (directive("max-age"), directive("s-maxage"), prop::option::of(990_u64..1015)),
        windows in (directive("stale-while-revalidate"), directive("stale-if-error")),
        flags in (flag("no-cache"), flag("must-revalidate"), flag("proxy-revalidate")),
        times in (prop::option::of(990_u64..1005), prop::option::of(0_u64..10), 995_u64..1005, 995_u64..1005, 990_u64..1030),
        no_cache in prop::bool::weighted(0.1),
        limits in prop::array::uniform4(prop::option::weighted(0.25, 0_u32..12)),
    ) {
        let control = [lifetimes.0, lifetimes.1, windows.0, windows.1, flags.0, flags.1, flags.2].concat();
        let (date, age, requested_at, received_at, now) = times;
        let mut answer = fields(&[("cache-control", &control)]);
        answer.extend(date.map(|date| (DATE, HeaderValue::try_from(http(date)).unwrap())));
        answer.extend(lifetimes.2.map(|date| (EXPIRES, HeaderValue::try_from(http(date)).unwrap())));
        answer.extend(age.map(|age| (AGE, HeaderValue::from(age))));
        let [max_age, min_fresh, max_stale, stale_if_error] = limits;
        let asked = RequestControl { no_cache, max_age, min_fresh, max_stale, stale_if_error, ..RequestControl::default() };

        let signed = |second: u64| i64::try_from(second).unwrap();
        let number = |name: &str| {
            control.split(", ").find_map(|row| row.strip_prefix(name)?.strip_prefix('=')?.parse::<i64>().ok())
        };
        let date_value = signed(date.unwrap_or(received_at));
        let apparent_age = (signed(received_at) - date_value).max(0);
        let response_delay = (signed(received_at) - signed(requested_at)).max(0);
        let corrected_age_value = signed(age.unwrap_or(0)) + response_delay;
        let resident_time = (signed(now) - signed(received_at)).max(0);
        let expires = lifetimes.2.map(|expires| (signed(expires) - date_value).max(0));
        let lifetime = number("s-maxage").or(number("max-age")).or(expires).unwrap_or(0);
        let model = Model {
            lifetime: if control.contains("no-cache") { 0 } else { lifetime },
            age: apparent_age.max(corrected_age_value) + resident_time,
        };

        let stored = Lifetime::of(&answer, &[], None, None, at(requested_at), at(received_at));
        let Storability::Store(stored) = stored else { panic!("{answer:?}") };
        let now = at(now);
        prop_assert_eq!(signed(stored.age(now).as_secs()), model.age);
        prop_assert_eq!(stored.remaining(now), model.lifetime - model.age);
        prop_assert_eq!(stored.state(now, &asked), model.state(&answer, &asked), "{:?}", model);
    }

    #[test]
    fn no_fields_and_no_clock_are_too_wrong(
        values in prop::collection::vec("[ -~]{0,30}|((max-age|max-stale|min-fresh|no-cache)=?[0-9]{0,12},? ?){0,3}", 8),
        times in prop::array::uniform3(any::<u32>()),
        ttl in prop::option::of(any::<u64>()),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in NAMES.into_iter().zip(values) {
            headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
        }
        let [requested_at, received_at, now] =
            times.map(|second| SystemTime::UNIX_EPOCH + Duration::from_secs(second.into()));
        let ttl = ttl.map(Duration::from_secs);
        let stored =
            Lifetime::of(&headers, &[CDN_CACHE_CONTROL], ttl, Some(HEURISTIC), requested_at, received_at);
        if let Storability::Store(stored) = stored {
            stored.remaining(now);
            stored.state(now, &RequestControl::new(&headers, ClientControl::Honoured));
        }
    }
}

const NAMES: [&str; 8] = [
    "cache-control",
    "cdn-cache-control",
    "expires",
    "date",
    "age",
    "last-modified",
    "cache-control",
    "pragma",
];
