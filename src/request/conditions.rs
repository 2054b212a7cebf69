use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{DATE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE},
};
use httpdate::HttpDate;

use crate::object::{EntityTag, EntityTags, Validators, http_date, parse_date};

/// The conditions of a request (RFC 9110 §13.1), read once. An invalid date counts as absent; a list without a tag
/// matches nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions(Option<Box<Fields>>);

#[derive(Debug, Clone)]
struct Fields {
    must: Option<Must>,
    unless: Option<Unless>,
}

/// `If-Unmodified-Since` does not count beside `If-Match` (RFC 9110 §13.1.4).
#[derive(Debug, Clone)]
enum Must {
    Match(HeaderValue),
    UnmodifiedSince(HttpDate),
}

/// `If-Modified-Since` does not count beside `If-None-Match` (RFC 9110 §13.1.3).
#[derive(Debug, Clone)]
enum Unless {
    Match(HeaderValue),
    NotModifiedSince(HttpDate),
}

/// The outcome of the conditions for a response that would be a success without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// The state of the object to which the range of a request applies (RFC 9110 §13.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfRange {
    /// Strong: a weak tag never matches.
    Tag(HeaderValue),
    Date(HttpDate),
    /// Neither: no state of the object matches.
    Never,
}

/// The conditions that S3 can be asked to check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ForS3 {
    /// Sorted by name. Every condition, sent or not, is checked again on the response.
    Fields(Vec<(HeaderName, HeaderValue)>),
    /// The object's head decides more cheaply than a response that may carry the object in vain.
    HeadFirst,
}

// === impl Conditions ===

impl Conditions {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let must = || {
            let list = joined(headers, &IF_MATCH).map(Must::Match);
            list.or_else(|| date(headers, &IF_UNMODIFIED_SINCE).map(Must::UnmodifiedSince))
        };
        let unless = || {
            let list = joined(headers, &IF_NONE_MATCH).map(Unless::Match);
            list.or_else(|| date(headers, &IF_MODIFIED_SINCE).map(Unless::NotModifiedSince))
        };
        let (must, unless) = (must(), unless());
        let any = must.is_some() || unless.is_some();
        Self(any.then(|| Box::new(Fields { must, unless })))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is a condition that could end in 412.
    pub(crate) fn has_must(&self) -> bool {
        self.0.as_ref().is_some_and(|fields| fields.must.is_some())
    }

    /// RFC 9110 §13.2.2, steps 1 to 4, for an object that exists.
    pub(crate) fn evaluate(&self, object: Validators<'_>) -> Verdict {
        let Some(fields) = &self.0 else { return Verdict::Proceed };
        let holds = match &fields.must {
            Some(Must::Match(list)) => lists(list, |tag| object.tag.is_some_and(|own| own.strong_eq(tag))),
            // Without a date there is nothing to compare (§13.1.4).
            Some(Must::UnmodifiedSince(since)) => object.last_modified.is_none_or(|own| own <= *since),
            None => true,
        };
        if !holds {
            return Verdict::Failed;
        }
        let is_known = match &fields.unless {
            Some(Unless::Match(list)) => lists(list, |tag| object.tag.is_some_and(|own| own.weak_eq(tag))),
            // A date in the future counts like any other: §13.1.3 has no exception for it, unlike RFC 2616 §14.25.
            Some(Unless::NotModifiedSince(since)) => object.last_modified.is_some_and(|own| own <= *since),
            None => false,
        };
        if is_known { Verdict::NotModified } else { Verdict::Proceed }
    }

    /// Whether these validators are all that `evaluate` needs: some S3-like servers leave validators out of a 304.
    pub(crate) fn are_decided_by(&self, object: Validators<'_>) -> bool {
        let Some(fields) = &self.0 else { return true };
        let needs_tag =
            matches!(fields.must, Some(Must::Match(_))) || matches!(fields.unless, Some(Unless::Match(_)));
        let needs_date = matches!(fields.must, Some(Must::UnmodifiedSince(_)))
            || matches!(fields.unless, Some(Unless::NotModifiedSince(_)));
        (!needs_tag || object.tag.is_some()) && (!needs_date || object.last_modified.is_some())
    }

    /// The conditions for S3 to check, which save the bytes of an unwanted response. Servers differ in lists, `*`, weak
    /// tags and combinations, so at most one strong tag or one date of each kind is sent.
    pub(crate) fn for_s3(&self) -> ForS3 {
        let Some(fields) = &self.0 else { return ForS3::Fields(Vec::new()) };
        let mut sent = Vec::with_capacity(2);
        match &fields.must {
            Some(Must::Match(list)) => match one_tag(list) {
                OneTag::None => return ForS3::HeadFirst,
                OneTag::Strong(tag) => sent.extend(tag.to_s3().map(|tag| (IF_MATCH, tag))),
                // Never matches.
                OneTag::Weak(_) => return ForS3::HeadFirst,
                // Such a condition usually holds, and then the bytes are wanted.
                OneTag::Several | OneTag::Any => {}
            },
            Some(Must::UnmodifiedSince(since)) => sent.push((IF_UNMODIFIED_SINCE, written(*since))),
            None => {}
        }
        match &fields.unless {
            Some(Unless::Match(list)) => match one_tag(list) {
                OneTag::None => {}
                OneTag::Strong(tag) | OneTag::Weak(tag) => match tag.to_s3() {
                    Some(tag) => sent.push((IF_NONE_MATCH, tag)),
                    None => return ForS3::HeadFirst,
                },
                // Such a condition usually does not hold, and then the bytes are not wanted.
                OneTag::Several | OneTag::Any => return ForS3::HeadFirst,
            },
            Some(Unless::NotModifiedSince(since)) => sent.push((IF_MODIFIED_SINCE, written(*since))),
            None => {}
        }
        sent.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        ForS3::Fields(sent)
    }
}

fn lists(list: &HeaderValue, is_it: impl Fn(EntityTag<'_>) -> bool) -> bool {
    match EntityTags::parse(list) {
        EntityTags::Any => true,
        EntityTags::List(mut tags) => tags.any(is_it),
    }
}

enum OneTag<'v> {
    None,
    Strong(EntityTag<'v>),
    Weak(EntityTag<'v>),
    Several,
    Any,
}

fn one_tag(list: &HeaderValue) -> OneTag<'_> {
    let EntityTags::List(mut tags) = EntityTags::parse(list) else { return OneTag::Any };
    match (tags.next(), tags.next()) {
        (None, _) => OneTag::None,
        (Some(tag), None) if tag.is_weak() => OneTag::Weak(tag),
        (Some(tag), None) => OneTag::Strong(tag),
        (Some(_), Some(_)) => OneTag::Several,
    }
}

/// Several field lines make one list (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    let mut rest = lines.peekable();
    if rest.peek().is_none() {
        return Some(first.clone());
    }
    let mut list = first.as_bytes().to_vec();
    for line in rest {
        list.extend_from_slice(b", ");
        list.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_maybe_shared(Bytes::from(list)).ok()
}

/// A date, if the field is one valid date (RFC 9110 §13.1.3, §13.1.4).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<HttpDate> {
    let mut lines = headers.get_all(name).iter();
    let (first, None) = (lines.next()?, lines.next()) else { return None };
    parse_date(first).map(http_date)
}

/// In the one form that may be sent (RFC 9110 §5.6.7).
fn written(date: HttpDate) -> HeaderValue {
    HeaderValue::try_from(date.to_string()).expect("a date is visible ASCII and spaces")
}

// === impl IfRange ===

impl IfRange {
    pub(crate) fn new(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(IF_RANGE).iter();
        let first = lines.next()?;
        Some(match (EntityTag::parse(first), parse_date(first)) {
            _ if lines.next().is_some() => Self::Never,
            (_, Some(date)) => Self::Date(http_date(date)),
            // A date must not pass for a tag without quotes.
            (Some(tag), None) if !tag.is_weak() && first.as_bytes().starts_with(b"\"") => {
                Self::Tag(first.clone())
            }
            (Some(_) | None, None) => Self::Never,
        })
    }

    /// Whether the range applies to the object in a response (RFC 9110 §13.1.5).
    pub(crate) fn fits(&self, answer: &HeaderMap) -> bool {
        let object = Validators::of(answer);
        match self {
            Self::Tag(tag) => {
                EntityTag::parse(tag).zip(object.tag).is_some_and(|(one, own)| own.strong_eq(one))
            }
            // A date is a strong validator only if the object can't have changed again within that second: it must be
            // at least one second older than the response (§8.8.2.2).
            Self::Date(date) => {
                let made = answer.get(DATE).and_then(parse_date).map(http_date);
                object.last_modified == Some(*date) && made.is_some_and(|made| *date < made)
            }
            Self::Never => false,
        }
    }

    /// The condition that makes S3 respond with the range or 412; `None` if there is none, and so no range.
    pub(crate) fn for_s3(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Tag(tag) => EntityTag::parse(tag)?.to_s3().map(|tag| (IF_MATCH, tag)),
            Self::Date(date) => Some((IF_UNMODIFIED_SINCE, written(*date))),
            Self::Never => None,
        }
    }
}

#[cfg(test)]
mod tests;
