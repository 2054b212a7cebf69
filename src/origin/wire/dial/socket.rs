use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::DialSettings;

/// Sets the options of a connection. One that the system does not know is no reason to be without the connection.
pub(super) fn set_up(tcp: &TcpStream, settings: &DialSettings) {
    let _ = tcp.set_nodelay(true);
    let socket = SockRef::from(tcp);
    if !settings.tcp_keep_alive.is_zero() {
        let _ = socket.set_tcp_keepalive(&keep_alive(settings.tcp_keep_alive));
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = settings.tcp_user_timeout;
    // Keep-alive asks only if nothing is under way. What was sent into the void is repeated for a quarter of an hour
    // (tcp(7), `tcp_retries2`), unless this bounds it (RFC 5482).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !settings.tcp_user_timeout.is_zero() {
        let _ = socket.set_tcp_user_timeout(Some(settings.tcp_user_timeout));
    }
}

fn keep_alive(interval: Duration) -> TcpKeepalive {
    let interval = interval.clamp(SHORTEST, LONGEST);
    let keep_alive = TcpKeepalive::new().with_time(interval);
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
    let keep_alive = keep_alive.with_interval(interval).with_retries(PROBES);
    keep_alive
}

/// Whole seconds are what the systems count in, up to what Linux takes.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(32_767);

/// Without an answer to any of them, the connection is over.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
const PROBES: u32 = 3;
