use std::fmt;

use http::HeaderValue;

use crate::object::ObjectKey;

/// The treatment of an object that was stored without a useful `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ContentTypeFix {
    /// If S3 has none, or its own `binary/octet-stream`, the type is that of the key's extension.
    #[default]
    ByExtension,
    /// The type is passed on as stored.
    AsStored,
}

/// The types of objects that were stored without a useful one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentTypes {
    fix: ContentTypeFix,
    /// The mount's own, by extension, in lower case.
    own: Vec<(String, HeaderValue)>,
}

/// A type for an extension that can't be one, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidContentType(String);

// === impl ContentTypes ===

impl ContentTypes {
    pub(crate) fn new(fix: ContentTypeFix, own: &[(String, String)]) -> Result<Self, InvalidContentType> {
        let own = own.iter().map(|(extension, value)| parse(extension, value)).collect::<Result<_, _>>()?;
        Ok(Self { fix, own })
    }

    /// The type to send, given the stored one.
    pub(crate) fn apply(&self, key: &ObjectKey, stored: Option<HeaderValue>) -> Option<HeaderValue> {
        let is_missing = stored.as_ref().is_none_or(|value| value.is_empty() || value == S3_DEFAULT);
        match self.fix {
            ContentTypeFix::ByExtension if is_missing => self.by_extension(key).or(stored),
            ContentTypeFix::ByExtension | ContentTypeFix::AsStored => stored,
        }
    }

    /// The mount's own type comes first, then that of our table.
    fn by_extension(&self, key: &ObjectKey) -> Option<HeaderValue> {
        let name = key.as_str().rsplit('/').next()?;
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        let own = self.own.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
        let known = || TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
        let usual = || mime_guess::from_ext(extension).first_raw();
        match own {
            Some((_, value)) => Some(value.clone()),
            None => known().map(|(_, name)| *name).or_else(usual).map(HeaderValue::from_static),
        }
    }
}

/// The type that S3 stores if the uploader names none.
const S3_DEFAULT: &str = "binary/octet-stream";

/// Where `mime_guess` has none, or another than players, renderers and package tools expect. Its table is sorted by name, and
/// begins with types of long ago.
///
/// They are those of IANA's registry, except for three: RFC 8216 §4 names that of `.m3u`, RPM's own tools that of `.rpm`, and
/// OpenEXR's that of `.exr` (IANA's `image/aces` is a narrow subset).
const TYPES: [(&str, &str); 42] = [
    // MPEG-2 transport streams, and what lists them.
    ("ts", "video/mp2t"),
    ("m2t", "video/mp2t"),
    ("m2ts", "video/mp2t"),
    ("mts", "video/mp2t"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m3u", "audio/mpegurl"),
    // ISO base media files and their segments (CMAF, ISO/IEC 23000-19).
    ("m4s", "video/iso.segment"),
    ("m4v", "video/mp4"),
    ("cmfv", "video/mp4"),
    ("m4a", "audio/mp4"),
    ("cmfa", "audio/mp4"),
    ("cmft", "application/mp4"),
    ("ttml", "application/ttml+xml"),
    // Geometry and images.
    ("obj", "model/obj"),
    ("mtl", "model/mtl"),
    ("stl", "model/stl"),
    ("3mf", "model/3mf"),
    ("step", "model/step"),
    ("stp", "model/step"),
    ("usda", "model/vnd.usda"),
    ("usdz", "model/vnd.usdz+zip"),
    ("exr", "image/x-exr"),
    ("dpx", "image/dpx"),
    ("jph", "image/jph"),
    ("ktx2", "image/ktx2"),
    ("psd", "image/vnd.adobe.photoshop"),
    ("ico", "image/vnd.microsoft.icon"),
    // Packages. A wheel and an egg are ZIP files.
    ("rpm", "application/x-rpm"),
    ("deb", "application/vnd.debian.binary-package"),
    ("whl", "application/zip"),
    ("egg", "application/zip"),
    ("crate", "application/gzip"),
    ("tgz", "application/gzip"),
    ("zst", "application/zstd"),
    // Pages.
    ("mjs", "text/javascript"),
    ("map", "application/json"),
    ("woff", "font/woff"),
    ("otf", "font/otf"),
    ("toml", "application/toml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("sql", "application/sql"),
];

fn parse(extension: &str, value: &str) -> Result<(String, HeaderValue), InvalidContentType> {
    let invalid = |why: &str| Err(InvalidContentType(format!("{extension:?} = {value:?}: {why}")));
    let name = extension.strip_prefix('.').unwrap_or(extension);
    if name.is_empty() || name.contains(['.', '/']) {
        return invalid("an extension is what stands behind the last dot of a name, like \"m4s\"");
    }
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence).trim_end();
    let is_type = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    match HeaderValue::from_str(value) {
        Ok(value) if is_type => Ok((name.to_ascii_lowercase(), value)),
        Ok(_) | Err(_) => invalid("a content type is like \"video/mp4\" or \"text/plain; charset=utf-8\""),
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

// === impl InvalidContentType ===

impl fmt::Display for InvalidContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(types: &ContentTypes, key: &str, stored: Option<&'static str>) -> Option<String> {
        let value = types.apply(&ObjectKey::new(key).unwrap(), stored.map(HeaderValue::from_static));
        value.map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_a_missing_type_is_guessed() {
        for (fix, key, stored, expected) in [
            (ContentTypeFix::ByExtension, "a/b.webp", None, Some("image/webp")),
            (ContentTypeFix::ByExtension, "a/b.JPG", Some("binary/octet-stream"), Some("image/jpeg")),
            (ContentTypeFix::ByExtension, "a/b.TS", Some("binary/octet-stream"), Some("video/mp2t")),
            (ContentTypeFix::ByExtension, "a.jpg", Some("text/plain"), Some("text/plain")),
            (
                ContentTypeFix::ByExtension,
                "a.jpg",
                Some("application/octet-stream"),
                Some("application/octet-stream"),
            ),
            (ContentTypeFix::ByExtension, "a.unknown-x", None, None),
            (ContentTypeFix::ByExtension, "jpg", Some("binary/octet-stream"), Some("binary/octet-stream")),
            (ContentTypeFix::ByExtension, "a.jpg/b", None, None),
            (ContentTypeFix::ByExtension, "a/.jpg", None, None),
            (ContentTypeFix::ByExtension, "a.", None, None),
            (ContentTypeFix::AsStored, "a.jpg", Some("binary/octet-stream"), Some("binary/octet-stream")),
            (ContentTypeFix::AsStored, "a.jpg", None, None),
        ] {
            let types = ContentTypes::new(fix, &[]).unwrap();
            assert_eq!(sent(&types, key, stored).as_deref(), expected, "{fix:?} {key} {stored:?}");
        }
    }

    /// Of IANA's registry (<https://www.iana.org/assignments/media-types>), which has them in this spelling or another
    /// case; those of [`TYPES`] that it lacks are given with `None`.
    #[test]
    fn types_are_those_that_clients_expect() {
        let types = ContentTypes::default();
        for (names, registered) in [
            ("a.ts a.m2ts a.mts a.m2t", Some("video/mp2t")),
            ("a.m3u8", Some("application/vnd.apple.mpegurl")),
            ("a.m4s", Some("video/iso.segment")),
            ("a.mp4 a.m4v a.cmfv", Some("video/mp4")),
            ("a.m4a a.cmfa", Some("audio/mp4")),
            ("a.cmft", Some("application/mp4")),
            ("a.mpd", Some("application/dash+xml")),
            ("a.vtt", Some("text/vtt")),
            ("a.ttml", Some("application/ttml+xml")),
            ("a.mov", Some("video/quicktime")),
            ("a.mxf", Some("application/mxf")),
            ("a.flac", Some("audio/flac")),
            ("a.obj", Some("model/obj")),
            ("a.mtl", Some("model/mtl")),
            ("a.stl", Some("model/stl")),
            ("a.3mf", Some("model/3mf")),
            ("a.step a.stp", Some("model/step")),
            ("a.gltf", Some("model/gltf+json")),
            ("a.glb", Some("model/gltf-binary")),
            ("a.usda", Some("model/vnd.usda")),
            ("a.usdz", Some("model/vnd.usdz+zip")),
            ("a.dpx", Some("image/dpx")),
            ("a.jph", Some("image/jph")),
            ("a.ktx2", Some("image/ktx2")),
            ("a.avif", Some("image/avif")),
            ("a.heic", Some("image/heic")),
            ("a.svg", Some("image/svg+xml")),
            ("a.psd", Some("image/vnd.adobe.photoshop")),
            ("favicon.ico", Some("image/vnd.microsoft.icon")),
            ("a.deb", Some("application/vnd.debian.binary-package")),
            ("a-1.0-py3-none-any.whl a.egg a.zip", Some("application/zip")),
            ("a.crate a.tgz a.tar.gz", Some("application/gzip")),
            ("a.zst", Some("application/zstd")),
            ("a.jar", Some("application/java-archive")),
            ("a.mjs a.js", Some("text/javascript")),
            ("a.js.map a.json", Some("application/json")),
            ("a.wasm", Some("application/wasm")),
            ("a.webmanifest", Some("application/manifest+json")),
            ("a.woff", Some("font/woff")),
            ("a.woff2", Some("font/woff2")),
            ("a.ttf", Some("font/ttf")),
            ("a.otf", Some("font/otf")),
            ("a.toml", Some("application/toml")),
            ("a.yaml a.yml", Some("application/yaml")),
            ("a.sql", Some("application/sql")),
            ("a.m3u", None),
            ("a.rpm", None),
            ("a.exr", None),
        ] {
            for name in names.split(' ') {
                let expected = registered.unwrap_or(match name {
                    "a.m3u" => "audio/mpegurl",
                    "a.rpm" => "application/x-rpm",
                    _ => "image/x-exr",
                });
                assert_eq!(sent(&types, name, None).as_deref(), Some(expected), "{name}");
            }
        }
        for (extension, name) in TYPES {
            assert_eq!(
                sent(&types, &format!("a.{extension}"), None).as_deref(),
                Some(name),
                "{extension} is there twice"
            );
        }
    }

    #[test]
    fn a_mounts_own_types_come_first_and_change_no_stored_one() {
        let own = [
            (".TS", "text/x.typescript"),
            ("vrm", "model/gltf-binary"),
            ("log", "text/plain; charset=utf-8"),
        ];
        let own = own.map(|(extension, value)| (extension.to_owned(), value.to_owned()));
        let types = ContentTypes::new(ContentTypeFix::ByExtension, &own).unwrap();
        for (key, stored, expected) in [
            ("a.ts", None, "text/x.typescript"),
            ("a.Vrm", Some("binary/octet-stream"), "model/gltf-binary"),
            ("a.log", None, "text/plain; charset=utf-8"),
            ("a.ts", Some("video/mp2t"), "video/mp2t"),
            ("a.jpg", None, "image/jpeg"),
        ] {
            assert_eq!(sent(&types, key, stored).as_deref(), Some(expected), "{key} {stored:?}");
        }
    }

    #[test]
    fn what_is_no_extension_or_no_type_is_refused() {
        for (extension, value, hint) in [
            ("", "a/b", "an extension is"),
            (".", "a/b", "an extension is"),
            ("tar.gz", "a/b", "an extension is"),
            ("a/b", "a/b", "an extension is"),
            ("ts", "", "a content type is"),
            ("ts", "video", "a content type is"),
            ("ts", "video/", "a content type is"),
            ("ts", "/mp4", "a content type is"),
            ("ts", "video/a/b", "a content type is"),
            ("ts", "video mp4/x", "a content type is"),
            ("ts", "video/mp4; a=\n", "a content type is"),
        ] {
            let own = [(extension.to_owned(), value.to_owned())];
            let why = ContentTypes::new(ContentTypeFix::ByExtension, &own).unwrap_err().to_string();
            assert!(why.contains(hint), "{why}");
        }
    }
}
