//! Making links: [`Mount::presign`].

mod cloudfront;
mod failure;
mod mount;

pub(crate) use self::failure::failure_of;
