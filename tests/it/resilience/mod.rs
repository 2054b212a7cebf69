//! An S3 that fails: reads that are repeated, bodies that go on, and an S3 that is left alone.

mod breaker;
mod budget;
mod failover;
mod hedge;
mod origin;
mod replica;
mod resume;
mod retry;
mod timeouts;
