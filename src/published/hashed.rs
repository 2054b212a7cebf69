//! File names that have a hash of their content, as bundlers write them.

/// Whether the last segment of a path is the name of a file that never changes: a part of it before the extension looks like a
/// hash, and it is no page. A guess, of which both sides are cheap: a name that is taken for one is looked for in earlier
/// releases, and one that is not is missing at once.
pub(crate) fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let is_page = PAGES.iter().any(|page| extension.eq_ignore_ascii_case(page));
    !is_page && stem.split('.').any(has_hash)
}

/// A page has links to the assets of its own release, and must not outlive it.
const PAGES: [&str; 4] = ["html", "htm", "xhtml", "shtml"];

/// Whether a part of a name, between dots, is a hash or ends with one behind a hyphen or an underscore.
fn has_hash(part: &str) -> bool {
    let behind = part.match_indices(['-', '_']).filter_map(|(at, _)| part.get(at + 1..));
    [part].into_iter().chain(behind).any(is_hash)
}

/// Whether this is text as hashes have it: hex (webpack, rustdoc, Hugo, Parcel), base32 (esbuild), or base64url (Vite, Rollup).
fn is_hash(text: &str) -> bool {
    if !(8..=64).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric() || is_joint(b)) {
        return false;
    }
    let has = |is: fn(u8) -> bool| text.bytes().any(is);
    let digits = has(|b| b.is_ascii_digit());
    let (upper, lower) = (has(|b| b.is_ascii_uppercase()), has(|b| b.is_ascii_lowercase()));
    let is_short = text.len() == 8;
    match (upper, lower) {
        // Dates and counters.
        (false, false) => false,
        // Words have no digits, and words with a digit other letters than hex.
        (false, true) => digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        // Without a digit one in five of esbuild's.
        (true, false) => (digits || is_short) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'Z')),
        // A capital in front makes a word. What is longer than Vite's needs all three to be none.
        (true, true) => {
            let inside = text.bytes().skip(1).any(|b| b.is_ascii_uppercase());
            if is_short { digits || inside } else { digits && inside && !text.bytes().any(is_joint) }
        }
    }
}

fn is_joint(b: u8) -> bool {
    matches!(b, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bundlers_are_hashed_and_others_are_not() {
        for (name, expected) in [
            // Vite.
            ("assets/index-DiwrgTda.js", true),
            ("assets/index-Bs-9_aQ1.css", true),
            ("assets/logo-BxK3f0Zq.svg", true),
            ("assets/index-DiwrgTda.js.map", true),
            // webpack, Create React App, Next.js.
            ("main.8f3a1b2c4d5e6f708192.js", true),
            ("static/js/main.8f3a1b2c.chunk.js", true),
            ("8f3a1b2c4d5e.js", true),
            ("_next/static/chunks/main-app-1a2b3c4d5e6f7081.js", true),
            // esbuild.
            ("app-3KVBM6XW.js", true),
            ("app-ZAGXPQWB.js", true),
            // rustdoc.
            ("static.files/search-f7877310.js", true),
            ("static.files/FiraSans-Regular-0fe48ade.woff2", true),
            // Hugo, Rails, Django.
            ("css/style.min.4b8a1c0f9e2d3b7a4b8a1c0f9e2d3b7a4b8a1c0f9e2d3b7a4b8a1c0f9e2d3b7a.css", true),
            ("application-2d1f8e9b7c6a5043.css", true),
            ("css/base.27e20196a850.css", true),
            // A path in an earlier release is encoded, too.
            ("a%20b/x-f7877310.js", true),
            // Not hashed.
            ("index.html", false),
            ("main.8f3a1b2c.html", false),
            ("main.8f3a1b2c.HTM", false),
            ("app.js", false),
            ("bootstrap.bundle.min.js", false),
            ("jquery-3.7.1.min.js", false),
            ("my-component.js", false),
            ("new-page.js", false),
            ("LongComponentName.js", false),
            ("app-version2.js", false),
            ("report-20240115.pdf", false),
            ("IMG_12345678.jpg", false),
            ("FiraSans-Regular.woff2", false),
            ("COPYING-LIBRARY.txt", false),
            ("deadbeef", false),
            ("f7877310", false),
            ("f7877310.js/", false),
            ("f7877310.d/app.js", false),
            ("", false),
        ] {
            assert_eq!(is_hashed(name), expected, "{name}");
        }
    }
}
