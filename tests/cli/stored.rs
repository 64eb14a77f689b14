//! What is replayed before the catalogue: corpus folders, and what the former run found.

use crate::support::{NOW, Place, STORM, STORM_FLAW};
use serde_json::{Value, json};

/// A run that shows the flaw by nothing but what is replayed.
const ELSEWHERE: [&str; 4] = ["test", STORM_FLAW, "--only", "TM-01"];

fn named(lists: &[&[&'static str]]) -> Vec<&'static str> {
    lists.concat()
}

#[test]
fn a_named_corpus_is_replayed_before_the_catalogue() {
    let place = Place::new();
    place.file("mine/deeper/storm.json", STORM);
    place.file("mine/notes.txt", "no scenario");
    place.run(&ELSEWHERE).ends(0).does_not_say(&["replayed first"]);
    let ran = place.run(&named(&[&ELSEWHERE, &["--corpus", "mine"]])).ends(1);
    ran.says(&["replayed first: 1 stored scenario\n", "false-accept critical KeyBelongsToIssuer"]);
}

#[test]
fn a_corpus_beside_the_configuration_is_found_upward() {
    let place = Place::new();
    place.file("wrongkey.toml", "");
    place.file("corpus/storm.json", STORM);
    let folder = place.file("deeper/still/file", "").parent().unwrap().to_owned();
    let mut command = place.command();
    command.current_dir(folder).args(["test", "sound", "--world=storm-0558", "--now", NOW, "--format=json"]);
    let result: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(result["stored"], json!({ "replayed": 1, "skipped": {} }));
    assert_eq!(result["validators"][0]["classes"]["replay"]["presented"], 1);
    // With --only nothing but what is asked for is shown.
    let result = place.json(&["test", "sound", "--only", "TM-01"]);
    assert_eq!(result["stored"]["replayed"], 0);
}

#[test]
fn what_the_former_run_found_is_replayed_once() {
    let place = Place::new();
    let first = ["test", STORM_FLAW, "--party", "api"];
    let result = place.json(&first);
    assert_eq!(result["stored"]["replayed"], 0);
    let found = place.findings().len();
    assert!(found > 0);
    // The same scenario stored twice is one.
    place.file("copies/again.json", {
        let finding: Value = serde_json::from_slice(&std::fs::read(&place.findings()[0]).unwrap()).unwrap();
        finding["scenario"].to_string()
    });
    let result = place.json(&[&first[..], &["--corpus", "copies"]].concat());
    assert_eq!(result["stored"]["replayed"], found);
    assert_eq!(result["validators"][0]["classes"]["replay"]["wrong"], found);
    assert!(place.path("wrongkey-out.1/findings").is_dir(), "the former run is kept");
}

#[test]
fn what_has_no_place_in_the_run_is_counted_with_the_reason() {
    let place = Place::new();
    place.file("c/storm.json", STORM);
    let exchange = r#"{ "scenario": 1, "world": "two-issuers", "steps": [
        { "present": { "as": "t", "to": "api", "honest": { "issuer": "a" } } }, { "exchange": { "token": "t", "at": "web" } } ] }"#;
    place.file("c/later.json", exchange);
    let skipped = |flags: &[&str]| {
        let result = place.json(&[&["test", "sound", "--only", "TM-01", "--corpus", "c"], flags].concat());
        result["stored"].clone()
    };
    let (world, party) =
        ("its world is not among the chosen ones", "its relying party or key source is not among the chosen ones");
    let later = "this version does not run one of its steps or acts";
    assert_eq!(skipped(&["--world=two-issuers"]), json!({ "replayed": 0, "skipped": { world: 1, later: 1 } }));
    assert_eq!(
        skipped(&["--party=enterprise-mail", "--party=api"]),
        json!({ "replayed": 0, "skipped": { party: 1, later: 1 } })
    );
    assert_eq!(skipped(&[]), json!({ "replayed": 1, "skipped": { later: 1 } }));
    let ran = place.run(&["test", "sound", "--only=TM-01", "--corpus=c", "--world=two-issuers"]).ends(0);
    ran.says(&["gap: 1 stored scenario not replayed: its world is not among the chosen ones"]);
}

#[test]
fn a_broken_file_is_named_with_the_remedy_and_nothing_is_written() {
    let storm = STORM.replace("\"key\": \"consumer-2023\"", "\"kei\": \"consumer-2023\"");
    for (text, needles) in [
        ("{", &["c/x.json", "line 1", "corpus/README.md"][..]),
        (storm.as_str(), &["c/x.json", "kei", "corpus/README.md"]),
        (&STORM.replace("consumer-2023", "consumer-1999"), &["c/x.json", "step 1", "consumer-1999"]),
        (r#"{ "finding": 1 }"#, &["c/x.json", "missing field", "another version"]),
    ] {
        let place = Place::new();
        place.file("c/x.json", text);
        let before = place.listing();
        place.run(&["test", "sound", "--only", "TM-01", "--corpus", "c"]).ends(2).complains(needles);
        assert_eq!(place.listing(), before);
    }
    let place = Place::new();
    place.file("wrongkey-out/findings/x.json", r#"{ "finding": 1 }"#);
    let ran = place.run(&["test", "sound", "--party", "api"]).ends(2);
    ran.complains(&["wrongkey-out/findings/x.json", "what the former run found is replayed: move the file away"]);
    place.run(&["test", "sound", "--corpus", "nowhere"]).ends(2).complains(&["--corpus: nowhere is no folder"]);
}
