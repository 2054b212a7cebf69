//! Budgets that outlive the configuration that they come from.

use std::time::SystemTime;

use super::*;

fn mount(path: &str, requests: u64) -> Mount {
    let text = format!(
        "[[mount]]\npath = {path:?}\nbucket = \"studio-media\"\nregion = \"us-west-2\"\nanonymous = true\n\
         [mount.budget]\nrequests = {requests}\n\
         [mount.replica]\nbucket = \"studio-media-eu\"\nregion = \"eu-central-1\"\n"
    );
    file(&text).build(None).unwrap().mounts()[0].clone()
}

#[test]
fn the_same_place_goes_on_with_its_counts_and_its_replica_spends_them_too() {
    let first = mount("/budget-of-this-test", 9);
    let count = |mount: &Mount| {
        let spending = mount.0.origin.resilience.spending.as_ref().unwrap();
        spending.count(SystemTime::now(), &BucketName::parse("studio-media").unwrap());
    };
    let spent = |mount: &Mount| mount.budget().unwrap().requests;
    count(&first);
    let (again, other) = (mount("/budget-of-this-test", 5), mount("/budget-of-this-test/other", 5));
    assert_eq!((spent(&again), spent(&other)), (1, 0));
    count(&again.0.replica.as_ref().unwrap().mount);
    assert_eq!((spent(&first), spent(&again), spent(&other)), (2, 2, 0));
    drop((first, again));
    assert_eq!(spent(&mount("/budget-of-this-test", 5)), 0, "nothing is left of a mount that is gone");
}
