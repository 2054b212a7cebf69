//! Bodies: the inner service's own, and those of objects.

mod bounded;
mod exact;
mod multipart;
mod object;
mod paced;
mod response;
mod rest;
mod untold;

pub use self::{
    bounded::SendBuffer,
    paced::{ByteRate, PacedBody},
    response::ResponseBody,
};
pub(crate) use self::{
    exact::ExactBody,
    multipart::MultipartBody,
    object::ObjectBody,
    rest::{Broken, PartFuture, Reopen, Rest},
    untold::UntoldBody,
};
