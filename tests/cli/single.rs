//! `reproduce`, `shrink`, `forge`, `explain` and `list`.

use crate::support::{NOW, Place, STORM, STORM_FLAW, in_order};
use serde_json::{Value, json};
use wrongkey::rule::Rule;
use wrongkey::scenario::Scenario;

/// A finding's file of a flawed validator.
fn finding(place: &Place) -> String {
    place.run(&["test", STORM_FLAW, "--only", "KS-01", "--party", "both-mail"]).ends(1);
    place.findings()[0].to_str().unwrap().to_owned()
}

#[test]
fn a_finding_is_still_wrong_with_the_flaw_and_fixed_without() {
    let place = Place::new();
    let file = finding(&place);
    // Without a name the validator of the finding is asked again.
    let wrong = place.run(&["reproduce", &file]).ends(1);
    in_order(&wrong.out, &["scenario", "\"sign-with\"", "token of step 1", "header", "payload", "breaks", STORM_FLAW]);
    let wrong = wrong.says(&["KeyBelongsToIssuer", "RFC 8725 section 3.8", "accept", "STILL WRONG"]);
    wrong.does_not_say(&["FIXED", "INCONCLUSIVE"]);
    let fixed = place.run(&["reproduce", &file, "sound"]).ends(0).says(&["the lawful twin is accepted", "FIXED"]);
    fixed.does_not_say(&["STILL WRONG", "INCONCLUSIVE"]);
    let both = place.run(&["reproduce", &file, "sound", STORM_FLAW, "--color", "never"]).ends(1);
    in_order(&both.out, &["sound", "FIXED", STORM_FLAW, "STILL WRONG"]);
}

#[test]
fn a_rejection_with_a_refused_twin_is_inconclusive() {
    let place = Place::new();
    let file = place.file("s.json", STORM.replace(r#""sign-with": {"#, r#""sign-with": { "kid": "none","#));
    let file = file.to_str().unwrap();
    place.run(&["reproduce", file, "flawed-refuses-no-kid"]).ends(3).says(&["INCONCLUSIVE", "refused as well"]);
    place.run(&["reproduce", file, "sound"]).ends(0).says(&["FIXED"]);
}

#[test]
fn a_scenario_is_replayed_by_every_built_in_validator() {
    let place = Place::new();
    place.file("s.json", STORM);
    let ran = place.run(&["reproduce", "s.json"]).ends(1);
    in_order(&ran.out, &["reference", "FIXED", "jsonwebtoken", "FIXED", "jsonwebtoken-pooled", "STILL WRONG"]);
}

#[test]
fn a_fault_is_reproduced_and_ends_with_its_own_code() {
    let place = Place::new();
    place.run(&["test", "flawed-panics-on-unknown-issuer", "--only", "IssuerTrusted", "--party", "api"]).ends(4);
    let file = place.findings()[0].to_str().unwrap().to_owned();
    place.run(&["reproduce", &file]).ends(4).says(&["it panicked", "STILL WRONG"]);
    place.run(&["reproduce", &file, "sound"]).ends(0).says(&["FIXED"]);
}

#[test]
fn the_printed_command_shows_a_finding_again() {
    let place = Place::new();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/worlds/own-keys.toml");
    for more in [&["--world-seed", "7", "--only", "KS-01"][..], &["--world", own, "--only", "KS-01"]] {
        let ran = place.run(&[&["test", STORM_FLAW], more].concat()).ends(1);
        let again = ran.out.lines().find_map(|line| line.trim().strip_prefix("again     wrongkey ")).unwrap();
        let words: Vec<&str> = again.split(' ').collect();
        let ran = place.run(&words).ends(1).says(&["STILL WRONG"]);
        assert_eq!(ran.err, "");
    }
}

#[test]
fn a_world_that_has_changed_since_is_noted() {
    let place = Place::new();
    let file = finding(&place);
    place.run(&["reproduce", &file, "--world-seed", "9"]).ends(1).complains(&["note: world `storm-0558`", "changed"]);
}

#[test]
fn shrink_prints_the_smallest_scenario() {
    let place = Place::new();
    let long = json!({ "scenario": 1, "world": "storm-0558", "steps": [
        { "advance-clock": "10m" },
        { "present": { "to": "both-mail", "honest": { "issuer": "enterprise", "tenant": "fabrikam" } } },
        { "present": { "to": "both-mail", "honest": { "issuer": "enterprise", "tenant": "fabrikam" }, "acts": [
            { "set-claim": { "name": "nonce", "value": "x" } },
            { "set-header": { "name": "cty", "value": "y" } },
            { "sign-with": { "key": "consumer-2023", "kid": "keep" } }
        ] } } ] });
    place.file("long.json", long.to_string());
    let ran = place.run(&["shrink", "long.json", STORM_FLAW]).ends(0).complains(&["KeyBelongsToIssuer"]);
    let smallest = Scenario::from_json(ran.out.as_bytes()).unwrap();
    let present = smallest.as_single().unwrap();
    assert_eq!(present.acts.len(), 1, "{}", ran.out);
    assert_eq!(present.acts[0].kind(), "sign-with");
    // What was printed shows the same, and cannot be shrunk further.
    place.file("short.json", &ran.out);
    place.run(&["reproduce", "short.json", STORM_FLAW]).ends(1);
    assert_eq!(place.run(&["shrink", "short.json", STORM_FLAW]).ends(0).out, ran.out);
    let nothing = place.run(&["shrink", "long.json", "sound"]).ends(3).complains(&["nothing to shrink"]);
    assert_eq!(nothing.out, "");
}

#[test]
fn forge_prints_tokens_and_forges_the_same_ones_at_the_same_time() {
    let place = Place::new();
    place.file("s.json", STORM);
    let once = place.run(&["forge", "s.json", "--now", NOW]).ends(0);
    assert_eq!(once.out.trim_end().split('.').count(), 3, "{}", once.out);
    assert_eq!(once.out, place.run(&["forge", "s.json", "--now", NOW]).out);
    assert_ne!(once.out, place.run(&["forge", "s.json", "--now", "1790000001"]).out);
    assert_ne!(once.out, place.run(&["forge", "s.json", "--now", NOW, "--world-seed", "4"]).out);
    let decoded = place.run(&["forge", "s.json", "--decoded", "--now", NOW]).ends(0);
    in_order(&decoded.out, &["step 1", "header", r#""alg":"RS256""#, "payload", r#""exp":1790003600"#, "signature"]);
    // A finding's file is as good.
    let file = finding(&place);
    place.run(&["forge", &file, "--decoded"]).ends(0).says(&["header"]);
}

#[test]
fn forge_prints_octets_as_they_are() {
    let place = Place::new();
    let raw = STORM
        .replace(r#"{ "sign-with": { "key": "consumer-2023" } }"#, r#"{ "raw": { "token": "a\u001b[31mb\u0000" } }"#);
    place.file("raw.json", raw);
    assert_eq!(place.run(&["forge", "raw.json"]).ends(0).out, "a\u{1b}[31mb\0\n");
    // What people read is another matter.
    place.run(&["forge", "raw.json", "--decoded", "--color", "never"]).ends(0).says(&[r"a\u{1b}[31mb"]);
    let ran = place.run(&["reproduce", "raw.json", "reference"]);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn forge_prints_each_step_of_a_sequence() {
    let place = Place::new();
    let steps = json!({ "scenario": 1, "world": "two-issuers", "steps": [
        { "present": { "to": "api", "honest": { "issuer": "a" } } },
        { "rotate-key": { "key": "a-rs", "to": "a-next" } },
        { "present": { "to": "api", "honest": { "issuer": "a", "key": "a-next" } } } ] });
    place.file("steps.json", steps.to_string());
    assert_eq!(place.run(&["forge", "steps.json"]).ends(0).out.lines().count(), 2);
    let decoded = place.run(&["forge", "steps.json", "--decoded"]).ends(0);
    in_order(&decoded.out, &["step 1, for api", "step 3, for api"]);
}

#[test]
fn every_rule_and_class_can_be_explained() {
    let place = Place::new();
    for rule in Rule::ALL {
        place.run(&["explain", rule.name()]).ends(0).says(&[rule.name(), "what", "why", "source", rule.source()]);
    }
    for class in wrongkey::generate::classes() {
        place.run(&["explain", class.id]).ends(0).says(&[
            class.id,
            class.title,
            "source",
            "example",
            "\"scenario\": 1",
        ]);
    }
    place.run(&["explain", "keybelongstoissuer"]).ends(0).says(&["KeyBelongsToIssuer"]);
    place.run(&["explain", "ks-01"]).ends(0).says(&["KS-01"]);
    place.run(&["explain", "KS-O1"]).ends(2).complains(&["KS-O1", "did you mean `KS-01`", "wrongkey list rules"]);
}

#[test]
fn an_explained_example_can_be_replayed() {
    let place = Place::new();
    let ran = place.run(&["explain", "KS-01"]).ends(0);
    let example = &ran.out[ran.out.find("{\n").unwrap()..];
    place.file("example.json", example);
    place.run(&["reproduce", "example.json", STORM_FLAW]).ends(1);
}

fn names(place: &Place, what: &str) -> Vec<String> {
    let rows = place.json(&["list", what]);
    let rows = rows.as_array().unwrap();
    let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
    rows.iter().map(name).collect()
}

#[test]
fn an_absent_class_is_explained_by_what_it_would_need() {
    let place = Place::new();
    let absent = wrongkey::generate::absent().find(|absent| absent.id == "IA-43").unwrap();
    let told = ["IA-43", absent.title, "not there", absent.needs.name(), absent.needs.sentence()];
    place.run(&["explain", "ia-43"]).ends(0).says(&told);
    place.run(&["explain", "IA-99"]).ends(2).complains(&["neither a rule nor a class"]);
    let out = place.run(&["list", "classes"]).ends(0).out;
    for absent in wrongkey::generate::absent() {
        let row =
            out.lines().find(|line| line.starts_with(absent.id)).unwrap_or_else(|| panic!("{}\n{out}", absent.id));
        assert!(row.contains(absent.needs.name()) && row.ends_with(absent.title), "{row}");
        assert!(out.contains(absent.needs.sentence()), "{}", absent.needs);
    }
}

#[test]
fn lists_are_complete_as_text_and_as_json() {
    let place = Place::new();
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(names(&place, "rules"), rules);
    let there = wrongkey::generate::classes().iter().map(|class| class.id);
    let classes: Vec<&str> = there.chain(wrongkey::generate::absent().map(|absent| absent.id)).collect();
    assert_eq!(names(&place, "classes"), classes);
    assert_eq!(names(&place, "worlds"), wrongkey::world::World::shipped_names().collect::<Vec<_>>());
    let validators = names(&place, "validators");
    for name in ["reference", "jsonwebtoken", "jsonwebtoken-pooled", "sound", STORM_FLAW] {
        assert!(validators.iter().any(|known| known == name), "{name}");
    }
    for what in ["rules", "classes", "worlds", "validators"] {
        let text = place.run(&["list", what]).ends(0).out;
        // Below the classes stand those that are not there, which have a test of their own.
        let text = text.split("\n\n").next().unwrap();
        let first: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        let mut named = names(&place, what);
        named.retain(|name| !wrongkey::generate::absent().any(|absent| absent.id == name));
        assert_eq!(first, named, "{what}");
    }
}

#[test]
fn the_summary_counts_every_class() {
    let place = Place::new();
    let rows = place.json(&["list", "classes", "--summary"]);
    let sum = |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("classes"), wrongkey::generate::classes().len() as u64);
    assert_eq!(sum("absent"), wrongkey::generate::absent().count() as u64);
    place.run(&["list", "classes", "--summary"]).ends(0).says(&["KS", "storm-0558"]);
    place.run(&["list", "rules", "--summary"]).ends(2).complains(&["list classes"]);
}
