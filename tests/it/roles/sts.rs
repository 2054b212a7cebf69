//! A security token service in this process. It checks signatures, trust, External IDs and clocks, and the test's S3
//! server accepts its credentials until they expire.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_types::{DateTime, date_time::Format};
use axum::{Router, extract::State, response::IntoResponse};
use bytes::Bytes;
use demo_s3::{Credential, DemoS3};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use tokio::{net::TcpListener, task::AbortHandle};
use tower_s3_proxy::credentials::{AssumeRole, Credentials, CredentialsSource, RoleArn, WebIdentity, fixed};

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/media-reader";
pub(crate) const HUB: &str = "arn:aws:iam::210987654321:role/hub";
pub(crate) const EXTERNAL_ID: &str = "studio:2031";
pub(crate) const TOKEN: &str = "header.payload.signature";

const USER: &str = "AKIAUSERUSERUSERUSER";
const USER_SECRET: &str = "users-secret";

/// A running service. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Sts {
    endpoint: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    s3: Arc<DemoS3>,
    state: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Secrets and, of sessions, tokens and roles.
    known: HashMap<String, Principal>,
    life: Duration,
    mood: Mood,
    calls: Vec<Call>,
    in_flight: usize,
    most_in_flight: usize,
    token: String,
}

#[derive(Debug, Clone)]
struct Principal {
    secret: String,
    token: Option<String>,
    role: Option<String>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) parameters: HashMap<String, String>,
    /// The role of who asked.
    pub(crate) by: Option<String>,
    pub(crate) refused: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// An error to everything; one that the SDK does not try again.
    Fails,
    /// No answer to anything.
    Hangs,
}

struct Refusal(StatusCode, &'static str, String);

// === impl Sts ===

impl Sts {
    /// Gives out keys that live for so long. The role [`ROLE`] trusts the user and the hub, if they know its External ID;
    /// the role [`HUB`] trusts the user; both trust the web identity of [`TOKEN`].
    pub(crate) async fn start(s3: Arc<DemoS3>, life: Duration) -> Self {
        let user = Principal { secret: USER_SECRET.to_owned(), token: None, role: None };
        let state = Mutex::new(Inner {
            known: HashMap::from([(USER.to_owned(), user)]),
            life,
            mood: Mood::Well,
            calls: Vec::new(),
            in_flight: 0,
            most_in_flight: 0,
            token: TOKEN.to_owned(),
        });
        let shared = Arc::new(Shared { s3, state });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let accepting = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { endpoint, shared, accepting: accepting.abort_handle() }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The keys of the user that it knows from the start.
    pub(crate) fn user() -> CredentialsSource {
        fixed(USER, USER_SECRET, None)
    }

    /// Assumes [`ROLE`] as the user, without an External ID.
    pub(crate) fn role(&self) -> AssumeRole {
        AssumeRole::new(RoleArn::parse(ROLE).unwrap()).source(Self::user()).endpoint_url(&self.endpoint)
    }

    pub(crate) fn web_identity(&self, token_file: &std::path::Path) -> WebIdentity {
        WebIdentity::new(RoleArn::parse(ROLE).unwrap(), token_file).endpoint_url(&self.endpoint)
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.shared.state.lock().unwrap().mood = mood;
    }

    pub(crate) fn live(&self, life: Duration) {
        self.shared.state.lock().unwrap().life = life;
    }

    /// The identity provider gives out another token; the one before is good no more.
    pub(crate) fn rotate(&self, token: &str) {
        token.clone_into(&mut self.shared.state.lock().unwrap().token);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.state.lock().unwrap().calls.clone()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.shared.state.lock().unwrap().most_in_flight
    }

    /// Keys for S3 that it has given to nobody yet, for a metadata service.
    pub(crate) fn issue(&self) -> Credentials {
        self.shared.issue(None)
    }
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let _landed = Landed::take_off(&shared);
    let parameters = parse(&body);
    let mood = shared.state.lock().unwrap().mood;
    // So that requests at the same time could be seen as such.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (by, given) = match mood {
        Mood::Hangs => std::future::pending().await,
        Mood::Fails => {
            let refusal = Refusal(StatusCode::BAD_REQUEST, "OutOfOrder", "out of order".to_owned());
            (None, Err(refusal))
        }
        Mood::Well => shared.decide(&parameters, &headers, &body),
    };
    let refused = given.as_ref().err().map(|Refusal(_, code, _)| *code);
    shared.state.lock().unwrap().calls.push(Call { parameters: parameters.clone(), by, refused });
    match given {
        Ok(credentials) => (StatusCode::OK, document(&parameters["Action"], &credentials)),
        Err(Refusal(status, code, message)) => {
            let error =
                format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
            (status, format!("<ErrorResponse>{error}<RequestId>0af5</RequestId></ErrorResponse>"))
        }
    }
}

fn document(action: &str, keys: &Credentials) -> String {
    let expiry = DateTime::from(keys.expiry().unwrap()).fmt(Format::DateTime).unwrap();
    let (id, secret, token) =
        (keys.access_key_id(), keys.secret_access_key(), keys.session_token().unwrap_or_default());
    format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>{expiry}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:test</AssumedRoleId>\
         <Arn>arn:aws:sts::123456789012:assumed-role/media-reader/test</Arn></AssumedRoleUser></{action}Result>\
         </{action}Response>"
    )
}

fn parse(body: &[u8]) -> HashMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let body = std::str::from_utf8(body).unwrap();
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

// === impl Shared ===

impl Shared {
    /// Who asked, and what they get.
    fn decide(
        &self,
        parameters: &HashMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> (Option<String>, Result<Credentials, Refusal>) {
        let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
        let role = parameter("RoleArn");
        if parameter("Action") == "AssumeRoleWithWebIdentity" {
            let is_known = parameter("WebIdentityToken") == self.state.lock().unwrap().token;
            let given = match is_known {
                true => Ok(self.issue(Some(role))),
                false => {
                    Err(Refusal(StatusCode::BAD_REQUEST, "InvalidIdentityToken", "unknown token".to_owned()))
                }
            };
            return (None, given);
        }
        let by = match self.authenticate(headers, body) {
            Ok(principal) => principal.role,
            Err(refusal) => return (None, Err(refusal)),
        };
        let is_trusted = match (role, &by) {
            (ROLE, _) => parameter("ExternalId") == EXTERNAL_ID,
            (HUB, None) => true,
            _ => false,
        };
        let given = match is_trusted {
            true => Ok(self.issue(Some(role))),
            false => {
                let message =
                    format!("User: {by:?} is not authorized to perform: sts:AssumeRole on resource: {role}");
                Err(Refusal(StatusCode::FORBIDDEN, "AccessDenied", message))
            }
        };
        (by, given)
    }

    /// Signs what was signed once more.
    fn authenticate(&self, headers: &HeaderMap, body: &[u8]) -> Result<Principal, Refusal> {
        let refuse = |code, message: &str| Refusal(StatusCode::FORBIDDEN, code, message.to_owned());
        let field = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
        let authorization = field("authorization");
        let part = |name: &str| {
            let (_, rest) = authorization.split_once(name).unwrap_or_default();
            rest.split(',').next().unwrap_or_default()
        };
        let scope: Vec<_> = part("Credential=").split('/').collect();
        let [id, _, region, "sts", "aws4_request"] = scope[..] else {
            return Err(refuse("MissingAuthenticationToken", "Request is missing Authentication Token"));
        };
        let principal = self.state.lock().unwrap().known.get(id).cloned();
        let token = Some(field("x-amz-security-token")).filter(|token| !token.is_empty());
        let Some(principal) = principal.filter(|known| known.token.as_deref() == token) else {
            return Err(refuse(
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ));
        };

        let stamp = field("x-amz-date");
        let (date, time) = stamp.split_once('T').unwrap();
        let iso = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &date[..4],
            &date[4..6],
            &date[6..],
            &time[..2],
            &time[2..4],
            &time[4..6]
        );
        let at = SystemTime::try_from(DateTime::from_str(&iso, Format::DateTime).unwrap()).unwrap();
        let now = SystemTime::now();
        let distance = now.duration_since(at).unwrap_or_else(|ahead| ahead.duration());
        if distance > Duration::from_secs(15 * 60) {
            let message = format!("Signature expired: {stamp} is now earlier than ... (15 min.)");
            return Err(refuse("SignatureDoesNotMatch", &message));
        }

        let identity = Credentials::new(id, &principal.secret, principal.token.clone(), None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("sts")
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let added_by_signing = ["x-amz-date", "x-amz-security-token"];
        let signed = part("SignedHeaders=").split(';').filter(|name| !added_by_signing.contains(name));
        let signed: Vec<_> = signed.map(|name| (name, field(name))).collect();
        let uri = format!("http://{}/", field("host"));
        let request =
            SignableRequest::new("POST", uri, signed.into_iter(), SignableBody::Bytes(body)).unwrap();
        let (_, signature) = sign(request, &parameters.into()).unwrap().into_parts();
        if part("Signature=") != signature {
            return Err(refuse(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
            ));
        }
        Ok(principal)
    }

    /// New keys, good for S3 and for another role until they expire.
    fn issue(&self, role: Option<&str>) -> Credentials {
        let mut state = self.state.lock().unwrap();
        let id = format!("ASIA{:016X}", fastrand::u64(..));
        let (secret, token) =
            (format!("secret-{:x}", fastrand::u64(..)), format!("token-{:x}", fastrand::u64(..)));
        let principal =
            Principal { secret: secret.clone(), token: Some(token.clone()), role: role.map(str::to_owned) };
        state.known.insert(id.clone(), principal);
        self.s3.add_credential(Credential::new(&id, &secret).with_session_token(&token));
        let (s3, life, expiring) = (Arc::clone(&self.s3), state.life, id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(life).await;
            s3.expire_credential(&expiring);
        });
        Credentials::new(id, secret, Some(token), Some(SystemTime::now() + life), "sts")
    }
}

/// A request that is being answered, or whose client went away.
struct Landed<'a>(&'a Shared);

impl<'a> Landed<'a> {
    fn take_off(shared: &'a Shared) -> Self {
        let mut state = shared.state.lock().unwrap();
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        Self(shared)
    }
}

impl Drop for Landed<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().in_flight -= 1;
    }
}
