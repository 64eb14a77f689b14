//! The catalogue of attack classes, class by class: what each one makes can be played, does what it says, and together
//! they break every rule alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use wrongkey::forge::{Forge, Move};
use wrongkey::generate::{Class, Site, absent, baseline, catalogue, class, classes};
use wrongkey::jose::NumericDate;
use wrongkey::oracle::{Expectation, Told, expect};
use wrongkey::policy::KeySource;
use wrongkey::rule::Rule;
use wrongkey::scenario::Scenario;
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

const NOW: NumericDate = NumericDate(1_790_000_000);

static FORGES: LazyLock<Vec<Forge>> = LazyLock::new(|| {
    let worlds = World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED));
    let forge = |mut world: Arc<World>| {
        Arc::get_mut(&mut world).expect("nobody else has it yet").let_fetch();
        Forge::new(world, Calendar::At(NOW))
    };
    worlds.map(forge).collect()
});

fn sites() -> Vec<Site<'static>> {
    FORGES.iter().flat_map(|forge| Site::all(forge.world())).collect()
}

/// What the oracle concludes about each presented token, in order.
fn conclusions(scenario: &Scenario) -> Vec<Expectation> {
    let forge = FORGES.iter().find(|forge| forge.world().name == scenario.world).expect("a shipped world");
    let moves = forge.play(scenario, 0).unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_json()));
    let mut told: BTreeMap<String, Vec<(NumericDate, Arc<wrongkey::policy::TrustPolicy>)>> = BTreeMap::new();
    let mut all = Vec::new();
    for step in moves {
        match step {
            Move::Trust { party, policy, at } => told.entry(party).or_default().push((at, policy)),
            Move::Present(presented) => {
                let told: Vec<Told<'_>> =
                    told[&presented.party].iter().map(|(at, policy)| Told { at: *at, policy }).collect();
                all.push(expect(&told, &presented.provenance, presented.at));
            }
        }
    }
    all
}

/// Every scenario of the catalogue with its class and what the oracle concludes.
fn played() -> &'static [(&'static Class, Scenario, Vec<Expectation>)] {
    static PLAYED: LazyLock<Vec<(&'static Class, Scenario, Vec<Expectation>)>> = LazyLock::new(|| {
        let all = catalogue(&sites(), &|_| true).into_iter();
        let with = |(index, scenario): (usize, Scenario)| {
            let expectations = conclusions(&scenario);
            (&classes()[index], scenario, expectations)
        };
        all.map(with).collect()
    });
    &PLAYED
}

#[test]
fn every_class_has_scenarios_and_there_are_not_too_many() {
    let mut counts: BTreeMap<&str, usize> = classes().iter().map(|class| (class.id, 0)).collect();
    for (class, ..) in played() {
        *counts.entry(class.id).or_default() += 1;
    }
    let empty: Vec<_> = counts.iter().filter(|(_, count)| **count == 0).map(|(id, _)| id).collect();
    assert!(empty.is_empty(), "no scenarios: {empty:?}");
    // Further worlds bring further scenarios; these two are what everybody runs first.
    let total =
        played().iter().filter(|(_, scenario, _)| ["storm-0558", "two-issuers"].contains(&scenario.world.as_str()));
    let total = total.filter(|(_, scenario, _)| scenario.key_source != KeySource::Fetched).count();
    println!("{} classes, {total} scenarios: {counts:?}", classes().len());
    assert!((500..=6000).contains(&total), "{total} scenarios");
}

/// Wherever a class is tried it breaks its rule; a scenario of it that does not, such as a duplicate in the other order, is
/// one that the standards leave open.
#[test]
fn every_attack_breaks_the_rule_that_its_class_aims_at() {
    let mut breaking: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut open = Vec::new();
    for (class, scenario, expectations) in played() {
        let Some(rule) = class.aims else { continue };
        if rule.is_of_conduct() {
            assert_eq!(scenario.key_source, KeySource::Fetched, "{}: {rule} cannot be broken there", class.id);
            continue;
        }
        if expectations.iter().any(|expectation| expectation.broken().contains(&rule)) {
            breaking.insert((class.id, &scenario.world));
        } else {
            let unspecified = expectations.iter().any(Expectation::unspecified);
            assert!(unspecified, "{}: {rule} is not broken by\n{}{expectations:#?}", class.id, scenario.to_json());
            open.push((class.id, scenario.world.as_str()));
        }
    }
    let only_open: Vec<_> = open.into_iter().filter(|place| !breaking.contains(place)).collect();
    assert!(only_open.is_empty(), "never broken: {only_open:?}");
}

#[test]
fn every_token_of_a_positive_control_may_be_accepted() {
    for (class, scenario, expectations) in played().iter().filter(|(class, ..)| class.aims.is_none()) {
        for expectation in expectations {
            assert!(expectation.acceptable().is_some(), "{}\n{}{expectation:#?}", class.id, scenario.to_json());
        }
    }
}

#[test]
fn every_baseline_token_must_be_accepted() {
    for site in sites() {
        let honest = baseline(&site);
        let issuers: BTreeSet<_> =
            honest.iter().flat_map(|s| s.presents().map(|(_, p)| p.honest.issuer.clone())).collect();
        assert_eq!(issuers.len(), site.party.issuers.len(), "{}", site.party.alias);
        for scenario in honest {
            for expectation in conclusions(&scenario) {
                assert!(!expectation.rejectable(), "{}{expectation:#?}", scenario.to_json());
            }
        }
    }
}

#[test]
fn every_rule_is_broken_alone_by_a_class_that_aims_at_it() {
    let mut alone: BTreeMap<Rule, BTreeSet<&str>> = BTreeMap::new();
    for (class, _, expectations) in played() {
        for rule in expectations.iter().filter_map(Expectation::alone).filter(|rule| class.aims == Some(*rule)) {
            alone.entry(rule).or_default().insert(class.id);
        }
    }
    let missing: Vec<_> = Rule::OF_TOKENS.iter().filter(|rule| !alone.contains_key(rule)).collect();
    assert!(missing.is_empty(), "never alone: {missing:?}");
    println!("{alone:#?}");
}

#[test]
fn ids_are_those_of_the_catalogue_or_paths_and_stand_once() {
    let groups = ["KS", "KL", "KR", "ST", "AL", "IA", "TM", "EN", "SE", "CR", "TY", "SG", "RX", "PC"];
    let mut seen = BTreeSet::new();
    for one in classes() {
        assert!(seen.insert(one.id), "{} stands twice", one.id);
        let of_group = one.id.split_once('-').is_some_and(|(group, number)| {
            groups.contains(&group) && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
        });
        assert!(of_group || one.id.starts_with("storm-0558/"), "{}", one.id);
        assert!(one.title.ends_with('.') && !one.source.is_empty(), "{}", one.id);
        assert_eq!(class(one.id).map(|found| found.title), Some(one.title));
    }
    assert_eq!(classes()[0].id, "storm-0558/consumer-key-for-enterprise", "what this project exists for comes first");
}

#[test]
fn what_is_absent_is_no_class_stands_once_and_says_what_it_needs() {
    let mut seen = BTreeSet::new();
    for row in absent() {
        assert!(seen.insert(row.id), "{} stands twice", row.id);
        assert!(class(row.id).is_none(), "{} is a class and absent", row.id);
        assert!(row.title.ends_with('.') && row.needs.sentence().ends_with('.'), "{}", row.id);
    }
}

/// Groups that are about the key that signs, or about what was presented before: whose key it is differs on purpose.
const ABOUT_KEYS: &[&str] = &["KS-", "KL-", "ST-", "storm-0558/"];

/// What breaks these has no signature by a key of the claimed issuer, whoever presents it: no signature at all, one that is
/// no longer good, or somebody else's.
const ABOUT_SIGNATURES: &[Rule] = &[Rule::SignatureMatches, Rule::KeyBelongsToIssuer];

/// A token that is refused for its broken signature shows nothing of the rule that its class aims at.
#[test]
fn every_other_attack_is_also_signed_by_a_key_of_the_issuer_that_it_claims() {
    let unsigned = [Rule::SignatureMatches, Rule::KeyBelongsToIssuer, Rule::KeyInService];
    let mut signed: BTreeMap<&str, bool> = BTreeMap::new();
    for (class, _, expectations) in played() {
        let of_tokens = class.aims.filter(|rule| !rule.is_of_conduct());
        let Some(rule) = of_tokens.filter(|rule| !ABOUT_SIGNATURES.contains(rule)) else { continue };
        if ABOUT_KEYS.iter().any(|group| class.id.starts_with(group)) {
            continue;
        }
        let by_the_issuer = expectations.iter().any(|expectation| {
            expectation.broken().contains(&rule) && !unsigned.iter().any(|rule| expectation.broken().contains(rule))
        });
        *signed.entry(class.id).or_default() |= by_the_issuer;
    }
    let never: Vec<_> = signed.iter().filter(|(_, signed)| !**signed).map(|(id, _)| *id).collect();
    assert!(never.is_empty(), "never signed by the issuer that they claim: {never:?}");
    assert!(signed.len() > 40, "{signed:?}");
}

/// Groups whose every number is accounted for, and their last number.
const WHOLE_GROUPS: &[(&str, u8)] =
    &[("KS", 40), ("KL", 22), ("KR", 32), ("AL", 25), ("IA", 44), ("TM", 16), ("PC", 8)];

#[test]
fn every_number_of_a_whole_group_is_a_class_or_absent() {
    for &(group, last) in WHOLE_GROUPS {
        for number in 1..=last {
            let id = format!("{group}-{number:02}");
            let there = usize::from(class(&id).is_some()) + absent().filter(|row| row.id == id).count();
            assert_eq!(there, 1, "{id} is a class or absent, and not both");
        }
    }
}

#[test]
fn every_scenario_is_read_back_as_it_was_written() {
    for (class, scenario, _) in played() {
        let read =
            Scenario::from_json(scenario.to_json().as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", class.id));
        assert_eq!(read, *scenario, "{}", class.id);
    }
}

#[test]
fn an_early_class_comes_at_every_site_before_a_later_one() {
    let order: Vec<usize> = catalogue(&sites(), &|_| true).into_iter().map(|(index, _)| index).collect();
    assert!(order.is_sorted());
}

#[test]
fn the_incident_is_one_act() {
    let first =
        classes().iter().find(|class| class.id == "storm-0558/consumer-key-for-enterprise").expect("it is there");
    let scenario = sites().iter().flat_map(|site| first.scenarios(site)).next().expect("it can be expressed");
    let wanted = r#"{ "scenario": 1, "world": "storm-0558", "party": "enterprise-mail",
        "honest": { "issuer": "enterprise", "tenant": "contoso" },
        "acts": [ { "sign-with": { "key": "consumer-2023" } } ] }"#;
    assert_eq!(scenario, Scenario::from_json(wanted.as_bytes()).expect("it reads"));
    assert_eq!(conclusions(&scenario)[0].alone(), Some(Rule::KeyBelongsToIssuer));
}
