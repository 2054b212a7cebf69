//! Responses of S3 that do not tell a length. The guide's table of them (`requests.md`) is this one.

use tokio::{io::AsyncWriteExt, time::timeout};
use tower_s3_proxy::{Cache, MountBuilder};

use super::{
    check::Failures,
    expect::{Expect, Got, Grace, HANG, ensure, fetch},
    origin::Truth,
};
use crate::{
    lying::{Framed, KEY, Lie, LyingOrigin, Mangled, Object, Seen},
    support::{Client, Protocol, ask, get, is_cached, mount_at, origin, proxy, read_head, request, serve},
};

const SIZE: usize = 300_000;
const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// GETs have no length either: the end of the chunks is the end of the body.
const CHUNKED: Lie = Lie::Framed(Framed::Chunked);
const UNTIL_CLOSE: Lie = Lie::Framed(Framed::UntilClose);
/// As GCS does while it decompresses.
const IGNORES_RANGE: Lie = Lie::IgnoresRange;
const TOTAL_UNKNOWN: Lie = Lie::Range(Mangled::UnknownTotal);

/// Whether the mount has a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mounted {
    Plain,
    Cached,
}
use Mounted::{Cached, Plain};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Told,
    Untold,
}
use Length::{Told, Untold};

/// What the client gets, and what S3 is asked for that: at first, and by the same request again.
#[derive(Debug)]
struct Row {
    lies: &'static [Lie],
    mounted: Mounted,
    request: (&'static str, &'static [(&'static str, &'static str)]),
    expect: Expect,
    length: Length,
    asked: &'static [&'static str],
    again: &'static [&'static str],
}

const SEVERAL: (&str, &[(&str, &str)]) = ("GET", &[("range", "bytes=0-9,200000-200009")]);
const ONE: (&str, &[(&str, &str)]) = ("GET", &[("range", "bytes=5-9")]);
const LAST: (&str, &[(&str, &str)]) = ("GET", &[("range", "bytes=-10")]);
const PLAIN: (&str, &[(&str, &str)]) = ("GET", &[]);
const HEAD: (&str, &[(&str, &str)]) = ("HEAD", &[]);
const NEW: (&str, &[(&str, &str)]) = ("GET", &[("if-none-match", "\"x\", \"y\"")]);

const PARTS: Expect = Expect::Parts(&[(0, 9), (200_000, 200_009)]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // HEAD needs no length.
    Row { lies: &[Lie::HeadWithoutLength], mounted: Plain, request: HEAD, expect: Expect::Whole, length: Untold,
          asked: &["HEAD"], again: &["HEAD"] },
    Row { lies: &[Lie::HeadWithoutLength], mounted: Cached, request: HEAD, expect: Expect::Whole, length: Untold,
          asked: &["HEAD"], again: &["HEAD"] },
    // Where HEAD comes first, a range needs it.
    Row { lies: &[Lie::HeadWithoutLength], mounted: Plain, request: SEVERAL, expect: PARTS, length: Told,
          asked: &["HEAD", "0-0", "0-9", "200000-200009"], again: &["HEAD", "0-0", "0-9", "200000-200009"] },
    Row { lies: &[Lie::HeadWithoutLength], mounted: Cached, request: SEVERAL, expect: PARTS, length: Told,
          asked: &["HEAD", "0-0", "0-131071", "131072-262143"], again: &[] },
    Row { lies: &[Lie::HeadWithoutLength], mounted: Cached, request: LAST, expect: Expect::Part(299_990, 299_999),
          length: Told, asked: &["HEAD", "0-0", "262144-299999"], again: &[] },
    Row { lies: &[Lie::HeadWithoutLength], mounted: Cached, request: NEW, expect: Expect::Whole, length: Told,
          asked: &["HEAD", "0-0", "0-299999"], again: &[] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength], mounted: Plain, request: NEW, expect: Expect::Whole, length: Untold,
          asked: &["HEAD", "whole"], again: &["HEAD", "whole"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength], mounted: Plain, request: SEVERAL, expect: PARTS, length: Told,
          asked: &["HEAD", "0-0", "0-9", "200000-200009"], again: &["HEAD", "0-0", "0-9", "200000-200009"] },
    // The whole object: a cache asks for the length, a client does not.
    Row { lies: &[CHUNKED], mounted: Plain, request: PLAIN, expect: Expect::Whole, length: Untold,
          asked: &["whole"], again: &["whole"] },
    Row { lies: &[CHUNKED], mounted: Cached, request: PLAIN, expect: Expect::Whole, length: Told,
          asked: &["whole", "0-0"], again: &[] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength], mounted: Cached, request: PLAIN, expect: Expect::Whole, length: Told,
          asked: &["whole", "0-0"], again: &[] },
    // A part tells the length.
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength], mounted: Plain, request: ONE, expect: Expect::Part(5, 9), length: Told,
          asked: &["5-9"], again: &["5-9"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength], mounted: Cached, request: ONE, expect: Expect::Part(5, 9),
          length: Told, asked: &["0-131071"], again: &[] },
    // What a server that reads no ranges leaves untold stays so, and is not kept.
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength, IGNORES_RANGE], mounted: Plain, request: ONE, expect: Expect::Whole,
          length: Untold, asked: &["5-9"], again: &["5-9"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength, IGNORES_RANGE], mounted: Cached, request: ONE, expect: Expect::Whole,
          length: Untold, asked: &["0-131071"], again: &["5-9"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength, IGNORES_RANGE], mounted: Plain, request: SEVERAL,
          expect: Expect::Whole, length: Untold, asked: &["HEAD", "0-0", "whole"], again: &["HEAD", "0-0", "whole"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength, IGNORES_RANGE], mounted: Cached, request: PLAIN,
          expect: Expect::Whole, length: Untold, asked: &["whole", "0-0"], again: &["whole"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength, TOTAL_UNKNOWN], mounted: Plain, request: ONE, expect: Expect::Whole,
          length: Untold, asked: &["5-9", "HEAD", "0-0", "whole"], again: &["5-9", "HEAD", "0-0", "whole"] },
    Row { lies: &[CHUNKED, Lie::HeadWithoutLength, TOTAL_UNKNOWN], mounted: Cached, request: PLAIN,
          expect: Expect::Whole, length: Untold, asked: &["whole", "0-0"], again: &["whole"] },
    // HEAD may know what a part does not say.
    Row { lies: &[CHUNKED, TOTAL_UNKNOWN], mounted: Plain, request: ONE, expect: Expect::Part(5, 9), length: Told,
          asked: &["5-9", "HEAD", "5-9"], again: &["5-9", "HEAD", "5-9"] },
    // Without a strong tag, the length may be that of another state.
    Row { lies: &[CHUNKED, Lie::WeakTag], mounted: Cached, request: PLAIN, expect: Expect::Whole, length: Untold,
          asked: &["whole"], again: &["whole"] },
    Row { lies: &[CHUNKED, Lie::NoTag], mounted: Cached, request: PLAIN, expect: Expect::Whole, length: Untold,
          asked: &["whole"], again: &["whole"] },
    // What must not be kept is not asked about.
    Row { lies: &[CHUNKED, Lie::Says("vary", "accept-language")], mounted: Cached, request: PLAIN, expect: Expect::Whole,
          length: Untold, asked: &["whole"], again: &["whole"] },
    // The end of a connection is no end of a body, unless the length tells that it is.
    Row { lies: &[UNTIL_CLOSE, Lie::HeadWithoutLength], mounted: Plain, request: PLAIN, expect: Expect::Whole,
          length: Told, asked: &["whole", "HEAD", "whole", "0-0", "whole"],
          again: &["whole", "HEAD", "whole", "0-0", "whole"] },
];

fn mounted(builder: MountBuilder, how: Mounted) -> MountBuilder {
    match how {
        Plain => builder,
        Cached => builder.cache(&Cache::builder(64 * 1024 * 1024).build().unwrap()),
    }
}

/// What S3 was asked, in a word each.
fn words(seen: &[Seen]) -> Vec<String> {
    let word = |seen: &Seen| match (&*seen.method, seen.field("range")) {
        ("GET", Some(range)) => range.trim_start_matches("bytes=").to_owned(),
        ("GET", None) => "whole".to_owned(),
        (method, _) => method.to_owned(),
    };
    seen.iter().map(word).collect()
}

#[tokio::test]
async fn what_has_no_length_is_answered_as_the_table_says() {
    let object = Object::of_size(SIZE);
    let mut failures = Failures::default();
    for row in ROWS {
        if row.mounted == Plain && is_cached() {
            continue;
        }
        for protocol in PROTOCOLS {
            let origin = LyingOrigin::start(&object, row.lies).await;
            let truth = Truth::of(&object, row.lies);
            let server = serve(protocol, proxy(mounted(origin.mount(), row.mounted))).await;
            for asked in [row.asked, row.again] {
                origin.forget();
                let (method, fields) = row.request;
                let mut client = Client::connect(protocol, server.addr).await;
                let sent = client.send(request(method, &format!("/{KEY}"), fields));
                let got = Got::read(timeout(HANG, sent).await.expect("no hang").unwrap()).await;
                let name = format!("{protocol:?} {row:?}");
                failures.note(&name, row.expect.verify(Grace::Never, &truth, method, &got));
                let length = if got.field("content-length").is_some() { Told } else { Untold };
                failures.note(&name, ensure(length == row.length, || format!("its length is {length:?}")));
                let mut seen = words(&origin.seen());
                if row.mounted == Cached {
                    // Fills go to S3 side by side.
                    seen.get_mut(2..).unwrap_or_default().sort();
                }
                failures.note(&name, ensure(seen == asked, || format!("S3 was asked {seen:?}")));
            }
        }
    }
    failures.report();
}

#[tokio::test]
async fn what_breaks_off_without_a_length_is_broken_for_the_client_and_not_kept() {
    let object = Object::of_size(SIZE);
    for (lies, how) in [
        (&[CHUNKED, Lie::Truncated(70_000)][..], "closed"),
        (&[CHUNKED, Lie::Reset(70_000)], "reset"),
        // All bytes, and no last chunk.
        (&[CHUNKED, Lie::Truncated(SIZE)], "no last chunk"),
        (&[CHUNKED, IGNORES_RANGE, Lie::Truncated(70_000)], "closed"),
        (&[CHUNKED, IGNORES_RANGE, Lie::Reset(70_000)], "reset"),
        (&[CHUNKED, IGNORES_RANGE, Lie::Truncated(SIZE)], "no last chunk"),
        (&[CHUNKED, Lie::NoTag, Lie::Truncated(70_000)], "closed"),
    ] {
        for protocol in PROTOCOLS {
            for how_mounted in [Plain, Cached] {
                let origin = LyingOrigin::start(&object, lies).await;
                let server = serve(protocol, proxy(mounted(origin.mount(), how_mounted))).await;
                for _ in 0..2 {
                    origin.forget();
                    let mut client = Client::connect(protocol, server.addr).await;
                    let sent = client.send(get(&format!("/{KEY}")));
                    let Ok(response) = timeout(HANG, sent).await.expect("no hang") else { continue };
                    let got = Got::read(response).await;
                    let row = format!("{how} {lies:?} {protocol:?} {how_mounted:?}: {}", got.body.len());
                    assert!(got.broke_off.is_some() || got.status == 502, "{row}: a clean end");
                    assert!(got.status == 502 || object.bytes.starts_with(&got.body), "{row}");
                    assert!(!origin.seen().is_empty(), "{row}: it came from memory");
                }
            }
        }
    }
}

/// The length would have to be asked for while the body holds the only place.
#[tokio::test]
async fn a_length_is_not_waited_for() {
    let object = Object::of_size(SIZE);
    let origin = LyingOrigin::start(&object, &[CHUNKED]).await;
    let one = origin.mount().max_in_flight(1).queue_timeout(HANG * 2);
    let service = proxy(mounted(one, Cached));
    let got = fetch(&service, get(&format!("/{KEY}"))).await;
    assert!(got.status == 200 && got.broke_off.is_none() && got.body == object.bytes);
    assert_eq!(words(&origin.seen()), ["whole"]);
}

#[tokio::test]
async fn a_length_that_s3_is_too_busy_to_tell_is_asked_for_once() {
    let addr = origin(|_, mut stream| async move {
        while let Some(head) = read_head(&mut stream).await {
            let answer: &[u8] = match head.to_ascii_lowercase().contains("\r\nrange:") {
                true => b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n",
                false => b"HTTP/1.1 200 OK\r\netag: \"a\"\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
            };
            if stream.write_all(answer).await.is_err() {
                break;
            }
        }
    })
    .await;
    let mount = mounted(mount_at(addr), Cached).build().unwrap();
    let service = tower_s3_proxy::S3Proxy::new(mount.clone());
    assert_eq!(ask(&service, get("/a")).await.text(), "12345");
    assert_eq!(mount.origin().retried, 0);
}

/// A strong tag says that the kept length still holds, where HEAD does not tell it.
#[tokio::test]
async fn a_kept_object_is_confirmed_by_a_head_without_a_length() {
    let object = Object::of_size(1000).with("cache-control", "max-age=0");
    let origin = LyingOrigin::start(&object, &[CHUNKED, Lie::HeadWithoutLength]).await;
    let service = proxy(mounted(origin.mount(), Cached));
    let path = format!("/{KEY}");
    assert_eq!(fetch(&service, get(&path)).await.body, object.bytes);
    origin.forget();
    // Its revalidation is a HEAD, and the bytes are here.
    let got = fetch(&service, request("GET", &path, &[("range", "bytes=-10")])).await;
    assert_eq!((got.status, &got.body), (206, &object.slice(990, 999)));
    let got = fetch(&service, request("HEAD", &path, &[])).await;
    assert_eq!((got.status, got.field("content-length")), (200, Some("1000")));
    assert_eq!(words(&origin.seen()), ["HEAD", "HEAD"]);
}
