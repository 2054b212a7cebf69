use http::{HeaderMap, Method};

use super::{Conditions, ForS3, IfRange, Question, RangeSpec, Ranges};

/// A method that reads an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadMethod {
    Get,
    Head,
}

/// What a client asks of one object. Of all that its request says, nothing else has a bearing on what S3 is asked.
#[derive(Debug, Clone)]
pub(crate) struct ReadRequest {
    pub(crate) method: ReadMethod,
    pub(crate) conditions: Conditions,
    /// `None` for HEAD: a range is defined for GET only (RFC 9110 §14.2).
    pub(crate) ranges: Option<Ranges>,
    /// `None` without a range: the field has no meaning then (RFC 9110 §13.1.5).
    pub(crate) if_range: Option<Box<IfRange>>,
}

/// How a request begins at S3.
#[derive(Debug)]
pub(crate) enum Opening {
    Ask(Question),
    /// The object's head has to be seen first.
    HeadFirst,
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

    /// The first question to S3: one that is answered with what the client gets, wherever that can be told.
    pub(crate) fn opening(&self) -> Opening {
        if self.method == ReadMethod::Head {
            // Its answer has all that conditions are about and costs no bytes: there is nothing for S3 to check.
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
            // `bytes=-0` asks for nothing: 416 has to say how long the object is.
            Some(Ranges::Several(_) | Ranges::One(RangeSpec::Suffix(0))) => return Opening::HeadFirst,
            Some(Ranges::One(range)) => Some(*range),
        };
        if let Some(if_range) = &self.if_range {
            // A 412 can't stand for two conditions.
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

    /// The fields of the first question; `None` if the head comes first.
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
