use std::{borrow::Cow, fmt};

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_types::{
    origin::Origin as Place,
    os_shim_internal::{Env, Fs},
};

use super::ambient::Ambient;
use crate::error::{ConfigError, ConfigErrorKind};

/// The region and the endpoint URL of S3 that the environment and the AWS profile name, as for every AWS tool ([AWS SDKs
/// and Tools Reference Guide](https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html)).
///
/// | | in this order |
/// |---|---|
/// | region | `AWS_REGION`, `AWS_DEFAULT_REGION`, `region` of the profile or of its `source_profile` |
/// | endpoint URL | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `endpoint_url` of `s3` in the profile's `services`, `endpoint_url` of the profile |
/// | endpoint URL of STS | `AWS_ENDPOINT_URL_STS`, `endpoint_url` of `sts` in the profile's `services` |
///
/// What stands in `AWS_ENDPOINT_URL`, or in the profile itself, is for all services, and often has no STS: it counts for S3
/// alone here, although a role is assumed there, too. With `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` or
/// `ignore_configured_endpoint_urls`, there is no endpoint URL. The profile
/// is that of `AWS_PROFILE`, or `default`. Empty values count as absent.
///
/// ```no_run
/// use tower_s3_proxy::{BucketName, Mount, credentials::{self, AwsSettings}};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = AwsSettings::load(None).await?;
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .aws_settings(&settings)
///     .credentials(credentials::default_chain(None).await?)
///     .build()?;
/// # let _ = mount;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct AwsSettings {
    region: Option<AwsSetting>,
    endpoint_url: Option<AwsSetting>,
    sts_endpoint_url: Option<AwsSetting>,
}

/// One of the [`AwsSettings`], and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSetting {
    value: String,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Variable(&'static str),
    Profile(String),
}

// === impl AwsSettings ===

impl AwsSettings {
    /// The settings of the environment, and of this profile in place of that of `AWS_PROFILE`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::File`] if a profile file is malformed.
    pub async fn load(profile: Option<&str>) -> Result<Self, ConfigError> {
        Self::from(&Ambient::of_process().await, profile).await
    }

    /// The settings of this profile alone, or of that of `AWS_PROFILE`, whatever else the environment says.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub async fn of_profile(profile: Option<&str>) -> Result<Self, ConfigError> {
        let profiles = profiles(&Ambient::of_process().await, profile).await?;
        let urls = match ignores_endpoint_urls(None, &profiles) {
            true => (None, None),
            false => (endpoint_url(&profiles), sts_endpoint_url(&profiles)),
        };
        Ok(Self { region: region(&profiles), endpoint_url: urls.0, sts_endpoint_url: urls.1 })
    }

    pub(super) async fn from(ambient: &Ambient, profile: Option<&str>) -> Result<Self, ConfigError> {
        let profiles = profiles(ambient, profile).await?;
        let variable = |name| {
            let value = ambient.variable(name)?.to_owned();
            Some(AwsSetting { value, origin: Origin::Variable(name) })
        };
        let first = |names: [&'static str; 2]| names.into_iter().find_map(variable);
        let region = first(["AWS_REGION", "AWS_DEFAULT_REGION"]).or_else(|| region(&profiles));
        if ignores_endpoint_urls(ambient.variable(IGNORE), &profiles) {
            return Ok(Self { region, ..Self::default() });
        }
        let endpoint_url =
            first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]).or_else(|| endpoint_url(&profiles));
        // The variable for all services comes before the profile.
        let of_profile = || sts_endpoint_url(&profiles).filter(|_| variable("AWS_ENDPOINT_URL").is_none());
        let sts_endpoint_url = variable("AWS_ENDPOINT_URL_STS").or_else(of_profile);
        Ok(Self { region, endpoint_url, sts_endpoint_url })
    }

    /// The region.
    pub fn region(&self) -> Option<&AwsSetting> {
        self.region.as_ref()
    }

    /// The endpoint URL of S3, as written.
    pub fn endpoint_url(&self) -> Option<&AwsSetting> {
        self.endpoint_url.as_ref()
    }

    /// The endpoint URL that is for STS alone, as written.
    pub fn sts_endpoint_url(&self) -> Option<&AwsSetting> {
        self.sts_endpoint_url.as_ref()
    }
}

const IGNORE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// The profiles, of which this one, or else that of `AWS_PROFILE`, is selected.
async fn profiles(ambient: &Ambient, name: Option<&str>) -> Result<ProfileSet, ConfigError> {
    let files = ambient.files().cloned().unwrap_or_default();
    let name = name.map(|name| Cow::Owned(name.to_owned()));
    aws_config::profile::load(&Fs::real(), &ambient.env(), &files, name).await.map_err(|why| {
        ConfigError::new(ConfigErrorKind::File, format!("the AWS profile files: {why}")).caused_by(why)
    })
}

/// The region of the selected profile, or of the one whose credentials assume its role, as for the SDK.
fn region(profiles: &ProfileSet) -> Option<AwsSetting> {
    let mut name = profiles.selected_profile();
    for _ in profiles.profiles() {
        let profile = profiles.get_profile(name)?;
        if let Some(region) = profile.get("region") {
            return Some(AwsSetting { value: region.to_owned(), origin: Origin::Profile(name.to_owned()) });
        }
        name = profile.get("source_profile")?;
    }
    None
}

fn endpoint_url(profiles: &ProfileSet) -> Option<AwsSetting> {
    endpoint_url_of("S3", profiles).map(|(setting, _)| setting)
}

fn sts_endpoint_url(profiles: &ProfileSet) -> Option<AwsSetting> {
    let (setting, place) = endpoint_url_of("STS", profiles)?;
    (place == Place::service_profile_file()).then_some(setting)
}

fn endpoint_url_of(service: &str, profiles: &ProfileSet) -> Option<(AwsSetting, Place)> {
    // The variables come first, and are ours to read.
    let no_variables = Env::from_slice(&[]);
    let key = EnvConfigValue::new().service_id(service).profile("endpoint_url");
    let (value, source) = key.load(&no_variables, Some(profiles))?;
    let origin = Origin::Profile(profiles.selected_profile().to_owned());
    Some((AwsSetting { value: value.into_owned(), origin }, (&source).into()))
}

fn ignores_endpoint_urls(variable: Option<&str>, profiles: &ProfileSet) -> bool {
    let told = variable.or_else(|| profiles.get("ignore_configured_endpoint_urls"));
    told.is_some_and(|told| told.eq_ignore_ascii_case("true"))
}

// === impl AwsSetting ===

impl AwsSetting {
    /// The value, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where it is written, for messages: `AWS_REGION`, or `the profile "studio"`.
    pub fn origin(&self) -> impl fmt::Display + '_ {
        &self.origin
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::Profile(name) => write!(f, "the profile {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
[default]
region = eu-west-1
[profile local]
region = garage
endpoint_url = http://all.test
services = local
[services local]
sts =
  endpoint_url = http://sts.test
s3 =
  endpoint_url = http://s3.test
[profile plain]
endpoint_url = http://plain.test
[profile other]
endpoint_url = http://other.test
services = others
[services others]
sts =
  endpoint_url = http://sts.test
[profile ignoring]
region = eu-west-3
endpoint_url = http://ignored.test
ignore_configured_endpoint_urls = true
[profile lent]
source_profile = local
[profile loop]
source_profile = loop
[profile empty]
region =
endpoint_url =
";

    #[tokio::test]
    async fn variables_come_before_the_profile_and_its_services_before_itself() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        std::fs::write(&file, CONFIG).unwrap();
        let url = ("AWS_ENDPOINT_URL", "http://url");
        for (variables, profile, region, endpoint_url) in [
            (&[][..], None, Some("eu-west-1"), None),
            (&[("AWS_PROFILE", "local")], None, Some("garage"), Some("http://s3.test")),
            (&[("AWS_PROFILE", "plain")], Some("local"), Some("garage"), Some("http://s3.test")),
            (&[], Some("plain"), None, Some("http://plain.test")),
            (&[], Some("other"), None, Some("http://other.test")),
            (&[], Some("lent"), Some("garage"), None),
            (&[], Some("loop"), None, None),
            (&[], Some("empty"), None, None),
            (&[], Some("unheard-of"), None, None),
            (&[("AWS_PROFILE", "")], None, Some("eu-west-1"), None),
            (&[("AWS_REGION", "r")], Some("local"), Some("r"), Some("http://s3.test")),
            (&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "d")], None, Some("d"), None),
            (&[("AWS_REGION", "r"), ("AWS_DEFAULT_REGION", "d")], None, Some("r"), None),
            (&[url], Some("local"), Some("garage"), Some("http://url")),
            (&[url, ("AWS_ENDPOINT_URL_S3", "http://s3")], None, Some("eu-west-1"), Some("http://s3")),
            (&[url, ("AWS_ENDPOINT_URL_S3", "")], None, Some("eu-west-1"), Some("http://url")),
            (&[url], Some("ignoring"), Some("eu-west-3"), None),
            (&[url, (IGNORE, "true")], Some("local"), Some("garage"), None),
            (&[url, (IGNORE, "false")], Some("ignoring"), Some("eu-west-3"), Some("http://url")),
        ] {
            let files = [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("HOME", "/nonexistent")];
            let all = files.iter().chain(variables);
            let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let settings = AwsSettings::from(&Ambient::of(all).await, profile).await.unwrap();
            let got = (settings.region(), settings.endpoint_url());
            let got = (got.0.map(AwsSetting::value), got.1.map(AwsSetting::value));
            assert_eq!(got, (region, endpoint_url), "{variables:?} {profile:?}");
        }
    }

    #[tokio::test]
    async fn only_what_is_for_sts_alone_is_for_sts() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        std::fs::write(&file, CONFIG).unwrap();
        let sts = ("AWS_ENDPOINT_URL_STS", "http://sts");
        let url = ("AWS_ENDPOINT_URL", "http://url");
        for (variables, profile, sts_endpoint_url) in [
            (&[][..], None, None),
            (&[], Some("local"), Some("http://sts.test")),
            (&[("AWS_PROFILE", "other")], None, Some("http://sts.test")),
            (&[], Some("plain"), None),
            (&[url], Some("plain"), None),
            (&[url], Some("local"), None),
            (&[sts], None, Some("http://sts")),
            (&[url, sts], Some("local"), Some("http://sts")),
            (&[("AWS_ENDPOINT_URL_STS", "")], Some("local"), Some("http://sts.test")),
            (&[sts, (IGNORE, "true")], Some("local"), None),
            (&[sts], Some("ignoring"), None),
        ] {
            let files = [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("HOME", "/nonexistent")];
            let all = files.iter().chain(variables);
            let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let settings = AwsSettings::from(&Ambient::of(all).await, profile).await.unwrap();
            let got = settings.sts_endpoint_url().map(AwsSetting::value);
            assert_eq!(got, sts_endpoint_url, "{variables:?} {profile:?}");
        }
    }

    #[test]
    fn a_setting_says_where_it_is_written() {
        for (origin, told) in [
            (Origin::Variable("AWS_REGION"), "AWS_REGION"),
            (Origin::Profile("studio".to_owned()), "the profile \"studio\""),
        ] {
            assert_eq!(AwsSetting { value: "x".to_owned(), origin }.origin().to_string(), told);
        }
    }
}
