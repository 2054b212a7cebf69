#[derive(Debug)]
pub(crate) struct BucketName;

#[derive(Debug, Hash)]
pub(crate) struct ObjectKey(pub(crate) &'static str);
