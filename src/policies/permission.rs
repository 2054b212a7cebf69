/// A permission that a mount needs. One statement grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Permission {
    /// To read objects.
    Read,
    /// To read earlier versions of objects.
    ReadVersion,
    /// To list keys, and to learn that a key does not exist.
    List,
    /// To write objects, in one piece or in parts.
    Write,
    /// To delete objects.
    Delete,
    /// To abort, or continue, an upload in parts.
    EndUpload,
    /// To have S3 decrypt objects that it reads.
    Decrypt,
    /// To have S3 encrypt objects that it writes.
    Encrypt,
    /// To open a session with a directory bucket.
    CreateSession,
    /// To read the bucket's website configuration.
    Website,
}

// === impl Permission ===

impl Permission {
    /// The `Sid` of its statement: letters and digits, as IAM requires.
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
            Self::Website => "ReadWebsite",
        }
    }
}
