use proptest::prelude::*;

use super::*;
use crate::request::{DispositionKind, DownloadName};

const CLOSED: QueryPolicy =
    QueryPolicy { versions: VersionPolicy::Ignored, downloads: DownloadPolicy::Refused };
const OPEN: QueryPolicy =
    QueryPolicy { versions: VersionPolicy::Honoured, downloads: DownloadPolicy::Honoured };

fn attachment(name: DownloadName) -> Option<Disposition> {
    Some(Disposition { kind: DispositionKind::Attachment, name })
}

fn named(name: &str) -> Option<Disposition> {
    attachment(DownloadName::Given(name.to_owned()))
}

#[test]
fn the_version_is_taken_where_allowed() {
    for (query, version) in [
        ("", None),
        ("versionId", None),
        ("versionId=", None),
        ("acl&versionId=a%2Bb", Some("a+b")),
        ("versionId=a+b", Some("a+b")),
        ("version%49d=1", Some("1")),
        ("versionId=1&versionId=2", Some("1")),
        ("versionId=&versionId=2", Some("2")),
        ("versionId=1&versionId=%ff", Some("1")),
        ("versionId=a=b", Some("a=b")),
        ("versionid=1", None),
        ("xversionId=1", None),
    ] {
        let asked = Query::parse(Some(query), OPEN).unwrap();
        assert_eq!(asked.version.as_ref().map(VersionId::as_str), version, "{query}");
        assert_eq!(
            Query::parse(Some(query), CLOSED),
            Ok(Query::default()),
            "{query}: ignored where it is not"
        );
    }
    for query in ["versionId=%ff", "versionId=%zz", "versionId=a%20b", "a&versionId=%0d%0a&b"] {
        assert_eq!(Query::parse(Some(query), OPEN), Err(QueryRefusal::NoSuchVersion), "{query}");
        assert_eq!(Query::parse(Some(query), CLOSED), Ok(Query::default()), "{query}");
    }
}

#[test]
fn downloads_are_taken_where_allowed() {
    for (query, disposition) in [
        ("download", attachment(DownloadName::OfKey)),
        ("download=", attachment(DownloadName::OfKey)),
        ("%64ownload&x", attachment(DownloadName::OfKey)),
        ("download=a.txt", named("a.txt")),
        ("download=a+b%2Bc%20d", named("a b+c d")),
        ("download=a=b", named("a=b")),
        ("download=%0D%0Aa", named("\r\na")),
        ("download=a&download=b", named("a")),
        ("download=a&download=%ff", named("a")),
        ("download=a&response-content-disposition=attachment", named("a")),
        ("response-content-disposition=attachment&download=a", attachment(DownloadName::Unsaid)),
        ("response-content-disposition=attachment%3B+filename%3D%22a+b%2Bc%22", named("a b+c")),
        ("response%2Dcontent-disposition=attachment;filename*=UTF-8''%2520", named(" ")),
        ("Download=a", None),
        ("downloads=a", None),
    ] {
        let asked = Query::parse(Some(query), OPEN).map(|asked| asked.disposition);
        assert_eq!(asked, Ok(disposition), "{query}");
    }
    for query in [
        "download=%ff",
        "download=%",
        "response-content-disposition",
        "response-content-disposition=",
        "response-content-disposition=%ff",
        "response-content-disposition=form-data",
        "response-content-disposition=attachment%0d%0aset-cookie:a=b",
        "response-content-disposition=&response-content-disposition=inline",
    ] {
        assert_eq!(Query::parse(Some(query), OPEN), Err(QueryRefusal::MalformedDisposition), "{query}");
    }
    for query in ["download", "download=a", "download=%ff"] {
        assert_eq!(Query::parse(Some(query), CLOSED), Ok(Query::default()), "{query}");
    }
    let query = Some("response-content-disposition=inline");
    assert_eq!(Query::parse(query, CLOSED), Err(QueryRefusal::NotAllowed));
}

#[test]
fn overrides_of_s3_are_refused_however_they_are_spelled() {
    for name in [
        "response-content-type",
        "response-content-language",
        "response-content-encoding",
        "response-cache-control",
        "response-expires",
        "partNumber",
        "response%2Dcontent-type",
        "%72esponse-content-type",
        "Response-Content-Type",
        "RESPONSE-EXPIRES",
        "Response-Content-Disposition",
        "partnumber",
        "part%4Eumber",
    ] {
        for query in [name.to_owned(), format!("{name}=x"), format!("a=b&versionId=1&{name}=x&c")] {
            for policy in [OPEN, CLOSED] {
                assert_eq!(Query::parse(Some(&query), policy), Err(QueryRefusal::NotAllowed), "{query}");
            }
        }
    }
    for query in [
        "xresponse-content-type=a",
        "response-content-typ=a",
        "response%252Dcontent-type=a",
        "x=response-content-type",
        "%zz=a",
        "%ff",
        "uploads",
        "list-type=2",
        "=",
        "&&",
    ] {
        for policy in [OPEN, CLOSED] {
            assert_eq!(Query::parse(Some(query), policy), Ok(Query::default()), "{query}");
        }
    }
}

#[test]
fn a_query_that_asks_for_nothing_allocates_nothing() {
    for query in [None, Some(""), Some("page=2&sort=name&v=%20&download_count=1")] {
        let counted = allocation_counter::measure(|| {
            assert_eq!(Query::parse(query, OPEN), Ok(Query::default()));
        });
        assert_eq!(counted.count_total, 0, "{query:?}");
    }
}

/// A naive model: decodes all names first, then asks for the first refusal, and for the first of each kind.
fn model(query: &str, policy: QueryPolicy) -> Result<Query, QueryRefusal> {
    let pairs: Vec<(String, &str)> = query
        .split('&')
        .map(|pair| {
            let end = pair.find('=').unwrap_or(pair.len());
            (unescape(&pair[..end]), pair.get(end + 1..).unwrap_or(""))
        })
        .collect();
    let can_download = policy.downloads == DownloadPolicy::Honoured;
    let disposition_at = pairs
        .iter()
        .position(|(name, _)| can_download && (name == "download" || name == "response-content-disposition"));
    let version_at = pairs.iter().position(|(name, value)| {
        policy.versions == VersionPolicy::Honoured && name == "versionId" && !value.is_empty()
    });
    let mut asked = Query::default();
    for (n, (name, value)) in pairs.iter().enumerate() {
        let lower = name.to_lowercase();
        let is_allowed = can_download && name == "response-content-disposition";
        if !is_allowed && name.is_ascii() && OF_S3.iter().any(|other| other.to_lowercase() == lower) {
            return Err(QueryRefusal::NotAllowed);
        }
        if version_at == Some(n) {
            asked.version = Some(VersionId::decode(value).map_err(|_| QueryRefusal::NoSuchVersion)?);
        }
        if disposition_at == Some(n) {
            let value = decode_once(&value.replace('+', "%20")).map(Cow::into_owned);
            let value = value.map_err(|_| QueryRefusal::MalformedDisposition)?;
            let disposition = match name.as_str() {
                "download" => Ok(Disposition::download(value)),
                _ => Disposition::parse(&value),
            };
            asked.disposition = Some(disposition.map_err(|_| QueryRefusal::MalformedDisposition)?);
        }
    }
    Ok(asked)
}

/// Decodes what can be, and marks what is no text, which no name has.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let is_hex = |digits: &&str| digits.bytes().all(|b| b.is_ascii_hexdigit());
        match digits.filter(|digits| *first == b'%' && is_hex(digits)) {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &behind[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| "not text".to_owned())
}

fn query() -> impl Strategy<Value = String> {
    let names = ["versionId", "download", "response-content-disposition", "page", ""];
    let name = prop_oneof![
        4 => prop::sample::select(names.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(OF_S3.to_vec()).prop_map(str::to_owned),
        1 => "[%a-z=]{0,4}",
    ];
    let name = (name, 0_u8..4, any::<prop::sample::Index>()).prop_map(|(name, how, at)| {
        let at = at.index(name.len().max(1));
        match (how, name.as_bytes().get(at)) {
            (0, Some(byte)) => format!("{}%{byte:02x}{}", &name[..at], &name[at + 1..]),
            (1, Some(_)) => name.to_uppercase(),
            _ => name,
        }
    });
    let value = prop::sample::select(vec![
        "",
        "=",
        "=a",
        "=1+2",
        "=a%2Bb",
        "=%ff",
        "=%",
        "=%0d%0a",
        "=attachment",
        "=inline;+filename=%22a%22",
        "=a=b",
    ]);
    prop::collection::vec((name, value), 0..5).prop_map(|pairs| {
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| name + value).collect();
        pairs.join("&")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_naive_model_reads_the_same(query in query(), versions in any::<bool>(), downloads in any::<bool>()) {
        let policy = QueryPolicy {
            versions: if versions { VersionPolicy::Honoured } else { VersionPolicy::Ignored },
            downloads: if downloads { DownloadPolicy::Honoured } else { DownloadPolicy::Refused },
        };
        prop_assert_eq!(Query::parse(Some(&query), policy), model(&query, policy));
    }
}
