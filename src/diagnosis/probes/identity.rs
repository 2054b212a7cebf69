//! Who are we, according to STS?

use crate::{
    diagnosis::{
        Check, CheckName, Outcome, advice,
        checklist::Checklist,
        context::{Facts, Server, Signer},
        error_reply::{Problem, Said},
        run::Subject,
    },
    origin::S3ErrorCode,
};

pub(in crate::diagnosis) async fn ask(course: &mut Checklist<'_>, subject: &Subject<'_>) {
    let name = CheckName::Identity;
    if !course.may(name) {
        return;
    }
    let Subject { mount, facts, .. } = subject;
    // Another STS does not know the sessions of this one.
    let url = mount.0.credentials.sts_endpoint().or(course.options.sts_endpoint.as_deref());
    let client = match (facts.server, url) {
        _ if facts.signer == Signer::Anonymous => {
            return course.note(Check::unknown(name, "not asked: requests are not signed"));
        }
        (Server::Compatible, None) => {
            return course.note(Check::unknown(name, "not asked: the endpoint is not AWS's"));
        }
        (Server::Aws, _) | (Server::Compatible, Some(_)) => mount.0.origin.sts(url),
    };
    let check = match client {
        Err(why) => Check::unknown(name, why.to_string()),
        Ok(None) => Check::unknown(name, "not asked: requests are not signed"),
        Ok(Some(client)) => match course.in_time(client.get_caller_identity().send()).await {
            Err(late) => unreachable_sts(&late.to_string()),
            Ok(Ok(who)) => Check::pass(name, who.arn().unwrap_or("an identity without a name")),
            Ok(Err(error)) => match Problem::of_sdk(&error) {
                Problem::Silence(why) => unreachable_sts(&why),
                Problem::Said(said) => refused(facts, &said),
            },
        },
    };
    course.note(check);
}

/// Reads need no STS, once there are credentials.
fn unreachable_sts(why: &str) -> Check {
    Check::unknown(CheckName::Identity, format!("STS can't be reached: {why}"))
}

fn refused(facts: &Facts, said: &Said) -> Check {
    let name = CheckName::Identity;
    // STS needs no permission for it ("GetCallerIdentity"), so it refuses the credentials themselves.
    if said.status.is_server_error() || said.code == S3ErrorCode::AccessDenied {
        return Check::answered(name, Outcome::Unknown, said);
    }
    Check::answered(name, Outcome::Fail, said).advise(advice::refused_signature(facts, said))
}
