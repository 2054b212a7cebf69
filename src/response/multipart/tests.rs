use proptest::prelude::*;

use super::*;

fn range(first: u64, last: u64) -> ByteRange {
    ByteRange::new(first, last).unwrap()
}

fn part_of(object: &[u8], range: ByteRange) -> &[u8] {
    let at = |byte| usize::try_from(byte).unwrap();
    &object[at(range.first())..=at(range.last())]
}

/// The body as a client gets it.
fn assemble(plan: &Multipart, object: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (n, range) in plan.ranges().enumerate() {
        body.extend(plan.part_head(n).unwrap());
        body.extend(part_of(object, range));
    }
    assert_eq!(plan.part_head(plan.ranges().len()), None, "no part is left out");
    body.extend(plan.end());
    body
}

/// A part as a client reads it: its fields by lower-case name, and its bytes.
type Read = (Vec<(String, Vec<u8>)>, Vec<u8>);

/// Reads a body as RFC 2046 §5.1.1 describes it, knowing nothing but its `Content-Type`.
fn read(content_type: &str, body: &[u8]) -> Vec<Read> {
    let (essence, boundary) = content_type.split_once("; boundary=").unwrap();
    assert_eq!(essence, "multipart/byteranges");
    assert!((1..=70).contains(&boundary.len()) && boundary.bytes().all(|b| b.is_ascii_alphanumeric()));
    // The line break before a delimiter belongs to it, even where nothing precedes the first.
    let body = [b"\r\n", body].concat();
    let mut sections = split(&body, format!("\r\n--{boundary}").as_bytes()).into_iter();
    assert_eq!(sections.next().unwrap(), b"", "no preamble");
    let mut parts = Vec::new();
    for section in sections.by_ref() {
        if section == b"--\r\n" {
            break;
        }
        let section = section.strip_prefix(b"\r\n").expect("a delimiter is a line");
        let (head, content) = section.split_at(find(section, b"\r\n\r\n").unwrap() + 4);
        let mut lines = split(head, b"\r\n");
        assert_eq!(lines.split_off(lines.len() - 2), [b"", b""], "an empty line ends the head");
        let field = |line: &[u8]| {
            let (name, value) = line.split_at(find(line, b": ").unwrap());
            (std::str::from_utf8(name).unwrap().to_ascii_lowercase(), value[2..].to_vec())
        };
        parts.push((lines.into_iter().map(field).collect(), content.to_vec()));
    }
    assert_eq!(sections.next(), None, "nothing stands behind the end");
    parts
}

fn split<'a>(mut text: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = find(text, separator) {
        pieces.push(&text[..at]);
        text = &text[at + separator.len()..];
    }
    pieces.push(text);
    pieces
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[test]
fn the_body_is_the_one_of_the_rfc() {
    let object: Vec<u8> = (b'a'..=b'z').collect();
    let content_type = HeaderValue::from_static("text/plain");
    let plan = Multipart::new([range(0, 2), range(25, 25)], 26, Some(&content_type), Boundary(0xb0));
    assert_eq!(plan.content_type(), "multipart/byteranges; boundary=000000000000000000000000000000b0");
    assert_eq!(
        String::from_utf8(assemble(&plan, &object)).unwrap(),
        "--000000000000000000000000000000b0\r\n\
         Content-Type: text/plain\r\n\
         Content-Range: bytes 0-2/26\r\n\
         \r\n\
         abc\r\n\
         --000000000000000000000000000000b0\r\n\
         Content-Type: text/plain\r\n\
         Content-Range: bytes 25-25/26\r\n\
         \r\n\
         z\r\n\
         --000000000000000000000000000000b0--\r\n"
    );
}

#[test]
fn a_length_beyond_every_number_is_the_greatest() {
    let all = range(0, u64::MAX - 1);
    let plan = Multipart::new([all, all], u64::MAX, None, Boundary(0));
    assert_eq!(plan.content_length(), u64::MAX);
}

#[test]
fn boundaries_differ() {
    assert_ne!(Boundary::random(), Boundary::random());
    assert_eq!(Boundary(1).to_string().len(), 32);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_client_reads_the_parts_that_were_planned(
        object in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), any::<u8>()], 1..200),
        ends in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..10),
        content_type in prop::option::of("[!-~\u{a0}-\u{ff}]([ -~]{0,30}[!-~])?"),
        boundary in any::<u128>(),
    ) {
        let ranges: Vec<ByteRange> = ends
            .iter()
            .map(|(a, b)| (a.index(object.len()) as u64, b.index(object.len()) as u64))
            .map(|(a, b)| range(a.min(b), a.max(b)))
            .collect();
        let total = object.len() as u64;
        let content_type = content_type.map(|text| HeaderValue::from_str(&text).unwrap());
        let plan =
            Multipart::new(ranges.iter().copied(), total, content_type.as_ref(), Boundary(boundary));
        let body = assemble(&plan, &object);
        prop_assert_eq!(body.len() as u64, plan.content_length());

        let read = read(plan.content_type().to_str().unwrap(), &body);
        prop_assert_eq!(read.len(), ranges.len());
        for ((fields, content), range) in read.into_iter().zip(ranges) {
            let (first, last) = (range.first(), range.last());
            let mut expected = Vec::new();
            if let Some(value) = &content_type {
                expected.push(("content-type".to_owned(), value.as_bytes().to_vec()));
            }
            expected.push(("content-range".to_owned(), format!("bytes {first}-{last}/{total}").into_bytes()));
            prop_assert_eq!(fields, expected);
            prop_assert_eq!(&content[..], part_of(&object, range));
        }
    }
}
