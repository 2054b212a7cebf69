use proptest::prelude::*;

use super::*;

const NOTHING: CacheControl = CacheControl {
    source: Source::General,
    max_age: None,
    s_maxage: None,
    stale_while_revalidate: None,
    stale_if_error: None,
    max_stale: None,
    min_fresh: None,
    no_store: false,
    no_cache: false,
    private: false,
    public: false,
    must_revalidate: false,
    proxy_revalidate: false,
    must_understand: false,
    immutable: false,
    no_transform: false,
    only_if_cached: false,
};
const TARGETED: CacheControl = CacheControl { source: Source::Targeted, ..NOTHING };

fn fields(rows: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn max_age(seconds: u32) -> CacheControl {
    CacheControl { max_age: Some(seconds), ..NOTHING }
}

fn asked(request: &HeaderMap) -> RequestControl {
    RequestControl::new(request, ClientControl::Honoured)
}

#[test]
fn directives_are_read_as_rfc_9111_says() {
    for (section, lines, expected) in [
        ("5.2: nothing", &[][..], NOTHING),
        ("5.2: empty", &["", " , ,,"], NOTHING),
        ("5.2: case", &["MaX-aGe=5, NO-STORE"], CacheControl { no_store: true, ..max_age(5) }),
        ("5.2: lines", &["public", "max-age=5"], CacheControl { public: true, ..max_age(5) }),
        ("5.2: quoted argument", &["max-age=\"5\""], max_age(5)),
        ("5.2: no space before the sign", &["max-age =5"], max_age(0)),
        ("5.2: no space after the sign", &["max-age= 5"], max_age(0)),
        ("5.2: within a string", &["x=\"max-age=5\", max-age=1"], max_age(1)),
        ("5.2: commas and escapes within a string", &["x=\"\\\", no-store,\\\\\", max-age=1"], max_age(1)),
        ("5.2: a string without an end", &["x=\"a, max-age=1"], max_age(1)),
        ("5.2: such a string ends with its line", &["x=\"a", "max-age=1"], max_age(1)),
        ("5.2.1.1, 5.2.2.1: max-age", &["max-age=5"], max_age(5)),
        ("5.2.1.2: max-stale", &["max-stale=5"], CacheControl { max_stale: Some(5), ..NOTHING }),
        ("5.2.1.2: without a limit", &["max-stale"], CacheControl { max_stale: Some(u32::MAX), ..NOTHING }),
        ("5.2.1.2: a wrong limit", &["max-stale=x"], CacheControl { max_stale: Some(0), ..NOTHING }),
        ("5.2.1.3: min-fresh", &["min-fresh=5"], CacheControl { min_fresh: Some(5), ..NOTHING }),
        ("5.2.1.4, 5.2.2.4: no-cache", &["no-cache"], CacheControl { no_cache: true, ..NOTHING }),
        ("5.2.2.4: field names", &["no-cache=\"a, b\""], CacheControl { no_cache: true, ..NOTHING }),
        ("5.2.1.5, 5.2.2.5: no-store", &["no-store"], CacheControl { no_store: true, ..NOTHING }),
        ("5.2.2.5: an argument", &["no-store=0"], CacheControl { no_store: true, ..NOTHING }),
        ("5.2.1.6, 5.2.2.6: no-transform", &["no-transform"], CacheControl { no_transform: true, ..NOTHING }),
        ("5.2.1.7: only-if-cached", &["only-if-cached"], CacheControl { only_if_cached: true, ..NOTHING }),
        ("5.2.2.2: must-revalidate", &["must-revalidate"], CacheControl { must_revalidate: true, ..NOTHING }),
        ("5.2.2.3: must-understand", &["must-understand"], CacheControl { must_understand: true, ..NOTHING }),
        ("5.2.2.7: private", &["private"], CacheControl { private: true, ..NOTHING }),
        ("5.2.2.7: field names", &["private=\"set-cookie\""], CacheControl { private: true, ..NOTHING }),
        (
            "5.2.2.8: proxy-revalidate",
            &["proxy-revalidate"],
            CacheControl { proxy_revalidate: true, ..NOTHING },
        ),
        ("5.2.2.9: public", &["public"], CacheControl { public: true, ..NOTHING }),
        ("5.2.2.10: s-maxage", &["s-maxage=5"], CacheControl { s_maxage: Some(5), ..NOTHING }),
        (
            "5.2.3: unknown",
            &["foo, bar=\"1\", max-age=5, max-ages=1, a-name-that-is-longer-than-any=1"],
            max_age(5),
        ),
        ("RFC 8246", &["immutable"], CacheControl { immutable: true, ..NOTHING }),
        (
            "RFC 5861, 3",
            &["stale-while-revalidate=5"],
            CacheControl { stale_while_revalidate: Some(5), ..NOTHING },
        ),
        ("RFC 5861, 4", &["stale-if-error=5"], CacheControl { stale_if_error: Some(5), ..NOTHING }),
        ("4.2.1: the first of two", &["max-age=5, max-age=9"], max_age(5)),
        ("4.2.1: the first of two lines", &["max-age=9", "max-age=5"], max_age(9)),
        ("4.2.1: the first is wrong", &["max-age=x, max-age=5"], max_age(0)),
        ("4.2.1: not missing", &["max-age"], max_age(0)),
        ("4.2.1: not empty", &["max-age="], max_age(0)),
        ("4.2.1: not negative", &["max-age=-5"], max_age(0)),
        ("4.2.1: not in single quotes", &["max-age='5'"], max_age(0)),
        ("4.2.1: no decimal", &["max-age=5.0"], max_age(0)),
        ("4.2.1: no letters", &["max-age=5s"], max_age(0)),
        ("4.2.1: nothing behind it", &["max-age=\"5\"x"], max_age(0)),
        ("1.2.2: leading zeros", &["max-age=0005"], max_age(5)),
        ("1.2.2: the most", &["max-age=2147483648"], max_age(1 << 31)),
        ("1.2.2: more than a u32", &["max-age=99999999999999999999999"], max_age(1 << 31)),
    ] {
        let rows: Vec<_> = lines.iter().map(|line| ("cache-control", *line)).collect();
        let headers = fields(&rows);
        assert_eq!(CacheControl::of_answer(&headers, &[CDN_CACHE_CONTROL]), expected, "§{section}");
        assert_eq!(asked(&headers), expected.into(), "§{section}, of a request");
    }
}

#[test]
fn pragma_counts_without_cache_control_in_a_request() {
    for (rows, no_cache) in [
        (&[("pragma", "no-cache")][..], true),
        (&[("pragma", "x=\"1\", NO-cache")], true),
        (&[("pragma", "x"), ("pragma", "no-cache")], true),
        (&[("pragma", "x=\"no-cache\"")], false),
        (&[("pragma", "no-cache"), ("cache-control", "max-age=5")], false),
        (&[("pragma", "no-cache"), ("cache-control", "")], false),
    ] {
        assert_eq!(asked(&fields(rows)).no_cache, no_cache, "§5.4: {rows:?}");
        assert!(!CacheControl::of_answer(&fields(rows), &[]).no_cache, "§5.4, of an answer: {rows:?}");
    }
}

#[test]
fn clients_are_heard_only_where_the_mount_wants_it() {
    let nothing = RequestControl::default();
    for (name, value, asked) in [
        ("pragma", "x, No-Cache", RequestControl { no_cache: true, ..nothing }),
        ("pragma", "no-store", nothing),
        ("cache-control", "no-cache", RequestControl { no_cache: true, ..nothing }),
        ("cache-control", "no-store", RequestControl { no_store: true, ..nothing }),
        ("cache-control", "only-if-cached", RequestControl { only_if_cached: true, ..nothing }),
        ("cache-control", "max-age=0", RequestControl { max_age: Some(0), ..nothing }),
        ("cache-control", "min-fresh=5", RequestControl { min_fresh: Some(5), ..nothing }),
        ("cache-control", "max-stale", RequestControl { max_stale: Some(u32::MAX), ..nothing }),
        ("cache-control", "stale-if-error=9", RequestControl { stale_if_error: Some(9), ..nothing }),
        ("cache-control", "private, s-maxage=1", nothing),
    ] {
        let row = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
        let request = HeaderMap::from_iter(row);
        assert_eq!(RequestControl::new(&request, ClientControl::Honoured), asked, "{name}: {value}");
        assert_eq!(RequestControl::new(&request, ClientControl::Ignored), nothing, "{name}: {value}");
    }
}

#[test]
fn targeted_fields_go_before_cache_control_as_rfc_9213_says() {
    const OWN: HeaderName = HeaderName::from_static("s3-proxy-cache-control");
    let targeted = |seconds| CacheControl { max_age: Some(seconds), ..TARGETED };
    for (section, rows, expected) in [
        ("2.2: none", &[][..], max_age(1)),
        ("2.2: the only one", &[("cdn-cache-control", "max-age=5")], targeted(5)),
        (
            "2.2: the first of the list",
            &[("cdn-cache-control", "max-age=5"), ("s3-proxy-cache-control", "max-age=6")],
            targeted(6),
        ),
        (
            "2.2: the first is empty",
            &[("cdn-cache-control", "max-age=5"), ("s3-proxy-cache-control", " ")],
            targeted(5),
        ),
        (
            "2.2: the first is invalid",
            &[("cdn-cache-control", "max-age=5"), ("s3-proxy-cache-control", "max-age=6,")],
            targeted(5),
        ),
        ("2.2: nothing known", &[("cdn-cache-control", "none")], TARGETED),
        ("2.2: one for others", &[("other-cache-control", "max-age=5")], max_age(1)),
        (
            "2.1: lines",
            &[("cdn-cache-control", "max-age=5"), ("cdn-cache-control", "public")],
            CacheControl { public: true, ..targeted(5) },
        ),
        ("2.1: unknown type", &[("cdn-cache-control", "max-age=5, &&&&&")], max_age(1)),
        ("2.1: upper case", &[("cdn-cache-control", "MaX-aGe=5")], max_age(1)),
        ("2.1: space before the sign", &[("cdn-cache-control", "max-age =5")], max_age(1)),
        ("2.1: space after the sign", &[("cdn-cache-control", "max-age= 5")], max_age(1)),
        (
            "2.1: parameters",
            &[("cdn-cache-control", "max-age=5;x=1, no-store;y")],
            CacheControl { no_store: true, ..targeted(5) },
        ),
        ("2.1: a string for a number", &[("cdn-cache-control", "max-age=\"5\"")], targeted(0)),
        ("2.1: a decimal for a number", &[("cdn-cache-control", "max-age=5.0")], targeted(0)),
        ("2.1: a negative number", &[("cdn-cache-control", "max-age=-5")], targeted(0)),
        ("2.1: no number", &[("cdn-cache-control", "max-age")], targeted(0)),
        ("2.1: a large number", &[("cdn-cache-control", "max-age=99999999999")], targeted(1 << 31)),
        (
            "2.1: a number too large for any field",
            &[("cdn-cache-control", "max-age=9999999999999999")],
            max_age(1),
        ),
        ("2.1: true", &[("cdn-cache-control", "private=?1")], CacheControl { private: true, ..TARGETED }),
        ("2.1: false", &[("cdn-cache-control", "private=?0")], TARGETED),
        (
            "2.1: field names",
            &[("cdn-cache-control", "no-cache=\"a\"")],
            CacheControl { no_cache: true, ..TARGETED },
        ),
        ("2.1: the last of two", &[("cdn-cache-control", "max-age=9, max-age=5")], targeted(5)),
    ] {
        let mut headers = fields(rows);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=1"));
        assert_eq!(CacheControl::of_answer(&headers, &[OWN, CDN_CACHE_CONTROL]), expected, "§{section}");
        assert_eq!(asked(&headers), max_age(1).into(), "§{section}: not in requests");
    }
}

#[test]
fn the_end_of_a_string_is_missed_once_in_a_line() {
    let line = HeaderValue::try_from("\\\",".repeat(1_000)).unwrap();
    let mut members = Members::of(&line);
    assert_eq!(members.next(), Some(&b"\\\""[..]));
    assert!(members.strings == Strings::Open, "else the square of the length");
    assert_eq!(members.count(), 999);
}

proptest! {
    #[test]
    fn no_field_is_too_wrong(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3)) {
        let mut headers = HeaderMap::new();
        for value in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
            headers.append(CACHE_CONTROL, value.clone());
            headers.append(CDN_CACHE_CONTROL, value.clone());
            headers.append(PRAGMA, value);
        }
        CacheControl::of_answer(&headers, &[CDN_CACHE_CONTROL]);
        asked(&headers);
    }

    #[test]
    fn what_restricts_is_found_wherever_it_stands(
        before in "([a-z=]{0,5}(\"[a-z, =]{0,8}\")?, ?){0,3}",
        after in "(,[ -~]{0,20})?",
    ) {
        let headers = fields(&[("cache-control", &format!("{before}no-store{after}"))]);
        prop_assert!(CacheControl::of_answer(&headers, &[]).no_store);
    }

    // Without strings, a list is split at its commas.
    #[test]
    fn directives_are_those_of_the_naive_model(line in "(max-age|s-maxage|private|x)(=[0-9a]{0,3})?(, ?(Max-Age|s-maxage|no-cache)(=[0-9]{1,3})?){0,4}") {
        let rows: Vec<_> = line.split(',').map(|row| row.trim().to_lowercase()).collect();
        let number = |name: &str| {
            let row = rows.iter().find(|row| row.split('=').next() == Some(name))?;
            Some(row.split_once('=').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(0))
        };
        let flag = |name: &str| rows.iter().any(|row| row.split('=').next() == Some(name));
        let control = CacheControl::of_answer(&fields(&[("cache-control", &line)]), &[]);
        let model = CacheControl {
            max_age: number("max-age"),
            s_maxage: number("s-maxage"),
            private: flag("private"),
            no_cache: flag("no-cache"),
            ..NOTHING
        };
        prop_assert_eq!(control, model);
    }
}
