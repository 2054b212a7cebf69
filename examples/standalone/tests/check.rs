//! The program as a process: what it prints, and with what code it exits.

// Allowed in tests by clippy.toml, which knows the test functions but not their helpers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use demo_s3::{Credential, DemoS3};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

const KEY: &str = "ASIAREADERREADERREAD";
const SECRET: &str = "a-secret-that-no-output-may-have";
const TOKEN: &str = "a-token-that-no-output-may-have";

/// What a run of the program came to.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn standalone(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
    command.args(args).env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    command
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN);
    command.env("RUST_LOG", "trace,s3s=off");
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    for text in [&stdout, &stderr] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "a secret is in {text}");
    }
    Run { code: output.status.code(), stdout, stderr }
}

async fn s3(credential: Credential) -> DemoS3 {
    let s3 =
        DemoS3::builder().bucket("media").region("us-west-2").credential(credential).start().await.unwrap();
    s3.store().put("media", "films/a.txt", bytes::Bytes::from_static(b"hello"));
    s3
}

fn reader() -> Credential {
    Credential::new(KEY, SECRET).with_session_token(TOKEN)
}

/// The first line that fails.
fn first_failure(table: &str) -> &str {
    table.lines().find(|line| line.starts_with("  FAIL")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_with_a_bucket_that_is_set_up() {
    let s3 = s3(reader()).await;
    let endpoint = s3.endpoint();
    let args =
        ["check", "--bucket", "media", "--region", "us-west-2", "--endpoint", &endpoint, "--path-style"];
    let run = standalone(&args, &[]).await;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(first_failure(&run.stdout), "");
    for line in
        ["  pass     clock", "  pass     signature", "  pass     list", "  pass     read", "  unknown  put"]
    {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    assert!(run.stderr.contains("TRACE"), "the log is looked through, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_makes_the_exit_code_and_is_named_first() {
    let s3 = s3(reader()).await;
    let endpoint = s3.endpoint();
    let args = [
        "check",
        "--json",
        "--bucket",
        "media",
        "--region",
        "eu-central-1",
        "--endpoint",
        &endpoint,
        "--path-style",
    ];
    let run = standalone(&args, &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["outcome"], "fail");
    let checks = report["mounts"][0]["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["outcome"] == "fail").collect();
    let [region] = failed[..] else { panic!("{failed:#?}") };
    assert_eq!(region["name"], "region");
    assert_eq!(region["answer"]["code"], "AuthorizationHeaderMalformed");
    assert!(region["advice"].as_str().unwrap().contains("set region = \"us-west-2\""), "{region:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_comes_with_its_statement() {
    let s3 = s3(reader().without_listing()).await;
    let endpoint = s3.endpoint();
    let flags = [
        "--bucket",
        "media",
        "--prefix",
        "films",
        "--region",
        "us-west-2",
        "--endpoint",
        &endpoint,
        "--path-style",
    ];
    let check = [&["check", "--canary", "films/a.txt"][..], &flags].concat();
    let run = standalone(&check, &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        first_failure(&run.stdout).starts_with("  FAIL     list         403 AccessDenied"),
        "{}",
        run.stdout
    );
    let text = run.stdout.split_whitespace().collect::<String>();
    assert!(
        text.contains("\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::media\""),
        "{}",
        run.stdout
    );

    let run = standalone(&[&check[..], &["--skip", "list"]].concat(), &[]).await;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tried_is_told_apart() {
    for (args, hint) in [
        (&["check", "--bucket", "x"][..], "--bucket: bucket \"x\""),
        (&["check", "--bucket", "media"], "give --region"),
        (&["check", "-o", "fallbak=inner"], "-o fallbak: unknown key"),
        (&["check", "-o", "miss=inner"], "-o miss: `miss` is called `fallback` now"),
        (&["check", "--config", "/nonexistent/proxy.toml"], "/nonexistent/proxy.toml"),
        (&["check", "--bucket", "media", "--region", "us-west-2", "--canary", "../x"], "--canary"),
        (&["check", "--skip", "nothing"], "[possible values: endpoint, dns"),
        (&["--ping-path", "/p", "check"], "flags stand behind the command: tower-s3-proxy check --ping-path"),
    ] {
        let run = standalone(args, &[]).await;
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{args:?}: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_checked_mount_by_mount() {
    let s3 = s3(reader()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    let mount = |path: &str, bucket: &str| {
        let endpoint = s3.endpoint();
        format!(
            "[[mount]]\npath = \"{path}\"\nbucket = \"{bucket}\"\nendpoint_url = \"{endpoint}\"\npath_style = true\n"
        )
    };
    let text =
        format!("region = \"us-west-2\"\n{}{}", mount("/here", "media"), mount("/gone", "no-such-bucket"));
    std::fs::write(&file, text).unwrap();
    let run = standalone(&["check", "--config", file.to_str().unwrap()], &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        first_failure(&run.stdout).starts_with("  FAIL     bucket       404 NoSuchBucket"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("/here  bucket media"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_can_be_checked() {
    let run = standalone(&["check"], &[]).await;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("bucket demo"), "{}", run.stdout);
}

// --- a bucket with dots, its name in front of the host ---

/// A server whose certificate is for `*.s3.test`, as those of S3 are for one label in front; it shows a 403 to those who
/// take it. Writes the certificate into the folder.
async fn tls_server(folder: &Path) -> (std::net::SocketAddr, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["s3.test".to_owned(), "*.s3.test".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let trusted = folder.join("trusted.pem");
    std::fs::write(&trusted, certificate.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                let mut buffer = [0; 4096];
                let _ = tls.read(&mut buffer).await;
                let head = "HTTP/1.1 403 Forbidden\r\nserver: test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = tls.write_all(head.as_bytes()).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    (addr, trusted.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn dots_in_front_of_a_host_have_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (addr, trusted) = tls_server(folder.path()).await;
    let addr = addr.to_string();
    let check = async |bucket: &str, endpoint: &str, trusted: &str| {
        let args = ["check", "--bucket", bucket, "--endpoint", endpoint, "--connect-to", &addr];
        standalone(&args, &[("SSL_CERT_FILE", trusted)]).await
    };

    let run = check("my.media", "https://my.media.s3.test", &trusted).await;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let seen = "  FAIL     tls          the certificate is for s3.test, *.s3.test, not for my.media.s3.test";
    assert_eq!(first_failure(&run.stdout), seen, "{}", run.stdout);
    let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("endpoint_url = \"https://s3.test\" with path_style = true"), "{}", run.stdout);

    // The star takes one label, and the path any name.
    for (bucket, endpoint) in [("media", "https://s3.test"), ("my.media", "https://s3.test")] {
        let run = check(bucket, endpoint, &trusted).await;
        assert!(run.stdout.contains("  pass     tls          TLSv1.3"), "{bucket}: {}", run.stdout);
        assert!(run.stdout.contains("  pass     http         test, 403"), "{bucket}: {}", run.stdout);
    }

    // Whoever says it.
    let args = ["check", "--bucket", "media", "--endpoint", "https://s3.test", "--connect-to", &addr];
    let option = format!("transport.ca_file={trusted}");
    for (more, variables) in [
        (&[][..], vec![("AWS_CA_BUNDLE", trusted.as_str())]),
        (&["-o", &option], vec![]),
        (&["-o", "transport.ca_file="], vec![("AWS_CA_BUNDLE", ""), ("SSL_CERT_FILE", trusted.as_str())]),
    ] {
        let run = standalone(&[&args, more].concat(), &variables).await;
        assert!(
            run.stdout.contains("  pass     tls          TLSv1.3"),
            "{more:?} {variables:?}: {}",
            run.stdout
        );
    }
    let run = standalone(&args, &[("AWS_CA_BUNDLE", "/absent.pem")]).await;
    let output = run.stdout + &run.stderr;
    assert!(output.contains("AWS_CA_BUNDLE /absent.pem: the file can't be read"), "{output}");

    let stranger = folder.path().join("stranger.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut other = rcgen::CertificateParams::new(vec!["s3.test".to_owned()]).unwrap();
    other.distinguished_name.push(rcgen::DnType::CommonName, "another authority");
    let other = other.self_signed(&key).unwrap();
    std::fs::write(&stranger, other.pem()).unwrap();
    let run = check("media", "https://s3.test", stranger.to_str().unwrap()).await;
    let failure = first_failure(&run.stdout);
    assert_eq!(failure, "  FAIL     tls          the certificate is of an unknown issuer", "{}", run.stdout);
}

/// The SDK's rules put a bucket without dots in front of every host that has a name.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_front_of_a_host_may_have_no_address() {
    let args = ["check", "--bucket", "media", "--endpoint", "http://minio.invalid:9000"];
    let run = standalone(&args, &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(first_failure(&run.stdout).contains("dns          media.minio.invalid"), "{}", run.stdout);
    assert!(run.stdout.contains("path_style = true"), "{}", run.stdout);
}

// --- a proxy on the way ---

/// An HTTP proxy that forwards nothing: the first lines of the requests that it refuses.
async fn closed_proxy() -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = tcp.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8(head).unwrap();
            lines.lock().unwrap().extend(head.lines().next().map(str::to_owned));
            let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    (addr, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_and_sts_are_asked_through_the_proxy_that_the_environment_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    let (addr, seen) = closed_proxy().await;
    let url = format!("http://proxy-user:proxy-secret@{addr}");
    let toml = |scheme: &str| {
        format!(
            "region = \"us-west-2\"\n[credentials.reader]\ntype = \"assume-role\"\n\
             role_arn = \"arn:aws:iam::123456789012:role/reader\"\nsts_endpoint_url = \"{scheme}://sts.test\"\n\
             [[mount]]\nbucket = \"media\"\nendpoint_url = \"{scheme}://s3.test\"\npath_style = true\n\
             credentials = \"reader\"\n"
        )
    };
    let check = async |scheme: &str, variables: &[(&str, &str)]| {
        std::fs::write(&file, toml(scheme)).unwrap();
        seen.lock().unwrap().clear();
        let run = standalone(&["check", "--config", file.to_str().unwrap()], variables).await;
        for text in [&run.stdout, &run.stderr] {
            for secret in ["proxy-secret", "cHJveHktdXNlcjpwcm94eS1zZWNyZXQ="] {
                assert!(!text.contains(secret), "the proxy's password is in {text}");
            }
        }
        let lines = seen.lock().unwrap().clone();
        (run, move |start: &str| lines.iter().any(|line| line.starts_with(start)))
    };

    let (run, has_seen) = check("http", &[("http_proxy", &url)]).await;
    assert!(
        has_seen("POST http://sts.test/ ") && has_seen("HEAD http://s3.test/media/"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let through = format!("http://s3.test/media: the bucket in the path, through the proxy {addr}");
    assert!(run.stdout.contains(&through), "{}", run.stdout);

    let (run, has_seen) = check("https", &[("ALL_PROXY", &url)]).await;
    assert!(has_seen("CONNECT s3.test:443 "), "{}{}", run.stdout, run.stderr);
    let failure = first_failure(&run.stdout);
    assert!(failure.contains("connect") && failure.contains("answered CONNECT with 403"), "{}", run.stdout);
    assert!(run.stdout.contains("transport.no_proxy"), "{}", run.stdout);

    let (run, has_seen) = check("http", &[("http_proxy", &url), ("NO_PROXY", ".test")]).await;
    assert!(!has_seen(""), "{}", run.stdout);
    let (run, has_seen) = check("http", &[("HTTP_PROXY", &url), ("REQUEST_METHOD", "GET")]).await;
    assert!(!has_seen(""), "{}", run.stdout);

    // STS goes by the variables, and S3 by the transport.
    let no_proxy = format!("{}[transport]\nproxy = \"http://{addr}\"\nno_proxy = \"a.test\"\n", toml("http"));
    std::fs::write(&file, no_proxy).unwrap();
    seen.lock().unwrap().clear();
    let variables = [("http_proxy", "http://127.0.0.1:1"), ("NO_PROXY", "s3.test")];
    let run = standalone(&["check", "--config", file.to_str().unwrap()], &variables).await;
    let lines = seen.lock().unwrap().clone();
    let is_of_s3 = |line: &String| line.contains(" http://s3.test/");
    assert!(!lines.is_empty() && lines.iter().all(is_of_s3), "{lines:?} {}", run.stdout);

    let (run, _) = check("http", &[("ALL_PROXY", "socks5://proxy-user:proxy-secret@127.0.0.1:1")]).await;
    let output = run.stdout + &run.stderr;
    assert!(output.contains("ALL_PROXY: a SOCKS proxy can't be used"), "{output}");
}

/// What Compose and Helm write where nothing is meant (case 4). The SDK takes an empty URL for one, and panics.
#[tokio::test(flavor = "multi_thread")]
async fn empty_variables_count_as_absent_when_a_role_is_assumed() {
    let token = tempfile::NamedTempFile::new().unwrap();
    let role = "arn:aws:iam::111122223333:role/media-reader";
    let empty =
        ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_PROFILE", "AWS_REGION"];
    let identity = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", ""),
        ("AWS_ROLE_ARN", role),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.path().to_str().unwrap()),
    ];
    let s3 = s3(reader()).await;
    let endpoint = s3.endpoint();
    let args = ["check", "--bucket", "media", "--region", "no-such-region-1", "--endpoint", &endpoint];
    for (args, variables) in
        [(args.to_vec(), identity.to_vec()), ([&args[..], &["--role-arn", role]].concat(), Vec::new())]
    {
        let variables: Vec<_> = empty.iter().map(|name| (*name, "")).chain(variables).collect();
        let run = standalone(&args, &variables).await;
        assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("panicked") && !said.contains("interrupted"), "{said}");
        // STS of that region was asked, which there is not.
        assert!(run.stdout.contains("sts.no-such-region-1.amazonaws.com"), "{}", run.stdout);
    }
}

/// As every AWS tool takes them (case 9).
#[tokio::test(flavor = "multi_thread")]
async fn region_and_endpoint_of_the_profile_count() {
    let s3 = s3(Credential::new("AKIDSTUDIO", "studio-secret")).await;
    let home = tempfile::tempdir().unwrap();
    let keys = "aws_access_key_id = AKIDSTUDIO\naws_secret_access_key = studio-secret\naws_session_token =\n";
    let place = "region = us-west-2\nservices = local\n";
    let services = format!("[services local]\ns3 =\n  endpoint_url = {}\n", s3.endpoint());
    let config = home.path().join("config");
    std::fs::write(&config, format!("[profile studio]\n{keys}{place}{services}")).unwrap();
    let config_file = ("AWS_CONFIG_FILE", config.to_str().unwrap());
    let no_keys = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_SESSION_TOKEN", "")];
    let args = ["check", "--bucket", "media", "--path-style"];
    let file = home.path().join("proxy.toml");
    let text = "[credentials.studio]\ntype = \"profile\"\nprofile = \"studio\"\n\
                [[mount]]\nbucket = \"media\"\npath_style = true\ncredentials = \"studio\"\n";
    std::fs::write(&file, text).unwrap();
    let with_endpoint = home.path().join("endpoint.toml");
    let text =
        format!("[[mount]]\nbucket = \"media\"\npath_style = true\nendpoint_url = \"{}\"\n", s3.endpoint());
    std::fs::write(&with_endpoint, text).unwrap();
    for (args, more) in [
        (args.to_vec(), ("AWS_PROFILE", "studio")),
        ([&args[..], &["--profile", "studio"]].concat(), ("AWS_PROFILE", "")),
        (vec!["check", "--config", file.to_str().unwrap()], ("AWS_PROFILE", "")),
        // The region would be guessed.
        (vec!["check", "--config", with_endpoint.to_str().unwrap()], ("AWS_PROFILE", "studio")),
    ] {
        let run = standalone(&args, &[&no_keys[..], &[config_file, more]].concat()).await;
        assert_eq!(run.code, Some(0), "{args:?} {}{}", run.stdout, run.stderr);
        for line in ["us-west-2", &s3.endpoint(), "  pass     read"] {
            assert!(run.stdout.contains(line), "{args:?}, {line}: {}", run.stdout);
        }
    }
    let ignored = [config_file, ("AWS_PROFILE", "studio"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
    let run = standalone(&args, &[&no_keys[..], &ignored].concat()).await;
    assert!(run.stdout.contains("https://s3.us-west-2.amazonaws.com"), "{}", run.stdout);
}

/// An STS that knows who everybody is.
async fn sts() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let text = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                        <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/studio</Arn><UserId>X</UserId>\
                        <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
            let _ = stream.write_all((head + text).as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sts_that_the_environment_or_the_profile_names_is_asked_for_the_identity() {
    let (s3, sts) = (s3(reader()).await, sts().await);
    let (s3_url, home) = (s3.endpoint(), tempfile::tempdir().unwrap());
    let config = home.path().join("config");
    let keys =
        format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n");
    let services = format!("[services local]\nsts =\n  endpoint_url = {sts}\n");
    std::fs::write(&config, format!("[profile studio]\n{keys}services = local\n{services}")).unwrap();
    let file = home.path().join("proxy.toml");
    let place = format!(
        "bucket = \"media\"\nregion = \"us-west-2\"\npath_style = true\nendpoint_url = \"{s3_url}\"\n"
    );
    let text = format!(
        "[credentials.studio]\ntype = \"profile\"\nprofile = \"studio\"\n[[mount]]\ncredentials = \"studio\"\n{place}"
    );
    std::fs::write(&file, text).unwrap();
    let flags =
        ["check", "--bucket", "media", "--region", "us-west-2", "--path-style", "--endpoint", &s3_url];
    let of_file = ["check", "--config", file.to_str().unwrap()];
    let with_profile = [&flags[..], &["--profile", "studio"]].concat();
    let config_file = ("AWS_CONFIG_FILE", config.to_str().unwrap());
    let studio = ("AWS_PROFILE", "studio");
    let asked = "arn:aws:iam::111122223333:user/studio";
    let unasked = "not asked: the endpoint is not AWS's";
    for (args, variables, identity) in [
        (&flags[..], &[][..], unasked),
        (&flags, &[("AWS_ENDPOINT_URL_STS", &*sts)], asked),
        (&flags, &[config_file, studio], asked),
        (&with_profile, &[config_file], asked),
        (&of_file, &[config_file], asked),
        (&with_profile, &[config_file, ("AWS_ENDPOINT_URL", &*s3_url)], unasked),
        (&with_profile, &[config_file, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], unasked),
    ] {
        let run = standalone(args, variables).await;
        assert_eq!(run.code, Some(0), "{args:?} {variables:?} {}{}", run.stdout, run.stderr);
        let line = run.stdout.lines().find(|line| line.contains("identity")).unwrap_or_default();
        assert!(line.contains(identity), "{args:?} {variables:?}: {line}");
    }
}

/// As `check | head -1` does, when it has its line.
#[tokio::test]
async fn who_reads_the_output_may_have_enough_of_it() {
    for command in ["policies", "check"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"))
            .args([command, "--bucket", "media", "--region", "us-west-2", "--endpoint", "http://127.0.0.1:1"])
            .env_clear()
            .envs([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code < 2), "{command}: {:?} {said}", output.status);
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{command}: {said}");
    }
}
