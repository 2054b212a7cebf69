/// What the credentials of a mount are meant to be allowed to do in its bucket.
///
/// The proxy only reads. The grant is for what surrounds it: what a check of the mount tries out, and what its policies
/// allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Grant {
    /// To read objects.
    #[default]
    Read,
    /// To read, write and delete objects.
    ReadWrite,
}
