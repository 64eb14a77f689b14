//! `wrongkey test --exec` and its exit codes.

use crate::support::line;
use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

struct Ran {
    code: i32,
    out: String,
    err: String,
    place: TempDir,
}

fn run(arguments: &[&str]) -> Ran {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("wrongkey").unwrap();
    let output = command.current_dir(place.path()).env("NO_COLOR", "1").args(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr), place }
}

const QUICK: [&str; 6] = ["--world", "two-issuers", "--only", "KS-0*", "--now", "1790000000"];

fn test(arguments: &str, more: &[&str]) -> Ran {
    let exec = line(arguments);
    run(&[&["test", "--exec", &exec], &QUICK[..], more].concat())
}

#[track_caller]
fn ends(ran: &Ran, code: i32) {
    assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
}

fn written(ran: &Ran) -> bool {
    std::fs::read_dir(ran.place.path()).unwrap().next().is_some()
}

/// The result without what differs between any two runs.
fn result(ran: &Ran) -> Value {
    let mut result: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.err));
    for validator in result["validators"].as_array_mut().unwrap() {
        validator["duration_ms"] = Value::Null;
        for finding in validator["findings"].as_array_mut().unwrap() {
            finding["reproduce"] = Value::Null;
        }
    }
    result
}

#[test]
fn a_process_is_judged_as_its_validator_is() {
    for (name, code) in [("sound", 0), ("flawed-signature-only-over-merged-keys", 1)] {
        let there = test(name, &["--format", "json", "--jobs", "2"]);
        ends(&there, code);
        let here = run(&[&["test", name, "--format", "json"], &QUICK[..]].concat());
        assert_eq!(result(&there), result(&here));
    }
}

#[test]
fn what_cannot_be_run_is_a_matter_of_usage_and_nothing_is_written() {
    for (exec, why) in [
        ("wrongkey-no-such-program", "there is no such program"),
        ("/etc/passwd", "it is not executable"),
        ("a 'b", "a quote is not closed"),
        ("", "it names no program"),
    ] {
        let ran = run(&["test", "--exec", exec]);
        ends(&ran, 2);
        assert!(ran.err.contains(why), "{}", ran.err);
        assert!(!written(&ran) && ran.out.is_empty());
    }
}

#[test]
fn what_is_no_adapter_is_inconclusive_and_nothing_is_written() {
    for (mode, why) in [
        ("banner", "printed \"Welcome to the adapter!\" where its hello should be"),
        ("next-protocol", "speaks protocol version 2: this wrongkey speaks 1"),
        ("dies", "ended before it said hello (exit status: 3); its log ends: no such module"),
    ] {
        let ran = test(&format!("sound {mode}"), &[]);
        ends(&ran, 3);
        assert!(ran.err.contains(why), "{}", ran.err);
        assert!(!written(&ran) && ran.out.is_empty());
    }
}

#[test]
fn a_finding_says_how_it_is_seen_again() {
    let exec = line("flawed-type-ignored");
    let ran = run(&["test", "--exec", &exec, "--world", "two-issuers", "--only", "TY-01"]);
    ends(&ran, 1);
    let folder = ran.place.path().join("wrongkey-out/findings");
    let path = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let finding: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let command = finding["reproduce"].as_str().unwrap().to_owned();
    let words = shell_words::split(&command).unwrap();
    let mut again = Command::cargo_bin("wrongkey").unwrap();
    let again = again.current_dir(ran.place.path()).args(&words[1..]).arg("--trace").output().unwrap();
    assert_eq!(again.status.code(), Some(1), "{command}");
    assert!(String::from_utf8_lossy(&again.stdout).contains("STILL WRONG"));
    let trace = String::from_utf8(again.stderr).unwrap();
    for needle in ["> {\"hello\"", "< {\"hello\"", "> {\"configure\"", "> {\"validate\"", "\"accept\":{\"iss\":"] {
        assert!(trace.contains(needle), "{needle} is not in\n{trace}");
    }
}

#[test]
fn two_of_one_name_are_not_judged_together() {
    let exec = line("sound");
    let ran = run(&["test", "--exec", &exec, "--exec", &exec]);
    ends(&ran, 2);
    assert!(ran.err.contains("two validators call themselves `sound`"), "{}", ran.err);
}
