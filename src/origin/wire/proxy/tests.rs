use super::*;

fn proxy(url: &str) -> Proxy {
    Proxy::parse("proxy", url).unwrap()
}

fn by(variables: &[(&str, &str)], settings: &ProxySettings) -> Result<Proxies, String> {
    let value =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    settings.resolve(value).map_err(|why| why.to_string())
}

#[test]
fn a_proxy_is_what_its_url_says() {
    for (url, expected) in [
        ("http://proxy.test:3128", ("proxy.test", 3128, Security::Plain, None)),
        ("https://proxy.test:3129/", ("proxy.test", 3129, Security::Tls, None)),
        ("proxy.test:3128", ("proxy.test", 3128, Security::Plain, None)),
        (" http://proxy.test ", ("proxy.test", 80, Security::Plain, None)),
        ("https://proxy.test", ("proxy.test", 443, Security::Tls, None)),
        ("http://[2001:db8::1]:3128", ("2001:db8::1", 3128, Security::Plain, None)),
        // RFC 7617 §2.
        (
            "http://Aladdin:open%20sesame@proxy.test:1",
            ("proxy.test", 1, Security::Plain, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        ),
        ("http://token@proxy.test:1", ("proxy.test", 1, Security::Plain, Some("Basic dG9rZW46"))),
    ] {
        let Proxy { host, port, security, authorization } = proxy(url);
        let authorization = authorization.as_ref();
        assert!(authorization.is_none_or(HeaderValue::is_sensitive), "{url}");
        let text = authorization.map(|value| value.to_str().unwrap());
        assert_eq!((host.as_str(), port, security, text), expected, "{url}");
    }
    for (url, message) in [
        ("", "malformed"),
        ("http://", "malformed"),
        ("ftp://proxy.test", "malformed"),
        ("http://proxy.test:99999", "malformed"),
        ("http://proxy.test:0", "malformed"),
        ("http://user:pass@word@proxy.test", "malformed"),
        ("http://us er:secret@proxy.test", "malformed"),
        ("socks5h://user:secret@proxy.test:1080", "SOCKS"),
    ] {
        let why = Proxy::parse("HTTPS_PROXY", url).unwrap_err();
        let text = format!("{why} {why:?}");
        assert!(text.starts_with("HTTPS_PROXY: ") && text.contains(message), "{url}: {text}");
        assert!(!text.contains("secret") && !text.contains("pass@word"), "{text}");
    }
}

#[test]
fn credentials_are_not_shown() {
    let settings =
        ProxySettings { proxy: Some(Proxy::parse("proxy", "http://user:secret@a.test:1")), no_proxy: None };
    let proxies = by(&[], &settings).unwrap();
    let shown =
        format!("{settings:?} {proxies:?} {:?} {}", proxies.https, proxy("http://user:secret@a.test:1"));
    assert!(shown.contains("a.test:1"), "{shown}");
    for secret in ["secret", "user", "dXNlcjpzZWNyZXQ"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// By which proxy `http://s3.test` and `https://s3.test` are reached.
#[test]
fn variables_are_read_as_other_tools_read_them() {
    let (a, b, c) = ("http://a.test:1", "http://b.test:1", "http://c.test:1");
    for (variables, http, https) in [
        (&[][..], None, None),
        (&[("HTTPS_PROXY", a)][..], None, Some(a)),
        (&[("https_proxy", a), ("HTTPS_PROXY", b)], None, Some(a)),
        (&[("https_proxy", ""), ("HTTPS_PROXY", b)], None, Some(b)),
        (&[("HTTPS_PROXY", " ")], None, None),
        (&[("http_proxy", a), ("HTTP_PROXY", b)], Some(a), None),
        (&[("HTTP_PROXY", b)], Some(b), None),
        (&[("HTTP_PROXY", b), ("REQUEST_METHOD", "GET")], None, None),
        (&[("http_proxy", a), ("REQUEST_METHOD", "GET")], Some(a), None),
        (&[("ALL_PROXY", c)], Some(c), Some(c)),
        (&[("all_proxy", c), ("HTTPS_PROXY", a)], Some(c), Some(a)),
        (&[("all_proxy", c), ("HTTP_PROXY", b), ("REQUEST_METHOD", "GET")], Some(c), Some(c)),
        // Only what is used must be usable.
        (&[("ALL_PROXY", "socks5://c.test:1"), ("HTTPS_PROXY", a), ("HTTP_PROXY", b)], Some(b), Some(a)),
        (&[("ALL_PROXY", "socks5://c.test:1"), ("NO_PROXY", "*")], None, None),
        (&[("HTTPS_PROXY", a), ("NO_PROXY", "s3.test")], None, None),
        (&[("HTTPS_PROXY", a), ("no_proxy", "other.test"), ("NO_PROXY", "s3.test")], None, Some(a)),
    ] {
        let proxies = by(variables, &ProxySettings::default()).unwrap();
        for (scheme, expected) in [(Scheme::HTTP, http), (Scheme::HTTPS, https)] {
            assert_eq!(
                proxies.of(&scheme, "s3.test").cloned(),
                expected.map(proxy),
                "{scheme}, {variables:?}"
            );
        }
    }
    for (variables, message) in [
        (&[("ALL_PROXY", "socks5://c.test:1")][..], "ALL_PROXY: a SOCKS proxy"),
        (&[("https_proxy", "http://")], "https_proxy: the URL is malformed"),
    ] {
        let why = by(variables, &ProxySettings::default()).unwrap_err();
        assert!(why.starts_with(message), "{why}");
    }
}

#[test]
fn settings_come_before_variables() {
    let (a, b) = ("http://a.test:1", "http://b.test:1");
    let set = |proxy: Option<&str>, no_proxy: Option<&str>| ProxySettings {
        proxy: proxy.map(|url| Proxy::parse("proxy", url)),
        no_proxy: no_proxy.map(str::to_owned),
    };
    let variables = [("ALL_PROXY", a), ("NO_PROXY", "s3.test")];
    for (settings, expected) in [
        (set(None, None), None),
        (set(Some(b), None), None),
        (set(Some(b), Some("other.test")), Some(b)),
        (set(Some(b), Some("")), Some(b)),
        (set(None, Some("other.test")), Some(a)),
        (set(Some(b), Some("*")), None),
        (set(None, Some("*")), None),
    ] {
        let proxies = by(&variables, &settings).unwrap();
        for scheme in [Scheme::HTTP, Scheme::HTTPS] {
            assert_eq!(proxies.of(&scheme, "s3.test").cloned(), expected.map(proxy), "{settings:?}");
        }
    }
    let malformed = set(Some("http://"), None);
    assert!(by(&[], &malformed).unwrap_err().starts_with("proxy: the URL is malformed"));
}

#[test]
fn variables_lead_to_no_proxy_for_what_only_this_machine_reaches() {
    let url = "http://a.test:1";
    let of_variable = by(&[("ALL_PROXY", url)], &ProxySettings::default()).unwrap();
    let said = ProxySettings { proxy: Some(Proxy::parse("proxy", url)), no_proxy: None };
    let said = by(&[], &said).unwrap();
    for (host, is_remote) in [
        ("localhost", false),
        ("LocalHost.", false),
        ("s3.localhost", false),
        ("127.0.0.1", false),
        ("127.8.8.8", false),
        ("[::1]", false),
        ("::1", false),
        ("::ffff:127.0.0.1", false),
        ("0.0.0.0", false),
        ("169.254.169.254", false),
        ("169.254.170.2", false),
        ("fe80::1", false),
        ("[fd00:ec2::254]", false),
        ("fd00:ec2::23", false),
        ("s3.test", true),
        ("localhost.test", true),
        ("10.0.0.1", true),
        ("fd00:ec3::254", true),
        ("2001:db8::1", true),
    ] {
        assert_eq!(of_variable.of(&Scheme::HTTPS, host).is_some(), is_remote, "{host}");
        assert!(said.of(&Scheme::HTTP, host).is_some(), "{host}: the configuration says so");
    }
}

#[test]
fn exceptions_are_names_with_what_is_below_and_networks() {
    let except = "internal.test, .corp.test,10.0.0.0/8,192.0.2.1,2001:db8::/32";
    let proxies =
        by(&[("ALL_PROXY", "http://a.test:1"), ("NO_PROXY", except)], &ProxySettings::default()).unwrap();
    for (host, is_excepted) in [
        ("internal.test", true),
        ("s3.internal.test", true),
        ("notinternal.test", false),
        ("corp.test", true),
        ("a.corp.test", true),
        ("10.1.2.3", true),
        ("11.1.2.3", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("2001:db8::7", true),
        ("[2001:db8::7]", true),
        ("2001:db9::7", false),
    ] {
        assert_eq!(proxies.of(&Scheme::HTTPS, host).is_none(), is_excepted, "{host}");
    }
}

#[test]
fn a_request_for_a_plain_host_names_it() {
    let uri = |path: &'static str, host: &'static str| {
        absolute(&Uri::from_static(path), &HeaderValue::from_static(host)).map(|uri| uri.to_string())
    };
    assert_eq!(uri("/a%20b?c=d", "s3.test:9000").unwrap(), "http://s3.test:9000/a%20b?c=d");
    assert_eq!(uri("/", "[::1]:9000").unwrap(), "http://[::1]:9000/");
    assert_eq!(uri("/", "a b"), None);
}
