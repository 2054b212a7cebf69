/// What an entry of a listing is, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// What keys have in common up to a slash.
    Folder,
    /// A picture that browsers show.
    Picture,
    /// A film that browsers may play.
    Film,
    /// Sound that browsers may play.
    Sound,
    /// A document in PDF.
    Pdf,
    /// Text of any kind.
    Text,
    /// A page in HTML.
    Page,
    /// An archive, or a compressed file.
    Archive,
    /// Anything else.
    Other,
}

// === impl EntryKind ===

impl EntryKind {
    /// That of an object with this type.
    pub(crate) fn of_type(content_type: Option<&str>) -> Self {
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let (kind, subtype) = essence.split_once('/').unwrap_or((essence, ""));
        match (kind, subtype) {
            ("image", subtype) if PICTURES.contains(&subtype) => Self::Picture,
            ("video", "mp4" | "webm" | "ogg" | "quicktime") => Self::Film,
            ("audio", _) => Self::Sound,
            ("application", "pdf") => Self::Pdf,
            ("text", "html") | ("application", "xhtml+xml") => Self::Page,
            ("text", _) => Self::Text,
            ("application", subtype) if TEXTS.contains(&subtype) => Self::Text,
            ("application", subtype) if ARCHIVES.contains(&subtype) => Self::Archive,
            _ => Self::Other,
        }
    }

    /// Whether it can be shown beside the listing. A document in PDF has the browser's own viewer: within a page it would need a
    /// frame, in which an object that only has such a name could run as a page of this host.
    pub(crate) fn has_preview(self) -> bool {
        match self {
            Self::Picture | Self::Film | Self::Sound | Self::Text => true,
            Self::Folder | Self::Pdf | Self::Page | Self::Archive | Self::Other => false,
        }
    }

    /// As a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Picture => "picture",
            Self::Film => "film",
            Self::Sound => "sound",
            Self::Pdf => "pdf",
            Self::Text => "text",
            Self::Page => "page",
            Self::Archive => "archive",
            Self::Other => "other",
        }
    }
}

/// Those that all browsers show.
const PICTURES: [&str; 9] =
    ["apng", "avif", "bmp", "gif", "jpeg", "png", "svg+xml", "vnd.microsoft.icon", "webp"];

const TEXTS: [&str; 8] = ["javascript", "json", "sql", "toml", "x-sh", "xml", "yaml", "x-subrip"];

const ARCHIVES: [&str; 9] = [
    "gzip",
    "java-archive",
    "vnd.debian.binary-package",
    "x-7z-compressed",
    "x-bzip2",
    "x-rar-compressed",
    "x-tar",
    "zip",
    "zstd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_tells_the_kind() {
        for (content_type, kind) in [
            (Some("image/png"), EntryKind::Picture),
            (Some("image/tiff"), EntryKind::Other),
            (Some("video/mp4"), EntryKind::Film),
            (Some("video/mp2t"), EntryKind::Other),
            (Some("audio/mpeg"), EntryKind::Sound),
            (Some("application/pdf"), EntryKind::Pdf),
            (Some("text/html; charset=utf-8"), EntryKind::Page),
            (Some("text/plain"), EntryKind::Text),
            (Some("application/json"), EntryKind::Text),
            (Some("application/zip"), EntryKind::Archive),
            (None, EntryKind::Other),
        ] {
            assert_eq!(EntryKind::of_type(content_type), kind, "{content_type:?}");
        }
    }
}
