use super::origin::{Asked, Origin, reply};

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/media-reader";
pub(super) const EXTERNAL_ID: &str = "studio-2031-external";
const WHO: &str = "arn:aws:iam::111122223333:user/proxy";

/// STS as it is to whoever assumes the role: only with the External ID. The session has these keys.
pub(super) async fn sts(key: &'static str, secret: &'static str, token: &'static str) -> Origin {
    Origin::start(move |asked| async move { answer(&asked, key, secret, token) }).await
}

fn answer(asked: &Asked, key: &str, secret: &str, token: &str) -> String {
    let is = |parameter: &str| asked.body.split('&').any(|one| one == parameter);
    if is("Action=GetCallerIdentity") {
        let arn = "arn:aws:sts::123456789012:assumed-role/media-reader/tower-s3-proxy";
        return reply(
            200,
            &format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>{arn}</Arn><UserId>X</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
                 </GetCallerIdentityResponse>"
            ),
        );
    }
    if is("Action=AssumeRole") && is(&format!("ExternalId={EXTERNAL_ID}")) {
        return reply(
            200,
            &format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                 <AssumedRoleUser><Arn>{ROLE}</Arn><AssumedRoleId>X:y</AssumedRoleId></AssumedRoleUser><Credentials>\
                 <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
                 <SessionToken>{token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
                 </AssumeRoleResult></AssumeRoleResponse>"
            ),
        );
    }
    reply(
        403,
        &format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>User: {WHO} is not authorized to perform: sts:AssumeRole on resource: {ROLE}\
             </Message></Error><RequestId>S1</RequestId></ErrorResponse>"
        ),
    )
}
