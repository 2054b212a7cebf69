//! What clients see: rules for `Cache-Control`, content types, and the answers to what is missing, denied or malformed.

// Pure: values in, values out.

mod answers;
mod cache_control;
mod content_type;
mod cors;
mod disposition;
mod downstream;
mod error;
mod headers;
mod list;
mod multipart;
mod vary;

pub(crate) use answers::Answers;
pub use answers::{BadPathAnswer, DeniedAnswer, Fallback};
pub use cache_control::CacheControlRule;
pub(crate) use cache_control::{Applies, CacheControlPolicy};
pub use content_type::ContentTypeFix;
pub(crate) use content_type::ContentTypes;
pub use cors::Cors;
pub(crate) use cors::{CorsGrant, CorsPolicy, InvalidCors};
pub(crate) use disposition::{apply_disposition, disposition_field};
pub(crate) use downstream::keep_private;
pub use error::ErrorFormat;
pub(crate) use error::error_response;
pub(crate) use headers::{HeaderPolicy, WEBSITE_REDIRECT};
pub(crate) use multipart::{Boundary, Multipart};
pub(crate) use vary::vary_by_source;
