//! The table `[server]` of the file: the flags of the process, as keys.

use std::{collections::BTreeMap, env, ffi::OsString, path::Path};

use clap::{
    Arg, ArgAction, ArgMatches, Command, Error, error::ContextKind, error::ContextValue, parser::ValueSource,
};
use serde::{Deserialize, de::IgnoredAny};
use toml::{Spanned, Value};
use tower_s3_proxy::ConfigFile;

use crate::{command::in_file, config_text};

/// The flags that a file gives, each with the line of its key.
#[derive(Debug, Default)]
pub(crate) struct ServerTable {
    flags: Vec<(usize, String, Vec<OsString>)>,
}

/// The rest of the file is read elsewhere.
#[derive(Deserialize)]
struct FileTable {
    #[serde(default)]
    server: BTreeMap<Spanned<String>, Spanned<Value>>,
    #[serde(default)]
    listen: Vec<IgnoredAny>,
}

/// The flags that are of mounts, and have keys elsewhere in the file.
const OF_MOUNTS: [&str; 5] =
    ["What to serve", "Where S3 is", "What clients see", "Whose credentials", "The cache"];

/// And those that a file can't give.
const NOT_IN_FILES: [&str; 4] = ["config", "demo_s3", "help", "version"];

/// Those of `[[listen]]`.
const OF_LISTENERS: [&str; 7] =
    ["listen", "unix_mode", "proxy_protocol", "tls_cert", "tls_key", "tls_client_ca", "redirect_http"];

// === impl ServerTable ===

impl ServerTable {
    /// The flags that the file gives and the command line does not.
    pub(crate) fn read(command: &Command, path: &Path, given: &ArgMatches) -> Result<Self, String> {
        // That the file is not there, or is no TOML, is told where the mounts are read.
        let Ok(text) = config_text::read(path) else { return Ok(Self::default()) };
        let Ok(file) = toml::from_str::<FileTable>(&text) else { return Ok(Self::default()) };
        let is_given = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
        let mut flags = Vec::new();
        for (key, value) in &file.server {
            let line = line_of(&text, key.span().start);
            let place = |why: String| format!("{}: line {line}: {why}", path.display());
            let flag = flag(command, key.get_ref()).map_err(place)?;
            if !is_given(flag.get_id().as_str()) {
                flags.push((line, key.get_ref().clone(), words(flag, value.get_ref()).map_err(place)?));
            }
        }
        if !file.listen.is_empty() {
            let other = OF_LISTENERS
                .into_iter()
                .find(|id| is_given(id) || file.server.keys().any(|key| key.get_ref() == id));
            if let Some(id) = other {
                return Err(format!(
                    "{}: the tables [[listen]] and --{} contradict each other: leave out one of them",
                    path.display(),
                    id.replace('_', "-")
                ));
            }
        }
        Ok(Self { flags })
    }

    /// The command line with these flags.
    pub(crate) fn behind(&self, line: &[OsString]) -> Vec<OsString> {
        line.iter().chain(self.flags.iter().flat_map(|(_, _, words)| words)).cloned().collect()
    }

    /// A refusal that is about one of these flags, told as one of its key.
    pub(crate) fn told(&self, path: &Path, why: Error) -> Error {
        let Some(ContextValue::String(flag)) = why.get(ContextKind::InvalidArg) else { return why };
        let name =
            flag.split([' ', '=']).next().unwrap_or_default().trim_start_matches('-').replace('-', "_");
        let Some((line, key, _)) = self.flags.iter().find(|(_, key, _)| *key == name) else { return why };
        let rendered = why.to_string();
        let message = rendered.lines().next().unwrap_or_default().trim_start_matches("error: ");
        in_file(format!("{}: line {line}: {key}: {message}", path.display()))
    }
}

/// The flag that a key stands for.
fn flag<'c>(command: &'c Command, key: &str) -> Result<&'c Arg, String> {
    let is_of_process = |flag: &&Arg| {
        let id = flag.get_id().as_str();
        flag.get_long().is_some()
            && !NOT_IN_FILES.contains(&id)
            && (id == "cache_admin_path"
                || flag.get_help_heading().is_none_or(|heading| !OF_MOUNTS.contains(&heading)))
    };
    let known: Vec<&Arg> = command.get_arguments().filter(is_of_process).collect();
    if let Some(flag) = known.iter().find(|flag| flag.get_id() == key) {
        return Ok(flag);
    }
    let names = known.iter().map(|flag| flag.get_id().as_str());
    let nearest = names.clone().map(|name| (strsim::damerau_levenshtein(name, key), name)).min();
    Err(match nearest {
        Some((distance, name)) if distance * 3 <= name.len() => {
            format!("[server] has no key `{key}`: did you mean `{name}`?")
        }
        _ => format!("[server] has no key `{key}`: give one of {}", names.collect::<Vec<_>>().join(", ")),
    })
}

/// The words of the command line that say the same.
fn words(flag: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    let (id, long) = (flag.get_id(), flag.get_long().unwrap_or_default());
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
    match value {
        Value::Boolean(true) if is_switch => Ok(vec![format!("--{long}").into()]),
        Value::Boolean(false) if is_switch => Ok(Vec::new()),
        _ if is_switch => Err(format!("{id}: must be true or false")),
        Value::Array(values) if matches!(flag.get_action(), ArgAction::Append) => {
            values.iter().map(|value| word(id.as_str(), long, value)).collect()
        }
        Value::Array(_) => Err(format!("{id}: takes one value, and no list")),
        value => Ok(vec![word(id.as_str(), long, value)?]),
    }
}

fn word(id: &str, long: &str, value: &Value) -> Result<OsString, String> {
    let text = match value {
        Value::String(text) => {
            ConfigFile::expand(text, |name| env::var(name).ok()).map_err(|why| format!("{id}: {why}"))?
        }
        Value::Integer(number) => number.to_string(),
        _ => return Err(format!("{id}: must be text in quotes or a number")),
    };
    Ok(format!("--{long}={text}").into())
}

/// From one.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{args::Args, command};

    /// The arguments of a command line with a file of this text.
    fn parsed(text: &str, flags: &[&str]) -> Result<Args, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.toml");
        std::fs::write(&path, text).unwrap();
        let config = format!("--config={}", path.display());
        let line = ["tower-s3-proxy", config.as_str()].into_iter().chain(flags.iter().copied());
        command::parse(line).map_err(|why| {
            let told = why.to_string();
            told.replace(&format!("{}: ", path.display()), "FILE: ").trim_end().to_owned()
        })
    }

    #[test]
    fn the_keys_are_flags_and_the_command_line_counts_more() {
        let text = r#"
[server]
ping_path = "/healthz"
drain_timeout = 7
threads = 2
idle_timeout = "5m"
trusted_proxy = ["10.0.0.0/8", "unix"]
response_header = ["X-A: 1", "X-B: 2"]
proxy_protocol = false
"#;
        let args = parsed(text, &["--threads=3", "--response-header=X-C: 3"]).unwrap();
        assert_eq!((args.ping_path.as_str(), args.drain_timeout), ("/healthz", 7));
        assert_eq!(args.threads.map(usize::from), Some(3));
        assert_eq!(args.limits.idle_timeout, Duration::from_secs(300));
        assert_eq!(args.listen.trusted().networks.len(), 2);
        assert_eq!(args.response_header.len(), 1, "one of the command line comes in place of all");
        assert_eq!(parsed("", &[]).unwrap().ping_path, "/ping");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, flags, message) in [
            (
                "[server]\nmax_conections = 1",
                &[][..],
                "FILE: line 2: [server] has no key `max_conections`: did you mean `max_connections`?",
            ),
            (
                "[server]\n\nbucket = \"media\"",
                &[],
                "FILE: line 3: [server] has no key `bucket`: give one of ",
            ),
            ("[server]\nconfig = \"x\"", &[], "FILE: line 2: [server] has no key `config`"),
            (
                "[server]\nthreads = \"many\"",
                &[],
                "FILE: line 2: threads: invalid value 'many' for '--threads <N>'",
            ),
            ("[server]\nthreads = 1.5", &[], "FILE: line 2: threads: must be text in quotes or a number"),
            ("[server]\nthreads = [1]", &[], "FILE: line 2: threads: takes one value, and no list"),
            ("[server]\nproxy_protocol = 1", &[], "FILE: line 2: proxy_protocol: must be true or false"),
            (
                "[server]\nping_path = \"${NO_SUCH}\"",
                &[],
                "FILE: line 2: ping_path: the environment variable NO_SUCH",
            ),
            (
                "[[listen]]\n",
                &["--listen=:80"],
                "FILE: the tables [[listen]] and --listen contradict each other",
            ),
            (
                "[server]\nunix_mode = \"600\"\n[[listen]]\n",
                &[],
                "FILE: the tables [[listen]] and --unix-mode contradict each other",
            ),
        ] {
            let told = parsed(text, flags).unwrap_err();
            let told = told.trim_start_matches("error: ");
            assert!(told.starts_with(message), "{text}: {told}");
            assert!(!told.contains("Usage"), "{told}");
        }
    }
}
