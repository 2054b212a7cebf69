//! Notes in Markdown. What is stored by others is text: tags in it are shown as such, and links lead where a reader can see.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

use super::words::lines;

/// HTML in which nothing is a tag that CommonMark does not make.
pub(super) fn rendered(text: &str) -> String {
    let text = lines(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(&text, options).map(|event| match event {
        Event::Html(tag) | Event::InlineHtml(tag) => Event::Text(tag),
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: below(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        Event::Start(Tag::Link { link_type, dest_url, id, .. }) => Event::Start(Tag::Link {
            link_type,
            dest_url: harmless(dest_url),
            title: CowStr::Borrowed(""),
            id,
        }),
        Event::Start(Tag::Image { link_type, dest_url, id, .. }) => Event::Start(Tag::Image {
            link_type,
            dest_url: harmless(dest_url),
            title: CowStr::Borrowed(""),
            id,
        }),
        other => other,
    });
    let mut html = String::with_capacity(text.len() * 2);
    push_html(&mut html, events);
    html
}

/// The page has a heading of its own above the note's.
fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// A link to a page, to a place on this host, or nowhere: other schemes, like `javascript`, do things.
fn harmless(url: CowStr<'_>) -> CowStr<'_> {
    let scheme = url.split(['/', '?', '#']).next().and_then(|start| start.split_once(':'));
    let is_known = scheme.is_none_or(|(scheme, _)| {
        ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let is_plain = !url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\');
    if is_known && is_plain { url } else { CowStr::Borrowed("#") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_can_do_nothing_but_be_read() {
        for (text, expected) in [
            ("# Title\n\nSome *words*.", "<h2>Title</h2>\n<p>Some <em>words</em>.</p>\n"),
            ("###### Deep", "<h6>Deep</h6>\n"),
            ("a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("[x](other.txt)", "<p><a href=\"other.txt\">x</a></p>\n"),
            ("[x](HTTPS://example.com/a?b=c:d)", "<p><a href=\"HTTPS://example.com/a?b=c:d\">x</a></p>\n"),
            ("[x](a/b:c)", "<p><a href=\"a/b:c\">x</a></p>\n"),
            ("[x](javascript:alert(1))", "<p><a href=\"#\">x</a></p>\n"),
            ("[x](JavaScript&#58;alert(1))", "<p><a href=\"#\">x</a></p>\n"),
            ("[x](<java\tscript:alert(1)>)", "<p><a href=\"#\">x</a></p>\n"),
            ("![x](data:text/html,y)", "<p><img src=\"#\" alt=\"x\" /></p>\n"),
            ("<javascript:alert(1)>", "<p><a href=\"#\">javascript:alert(1)</a></p>\n"),
            ("[x](a \"t\\\" onclick=1\")", "<p><a href=\"a\">x</a></p>\n"),
            ("a\u{202e}b", "<p>a\u{fffd}b</p>\n"),
        ] {
            assert_eq!(rendered(text), expected, "{text}");
        }
    }
}
