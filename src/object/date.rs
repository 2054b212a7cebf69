use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use httpdate::HttpDate;

/// A date in any of the three forms (RFC 9110 §5.6.7).
pub(crate) fn parse_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// The nearest date that HTTP can express.
pub(crate) fn http_date(at: SystemTime) -> HttpDate {
    at.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST).into()
}

/// 9999-12-31T23:59:59Z.
const LAST: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_date() {
        let year = Duration::from_secs(31_536_000);
        assert_eq!(http_date(UNIX_EPOCH - year).to_string(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(UNIX_EPOCH + 9_000 * year).to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
