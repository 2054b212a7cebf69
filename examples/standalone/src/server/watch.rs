use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{
    activity::{Activity, Seen},
    detect::Protocol,
    limits::Timeouts,
};

/// What a connection does, judged by looking at its [`Activity`] now and then.
///
/// A state counts from the first look that saw it, so that a request costs no look at a clock, and a connection is closed
/// at its time-out or up to three looks later.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` until the first bytes tell; what comes before has time-outs of its own.
    protocol: Option<Protocol>,
    timeouts: Timeouts,
    state: State,
    since: Instant,
    /// What was seen then.
    mark: Seen,
    /// Whether the kernel was asked at the end of the time-out.
    was_probed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing tells yet what the client speaks.
    Silent,
    /// A request waits for this process or S3, which have time-outs of their own, or over HTTP/2 for the client, which its
    /// task looks after.
    Serving,
    /// No request.
    Idle,
    /// A part of a request's head.
    Head,
    /// The kernel takes nothing of what waits to be written.
    Unread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// The kernel may take something by now: only a write can tell. A socket counts as writable only when much of its
    /// buffer is free, so that a slow reader seems to take nothing.
    Probe,
    Close(Reason),
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It has no request, and another connection needs its place.
    GivesWay,
    Idle,
    UnfinishedHead,
    Unread,
}

// === impl Watch ===

impl Watch {
    pub(crate) fn new(
        protocol: Option<Protocol>,
        timeouts: Timeouts,
        activity: &Activity,
        now: Instant,
    ) -> Self {
        let mark = activity.seen();
        Self { protocol, timeouts, state: state_of(protocol, mark), since: now, mark, was_probed: false }
    }

    pub(crate) fn look(&mut self, seen: Seen, now: Instant) -> Verdict {
        let state = state_of(self.protocol, seen);
        if state != self.state || self.has_moved_on(seen) {
            (self.state, self.since, self.mark, self.was_probed) = (state, now, seen, false);
        }
        let (timeout, reason) = match state {
            State::Silent | State::Serving => return Verdict::GoOn,
            State::Idle => (self.timeouts.idle, Reason::Idle),
            State::Head => (self.timeouts.header, Reason::UnfinishedHead),
            State::Unread => (self.timeouts.write, Reason::Unread),
        };
        if now < self.since + timeout {
            return Verdict::GoOn;
        }
        match (state, std::mem::replace(&mut self.was_probed, true)) {
            (State::Unread, false) => Verdict::Probe,
            _ => Verdict::Close(reason),
        }
    }

    /// Since when the connection has no request; `None` while it serves one. What changed since the last look counts from
    /// now.
    pub(crate) fn free_since(&self, seen: Seen, now: Instant) -> Option<Instant> {
        let state = state_of(self.protocol, seen);
        match state {
            State::Serving | State::Unread => None,
            State::Silent | State::Idle | State::Head if state == self.state && !self.has_moved_on(seen) => {
                Some(self.since)
            }
            State::Silent | State::Idle | State::Head => Some(now),
        }
    }

    /// Whether the state is a new one, though it is the same.
    fn has_moved_on(&self, seen: Seen) -> bool {
        match self.state {
            State::Silent | State::Serving => false,
            State::Idle | State::Head => seen.requests.begun() != self.mark.requests.begun(),
            State::Unread => seen.written != self.mark.written,
        }
    }
}

/// How often to look: three looks are a quarter of the shortest time-out.
pub(crate) fn period(timeouts: &Timeouts) -> Duration {
    timeouts.header.min(timeouts.idle).min(timeouts.write) / 12
}

fn state_of(protocol: Option<Protocol>, seen: Seen) -> State {
    let Some(protocol) = protocol else { return State::Silent };
    let requests = seen.requests;
    match protocol {
        // Also behind the end of the response, whose last bytes wait here.
        _ if seen.blocked => State::Unread,
        _ if requests.open() > 0 => State::Serving,
        Protocol::Http1 if seen.has_begun_head => State::Head,
        // Over HTTP/2, bytes without a request are no head: pings and settings.
        Protocol::Http1 | Protocol::Http2 => State::Idle,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GivesWay => "it has no request, and another connection needs its place",
            Self::Idle => "no request within --idle-timeout",
            Self::UnfinishedHead => "no end of the head within --header-timeout",
            Self::Unread => "nothing of a response taken within --write-timeout",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        first_byte: Duration::from_secs(10),
        header: Duration::from_secs(30),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(24),
    };

    /// When a connection is closed, in seconds, and why, if this happens to it every second.
    fn outcome(protocol: Protocol, mut every_second: impl FnMut(u64, &Activity)) -> Option<(u64, Reason)> {
        let (activity, start) = (Activity::default(), Instant::now());
        activity.note_read(24);
        let mut watch = Watch::new(Some(protocol), TIMEOUTS, &activity, start);
        assert_eq!(period(&TIMEOUTS), Duration::from_secs(2));
        for second in 0..1000 {
            every_second(second, &activity);
            if second % 2 > 0 {
                continue;
            }
            match watch.look(activity.seen(), start + Duration::from_secs(second)) {
                Verdict::GoOn => {}
                Verdict::Probe => activity.probe(),
                Verdict::Close(reason) => return Some((second, reason)),
            }
        }
        None
    }

    fn served(activity: &Activity) {
        activity.begin();
        activity.note_written(500);
        activity.end();
    }

    use Protocol::{Http1, Http2};

    #[test]
    fn a_head_that_does_not_end_is_closed_however_it_drips() {
        assert_eq!(outcome(Http1, |_, _| {}), Some((30, Reason::UnfinishedHead)));
        assert_eq!(outcome(Http1, |_, activity| activity.note_read(1)), Some((30, Reason::UnfinishedHead)));
    }

    #[test]
    fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
        let once = |second, activity: &Activity| {
            if second == 0 {
                served(activity);
            }
        };
        assert_eq!(outcome(Http1, once), Some((76, Reason::Idle)), "75 s after it was seen");
        assert_eq!(outcome(Http2, once), Some((76, Reason::Idle)));
        assert_eq!(outcome(Http2, |_, _| {}), Some((76, Reason::Idle)));
        assert_eq!(outcome(Http2, |_, activity| activity.note_read(17)), Some((76, Reason::Idle)), "pings");
        let at_times = |second, activity: &Activity| {
            if second % 60 == 0 {
                activity.note_read(100);
                served(activity);
            }
        };
        assert_eq!(outcome(Http1, at_times), None);
        assert_eq!(outcome(Http2, at_times), None);
    }

    #[test]
    fn a_request_that_waits_for_s3_is_left_alone() {
        let once = |second, activity: &Activity| {
            if second == 0 {
                activity.begin();
            }
        };
        assert_eq!(outcome(Http1, once), None);
        assert_eq!(outcome(Http2, once), None);
    }

    #[test]
    fn who_takes_nothing_is_closed_and_who_takes_little_is_not() {
        for protocol in [Http1, Http2] {
            let begin = |second, activity: &Activity| {
                if second == 0 {
                    activity.begin();
                    activity.set_blocked(true);
                }
            };
            assert_eq!(outcome(protocol, begin), Some((26, Reason::Unread)), "asked after 24 s");
            let little = |second, activity: &Activity| {
                begin(second, activity);
                if second % 15 == 0 {
                    activity.note_written(1);
                }
            };
            assert_eq!(outcome(protocol, little), None);
            let what_only_a_write_tells = |second, activity: &Activity| {
                begin(second, activity);
                if activity.take_probe() {
                    activity.note_written(1);
                }
            };
            assert_eq!(outcome(protocol, what_only_a_write_tells), None);
            let rest = |second, activity: &Activity| {
                begin(second, activity);
                if second == 0 {
                    activity.end();
                }
            };
            assert_eq!(outcome(protocol, rest), Some((26, Reason::Unread)), "what waits behind the end");
        }
    }
}
