//! From the configuration to a connection.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
};

use crate::{
    diagnosis::{
        Check, CheckName, Outcome, advice,
        checklist::{Checklist, TooLate},
        context::{Facts, Server},
        run::Subject,
    },
    origin::{DialError, Line, Route, TlsFault},
};

pub(in crate::diagnosis) async fn walk(course: &mut Checklist<'_>, subject: &Subject<'_>) {
    let Subject { way, facts, .. } = subject;
    if course.may(CheckName::Endpoint) {
        course.note(endpoint(facts, way));
    }
    let Some((host, port)) = way.address() else {
        for name in [CheckName::Dns, CheckName::Connect, CheckName::Tls] {
            if course.may(name) {
                course.note(Check::unknown(name, "not tried: the program's own HTTP client connects"));
            }
        }
        return;
    };
    let mut addresses = Vec::new();
    if course.may(CheckName::Dns) {
        let found = in_words(course.in_time(way.look_up()).await);
        course.note(by_proxy(way, dns(facts, host, found.as_deref().map_err(String::as_str))));
        addresses = found.unwrap_or_default();
    }
    let mut tcp = None;
    if course.may(CheckName::Connect) {
        // Absent if the step before was skipped.
        let connecting = async {
            let addresses = match addresses.is_empty() {
                true => way.look_up().await.map_err(DialError::LookUp)?,
                false => addresses,
            };
            way.connect(addresses).await
        };
        let connected = in_words(course.in_time(connecting).await);
        course.note(by_proxy(way, connect(facts, host, port, connected.as_ref().map_err(String::as_str))));
        tcp = connected.ok();
    }
    if course.may(CheckName::Tls) {
        let check = match (way.is_tls, tcp) {
            (false, _) => plain(facts),
            (true, None) => Check::unknown(CheckName::Tls, "not tried, since connect was not"),
            (true, Some(tcp)) => {
                let shaken = course.in_time(way.shake_hands(tcp)).await;
                tls(facts, &way.host, shaken.unwrap_or_else(|late| Err(TlsFault::Other(late.to_string()))))
            }
        };
        course.note(check);
    }
}

fn in_words<T, E: Error>(output: Result<Result<T, E>, TooLate>) -> Result<T, String> {
    output.map_err(|late| late.to_string())?.map_err(|why| {
        let (mut text, mut cause) = (why.to_string(), why.source());
        while let Some(why) = cause {
            text = format!("{text}: {why}");
            cause = why.source();
        }
        text
    })
}

fn connect(facts: &Facts, host: &str, port: u16, connected: Result<&Line, &str>) -> Check {
    let name = CheckName::Connect;
    match connected {
        Ok(line) => Check::pass(name, line.peer.to_string()),
        Err(why) => {
            let target = format!("{host}:{port}");
            let seen = if why.contains(&target) { why.to_owned() } else { format!("{target}: {why}") };
            Check::fail(name, seen).advise(advice::no_connection(facts))
        }
    }
}

/// The host of these steps is the proxy, if there is one.
fn by_proxy(way: &Route, check: Check) -> Check {
    match way.proxy() {
        Some(proxy) if check.outcome() == Outcome::Fail => check.advise(advice::no_proxy(&proxy)),
        Some(_) | None => check,
    }
}

fn endpoint(facts: &Facts, way: &Route) -> Check {
    let is_virtual = way.host.starts_with(&format!("{}.", facts.bucket));
    let style = match () {
        () if facts.bucket.as_str().starts_with("arn:") => "its own host",
        () if is_virtual => "the bucket in the host",
        () if facts.has_dots() && facts.server == Server::Aws => {
            "the bucket in the path, since no certificate matches a name with dots"
        }
        () => "the bucket in the path",
    };
    let via = match (way.proxy(), way.address()) {
        (Some(proxy), _) => format!(", through the proxy {proxy}"),
        (None, Some((host, port))) if host != way.host => format!(", through {host}:{port}"),
        (None, Some(_) | None) => String::new(),
    };
    Check::pass(CheckName::Endpoint, format!("{}: {style}{via}", way.url))
}

fn dns(facts: &Facts, host: &str, found: Result<&[SocketAddr], &str>) -> Check {
    let name = CheckName::Dns;
    if host.parse::<IpAddr>().is_ok() {
        return Check::pass(name, format!("{host} is an address"));
    }
    match found {
        Ok([first, rest @ ..]) => {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let private = match facts.server {
                Server::Aws if is_private(first.ip()) => " (private: a VPC interface endpoint, or a proxy)",
                Server::Aws | Server::Compatible => "",
            };
            Check::pass(name, format!("{host} is {}{private}{more}", first.ip()))
        }
        Ok([]) => Check::fail(name, format!("{host} has no address")).advise(advice::no_address(facts, host)),
        Err(why) => Check::fail(name, format!("{host}: {why}")).advise(advice::no_address(facts, host)),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    }
}

fn plain(facts: &Facts) -> Check {
    let check = Check::pass(CheckName::Tls, "none: the endpoint is plain http");
    match facts.server {
        Server::Aws => check.advise("Objects travel unencrypted. Give the endpoint with https://."),
        Server::Compatible => check,
    }
}

fn tls(facts: &Facts, host: &str, shaken: Result<String, TlsFault>) -> Check {
    let name = CheckName::Tls;
    let fault = match shaken {
        Ok(version) => return Check::pass(name, format!("{version}, with a certificate for {host}")),
        Err(fault) => fault,
    };
    let seen = match &fault {
        TlsFault::OtherName(names) if names.is_empty() => format!("the certificate is not for {host}"),
        TlsFault::OtherName(names) => format!("the certificate is for {}, not for {host}", names.join(", ")),
        TlsFault::UnknownIssuer => "the certificate is of an unknown issuer".to_owned(),
        TlsFault::NotValidNow => "the certificate is not valid at this time".to_owned(),
        TlsFault::NotTls => "the server's response is not TLS".to_owned(),
        TlsFault::Other(why) => why.clone(),
    };
    Check::fail(name, seen).advise(advice::no_tls(facts, host, &fault))
}
