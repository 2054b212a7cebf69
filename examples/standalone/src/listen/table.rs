use std::env;

use serde::Deserialize;
use toml::Spanned;
use tower_s3_proxy::ConfigFile;

use super::{
    ListenAddress,
    bind::{ListenerSettings, Redirect},
    parse_mode,
};
use crate::{server_table::line_of, tls::TlsFiles};

/// The rest of the file is read elsewhere.
#[derive(Deserialize)]
struct FileTable {
    #[serde(default)]
    listen: Vec<Spanned<ListenTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenTable {
    address: Spanned<String>,
    #[serde(default)]
    tls_cert: OneOrMore,
    #[serde(default)]
    tls_key: OneOrMore,
    tls_client_ca: Option<String>,
    redirect_to_https: Option<Spanned<RedirectTo>>,
    #[serde(default)]
    proxy_protocol: bool,
    unix_mode: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(untagged, expecting = "text in quotes, or a list of it")]
enum OneOrMore {
    #[default]
    None,
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(untagged, expecting = "true, or the port of HTTPS")]
enum RedirectTo {
    Port(u16),
    First(bool),
}

/// The tables `[[listen]]` of the text of a file. What is wrong is told with its line.
pub(super) fn listen_tables(text: &str) -> Result<Vec<ListenerSettings>, String> {
    let file: FileTable = toml::from_str(text).map_err(|why| {
        let line = why.span().map_or(1, |span| line_of(text, span.start));
        format!("line {line}: {}", why.message())
    })?;
    let settings = file.listen.iter().map(|table| {
        table.get_ref().settings().map_err(|(start, why)| {
            let line = line_of(text, start.unwrap_or_else(|| table.span().start));
            format!("line {line}: [[listen]]: {why}")
        })
    });
    settings.collect()
}

/// An error, and where it begins unless that is the table.
type Fault = (Option<usize>, String);

// === impl ListenTable ===

impl ListenTable {
    fn settings(&self) -> Result<ListenerSettings, Fault> {
        let table = |why: String| (None, why);
        let at = |span: std::ops::Range<usize>| move |why: String| (Some(span.start), why);
        let address = expand(self.address.get_ref()).map_err(at(self.address.span()))?;
        let address: ListenAddress =
            address.parse().map_err(|why| at(self.address.span())(format!("address {address:?}: {why}")))?;
        let (certificates, keys) =
            (self.tls_cert.paths().map_err(table)?, self.tls_key.paths().map_err(table)?);
        if certificates.len() != keys.len() {
            return Err(table(format!(
                "tls_cert names {} files and tls_key {}: give a key for each certificate, in the same order",
                certificates.len(),
                keys.len()
            )));
        }
        let client_ca = self.tls_client_ca.as_deref().map(expand).transpose().map_err(table)?;
        if certificates.is_empty() && client_ca.is_some() {
            return Err(table("tls_client_ca needs tls_cert and tls_key".to_owned()));
        }
        let redirect = match self.redirect_to_https.as_ref().map(Spanned::get_ref) {
            None | Some(RedirectTo::First(false)) => None,
            Some(RedirectTo::First(true)) => Some(Redirect::ToFirst),
            Some(RedirectTo::Port(port)) => Some(Redirect::ToPort(*port)),
        };
        if let (Some(_), false, Some(redirect)) = (redirect, certificates.is_empty(), &self.redirect_to_https)
        {
            return Err(at(redirect.span())(
                "redirect_to_https is for plain HTTP: leave out tls_cert, or this".to_owned(),
            ));
        }
        let mode = match &self.unix_mode {
            Some(mode) => parse_mode(mode.get_ref())
                .map_err(|why| at(mode.span())(format!("unix_mode {:?}: {why}", mode.get_ref())))?,
            None => 0o660,
        };
        let pairs: Vec<_> =
            certificates.into_iter().map(Into::into).zip(keys.into_iter().map(Into::into)).collect();
        let tls = (!pairs.is_empty()).then(|| TlsFiles { pairs, client_ca: client_ca.map(Into::into) });
        Ok(ListenerSettings {
            name: "[[listen]]",
            address,
            tls,
            redirect,
            proxy_protocol: self.proxy_protocol,
            mode,
        })
    }
}

impl OneOrMore {
    fn paths(&self) -> Result<Vec<String>, String> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::One(path) => Ok(vec![expand(path)?]),
            Self::More(paths) => paths.iter().map(|path| expand(path)).collect(),
        }
    }
}

fn expand(text: &str) -> Result<String, String> {
    ConfigFile::expand(text, |name| env::var(name).ok()).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_is_a_place_with_its_own_rules() {
        let text = r#"
region = "us-west-2"

[[listen]]
address = ":443"
tls_cert = ["a.pem", "b.pem"]
tls_key = ["a.key", "b.key"]
tls_client_ca = "ca.pem"

[[listen]]
address = ":80"
redirect_to_https = true

[[listen]]
address = "unix:/run/proxy.sock"
unix_mode = "600"
proxy_protocol = true

[[listen]]
address = "systemd:web"
tls_cert = "a.pem"
tls_key = "a.key"
redirect_to_https = false
"#;
        let [https, plain, unix, systemd] = &listen_tables(text).unwrap()[..] else { panic!("four") };
        let tls = https.tls.as_ref().unwrap();
        assert_eq!((tls.pairs.len(), tls.client_ca.is_some()), (2, true));
        assert!(plain.tls.is_none());
        assert_eq!(plain.redirect, Some(Redirect::ToFirst));
        assert_eq!((unix.mode, unix.proxy_protocol), (0o600, true));
        assert_eq!(systemd.address, ListenAddress::Systemd(Some("web".to_owned())));
        assert_eq!((systemd.tls.as_ref().unwrap().pairs.len(), systemd.redirect), (1, None));
        assert!(listen_tables("[[mount]]\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (lines, message) in [
            ("", "line 1: missing field `address`"),
            ("adress = \":80\"", "line 2: unknown field `adress`, expected one of `address`"),
            ("address = \"8080\"", "line 2: [[listen]]: address \"8080\": give ADDRESS:PORT"),
            ("address = \"${NO_SUCH}\"", "line 2: [[listen]]: the environment variable NO_SUCH"),
            (
                "address = \":1\"\ntls_cert = \"a\"",
                "line 1: [[listen]]: tls_cert names 1 files and tls_key 0",
            ),
            ("address = \":1\"\ntls_cert = 1", "line 3: text in quotes, or a list of it"),
            ("address = \":1\"\ntls_client_ca = \"a\"", "line 1: [[listen]]: tls_client_ca needs tls_cert"),
            ("address = \":1\"\nunix_mode = \"9\"", "line 3: [[listen]]: unix_mode \"9\": give permissions"),
            ("address = \":1\"\nredirect_to_https = \"x\"", "line 3: true, or the port of HTTPS"),
            (
                "address = \":1\"\ntls_cert = \"a\"\ntls_key = \"b\"\nredirect_to_https = 443",
                "line 5: [[listen]]: redirect_to_https is for plain HTTP",
            ),
        ] {
            let why = listen_tables(&format!("[[listen]]\n{lines}\n")).unwrap_err();
            assert!(why.starts_with(message), "{lines}: {why}");
        }
    }
}
