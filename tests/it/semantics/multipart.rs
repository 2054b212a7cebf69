//! `multipart/byteranges`, parsed by RFC 9110 §14.6 alone, without anybody's code.

use bytes::Bytes;

/// One part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) content_type: String,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) total: u64,
    pub(super) bytes: Bytes,
}

/// The boundary that a content type names.
pub(super) fn boundary(content_type: &str) -> Result<&str, String> {
    let named = content_type
        .strip_prefix("multipart/byteranges;")
        .and_then(|rest| rest.trim_start().strip_prefix("boundary="))
        .ok_or_else(|| format!("{content_type:?} names no boundary"))?;
    let bare = named.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(named);
    // RFC 2046 §5.1.1. What is not a token has to be quoted.
    let is_fit = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"'+_-.".contains(&b);
    let is_quoted = bare.len() < named.len();
    if !(1..=70).contains(&bare.len()) || !bare.bytes().all(|b| is_fit(b) && (is_quoted || is_token(b))) {
        return Err(format!("{content_type:?} has a boundary that RFC 2046 does not allow"));
    }
    Ok(bare)
}

/// The parts of a body. Their lengths come from their `Content-Range`, so that no byte of an object can pass for a
/// boundary.
pub(super) fn parse(boundary: &str, body: &Bytes) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    parse_into(&mut parts, boundary, body)?;
    Ok(parts)
}

/// The parts of a body that broke off; the last one has as many bytes as came.
pub(super) fn parse_as_far_as_it_goes(boundary: &str, body: &Bytes) -> Vec<Part> {
    let mut parts = Vec::new();
    let _ = parse_into(&mut parts, boundary, body);
    parts
}

fn parse_into(parts: &mut Vec<Part>, boundary: &str, body: &Bytes) -> Result<(), String> {
    let mut rest = body.clone();
    // The first delimiter may have an empty preamble before it.
    if rest.starts_with(b"\r\n--") {
        rest = rest.slice(2..);
    }
    let delimiter = format!("--{boundary}");
    loop {
        rest = after(&rest, delimiter.as_bytes())?;
        if let Ok(epilogue) = after(&rest, b"--") {
            return match epilogue.as_ref() {
                b"" | b"\r\n" => Ok(()),
                more => Err(format!("{} bytes after the last boundary", more.len())),
            };
        }
        rest = after(&rest, b"\r\n")?;
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").ok_or("a part without a head")?;
        let head = String::from_utf8(rest[..end].to_vec()).map_err(|error| error.to_string())?;
        rest = rest.slice(end + 4..);
        let (content_type, [first, last, total]) = head_fields(&head)?;
        let len = usize::try_from(last.checked_sub(first).ok_or("a part that ends before it begins")? + 1)
            .map_err(|error| error.to_string())?;
        let bytes = rest.split_to(len.min(rest.len()));
        let found = bytes.len();
        parts.push(Part { content_type, first, last, total, bytes });
        if found < len {
            return Err(format!("a part of {len} bytes has only {found}"));
        }
        rest = after(&rest, b"\r\n")?;
    }
}

fn head_fields(head: &str) -> Result<(String, [u64; 3]), String> {
    let mut content_type = None;
    let mut range = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("{line:?} is no field"))?;
        let known = match name.to_ascii_lowercase().as_str() {
            "content-type" => &mut content_type,
            "content-range" => &mut range,
            other => return Err(format!("a part has the field {other}")),
        };
        if known.replace(value.trim().to_owned()).is_some() {
            return Err(format!("a part has two fields {name}"));
        }
    }
    let range = range.ok_or("a part without Content-Range")?;
    let numbers = range
        .strip_prefix("bytes ")
        .map(|rest| rest.split(['-', '/']).filter_map(|number| number.parse().ok()).collect::<Vec<u64>>())
        .and_then(|numbers| <[u64; 3]>::try_from(numbers).ok())
        .ok_or_else(|| format!("{range:?} is no range of bytes"))?;
    Ok((content_type.ok_or("a part without Content-Type")?, numbers))
}

fn after(rest: &Bytes, expected: &[u8]) -> Result<Bytes, String> {
    if rest.starts_with(expected) {
        return Ok(rest.slice(expected.len()..));
    }
    let found = &rest[..rest.len().min(expected.len())];
    let (expected, found) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(found));
    Err(format!("{expected:?} expected, {found:?} found"))
}

#[test]
fn the_example_of_the_rfc_is_understood() {
    let body = Bytes::from_static(
        b"--THIS_STRING_SEPARATES\r\nContent-Type: application/pdf\r\nContent-Range: bytes 2-4/8000\r\n\r\nabc\r\n\
          --THIS_STRING_SEPARATES\r\nContent-Type: application/pdf\r\nContent-Range: bytes 7-7/8000\r\n\r\n-\r\n\
          --THIS_STRING_SEPARATES--\r\n",
    );
    let boundary = boundary("multipart/byteranges; boundary=THIS_STRING_SEPARATES").unwrap();
    let parts = parse(boundary, &body).unwrap();
    let [one, two] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((one.first, one.last, one.total, one.bytes.as_ref()), (2, 4, 8000, b"abc".as_ref()));
    assert_eq!((two.first, two.last, two.total, two.bytes.as_ref()), (7, 7, 8000, b"-".as_ref()));
    for end in 1..body.len() - 2 {
        assert!(parse(boundary, &body.slice(..end)).is_err(), "cut at {end}");
    }
}
