use crate::{ConfigErrorKind, ConfigFile, S3ProxyConfig, error::ConfigError};

const ROLE: &str = "arn:aws:iam::123456789012:role/media-reader";
const EXTERNAL_ID: &str = "our-agreement";

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => "s3cr3t-value",
        "EXTERNAL_ID" => EXTERNAL_ID,
        "BAD_EXTERNAL_ID" => "our agreement",
        "ROLE" => ROLE,
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn file(text: &str) -> ConfigFile {
    ConfigFile::parse_with(text, variable).expect("the file is in order")
}

/// A file whose last line is the mount's credentials; `lines` begin at its third.
fn with_mount(lines: &str) -> String {
    format!(
        "region = \"us-west-2\"\n\n{lines}\n[[mount]]\nbucket = \"studio-media\"\ncredentials = \"used\"\n"
    )
}

async fn load(text: &str) -> Result<S3ProxyConfig, ConfigError> {
    ConfigFile::parse_with(text, variable)?.load().await
}

#[tokio::test]
async fn every_type_is_loaded_and_says_what_it_is() {
    let web = format!("the role {ROLE}, assumed by a web identity");
    let role = format!("the role {ROLE} (External ID given), assumed by the default chain");
    for (lines, display) in [
        ("type = \"keys\"\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"${SECRET}\"", "fixed keys"),
        ("type = \"environment\"", "environment variables"),
        ("type = \"profile\"\nprofile = \"media\"", "the profile \"media\""),
        ("type = \"default\"", "the default chain"),
        ("type = \"web-identity\"\nrole_arn = \"${ROLE}\"\ntoken_file = \"/token\"", &web),
        ("type = \"container\"", "the container's credentials"),
        ("type = \"instance\"\nendpoint_url = \"http://127.0.0.1:9\"", "the instance's metadata"),
        ("type = \"process\"\ncommand = \"vault ${SECRET}\"", "a process"),
        ("type = \"anonymous\"", "none: requests are not signed"),
        ("type = \"assume-role\"\nrole_arn = \"${ROLE}\"\nexternal_id = \"${EXTERNAL_ID}\"", &role),
    ] {
        let config = load(&with_mount(&format!("[credentials.used]\n{lines}\n"))).await.unwrap();
        let source = config.mounts()[0].credentials();
        assert_eq!(source.to_string(), display);
    }
}

#[tokio::test]
async fn a_role_has_what_its_table_says() {
    let text = with_mount(
        r#"
        [credentials.used]
        type = "assume-role"
        role_arn = "${ROLE}"
        external_id = "${EXTERNAL_ID}"
        source = "first"
        session_name = "proxy-1"
        duration_secs = 3600
        session_policy = '{"Version":"2012-10-17","Statement":[]}'
        policy_arns = ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
        region = "eu-central-1"
        sts_endpoint_url = "http://127.0.0.1:9"

        [credentials.first]
        type = "assume-role"
        role_arn = "arn:aws:iam::210987654321:role/hub"
        source = "keys"

        [credentials.keys]
        type = "keys"
        access_key_id = "AKIDEXAMPLE"
        secret_access_key = "${SECRET}"
        "#,
    );
    let config = load(&text).await.unwrap();
    let source = config.mounts()[0].credentials();
    assert_eq!(source.role_arn().map(|role| role.as_str()), Some(ROLE));
    assert_eq!(source.external_id().map(|id| id.as_str()), Some(EXTERNAL_ID));
    let chain = "the role arn:aws:iam::210987654321:role/hub, assumed by fixed keys";
    assert_eq!(source.to_string(), format!("the role {ROLE} (External ID given), assumed by {chain}"));
    let debug = format!("{config:?} {:?}", file(&text));
    assert!(!debug.contains(EXTERNAL_ID) && !debug.contains("s3cr3t"), "{debug}");
}

#[tokio::test]
async fn what_is_no_source_is_refused_with_its_line() {
    use ConfigErrorKind::{Contradiction, File, InvalidValue, Missing};

    let role = "type = \"assume-role\"\nrole_arn = \"${ROLE}\"\n";
    let cases: &[(&str, ConfigErrorKind, &str)] = &[
        (
            "[credentials.used]",
            Missing,
            "line 3, credentials \"used\": type is missing: give one of \"keys\", ",
        ),
        (
            "[credentials.used]\ntype = \"vault\"",
            InvalidValue,
            "line 4: type \"vault\": must be \"keys\" or ",
        ),
        (
            "[credentials.used]\ntipe = \"keys\"",
            File,
            "line 4, column 1: unknown key `tipe`: did you mean `type`?",
        ),
        (
            "[credentials.other]\ntype = \"container\"",
            Missing,
            "line 7: credentials \"used\": the file has no table [credentials.used]",
        ),
        (
            "[credentials.used]\ntype = \"keys\"",
            Missing,
            "line 3, credentials \"used\": a value is missing: give access_key_id and",
        ),
        (
            "[credentials.used]\ntype = \"keys\"\naccess_key_id = \"AKID\"",
            Missing,
            "line 5: access_key_id needs secret_access_key",
        ),
        (
            "[credentials.used]\ntype = \"profile\"",
            Missing,
            "line 3, credentials \"used\": a value is missing: give profile",
        ),
        (
            "[credentials.used]\ntype = \"process\"\ncommand = \"${EMPTY}\"",
            Missing,
            "line 5: command is empty",
        ),
        (
            "[credentials.used]\ntype = \"assume-role\"",
            Missing,
            "line 3, credentials \"used\": a value is missing: give role_arn",
        ),
        (
            "[credentials.used]\ntype = \"assume-role\"\nrole_arn = \"reader\"",
            InvalidValue,
            "line 5: role_arn \"reader\": the ARN of a role must be like",
        ),
        (
            "[credentials.used]\ntype = \"web-identity\"\ntoken_file = \"/token\"",
            Missing,
            "line 3, credentials \"used\": a value is missing: give role_arn",
        ),
        (
            "[credentials.used]\ntype = \"web-identity\"\nrole_arn = \"${ROLE}\"",
            Missing,
            "line 3, credentials \"used\": a value is missing: give token_file",
        ),
        (
            "[credentials.used]\ntype = \"instance\"\nendpoint_url = \"there\"",
            InvalidValue,
            "line 3, credentials \"used\": the metadata endpoint URL \"there\"",
        ),
        (
            "[credentials.used]\ntype = \"container\"\nexternal_id = \"x1\"",
            Contradiction,
            "line 5: external_id is for credentials of type \"assume-role\", and not \"container\"",
        ),
        (
            "[credentials.used]\ntype = \"keys\"\nregion = \"x\"",
            Contradiction,
            "line 5: region is for credentials of type \"default\" or \"assume-role\" or \"web-identity\", and not \"keys\"",
        ),
    ];
    for (lines, kind, message) in cases {
        let error = load(&with_mount(lines)).await.unwrap_err();
        assert_eq!(error.kind(), *kind, "{error}");
        assert!(error.to_string().starts_with(message), "{error}\n{message}");
    }
    for (lines, kind, message) in [
        (
            "external_id = \"${BAD_EXTERNAL_ID}\"",
            InvalidValue,
            "line 6: external_id: an External ID must be 2 to 1224",
        ),
        (
            "duration_secs = 60",
            InvalidValue,
            "line 3, credentials \"used\": the session duration \"60s\": must be 900 s",
        ),
        ("session_name = \"a b\"", InvalidValue, "line 3, credentials \"used\": the session name"),
        (
            "session_policy = \"{\"",
            InvalidValue,
            "line 3, credentials \"used\": the session policy: is not JSON",
        ),
        ("sts_endpoint_url = \"there\"", InvalidValue, "line 3, credentials \"used\": the STS endpoint URL"),
        (
            "source = \"other\"",
            Missing,
            "line 6: source \"other\": the file has no table [credentials.other]",
        ),
        (
            "source = \"used\"",
            Contradiction,
            "line 6: source: the credentials \"used\" would be assumed by themselves",
        ),
        (
            "source = \"b\"\n[credentials.b]\ntype = \"assume-role\"\nrole_arn = \"${ROLE}\"\nsource = \"used\"",
            Contradiction,
            "line 10: source: the credentials \"b\" would be assumed by themselves",
        ),
        (
            "source = \"b\"\n[credentials.b]\ntype = \"anonymous\"",
            Contradiction,
            "line 3, credentials \"used\": a role can't be assumed without credentials",
        ),
        (
            "duration_secs = 7200\nsource = \"b\"\n[credentials.b]\ntype = \"container\"",
            Contradiction,
            "line 3, credentials \"used\": a session duration of 7200 s and a source that is a role",
        ),
    ] {
        let error = load(&with_mount(&format!("[credentials.used]\n{role}{lines}"))).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(message), "{error}\n{message}");
        assert!(!error.to_string().contains("agreement"), "{error}");
    }
}

#[test]
fn a_cycle_that_others_lead_to_ends() {
    let role = |name: &str, source: &str| {
        format!(
            "[credentials.{name}]\ntype = \"assume-role\"\nrole_arn = \"${{ROLE}}\"\nsource = \"{source}\"\n"
        )
    };
    let text = with_mount(&(role("used", "b") + &role("b", "c") + &role("c", "b")));
    let error = ConfigFile::parse_with(&text, variable).unwrap_err();
    assert!(error.to_string().starts_with("line 10: source: the credentials \"b\""), "{error}");
}

#[tokio::test]
async fn a_mount_has_one_kind_of_credentials() {
    let named = "[credentials.used]\ntype = \"container\"\n";
    for (line, message) in [
        ("anonymous = true", "line 8: credentials and anonymous = true contradict each other"),
        ("access_key_id = \"AKID\"", "line 8: credentials and keys contradict each other"),
        ("session_token = \"token\"", "line 8: credentials and keys contradict each other"),
    ] {
        let error = load(&(with_mount(named) + line)).await.unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Contradiction, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[tokio::test]
async fn mounts_with_the_same_name_and_without_one_are_loaded_side_by_side() {
    let mount = "[[mount]]\npath = \"/b\"\nbucket = \"studio-b\"\ncredentials = \"used\"\n\
                 [[mount]]\npath = \"/c\"\nbucket = \"studio-c\"\n";
    let config = load(&(with_mount("[credentials.used]\ntype = \"container\"") + mount)).await.unwrap();
    let mut sources: Vec<_> = config.mounts().iter().map(|mount| mount.credentials().to_string()).collect();
    sources.sort();
    assert_eq!(sources, ["the container's credentials", "the container's credentials", "the default chain"]);
}

/// Building them takes an `await`.
#[test]
fn build_refers_to_load_for_credentials_with_a_name() {
    let text = with_mount("[credentials.used]\ntype = \"container\"");
    assert!(!file(&text).needs_default_credentials());
    let error = file(&text).build(None).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Missing);
    assert!(error.to_string().contains("ConfigFile::load"), "{error}");
}
