//! Requests to S3: the bucket's endpoint, the signature, the connection.

mod absent_keys;
mod aws_chunked;
mod budget;
mod clock;
mod connection;
#[cfg(any(feature = "listing", feature = "s3-clients"))]
mod counted;
mod credentials;
mod endpoint;
mod endpoint_url;
mod error;
mod extent;
mod in_flight;
mod s3;
mod list;
mod parts;
mod presign;
#[cfg(feature = "diagnosis")]
mod probe;
mod recovery;
mod refusal;
mod relay;
mod request;
mod resilience;
mod s3_error;
mod sdk_error;
mod secrets;
mod session;
mod sigv4;
mod terms;
mod transport;
mod typed;
mod website;
mod wire;
mod write;

#[cfg(feature = "listing")]
pub(crate) use self::list::{FolderPage, ListError, ListRequest, ListedObject};
pub(crate) use self::{
    absent_keys::Absence,
    budget::{Level, Spending},
    clock::OriginClock,
    connection::{is_nominated, is_of_connection},
    credentials::{CredentialCache, Identity, RefreshPolicy},
    endpoint::{Addressing, AuthScheme},
    endpoint_url::EndpointUrl,
    error::OriginError,
    extent::{Asked, BodyLength, End, Extent, Mismatch, content_length},
    in_flight::{InFlight, InFlightLimits},
    list::{list_refusal, listed_key},
    parts::{MAX_PARTS, PART_SIZE, PartError, PartedUpload, UploadedPart},
    presign::{LinkSigner, LinkTo},
    refusal::Refusal,
    resilience::Resilience,
    s3::{Answer, S3Origin, Target, WireClient},
    s3_error::{S3ErrorBody, S3ErrorCode},
    sigv4::{Signable, SigningKey, Timestamp},
    wire::{ConnectTo, Pace, Peer, Pools, ReadBuffer, ServiceClient, Upload, WireBody, WireError},
    write::{Change, Changed},
};
pub use self::{
    budget::{Budget, BudgetSnapshot, UsedUpAnswer},
    credentials::HeldCredentials,
    resilience::{CircuitBreaker, Hedging, OriginSnapshot, RetryPolicy},
    transport::{Transport, TransportBuilder},
};
#[cfg(feature = "s3-clients")]
pub(crate) use self::{counted::CountedClient, sdk_error::kind_without_answer};
#[cfg(feature = "diagnosis")]
pub(crate) use self::{
    probe::{Probe, Route},
    wire::{DialError, Line, TlsFault},
};
#[cfg(feature = "aws-config")]
pub(crate) use self::{
    transport::{TCP_KEEP_ALIVE, TCP_USER_TIMEOUT, proxies_of_environment, trusted},
    wire::{DialSettings, PoolSettings, PooledClient, Unreached},
};
#[cfg(feature = "__internals")]
pub(crate) use sigv4::SigningScope;
