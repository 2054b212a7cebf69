use std::{fmt, io, net::SocketAddr, time::Duration};

/// Why there is no connection to a host.
#[derive(Debug)]
pub(crate) enum DialError {
    LookUp(io::Error),
    NoAddressInTime(Duration),
    /// DNS knows the name, and no address of it.
    NoAddress,
    /// What the address said that was tried last.
    Refused(SocketAddr, io::Error),
    /// None of so many addresses, this one among them, answered within the limit.
    Unanswered(SocketAddr, usize, Duration),
}

// === impl DialError ===

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp(_) => f.write_str("the host's name was not resolved"),
            Self::NoAddressInTime(limit) => {
                write!(f, "timed out: the host's name was not resolved in {limit:?}")
            }
            Self::NoAddress => f.write_str("the host has no address"),
            Self::Refused(address, _) => write!(f, "{address} can't be reached"),
            Self::Unanswered(address, 1, limit) => {
                write!(f, "timed out: {address} did not answer in {limit:?}")
            }
            Self::Unanswered(address, tried, limit) => {
                write!(f, "timed out: none of {tried} addresses answered in {limit:?}, {address} among them")
            }
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::LookUp(why) | Self::Refused(_, why) => Some(why),
            Self::NoAddressInTime(_) | Self::NoAddress | Self::Unanswered(..) => None,
        }
    }
}
