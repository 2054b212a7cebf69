//! S3 clients with keys of the proxy's own: SDKs, the AWS CLI, rclone, DuckDB.
//!
//! A mount with [`ClientKeys`] is a bucket for them. Their requests are signed by a key of the table, are checked here, and
//! go on with the mount's credentials. The [guide](crate::guide::s3_clients) has the set-up and the operations.

mod client_key;
mod client_keys;
mod signed;

pub(crate) use self::signed::{Mechanism, Signed};
pub use self::{
    client_key::{ClientAccess, ClientAccessKey, ClientKey},
    client_keys::ClientKeys,
};
