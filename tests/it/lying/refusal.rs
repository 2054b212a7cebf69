use std::time::SystemTime;

use super::{
    date::http_date,
    lie::{Lie, Lies, RETRY_AFTER, RegionHint, Which},
    object::Object,
    reply::Reply,
    seen::Seen,
};

/// How far a signature's time may be off, as on S3.
const TOLERANCE_SECS: u64 = 15 * 60;

/// Refusals that do not look at the object: who asks, where, when.
pub(super) fn refuse(lies: &Lies, asked: &Seen, now: SystemTime) -> Option<Reply> {
    lies.pick(|lie| match lie {
        Lie::Refuses(status, code, often) => lies.is_due(lie, often).then(|| error(status, code, "")),
        Lie::RefusesOnly(which, status, code) => {
            let is_meant = match which {
                Which::Gets => asked.method == "GET",
                Which::PlainGets => asked.method == "GET" && asked.field("range").is_none(),
                Which::Object => asked.is_for_object(),
                Which::Others => !asked.is_for_object(),
            };
            let mut reply = error(status, code, "");
            if status == 503 {
                reply.say("retry-after", RETRY_AFTER);
            }
            is_meant.then_some(reply)
        }
        Lie::RefusesWithHtml(status) => {
            let mut reply = Reply::new(status, "");
            reply.say("content-type", "text/html");
            Some(reply)
        }
        Lie::RefusesHead(status) => (asked.method == "HEAD").then(|| Reply::new(status, "")),
        Lie::Busy(retry_after) => {
            let mut reply = error(503, "SlowDown", "");
            if let Some(secs) = retry_after {
                reply.say("retry-after", secs.to_string());
            }
            Some(reply)
        }
        Lie::LivesIn(region, RegionHint::NeverThere) => {
            Some(elsewhere(region, RegionHint::MovedWithField, asked))
        }
        Lie::LivesIn(region, hint) => {
            (asked.region() != Some(region)).then(|| elsewhere(region, hint, asked))
        }
        Lie::Expired(key) => (asked.access_key() == Some(key)).then(|| error(400, "ExpiredToken", "")),
        Lie::Skewed(_) => {
            let off = asked.signed_at().map(|at| at.duration_since(now).unwrap_or_else(|e| e.duration()));
            let is_skewed = off.is_none_or(|off| off.as_secs() > TOLERANCE_SECS);
            let detail = format!("<ServerTime>{}</ServerTime>", http_date(now));
            is_skewed.then(|| error(403, "RequestTimeTooSkewed", &detail))
        }
        _ => None,
    })
}

fn elsewhere(region: &str, hint: RegionHint, asked: &Seen) -> Reply {
    // S3 names an endpoint, too. Whoever follows it is led wherever the origin likes.
    let endpoint = "<Endpoint>media.evil.test</Endpoint>";
    let named = format!("{endpoint}<Region>{region}</Region>");
    let mut reply = match hint {
        RegionHint::MovedWithField | RegionHint::NeverThere | RegionHint::Nothing => {
            error(301, "PermanentRedirect", endpoint)
        }
        RegionHint::MovedWithXml => error(301, "PermanentRedirect", &named),
        RegionHint::Malformed => error(400, "AuthorizationHeaderMalformed", &named),
        RegionHint::Temporary(_) | RegionHint::TemporaryMute(_) => error(307, "TemporaryRedirect", endpoint),
    };
    if let RegionHint::MovedWithField | RegionHint::NeverThere | RegionHint::Temporary(_) = hint {
        reply.say("x-amz-bucket-region", region);
    }
    if let RegionHint::Temporary(to) | RegionHint::TemporaryMute(to) = hint {
        reply.say("location", format!("http://{to}{}", asked.path));
    }
    reply
}

pub(super) fn no_such_key() -> Reply {
    error(404, "NoSuchKey", "")
}

pub(super) fn delete_marker(status: u16, object: &Object) -> Reply {
    let mut reply = match status {
        405 => error(405, "MethodNotAllowed", ""),
        _ => error(status, "NoSuchKey", ""),
    };
    reply.say("x-amz-delete-marker", "true");
    if status == 405 {
        reply.say("allow", "DELETE");
        reply.say("last-modified", http_date(object.modified));
    }
    reply
}

pub(super) fn precondition_failed() -> Reply {
    error(412, "PreconditionFailed", "<Condition>If-Match</Condition>")
}

pub(super) fn unsatisfiable(lies: &Lies, len: u64) -> Reply {
    if lies.has(Lie::UnsatisfiableMute) {
        return Reply::new(416, "");
    }
    let mut reply = error(416, "InvalidRange", &format!("<ActualObjectSize>{len}</ActualObjectSize>"));
    if !lies.has(Lie::UnsatisfiableWithoutRange) {
        reply.say("content-range", format!("bytes */{len}"));
    }
    reply
}

pub(super) fn not_implemented() -> Reply {
    error(501, "NotImplemented", "")
}

/// An error document that tells all that S3 tells.
fn error(status: u16, code: &str, detail: &str) -> Reply {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>Leaked message.</Message>\
         {detail}<Key>object</Key><BucketName>media</BucketName><AWSAccessKeyId>AKIALEAKED</AWSAccessKeyId>\
         <StringToSign>AWS4-HMAC-SHA256</StringToSign><RequestId>LEAKED1</RequestId><HostId>LEAKED2</HostId></Error>"
    );
    let mut reply = Reply::new(status, xml);
    reply.say("content-type", "application/xml");
    reply
}
