//! The configuration as a TOML file: text, then tables with their lines, then builders, then mounts.

mod byte_size;
mod cache;
#[cfg(feature = "s3-clients")]
mod client_keys;
mod config_file;
mod credentials;
mod expand;
mod links;
mod log_in;
#[cfg(feature = "listing")]
mod listing;
mod loaded;
mod mount;
mod resilience;
mod source;
mod table;
mod terms;
mod transport;
mod unknown_key;
mod website;
mod writes;

#[cfg(test)]
mod tests;

pub use self::config_file::ConfigFile;
use self::config_file::{FileCredentials, FileMount, Shared};
pub(crate) use self::loaded::Loaded;
