use super::{PolicyDialect, partition::Partition};
use crate::terms::Arn;

/// The principal of a resource's policy. Parsed, so that it needs no escaping in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    Anyone,
    /// By its ARN.
    Aws(String),
    /// A subject of an OpenID Connect provider, by the provider's ARN.
    Federated(String),
    /// A service of AWS, by its name.
    Service(String),
}

/// The role or the user that signs the proxy's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) arn: String,
    /// Empty on compatible servers without accounts.
    pub(super) account: String,
}

// === impl Principal ===

impl Principal {
    /// The principal that may assume a role: an account by its number, a role, user, session or identity provider by
    /// its ARN, or a service by its name.
    pub(super) fn parse_trusted(text: &str, partition: &Partition) -> Option<Self> {
        if is_account(text) {
            return Some(Self::Aws(format!("arn:{}:iam::{text}:root", partition.name)));
        }
        if let Some(arn) = iam_arn(text) {
            let arn_of = match (arn.service, arn.resource.split_once('/')) {
                ("iam", None) if arn.resource == "root" => Self::Aws,
                ("iam", Some(("role" | "user", _))) | ("sts", Some(("assumed-role", _))) => Self::Aws,
                ("iam", Some(("oidc-provider", _))) => Self::Federated,
                _ => return None,
            };
            return is_account(arn.account).then(|| arn_of(text.to_owned()));
        }
        let is_service = text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn");
        let proper = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
        (is_service && proper).then(|| Self::Service(text.to_owned()))
    }
}

// === impl Caller ===

impl Caller {
    /// Parses the ARN of a role or a user. On compatible servers it has no account, one of zeros, or Ceph's tenant.
    pub(super) fn parse(text: &str, dialect: PolicyDialect) -> Option<Self> {
        let arn = iam_arn(text).filter(|arn| arn.service == "iam")?;
        let is_caller = matches!(arn.resource.split_once('/'), Some(("role" | "user", _)));
        let has_account = match dialect {
            _ if arn.account.is_empty() || is_account(arn.account) => true,
            PolicyDialect::Aws => false,
            PolicyDialect::Compatible => is_tenant(arn.account),
        };
        (is_caller && has_account).then(|| Self { arn: text.to_owned(), account: arn.account.to_owned() })
    }
}

/// Parses an ARN of IAM or STS, without wildcards and variables (IAM API, "CreateRole": names are of `[\w+=,.@-]`, in
/// paths).
fn iam_arn(text: &str) -> Option<Arn<'_>> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
    let is_proper = |arn: &Arn<'_>| {
        arn.region.is_empty() && arn.resource.bytes().all(is_word) && !arn.resource.ends_with('/')
    };
    Arn::parse(text).filter(is_proper)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Ceph, "Bucket Policies": the tenant stands in the place of the account.
fn is_tenant(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_assumes_a_role_is_named_by_number_arn_or_service() {
        let china = Partition::of_region("cn-north-1");
        for (text, expected) in [
            ("111122223333", Some(Principal::Aws("arn:aws-cn:iam::111122223333:root".to_owned()))),
            (
                "arn:aws:iam::111122223333:user/CreativeForceCloudS3",
                Some(Principal::Aws("arn:aws:iam::111122223333:user/CreativeForceCloudS3".to_owned())),
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/a/b",
                Some(Principal::Aws("arn:aws:sts::111122223333:assumed-role/a/b".to_owned())),
            ),
            ("ecs-tasks.amazonaws.com", Some(Principal::Service("ecs-tasks.amazonaws.com".to_owned()))),
            (
                "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/A1",
                Some(Principal::Federated(
                    "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/A1"
                        .to_owned(),
                )),
            ),
            ("1111-2222-3333", None),
            ("*", None),
            ("arn:aws:iam::111122223333:role/*", None),
            ("arn:aws:iam::*:role/media", None),
            ("arn:aws:iam::111122223333:role/${aws:username}", None),
            ("arn:aws:iam::111122223333:group/a", None),
            ("arn:aws:s3:::bucket", None),
            ("evil.example.com", None),
            ("", None),
        ] {
            assert_eq!(Principal::parse_trusted(text, &china), expected, "{text}");
        }
    }

    #[test]
    fn a_caller_is_a_role_or_a_user() {
        for (text, account) in [
            ("arn:aws:iam::111122223333:role/path/media", Some("111122223333")),
            ("arn:aws-us-gov:iam::111122223333:user/media", Some("111122223333")),
            ("arn:aws:iam:::user/media", Some("")),
            ("arn:aws:iam::111122223333:root", None),
            ("arn:aws:sts::111122223333:assumed-role/media/session", None),
            ("arn:aws:iam::111122223333:role/", None),
            ("media", None),
        ] {
            let parsed = Caller::parse(text, PolicyDialect::Aws).map(|caller| caller.account);
            assert_eq!(parsed.as_deref(), account, "{text}");
        }
        let of_tenant = "arn:aws:iam::studio_2:user/fred";
        assert_eq!(Caller::parse(of_tenant, PolicyDialect::Aws), None);
        assert!(Caller::parse(of_tenant, PolicyDialect::Compatible).is_some());
        assert_eq!(Caller::parse("arn:aws:iam::stu*dio:user/fred", PolicyDialect::Compatible), None);
    }
}
