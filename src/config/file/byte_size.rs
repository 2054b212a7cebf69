/// A number of bytes as people write it: `4096`, `512MiB` or `1 GB`, in powers of 1024 or of 1000.
pub(super) fn parse(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits)?.trim_start();
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    // `parse` would also accept a sign.
    let number = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_units_of_1024_or_of_1000() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("7B", Some(7)),
            ("64KiB", Some(64 * 1024)),
            ("512MiB", Some(512 * 1024 * 1024)),
            ("512 mib", Some(512 * 1024 * 1024)),
            ("2GiB", Some(2 * 1024 * 1024 * 1024)),
            ("1KB", Some(1_000)),
            ("5MB", Some(5_000_000)),
            ("1GB", Some(1_000_000_000)),
            ("", None),
            ("MiB", None),
            ("1M", None),
            ("1.5GiB", None),
            ("-1", None),
            ("+1", None),
            ("1 2", None),
            (" 1", None),
            ("1MiB ", None),
            ("18446744073709551616", None),
            ("18446744073709551615KiB", None),
        ] {
            assert_eq!(parse(text), bytes, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_number_with_a_unit_is_its_product_if_there_is_one(number: u64, unit in 0..UNITS.len()) {
            let (name, factor) = UNITS[unit];
            prop_assert_eq!(parse(&format!("{number}{name}")), number.checked_mul(factor));
        }

        #[test]
        fn any_text_is_refused_or_a_number(text in ".*") {
            prop_assert!(parse(&text).is_none() || text.starts_with(|c: char| c.is_ascii_digit()));
        }
    }
}
