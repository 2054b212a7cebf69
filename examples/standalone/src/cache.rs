use std::{env, error::Error, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tower_s3_proxy::{
    BucketName, Cache, ConfigError, Mount, S3ProxyLayer,
    cache::{AdminToken, CacheAdmin},
    warm::{WarmFailure, WarmReport, WarmTarget, Warming},
};

use crate::{args::CacheArgs, reload::ReloadRequests};

/// Starts to read these prefixes into the cache. The proxy answers requests meanwhile.
pub(crate) fn warm(bucket: &BucketName, mount: &Mount, prefixes: Vec<String>) -> Result<(), ConfigError> {
    let warmings = prefixes.into_iter().map(|prefix| {
        let target = WarmTarget::Prefix { bucket: bucket.clone(), prefix: prefix.clone() };
        Ok((mount.warm(target)?, prefix))
    });
    let warmings: Vec<(Warming, String)> = warmings.collect::<Result<_, ConfigError>>()?;
    tokio::spawn(async move {
        for (warming, prefix) in warmings {
            let warming = warming.on_progress({
                let prefix = prefix.clone();
                move |so_far| {
                    if so_far.seen() % 1000 == 0 {
                        tell(&prefix, so_far, "warming");
                    }
                }
            });
            match warming.run().await {
                Ok(report) if report.seen() == 0 => {
                    tracing::warn!(
                        prefix,
                        "nothing to warm: no key begins with this prefix (keys have no leading slash)"
                    );
                }
                Ok(report) => tell(&prefix, &report, "warmed"),
                Err(error) => {
                    tracing::error!(
                        prefix,
                        "warming failed, at least in part; the objects are still served: {error}"
                    );
                    tell(&prefix, error.report(), "warmed up to the error");
                }
            }
        }
    });
    Ok(())
}

fn tell(prefix: &str, report: &WarmReport, how_far: &str) {
    let WarmReport { kept, fresh, too_large, not_kept, missing, failed, bytes, is_full, .. } = report;
    tracing::info!(prefix, kept, fresh, too_large, not_kept, missing, failed, bytes, is_full, "{how_far}");
    for WarmFailure { key, error, .. } in &report.failures {
        tracing::debug!(prefix, %key, %error, "not warmed");
    }
}

/// What purges the cache over HTTP.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) path: String,
    token: AdminToken,
    layer: S3ProxyLayer,
    reloads: ReloadRequests,
    /// Of the cache that is in use.
    service: ArcSwap<CacheAdmin>,
}

// === impl Admin ===

impl Admin {
    /// `None` unless it is asked for.
    pub(crate) fn of(
        args: &CacheArgs,
        cache: Option<&Cache>,
        layer: &S3ProxyLayer,
        reloads: ReloadRequests,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(path) = &args.cache_admin_path else { return Ok(None) };
        let cache = cache.ok_or(NO_CACHE)?;
        let token = token().map_err(|why| format!("--cache-admin-path: {why}"))?;
        let token = AdminToken::new(token).map_err(|why| format!("{TOKEN}: {why}"))?;
        let service = ArcSwap::from_pointee(service(cache, &token, layer, &reloads));
        Ok(Some(Self { path: path.clone(), token, layer: layer.clone(), reloads, service }))
    }

    pub(crate) fn service(&self) -> CacheAdmin {
        CacheAdmin::clone(&self.service.load())
    }

    /// Purges another cache from now on.
    pub(crate) fn turn_to(&self, cache: &Cache) {
        self.service.store(Arc::new(service(cache, &self.token, &self.layer, &self.reloads)));
    }
}

/// It warms the mounts that are served at that time.
fn service(cache: &Cache, token: &AdminToken, layer: &S3ProxyLayer, reloads: &ReloadRequests) -> CacheAdmin {
    let (layer, reloads) = (layer.clone(), reloads.clone());
    let admin = cache.admin(token.clone()).with_mounts(move || layer.mounts());
    admin.with_reload(move || {
        let asking = reloads.clone().ask();
        async move { Ok(asking.await?) }
    })
}

/// The token that the admin interface wants to see.
pub(crate) fn token() -> Result<String, String> {
    env::var(TOKEN).map_err(|_| {
        format!("the environment variable {TOKEN} is not set: it has the token that requests must carry")
    })
}

pub(crate) const NO_CACHE: &str =
    "--cache-admin-path needs a cache: give --cache-size, or [cache] in the file";

const TOKEN: &str = "CACHE_ADMIN_TOKEN";

/// Parses bytes as people write them: `4096`, `512MiB`, `1GB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    with_unit(text, &units).ok_or_else(|| "give bytes, like 4096, 512MiB or 1GB".to_owned())
}

/// Parses a time as people write it: seconds, or `10s`, `5m`, `1h`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = with_unit(text, &[("", 1), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]);
    seconds.map(Duration::from_secs).ok_or_else(|| "give seconds, or like 10s, 5m, 1h, 1d".to_owned())
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tower_s3_proxy::S3ProxyConfig;

    use super::*;
    use crate::{args::Args, mounts::MountArgs};

    #[test]
    fn sizes_and_times_have_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("512MiB", Some(512 << 20)),
            ("1gib", Some(1 << 30)),
            ("1GB", Some(1_000_000_000)),
            ("", None),
            ("MiB", None),
            ("1M", None),
            ("-1", None),
            ("1.5GB", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), bytes, "{text:?}");
        }
        for (text, seconds) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("10s", Some(10)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("1w", None),
        ] {
            assert_eq!(parse_time(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn flags_make_a_cache_or_say_what_they_lack() {
        let layer = S3ProxyLayer::new(S3ProxyConfig::default());
        for (flags, outcome) in [
            (&[][..], Ok(false)),
            (&["--cache-size", "64MiB"], Ok(true)),
            (&["--cache-size", "64MiB", "--cache-max-object", "1MiB", "--cache-block", "64KiB"], Ok(true)),
            (&["--cache-size", "64MiB", "--cache-ttl", "5m"], Ok(true)),
            (&["--cache-size", "64MiB", "--bucket", "media"], Ok(true)),
            (&["-o", "cache.size=64MiB"], Ok(true)),
            (&["--cache-size", "64MiB", "-o", "cache.negative_ttl_ms=100"], Ok(true)),
            (&["--cache-size", "64MiB", "-o", "cache.size=64MiB"], Err("both set cache.size")),
            (&["-o", "cache.block=64KiB"], Err("-o cache.block: the cache needs a size")),
            (&["--config", "proxy.toml", "-o", "cache.block=64KiB"], Err("cannot be used with")),
            (&["--cache-size", "64"], Err("at least 1048576")),
            (&["--cache-size", "much"], Err("give bytes")),
            (&["--cache-size", "8MiB", "--cache-max-object", "1GiB"], Err("do not fit")),
            (&["--cache-size", "8MiB", "--cache-block", "5GB"], Err("4096 to 16777216")),
            (&["--cache-size", "8MiB", "--cache-ttl", "soon"], Err("give seconds")),
            (&["--cache-size", "64MiB", "--warm", "a/", "--warm", "b/"], Ok(true)),
            (&["--warm", "a/"], Err("--cache-size")),
            (
                &["--cache-size", "8MiB", "--warm", "a/", "--bucket-from-path", "m-*"],
                Err("cannot be used with"),
            ),
            (&["--config", "proxy.toml", "--warm", "a/"], Err("cannot be used with")),
            (&["--config", "proxy.toml", "--cache-ttl", "5m"], Err("cannot be used with")),
            (&["--config", "proxy.toml", "--cache-max-object", "1MiB"], Err("cannot be used with")),
            (&["--config", "proxy.toml", "--cache-block", "64KiB"], Err("cannot be used with")),
            (&["--cache-ttl", "5m"], Err("--cache-size")),
            (&["--cache-max-object", "1MiB"], Err("--cache-size")),
            (&["--cache-block", "64KiB"], Err("--cache-size")),
            (&["--cache-size", "8MiB", "--config", "proxy.toml"], Err("cannot be used with")),
            (&["--cache-admin-path", "cache"], Err("must begin with")),
            (&["--cache-admin-path", "/"], Err("must begin with")),
            (&["--cache-admin-path", "/cache/"], Err("must begin with")),
            (&["--cache-admin-path", "/_cache"], Err("needs a cache")),
        ] {
            let parsed = Args::try_parse_from(["standalone"].iter().chain(flags));
            let made = parsed.map_err(|why| why.to_string()).and_then(|args| {
                args.check()?;
                let (source, credentials) = (&args.source, &args.credentials);
                let mounts = MountArgs { source, credentials, cache: &args.cache, writes: None };
                let mut settings = mounts.settings()?;
                settings.set_default("", "bucket", "demo");
                let file = settings.read(|_| None)?;
                Admin::of(&args.cache, file.cache(), &layer, ReloadRequests::new().0)
                    .map_err(|why| why.to_string())?;
                Ok(file.cache().is_some())
            });
            match (made, outcome) {
                (Ok(made), Ok(expected)) => assert_eq!(made, expected, "{flags:?}"),
                (Err(message), Err(hint)) => assert!(message.contains(hint), "{flags:?}: {message}"),
                (made, outcome) => panic!("{flags:?}: {made:?}, not {outcome:?}"),
            }
        }
    }
}
