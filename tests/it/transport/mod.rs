//! The way to S3: whose certificates are trusted, proxies in between, and hosts that keep silent.

mod hangs;
mod http_proxy;
mod proxies;
mod tinyproxy;
mod tls;
mod trust;
