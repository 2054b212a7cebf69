//! The set-ups of the guide: their files, their policies, and the ways in which they are used.

mod moto;
mod seaweedfs;

use serde_json::Value;
use tower_s3_proxy::{
    ConfigFile, Mount, S3ProxyConfig,
    credentials::ExternalId,
    policies::{Policies, PolicyKind, PolicyRequest},
};

const GUIDE: &str = include_str!("../../../src/guide/setups.md");

/// One of the guide's set-ups.
struct Setup {
    file: String,
    /// As the guide shows it.
    policy: Value,
}

// === impl Setup ===

impl Setup {
    /// The one with this file.
    fn of(name: &str) -> Self {
        let (_, behind) = GUIDE.split_once(&format!("```toml\n# {name}\n")).expect("a set-up with that file");
        let (file, behind) = behind.split_once("```").unwrap();
        let (_, policy) = behind.split_once("```json\n").unwrap();
        let (policy, _) = policy.split_once("```").unwrap();
        Self { file: file.to_owned(), policy: serde_json::from_str(policy).unwrap() }
    }

    /// The same with another bucket, at a server of the tests.
    fn at(mut self, endpoint: &str, bucket: &str) -> Self {
        let named = |line: &str| line.starts_with("bucket = ");
        let place = format!("bucket = {bucket:?}\nendpoint_url = {endpoint:?}\npath_style = true");
        let lines = self.file.lines().map(|line| if named(line) { place.clone() } else { line.to_owned() });
        self.file = lines.collect::<Vec<_>>().join("\n");
        self
    }

    fn replace(mut self, from: &str, to: &str) -> Self {
        assert!(self.file.contains(from), "{from}");
        self.file = self.file.replace(from, to);
        self
    }

    /// With these keys in the variables.
    async fn config(&self, access_key: &str, secret_key: &str) -> S3ProxyConfig {
        let variable = |name: &str| match name {
            "S3_ACCESS_KEY_ID" => Some(access_key.to_owned()),
            "S3_SECRET_ACCESS_KEY" => Some(secret_key.to_owned()),
            _ => None,
        };
        ConfigFile::parse_with(&self.file, variable).unwrap().load().await.unwrap()
    }
}

fn mount(config: &S3ProxyConfig) -> Mount {
    config.mounts()[0].clone()
}

fn json(policies: &Policies, kind: PolicyKind) -> Value {
    serde_json::from_str(&policies.document(kind).unwrap().to_json()).unwrap()
}

#[tokio::test]
async fn the_policies_of_the_guide_are_those_that_are_made() {
    let external_id = |id: &str| ExternalId::parse(id).unwrap();
    type Ask = fn(PolicyRequest) -> PolicyRequest;
    let rows: [(&str, PolicyKind, Ask); 5] = [
        ("links.toml", PolicyKind::Role, |ask| {
            ask.role("arn:aws:iam::123456789012:role/link-maker").vpc_endpoint("vpce-0a1b2c3d")
        }),
        ("owner.toml", PolicyKind::Trust, |ask| ask.role("arn:aws:iam::123456789012:role/media-access")),
        ("site.toml", PolicyKind::Role, |ask| ask.role("arn:aws:iam::123456789012:user/site")),
        ("delivery.toml", PolicyKind::Role, |ask| ask.role("arn:aws:iam::123456789012:role/delivery")),
        ("platform.toml", PolicyKind::Role, |ask| ask.role("arn:aws:iam::444455556666:user/platform")),
    ];
    for (name, kind, ask) in rows {
        let setup = Setup::of(name);
        let config = setup.config("AKIDEXAMPLE", "not-a-secret").await;
        let mut request = ask(PolicyRequest::for_mount(&mount(&config)));
        if kind == PolicyKind::Trust {
            let service = "arn:aws:iam::444455556666:user/service";
            request = request.trusted_principal(service).external_id(external_id("studio:2031"));
        }
        let mut made = json(&request.build().unwrap(), kind);
        let mut shown = setup.policy;
        for policy in [&mut made, &mut shown] {
            normalise(policy);
        }
        assert_eq!(made, shown, "{name}");
    }
}

/// One value is the same as a list of it.
fn normalise(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(normalise);
            if let [one] = items.as_slice() {
                *value = one.clone();
            }
        }
        Value::Object(map) => map.values_mut().for_each(normalise),
        _ => {}
    }
}
