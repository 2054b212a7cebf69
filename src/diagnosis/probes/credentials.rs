//! Are there credentials, and from which source?

use std::time::SystemTime;

use crate::{
    config::Mount,
    diagnosis::{
        Check, CheckName, advice,
        checklist::Checklist,
        context::{Facts, Signer},
        duration::in_words,
        run::Subject,
    },
    object::BucketName,
    origin::Identity,
};

pub(in crate::diagnosis) async fn load(course: &mut Checklist<'_>, subject: &Subject<'_>) -> Signer {
    if !course.may(CheckName::Credentials) {
        return Signer::Nobody;
    }
    take(course, subject.mount, &subject.facts).await
}

/// For a mount whose bucket each request names: nothing else can be checked.
pub(in crate::diagnosis) async fn alone(course: &mut Checklist<'_>, mount: &Mount) {
    for name in CheckName::ALL {
        match name {
            CheckName::Credentials => {
                let sample = BucketName::parse("sample-bucket").expect("it is a bucket name");
                let facts = Facts::of(mount, sample);
                if course.may(name) {
                    take(course, mount, &facts).await;
                }
            }
            name => {
                course
                    .note(Check::unknown(name, "not tried: each request names its bucket; name one to try"));
            }
        }
    }
}

async fn take(course: &mut Checklist<'_>, mount: &Mount, facts: &Facts) -> Signer {
    let name = CheckName::Credentials;
    let origin = &mount.0.origin;
    let Some(cache) = origin.credential_cache() else {
        course.note(Check::pass(name, facts.source.as_str()));
        return Signer::Anonymous;
    };
    let loaded = match cache.at_hand() {
        Some(identity) => Ok(identity),
        None => match course.in_time(cache.fetch()).await {
            Ok(loaded) => loaded.map_err(|why| why.to_string()),
            Err(late) => Err(late.to_string()),
        },
    };
    match loaded {
        Ok(identity) => {
            let signer = signer(&identity);
            course.note(found(facts, &signer, identity.credentials().expiry(), origin.machine_time()));
            signer
        }
        Err(why) => {
            course.note(none(facts, &why));
            Signer::Nobody
        }
    }
}

fn signer(identity: &Identity) -> Signer {
    let credentials = identity.credentials();
    let has_token = credentials.session_token().is_some_and(|token| !token.is_empty());
    Signer::Key { id: credentials.access_key_id().to_owned(), has_token }
}

fn found(facts: &Facts, signer: &Signer, expiry: Option<SystemTime>, now: SystemTime) -> Check {
    let Signer::Key { has_token, .. } = signer else {
        return Check::pass(CheckName::Credentials, facts.source.as_str());
    };
    let life = match expiry.map(|expiry| expiry.duration_since(now)) {
        None if *has_token => ", with a session token".to_owned(),
        None => String::new(),
        Some(Ok(left)) => format!(", valid for {}", in_words(left)),
        Some(Err(_)) => ", expired by the clock of this machine".to_owned(),
    };
    Check::pass(CheckName::Credentials, format!("{}: {}{life}", facts.source, signer.masked()))
}

fn none(facts: &Facts, why: &str) -> Check {
    let check = Check::fail(CheckName::Credentials, format!("{}: {}", facts.source, in_short(why)));
    let check = check.advise(advice::no_credentials(facts, why));
    match advice::is_denied_role(facts, why) {
        true => check.grant(facts.trust(why)),
        false => check,
    }
}

/// Without the dump of nested structs with which the SDK ends its errors.
fn in_short(why: &str) -> String {
    let debug = [
        " (ProviderError",
        " (CredentialsNotLoaded",
        " (InvalidConfiguration",
        " (Unhandled",
        " (ProviderTimedOut",
    ];
    let end = debug.iter().filter_map(|begin| why.find(begin)).min().unwrap_or(why.len());
    let text = why.get(..end).unwrap_or(why);
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// In characters.
const MOST: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdks_account_of_its_structs_is_left_out() {
        let why = "an error occurred: no (good) reason (ProviderError(ProviderError { source: \"x\" }))";
        assert_eq!(in_short(why), "an error occurred: no (good) reason");
        assert_eq!(in_short("nothing"), "nothing");
        assert_eq!(in_short(&"ü".repeat(700)).chars().count(), 601);
    }
}
