/// How much of IAM's language the server understands that policies are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyDialect {
    /// All of it: AWS.
    Aws,
    /// What MinIO, Ceph and SeaweedFS have in common: actions of S3 on buckets and objects, and the conditions
    /// `s3:prefix` and `aws:SecureTransport`. No roles, no VPC, no KMS, no access points.
    Compatible,
}
