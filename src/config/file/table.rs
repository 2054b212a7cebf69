//! The tables of the file as written. No type here has `Debug`, since any value may be a secret.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    pub(super) region: Option<Text>,
    pub(super) transport: Option<Spanned<TransportTable>>,
    pub(super) cache: Option<Spanned<CacheTable>>,
    #[serde(default)]
    pub(super) credentials: BTreeMap<String, Spanned<CredentialsTable>>,
    #[serde(default)]
    pub(super) mount: Tables<MountTable>,
    /// Of the program around the layer, which reads them by itself.
    #[serde(rename = "server")]
    pub(super) _server: Option<IgnoredAny>,
    #[serde(rename = "listen")]
    pub(super) _listen: Option<IgnoredAny>,
}

#[derive(Clone, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TransportTable {
    pub(super) connect_timeout_ms: Option<u64>,
    pub(super) tls_timeout_ms: Option<u64>,
    pub(super) response_timeout_ms: Option<u64>,
    pub(super) read_timeout_ms: Option<u64>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_idle_connections: Option<usize>,
    pub(super) max_connection_age_secs: Option<u64>,
    pub(super) tcp_keep_alive_secs: Option<u64>,
    pub(super) tcp_user_timeout_secs: Option<u64>,
    pub(super) ca_file: Option<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) no_proxy: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RetryTable {
    pub(super) max_attempts: Option<u32>,
    pub(super) first_pause_ms: Option<u64>,
    pub(super) longest_pause_ms: Option<u64>,
    pub(super) deadline_ms: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CircuitBreakerTable {
    pub(super) enabled: Option<bool>,
    pub(super) failures: Option<u32>,
    pub(super) interval_ms: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HedgeTable {
    pub(super) quantile: Option<f64>,
    pub(super) at_least_ms: Option<u64>,
    pub(super) per_thousand: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BudgetTable {
    pub(super) requests: Option<u64>,
    pub(super) bytes: Option<Spanned<ByteSize>>,
    pub(super) day_begins: Option<Text>,
    pub(super) near: Option<u8>,
    pub(super) answer: Option<Text>,
    pub(super) state: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HotlinksTable {
    pub(super) allow: Vec<Text>,
    pub(super) none_given: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReplicaTable {
    pub(super) bucket: Option<Text>,
    pub(super) region: Option<Text>,
    pub(super) endpoint_url: Option<Text>,
    pub(super) path_style: bool,
    pub(super) connect_to: Option<Text>,
    pub(super) anonymous: bool,
    pub(super) credentials: Option<Text>,
    pub(super) access_key_id: Option<Text>,
    pub(super) secret_access_key: Option<Text>,
    pub(super) session_token: Option<Text>,
    pub(super) absent: Option<Text>,
    pub(super) cache: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PresignedTable {
    pub(super) writes: bool,
    pub(super) unsigned: Option<Text>,
    pub(super) answers: Option<Text>,
    pub(super) host: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WebsiteTable {
    pub(super) from: Option<Text>,
    pub(super) index: Option<Vec<Text>>,
    pub(super) clean_urls: bool,
    pub(super) single_page: Option<Text>,
    pub(super) not_found: Option<Text>,
    pub(super) errors: BTreeMap<String, Text>,
    pub(super) precompressed: Vec<Text>,
    pub(super) releases: Option<Spanned<ReleasesTable>>,
    pub(super) rules: bool,
    pub(super) refresh_secs: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReleasesTable {
    pub(super) prefix: Option<Text>,
    pub(super) current: Option<Text>,
    pub(super) keep: Option<usize>,
}

#[cfg(feature = "listing")]
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListingTable {
    pub(super) hide: Vec<Text>,
    pub(super) show_dotfiles: bool,
    pub(super) remember_ms: Option<u64>,
    pub(super) page_size: Option<u16>,
    pub(super) notes: Option<Vec<Text>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WritesTable {
    pub(super) below: Option<Text>,
    pub(super) max_size: Option<Spanned<ByteSize>>,
    pub(super) overwrite: bool,
    pub(super) delete: bool,
    pub(super) writers: Option<Text>,
    pub(super) content_types: Vec<Text>,
    pub(super) metadata: Option<Vec<Text>>,
    pub(super) storage_class: Option<Text>,
    pub(super) memory: Option<Spanned<ByteSize>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OwnLinksTable {
    pub(super) segment: Option<Text>,
    pub(super) unlinked: Option<Text>,
    pub(super) key: Tables<LinkKeyTable>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LinkKeyTable {
    pub(super) id: Option<Text>,
    pub(super) secret: Option<Text>,
    pub(super) secret_file: Option<Text>,
}

#[cfg(feature = "users")]
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UsersTable {
    pub(super) file: Option<Text>,
    pub(super) realm: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ForwardAuthTable {
    pub(super) url: Option<Text>,
    pub(super) send: Option<Vec<Text>>,
    pub(super) pass_on: Option<Vec<Text>>,
    pub(super) remember_secs: Option<u64>,
    pub(super) remember_by: Option<Vec<Text>>,
    pub(super) decides_by: Option<Text>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) scheme: Option<Text>,
    pub(super) pass_through: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CacheTable {
    pub(super) size: Option<Spanned<ByteSize>>,
    pub(super) max_object: Option<Spanned<ByteSize>>,
    pub(super) block: Option<Spanned<ByteSize>>,
    pub(super) negative_ttl_ms: Option<u64>,
    pub(super) background_fill_threshold: Option<u8>,
    pub(super) stale_if_error_after_ms: Option<u64>,
    pub(super) clients: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CredentialsTable {
    pub(super) r#type: Option<Text>,
    pub(super) access_key_id: Option<Text>,
    pub(super) secret_access_key: Option<Text>,
    pub(super) session_token: Option<Text>,
    pub(super) profile: Option<Text>,
    pub(super) role_arn: Option<Text>,
    pub(super) external_id: Option<Text>,
    pub(super) session_name: Option<Text>,
    pub(super) duration_secs: Option<Spanned<u64>>,
    pub(super) session_policy: Option<Text>,
    pub(super) policy_arns: Vec<Text>,
    pub(super) source: Option<Text>,
    pub(super) region: Option<Text>,
    pub(super) sts_endpoint_url: Option<Text>,
    pub(super) token_file: Option<Text>,
    pub(super) endpoint_url: Option<Text>,
    pub(super) command: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MountTable {
    pub(super) path: Option<Text>,
    pub(super) host: Option<Text>,
    pub(super) bucket: Option<Text>,
    pub(super) buckets_from_path: Option<Spanned<Vec<Text>>>,
    pub(super) prefix: Option<Text>,
    pub(super) cache_bust_segment: bool,
    pub(super) drop_dot_segments: bool,
    pub(super) allow_versions: bool,
    pub(super) allow_downloads: bool,
    pub(super) region: Option<Text>,
    pub(super) endpoint_url: Option<Text>,
    pub(super) path_style: bool,
    pub(super) fips: bool,
    pub(super) dual_stack: bool,
    pub(super) accelerate: bool,
    pub(super) connect_to: Option<Text>,
    pub(super) anonymous: bool,
    pub(super) credentials: Option<Text>,
    pub(super) access_key_id: Option<Text>,
    pub(super) secret_access_key: Option<Text>,
    pub(super) session_token: Option<Text>,
    pub(super) grant: Option<Text>,
    pub(super) require_encryption: bool,
    pub(super) encryption: Option<Spanned<EncryptionTable>>,
    pub(super) requester_pays: bool,
    pub(super) expected_bucket_owner: Option<Text>,
    pub(super) customer_key: Option<Text>,
    pub(super) transport: Option<Spanned<TransportTable>>,
    pub(super) max_in_flight: Option<usize>,
    pub(super) max_queued: Option<usize>,
    pub(super) queue_timeout_ms: Option<u64>,
    pub(super) retry: Option<Spanned<RetryTable>>,
    pub(super) circuit_breaker: Option<Spanned<CircuitBreakerTable>>,
    pub(super) budget: Option<Spanned<BudgetTable>>,
    pub(super) hedge: Option<Spanned<HedgeTable>>,
    pub(super) replica: Option<Spanned<ReplicaTable>>,
    pub(super) presigned: Option<Spanned<PresignedTable>>,
    pub(super) writes: Option<Spanned<WritesTable>>,
    pub(super) forward_auth: Option<Spanned<ForwardAuthTable>>,
    pub(super) own_links: Option<Spanned<OwnLinksTable>>,
    #[cfg(feature = "users")]
    pub(super) users: Option<Spanned<UsersTable>>,
    pub(super) website: Option<Spanned<WebsiteTable>>,
    #[cfg(feature = "listing")]
    pub(super) listing: Option<Spanned<ListingTable>>,
    #[cfg(feature = "s3-clients")]
    pub(super) client_keys: Option<Text>,
    pub(super) default_cache_control: Option<Text>,
    pub(super) override_cache_control: Option<Text>,
    pub(super) cache_control_rule: Tables<CacheControlRuleTable>,
    pub(super) cache: Option<Spanned<bool>>,
    pub(super) cache_ttl_secs: Option<Spanned<u64>>,
    pub(super) cache_ttl_rule: Tables<CacheTtlTable>,
    pub(super) cache_heuristic: Option<Spanned<CacheHeuristicTable>>,
    pub(super) forward_response_headers: Vec<Text>,
    pub(super) metadata_headers: BTreeMap<String, Text>,
    pub(super) cors: Option<Spanned<CorsTable>>,
    pub(super) hotlinks: Option<Spanned<HotlinksTable>>,
    pub(super) max_bytes_per_second: Option<Spanned<ByteSize>>,
    pub(super) links: Option<Spanned<LinksTable>>,
    pub(super) content_type: Option<Text>,
    pub(super) content_types: BTreeMap<String, Text>,
    pub(super) denied: Option<Text>,
    pub(super) bad_path: Option<Text>,
    pub(super) fallback: Option<Text>,
    pub(super) errors: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CacheControlRuleTable {
    pub(super) default: Option<Text>,
    pub(super) r#override: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) content_type: Option<Text>,
    pub(super) status: Option<u16>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CacheTtlTable {
    pub(super) ttl_secs: Option<u64>,
    pub(super) key: Option<Text>,
    pub(super) content_type: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheHeuristicTable {
    pub(super) percent: u8,
    pub(super) cap_secs: u64,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CorsTable {
    pub(super) origins: Option<Vec<Text>>,
    pub(super) methods: Option<Vec<Text>>,
    pub(super) headers: Option<Vec<Text>>,
    pub(super) expose: Option<Vec<Text>>,
    pub(super) max_age_secs: Option<u64>,
    pub(super) credentials: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LinksTable {
    pub(super) longest_secs: Option<u64>,
    pub(super) renew_below_percent: Option<u8>,
    pub(super) grant: Option<Text>,
    pub(super) public_host: Option<Text>,
    pub(super) endpoint: Option<Text>,
    pub(super) askers: Option<Text>,
    pub(super) redirect: Tables<RedirectTable>,
    pub(super) cloudfront: Option<Spanned<CloudFrontTable>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CloudFrontTable {
    pub(super) host: Option<Text>,
    pub(super) key_pair_id: Option<Text>,
    pub(super) private_key: Option<Text>,
    pub(super) private_key_file: Option<Text>,
    pub(super) origin_path: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RedirectTable {
    pub(super) key: Option<Text>,
    pub(super) at_least: Option<Spanned<ByteSize>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EncryptionTable {
    pub(super) r#type: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) bucket_key: Option<Spanned<bool>>,
    pub(super) context: Option<Spanned<BTreeMap<String, Text>>>,
}

/// A string before its variables are expanded, and its place.
pub(super) type Text = Spanned<Unexpanded>;

#[derive(Clone)]
pub(super) struct Unexpanded(pub(super) String);

/// A size in bytes, as a number or as text with a unit.
pub(super) enum ByteSize {
    Number(u64),
    Text(Unexpanded),
}

/// An array of tables.
pub(super) struct Tables<T>(pub(super) Vec<Spanned<T>>);

// === impl Unexpanded ===

impl<'de> Deserialize<'de> for Unexpanded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own message quotes the value: a secret of digits without quotes is a number.
        let text =
            String::deserialize(deserializer).map_err(|_| D::Error::custom("must be text in quotes"))?;
        Ok(Self(text))
    }
}

// === impl ByteSize ===

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByteSizeVisitor)
    }
}

struct ByteSizeVisitor;

impl Visitor<'_> for ByteSizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, like 4096 or \"512MiB\"")
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize::Number(bytes))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<ByteSize, E> {
        let bytes = bytes.try_into();
        bytes.map(ByteSize::Number).map_err(|_| E::custom("a size can't be negative"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
        Ok(ByteSize::Text(Unexpanded(text.to_owned())))
    }
}

// === impl Tables ===

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tables<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TablesVisitor(PhantomData))
    }
}

/// Explains the error in `[mount]`, which serde would call "a map instead of a sequence".
struct TablesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TablesVisitor<T> {
    type Value = Tables<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tables that begin with double brackets, like [[mount]]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut tables = Vec::new();
        while let Some(table) = seq.next_element()? {
            tables.push(table);
        }
        Ok(Tables(tables))
    }
}
