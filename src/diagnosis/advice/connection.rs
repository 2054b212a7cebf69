//! What keeps a connection from coming about.

use crate::{
    diagnosis::context::{Facts, Server},
    origin::TlsFault,
};

/// Of a name that has no address.
pub(in crate::diagnosis) fn no_address(facts: &Facts, host: &str) -> String {
    let is_virtual = host.starts_with(&format!("{}.", facts.bucket));
    match (facts.server, is_virtual) {
        (Server::Compatible, true) => {
            "The name has the bucket in front of the endpoint's host, and such names are often not known. Set path_style = \
             true (--path-style), which puts the bucket into the path; or give the server a wildcard DNS record."
                .to_owned()
        }
        (Server::Aws, _) => "Is the region's name right? Else this machine can't resolve public names: in a VPC without \
             Internet, enable DNS resolution, and give the endpoint's name as connect_to where private DNS is off."
            .to_owned(),
        (Server::Compatible, false) => {
            "Is the endpoint's host written right, and known where the proxy runs (in its container, not only on the host)?"
                .to_owned()
        }
    }
}

/// Of an address that takes no connection.
pub(in crate::diagnosis) fn no_connection(facts: &Facts) -> &'static str {
    match facts.server {
        Server::Aws => {
            "Something on the way drops or refuses it: a security group or network ACL without outbound 443, a subnet \
             without a route (a NAT, or a gateway endpoint for S3), or a VPC interface endpoint whose security group does \
             not let this machine in."
        }
        Server::Compatible => {
            "Does the server run, on that port and on that address? In a container, 127.0.0.1 and localhost are the \
             container itself."
        }
    }
}

/// Of a handshake that failed.
pub(in crate::diagnosis) fn no_tls(facts: &Facts, host: &str, fault: &TlsFault) -> String {
    let bucket = &facts.bucket;
    match fault {
        TlsFault::OtherName(_) => match host.strip_prefix(&format!("{bucket}.")) {
            Some(parent) if facts.has_dots() => format!(
                "The bucket's name has dots, and the star of a certificate stands for one label: none for *.{parent} bears \
                 {host}. Ask for the bucket in the path: endpoint_url = \"https://{parent}\" with path_style = true \
                 (--endpoint, --path-style)."
            ),
            Some(parent) => format!(
                "The server has no certificate with the bucket in front of its name. Set path_style = true (--path-style), \
                 or give it one for *.{parent}."
            ),
            None => "The endpoint's host has to be a name that the certificate bears. For a VPC endpoint keep the \
                     endpoint as it is, and give the VPC endpoint's name as connect_to."
                .to_owned(),
        },
        TlsFault::UnknownIssuer => {
            "The certificate's issuer is not trusted here: an authority of your own, or a firewall that opens TLS. Install \
             the authority's certificate, or name a file with it in SSL_CERT_FILE (which then holds all that are trusted)."
                .to_owned()
        }
        TlsFault::NotValidNow => {
            "The certificate has expired, or is not valid yet by the clock of this machine: look at both.".to_owned()
        }
        TlsFault::NotTls => "The port speaks no TLS: give the endpoint with http://, or another port.".to_owned(),
        TlsFault::Other(_) => String::new(),
    }
}
