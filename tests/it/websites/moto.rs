//! The website configuration of a bucket, over moto's S3: `scripts/with-moto cargo test --test it moto`.

use aws_sdk_s3::config::{BehaviorVersion, Region};
use tower_s3_proxy::{Mount, credentials::fixed, website::Website};

use super::bucket::{in_words, of_the_guide, rows};
use crate::{
    moto::{Moto, variable},
    support::{REGION, ask, bucket, get, proxy},
};

#[tokio::test]
async fn the_configuration_of_a_bucket_is_served() {
    let Some(moto) = Moto::from_env().await else { return };
    let (key, secret) = (variable("ADMIN_ACCESS_KEY"), variable("ADMIN_SECRET_KEY"));
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&moto.endpoint)
        .force_path_style(true)
        .region(Region::new(REGION))
        .credentials_provider(aws_sdk_s3::config::Credentials::new(&key, &secret, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let name = "website-of-the-guide";
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::UsWest2);
    client.create_bucket().bucket(name).create_bucket_configuration(place.build()).send().await.unwrap();
    for object in ["index.html", "error.html", "docs/index.html", "wiki/home", "moved"] {
        let put = client.put_object().bucket(name).key(object).body(object.as_bytes().to_vec().into());
        let put = if object == "moved" { put.website_redirect_location("/docs/") } else { put };
        put.send().await.unwrap();
    }
    let mount = || {
        Mount::builder(bucket(name))
            .endpoint_url(&moto.endpoint)
            .path_style(true)
            .region(REGION)
            .credentials(fixed(&key, &secret, None))
            .website(Website::from_bucket())
    };
    let without = proxy(mount());
    assert_eq!(ask(&without, get("/docs/index.html")).await.status, 200);
    assert_eq!(ask(&without, get("/docs/")).await.status, 404, "it has none yet");
    client.put_bucket_website().bucket(name).website_configuration(of_the_guide()).send().await.unwrap();
    let service = proxy(mount());
    for (path, expected) in rows() {
        let answer = ask(&service, get(path)).await;
        assert_eq!(in_words(&answer), expected, "{path}");
    }
}
