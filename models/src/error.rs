#[derive(Debug, Clone)]
pub(crate) struct Failure;
