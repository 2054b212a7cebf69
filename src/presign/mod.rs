//! Making links: [`Mount::presign`].

mod mount;
