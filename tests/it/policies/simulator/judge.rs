use std::{
    env,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{HOME, ROLE};

/// A request that AWS is asked to judge.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) action: String,
    resource: String,
    principal: String,
    account: String,
    context: Value,
    at: Option<Value>,
    through: Option<Value>,
}

pub(super) fn asked(action: &str, resource: &str) -> Asked {
    Asked {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: ROLE.to_owned(),
        account: HOME.to_owned(),
        context: json!({}),
        at: None,
        through: None,
    }
}

// === impl Asked ===

impl Asked {
    pub(super) fn with(mut self, context: Value) -> Self {
        let Value::Object(context) = context else { panic!("{context} is no context") };
        self.context.as_object_mut().unwrap().extend(context);
        self
    }

    pub(super) fn of(mut self, principal: &str) -> Self {
        self.principal = principal.to_owned();
        self
    }

    /// The account that has the resource.
    pub(super) fn in_account(mut self, account: &str) -> Self {
        self.account = account.to_owned();
        self
    }

    /// The policy of the resource.
    pub(super) fn at(mut self, policy: &Value) -> Self {
        self.at = Some(policy.clone());
        self
    }

    /// The policy of the VPC endpoint.
    pub(super) fn through(mut self, policy: &Value) -> Self {
        self.through = Some(policy.clone());
        self
    }

    /// The request as a simulation, with the policy of the principal.
    pub(super) fn by(&self, policy: &Value) -> Value {
        // A key's policy leaves everything to its account, if nothing else is said.
        let of_key = || {
            let root = json!({ "AWS": format!("arn:aws:iam::{}:root", self.account) });
            json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*" },
            ] })
        };
        let at = self.at.clone().or_else(|| self.action.starts_with("kms:").then(of_key));
        let mut simulation = json!({
            "request": {
                "principal": self.principal,
                "action": self.action,
                "resource": { "resource": self.resource, "accountId": self.account },
                "contextVariables": self.context,
            },
            "identityPolicies": [{ "name": "identity", "policy": policy }],
        });
        if let Some(at) = at {
            simulation["resourcePolicy"] = at;
        }
        if let Some(through) = &self.through {
            simulation["vpcEndpointPolicies"] = json!([{ "name": "endpoint", "policy": through }]);
        }
        simulation
    }
}

/// The evaluator, and what it is to be asked.
pub(super) struct Simulator {
    packages: String,
    simulations: Vec<Value>,
    expected: Vec<(&'static str, String)>,
}

// === impl Simulator ===

impl Simulator {
    pub(super) fn from_env() -> Option<Self> {
        let Ok(packages) = env::var("IAM_SIMULATOR") else {
            eprintln!("passed over: IAM_SIMULATOR is not set (see scripts/iam-simulator)");
            return None;
        };
        Some(Self { packages, simulations: Vec::new(), expected: Vec::new() })
    }

    pub(super) fn expect(&mut self, verdict: &'static str, what: &str, simulation: Value) {
        self.simulations.push(simulation);
        self.expected.push((verdict, what.to_owned()));
    }

    pub(super) fn run(self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/policies/evaluate.mjs");
        let mut node = Command::new("node")
            .arg(script)
            .arg(&self.packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let simulations = serde_json::to_vec(&self.simulations).unwrap();
        node.stdin.take().unwrap().write_all(&simulations).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        let verdicts: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verdicts.len(), self.expected.len());
        let all = verdicts.iter().zip(&self.expected).zip(&self.simulations);
        let wrong: Vec<_> = all
            .filter(|((verdict, (expected, _)), _)| verdict.as_str() != *expected)
            .map(|((verdict, (expected, what)), simulation)| {
                format!("{what}: {verdict}, not {expected}\n    {}", simulation["request"])
            })
            .collect();
        assert!(
            wrong.is_empty(),
            "{} of {} are judged otherwise:\n{}",
            wrong.len(),
            verdicts.len(),
            wrong.join("\n")
        );
        eprintln!("{} requests are judged as expected", verdicts.len());
    }
}
