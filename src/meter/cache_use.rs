use http::{HeaderMap, HeaderName};

/// How the cache took part in a response: one word for what `Cache-Status` says in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheUse {
    /// The mount has no cache, or the response is none of an object.
    None,
    /// From the cache, fresh.
    Hit,
    /// From the cache, and known to be stale.
    Stale,
    /// S3 was asked, since what the cache had was stale, or the client wanted it confirmed.
    Revalidated,
    /// S3 was asked, since the cache did not have all of it.
    Miss,
    /// S3 was asked past the cache.
    Bypass,
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

// === impl CacheUse ===

impl CacheUse {
    #[cfg(feature = "metrics")]
    pub(super) const COUNT: usize = Self::Bypass as usize + 1;

    /// What the proxy's own member of `Cache-Status` says (RFC 9211 §2), which is the last one.
    pub fn of(headers: &HeaderMap) -> Self {
        let own = headers.get_all(CACHE_STATUS).iter().next_back();
        let Some(own) = own.and_then(|value| value.as_bytes().strip_prefix(b"tower-s3-proxy; ")) else {
            return Self::None;
        };
        let (said, rest) = own.split_at(own.iter().position(|byte| *byte == b';').unwrap_or(own.len()));
        match said {
            // RFC 9211 §2.4: a negative time to live is the age beyond it.
            b"hit" if rest.starts_with(b"; ttl=-") => Self::Stale,
            b"hit" => Self::Hit,
            b"fwd=stale" | b"fwd=request" => Self::Revalidated,
            b"fwd=bypass" => Self::Bypass,
            _ => Self::Miss,
        }
    }

    /// The word, as in metrics and logs: `none`, `hit`, `stale`, `revalidated`, `miss` or `bypass`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_last_member_of_cache_status_says_how_the_cache_took_part() {
        for (lines, expected) in [
            (&[][..], CacheUse::None),
            (&["tower-s3-proxy; hit; ttl=376"], CacheUse::Hit),
            (&["tower-s3-proxy; hit; ttl=0"], CacheUse::Hit),
            (&["tower-s3-proxy; hit; ttl=-412"], CacheUse::Stale),
            (&["tower-s3-proxy; hit; ttl=-1; detail=origin-slow"], CacheUse::Stale),
            (&["tower-s3-proxy; fwd=uri-miss; stored; ttl=60"], CacheUse::Miss),
            (&["tower-s3-proxy; fwd=miss"], CacheUse::Miss),
            (&["tower-s3-proxy; fwd=partial; collapsed"], CacheUse::Miss),
            (&["tower-s3-proxy; fwd=stale; stored"], CacheUse::Revalidated),
            (&["tower-s3-proxy; fwd=request"], CacheUse::Revalidated),
            (&["tower-s3-proxy; fwd=bypass"], CacheUse::Bypass),
            // Of a cache at the origin's side.
            (&["Origin; hit"], CacheUse::None),
            (&["Origin; hit", "tower-s3-proxy; fwd=uri-miss"], CacheUse::Miss),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CACHE_STATUS, HeaderValue::from_static(line));
            }
            assert_eq!(CacheUse::of(&headers), expected, "{headers:?}");
        }
    }
}
