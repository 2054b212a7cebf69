use std::time::{Duration, SystemTime};

use super::{
    condition::{Verdict, evaluate},
    date::http_date,
    lie::{Framed, Lie, Lies, Mangled},
    object::Object,
    range::{Selection, select},
    refusal::{delete_marker, no_such_key, not_implemented, precondition_failed, refuse, unsatisfiable},
    reply::{Ending, Framing, Reply},
    seen::Seen,
};

/// What the origin says to a request, at a time of its own.
pub(super) fn answer(object: &Object, lies: &Lies, asked: &Seen, now: SystemTime) -> Reply {
    let now = match lies.pick(|lie| if let Lie::Skewed(by) = lie { Some(by) } else { None }) {
        Some(by) if by < 0 => now - Duration::from_secs(by.unsigned_abs()),
        Some(by) => now + Duration::from_secs(by.unsigned_abs()),
        None => now,
    };
    let mut reply = refuse(lies, asked, now)
        .unwrap_or_else(|| if asked.is_for_object() { about(object, lies, asked) } else { no_such_key() });
    let is_success = matches!(reply.status, 200 | 206 | 304);
    let date = http_date(if lies.has(Lie::JustModified) { object.modified } else { now });
    let dated = lies.pick(|lie| if let Lie::Dated(date) = lie { Some(date.to_owned()) } else { None });
    reply.say("date", dated.unwrap_or(date));
    reply.say("server", "AmazonS3");
    reply.say("x-amz-request-id", "LEAKED1");
    reply.say("x-amz-id-2", "LEAKED2");
    if is_success {
        frame(&mut reply, lies, asked);
    }
    if lies.has(Lie::Surplus) {
        reply.ending = Ending::Surplus;
    }
    reply
}

fn frame(reply: &mut Reply, lies: &Lies, asked: &Seen) {
    if reply.framing == Framing::Nothing {
        return;
    }
    if asked.method == "HEAD" {
        let lengths = lies.pick(|lie| match lie {
            Lie::HeadWithoutLength => Some(&[][..]),
            Lie::HeadLengths(lengths) => Some(lengths),
            _ => None,
        });
        for length in lengths.unwrap_or_default() {
            reply.say("content-length", *length);
        }
        if lengths.is_some() {
            reply.framing = Framing::Nothing;
        }
        return;
    }
    let framed = lies.pick(|lie| if let Lie::Framed(framed) = lie { Some(framed) } else { None });
    reply.framing = match framed {
        Some(Framed::Chunked) => Framing::Chunked,
        Some(Framed::ChunkedBeside(length)) => Framing::ChunkedBeside(length),
        Some(Framed::UntilClose) => Framing::UntilClose,
        Some(Framed::Coded(coding)) => Framing::Coded(coding),
        None => Framing::Length,
    };
    let ending = lies.pick(|lie| match lie {
        Lie::Truncated(at) => Some(Ending::Closed(at)),
        Lie::Reset(at) => Some(Ending::Reset(at)),
        _ => None,
    });
    reply.ending = ending.unwrap_or(Ending::Clean);
}

fn about(object: &Object, lies: &Lies, asked: &Seen) -> Reply {
    let marker = lies.pick(|lie| if let Lie::DeleteMarker(status) = lie { Some(status) } else { None });
    if let Some(status) = marker {
        return delete_marker(status, object);
    }
    let selection = match select(asked.field("range"), object.len()) {
        _ if lies.has(Lie::IgnoresRange) => Selection::Whole,
        Selection::Unsatisfiable if object.len() == 0 && lies.has(Lie::EmptyIgnoresRange) => Selection::Whole,
        selection => selection,
    };
    if selection == Selection::Unsatisfiable && lies.has(Lie::RangeBeforeConditions) {
        return unsatisfiable(lies, object.len());
    }
    match evaluate(object, lies, asked) {
        Verdict::Proceed => select_bytes(object, lies, asked, &selection),
        Verdict::Failed => precondition_failed(),
        Verdict::NotModified => not_modified(object, lies),
    }
}

/// Like S3's: without `Cache-Control`.
fn not_modified(object: &Object, lies: &Lies) -> Reply {
    let mut reply = Reply::new(304, "");
    reply.framing = Framing::Nothing;
    identify(&mut reply, object, lies);
    if lies.has(Lie::NotModifiedWithoutTag) {
        reply.unsay("etag");
    }
    reply
}

fn select_bytes(object: &Object, lies: &Lies, asked: &Seen, selection: &Selection) -> Reply {
    let len = object.len();
    match *selection {
        Selection::Unsatisfiable => unsatisfiable(lies, len),
        Selection::Junk if lies.has(Lie::RefusesJunk) => unsatisfiable(lies, len),
        Selection::Several(..) if lies.has(Lie::RefusesSeveral) => not_implemented(),
        Selection::Several(first, last) if lies.has(Lie::FirstOfSeveral) => part(object, lies, first, last),
        Selection::Several(..) if lies.has(Lie::WholeForSeveral) => {
            let mut reply = describe(206, object, lies);
            reply.body = object.bytes.clone();
            reply
        }
        Selection::Part(..) if lies.has(Lie::RefusesRanges) => unsatisfiable(lies, len),
        Selection::Part(first, _) if lies.has(Lie::SuffixFromStart) && is_suffix(asked) => {
            part(object, lies, 0, (len - first).min(len - 1))
        }
        Selection::Part(first, last) if lies.has(Lie::OtherPart) => {
            let (first, last) = if last + 1 < len { (first + 1, last + 1) } else { (first, last - 1) };
            part(object, lies, first, last)
        }
        Selection::Part(first, last) => part(object, lies, first, last),
        Selection::Whole | Selection::Junk | Selection::Several(..) => whole(object, lies, asked),
    }
}

fn whole(object: &Object, lies: &Lies, asked: &Seen) -> Reply {
    let partial = lies.pick(|lie| match lie {
        Lie::PartialToPlain(status, often) if asked.method == "GET" && asked.field("range").is_none() => {
            lies.is_due(lie, often).then_some(status)
        }
        _ => None,
    });
    match partial {
        Some(status) => {
            let mut reply = part(object, lies, 0, 99);
            reply.status = status;
            reply
        }
        None => {
            let mut reply = describe(200, object, lies);
            reply.body = object.bytes.clone();
            reply
        }
    }
}

fn part(object: &Object, lies: &Lies, first: u64, last: u64) -> Reply {
    let mut reply = describe(if lies.has(Lie::PartialAs200) { 200 } else { 206 }, object, lies);
    let len = object.len();
    let range = format!("bytes {first}-{last}/{len}");
    reply.body = object.slice(first, last);
    if lies.has(Lie::MultipartForOne) {
        let bytes = std::mem::take(&mut reply.body);
        let head = format!("--LIE\r\ncontent-type: image/webp\r\ncontent-range: {range}\r\n\r\n");
        reply.body = [head.as_bytes(), &bytes, b"\r\n--LIE--\r\n"].concat().into();
        reply.unsay("content-type");
        reply.say("content-type", "multipart/byteranges; boundary=LIE");
        return reply;
    }
    match lies.pick(|lie| if let Lie::PartLonger(by) = lie { Some(by) } else { None }) {
        Some(by) if by < 0 => reply.body.truncate(reply.body.len() - usize::from(by.unsigned_abs())),
        Some(by) => reply.body = [&reply.body[..], &vec![0; usize::from(by.unsigned_abs())]].concat().into(),
        None => {}
    }
    let mangled = lies.pick(|lie| if let Lie::Range(mangled) = lie { Some(mangled) } else { None });
    let range = match mangled {
        Some(Mangled::Shifted) => format!("bytes {}-{}/{len}", first + 1, last + 1),
        Some(Mangled::OtherTotal) => format!("bytes {first}-{last}/{}", len + 1),
        Some(Mangled::UnknownTotal) => format!("bytes {first}-{last}/*"),
        Some(Mangled::Garbage) => "bytes lots".to_owned(),
        Some(Mangled::Missing) => return reply,
        None => range,
    };
    reply.say("content-range", range);
    reply
}

fn describe(status: u16, object: &Object, lies: &Lies) -> Reply {
    let mut reply = Reply::new(status, "");
    identify(&mut reply, object, lies);
    reply.say("accept-ranges", if lies.has(Lie::AcceptRangesNone) { "none" } else { "bytes" });
    reply.say("x-amz-server-side-encryption", "AES256");
    for (name, value) in &object.fields {
        reply.say(name, *value);
    }
    reply
}

/// The fields of a 304, too.
fn identify(reply: &mut Reply, object: &Object, lies: &Lies) {
    if !lies.has(Lie::NoTag) {
        let quoted = object.quoted_tag();
        reply.say(
            "etag",
            match () {
                () if lies.has(Lie::UnquotedTag) => object.tag.clone(),
                () if lies.has(Lie::WeakTag) => format!("W/{quoted}"),
                () if lies.has(Lie::UnquotedWeakTag) => format!("W/{}", object.tag),
                () => quoted,
            },
        );
    }
    if !lies.has(Lie::NoLastModified) {
        reply.say("last-modified", http_date(object.modified));
    }
    for lie in lies.all() {
        if let Lie::Says(name, value) = lie {
            reply.say(name, value);
        }
    }
}

fn is_suffix(asked: &Seen) -> bool {
    asked.field("range").is_some_and(|range| range.starts_with("bytes=-"))
}
