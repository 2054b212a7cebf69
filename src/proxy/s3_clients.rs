//! Requests that S3 clients signed with keys of the mounts.

use std::{sync::Arc, time::SystemTime};

use http::{Method, Request};
use s3s::S3ErrorCode;

use super::{Admission, Proxy};
use crate::{
    clients::{ClientKey, Mechanism, Signed},
    config::Mount,
    fetch::Finish,
    request::ReadMethod,
    s3_api::{self, ApiCall, Scope},
};

/// Whether any mount has keys of S3 clients.
#[derive(Debug, Clone, Copy)]
pub(super) enum S3Clients {
    None,
    /// Since this time.
    Served(SystemTime),
}

// === impl S3Clients ===

impl S3Clients {
    pub(super) fn of(mounts: &[Mount]) -> Self {
        match mounts.iter().any(|mount| mount.client_keys().is_some()) {
            true => Self::Served(SystemTime::now()),
            false => Self::None,
        }
    }
}

// === impl Proxy ===

impl Proxy {
    /// The outcome of a request that is signed for the proxy itself. `None` for every other.
    pub(super) fn s3_client<B>(&self, request: &Request<B>) -> Option<Admission> {
        let S3Clients::Served(since) = self.s3_clients else { return None };
        let signed = Signed::find(request.headers(), request.uri().query())?;
        // A preflight is the browser's, and has no signature of its own.
        if request.method() == Method::OPTIONS {
            return None;
        }
        let claimed = self.claim(request).map(|claimed| claimed.mount);
        let is_list = matches!(request.uri().path(), "" | "/");
        let (key, buckets) = match claimed {
            Some(mount) if !is_list => match mount.client_keys()?.find(&signed.access_key) {
                Some(key) => (key, mount.as_client_bucket().into_iter().collect()),
                None if is_link_of_others(mount, signed.mechanism) => return None,
                None => return Some(self.unknown_key(request, mount)),
            },
            // The root, which lists the buckets, or a path of no mount: then there is no such bucket.
            claimed => {
                let known: Vec<_> = self.known_to(request, &signed.access_key).collect();
                let Some((_, key)) = known.first() else {
                    let mount = claimed.filter(|mount| mount.client_keys().is_some())?;
                    return match is_link_of_others(mount, signed.mechanism) {
                        true => None,
                        false => Some(self.unknown_key(request, mount)),
                    };
                };
                let is_same = |other: &ClientKey| other.secret_key() == key.secret_key();
                let buckets = known.iter().filter(|(_, other)| is_list && is_same(other));
                let buckets = buckets.filter_map(|(mount, _)| mount.as_client_bucket()).collect();
                (Arc::clone(key), buckets)
            }
        };
        let scope = Scope { key, buckets, since };
        let finish = claimed.map(|mount| self.finish(request, mount)).unwrap_or_default();
        Some(Admission::S3Client(Box::new(ApiCall { scope, mechanism: signed.mechanism, finish })))
    }

    /// The mounts that a request of this key could reach, with what the key opens there.
    fn known_to<'p, B>(
        &'p self,
        request: &'p Request<B>,
        access_key: &'p str,
    ) -> impl Iterator<Item = (&'p Mount, Arc<ClientKey>)> {
        self.mounts.iter().filter_map(move |mount| {
            let is_for_host =
                mount.0.host.as_ref().is_none_or(|host| host.is_target_of(request.uri(), request.headers()));
            let key = mount.client_keys()?.find(access_key).filter(|_| is_for_host)?;
            Some((mount, key))
        })
    }

    fn unknown_key<B>(&self, request: &Request<B>, mount: &Mount) -> Admission {
        let method = ReadMethod::try_from(request.method()).unwrap_or(ReadMethod::Get);
        let message = "the access key is not known here";
        let response = s3_api::refuse(S3ErrorCode::InvalidAccessKeyId, message, method);
        Admission::Answered(self.finish(request, mount).apply(response))
    }

    /// What every response of the mount gets, short of hiding what S3 clients ask for.
    fn finish<B>(&self, request: &Request<B>, mount: &Mount) -> Finish {
        let cors = mount.0.cors.as_ref().map(|cors| cors.grant(request.headers()));
        let downstream = mount.0.access.downstream();
        let send_buffer = self.send_buffer.clone();
        let rate = mount.0.rate.clone();
        Finish { cors, downstream, rate, send_buffer, ..Finish::default() }
    }
}

/// Whether S3 shall decide, whose key it may be.
fn is_link_of_others(mount: &Mount, mechanism: Mechanism) -> bool {
    match mechanism {
        Mechanism::Query | Mechanism::QueryV2 => mount.0.presigned.is_some(),
        Mechanism::Field | Mechanism::FieldV2 | Mechanism::Both => false,
    }
}
