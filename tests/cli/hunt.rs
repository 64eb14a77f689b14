//! `wrongkey hunt`: until the time is over, until so many scenarios, until it is interrupted.

use crate::support::{NOW, Place, STORM_FLAW};
use serde_json::Value;

#[test]
fn a_hunt_finds_a_flaw_and_goes_on_until_the_time_is_over() {
    let place = Place::new();
    let ran = place.run(&["hunt", STORM_FLAW, "--for", "2s", "--party", "api"]).ends(1);
    ran.says(&["hunted: ", "to search near; the same again: --scenarios ", "false-accept critical KeyBelongsToIssuer"]);
    assert!(!place.findings().is_empty());
    let file = place.findings()[0].to_str().unwrap().to_owned();
    place.run(&["reproduce", &file]).ends(1).says(&["STILL WRONG"]);
}

#[test]
fn a_hunt_that_finds_nothing_ends_as_a_test_does() {
    let place = Place::new();
    place.run(&["hunt", "sound", "--for", "1s", "--party", "api"]).ends(0).says(&["hunted: ", "result: clean"]);
    assert!(place.findings().is_empty());
    // A finding below what counts is no failure, and one that shows nothing is none either.
    place.run(&["hunt", "flawed-reject-all", "--for", "1s", "--party", "api"]).ends(3).says(&["hunted: 0 scenarios"]);
}

#[test]
fn the_number_that_is_printed_repeats_the_hunt_for_any_number_of_jobs() {
    let place = Place::new();
    let run = |flags: &[&str]| {
        let common = ["hunt", "sound", STORM_FLAW, "--party", "api", "--only", "KS-*", "--now", NOW, "--seed", "3"];
        let mut result = place.json(&[&common[..], flags].concat());
        for validator in result["validators"].as_array_mut().unwrap() {
            validator.as_object_mut().unwrap().remove("duration_ms").unwrap();
        }
        result
    };
    let hunted = |result: &Value, of: usize| result["validators"][of]["hunted"]["scenarios"].as_u64().unwrap();
    let three = run(&["--scenarios", "300", "--jobs", "1"]);
    assert_eq!((hunted(&three, 0), hunted(&three, 1)), (300, 300));
    assert_eq!(three, run(&["--scenarios", "300", "--jobs", "2"]));
    // Of two limits the one that is reached first counts.
    let both = run(&["--scenarios", "300", "--for", "1h", "--jobs", "2"]);
    assert_eq!(three, both);
}

#[test]
fn a_hunt_needs_an_end_that_can_be_understood() {
    let place = Place::new();
    place.run(&["hunt", "sound"]).ends(2).complains(&["--for <TIME>"]);
    for wrong in ["30", "0s", "1d", "-1s", "1000h", "", "s", "1.5h", "99999999999999999999s"] {
        let ran = place.run(&["hunt", "sound", &format!("--for={wrong}")]).ends(2);
        ran.complains(&["a length of time, as 45s, 30m or 2h"]);
    }
    place.run(&["hunt", "sound", "--scenarios", "many"]).ends(2).complains(&["--scenarios"]);
    place.run(&["hunt", "no-such", "--for", "1s"]).ends(2).complains(&["there is no validator `no-such`"]);
    assert!(place.listing().is_empty());
}

#[test]
fn without_a_name_the_control_is_shown_first_here_too() {
    let place = Place::new();
    let result = place.json(&["hunt", "--scenarios", "20", "--only", "KS-01", "--world", "two-issuers"]);
    assert!(result["sensitivity_control"]["found"].is_object());
    assert_eq!(result["validators"][0]["hunted"]["scenarios"], 20);
    assert!(place.json(&["test", "sound", "--only", "KS-01"])["validators"][0]["hunted"].is_null());
}
