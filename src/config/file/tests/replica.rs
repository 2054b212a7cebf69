//! The tables for a bucket that fails.

use super::*;

#[tokio::test]
async fn a_replica_has_the_credentials_of_its_mount_or_its_own() {
    let own = "access_key_id = \"AKIDREPLICA\"\nsecret_access_key = \"not-a-secret\"\n";
    for (credentials, access_key_id) in [("", "AKIDMOUNT"), (own, "AKIDREPLICA")] {
        let text = format!(
            "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\naccess_key_id = \"AKIDMOUNT\"\n\
             secret_access_key = \"not-a-secret\"\n[mount.replica]\nbucket = \"media-eu\"\nregion = \"eu-central-1\"\n\
             absent = \"ask-replica\"\ncache = \"apart\"\n{credentials}"
        );
        let config = file(&text).build(None).unwrap();
        let replica = config.mounts()[0].0.replica.as_ref().unwrap();
        assert_eq!((replica.absent, replica.cache), (AbsentObject::AskReplica, ReplicaCache::Apart));
        assert_eq!(replica.bucket(&BucketName::parse("media").unwrap()).as_str(), "media-eu");
        let origin = &replica.mount.0.origin;
        assert_eq!(origin.access_key_id().await.as_deref(), Some(access_key_id), "{credentials}");
    }
}

#[test]
fn a_circuit_breaker_can_be_left_out_and_a_wrong_replica_is_told() {
    let mount = "[[mount]]\nbucket = \"media\"\nregion = \"us-west-2\"\nanonymous = true\n";
    let off = file(&format!("{mount}circuit_breaker = {{ enabled = false, failures = 3 }}\n"));
    let built = format!("{:?}", CircuitBreaker::never());
    assert!(format!("{:?}", off.mounts[0].builder).contains(&built));
    for (table, told) in [
        ("[mount.retry]\nmax_attempts = 0\n", "max_attempts is 0"),
        ("[mount.hedge]\nquantile = 1.5\n", "between 0 and 1"),
        ("[mount.replica]\nregion = \"us-east-2\"\n", "mount 1 (at \"/\"): the bucket is missing"),
        ("[mount.replica]\nbucket = \"b2\"\ncache = \"none\"\n", "\"shared\" or \"apart\""),
    ] {
        let why =
            ConfigFile::parse(&format!("{mount}{table}")).and_then(|file| file.build(None)).unwrap_err();
        assert!(why.to_string().contains(told), "{why}");
    }
}
