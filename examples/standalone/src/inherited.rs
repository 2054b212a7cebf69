//! What systemd, or another program before this one, hands over: listening sockets, and where to tell the state.

use std::{env, io};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, UnixListener};

use crate::server::{Listener, Place};

/// The listening sockets that this process was started with (`LISTEN_FDS`, `LISTEN_FDNAMES`; `sd_listen_fds(3)`).
pub(crate) struct Sockets {
    sockets: ListenFd,
    names: Vec<String>,
}

/// The state of the service, for its manager (`Type=notify`; `sd_notify(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Reloading,
    Stopping,
}

// === impl Sockets ===

impl Sockets {
    /// Those for this process. Once they are taken, its children see nothing of them.
    pub(crate) fn of_process() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { sockets: ListenFd::from_env(), names: names.split(':').map(str::to_owned).collect() }
    }

    /// Takes those of this name (`FileDescriptorName=` in the unit of the socket), or all.
    pub(crate) fn take(&mut self, name: Option<&str>) -> io::Result<Vec<Listener>> {
        let mut taken = Vec::new();
        for index in 0..self.sockets.len() {
            if name.is_none_or(|name| self.names.get(index).is_some_and(|own| own == name)) {
                taken.extend(self.take_one(index)?);
            }
        }
        Ok(taken)
    }

    /// `None` if it is taken already.
    fn take_one(&mut self, index: usize) -> io::Result<Option<Listener>> {
        if let Ok(found) = self.sockets.take_tcp_listener(index) {
            return found
                .map(|socket| {
                    socket.set_nonblocking(true)?;
                    TcpListener::from_std(socket).map(Listener::Tcp)
                })
                .transpose();
        }
        let found = self.sockets.take_unix_listener(index)?;
        found
            .map(|socket| {
                socket.set_nonblocking(true)?;
                UnixListener::from_std(socket).map(|listener| Listener::Unix(listener, Place::Inherited))
            })
            .transpose()
    }
}

// === impl State ===

impl State {
    /// Tells it, if there is who wants to know.
    pub(crate) fn tell(self) {
        let states = match self {
            Self::Ready => vec![NotifyState::Ready],
            // `Type=notify-reload` needs the time.
            Self::Reloading => [Some(NotifyState::Reloading), NotifyState::monotonic_usec_now().ok()]
                .into_iter()
                .flatten()
                .collect(),
            Self::Stopping => vec![NotifyState::Stopping],
        };
        if let Err(error) = sd_notify::notify(&states) {
            tracing::warn!(%error, "the state cannot be told to the service manager ($NOTIFY_SOCKET)");
        }
    }
}
