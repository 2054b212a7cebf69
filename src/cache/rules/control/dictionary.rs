//! Dictionaries of structured fields (RFC 8941 §3.2, §4.2.2), to the letter: one error invalidates the whole field.

/// A value, as far as a directive needs it. Parameters are skipped (RFC 9213 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Boolean(bool),
    Integer(i64),
    /// A decimal, a string, a token, bytes, or a list.
    Other,
}

/// Passes each member to `tell`; `None` if the text is not a dictionary, and then the caller must discard them all.
pub(super) fn read<'t>(text: &'t [u8], mut tell: impl FnMut(&'t [u8], Item)) -> Option<()> {
    let mut cursor = Cursor(text);
    cursor.skip(SP);
    while !cursor.0.is_empty() {
        let key = cursor.key()?;
        let item = if cursor.eat(b'=') { cursor.member()? } else { Item::Boolean(true) };
        cursor.parameters()?;
        tell(key, item);
        cursor.skip(OWS);
        if cursor.0.is_empty() {
            break;
        }
        if !cursor.eat(b',') {
            return None;
        }
        cursor.skip(OWS);
        // A trailing comma is an error.
        if cursor.0.is_empty() {
            return None;
        }
    }
    Some(())
}

const SP: &[u8] = b" ";
const OWS: &[u8] = b" \t";

// === impl Cursor ===

struct Cursor<'t>(&'t [u8]);

impl<'t> Cursor<'t> {
    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(&mut self, is_taken: impl Fn(u8) -> bool) -> &'t [u8] {
        let length = self.0.iter().position(|byte| !is_taken(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.take(|byte| bytes.contains(&byte));
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn key(&mut self) -> Option<&'t [u8]> {
        if !matches!(self.0.first()?, b'a'..=b'z' | b'*') {
            return None;
        }
        Some(self.take(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*')))
    }

    fn member(&mut self) -> Option<Item> {
        if !self.eat(b'(') {
            return self.item();
        }
        // §4.2.1.2.
        loop {
            self.skip(SP);
            if self.eat(b')') {
                return Some(Item::Other);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.first()?, b' ' | b')') {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.skip(SP);
            self.key()?;
            if self.eat(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn item(&mut self) -> Option<Item> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.take(is_token);
                Some(Item::Other)
            }
            b':' => {
                self.next();
                self.take(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                self.eat(b':').then_some(Item::Other)
            }
            b'?' => {
                self.next();
                match self.next()? {
                    b'0' => Some(Item::Boolean(false)),
                    b'1' => Some(Item::Boolean(true)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// §4.2.4.
    fn number(&mut self) -> Option<Item> {
        let is_negative = self.eat(b'-');
        let whole = self.take(|byte| byte.is_ascii_digit());
        if self.eat(b'.') {
            let fraction = self.take(|byte| byte.is_ascii_digit());
            let is_decimal = (1..=12).contains(&whole.len()) && (1..=3).contains(&fraction.len());
            return is_decimal.then_some(Item::Other);
        }
        if !(1..=15).contains(&whole.len()) {
            return None;
        }
        let number = whole.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Some(Item::Integer(if is_negative { -number } else { number }))
    }

    /// §4.2.5.
    fn string(&mut self) -> Option<Item> {
        self.next();
        loop {
            match self.next()? {
                b'"' => return Some(Item::Other),
                b'\\' if !matches!(self.next()?, b'"' | b'\\') => return None,
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(text: &str) -> Option<Vec<(String, Item)>> {
        let mut members = Vec::new();
        let mut tell = |key: &[u8], item| members.push((String::from_utf8(key.to_vec()).unwrap(), item));
        read(text.as_bytes(), &mut tell)?;
        Some(members)
    }

    #[test]
    fn dictionaries_are_read_as_rfc_8941_says() {
        use Item::{Boolean, Integer, Other};
        for (text, expected) in [
            ("", Some(&[][..])),
            ("   ", Some(&[])),
            ("a", Some(&[("a", Boolean(true))])),
            (" a=1 ,\tb=?0 ", Some(&[("a", Integer(1)), ("b", Boolean(false))])),
            ("a=?1", Some(&[("a", Boolean(true))])),
            ("a=-999999999999999", Some(&[("a", Integer(-999_999_999_999_999))])),
            ("a=1.5", Some(&[("a", Other)])),
            ("a=\"x, \\\"y\\\\\", b", Some(&[("a", Other), ("b", Boolean(true))])),
            ("a=t/o:k*", Some(&[("a", Other)])),
            ("a=:aGk=:", Some(&[("a", Other)])),
            ("a=()", Some(&[("a", Other)])),
            ("a=( 1;x  \"y\" );z", Some(&[("a", Other)])),
            ("a;b;c=1;  d=\"e\", f", Some(&[("a", Boolean(true)), ("f", Boolean(true))])),
            ("*a-b_c.d*", Some(&[("*a-b_c.d*", Boolean(true))])),
            ("a=1, a=2", Some(&[("a", Integer(1)), ("a", Integer(2))])),
            ("A", None),
            ("1a", None),
            ("a,", None),
            (",a", None),
            ("a,,b", None),
            ("a b", None),
            ("a =1", None),
            ("a= 1", None),
            ("a=", None),
            ("a=-", None),
            ("a=--1", None),
            ("a=1000000000000000", None),
            ("a=1.", None),
            ("a=1.2345", None),
            ("a=1234567890123.1", None),
            ("a=\"", None),
            ("a=\"\\x\"", None),
            ("a=\"\u{e9}\"", None),
            ("a=?2", None),
            ("a=:a", None),
            ("a=:-:", None),
            ("a=(1", None),
            ("a=(1\"x\")", None),
            ("a=(1\t2)", None),
            ("a;=1", None),
            ("a=1, &&&", None),
        ] {
            let expected: Option<Vec<_>> =
                expected.map(|rows| rows.iter().map(|(key, item)| ((*key).to_owned(), *item)).collect());
            assert_eq!(members(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_dictionary_or_none(text in "[ -~\\t]{0,60}") {
            let _ = members(&text);
        }

        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(("[a-z*][a-z0-9_.*-]{0,8}", 0_i64..1_000), 1..5)) {
            let text: Vec<_> = rows.iter().map(|(key, number)| format!("{key}={number}")).collect();
            let expected = rows.into_iter().map(|(key, number)| (key, Item::Integer(number))).collect();
            prop_assert_eq!(members(&text.join(" , ")), Some(expected));
        }
    }
}
