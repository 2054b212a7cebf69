use super::policy::Dotfiles;
use crate::object::{InvalidGlobs, ObjectGlobs, ObjectKey, ObjectMatcher};

/// What a listing does not show.
#[derive(Debug)]
pub(crate) struct Hidden {
    dotfiles: Dotfiles,
    globs: Vec<ObjectMatcher>,
}

// === impl Hidden ===

impl Hidden {
    pub(super) fn new(dotfiles: Dotfiles, globs: &[String]) -> Result<Self, InvalidGlobs> {
        let globs =
            globs.iter().map(|glob| ObjectGlobs { key: Some(glob.clone()), content_type: None }.compile());
        Ok(Self { dotfiles, globs: globs.collect::<Result<_, _>>()? })
    }

    /// Whether a path behind the mount's is hidden: itself, or a folder that it is in. That of a folder ends with a slash.
    pub(crate) fn hides(&self, path: &str) -> bool {
        let has_dot = || path.split('/').any(|name| name.starts_with('.'));
        if self.dotfiles == Dotfiles::Hidden && has_dot() {
            return true;
        }
        if self.globs.is_empty() {
            return false;
        }
        let folders = path.match_indices('/').map(|(at, _)| at);
        let matched = |end: usize| {
            let known = |text: Option<&str>| text.and_then(|text| ObjectKey::new(text).ok());
            // `private/**` means the folder, too.
            let forms = [known(path.get(..end)), known(path.get(..=end))];
            forms.iter().flatten().any(|key| self.globs.iter().any(|glob| glob.fits_key(key)))
        };
        folders.chain([path.len()]).any(matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_is_hidden_and_all_below_it() {
        let globs = ["*.tmp", "internal", "drafts/*/raw", "private/**", "a[b]"].map(str::to_owned);
        let hidden = Hidden::new(Dotfiles::Hidden, &globs).unwrap();
        for (path, is_hidden) in [
            ("a.txt", false),
            ("a.tmp", true),
            ("docs/a.tmp", true),
            ("docs/a.tmpx", false),
            ("internal/", true),
            ("internal/a.txt", true),
            ("docs/internal/deep/a.txt", true),
            ("internals/", false),
            ("drafts/7/raw/", true),
            ("drafts/7/raw/a.exr", true),
            ("drafts/7/", false),
            ("drafts/7/8/raw/", false),
            ("private/", true),
            ("private/a", true),
            ("privates/", false),
            ("ab", true),
            (".git/", true),
            (".git/config", true),
            ("a/.b/c", true),
            ("a.b", false),
            ("", false),
        ] {
            assert_eq!(hidden.hides(path), is_hidden, "{path}");
        }
        let shown = Hidden::new(Dotfiles::Shown, &[]).unwrap();
        assert!(!shown.hides(".git/config"));
        assert!(Hidden::new(Dotfiles::Shown, &["a[".to_owned()]).is_err());
    }
}
