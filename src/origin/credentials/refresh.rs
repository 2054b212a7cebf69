use std::time::Duration;

/// When credentials are refreshed before their expiry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefreshPolicy {
    /// The last part of the lifetime: 2 is its second half.
    part: u32,
    longest: Duration,
}

// === impl RefreshPolicy ===

impl RefreshPolicy {
    /// For lifetimes of minutes or hours: many attempts fit before the expiry, and even credentials that last for
    /// seconds are not fetched much more often than they expire.
    pub(crate) const AHEAD: Self = Self::in_last(8, Duration::from_secs(5 * 60));

    /// For those of S3 Express, which last for five minutes.
    pub(crate) const HALFWAY: Self = Self::in_last(2, Duration::MAX);

    /// In the last `part`-th of the lifetime, and at most this long before its end.
    const fn in_last(part: u32, longest: Duration) -> Self {
        Self { part, longest }
    }

    /// How long before the end of a lifetime the refresh begins. `jitter` of 0 to 1 shortens it by up to a fifth, so
    /// that processes that were started together spread out.
    pub(super) fn window(self, life: Duration, jitter: f64) -> Duration {
        self.longest.min(life / self.part.max(1)).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 5.0)
    }
}

/// 1 s, 2 s, 4 s, … 32 s, each shortened by up to half: processes that fail together do not retry together.
pub(super) fn backoff(failures: u32) -> Duration {
    let full = Duration::from_secs(1 << failures.min(5));
    full.mul_f64(1.0 - fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_a_part_of_the_life_and_at_most_five_minutes() {
        for (life, jitter, window) in [
            (3600, 0.0, 300.0),
            (3600, 1.0, 240.0),
            (900, 0.0, 112.5),
            (900, 0.5, 101.25),
            (5, 0.0, 0.625),
            (5, 1.0, 0.5),
            (0, 0.3, 0.0),
        ] {
            let got = RefreshPolicy::AHEAD.window(Duration::from_secs(life), jitter);
            assert!((got.as_secs_f64() - window).abs() < 1e-6, "{life} s, {jitter}: {got:?}");
        }
        assert_eq!(RefreshPolicy::HALFWAY.window(Duration::from_secs(300), 0.0), Duration::from_secs(150));
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        for (failures, most) in [(0, 1), (1, 2), (4, 16), (5, 32), (u32::MAX, 32)] {
            let pause = backoff(failures);
            let most = Duration::from_secs(most);
            assert!((most / 2..=most).contains(&pause), "{failures}: {pause:?}");
        }
    }
}
