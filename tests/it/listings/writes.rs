//! Folders whose readers may change them.

use http_body_util::Full;
use tower::ServiceExt;
use tower_s3_proxy::{
    access::{Access, Authorizer},
    listing::Listing,
    writes::{Writers, Writes},
};

use super::*;
use crate::support::proxy;

fn anybody() -> Authorizer {
    Authorizer::new(|_| async { Ok(Access::Allow) })
}

async fn send(service: &S3Proxy, method: &str, path: &str) -> u16 {
    let body = Full::new(bytes::Bytes::from_static(b"new"));
    let request =
        Request::builder().method(method).uri(path).header("content-length", "3").body(body).unwrap();
    status(&Answer::read(service.clone().oneshot(request).await.unwrap()).await)
}

#[tokio::test]
async fn a_page_shows_what_can_be_changed_only_where_it_can() {
    let s3 = bucket_of_files().await;
    let writes = || Writes::new().below("docs").allow_delete(true);
    let told = async |builder: MountBuilder, path: &str| {
        let page = html(&proxy(builder), path).await;
        (page.text().contains("id=\"upload\""), page.text().contains("class=\"delete\""))
    };
    let page = || at(&s3, Listing::new());
    let granted = || page().writes(writes()).authorize(anybody());
    assert_eq!(told(granted(), "/www/docs/").await, (true, true));
    assert_eq!(told(granted(), "/www/docs/deep/er/").await, (true, true));
    assert_eq!(told(granted(), "/www/").await, (false, false), "outside of what is written");
    assert_eq!(told(page().writes(Writes::new()).authorize(anybody()), "/www/docs/").await, (true, false));
    // Without an authorizer, and without writes: not a trace.
    let open = || page().writes(writes().writers(Writers::Anybody));
    assert_eq!(told(open(), "/www/docs/").await, (false, false));
    for builder in [open(), page(), page().authorize(anybody())] {
        let page = html(&proxy(builder), "/www/docs/").await;
        for sign in ["upload", "Upload", "PUT", "DELETE", "delete"] {
            assert!(!page.text().contains(sign), "{sign}");
        }
    }
}

#[tokio::test]
async fn what_is_written_through_the_proxy_is_on_the_next_page() {
    let s3 = bucket_of_files().await;
    let caches = [None, Some(tower_s3_proxy::Cache::builder(4 << 20).build().unwrap())];
    for cache in &caches {
        let builder = at(&s3, Listing::new().remember(LONG)).writes(Writes::new().allow_delete(true));
        let builder = builder.authorize(anybody());
        let service = proxy(match cache {
            Some(cache) => builder.cache(cache),
            None => builder,
        });
        let shown = async |path: &str| names(&json(&service, path).await);
        assert!(!shown("/www/docs/").await.contains(&"new.txt".to_owned()));
        assert!(!shown("/www/").await.contains(&"fresh/".to_owned()));
        assert_eq!(send(&service, "PUT", "/www/docs/new.txt").await, 201);
        assert!(shown("/www/docs/").await.contains(&"new.txt".to_owned()));
        assert_eq!(send(&service, "PUT", "/www/fresh/a.txt").await, 201);
        assert!(shown("/www/").await.contains(&"fresh/".to_owned()));
        assert_eq!(send(&service, "DELETE", "/www/docs/new.txt").await, 204);
        assert!(!shown("/www/docs/").await.contains(&"new.txt".to_owned()));
        assert_eq!(send(&service, "DELETE", "/www/fresh/a.txt").await, 204);
    }
}

#[tokio::test]
async fn an_empty_mount_is_shown_to_those_who_can_fill_it() {
    let s3 = s3().await;
    let empty = proxy(at(&s3, Listing::new()));
    assert_eq!(get_status(&empty, "/www/").await, 404);
    let writable = proxy(at(&s3, Listing::new()).writes(Writes::new().below("in")).authorize(anybody()));
    let page = html(&writable, "/www/in/").await;
    assert_eq!(status(&page), 200);
    assert!(page.text().contains("There is nothing here") && page.text().contains("id=\"upload\""));
    assert_eq!(get_status(&writable, "/www/in/deeper/").await, 404);
}
