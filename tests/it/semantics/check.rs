use tower_s3_proxy::S3Proxy;

use super::{
    expect::{Checked, Expect, Grace, ensure, fetch},
    origin::Origin,
};
use crate::{
    lying::{KEY, Lie, Object, Seen},
    support::{BUCKET, is_cached, request},
};

/// Method, fields of the request (`{tag}`, `{date}`, `{before}`, `{after}` are the object's), what has to come back.
pub(super) type Row = (&'static str, &'static [(&'static str, &'static str)], Expect);

/// More than this nobody needs to find out about one object.
const MOST_REQUESTS: usize = 5;

/// Asks every origin for everything. The in-process server and an origin without lies are always among them; each lie
/// is an origin of its own.
pub(super) async fn check(object: &Object, rows: &[Row], lies: &[(Grace, &[Lie])]) {
    let mut origins =
        vec![(Grace::Never, Origin::demo(object).await), (Grace::Never, Origin::lying(object, &[]).await)];
    for (grace, lies) in lies {
        for lie in *lies {
            origins.push((*grace, Origin::lying(object, &[*lie]).await));
        }
    }
    check_origins(&origins, rows).await;
}

pub(super) async fn check_origins(origins: &[(Grace, Origin)], rows: &[Row]) {
    let mut failures = Failures::default();
    for (grace, origin) in origins {
        let service = S3Proxy::new(origin.mount().build().unwrap());
        for (method, fields, expect) in rows {
            let row = format!("{}: {method} {fields:?}", origin.name);
            let checked = check_row(origin, &service, method, fields, (*expect, *grace)).await;
            failures.note(&row, checked);
        }
    }
    failures.report();
}

async fn check_row(
    origin: &Origin,
    service: &S3Proxy,
    method: &str,
    fields: &[(&str, &str)],
    (expect, grace): (Expect, Grace),
) -> Checked {
    let filled: Vec<_> = fields.iter().map(|(name, value)| (*name, origin.truth.fill(value))).collect();
    let filled: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
    origin.forget();
    let got = fetch(service, request(method, &format!("/{KEY}"), &filled)).await;
    expect.verify(grace, &origin.truth, method, &got)?;
    let seen = origin.seen();
    let parts = if let Expect::Parts(ranges) = expect { ranges.len() } else { 1 };
    let most = if is_cached() { 2 * MOST_REQUESTS } else { MOST_REQUESTS };
    ensure(seen.len() < most + parts, || format!("S3 was asked {} times", seen.len()))?;
    seen.iter().try_for_each(asks_properly)
}

/// What holds for every request to S3, whatever a client said.
pub(super) fn asks_properly(seen: &Seen) -> Checked {
    const ALLOWED: [&str; 11] = [
        "authorization",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "range",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
    ];
    let (method, path) = (&seen.method, &seen.path);
    ensure(method == "GET" || method == "HEAD", || format!("S3 saw {method}"))?;
    ensure(path.starts_with(&format!("/{BUCKET}/")) && !path.contains('?'), || format!("S3 saw {path}"))?;
    for (name, value) in &seen.fields {
        ensure(ALLOWED.contains(&name.as_str()), || format!("S3 saw {name}: {value}"))?;
        let is_single = match name.as_str() {
            // Row 5: at most one tag, and that a strong one. A tag of ours has no comma in it.
            "if-match" | "if-none-match" => {
                value == "*" || (value.len() > 1 && value.matches('"').count() == 2 && value.starts_with('"'))
            }
            "range" => {
                let set = value.strip_prefix("bytes=").unwrap_or_default();
                set.split('-').count() == 2 && set.bytes().all(|b| b.is_ascii_digit() || b == b'-')
            }
            _ => true,
        };
        ensure(is_single, || format!("S3 saw {name}: {value}"))?;
        let count = seen.fields.iter().filter(|(other, _)| other == name).count();
        ensure(count == 1, || format!("S3 saw {name} {count} times"))?;
    }
    ensure(!(method == "HEAD" && seen.field("range").is_some()), || "S3 saw HEAD with Range".to_owned())
}

/// What did not hold, told at the end: one wrong row must not hide the next.
#[derive(Debug, Default)]
pub(super) struct Failures {
    checked: usize,
    failed: Vec<String>,
}

/// More than this nobody reads.
const MOST_TOLD: usize = 60;

// === impl Failures ===

impl Failures {
    pub(super) fn note(&mut self, row: &str, checked: Checked) {
        self.checked += 1;
        if let Err(why) = checked {
            self.failed.push(format!("{row}: {why}"));
        }
    }

    pub(super) fn report(self) {
        let (failed, checked) = (self.failed.len(), self.checked);
        let first: Vec<_> = self.failed.into_iter().take(MOST_TOLD).collect();
        assert!(failed == 0, "{failed} of {checked} rows do not hold, the first:\n{}", first.join("\n"));
    }
}
