//! What becomes of a page when S3 does not list.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::io::AsyncWriteExt;
use tower_s3_proxy::{listing::Listing, website::Website};

use super::*;
use crate::support::{mount_at, once, origin, proxy, read_head};

/// An origin that answers lists in this way, and has no objects.
async fn origin_that_says(
    status: &'static str,
    body: &'static str,
) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&listed);
    let addr = origin(move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            while let Some(head) = read_head(&mut stream).await {
                let is_list = head.contains("list-type=2");
                let missing = ("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
                let (status, body) = if is_list { (status, body) } else { missing };
                count.fetch_add(usize::from(is_list), Ordering::SeqCst);
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\r\n{body}");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (addr, listed)
}

/// Else whoever writes to the bucket could fill the proxy's memory.
#[tokio::test]
async fn a_text_that_has_grown_since_it_was_listed_is_not_read_whole() {
    let s3 = bucket_of_files().await;
    s3.store().put(BUCKET, "site/docs/log.txt", "short".into());
    let service = proxy(at(&s3, Listing::new().remember(LONG)));
    assert!(html(&service, "/www/docs/?preview=log.txt").await.text().contains("short"));
    s3.store().put(BUCKET, "site/docs/log.txt", "long ".repeat(100_000).into());
    let preview = html(&service, "/www/docs/?preview=log.txt").await;
    assert_eq!((status(&preview), preview.text().contains("long long")), (200, false));
    assert!(preview.text().contains("href=\"./log.txt\""), "{}", preview.text());
}

#[tokio::test]
async fn trouble_is_told_and_never_an_empty_page() {
    for (said, body, expected) in [
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", 403),
        ("403 Forbidden", "<Error><Code>InvalidAccessKeyId</Code></Error>", 502),
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", 502),
        ("400 Bad Request", "<Error><Code>InvalidRequest</Code></Error>", 502),
        ("200 OK", "this is no list", 502),
        ("200 OK", "", 502),
    ] {
        let (addr, _) = origin_that_says(said, body).await;
        let service = proxy(once(mount_at(addr)).listing(Listing::new()).website(Website::new()));
        for path in ["/docs/", "/docs"] {
            let answer = html(&service, path).await;
            assert_eq!(status(&answer), expected, "{said} {body} {path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_shared_for_a_moment() {
    let (addr, listed) = origin_that_says("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>").await;
    let service = proxy(once(mount_at(addr)).listing(Listing::new().remember(LONG)));
    let waiting = (0..20).map(|_| html(&service, "/docs/"));
    let answers = futures_of(waiting).await;
    assert!(answers.iter().all(|answer| *answer == 403), "{answers:?}");
    assert_eq!(listed.load(Ordering::SeqCst), 1);
}

async fn futures_of(waiting: impl Iterator<Item = impl Future<Output = Answer>>) -> Vec<u16> {
    let mut all: Vec<_> = waiting.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        all.retain_mut(|future| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(answer) => {
                done.push(status(&answer));
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
