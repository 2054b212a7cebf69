//! The website configuration of the bucket, where the mount serves it.

use crate::{
    config::SiteSource,
    diagnosis::{
        Check, CheckName, Outcome, advice,
        advice::Others,
        checklist::Checklist,
        error_reply::{Problem, Said},
        run::Subject,
    },
    policies::Permission,
};

pub(in crate::diagnosis) async fn ask(course: &mut Checklist<'_>, subject: &Subject<'_>) {
    let name = CheckName::Website;
    if !course.may(name) {
        return;
    }
    if subject.mount.0.site_source() == SiteSource::Mount {
        course.note(Check::unknown(name, "not tried: the mount does not serve the bucket's own"));
        return;
    }
    let check = match subject.client() {
        Ok(client) => {
            let question = client.get_bucket_website().bucket(subject.facts.bucket.as_str());
            match course.in_time(question.send()).await {
                Err(late) => Check::fail(name, late.to_string()),
                Ok(Ok(_)) => Check::pass(name, "allowed, and the bucket has a configuration"),
                Ok(Err(error)) => match Problem::of_sdk(&error) {
                    Problem::Silence(why) => Check::fail(name, why),
                    Problem::Said(said) => refused(subject, &said),
                },
            }
        }
        Err(why) => Check::unknown(name, why),
    };
    course.note(check);
}

fn refused(subject: &Subject<'_>, said: &Said) -> Check {
    let name = CheckName::Website;
    if said.name == "NoSuchWebsiteConfiguration" {
        return Check::fail(name, "allowed, and the bucket has no configuration")
            .advise("The mount serves objects and no pages. Give the bucket one (PutBucketWebsite), or the mount its own.");
    }
    let check = Check::answered(name, Outcome::Fail, said);
    if said.is_not_implemented() {
        return check.advise("This server knows no website configurations: give the mount its own.");
    }
    if !said.is_denied() {
        return check;
    }
    let facts = &subject.facts;
    check
        .advise(advice::denied(facts, said, "s3:GetBucketWebsite", Others::Granted))
        .grant(facts.missing(&said.message, Permission::Website))
}
