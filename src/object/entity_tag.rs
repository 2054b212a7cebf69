use http::HeaderValue;

/// An entity tag (RFC 9110 §8.8.3), borrowed from the field that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntityTag<'v> {
    is_weak: bool,
    /// Between the quotes.
    opaque: &'v [u8],
}

/// The value of `If-Match` or `If-None-Match` (RFC 9110 §13.1.1, §13.1.2).
#[derive(Debug, Clone)]
pub(crate) enum EntityTags<'v> {
    /// `*`: any existing object.
    Any,
    List(Members<'v>),
}

/// The members of a list that are tags. Other members are skipped: they match nothing.
#[derive(Debug, Clone)]
pub(crate) struct Members<'v>(&'v [u8]);

// === impl EntityTag ===

impl<'v> EntityTag<'v> {
    /// The tag that stands in a field alone: an origin's `ETag`, or `If-Range`.
    ///
    /// A tag without quotes counts as if it had them: some servers send such tags, and S3 accepts them.
    pub(crate) fn parse(value: &'v HeaderValue) -> Option<Self> {
        let text = value.as_bytes().trim_ascii();
        match quoted(text) {
            Some((tag, [])) => Some(tag),
            Some(_) => None,
            None => unquoted(text),
        }
    }

    pub(crate) fn is_weak(self) -> bool {
        self.is_weak
    }

    #[cfg(feature = "__internals")]
    pub(crate) fn opaque(self) -> &'v [u8] {
        self.opaque
    }

    /// Strong comparison (RFC 9110 §8.8.3.2): both are strong and equal.
    pub(crate) fn strong_eq(self, other: EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }

    /// Weak comparison: both are equal, weak or strong.
    pub(crate) fn weak_eq(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// The tag in its proper form (RFC 9110 §8.8.3); `None` if it has that form already.
    pub(crate) fn mended(value: &'v HeaderValue) -> Option<HeaderValue> {
        if value.as_bytes().ends_with(b"\"") {
            return None;
        }
        let tag = Self::parse(value)?;
        let prefix: &[u8] = if tag.is_weak { b"W/\"" } else { b"\"" };
        HeaderValue::from_bytes(&[prefix, tag.opaque, b"\""].concat()).ok()
    }

    /// The tag with quotes and without `W/`: S3's own tags are strong. `None` if S3 could read it differently than we
    /// do: only visible ASCII survives every signature check.
    pub(crate) fn to_s3(self) -> Option<HeaderValue> {
        let is_ascii = self.opaque.iter().all(u8::is_ascii_graphic);
        is_ascii.then(|| HeaderValue::from_bytes(&[b"\"", self.opaque, b"\""].concat()).ok()).flatten()
    }
}

// === impl EntityTags ===

impl<'v> EntityTags<'v> {
    /// Commas within quotes are part of a tag.
    pub(crate) fn parse(value: &'v HeaderValue) -> Self {
        match value.as_bytes().trim_ascii() {
            b"*" => Self::Any,
            list => Self::List(Members(list)),
        }
    }
}

// === impl Members ===

impl<'v> Iterator for Members<'v> {
    type Item = EntityTag<'v>;

    fn next(&mut self) -> Option<EntityTag<'v>> {
        while !self.0.is_empty() {
            let text = self.0.trim_ascii_start();
            let found = quoted(text).or_else(|| bare(text));
            let rest = found.map_or(text, |(_, rest)| rest).trim_ascii_start();
            if let (Some((tag, _)), [] | [b',', ..]) = (found, rest) {
                self.0 = rest.get(1..).unwrap_or_default();
                return Some(tag);
            }
            // Not a tag: continue after the next comma.
            let comma = rest.iter().position(|byte| *byte == b',');
            self.0 = comma.and_then(|at| rest.get(at + 1..)).unwrap_or_default();
        }
        None
    }
}

/// `"…"` or `W/"…"`, and the rest.
fn quoted(text: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let strong = text.strip_prefix(b"W/");
    let inner = strong.unwrap_or(text).strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| *byte == b'"')?;
    let (opaque, rest) = inner.split_at(end);
    let tag = EntityTag { is_weak: strong.is_some(), opaque };
    opaque.iter().all(|byte| is_etagc(*byte)).then(|| (tag, rest.get(1..).unwrap_or_default()))
}

/// A tag that lacks its quotes, up to a comma or a space, and the rest.
fn bare(text: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b' ' | b'\t')).unwrap_or(text.len());
    let (tag, rest) = text.split_at(end);
    Some((unquoted(tag)?, rest))
}

/// The whole text, as if it were in quotes.
fn unquoted(text: &[u8]) -> Option<EntityTag<'_>> {
    let weak = text.strip_prefix(b"W/");
    let opaque = weak.unwrap_or(text);
    let is_tag = !opaque.is_empty() && opaque.iter().all(|byte| is_etagc(*byte));
    is_tag.then_some(EntityTag { is_weak: weak.is_some(), opaque })
}

/// RFC 9110 §8.8.3: `etagc`.
fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    /// Tags as `(weak, text)`.
    fn members(list: &HeaderValue) -> Vec<(bool, String)> {
        match EntityTags::parse(list) {
            EntityTags::Any => vec![(false, "any".to_owned())],
            EntityTags::List(members) => {
                members.map(|tag| (tag.is_weak, String::from_utf8_lossy(tag.opaque).into_owned())).collect()
            }
        }
    }

    #[test]
    fn comparison_is_that_of_rfc_9110() {
        // RFC 9110 §8.8.3.2, table 3.
        for (one, other, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ] {
            let (one, other) = (tag(one), tag(other));
            let (one, other) = (EntityTag::parse(&one).unwrap(), EntityTag::parse(&other).unwrap());
            assert_eq!((one.strong_eq(other), one.weak_eq(other)), (strong, weak), "{one:?} {other:?}");
            assert_eq!((other.strong_eq(one), other.weak_eq(one)), (strong, weak), "{other:?} {one:?}");
        }
    }

    #[test]
    fn lists_are_split_outside_of_quotes_only() {
        let list =
            |text: &'static str| members(&tag(text)).into_iter().map(|(_, tag)| tag).collect::<Vec<_>>();
        for (text, expected) in [
            (r#""a""#, &["a"][..]),
            (r#""a,b""#, &["a,b"]),
            (r#""a" , W/"b","c""#, &["a", "b", "c"]),
            (r#",, "a",,"#, &["a"]),
            ("a", &["a"]),
            (r#"a, "b""#, &["a", "b"]),
            (r#""a"b, "c""#, &["c"]),
            (r#""a" b, "c""#, &["c"]),
            (r#""open, "c""#, &["c"]),
            (r#"w/"a", "c""#, &["c"]),
            ("*", &["any"]),
            (r#"*, "a""#, &["*", "a"]),
            (r#""""#, &[""]),
            ("", &[]),
        ] {
            assert_eq!(list(text), expected, "{text}");
        }
    }

    #[test]
    fn a_single_tag_stands_alone() {
        for (text, is_tag) in [
            (r#""a""#, true),
            (r#"W/"a""#, true),
            ("a", true),
            (r#""a", "b""#, false),
            (r#""a"b"#, false),
            (r#""a"#, false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(EntityTag::parse(&tag(text)).is_some(), is_tag, "{text}");
        }
    }

    #[test]
    fn only_what_survives_a_signature_check_goes_to_s3() {
        let to_s3 =
            |bytes: &[u8]| EntityTag::parse(&HeaderValue::from_bytes(bytes).unwrap()).unwrap().to_s3();
        assert_eq!(to_s3(b"W/\"a\"").unwrap(), "\"a\"");
        assert_eq!(to_s3(b"a").unwrap(), "\"a\"");
        assert_eq!(to_s3(b"\"\xfc\""), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tags in prop::collection::vec((any::<bool>(), "[!#-~]{0,6}"), 0..6), gap in "[ ,\t]{0,3}") {
            let text: Vec<_> =
                tags.iter().map(|(weak, tag)| format!("{}\"{tag}\"", if *weak { "W/" } else { "" })).collect();
            let value = HeaderValue::from_str(&text.join(&format!(",{gap}"))).unwrap();
            prop_assert_eq!(members(&value), tags);
        }
    }
}
