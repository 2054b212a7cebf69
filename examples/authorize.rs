//! cargo run --example authorize
//!
//! Private objects behind a log-in: each user has a folder, and gets nothing else. The authorizer runs before the cache
//! is consulted, so all users can share one. A browser shows a cookie, a program a bearer token.

use std::collections::HashMap;

use axum::{
    Router,
    extract::Path,
    http::{
        HeaderMap, HeaderValue,
        header::{AUTHORIZATION, COOKIE, SET_COOKIE},
    },
    response::Html,
    routing::get,
};
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_s3_proxy::{
    BucketName, Cache, Mount, S3ProxyLayer,
    access::{Access, Authorizer, Denial},
    credentials::Credentials,
};

/// Stands in for a session store; your program would look the token up with an `await`.
#[derive(Debug, Clone)]
struct Sessions(HashMap<&'static str, &'static str>);

impl Sessions {
    async fn user(&self, headers: &HeaderMap) -> Option<&'static str> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let cookie = || text(COOKIE)?.split("; ").find_map(|cookie| cookie.strip_prefix("session="));
        self.0.get(bearer.or_else(cookie)?).copied()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let s3 = DemoS3::builder().bucket("studio-media").start().await?;
    for user in ["ada", "grace"] {
        s3.store().put(
            "studio-media",
            &format!("users/{user}/notes.txt"),
            format!("notes of {user}\n").into(),
        );
    }

    let sessions = Sessions(HashMap::from([("token-of-ada", "ada"), ("token-of-grace", "grace")]));
    let authorizer = Authorizer::new(move |request| {
        let sessions = sessions.clone();
        async move {
            Ok(match sessions.user(&request.head().headers).await {
                Some(user) if request.key().as_str().starts_with(&format!("users/{user}/")) => Access::Allow,
                // No user learns which files others have.
                Some(_) => Access::Deny(Denial::not_found()),
                None => Access::Deny(Denial::unauthorized(HeaderValue::from_static("Bearer"))),
            })
        }
    });

    let media = Mount::builder(BucketName::parse("studio-media")?)
        .at("/files")
        .prefix("users")
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        .default_cache_control("max-age=60")
        .cache(&Cache::builder(64 * 1024 * 1024).build()?)
        .authorize(authorizer)
        .build()?;

    let app = Router::new()
        .route("/", get(home))
        .route("/login/{user}", get(log_in))
        .layer(S3ProxyLayer::new(media));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!("open http://127.0.0.1:3000, or try");
    println!("  curl -i http://127.0.0.1:3000/files/ada/notes.txt");
    println!("  curl -i http://127.0.0.1:3000/files/ada/notes.txt -H 'authorization: Bearer token-of-ada'");
    println!("  curl -i http://127.0.0.1:3000/files/ada/notes.txt -H 'authorization: Bearer token-of-grace'");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn home() -> Html<&'static str> {
    Html(
        "<p>Log in as <a href=/login/ada>Ada</a> or <a href=/login/grace>Grace</a>, then read \
         <a href=/files/ada/notes.txt>Ada's notes</a> or <a href=/files/grace/notes.txt>Grace's</a>.</p>",
    )
}

/// This trusts every visitor: a real log-in asks for more.
async fn log_in(Path(user): Path<String>) -> ([(axum::http::HeaderName, String); 1], Html<&'static str>) {
    let cookie = format!("session=token-of-{user}; Path=/; HttpOnly; SameSite=Lax");
    ([(SET_COOKIE, cookie)], Html("<p>Logged in. <a href=/>Back</a></p>"))
}
