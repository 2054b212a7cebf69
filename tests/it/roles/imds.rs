//! The metadata service of an instance, version 2: nothing without a token, and a token only by PUT.

use std::sync::{Arc, Mutex};

use aws_smithy_types::{DateTime, date_time::Format};
use axum::{
    Router,
    extract::{Request, State},
};
use http::{Method, StatusCode};
use tokio::{net::TcpListener, task::AbortHandle};
use tower_s3_proxy::credentials::Credentials;

const TOKEN: &str = "session-token-of-imds";
const LIST: &str = "/latest/meta-data/iam/security-credentials/";
const ROLE: &str = "instance-role";

/// A running service. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Imds {
    endpoint: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    credentials: Mutex<Option<Credentials>>,
    seen: Mutex<Vec<(String, StatusCode)>>,
}

// === impl Imds ===

impl Imds {
    pub(crate) async fn start(credentials: Credentials) -> Self {
        let shared = Arc::new(Shared { credentials: Mutex::new(Some(credentials)), seen: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let accepting = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { endpoint, shared, accepting: accepting.abort_handle() }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on it has no credentials.
    pub(crate) fn break_down(&self) {
        *self.shared.credentials.lock().unwrap() = None;
    }

    /// Methods and paths, with the status of the answer.
    pub(crate) fn seen(&self) -> Vec<(String, StatusCode)> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Imds {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let (status, body) = shared.decide(&request);
    shared.seen.lock().unwrap().push((format!("{} {}", request.method(), request.uri().path()), status));
    (status, [("x-aws-ec2-metadata-token-ttl-seconds", "21600")], body)
}

// === impl Shared ===

impl Shared {
    fn decide(&self, request: &Request) -> (StatusCode, String) {
        let field = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
        let path = request.uri().path();
        if path == "/latest/api/token" {
            let ttl = field("x-aws-ec2-metadata-token-ttl-seconds").and_then(|ttl| ttl.parse::<u32>().ok());
            return match (request.method(), ttl) {
                (&Method::PUT, Some(1..=21_600)) => (StatusCode::OK, TOKEN.to_owned()),
                _ => (StatusCode::BAD_REQUEST, String::new()),
            };
        }
        if request.method() != Method::GET || field("x-aws-ec2-metadata-token") != Some(TOKEN) {
            return (StatusCode::UNAUTHORIZED, String::new());
        }
        let Some(keys) = self.credentials.lock().unwrap().clone() else {
            return (StatusCode::INTERNAL_SERVER_ERROR, String::new());
        };
        match path.strip_prefix(LIST) {
            Some("") => (StatusCode::OK, ROLE.to_owned()),
            Some(ROLE) => (StatusCode::OK, document(&keys)),
            _ => (StatusCode::NOT_FOUND, String::new()),
        }
    }
}

/// As instances and containers are told.
pub(crate) fn document(keys: &Credentials) -> String {
    let expiry = DateTime::from(keys.expiry().unwrap()).fmt(Format::DateTime).unwrap();
    serde_json::json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": keys.access_key_id(),
        "SecretAccessKey": keys.secret_access_key(),
        "Token": keys.session_token().unwrap(),
        "Expiration": expiry,
    })
    .to_string()
}
