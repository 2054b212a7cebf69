/// How much of IAM's language the server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyDialect {
    /// All of it: AWS.
    Aws,
    /// The common part of MinIO, Ceph and SeaweedFS: actions of S3 on buckets and objects, and the conditions
    /// `s3:prefix` and `aws:SecureTransport`. No roles, no VPC, no KMS, no access points.
    Compatible,
}
