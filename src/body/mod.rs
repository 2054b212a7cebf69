//! Bodies: the inner service's own, and those of objects.

mod exact;
mod multipart;
mod object;
mod response;

pub use self::response::ResponseBody;
pub(crate) use self::{exact::ExactBody, multipart::MultipartBody, object::ObjectBody};
