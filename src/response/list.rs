//! Lists of tokens in field values (RFC 9110 §5.6.1): no member has a quoted comma.

use bytes::Bytes;
use http::HeaderValue;

/// The members of a list, as they are written.
pub(super) fn members(list: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// The list without some of its members; `None` if none is left. A list with nothing to drop stays as it is.
pub(super) fn without(list: &HeaderValue, is_dropped: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    if !members(list).any(&is_dropped) {
        return Some(list.clone());
    }
    joined(members(list).filter(|member| !is_dropped(member)))
}

/// One list of these members, each a part of a field value; `None` if there are none.
pub(super) fn joined<'m>(members: impl Iterator<Item = &'m [u8]>) -> Option<HeaderValue> {
    let list = members.collect::<Vec<_>>().join(b", ".as_slice());
    if list.is_empty() {
        return None;
    }
    Some(HeaderValue::from_maybe_shared(Bytes::from(list)).expect("parts of field values make a field value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_dropped_and_the_rest_is_kept() {
        for (list, kept) in [
            ("a", None),
            ("a, a ,A", None),
            ("b", Some("b")),
            ("", Some("")),
            (" ,b ,, c", Some(" ,b ,, c")),
            ("a, b", Some("b")),
            ("b,a,c", Some("b, c")),
            ("b ,\ta,, c ,", Some("b, c")),
            ("ab, ba", Some("ab, ba")),
        ] {
            let without_a =
                without(&HeaderValue::from_static(list), |member| member.eq_ignore_ascii_case(b"a"));
            assert_eq!(without_a.as_ref().map(HeaderValue::as_bytes), kept.map(str::as_bytes), "{list:?}");
        }
    }
}
