//! Finds the policy that denied a request, as far as the message of an `AccessDenied` names it.
//!
//! AWS explains denials within an account, and some across accounts ([IAM user guide, "Troubleshoot access denied error
//! messages"](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html)); S3-compatible servers do not.

/// The contents of a denial's message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blame<'m> {
    /// The ARN of the requester.
    pub(super) who: Option<&'m str>,
    /// `s3:GetObject`
    pub(super) action: Option<&'m str>,
    pub(super) resource: Option<&'m str>,
    pub(super) policy: Option<Policy>,
}

/// The kind of policy, and its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// The role's or user's own policy does not allow it.
    NotByIdentity,
    /// The bucket's or the key's policy does not allow it, as it must across accounts.
    NotByResource,
    /// The VPC endpoint's policy does not allow it.
    NotByEndpoint,
    /// The boundary of the role or user leaves it out.
    NotByBoundary,
    /// The session policy leaves it out.
    NotBySession,
    /// The organisation does not allow it, or denies it.
    Organisation,
    /// The role's or user's own policy denies it.
    DeniedByIdentity,
    /// The bucket's or the key's policy denies it.
    DeniedByResource,
    /// The VPC endpoint's policy denies it.
    DeniedByEndpoint,
    /// Block Public Access overrides what the bucket's policy allows.
    PublicAccessBlock,
}

// === impl Blame ===

impl<'m> Blame<'m> {
    pub(super) fn of(message: &'m str) -> Self {
        let who = after(message, "User: ").and_then(word);
        let action = after(message, "not authorized to perform: ").and_then(word);
        let resource = after(message, "on resource: ").and_then(word);
        Self { who, action, resource, policy: policy(message) }
    }

    /// Whether it is about a key of KMS.
    pub(super) fn is_about_key(&self) -> bool {
        self.action.is_some_and(|action| action.starts_with("kms:"))
    }
}

// === impl Policy ===

impl Policy {
    pub(super) fn is_mended_by_allowing(self) -> bool {
        match self {
            Self::NotByIdentity
            | Self::NotByResource
            | Self::NotByEndpoint
            | Self::NotByBoundary
            | Self::NotBySession => true,
            // A denial precedes what is allowed, and the organisation's policies are not the account's.
            Self::Organisation
            | Self::DeniedByIdentity
            | Self::DeniedByResource
            | Self::DeniedByEndpoint
            | Self::PublicAccessBlock => false,
        }
    }
}

fn policy(message: &str) -> Option<Policy> {
    let is_denial = message.contains("explicit deny");
    let names = |kind: &str| message.contains(kind);
    let policy = match () {
        () if names("service control polic") || names("resource control polic") => Policy::Organisation,
        () if names("BlockPublicAccess") || names("block public access") => Policy::PublicAccessBlock,
        () if names("VPC endpoint polic") && is_denial => Policy::DeniedByEndpoint,
        () if names("VPC endpoint polic") => Policy::NotByEndpoint,
        () if names("permissions boundar") => Policy::NotByBoundary,
        () if names("session polic") => Policy::NotBySession,
        () if names("resource-based polic") && is_denial => Policy::DeniedByResource,
        () if names("resource-based polic") => Policy::NotByResource,
        () if names("identity-based polic") && is_denial => Policy::DeniedByIdentity,
        () if names("identity-based polic") => Policy::NotByIdentity,
        () => return None,
    };
    Some(policy)
}

fn after<'m>(message: &'m str, words: &str) -> Option<&'m str> {
    message.find(words).and_then(|at| message.get(at + words.len()..))
}

fn word(text: &str) -> Option<&str> {
    let word = text.split_whitespace().next()?.trim_matches(['"', '\'', ',', '.']);
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_action_resource_and_policy() {
        let who = "User: arn:aws:sts::123456789012:assumed-role/media/proxy is not authorized to perform: ";
        let arn = "\"arn:aws:s3:::studio-media/a.jpg\"";
        for (rest, policy) in [
            ("because no identity-based policy allows the s3:GetObject action", Some(Policy::NotByIdentity)),
            ("because no resource-based policy allows the s3:GetObject action", Some(Policy::NotByResource)),
            ("because no VPC endpoint policy allows the s3:GetObject action", Some(Policy::NotByEndpoint)),
            ("because no permissions boundary allows the s3:GetObject action", Some(Policy::NotByBoundary)),
            ("because no session policy allows the s3:GetObject action", Some(Policy::NotBySession)),
            ("with an explicit deny in a service control policy", Some(Policy::Organisation)),
            ("with an explicit deny in a resource control policy", Some(Policy::Organisation)),
            ("with an explicit deny in an identity-based policy", Some(Policy::DeniedByIdentity)),
            ("with an explicit deny in a resource-based policy", Some(Policy::DeniedByResource)),
            ("with an explicit deny in a VPC endpoint policy", Some(Policy::DeniedByEndpoint)),
            ("because public access is blocked by BlockPublicAccess", Some(Policy::PublicAccessBlock)),
            ("", None),
        ] {
            let message = format!("{who}s3:GetObject on resource: {arn} {rest}");
            let blame = Blame::of(&message);
            assert_eq!(blame.policy, policy, "{rest}");
            assert_eq!(blame.who, Some("arn:aws:sts::123456789012:assumed-role/media/proxy"));
            assert_eq!(blame.action, Some("s3:GetObject"));
            assert_eq!(blame.resource, Some("arn:aws:s3:::studio-media/a.jpg"));
            assert!(!blame.is_about_key());
        }
    }

    #[test]
    fn a_message_that_says_nothing_blames_nobody() {
        for message in ["Access Denied", "", "not authorized to perform: ", "on resource: \""] {
            assert_eq!(
                Blame::of(message),
                Blame { who: None, action: None, resource: None, policy: None },
                "{message}"
            );
        }
    }

    #[test]
    fn keys_are_told_apart() {
        let message = "User: x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-west-2:1:key/2 because \
                       no resource-based policy allows the kms:Decrypt action";
        let blame = Blame::of(message);
        assert!(blame.is_about_key());
        assert_eq!(blame.resource, Some("arn:aws:kms:us-west-2:1:key/2"));
    }
}
