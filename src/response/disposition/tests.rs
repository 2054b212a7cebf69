use proptest::prelude::*;

use super::*;

/// The field that is sent, given the stored one.
fn sent(asked: &Disposition, key: &str, stored: Option<&'static str>) -> String {
    let mut headers = HeaderMap::new();
    headers.extend(stored.map(|value| (CONTENT_DISPOSITION, HeaderValue::from_static(value))));
    apply_disposition(asked, &ObjectKey::new(key).unwrap(), &mut headers);
    assert_eq!(headers.get_all(CONTENT_DISPOSITION).iter().count(), 1, "{asked:?}");
    headers[CONTENT_DISPOSITION].to_str().unwrap().to_owned()
}

fn attachment(name: DownloadName) -> Disposition {
    Disposition { kind: DispositionKind::Attachment, name }
}

fn given(name: &str) -> DownloadName {
    DownloadName::Given(name.to_owned())
}

#[test]
fn names_are_written_for_every_browser() {
    for (name, field) in [
        ("a.txt", "attachment; filename=\"a.txt\""),
        ("a b;c=d, e's.txt", "attachment; filename=\"a b;c=d, e's.txt\""),
        ("a\"b.txt", "attachment; filename=\"a\\\"b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("€ 100%.txt", "attachment; filename=\"_ 100_.txt\"; filename*=UTF-8''%E2%82%AC%20100%25.txt"),
        ("a%41.txt", "attachment; filename=\"a_41.txt\"; filename*=UTF-8''a%2541.txt"),
        ("日本.txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"),
        ("ä'(*).txt", "attachment; filename=\"_'(*).txt\"; filename*=UTF-8''%C3%A4%27%28%2A%29.txt"),
        ("../../etc/passwd", "attachment; filename=\".._.._etc_passwd\""),
        ("a\\..\\b\\", "attachment; filename=\"a_.._b_\""),
        ("a\r\nset-cookie: b=c\0.txt", "attachment; filename=\"aset-cookie: b=c.txt\""),
        ("a\u{7f}\u{85}\u{202e}\u{2066}\tb", "attachment; filename=\"ab\""),
        (".htaccess", "attachment; filename=\".htaccess\""),
        (" \t a \n", "attachment; filename=\"a\""),
        ("", "attachment"),
        ("\r\n", "attachment"),
        (".", "attachment"),
        (" .. ", "attachment"),
    ] {
        assert_eq!(sent(&attachment(given(name)), "key", None), field, "{name:?}");
    }
}

#[test]
fn the_name_of_a_key_is_its_last_segment() {
    for (key, field) in [
        ("a.txt", "attachment; filename=\"a.txt\""),
        ("x/y/a.txt", "attachment; filename=\"a.txt\""),
        ("x/a\\b", "attachment; filename=\"a_b\""),
        ("x/", "attachment"),
        ("/", "attachment"),
        ("x/...", "attachment"),
        ("x/ü", "attachment; filename=\"_\"; filename*=UTF-8''%C3%BC"),
    ] {
        assert_eq!(sent(&attachment(DownloadName::OfKey), key, None), field, "{key}");
    }
}

#[test]
fn what_is_stored_is_replaced_but_an_attachment_stays_one() {
    let inline = Disposition { kind: DispositionKind::Inline, name: given("b") };
    for (asked, stored, field) in [
        (&inline, None, "inline; filename=\"b\""),
        (&inline, Some("Inline ; filename=a"), "inline; filename=\"b\""),
        (&inline, Some("attachment; filename=a"), "attachment; filename=a"),
        (&inline, Some("inlined"), "inlined"),
        (&inline, Some(""), ""),
        (&attachment(given("b")), Some("inline"), "attachment; filename=\"b\""),
        (&attachment(given("b")), Some("attachment; filename=a"), "attachment; filename=\"b\""),
        (&attachment(DownloadName::Unsaid), Some("attachment; filename=a"), "attachment"),
    ] {
        assert_eq!(sent(asked, "key", stored), field, "{asked:?} {stored:?}");
    }
}

#[test]
fn long_names_are_cut_before_their_extension() {
    let clean = |name: &str| FileName::clean(name).unwrap().0;
    let long = "n".repeat(300);
    assert_eq!(clean(&long), "n".repeat(255));
    assert_eq!(clean(&"n".repeat(255)), "n".repeat(255));
    assert_eq!(clean(&format!("{long}.tar.gz")), format!("{}.gz", "n".repeat(252)));
    assert_eq!(clean(&format!("a.{long}")), format!("a.{}", "n".repeat(253)), "no extension is that long");
    assert_eq!(clean(&"€".repeat(100)), "€".repeat(85));
    assert_eq!(
        clean(&format!("a{}.txt", "€".repeat(100))),
        format!("a{}.txt", "€".repeat(83)),
        "not within one"
    );
    assert_eq!(clean(&format!("a{}.txt", " ".repeat(300))), "a.txt");
    assert_eq!(FileName::clean(&".".repeat(300)), None);
}

/// A reference parser for the output of `field` alone: reads the name, and the fallback beside it.
fn read_back(field: &str) -> (String, String) {
    let rest = field.strip_prefix("attachment; filename=\"").unwrap();
    let mut fallback = String::new();
    let mut bytes = rest.bytes();
    loop {
        match bytes.next().expect("the quotes are closed") {
            b'"' => break,
            b'\\' => fallback.push(char::from(bytes.next().unwrap())),
            b => fallback.push(char::from(b)),
        }
    }
    let rest: Vec<u8> = bytes.collect();
    if rest.is_empty() {
        return (fallback.clone(), fallback);
    }
    let mut encoded = rest.strip_prefix(b"; filename*=UTF-8''").unwrap();
    let mut name = Vec::new();
    while let [first, behind @ ..] = encoded {
        encoded = behind;
        match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let hex = |b: u8| char::from(b).to_digit(16).unwrap();
                name.push(u8::try_from(hex(*high) * 16 + hex(*low)).unwrap());
                encoded = behind;
            }
            (b, _) => {
                assert!(b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(b), "{field}");
                name.push(*b);
            }
        }
    }
    (String::from_utf8(name).unwrap(), fallback)
}

fn nasty_name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "\r\n", "\0", "\"", "\\", "/", ".", "..", "%", "%0d%0a", ";", "=", "'", "*", " ", "\t", "a", ".txt", "é", "€",
            "😀", "\u{301}", "\u{85}", "\u{7f}", "\u{202e}", "\u{2066}", "\u{feff}", "\u{3000}",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z]{1,200}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_field_reads_back_as_the_clean_name(name in nasty_name()) {
        let Some(clean) = FileName::clean(&name) else {
            prop_assert_eq!(sent(&attachment(given(&name)), "key", None), "attachment");
            return Ok(());
        };
        let field = sent(&attachment(given(&name)), "key", None);
        prop_assert!(field.bytes().all(|b| matches!(b, b' '..=b'~')), "{}", field);
        let (read, fallback) = read_back(&field);
        prop_assert_eq!(&read, &clean.0);
        prop_assert_eq!(fallback.chars().count(), read.chars().count(), "the fallback is as long");
        let parsed = Disposition::parse(&field);
        prop_assert_eq!(parsed, Ok(attachment(DownloadName::Given(read))), "our own parser reads the same");
    }

    #[test]
    fn a_clean_name_is_clean(name in nasty_name()) {
        if let Some(clean) = FileName::clean(&name) {
            let text = clean.0.as_str();
            prop_assert!((1..=255).contains(&text.len()) && text.trim() == text && !matches!(text, "." | ".."));
            let is_clean = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | '\u{202e}');
            prop_assert!(text.chars().all(is_clean), "{:?}", text);
            prop_assert_eq!(FileName::clean(text), Some(FileName(text.to_owned())), "cleaning it again changes nothing");
        }
    }
}
