//! Validators whose mistake is not that they accept one thing too many: they accept or refuse everything, give no answer, or
//! one that says too much.

use super::{CATALOGUE, SHORT_PATIENCE, campaign, outcome, plan, stream};
use crate::common::{NOW, shared_worlds};
use std::collections::BTreeSet;
use std::sync::Arc;
use wrongkey::campaign::{Outcome, Selection};
use wrongkey::finding::{Finding, Kind};
use wrongkey::forge::Forge;
use wrongkey::generate::Class;
use wrongkey::jose::{encode_base64, encode_base64url};
use wrongkey::policy::KeySource;
use wrongkey::rule::Rule;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::world::Calendar;

/// Every way in which the command would not end clean.
#[cfg(feature = "cli")]
fn exits(outcome: &Outcome) -> Vec<wrongkey::judgement::Exit> {
    use wrongkey::{config::Config, judgement::judge, rule::Severity};
    judge(outcome, &Config::default(), Severity::High, NOW).exits.into_iter().collect()
}

fn confirmed(outcome: &Outcome) -> u64 {
    outcome.tally.rules.values().map(|rule| rule.confirmed).sum()
}

#[test]
fn who_accepts_everything_breaks_every_rule_alone() {
    let outcome = outcome(Flaw::AcceptAll);
    let alone: BTreeSet<Rule> =
        outcome.findings.iter().filter(|f| f.rules.len() == 1).flat_map(|f| f.rules.iter().copied()).collect();
    assert_eq!(alone, Rule::OF_TOKENS.iter().copied().collect());
    assert!(outcome.tally.rules.values().all(|rule| rule.accepted == rule.alone));
    assert_eq!(confirmed(outcome), 0);
}

#[test]
fn who_rejects_everything_has_no_baseline_and_no_evidence() {
    let outcome = outcome(Flaw::RejectAll);
    assert!(!outcome.tally.baseline_held());
    assert_eq!(outcome.tally.baseline_accepted, 0);
    assert_eq!(confirmed(outcome), 0);
    assert!(outcome.findings.iter().all(|finding| finding.kind == Kind::FalseReject));
    assert_eq!(outcome.tally.rules_without_evidence(), Rule::OF_TOKENS);
    #[cfg(feature = "cli")]
    assert_eq!(exits(outcome), [wrongkey::judgement::Exit::Inconclusive]);
}

#[test]
fn who_refuses_tokens_without_kid_gives_no_wrong_answer_and_does_not_pass() {
    let outcome = outcome(Flaw::RefusesNoKid);
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
    assert!(outcome.tally.baseline_held());
    let bare: Vec<_> = outcome.tally.classes_without_evidence().into_iter().map(|(id, _)| id).collect();
    assert!(bare.contains(&"KS-03"), "{bare:?}");
    #[cfg(feature = "cli")]
    assert_eq!(exits(outcome), [wrongkey::judgement::Exit::Inconclusive]);
}

#[test]
fn who_refuses_an_algorithm_that_it_claims_to_know_does_not_pass() {
    let outcome = outcome(Flaw::RefusesPs256);
    assert!(!outcome.tally.baseline_held());
    assert!(outcome.tally.baseline_failures.iter().all(|failure| failure.token.contains("b-ps")));
    assert!(outcome.findings.iter().all(|finding| finding.kind == Kind::FalseReject));
    #[cfg(feature = "cli")]
    assert_eq!(exits(outcome), [wrongkey::judgement::Exit::Inconclusive]);
}

#[test]
fn a_hang_names_its_token_and_too_many_end_the_run() {
    let outcome = outcome(Flaw::HangsOnExpired);
    assert!(outcome.broken_off);
    let [finding] = outcome.findings.as_slice() else { panic!("{:?}", outcome.findings) };
    assert_eq!(finding.kind, Kind::Fault);
    assert!(finding.answer.contains("did not answer within 400 ms"), "{}", finding.answer);
    assert_eq!(finding.token.split('.').count(), 3, "{}", finding.token);
    assert!(finding.classes.contains("TM-01"));
    #[cfg(feature = "cli")]
    assert_eq!(exits(outcome), [wrongkey::judgement::Exit::Faults]);
}

#[test]
fn after_a_hang_the_other_tokens_are_judged() {
    // Few of the tokens on which it stands still, so that the run goes on to its end.
    let few = |class: &Class| !class.id.starts_with("TM-") || ["TM-01", "TM-02", "TM-04", "TM-09"].contains(&class.id);
    let selection =
        Selection { parties: vec!["enterprise-mail".to_owned()], classes: Arc::new(few), ..Selection::default() };
    let stream = Arc::new(stream(&selection, 0));
    let outcome = campaign(&flawed::maker(Some(Flaw::HangsOnExpired)), &plan(&stream, 2, SHORT_PATIENCE));
    assert!(!outcome.broken_off);
    assert!(outcome.findings.iter().all(|finding| finding.kind == Kind::Fault), "{:?}", outcome.findings);
    let class = |id: &str| &outcome.tally.classes[id];
    assert_eq!((class("TM-01").faults, class("TM-02").faults), (2, 1));
    assert_eq!(outcome.tally.faults, 3);
    // What comes later in the catalogue has its evidence all the same.
    for id in ["TM-04", "TM-09", "TY-13", "EN-01", "SG-02"] {
        assert!(class(id).confirmed == class(id).presented && class(id).presented > 0, "{id}: {:?}", class(id));
    }
}

#[test]
fn a_panic_is_a_fault_and_the_other_tokens_are_judged() {
    let outcome = outcome(Flaw::PanicsOnUnknownIssuer);
    assert!(!outcome.broken_off && outcome.tally.baseline_held());
    assert!(outcome.findings.iter().all(|f| f.answer.contains("an issuer that is not in the table")));
    let known: Vec<_> =
        Rule::OF_TOKENS.iter().filter(|rule| ![Rule::IssuerTrusted, Rule::KeyInService].contains(rule)).collect();
    for rule in known {
        assert!(outcome.tally.rules[rule].confirmed > 0, "{rule}");
    }
    #[cfg(feature = "cli")]
    assert!(exits(outcome).contains(&wrongkey::judgement::Exit::Faults));
}

#[test]
fn a_leak_is_found_and_no_finding_holds_the_secret() {
    let outcome = outcome(Flaw::PrintsSecret);
    assert!(!outcome.findings.is_empty());
    let mut secrets = Vec::new();
    for world in shared_worlds() {
        let forge = Forge::new(Arc::clone(&world), Calendar::At(NOW));
        for party in &world.parties {
            let policy = forge.policy(&party.alias, KeySource::PerIssuer);
            secrets.extend(policy.iter().flat_map(|policy| policy.secret_octets()).map(<[u8]>::to_vec));
        }
    }
    assert!(!secrets.is_empty());
    let text = serde_json::to_string(&outcome.findings).unwrap() + &format!("{:?}", outcome.tally);
    for secret in secrets {
        let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
        for spelling in [hex, encode_base64url(&secret), encode_base64(&secret)] {
            assert!(!text.contains(&spelling), "a secret stands in what is kept");
        }
    }
    #[cfg(feature = "cli")]
    assert_eq!(exits(outcome).first(), Some(&wrongkey::judgement::Exit::Findings));
    let conduct = outcome.tally.conduct[&Rule::SecretNotPrinted];
    assert!(conduct.broken > 0 && conduct.broken < conduct.tempted, "{conduct:?}");
    assert!(outcome.findings.iter().all(|finding| finding.rules == [Rule::SecretNotPrinted].into()));
    // It keeps no key waiting: no token breaks a rule of conduct, and none of them lacks evidence.
    assert!(outcome.tally.rules_without_evidence().is_empty());
}

#[test]
fn an_identity_that_depends_on_the_token_before_is_found_with_that_token() {
    let outcome = outcome(Flaw::SwapsSubject);
    let is_sequence = |finding: &Finding| finding.scenario.presents().count() == 2;
    assert!(!outcome.findings.is_empty());
    for finding in &outcome.findings {
        assert_eq!(finding.kind, Kind::WrongIdentity);
        assert!(finding.reproduced && is_sequence(finding), "{}", finding.scenario.to_json());
        assert_eq!(finding.step, 1);
        assert_ne!(finding.answer, finding.lawful);
    }
    // Alone no token shows it: the stream holds single tokens at this point.
    assert!(CATALOGUE.nth(0).scenario.as_single().is_some());
}
