//! Trusted issuers of which a user's world has only the public keys: no honest token of theirs can be shown, and forged ones
//! that claim them are.

mod common;

use common::NOW;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, run};
use wrongkey::finding::Kind;
use wrongkey::forge::Forge;
use wrongkey::generate::{Atlas, Site, baseline, catalogue, classes, is_playable, seeded};
use wrongkey::rule::Rule;
use wrongkey::scenario::{Act, Honest, Mangle, Scenario, SignWith};
use wrongkey::validator::Maker;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

const ISSUER: &str = "abroad";

static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worlds/public-only.toml");
    Arc::new(World::load(&path, DEFAULT_SEED).unwrap_or_else(|error| panic!("{error}")))
});

fn outcome(maker: &Maker) -> Outcome {
    let worlds = vec![Arc::clone(&*WORLD)];
    let stream = Arc::new(Stream::new(&worlds, &Selection::default(), Vec::new(), 500, 0));
    let plan = Plan { worlds, stream, now: NOW, jobs: 2, timeout: Duration::from_secs(10), max_findings: 50 };
    run(&plan, maker, &Arc::new(Progress::default()), &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}

fn claims(scenario: &Scenario) -> bool {
    scenario.presents().any(|(_, present)| present.honest.issuer == ISSUER)
}

#[test]
fn attacks_in_which_somebody_else_signs_claim_the_issuer_and_can_be_played() {
    let forge = Forge::new(Arc::clone(&*WORLD), Calendar::At(NOW));
    let mut claimed = BTreeSet::new();
    for (class, scenario) in catalogue(&Site::all(&WORLD), &|_| true) {
        assert!(is_playable(&scenario, &WORLD), "{}", scenario.to_json());
        forge.play(&scenario, 0).unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_json()));
        if claims(&scenario) {
            claimed.insert(classes()[class].id);
        }
    }
    let expected = [
        "AL-01", "AL-03", "AL-06", "AL-07", "AL-08", "AL-18", "AL-19", "AL-25", "KL-22", "KR-01", "KR-02", "KR-03",
        "KR-09", "KR-13", "KR-14", "KR-15", "KR-16", "KR-17", "KR-18", "KR-19", "KR-20", "KS-01", "KS-02", "KS-03",
        "KS-06", "KS-07", "KS-08", "KS-10", "KS-12", "KS-29",
    ];
    assert_eq!(claimed, BTreeSet::from(expected));
    assert!(!Site::all(&WORLD).iter().flat_map(baseline).any(|scenario| claims(&scenario)));
}

#[test]
fn what_needs_the_honest_signature_can_neither_be_played_nor_forged() {
    let forge = Forge::new(Arc::clone(&*WORLD), Calendar::At(NOW));
    let site = Site::all(&WORLD)[0];
    let honest = Honest { issuer: ISSUER.to_owned(), ..Honest::default() };
    let by_home = || Act::SignWith(SignWith { key: Some("home-key".to_owned()), ..SignWith::default() });
    let mangle = || Act::MangleSignature(Mangle::Zero);
    for (acts, plays) in [
        (vec![], false),
        (vec![mangle(), by_home()], false),
        (vec![Act::SignWith(SignWith::default())], false),
        (vec![by_home(), mangle()], true),
        (vec![Act::StripSignature {}, mangle()], true),
    ] {
        let scenario = Scenario::single(&WORLD.name, site.key_source, &site.party.alias, honest.clone(), acts);
        assert_eq!(is_playable(&scenario, &WORLD), plays, "{}", scenario.to_json());
        assert_eq!(forge.play(&scenario, 0).is_ok(), plays, "{}", scenario.to_json());
    }
}

#[test]
fn random_scenarios_claim_the_issuer_too_and_can_be_forged() {
    let forge = Forge::new(Arc::clone(&*WORLD), Calendar::At(NOW));
    let atlas = Atlas::of(&[Arc::clone(&*WORLD)]);
    let mut claimed = 0;
    for index in 0..1_000 {
        let scenario = seeded(0, index, &atlas);
        forge.play(&scenario, index).unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_json()));
        claimed += u32::from(claims(&scenario));
    }
    assert!((50..300).contains(&claimed), "{claimed}");
}

#[test]
fn a_validator_with_merged_keys_is_found_out() {
    let outcome = outcome(&flawed::maker(Some(Flaw::SignatureOnlyOverMergedKeys)));
    assert!(outcome.unplayable.is_empty(), "{:?}", outcome.unplayable);
    let found = outcome.findings.iter().find(|finding| {
        finding.kind == Kind::FalseAccept
            && finding.rules.contains(&Rule::KeyBelongsToIssuer)
            && claims(&finding.scenario)
    });
    assert!(found.is_some_and(|finding| finding.reproduced), "{:?}", outcome.findings);
}

#[test]
fn the_reference_is_clean_and_its_rejections_are_evidence() {
    let outcome = outcome(&wrongkey::validator::reference::maker());
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
    assert!(outcome.unplayable.is_empty(), "{:?}", outcome.unplayable);
    assert!(outcome.tally.baseline_held());
    // HMAC over a public text has a token twin, for which an honest token is needed.
    assert!(["AL-06", "AL-18"].iter().all(|class| outcome.tally.classes[*class].confirmed > 1));
    for class in ["KS-01", "KS-02", "KS-03", "KS-06", "KS-07", "KS-08", "KS-10", "KS-12", "KR-01"] {
        let tally = &outcome.tally.classes[class];
        assert!(tally.confirmed > 0, "{class}: {tally:?}");
        assert_eq!(tally.confirmed, tally.presented, "{class}: {tally:?}");
    }
}
