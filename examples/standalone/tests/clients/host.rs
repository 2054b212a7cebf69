use crate::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_host_that_can_be_one() {
    let proxy = Proxy::start(&[]).await;
    for (head, status) in [
        ("GET /small.txt HTTP/1.1\r\nHost: a.example:8080\r\n", 200),
        ("GET /small.txt HTTP/1.1\r\nHost: [::1]\r\n", 200),
        ("GET /small.txt HTTP/1.0\r\n", 200),
        ("GET http://a.example/small.txt HTTP/1.1\r\nHost: a.example\r\n", 200),
        ("GET /ping HTTP/1.1\r\nHost: a\r\n", 200),
        ("GET /small.txt HTTP/1.1\r\n", 400),
        ("GET http://a.example/small.txt HTTP/1.1\r\n", 400),
        ("GET /small.txt HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        ("GET /small.txt HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET /small.txt HTTP/1.1\r\nHost: a b/c\r\n", 400),
        ("GET /small.txt HTTP/1.1\r\nHost: user@a\r\n", 400),
        ("GET /ping HTTP/1.1\r\nHost: a/b\r\n", 400),
    ] {
        let answer = proxy.ask(&format!("{head}Connection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1."), "{head:?}: {answer}");
        assert!(answer[8..].starts_with(&format!(" {status} ")), "{head:?}: {answer}");
    }
}
