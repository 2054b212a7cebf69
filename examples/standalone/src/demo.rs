use std::{net::SocketAddr, path::Path};

use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};

use crate::settings::Settings;

/// An S3 server in this process, over a temporary folder.
pub(crate) struct Demo {
    s3: DemoS3,
    _folder: tempfile::TempDir,
}

const BUCKET: &str = "demo";
const REGION: &str = "us-east-1";

impl Demo {
    /// Starts the server on this address, or on a free port.
    pub(crate) async fn start(address: Option<SocketAddr>) -> Result<Self, String> {
        let folder =
            tempfile::tempdir().map_err(|why| format!("the demo needs a temporary folder: {why}"))?;
        let seeded = demo_s3::seed(folder.path()).await;
        seeded.map_err(|why| format!("the files of the demo cannot be written: {why}"))?;
        let mut s3 = DemoS3::builder().folder(BUCKET, folder.path());
        if let Some(address) = address {
            s3 = s3.address(address);
        }
        let s3 = s3.start().await.map_err(|why| match address {
            Some(address) => format!(
                "the demo's S3 server cannot listen on {address}: {why}; give another --demo-s3 address"
            ),
            None => format!("the demo's S3 server cannot start: {why}"),
        })?;
        Ok(Self { s3, _folder: folder })
    }

    /// Sets its bucket, unless something else is set.
    pub(crate) fn set(&self, settings: &mut Settings) {
        settings.set_default("", "bucket", BUCKET);
        settings.set_default("", "endpoint_url", self.s3.endpoint());
        settings.set_default("", "region", REGION);
        settings.set_default("", "path_style", true);
        settings.set_default("", "access_key_id", DEMO_ACCESS_KEY);
        settings.set_default("", "secret_access_key", DEMO_SECRET_KEY);
        settings.set_default("", "default_cache_control", "public, max-age=60");
        settings.set_default("", "website.not_found", "404.html");
        settings.set_default("", "listing", toml::Table::new());
    }

    /// What to open and what to try at the URL of the proxy, and how a program of one's own reads the same bucket.
    pub(crate) fn greeting(&self, url: &str, certificate: Option<&Path>) -> String {
        // One that no system trusts: of any other, the demo has no use.
        let curl = certificate.map_or("curl".to_owned(), |file| format!("curl --cacert {}", file.display()));
        format!(
            "demo: an S3 server runs in this process, and the proxy in front of it\n\
             \n\
             open   {url}/   (a small website)\n       \
             {url}/images/   (a folder without a page of its own; also /media/ and /odd%20names/)\n\
             \n\
             try    {curl} -i {url}/notes.txt\n       \
             {curl} -i -r 0-99 {url}/media/clock.webm -o /dev/null -D -\n       \
             {curl} -i {url}/notes.txt -H \"If-None-Match: $({curl} -sI {url}/notes.txt | sed -n 's/^etag: //Ip' | tr -d '\\r')\"\n       \
             {curl} -i {url}/no-such-file\n       \
             {curl} {url}/media/?format=json\n\
             \n\
             S3     endpoint {}, bucket {BUCKET}, region {REGION}, path style\n       \
             access key {DEMO_ACCESS_KEY}, secret key {DEMO_SECRET_KEY}\n       \
             --demo-s3 127.0.0.1:9000 gives it that port at every start\n\
             \n\
             stop   Ctrl-C\n",
            self.s3.endpoint()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMBEDDING: &str = include_str!("../../../src/guide/embedding.md");

    #[tokio::test]
    async fn the_greeting_and_the_guide_say_how_a_program_reads_the_demos_bucket() {
        let demo = Demo::start(None).await.unwrap();
        let greeting = demo.greeting("http://127.0.0.1:8080", None);
        for said in
            [&demo.s3.endpoint(), "bucket demo", REGION, "path style", DEMO_ACCESS_KEY, DEMO_SECRET_KEY]
        {
            assert!(greeting.contains(said), "{said} in {greeting}");
        }
        assert!(greeting.contains("open   http://127.0.0.1:8080/"), "{greeting}");
        let greeting = demo.greeting("https://127.0.0.1:8080", Some(Path::new("own.pem")));
        assert_eq!(greeting.matches("curl").count(), greeting.matches("curl --cacert own.pem ").count());
        for said in [BUCKET, REGION, DEMO_ACCESS_KEY, DEMO_SECRET_KEY] {
            assert!(EMBEDDING.contains(&format!("\"{said}\"")), "{said} in the guide");
        }
    }

    #[tokio::test]
    async fn the_demo_listens_where_it_is_told_or_says_what_to_give() {
        let first = Demo::start(Some("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let address = first.s3.addr();
        let refusal = Demo::start(Some(address)).await.err().unwrap();
        assert!(refusal.contains(&format!("cannot listen on {address}")), "{refusal}");
        assert!(refusal.contains("give another --demo-s3"), "{refusal}");
    }
}
