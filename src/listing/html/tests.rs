use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use super::*;
use crate::listing::{Ask, Powers, page::tests::page};

const NAMES: [&str; 14] = [
    "a+b",
    "100%",
    "it's \"quoted\"",
    "<script>alert(1)</script>",
    "a b",
    "..%2f..",
    "javascript:alert(1)",
    "&amp;",
    "\u{1}\n\t\u{7f}",
    "\u{202e}gpj.exe",
    "שלום עולם.txt",
    "😀.png",
    "a\\b",
    "--></style><img src=x onerror=alert(1)>.txt",
];

/// The values of an attribute, unescaped.
fn values(html: &str, attribute: &str) -> Vec<String> {
    let start = format!(" {attribute}=\"");
    let parts = html.split(start.as_str()).skip(1);
    let raw = parts.map(|part| part.split('"').next().unwrap());
    let unescape = |text: &str| {
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    };
    raw.map(unescape).collect()
}

/// The page without its style and its script.
fn body(html: &ListingHtml) -> &str {
    let (_, body) = html.text.split_once("<body>").unwrap();
    body.split_once("<script>").unwrap().0
}

#[test]
fn each_name_is_linked_as_it_is_and_shown_as_text() {
    let entries: Vec<_> = NAMES.iter().map(|name| (*name, Some(1))).collect();
    let html = ListingHtml::of(&page(&entries, &Ask::default(), Powers::UploadAndDelete));
    let body = body(&html);
    let links: Vec<_> = values(body, "href")
        .iter()
        .filter_map(|href| {
            percent_decode_str(href.strip_prefix("./")?).decode_utf8().ok().map(|name| name.into_owned())
        })
        .collect();
    for name in NAMES {
        assert!(links.iter().any(|link| link == name), "{name:?} in {links:?}");
    }
    for sign in ["<script", "<img src=x", "onerror=alert(1)>", "\u{202e}", "\u{1}"] {
        assert!(!body.contains(sign), "{sign:?} in {body}");
    }
    let allowed = |href: &str| href.starts_with("./") || href.starts_with("../");
    assert!(values(body, "href").iter().chain(&values(body, "src")).all(|href| allowed(href)), "{body}");
    // Nothing that a strict policy would refuse.
    assert!(!body.contains(" style=") && !body.contains(" onclick="), "{body}");
}

#[test]
fn what_changes_a_folder_is_there_only_where_it_can_be_changed() {
    let told = |powers| {
        let html = ListingHtml::of(&page(&[("a.txt", Some(1))], &Ask::default(), powers)).text;
        ["PUT", "DELETE", "upload", "Upload", "delete", "confirm"].map(|sign| html.contains(sign))
    };
    assert_eq!(told(Powers::None), [false; 6]);
    assert_eq!(told(Powers::UploadAndDelete), [true; 6]);
    let upload = ListingHtml::of(&page(&[("a.txt", Some(1))], &Ask::default(), Powers::Upload)).text;
    assert!(upload.contains("id=\"upload\"") && !upload.contains("class=\"delete\""));
    assert!(!upload.contains("id=\"confirm\""));
}

#[test]
fn the_policy_names_the_style_and_the_script_of_the_page() {
    for powers in [Powers::None, Powers::Upload] {
        let html = ListingHtml::of(&page(&[], &Ask::default(), powers));
        let policy = html.policy.to_str().unwrap();
        for tag in ["style", "script"] {
            let text = html.text.split_once(&format!("<{tag}>")).unwrap().1;
            let text = text.split_once(&format!("</{tag}>")).unwrap().0;
            use sha2::Digest;
            let hash = aws_smithy_types::base64::encode(sha2::Sha256::digest(text.as_bytes()));
            assert!(policy.contains(&format!("{tag}-src 'sha256-{hash}'")), "{tag}: {policy}");
        }
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    }
}

#[test]
fn sorting_is_a_link_that_turns_around() {
    let told = |query: &str| {
        let ask = Ask::parse(Some(query), &http::HeaderMap::new()).unwrap();
        let html = ListingHtml::of(&page(&[("a", Some(1))], &ask, Powers::None));
        let heads = html.text.split("<th ").skip(1);
        let heads = heads.map(|head| {
            let (href, sort) =
                (values(&format!(" {head}"), "href").remove(0), values(&format!(" {head}"), "aria-sort"));
            let is_own = head.split_once("</th>").unwrap().0.contains("aria-sort");
            format!("{href} {}", if is_own { sort[0].as_str() } else { "" })
        });
        heads.collect::<Vec<_>>()
    };
    assert_eq!(
        told(""),
        ["./?order=desc ascending", "./?sort=size&order=desc ", "./?sort=modified&order=desc "]
    );
    assert_eq!(
        told("sort=size&order=desc"),
        ["./ ", "./?sort=size descending", "./?sort=modified&order=desc "]
    );
}

#[test]
fn a_preview_shows_what_the_kind_asks_for() {
    let entries = [
        ("a.png", Some(1)),
        ("b.webm", Some(1)),
        ("c.mp3", Some(1)),
        ("d.pdf", Some(1)),
        ("e.txt", Some(1)),
        ("f.zip", Some(1)),
        ("raw", None),
    ];
    let page = page(&entries, &Ask { preview: Some(String::new()), ..Ask::default() }, Powers::None);
    for (name, element, neighbours) in [
        ("a.png", "<img src=\"./a.png\" alt=\"a.png\">", ["next"].as_slice()),
        ("b.webm", "<video src=\"./b.webm\" controls", &["prev", "next"]),
        ("c.mp3", "<audio src=\"./c.mp3\" controls", &["prev", "next"]),
        ("e.txt", "<pre tabindex=\"0\">&lt;b&gt;\nx</pre>", &["prev"]),
    ] {
        let entry = preview_of(&page, name).unwrap();
        let html = ListingHtml::preview(&page, entry, Some(&TextStart::Whole("<b>\r\nx".to_owned())));
        let body = body(&html);
        assert!(body.contains(element), "{name}: {body}");
        assert_eq!(values(body, "rel"), neighbours, "{name}");
    }
    for name in ["d.pdf", "f.zip", "raw", "g.png"] {
        assert!(preview_of(&page, name).is_none(), "{name}");
    }
    let part = TextStart::Part("x".to_owned());
    let html = ListingHtml::preview(&page, preview_of(&page, "e.txt").unwrap(), Some(&part));
    assert!(html.text.contains("the file is longer"));
}

#[test]
fn only_small_pictures_are_their_own_thumbnails() {
    let entries = [("a.png", Some(THUMBNAIL)), ("b.png", Some(THUMBNAIL + 1)), ("c.tiff", Some(1))];
    let html = ListingHtml::of(&page(&entries, &Ask::default(), Powers::None));
    assert_eq!(values(body(&html), "src"), ["./a.png"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_name_opens_a_tag(name in "[<>\"'&a-z= ;!-]{1,40}") {
        let body_of = |name: &str| {
            let page = page(&[(name, Some(1))], &Ask::default(), Powers::UploadAndDelete);
            body(&ListingHtml::of(&page)).to_owned()
        };
        let tame: String = name.chars().map(|c| if "<>\"'&".contains(c) { 'x' } else { c }).collect();
        let signs = |body: &str| (body.matches('<').count(), body.matches('"').count());
        prop_assert_eq!(signs(&body_of(&name)), signs(&body_of(&tame)));
    }
}
