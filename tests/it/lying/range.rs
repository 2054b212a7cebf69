/// What a `Range` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    Whole,
    /// Both ends included.
    Part(u64, u64),
    /// More than one; the first of them.
    Several(u64, u64),
    Unsatisfiable,
    /// No range at all.
    Junk,
}

/// RFC 9110 §14.2, against a length.
pub(super) fn select(range: Option<&str>, len: u64) -> Selection {
    let Some(range) = range else { return Selection::Whole };
    let Some(set) = range.strip_prefix("bytes=") else { return Selection::Junk };
    match set.split_once(',') {
        None => one(set, len),
        Some((first, _)) => match one(first, len) {
            Selection::Part(first, last) => Selection::Several(first, last),
            other => other,
        },
    }
}

fn one(spec: &str, len: u64) -> Selection {
    let Some((first, last)) = spec.split_once('-') else { return Selection::Junk };
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    let (first, last) = match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        (Some(first), Some(last)) if first <= last => (first, last),
        (None, Some(0)) if first.is_empty() => return Selection::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => (len.saturating_sub(suffix), u64::MAX),
        _ => return Selection::Junk,
    };
    match len.checked_sub(1) {
        Some(end) if first <= end => Selection::Part(first, last.min(end)),
        _ => Selection::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        for (range, selection) in [
            ("bytes=0-3", Selection::Part(0, 3)),
            ("bytes=4-", Selection::Part(4, 9)),
            ("bytes=4-99", Selection::Part(4, 9)),
            ("bytes=-3", Selection::Part(7, 9)),
            ("bytes=-99", Selection::Part(0, 9)),
            ("bytes=10-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-2", Selection::Junk),
            ("bytes=-", Selection::Junk),
            ("bytes=a-b", Selection::Junk),
            ("lines=0-1", Selection::Junk),
            ("bytes=0-1,3-4", Selection::Several(0, 1)),
        ] {
            assert_eq!(select(Some(range), 10), selection, "{range}");
        }
        assert_eq!(select(Some("bytes=0-"), 0), Selection::Unsatisfiable);
    }
}
