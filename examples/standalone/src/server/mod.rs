//! The server towards clients: who is let in, how long each state of a connection can last, and what answers.

mod activity;
mod admission;
mod answer;
mod client_address;
mod connection;
mod constant_fields;
mod detect;
mod files;
mod flood;
mod host;
mod http2;
mod limits;
mod linger;
mod listener;
mod meters;
mod opening;
mod peer;
mod progress;
mod proxy_protocol;
mod rates;
mod refusals;
mod request;
mod role;
mod run;
mod socket;
mod stream;
mod sweep;
mod watch;

pub(crate) use self::{
    client_address::{AddressField, TrustedProxies, TrustedProxy},
    constant_fields::{ConstantField, parse_field},
    files::{Shares, raise_file_limit},
    limits::{Limits, Timeouts, parse_count, parse_header_size, parse_timeout},
    listener::{Addressing, Binding, Listener, Place, listen_tcp},
    meters::describe_metrics,
    rates::RateArgs,
    role::Role,
    run::{Ended, Server},
};
