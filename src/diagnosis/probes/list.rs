//! May we list, and is there an object to read?

use aws_sdk_s3::types::EncodingType;

use crate::{
    diagnosis::{
        Check, CheckName, Outcome, advice,
        advice::Others,
        checklist::Checklist,
        context::Signer,
        error_reply::{Problem, Said},
        run::Subject,
    },
    object::ObjectKey,
    origin::listed_key,
    policies::Permission,
};

/// The first key below the prefix, if there is one.
pub(in crate::diagnosis) async fn ask(
    course: &mut Checklist<'_>,
    subject: &Subject<'_>,
) -> Option<ObjectKey> {
    let name = CheckName::List;
    if !course.may(name) {
        return None;
    }
    let client = match subject.client() {
        Ok(client) => client,
        Err(why) => {
            course.note(Check::unknown(name, why));
            return None;
        }
    };
    let facts = &subject.facts;
    // XML cannot express some characters that keys may have.
    let question = client
        .list_objects_v2()
        .bucket(facts.bucket.as_str())
        .prefix(&facts.prefix)
        .max_keys(1)
        .encoding_type(EncodingType::Url);
    let (check, key) = match course.in_time(question.send()).await {
        Err(late) => (Check::fail(name, late.to_string()), None),
        Ok(Ok(listed)) => {
            let is_encoded = listed.encoding_type() == Some(&EncodingType::Url);
            let first = listed.contents().first();
            let place = match facts.prefix.as_str() {
                "" => "in the bucket".to_owned(),
                prefix => format!("below {prefix:?}"),
            };
            let check = match first {
                Some(_) => Check::pass(name, format!("allowed, and there are objects {place}")),
                None => Check::pass(name, format!("allowed, and there is nothing {place}")),
            };
            (check, first.and_then(|object| listed_key(object, is_encoded)))
        }
        Ok(Err(error)) => match Problem::of_sdk(&error) {
            Problem::Silence(why) => (Check::fail(name, why), None),
            Problem::Said(said) => (refused(subject, &said), None),
        },
    };
    course.note(check);
    key
}

fn refused(subject: &Subject<'_>, said: &Said) -> Check {
    if said.is_denied() && subject.facts.signer == Signer::Anonymous {
        let advice = match &subject.mount.0.presigned {
            Some(_) => {
                "The mount signs nothing, and passes on links of others: it needs no permission for that."
            }
            // Few owners want everybody to list one.
            None => "A public bucket need not allow everybody to list it. Name a readable object as canary.",
        };
        return Check::answered(CheckName::List, Outcome::Unknown, said).advise(advice);
    }
    let check = Check::answered(CheckName::List, Outcome::Fail, said);
    if !said.is_denied() {
        return check;
    }
    let facts = &subject.facts;
    // Reads come later: nothing is known about them yet.
    let advice = advice::denied(facts, said, "s3:ListBucket", Others::Granted);
    let why = if subject.mount.0.lists() { LISTS } else { WITHOUT };
    check.advise(format!("{why} {advice}")).grant(facts.missing(&said.message, Permission::List))
}

/// Of a mount that lists itself.
const LISTS: &str = "The mount lists keys for its clients, who get nothing but 403 without it.";

const WITHOUT: &str = "Reads do not need it. But without it S3 responds to missing keys as to denied ones, and \
                       prefixes can't be warmed; if that is intended, skip this step (--skip list).";
