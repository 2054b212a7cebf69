use std::{
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
};

use http::{HeaderMap, Response, request};

use super::{from_origin_error, gate::Gate, object::Object};
use crate::{
    access::DownstreamCaching,
    body::{ByteRate, ObjectBody, SendBuffer},
    cache::RequestControl,
    config::Mount,
    error::{Failure, ProxyError, ProxyErrorKind},
    object::{BucketName, Edition, ObjectKey},
    origin::{Answer, Mismatch},
    request::{Disposition, Question, ReadRequest},
    response::{CorsGrant, keep_private, vary_by_source},
    route::BucketResolver,
};

/// A request for an object that takes more than a look into the cache.
pub(crate) struct Fetch {
    pub(crate) mount: Mount,
    pub(crate) bucket: Bucket,
    pub(crate) key: ObjectKey,
    pub(crate) edition: Edition,
    pub(crate) wanted: Wanted,
    /// The gate that must allow it first.
    pub(crate) gate: Option<Box<Gate>>,
    pub(crate) finish: Finish,
}

/// What a client wants from an object.
pub(crate) struct Wanted {
    pub(crate) read: ReadRequest,
    pub(crate) disposition: Option<Disposition>,
    /// Its demands on a cache; none by default.
    pub(crate) asks: Asks,
}

/// A read of an object whose name is known, and which its client may have.
pub(super) struct Read {
    pub(super) object: Arc<Object>,
    pub(super) wanted: Wanted,
}

/// The fields that every response of a mount gets in the end, whatever its status.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    /// For a mount with CORS.
    pub(crate) cors: Option<CorsGrant>,
    pub(crate) downstream: DownstreamCaching,
    pub(crate) sources: Sources,
    /// Of a mount that has one.
    pub(crate) rate: Option<ByteRate>,
    pub(crate) send_buffer: Option<SendBuffer>,
    /// The mount, if its objects have fields that are for S3 clients alone.
    #[cfg(feature = "s3-clients")]
    pub(crate) hides: Option<Mount>,
}

/// Whether a response depends on the page that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    Any,
    /// A rule for hotlinks looks at it.
    Some,
}

pub(crate) enum Bucket {
    Named(BucketName),
    Asked(BucketResolver, Box<request::Parts>),
}

/// The parts of a request that a cache must look at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asks {
    pub(crate) control: RequestControl,
    pub(crate) elsewhere: Elsewhere,
}

/// Whether a client can be sent to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Elsewhere {
    /// As the mount's rules say.
    #[default]
    ByRule,
    /// S3 clients follow no redirect that is not S3's own, and the proxy itself wants the bytes.
    Never,
}

pub(crate) type FetchFuture = Pin<Box<dyn Future<Output = Response<ObjectBody>> + Send>>;

// === impl Fetch ===

impl Fetch {
    pub(crate) fn run(self) -> FetchFuture {
        self.run_then(ready)
    }

    /// The same, and what `then` makes of the response.
    pub(crate) fn run_then<R>(
        self,
        then: impl FnOnce(Response<ObjectBody>) -> R + Send + 'static,
    ) -> FetchFuture
    where
        R: Future<Output = Response<ObjectBody>> + Send,
    {
        let Self { mount, bucket, key, edition, wanted, gate, finish } = self;
        match (bucket, gate) {
            (Bucket::Named(bucket), None) => {
                let read = Read { object: Arc::new(Object { mount, bucket, key, edition }), wanted };
                Box::pin(async move { then(finish.apply(read.respond().await)).await })
            }
            (bucket, gate) => {
                let fetch = Self { mount, bucket, key, edition, wanted, gate, finish: Finish::default() };
                Box::pin(async move { then(finish.apply(fetch.respond().await)).await })
            }
        }
    }

    async fn respond(mut self) -> Response<ObjectBody> {
        match self.admit().await {
            Ok((_, Some(recalled))) => recalled,
            Ok((bucket, None)) => {
                let Self { mount, key, edition, wanted, .. } = self;
                let object = Arc::new(Object { mount, bucket, key, edition });
                Read { object, wanted }.respond().await
            }
            Err(failure) => self.mount.answer_failure(failure, self.wanted.read.method, &self.key),
        }
    }

    /// The bucket, and the response if it is in the cache of a mount that must first allow it.
    async fn admit(&mut self) -> Result<(BucketName, Option<Response<ObjectBody>>), Failure> {
        let bucket = self.bucket.name().await?;
        let recalled = match self.gate.take() {
            Some(gate) => Box::pin(self.pass(gate, &bucket)).await?,
            None => None,
        };
        Ok((bucket, recalled))
    }
}

// === impl Bucket ===

impl Bucket {
    pub(crate) async fn name(&self) -> Result<BucketName, Failure> {
        match self {
            Self::Named(name) => Ok(name.clone()),
            Self::Asked(resolver, head) => match resolver.resolve(head.as_ref().clone()).await {
                Ok(Some(name)) => Ok(name),
                Ok(None) => Err(ProxyError::new(ProxyErrorKind::NotFound).into()),
                Err(error) => Err(ProxyError::from_source(ProxyErrorKind::Resolver, error).into()),
            },
        }
    }
}

// === impl Read ===

impl Read {
    async fn respond(&self) -> Response<ObjectBody> {
        self.answer().await.unwrap_or_else(|failure| {
            let Object { mount, key, .. } = &*self.object;
            mount.answer_failure(failure, self.wanted.read.method, key)
        })
    }

    async fn answer(&self) -> Result<Response<ObjectBody>, Failure> {
        if self.may_redirect()
            && let Some(redirect) = Box::pin(self.redirect()).await?
        {
            return Ok(redirect);
        }
        match self.object.cache() {
            Some(cache) => Box::pin(self.through_cache(cache)).await,
            None => self.ask_s3().await,
        }
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        self.object.ask(question).await.map_err(from_origin_error)
    }

    pub(super) async fn ask_for_cache(&self, question: &Question) -> Result<Answer, Failure> {
        self.object.ask_for_cache(question).await.map_err(from_origin_error)
    }

    pub(super) fn warn_of(&self, mismatch: Mismatch) {
        let (bucket, key) = (&self.object.bucket, self.object.key.as_str());
        tracing::warn!(%bucket, key, %mismatch, "asking again");
    }
}

// === impl Asks ===

impl Asks {
    /// Nothing, if the mount has no cache.
    pub(crate) fn new(mount: &Mount, headers: &HeaderMap) -> Self {
        // `Authorization` is no reason to pass by the cache: S3 never gets the field, so no response depends on it. RFC 9111
        // §3.5 is for caches before a server that looks at it.
        mount
            .0
            .cache
            .as_ref()
            .map(|cache| Self { control: cache.control(headers), ..Self::default() })
            .unwrap_or_default()
    }
}

// === impl Finish ===

impl Default for Finish {
    /// Nothing, for a response that gets its fields elsewhere.
    fn default() -> Self {
        Self {
            cors: None,
            downstream: DownstreamCaching::AsStored,
            sources: Sources::Any,
            rate: None,
            send_buffer: None,
            #[cfg(feature = "s3-clients")]
            hides: None,
        }
    }
}

impl Finish {
    pub(crate) fn apply(self, mut response: Response<ObjectBody>) -> Response<ObjectBody> {
        if let Some(cors) = self.cors {
            cors.apply(response.headers_mut());
        }
        if self.sources == Sources::Some {
            vary_by_source(response.headers_mut());
        }
        #[cfg(feature = "s3-clients")]
        if let Some(mount) = self.hides {
            mount.0.headers.hide_from_web(response.headers_mut());
        }
        match self.downstream {
            DownstreamCaching::Private => keep_private(response.headers_mut()),
            DownstreamCaching::AsStored => {}
        }
        if let Some(rate) = self.rate {
            let body = std::mem::take(response.body_mut());
            *response.body_mut() = rate.pace(body);
        }
        // What waits for its time is not what a slow client leaves.
        if let Some(buffer) = self.send_buffer {
            let body = std::mem::take(response.body_mut());
            *response.body_mut() = buffer.bound(body);
        }
        response
    }
}
