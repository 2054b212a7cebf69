use std::time::Duration;

/// A time in words, rounded to its unit.
pub(super) fn in_words(time: Duration) -> String {
    let nearest = |unit: u64| (time.as_secs() + unit / 2) / unit;
    match time.as_secs() {
        secs @ 0..120 => format!("{secs} s"),
        120..7200 => format!("{} min", nearest(60)),
        7200..172_800 => format!("{} h", nearest(3600)),
        _ => format!("{} days", nearest(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_a_unit_that_fits() {
        for (secs, words) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (20 * 60 - 1, "20 min"),
            (20 * 60 + 29, "20 min"),
            (7199, "120 min"),
            (7200, "2 h"),
            (3 * 86_400, "3 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(secs)), words);
        }
    }
}
