//! Why a connection fails.

use crate::{
    diagnosis::context::{Facts, Server},
    origin::TlsFault,
};

/// For a name without an address.
pub(in crate::diagnosis) fn no_address(facts: &Facts, host: &str) -> String {
    let is_virtual = host.starts_with(&format!("{}.", facts.bucket));
    match (facts.server, is_virtual) {
        (Server::Compatible, true) => {
            "The name has the bucket in front of the endpoint's host, and DNS often does not know such names. Set \
             path_style = true (--path-style), which puts the bucket into the path; or give the server a wildcard DNS \
             record."
                .to_owned()
        }
        (Server::Aws, _) => "Is the region's name right? Otherwise this machine can't resolve public names: in a VPC \
                             without Internet, enable DNS resolution, and give the endpoint's name as connect_to if \
                             private DNS is off."
            .to_owned(),
        (Server::Compatible, false) => {
            "Is the endpoint's host spelt correctly, and known where the proxy runs (in its container, not only on the \
             host)?"
                .to_owned()
        }
    }
}

/// For a proxy that does not connect.
pub(in crate::diagnosis) fn no_proxy(proxy: &str) -> String {
    format!(
        "The proxy {proxy} is what transport.proxy says (-o transport.proxy=URL), or else the variables https_proxy, http_proxy \
         and all_proxy, also in upper case. Does it run there, and does it let this machine connect to S3's host and port? \
         transport.no_proxy or NO_PROXY name the hosts that are reached without it."
    )
}

/// For an address that accepts no connection.
pub(in crate::diagnosis) fn no_connection(facts: &Facts) -> &'static str {
    match facts.server {
        Server::Aws => {
            "Something on the way drops or refuses it: a security group or network ACL without outbound 443, a subnet \
             without a route (a NAT, or a gateway endpoint for S3), or a VPC interface endpoint whose security group \
             does not admit this machine."
        }
        Server::Compatible => {
            "Does the server run on that port and that address? In a container, 127.0.0.1 and localhost are the \
             container itself."
        }
    }
}

/// For a failed handshake.
pub(in crate::diagnosis) fn no_tls(facts: &Facts, host: &str, fault: &TlsFault) -> String {
    let bucket = &facts.bucket;
    match fault {
        TlsFault::OtherName(_) => match host.strip_prefix(&format!("{bucket}.")) {
            Some(parent) if facts.has_dots() => format!(
                "The bucket's name has dots, but the star of a certificate stands for one label: a certificate for \
                 *.{parent} does not match {host}. Put the bucket into the path: endpoint_url = \"https://{parent}\" \
                 with path_style = true (--endpoint, --path-style)."
            ),
            Some(parent) => format!(
                "The server has no certificate with the bucket in front of its name. Set path_style = true (--path-style), \
                 or give it one for *.{parent}."
            ),
            None => "The endpoint's host must be a name in the certificate. For a VPC endpoint, keep the endpoint as \
                     it is, and give the VPC endpoint's name as connect_to."
                .to_owned(),
        },
        TlsFault::UnknownIssuer => {
            "The certificate's issuer is not trusted here: it is your own authority, or a firewall that intercepts \
             TLS. Install the authority's certificate, or name a file with it as ca_file of the transport (-o \
             transport.ca_file=FILE) or in AWS_CA_BUNDLE, which replaces the authorities of the system."
                .to_owned()
        }
        TlsFault::NotValidNow => {
            "The certificate has expired, or is not valid yet, by the clock of this machine: check both.".to_owned()
        }
        TlsFault::NotTls => "The port does not speak TLS: give the endpoint with http://, or another port.".to_owned(),
        TlsFault::Other(_) => String::new(),
    }
}
