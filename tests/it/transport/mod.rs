//! The way to S3: whose certificates are trusted, proxies in between, and hosts that keep silent.

mod tls;
mod trust;
