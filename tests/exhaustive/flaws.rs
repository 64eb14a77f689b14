//! A mistake on any one axis is found, and blamed on the rule that it breaks; where there is no mistake nothing is found.

use super::{by_name, world};
use crate::common::NOW;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use wrongkey::campaign::{Outcome, Phase, Plan, Progress, Selection, Stream, run};
use wrongkey::finding::Kind;
use wrongkey::generate::Exhaustive;
use wrongkey::jose::{NumericDate, Token, decode_base64url};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::rule::Rule;
use wrongkey::scenario::Step;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::{Configured, Description, Fault, Maker, Validator, Verdict, reference};
use wrongkey::world::World;

/// Small worlds with a value or two on every axis, whose whole core is run here without optimisation. That of the shipped
/// worlds is run optimised, by `.ci/run`.
static NARROW: LazyLock<[Arc<World>; 2]> = LazyLock::new(|| [world("narrow"), world("narrow-tenants")]);

/// A campaign of the baseline and the exhaustive core, with no class of the catalogue.
fn plan(worlds: &[Arc<World>], key_sources: &[KeySource], jobs: usize) -> Plan {
    let key_sources = key_sources.to_vec();
    let selection = Selection { key_sources, classes: Arc::new(|_| false), ..Selection::default() };
    let core = Exhaustive::of(worlds, |site| selection.takes(&site.party.alias, site.key_source));
    let stream = Arc::new(Stream::new(worlds, &selection, Vec::new(), 0, 0).with_exhaustive(core));
    Plan { worlds: worlds.to_vec(), stream, now: NOW, jobs, timeout: Duration::from_secs(10), max_findings: 200 }
}

fn campaign(maker: &Maker, plan: &Plan) -> Outcome {
    run(plan, maker, &Arc::new(Progress::default()), &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}

/// For each axis mistakes that make a validator blind to it, with the rule that is then broken alone.
const ON_ONE_AXIS: &[(&str, Flaw, Rule)] = &[
    ("signing key", Flaw::SignatureOnlyOverMergedKeys, Rule::KeyBelongsToIssuer),
    ("claimed issuer", Flaw::IssuerByKey, Rule::IssuerTrusted),
    ("tenant", Flaw::TenantAllowListIgnored, Rule::TenantAdmitted),
    ("tenant", Flaw::TenantMismatchIgnored, Rule::TenantAdmitted),
    ("audience", Flaw::AudienceIgnored, Rule::AudienceIncludesUs),
    ("audience", Flaw::AudienceOptional, Rule::RequiredClaimsPresent),
    ("alg", Flaw::AlgorithmFromHeader, Rule::AlgorithmAllowed),
    ("alg", Flaw::AcceptsNone, Rule::SignatureMatches),
    ("alg", Flaw::UnsignedIfEmpty, Rule::SignatureMatches),
    ("kid", Flaw::ConvergedByKid, Rule::KeyBelongsToIssuer),
    ("kid", Flaw::KidCacheAcrossIssuers, Rule::KeyBelongsToIssuer),
    ("key status", Flaw::RefreshAppends, Rule::KeyInService),
    ("key status", Flaw::DisabledIssuerTrusted, Rule::KeyInService),
    ("key status", Flaw::LifetimeIgnored, Rule::KeyLifetimeHonoured),
];

#[test]
fn a_mistake_on_any_one_axis_is_found_and_blamed_on_the_rule_that_it_breaks() {
    let [narrow, tenants] = &*NARROW;
    let axes: BTreeSet<&str> =
        plan(&*NARROW, &[], 1).stream.exhaustive().cores()[0].axes().iter().map(|axis| axis.name).collect();
    for (axis, flaw, rule) in ON_ONE_AXIS {
        assert!(axes.contains(axis), "there is no axis {axis}");
        let world = if *axis == "tenant" { tenants } else { narrow };
        let source = if *flaw == Flaw::ConvergedByKid { KeySource::Converged } else { KeySource::PerIssuer };
        let outcome = campaign(&flawed::maker(Some(*flaw)), &plan(std::slice::from_ref(world), &[source], 2));
        assert!(outcome.tally.baseline_held(), "{}", flaw.name());
        let blamed: Vec<_> = outcome.findings.iter().map(|finding| (finding.kind, &finding.rules)).collect();
        let wanted = BTreeSet::from([*rule]);
        let found = outcome.findings.iter().find(|f| f.kind == Kind::FalseAccept && f.rules == wanted && f.reproduced);
        let found = found.unwrap_or_else(|| panic!("{} ({axis}): no finding of {rule} but {blamed:?}", flaw.name()));
        assert!(found.twin.is_some(), "{}", flaw.name());
        assert!(outcome.tally.cores[&world.name].rules[rule].accepted > 0, "{}", flaw.name());
    }
    // Every axis but where a token is shown, which each of them has.
    let named: BTreeSet<&str> = ON_ONE_AXIS.iter().map(|row| row.0).collect();
    assert_eq!(axes.difference(&named).copied().collect::<Vec<_>>(), ["relying party and key source"]);
}

#[test]
fn a_public_text_as_a_secret_is_found() {
    let outcome =
        campaign(&flawed::maker(Some(Flaw::HmacOverPublicPem)), &plan(&NARROW[..1], &[KeySource::PerIssuer], 2));
    let blamed: BTreeSet<Rule> = outcome.findings.iter().flat_map(|finding| finding.rules.iter().copied()).collect();
    assert_eq!(blamed, BTreeSet::from([Rule::AlgorithmAllowed, Rule::KeyBelongsToIssuer]));
}

fn sound() -> [(&'static str, Maker); 2] {
    [("reference", reference::maker()), ("sound", flawed::maker(None))]
}

#[test]
fn where_nothing_is_wrong_nothing_is_found_and_every_rule_of_the_bound_has_evidence() {
    let plan = plan(&*NARROW, &[], 2);
    for (name, maker) in sound() {
        let outcome = campaign(&maker, &plan);
        let findings: Vec<_> = outcome.findings.iter().map(|f| (&f.origin, f.scenario.to_json(), &f.answer)).collect();
        assert!(findings.is_empty(), "{name}: {findings:?}");
        assert!(outcome.unplayable.is_empty(), "{name}: {:?}", outcome.unplayable);
        assert!(outcome.tally.closed_badly.is_empty(), "{name}: {:?}", outcome.tally.closed_badly);
        for core in plan.stream.exhaustive().cores() {
            let seen = &outcome.tally.cores[&core.world().name].seen;
            let skipped: u64 = seen.skipped.values().sum();
            assert_eq!(seen.presented + skipped, core.presentations() as u64, "{name}");
            assert!(seen.accepted > 0 && seen.several > 0, "{name}");
            let tally = &outcome.tally.cores[&core.world().name];
            for (rule, counts) in &tally.rules {
                // Each is shown at two sources of keys or to two parties, or in one way only.
                let distinct = tally.distinct[rule].len() as u64;
                assert!(0 < distinct && distinct <= counts.alone, "{name} {rule}: {distinct} of {}", counts.alone);
            }
            let alone: u64 = tally.rules.values().map(|counts| counts.alone).sum();
            let distinct: usize = tally.distinct.values().map(BTreeSet::len).sum();
            assert!((distinct as u64) < alone, "{name}: some are shown more than once");
        }
        for rule in [
            Rule::SignatureMatches,
            Rule::KeyBelongsToIssuer,
            Rule::KeyInService,
            Rule::KeyLifetimeHonoured,
            Rule::IssuerTrusted,
            Rule::TenantAdmitted,
            Rule::AlgorithmAllowed,
            Rule::AudienceIncludesUs,
            Rule::RequiredClaimsPresent,
        ] {
            let of_cores = outcome.tally.cores.values().filter_map(|core| core.rules.get(&rule));
            let (alone, confirmed, accepted) =
                of_cores.fold((0, 0, 0), |sum, one| (sum.0 + one.alone, sum.1 + one.confirmed, sum.2 + one.accepted));
            assert!(confirmed > 0, "{name}: {rule} has no evidence in {alone}");
            assert_eq!(accepted, 0, "{name}: {rule}");
        }
    }
}

/// A sound validator until its trust has changed at work and it has accepted a token after that: from then on it takes what
/// no key has signed, where the token names none.
struct Softened {
    inner: Box<dyn Validator>,
    told: usize,
    soft: bool,
}

impl Validator for Softened {
    fn describe(&self) -> Description {
        Description { name: "softened".to_owned(), ..self.inner.describe() }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        (self.told, self.soft) = (self.told + 1, false);
        self.inner.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let verdict = self.inner.validate(token, now)?;
        let header = String::from_utf8_lossy(token.as_bytes()).split('.').next().and_then(decode_base64url);
        let named = header.is_some_and(|header| String::from_utf8_lossy(&header).contains("\"kid\""));
        if self.soft && !named && matches!(&verdict, Verdict::Reject(why) if why == "the signature does not match") {
            return Ok(Verdict::Accept { identity: None, key: None });
        }
        self.soft |= self.told > 1 && verdict.accepted();
        Ok(verdict)
    }
}

#[test]
fn the_honest_token_that_opens_a_changed_door_is_part_of_what_is_shown_again() {
    let maker: Maker = Arc::new(|| Box::new(Softened { inner: flawed::maker(None)(), told: 0, soft: false }));
    let outcome = campaign(&maker, &plan(&NARROW[..1], &[KeySource::PerIssuer], 2));
    let finding = outcome.findings.first().expect("it is found");
    assert!(finding.reproduced, "{}", finding.scenario.to_json());
    // What changed, an honest token, and one that is taken because of it.
    let kinds: Vec<&str> = finding.scenario.steps.iter().map(Step::kind).collect();
    assert_eq!(kinds[kinds.len() - 2..], ["present", "present"], "{}", finding.scenario.to_json());
    assert!(finding.scenario.presents().next().is_some_and(|(_, present)| present.acts.is_empty()));
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let flaw = flawed::maker(Some(Flaw::SignatureOnlyOverMergedKeys));
    let one = campaign(&flaw, &plan(&NARROW[1..], &[], 1));
    let three = campaign(&flaw, &plan(&NARROW[1..], &[], 3));
    let told = |outcome: &Outcome| {
        let findings: Vec<_> = outcome.findings.iter().map(|f| (f.origin.clone(), f.token.clone(), f.count)).collect();
        (findings, format!("{:?}", outcome.tally))
    };
    assert_eq!(told(&one), told(&three));
    assert!(!one.findings.is_empty());
}

#[test]
fn the_core_stands_between_the_catalogue_and_the_random_scenarios() {
    let worlds = vec![by_name("two-issuers")];
    let core = Exhaustive::of(&worlds, |site| site.party.alias == "api");
    let count = core.len();
    let plain = Stream::new(&worlds, &Selection::default(), Vec::new(), 3, 0);
    let whole = Stream::new(&worlds, &Selection::default(), Vec::new(), 3, 0).with_exhaustive(core);
    assert_eq!(whole.len(), plain.len() + count);
    let fixed = plain.len() - 3;
    assert!(matches!(whole.phase_of(fixed - 1), Phase::Catalogue(_)));
    assert_eq!(whole.phase_of(fixed), Phase::Exhaustive);
    assert_eq!(whole.phase_of(fixed + count - 1), Phase::Exhaustive);
    assert_eq!(whole.phase_of(fixed + count), Phase::Random);
    assert_eq!(whole.nth(fixed + count).scenario, plain.nth(fixed).scenario);
    for index in [0, fixed, fixed + count / 2, fixed + count] {
        assert_eq!(whole.nth(index).phase, whole.phase_of(index));
    }
}
