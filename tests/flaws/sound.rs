//! Where nothing is wrong nothing is found, everything has evidence, and the number of workers changes nothing.

use super::{CATALOGUE, PATIENCE, campaign, described, plan, stream};
use std::sync::Arc;
use wrongkey::campaign::{Outcome, Phase, Selection, Stream};
use wrongkey::finding::Kind;
use wrongkey::generate::Class;
use wrongkey::rule::Rule;
use wrongkey::scenario::Act;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::{Maker, recipe, reference};

fn comes_through_clean(maker: &Maker) {
    let outcome = campaign(maker, &plan(&Arc::new(stream(&Selection::default(), 2_000)), 2, PATIENCE));
    assert!(outcome.findings.is_empty(), "{}", described(&outcome.findings));
    assert!(outcome.unplayable.is_empty(), "{:?}", outcome.unplayable);
    let tally = &outcome.tally;
    assert!(tally.baseline_held());
    assert_eq!((tally.wrong, tally.faults), (0, 0));
    assert!(tally.closed_badly.is_empty(), "{:?}", tally.closed_badly);
    for rule in Rule::OF_TOKENS {
        let counts = tally.rules.get(rule).unwrap_or_else(|| panic!("no token broke {rule} alone"));
        assert!(counts.confirmed > 0, "{rule} has no evidence: {counts:?}");
    }
    // A twin with something about it that the standards leave open may be refused; the catalogue has other twins.
    for (id, counts) in tally.classes.iter().filter(|(id, _)| id.as_str() != "random") {
        assert_eq!(counts.inconclusive, 0, "{id}: a lawful twin was refused: {counts:?}");
    }
    assert!(tally.classes_without_evidence().is_empty(), "{:?}", tally.classes_without_evidence());
    #[cfg(feature = "cli")]
    {
        use wrongkey::{config::Config, judgement::judge, rule::Severity};
        let judgement = judge(&outcome, &Config::default(), Severity::Low, crate::common::NOW);
        assert!(judgement.exits.is_empty(), "{judgement:?}");
    }
}

#[test]
fn the_reference_comes_through_clean() {
    comes_through_clean(&reference::maker());
}

#[test]
fn the_validator_without_a_flaw_comes_through_clean() {
    comes_through_clean(&flawed::maker(None));
}

#[cfg(feature = "cli")]
#[test]
fn what_is_found_in_the_sound_recipes_is_waived_with_a_reason_and_every_waiver_is_needed() {
    use wrongkey::judgement::{judge, stale};
    use wrongkey::{clock, config::Config, rule::Severity};
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config::find(None, root).unwrap();
    let mut used = std::collections::BTreeSet::new();
    for recipe in recipe::recipes().into_iter().filter(|recipe| recipe.sound) {
        let outcome = campaign(&(recipe.maker)(), &plan(&CATALOGUE, 2, PATIENCE));
        let judgement = judge(&outcome, &config, Severity::Low, clock::now());
        assert!(judgement.exits.is_empty(), "{}: {judgement:?}\n{}", recipe.name, described(&outcome.findings));
        assert_eq!(judgement.waived.len(), outcome.findings.len(), "{}", recipe.name);
        assert!(stale(&config, &[(&outcome, &judgement)]).is_empty(), "{}", recipe.name);
        let never = [Rule::KeyBelongsToIssuer, Rule::IssuerTrusted, Rule::SignatureMatches];
        for finding in &outcome.findings {
            assert!(never.iter().all(|rule| !finding.rules.contains(rule)), "{}", finding.origin);
        }
        used.extend(judgement.used_waivers);
    }
    // One recipe is there only where OpenSSL is.
    let absent = |text: &str| cfg!(not(feature = "josekit")) && text.contains("validator josekit");
    let waivers = config.waivers.iter().enumerate().filter(|(_, waiver)| !absent(&waiver.text));
    let unused: Vec<_> = waivers.filter(|(at, _)| !used.contains(at)).collect();
    assert!(unused.is_empty(), "{unused:?}");
    assert!(config.waivers.iter().all(|waiver| !waiver.covers_critical_rule()));
}

#[test]
fn every_pooled_recipe_shows_the_cross_issuer_finding_within_fifty_scenarios_and_it_shrinks_to_one_act() {
    // The classes that come first; what else a pool takes is no matter here.
    let first = |class: &Class| class.id.starts_with("storm-0558/") || class.id == "KS-01";
    let selection = Selection { classes: Arc::new(first), ..Selection::default() };
    let stream = Arc::new(stream(&selection, 0));
    for recipe in recipe::recipes().into_iter().filter(|recipe| !recipe.sound) {
        shows_the_cross_issuer_finding(&stream, &campaign(&(recipe.maker)(), &plan(&stream, 2, PATIENCE)));
    }
}

fn shows_the_cross_issuer_finding(stream: &Stream, outcome: &Outcome) {
    let baseline = (0..stream.len()).take_while(|&at| stream.nth(at).phase == Phase::Baseline).count();
    let first = outcome.first_cross_issuer.unwrap();
    assert!((baseline..baseline + 50).contains(&first), "{first} of a stream whose baseline is {baseline}");
    let crossing = |finding: &&wrongkey::finding::Finding| {
        finding.kind == Kind::FalseAccept && finding.rules.iter().eq([&Rule::KeyBelongsToIssuer])
    };
    let finding = outcome.findings.iter().find(crossing).unwrap();
    assert!(finding.reproduced);
    let present = finding.scenario.as_single().unwrap();
    assert!(matches!(present.acts.as_slice(), [Act::SignWith(_)]), "{}", finding.scenario.to_json());
}

/// Everything that a campaign says but how long it took.
fn said(outcome: &Outcome) -> String {
    let Outcome { description, tally, findings, broken_off, interrupted, first_cross_issuer, unplayable, .. } = outcome;
    format!("{description:#?}{tally:#?}{findings:#?}{broken_off}{interrupted}{first_cross_issuer:?}{unplayable:#?}")
}

fn says_the_same_with_one_worker_and_with_two(maker: &Maker, stream: &Arc<Stream>) {
    let [one, two] = [1, 2].map(|jobs| said(&campaign(maker, &plan(stream, jobs, PATIENCE))));
    let differing = one.lines().zip(two.lines()).find(|(one, two)| one != two);
    assert!(one == two, "{differing:?}");
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let stream = Arc::new(stream(&Selection::default(), 600));
    says_the_same_with_one_worker_and_with_two(&flawed::maker(None), &stream);
    // The second one answers by what the tokens before have left behind.
    for flaw in [Flaw::IssuerByPrefix, Flaw::KidCacheAcrossIssuers] {
        says_the_same_with_one_worker_and_with_two(&flawed::maker(Some(flaw)), &stream);
    }
}
