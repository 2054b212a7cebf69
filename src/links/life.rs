use std::time::Duration;

use super::BoundedBy;

/// What bounds the life of a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) asked: Option<Duration>,
    /// By the mount's policy.
    pub(crate) longest: Duration,
    /// That of the signature's scheme; `None` if it has none.
    pub(crate) scheme: Option<Duration>,
    /// What is left of the credentials; `None` without end.
    pub(crate) credentials: Option<Duration>,
}

/// S3 refuses a signature in a query that is older ([S3 API, "Authenticating requests: using query
/// parameters"](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html), `X-Amz-Expires`).
pub(crate) const SEVEN_DAYS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

// === impl Limits ===

impl Limits {
    /// The life of the link in whole seconds, and what bounds it: of equal bounds the one that is named first here. `None`
    /// if nothing is left.
    pub(crate) fn life(self) -> Option<(Duration, BoundedBy)> {
        let bounds = [
            (self.asked, BoundedBy::Request),
            (Some(self.longest), BoundedBy::Policy),
            (self.scheme, BoundedBy::Signature),
            (self.credentials, BoundedBy::Credentials),
        ];
        let bounds = bounds.into_iter().filter_map(|(bound, by)| Some((bound?.as_secs(), by)));
        let (secs, by) = bounds.min_by_key(|(secs, _)| *secs)?;
        (secs > 0).then_some((Duration::from_secs(secs), by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_bound_counts_and_is_named() {
        const HOUR: u64 = 3600;
        const WEEK: u64 = 7 * 24 * HOUR;
        for (asked, longest, credentials, expected) in [
            (None, 4 * HOUR, None, Some((4 * HOUR, BoundedBy::Policy))),
            (Some(60), 4 * HOUR, None, Some((60, BoundedBy::Request))),
            (Some(5 * HOUR), 4 * HOUR, None, Some((4 * HOUR, BoundedBy::Policy))),
            (Some(4 * HOUR), 4 * HOUR, Some(4 * HOUR), Some((4 * HOUR, BoundedBy::Request))),
            (Some(5 * HOUR), 4 * HOUR, Some(4 * HOUR), Some((4 * HOUR, BoundedBy::Policy))),
            (Some(HOUR), 4 * HOUR, Some(HOUR - 1), Some((HOUR - 1, BoundedBy::Credentials))),
            (None, 30 * WEEK, None, Some((WEEK, BoundedBy::Signature))),
            (Some(8 * WEEK), 30 * WEEK, Some(2 * WEEK), Some((WEEK, BoundedBy::Signature))),
            (None, WEEK, None, Some((WEEK, BoundedBy::Policy))),
            (None, 4 * HOUR, Some(0), None),
            (Some(0), 4 * HOUR, None, None),
        ] {
            let secs = |secs: Option<u64>| secs.map(Duration::from_secs);
            let limits = Limits {
                asked: secs(asked),
                longest: Duration::from_secs(longest),
                scheme: Some(SEVEN_DAYS),
                credentials: secs(credentials),
            };
            let expected = expected.map(|(secs, by)| (Duration::from_secs(secs), by));
            assert_eq!(limits.life(), expected, "{limits:?}");
        }
    }

    #[test]
    fn parts_of_a_second_are_left_out() {
        let limits = |asked| Limits {
            asked: Some(Duration::from_millis(asked)),
            longest: SEVEN_DAYS,
            scheme: None,
            credentials: None,
        };
        assert_eq!(limits(1999).life(), Some((Duration::from_secs(1), BoundedBy::Request)));
        assert_eq!(limits(999).life(), None);
    }
}
