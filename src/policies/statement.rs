use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Permission, principal::Principal};

/// One statement of a policy, and its reason.
#[derive(Clone, PartialEq, Eq)]
pub struct PolicyStatement {
    pub(super) permission: Option<Permission>,
    pub(super) why: Cow<'static, str>,
    pub(super) body: Body,
}

/// A statement in IAM's form, with its members in the usual order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Body {
    pub(super) sid: &'static str,
    pub(super) effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "principal")]
    pub(super) principal: Option<Principal>,
    #[serde(serialize_with = "one_or_many")]
    pub(super) action: Vec<&'static str>,
    /// Empty in trust policies, which are about their role.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "one_or_many")]
    pub(super) resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) condition: Conditions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// By operator, then by key: all must hold, and of a key's values one.
pub(super) type Conditions = BTreeMap<&'static str, BTreeMap<String, Values>>;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct Values(#[serde(serialize_with = "one_or_many")] Vec<String>);

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: &'static str,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

// === impl PolicyStatement ===

impl PolicyStatement {
    /// Its name in the policy: letters and digits.
    pub fn sid(&self) -> &str {
        self.body.sid
    }

    /// Its reason, in whole sentences.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The statement as JSON, indented: one element of a policy's `Statement`.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.body).expect("it is made of texts")
    }

    pub(super) fn allow(permission: Permission, action: Vec<&'static str>, resource: Vec<String>) -> Self {
        let body = Body {
            sid: permission.sid(),
            effect: Effect::Allow,
            principal: None,
            action,
            resource,
            condition: Conditions::new(),
        };
        Self { permission: Some(permission), why: Cow::Borrowed(""), body }
    }

    pub(super) fn deny(sid: &'static str, action: Vec<&'static str>, resource: Vec<String>) -> Self {
        let body = Body {
            sid,
            effect: Effect::Deny,
            principal: Some(Principal::Anyone),
            action,
            resource,
            condition: Conditions::new(),
        };
        Self { permission: None, why: Cow::Borrowed(""), body }
    }

    /// A statement of a trust policy, which is about its own role.
    pub(super) fn trust(action: Vec<&'static str>) -> Self {
        let body = Body {
            sid: "AssumeRole",
            effect: Effect::Allow,
            principal: None,
            action,
            resource: Vec::new(),
            condition: Conditions::new(),
        };
        Self { permission: None, why: Cow::Borrowed(""), body }
    }

    /// For a statement that grants nothing itself.
    pub(super) fn without_need(mut self) -> Self {
        self.permission = None;
        self
    }

    pub(super) fn named(mut self, sid: &'static str) -> Self {
        self.body.sid = sid;
        self
    }

    pub(super) fn because(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn of(mut self, principal: Principal) -> Self {
        self.body.principal = Some(principal);
        self
    }

    pub(super) fn only_if(mut self, condition: Condition) -> Self {
        let keys = self.body.condition.entry(condition.operator).or_default();
        keys.entry(condition.key).or_default().0.extend(condition.values);
        self
    }
}

/// Omits the conditions: one of them may have an External ID, which belongs in the policy and in no log.
impl fmt::Debug for PolicyStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyStatement").field("sid", &self.body.sid).finish_non_exhaustive()
    }
}

// === impl Condition ===

impl Condition {
    pub(super) fn new(
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self { operator, key: key.into(), values: values.into_iter().map(Into::into).collect() }
    }
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn principal<S: Serializer>(principal: &Option<Principal>, serializer: S) -> Result<S::Ok, S::Error> {
    let (kind, value) = match principal {
        None => return serializer.serialize_none(),
        Some(Principal::Anyone) => return serializer.serialize_str("*"),
        Some(Principal::Aws(arn)) => ("AWS", arn),
        Some(Principal::Federated(arn)) => ("Federated", arn),
        Some(Principal::Service(name)) => ("Service", name),
    };
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(kind, value)?;
    map.end()
}

/// IAM accepts a text in place of a one-element list, which is easier to read.
fn one_or_many<S: Serializer>(texts: &[impl Serialize], serializer: S) -> Result<S::Ok, S::Error> {
    match texts {
        [one] => one.serialize(serializer),
        many => many.serialize(serializer),
    }
}
