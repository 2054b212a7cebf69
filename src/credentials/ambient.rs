//! The variables of the environment and the profile files as the SDK is to see them: an empty value counts as absent, as
//! for every other AWS tool. Compose and Helm write one where nothing is meant. The SDK takes an empty
//! `AWS_ENDPOINT_URL` for a URL, and panics when a role is assumed; an empty `AWS_PROFILE` for a name; and an empty
//! `region` for a region.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
};

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::Env;

use super::chain::http_client;
use crate::error::ConfigError;

/// What the process was started with.
pub(super) struct Ambient {
    /// All variables that have a value.
    variables: HashMap<String, String>,
    /// Whether that leaves some out.
    is_filtered: bool,
    /// The contents of the profile files, if they have empty values.
    files: Option<EnvConfigFiles>,
}

// === impl Ambient ===

impl Ambient {
    pub(super) async fn of_process() -> Self {
        let texts =
            env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
        Self::of(texts.collect()).await
    }

    pub(super) async fn of(mut variables: HashMap<String, String>) -> Self {
        let before = variables.len();
        variables.retain(|name, value| !(name.starts_with("AWS_") && value.is_empty()));
        let is_filtered = variables.len() < before;
        let files = files(&variables).await;
        Self { variables, is_filtered, files }
    }

    /// A variable, unless it is empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables that are not empty.
    pub(super) fn env(&self) -> Env {
        Env::from(self.variables.clone())
    }

    /// A loader of the SDK's configuration, over our own HTTP and TLS stack.
    pub(super) fn loader(&self) -> Result<ConfigLoader, ConfigError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client()?);
        if self.is_filtered {
            loader = loader.env(self.env());
        }
        Ok(match &self.files {
            Some(files) => loader.profile_files(files.clone()),
            None => loader,
        })
    }

    /// A loader that finds the credentials of this profile, and of nothing else.
    pub(super) fn loader_of_profile(&self, name: &str) -> Result<ConfigLoader, ConfigError> {
        let mut variables = self.variables.clone();
        variables.retain(|name, _| !OTHER_SOURCES.contains(&name.as_str()));
        // Asked last by the default chain, and by a profile with `credential_source` of this name, which is for instances.
        variables.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        Ok(self.loader()?.env(Env::from(variables)).profile_name(name))
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.is_filtered
    }

    pub(super) fn files(&self) -> Option<&EnvConfigFiles> {
        self.files.as_ref()
    }
}

/// The variables of the other sources of the default chain.
const OTHER_SOURCES: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The profile files without their empty values, if there are any.
async fn files(variables: &HashMap<String, String>) -> Option<EnvConfigFiles> {
    let kinds = [
        (EnvConfigFileKind::Config, "AWS_CONFIG_FILE", ".aws/config"),
        (EnvConfigFileKind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ];
    let home = variables.get("HOME").or_else(|| variables.get("USERPROFILE")).map(PathBuf::from);
    let (mut files, mut is_mended) = (EnvConfigFiles::builder(), false);
    for (kind, variable, usual) in kinds {
        let path = match (variables.get(variable).map(Path::new), &home) {
            (Some(path), Some(home)) => {
                path.strip_prefix("~").map_or(path.to_owned(), |rest| home.join(rest))
            }
            (Some(path), None) => path.to_owned(),
            (None, Some(home)) => home.join(usual),
            (None, None) => continue,
        };
        // The SDK says what is wrong with a file that cannot be read.
        let Ok(text) = tokio::fs::read_to_string(path).await else { continue };
        let mended = without_empty_values(&text);
        is_mended |= mended.len() < text.len();
        files = files.with_contents(kind, mended);
    }
    is_mended.then(|| files.build())
}

/// Drops the lines `key =`. Not those that begin a nested table, whose lines are indented.
fn without_empty_values(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let is_nested = line.starts_with([' ', '\t']);
        let begins_table = lines
            .peek()
            .is_some_and(|next| !is_nested && next.starts_with([' ', '\t']) && !next.trim().is_empty());
        if !is_empty_value(line) || begins_table {
            mended.push_str(line);
        }
    }
    mended
}

/// Whether a line is `key =`, perhaps with a comment behind it.
fn is_empty_value(line: &str) -> bool {
    let line = line.trim();
    let Some((key, value)) = line.split_once('=') else { return false };
    let value = value.trim();
    !key.starts_with(['#', ';', '[']) && (value.is_empty() || value.starts_with(['#', ';']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_value_is_left_out_and_a_table_stays() {
        for (text, expected) in [
            ("[default]\nregion = us-west-2\n", "[default]\nregion = us-west-2\n"),
            ("[default]\nregion =\nservices = a\n", "[default]\nservices = a\n"),
            ("[default]\naws_session_token=", "[default]\n"),
            ("[default]\nregion = # none\n", "[default]\n"),
            (
                "[services a]\ns3 =\n  endpoint_url = http://a\n",
                "[services a]\ns3 =\n  endpoint_url = http://a\n",
            ),
            ("[services a]\ns3 =\n  endpoint_url =\nsts =\n", "[services a]\ns3 =\n"),
            ("# a =\n; b =\n[a=]\nplain\n", "# a =\n; b =\n[a=]\nplain\n"),
            ("a = b=\n", "a = b=\n"),
            ("", ""),
        ] {
            assert_eq!(without_empty_values(text), expected, "{text:?}");
        }
    }

    async fn in_home(config: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Ambient) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        let texts = [("HOME", home.path().to_str().unwrap())];
        let all =
            texts.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let ambient = Ambient::of(all.collect()).await;
        (home, ambient)
    }

    #[tokio::test]
    async fn the_sdk_sees_no_empty_endpoint() {
        let config = "[default]\nrole_arn = x\nendpoint_url =\n";
        let (_home, ambient) =
            in_home(config, &[("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_STS", "")]).await;
        assert!(ambient.files().is_some());
        let loader = ambient.loader().unwrap().region(aws_types::region::Region::new("us-east-1"));
        let config = loader.no_credentials().load().await;
        let sts = aws_sdk_sts::Config::from(&config);
        assert!(!format!("{sts:?}").contains("endpoint_url: Some"), "{sts:?}");
        assert_eq!(config.endpoint_url(), None);
    }

    #[tokio::test]
    async fn a_profile_is_found_and_not_the_keys_beside_it() {
        use aws_credential_types::provider::ProvideCredentials;

        let keys = [("AWS_ACCESS_KEY_ID", "AKIDOTHER"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "")];
        let config =
            "[profile b]\naws_access_key_id = AKIDB\naws_secret_access_key = y\naws_session_token =\n";
        let (_home, ambient) = in_home(config, &keys).await;
        for (name, expected) in [("b", Some("AKIDB")), ("c", None)] {
            let region = aws_types::region::Region::new("us-east-1");
            let config = ambient.loader_of_profile(name).unwrap().region(region).load().await;
            let found = config.credentials_provider().unwrap().provide_credentials().await.ok();
            assert_eq!(found.as_ref().map(|keys| keys.access_key_id()), expected, "{name}");
            assert_eq!(found.and_then(|keys| keys.session_token().map(str::to_owned)), None);
        }
    }
}
