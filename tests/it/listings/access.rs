//! Who may see a folder.

use std::sync::{Arc, Mutex};

use demo_s3::Credential;
use tower_s3_proxy::{
    access::{
        Access, AccessTarget, Authorizer, CredentialSelector, CredentialSet, CredentialSetName, Denial,
    },
    credentials::Credentials,
    listing::Listing,
    website::Website,
};

use super::*;
use crate::support::{REGION, proxy};

#[tokio::test]
async fn the_authorizer_is_asked_for_the_folder_before_memory_and_s3() {
    let s3 = bucket_of_files().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let authorizer = Authorizer::new(move |request| {
        log.lock().unwrap().push((request.key().as_str().to_owned(), request.target()));
        let user = request.head().headers.get("x-user").map(|user| user.to_str().unwrap().to_owned());
        let is_allowed = user.as_deref() == Some("ann");
        async move { Ok(if is_allowed { Access::Allow } else { Access::Deny(Denial::forbidden()) }) }
    });
    let service = proxy(at(&s3, Listing::new().remember(LONG)).authorize(authorizer));
    for (path, user, expected) in [
        ("/www/docs/", "bob", 403),
        ("/www/docs/", "ann", 200),
        ("/www/docs/", "bob", 403),
        ("/www/", "bob", 403),
        ("/www/missing/", "bob", 403),
        ("/www/missing/", "ann", 404),
    ] {
        let answer = ask(&service, with_user(path, user)).await;
        assert_eq!(status(&answer), expected, "{path} {user}");
        assert!(expected == 200 || !answer.text().contains("film"), "{path} {user}");
    }
    assert_eq!(lists(&s3).len(), 2, "only for who may");
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0], ("site/docs/".to_owned(), AccessTarget::Folder));
    assert!(asked.contains(&("site/".to_owned(), AccessTarget::Folder)));
}

#[tokio::test]
async fn a_whole_bucket_has_a_key_that_stands_for_it() {
    let s3 = bucket_of_files().await;
    let authorizer = Authorizer::new(|request| {
        let is_root = request.key().as_str() == "/" && request.target() == AccessTarget::Folder;
        async move { Ok(if is_root { Access::Allow } else { Access::Deny(Denial::not_found()) }) }
    });
    let service = proxy(crate::support::mount(&s3).listing(Listing::new()).authorize(authorizer));
    assert_eq!(names(&json(&service, "/").await), ["outside/", "site/"]);
    assert_eq!(get_status(&service, "/site/").await, 404);
}

#[tokio::test]
async fn a_note_and_the_start_of_a_text_are_for_those_who_may_read_them() {
    let s3 = bucket_of_files().await;
    s3.store().put(BUCKET, "site/docs/secret.txt", "the secret".into());
    let authorizer = Authorizer::new(|request| {
        let user = request.head().headers.get("x-user").map(|user| user.to_str().unwrap().to_owned());
        let is_allowed = user.as_deref() == Some("ann") || request.target() == AccessTarget::Folder;
        async move { Ok(if is_allowed { Access::Allow } else { Access::Deny(Denial::forbidden()) }) }
    });
    let service = proxy(at(&s3, Listing::new().remember(LONG)).authorize(authorizer));
    let page = async |path: &str, user: &str| {
        ask(&service, request("GET", path, &[BROWSER, ("x-user", user)])).await
    };
    for user in ["ann", "bob", "ann"] {
        let docs = page("/www/docs/", user).await;
        assert_eq!(docs.text().contains("<h2>site/docs/README.md</h2>"), user == "ann", "{user}");
        let secret = page("/www/docs/?preview=secret.txt", user).await;
        let expected = if user == "ann" { (200, true) } else { (403, false) };
        assert_eq!((status(&secret), secret.text().contains("the secret")), expected, "{user}");
    }
}

/// S3 tells those who may not list 403 for what is missing, too.
#[tokio::test]
async fn a_denied_list_gets_the_page_and_the_fields_of_the_website() {
    let reader = Credential::new("AKIAreader", "secret-of-reader").without_listing();
    let s3 = DemoS3::builder().bucket(BUCKET).region(REGION).credential(reader).start().await.unwrap();
    s3.store().put(BUCKET, "site/403.html", "not for you".into());
    s3.store().put(BUCKET, "site/_headers", "/*\n  X-Frame-Options: DENY".into());
    let keys = Credentials::new("AKIAreader", "secret-of-reader", None, None, "test");
    let site = Website::new().error_document(403, "403.html").rules(true);
    let service = proxy(at(&s3, Listing::new()).credentials(keys).website(site));
    let denied = html(&service, "/www/docs/").await;
    let fields = (denied.header("content-type"), denied.header("x-frame-options"));
    assert_eq!((status(&denied), denied.text(), fields), (403, "not for you", ("text/html", "DENY")));
}

/// The keys of one tenant list, those of the other do not.
#[tokio::test]
async fn what_one_set_of_credentials_may_list_no_other_gets_from_memory() {
    let keys = |tenant: &str| Credential::new(format!("AKIA{tenant}"), format!("secret-of-{tenant}"));
    let s3 = DemoS3::builder().bucket(BUCKET).region(REGION).credential(keys("acme"));
    let s3 = s3.credential(keys("globex").without_listing()).start().await.unwrap();
    s3.store().put(BUCKET, "acme/plan.txt", "x".into());
    s3.store().put(BUCKET, "globex/plan.txt", "x".into());
    let by_field = CredentialSelector::new(|request| {
        match request
            .headers
            .get("x-user")
            .and_then(|user| CredentialSetName::parse(user.to_str().unwrap()).ok())
        {
            Some(tenant) => Access::AllowAs(tenant),
            None => Access::Deny(Denial::forbidden()),
        }
    });
    let builder =
        ["acme", "globex"].into_iter().fold(crate::support::mount(&s3).anonymous(), |builder, tenant| {
            let keys =
                Credentials::new(format!("AKIA{tenant}"), format!("secret-of-{tenant}"), None, None, "test");
            builder.credential_set(CredentialSet::new(CredentialSetName::parse(tenant).unwrap(), keys))
        });
    let service = proxy(builder.listing(Listing::new().remember(LONG)).select_credentials(by_field));
    for (path, user, expected) in [
        ("/acme/", "acme", 200),
        ("/acme/", "globex", 403),
        ("/globex/", "globex", 403),
        ("/globex/", "acme", 200),
        ("/acme/", "acme", 200),
    ] {
        let answer = ask(&service, with_user(path, user)).await;
        assert_eq!(status(&answer), expected, "{path} {user}");
    }
    assert_eq!(get_status(&service, "/acme/").await, 403, "without a tenant");
}
