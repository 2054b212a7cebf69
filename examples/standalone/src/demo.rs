use std::error::Error;

use demo_s3::DemoS3;
use tower_s3_proxy::{BucketName, Mount, credentials::Credentials};

use crate::{args::CacheArgs, cache, mounts::Served};

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

    pub(crate) fn config(&self, args: &CacheArgs) -> Result<Served, Box<dyn Error>> {
        let (key, secret) = (demo_s3::DEMO_ACCESS_KEY, demo_s3::DEMO_SECRET_KEY);
        let bucket = BucketName::parse(BUCKET)?;
        let mount = Mount::builder(bucket.clone())
            .endpoint_url(self.s3.endpoint())
            .region("us-east-1")
            .path_style(true)
            .credentials(Credentials::new(key, secret, None, None, "demo"))
            .default_cache_control("public, max-age=60");
        let cache = cache::from_args(args)?;
        let mount = cache::for_mount(mount, cache.as_ref(), args).build()?;
        Ok(Served { config: mount.clone().into(), cache, single: Some((bucket, mount)) })
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
