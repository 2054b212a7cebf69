//! Commands that ask a running instance.

use std::process::{Command, Output};

use crate::proxy::{LogReader, Proxy, get};

/// The command, with this token, to its end.
async fn run(proxy: &Proxy, token: &str, line: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
    let (name, rest) = line.split_first().unwrap();
    command.arg(name).args(["--url", &format!("http://{}/_cache", proxy.address)]).args(rest);
    command.env_clear();
    if !token.is_empty() {
        command.env("CACHE_ADMIN_TOKEN", token);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_into_the_cache_and_dropped_from_it() {
    let variables = ["CACHE_ADMIN_TOKEN=t0ken"];
    let flags = ["--cache-size", "16MiB", "--cache-ttl", "5m", "--cache-admin-path", "/_cache"];
    let proxy = Proxy::start_with_env(&variables, LogReader::Reads, &flags).await;
    for (token, line, code, hint) in [
        ("t0ken", &["warm", "small", "medium"][..], 0, "\"small\": 1 read, 0 were there, 5 B"),
        ("t0ken", &["warm", "small"], 0, "0 read, 1 were there"),
        ("t0ken", &["purge", "--key", "small.txt"], 0, "1 object purged"),
        ("t0ken", &["purge", "--prefix", "", "--bucket", "media", "--soft"], 0, "1 object purged"),
        ("t0ken", &["purge", "--all"], 0, "object"),
        ("t0ken", &["warm", "--bucket", "other", "small"], 1, "does not serve the bucket other"),
        ("t0ken", &["purge"], 2, "required"),
        ("wrong", &["purge", "--all"], 1, "refuses the token"),
        ("", &["warm", "small"], 1, "CACHE_ADMIN_TOKEN is not set"),
    ] {
        let output = run(&proxy, token, line).await;
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line:?}: {told}");
        assert!(told.contains(hint), "{line:?}: {told}");
    }
    run(&proxy, "t0ken", &["warm", "small"]).await;
    let answer = proxy.ask(&get("/small.txt")).await;
    assert!(answer.to_ascii_lowercase().contains("cache-status: tower-s3-proxy; hit"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_not_there_or_has_no_such_path_is_told() {
    let proxy = Proxy::start(&[]).await;
    for (url, hint) in [
        (format!("http://{}/_cache", proxy.address), "--cache-admin-path"),
        ("http://127.0.0.1:1/_cache".to_owned(), "is the proxy running there?"),
        ("ftp://127.0.0.1/_cache".to_owned(), "must begin with http:// or https://"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
        command.args(["purge", "--all", "--url", &url]).env_clear().env("CACHE_ADMIN_TOKEN", "t");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(hint), "{url}: {told}");
    }
}

/// The output of the program, and what it says of errors.
fn output(line: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
    let output = command.args(line).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn shells_and_manuals_are_told_of_every_command() {
    let names = ["check", "policies", "presign", "purge", "warm", "explain", "init", "completions", "man"];
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = output(&["completions", shell]);
        assert_eq!(code, Some(0));
        for name in names {
            assert!(script.contains(name), "{shell}: {name}");
        }
        assert!(script.contains("max-requests-per-second"), "{shell}");
    }
    let (_, page, _) = output(&["man"]);
    assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
    for name in names {
        let (code, page, _) = output(&["man", name]);
        assert!(code == Some(0) && page.contains(&format!("tower-s3-proxy-{name}")), "{name}: {page}");
    }
    let (code, _, told) = output(&["man", "chek"]);
    assert!(code == Some(1) && told.contains("presign"), "{told}");
}

#[test]
fn the_help_of_the_program_and_of_each_command_has_examples() {
    for line in [
        &["--help"][..],
        &["check", "--help"],
        &["policies", "--help"],
        &["presign", "--help"],
        &["purge", "--help"],
        &["warm", "--help"],
        &["explain", "--help"],
        &["init", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let (_, help, _) = output(line);
        let examples = help.split_once("Examples:\n").map(|(_, examples)| examples.lines().count());
        assert!(examples.is_some_and(|count| count >= 2), "{line:?}: {help}");
    }
}

#[test]
fn a_check_tells_of_certificates_that_cannot_be_read() {
    let flags = ["check", "--timeout", "1s", "--tls-cert", "no.pem", "--tls-key", "no.key"];
    let (code, _, told) = output(&flags);
    assert!(code == Some(1) && told.contains("--tls-cert no.pem"), "{told}");
}

#[test]
fn a_check_reads_the_tables_of_the_process_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.toml");
    let mount = "[[mount]]\nbucket = \"media\"\nendpoint_url = \"http://127.0.0.1:1\"\nanonymous = true\n";
    for (tables, hint) in [
        ("[server]\nmax_conections = 1", "line 2: [server] has no key `max_conections`"),
        ("[[listen]]\naddress = \"8080\"", "line 2: [[listen]]: address \"8080\": give ADDRESS:PORT"),
        ("[[listen]]\naddress = \":1\"\ntls_cert = \"no.pem\"\ntls_key = \"no.key\"", "no.pem: No such file"),
    ] {
        std::fs::write(&path, format!("{tables}\n{mount}")).unwrap();
        let (code, _, told) = output(&["check", "--timeout", "1s", "--config", path.to_str().unwrap()]);
        assert!(code == Some(1) && told.contains(hint), "{tables}: {told}");
    }
}

#[test]
fn a_configuration_can_come_from_a_pipe() {
    let text = "[server]\nthreads = 1\n[[listen]]\naddress = \"8080\"\n[[mount]]\nbucket = \"media\"\nendpoint_url = \"http://127.0.0.1:1\"\nanonymous = true\n";
    let script = format!("exec '{}' --config <(printf '%s' '{text}')", env!("CARGO_BIN_EXE_tower-s3-proxy"));
    let output = Command::new("bash").args(["-c", &script]).env_clear().output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // The mounts and [server] were read before.
    assert!(told.contains("line 4: [[listen]]: address \"8080\": give ADDRESS:PORT"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_explained_to_whoever_has_the_token_and_to_nobody_else() {
    let proxy = Proxy::start_with_env(&["EXPLAIN_TOKEN=t0ken"], LogReader::Reads, &[]).await;
    let url = format!("http://{}/small.txt", proxy.address);
    let run = |token: &'static str, line: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-s3-proxy"));
        command.arg("explain").args(line).env_clear();
        if !token.is_empty() {
            command.env("EXPLAIN_TOKEN", token);
        }
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let range = || ["-H", "Range: bytes=1-2"].map(str::to_owned);
    for (token, line, code, hints) in [
        (
            "t0ken",
            vec![url.clone()],
            0,
            &[
                "answer         200",
                "key            small.txt",
                "the mount has no cache",
                "s3             GET media/small.txt",
            ][..],
        ),
        (
            "t0ken",
            [vec![url.clone()], range().to_vec()].concat(),
            0,
            &["range          bytes=1-2 — served: bytes 1-2/5"],
        ),
        ("t0ken", vec![url.replace("small", "none")], 0, &["answer         404 not_found", "404 NoSuchKey"]),
        ("t0ken", vec![url.clone(), "--json".to_owned()], 0, &["\"key\":\"small.txt\""]),
        ("wrong", vec![url.clone()], 1, &["explains nothing"]),
        ("", vec![url.clone()], 1, &["EXPLAIN_TOKEN is not set"]),
    ] {
        let output = run(token, line.clone()).await.unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line:?}: {told}");
        for hint in hints {
            assert!(told.contains(hint), "{line:?} {hint}: {told}");
        }
    }
    let answer = proxy
        .ask("GET /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Explain: wrong\r\n\r\n")
        .await;
    assert!(answer.ends_with("hello"), "{answer}");
    let silent = Proxy::start(&[]).await;
    let answer = silent
        .ask("GET /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Explain: t0ken\r\n\r\n")
        .await;
    assert!(answer.ends_with("hello"), "without a token nothing is explained: {answer}");
}
