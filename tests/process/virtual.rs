//! Many validators in one process: each is what it would be alone.

use crate::common::shared_worlds;
use crate::support::{adapter, honest_tokens, policy, program, words};
use std::sync::{Arc, Mutex};
use wrongkey::policy::{Replay, TrustPolicy};
use wrongkey::validator::process::{Adapter, Trace};
use wrongkey::validator::{Configured, Validator as _};

/// The lines that were exchanged, with this sign.
fn traced(arguments: &str) -> (Adapter, impl Fn(&str) -> Vec<String>) {
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let trace: Trace = {
        let kept = Arc::clone(&kept);
        Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()))
    };
    let adapter = Adapter::start(program(arguments), Some(trace)).unwrap();
    let said = move |needle: &str| -> Vec<String> {
        kept.lock().unwrap().iter().filter(|line| line.contains(needle)).cloned().collect()
    };
    (adapter, said)
}

fn refusing_replays() -> TrustPolicy {
    TrustPolicy { replay: Some(Replay::Refuse), ..policy("two-issuers", "api") }
}

#[test]
fn what_one_was_shown_is_not_forgotten_while_another_works() {
    let adapter = adapter("reference");
    let policy = refusing_replays();
    let (mut one, mut other) = (adapter.validator(), adapter.validator());
    assert_eq!(one.configure(&policy), Ok(Configured::Ready));
    assert_eq!(other.configure(&policy), Ok(Configured::Ready));
    let (token, now) = honest_tokens(1).remove(0);
    let answers = [
        one.validate(&token, now),
        other.validate(&token, now),
        one.validate(&token, now),
        other.validate(&token, now),
    ];
    assert_eq!(words(&answers), ["accept", "accept", "reject", "reject"]);
}

#[test]
fn what_one_was_shown_is_not_forgotten_when_its_process_ends() {
    let adapter = adapter("reference crashes");
    let mut validator = adapter.validator();
    assert_eq!(validator.configure(&refusing_replays()), Ok(Configured::Ready));
    let (token, now) = honest_tokens(1).remove(0);
    let (trigger, at) = crate::support::trigger();
    let answers = [validator.validate(&token, now), validator.validate(&trigger, at), validator.validate(&token, now)];
    assert_eq!(words(&answers)[0], "accept");
    assert!(words(&answers)[1].contains("exit status: 3"));
    assert_eq!(words(&answers)[2], "reject");
}

#[test]
fn a_later_policy_changes_the_trust_of_the_one_that_was_told() {
    let (adapter, said) = traced("sound");
    let policy = policy("two-issuers", "api");
    let without = TrustPolicy { issuers: policy.issuers[1..].to_vec(), ..policy.clone() };
    let (mut one, mut other) = (adapter.validator(), adapter.validator());
    assert_eq!(one.configure(&policy), Ok(Configured::Ready));
    let (token, now) = honest_tokens(1).remove(0);
    assert_eq!(words(&[one.validate(&token, now)]), ["accept"]);
    assert_eq!(one.configure(&without), Ok(Configured::Ready));
    assert_eq!(words(&[one.validate(&token, now)]), ["reject"]);
    assert_eq!(other.configure(&policy), Ok(Configured::Ready));
    assert_eq!(words(&[other.validate(&token, now), one.validate(&token, now)]), ["accept", "reject"]);
    let told: Vec<bool> = said("> {\"configure\"").iter().map(|line| line.contains("\"fresh\":true")).collect();
    assert_eq!(told, [true, false, true, true, false]);
}

#[test]
fn a_policy_is_asked_about_once_in_whatever_order_it_stands() {
    let (adapter, said) = traced("sound");
    let policy = policy("two-issuers", "api");
    for order in 0..5 {
        assert_eq!(adapter.validator().configure(&policy.reordered(order)), Ok(Configured::Ready));
    }
    assert_eq!(said("> {\"configure\"").len(), 1);
}

#[test]
fn a_trace_shows_every_line_and_no_secret() {
    let (adapter, said) = traced("sound prints-secret");
    let policy = policy("symmetric", "shop");
    let mut validator = adapter.validator();
    assert_eq!(validator.configure(&policy), Ok(Configured::Ready));
    for (token, now) in crate::support::honest_tokens_of("symmetric", "shop", 2) {
        let _ = validator.validate(&token, now);
    }
    assert_eq!(said("> {\"hello\"").len(), 1);
    assert_eq!(said("< {\"hello\"").len(), 1);
    assert_eq!(said("> {\"validate\"").len(), 2);
    assert!(said("> {\"configure\"")[0].contains("\"k\":\"(secret)\""));
    assert_eq!(said("! debug: key=(secret)").len(), said("! debug").len());
    for secret in policy.secret_octets() {
        for form in wrongkey::policy::secret_forms(secret) {
            assert!(said(&String::from_utf8_lossy(&form)).is_empty());
        }
    }
}

#[test]
fn each_thread_has_a_process_and_leaves_it_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pids");
    let adapter = adapter(&format!("sound 'counts={}'", path.display()));
    let policy = policy("two-issuers", "api");
    let tokens = honest_tokens(3);
    let work = || {
        let mut validator = adapter.validator();
        assert_eq!(validator.configure(&policy), Ok(Configured::Ready));
        words(&validator.validate_all(&tokens))
    };
    let alone = || std::fs::read_to_string(&path).unwrap().lines().count();
    // Whoever comes after another takes over its process. (The end of a thread is seen once its last act is done.)
    for _ in 0..4 {
        std::thread::scope(|scope| {
            let thread = scope.spawn(work);
            assert_eq!(thread.join().unwrap(), ["accept"; 3]);
        });
    }
    assert_eq!(alone(), 1);
    let barrier = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                assert_eq!(work(), ["accept"; 3]);
                barrier.wait();
            });
        }
    });
    assert_eq!(alone(), 3);
}

/// What the shipped validators answer to catalogue scenarios, here and in another process.
#[test]
fn a_process_answers_what_its_validator_answers() {
    use wrongkey::generate::classes;
    for name in ["sound", "flawed-type-ignored"] {
        let there = adapter(name).maker();
        let flaw = wrongkey::validator::flawed::Flaw::ALL.iter().copied();
        let here =
            wrongkey::validator::flawed::maker(flaw.into_iter().find(|flaw| format!("flawed-{}", flaw.name()) == name));
        let world = shared_worlds().into_iter().find(|world| world.name == "two-issuers").unwrap();
        let mut compared = 0;
        for party in &world.parties {
            let site = wrongkey::generate::Site { world: &world, party, key_source: party.key_sources[0] };
            for scenario in classes().iter().step_by(7).flat_map(|class| class.scenarios(&site)).take(120) {
                let remote = crate::common::judge_all(&there, &scenario);
                let local = crate::common::judge_all(&here, &scenario);
                assert_eq!(remote.len(), local.len());
                for (remote, local) in remote.iter().zip(&local) {
                    assert_eq!(remote.verdict, local.verdict, "{}", scenario.to_json());
                    compared += 1;
                }
            }
        }
        assert!(compared > 50, "{compared}");
    }
}
