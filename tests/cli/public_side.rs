//! The public side of a world: `wrongkey world show` and `wrongkey world export`.

use crate::support::{NOW, Place};
use serde_json::Value;
use wrongkey::jose::JwkSet;
use wrongkey::policy::TrustPolicy;
use wrongkey::world::World;

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/worlds/own-keys.toml");

fn read(place: &Place, path: &str) -> String {
    std::fs::read_to_string(place.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn an_export_has_a_file_for_each_policy_set_key_and_discovery_document() {
    let place = Place::new();
    let ran = place.run(&["world", "export", "two-issuers", "--dir", "out", "--now", NOW]).ends(0);
    let keys = |issuer: &str, keys: &[&str]| -> Vec<String> {
        keys.iter().map(|key| format!("keys/{issuer}/{key}.pem")).collect()
    };
    let of_a = ["a-es", "a-rs", "a-use-enc-ops-verify", "a-use-sig-ops-encrypt", "a-weak"];
    let of_b = ["b-ed", "b-enc", "b-ops-twice", "b-ops-unknown", "b-ps", "b-rs", "b-wrap"];
    let mut expected: Vec<String> = ["a", "b", "c"].map(|issuer| format!("discovery/{issuer}.json")).into();
    expected.extend(["a", "b", "c"].map(|issuer| format!("jwks/{issuer}.json")));
    expected.extend([keys("a", &of_a), keys("b", &of_b), keys("c", &["c-ed", "c-es", "c-rs"])].concat());
    expected.push("manifest.json".to_owned());
    expected.extend(["api", "desk", "once", "web"].map(|party| format!("policies/{party}/per-issuer.json")));
    let printed: Vec<&str> = ran.out.lines().map(|line| line.strip_prefix("out/").unwrap()).collect();
    assert_eq!(printed, expected);
    for path in &expected {
        assert!(!read(&place, &format!("out/{path}")).is_empty(), "{path}");
    }
    let policy: TrustPolicy = serde_json::from_str(&read(&place, "out/policies/web/per-issuer.json")).unwrap();
    let of_a =
        policy.issuers.iter().find(|issuer| issuer.jwks.as_ref().is_some_and(|set| set.keys.len() == 5)).unwrap();
    let set: JwkSet = serde_json::from_str(&read(&place, "out/jwks/a.json")).unwrap();
    assert_eq!(of_a.jwks.as_ref(), Some(&set));
    let discovery: Value = serde_json::from_str(&read(&place, "out/discovery/a.json")).unwrap();
    assert_eq!(discovery["issuer"], of_a.issuer.as_str());
}

#[test]
fn the_same_world_and_time_give_the_same_files_and_another_seed_gives_others() {
    let place = Place::new();
    for (dir, seed) in [("one", "7"), ("two", "7"), ("three", "8")] {
        place.run(&["world", "export", "storm-0558", "--dir", dir, "--now", NOW, "--world-seed", seed]).ends(0);
    }
    for path in ["manifest.json", "converged-jwks.json", "policies/both-mail/converged.json"] {
        let [one, two, three] = ["one", "two", "three"].map(|dir| read(&place, &format!("{dir}/{path}")));
        assert_eq!(one, two, "{path}");
        assert_ne!(one, three, "{path}");
    }
}

#[test]
fn a_folder_that_holds_something_is_left_as_it_is() {
    let place = Place::new();
    place.file("full/notes.txt", "mine");
    place.file("file", "mine");
    let before = place.listing();
    let complaint = "holds `notes.txt`: name a new or an empty folder";
    place.run(&["world", "export", "two-issuers", "--dir", "full"]).ends(2).complains(&["--dir: full", complaint]);
    let complaint = "cannot be a folder: file is a file";
    place.run(&["world", "export", "two-issuers", "--dir", "file/below"]).ends(2).complains(&[complaint]);
    place
        .run(&["world", "export", "nowhere", "--dir", "new"])
        .ends(2)
        .complains(&["`nowhere` is neither a shipped world"]);
    assert_eq!(place.listing(), before);
    std::fs::create_dir(place.path("empty")).unwrap();
    place.run(&["world", "export", "two-issuers", "--dir", "empty"]).ends(0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    // No file can be made below a device, whoever asks.
    let ran = place.run(&["world", "export", "two-issuers", "--dir", "/dev/null/out"]).ends(2);
    ran.complains(&["/dev/null/out"]);
    // The name is longer than any file system takes.
    let long = "x".repeat(300);
    place.run(&["world", "export", "two-issuers", "--dir", &long]).ends(2).complains(&["cannot write", &long]);
}

#[test]
fn what_is_shown_as_json_is_what_export_writes() {
    let place = Place::new();
    place.run(&["world", "export", OWN, "--dir", "out", "--now", NOW]).ends(0);
    let shown = place.json(&["world", "show", OWN, "--now", NOW]);
    let manifest: Value = serde_json::from_str(&read(&place, "out/manifest.json")).unwrap();
    assert_eq!(shown["manifest"], manifest);
    let files = shown["files"].as_object().unwrap();
    assert!(files.len() > 6, "{}", files.len());
    for (path, content) in files {
        let written = read(&place, &format!("out/{path}"));
        match content {
            Value::String(pem) => assert_eq!(*pem, written),
            json => assert_eq!(*json, serde_json::from_str::<Value>(&written).unwrap()),
        }
    }
}

#[test]
fn what_is_shown_names_every_issuer_key_and_party() {
    for name in World::shipped_names() {
        let place = Place::new();
        let ran = place.run(&["world", "show", name, "--now", NOW]).ends(0);
        let world = World::shipped(name, wrongkey::world::DEFAULT_SEED).unwrap();
        for issuer in &world.issuers {
            assert!(ran.out.contains(&format!("issuer {}  {}", issuer.alias, issuer.name)), "{}", ran.out);
        }
        for key in world.keys.iter().filter(|key| key.published) {
            assert!(ran.out.contains(key.jwk.kid.as_deref().unwrap()), "{}\n{}", key.alias, ran.out);
        }
        for party in &world.parties {
            assert!(ran.out.contains(&format!("party {}\n", party.alias)), "{}", ran.out);
        }
    }
}
