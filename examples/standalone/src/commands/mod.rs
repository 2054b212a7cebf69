pub(crate) mod check;
pub(crate) mod policies;
pub(crate) mod serve;
