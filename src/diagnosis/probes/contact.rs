//! The first contact with the server, without a signature: does it respond, and what is its time?

use std::time::{Duration, SystemTime};

use http::header::{DATE, SERVER};

use crate::{
    diagnosis::{Check, CheckName, checklist::Checklist, context::field, duration::in_words, run::Subject},
    error::in_one_line,
    object::parse_date,
    origin::Probe,
};

pub(in crate::diagnosis) async fn ask(course: &mut Checklist<'_>, subject: &Subject<'_>) -> Option<Probe> {
    let mut contact = None;
    let (mut before, mut after) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    if course.may(CheckName::Http) {
        let origin = &subject.mount.0.origin;
        before = origin.machine_time();
        let answer = course.in_time(origin.contact(&subject.facts.bucket)).await;
        after = origin.machine_time();
        let answer = answer
            .map_err(|late| late.to_string())
            .and_then(|answer| answer.map_err(|why| in_one_line(&why)));
        course.note(http(answer.as_ref()));
        contact = answer.ok();
    }
    if course.may(CheckName::Clock) {
        let date = contact.as_ref().and_then(|contact| contact.headers.get(DATE)).and_then(parse_date);
        course.note(clock(before, after, date));
    }
    contact
}

fn http(answer: Result<&Probe, &String>) -> Check {
    let name = CheckName::Http;
    match answer {
        Ok(once) => {
            let server = field(&once.headers, &SERVER);
            let status = once.status.as_u16();
            match server {
                "" => Check::pass(name, format!("{status} to an unsigned request")),
                server => Check::pass(name, format!("{server}, {status} to an unsigned request")),
            }
        }
        Err(why) => Check::fail(name, why.as_str()).advise(
            "The connection works, but HTTP does not: another protocol on the port, a firewall that admits connections \
             but no data, or a server that hangs.",
        ),
    }
}

/// `Date` has whole seconds, and was written between our two times.
fn clock(before: SystemTime, after: SystemTime, date: Option<SystemTime>) -> Check {
    let name = CheckName::Clock;
    let Some(date) = date else { return Check::unknown(name, "the response has no date") };
    let behind = date.duration_since(after).unwrap_or_default();
    let ahead = before.duration_since(date + Duration::from_secs(1)).unwrap_or_default();
    let (off, way) = if behind > ahead { (behind, "behind") } else { (ahead, "ahead of") };
    let seen = format!("{} {way} the server's", in_words(off));
    match off.as_secs() {
        0..CLOSE => Check::pass(name, "in step with the server's"),
        CLOSE..WORRYING => Check::pass(name, seen),
        WORRYING..REFUSED => Check::pass(name, seen)
            .advise("From 15 minutes on, signatures are refused: let NTP set the clock."),
        REFUSED.. => Check::fail(name, seen).advise(
            "S3 and STS refuse signatures that are more than 15 minutes off (RequestTimeTooSkewed). Set the clock, and \
             let NTP keep it. The proxy adopts S3's clock once S3 has refused it; STS and certificates do not.",
        ),
    }
}

/// In seconds.
const CLOSE: u64 = 5;
const WORRYING: u64 = 5 * 60;
const REFUSED: u64 = 15 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;

    #[test]
    fn a_clock_is_off_by_what_lies_outside_of_the_question() {
        let at = |secs: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + secs);
        let now = 10_000;
        for (date, outcome, seen) in [
            (now, Outcome::Pass, "in step with the server's"),
            (now - 1, Outcome::Pass, "in step with the server's"),
            (now + 2, Outcome::Pass, "in step with the server's"),
            (now + 62, Outcome::Pass, "60 s behind the server's"),
            (now - 61, Outcome::Pass, "60 s ahead of the server's"),
            (now + 2 + 20 * 60, Outcome::Fail, "20 min behind the server's"),
            (now - 1 - 20 * 60, Outcome::Fail, "20 min ahead of the server's"),
            (now + 2 + 15 * 60, Outcome::Fail, "15 min behind the server's"),
            (now + 1 + 15 * 60, Outcome::Pass, "15 min behind the server's"),
            (now + 7202, Outcome::Fail, "2 h behind the server's"),
            (now + 3 * 86_400, Outcome::Fail, "3 days behind the server's"),
        ] {
            let check = clock(at(now), at(now + 2), Some(at(date)));
            assert_eq!((check.outcome(), check.seen()), (outcome, seen), "{date}");
        }
        assert_eq!(clock(at(now), at(now), None).outcome(), Outcome::Unknown);
    }
}
