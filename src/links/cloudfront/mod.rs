//! Links by CloudFront ([CloudFront developer guide, "Use signed
//! URLs"](https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html)).

mod distribution;
mod key;
mod policy;

pub use self::{
    distribution::CloudFront,
    key::{CloudFrontKey, InvalidCloudFrontKey},
};
pub(crate) use self::{
    distribution::Distribution,
    policy::{Covered, SourceNetwork},
};
