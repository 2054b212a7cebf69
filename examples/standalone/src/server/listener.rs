use std::{
    fmt, fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::{role::Role, socket::Socket};

/// Where connections come in.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Place),
}

/// A listener, and what its connections are.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) listener: Listener,
    pub(crate) role: Role,
    pub(crate) addressing: Addressing,
}

/// How the addresses of clients are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// They are those of the connections.
    Peer,
    /// A proxy in front tells them, once for each connection (the PROXY protocol, version 2).
    ProxyProtocol,
}

/// The file of a Unix socket.
#[derive(Debug)]
pub(crate) enum Place {
    /// Made here, with this inode, and removed at the end.
    Own { path: PathBuf, inode: u64 },
    /// Made by who handed over the socket.
    Inherited,
}

/// Connections that wait to be accepted. The kernel lowers it to what it allows (`net.core.somaxconn`). Beyond it a
/// client's SYN is dropped, and repeated after a second.
const BACKLOG: u32 = 4096;

/// Listens at the address.
pub(crate) fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Else a restart had to wait for the connections of the last run to leave TIME-WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

// === impl Listener ===

impl Listener {
    /// Listens at a socket file with these permissions, in place of one that nobody listens at any more.
    pub(crate) fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "there is a file that is no socket",
                ));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
        }
        // Made beside it and moved there: at no time can others connect, or find nobody.
        let mut made = path.as_os_str().to_owned();
        made.push(format!(".{}", process::id()));
        let made = PathBuf::from(made);
        let _ = fs::remove_file(&made);
        let listener = UnixListener::bind(&made)?;
        let placed = fs::set_permissions(&made, fs::Permissions::from_mode(mode))
            .and_then(|()| fs::symlink_metadata(&made))
            .and_then(|found| fs::rename(&made, path).map(|()| found.ino()));
        match placed {
            Ok(inode) => Ok(Self::Unix(listener, Place::Own { path: path.to_owned(), inode })),
            Err(why) => {
                let _ = fs::remove_file(&made);
                Err(why)
            }
        }
    }

    /// The next connection, with its address. Those over Unix sockets have none.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (tcp, address) = listener.accept().await?;
                Ok((Socket::Tcp(tcp), Some(address.ip())))
            }
            Self::Unix(listener, _) => {
                let (unix, _) = listener.accept().await?;
                Ok((Socket::Unix(unix), None))
            }
        }
    }

    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(..) => None,
        }
    }
}

/// As in URLs; `unix:` and the path for a Unix socket.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(why) => write!(f, "({why})"),
            },
            // The kernel calls it by its name before it was moved.
            Self::Unix(_, Place::Own { path, .. }) => write!(f, "unix:{}", path.display()),
            Self::Unix(listener, Place::Inherited) => {
                let address = listener.local_addr().ok();
                match address.as_ref().and_then(|address| address.as_pathname()) {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("a Unix socket without a name"),
                }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Own { path, inode } = self
            // Another program may have put its own there meanwhile.
            && fs::symlink_metadata(&*path).is_ok_and(|found| found.ino() == *inode)
        {
            let _ = fs::remove_file(path);
        }
    }
}
