//! The exhaustive core: as large as its axes say, without a token that stands twice or cannot be made, agreed upon by the
//! oracle and the reference, and wide enough that a mistake on any one axis shows.

mod common;

#[path = "exhaustive/flaws.rs"]
mod flaws;
#[path = "exhaustive/size.rs"]
mod size;

use common::worlds;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use wrongkey::generate::{Atlas, Core, EXHAUSTIVE_WORLDS, Exhaustive, is_playable};
use wrongkey::world::{DEFAULT_SEED, World};

/// The exhaustive core of the worlds that it is made for.
static WHOLE: LazyLock<Exhaustive> = LazyLock::new(|| Exhaustive::of(&chosen(), |_| true));

fn chosen() -> Vec<Arc<World>> {
    let shipped = |name: &&str| World::shipped(name, DEFAULT_SEED).unwrap_or_else(|| panic!("no world {name}"));
    EXHAUSTIVE_WORLDS.iter().map(shipped).collect()
}

/// Some indices, spread evenly over the whole; the stride is a prime that no axis has as a factor of its size.
fn spread(stride: usize) -> impl Iterator<Item = usize> {
    (0..WHOLE.len()).step_by(stride)
}

#[test]
fn every_scenario_is_one_token_that_can_be_forged() {
    let atlas = Atlas::of(&chosen());
    for index in spread(37) {
        let scenario = WHOLE.nth(index);
        assert!(scenario.as_led().is_some(), "{}", scenario.to_json());
        let world = atlas.world(&scenario.world).unwrap();
        assert!(is_playable(&scenario, world), "{index} {}", scenario.to_json());
    }
}

#[test]
fn no_scenario_stands_twice_and_one_token_has_one_number() {
    let mut seen = BTreeSet::new();
    let mut tokens: BTreeMap<u64, String> = BTreeMap::new();
    for index in 0..WHOLE.len() {
        let scenario = WHOLE.nth(index);
        let text = serde_json::to_string(&scenario).unwrap();
        let (_, present) = scenario.as_led().unwrap();
        let present = format!("{} {}", scenario.world, serde_json::to_string(present).unwrap());
        let known = tokens.entry(WHOLE.token_of(index)).or_insert_with(|| present.clone());
        assert_eq!(*known, present, "{index}");
        assert!(seen.insert(text), "{index} stands twice: {}", scenario.to_json());
    }
    assert_eq!(seen.len(), WHOLE.len());
}

#[test]
fn what_is_presented_and_what_is_folded_make_up_the_whole_product() {
    for core in WHOLE.cores() {
        let folded: u64 = core.folds().iter().map(|fold| fold.count).sum();
        assert_eq!(folded + core.presentations() as u64, core.combinations(), "{}", core.world().name);
        assert!(core.distinct_tokens() <= core.presentations());
    }
}

#[test]
fn the_bound_is_as_large_as_it_was_asked_to_be() {
    let tokens: usize = WHOLE.cores().iter().map(Core::distinct_tokens).sum();
    for core in WHOLE.cores() {
        println!("{}: {} presented, {} distinct", core.world().name, core.presentations(), core.distinct_tokens());
    }
    assert!(tokens >= 50_000, "{tokens} distinct tokens");
}

/// A world that only this test has.
fn world(name: &str) -> Arc<World> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/worlds/{name}.toml"));
    Arc::new(World::load(&path, 1).unwrap_or_else(|error| panic!("{error}")))
}

/// A shipped world.
fn by_name(name: &str) -> Arc<World> {
    worlds().into_iter().find(|world| world.name == name).unwrap_or_else(|| panic!("{name}"))
}
