//! The IAM and resource policies that a mount needs, made from its configuration: least privilege, each statement with its
//! reason.

// Pure: values in, documents out, without the network.

mod allowed;
mod cors;
mod dialect;
mod document;
mod facts;
mod generated;
mod permission;
mod partition;
mod pattern;
mod place;
mod principal;
mod request;
mod resource;
mod role;
mod statement;

#[cfg(test)]
mod tests;

#[cfg(feature = "diagnosis")]
pub(crate) use self::partition::Partition;
pub(crate) use self::permission::Permission;
pub use self::{
    dialect::PolicyDialect,
    document::{PolicyDocument, PolicyKind},
    generated::Policies,
    request::PolicyRequest,
    statement::PolicyStatement,
};
