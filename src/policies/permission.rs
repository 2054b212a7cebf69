/// A permission that a mount needs, and that one statement grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Permission {
    /// To read objects.
    Read,
    /// To read what objects were before.
    ReadVersion,
    /// To list keys, and to be told that one does not exist.
    List,
    /// To write objects, in one piece or in parts.
    Write,
    /// To delete objects.
    Delete,
    /// To take back, or go on with, an upload in parts.
    EndUpload,
    /// To have S3 decrypt what it reads.
    Decrypt,
    /// To have S3 encrypt what it writes.
    Encrypt,
    /// To be let into a directory bucket.
    CreateSession,
}

// === impl Permission ===

impl Permission {
    /// The `Sid` of its statement: letters and digits, as IAM wants them.
    pub(super) fn sid(self) -> &'static str {
        match self {
            Self::Read => "ReadObjects",
            Self::ReadVersion => "ReadVersions",
            Self::List => "ListKeys",
            Self::Write => "WriteObjects",
            Self::Delete => "DeleteObjects",
            Self::EndUpload => "EndUploads",
            Self::Decrypt => "DecryptObjects",
            Self::Encrypt => "EncryptObjects",
            Self::CreateSession => "CreateSession",
        }
    }
}
