use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{cors::CorsConfiguration, statement::PolicyStatement};

/// A JSON document for one place, with an explanation in words.
///
/// [`Display`](fmt::Display) is for people: the purpose and the reason of each statement, in lines that begin with `#`,
/// and then the JSON.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    kind: PolicyKind,
    about: String,
    content: Content,
}

/// The place of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyKind {
    /// The role or the user that signs the mount's requests: its permissions.
    Role,
    /// The role: its trust relationship.
    Trust,
    /// The bucket.
    Bucket,
    /// The access point.
    AccessPoint,
    /// The key of KMS, in addition to its existing policy.
    Key,
    /// The VPC endpoint.
    VpcEndpoint,
    /// The bucket, as its CORS configuration.
    Cors,
}

#[derive(Debug, Clone)]
enum Content {
    Policy(Vec<PolicyStatement>),
    Cors(CorsConfiguration),
}

/// The language of 2012, which has variables.
const VERSION: &str = "2012-10-17";

// === impl PolicyDocument ===

impl PolicyDocument {
    /// The place of the document.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// Its purpose, and notes on its use, in whole sentences.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Its statements; none in a CORS configuration.
    pub fn statements(&self) -> &[PolicyStatement] {
        match &self.content {
            Content::Policy(statements) => statements,
            Content::Cors(_) => &[],
        }
    }

    /// The document as JSON, indented, as AWS accepts it.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.content).expect("it is made of texts")
    }

    pub(super) fn policy(
        kind: PolicyKind,
        about: impl Into<String>,
        statements: Vec<PolicyStatement>,
    ) -> Self {
        Self { kind, about: about.into(), content: Content::Policy(statements) }
    }

    pub(super) fn cors(about: impl Into<String>, configuration: CorsConfiguration) -> Self {
        Self { kind: PolicyKind::Cors, about: about.into(), content: Content::Cors(configuration) }
    }
}

impl fmt::Display for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.kind.title())?;
        comment(f, "", &self.about)?;
        for statement in self.statements() {
            f.write_str("#\n")?;
            comment(f, statement.sid(), statement.why())?;
        }
        f.write_str(&self.to_json())
    }
}

/// Writes the text in lines of comments, under a title if it has one.
pub(super) fn comment(f: &mut fmt::Formatter<'_>, title: &str, text: &str) -> fmt::Result {
    let mut line = if title.is_empty() { String::new() } else { format!("{title}:") };
    for word in text.split_ascii_whitespace() {
        if line.chars().count() + word.chars().count() >= LINE {
            writeln!(f, "# {line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.is_empty() { Ok(()) } else { writeln!(f, "# {line}") }
}

/// The width of a line of words.
const LINE: usize = 98;

/// The description of a document, and the document.
impl Serialize for PolicyDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'s> {
            sid: &'s str,
            why: &'s str,
        }

        let told = |statement| {
            let statement: &PolicyStatement = statement;
            Told { sid: statement.sid(), why: statement.why() }
        };
        let statements: Vec<_> = self.statements().iter().map(told).collect();
        let mut fields = serializer.serialize_struct("PolicyDocument", 4)?;
        fields.serialize_field("kind", self.kind.name())?;
        fields.serialize_field("about", &self.about)?;
        fields.serialize_field("statements", &statements)?;
        fields.serialize_field("document", &self.content)?;
        fields.end()
    }
}

// === impl PolicyKind ===

impl PolicyKind {
    /// Its name in JSON, like `role-policy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Role => "role-policy",
            Self::Trust => "trust-policy",
            Self::Bucket => "bucket-policy",
            Self::AccessPoint => "access-point-policy",
            Self::Key => "key-policy",
            Self::VpcEndpoint => "vpc-endpoint-policy",
            Self::Cors => "cors-configuration",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Role => "Role policy",
            Self::Trust => "Trust policy",
            Self::Bucket => "Bucket policy",
            Self::AccessPoint => "Access point policy",
            Self::Key => "Key policy",
            Self::VpcEndpoint => "VPC endpoint policy",
            Self::Cors => "CORS configuration",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Content ===

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let statements = match self {
            Self::Policy(statements) => statements,
            Self::Cors(configuration) => return configuration.serialize(serializer),
        };
        let mut fields = serializer.serialize_struct("Policy", 2)?;
        fields.serialize_field("Version", VERSION)?;
        fields.serialize_field(
            "Statement",
            &statements.iter().map(|statement| &statement.body).collect::<Vec<_>>(),
        )?;
        fields.end()
    }
}
