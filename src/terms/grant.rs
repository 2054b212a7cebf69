/// The permissions that the credentials of a mount should have in its bucket.
///
/// The grant decides what a check of the mount tries, and what the mount's policies allow. What clients may do it does not: that is
/// for [`Writes`](crate::writes::Writes), which sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Grant {
    /// To read objects.
    #[default]
    Read,
    /// To read, write and delete objects.
    ReadWrite,
}
