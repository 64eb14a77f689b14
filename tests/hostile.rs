//! Validators that misbehave in every way but the intended one: they can neither crash, hang, blind nor deceive a campaign.

mod common;

use common::{NOW, worlds};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, quiet_panics, replay, run};
use wrongkey::error::Error;
use wrongkey::finding::Kind;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::reference::Reference;
use wrongkey::validator::{Clock, Configured, Description, Fault, Maker, Validator, Verdict};

/// A validator made of three closures around the reference.
struct Odd {
    reference: Reference,
    configure: fn(&mut Reference, &TrustPolicy) -> Result<Configured, Fault>,
    validate: fn(&mut Reference, &Token, NumericDate) -> Result<Verdict, Fault>,
    #[expect(dead_code, reason = "it acts when it is dropped")]
    bomb: Bomb,
}

/// Panics when it is dropped, if it is armed.
#[derive(Default)]
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "not without a fight");
    }
}

impl Default for Odd {
    fn default() -> Self {
        Odd {
            reference: Reference::default(),
            configure: |reference, policy| reference.configure(policy),
            validate: |reference, token, now| reference.validate(token, now),
            bomb: Bomb::default(),
        }
    }
}

impl Validator for Odd {
    fn describe(&self) -> Description {
        Description::new("odd", "1", Clock::Settable)
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        (self.configure)(&mut self.reference, policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        (self.validate)(&mut self.reference, token, now)
    }
}

fn plan() -> Plan {
    let worlds: Vec<_> = worlds().into_iter().filter(|world| world.name == "two-issuers").collect();
    let selection = Selection {
        parties: vec!["api".to_owned()],
        // What is only sequences may come to be a chunk of its own, in which no honest token stands around anything.
        classes: Arc::new(|class| {
            ["KS", "TM", "IA"].contains(&&class.id[..2]) && !["TM-14", "TM-15"].contains(&class.id)
        }),
        ..Selection::default()
    };
    let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), 0, 0));
    Plan { worlds, stream, now: NOW, jobs: 2, timeout: Duration::from_millis(150), max_findings: 50 }
}

fn judge(maker: &Maker) -> Result<Outcome, Error> {
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(quiet_panics);
    run(&plan(), maker, &Arc::new(Progress::default()), &mut || {})
}

fn outcome(make: fn() -> Odd) -> Outcome {
    let maker: Maker = Arc::new(move || Box::new(make()));
    judge(&maker).unwrap()
}

#[test]
fn the_reference_behind_closures_is_clean() {
    let outcome = outcome(Odd::default);
    assert!(outcome.findings.is_empty() && outcome.tally.baseline_held());
    assert!(outcome.tally.rules_without_evidence().is_empty());
    assert!(outcome.tally.presented > 40, "{}", outcome.tally.presented);
}

#[test]
fn a_panic_in_configure_is_a_fault_and_no_skip() {
    let outcome = outcome(|| Odd { configure: |_, _| panic!("no such policy"), ..Odd::default() });
    assert!(!outcome.tally.baseline_held());
    assert!(outcome.tally.faults > 40 && outcome.tally.sites_skipped.is_empty());
    assert!(outcome.findings.iter().any(|f| f.kind == Kind::Fault && f.answer.contains("no such policy")));
}

#[test]
fn a_panic_when_dropped_harms_nobody() {
    let outcome = outcome(|| Odd { bomb: Bomb(true), ..Odd::default() });
    assert!(outcome.findings.is_empty() && outcome.tally.baseline_held());
}

#[test]
fn a_hang_in_configure_is_left_behind() {
    let outcome = outcome(|| Odd {
        configure: |_, _| loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        ..Odd::default()
    });
    assert!(outcome.broken_off && !outcome.tally.baseline_held());
    assert!(outcome.findings.iter().any(|f| f.kind == Kind::Fault && f.answer.contains("150 ms")));
}

#[test]
fn a_validator_that_panics_or_hangs_when_it_is_made_is_told_so() {
    let panics: Maker = Arc::new(|| panic!("not today"));
    let panics = judge(&panics);
    assert!(panics.unwrap_err().to_string().contains("panics or hangs when it is made"));
    let hangs: Maker = Arc::new(|| {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    });
    let hangs = judge(&hangs);
    assert!(hangs.unwrap_err().to_string().contains("panics or hangs when it is made"));
}

#[test]
fn a_leak_is_found_at_whichever_answer_of_an_instance_it_shows() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    static LEAKS_AT: AtomicU32 = AtomicU32::new(0);
    let plan = Plan { jobs: 1, max_findings: 1, ..plan() };
    let kinds_where = |at: u32| {
        LEAKS_AT.store(at, Ordering::Relaxed);
        ASKED.store(0, Ordering::Relaxed);
        let maker: Maker = Arc::new(|| {
            Box::new(Odd {
                validate: |reference, token, now| {
                    let is_it = ASKED.fetch_add(1, Ordering::Relaxed) == LEAKS_AT.load(Ordering::Relaxed);
                    if is_it { Err(Fault::Leak) } else { reference.validate(token, now) }
                },
                ..Odd::default()
            })
        });
        let outcome = run(&plan, &maker, &Arc::new(Progress::default()), &mut || {}).unwrap();
        outcome.findings.iter().map(|finding| finding.kind).collect::<Vec<Kind>>()
    };
    assert_eq!(kinds_where(u32::MAX), []);
    // The honest token at the end is the last that it was asked about.
    for at in [0, 1, 7, ASKED.load(Ordering::Relaxed) - 1] {
        assert_eq!(kinds_where(at), [Kind::Leak], "{at}");
    }
}

#[test]
fn a_skip_of_what_it_said_it_can_judge_is_a_fault() {
    let outcome = outcome(|| Odd { validate: |_, _, _| Ok(Verdict::Skip("busy".to_owned())), ..Odd::default() });
    assert!(outcome.tally.faults > 40);
    assert!(!outcome.tally.baseline_held());
}

#[test]
fn a_policy_that_it_skips_proves_nothing() {
    let outcome = outcome(|| Odd { configure: |_, _| Ok(Configured::Skip("not mine".to_owned())), ..Odd::default() });
    assert!(!outcome.tally.baseline_held() && outcome.tally.presented == 0);
    assert!(outcome.tally.sites_skipped.values().all(|reason| reason == "not mine"));
}

#[test]
fn megabytes_and_escape_sequences_in_an_answer_are_bounded_and_tamed() {
    let outcome = outcome(|| Odd {
        validate: |_, _, _| Ok(Verdict::Reject("\u{1b}]0;owned\u{7}<script>\u{202e}".repeat(100_000))),
        ..Odd::default()
    });
    let text = serde_json::to_string(&outcome.findings).unwrap();
    assert!(!outcome.findings.is_empty() && text.len() < 200_000, "{}", text.len());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("\\u001b"));
    let failure = &outcome.tally.baseline_failures[0];
    assert!(failure.answer.len() < 4_000 && !failure.answer.contains('\u{1b}'));
}

#[test]
fn whoever_stops_accepting_in_the_middle_does_not_look_clean() {
    static SHOWN: AtomicU32 = AtomicU32::new(0);
    let outcome = outcome(|| Odd {
        validate: |reference, token, now| {
            if SHOWN.fetch_add(1, Ordering::Relaxed) > 30 {
                return Ok(Verdict::Reject("locked".to_owned()));
            }
            reference.validate(token, now)
        },
        ..Odd::default()
    });
    assert!(!outcome.tally.closed_badly.is_empty(), "the closing honest token was refused");
    assert!(outcome.tally.rules.values().all(|tally| tally.confirmed == 0), "{:?}", outcome.tally.rules);
}

#[test]
fn an_accept_without_identity_is_counted_as_a_gap() {
    let outcome = outcome(|| Odd {
        validate: |reference, token, now| {
            let verdict = reference.validate(token, now)?;
            Ok(if verdict.accepted() { Verdict::Accept { identity: None, key: None } } else { verdict })
        },
        ..Odd::default()
    });
    assert!(outcome.findings.is_empty());
    assert!(outcome.tally.unidentified > 0);
}

#[test]
fn relying_on_another_key_than_the_signers_is_a_finding() {
    let outcome = outcome(|| Odd {
        validate: |reference, token, now| {
            Ok(match reference.validate(token, now)? {
                Verdict::Accept { identity, .. } => Verdict::Accept { identity, key: Some("another".to_owned()) },
                reject => reject,
            })
        },
        ..Odd::default()
    });
    assert!(outcome.findings.iter().any(|f| f.kind == Kind::WrongIdentity && f.answer.contains("another")));
}

/// Knows the first issuer that it is told alone.
fn narrow_minded() -> Maker {
    Arc::new(|| {
        Box::new(Odd {
            configure: |reference, policy| {
                let mut first = policy.clone();
                first.issuers.truncate(1);
                reference.configure(&first)
            },
            ..Odd::default()
        })
    })
}

#[test]
fn what_is_wrong_in_one_order_of_the_policy_alone_is_wrong_when_it_is_replayed() {
    let honest = |issuer: &str| {
        let text = format!(
            r#"{{"scenario":1,"world":"two-issuers","party":"api","honest":{{"issuer":"{issuer}"}},"acts":[]}}"#
        );
        wrongkey::scenario::Scenario::from_json(text.as_bytes()).unwrap()
    };
    let wrong = |maker: &Maker, issuer: &str| {
        let replayed = replay(&worlds(), maker, &honest(issuer), NOW, Duration::from_secs(5)).unwrap();
        replayed.cases.iter().any(|case| case.wrong().is_some_and(|(kind, _)| kind == Kind::FalseReject))
    };
    for issuer in ["a", "b"] {
        assert!(wrong(&narrow_minded(), issuer), "{issuer}");
        assert!(!wrong(&wrongkey::validator::reference::maker(), issuer), "{issuer}");
    }
    // In a campaign the honest tokens say so, and every finding can be seen again.
    let outcome = judge(&narrow_minded()).unwrap();
    assert!(!outcome.findings.is_empty());
    for finding in &outcome.findings {
        assert!(finding.reproduced, "{}", finding.origin);
    }
}
