//! Names, sizes and dates as people read them.

use std::{borrow::Cow, time::SystemTime};

use crate::listing::json::timestamp;

/// A name without what would change how the rest is read: control characters have their pictures (U+2400), and marks that turn
/// the direction of text around are replaced.
pub(super) fn shown(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        return "(no name)".into();
    }
    if !name.chars().any(|c| replaced(c).is_some()) {
        return name.into();
    }
    name.chars().map(|c| replaced(c).unwrap_or(c)).collect::<String>().into()
}

/// For a title.
pub(super) fn shown_short(name: &str) -> String {
    let name = shown(name);
    match name.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.into_owned(),
    }
}

const LONGEST_TITLE: usize = 60;

/// Text with its lines and tabs.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c => replaced(c).unwrap_or(c),
        })
        .collect()
}

fn replaced(c: char) -> Option<char> {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7f}' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => Some(char::REPLACEMENT_CHARACTER),
        // Those that no document may have (HTML, "noncharacter").
        c if u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c) => {
            Some(char::REPLACEMENT_CHARACTER)
        }
        _ => None,
    }
}

pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// In units of 1,024, with one digit behind the point below ten.
pub(super) fn size(bytes: u64) -> String {
    let Some(unit) = UNITS.iter().rev().find(|(least, _)| bytes >= *least) else {
        return format!("{bytes} B");
    };
    let (least, name) = unit;
    let tenths = (u128::from(bytes) * 10 + u128::from(*least) / 2) / u128::from(*least);
    match tenths {
        ..100 => format!("{}.{} {name}", tenths / 10, tenths % 10),
        _ => format!("{} {name}", (tenths + 5) / 10),
    }
}

const UNITS: [(u64, &str); 5] =
    [(1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"), (1 << 40, "TiB"), (1 << 50, "PiB")];

/// In UTC, to the minute.
pub(super) fn date(at: SystemTime) -> String {
    let text = timestamp(at);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {}", time.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn names_are_shown_without_what_turns_text_around() {
        for (name, expected) in [
            ("a b.txt", "a b.txt"),
            ("", "(no name)"),
            ("a\tb\n\u{7f}", "a␉b␊␡"),
            ("\u{202e}gpj.exe", "\u{fffd}gpj.exe"),
            ("שלום 😀", "שלום 😀"),
            ("\u{10ffff}", "\u{fffd}"),
        ] {
            assert_eq!(shown(name), expected);
        }
        assert_eq!(shown_short(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
        assert_eq!(lines("a\r\nb\tc\u{1}"), "a\nb\tc␁");
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (1024 * 1024 - 1, "1024 KiB"),
            (5 << 20, "5.0 MiB"),
            (78 << 30, "78 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
        assert_eq!(date(UNIX_EPOCH + Duration::from_secs(1_700_000_000)), "2023-11-14 22:13");
        assert_eq!(
            (counted(1, "file", "files"), counted(0, "file", "files")),
            ("1 file".into(), "0 files".into())
        );
    }
}
