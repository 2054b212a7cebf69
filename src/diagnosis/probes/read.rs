//! May we read an object, and can S3 decrypt it for us?

use http::{HeaderMap, HeaderName, StatusCode};

use crate::{
    diagnosis::{
        Check, CheckName, Outcome, advice,
        advice::Others,
        answer::Answer,
        checklist::Checklist,
        context::{Facts, field},
        denial::Blame,
        error_reply::Said,
        run::Subject,
    },
    object::{ObjectKey, VersionId},
    origin::S3ErrorCode,
    policies::Permission,
    request::VersionPolicy,
};

pub(in crate::diagnosis) async fn ask(
    course: &mut Checklist<'_>,
    subject: &Subject<'_>,
    listed: Option<ObjectKey>,
) {
    let given = course.options.canary.clone().filter(|key| key.as_str().starts_with(&subject.facts.prefix));
    let canary = given.map(|key| Canary { key, from: From::Options });
    let canary = canary.or(listed.map(|key| Canary { key, from: From::Listing }));
    let mut read = None;
    if course.may(CheckName::Read) {
        let lines = match &canary {
            None => {
                let why = match course.outcome(CheckName::List) {
                    Some(Outcome::Pass) => {
                        "not tried: there is no object to read; when there is one, name it as canary"
                    }
                    _ => "not tried: no listing names an object to read; name one as canary",
                };
                [CheckName::Read, CheckName::Decrypt].map(|name| Check::unknown(name, why))
            }
            Some(canary) => {
                let answer = subject.first_byte(course, &canary.key, None).await;
                let lines = lines(&subject.facts, course.others(), canary, &answer);
                if let Answer::Found { headers, .. } = answer {
                    read = Some((canary, headers));
                }
                lines
            }
        };
        let [of_read, of_decrypt] = lines;
        course.note(of_read);
        if course.may(CheckName::Decrypt) {
            course.note(of_decrypt);
        }
    } else if course.may(CheckName::Decrypt) {
        course.note(Check::unknown(CheckName::Decrypt, "not tried, since read was not"));
    }
    if course.may(CheckName::Versions) {
        let check = versions(course, subject, read).await;
        course.note(check);
    }
}

/// The object that is read.
#[derive(Debug)]
struct Canary {
    key: ObjectKey,
    from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Options,
    Listing,
}

fn lines(facts: &Facts, others: Others, canary: &Canary, answer: &Answer) -> [Check; 2] {
    let (read, decrypt) = (CheckName::Read, CheckName::Decrypt);
    let key = &canary.key;
    let said = match answer {
        Answer::Found { status, headers } => {
            let check = Check::pass(read, format!("the first byte of {key}"));
            let check = match *status {
                StatusCode::OK => check.advise("The server sends whole objects in response to ranges."),
                _ => check,
            };
            return [check, encryption(headers)];
        }
        Answer::Silence(why) => {
            return [
                Check::fail(read, why.as_str()),
                Check::unknown(decrypt, "not tried, since read failed"),
            ];
        }
        Answer::Said(said) => said,
    };
    if is_about_encryption(said) {
        let key_arn = Blame::of(&said.message).resource.filter(|arn| arn.contains(":kms:"));
        let refused =
            Check::answered(decrypt, Outcome::Fail, said).advise(advice::cannot_decrypt(facts, said));
        let refused = match said.is_denied() {
            true => refused.grant(facts.missing_key(&said.message, key_arn)),
            false => refused,
        };
        return [
            Check::pass(read, format!("S3 allows {key} to be read, but its encryption key cannot be used")),
            refused,
        ];
    }
    let [untried, empty] = ["not tried, since read failed", "an empty object does not show it"];
    match said.code {
        S3ErrorCode::InvalidRange => {
            [Check::pass(read, format!("{key}, which is empty")), Check::unknown(decrypt, empty)]
        }
        S3ErrorCode::InvalidObjectState => {
            let archived = Check::answered(read, Outcome::Unknown, said).advise(format!(
                "{key} is archived (Glacier, Deep Archive, an archive tier), and must be restored before it can be \
                 read. The permission is there. Name another object as canary."
            ));
            [archived, Check::unknown(decrypt, "not tried: the object is archived")]
        }
        S3ErrorCode::NoSuchKey | S3ErrorCode::DeleteMarker => {
            let untried = Check::unknown(decrypt, "not tried: there is no such object");
            match canary.from {
                From::Listing => {
                    [Check::unknown(read, format!("{key} has gone since it was listed")), untried]
                }
                From::Options => {
                    let missing = Check::answered(read, Outcome::Fail, said).advise(format!(
                        "There is no object {key}. Keys are S3's own here: with the mount's prefix, without a slash in front, \
                         and not encoded."
                    ));
                    [missing, untried]
                }
            }
        }
        S3ErrorCode::AccessDenied => {
            let mut advice = advice::denied(facts, said, "s3:GetObject", others);
            if canary.from == From::Options && others == Others::Denied {
                advice.insert_str(
                    0,
                    "If the object exists (without s3:ListBucket, S3 also says this of missing ones): ",
                );
            }
            let denied = Check::answered(read, Outcome::Fail, said)
                .advise(advice)
                .grant(facts.missing(&said.message, Permission::Read));
            [denied, Check::unknown(decrypt, untried)]
        }
        _ => {
            let refused = Check::answered(read, Outcome::Fail, said);
            [refused.advise(advice::refused_signature(facts, said)), Check::unknown(decrypt, untried)]
        }
    }
}

/// Whether S3 allows the read but the key does not. S3 has no separate code for a key that denies: only the message
/// shows it (S3 user guide, "Troubleshoot access denied errors").
fn is_about_encryption(said: &Said) -> bool {
    let message = said.message.as_str();
    match said.code {
        S3ErrorCode::Encryption => true,
        S3ErrorCode::AccessDenied => {
            Blame::of(message).is_about_key()
                || message.contains("kms:Decrypt")
                || message.contains("ciphertext refers to a customer master key")
        }
        _ => {
            said.status == StatusCode::BAD_REQUEST
                && (message.contains("Server Side Encryption") || message.contains("encryption parameters"))
        }
    }
}

/// The encryption of an object that could be read.
fn encryption(headers: &HeaderMap) -> Check {
    let seen = match field(headers, &SSE) {
        "" if headers.contains_key(SSE_CUSTOMER) => "by the mount's customer key: SSE-C".to_owned(),
        "" => "no key is needed: the object is not encrypted by S3".to_owned(),
        "AES256" => "no key is needed: SSE-S3".to_owned(),
        kms => format!("{kms} by {}", field(headers, &SSE_KEY)),
    };
    Check::pass(CheckName::Decrypt, seen)
}

const SSE: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const SSE_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
const SSE_CUSTOMER: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");

/// The same byte by its version, which needs another permission.
async fn versions(
    course: &Checklist<'_>,
    subject: &Subject<'_>,
    read: Option<(&Canary, HeaderMap)>,
) -> Check {
    let name = CheckName::Versions;
    if subject.mount.0.query.versions == VersionPolicy::Ignored {
        return Check::unknown(name, "not tried: the mount does not allow versions");
    }
    let Some((canary, headers)) = read else {
        return Check::unknown(name, "not tried: nothing was read");
    };
    let version = match field(&headers, &VERSION) {
        // The name of the only version in a bucket without versions.
        "" => "null",
        version => version,
    };
    let Ok(version) = VersionId::decode(version) else {
        return Check::unknown(name, "not tried: a client could not ask for the server's version id");
    };
    match subject.first_byte(course, &canary.key, Some(&version)).await {
        Answer::Found { .. } => {
            Check::pass(name, format!("the first byte of {}, by its version", canary.key))
        }
        Answer::Silence(why) => Check::fail(name, why),
        Answer::Said(said) if said.is_denied() => Check::answered(name, Outcome::Fail, &said)
            .advise(advice::denied(&subject.facts, &said, "s3:GetObjectVersion", Others::Granted))
            .grant(subject.facts.missing(&said.message, Permission::ReadVersion)),
        Answer::Said(said) => Check::answered(name, Outcome::Fail, &said),
    }
}

#[cfg(test)]
mod tests;
