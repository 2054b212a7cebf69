use std::sync::Arc;

use aws_smithy_async::time::SharedTimeSource;

use super::{BucketChoice, MountBuilder};
use crate::{
    access::{CacheShare, Hotlinks},
    body::ByteRate,
    cache::{CacheTtl, FreshnessPolicy, MountCache},
    config::{AccessRules, BucketInPath, Linked, Mount, MountParts, PresignedRequests, Replica, own_links},
    credentials::{CredentialsSource, Signing},
    error::{ConfigError, ConfigErrorKind, Tallies},
    links::LinkPolicy,
    meter::Meter,
    object::BucketName,
    origin::{
        Addressing, AuthScheme, ConnectTo, CredentialCache, EndpointUrl, Hedging, InFlight, InFlightLimits,
        OriginClock, Peer, ReadBuffer, RefreshPolicy, Resilience, S3Origin, Spending, WireClient,
    },
    request::Methods,
    response::{
        Answers, CacheControlPolicy, CacheControlRule, ContentTypeFix, ContentTypes, CorsPolicy, Fallback,
        HeaderPolicy, InvalidCors,
    },
    route::{BucketSource, HostName, KeyMapping, MountPath},
    terms::{BucketTerms, Grant},
};

/// # The mount
impl MountBuilder {
    /// Checks everything and resolves the bucket's endpoint, without using the network.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first value that is missing, malformed or contradictory, and what is allowed.
    pub fn build(mut self) -> Result<Mount, ConfigError> {
        if self.writes.is_some() {
            self.terms.of_bucket.grant = Grant::ReadWrite;
        }
        self.access.guard = self.parse_guard()?;
        let path = MountPath::parse(&self.path)
            .map_err(|why| ConfigError::invalid("the mount path", &self.path, why))?;
        let host = self.host.as_deref().map(parse_host).transpose()?;
        let keys = KeyMapping::new(&self.prefix, self.cache_bust_segment, self.dot_segments)
            .map_err(|why| ConfigError::invalid("the key prefix", &self.prefix, why))?;
        let website = self.parse_website(&keys)?;
        #[cfg(feature = "listing")]
        let listing = self.parse_listing(website.as_ref())?;
        let headers = HeaderPolicy::new(&self.forwarded_headers, &self.metadata_headers).map_err(|why| {
            ConfigError::new(ConfigErrorKind::InvalidValue, format!("a header rule: {why}"))
        })?;
        let headers = if website.is_some() { headers.for_websites() } else { headers };
        let presigned = self.presigned.as_ref().map(PresignedRequests::check).transpose()?;
        let writes = self.parse_writes(keys.prefix())?;
        let of_links = presigned.as_ref().map_or(Methods::READS, |presigned| presigned.methods);
        let methods = writes.as_ref().map_or(Methods::READS, |writes| writes.methods).or(of_links);
        let cors =
            self.cors.as_ref().map(|cors| CorsPolicy::new(cors, methods.or(self.methods_of_s3_clients())));
        let cors = cors.transpose().map_err(invalid_cors)?;
        let hotlinks = self.hotlinks.as_ref().map(Hotlinks::parse).transpose();
        let hotlinks = hotlinks.map_err(|why| {
            ConfigError::new(ConfigErrorKind::InvalidValue, format!("hotlinks: a host to allow: {why}"))
        })?;
        let rate = self.max_bytes_per_second.map(ByteRate::new).transpose().map_err(|why| {
            ConfigError::new(ConfigErrorKind::InvalidValue, format!("max_bytes_per_second: {why}"))
        })?;
        let content_types = self.parse_content_types()?;
        let links = self.parse_links()?;
        // Neither an endpoint nor redirects to S3, whose links would outlive ours.
        let plain_links = LinkPolicy::new().parse()?;
        self.check_in_flight()?;
        let name = format!("{}{path}", host.as_ref().map_or("", HostName::as_str));
        let ingredients = self.ingredients(Meter::new(name))?;
        self.terms.check(&self.addressing.region)?;
        let own_credentials = &self.own_credentials()?;
        let origin = ingredients.origin(own_credentials);
        let source = own_credentials.clone();
        self.check_sets()?;
        self.check_freshness()?;
        self.check_payer(own_credentials)?;
        self.check_customer_key(ingredients.addressing.endpoint_url.as_ref())?;
        // If the bucket is not known yet, any name shows whether region and options are valid.
        let sample = match &self.bucket {
            BucketChoice::Fixed(name) => name.clone(),
            BucketChoice::FromPath(_) | BucketChoice::Resolver(_) => {
                BucketName::parse("sample-bucket").expect("it is a bucket name")
            }
        };
        let auth = origin.locate(&sample).map_err(|why| {
            let message = match &self.bucket {
                BucketChoice::Fixed(name) => format!("the bucket {name}: {why}"),
                BucketChoice::FromPath(_) | BucketChoice::Resolver(_) => format!("the endpoint: {why}"),
            };
            ConfigError::new(ConfigErrorKind::Endpoint, message).caused_by(why)
        })?;
        self.check_directory_bucket(&sample, auth, own_credentials)?;
        self.check_presigned(&sample, auth, &origin)?;
        #[cfg(feature = "s3-clients")]
        let headers = self.headers_with_clients(&path, headers)?;
        self.check_own_links(website.as_ref())?;
        let of_links = match &self.own_links {
            Some(links) => {
                let keyring = links.keyring(self.place(host.as_ref(), &path, &keys, website.as_ref()))?;
                Some((keyring, path.before_token(links.parse_segment()?), self.parse_website(&keys)?))
            }
            None => None,
        };
        let bucket_in_path = match &self.bucket {
            BucketChoice::FromPath(_) => BucketInPath::Yes,
            BucketChoice::Fixed(_) | BucketChoice::Resolver(_) => BucketInPath::No,
        };
        let bucket = match self.bucket {
            BucketChoice::Fixed(name) => BucketSource::Fixed(name),
            BucketChoice::FromPath(globs) if globs.is_empty() => {
                let message =
                    "a bucket from the path needs at least one glob of allowed names, like \"media-*\"";
                return Err(ConfigError::new(ConfigErrorKind::Missing, message));
            }
            BucketChoice::FromPath(globs) => BucketSource::from_path(globs.iter().map(String::as_str))
                .map_err(|why| ConfigError::invalid("the bucket globs", &globs.join(", "), why))?,
            BucketChoice::Resolver(resolver) => BucketSource::Resolver(resolver),
        };
        let general = self.override_cache_control.map(CacheControlRule::override_with);
        let default = self.default_cache_control.map(CacheControlRule::default_to);
        let cache_control =
            CacheControlPolicy::new(self.cache_control_rules.into_iter().chain(general).chain(default))
                .map_err(|why| {
                    ConfigError::new(ConfigErrorKind::InvalidValue, format!("a cache rule: {why}"))
                })?;
        let general_ttl = self.cache_ttl.map(CacheTtl::new);
        let freshness =
            FreshnessPolicy::new(self.cache_ttl_rules.iter().chain(&general_ttl), self.cache_heuristic)
                .map_err(|why| ConfigError::new(ConfigErrorKind::InvalidValue, why.to_string()))?;
        let in_cache = || self.cache.clone().map(|cache| MountCache::new(cache, freshness.clone()));
        #[cfg(feature = "listing")]
        let scopes = std::cell::Cell::new(0);
        let parts = |origin, source, cache, replica, presigned, writes, website, sets| MountParts {
            host: host.clone(),
            path: path.clone(),
            bucket: bucket.clone(),
            keys: keys.clone(),
            origin,
            headers: headers.clone(),
            cache_control: cache_control.clone(),
            cors: cors.clone(),
            content_types: content_types.clone(),
            answers: self.answers,
            query: self.query,
            links: links.apart(),
            cache,
            tallies: Tallies::default(),
            replica,
            access: self.access.clone(),
            hotlinks: hotlinks.clone(),
            rate: rate.clone(),
            presigned,
            own_links: None,
            writes,
            website,
            #[cfg(feature = "listing")]
            listing: listing.as_ref().map(|listing| listing.scoped(scopes.replace(scopes.get() + 1))),
            #[cfg(feature = "s3-clients")]
            client_keys: self.client_keys.clone(),
            credentials: source,
            grant: self.terms.of_bucket.grant,
            sets,
        };
        let mount = |parts: MountParts| Mount(Arc::new(parts));
        let own = match (&self.stored, &self.cache) {
            (Some(stored), Some(cache)) if stored.is_of(cache) => {
                Some(stored.with_freshness(freshness.clone()))
            }
            _ => in_cache(),
        };
        let sets = self.credential_sets.iter().map(|set| {
            let cache = match set.cache {
                CacheShare::Own => in_cache(),
                CacheShare::Mount => own.clone(),
            };
            let (origin, source) = (ingredients.origin(&set.source), set.source.clone());
            (set.name.clone(), mount(parts(origin, source, cache, None, None, None, None, Vec::new())))
        });
        let sets: Vec<_> = sets.collect();
        let own_links = of_links.map(|(keyring, path, website)| {
            let (origin, source) = (ingredients.origin(own_credentials), source.clone());
            let replica = self.replica.clone();
            let parts = parts(origin, source, own.clone(), replica, None, None, website, sets.clone());
            let clock = self.clock.clone();
            let access = AccessRules {
                selector: self.access.selector.clone(),
                authorizer: Some(own_links::authorizer(
                    keyring.clone(),
                    path.clone(),
                    keys.clone(),
                    bucket_in_path,
                    clock.clone(),
                )),
                ..AccessRules::default()
            };
            let parts = MountParts {
                path,
                access,
                // What has no object is not for the service behind, which has its own log-in.
                answers: Answers { fallback: Fallback::None, ..self.answers },
                links: plain_links,
                #[cfg(feature = "s3-clients")]
                client_keys: None,
                ..parts
            };
            Linked { keyring, mount: mount(parts), clock }
        });
        let parts =
            parts(origin, source, own.clone(), self.replica.clone(), presigned, writes, website, sets);
        Ok(mount(MountParts { own_links, ..parts }))
    }

    fn own_credentials(&self) -> Result<CredentialsSource, ConfigError> {
        if self.credentials.is_none() && self.presigned.as_ref().is_some_and(PresignedRequests::signs_nothing)
        {
            return Ok(CredentialsSource::anonymous());
        }
        self.credentials.clone().ok_or_else(|| {
            let message =
                "credentials are missing: give a provider, or say that the bucket is public (anonymous)";
            ConfigError::new(ConfigErrorKind::Missing, message)
        })
    }

    fn check_presigned(
        &self,
        sample: &BucketName,
        auth: AuthScheme,
        origin: &S3Origin,
    ) -> Result<(), ConfigError> {
        let Some(presigned) = &self.presigned else { return Ok(()) };
        if presigned.answers_from_cache() && self.cache.is_none() {
            let message =
                "links are answered from the cache (answers), and the mount has none: give it a cache";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let is_in_path = || origin.signed_place(sample).is_ok_and(|place| !place.base_path.is_empty());
        let message = match (&self.bucket, auth) {
            (_, AuthScheme::Session) => {
                "directory buckets take no presigned requests of others: their signatures belong to a session"
            }
            (BucketChoice::Resolver(_), _) => {
                "a function names the bucket, and a presigned request is for the bucket that it was signed for: give the bucket, or let the path name it"
            }
            (BucketChoice::FromPath(_), _) if !is_in_path() => {
                "the path names the bucket, and presigned requests of this endpoint have it in the host: set path_style"
            }
            (BucketChoice::Fixed(_) | BucketChoice::FromPath(_), AuthScheme::Credentials) => return Ok(()),
        };
        Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
    }

    /// With client keys, what S3 clients need is kept beside what the web is shown.
    #[cfg(feature = "s3-clients")]
    fn headers_with_clients(
        &self,
        path: &MountPath,
        headers: HeaderPolicy,
    ) -> Result<HeaderPolicy, ConfigError> {
        if self.client_keys.is_none() {
            return Ok(headers);
        }
        let message = match self.bucket {
            BucketChoice::FromPath(_) | BucketChoice::Resolver(_) => {
                "client keys need a mount of one bucket: give each bucket a mount of its own".to_owned()
            }
            BucketChoice::Fixed(_) if path.depth() > 1 => format!(
                "client keys on a mount at {path}: S3 clients call the bucket by the path, which must be \"/\" or one segment, like \"/media\""
            ),
            BucketChoice::Fixed(_) => return Ok(headers.for_s3_clients()),
        };
        Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
    }

    /// Pages can be S3 clients, too.
    #[cfg(feature = "s3-clients")]
    fn methods_of_s3_clients(&self) -> Methods {
        if self.client_keys.is_some() { Methods::ALL } else { Methods::READS }
    }

    #[cfg(not(feature = "s3-clients"))]
    #[expect(clippy::unused_self, reason = "with S3 clients it is asked")]
    fn methods_of_s3_clients(&self) -> Methods {
        Methods::READS
    }

    fn check_freshness(&self) -> Result<(), ConfigError> {
        let of_cache = [
            ("cache_ttl", self.cache_ttl.is_some()),
            ("cache_ttl_rule", !self.cache_ttl_rules.is_empty()),
            ("cache_heuristic", self.cache_heuristic.is_some()),
        ];
        match of_cache.into_iter().find(|(_, is_set)| *is_set && self.cache.is_none()) {
            Some((option, _)) => {
                let message =
                    format!("{option} without a cache: give the mount a cache, or leave {option} out");
                Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
            }
            None => Ok(()),
        }
    }

    fn check_sets(&self) -> Result<(), ConfigError> {
        let contradiction = |message| Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        for (n, set) in self.credential_sets.iter().enumerate() {
            if self.credential_sets.iter().take(n).any(|other| other.name == set.name) {
                return contradiction(format!(
                    "two credential sets have the name {:?}: give each its own name",
                    set.name
                ));
            }
        }
        if !self.credential_sets.is_empty()
            && self.access.selector.is_none()
            && self.access.authorizer.is_none()
        {
            let message =
                "no request can get the credential sets: give a selector or an authorizer that names them";
            return contradiction(message.to_owned());
        }
        Ok(())
    }

    fn parse_content_types(&self) -> Result<ContentTypes, ConfigError> {
        if self.content_type == ContentTypeFix::AsStored && !self.content_types.is_empty() {
            let message = "types of extensions have no effect where types are passed on as stored: leave out one of them";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        ContentTypes::new(self.content_type, &self.content_types).map_err(|why| {
            ConfigError::new(ConfigErrorKind::InvalidValue, format!("the type of an extension: {why}"))
        })
    }

    fn check_in_flight(&self) -> Result<(), ConfigError> {
        let InFlightLimits { max_in_flight, queue_timeout, .. } = self.in_flight;
        let message = if max_in_flight == 0 {
            "max_in_flight is 0: nothing could ever be asked of S3"
        } else if queue_timeout.is_zero() {
            "the queue time-out is zero: set max_queued to 0 if no request shall wait for another"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(ConfigErrorKind::InvalidValue, message))
    }

    /// The parts that the origins of a mount share, whatever their credentials.
    fn ingredients(&self, meter: Meter) -> Result<Ingredients, ConfigError> {
        if self.addressing.region.is_empty() {
            let message = "the region is missing: give the bucket's, like \"us-west-2\" (any for most S3-compatible servers)";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        let endpoint_url = self.endpoint_url.as_deref();
        let endpoint_url = endpoint_url.map(|url| EndpointUrl::parse("the endpoint URL", url)).transpose()?;
        let addressing = Addressing { endpoint_url, ..self.addressing.clone() };
        let client = self.client(&addressing)?;
        let clock = OriginClock::new(self.clock.clone());
        let in_flight = InFlight::new(InFlightLimits {
            continue_timeout: self.transport.response_timeout(),
            ..self.in_flight
        });
        let resilience = Arc::new(self.resilience(meter)?);
        let terms = self.terms.of_bucket.clone();
        Ok(Ingredients { addressing, client, in_flight, resilience, clock, terms })
    }

    fn resilience(&self, meter: Meter) -> Result<Resilience, ConfigError> {
        self.retry.check()?;
        let retry = match self.replica {
            Some(_) => self.retry.clone().beside_a_replica(),
            None => self.retry.clone(),
        };
        self.circuit_breaker.check()?;
        self.hedging.as_ref().map_or(Ok(()), Hedging::check)?;
        self.replica.as_ref().map_or(Ok(()), Replica::check)?;
        let spending = self.budget.as_ref().map(Spending::new).transpose()?;
        Ok(Resilience::new(retry, self.circuit_breaker.clone(), self.hedging.clone(), meter)
            .spending(spending))
    }

    fn client(&self, addressing: &Addressing) -> Result<WireClient, ConfigError> {
        let connect_to = self.connect_to.as_deref().map(parse_connect_to).transpose()?;
        let read_buffer = if self.cache.is_some() { ReadBuffer::Steady } else { ReadBuffer::Growing };
        let peer = if addressing.endpoint_url.is_none() { Peer::Aws } else { Peer::Other };
        let needs_tls = S3Origin::needs_tls(addressing);
        self.transport.client(connect_to, read_buffer, peer, needs_tls, self.clock.clone())
    }
}

/// The parts of an origin besides credentials.
struct Ingredients {
    addressing: Addressing,
    client: WireClient,
    /// The sets share the bound of their mount.
    in_flight: InFlight,
    /// And its budget.
    resilience: Arc<Resilience>,
    clock: OriginClock,
    terms: BucketTerms,
}

// === impl Ingredients ===

impl Ingredients {
    fn origin(&self, source: &CredentialsSource) -> S3Origin {
        let Self { addressing, client, in_flight, resilience, clock, terms } = self;
        let credentials = match source.signing() {
            Signing::Anonymous => None,
            Signing::By(provider) => {
                let clock = SharedTimeSource::new(clock.clone());
                Some(CredentialCache::new(provider.clone(), clock, RefreshPolicy::AHEAD))
            }
        };
        S3Origin::new(
            addressing.clone(),
            credentials,
            client.clone(),
            in_flight.clone(),
            Arc::clone(resilience),
            clock.clone(),
            terms.clone(),
        )
    }
}

fn invalid_cors(why: InvalidCors) -> ConfigError {
    let (kind, message) = match why {
        InvalidCors::Value(message) => (ConfigErrorKind::InvalidValue, message),
        InvalidCors::Contradiction(message) => (ConfigErrorKind::Contradiction, message),
    };
    ConfigError::new(kind, format!("CORS: {message}"))
}

fn parse_host(name: &str) -> Result<HostName, ConfigError> {
    HostName::parse(name).ok_or_else(|| {
        ConfigError::invalid("the host", name, "must be a host name without scheme, port and path")
    })
}

fn parse_connect_to(address: &str) -> Result<ConnectTo, ConfigError> {
    address.parse().map_err(|()| {
        ConfigError::invalid(
            "connect-to",
            address,
            "must be a host name or address, with \":port\" if it differs",
        )
    })
}
