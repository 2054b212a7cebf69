//! Row 18: a read in several pieces is of one version.

use super::{
    check::{Failures, asks_properly},
    expect::{Checked, Expect, Got, Grace, ensure, fetch},
    origin::{Origin, Truth},
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Object},
    support::{is_cached, proxy, request},
};

const LIST: &str = "bytes=0-99,60000-60099,120000-120099,180000-180099";
const PARTS: Expect = Expect::Parts(&[(0, 99), (60_000, 60_099), (120_000, 120_099), (180_000, 180_099)]);

/// More versions than any answer could bring about.
const VERSIONS: usize = 64;

/// Whether an answer is right for the version that it says it is.
fn is_of_one_version(object: &Object, expect: Expect, got: &Got) -> Checked {
    if got.is_error(502).is_ok() || got.is_error(503).is_ok() {
        return Ok(());
    }
    let tag = got.field("etag").ok_or("neither a tag nor a refusal")?;
    let version = (0..VERSIONS)
        .map(|number| object.version(number))
        .find(|version| version.quoted_tag() == tag)
        .ok_or_else(|| format!("{tag} was never a tag of it"))?;
    expect.verify(Grace::WholeOrRefusal, &Truth::of(&version, &[]), "GET", got)
}

#[tokio::test]
async fn an_object_that_never_stays_the_same_is_never_mixed() {
    let object = Object::of_size(256 * 1024);
    let mut failures = Failures::default();
    for lies in [
        &[Lie::TagFlips][..],
        &[Lie::TagFlips, Lie::IgnoresIfMatch],
        &[Lie::TagFlips, Lie::IgnoresRange],
        &[Lie::TagFlips, Lie::PartialAs200],
        &[Lie::TagFlips, Lie::NotModifiedAlways],
    ] {
        let origin = Origin::lying(&object, lies).await;
        let service = proxy(origin.mount());
        for (fields, expect) in [
            (&[][..], Expect::Whole),
            (&[("range", "bytes=0-99")], Expect::Part(0, 99)),
            (&[("range", "bytes=-100")], Expect::Part(262_044, 262_143)),
            (&[("range", LIST)], PARTS),
            (&[("range", "bytes=0-99"), ("if-range", "\"x\"")], Expect::Whole),
            (&[("if-none-match", "\"x\"")], Expect::Whole),
        ] {
            let got = fetch(&service, request("GET", &format!("/{KEY}"), fields)).await;
            let row = format!("{}: {fields:?}: {}", origin.name, got.status);
            failures.note(&row, is_of_one_version(&object, expect, &got));
        }
    }
    failures.report();
}

/// Before a byte has gone out, a change costs a new beginning; after that, it costs the answer.
#[tokio::test]
async fn an_object_that_changes_once_is_read_anew_or_broken_off() {
    let object = Object::of_size(256 * 1024);
    let mut failures = Failures::default();
    for after in 0..8 {
        for lies in [&[Lie::TagFlipsAfter(after)][..], &[Lie::TagFlipsAfter(after), Lie::IgnoresIfMatch]] {
            let origin = Origin::lying(&object, lies).await;
            let service = proxy(origin.mount());
            let got = fetch(&service, request("GET", &format!("/{KEY}"), &[("range", LIST)])).await;
            failures.note(&origin.name, is_of_one_version(&object, PARTS, &got));
            for seen in origin.seen() {
                failures.note(&origin.name, asks_properly(&seen));
            }
            let asked = origin.seen().len();
            failures.note(&origin.name, ensure(asked <= 10, || format!("S3 was asked {asked} times")));
        }
    }
    failures.report();
}

/// What was reckoned from the length of one version is not asked of the next one.
#[tokio::test]
async fn an_object_that_changes_its_length_behind_its_head_is_one_of_both() {
    const OTHERS: (&str, &str) = ("if-none-match", "\"x\", \"y\"");
    type Share = fn(u64) -> Expect;
    let rows: &[(&[(&str, &str)], Share)] = &[
        (&[OTHERS], |_| Expect::Whole),
        (&[OTHERS, ("range", "bytes=0-9")], |_| Expect::Part(0, 9)),
        (&[OTHERS, ("range", "bytes=-10")], |len| Expect::Part(len - 10, len - 1)),
        (&[OTHERS, ("range", "bytes=500-")], |len| Expect::Part(500, len - 1)),
        (&[("range", "bytes=0-9,-10")], |len| Expect::Parts(vec![(0, 9), (len - 10, len - 1)].leak())),
        (&[("range", "bytes=0-9,-10"), ("if-range", "\"x\"")], |_| Expect::Whole),
        // The tag is that of the version that was.
        (&[("range", "bytes=0-9"), ("if-range", "{tag}"), ("if-match", "*")], |_| Expect::Whole),
    ];
    let object = Object::of_size(50_000);
    let mut failures = Failures::default();
    for size in [50_001, 49_999, 100_000, 20_000] {
        for (grace, lies) in [
            (Grace::Never, &[][..]),
            (Grace::Never, &[Lie::IgnoresIfMatch]),
            (Grace::Never, &[Lie::IgnoresRange]),
            (Grace::Never, &[Lie::PartialAs200]),
            // Nothing but the head says how long it should be.
            (Grace::Refusal, &[Lie::Framed(Framed::Chunked)]),
            (Grace::Refusal, &[Lie::Framed(Framed::UntilClose)]),
        ] {
            for (fields, expect) in rows {
                let lies = [&[Lie::ResizedAfter(1, size)], lies].concat();
                let origin = Origin::lying(&object, &lies).await;
                let filled: Vec<_> =
                    fields.iter().map(|(name, value)| (*name, origin.truth.fill(value))).collect();
                let filled: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let got = fetch(&proxy(origin.mount()), request("GET", &format!("/{KEY}"), &filled)).await;
                let versions = [object.clone(), object.version(1).resized(size)];
                let truth = versions
                    .map(|version| Truth::of(&version, &lies))
                    .into_iter()
                    .find(|truth| truth.tag.as_deref() == got.field("etag"))
                    .unwrap_or_else(|| origin.truth.clone());
                let row = format!("{}: {fields:?}", origin.name);
                failures.note(&row, expect(truth.object.len()).verify(grace, &truth, "GET", &got));
                for seen in origin.seen() {
                    failures.note(&row, asks_properly(&seen));
                }
            }
        }
    }
    failures.report();
}

/// What a client got of one version does not go on with another.
#[tokio::test]
async fn a_download_is_not_resumed_into_another_version() {
    // For as long as it is fresh, the first version is an answer.
    if is_cached() {
        return;
    }
    let object = Object::of_size(1000);
    let origin = LyingOrigin::start(&object, &[]).await;
    let service = proxy(origin.mount());
    let path = format!("/{KEY}");
    let first = fetch(&service, request("GET", &path, &[("range", "bytes=0-499")])).await;
    assert_eq!((first.status, &first.body), (206, &object.slice(0, 499)));
    let tag = first.field("etag").unwrap().to_owned();
    origin.change();
    let fields = [("range", "bytes=500-"), ("if-range", tag.as_str())];
    let rest = fetch(&service, request("GET", &path, &fields)).await;
    Expect::Whole.verify(Grace::Never, &Truth::of(&object.version(1), &[]), "GET", &rest).unwrap();
    let fields = [("range", "bytes=500-"), ("if-match", tag.as_str())];
    let rest = fetch(&service, request("GET", &path, &fields)).await;
    rest.is_error(412).unwrap();
}
