use http::{HeaderMap, HeaderValue, header::VARY};

use super::*;
use crate::request::Methods;

fn policy(cors: &Cors) -> CorsPolicy {
    CorsPolicy::new(cors, Methods::READS).unwrap()
}

type Fields<'a> = &'a [(&'static str, &'static str)];

fn headers(fields: Fields<'_>) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// The fields as `name: value`, sorted.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort_unstable();
    lines
}

const APP: &str = "https://app.test";
const ASKS_GET: (&str, &str) = ("access-control-request-method", "GET");

#[test]
fn a_preflight_is_told_all_or_nothing() {
    let app = || Cors::origins([APP]);
    let refused = &[PREFLIGHT_VARY_LINE][..];
    let granted = &[
        "access-control-allow-headers: range, if-match, if-none-match, if-modified-since, if-unmodified-since, if-range",
        "access-control-allow-methods: GET, HEAD",
        "access-control-allow-origin: https://app.test",
        "access-control-max-age: 3600",
        PREFLIGHT_VARY_LINE,
    ];
    let mirrored = |names| {
        [
            names,
            "access-control-allow-methods: GET, HEAD",
            "access-control-allow-origin: https://app.test",
            "access-control-max-age: 3600",
            PREFLIGHT_VARY_LINE,
        ]
    };
    let rows: &[(&str, Cors, Fields<'_>, &[&str])] = &[
        ("GET", app(), &[("origin", APP), ASKS_GET], granted),
        ("HEAD", app(), &[("origin", APP), ("access-control-request-method", "HEAD")], granted),
        (
            "listed headers",
            app(),
            &[("origin", APP), ASKS_GET, ("access-control-request-headers", "if-none-match,Range")],
            granted,
        ),
        (
            "headers in two lines",
            app(),
            &[
                ("origin", APP),
                ASKS_GET,
                ("access-control-request-headers", " if-range , "),
                ("access-control-request-headers", ""),
            ],
            granted,
        ),
        ("another origin", app(), &[("origin", "https://evil.test"), ASKS_GET], refused),
        ("an opaque origin", app(), &[("origin", "null"), ASKS_GET], refused),
        ("two origins", app(), &[("origin", APP), ("origin", APP), ASKS_GET], refused),
        ("a list of origins", app(), &[("origin", "https://app.test https://app.test"), ASKS_GET], refused),
        ("PUT", app(), &[("origin", APP), ("access-control-request-method", "PUT")], refused),
        ("get", app(), &[("origin", APP), ("access-control-request-method", "get")], refused),
        ("two methods", app(), &[("origin", APP), ASKS_GET, ASKS_GET], refused),
        (
            "another header",
            app(),
            &[("origin", APP), ASKS_GET, ("access-control-request-headers", "range,authorization")],
            refused,
        ),
        (
            "another header in a second line",
            app(),
            &[
                ("origin", APP),
                ASKS_GET,
                ("access-control-request-headers", "range"),
                ("access-control-request-headers", "x-evil"),
            ],
            refused,
        ),
        (
            "any header",
            app().allow_any_header(),
            &[("origin", APP), ASKS_GET, ("access-control-request-headers", "authorization,x-a")],
            &mirrored("access-control-allow-headers: authorization,x-a"),
        ),
        (
            "any header, and what is none",
            app().allow_any_header(),
            &[("origin", APP), ASKS_GET, ("access-control-request-headers", "x-a, not a name")],
            refused,
        ),
        (
            "any header, none asked",
            app().allow_any_header(),
            &[("origin", APP), ASKS_GET],
            &mirrored("")[1..],
        ),
        (
            "everything of its own",
            app()
                .methods(["OPTIONS", "GET"])
                .allow_only_headers(["Range", "range"])
                .allow_header("X-A")
                .max_age(Duration::ZERO)
                .allow_credentials(),
            &[
                ("origin", "HTTPS://app.test"),
                ("access-control-request-method", "OPTIONS"),
                ("access-control-request-headers", "x-a"),
            ],
            &[
                "access-control-allow-credentials: true",
                "access-control-allow-headers: range, x-a",
                "access-control-allow-methods: OPTIONS, GET",
                "access-control-allow-origin: HTTPS://app.test",
                "access-control-max-age: 0",
                PREFLIGHT_VARY_LINE,
            ],
        ),
        (
            "no headers, any origin",
            Cors::any_origin().allow_only_headers([] as [&str; 0]).max_age(Duration::from_millis(1999)),
            &[("origin", "null"), ASKS_GET],
            &[
                "access-control-allow-methods: GET, HEAD",
                "access-control-allow-origin: *",
                "access-control-max-age: 1",
                PREFLIGHT_VARY_LINE,
            ],
        ),
    ];
    for (what, cors, request, expected) in rows {
        let answer = policy(cors).preflight(&headers(request)).unwrap();
        assert_eq!(lines(&answer), *expected, "{what}");
    }
}

const PREFLIGHT_VARY_LINE: &str =
    "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

#[test]
fn an_options_without_origin_or_method_is_no_preflight() {
    let policy = policy(&Cors::any_origin());
    for request in [&[("origin", APP)][..], &[ASKS_GET], &[("access-control-request-headers", "range")], &[]]
    {
        assert!(policy.preflight(&headers(request)).is_none(), "{request:?}");
    }
}

#[test]
fn an_answer_says_what_is_granted_and_that_it_varies() {
    let app = || Cors::origins([APP, "null"]);
    let exposed = "access-control-expose-headers: etag, content-range, accept-ranges, content-length";
    let origin = "access-control-allow-origin: https://app.test";
    let rows: &[(&str, Cors, Fields<'_>, &[&str])] = &[
        ("no origin", app(), &[], &["vary: Origin"]),
        ("another origin", app(), &[("origin", "https://evil.test")], &["vary: Origin"]),
        ("two origins", app(), &[("origin", APP), ("origin", "null")], &["vary: Origin"]),
        ("the origin", app(), &[("origin", APP)], &[origin, exposed, "vary: Origin"]),
        (
            "an opaque origin",
            app(),
            &[("origin", "null")],
            &["access-control-allow-origin: null", exposed, "vary: Origin"],
        ),
        (
            "one more field",
            app().expose_header("X-Title").expose_header("etag"),
            &[("origin", APP)],
            &[origin, &format!("{exposed}, x-title"), "vary: Origin"],
        ),
        (
            "one field only",
            app().expose_only_headers(["X-Title"]),
            &[("origin", APP)],
            &[origin, "access-control-expose-headers: x-title", "vary: Origin"],
        ),
        (
            "no field",
            app().expose_only_headers([] as [&str; 0]),
            &[("origin", APP)],
            &[origin, "vary: Origin"],
        ),
        (
            "credentials",
            Cors::origins([APP]).allow_credentials(),
            &[("origin", APP)],
            &["access-control-allow-credentials: true", origin, exposed, "vary: Origin"],
        ),
        (
            "credentials of another origin",
            Cors::origins([APP]).allow_credentials(),
            &[("origin", "https://evil.test")],
            &["vary: Origin"],
        ),
        (
            "any origin",
            Cors::any_origin(),
            &[("origin", "https://evil.test")],
            &["access-control-allow-origin: *", exposed, "vary: Origin"],
        ),
        (
            "any origin, none named",
            Cors::any_origin(),
            &[],
            &["access-control-allow-origin: *", exposed, "vary: Origin"],
        ),
        ("any origin, two named", Cors::any_origin(), &[("origin", APP), ("origin", APP)], &["vary: Origin"]),
    ];
    for (what, cors, request, expected) in rows {
        let mut answer = HeaderMap::new();
        policy(cors).grant(&headers(request)).apply(&mut answer);
        assert_eq!(lines(&answer), *expected, "{what}");
    }
}

#[test]
fn a_grant_allocates_nothing() {
    let policy = policy(&Cors::origins([APP]).allow_credentials());
    let requests = [headers(&[]), headers(&[("origin", APP)]), headers(&[("origin", "https://evil.test")])];
    let mut answer = HeaderMap::with_capacity(16);
    // The first one makes the values of the policy shared ones.
    for expected in [None, Some(0)] {
        for request in &requests {
            answer.clear();
            let counted = allocation_counter::measure(|| policy.grant(request).apply(&mut answer));
            assert!(expected.is_none_or(|expected| counted.count_total == expected), "{request:?}");
        }
    }
}

#[test]
fn vary_is_merged_and_never_lost() {
    let grant = || policy(&Cors::origins([APP])).grant(&HeaderMap::new());
    for (stored, sent) in [
        (&[][..], &["vary: Origin"][..]),
        (&[""], &["vary: Origin"]),
        (&["origin"], &["vary: origin"]),
        (&["Accept-Language,ORIGIN"], &["vary: Accept-Language,ORIGIN"]),
        (&["*"], &["vary: *"]),
        (&["Accept-Language", "*"], &["vary: *", "vary: Accept-Language"]),
        (&["Accept-Language"], &["vary: Accept-Language, Origin"]),
        (&["Accept-Language ,, X-A", "X-Origin"], &["vary: Accept-Language, X-A, X-Origin, Origin"]),
    ] {
        let mut answer: HeaderMap =
            stored.iter().map(|line| (VARY, HeaderValue::from_static(line))).collect();
        grant().apply(&mut answer);
        assert_eq!(lines(&answer), sent, "{stored:?}");
    }
}

#[test]
fn senseless_cors_is_refused_with_what_to_do() {
    use InvalidCors::{Contradiction, Value};

    let app = || Cors::origins([APP]);
    let none: [&str; 0] = [];
    for (cors, hint, is_contradiction) in [
        (Cors::origins(none), "list origins like", false),
        (Cors::origins(["app.test"]), "the origin \"app.test\": must be a scheme and a host", false),
        (Cors::origins(["*", APP]), "leave it out", true),
        (Cors::any_origin().allow_credentials(), "list the origins that may send credentials", true),
        (Cors::origins([APP, "null"]).allow_credentials(), "leave out one of them", true),
        (app().expose_only_headers(["*"]).allow_credentials(), "list the names", true),
        (app().methods(none), "no method is allowed", false),
        (app().methods(["GET", "PUT"]), "\"PUT\": the mount answers only \"GET, HEAD, OPTIONS\"", false),
        (app().methods(["get"]), "\"get\": ", false),
        (app().methods(["*"]), "\"*\": ", false),
        (app().methods([""]), "\"\": ", false),
        (app().allow_header("a b"), "the header \"a b\": must be a field name", false),
        (app().expose_header("a\n"), "the header \"a\\n\": must be a field name", false),
    ] {
        match CorsPolicy::new(&cors, Methods::READS).unwrap_err() {
            Value(message) if !is_contradiction => assert!(message.contains(hint), "{message:?}: {hint:?}"),
            Contradiction(message) if is_contradiction => {
                assert!(message.contains(hint), "{message:?}: {hint:?}");
            }
            other => panic!("{hint:?}: {other:?}"),
        }
    }
    assert!(CorsPolicy::new(&Cors::any_origin().expose_only_headers(["*"]), Methods::READS).is_ok());
}
