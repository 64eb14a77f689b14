//! A user's own world file.

use crate::support::Place;
use serde_json::Value;

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/worlds/own-keys.toml");

#[test]
fn an_own_world_with_own_keys_is_judged() {
    let place = Place::new();
    place.run(&["test", "reference", "sound", "--world", OWN]).ends(0).says(&["own-keys", "partner", "staff", "clean"]);
    let result = place.json(&["test", "reference", "--world", OWN]);
    assert_eq!(result["worlds"][0]["name"], "own-keys");
    let validator = &result["validators"][0];
    assert_eq!(validator["unplayable"].as_array().unwrap().len(), 0, "{}", validator["unplayable"]);
    // Both issuers sign honestly and for each other.
    let cells = validator["matrix"].as_array().unwrap();
    let cell = |signer: &str, claimed: &str| -> &Value {
        cells.iter().find(|cell| cell["signer"] == signer && cell["claimed"] == claimed).unwrap()
    };
    for (signer, claimed) in [("staff", "partner"), ("partner", "staff")] {
        assert!(cell(signer, claimed)["presented"].as_u64().unwrap() > 0);
        assert_eq!(cell(signer, claimed)["accepted"], 0);
    }
    assert!(cell("partner", "partner")["accepted"].as_u64().unwrap() > 0);
    place.run(&["test", "flawed-signature-only-over-merged-keys", "--world", OWN]).ends(1);
}

#[test]
fn an_own_world_stands_beside_shipped_ones() {
    let place = Place::new();
    let worlds = ["--world", "two-issuers", "--world", OWN, "--only", "KS-01"];
    place.run(&[&["test", "sound"][..], &worlds].concat()).ends(0).says(&["worlds two-issuers, own-keys"]);
    place.run(&["test", "sound", "--world", OWN, "--world", OWN]).ends(2).complains(&["two worlds are named"]);
}

#[test]
fn an_issuer_without_a_private_key_is_said_to_be_a_gap() {
    let place = Place::new();
    let world = std::fs::read_to_string(OWN).unwrap();
    let keys = std::path::Path::new(OWN).with_file_name("keys");
    for entry in std::fs::read_dir(keys).unwrap() {
        let path = entry.unwrap().path();
        place.file(&format!("keys/{}", path.file_name().unwrap().to_str().unwrap()), std::fs::read(&path).unwrap());
    }
    let (before, rest) = world.split_once("[keys.partner-1]").unwrap();
    let after = &rest[rest.find("[keys.").unwrap()..];
    place.file("world.toml", format!("{before}{after}"));
    let gap = "gap: own-keys has no private key of issuer partner";
    place.run(&["test", "sound", "--world", "world.toml"]).says(&[gap]);
    let result = place.json(&["test", "sound", "--world", "world.toml"]);
    assert_eq!(result["issuers_without_private_key"], serde_json::json!(["own-keys partner"]));
    // The party that does not trust the partner misses nothing.
    place.run(&["test", "sound", "--world", "world.toml", "--party", "intranet"]).ends(0).does_not_say(&[gap]);
}
