//! `wrongkey test --exec` and its exit codes.

use crate::support::line;
use assert_cmd::Command;
use serde_json::Value;
use std::path::PathBuf;
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

#[test]
fn a_process_is_judged_as_its_validator_is() {
    for (name, code) in [("sound", 0), ("flawed-signature-only-over-merged-keys", 1)] {
        let exec = line(&format!("{name} called={name}-there"));
        let both = run(&[&["test", name, "--exec", &exec, "--format", "json", "--jobs", "2"], &QUICK[..]].concat());
        ends(&both, code);
        let text = both.out.replace(&format!("{name}-there"), name);
        let mut result: Value = serde_json::from_str(&text).unwrap();
        for validator in result["validators"].as_array_mut().unwrap() {
            validator["duration_ms"] = Value::Null;
            for finding in validator["findings"].as_array_mut().unwrap() {
                finding["reproduce"] = Value::Null;
            }
        }
        let [here, there] = &result["validators"].as_array().unwrap()[..] else { panic!("{text}") };
        assert!(here["presented"].as_u64() > Some(200), "{here}");
        assert_eq!(here, there);
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
    let ran = run(&["test", "--exec", &exec, "--world", "two-issuers", "--only", "TY-01", "--timeout", "21s"]);
    ends(&ran, 1);
    let folder = ran.place.path().join("wrongkey-out/findings");
    let path = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let finding: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let command = finding["reproduce"].as_str().unwrap().to_owned();
    let words = shell_words::split(&command).unwrap();
    assert!(words.windows(2).any(|words| words == ["--timeout", "21s"]), "{command}");
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
    assert!(ran.err.contains("two validators are called `sound`"), "{}", ran.err);
}

#[test]
fn what_does_not_speak_the_protocol_fails_at_a_step_that_is_named() {
    for (mode, step) in [
        ("reference other-audience", "the identity is the token's"),
        ("rejects-all", "honest tokens are accepted"),
        ("refuses-policies", "honest tokens are accepted"),
        ("answers-malformed", "a line that is no JSON is passed over"),
        ("dies-of-malformed", "a line that is no JSON is passed over"),
        ("same-id", "honest tokens are accepted"),
        ("swaps-ids", "each answer has the id of its request"),
        ("other-subject", "the identity is the token's"),
        ("number-as-subject", "the identity is the token's"),
        ("nameless", "the identity is the token's"),
    ] {
        let arguments = if mode.contains(' ') { mode.to_owned() } else { format!("sound {mode}") };
        let ran = test(&arguments, &["--timeout", "1s"]);
        ends(&ran, 3);
        assert!(ran.err.contains(step), "{mode}: {}", ran.err);
        assert!(!written(&ran) && ran.out.is_empty());
    }
}

#[test]
fn the_audience_that_it_says_is_the_one_that_was_signed_in_any_order() {
    let judged = |mode: &str| {
        let exec = line(&format!("reference {mode}"));
        run(&["test", "--exec", &exec, "--world", "two-issuers", "--only", "IA-3*", "--exit-zero", "--format", "json"])
    };
    let found = |ran: &Ran| {
        let result: Value = serde_json::from_str(&ran.out).unwrap();
        let findings = result["validators"][0]["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Only the tokens for several show it.
    let first = judged("first-audience");
    assert_eq!(found(&first), ["wrong-identity"], "{}", first.out);
    assert!(first.out.contains(" aud "), "{}", first.out);
    assert_eq!(found(&judged("audience-in-disorder")), [""; 0]);
}

#[test]
fn what_accepts_everything_has_findings_and_is_told_to_look_at_its_adapter() {
    let ran = test("sound accepts-all", &["--format", "json"]);
    // It accepts what it should, with no identity where it said that it gives one.
    ends(&ran, 3);
    let ran = test("sound accepts-all anonymous", &["--format", "json"]);
    ends(&ran, 1);
    assert!(ran.err.contains("(unsigned, expired, garbage, unknown key)"), "{}", ran.err);
    assert!(ran.err.contains("check the adapter first"), "{}", ran.err);
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    let findings = result["validators"][0]["findings"].as_array().unwrap();
    for rule in ["SignatureMatches", "NotExpired", "KeyBelongsToIssuer"] {
        let breaks = |finding: &&Value| finding["rules"].as_array().unwrap().iter().any(|known| known == rule);
        assert!(findings.iter().any(|finding| breaks(&finding)), "{rule}");
    }
}

#[test]
fn what_breaks_in_the_middle_ends_with_faults() {
    // After forty answers, whatever it is shown.
    let ran = test("sound crashes-later", &[]);
    assert!(matches!(ran.code, 3 | 4), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("exit status: 5"), "{}", ran.out);
}

#[test]
fn a_fault_shows_the_last_lines_of_the_log_and_its_origin_does_not_depend_on_them() {
    let judged = |exec: &str| {
        let few = ["--world", "two-issuers", "--party", "api", "--only", "AL-01", "--timeout", "300ms"];
        let ran = run(&[&["test", "--exec", exec], &few[..]].concat());
        ends(&ran, 4);
        let folder = ran.place.path().join("wrongkey-out/findings");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        (ran, files)
    };
    let names = |files: &[PathBuf]| files.iter().map(|file| file.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    for (mode, what) in [("crashes", "(exit status: 3)"), ("hangs", "did not answer within 300 ms")] {
        let exec = line(&format!("sound unsigned-triggers logs {mode}"));
        let (ran, files) = judged(&exec);
        if mode == "crashes" {
            let (_quiet, without) = judged(&line("sound unsigned-triggers crashes"));
            assert_eq!(names(&files), names(&without), "each process logs another number");
        }
        let last = if mode == "hangs" { "frame 399 of \\u{1b}[31m" } else { "segmentation fault, so to speak" };
        let shown = ran.out.lines().skip_while(|line| !line.trim_start().starts_with("log ")).collect::<Vec<_>>();
        let end = shown.iter().position(|line| line.trim_start().starts_with("lawful ")).unwrap();
        assert!(shown[end - 1].contains(last), "{}", ran.out);
        assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
        let finding: Value = serde_json::from_str(&std::fs::read_to_string(&files[0]).unwrap()).unwrap();
        assert!(finding["answer"].as_str().unwrap().ends_with(what), "{finding}");
        let log: Vec<&str> = finding["log"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(log[0].starts_with("frame ") && log.last().unwrap().starts_with(last), "{finding}");
        let length = log.iter().map(|line| line.chars().count() + 1).sum::<usize>();
        assert!((1_900..=2_049).contains(&length), "{length}");
        let again = ["reproduce", files[0].to_str().unwrap(), "--exec", &exec, "--timeout", "300ms"];
        let again = run(&again);
        assert!(again.out.contains(last) && again.out.contains("STILL WRONG"), "{}", again.out);
    }
}

#[cfg(unix)]
mod commands {
    use super::{ends, run, written};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use wrongkey::jose::{NumericDate, Token};
    use wrongkey::validator::command::Template;
    use wrongkey::validator::program::Program;
    use wrongkey::validator::{Configured, Fault, Validator, Verdict};

    /// A script, and a validator that runs it.
    fn validator(folder: &Path, script: &str, timeout: u64) -> Box<dyn Validator> {
        let path = scripted(folder, script);
        let program = Program::parse(&format!("{} {{token}} {{policy-file}} {{now}}", path.display())).unwrap();
        let program = Program { timeout: Duration::from_millis(timeout), ..program };
        let mut validator = Template::new(program).unwrap().maker()();
        assert_eq!(validator.configure(&crate::support::policy("symmetric", "shop")), Ok(Configured::Ready));
        validator
    }

    fn scripted(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("check");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn its_exit_code_is_the_answer_and_nothing_is_read_by_a_shell() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"[ $# = 3 ] && [ "$3" = 7 ] && grep -q '"issuers"' "$2" || exit 50
            [ "$(stat -c %a "$2" 2>/dev/null || stat -f %Lp "$2")" = 600 ] || exit 51
            echo "$2" > "$(dirname "$0")/seen"
            case "$1" in yes*) exit 0;; no*) echo because >&2; exit 1;; skip) echo why; exit 89;; kill) kill -9 $$;; esac
            exit 3"#;
        let mut validator = validator(folder.path(), script, 20_000);
        let mut says = |token: &str| validator.validate(&Token::new(token), NumericDate(7));
        assert_eq!(says("yes; $(rm -rf /) `x` 'y' \"z\" *"), Ok(Verdict::Accept { identity: None, key: None }));
        assert_eq!(says("no"), Ok(Verdict::Reject("because".to_owned())));
        assert_eq!(says("skip"), Ok(Verdict::Skip("why".to_owned())));
        for (token, how) in [("other", "exit status: 3"), ("kill", "signal: 9")] {
            assert!(says(token).unwrap_err().to_string().contains(how), "{token}");
        }
        let file = std::fs::read_to_string(folder.path().join("seen")).unwrap();
        assert!(Path::new(file.trim()).exists());
        drop(validator);
        assert!(!Path::new(file.trim()).exists());
    }

    #[test]
    fn one_that_hangs_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut validator = validator(folder.path(), "sleep 1000 & echo $! > \"$(dirname \"$0\")/pid\"; wait", 1_000);
        assert_eq!(validator.validate(&Token::new("x"), NumericDate(7)), Err(Fault::Hang(1_000)));
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let state = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
        let state = String::from_utf8(state.stdout).unwrap();
        assert!(state.trim().is_empty() || state.trim().starts_with('Z'), "{state}");
    }

    #[test]
    fn what_it_prints_of_its_secrets_is_a_leak() {
        let folder = tempfile::tempdir().unwrap();
        let mut validator = validator(folder.path(), "cat \"$2\" >&2; exit 1", 20_000);
        assert_eq!(validator.validate(&Token::new("x"), NumericDate(7)), Err(Fault::Leak));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_leaves_its_pipes_to_others_is_given_up_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        // In a session, and so a group, of its own, before the command ends.
        let script = r#"cd "$(dirname "$0")"
            setsid sh -c "echo \$\$ >> pids; : > ready-$$; exec sleep 1000" &
            while [ ! -e ready-$$ ]; do :; done; exit 1"#;
        let program =
            Program::parse(&format!("{} {{token}} {{policy-file}}", scripted(folder.path(), script).display()));
        let maker = Template::new(program.unwrap()).unwrap().maker();
        let policy = crate::support::policy("symmetric", "shop");
        let says = || {
            let mut validator = maker();
            assert_eq!(validator.configure(&policy), Ok(Configured::Ready));
            validator.validate(&Token::new("x"), NumericDate(7))
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8).map(|_| scope.spawn(|| [says(), says(), says(), says()])).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        let last = says();
        let end_them = || {
            let pids = std::fs::read_to_string(folder.path().join("pids")).unwrap();
            let _ = std::process::Command::new("kill").args(pids.lines()).status();
        };
        end_them();
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Verdict::Reject(_)))), "{answers:?}");
        assert!(matches!(&last, Err(Fault::Gone(why)) if why.contains("holds 64 pipes open")), "{last:?}");
        // When those are gone it could be shown the next one.
        let again = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            says().is_ok()
        });
        end_them();
        assert!(again);
    }

    #[test]
    fn what_an_argument_cannot_hold_is_not_presented() {
        let folder = tempfile::tempdir().unwrap();
        let mut validator = validator(folder.path(), "exit 1", 20_000);
        assert!(validator.cannot_carry(&Token::new("a\0b")).is_some());
        assert!(validator.cannot_carry(&Token::new("a".repeat(200_000))).is_some());
        // What is longer only together with the others is found out by trying.
        let path = folder.path().join("check");
        let told = |line: &str| {
            let program = Program::parse(&format!("{} {line} {{policy-file}}", path.display())).unwrap();
            let mut validator = Template::new(program).unwrap().maker()();
            assert_eq!(validator.configure(&crate::support::policy("symmetric", "shop")), Ok(Configured::Ready));
            validator
        };
        let half = Token::new("a".repeat(70_000));
        assert_eq!(validator.cannot_carry(&half), None);
        assert!(told("{token}.{token}").cannot_carry(&half).is_some());
        let mut many = told(&"{token} ".repeat(200));
        assert_eq!(many.cannot_carry(&half), None);
        assert!(matches!(many.validate(&half, NumericDate(7)), Err(Fault::Unjudged(why)) if why.contains("longer")));
        let odd = Token::new([0xff, 0xfe]);
        assert_eq!(validator.cannot_carry(&odd), None);
        assert!(matches!(validator.validate(&odd, NumericDate(7)), Ok(Verdict::Reject(_))));
    }

    #[test]
    fn on_the_command_line_it_needs_a_party_and_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = scripted(folder.path(), "exit 1");
        let whole = format!("{} {{token}} {{policy-file}} {{now}}", path.display());
        for (command, more, why) in [
            (whole.as_str(), &["--world", "symmetric"][..], "choose with --party, as --party shop or ward or depot"),
            ("true {token}", &[], "no argument has {policy-file} in it"),
            ("wrongkey-no-such-program {token} {policy-file}", &[], "there is no such program"),
        ] {
            let ran = run(&[&["test", "--command", command], more].concat());
            ends(&ran, 2);
            assert!(ran.err.contains(why), "{}", ran.err);
            assert!(!written(&ran));
        }
        let ran = run(&["test", "--command", &whole, "--world", "symmetric", "--party", "depot", "--only", "TM-01"]);
        ends(&ran, 3);
        assert!(ran.out.contains("honest tokens were refused"), "{}", ran.out);
    }
}

/// A run that is interrupted, once or twice, leaves no process behind, nor any that its adapter has started.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_behind_after_an_interrupt() {
    use std::process::{Command, Stdio};
    for times in [1, 2] {
        let place = tempfile::tempdir().unwrap();
        let (pids, child) = (place.path().join("pids"), place.path().join("child"));
        let exec = line(&format!("sound 'counts={}' 'child={}'", pids.display(), child.display()));
        let mut run = Command::new(assert_cmd::cargo::cargo_bin("wrongkey"))
            .current_dir(place.path())
            .args(["test", "--exec", &exec, "--world", "two-issuers", "--random", "1000000", "--jobs", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = || std::fs::read_to_string(&pids).unwrap_or_default().lines().count();
        // Both workers are at work, after the process of the conformance run.
        while started() < 2 {
            assert!(run.try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        for _ in 0..times {
            assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
        }
        assert_eq!(run.wait().unwrap().code(), Some(130));
        let all = std::fs::read_to_string(&pids).unwrap() + &std::fs::read_to_string(&child).unwrap();
        for pid in all.lines() {
            let seen = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
            let state = String::from_utf8(seen.stdout).unwrap();
            assert!(state.trim().is_empty() || state.trim().starts_with('Z'), "{pid} is there: {state}");
        }
    }
}
