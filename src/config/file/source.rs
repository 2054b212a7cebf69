use std::{fmt, ops::Range};

use serde::de::DeserializeOwned;

use super::{
    expand::{ExpandError, expand},
    table::{FileTable, Text, Unexpanded},
    unknown_key,
};
use crate::error::{ConfigError, ConfigErrorKind};

/// The text of a file, for places in error messages, and the variables for its values.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    text: &'a str,
    places: Places<'a>,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

/// How messages name a place in the text.
#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    /// Its line.
    Lines,
    /// The name of its part, unless that is empty. Each part ends at this byte.
    Parts(&'a [(&'a str, usize)]),
}

// === impl Source ===

impl<'a> Source<'a> {
    pub(super) fn new(
        text: &'a str,
        places: Places<'a>,
        variable: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self { text, places, variable }
    }

    /// The tables of the file.
    pub(super) fn parse(&self) -> Result<FileTable, ConfigError> {
        self.parse_as()
    }

    /// The tables of a file of another form.
    pub(super) fn parse_as<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(self.text).map_err(|why| {
            // Neither `why` nor its `Display`: they contain the source line, which may have a secret.
            let message = unknown_key::explain(why.message()).unwrap_or_else(|| in_words(why.message()));
            let place = match (why.span(), self.places) {
                (Some(span), Places::Lines) => {
                    let (line, column) = self.position(span.start);
                    Some(format!("line {line}, column {column}"))
                }
                (Some(span), Places::Parts(_)) => self.place(span),
                (None, _) => None,
            };
            ConfigError::new(ConfigErrorKind::File, at(place, message, ": "))
        })
    }

    /// The value of a key, with its variables expanded.
    pub(super) fn value(&self, key: &str, text: &Text) -> Result<String, ConfigError> {
        self.expand(key, text.get_ref(), text.span())
    }

    pub(super) fn expand(
        &self,
        key: &str,
        text: &Unexpanded,
        span: Range<usize>,
    ) -> Result<String, ConfigError> {
        expand(&text.0, self.variable).map_err(|why| self.error(kind_of(&why), span, format!("{key}: {why}")))
    }

    /// The whole text as one value.
    pub(super) fn expanded_text(&self) -> Result<String, ConfigError> {
        expand(self.text, self.variable).map_err(|why| ConfigError::new(kind_of(&why), why.to_string()))
    }

    pub(super) fn expanded(&self, text: &str) -> Option<String> {
        expand(text, self.variable).ok()
    }

    pub(super) fn optional(&self, key: &str, text: Option<&Text>) -> Result<Option<String>, ConfigError> {
        text.map(|text| self.value(key, text)).transpose()
    }

    /// As [`optional`](Self::optional), where no value can be meant by an empty one: that of a variable that Compose or Helm
    /// left empty.
    pub(super) fn unless_empty(&self, key: &str, text: Option<&Text>) -> Result<Option<String>, ConfigError> {
        Ok(self.optional(key, text)?.filter(|value| !value.is_empty()))
    }

    pub(super) fn list(&self, key: &str, texts: &[Text]) -> Result<Vec<String>, ConfigError> {
        texts.iter().map(|text| self.value(key, text)).collect()
    }

    /// The choice that a key names.
    pub(super) fn choice<T: Copy, const N: usize>(
        &self,
        key: &str,
        text: Option<&Text>,
        choices: [(&str, T); N],
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        let value = self.value(key, text)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == value) {
            return Ok(Some(*choice));
        }
        let names = choices.map(|(name, _)| format!("{name:?}")).join(" or ");
        // As written, without the values of variables.
        let written = &text.get_ref().0;
        let message = format!("{key} {written:?}: must be {names}");
        Err(self.error(ConfigErrorKind::InvalidValue, text.span(), message))
    }

    pub(super) fn error(
        &self,
        kind: ConfigErrorKind,
        span: Range<usize>,
        message: impl fmt::Display,
    ) -> ConfigError {
        ConfigError::new(kind, at(self.place(span), message, ": "))
    }

    /// A place with a description, with which messages begin: `line 7, mount 2`.
    pub(super) fn called(&self, span: Range<usize>, what: impl fmt::Display) -> String {
        at(self.place(span), what, ", ")
    }

    fn place(&self, span: Range<usize>) -> Option<String> {
        match self.places {
            Places::Lines => Some(format!("line {}", self.position(span.start).0)),
            Places::Parts(parts) => {
                let (name, _) = parts.iter().find(|(_, end)| span.start < *end)?;
                Some((*name).to_owned()).filter(|name| !name.is_empty())
            }
        }
    }

    /// Line and column of a byte, both from one.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let start_of_line = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start_of_line..).map_or(0, |text| text.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }
}

fn kind_of(why: &ExpandError) -> ConfigErrorKind {
    match why {
        ExpandError::Unset(_) => ConfigErrorKind::Missing,
        ExpandError::Malformed => ConfigErrorKind::File,
    }
}

/// The message without the names that Rust has for numbers.
fn in_words(message: &str) -> String {
    const NUMBERS: [(&str, &str); 6] = [
        ("expected u8", "expected a whole number up to 255"),
        ("expected u16", "expected a whole number up to 65535"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected usize", "expected a whole number"),
        ("expected f64", "expected a number"),
    ];
    let number = NUMBERS.iter().find_map(|(rust, words)| Some((message.strip_suffix(rust)?, words)));
    number.map_or_else(|| message.to_owned(), |(begin, words)| format!("{begin}{words}"))
}

fn at(place: Option<String>, what: impl fmt::Display, separator: &str) -> String {
    match place {
        Some(place) => format!("{place}{separator}{what}"),
        None => what.to_string(),
    }
}
