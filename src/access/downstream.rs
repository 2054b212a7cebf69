/// What caches between the proxy and a client may keep of a mount whose answers depend on who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DownstreamCaching {
    /// Nothing but the client's own cache: `Cache-Control` says `private`, without `public` and `s-maxage`, and fields for
    /// caches in front alone, like `CDN-Cache-Control`, are not passed on. A cache in front does not ask the authorizer.
    #[default]
    Private,
    /// What `Cache-Control` says, as on other mounts: for those whose cache in front decides itself who may have what.
    AsStored,
}
