//! Does the bucket exist, is it in that region, and does S3 accept the signature? One request answers all three: for a
//! key that does not exist.

use http::StatusCode;

use crate::{
    diagnosis::{
        Check, CheckName, Outcome, advice,
        answer::Answer,
        checklist::Checklist,
        context::{BUCKET_REGION, Facts, Server, Signer, field},
        error_reply::Said,
        run::Subject,
    },
    origin::{Probe, S3ErrorCode},
    policies::Permission,
    response::DeniedAnswer,
};

/// The response for a key that does not exist; `None` if there was none.
pub(in crate::diagnosis) async fn ask(
    course: &mut Checklist<'_>,
    subject: &Subject<'_>,
    contact: Option<&Probe>,
) -> Option<Said> {
    let Subject { mount, facts, way } = subject;
    let names = [CheckName::Bucket, CheckName::Region, CheckName::Signature];
    if course.is_blocked() {
        for name in names {
            let _ = course.may(name);
        }
        return None;
    }
    let Some(key) = mount.0.keys.absent_key(fastrand::u64(..)) else {
        for name in names {
            course.note(Check::unknown(name, "not tried: the prefix leaves no room for a key"));
        }
        return None;
    };
    let answer = subject.first_byte(course, &key, None).await;
    let told =
        contact.map(|contact| field(&contact.headers, &BUCKET_REGION)).filter(|region| !region.is_empty());
    for check in checks(facts, &way.url, &way.region, told, &answer) {
        // A skipped step then has its line, and blocks nothing.
        if course.may(check.name()) {
            course.note(check);
        }
    }
    match answer {
        Answer::Said(said) => Some(said),
        Answer::Found { .. } | Answer::Silence(_) => None,
    }
}

/// The three lines. `used` is the region of the request, `told` the bucket's region by the response to the unsigned
/// request.
fn checks(facts: &Facts, url: &str, used: &str, told: Option<&str>, answer: &Answer) -> [Check; 3] {
    let (bucket, region, signature) = (CheckName::Bucket, CheckName::Region, CheckName::Signature);
    let said = match answer {
        Answer::Said(said) => said,
        Answer::Found { .. } => {
            let seen =
                "the server found a key that cannot exist: it is not S3, or responds to everything alike";
            return [
                Check::fail(bucket, seen)
                    .advise("Is the endpoint S3's, and not a web site or a proxy in front of it?"),
                Check::unknown(region, "not tried, since bucket failed"),
                Check::unknown(signature, "not tried, since bucket failed"),
            ];
        }
        Answer::Silence(why) => {
            return [
                Check::unknown(bucket, "the server did not say"),
                Check::unknown(region, "the server did not say"),
                no_session(facts, Check::fail(signature, why.as_str())),
            ];
        }
    };
    let told = said.region.as_deref().or(told);
    // The proxy has already followed the bucket.
    let moved = (used != facts.region).then_some(used);
    let is_elsewhere =
        said.code == S3ErrorCode::WrongRegion || said.status.is_redirection() || moved.is_some();
    // The region's name does not matter on compatible servers, as long as they accept another one.
    let is_told_otherwise = facts.server == Server::Aws && told.is_some_and(|told| told != facts.region);
    let here = match told {
        Some(told) if told == facts.region => Check::pass(region, told),
        Some(_) | None => Check::pass(region, format!("{} is accepted", facts.region)),
    };
    match said.code {
        _ if is_elsewhere || is_told_otherwise => [
            Check::pass(bucket, "it exists"),
            Check::answered(region, Outcome::Fail, said).advise(advice::other_region(facts, moved.or(told))),
            Check::unknown(signature, "not tried, since region failed"),
        ],
        S3ErrorCode::NoSuchBucket => [
            Check::answered(bucket, Outcome::Fail, said).advise(advice::no_bucket(facts, url)),
            Check::unknown(region, "not tried, since bucket failed"),
            Check::unknown(signature, "not tried, since bucket failed"),
        ],
        S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion | S3ErrorCode::DeleteMarker => {
            [Check::pass(bucket, "it exists"), here, taken(facts)]
        }
        // S3 compares signatures before it looks at policies.
        S3ErrorCode::AccessDenied => [Check::pass(bucket, "it exists"), here, taken(facts)],
        _ => {
            let seen = match told {
                Some(_) => Check::pass(bucket, "it exists"),
                None => Check::unknown(bucket, "the server does not say before it accepts the signature"),
            };
            let region = match told {
                Some(_) => here,
                None => Check::unknown(region, "the server does not say before it accepts the signature"),
            };
            let refused = Check::answered(signature, Outcome::Fail, said);
            let advice = match said.status {
                StatusCode::NOT_FOUND => advice::no_bucket(facts, url),
                _ => advice::refused_signature(facts, said),
            };
            [seen, region, refused.advise(advice)]
        }
    }
}

/// Requests to a directory bucket are signed by a session with it, which needs a separate permission (S3 user guide,
/// "CreateSession API").
fn no_session(facts: &Facts, check: Check) -> Check {
    if !facts.bucket.as_str().ends_with("--x-s3") {
        return check;
    }
    check
        .advise(
            "Reads of a directory bucket need a session: the policy of the role or user must allow \
                 s3express:CreateSession.",
        )
        .grant(facts.statement(Permission::CreateSession))
}

fn taken(facts: &Facts) -> Check {
    let seen = match facts.signer {
        Signer::Anonymous => "none, and none is needed",
        Signer::Key { .. } | Signer::Nobody => "accepted",
    };
    Check::pass(CheckName::Signature, seen)
}

/// The response that clients get for keys that do not exist.
pub(in crate::diagnosis) fn absent_keys(
    course: &mut Checklist<'_>,
    subject: &Subject<'_>,
    said: Option<&Said>,
) {
    let name = CheckName::AbsentKeys;
    if !course.may(name) {
        return;
    }
    let denied = match subject.mount.0.answers.denied {
        DeniedAnswer::NotFound | DeniedAnswer::Auto => "clients get 404 for either",
        DeniedAnswer::Forbidden => "clients get 403 for either",
    };
    let check = match said {
        Some(said) if said.is_denied() => {
            Check::pass(name, format!("AccessDenied, as for denied ones: {denied}"))
                .advise("S3 says NoSuchKey only to credentials with s3:ListBucket.")
        }
        Some(said) => {
            Check::pass(name, format!("{} {}, told apart from denied ones", said.status.as_u16(), said.name))
        }
        None => Check::unknown(name, "no response"),
    };
    course.note(check);
}

#[cfg(test)]
mod tests;
