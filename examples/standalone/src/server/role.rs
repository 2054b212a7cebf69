use std::sync::Arc;

use crate::tls::Tls;

/// What a listener is for.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    /// Plain HTTP.
    Http,
    Https(Arc<Tls>),
    /// Plain HTTP that is led to HTTPS at this port.
    Redirect {
        port: u16,
    },
}

// === impl Role ===

impl Role {
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Https(tls) => Some(tls),
            Self::Http | Self::Redirect { .. } => None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https(_) => "https",
            Self::Redirect { .. } => "redirect to https",
        }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Https(_) => "https",
            Self::Http | Self::Redirect { .. } => "http",
        }
    }
}
