use std::{
    cell::RefCell,
    time::{Duration, Instant, SystemTime},
};

/// The time of day, as lines have it. It is read and formatted once a second on each thread.
#[derive(Debug, Default)]
pub(super) struct Moment {
    /// When the second began.
    since: Option<Instant>,
    /// `06/Nov/1994:08:49:37 +0000`.
    pub(super) clf: String,
    /// `1994-11-06T08:49:37`.
    pub(super) rfc3339: String,
    /// Of the second.
    pub(super) millis: u32,
}

thread_local! {
    static NOW: RefCell<Moment> = RefCell::default();
}

const SECOND: Duration = Duration::from_secs(1);

// === impl Moment ===

impl Moment {
    /// Shows the time of day at an instant that has just been.
    pub(super) fn at(instant: Instant, show: impl FnOnce(&Self)) {
        NOW.with_borrow_mut(|moment| {
            moment.advance(instant, SystemTime::now);
            show(moment);
        });
    }

    fn advance(&mut self, instant: Instant, time: impl FnOnce() -> SystemTime) {
        let into = self.since.and_then(|since| instant.checked_duration_since(since));
        if let Some(into) = into.filter(|into| *into < SECOND) {
            self.millis = into.subsec_millis();
            return;
        }
        let time = time();
        let into = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        self.since = instant.checked_sub(Duration::from_nanos(u64::from(into)));
        self.millis = into / 1_000_000;
        // `Sun, 06 Nov 1994 08:49:37 GMT`.
        let date = httpdate::fmt_http_date(time);
        let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
        let (day, name, year, clock) = (part(5..7), part(8..11), part(12..16), part(17..25));
        let month = MONTHS.iter().position(|month| *month == name).unwrap_or(0) + 1;
        self.clf = format!("{day}/{name}/{year}:{clock} +0000");
        self.rfc3339 = format!("{year}-{month:02}-{day}T{clock}");
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_read_once_a_second_and_when_it_is_not_known() {
        let begin = Instant::now() + Duration::from_secs(10);
        let day = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_250);
        let mut moment = Moment::default();
        for (after, is_read, clf, rfc3339, millis) in [
            (0, true, "06/Nov/1994:08:49:37 +0000", "1994-11-06T08:49:37", 250),
            (749, false, "06/Nov/1994:08:49:37 +0000", "1994-11-06T08:49:37", 999),
            (750, true, "06/Nov/1994:08:49:38 +0000", "1994-11-06T08:49:38", 0),
            (751, false, "06/Nov/1994:08:49:38 +0000", "1994-11-06T08:49:38", 1),
            // Another thread was faster.
            (700, true, "06/Nov/1994:08:49:37 +0000", "1994-11-06T08:49:37", 950),
            (90_000, true, "06/Nov/1994:08:51:07 +0000", "1994-11-06T08:51:07", 250),
        ] {
            let after = Duration::from_millis(after);
            let mut was_read = false;
            moment.advance(begin + after, || {
                was_read = true;
                day + after
            });
            assert_eq!(was_read, is_read, "{after:?}");
            assert_eq!((&*moment.clf, &*moment.rfc3339, moment.millis), (clf, rfc3339, millis), "{after:?}");
        }
    }
}
