use http::{HeaderMap, header::ACCEPT};
use percent_encoding::percent_decode_str;

use super::{
    SortBy, SortOrder,
    cursor::{Cursor, InvalidCursor},
};

/// What a client asks of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ask {
    pub(crate) format: Format,
    pub(crate) sort: SortBy,
    pub(crate) order: SortOrder,
    pub(crate) cursor: Option<Cursor>,
    /// The name of the object to show.
    pub(crate) preview: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Html,
    Json,
}

// === impl Ask ===

impl Ask {
    /// Reads query and `Accept`. Of a repeated parameter the first counts; one that is not known, or whose value is not, means
    /// nothing, except for a cursor: another page than the one that was meant would not be noticed.
    pub(crate) fn parse(query: Option<&str>, headers: &HeaderMap) -> Result<Self, InvalidCursor> {
        let value = |wanted: &str| {
            let mut pairs = query.into_iter().flat_map(|query| query.split('&'));
            pairs.find_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (name == wanted).then(|| percent_decode_str(value).decode_utf8_lossy())
            })
        };
        let format = match value("format").as_deref() {
            Some("json") => Format::Json,
            Some("html") => Format::Html,
            _ => Format::accepted(headers),
        };
        let sort = match value("sort").as_deref() {
            Some("size") => SortBy::Size,
            Some("modified") => SortBy::Modified,
            _ => SortBy::Name,
        };
        let order = match value("order").as_deref() {
            Some("desc") => SortOrder::Descending,
            _ => SortOrder::Ascending,
        };
        let cursor = value("cursor").map(|text| Cursor::parse(&text)).transpose()?;
        let preview = value("preview").map(std::borrow::Cow::into_owned);
        Ok(Self { format, sort, order, cursor, preview })
    }
}

// === impl Format ===

impl Format {
    /// JSON for clients that name it and like HTML less (RFC 9110 §12.5.1). Browsers take anything, but name HTML.
    fn accepted(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let ranges: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(weighted).collect();
        let weight = |wanted: &str| {
            ranges.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, weight)| *weight)
        };
        match (weight("application/json"), weight("text/html")) {
            (Some(json), html) if json > html.unwrap_or(0.0) => Self::Json,
            _ => Self::Html,
        }
    }
}

/// A media range and its weight; without a weight that can be read it is 1.
fn weighted(range: &str) -> Option<(&str, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((name, weight.and_then(|weight| weight.parse().ok()).unwrap_or(1.0)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ask(query: &str, accept: &'static str) -> Ask {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        Ask::parse(Some(query), &headers).unwrap()
    }

    #[test]
    fn who_names_json_gets_it() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (query, accept, format) in [
            ("", "", Format::Html),
            ("", "*/*", Format::Html),
            ("", browser, Format::Html),
            ("", "application/json", Format::Json),
            ("", "application/json, text/plain, */*", Format::Json),
            ("", "Application/JSON; charset=utf-8", Format::Json),
            ("", "text/html, application/json", Format::Html),
            ("", "text/html;q=0.5, application/json", Format::Json),
            ("", "text/html, application/json;q=0.9", Format::Html),
            ("", "application/json;q=0", Format::Html),
            ("format=json", browser, Format::Json),
            ("format=html", "application/json", Format::Html),
            ("format=xml", "application/json", Format::Json),
            ("format=html&format=json", "", Format::Html),
        ] {
            assert_eq!(ask(query, accept).format, format, "{query} {accept}");
        }
    }

    #[test]
    fn the_query_says_how_to_sort_and_what_to_show() {
        let plain = Ask::default();
        assert_eq!(ask("x=y&sort=owner&order=up", ""), plain);
        let sorted = ask("sort=size&order=desc&preview=a%20%2B%26.png", "");
        assert_eq!((sorted.sort, sorted.order), (SortBy::Size, SortOrder::Descending));
        assert_eq!(sorted.preview.as_deref(), Some("a +&.png"));
        assert!(Ask::parse(Some("cursor=made+up"), &HeaderMap::new()).is_err());
    }
}
