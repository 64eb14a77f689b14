//! baseline hash, temporary
use sha2::{Digest as _, Sha256};
use wrongkey::generate::{Atlas, Site, baseline, catalogue, seeded};
use wrongkey::world::{DEFAULT_SEED, World};
#[test]
fn stream() {
    let mut worlds: Vec<_> = World::shipped_names().filter_map(|n| World::shipped(n, DEFAULT_SEED)).collect();
    worlds.push(std::sync::Arc::new(
        World::load(std::path::Path::new("examples/worlds/own-keys.toml"), DEFAULT_SEED).unwrap(),
    ));
    for world in &worlds {
        let sites = Site::all(world);
        let all = catalogue(&sites, &|_| true);
        let mut h = Sha256::new();
        for (i, s) in &all {
            h.update(i.to_string());
            h.update(s.to_json());
        }
        for s in &sites {
            for s in baseline(s) {
                h.update(s.to_json());
            }
        }
        let atlas = Atlas::of(std::slice::from_ref(world));
        for i in 0..3000 {
            h.update(seeded(7, i, &atlas).to_json());
        }
        println!("STREAM {} {} {:x?}", world.name, all.len(), &h.finalize()[..8]);
    }
}
