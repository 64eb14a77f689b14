//! `exec`: what is run, where, and what is said of it.

use crate::adapters::line;
use crate::support::STORM;
use crate::{FLAW, QUICK, place, table};

#[test]
fn a_validator_of_the_file_is_judged_under_its_name_and_its_finding_seen_again_by_it() {
    let place = place(&[table("gate", "sound", ""), table("pool", FLAW, "world = 'two-issuers'")].concat());
    place.run(&[&["test", "gate", "--world", "two-issuers"], &QUICK[..]].concat()).ends(0).says(&["\ngate ", "clean"]);
    let ran = place.run(&[&["test", "pool"], &QUICK[..]].concat()).ends(1);
    let ran = ran.says(&["worlds two-issuers", "\npool ", "KeyBelongsToIssuer"]).does_not_say(&["storm-0558"]);
    // The command that stands there shows it again, as it stands there.
    let command = ran.out.lines().find_map(|line| line.trim().strip_prefix("again     wrongkey "));
    let words: Vec<&str> = command.unwrap().split(' ').collect();
    assert_eq!(words.last(), Some(&"pool"), "{words:?}");
    place.run(&words).ends(1).says(&["STILL WRONG", "\npool "]);
    // Without a name the finding says whose it is.
    place.run(&words[..words.len() - 1]).ends(1).says(&["STILL WRONG", "\npool "]);
    let sound = [&words[..words.len() - 1], &["gate"]].concat();
    place.run(&sound).ends(0).says(&["FIXED", "\ngate "]);
}

#[test]
fn a_validator_of_the_file_can_be_hunted_and_shrunk_against() {
    let place = place(&table("pool", FLAW, ""));
    let hunt = ["hunt", "pool", "--scenarios", "1", "--world", "two-issuers"];
    place.run(&[&hunt[..], &QUICK].concat()).ends(1).says(&["\npool ", "KeyBelongsToIssuer"]);
    place.file("storm.json", STORM);
    place.run(&["shrink", "storm.json", "pool"]).ends(0).says(&["consumer-2023"]);
    place.run(&["reproduce", "storm.json", "pool", "sound"]).ends(1).says(&["STILL WRONG", "FIXED"]);
}

#[test]
fn a_file_elsewhere_is_named_wherever_its_validator_is() {
    let place = place("");
    place.file("mine/gates.toml", table("pool", FLAW, ""));
    let there = ["--config", "mine/gates.toml"];
    place.run(&[&["test", "pool"], &QUICK[..]].concat()).ends(2).complains(&["there is no validator `pool`"]);
    let ran = place.run(&[&["test", "pool", "--world", "two-issuers"], &there[..], &QUICK[..]].concat()).ends(1);
    let again = ran.out.lines().find(|line| line.trim().starts_with("again")).unwrap();
    assert!(again.ends_with(".json pool --config mine/gates.toml"), "{again}");
    place.file("storm.json", STORM);
    place.run(&[&["shrink", "storm.json", "pool"], &there[..]].concat()).ends(0);
    place.run(&["list", "validators", there[0], there[1]]).ends(0).says(&["mine/gates.toml:1"]);
}

#[test]
fn programs_run_in_the_folder_of_the_file_or_below_it_with_their_environment() {
    let place = place("");
    place.file("deep/down/x", "");
    for (cwd, folder) in [("", "deep"), ("cwd = 'down'\n", "deep/down")] {
        let setup = "setup = \"sh -c 'pwd > \\\"$WHERE\\\"'\"\n";
        let env = format!("env = {{ WHERE = {:?} }}\n", place.path("where").display().to_string());
        place.file("deep/wrongkey.toml", table("gate", "sound", &[setup, &env, cwd].concat()));
        let mut command = place.command();
        command.current_dir(place.path("deep/down")).args(["test", "gate", "--world", "two-issuers"]).args(QUICK);
        crate::support::Ran::of(&mut command).ends(0);
        let ran_in = std::fs::read_to_string(place.path("where")).unwrap();
        assert_eq!(std::fs::canonicalize(ran_in.trim()).unwrap(), std::fs::canonicalize(place.path(folder)).unwrap());
    }
    // The adapter runs there too, not only its set-up.
    place.file("deep/wrongkey.toml", table("gate", "sound counts=ran", "cwd = 'down'"));
    place.run(&[&["test", "gate", "--config", "deep/wrongkey.toml", "--world", "two-issuers"], &QUICK[..]].concat());
    assert!(place.path("deep/down/ran").is_file());
}

#[test]
fn a_set_up_is_run_once_and_shown_where_it_fails() {
    let twice = "setup = \"sh -c 'echo ran >> ran'\"";
    let place = place(&[table("gate", "sound", twice), table("other", "sound", "")].concat());
    place.run(&[&["test", "gate", "other", "--jobs", "2", "--world", "two-issuers"], &QUICK[..]].concat()).ends(0);
    assert_eq!(std::fs::read_to_string(place.path("ran")).unwrap(), "ran\n");
    // One that is not named is not set up.
    place.run(&[&["test", "other", "--world", "two-issuers"], &QUICK[..]].concat()).ends(0);
    assert_eq!(std::fs::read_to_string(place.path("ran")).unwrap(), "ran\n");

    let noisy = "sh -c 'yes abcdefgh | head -c 1000000; echo no such package; printf \"\\\\033[2J\" >&2; exit 7'";
    place.file("wrongkey.toml", table("gate", "sound", &format!("setup = {noisy:?}")));
    std::fs::remove_dir_all(place.path("wrongkey-out")).unwrap_or_default();
    let ran = place.run(&[&["test", "gate"], &QUICK[..]].concat()).ends(3);
    let ran = ran.complains(&["`gate` is not set up", "exit status: 7", "no such package", "\\u{1b}[2J"]);
    assert!(ran.err.len() < 4_000 && !ran.err.contains('\u{1b}'), "{}", ran.err);
    assert!(!place.path("wrongkey-out").exists(), "nothing is written");

    for (setup, says) in [
        ("wrongkey-no-such-program", "cannot run `wrongkey-no-such-program`: there is no such program"),
        ("a 'b", "a quote is not closed"),
    ] {
        place.file("wrongkey.toml", table("gate", "sound", &format!("setup = {setup:?}")));
        let ran = place.run(&[&["test", "gate"], &QUICK[..]].concat()).ends(2);
        ran.complains(&["wrongkey.toml: line 1: [validators.gate] `setup`: ", says]);
    }
}

#[test]
fn a_program_that_a_set_up_leaves_behind_holds_nobody_up() {
    // It keeps the pipe to its end, which shows whether anybody has waited for that.
    let place = place(&table("gate", "sound", "setup = \"sh -c '(sleep 60; touch late) & exit 1'\""));
    place.run(&[&["test", "gate"], &QUICK[..]].concat()).ends(3).complains(&["is not set up", "printed nothing"]);
    assert!(!place.path("late").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_set_up_and_the_run() {
    use std::process::{Command, Stdio};
    let place = place(&table("gate", "sound", "setup = \"sh -c 'sleep 1000 & echo $! > pid; wait'\""));
    let mut run = Command::new(assert_cmd::cargo::cargo_bin("wrongkey"))
        .current_dir(place.path(""))
        .args(["test", "gate"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = || std::fs::read_to_string(place.path("pid")).unwrap_or_default();
    while !pid().ends_with('\n') {
        assert!(run.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let seen = Command::new("ps").args(["-o", "stat=", "-p", pid().trim()]).output().unwrap();
    let state = String::from_utf8(seen.stdout).unwrap();
    assert!(state.trim().is_empty() || state.trim().starts_with('Z'), "{state}");
    assert!(!place.path("wrongkey-out").exists(), "nothing is written");
}

#[test]
fn what_the_file_says_of_a_program_holds() {
    let place = place(&table("gate", "sound", "clock = 'system'"));
    place.run(&["test", "gate", "--now", "1790000000"]).ends(2).complains(&["--now: `gate` reads the machine's clock"]);
    let sequences = ["--only", "KeyInService", "--world", "rotation", "--now", crate::support::NOW];
    let skipped = |place: &crate::Place| {
        let result = place.json(&[&["test", "gate"], &sequences[..]].concat());
        result["validators"][0].to_string().contains("it has no live update")
    };
    place.file("wrongkey.toml", table("gate", "sound", ""));
    assert!(!skipped(&place));
    place.file("wrongkey.toml", table("gate", "sound", "features = ['issuer-templates']"));
    assert!(skipped(&place));
    place.file("wrongkey.toml", table("gate", "sound", "features = ['fetches-jwks']"));
    let ran = place.run(&[&["test", "gate"], &QUICK[..]].concat()).ends(2);
    ran.complains(&["wrongkey.toml: line 1: `features`: it does not say that it has `fetches-jwks`"]);
}

#[test]
fn a_time_out_of_the_file_holds_unless_the_command_line_says_otherwise() {
    let place = place(&table("gate", "sound", "timeout = '100ms'"));
    let exec = |line: &str| format!("[validators.gate]\nexec = {line:?}\ntimeout = '100ms'\n");
    place.file("wrongkey.toml", exec("wrongkey-no-such-program"));
    let ran = place.run(&[&["test", "gate"], &QUICK[..]].concat()).ends(2);
    ran.complains(&["wrongkey.toml: line 1: [validators.gate] `exec`: cannot run `wrongkey-no-such-program`"]);
    place.file("wrongkey.toml", exec(&line("sound slow=400")));
    place.file("storm.json", STORM);
    place.run(&["reproduce", "storm.json", "gate"]).ends(4).says(&["did not answer within 100 ms"]);
    place.run(&["reproduce", "storm.json", "gate", "--timeout", "20s"]).ends(0).says(&["FIXED"]);
}

#[test]
fn a_command_of_the_file_is_run_for_each_token() {
    let command =
        |line: &str, more: &str| format!("[validators.each]\ncommand = {line:?}\nworld = 'two-issuers'\n{more}");
    let place = place(&command("sh -c 'exit 0' {token} {policy-file}", "party = 'api'\nalgorithms = 'RS256'\n"));
    let ran = place.run(&["test", "each", "--only", "SG-01"]).ends(1);
    ran.says(&["\neach ", "false-accept", "SignatureMatches", ".json each\n"]);
    place.file("wrongkey.toml", command("sh -c 'exit 0' {token} {policy-file}", ""));
    place.run(&["test", "each"]).ends(2).complains(&["several relying parties", "--party"]);
    place.file("wrongkey.toml", command("sh -c 'exit 0' {token}", "party = 'api'\n"));
    let ran = place.run(&["test", "each"]).ends(2);
    ran.complains(&["wrongkey.toml: line 1: [validators.each] `command`: no argument has {policy-file} in it"]);
}
