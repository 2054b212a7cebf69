use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, AtomicUsize},
    thread,
};

use proptest::prelude::*;

use super::*;
use crate::object::{Edition, VersionId};

mod resident;
mod weights;

const BLOCK: u32 = 64;

/// A head with its own body, or with a state that has blocks.
#[derive(Debug)]
struct Head {
    state: Option<StateId>,
    length: u64,
    body: usize,
    is_stale: AtomicBool,
    number: u32,
}

impl Head {
    fn blocks(state: StateId, length: u64) -> Arc<Self> {
        Arc::new(Self { state: Some(state), length, body: 0, is_stale: AtomicBool::new(false), number: 0 })
    }

    fn inline(body: usize) -> Arc<Self> {
        Arc::new(Self { state: None, length: 0, body, is_stale: AtomicBool::new(false), number: 0 })
    }

    fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }
}

impl Weigh for Head {
    fn weight(&self) -> u64 {
        (size_of::<Self>() + self.body) as u64
    }

    fn state(&self) -> Option<StateId> {
        self.state
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn mark_stale(&self) -> bool {
        self.is_stale.store(true, Ordering::Relaxed);
        true
    }
}

const BUCKETS: [&str; 2] = ["one", "two"];
const KEYS: [&str; 5] = ["a", "a/b", "a/c", "ab", "b"];
const VERSIONS: [Option<&str>; 3] = [None, Some("v1"), Some("v2")];
const IDS: usize = 2 * BUCKETS.len() * KEYS.len() * VERSIONS.len();

fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

fn edition(version: Option<&str>) -> Edition {
    Edition { version: version.map(|version| VersionId::decode(version).unwrap()), bust: None }
}

/// The `number`th of [`IDS`].
fn id(number: usize) -> ObjectId {
    let (number, scope) = (number / 2, number % 2);
    let (number, version) = (number / 3, VERSIONS[number % 3]);
    ObjectId {
        scope: u32::try_from(scope).unwrap(),
        bucket: bucket(BUCKETS[number % 2]),
        key: key(KEYS[number / 2 % 5]),
        edition: edition(version),
    }
}

/// Bytes that show where they belong.
fn bytes_of(state: StateId, number: u32) -> Bytes {
    let text = format!("{state:?} {number}").into_bytes();
    Bytes::from(text.into_iter().cycle().take(BLOCK as usize).collect::<Vec<_>>())
}

fn put_blocks(store: &Store<Head>, state: StateId, first: u32, count: u32) {
    store.put_blocks(state, first, (first..first + count).map(|number| bytes_of(state, number)));
}

#[test]
fn what_is_put_is_found() {
    let store = Store::new(1 << 20, BLOCK);
    let state = StateId::unique();
    let head = Head::blocks(state, 150);
    store.put_head(id(0), Arc::clone(&head));
    put_blocks(&store, state, 1, 2);
    assert!(Arc::ptr_eq(&store.head(id(0).borrowed()).unwrap(), &head));
    assert!(store.head(id(1).borrowed()).is_none());
    assert_eq!(store.block(state, 0), None);
    assert_eq!(store.block(state, 2), Some(bytes_of(state, 2)));
    assert_eq!(store.block(StateId::unique(), 2), None);
    assert_eq!(store.usage().entries, 3);
}

#[test]
fn blocks_stay_with_a_new_head_of_their_state_and_go_with_another() {
    let store = Store::new(1 << 20, BLOCK);
    let state = StateId::unique();
    let (first, second) = (Head::blocks(state, 150), Head::blocks(state, 150));
    store.put_head(id(0), Arc::clone(&first));
    put_blocks(&store, state, 0, 3);
    assert!(store.replace_head(id(0).borrowed(), &first, Arc::clone(&second)));
    assert!(store.block(state, 2).is_some());
    assert!(!store.replace_head(id(0).borrowed(), &first, Head::inline(0)), "it is no longer there");
    assert!(store.block(state, 2).is_some());
    assert!(store.replace_head(id(0).borrowed(), &second, Head::inline(0)));
    assert_eq!(store.block(state, 2), None);
    assert_eq!(store.usage().entries, 1);
}

#[test]
fn blocks_of_a_huge_object_go_by_one_look_at_all_entries() {
    let store = Store::new(1 << 20, BLOCK);
    let (huge, other) = (StateId::unique(), StateId::unique());
    store.put_head(id(0), Head::blocks(huge, 5 << 40));
    put_blocks(&store, huge, u32::MAX - 3, 2);
    put_blocks(&store, other, 7, 1);
    assert!(store.remove(id(0).borrowed()));
    assert!(!store.remove(id(0).borrowed()));
    assert_eq!(store.usage().entries, 1);
    store.forget_blocks(other, 8 * u64::from(BLOCK));
    assert_eq!((store.usage().entries, store.usage().bytes), (0, 0));
}

#[test]
fn what_is_lent_is_left_free_and_comes_back() {
    let budget = 1 << 20;
    let store = Store::new(budget, BLOCK);
    let fill = || put_blocks(&store, StateId::unique(), 0, 10_000);
    let part = budget / LENT_IN;
    for (bytes, most) in [
        (0, budget),
        (part - 1, budget),
        (3 * part + 1, budget - 3 * part),
        // A little less does not change it.
        (3 * part - part / 2, budget - 3 * part),
        (2 * part, budget - 2 * part),
        (u64::MAX, budget - budget / 8 * 5),
        (0, budget),
    ] {
        store.lend(bytes);
        assert!(store.usage().bytes <= most, "{bytes}");
        fill();
        let held = store.usage().bytes;
        assert!(held <= most && held > most - most / 20, "{bytes}: {held} of {most}");
        assert_eq!(store.usage().capacity, budget);
    }
}

#[test]
fn an_empty_head_weighs_what_it_takes() {
    let store = Store::new(1 << 20, BLOCK);
    store.put_head(id(0), Head::inline(0));
    let bytes = store.usage().bytes;
    assert!((300..600).contains(&bytes), "{bytes}");
    store.put_head(id(0), Head::inline(1000));
    assert_eq!(store.usage().bytes, bytes + 1000);
}

#[test]
fn what_is_heavier_than_a_part_of_the_map_is_not_let_in_and_takes_its_predecessor_along() {
    let store = Store::new(4096, BLOCK);
    let state = StateId::unique();
    let head = Head::blocks(state, 64);
    for replace in [true, false] {
        store.put_head(id(0), Arc::clone(&head));
        put_blocks(&store, state, 0, 1);
        if replace {
            assert!(!store.replace_head(id(0).borrowed(), &head, Head::inline(4096)));
        } else {
            store.put_head(id(0), Head::inline(4096));
        }
        assert!(store.head(id(0).borrowed()).is_none());
        assert_eq!((store.usage().entries, store.usage().bytes), (0, 0));
    }
    assert_eq!(store.usage().evicted, 2);
}

#[test]
fn a_budget_of_nothing_holds_nothing() {
    let store = Store::new(0, BLOCK);
    store.put_head(id(0), Head::inline(0));
    put_blocks(&store, StateId::unique(), 0, 1);
    assert_eq!((store.usage().entries, store.usage().capacity), (0, 0));
}

#[test]
fn a_part_of_the_map_holds_several_blocks_if_the_budget_does() {
    for (budget, block) in [(1 << 20, 65_536), (16 << 20, 1 << 20), (512 << 20, 1 << 20), (64 << 20, 4096)] {
        let store = Store::<Head>::new(budget, block);
        let count = shards(budget, block);
        let share = store.map.shard_capacity();
        assert_eq!(store.map.num_shards() as u64, count, "{budget} {block}");
        assert!(count == 1 || share >= BLOCKS_PER_SHARD * u64::from(block), "{budget} {block}: {share}");
        assert!(store.usage().capacity <= budget && store.usage().capacity > budget - count);
        let state = StateId::unique();
        store.put_blocks(state, 0, [Bytes::from(vec![0; block as usize])]);
        assert!(store.block(state, 0).is_some(), "{budget} {block}");
    }
}

#[test]
fn a_purge_by_key_finds_every_version() {
    let store = Store::new(1 << 20, BLOCK);
    let version = |number: usize| edition(Some(&format!("version-{number}")));
    for number in 0..300 {
        store.put_head(ObjectId { edition: version(number), ..id(0) }, Head::inline(0));
    }
    let what = id(0);
    let what = Purge::Key { bucket: &what.bucket, key: &what.key };
    assert_eq!(store.purge(what, PurgeMode::Soft), 300);
    assert!(
        store
            .head(ObjectId { edition: version(299), ..id(0) }.borrowed())
            .is_some_and(|head| head.is_stale())
    );
    assert_eq!(store.purge(what, PurgeMode::Hard), 300);
    assert_eq!(store.usage().entries, 0);
}

#[derive(Debug, Clone)]
enum Step {
    Put { id: usize, length: u64, is_same_state: bool },
    Replace { id: usize, is_expected: bool, is_same_state: bool },
    Fill { id: usize, first: u32, count: u32 },
    Remove { id: usize },
    PurgeKey { id: usize, mode: PurgeMode },
    PurgeKeyOfAny { id: usize, mode: PurgeMode },
    PurgePrefix { bucket: usize, prefix: &'static str, mode: PurgeMode },
    PurgeAll { mode: PurgeMode },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mode = || prop_oneof![Just(PurgeMode::Hard), Just(PurgeMode::Soft)];
    let prefix = prop::sample::select(vec!["", "a", "a/", "b", "c"]);
    let step = prop_oneof![
        6 => (0..IDS, 0_u64..500, any::<bool>())
            .prop_map(|(id, length, is_same_state)| Step::Put { id, length, is_same_state }),
        4 => (0..IDS, any::<bool>(), any::<bool>())
            .prop_map(|(id, is_expected, is_same_state)| Step::Replace { id, is_expected, is_same_state }),
        8 => (0..IDS, 0_u32..6, 1_u32..4).prop_map(|(id, first, count)| Step::Fill { id, first, count }),
        2 => (0..IDS).prop_map(|id| Step::Remove { id }),
        1 => (0..IDS, mode()).prop_map(|(id, mode)| Step::PurgeKey { id, mode }),
        1 => (0..IDS, mode()).prop_map(|(id, mode)| Step::PurgeKeyOfAny { id, mode }),
        1 => (0..BUCKETS.len(), prefix, mode())
            .prop_map(|(bucket, prefix, mode)| Step::PurgePrefix { bucket, prefix, mode }),
        1 => mode().prop_map(|mode| Step::PurgeAll { mode }),
    ];
    prop::collection::vec(step, 1..120)
}

/// A naive store: no budget, and a scan of everything.
#[derive(Default)]
struct Model {
    heads: HashMap<usize, Arc<Head>>,
    blocks: HashMap<(StateId, u32), Bytes>,
    stale: Vec<Arc<Head>>,
}

impl Model {
    fn put(&mut self, id: usize, head: Arc<Head>) {
        let state = head.state;
        if let Some(old) = self.heads.insert(id, head)
            && old.state != state
        {
            self.forget(&old);
        }
    }

    fn forget(&mut self, head: &Head) {
        self.blocks.retain(|(state, _), _| Some(*state) != head.state);
    }

    fn remove(&mut self, id: usize) -> bool {
        let old = self.heads.remove(&id);
        if let Some(old) = &old {
            self.forget(old);
        }
        old.is_some()
    }

    fn purge(&mut self, mode: PurgeMode, is_meant: impl Fn(ObjectId) -> bool) -> usize {
        let ids: Vec<_> = self.heads.keys().copied().filter(|number| is_meant(id(*number))).collect();
        for number in &ids {
            match mode {
                PurgeMode::Hard => drop(self.remove(*number)),
                PurgeMode::Soft => self.stale.push(Arc::clone(&self.heads[number])),
            }
        }
        ids.len()
    }

    fn head(&self, id: usize, length: u64, is_same_state: bool) -> Arc<Head> {
        match self.heads.get(&id).filter(|_| is_same_state) {
            Some(old) => Head { is_stale: AtomicBool::new(false), ..*old_fields(old) }.into(),
            None if length < 100 => Head::inline(usize::try_from(length).unwrap()),
            None => Head::blocks(StateId::unique(), length),
        }
    }
}

fn old_fields(head: &Head) -> Box<Head> {
    let Head { state, length, body, number, .. } = *head;
    Box::new(Head { state, length, body, number, is_stale: AtomicBool::new(false) })
}

/// Takes a step in both. With `is_lossy`, the store may have less than the model.
fn take(step: &Step, store: &Store<Head>, model: &mut Model, is_lossy: bool) -> Result<(), TestCaseError> {
    let found = |one: usize, other: usize| if is_lossy { one <= other } else { one == other };
    match *step {
        Step::Put { id: number, length, is_same_state } => {
            let head = model.head(number, length, is_same_state);
            store.put_head(id(number), Arc::clone(&head));
            model.put(number, head);
        }
        Step::Replace { id: number, is_expected, is_same_state } => {
            let new = model.head(number, 300, is_same_state);
            let old = model.heads.get(&number).filter(|_| is_expected).cloned();
            let expected = old.clone().unwrap_or_else(|| Head::inline(0));
            let is_replaced = store.replace_head(id(number).borrowed(), &expected, Arc::clone(&new));
            prop_assert!(is_replaced == old.is_some() || (is_lossy && !is_replaced));
            if is_replaced {
                model.put(number, new);
            }
        }
        Step::Fill { id: number, first, count } => {
            let head = model.heads.get(&number).cloned();
            if let Some((state, blocks)) =
                head.and_then(|head| Some((head.state?, store.blocks(head.length))))
                && first < blocks
            {
                let count = count.min(blocks - first);
                put_blocks(store, state, first, count);
                let numbers = first..first + count;
                model.blocks.extend(numbers.map(|number| ((state, number), bytes_of(state, number))));
            }
        }
        Step::Remove { id: number } => {
            let is_removed = store.remove(id(number).borrowed());
            prop_assert!(found(is_removed.into(), model.remove(number).into()));
        }
        Step::PurgeKey { id: number, mode } => {
            let ObjectId { bucket, key, .. } = id(number);
            let objects = store.purge(Purge::Key { bucket: &bucket, key: &key }, mode);
            prop_assert!(found(objects, model.purge(mode, |id| id.bucket == bucket && id.key == key)));
        }
        Step::PurgeKeyOfAny { id: number, mode } => {
            let ObjectId { key, .. } = id(number);
            let objects = store.purge(Purge::KeyOfAny { key: &key }, mode);
            prop_assert!(found(objects, model.purge(mode, |id| id.key == key)));
        }
        Step::PurgePrefix { bucket: number, prefix, mode } => {
            let bucket = bucket(BUCKETS[number]);
            let objects = store.purge(Purge::Prefix { bucket: &bucket, prefix }, mode);
            let is_meant = |id: ObjectId| id.bucket == bucket && id.key.as_str().starts_with(prefix);
            prop_assert!(found(objects, model.purge(mode, is_meant)));
        }
        Step::PurgeAll { mode } => {
            let objects = store.purge(Purge::Everything, mode);
            prop_assert!(found(objects, model.purge(mode, |_| true)));
            if mode == PurgeMode::Hard {
                prop_assert_eq!((store.usage().entries, store.usage().bytes), (0, 0));
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn within_its_budget_the_store_is_a_plain_map(steps in steps()) {
        let store = Store::new(1 << 20, BLOCK);
        let mut model = Model::default();
        for step in &steps {
            take(step, &store, &mut model, false)?;
            for number in 0..IDS {
                let (head, expected) = (store.head(id(number).borrowed()), model.heads.get(&number));
                let is_same = match (&head, expected) {
                    (Some(head), Some(expected)) => Arc::ptr_eq(head, expected),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                prop_assert!(is_same, "{:?}: {:?}, not {:?}", id(number), head, expected);
            }
            for ((state, number), bytes) in &model.blocks {
                let found = store.block(*state, *number);
                prop_assert_eq!(found.as_ref(), Some(bytes));
            }
            let entries = (model.heads.len() + model.blocks.len()) as u64;
            prop_assert_eq!(store.usage().entries, entries);
            prop_assert_eq!(store.usage().evicted, 0);
        }
        for (id, head) in &model.heads {
            let is_stale = model.stale.iter().any(|stale| Arc::ptr_eq(stale, head));
            prop_assert_eq!(head.is_stale(), is_stale, "{}", id);
        }
    }

    #[test]
    fn under_pressure_it_has_less_but_nothing_wrong(steps in steps(), budget in 0_u64..12_000) {
        let store = Store::new(budget, BLOCK);
        let mut model = Model::default();
        for step in &steps {
            // Replaced or removed entries must be gone. Blocks whose head the store has lost may stay until they age
            // out.
            take(step, &store, &mut model, true)?;
            let Usage { bytes, capacity, .. } = store.usage();
            prop_assert!(bytes <= capacity && capacity <= budget);
            for number in 0..IDS {
                if let Some(head) = store.head(id(number).borrowed()) {
                    let expected = model.heads.get(&number);
                    prop_assert!(expected.is_some_and(|expected| Arc::ptr_eq(&head, expected)));
                    for block in head.state.into_iter().flat_map(|state| (0..8).map(move |n| (state, n))) {
                        let found = store.block(block.0, block.1);
                        prop_assert!(found.is_none() || found.as_ref() == model.blocks.get(&block));
                    }
                }
            }
        }
        store.purge(Purge::Everything, PurgeMode::Hard);
        prop_assert_eq!((store.usage().entries, store.usage().bytes), (0, 0));
    }
}

#[test]
fn of_many_who_replace_a_head_one_at_a_time_succeeds() {
    let store = Store::new(1 << 20, BLOCK);
    let numbered = |number| Arc::new(Head { number, ..*old_fields(&Head::inline(0)) });
    store.put_head(id(0), numbered(0));
    let replaced = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let head = store.head(id(0).borrowed()).unwrap();
                    if store.replace_head(id(0).borrowed(), &head, numbered(head.number + 1)) {
                        replaced.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(store.head(id(0).borrowed()).unwrap().number, replaced.into_inner());
}

#[test]
fn threads_that_put_read_and_purge_see_only_blocks_of_the_state_that_they_ask_for() {
    let store = Store::new(64 << 10, BLOCK);
    let hits = AtomicUsize::new(0);
    thread::scope(|scope| {
        for seed in 0..4 {
            let (store, hits) = (&store, &hits);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..10_000 {
                    let number = random.usize(..IDS);
                    match random.u32(..100) {
                        0 => drop(store.purge(Purge::Everything, PurgeMode::Hard)),
                        1..4 => {
                            let ObjectId { bucket, key, .. } = id(number);
                            store.purge(Purge::Key { bucket: &bucket, key: &key }, PurgeMode::Hard);
                        }
                        4..20 => {
                            let state = StateId::unique();
                            store.put_head(id(number), Head::blocks(state, 640));
                            put_blocks(store, state, 0, 10);
                        }
                        _ => {
                            let Some(head) = store.head(id(number).borrowed()) else { continue };
                            let block = random.u32(..10);
                            if let Some(bytes) = store.block(head.state.unwrap(), block) {
                                assert_eq!(bytes, bytes_of(head.state.unwrap(), block));
                                hits.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                    assert!(store.usage().bytes <= 64 << 10);
                }
            });
        }
    });
    assert!(hits.into_inner() > 1000);
    store.purge(Purge::Everything, PurgeMode::Hard);
    assert_eq!((store.usage().entries, store.usage().bytes), (0, 0));
}
