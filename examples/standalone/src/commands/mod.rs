pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod manual;
pub(crate) mod link;
pub(crate) mod policies;
pub(crate) mod presign;
pub(crate) mod purge;
pub(crate) mod serve;
pub(crate) mod user;
pub(crate) mod warm;

use std::io::{self, ErrorKind, Write};

/// Writes what a command has found out. Who reads it may have enough before its end, as `head` has.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
