//! Where the program listens: its flags, and the tables `[[listen]]` of the file.

mod address;
mod bind;
mod table;

use std::path::Path;

pub(crate) use self::{
    address::{ListenAddress, parse_address},
    bind::Bound,
};
use self::{bind::ListenerSettings, table::listen_tables};
use crate::{
    config_text,
    server::{AddressField, TrustedProxies, TrustedProxy},
    tls::{Tls, TlsArgs},
};

/// Where clients connect, and how they are known.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ListenArgs {
    /// Where to listen: an address like localhost:8080, :8080 for every IPv4 address of the machine, [::]:8080 for IPv6, too;
    /// unix:PATH for a socket file; systemd or systemd:NAME for the sockets that systemd hands over. Can be repeated
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: Vec<ListenAddress>,

    /// The permissions of socket files, in octal
    #[arg(long, value_name = "MODE", value_parser = parse_mode, default_value = "660", help_heading = "Listening")]
    unix_mode: u32,

    /// Have connections begin with the address of their client: the PROXY protocol, version 2, of a load balancer in front.
    /// Connections without it are closed
    #[arg(long, help_heading = "Listening")]
    proxy_protocol: bool,

    /// Believe this proxy in front about the addresses of its clients, for the log and the limits: a network like 10.0.0.0/8, an
    /// address, or unix for those over socket files; can be repeated
    #[arg(long, value_name = "NETWORK", help_heading = "Listening")]
    trusted_proxy: Vec<TrustedProxy>,

    /// The field that --trusted-proxy gives the address in. Only this one is read: proxies pass on what clients write into the
    /// other
    #[arg(long, value_name = "FIELD", value_enum, default_value_t, help_heading = "Listening")]
    client_address_field: AddressField,
}

// === impl ListenArgs ===

impl ListenArgs {
    pub(crate) fn trusted(&self) -> TrustedProxies {
        TrustedProxies { networks: self.trusted_proxy.clone(), field: self.client_address_field }
    }

    /// Listens everywhere. A file can have the tables `[[listen]]`, which come in place of the flags.
    pub(crate) fn bind(&self, tls: &TlsArgs, file: Option<&Path>) -> Result<Bound, String> {
        let of_file = match file {
            Some(path) => tables_of(path)?,
            None => Vec::new(),
        };
        Bound::to(if of_file.is_empty() { self.settings(tls)? } else { of_file })
    }

    fn settings(&self, tls: &TlsArgs) -> Result<Vec<ListenerSettings>, String> {
        let files = tls.files()?;
        let settings = self.listen.iter().map(|address| ListenerSettings {
            name: "--listen",
            address: address.clone(),
            tls: files.clone(),
            redirect: None,
            proxy_protocol: self.proxy_protocol,
            mode: self.unix_mode,
        });
        let redirect = tls.redirect_http.map(|address| ListenerSettings {
            name: "--redirect-http",
            address: ListenAddress::Tcp(address),
            tls: None,
            redirect: Some(bind::Redirect::ToFirst),
            proxy_protocol: self.proxy_protocol,
            mode: self.unix_mode,
        });
        Ok(settings.chain(redirect).collect())
    }
}

/// Reads the tables `[[listen]]` of a file, and the certificates that they name, and listens nowhere.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let mut files = tables_of(path)?.into_iter().filter_map(|settings| settings.tls);
    files.try_for_each(|files| Tls::load(files).map(drop))
}

fn tables_of(path: &Path) -> Result<Vec<ListenerSettings>, String> {
    let in_file = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let text = config_text::read(path).map_err(|why| in_file(&why))?;
    listen_tables(&text).map_err(|why| in_file(&why))
}

fn parse_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "give permissions in octal, like 660".to_owned())
}
