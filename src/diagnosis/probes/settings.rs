//! The bucket's settings. For information: no read depends on them.

use aws_sdk_s3::types::{BucketVersioningStatus, ObjectOwnership};

use crate::{
    diagnosis::{
        Check, CheckName, Outcome,
        checklist::{Checklist, TooLate},
        context::Facts,
        error_reply::Problem,
        run::Subject,
    },
    request::VersionPolicy,
};

pub(in crate::diagnosis) async fn ask(course: &mut Checklist<'_>, subject: &Subject<'_>) {
    let facts = &subject.facts;
    let bucket = facts.bucket.as_str();
    let client = match subject.client() {
        Ok(client) => client,
        Err(why) => {
            for name in [CheckName::Versioning, CheckName::Cors, CheckName::Ownership] {
                if course.may(name) {
                    course.note(Check::unknown(name, why.as_str()));
                }
            }
            return;
        }
    };
    if course.may(CheckName::Versioning) {
        let question = client.get_bucket_versioning().bucket(bucket);
        let asked = course.in_time(question.send()).await;
        let answer = asked.map(|answer| answer.map_err(|error| Problem::of_sdk(&error)));
        let honoured = subject.mount.0.query.versions == VersionPolicy::Honoured;
        let check = settle(facts, CheckName::Versioning, "s3:GetBucketVersioning", answer, |found| {
            let status = found.as_ref().and_then(|found| found.status());
            versioning(status, honoured)
        });
        course.note(check);
    }
    if course.may(CheckName::Cors) {
        let question = client.get_bucket_cors().bucket(bucket);
        let asked = course.in_time(question.send()).await;
        let answer = asked.map(|answer| answer.map_err(|error| Problem::of_sdk(&error)));
        let own = if subject.mount.0.cors.is_some() { "the mount has its own" } else { "the mount has none" };
        let check = settle(facts, CheckName::Cors, "s3:GetBucketCORS", answer, |found| match found {
            Some(found) => {
                let rules = found.cors_rules().len();
                Check::pass(
                    CheckName::Cors,
                    format!("of the bucket ({rules}), for presigned URLs only; {own}"),
                )
            }
            None => Check::pass(CheckName::Cors, format!("none of the bucket; {own}")),
        });
        course.note(check);
    }
    if course.may(CheckName::Ownership) {
        let question = client.get_bucket_ownership_controls().bucket(bucket);
        let asked = course.in_time(question.send()).await;
        let answer = asked.map(|answer| answer.map_err(|error| Problem::of_sdk(&error)));
        let check = settle(facts, CheckName::Ownership, "s3:GetBucketOwnershipControls", answer, |found| {
            let rule = found.as_ref().and_then(|found| found.ownership_controls()?.rules().first());
            ownership(rule.map(|rule| rule.object_ownership()))
        });
        course.note(check);
    }
}

/// `action` is the permission that the request needs; `make` gets `None` if the bucket has no such setting.
fn settle<T>(
    facts: &Facts,
    name: CheckName,
    action: &str,
    answer: Result<Result<T, Problem>, TooLate>,
    make: impl FnOnce(Option<T>) -> Check,
) -> Check {
    let said = match answer {
        Err(late) => return Check::unknown(name, late.to_string()),
        Ok(Ok(found)) => return make(Some(found)),
        Ok(Err(Problem::Silence(why))) => return Check::unknown(name, why),
        Ok(Err(Problem::Said(said))) => said,
    };
    match said.name.as_str() {
        "NoSuchCORSConfiguration" | "OwnershipControlsNotFoundError" => make(None),
        _ if said.is_not_implemented() => Check::unknown(name, "the server does not support this request"),
        _ if said.is_denied() => Check::answered(name, Outcome::Unknown, &said)
            .advise("Only this line needs it:")
            .grant(Some(facts.of_bucket(action))),
        _ => Check::answered(name, Outcome::Unknown, &said),
    }
}

fn versioning(status: Option<&BucketVersioningStatus>, is_honoured: bool) -> Check {
    let name = CheckName::Versioning;
    match status {
        Some(BucketVersioningStatus::Enabled) => Check::pass(name, "on"),
        Some(_) => Check::pass(name, "suspended: old versions exist, new ones are not made"),
        None if is_honoured => {
            Check::pass(name, "off").advise("The mount allows versions, but the bucket has only the latest.")
        }
        None => Check::pass(name, "off"),
    }
}

fn ownership(rule: Option<&ObjectOwnership>) -> Check {
    let name = CheckName::Ownership;
    match rule {
        Some(ObjectOwnership::BucketOwnerEnforced) => Check::pass(
            name,
            "BucketOwnerEnforced: all objects are the bucket owner's, and policies alone decide",
        ),
        rule => {
            let rule = rule.map_or("ObjectWriter (not set)", |rule| rule.as_str());
            Check::pass(name, format!("{rule}: ACLs also count")).advise(
                "Other accounts can own the objects that they upload, and then no bucket policy opens them \
                 (BucketOwnerEnforced prevents that).",
            )
        }
    }
}
