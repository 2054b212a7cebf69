//! The policies of the resources that the role uses: bucket, access point, key, VPC endpoint.

use super::{
    Permission, PolicyDialect, PolicyDocument, PolicyKind,
    allowed::{WrittenIn, by_kms, by_s3},
    facts::{Elsewhere, Facts, Network, PlainHttp, Signer},
    pattern::BucketPattern,
    place::{AccessPoint, Place},
    principal::Principal,
    statement::{Condition, PolicyStatement},
};

/// The policy of the bucket; `Err` with the reason if there is none.
pub(super) fn bucket(facts: &Facts) -> Result<PolicyDocument, String> {
    if !facts.place.is_one_bucket() {
        return Err("The bucket policy: it belongs to one bucket, but this mount has many. Name the bucket."
            .to_owned());
    }
    let mut statements = match &facts.place {
        Place::AccessPoint(point) => match &point.bucket {
            Some(_) => vec![delegation(point, facts)],
            None => {
                return Err("The bucket policy: the ARN of an access point does not name its bucket. Name it, for the \
                            statement that delegates permissions to the access point."
                    .to_owned());
            }
        },
        Place::Buckets(_) | Place::Directory { .. } => match facts.principal() {
            Some(principal) => {
                by_s3(facts).into_iter().map(|statement| statement.of(principal.clone())).collect()
            }
            None => Vec::new(),
        },
    };
    statements.extend(denials(facts));
    if statements.is_empty() {
        return Err(
            "The bucket policy: it names the role or the user, which is not known. Give its ARN (--role)."
                .to_owned(),
        );
    }
    let mut about = String::from(match &facts.signer {
        Signer::Nobody => {
            "For the bucket, in addition to its existing policy. The mount signs nothing, so everyone may do this, the \
             whole internet, unless a condition says otherwise; S3 Block Public Access must let it pass."
        }
        Signer::Somebody | Signer::Known(_) => {
            "For the bucket, in addition to its existing policy. If bucket and role are in one account, the role \
             policy allows enough, and this is not needed; if they are in two, both are needed."
        }
    });
    if facts.network().is_some() && facts.elsewhere == Elsewhere::Undecided {
        about.push_str(
            " The condition on the network limits only what is allowed here: it does not exclude anyone whom another \
             policy allows.",
        );
    }
    Ok(PolicyDocument::policy(PolicyKind::Bucket, about, statements))
}

/// Delegates permissions to the access point ([S3 user guide, "Delegating access control to access
/// points"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html)).
fn delegation(point: &AccessPoint, facts: &Facts) -> PolicyStatement {
    let name = point.bucket.as_ref().map_or("", |bucket| bucket.as_str());
    let bucket = format!("arn:{}:s3:::{name}", facts.partition.name);
    let actions = by_s3(facts).into_iter().flat_map(|statement| statement.body.action).collect();
    PolicyStatement::allow(Permission::Read, actions, vec![bucket.clone(), format!("{bucket}/*")])
        .named("LeaveToAccessPoint")
        .of(Principal::Anyone)
        .only_if(Condition::new("StringEquals", "s3:DataAccessPointArn", [&point.arn]))
        .because(
            "The bucket allows what the policy of this access point allows, and only through it. That policy narrows \
             \"everyone\".",
        )
        .without_need()
}

/// The denials for everyone, if they are wanted.
fn denials(facts: &Facts) -> Vec<PolicyStatement> {
    let mut denials = Vec::new();
    if facts.plain_http == PlainHttp::Denied {
        let resources = of_bucket(facts);
        let all = if matches!(facts.place, Place::Directory { .. }) { "s3express:*" } else { "s3:*" };
        denials.push(
            PolicyStatement::deny("DenyPlainHttp", vec![all], resources)
                .only_if(Condition::new("Bool", "aws:SecureTransport", ["false"]))
                .because(
                    "Nobody may use the bucket without TLS, whatever else allows it. This covers the whole bucket: \
                     check first whether any requests still come by plain HTTP.",
                ),
        );
    }
    if let (Some(network), Elsewhere::Denied) = (facts.network(), facts.elsewhere) {
        denials.push(elsewhere(network, facts));
    }
    denials
}

fn elsewhere(network: &Network, facts: &Facts) -> PolicyStatement {
    let allowed = by_s3(facts).into_iter().filter(|statement| statement.permission != Some(Permission::List));
    let actions = allowed.flat_map(|statement| statement.body.action).collect();
    let resources = match &facts.place {
        Place::AccessPoint(_) => of_bucket(facts),
        Place::Buckets(_) | Place::Directory { .. } => facts.objects(),
    };
    let (_, id) = network.key_and_id();
    PolicyStatement::deny("DenyElsewhere", actions, resources)
        .only_if(network.elsewhere())
        // Services of AWS that act for somebody, or for themselves, have no network.
        .only_if(Condition::new("BoolIfExists", "aws:ViaAWSService", ["false"]))
        .only_if(Condition::new("BoolIfExists", "aws:PrincipalIsAWSService", ["false"]))
        .because(format!(
            "Nobody may do with these objects what the mount does, unless the request comes through {id}: this also \
             excludes administrators, the console, and the account's root. It denies no action on the bucket itself, \
             so its policy can still be changed from elsewhere. A wrong id excludes the proxy. Try the mount before \
             adding this."
        ))
}

/// The bucket and all its objects.
fn of_bucket(facts: &Facts) -> Vec<String> {
    match &facts.place {
        Place::AccessPoint(AccessPoint { bucket: Some(bucket), .. }) => {
            let arn = format!("arn:{}:s3:::{bucket}", facts.partition.name);
            vec![arn.clone(), format!("{arn}/*")]
        }
        place @ (Place::Buckets(_) | Place::AccessPoint(_)) => {
            let mut resources = place.buckets(&facts.partition);
            resources.extend(place.objects(&facts.partition, ""));
            resources
        }
        place @ Place::Directory { .. } => place.buckets(&facts.partition),
    }
}

/// The policy of the access point, if the mount has one.
pub(super) fn access_point(facts: &Facts) -> Option<Result<PolicyDocument, String>> {
    let Place::AccessPoint(_) = &facts.place else { return None };
    let Some(principal) = facts.principal() else {
        return Some(Err(
            "The access point policy: it names the role or the user, which is not known. Give its ARN (--role)."
                .to_owned(),
        ));
    };
    let statements = by_s3(facts).into_iter().map(|statement| statement.of(principal.clone())).collect();
    let about = "For the access point. It also needs the role policy if the role is in another account, and always the \
                 statement in the bucket policy that delegates permissions to it.";
    Some(Ok(PolicyDocument::policy(PolicyKind::AccessPoint, about, statements)))
}

/// The statements for the key's policy, if the mount has one; `Err` with the reason if they can't be written.
pub(super) fn key(facts: &Facts) -> Option<Result<PolicyDocument, String>> {
    let statements = by_kms(facts, WrittenIn::Key);
    if statements.is_empty() {
        return None;
    }
    let Some(caller) = facts.caller() else {
        return Some(Err(
            "The key policy: it names the role or the user, which is not known. Give its ARN (--role)."
                .to_owned(),
        ));
    };
    let mut about = String::from(
        "For the key, in addition to its existing policy: do not remove the statement of the account's administrators, \
         or nobody can manage the key any more.",
    );
    let of_others = facts.kms.keys.iter().any(|key| key.account().as_str() != caller.account);
    about.push_str(match of_others {
        true => {
            " Key and role are in two accounts: both this and the role policy are needed, and the key must be your \
             own, since a key that AWS manages (aws/s3) cannot be shared with another account."
        }
        false => {
            " Key and role are in one account: if the key's policy delegates permissions to IAM, as the console's \
             default does, the role policy allows enough."
        }
    });
    let principal = Principal::Aws(caller.arn.clone());
    let statements = statements.into_iter().map(|statement| statement.of(principal.clone())).collect();
    Some(Ok(PolicyDocument::policy(PolicyKind::Key, about, statements)))
}

/// The policy of the VPC endpoint, if requests go through one; `Err` with the reason if it can't be written.
pub(super) fn vpc_endpoint(facts: &Facts) -> Option<Result<PolicyDocument, String>> {
    facts.network()?;
    let caller = facts.caller().filter(|_| facts.dialect == PolicyDialect::Aws);
    let mut allowed = by_s3(&Facts { network: None, ..facts.clone() });
    // S3 user guide, "Creating access points restricted to a virtual private cloud": requests pass only if both the access
    // point and the bucket behind it are allowed.
    if let Place::AccessPoint(point) = &facts.place {
        let Some(behind) = &point.bucket else {
            return Some(Err(
                "The VPC endpoint policy: it also names the bucket behind the access point, which the ARN does not \
                 show. Name the bucket."
                    .to_owned(),
            ));
        };
        let place = Place::Buckets(vec![BucketPattern::exact(behind.as_str())]);
        let at_bucket = by_s3(&Facts { network: None, place, ..facts.clone() });
        for (statement, at_bucket) in allowed.iter_mut().zip(at_bucket) {
            statement.body.resource.extend(at_bucket.body.resource);
        }
    }
    // VPC user guide, "Endpoint policies": a gateway endpoint accepts no principal except everyone, and needs a
    // condition for the caller. Both kinds of endpoints accept that.
    let statements = allowed.into_iter().map(|statement| {
        let statement = statement.of(Principal::Anyone);
        match caller {
            Some(caller) => statement.only_if(Condition::new("ArnEquals", "aws:PrincipalArn", [&caller.arn])),
            None => statement,
        }
    });
    let mut about = String::from(
        "For the VPC endpoint of S3, which by default lets everything pass: with this, only what the mount does. It \
         grants nothing itself, and covers all traffic through the endpoint: other users of the endpoint in the VPC \
         need their own statements.",
    );
    if caller.is_none() {
        about.push_str(" The role or the user is not known here, so such requests pass from everyone.");
    }
    Some(Ok(PolicyDocument::policy(PolicyKind::VpcEndpoint, about, statements.collect())))
}
