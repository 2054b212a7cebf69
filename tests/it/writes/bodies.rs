//! Bodies of known and unknown length, whole, broken off, too large, and with checksums.

use std::time::Duration;

use bytes::Bytes;
use demo_s3::DemoS3;
use http_body_util::Full;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};
use tower_s3_proxy::ProxyErrorKind;

use super::{End, Pieces, anything, put, send, writable};
use crate::support::{BUCKET, Protocol, proxy, raw, read_head, s3, sdk, serve};

const MIB: usize = 1024 * 1024;

fn bytes(length: usize) -> Bytes {
    (0..=250_u8).flat_map(|byte| [byte; 7]).cycle().take(length).collect::<Vec<_>>().into()
}

/// In pieces of about a network's size.
fn pieces(whole: &Bytes) -> Vec<Bytes> {
    (0..whole.len()).step_by(60_000).map(|at| whole.slice(at..whole.len().min(at + 60_000))).collect()
}

async fn uploads(s3: &DemoS3) -> usize {
    let listed = sdk(s3).list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    listed.uploads().len()
}

#[tokio::test]
async fn an_upload_of_unknown_length_goes_in_parts_or_whole() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything()));
    for (length, puts) in [(0, 1), (5, 1), (8 * MIB - 1, 1), (8 * MIB, 1), (8 * MIB + 1, 2), (41 * MIB, 6)] {
        s3.clear_log();
        let whole = bytes(length);
        let answer = send(&service, "PUT", "/a", &[], Pieces::new(pieces(&whole), End::Whole)).await;
        assert_eq!(answer.status, 201, "{length}: {}", answer.text());
        assert!(!answer.header("etag").is_empty());
        assert_eq!(s3.store().object(BUCKET, "a").unwrap().bytes, whole, "{length}");
        assert_eq!(s3.log().iter().filter(|seen| seen.method == "PUT").count(), puts, "{length}");
        assert_eq!(uploads(&s3).await, 0);
    }
}

#[tokio::test]
async fn conditions_hold_for_uploads_in_parts_too() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything().allow_overwrite(false)));
    let whole = bytes(9 * MIB);
    let upload = || send(&service, "PUT", "/a", &[], Pieces::new(pieces(&whole), End::Whole));
    assert_eq!(upload().await.status, 201);
    assert_eq!(upload().await.status, 412);
    gone(&s3).await;
}

/// Uploads are aborted when nobody waits for them any more, so that this may take a moment.
async fn gone(s3: &DemoS3) {
    let is_gone = async {
        while uploads(s3).await > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), is_gone).await.expect("no upload is left");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    aborted(10).await;
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn two_hundred_uploads_that_break_off_leave_nothing() {
    aborted(200).await;
}

/// So many of them, in all ways.
async fn aborted(count: usize) {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything()));
    let server = serve(Protocol::Http1, service.clone()).await;
    let whole = bytes(18 * MIB);
    for n in 0..count {
        let length = [10, 3 * MIB, 8 * MIB, 9 * MIB, 17 * MIB][n % 5];
        let sent = whole.slice(..length);
        let path = format!("/{n}");
        match n % 4 {
            // The body breaks off.
            0 => {
                let body = Pieces::new(pieces(&sent), End::BreaksOff);
                assert_eq!(send(&service, "PUT", &path, &[], body).await.status, 408);
            }
            // Nobody waits for the answer any more.
            1 => {
                let body = Pieces::new(pieces(&sent), End::Hangs);
                let upload = send(&service, "PUT", &path, &[], body);
                assert!(timeout(Duration::from_millis(100), upload).await.is_err());
            }
            // A client that goes, with and without a length.
            kind => {
                let mut client = TcpStream::connect(server.addr).await.unwrap();
                let length = match kind {
                    2 => format!("content-length: {}", whole.len()),
                    _ => "transfer-encoding: chunked".to_owned(),
                };
                let head = format!("PUT {path} HTTP/1.1\r\nhost: a\r\n{length}\r\n\r\n");
                client.write_all(head.as_bytes()).await.unwrap();
                for piece in pieces(&sent) {
                    let chunk = match kind {
                        2 => piece.to_vec(),
                        _ => [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat(),
                    };
                    client.write_all(&chunk).await.unwrap();
                }
                drop(client);
            }
        }
    }
    gone(&s3).await;
    // What had come when its client went may not be stored later either.
    sleep(Duration::from_millis(200)).await;
    assert!(s3.store().keys(BUCKET).is_empty(), "{:?}", s3.store().keys(BUCKET));
}

#[tokio::test]
async fn a_body_of_another_checksum_is_not_stored() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything()));
    // Of `123456789`.
    let all = [
        ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];
    for field in all {
        for (body, status) in [("123456789", 201), ("123456780", 400)] {
            let path = format!("/{status}");
            let known = put(&service, &path, &[field], body).await;
            let unknown = send(&service, "PUT", &path, &[field], Pieces::new([body], End::Whole)).await;
            for answer in [known, unknown] {
                assert_eq!(answer.status, status, "{field:?} {body}: {}", answer.text());
                if status == 400 {
                    assert_eq!(answer.kind(), Some(ProxyErrorKind::BadDigest), "{field:?}");
                }
            }
        }
    }
    let whole = bytes(9 * MIB);
    let wrong = [("x-amz-checksum-crc32", "y/Q5Jg==")];
    let answer = send(&service, "PUT", "/large", &wrong, Pieces::new(pieces(&whole), End::Whole)).await;
    assert_eq!(answer.status, 400, "in parts");
    assert_eq!(s3.store().keys(BUCKET), ["201"]);
    gone(&s3).await;
}

#[tokio::test]
async fn too_large_is_told_before_the_excess_is_read() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything().max_size(9 * MIB as u64)));
    let body = Pieces::new(pieces(&bytes(10 * MIB)), End::Hangs);
    let answer = send(&service, "PUT", "/a", &[], body).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (413, Some(ProxyErrorKind::TooLarge)));
    let fits = Full::new(bytes(9 * MIB));
    assert_eq!(send(&service, "PUT", "/b", &[], fits).await.status, 201);

    let server = serve(Protocol::Http1, service).await;
    let head = format!(
        "PUT /c HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        10 * MIB
    );
    let answer = raw(server.addr, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "not asked for the body: {answer}");
    assert_eq!(s3.store().keys(BUCKET), ["b"]);
    gone(&s3).await;
}

#[tokio::test]
async fn uploads_of_unknown_length_share_the_memory_for_them() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, anything().memory(16 * MIB as u64)));
    let held: Vec<_> = (0..2)
        .map(|n| {
            let service = service.clone();
            tokio::spawn(async move {
                let path = format!("/held{n}");
                send(&service, "PUT", &path, &[], Pieces::new(["x"], End::Hangs)).await
            })
        })
        .collect();
    sleep(Duration::from_millis(50)).await;
    let answer = send(&service, "PUT", "/a", &[], Pieces::new(["x"], End::Whole)).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::Overloaded)));
    assert_eq!(put(&service, "/b", &[], "x").await.status, 201, "a known length needs none");
    held.iter().for_each(|held| held.abort());
    assert_eq!(send(&service, "PUT", "/a", &[], Pieces::new(["x"], End::Whole)).await.status, 201);

    // Both of two larger ones get on, though there is room for two parts.
    let whole = bytes(30 * MIB);
    let uploads = ["/1", "/2"].map(|path| {
        let (service, body) = (service.clone(), Pieces::new(pieces(&whole), End::Whole));
        tokio::spawn(async move { send(&service, "PUT", path, &[], body).await.status })
    });
    for upload in uploads {
        assert_eq!(upload.await.unwrap(), 201);
    }
    assert_eq!(s3.store().object(BUCKET, "2").unwrap().bytes, whole);
}

#[tokio::test]
async fn an_upload_with_a_length_streams_and_waits_for_the_client() {
    let s3 = s3().await;
    let server = serve(Protocol::Http1, proxy(writable(&s3, anything()))).await;
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    let head = "PUT /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut client).await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    sleep(Duration::from_millis(20)).await;
    client.write_all(b"world").await.unwrap();
    let answer = read_head(&mut client).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(s3.store().object(BUCKET, "a").unwrap().bytes, "helloworld");
}
