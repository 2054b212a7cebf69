/// What caches between the proxy and a client may keep, on a mount whose responses depend on the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DownstreamCaching {
    /// Nothing but the client's own cache: `Cache-Control` says `private`, without `public` and `s-maxage`, and fields
    /// for caches in front alone, like `CDN-Cache-Control`, are dropped. A cache in front does not ask the authorizer.
    #[default]
    Private,
    /// What `Cache-Control` says, as on other mounts: for a cache in front that checks access itself.
    AsStored,
}
