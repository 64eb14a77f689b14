//! `adapters/protocol.schema.json` says what is written and what a good adapter answers, and refuses what is neither.

use crate::common::{NOW, shared_worlds};
use crate::support::{honest_tokens_of, program, trigger};
use jsonschema::Validator as Schema;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wrongkey::generate::Site;
use wrongkey::jose::Token;
use wrongkey::validator::Validator as _;
use wrongkey::validator::process::{Adapter, Trace};
use wrongkey::world::{Calendar, Publication};

/// The schema of lines in one direction.
fn schema(direction: &str) -> Schema {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/adapters/protocol.schema.json");
    let mut whole: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let members = whole.as_object_mut().unwrap();
    members.remove("anyOf");
    members.insert("$ref".to_owned(), json!(format!("#/$defs/{direction}")));
    jsonschema::draft202012::new(&whole).unwrap()
}

#[test]
fn every_line_of_either_side_fits_the_schema() {
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let trace: Trace = {
        let kept = Arc::clone(&kept);
        Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()))
    };
    let adapter = Adapter::start(program("reference"), Some(trace)).unwrap();
    for world in shared_worlds() {
        for site in Site::all(&world) {
            let policy = world.policy(site.party, site.key_source, &Publication::of(&world), Calendar::At(NOW));
            let mut validator = adapter.validator();
            if validator.configure(&policy).is_ok() {
                let _ = validator.validate(&trigger().0, NOW);
            }
        }
    }
    let mut validator = adapter.validator();
    let _ = validator.configure(&crate::support::policy("two-issuers", "api"));
    let _ = validator.validate_all(&honest_tokens_of("two-issuers", "api", 3));
    let _ = validator.validate(&Token::new([0xff, 0x00]), NOW);
    let lines = kept.lock().unwrap();
    let mut seen = [0, 0];
    for (at, (sign, direction)) in [("> ", "to-adapter"), ("< ", "from-adapter")].into_iter().enumerate() {
        let schema = schema(direction);
        for line in lines.iter().filter_map(|line| line.strip_prefix(sign)) {
            let value: Value = serde_json::from_str(line).unwrap();
            assert!(schema.is_valid(&value), "{direction}: {line}");
            seen[at] += 1;
        }
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0] > 30, "{seen:?}");
    assert!(lines.iter().any(|line| line.contains("token_b64")));
}

#[test]
fn broken_lines_do_not_fit_the_schema() {
    let policy = json!({ "policy": 1, "relying_party": "p", "key_source": "per-issuer", "issuers": [] });
    let to = schema("to-adapter");
    let good = json!({ "configure": { "id": 1, "fresh": true, "policy": policy } });
    assert!(to.is_valid(&good));
    for (pointer, value) in [
        ("/configure/id", json!(-1)),
        ("/configure/id", json!("1")),
        ("/configure/fresh", json!("yes")),
        ("/configure/policy/policy", json!(2)),
        ("/configure/policy/key_source", json!("anywhere")),
        ("/configure/policy/issuers", json!([{ "name": "x" }])),
        ("/configure/policy", json!({})),
    ] {
        let mut broken = good.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        assert!(!to.is_valid(&broken), "{broken}");
    }
    for broken in [
        json!({ "validate": { "id": 1, "now": 1 } }),
        json!({ "validate": { "id": 1, "now": 1.5, "token": "x" } }),
        json!({ "validate": { "id": 1, "now": 1, "token": "x", "token_b64": "eA==" } }),
        json!({ "hello": {} }),
        json!({}),
    ] {
        assert!(!to.is_valid(&broken), "{broken}");
    }
    let from = schema("from-adapter");
    let hello = json!({ "hello": { "protocol": 1, "name": "n", "version": "1", "clock": "system", "key_sources": ["per-issuer"],
        "algorithms": [] } });
    for good in [
        hello.clone(),
        json!({ "id": 1, "ok": true, "key_texts": ["x"], "more": 1 }),
        json!({ "id": 1, "skip": "why" }),
        json!({ "id": 1, "error": "why" }),
        json!({ "id": 1, "accept": true }),
        json!({ "id": 1, "accept": { "iss": "i", "sub": null, "aud": ["a"], "key": "k" } }),
        json!({ "id": 1, "reject": "" }),
    ] {
        assert!(from.is_valid(&good), "{good}");
    }
    for (pointer, value) in [
        ("/hello/protocol", json!(2)),
        ("/hello/name", json!("")),
        ("/hello/clock", json!("sundial")),
        ("/hello/key_sources", json!(["elsewhere"])),
        ("/hello/algorithms", json!("ES256")),
    ] {
        let mut broken = hello.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        assert!(!from.is_valid(&broken), "{broken}");
    }
    for broken in [
        json!({ "id": 1 }),
        json!({ "id": -1, "ok": true }),
        json!({ "id": 1, "ok": false }),
        json!({ "id": 1, "ok": true, "skip": "x" }),
        json!({ "id": 1, "accept": false }),
        json!({ "id": 1, "accept": { "sub": 7 } }),
        json!({ "id": 1, "accept": true, "reject": "x" }),
        json!({ "id": 1, "reject": null }),
        json!({ "reject": "x" }),
        json!([]),
    ] {
        assert!(!from.is_valid(&broken), "{broken}");
    }
}
