//! What a bad adapter does, and at whose door it is laid.

use crate::support::{adapter, counted, honest_tokens, policy, program, trigger, words};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::validator::process::Adapter;
use wrongkey::validator::program::{Program, StartError};
use wrongkey::validator::{Configured, Fault, Validator as _, Verdict};

/// Shows so many honest tokens with the trigger among them; what came of each, and what nobody caused.
fn shown(arguments: &str, count: u64, at: usize) -> (Vec<String>, Vec<Fault>) {
    let adapter = adapter(arguments);
    let mut validator = adapter.validator();
    assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    let mut tokens = honest_tokens(count);
    tokens.insert(at, trigger());
    (words(&validator.validate_all(&tokens)), validator.mishaps())
}

/// The trigger alone gets a fault in which this stands; every other token is accepted.
#[track_caller]
fn only_the_trigger_is_to_blame(arguments: &str, words_of_fault: &str) {
    let (answers, mishaps) = shown(arguments, 150, 70);
    assert!(answers[70].contains(words_of_fault), "{arguments}: {}", answers[70]);
    let others: Vec<String> = answers.iter().enumerate().filter(|(at, _)| *at != 70).map(|(_, a)| a.clone()).collect();
    assert_eq!(counted(&others), [("accept", 150)].into(), "{arguments}");
    assert_eq!(mishaps, [], "{arguments}");
}

#[test]
fn a_good_adapter_answers_each_token() {
    let (answers, mishaps) = shown("sound", 150, 70);
    assert_eq!(counted(&answers), [("accept", 150), ("reject", 1)].into());
    assert_eq!(answers[70], "reject");
    assert_eq!(mishaps, []);
}

#[test]
fn answers_in_any_order_find_their_tokens() {
    let (answers, mishaps) = shown("sound reversed", 150, 70);
    assert_eq!(answers[70], "reject");
    assert_eq!(counted(&answers), [("accept", 150), ("reject", 1)].into());
    assert_eq!(mishaps, []);
}

#[test]
fn one_that_hangs_is_named() {
    only_the_trigger_is_to_blame("sound hangs", "did not answer within 2500 ms");
    let (answers, _) = shown("sound logs hangs", 3, 1);
    assert!(answers[1].contains("did not answer within 2500 ms; its log ends: frame "), "{}", answers[1]);
    assert!(answers[1].contains(" | frame 399 of "), "{}", answers[1]);
}

#[test]
fn one_that_gets_no_answer_is_named() {
    only_the_trigger_is_to_blame("sound no-answer", "did not answer within 2500 ms");
}

#[test]
fn one_that_crashes_it_is_named_with_how_it_ended_and_its_log() {
    only_the_trigger_is_to_blame("sound crashes", "(exit status: 3); its log ends: segmentation fault, so to speak");
}

#[test]
fn one_behind_others_without_an_answer_is_named_and_not_these() {
    // What it was asked before it has answered by then, and said nothing of it.
    only_the_trigger_is_to_blame("sound reversed crashes", "(exit status: 3)");
}

#[test]
fn one_that_has_garbage_printed_is_named() {
    only_the_trigger_is_to_blame("sound garbage", "it printed what is no answer: Traceback");
}

#[test]
fn one_that_is_answered_twice_is_named() {
    only_the_trigger_is_to_blame("sound twice", "a second time");
}

#[test]
fn one_whose_answer_has_another_id_is_named() {
    only_the_trigger_is_to_blame("sound unknown-id", "a request that is not in flight");
}

#[test]
fn one_with_an_endless_answer_is_named_and_takes_no_memory() {
    only_the_trigger_is_to_blame("sound endless", "a line of more than 1048576 octets");
}

#[test]
fn a_flood_of_its_log_stops_nobody() {
    let (answers, mishaps) = shown("sound floods", 20, 3);
    assert_eq!(counted(&answers), [("accept", 20), ("reject", 1)].into());
    assert_eq!(mishaps, []);
}

#[test]
fn closed_output_is_as_good_as_an_end() {
    let hello = r#"{"hello":{"protocol":1,"name":"n","version":"1","clock":"system","key_sources":["per-issuer"]}}"#;
    let script =
        format!("read l; echo '{hello}'; read l; echo '{{\"id\":0,\"ok\":true}}'; read l; exec 1>&-; exec sleep 1000");
    let program = Program { args: vec!["-c".to_owned(), script], ..Program::parse("sh").unwrap() };
    let mut validator = Adapter::start(program, None).unwrap().validator();
    assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    let (token, now) = trigger();
    let fault = validator.validate(&token, now).unwrap_err().to_string();
    assert!(fault.contains("it ended, or closed its standard output"), "{fault}");
}

#[test]
fn what_no_token_causes_is_told_apart_with_the_lines_before() {
    // It dies after forty answers, whatever it is shown.
    let (answers, mishaps) = shown("sound crashes-later", 100, 70);
    assert_eq!(counted(&answers), [("accept", 100), ("reject", 1)].into());
    assert!(!mishaps.is_empty());
    for mishap in mishaps {
        let text = mishap.to_string();
        assert!(text.contains("(exit status: 5)") && text.contains("the lines before: "), "{text}");
        assert_eq!(text.matches("it gave no answer").count(), 1, "{text}");
    }
}

#[test]
fn one_that_does_not_come_back_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("dead");
    let adapter = adapter(&format!("sound 'dies-after={}'", mark.display()));
    let mut validator = adapter.validator();
    assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    let mut tokens = honest_tokens(6);
    tokens.insert(2, trigger());
    let mut answers = words(&validator.validate_all(&tokens[..3]));
    answers.extend(words(&validator.validate_all(&tokens[3..])));
    assert_eq!(answers[..3], ["accept", "accept", "reject"]);
    assert!(answers[3..].iter().all(|answer| answer.contains("it does not start any more")), "{answers:?}");
    assert!(adapter.validator().configure(&policy("two-issuers", "api")).is_ok(), "that answer is known");
    assert!(matches!(validator.validate(&tokens[0].0, tokens[0].1), Err(Fault::Gone(_))));
}

#[test]
fn one_that_gives_no_verdict_at_all_is_gone_in_the_end() {
    let adapter = adapter("sound crashes");
    let mut validator = adapter.validator();
    assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    let answers = words(&validator.validate_all(&vec![trigger(); 40]));
    assert!(answers[0].contains("exit status: 3"), "{}", answers[0]);
    assert!(answers[39].contains("it was started 32 times and gave no verdict"), "{}", answers[39]);
}

#[test]
fn what_says_no_hello_says_why() {
    let why = |arguments: &str, patience: u64| {
        let program = Program { patience: Duration::from_millis(patience), ..program(arguments) };
        match Adapter::start(program, None) {
            Err(StartError::NoHello { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(why("sound banner", 10_000).contains("printed \"Welcome to the adapter!\" where its hello should be"));
    assert!(why("sound next-protocol", 10_000).contains("speaks protocol version 2"));
    assert!(why("sound silent", 300).contains("said no hello within 0.3 s"));
    assert!(
        why("sound dies", 10_000).contains("ended before it said hello (exit status: 3); its log ends: no such module")
    );
}

#[test]
fn a_policy_that_it_cannot_take_is_a_fault_and_asked_once() {
    let adapter = adapter("sound refuses-policies");
    let policy = policy("two-issuers", "api");
    let fault = adapter.validator().configure(&policy).unwrap_err();
    assert!(fault.to_string().contains("it cannot be configured: no such option, asked 1 times"), "{fault}");
    assert_eq!(adapter.validator().configure(&policy.reordered(3)).unwrap_err(), fault);
}

#[test]
fn a_policy_at_which_it_hangs_or_dies_is_a_fault_that_is_told_once() {
    let hello = r#"{"hello":{"protocol":1,"name":"n","version":"1","clock":"system","key_sources":["per-issuer"]}}"#;
    for (end, words_of_fault) in [("exec sleep 1000", "did not answer within 1000 ms"), ("exit 6", "(exit status: 6)")]
    {
        let args = vec!["-c".to_owned(), format!("read l; echo '{hello}'; read l; {end}")];
        let program = Program { args, patience: Duration::from_secs(1), ..Program::parse("sh").unwrap() };
        let adapter = Adapter::start(program, None).unwrap();
        let policy = policy("two-issuers", "api");
        let mut validator = adapter.validator();
        let fault = validator.configure(&policy).unwrap_err();
        assert!(fault.to_string().contains(words_of_fault), "{fault}");
        let told = validator.mishaps().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(matches!(&told[..], [one] if one.contains(words_of_fault) && one.contains("> configure ")), "{told:?}");
        let mut again = adapter.validator();
        assert_eq!(again.configure(&policy), Err(fault));
        assert_eq!(again.mishaps(), []);
    }
}

#[test]
fn what_it_must_not_print_is_a_leak_wherever_it_stands_and_said_once() {
    let adapter = adapter("sound prints-secret");
    let policy = policy("symmetric", "shop");
    assert!(policy.secret_octets().any(|secret| secret.len() >= 8));
    let tokens = crate::support::honest_tokens_of("symmetric", "shop", 6);
    for _ in 0..2 {
        let mut validator = adapter.validator();
        assert_eq!(validator.configure(&policy), Ok(Configured::Ready));
        let answers: Vec<_> = tokens.iter().map(|(token, now)| validator.validate(token, *now)).collect();
        let leaks = answers.iter().filter(|answer| matches!(answer, Err(Fault::Leak))).count();
        assert_eq!(leaks, 1, "{:?}", words(&answers));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    }
}

#[test]
fn token_text_that_is_not_utf8_arrives() {
    let adapter = adapter("sound echoes");
    let mut validator = adapter.validator();
    assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    for (octets, seen) in [(&[0x61, 0xff, 0xfe][..], "[61, ff, fe]"), (b"\xc3\xa9\n", "[c3, a9, a]"), (b"", "[]")] {
        let answer = validator.validate(&Token::new(octets), NumericDate(0));
        assert_eq!(answer, Ok(Verdict::Reject(seen.to_owned())));
    }
}

#[test]
fn a_line_that_is_too_long_goes_only_to_whom_takes_it() {
    let long = Token::new("a".repeat(1 << 20));
    let (small, large) = (adapter("sound").validator(), adapter("sound large").validator());
    assert!(small.cannot_carry(&long).is_some_and(|why| why.contains("`large`")));
    assert_eq!(small.cannot_carry(&Token::new("a".repeat((1 << 20) - 200))), None);
    assert_eq!(large.cannot_carry(&long), None);
    let mut large = large;
    assert_eq!(large.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    assert_eq!(words(&[large.validate(&long, NumericDate(0))]), ["reject"]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_it_has_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child");
    let stays = |path: &Path| {
        let pid = std::fs::read_to_string(path).unwrap();
        let seen = Command::new("ps").args(["-o", "stat=", "-p", &pid]).output().unwrap();
        let state = String::from_utf8(seen.stdout).unwrap();
        !state.trim().is_empty() && !state.trim().starts_with('Z')
    };
    // After a crash, and at the end.
    for arguments in ["crashes", ""] {
        let adapter = adapter(&format!("sound 'child={}' {arguments}", path.display()));
        let mut validator = adapter.validator();
        assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
        let first = std::fs::read_to_string(&path).unwrap();
        assert!(stays(&path));
        let (token, now) = trigger();
        let _ = validator.validate(&token, now);
        drop((adapter, validator));
        assert!(!stays(&path), "{arguments}");
        std::fs::write(&path, first).unwrap();
        assert!(!stays(&path), "{arguments}");
    }
}

/// What a validator says to the trigger that ends its first lines like this, and answers it so.
fn scripted(end: &str, answer: &str) -> String {
    let hello = r#"{"hello":{"protocol":1,"name":"n","version":"1","clock":"system","key_sources":["per-issuer"]}}"#;
    let script = format!(
        "read l; printf '%s{end}' '{hello}'; read l; printf '%s{end}' '{{\"id\":0,\"ok\":true}}'; read l; {answer}; read l"
    );
    let args = vec!["-c".to_owned(), script];
    let patient = Duration::from_secs(20);
    let program = Program { args, timeout: patient, patience: patient, ..Program::parse("sh").unwrap() };
    let mut validator = Adapter::start(program, None).unwrap().validator();
    assert_eq!(validator.configure(&policy("two-issuers", "api")), Ok(Configured::Ready));
    let (token, now) = trigger();
    words(&[validator.validate(&token, now)]).remove(0)
}

#[test]
fn a_line_may_end_with_a_carriage_return_too() {
    assert_eq!(scripted(r"\r\n", r#"printf '%s\r\n' '{"id":1,"reject":"no"}'"#), "reject");
}

#[test]
fn an_answer_that_is_nested_very_deep_is_a_fault_and_no_crash() {
    let deep = r#"printf '{"id":1,"accept":'; head -c 400000 /dev/zero | tr '\0' '['; echo"#;
    let fault = scripted(r"\n", deep);
    assert!(fault.contains("it printed what is no answer: {\"id\":1,\"accept\":[[["), "{fault}");
}
