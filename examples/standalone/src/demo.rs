use demo_s3::DemoS3;

use crate::settings::Settings;

/// An S3 server in this process, over a temporary folder.
pub(crate) struct Demo {
    s3: DemoS3,
    _folder: tempfile::TempDir,
}

const BUCKET: &str = "demo";

impl Demo {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        demo_s3::seed(folder.path()).await?;
        let s3 = DemoS3::builder().folder(BUCKET, folder.path()).start().await?;
        Ok(Self { s3, _folder: folder })
    }

    /// Sets its bucket, unless something else is set.
    pub(crate) fn set(&self, settings: &mut Settings) {
        settings.set_default("", "bucket", BUCKET);
        settings.set_default("", "endpoint_url", self.s3.endpoint());
        settings.set_default("", "region", "us-east-1");
        settings.set_default("", "path_style", true);
        settings.set_default("", "access_key_id", demo_s3::DEMO_ACCESS_KEY);
        settings.set_default("", "secret_access_key", demo_s3::DEMO_SECRET_KEY);
        settings.set_default("", "default_cache_control", "public, max-age=60");
    }

    pub(crate) fn greet(&self, url: &str) {
        println!(
            "demo: an S3 server runs in this process ({}), and the proxy in front of it",
            self.s3.endpoint()
        );
        println!("\nopen   {url}/index.html\n\ntry    curl -i {url}/notes.txt");
        println!("       curl -i -r 0-99 {url}/media/clock.webm -o /dev/null -D -");
        println!(
            "       curl -i {url}/notes.txt -H \"If-None-Match: $(curl -sI {url}/notes.txt | sed -n 's/^etag: //Ip' | tr -d '\\r')\""
        );
        println!("       curl -i {url}/no-such-file");
        println!("\nstop   Ctrl-C");
    }
}
