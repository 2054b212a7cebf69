//! Names of every kind: each link leads to exactly the key that it is shown for.

use percent_encoding::percent_decode_str;

use super::*;
use crate::support::{NASTY_KEYS, proxy};

/// Follows a relative link, as browsers do (RFC 3986 §5.2).
fn follow(base: &str, href: &str) -> String {
    let relative = href.strip_prefix("./").unwrap_or_else(|| panic!("{href} is not below the folder"));
    assert!(!relative.starts_with('/') || relative == "/", "{href}");
    format!("{base}{relative}")
}

/// All objects, found by following the links of folders from the root.
async fn crawl(service: &S3Proxy, form: &str) -> Vec<(String, String)> {
    let (mut folders, mut objects) = (vec!["/".to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        assert!(objects.len() < 1000, "{folder}");
        let page = json(service, &format!("{folder}{form}")).await;
        for entry in page["entries"].as_array().unwrap() {
            let path = follow(&folder, entry["href"].as_str().unwrap());
            match entry["type"] == "folder" {
                true => folders.push(path),
                false => {
                    let key =
                        format!("{}{}", page["path"].as_str().unwrap(), entry["name"].as_str().unwrap());
                    objects.push((key, path));
                }
            }
        }
    }
    objects
}

#[tokio::test]
async fn links_lead_to_exactly_the_keys_they_are_for() {
    let s3 = s3().await;
    let long = "x".repeat(1000);
    let more = ["<script>alert(1)</script>", "שלום/עולם.txt", "javascript:alert(1)", "http://x/y", &long];
    let keys: Vec<_> = NASTY_KEYS.iter().copied().chain(more).collect();
    for key in &keys {
        s3.store().put(BUCKET, key, format!("this is {key}").into());
    }
    // No path names these, so none is shown.
    for key in ["../up", "a/./b", ".", "a/../../c"] {
        s3.store().put(BUCKET, key, "unreachable".into());
    }
    let service = proxy(crate::support::mount(&s3).listing(Listing::new().show_dotfiles(true)));
    let found = crawl(&service, "").await;
    for (key, path) in &found {
        let answer = ask(&service, get(path)).await;
        assert_eq!((status(&answer), answer.text()), (200, &*format!("this is {key}")), "{path}");
    }
    let mut listed: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
    // An object whose key ends with a slash is the folder's own.
    let mut expected: Vec<_> = keys.iter().copied().filter(|key| !key.ends_with('/')).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn pages_have_the_same_links_and_no_tag_of_a_name() {
    let s3 = s3().await;
    for key in NASTY_KEYS.iter().filter(|key| !key.contains('/')) {
        s3.store().put(BUCKET, key, "x".into());
    }
    let service = proxy(crate::support::mount(&s3).listing(Listing::new().show_dotfiles(true)));
    let page = html(&service, "/").await;
    let hrefs = page.text().split(" href=\"").skip(1).map(|part| part.split('"').next().unwrap());
    let names: Vec<_> = hrefs
        .filter_map(|href| href.strip_prefix("./"))
        .map(|name| percent_decode_str(name).decode_utf8().unwrap().into_owned())
        .collect();
    for key in NASTY_KEYS.iter().filter(|key| !key.contains('/')) {
        assert!(names.iter().any(|name| name == key), "{key:?}");
    }
    assert!(!page.text().contains("b<c>"));
    assert!(!page.text().chars().any(|c| c.is_control() && c != '\n'), "control characters");
}
