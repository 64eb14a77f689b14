//! Every flag of `wrongkey test`, with it and without it.

use crate::support::{NOW, Place, Ran, STORM_FLAW, in_order};
use serde_json::Value;
use std::collections::BTreeSet;
use wrongkey::validator::recipe::recipes;
use wrongkey::world::{DEFAULT_SEED, World};

const STORM_ONLY: [&str; 5] = ["test", STORM_FLAW, "--only", "KS-01", "--party=both-mail"];

fn validator(result: &Value) -> &Value {
    &result["validators"][0]
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_matrix_comes_first_then_rules_then_findings() {
    let ran = Place::new().run(&["test", STORM_FLAW, "--now", NOW]).ends(1);
    in_order(
        &ran.out,
        &[
            "wrongkey 0.1.0 · worlds storm-0558, two-issuers",
            " · seed 0 · now 1790000000",
            STORM_FLAW,
            "tokens judged in",
            "storm-0558  accepted / presented, by who signed (down) and whom the token claims (across)",
            "two-issuers  accepted / presented",
            "rule broken alone",
            "SignatureMatches",
            "KeyBelongsToIssuer",
            "finding",
            "false-accept critical KeyBelongsToIssuer",
            "result: findings (exit 1)",
        ],
    );
}

#[test]
fn a_finding_shows_token_rule_source_twin_and_the_command_to_see_it_again() {
    let place = Place::new();
    let ran = place.run(&STORM_ONLY).ends(1);
    let part = &ran.out[ran.out.find("false-accept critical").unwrap()..];
    in_order(
        part,
        &[
            "KeyBelongsToIssuer  The key that signed is, or was, listed",
            "source    RFC 8725 section 3.8",
            "why       without it",
            "classes   KS-01",
            r#"scenario  {"scenario":1,"world":"storm-0558","party":"both-mail""#,
            r#"header    {"alg":"RS256","kid":""#,
            r#"payload   {"iss":"https://"#,
            "signature ",
            "who       signed by a key of another issuer that the party trusts",
            "answer    accept, as iss https://",
            "lawful    reject (KeyBelongsToIssuer)",
            "twin      the same token under the nearest policy that permits it",
            "again     wrongkey reproduce wrongkey-out/findings/",
        ],
    );
}

#[test]
fn without_a_name_the_control_is_shown_first_and_not_counted() {
    let place = Place::new();
    let ran = place.run(&["test", "--only", "KS-01"]).ends(0);
    in_order(
        &ran.out,
        &["sensitivity control jsonwebtoken-pooled", "found, as it must be", "\njsonwebtoken 1", "clean"],
    );
    let result = place.json(&["test", "--only", "KS-01"]);
    assert_eq!(result["sensitivity_control"]["validator"], "jsonwebtoken-pooled");
    assert!(result["sensitivity_control"]["after_scenarios"].as_u64().unwrap() <= 50);
    let found = &result["sensitivity_control"]["found"];
    assert_eq!(found["rules"], serde_json::json!(["KeyBelongsToIssuer"]));
    assert_eq!(found["scenario"]["acts"].as_array().unwrap().len(), 1, "Storm-0558 is one act");
    let sound = recipes().into_iter().filter(|recipe| recipe.sound).count();
    assert_eq!(result["validators"].as_array().unwrap().len(), sound);
    // Where no token would show its mistake it is not missed, and with a name there is none.
    // The key of KS-07 is the attacker's, which no issuer's set holds, pooled or not.
    for class in ["TM-01", "KS-07"] {
        place.run(&["test", "--only", class]).ends(0).says(&["sensitivity control", "not tried"]);
    }
    assert!(place.json(&["test", "jsonwebtoken", "--only", "KS-01"])["sensitivity_control"].is_null());
}

#[test]
fn the_result_is_json_with_all_counts() {
    let result = Place::new().json(&["test", STORM_FLAW, "reference", "sound", "reference", "--now", NOW]);
    assert_eq!(result["result"], 1);
    assert_eq!(result["exit"], 1);
    assert_eq!(result["now"], 1_790_000_000);
    let validators = result["validators"].as_array().unwrap();
    assert_eq!(validators.len(), 3, "one that is named twice is judged once");
    for validator in validators {
        let sum = |part: &str, count: &str| -> u64 {
            let rows: Vec<&Value> = match &validator[part] {
                Value::Array(rows) => rows.iter().collect(),
                Value::Object(rows) => rows.values().collect(),
                other => panic!("{part}: {other}"),
            };
            rows.iter().map(|row| row[count].as_u64().unwrap()).sum()
        };
        let presented = validator["presented"].as_u64().unwrap();
        assert!(presented > 500, "{presented}");
        assert_eq!(sum("matrix", "presented"), presented);
        assert_eq!(sum("classes", "presented"), presented);
        assert_eq!(validator["baseline"]["held"], true);
        for tally in validator["rules"].as_object().unwrap().values() {
            let parts = ["confirmed", "accepted", "inconclusive", "no_twin", "faults"];
            let parts: u64 = parts.iter().map(|part| tally[part].as_u64().unwrap()).sum();
            assert_eq!(parts, tally["alone"].as_u64().unwrap(), "{tally}");
        }
        let accepted: u64 = sum("classes", "accepted") + sum("classes", "wrong");
        let accepted = accepted + validator["open"]["accepted"].as_u64().unwrap();
        assert_eq!(sum("matrix", "accepted"), accepted);
    }
    assert!(!validators[0]["findings"].as_array().unwrap().is_empty());
    assert!(validators[1]["findings"].as_array().unwrap().is_empty());
}

/// The same result without what the clock of the machine made.
fn timeless(mut result: Value) -> String {
    for validator in result["validators"].as_array_mut().unwrap() {
        assert!(validator.as_object_mut().unwrap().remove("duration_ms").is_some());
    }
    serde_json::to_string_pretty(&result).unwrap()
}

#[test]
fn the_same_seed_and_time_give_the_same_result_for_any_number_of_jobs() {
    let run = |jobs: &str, seed: &str| {
        // Two chunks, so that two workers have something to share.
        let names = ["test", STORM_FLAW, "--world", "two-issuers", "--only", "KS-*"];
        let rest = ["--now", NOW, "--random", "300", "--seed", seed, "--jobs", jobs];
        timeless(Place::new().json(&[&names[..], &rest].concat()))
    };
    let one = run("1", "3");
    assert_eq!(one, run("2", "3"));
    assert_ne!(one, run("1", "4"), "another seed gives other random scenarios");
}

#[test]
fn a_report_file_holds_what_json_on_standard_output_holds() {
    let place = Place::new();
    let reports = ["--report", "json=a.json", "--report", "json=b.json", "--format", "json"];
    let ran = place.run(&[&STORM_ONLY[..], &reports].concat()).ends(1);
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("a.json"), ran.out);
    assert_eq!(read("b.json"), ran.out);
    assert!(ran.out.ends_with("}\n"));
    // Beside text it is the same file.
    place.run(&[&STORM_ONLY[..], &["--report", "json=c.json"]].concat()).ends(1).says(&["result: findings"]);
    let result: Value = serde_json::from_str(&read("c.json")).unwrap();
    assert_eq!(result["exit"], 1);
}

#[test]
fn worlds_parties_and_key_sources_narrow_a_run() {
    let place = Place::new();
    let sites = |flags: &[&str]| {
        let result = place.json(&[&["test", "sound"], flags].concat());
        let matrix = validator(&result)["matrix"].as_array().unwrap().clone();
        let mut worlds: Vec<String> = matrix.iter().map(|row| row["world"].as_str().unwrap().to_owned()).collect();
        worlds.dedup();
        (worlds, validator(&result)["presented"].as_u64().unwrap())
    };
    let (worlds, all) = sites(&[]);
    let shipped: BTreeSet<String> = World::shipped_names().map(str::to_owned).collect();
    assert_eq!(worlds, shipped.into_iter().collect::<Vec<_>>());
    let (worlds, small) = sites(&["--world", "two-issuers"]);
    assert_eq!(worlds, ["two-issuers"]);
    let (worlds, one) = sites(&["--party", "api"]);
    assert_eq!(worlds, ["two-issuers"]);
    let (worlds, two) = sites(&["--party", "api", "--party", "enterprise-mail"]);
    assert_eq!(worlds, ["storm-0558", "two-issuers"]);
    assert!(one < two && one < small && small < all, "{one} {two} {small} {all}");
    let (worlds, converged) = sites(&["--key-source", "converged"]);
    let in_one_set = |name: &str| World::shipped(name, DEFAULT_SEED).is_some_and(|world| !world.converged.is_empty());
    let wanted: BTreeSet<_> = World::shipped_names().filter(|name| in_one_set(name)).collect();
    assert!(wanted.len() > 1 && wanted.len() < World::shipped_names().count(), "{wanted:?}");
    assert_eq!(worlds, Vec::from_iter(wanted));
    let (_, per_issuer) = sites(&["--world=storm-0558", "--key-source=per-issuer"]);
    let (_, converged_there) = sites(&["--world=storm-0558", "--key-source=converged"]);
    let (_, both) = sites(&["--world=storm-0558", "--key-source=per-issuer", "--key-source=converged"]);
    assert!(converged_there < both && per_issuer < both, "{converged_there} {per_issuer} {both}");
    assert!(converged_there < converged && converged < all, "{converged_there} {converged} {all}");
}

#[test]
fn a_flaw_of_the_converged_set_shows_with_that_key_source_only() {
    let place = Place::new();
    let run = |source| place.run(&["test", "flawed-converged-by-kid", "--world=storm-0558", "--key-source", source]);
    run("converged").ends(1).says(&[r#""key_source":"converged""#]);
    run("per-issuer").ends(0);
}

#[test]
fn only_and_skip_choose_classes_by_id_and_by_rule() {
    let place = Place::new();
    let classes = |flags: &[&str]| {
        let result = place.json(&[&["test", "sound", "--party", "api"], flags].concat());
        let names = keys(&validator(&result)["classes"]).into_iter().map(str::to_owned);
        names.filter(|name| name != "baseline").collect::<Vec<_>>()
    };
    assert_eq!(classes(&["--only", "KS-01"]), ["KS-01"]);
    assert_eq!(classes(&["--only", "TM-0[12]"]), ["TM-01", "TM-02"]);
    assert!(classes(&["--only", "NotExpired"]).contains(&"TM-01".to_owned()));
    let both = classes(&["--only", "TM-*", "--only", "KS-01", "--skip", "TM-01"]);
    assert!(both.contains(&"KS-01".to_owned()) && !both.contains(&"TM-01".to_owned()), "{both:?}");
    let all = classes(&[]);
    // Every token gives occasion to break a rule of conduct at which no class aims.
    assert_eq!(classes(&["--only", "SecretNotPrinted"]), all);
    let rest = classes(&["--skip", "NotExpired"]);
    assert!(all.contains(&"TM-01".to_owned()) && !rest.contains(&"TM-01".to_owned()));
}

#[test]
fn the_world_seed_changes_every_name() {
    let place = Place::new();
    let text = |flags: &[&str]| place.run(&[&STORM_ONLY[..], &["--now", NOW, "--format=json"], flags].concat()).out;
    let (default, explicit, other) = (text(&[]), text(&["--world-seed=558"]), text(&["--world-seed=559"]));
    let issuer = |text: &str| text.split("accept, as iss ").nth(1).unwrap()[..40].to_owned();
    assert_eq!(issuer(&default), issuer(&explicit));
    assert_ne!(issuer(&default), issuer(&other));
}

#[test]
fn fail_on_says_from_which_severity_a_finding_counts() {
    let place = Place::new();
    let run = |flags: &[&str]| place.run(&[&["test", "flawed-lax-base64", "--only", "EN-*"], flags].concat());
    run(&[]).ends(0).says(&["false-accept medium WellFormed", "result: clean"]);
    run(&["--fail-on", "medium"]).ends(1).says(&["result: findings"]);
    run(&["--fail-on", "critical"]).ends(0);
}

#[test]
fn exit_zero_forgives_findings_and_nothing_else() {
    let place = Place::new();
    let ran = place.run(&[&STORM_ONLY[..], &["--exit-zero"]].concat()).ends(0);
    ran.says(&["false-accept", "result: findings", "(exit 0, for --exit-zero; 1)"]);
    place.run(&["test", "sound", "--only", "KS-01", "--exit-zero"]).ends(0).says(&["result: clean", "(exit 0)"]);
    place.run(&["test", "nosuch", "--exit-zero"]).ends(2);
}

#[test]
fn quiet_leaves_findings_and_verbose_adds_classes() {
    let place = Place::new();
    let run = |flags: &[&str]| place.run(&[&STORM_ONLY[..], flags].concat()).ends(1).says(&["false-accept", "result:"]);
    run(&[]).says(&["accepted / presented", "rule broken alone"]).does_not_say(&["\n  classes\n"]);
    run(&["-v"]).says(&["accepted / presented", "\n  classes\n    KS-01"]);
    run(&["--verbose"]).says(&["\n  classes\n"]);
    for flags in [&["-q"][..], &["--quiet"], &["-v", "-q"]] {
        run(flags).does_not_say(&["accepted / presented", "rule broken alone", "\n  classes\n"]);
    }
    run(&["-q", "-v"]).says(&["\n  classes\n"]);
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let place = Place::new();
    let colours = |ran: Ran| ran.out.contains("\u{1b}[");
    let with = |flags: &[&str]| place.run(&[&STORM_ONLY[..], flags].concat());
    assert!(!colours(with(&[])), "standard output is a pipe");
    assert!(!colours(with(&["--color", "never"])));
    assert!(colours(with(&["--color", "always"])));
    assert!(colours(place.run(&["--color=always", "explain", "KS-01"])), "it may stand before the command too");
    let forced = |name: &str, flags: &[&str]| {
        colours(Ran::of(place.command().env(name, "1").args([&STORM_ONLY[..], flags].concat())))
    };
    assert!(!forced("NO_COLOR", &[]));
    assert!(forced("NO_COLOR", &["--color", "always"]));
    assert!(forced("CLICOLOR_FORCE", &[]));
    assert!(!forced("CLICOLOR_FORCE", &["--color", "never"]));
}

#[test]
fn progress_and_messages_keep_off_standard_output_and_pipes() {
    let ran = Place::new().run(&STORM_ONLY).ends(1);
    assert_eq!(ran.err, "", "standard error is no terminal");
}

#[test]
fn the_configuration_is_looked_for_upward_or_given() {
    let place = Place::new();
    let waiver = "[[waiver]]\nvalidator = 'flawed-*'\nrule = 'KeyBelongsToIssuer'\nreason = 'known'\n";
    place.file("wrongkey.toml", waiver);
    place.file("a/b/here", "");
    place.file("none.toml", "");
    let ran = Ran::of(place.command().current_dir(place.path("a/b")).args(STORM_ONLY)).ends(0);
    in_order(&ran.out, &["waived whole critical rule: rule KeyBelongsToIssuer", "known", "1 waived finding", "known"]);
    assert!(ran.out.starts_with("waived whole critical rule"), "it stands on the first line");
    place.run(&[&STORM_ONLY[..], &["--config", "none.toml"]].concat()).ends(1).does_not_say(&["waived"]);
    place.file("other.toml", waiver);
    let result = place.json(&[&STORM_ONLY[..], &["--config", "other.toml"]].concat());
    assert_eq!(result["waived_critical"].as_array().unwrap().len(), 1);
    assert_eq!(validator(&result)["findings"][0]["waived"], "known");
    // It says nothing where no validator is judged that it speaks of.
    let ran = place.run(&["test", "sound", "--only", "KS-01", "--config", "other.toml"]).ends(0);
    ran.does_not_say(&["waived"]);
}

#[test]
fn findings_are_written_one_a_file_and_a_former_run_is_kept() {
    let place = Place::new();
    place.run(&["test", "flawed-accept-all", "--max-findings", "3"]).ends(1);
    assert_eq!(place.findings().len(), 3);
    place.run(&STORM_ONLY).ends(1);
    assert_eq!(place.findings().len(), 1);
    assert_eq!(std::fs::read_dir(place.path("wrongkey-out.1/findings")).unwrap().count(), 3);
    // A clean run leaves no findings of an earlier one where its own would be.
    place.run(&["test", "sound", "--only", "KS-01"]).ends(0);
    assert!(!place.path("wrongkey-out").exists());
    assert_eq!(std::fs::read_dir(place.path("wrongkey-out.2/findings")).unwrap().count(), 1);
    let other = [&STORM_ONLY[..], &["--out", "else where/out"]].concat();
    place.run(&other).ends(1).says(&["again     wrongkey reproduce 'else where/out/findings/"]);
    assert!(place.path("else where/out/findings").is_dir());
}

#[test]
fn a_hanging_validator_is_left_behind_and_named() {
    let place = Place::new();
    let ran = place.run(&["test", "flawed-hangs-on-expired", "--timeout", "300ms", "--party", "api"]).ends(4);
    ran.says(&["flawed-hangs-on-expired", "it did not answer within 300 ms", "header", "result: faults"]);
    assert_eq!(place.findings().len(), 1);
    let file = place.findings()[0].to_str().unwrap().to_owned();
    place.run(&["reproduce", &file, "--timeout", "200ms"]).ends(4).says(&["within 200 ms", "STILL WRONG"]);
}

#[test]
fn a_panicking_validator_is_a_fault_and_the_run_goes_on() {
    let place = Place::new();
    let ran = place.run(&["test", "flawed-panics-on-unknown-issuer", "sound", "--party", "api"]).ends(4);
    assert_eq!(ran.err, "", "a panic of a validator is no message of ours");
    let ran = ran.says(&["it panicked", "NotExpired", "TypeExpected"]);
    in_order(&ran.out, &["flawed-panics-on-unknown-issuer 0", "\nsound 0"]);
}

#[test]
fn a_closed_pipe_is_no_bug() {
    let place = Place::new();
    let binary = assert_cmd::cargo::cargo_bin("wrongkey");
    for tail in ["| head -n 1", "| true", "2>&1 >/dev/null | true", ">&- 2>&-"] {
        let script = format!("'{}' test {STORM_FLAW} --only 'KS-*' {tail}", binary.display());
        let script = format!("{{ {script}; }} ; echo end");
        let mut shell = assert_cmd::Command::new("sh");
        let ran = Ran::of(shell.current_dir(place.path("")).args(["-c", &script]));
        assert!(ran.out.trim_end().ends_with("end"), "{}", ran.out);
        assert!(!ran.err.contains("panicked") && !ran.err.contains("bug"), "{}", ran.err);
    }
}

#[test]
fn keys_are_fetched_where_that_is_asked_for_and_a_validator_that_cannot_is_not_shown_anything() {
    let place = Place::new();
    let fetched = ["--world", "two-issuers", "--key-source", "fetched"];
    place.run(&[&["test", "sound"][..], &fetched].concat()).ends(3).says(&["it takes no keys from `fetched`"]);
    // Nobody fetches a secret.
    let secrets = ["test", "sound", "--world", "two-issuers", "--party", "web", "--key-source", "fetched"];
    place.run(&secrets).ends(2).complains(&["no chosen relying party takes keys from `fetched`"]);
    let scenario = r#"{ "scenario": 1, "world": "two-issuers", "key_source": "fetched", "party": "api",
        "honest": { "issuer": "a" } }"#;
    place.file("fetched.json", scenario);
    place.run(&["forge", "fetched.json", "--now", NOW]).ends(0);
}
