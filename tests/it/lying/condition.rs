use super::{
    date::parse_http_date,
    lie::{Lie, Lies},
    object::Object,
    seen::Seen,
};

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

/// RFC 9110 §13.2.2, but for the lies.
pub(super) fn evaluate(object: &Object, lies: &Lies, asked: &Seen) -> Verdict {
    let tags = |name, ignores| asked.field(name).filter(|_| !lies.has(ignores));
    let date = |name| asked.field(name).and_then(parse_http_date).filter(|_| !lies.has(Lie::IgnoresDates));
    let if_match = tags("if-match", Lie::IgnoresIfMatch);
    let if_none_match = tags("if-none-match", Lie::IgnoresIfNoneMatch);
    let (unmodified_since, modified_since) = (date("if-unmodified-since"), date("if-modified-since"));

    let is_conditional = if_match.is_some()
        || if_none_match.is_some()
        || unmodified_since.is_some()
        || modified_since.is_some();
    if lies.has(Lie::NotModifiedUnasked) && !is_conditional {
        return Verdict::NotModified;
    }
    if lies.has(Lie::FailsPreconditions) && (if_match.is_some() || unmodified_since.is_some()) {
        return Verdict::Failed;
    }
    if lies.has(Lie::NotModifiedAlways) && (if_none_match.is_some() || modified_since.is_some()) {
        return Verdict::NotModified;
    }

    let by_tag = if_match.map(|tags| !matches(object, lies, tags, Comparison::Strong));
    let by_date = unmodified_since.map(|at| object.modified > at);
    if decide(lies, by_tag, by_date) {
        return Verdict::Failed;
    }
    let by_tag = if_none_match.map(|tags| matches(object, lies, tags, Comparison::Weak));
    let by_date = modified_since.map(|at| match lies.has(Lie::ExactDateOnly) {
        true => object.modified == at,
        false => object.modified <= at,
    });
    if decide(lies, by_tag, by_date) { Verdict::NotModified } else { Verdict::Proceed }
}

fn decide(lies: &Lies, by_tag: Option<bool>, by_date: Option<bool>) -> bool {
    let decided = if lies.has(Lie::DatesBeforeTags) { by_date.or(by_tag) } else { by_tag.or(by_date) };
    decided == Some(true)
}

fn is_weak(lies: &Lies) -> bool {
    lies.has(Lie::WeakTag) || lies.has(Lie::UnquotedWeakTag)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn matches(object: &Object, lies: &Lies, tags: &str, comparison: Comparison) -> bool {
    if lies.has(Lie::NoTagLists) {
        return tags == object.quoted_tag();
    }
    if tags == "*" {
        return true;
    }
    if lies.has(Lie::NoTag) || (is_weak(lies) && comparison == Comparison::Strong) {
        return false;
    }
    // What stands between quotes: every other piece. Like S3, it also takes a tag without any.
    let mut pieces = tags.split('"');
    let mut before = pieces.next().unwrap_or_default();
    if before.trim() == object.tag {
        return true;
    }
    while let (Some(tag), Some(after)) = (pieces.next(), pieces.next()) {
        let is_weak = before.ends_with("W/");
        if tag == object.tag && !(is_weak && comparison == Comparison::Strong) {
            return true;
        }
        before = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_lies_conditions_are_those_of_the_rfc() {
        let object = Object::of_size(1).tagged("a,b");
        let at = "Wed, 21 Oct 2015 07:28:00 GMT";
        let before = "Wed, 21 Oct 2015 07:27:59 GMT";
        let rows: &[(&[(&str, &str)], Verdict)] = &[
            (&[], Verdict::Proceed),
            (&[("if-match", r#""x", "a,b""#)], Verdict::Proceed),
            (&[("if-match", r#"W/"a,b""#)], Verdict::Failed),
            (&[("if-match", "*")], Verdict::Proceed),
            (&[("if-none-match", r#""x",W/"a,b""#)], Verdict::NotModified),
            (&[("if-none-match", r#""a", "b""#)], Verdict::Proceed),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-modified-since", at)], Verdict::NotModified),
            (&[("if-modified-since", before)], Verdict::Proceed),
            (&[("if-unmodified-since", at)], Verdict::Proceed),
            (&[("if-unmodified-since", before)], Verdict::Failed),
            (&[("if-match", r#""a,b""#), ("if-unmodified-since", before)], Verdict::Proceed),
            (&[("if-none-match", r#""x""#), ("if-modified-since", at)], Verdict::Proceed),
        ];
        for (fields, verdict) in rows {
            let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let asked = Seen::parse(format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes());
            assert_eq!(evaluate(&object, &Lies::new(&[]), &asked), *verdict, "{fields:?}");
        }
    }
}
