pub(crate) mod check;
pub(crate) mod policies;
pub(crate) mod presign;
pub(crate) mod serve;
