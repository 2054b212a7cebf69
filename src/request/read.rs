use http::{HeaderMap, HeaderValue, Method};

use super::{Conditions, ForS3, IfRange, Question, RangeSpec, Ranges};

/// How a mount treats a request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedMethod {
    Read(ReadMethod),
    /// Answered here, without asking S3 (RFC 9110 §9.3.7).
    Options,
    /// 405 with `Allow` (RFC 9110 §15.5.6).
    NotAllowed,
}

/// A method that reads an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadMethod {
    Get,
    Head,
}

/// The methods that a mount answers: those that read, and some that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Methods {
    /// Invariant: each of these sets contains the smaller ones.
    writes: &'static [Method],
}

/// A client's request for one object. Nothing else in that request influences the requests to S3.
#[derive(Debug, Clone)]
pub(crate) struct ReadRequest {
    pub(crate) method: ReadMethod,
    pub(crate) conditions: Conditions,
    /// `None` for HEAD: a range is defined for GET only (RFC 9110 §14.2).
    pub(crate) ranges: Option<Ranges>,
    /// `None` without a range: the field has no meaning then (RFC 9110 §13.1.5).
    pub(crate) if_range: Option<Box<IfRange>>,
}

/// The first request to S3.
#[derive(Debug)]
pub(crate) enum Opening {
    Ask(Question),
    /// The object's head is needed first.
    HeadFirst,
}

// === impl Methods ===

impl Methods {
    pub(crate) const READS: Self = Self { writes: &[] };
    /// Those of links that write: POST is for uploads in parts.
    pub(crate) const ALL: Self = Self { writes: &[Method::PUT, Method::POST, Method::DELETE] };
    pub(crate) const PUT: Self = Self { writes: &[Method::PUT] };
    pub(crate) const PUT_AND_DELETE: Self = Self { writes: &[Method::PUT, Method::DELETE] };

    /// The value of `Allow`.
    pub(crate) fn allow(self) -> HeaderValue {
        let names =
            ["GET", "HEAD"].into_iter().chain(self.writes.iter().map(Method::as_str)).chain(["OPTIONS"]);
        HeaderValue::try_from(names.collect::<Vec<_>>().join(", ")).expect("names of methods are ASCII")
    }

    pub(crate) fn contain(self, method: &Method) -> bool {
        match AskedMethod::from(method) {
            AskedMethod::Read(_) | AskedMethod::Options => true,
            AskedMethod::NotAllowed => self.writes.contains(method),
        }
    }

    /// Whether any of them writes.
    pub(crate) fn write(self) -> bool {
        !self.writes.is_empty()
    }

    /// The methods of either.
    pub(crate) fn or(self, other: Self) -> Self {
        if self.writes.len() < other.writes.len() { other } else { self }
    }
}

// === impl AskedMethod ===
impl From<&Method> for AskedMethod {
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Read(ReadMethod::Get),
            Method::HEAD => Self::Read(ReadMethod::Head),
            Method::OPTIONS => Self::Options,
            _ => Self::NotAllowed,
        }
    }
}

// === impl ReadRequest ===

impl ReadRequest {
    pub(crate) fn new(method: ReadMethod, headers: &HeaderMap) -> Self {
        let conditions = Conditions::new(headers);
        let mut ranges = match method {
            ReadMethod::Get => Ranges::parse(headers),
            ReadMethod::Head => None,
        };
        let if_range = ranges.as_ref().and_then(|_| IfRange::new(headers)).map(Box::new);
        if if_range.as_deref() == Some(&IfRange::Never) {
            ranges = None;
        }
        Self { method, conditions, if_range: if_range.filter(|_| ranges.is_some()), ranges }
    }

    /// The same, but of several ranges none: the object comes whole (RFC 9110 §14.2).
    pub(crate) fn in_one_part(self) -> Self {
        match self.ranges {
            Some(Ranges::Several(_)) => Self { ranges: None, if_range: None, ..self },
            Some(Ranges::One(_)) | None => self,
        }
    }

    /// The first request to S3: where possible, one whose response is what the client gets.
    pub(crate) fn opening(&self) -> Opening {
        if self.method == ReadMethod::Head {
            // Its response has every validator and no body: there is nothing for S3 to check.
            return Opening::Ask(Question::head());
        }
        let mut fields = Vec::new();
        if !self.conditions.is_empty() {
            match self.conditions.for_s3() {
                ForS3::Fields(sent) => fields = sent,
                ForS3::HeadFirst => return Opening::HeadFirst,
            }
        }
        let range = match &self.ranges {
            None => None,
            // `bytes=-0` selects nothing: the 416 must give the object's length.
            Some(Ranges::Several(_) | Ranges::One(RangeSpec::Suffix(0))) => return Opening::HeadFirst,
            Some(Ranges::One(range)) => Some(*range),
        };
        if let Some(if_range) = &self.if_range {
            // A 412 would not say which of two conditions failed.
            if self.conditions.has_must() {
                return Opening::HeadFirst;
            }
            let Some(field) = if_range.for_s3() else { return Opening::HeadFirst };
            fields.push(field);
            fields.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        }
        Opening::Ask(Question::get(range, fields))
    }
}

// === impl ReadMethod ===

impl ReadMethod {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

impl TryFrom<&Method> for ReadMethod {
    type Error = ();

    fn try_from(method: &Method) -> Result<Self, ()> {
        match AskedMethod::from(method) {
            AskedMethod::Read(method) => Ok(method),
            AskedMethod::Options | AskedMethod::NotAllowed => Err(()),
        }
    }
}

impl From<ReadMethod> for Method {
    fn from(method: ReadMethod) -> Self {
        match method {
            ReadMethod::Get => Self::GET,
            ReadMethod::Head => Self::HEAD,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{
        HeaderName, HeaderValue,
        header::{AUTHORIZATION, COOKIE, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE},
    };

    use super::*;

    /// The fields of the first request; `None` if the head comes first.
    fn asked(method: ReadMethod, fields: &[(HeaderName, &'static str)]) -> Option<Vec<HeaderName>> {
        let headers = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let read = ReadRequest::new(method, &headers.collect());
        match read.opening() {
            Opening::Ask(question) => Some(question.fields().map(|(name, _)| name).collect()),
            Opening::HeadFirst => None,
        }
    }

    #[test]
    fn only_what_has_a_bearing_is_asked() {
        let range = (RANGE, "bytes=0-9");
        let tag = (IF_NONE_MATCH, "\"a\"");
        let identity = [(COOKIE, "a=b"), (AUTHORIZATION, "Basic xyz")];
        assert_eq!(asked(ReadMethod::Get, &identity), Some(vec![]));
        assert_eq!(asked(ReadMethod::Get, &[range.clone(), tag.clone()]), Some(vec![IF_NONE_MATCH, RANGE]));
        assert_eq!(asked(ReadMethod::Head, &[range.clone(), tag.clone()]), Some(vec![]));
        let state = (IF_RANGE, "\"a\"");
        assert_eq!(asked(ReadMethod::Get, &[range.clone(), state.clone()]), Some(vec![IF_MATCH, RANGE]));
        assert_eq!(asked(ReadMethod::Get, &[range.clone(), (IF_RANGE, "W/\"a\"")]), Some(vec![]));
        assert_eq!(asked(ReadMethod::Get, &[state.clone(), tag.clone()]), Some(vec![IF_NONE_MATCH]));
        assert_eq!(asked(ReadMethod::Get, &[range, state, (IF_MATCH, "\"a\"")]), None);
        assert_eq!(asked(ReadMethod::Get, &[(RANGE, "bytes=0-1,9-")]), None);
        assert_eq!(asked(ReadMethod::Get, &[(RANGE, "bytes=-0")]), None);
        assert_eq!(asked(ReadMethod::Get, &[(RANGE, "lines=1-2")]), Some(vec![]));
    }
}
