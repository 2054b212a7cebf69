use http::StatusCode;

use super::{Complaint, Place, Why, pattern::Pattern, target::Target};
use crate::object::{decode_once, has_dot_segment};

/// The rules of a file `_redirects`: for paths without an object. The first that matches decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Redirects {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    from: Pattern,
    to: Target,
    effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Redirect(StatusCode),
    /// 200.
    Rewrite,
    /// 404.
    Missing,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Redirect(StatusCode, Place),
    /// The page at this path of the site is the response: encoded, and without the slash in front.
    Rewrite(String),
    /// The page at this path is that of a 404.
    Missing(String),
}

/// Cloudflare's limits.
const MAX_STATIC: usize = 2_000;
const MAX_DYNAMIC: usize = 100;
/// In bytes.
const MAX_LINE: usize = 1_000;

// === impl Redirects ===

impl Redirects {
    /// The rules of the good lines, and what is wrong with the others.
    pub(crate) fn parse(text: &str) -> (Self, Vec<Complaint>) {
        let (mut rules, mut complaints) = (Vec::<Rule>::new(), Vec::new());
        let (mut fixed, mut dynamic) = (0, 0);
        for (n, line) in text.lines().enumerate() {
            let mut complain = |why| complaints.push(Complaint { line: n + 1, why });
            let rule = match Rule::parse(line) {
                Ok(Some(rule)) => rule,
                Ok(None) => continue,
                Err(why) => {
                    complain(why);
                    continue;
                }
            };
            let (count, most) =
                if rule.from.is_static() { (&mut fixed, MAX_STATIC) } else { (&mut dynamic, MAX_DYNAMIC) };
            *count += 1;
            match *count {
                count if count <= most => rules.push(rule),
                // The others go without saying.
                count if count == most + 1 => complain(Why::TooMany(most)),
                _ => {}
            }
        }
        (Self { rules }, complaints)
    }

    /// For a path that is decoded and begins with a slash. What would lead to itself leads nowhere, and so does what would climb.
    pub(crate) fn find(&self, path: &str) -> Option<Outcome> {
        self.rules.iter().find_map(|rule| {
            let place = rule.to.fill(&rule.from.matches(path)?);
            if let Place::Site(rest) = &place
                && let Ok(rest) = decode_once(rest.split(['?', '#']).next().unwrap_or_default())
                && (path.strip_prefix('/') == Some(&*rest) || has_dot_segment(&rest))
            {
                return None;
            }
            Some(match (rule.effect, place) {
                (Effect::Redirect(status), place) => Outcome::Redirect(status, place),
                (Effect::Rewrite, Place::Site(rest)) => Outcome::Rewrite(rest),
                (Effect::Missing, Place::Site(rest)) => Outcome::Missing(rest),
                (Effect::Rewrite | Effect::Missing, Place::Url(_)) => return None,
            })
        })
    }
}

// === impl Rule ===

impl Rule {
    /// `None` for a line without a rule.
    fn parse(line: &str) -> Result<Option<Self>, Why> {
        if line.len() > MAX_LINE {
            return Err(Why::TooLong);
        }
        let mut words = line.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(from) = words.next() else { return Ok(None) };
        let Some(to) = words.next() else {
            return Err(Why::Form("a rule is a path, where it leads, and a status"));
        };
        if to.contains('=') && !to.contains('/') {
            return Err(Why::Form("rules for parameters of a query are not supported"));
        }
        let from = Pattern::parse(from)?;
        let to = Target::parse(to, &from)?;
        let effect = match words.next() {
            None => Effect::Redirect(StatusCode::MOVED_PERMANENTLY),
            Some(status) if status.ends_with('!') => {
                return Err(Why::Form(
                    "rules that come before objects (a status with \"!\") are not supported",
                ));
            }
            Some("200") => Effect::Rewrite,
            Some("404") => Effect::Missing,
            Some(status @ ("301" | "302" | "303" | "307" | "308")) => {
                Effect::Redirect(StatusCode::from_bytes(status.as_bytes()).unwrap_or(StatusCode::FOUND))
            }
            Some(status) => return Err(Why::Status(status.to_owned())),
        };
        if words.next().is_some() {
            return Err(Why::Form("rules with conditions (country, language, role) are not supported"));
        }
        match effect {
            Effect::Rewrite | Effect::Missing if !to.is_page() => Err(Why::Form(
                "a rule with the status 200 or 404 names a page of this site, by its path alone",
            )),
            Effect::Redirect(_) | Effect::Rewrite | Effect::Missing => Ok(Some(Self { from, to, effect })),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "
# Comments, and empty lines.
/old            /new
/temporary      /new          302   # a comment behind a rule
/303 /new 303
/307 /new 307
/308 /new 308
/blog/:y/:name  /posts/:y-:name 301
/shop/*         https://shop.test/:splat 301
/open/*         /:splat 302
/loop           /loop 301
/query          /query?x=y 302
/fragment       /fragment#x 302
/up/*y          /down/:splat 302
/down           /%2e%2e/x 302
/gone/*         /gone.html 404
/old            /never
/app/*          /app.html 200
/*              /en/:splat 302
";

    fn told(rules: &Redirects, path: &str) -> String {
        match rules.find(path) {
            None => "none".to_owned(),
            Some(Outcome::Redirect(status, Place::Site(rest))) => format!("{} /{rest}", status.as_u16()),
            Some(Outcome::Redirect(status, Place::Url(url))) => format!("{} {url}", status.as_u16()),
            Some(Outcome::Rewrite(rest)) => format!("200 /{rest}"),
            Some(Outcome::Missing(rest)) => format!("404 /{rest}"),
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let (rules, complaints) = Redirects::parse(FILE);
        assert_eq!(complaints, []);
        for (path, expected) in [
            ("/old", "301 /new"),
            ("/temporary", "302 /new"),
            ("/303", "303 /new"),
            ("/307", "307 /new"),
            ("/308", "308 /new"),
            ("/blog/2024/x", "301 /posts/2024-x"),
            ("/shop/a/b", "301 https://shop.test/a/b"),
            ("/open//evil.test", "302 //evil.test"),
            ("/gone/x", "404 /gone.html"),
            ("/app/films/7", "200 /app.html"),
            // A rule that leads to itself is passed over.
            ("/loop", "302 /en/loop"),
            ("/query", "302 /en/query"),
            ("/fragment", "302 /en/fragment"),
            // No path of the site has such a segment.
            ("/up/..y", "302 /en/up/..y"),
            ("/down", "302 /en/down"),
            ("/x", "302 /en/x"),
        ] {
            assert_eq!(told(&rules, path), expected, "{path}");
        }
        let (spa, _) = Redirects::parse("/* /index.html 200");
        assert_eq!([told(&spa, "/a"), told(&spa, "/index.html")], ["200 /index.html", "none"]);
    }

    #[test]
    fn each_wrong_line_is_told_and_the_others_count() {
        for (line, says) in [
            ("/a", "a rule is a path"),
            ("a /b", "begin with a slash"),
            ("https://x.test/a /b", "begin with a slash"),
            ("/a //evil.test", "one slash in front"),
            ("/a b", "one slash in front"),
            ("/a /b 418", "\"418\" must be one of"),
            ("/a /b 301!", "with \"!\""),
            ("/a /b 301 Country=de", "conditions"),
            ("/a id=:id /b 301", "parameters of a query"),
            ("/a https://x.test/ 200", "a page of this site"),
            ("/a /b?x 404", "a page of this site"),
            ("/*/* /b", "one \"*\" at most"),
        ] {
            let (rules, complaints) = Redirects::parse(&format!("# 1\n{line}\n/good /b"));
            let [Complaint { line: 2, why }] = &*complaints else { panic!("{line}: {complaints:?}") };
            assert!(why.to_string().contains(says), "{line}: {why}");
            assert_eq!(rules.rules.len(), 1, "{line}");
        }
        let (_, complaints) = Redirects::parse(&format!("/a /{}", "b".repeat(MAX_LINE)));
        assert_eq!(complaints, [Complaint { line: 1, why: Why::TooLong }]);
    }

    proptest! {
        /// However the path of a request looks: the host is the rule's, and nothing of the path ends the URL's own.
        #[test]
        fn a_path_adds_to_no_part_of_a_url_but_the_path(path in "(/|//|\\\\|:|@|\\?|#|%|\\.\\.|\\PC|\r|\n){0,20}") {
            let (rules, _) = Redirects::parse("/away/* https://shop.test/x/:splat\n/here/* /:splat?from=:splat");
            for front in ["/away/", "/here/"] {
                let (url, front) = match rules.find(&format!("{front}{path}")) {
                    Some(Outcome::Redirect(_, Place::Url(url))) => (url, "https://shop.test/x/"),
                    Some(Outcome::Redirect(_, Place::Site(rest))) => (rest, ""),
                    // It leads to itself, or to nothing.
                    _ => continue,
                };
                let behind = url.strip_prefix(front).expect("the host is the rule's");
                let path = behind.split_once("?from=").map_or(behind, |(path, _)| path);
                prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\:@".contains(&b)), "{}", path);
            }
        }
    }

    #[test]
    fn there_is_a_limit_for_each_kind_of_rule() {
        let fixed = (0..=MAX_STATIC + 5).map(|n| format!("/{n} /x\n"));
        let dynamic = (0..=MAX_DYNAMIC + 5).map(|n| format!("/{n}/* /x\n"));
        let (rules, complaints) = Redirects::parse(&fixed.chain(dynamic).collect::<String>());
        assert_eq!(rules.rules.len(), MAX_STATIC + MAX_DYNAMIC);
        let told: Vec<_> = complaints.iter().map(|complaint| (complaint.line, &complaint.why)).collect();
        let lines = (MAX_STATIC + 1, MAX_STATIC + 6 + MAX_DYNAMIC + 1);
        assert_eq!(told, [(lines.0, &Why::TooMany(MAX_STATIC)), (lines.1, &Why::TooMany(MAX_DYNAMIC))]);
    }
}
