use crate::object::decode_once;

/// The disposition that a request asks for, in place of the stored one.
///
/// The name is as the client wrote it; the response stage decides how much of it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disposition {
    pub(crate) kind: DispositionKind,
    pub(crate) name: DownloadName,
}

/// The types of a disposition (RFC 6266 §4.2) that browsers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DispositionKind {
    Attachment,
    Inline,
}

/// The name for the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DownloadName {
    /// Left to the browser, which derives it from the URL.
    Unsaid,
    /// The last segment of the object's key.
    OfKey,
    Given(String),
}

/// The text is not a disposition of an allowed type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidDisposition(());

// === impl Disposition ===

impl Disposition {
    /// A download under this name, or under the key's if it is empty.
    pub(crate) fn download(name: String) -> Self {
        let name = if name.is_empty() { DownloadName::OfKey } else { DownloadName::Given(name) };
        Self { kind: DispositionKind::Attachment, name }
    }

    /// Reads a value of `Content-Disposition`, strictly, so that nothing is misread.
    pub(crate) fn parse(field: &str) -> Result<Self, InvalidDisposition> {
        parse(field).ok_or(InvalidDisposition(()))
    }
}

/// ```text
/// content-disposition = disposition-type *( OWS ";" OWS [ disposition-parm ] )     RFC 6266 §4.1, RFC 9110 §5.6.6
/// disposition-parm    = token OWS "=" OWS ( token / quoted-string )
/// ```
fn parse(field: &str) -> Option<Disposition> {
    let (kind, mut rest) = token(skip_space(field))?;
    let kind = if kind.eq_ignore_ascii_case("attachment") {
        DispositionKind::Attachment
    } else if kind.eq_ignore_ascii_case("inline") {
        DispositionKind::Inline
    } else {
        return None;
    };
    let (mut plain, mut extended) = (None, None);
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            break;
        }
        rest = skip_space(rest.strip_prefix(';')?);
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, behind) = token(rest)?;
        let (value, behind) = value(skip_space(skip_space(behind).strip_prefix('=')?))?;
        rest = behind;
        // Fields with two parameters of one name are invalid (RFC 6266 §4.1).
        if name.eq_ignore_ascii_case("filename") {
            if plain.replace(value.into_text()).is_some() {
                return None;
            }
        } else if name.eq_ignore_ascii_case("filename*") && extended.replace(value.extended()?).is_some() {
            return None;
        }
    }
    // "filename*" is preferred, wherever it stands (RFC 6266 §4.3).
    let name = extended.or(plain).map_or(DownloadName::Unsaid, DownloadName::Given);
    Some(Disposition { kind, name })
}

/// The value of a parameter.
enum Value<'v> {
    Token(&'v str),
    Quoted(String),
}

// === impl Value ===

impl Value<'_> {
    fn into_text(self) -> String {
        match self {
            Self::Token(text) => text.to_owned(),
            Self::Quoted(text) => text,
        }
    }

    /// The text after `name*=`: `charset "'" [ language ] "'" value-chars` (RFC 8187 §3.2.1). It is always a token,
    /// never quoted.
    fn extended(self) -> Option<String> {
        let Self::Token(text) = self else { return None };
        let (charset, text) = text.split_once('\'')?;
        let (language, text) = text.split_once('\'')?;
        let is_language = language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // Only UTF-8 must be supported (RFC 8187 §3.2.1).
        if !charset.eq_ignore_ascii_case("UTF-8") || !is_language || text.contains(['\'', '*']) {
            return None;
        }
        Some(decode_once(text).ok()?.into_owned())
    }
}

fn value(text: &str) -> Option<(Value<'_>, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (text, rest) = unquote(quoted)?;
            Some((Value::Quoted(text), rest))
        }
        None => {
            let (text, rest) = token(text)?;
            Some((Value::Token(text), rest))
        }
    }
}

/// Reads to the closing quotation mark, and resolves escapes (RFC 9110 §5.6.4). Any character beyond ASCII is allowed,
/// as in that grammar; the query is UTF-8.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut unquoted = String::new();
    let mut chars = text.chars();
    loop {
        let c = match chars.next()? {
            '"' => return Some((unquoted, chars.as_str())),
            '\\' => chars.next()?,
            c => c,
        };
        if c.is_ascii_control() && c != '\t' {
            return None;
        }
        unquoted.push(c);
    }
}

/// Splits off a token (RFC 9110 §5.6.2).
fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

#[cfg(test)]
mod tests;
