use crate::object::{InvalidGlobs, ObjectGlobs, ObjectKey, ObjectMatcher};

/// The reads that are answered with 307 and a link, so that their bytes do not pass the proxy.
///
/// ```
/// use tower_s3_proxy::links::{LinkPolicy, Redirect};
///
/// let films = Redirect::always().key("films/**").at_least(64 * 1024 * 1024);
/// let policy = LinkPolicy::new().redirect(films);
/// # let _ = policy;
/// ```
#[must_use = "it has no effect before `LinkPolicy::redirect`"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    globs: ObjectGlobs,
    at_least: Option<u64>,
}

/// The redirects of a mount, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redirects(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    objects: ObjectMatcher,
    at_least: Option<u64>,
}

/// Which reads of a key are redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirected {
    Never,
    /// If the object has at least so many bytes.
    FromSize(u64),
    Always,
}

// === impl Redirect ===

impl Redirect {
    /// Every GET and HEAD.
    pub fn always() -> Self {
        Self { globs: ObjectGlobs::default(), at_least: None }
    }

    /// Only those of keys that the glob matches, as in [`CacheControlRule::key`](crate::response::CacheControlRule::key): the
    /// key is S3's, with the mount's prefix.
    pub fn key(mut self, glob: impl Into<String>) -> Self {
        self.globs.key = Some(glob.into());
        self
    }

    /// Only those of objects of at least so many bytes. Unless the object's head is in the cache, the proxy asks S3 for the
    /// size first: a HEAD more for each such read.
    pub fn at_least(mut self, bytes: u64) -> Self {
        self.at_least = Some(bytes);
        self
    }
}

// === impl Redirects ===

impl Redirects {
    pub(super) fn new(redirects: &[Redirect]) -> Result<Self, InvalidGlobs> {
        let compile = |redirect: &Redirect| {
            Ok(Rule { objects: redirect.globs.compile()?, at_least: redirect.at_least })
        };
        redirects.iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least demand of the rules for the key.
    pub(crate) fn of(&self, key: &ObjectKey) -> Redirected {
        let fitting = self.0.iter().filter(|rule| rule.objects.fits_key(key));
        match fitting.map(|rule| rule.at_least).min() {
            None => Redirected::Never,
            // No object has fewer bytes.
            Some(None | Some(0)) => Redirected::Always,
            Some(Some(bytes)) => Redirected::FromSize(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_rules_for_a_key_the_one_that_asks_least_counts() {
        let films = || Redirect::always().key("films/**");
        let (large, small) = (|| films().at_least(100), || films().at_least(10));
        for (rules, key, expected) in [
            (vec![], "films/a", Redirected::Never),
            (vec![Redirect::always()], "a", Redirected::Always),
            (vec![films()], "films/a", Redirected::Always),
            (vec![films()], "a", Redirected::Never),
            (vec![large()], "films/a", Redirected::FromSize(100)),
            (vec![large(), small()], "films/a", Redirected::FromSize(10)),
            (vec![large(), films()], "films/a", Redirected::Always),
            (vec![large(), Redirect::always().key("*.mp4")], "films/a.mp4", Redirected::Always),
            (vec![films().at_least(0)], "films/a", Redirected::Always),
        ] {
            let redirects = Redirects::new(&rules).unwrap();
            assert_eq!(redirects.of(&ObjectKey::new(key).unwrap()), expected, "{rules:?} {key}");
        }
        assert!(Redirects::new(&[Redirect::always().key("a[")]).is_err());
    }
}
