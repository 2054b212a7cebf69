//! Requests that are explained to whoever has the token.

use std::env;

use http::Request;
use tower_s3_proxy::explain::{Explain, ExplainToken};

/// The variable with the token of a running instance, and of the command that asks it.
pub(crate) const TOKEN: &str = "EXPLAIN_TOKEN";

/// The field in which a request shows the token.
pub(crate) const FIELD: &str = "x-explain";

/// The token of the environment; `None` if nothing is explained.
pub(crate) fn token() -> Result<Option<ExplainToken>, String> {
    match env::var(TOKEN) {
        Ok(token) => ExplainToken::new(token).map(Some).map_err(|why| format!("{TOKEN}: {why}")),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(why) => Err(format!("{TOKEN}: {why}")),
    }
}

/// Marks a request that shows the token. A wrong one is answered as if there were none.
pub(crate) fn mark<B>(token: &ExplainToken, request: &mut Request<B>) {
    if request.headers().contains_key(FIELD) && token.is_shown_by(request.headers()) {
        request.extensions_mut().insert(Explain::new());
    }
}
