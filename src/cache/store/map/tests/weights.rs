//! Compares the weight of entries with the memory that they take.

use std::time::UNIX_EPOCH;

use allocation_counter::{AllocationInfo, measure};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::{
    super::{Asked, Found, Head, Pages},
    *,
};
use crate::cache::FreshnessPolicy;
use crate::object::Edition;

const BLOCK: u32 = 128 * 1024;

/// The memory that the result of `make` takes.
fn taken<T>(make: impl FnOnce() -> T) -> (u64, T) {
    let mut made = None;
    let AllocationInfo { bytes_current, count_current, .. } = measure(|| made = Some(make()));
    // The allocator keeps a word with each allocation, and rounds up.
    let bytes = bytes_current + 16 * count_current;
    (bytes.try_into().unwrap(), made.unwrap())
}

fn id() -> ObjectId {
    ObjectId {
        scope: 0,
        bucket: BucketName::parse("studio-media").unwrap(),
        key: ObjectKey::new("images/2024/00000001.jpg").unwrap(),
        edition: Edition::default(),
    }
}

/// A small object as a read leaves it.
fn small(origin: &HeaderMap, body: &Bytes, pages: &Pages) -> Arc<Head> {
    let policy = FreshnessPolicy::new([], None).unwrap();
    let asked = Asked { at: UNIX_EPOCH, answered: UNIX_EPOCH, epoch: 0 };
    let none = HeaderMap::new();
    let found = Found::new(origin, &none, body.len() as u64, id().borrowed(), &policy, asked).unwrap();
    let body = pages.copy(std::slice::from_ref(body));
    // A hit takes a part of it, which makes a count of readers.
    drop(body.slice(..1));
    Arc::new(Head::Found(Box::new(found.with_body(body))))
}

#[test]
fn a_head_weighs_what_it_takes_with_its_body() {
    let (store, pages) = (Store::<Head>::new(1 << 20, BLOCK), Pages::new(0));
    for count in [5, 8, 12, 13, 24, 25] {
        let field = |n| HeaderName::try_from(format!("x-amz-meta-{n}")).unwrap();
        let fields: HeaderMap =
            (0..count).map(|n| (field(n), HeaderValue::from_static("a value as others"))).collect();
        for length in [1, 100, 1023, 1024, 1100, 10_000, 16_384] {
            let body = Bytes::from(vec![7; length]);
            let (bytes, (id, head)) = taken(|| (Arc::new(id()), small(&fields, &body, &pages)));
            let weight = store.weight(&id, &head, 0);
            assert!(bytes <= weight, "{count} fields, {length} bytes: {weight} for {bytes}");
            assert!(weight - bytes < 1500, "{count} fields, {length} bytes: {weight} for {bytes}");
        }
    }
}

#[test]
fn a_block_weighs_what_it_takes() {
    let (store, pages) = (Store::<Head>::new(1 << 20, BLOCK), Pages::new(0));
    let head = small(&HeaderMap::new(), &Bytes::from_static(b"text"), &pages);
    let head_alone = store.weight(&id(), &head, 0);
    for length in [1, 1023, 1024, 1100, 70_000, 131_072] {
        let bytes = Bytes::from(vec![7; length]);
        let (taken, block) = taken(|| pages.copy(std::slice::from_ref(&bytes)));
        let weight = store.weight(&id(), &head, length as u64) - head_alone;
        assert!(taken <= weight && weight - taken < 250, "{length} bytes: {weight} for {taken}");
        drop(block);
    }
}
