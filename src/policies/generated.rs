use std::fmt;

use serde::Serialize;

use super::{
    PolicyDialect, PolicyDocument, PolicyKind, cors,
    facts::{Facts, Signer},
    resource, role,
};

/// The policies of a mount: each document with the reasons of its statements, and notes on omissions.
///
/// [`PolicyRequest::build`](super::PolicyRequest::build) makes them. [`Display`](fmt::Display) is for people, and
/// [`to_json`](Self::to_json) for programs.
#[derive(Debug, Clone, Serialize)]
pub struct Policies {
    mount: String,
    documents: Vec<PolicyDocument>,
    left_out: Vec<String>,
}

// === impl Policies ===

impl Policies {
    /// The mount that they are for: its bucket and its path.
    pub fn mount(&self) -> &str {
        &self.mount
    }

    /// The documents, the role's first.
    pub fn documents(&self) -> &[PolicyDocument] {
        &self.documents
    }

    /// The document of this kind, if there is one.
    pub fn document(&self, kind: PolicyKind) -> Option<&PolicyDocument> {
        self.documents.iter().find(|document| document.kind() == kind)
    }

    /// The omissions and their reasons, a whole sentence for each.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Everything as a JSON object, indented: the `mount`, `documents`, each with its `kind`, an explanation (`about`),
    /// the reasons of its `statements` and the `document` itself, and `left_out`.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("it is made of texts")
    }

    /// The statement that allows what the mount needs: the role's, or else the bucket's.
    #[cfg(feature = "diagnosis")]
    pub(crate) fn granting(&self, permission: super::Permission) -> Option<&super::PolicyStatement> {
        let mut statements = self.documents.iter().flat_map(PolicyDocument::statements);
        statements.find(|statement| statement.permission == Some(permission))
    }

    pub(super) fn of(mount: String, facts: &Facts) -> Self {
        let mut policies = Self { mount, documents: Vec::new(), left_out: Vec::new() };
        match &facts.signer {
            Signer::Nobody => policies.left_out.push(
                "The role policy: the mount signs nothing, so it has no role. The bucket must allow everyone.".to_owned(),
            ),
            Signer::Somebody | Signer::Known(_) => policies.documents.push(role::permissions(facts)),
        }
        match facts.dialect {
            PolicyDialect::Aws => policies.add_those_of_aws(facts),
            PolicyDialect::Compatible => {
                policies.add(resource::bucket(facts));
                policies.add_what_compatible_servers_lack(facts);
            }
        }
        if let Some(cors) = &facts.cors {
            policies.add(cors::document(cors));
        }
        policies
    }

    fn add_those_of_aws(&mut self, facts: &Facts) {
        match (&facts.trust, &facts.signer) {
            (_, Signer::Nobody) => {}
            (Some(trust), _) => self.documents.push(role::trust(trust)),
            (None, _) => self.left_out.push(
                "The trust policy: the principal that assumes the role is not known. Name it (--trust), if there is a role.".to_owned(),
            ),
        }
        self.add(resource::bucket(facts));
        let others = [resource::access_point(facts), resource::key(facts), resource::vpc_endpoint(facts)];
        others.into_iter().flatten().for_each(|document| self.add(document));
        for key in facts.kms.keys.iter().filter(|key| super::allowed::is_managed_by_aws(key)) {
            self.left_out.push(format!(
                "Statements for {key}: AWS manages that key, and lets everyone use it who may use S3 in the account \
                 {}. Nobody from another account can, whatever policies say: objects for other accounts need a key of \
                 your own.",
                key.account(),
            ));
        }
    }

    fn add_what_compatible_servers_lack(&mut self, facts: &Facts) {
        let lacks = [
            (
                facts.trust.is_some(),
                "The trust policy: roles and their principals belong to AWS, or differ from server to server.",
            ),
            (
                facts.network.is_some(),
                "Conditions on VPC and VPC endpoint, and the endpoint's policy: they belong to AWS.",
            ),
            (!facts.kms.keys.is_empty(), "Statements for keys: permissions of KMS belong to AWS."),
        ];
        let lacks = lacks.into_iter().filter(|(is_asked_for, _)| *is_asked_for);
        self.left_out.extend(lacks.map(|(_, what)| what.to_owned()));
        if facts.principal().is_some() {
            self.left_out.push(
                "MinIO accepts bucket policies only for everyone: there, the policy of the user is enough."
                    .to_owned(),
            );
        }
    }

    fn add(&mut self, document: Result<PolicyDocument, String>) {
        match document {
            Ok(document) => self.documents.push(document),
            Err(why) => self.left_out.push(why),
        }
    }
}

impl fmt::Display for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}", self.mount)?;
        for document in &self.documents {
            writeln!(f, "\n{document}")?;
        }
        for what in &self.left_out {
            f.write_str("\n")?;
            super::document::comment(f, "Left out", what)?;
        }
        Ok(())
    }
}
