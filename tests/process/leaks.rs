//! Secrets in an adapter's log, and at whose door they are laid when many are in flight.

use crate::support::{adapter, counted, honest_tokens_of, policy, trigger, words};
use wrongkey::policy::Replay;
use wrongkey::validator::{Configured, Fault, Validator as _};

/// Where the trigger stands among the tokens.
const AT: usize = 17;

/// Shows forty honest tokens and the trigger together; what came of each, and what nobody caused.
fn shown(arguments: &str, replay: Option<Replay>) -> (Vec<String>, Vec<Fault>) {
    let mut policy = policy("symmetric", "shop");
    policy.replay = replay;
    let mut validator = adapter(arguments).validator();
    assert_eq!(validator.configure(&policy), Ok(Configured::Ready));
    let mut tokens = honest_tokens_of("symmetric", "shop", 40);
    tokens.insert(AT, trigger());
    (words(&validator.validate_all(&tokens)), validator.mishaps())
}

/// The places of the tokens that leak; all others were judged.
#[track_caller]
fn leaking(answers: &[String]) -> Vec<usize> {
    let leak = Fault::Leak.to_string();
    for (at, answer) in answers.iter().enumerate().filter(|(_, answer)| **answer != leak) {
        assert_eq!(answer, if at == AT { "reject" } else { "accept" }, "{at}");
    }
    (0..answers.len()).filter(|&at| answers[at] == leak).collect()
}

#[test]
fn the_token_at_which_it_is_printed_is_named_however_many_are_in_flight() {
    for arguments in
        ["sound prints-secret-at-trigger", "sound reversed prints-secret-at-trigger", "sound prints-secret-late"]
    {
        let (answers, mishaps) = shown(arguments, None);
        assert_eq!((leaking(&answers), mishaps), (vec![AT], vec![]), "{arguments}");
    }
}

#[test]
fn where_every_token_does_it_or_the_policy_the_first_one_is_named() {
    for arguments in ["sound prints-secret", "sound reversed prints-secret", "sound prints-secret-when-told"] {
        let (answers, mishaps) = shown(arguments, None);
        assert_eq!((leaking(&answers), mishaps), (vec![0], vec![]), "{arguments}");
    }
}

#[test]
fn where_no_token_may_be_shown_twice_it_is_nobodys() {
    let (answers, mishaps) = shown("sound prints-secret-at-trigger", Some(Replay::Refuse));
    assert_eq!(leaking(&answers), [0_usize; 0]);
    assert!(matches!(&mishaps[..], [Fault::Broken(words)] if words.contains("a secret of its own policy in its log")));
}

/// What it has seen outlives it: a sound one refuses those that were in flight with what broke it.
#[test]
fn a_refusal_of_what_may_be_a_replay_is_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |replay, name: &str| {
        let seen = folder.path().join(name);
        shown(&format!("sound reversed crashes 'replays={}'", seen.display()), Some(replay))
    };
    let (answers, mishaps) = shown(Replay::Refuse, "refused");
    assert!(answers[AT].contains("exit status: 3"), "{}", answers[AT]);
    assert!(answers[..AT].iter().all(|answer| answer.starts_with("it was not judged: ")), "{answers:?}");
    assert_eq!(counted(&answers[AT + 1..]), [("accept", 40 - AT)].into());
    assert_eq!(mishaps, []);
    // Where replays are allowed a refusal is one.
    let (answers, _) = shown(Replay::Allow, "allowed");
    assert_eq!(counted(&answers[..AT]), [("reject", AT)].into());
}
