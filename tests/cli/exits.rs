//! Exit codes: each alone, and each pair that can coincide. Of several the first of 70, 2, 130, 1, 4, 3, 5, 0 counts.

use crate::support::{Place, Ran};
use serde_json::Value;
use std::collections::BTreeSet;

const FINDS: &str = "flawed-type-ignored";
const FAULTS: &str = "flawed-panics-on-unknown-issuer";
const SHOWS_NOTHING: &str = "flawed-refuses-no-kid";
const STALE: &str = "[[waiver]]\nrule = 'AudienceIncludesUs'\nreason = 'it was so once'\n";

/// Every way to end that a result knows of.
fn ways(result: &Value) -> BTreeSet<i64> {
    let validators = result["validators"].as_array().unwrap().iter();
    let mut ways: BTreeSet<i64> =
        validators.flat_map(|v| v["exits"].as_array().unwrap()).map(|exit| exit.as_i64().unwrap()).collect();
    if !result["stale_waivers"].as_array().unwrap().is_empty() {
        ways.insert(5);
    }
    ways
}

/// Runs these validators under these waivers: all those ways come together, and the code is this.
#[track_caller]
fn comes_together(names: &[&str], waivers: &str, together: &[i64], code: i32) {
    let place = Place::new();
    place.file("wrongkey.toml", waivers);
    let ran = place.run(&[&["test", "--party", "api", "--format", "json"], names].concat()).ends(code);
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ways(&result), together.iter().copied().collect(), "{names:?}");
    assert_eq!(result["exit"], code);
}

#[test]
fn each_way_alone() {
    comes_together(&["sound"], "", &[], 0);
    comes_together(&["sound"], STALE, &[5], 5);
    comes_together(&[SHOWS_NOTHING], "", &[3], 3);
    comes_together(&[FAULTS], "", &[4], 4);
    comes_together(&[FINDS], "", &[1], 1);
}

#[test]
fn findings_count_before_faults_gaps_and_stale_waivers() {
    comes_together(&[FINDS, "sound"], "", &[1], 1);
    comes_together(&["sound", FINDS, FAULTS], "", &[1, 4], 1);
    comes_together(&[SHOWS_NOTHING, FINDS], "", &[1, 3], 1);
    comes_together(&[FINDS], STALE, &[1, 5], 1);
    comes_together(&[SHOWS_NOTHING, FAULTS, FINDS], STALE, &[1, 3, 4, 5], 1);
}

#[test]
fn one_validator_can_have_findings_and_gaps() {
    // It refuses an algorithm that it claims to have: false rejects, and other refusals that show nothing.
    let place = Place::new();
    let names = ["test", "flawed-refuses-ps256", "--party", "api"];
    place.run(&names).ends(3);
    let strict = place.json(&[&names[..], &["--fail-on", "medium"]].concat());
    assert_eq!(ways(&strict), [1, 3].into());
    assert_eq!(strict["exit"], 1);
    // With its findings waived the gaps are left.
    place.file("wrongkey.toml", "[[waiver]]\norigin = 'flawed-refuses-ps256.false-reject.*'\nreason = 'known'\n");
    place.run(&[&names[..], &["--fail-on", "medium"]].concat()).ends(3);
}

#[test]
fn faults_count_before_gaps_and_stale_waivers() {
    comes_together(&[SHOWS_NOTHING, FAULTS], "", &[3, 4], 4);
    comes_together(&[FAULTS], STALE, &[4, 5], 4);
    comes_together(&[FAULTS, "sound"], "", &[4], 4);
}

#[test]
fn gaps_count_before_stale_waivers() {
    comes_together(&[SHOWS_NOTHING], STALE, &[3, 5], 3);
    comes_together(&["sound", SHOWS_NOTHING], "", &[3], 3);
}

#[test]
fn a_validator_that_refuses_everything_is_inconclusive() {
    let ran = Place::new().run(&["test", "flawed-reject-all", "--party", "api"]).ends(3);
    ran.says(&["honest tokens were refused at the start", "result: inconclusive: nothing is claimed"]);
}

#[test]
fn a_waiver_excuses_what_it_names_and_only_that() {
    let type_ignored = "[[waiver]]\nvalidator = 'flawed-type-*'\nrule = 'TypeExpected'\nreason = 'known'\n";
    comes_together(&[FINDS], type_ignored, &[], 0);
    comes_together(&[FINDS, "flawed-crit-ignored"], type_ignored, &[1], 1);
    // By class and by origin as well; a class that is not all of it excuses nothing.
    comes_together(&[FINDS], &type_ignored.replace("rule = 'TypeExpected'", "class = 'TY-*'"), &[], 0);
    let origin = type_ignored.replace("rule = 'TypeExpected'", "origin = '*.false-accept.TypeExpected.*'");
    comes_together(&[FINDS], &origin, &[], 0);
    // After its day it excuses nothing, and is stale besides; before, it does.
    comes_together(&[FINDS], &format!("{type_ignored}until = 2020-01-01\n"), &[1, 5], 1);
    comes_together(&[FINDS], &format!("{type_ignored}until = 2999-12-31\n"), &[], 0);
    // Of a validator that is not judged nothing can be stale.
    comes_together(&["sound"], type_ignored, &[], 0);
}

#[test]
fn what_is_broken_by_conduct_is_waived_by_its_rule_and_stale_once_it_is_mended() {
    let place = Place::new();
    let test = |name: &str| place.run(&["test", name, "--party", "web", "--only", "SG-01"]);
    test("flawed-prints-secret")
        .ends(1)
        .says(&["leak high SecretNotPrinted", "SecretNotPrinted  No answer and no log"]);
    test("sound").ends(0).says(&["gave occasion, never broken"]);
    place.file("wrongkey.toml", "[[waiver]]\nrule = 'SecretNotPrinted'\nreason = 'a test secret'\n");
    // Excused; but a rejection over which it leaked is no evidence.
    test("flawed-prints-secret").ends(3).says(&["waived"]);
    test("sound").ends(5).says(&["stale waiver: rule SecretNotPrinted"]);
}

#[test]
fn a_waiver_is_not_stale_where_nothing_that_it_covers_was_tried() {
    let place = Place::new();
    place.file("wrongkey.toml", "[[waiver]]\norigin = 'sound.false-accept.TypeExpected.*'\nreason = 'known'\n");
    place.run(&["test", "sound", "--party", "api", "--only", "TM-01"]).ends(0);
    place.run(&["test", "sound", "--party", "api", "--only", "TY-01"]).ends(5).says(&["stale waiver: origin sound"]);
    // What comes of other acts, or of any token at all, may come of one that was left out.
    for origin in ["sound.false-accept.TypeExpected.embed-key.*", "sound.false-reject.none.*", "sound.fault.*"] {
        place.file("wrongkey.toml", format!("[[waiver]]\norigin = '{origin}'\nreason = 'known'\n"));
        place.run(&["test", "sound", "--party", "api", "--only", "TY-01"]).ends(0);
        place.run(&["test", "sound", "--party", "api"]).ends(5).says(&["stale waiver: origin sound"]);
    }
}

#[test]
fn only_a_waiver_with_a_reason_excuses_what_shows_nothing() {
    let place = Place::new();
    let arguments = ["test", SHOWS_NOTHING, "--party", "api"];
    let result = place.json(&arguments);
    let sentences = result["validators"][0]["inconclusive"].as_array().unwrap().clone();
    assert!(!sentences.is_empty());
    let mut waivers = String::new();
    for sentence in sentences {
        let name = sentence.as_str().unwrap().split(' ').next().unwrap().to_owned();
        let what = if wrongkey::rule::Rule::from_name(&name).is_some() { "rule" } else { "class" };
        waivers.push_str(&format!("[[waiver]]\n{what} = '{name}'\nreason = 'kid is mandatory here'\n"));
    }
    place.file("wrongkey.toml", waivers);
    place.run(&arguments).ends(0);
}

#[test]
fn of_a_part_of_the_catalogue_only_that_part_must_be_shown() {
    let place = Place::new();
    // Its tokens break two rules on the way for which other classes give the evidence.
    let part = ["test", "biscuit", "--only", "AL-08"];
    place.run(&part).ends(0).says(&["every class that was chosen has evidence"]);
    place.run(&["test", SHOWS_NOTHING, "--party", "api", "--only", "KS-03"]).ends(3).says(&["KS-03 shows nothing"]);
    // Whoever excuses the only class that tries a rule here excuses that the rule is not shown.
    place.file("wrongkey.toml", "[[waiver]]\nclass = 'KS-03'\nreason = 'kid is mandatory here'\n");
    place.run(&["test", SHOWS_NOTHING, "--party", "api", "--only", "KS-03"]).ends(0);
}

#[test]
fn what_presents_nothing_of_what_was_chosen_is_not_clean() {
    let place = Place::new();
    let converged = ["test", "jsonwebtoken", "--only", "KS-12"];
    place
        .run(&converged)
        .ends(3)
        .says(&["nothing of what was chosen was presented: it takes no keys from `converged`"]);
    let no_room = ["test", "sound", "--world", "two-issuers", "--only", "storm-0558/*"];
    place.run(&no_room).ends(3).says(&["nothing of what was chosen was presented: no chosen world has room for it"]);
    place.run(&["test", "sound", "--party", "api", "--skip", "*"]).ends(3).says(&["nothing of what was chosen"]);
}

/// Nothing can be written to this file, and that shows at the very end.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_counts_before_all_that_was_found() {
    for (name, waivers) in [("sound", ""), ("sound", STALE), (SHOWS_NOTHING, ""), (FAULTS, ""), (FINDS, "")] {
        let place = Place::new();
        place.file("wrongkey.toml", waivers);
        let ran = place.run(&["test", name, "--party", "api", "--report", "json=/dev/full", "--exit-zero"]).ends(2);
        ran.says(&["result: "]).complains(&["error: cannot write /dev/full"]);
        assert_eq!(place.findings().is_empty(), !matches!(name, FINDS | FAULTS), "what was found is kept");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_is_an_error_and_a_reader_that_is_gone_is_none() {
    let place = Place::new();
    let storm = place.file("storm.json", crate::support::STORM);
    let storm = storm.to_str().unwrap();
    for (arguments, code) in [
        (&["test", "sound", "--party", "api", "--format", "json", "--report", "json=whole.json"][..], 0),
        (&["test", FINDS, "--party", "api"], 1),
        (&["list", "rules"], 0),
        (&["forge", storm], 0),
    ] {
        let run = |output: std::process::Stdio| {
            let program = assert_cmd::cargo::cargo_bin("wrongkey");
            let mut command = std::process::Command::new(program);
            let ended = command.args(arguments).current_dir(place.path("")).stdout(output).output().unwrap();
            (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
        };
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (ended, complaint) = run(full.into());
        assert_eq!(ended, Some(2), "{arguments:?}: {complaint}");
        assert_eq!(complaint.matches("error: cannot write standard output: ").count(), 1, "{arguments:?}: {complaint}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(writer.into()), (Some(code), String::new()), "{arguments:?}");
    }
    assert!(!place.findings().is_empty(), "what was found is kept");
    assert!(place.path("whole.json").exists(), "what can be written is written");
}

/// Starts a long run, interrupts it, and gives back what it printed.
#[cfg(unix)]
fn interrupted(place: &Place, signal: &str, arguments: &[&str], wait: u64) -> Ran {
    use std::process::{Command, Stdio};
    let mut run = Command::new(assert_cmd::cargo::cargo_bin("wrongkey"))
        .current_dir(place.path(""))
        .args([arguments, &["--party", "api", "--format", "json", "--jobs", "1"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(wait));
    assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
    let mut text = [String::new(), String::new()];
    use std::io::Read as _;
    run.stdout.take().unwrap().read_to_string(&mut text[0]).unwrap();
    run.stderr.take().unwrap().read_to_string(&mut text[1]).unwrap();
    let code = run.wait().unwrap().code().unwrap_or(-1);
    let [out, err] = text;
    Ran { code, out, err }
}

/// Whoever is asked for a hello, or waited for, may take long.
#[cfg(unix)]
#[test]
fn before_a_run_begins_one_interrupt_ends_it_and_nothing_is_written() {
    let place = Place::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    let endpoint = ["--world", "two-issuers", "--url", &url, "--wait-for", "20s", "--timeout", "20s"];
    for arguments in [&["--exec", "sh -c 'touch started; exec sleep 1000'"][..], &endpoint] {
        let mut run = std::process::Command::new(assert_cmd::cargo::cargo_bin("wrongkey"))
            .current_dir(place.path(""))
            .args([&["test", "--party", "api"], arguments].concat())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        if arguments == endpoint {
            nobody.accept().unwrap();
        } else {
            while !place.path("started").exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        let kill = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
        assert!(kill.success());
        assert_eq!(run.wait().unwrap().code(), Some(130), "{arguments:?}");
        assert!(!place.path("wrongkey-out").exists());
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_so_and_keeps_what_it_found() {
    // With findings, with faults, with gaps and waivers that would be stale, and with nothing.
    // CI ends a job with a TERM.
    let (test, hunt) = (["test", "--random", "1000000"], ["hunt", "--for", "10h"]);
    for (command, name, signal, way) in [
        (test, FINDS, "-INT", Some(1)),
        (test, FAULTS, "-TERM", Some(4)),
        (test, SHOWS_NOTHING, "-INT", None),
        (test, "sound", "-INT", None),
        (hunt, FINDS, "-INT", Some(1)),
        (hunt, "sound", "-TERM", None),
    ] {
        let place = Place::new();
        place.file("wrongkey.toml", STALE);
        // A machine under load needs longer until there is something to keep.
        let ran = [1_500, 5_000, 20_000]
            .iter()
            .map(|&wait| interrupted(&place, signal, &[&command[..], &[name]].concat(), wait).ends(130))
            .find(|ran| way.is_none() || !place.findings().is_empty() && ran.out.contains("false"))
            .unwrap();
        assert_eq!(ran.err, "");
        let result: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(result["exit"], 130);
        assert!(ways(&result).contains(&130));
        assert!(result["stale_waivers"].as_array().unwrap().is_empty(), "an interrupted run calls no waiver stale");
        if let Some(way) = way {
            assert!(ways(&result).contains(&way), "{:?}", ways(&result));
            let file = place.findings()[0].to_str().unwrap().to_owned();
            place.run(&["reproduce", &file]).ends(i32::try_from(way).unwrap()).says(&["STILL WRONG"]);
        }
    }
}
