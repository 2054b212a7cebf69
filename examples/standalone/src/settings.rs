use toml::Value;
use tower_s3_proxy::ConfigFile;

use crate::option::MountOption;

/// The command line's one mount, as keys of the configuration file, whose reader checks them.
#[derive(Default)]
pub(crate) struct Settings(Vec<Setting>);

struct Setting {
    /// Its name in messages: a flag, `-o KEY`, or a variable of the environment.
    name: String,
    key: Vec<String>,
    value: Value,
}

// === impl Settings ===

impl Settings {
    /// Sets a key to the value of a flag, as it is.
    pub(crate) fn set(&mut self, flag: &str, key: &str, value: impl Into<Value>) -> Result<(), String> {
        self.add(flag.to_owned(), path(key), literal(value.into()))
    }

    /// Sets a key to a value in which `${NAME}` is a variable, as in the file.
    pub(crate) fn option(&mut self, option: &MountOption) -> Result<(), String> {
        self.add(option.name(), option.key.clone(), option.value.clone())
    }

    /// Sets a key unless it is set already.
    pub(crate) fn set_default(&mut self, name: &str, key: &str, value: impl Into<Value>) {
        // The only possible error is that it is already set.
        let _ = self.add(name.to_owned(), path(key), literal(value.into()));
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether any key of a table is set.
    pub(crate) fn has_below(&self, table: &str) -> bool {
        self.0.iter().any(|setting| setting.key.first().is_some_and(|first| first == table))
    }

    /// The text that a key is set to.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let key = path(key);
        self.0.iter().find(|setting| setting.key == key).map(|setting| &setting.value)
    }

    fn add(&mut self, name: String, key: Vec<String>, value: Value) -> Result<(), String> {
        let setting = Setting { name, key, value };
        let Some(other) = self.0.iter().find(|other| other.overlaps(&setting)) else {
            self.0.push(setting);
            return Ok(());
        };
        let (name, other) = (&setting.name, &other.name);
        Err(match name == other {
            true => format!("{name} is given twice"),
            false => format!("{other} and {name} both set {}: leave out one of them", setting.key.join(".")),
        })
    }

    /// The configuration with this one mount.
    pub(crate) fn read(&self, variable: impl Fn(&str) -> Option<String>) -> Result<ConfigFile, String> {
        let (of_file, of_mount): (Vec<_>, Vec<_>) = self.0.iter().partition(|setting| setting.is_of_file());
        let part = |setting: &Setting| (setting.name.clone(), setting.to_toml());
        let parts: Vec<_> = of_file
            .into_iter()
            .map(part)
            .chain([(String::new(), "[[mount]]".to_owned())])
            .chain(of_mount.into_iter().map(part))
            .collect();
        let parts = parts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        ConfigFile::parse_parts(parts, variable).map_err(|why| self.with_form(why.to_string()))
    }

    /// A refusal with the form that the value of an option must have, if it has another.
    fn with_form(&self, refusal: String) -> String {
        let is_about = |setting: &&Setting| refusal.starts_with(&format!("{}: ", setting.name));
        let Some(setting) = self.0.iter().find(is_about).filter(|setting| setting.name.starts_with("-o "))
        else {
            return refusal;
        };
        let key = setting.key.join(".");
        let form = match &setting.value {
            Value::String(text) if refusal.ends_with("expected a sequence") => format!("{key}=[{text:?}]"),
            Value::String(_) if refusal.ends_with("expected a boolean") => {
                format!("{key}=true or {key}=false")
            }
            _ => return refusal,
        };
        format!("-o {key}: write {form}")
    }
}

fn path(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

/// The value without variables.
fn literal(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(values) => Value::Array(values.into_iter().map(literal).collect()),
        other => other,
    }
}

// === impl Setting ===

impl Setting {
    /// Whether both set the same key, or one of them a table that the other's key is in.
    fn overlaps(&self, other: &Self) -> bool {
        self.is_of_file() == other.is_of_file()
            && (self.key.starts_with(&other.key) || other.key.starts_with(&self.key))
    }

    /// Whether its key belongs before the mounts. In a mount, `cache` and `credentials` are not tables.
    fn is_of_file(&self) -> bool {
        match self.key.as_slice() {
            [key] => key == "region",
            [table, ..] => table == "cache" || table == "credentials",
            [] => false,
        }
    }

    fn to_toml(&self) -> String {
        let key: Vec<_> = self.key.iter().map(|name| quoted(name)).collect();
        format!("{} = {}", key.join("."), self.value)
    }
}

/// A part of a key, which has no control characters.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use tower_s3_proxy::credentials;

    use super::*;

    fn settings(options: &[&str]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        settings.set("--bucket", "bucket", "studio-media")?;
        settings.set("--cors-origin", "cors.origins", vec!["https://app.example.com"])?;
        for option in options {
            settings.option(&MountOption::parse(option)?)?;
        }
        settings.set_default("AWS_REGION", "region", "us-west-2");
        Ok(settings)
    }

    fn variable(name: &str) -> Option<String> {
        (name == "KEY").then(|| "films".to_owned())
    }

    /// The mounts in their `Debug` form, or the error.
    fn built(options: &[&str]) -> Result<String, String> {
        let file = settings(options)?.read(variable)?;
        let default = credentials::fixed("AKIDEXAMPLE", "not-a-secret", None);
        let config = file.build(Some(default)).map_err(|why| why.to_string())?;
        Ok(format!("{config:?}"))
    }

    #[test]
    fn options_are_keys_of_the_mount_of_the_cache_and_of_credentials() {
        for options in [
            &["fallback=inner", "path=/media", "region=eu-central-1", "cors.max_age_secs=60"][..],
            &["cache.size=64MiB", "cache.negative_ttl_ms=100", "cache_ttl_secs=5"],
            &["cache.size=64MiB", "cache=false"],
            &["credentials=own", "credentials.own.type=anonymous"],
            &["cache_control_rule=[{ override = \"no-store\", key = \"live/**\" }]"],
            &["metadata_headers.title=X-Title", "forward_response_headers=[\"x-amz-meta-*\"]"],
            &["prefix=${KEY}/é \"$\"\\"],
        ] {
            let shown = built(options);
            // Credentials with a name are for `load`.
            let is_named = options.iter().any(|option| option.starts_with("credentials="));
            assert!(shown.is_ok() != is_named, "{options:?}: {shown:?}");
        }
        assert!(built(&["prefix=${KEY}/2031"]).unwrap().contains("films/2031"));
        assert!(built(&["prefix=2031/$$"]).unwrap().contains("2031/$"));
    }

    #[test]
    fn the_value_of_a_flag_has_no_variables() {
        let mut settings = settings(&[]).unwrap();
        settings.set("--prefix", "prefix", "${KEY}$").unwrap();
        let config =
            settings.read(variable).unwrap().build(Some(credentials::fixed("A", "B", None))).unwrap();
        assert!(format!("{config:?}").contains("${KEY}$"), "{config:?}");
    }

    #[test]
    fn what_is_wrong_is_said_by_flag_and_key() {
        for (options, message) in [
            (&["fallback=outer"][..], "-o fallback: fallback \"outer\": must be"),
            (&["fallbak=inner"], "-o fallbak: unknown key `fallbak`: did you mean `fallback`?"),
            (&["miss=inner"], "-o miss: `miss` is called `fallback` now"),
            (
                &["cache.patience_ms=1"],
                "-o cache.patience_ms: `patience_ms` is called `stale_if_error_after_ms` now",
            ),
            (&["prefix=2031"], "-o prefix: must be text in quotes"),
            (
                &["cors.origins=[\"*\"]"],
                "--cors-origin and -o cors.origins both set cors.origins: leave out one",
            ),
            (&["cors={ origins = [\"*\"] }"], "--cors-origin and -o cors both set cors: leave out one"),
            (&["bucket=other"], "--bucket and -o bucket both set bucket"),
            (&["denied=auto", "denied=forbidden"], "-o denied is given twice"),
            (&["buckets_from_path=[\"*\"]"], "-o buckets_from_path: bucket and buckets_from_path contradict"),
            (&["prefix=${NONE}"], "-o prefix: prefix: the environment variable NONE is not set"),
            (
                &["transport.connect_timeout_ms=0"],
                "-o transport.connect_timeout_ms: the connect time-out is zero",
            ),
            (
                &["connect_timeout_ms=1"],
                "-o connect_timeout_ms: `connect_timeout_ms` is called `transport.connect_timeout_ms` now",
            ),
            (&["cache.block=64KiB"], "-o cache.block: the cache needs a size"),
            (&["cors.methods=GET"], "-o cors.methods: write cors.methods=[\"GET\"]"),
            (
                &["forward_response_headers=x-amz-meta-*"],
                "-o forward_response_headers: write forward_response_headers=[\"x-amz-meta-*\"]",
            ),
            (&["path_style=yes"], "-o path_style: write path_style=true or path_style=false"),
            (
                &["cors.credentials=on"],
                "-o cors.credentials: write cors.credentials=true or cors.credentials=false",
            ),
        ] {
            let refusal = built(options).unwrap_err();
            assert!(refusal.starts_with(message), "{options:?}: {refusal}");
        }
    }
}
