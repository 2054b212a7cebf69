use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{Date, Month, OffsetDateTime, Time};

/// `Wed, 21 Oct 2015 07:28:00 GMT` (RFC 9110 §5.6.7).
pub(crate) fn http_date(at: SystemTime) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds(at)).unwrap();
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (day, year) = (at.day(), at.year());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{weekday:.3}, {day:02} {month:.3} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Only the one format that is not obsolete.
pub(super) fn parse_http_date(text: &str) -> Option<SystemTime> {
    let words: Vec<&str> = text.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = words.as_slice() else { return None };
    let months = (1..=12).map(|n| Month::try_from(n).unwrap());
    let month = months.into_iter().find(|name| format!("{:.3}", name.to_string()) == **month)?;
    moment(year, month, day, [hour, minute, second])
}

/// `20151021T072800Z`, as `x-amz-date` says it.
pub(super) fn parse_amz_date(text: &str) -> Option<SystemTime> {
    let part = |range: std::ops::Range<usize>| text.get(range);
    let month = Month::try_from(part(4..6)?.parse::<u8>().ok()?).ok()?;
    moment(part(0..4)?, month, part(6..8)?, [part(9..11)?, part(11..13)?, part(13..15)?])
}

fn moment(year: &str, month: Month, day: &str, time: [&str; 3]) -> Option<SystemTime> {
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let [hour, minute, second] = time.map(|part| part.parse().ok());
    let at = date.with_time(Time::from_hms(hour?, minute?, second?).ok()?).assume_utc();
    Some(UNIX_EPOCH + Duration::from_secs(at.unix_timestamp().try_into().ok()?))
}

fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_rfc() {
        let at = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(at));
        assert_eq!(parse_amz_date("19941106T084937Z"), Some(at));
        for text in ["", "yesterday", "Sun, 06 Nov 1994 08:49:37 PST", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }
}
