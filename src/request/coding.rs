use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

/// A coding in which an object can be stored beside itself, under its key and a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

// === impl Coding ===

impl Coding {
    /// Those that a client takes (RFC 9110 §12.5.3), the ones that it likes best first, and of those the ones that come first here.
    pub(crate) fn accepted(headers: &HeaderMap, offered: &[Self]) -> Vec<Self> {
        let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        let told: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(weighted).collect();
        let weight = |name: &str| {
            told.iter().find(|(told, _)| told.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight)
        };
        let named = |coding: Self| coding.names().iter().find_map(|name| weight(name));
        let of = |coding: Self| named(coding).or_else(|| weight("*")).unwrap_or(0);
        // Without a word about it, the object as it is comes last.
        let least = weight("identity").unwrap_or(0).max(1);
        let mut accepted: Vec<_> = offered.iter().copied().filter(|coding| of(*coding) >= least).collect();
        accepted.sort_by_key(|coding| std::cmp::Reverse(of(*coding)));
        accepted
    }

    /// Its content coding (IANA, "HTTP Content Coding Registry").
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// With that of RFC 9110 §8.4.1.3, which means the same.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Brotli => &["br"],
            Self::Zstd => &["zstd"],
            Self::Gzip => &["gzip", "x-gzip"],
        }
    }

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// A coding and its weight, in thousandths.
fn weighted(text: &str) -> Option<(&str, u32)> {
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    let name = name.trim();
    let weight =
        parameters.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.trim_start().strip_prefix('='));
    let weight = match weight {
        None if parameters.trim().is_empty() => 1000,
        None => return None,
        Some(value) => thousandths(value.trim())?,
    };
    (!name.is_empty()).then_some((name, weight))
}

/// `0`, `1`, and up to three digits behind the point.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = format!("{fraction:0<3}").parse::<u32>().ok().filter(|_| is_number)?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

/// Whether something of this type is smaller when it is compressed.
pub(crate) fn is_compressible(content_type: &HeaderValue) -> bool {
    let essence = content_type
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || COMPRESSIBLE.contains(&essence.as_str())
}

const COMPRESSIBLE: [&str; 9] = [
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/wasm",
    "application/xml",
    "application/vnd.ms-fontobject",
    "font/otf",
    "font/ttf",
    "image/bmp",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_likes_best() {
        use Coding::{Brotli, Gzip, Zstd};
        let all = [Brotli, Zstd, Gzip];
        for (lines, expected) in [
            (&["gzip, deflate, br, zstd"][..], &[Brotli, Zstd, Gzip][..]),
            (&["gzip", "br"], &[Brotli, Gzip]),
            (&["gzip;q=1.0, br;q=0.5"], &[Gzip, Brotli]),
            (&["br;q=0, *;q=0.1"], &[Zstd, Gzip]),
            (&["*"], &[Brotli, Zstd, Gzip]),
            (&["BR;Q=0.001"], &[Brotli]),
            (&["identity"], &[]),
            (&["identity;q=1, br;q=0.5"], &[]),
            (&["identity;q=0.5, br;q=0.5, gzip;q=0.4"], &[Brotli]),
            (&["x-gzip"], &[Gzip]),
            (&["gzip;q=0"], &[]),
            (&["gzip;q=2, br;q=0.1234, zstd;x=1"], &[]),
            (&[""], &[]),
            (&[], &[]),
        ] {
            let mut map = HeaderMap::new();
            for line in lines {
                map.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(Coding::accepted(&map, &all), expected, "{lines:?}");
        }
        let gzip = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"))]);
        assert_eq!(Coding::accepted(&gzip, &[Gzip]), [Gzip]);
    }

    #[test]
    fn pictures_and_films_are_not_looked_for_in_another_coding() {
        for (name, expected) in [
            ("text/html; charset=utf-8", true),
            ("Text/CSS", true),
            ("image/svg+xml", true),
            ("application/json", true),
            ("image/png", false),
            ("video/mp4", false),
            ("font/woff2", false),
            ("application/zip", false),
        ] {
            assert_eq!(is_compressible(&HeaderValue::from_static(name)), expected, "{name}");
        }
    }
}
