//! Why a request got its answer: the object, the conditions, the cache, and what S3 said.
//!
//! A request with an [`Explain`] in its extensions is answered by an explanation as JSON in place of the object. Whoever shows an
//! [`ExplainToken`] may have it: what it tells of bucket, keys and S3 is not for everybody.
//!
//! ```
//! use http::Request;
//! use tower_s3_proxy::explain::{Explain, ExplainToken};
//!
//! fn mark<B>(token: &ExplainToken, request: &mut Request<B>) {
//!     if token.is_shown_by(request.headers()) {
//!         request.extensions_mut().insert(Explain::new());
//!     }
//! }
//! # let token = ExplainToken::new("5f1d0c")?;
//! # let mut request = Request::get("/a").header("x-explain", "5f1d0c").body(())?;
//! # mark(&token, &mut request);
//! # assert!(request.extensions().get::<Explain>().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod report;
mod token;

use http::{HeaderMap, Method, Request, Uri};

pub(crate) use self::report::Report;
pub use self::token::{ExplainToken, InvalidExplainToken};

/// An extension of a request: the answer to a GET is an explanation.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Explain;

/// The head of a request that is explained.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

// === impl Explain ===

impl Explain {
    /// The mark.
    pub fn new() -> Self {
        Self
    }
}

// === impl Asked ===

impl Asked {
    /// `None` for every request but a GET that is marked.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        request.extensions().get::<Explain>()?;
        // A HEAD has no room for an answer, and what writes is not tried for an explanation.
        (request.method() == Method::GET)
            .then(|| Self { uri: request.uri().clone(), headers: request.headers().clone() })
    }
}
