//! The generated policies, judged independently: by a simulator of IAM, and by a server that enforces policies.

mod seaweedfs;
mod simulator;

use serde_json::{Value, json};
use tower_s3_proxy::policies::{Policies, PolicyKind};

fn policy(policies: &Policies, kind: PolicyKind) -> Value {
    let document = policies.document(kind).unwrap_or_else(|| panic!("{kind}: {:?}", policies.left_out()));
    serde_json::from_str(&document.to_json()).unwrap()
}

fn sids(policy: &Value) -> Vec<String> {
    statements(policy).iter().map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect()
}

/// The policy without one of its statements.
fn without(policy: &Value, sid: &str) -> Value {
    let rest: Vec<_> = statements(policy).iter().filter(|statement| statement["Sid"] != sid).collect();
    assert_eq!(rest.len() + 1, statements(policy).len(), "{sid} in {policy}");
    json!({ "Version": policy["Version"], "Statement": rest })
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().unwrap()
}
