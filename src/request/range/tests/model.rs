//! The behaviour of `range.rs`, written in the slowest and plainest way. The tests and the fuzz target compare the two.

/// First and last: `(Some, Some)` is `a-b`, `(Some, None)` is `a-`, `(None, Some)` is `-n`.
pub(super) type Spec = (Option<u64>, Option<u64>);

/// The part in a response, and the length of the object.
pub(super) type Told = (Option<(u64, u64)>, Option<u64>);

/// The first and last byte of each part that is sent. `None` is the whole object; no part is unsatisfiable.
pub(super) type Parts = Option<Vec<(u64, u64)>>;

/// The members of a `Range`, byte by byte.
pub(super) fn parse(value: &[u8]) -> Option<Vec<Spec>> {
    let mut rest = value;
    for expected in *b"bytes=" {
        take(&mut rest, |b| b.to_ascii_lowercase() == expected)?;
    }
    let mut specs = Vec::new();
    loop {
        while take(&mut rest, |b| b == b' ' || b == b'\t').is_some() {}
        if !matches!(rest, [] | [b',', ..]) {
            let first = take_number(&mut rest).map(|n| n.try_into().unwrap_or(u64::MAX));
            take(&mut rest, |b| b == b'-')?;
            let last = take_number(&mut rest).map(|n| n.try_into().unwrap_or(u64::MAX));
            match (first, last) {
                (None, None) => return None,
                (Some(first), Some(last)) if last < first => return None,
                spec => specs.push(spec),
            }
        }
        while take(&mut rest, |b| b == b' ' || b == b'\t').is_some() {}
        if rest.is_empty() {
            return (1..=1024).contains(&specs.len()).then_some(specs);
        }
        take(&mut rest, |b| b == b',')?;
    }
}

/// The contents of a `Content-Range`, byte by byte.
pub(super) fn content_range(value: &[u8]) -> Option<Told> {
    let mut rest = value;
    for expected in *b"bytes " {
        take(&mut rest, |b| b.to_ascii_lowercase() == expected)?;
    }
    let mut part = None;
    if take(&mut rest, |b| b == b'*').is_none() {
        let first = take_number(&mut rest)?;
        take(&mut rest, |b| b == b'-')?;
        part = Some((first, take_number(&mut rest)?));
    }
    take(&mut rest, |b| b == b'/')?;
    let is_unknown = part.is_some() && take(&mut rest, |b| b == b'*').is_some();
    let total = if is_unknown { u128::from(u64::MAX) } else { take_number(&mut rest)? };
    if !rest.is_empty() || total > u128::from(u64::MAX) {
        return None;
    }
    let narrow = |number: u128| u64::try_from(number).expect("no number is greater than the total");
    match part {
        Some((first, last)) if first > last || last >= total => None,
        Some((first, last)) if is_unknown => Some((Some((narrow(first), narrow(last))), None)),
        Some((first, last)) => Some((Some((narrow(first), narrow(last))), Some(narrow(total)))),
        None => Some((None, Some(narrow(total)))),
    }
}

fn take(rest: &mut &[u8], is_it: impl Fn(u8) -> bool) -> Option<u8> {
    let (&b, behind) = rest.split_first()?;
    is_it(b).then(|| {
        *rest = behind;
        b
    })
}

fn take_number(rest: &mut &[u8]) -> Option<u128> {
    let mut number = None;
    while let Some(digit) = take(rest, |b| b.is_ascii_digit()) {
        number = Some(number.unwrap_or(0_u128).saturating_mul(10).saturating_add(u128::from(digit - b'0')));
    }
    number
}

/// Whether a member selects this byte of an object of `total` bytes.
pub(super) fn means(spec: Spec, byte: u64, total: u64) -> bool {
    match spec {
        (Some(first), last) => first <= byte && last.is_none_or(|last| byte <= last),
        (None, length) => length.is_some_and(|length| total - byte <= length),
    }
}

/// The response's parts of an object of `total` bytes, without looking at each byte.
pub(super) fn resolve(specs: &[Spec], total: u64, gap: u64) -> Parts {
    if total == 0 {
        return None;
    }
    let mut parts = Vec::new();
    for &spec in specs {
        let (first, last) = match spec {
            (Some(first), None) => (first, total - 1),
            (Some(first), Some(last)) => (first, if last < total { last } else { total - 1 }),
            (None, length) => (total - length.unwrap_or(0).min(total), total - 1),
        };
        if first < total && first <= last {
            parts.push((first, last));
        }
    }
    if specs.len() > 1 {
        while merge_two(&mut parts, gap) {}
    }
    Some(parts)
}

/// Merges the first two that are near each other, until there are none.
fn merge_two(parts: &mut Vec<(u64, u64)>, gap: u64) -> bool {
    for one in 0..parts.len() {
        for other in one + 1..parts.len() {
            let ((a, b), (c, d)) = (parts[one], parts[other]);
            let apart = (b < c && c - b - 1 > gap) || (d < a && a - d - 1 > gap);
            if !apart {
                parts[one] = (a.min(c), b.max(d));
                parts.remove(other);
                return true;
            }
        }
    }
    false
}
