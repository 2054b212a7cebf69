//! GET and HEAD of an object, by the lane and the cache of web reads.

use http::{
    HeaderMap, Request, Response,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES},
    request::Parts,
};

use super::{answer, scope::ClientBucket};
use crate::{
    access::DownstreamCaching,
    body::ObjectBody,
    fetch::{Asks, Bucket, Elsewhere, Fetch, Finish, Wanted},
    object::{Edition, ObjectKey},
    request::{ReadMethod, ReadRequest},
};

/// An object that a client asks for, and can have as far as its key goes.
pub(super) struct AskedObject {
    pub(super) bucket: ClientBucket,
    pub(super) key: ObjectKey,
    pub(super) edition: Edition,
}

// === impl AskedObject ===

impl AskedObject {
    /// `overrides` are the fields of a success that the client chooses (`response-content-type` and the like).
    pub(super) async fn read(
        &self,
        head: Parts,
        overrides: &HeaderMap,
        method: ReadMethod,
    ) -> Response<ObjectBody> {
        let ClientBucket { bucket, mount, .. } = &self.bucket;
        let read = ReadRequest::new(method, &head.headers);
        let request = Request::from_parts(head, ());
        let response = match mount.select(&request) {
            Err(failure) => mount.refuse(failure, method, &self.key),
            Ok(selected) => {
                let selected = selected.clone();
                let asks = Asks { elsewhere: Elsewhere::Never, ..Asks::new(&selected, request.headers()) };
                let fetch = Fetch {
                    mount: selected,
                    bucket: Bucket::Named(bucket.clone()),
                    key: self.key.clone(),
                    edition: self.edition.clone(),
                    wanted: Wanted { read, disposition: None, asks },
                    gate: mount.gate(|| request.into_parts().0),
                    // That of the call comes after it.
                    finish: Finish { downstream: DownstreamCaching::AsStored, ..Finish::default() },
                };
                fetch.run().await
            }
        };
        let mut response = answer::retold(response, method);
        if response.status().is_success() {
            for name in OVERRIDES {
                if let Some(value) = overrides.get(&name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
        }
        response
    }
}

/// Those that a client can choose ("GetObject" of the S3 API).
const OVERRIDES: [http::HeaderName; 6] =
    [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES];
