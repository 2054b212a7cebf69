use std::net::IpAddr;

/// The address of the client that a request is from: an extension of the request that a layer in front sets.
///
/// [Log-in services](crate::access::ForwardAuth) are told it. The proxy itself sees no connection, and believes no field
/// of a request. The standalone proxy sets it if a mount [has a use for it](crate::S3ProxyLayer::wants_client_address).
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// use tower_s3_proxy::access::ClientAddress;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);
