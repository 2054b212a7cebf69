use http::HeaderMap;

use super::control::CacheControl;

/// Whether clients can control the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClientControl {
    /// They can, as RFC 9111 §5.2.1 says: a browser's reload reaches S3. On a public site, anyone can bypass the cache.
    #[default]
    Honoured,
    /// They cannot, as if their requests had neither `Cache-Control` nor `Pragma`.
    Ignored,
}

/// A client's cache directives (RFC 9111 §5.2.1). Numbers are seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestControl {
    /// Only a response that S3 has just confirmed.
    pub(crate) no_cache: bool,
    /// The response must not be stored (§5.2.1.5). A stored response may still be used.
    pub(crate) no_store: bool,
    /// 504 rather than a request to S3 (§5.2.1.7).
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u32>,
    pub(crate) min_fresh: Option<u32>,
    /// [`u32::MAX`]: however stale.
    pub(crate) max_stale: Option<u32>,
    /// RFC 5861 §4.
    pub(crate) stale_if_error: Option<u32>,
}

// === impl RequestControl ===

impl RequestControl {
    pub(crate) fn new(request: &HeaderMap, clients: ClientControl) -> Self {
        match clients {
            ClientControl::Honoured => CacheControl::of_request(request).into(),
            ClientControl::Ignored => Self::default(),
        }
    }
}

impl From<CacheControl> for RequestControl {
    fn from(control: CacheControl) -> Self {
        let CacheControl { no_cache, no_store, only_if_cached, .. } = control;
        let CacheControl { max_age, min_fresh, max_stale, stale_if_error, .. } = control;
        Self { no_cache, no_store, only_if_cached, max_age, min_fresh, max_stale, stale_if_error }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn clients_are_heard_only_where_the_mount_wants_it() {
        let nothing = RequestControl::default();
        for (name, value, asked) in [
            ("pragma", "x, No-Cache", RequestControl { no_cache: true, ..nothing }),
            ("pragma", "no-store", nothing),
            ("cache-control", "no-cache", RequestControl { no_cache: true, ..nothing }),
            ("cache-control", "no-store", RequestControl { no_store: true, ..nothing }),
            ("cache-control", "only-if-cached", RequestControl { only_if_cached: true, ..nothing }),
            ("cache-control", "max-age=0", RequestControl { max_age: Some(0), ..nothing }),
            ("cache-control", "min-fresh=5", RequestControl { min_fresh: Some(5), ..nothing }),
            ("cache-control", "max-stale", RequestControl { max_stale: Some(u32::MAX), ..nothing }),
            ("cache-control", "stale-if-error=9", RequestControl { stale_if_error: Some(9), ..nothing }),
            ("cache-control", "private, s-maxage=1", nothing),
        ] {
            let row = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
            let request = HeaderMap::from_iter(row);
            assert_eq!(RequestControl::new(&request, ClientControl::Honoured), asked, "{name}: {value}");
            assert_eq!(RequestControl::new(&request, ClientControl::Ignored), nothing, "{name}: {value}");
        }
    }
}
