//! Users with passwords from a file.

use std::{fs, sync::LazyLock, time::Duration};

use demo_s3::DemoS3;
use http::StatusCode;
use tower_s3_proxy::{
    MountBuilder, ProxyErrorKind, S3Proxy,
    access::{Access, Authorizer, Denial, ForwardAuth, User, Users},
    cors::Cors,
};

use crate::support::{Answer, BUCKET, ask, mount, proxy, request, s3};

/// `ada` with the password `swordfish`, `ci` with `s3cr3t`, by the least that the hashes can cost.
static LINES: LazyLock<String> = LazyLock::new(|| {
    let ada = bcrypt::hash("swordfish", 4).unwrap();
    format!("# users\nada:{ada}\nci:{}\n", argon2_of("s3cr3t"))
});

fn argon2_of(password: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(password.as_bytes()).unwrap().to_string()
}

fn basic(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("Basic {}", BASE64_STANDARD.encode(text))
}

async fn bucket() -> DemoS3 {
    let s3 = s3().await;
    s3.store().put(BUCKET, "ada/a.txt", "hello".into());
    s3
}

fn with(s3: &DemoS3, users: &Users) -> MountBuilder {
    mount(s3).at("/media").users(users, "Studio")
}

async fn get(proxy: &S3Proxy, authorization: &str) -> Answer {
    ask(proxy, request("GET", "/media/ada/a.txt", &[("authorization", authorization)])).await
}

#[tokio::test]
async fn users_log_in_by_password_or_token() {
    let s3 = bucket().await;
    let proxy = proxy(with(&s3, &Users::parse(&LINES).unwrap()));
    let (basic_challenge, bearer_challenge) =
        ("Basic realm=\"Studio\", charset=\"UTF-8\"", "Bearer realm=\"Studio\", error=\"invalid_token\"");
    for (authorization, expected) in [
        (basic("ada:swordfish"), Ok(())),
        (basic("ci:s3cr3t"), Ok(())),
        ("Bearer ci.s3cr3t".to_owned(), Ok(())),
        ("Bearer ada.swordfish".to_owned(), Ok(())),
        (basic("ada:swordfisH"), Err(basic_challenge)),
        (basic("ada:s3cr3t"), Err(basic_challenge)),
        (basic("ci:swordfish"), Err(basic_challenge)),
        (basic("mallory:swordfish"), Err(basic_challenge)),
        (basic("ada:"), Err(basic_challenge)),
        ("Bearer ci.swordfish".to_owned(), Err(bearer_challenge)),
        ("Bearer s3cr3t".to_owned(), Err(bearer_challenge)),
        ("Digest ada".to_owned(), Err(basic_challenge)),
        (String::new(), Err(basic_challenge)),
    ] {
        // What was right before is still right, and what was wrong is wrong.
        for _ in 0..2 {
            let told = get(&proxy, &authorization).await;
            match expected {
                Ok(()) => {
                    assert_eq!((told.status, told.text()), (StatusCode::OK, "hello"), "{authorization}");
                }
                Err(challenge) => {
                    assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{authorization}");
                    assert_eq!(told.header("www-authenticate"), challenge, "{authorization}");
                    assert_eq!(told.header("cache-control"), "no-store");
                    assert_eq!(told.kind(), Some(ProxyErrorKind::Denied));
                }
            }
        }
    }
    assert!(get(&proxy, &basic("ada:swordfish")).await.header("cache-control").starts_with("private"));
}

#[tokio::test]
async fn every_request_of_the_mount_needs_a_log_in_but_a_preflight() {
    let s3 = bucket().await;
    let cors = Cors::origins(["https://app.test"]);
    let proxy = proxy(with(&s3, &Users::parse(&LINES).unwrap()).cors(cors));
    for (method, path) in [
        ("GET", "/media/"),
        ("GET", "/media/../x"),
        ("PUT", "/media/a"),
        ("OPTIONS", "/media/a"),
        ("HEAD", "/media/a"),
    ] {
        assert_eq!(ask(&proxy, request(method, path, &[])).await.status, 401, "{method} {path}");
    }
    let preflight = [("origin", "https://app.test"), ("access-control-request-method", "GET")];
    assert_eq!(ask(&proxy, request("OPTIONS", "/media/a", &preflight)).await.status, 204);
}

#[tokio::test]
async fn the_authorizer_is_told_who_it_is() {
    let s3 = bucket().await;
    let own_folder = Authorizer::new(|request| async move {
        let user = request.head().extensions.get::<User>().map(User::to_string).unwrap_or_default();
        Ok(match request.key().as_str().starts_with(&format!("{user}/")) {
            true => Access::Allow,
            false => Access::Deny(Denial::not_found()),
        })
    });
    let proxy = proxy(with(&s3, &Users::parse(&LINES).unwrap()).authorize(own_folder));
    assert_eq!(get(&proxy, &basic("ada:swordfish")).await.status, 200);
    assert_eq!(get(&proxy, &basic("ci:s3cr3t")).await.status, 404);
}

#[tokio::test]
async fn a_changed_file_counts_at_once_whatever_was_right_before() {
    let s3 = bucket().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, &*LINES).unwrap();
    let users = Users::load(&path).unwrap();
    let proxy = proxy(with(&s3, &users));
    assert_eq!(get(&proxy, &basic("ada:swordfish")).await.status, 200);
    fs::write(&path, format!("ada:{}\nmore:{0}\n", bcrypt::hash("other", 4).unwrap())).unwrap();
    assert!(users.reload().unwrap());
    assert_eq!(get(&proxy, &basic("ada:swordfish")).await.status, 401);
    assert_eq!(get(&proxy, &basic("ada:other")).await.status, 200);
    assert_eq!(get(&proxy, &basic("ci:s3cr3t")).await.status, 401);
}

#[tokio::test]
async fn a_line_that_is_made_lets_its_user_in() {
    let s3 = bucket().await;
    let line = Users::line("grace", "correct horse").unwrap();
    assert!(line.starts_with("grace:$argon2id$") && !line.contains("horse"), "{line}");
    let proxy = proxy(with(&s3, &Users::parse(&line).unwrap()));
    assert_eq!(get(&proxy, &basic("grace:correct horse")).await.status, 200);
    assert!(
        Users::line("a b", "x").is_err()
            && Users::line("a", "").is_err()
            && Users::line("a", "x\ny").is_err()
    );
}

#[tokio::test]
async fn what_could_not_work_is_refused() {
    let s3 = bucket().await;
    let users = Users::parse(&LINES).unwrap();
    let service = ForwardAuth::new("http://127.0.0.1:1/").timeout(Duration::from_secs(1));
    for (builder, hint) in [
        (with(&s3, &users).forward_auth(service), "leave out one of them"),
        (mount(&s3).users(&users, ""), "the realm of users"),
        (mount(&s3).users(&users, "a\"b"), "without quotes"),
    ] {
        assert!(builder.build().unwrap_err().to_string().contains(hint), "{hint}");
    }
}
