//! Every registered signature algorithm is really used: an honest token by it is accepted, and one by a key that the issuer
//! does not list is not, in a world that has them all.

mod common;

use common::{NOW, judge_all};
use std::collections::BTreeSet;
use std::sync::Arc;
use wrongkey::forge::{Forge, Move};
use wrongkey::generate::{Site, baseline};
use wrongkey::jose::{Family, Primitive};
use wrongkey::policy::KeySource;
use wrongkey::provenance::Presented;
use wrongkey::rule::Rule;
use wrongkey::scenario::{Act, Honest, Scenario, SignWith};
use wrongkey::validator::{Maker, Verdict, flawed, reference};
use wrongkey::world::{Calendar, DEFAULT_SEED, Key, World};

const WORLD: &str = "all-algorithms";

fn world() -> Arc<World> {
    World::shipped(WORLD, DEFAULT_SEED).expect("a shipped world")
}

fn strict() -> [Maker; 2] {
    [reference::maker(), flawed::maker(None)]
}

#[test]
fn every_algorithm_signs_honest_tokens_that_are_accepted() {
    let world = world();
    let mut used = BTreeSet::new();
    for site in Site::all(&world) {
        for scenario in baseline(&site) {
            for maker in strict() {
                let judged = judge_all(&maker, &scenario).remove(0);
                let verdict = judged.verdict.expect("an answer");
                assert!(verdict.accepted(), "{}: {verdict:?}\n{}", maker().describe().name, scenario.to_json());
                used.extend(judged.presented.provenance.events.iter().map(|event| event.primitive));
            }
        }
    }
    let missing: Vec<_> = Primitive::ALL.into_iter().filter(|primitive| !used.contains(primitive)).collect();
    assert!(missing.is_empty(), "no honest token is signed by {missing:?}");
}

/// Keys with a private half that can sign by this algorithm and belong to somebody else.
fn foreign<'w>(world: &'w World, owner: &'w str, alg: Primitive) -> impl Iterator<Item = &'w Key> {
    let other = move |key: &&Key| key.owner.as_deref() != Some(owner) && key.private.is_some();
    world.keys.iter().filter(other).filter(move |key| key.jwk.material.fits(alg))
}

#[test]
fn a_foreign_key_is_refused_by_every_algorithm_and_for_no_other_reason() {
    let world = world();
    let mut refused: BTreeSet<(Primitive, bool)> = BTreeSet::new();
    for key in world.keys.iter().filter(|key| key.honest) {
        let Some(owner) = &key.owner else { continue };
        for &alg in &key.signs {
            let honest = Honest {
                issuer: owner.clone(),
                key: Some(key.alias.clone()),
                alg: Some(alg.name().to_owned()),
                ..Honest::default()
            };
            for other in foreign(&world, owner, alg) {
                let sign = SignWith {
                    key: Some(other.alias.clone()),
                    alg: Some(alg.name().to_owned()),
                    ..SignWith::default()
                };
                let acts = vec![Act::SignWith(sign)];
                let scenario = Scenario::single(WORLD, KeySource::PerIssuer, "hall", honest.clone(), acts);
                for maker in strict() {
                    let judged = judge_all(&maker, &scenario).remove(0);
                    let verdict = judged.verdict.expect("an answer");
                    assert!(matches!(verdict, Verdict::Reject(_)), "{verdict:?}\n{}", scenario.to_json());
                    // A secret of 32 octets is too short for the longer hashes, which is no rule once it is nobody's.
                    assert_eq!(judged.expectation.alone(), Some(Rule::KeyBelongsToIssuer), "{}", scenario.to_json());
                }
                refused.insert((alg, other.owner.is_some()));
            }
        }
    }
    for alg in Primitive::ALL {
        assert!(refused.contains(&(alg, false)), "the attacker does not sign by {alg}");
        assert!(refused.contains(&(alg, true)), "no other issuer signs by {alg}");
    }
}

#[test]
fn a_key_of_the_wrong_curve_is_refused_where_only_the_curve_is_wrong() {
    let world = world();
    for (key, alg) in [
        ("north-p256", "ES384"),
        ("north-p256", "ES512"),
        ("north-p256", "ES256K"),
        ("north-p384", "ES256"),
        ("north-p521", "ES256"),
        ("north-k256", "ES256"),
        ("north-k256", "ES512"),
    ] {
        let honest = Honest { issuer: "north".to_owned(), ..Honest::default() };
        let sign = SignWith { key: Some(key.to_owned()), alg: Some(alg.to_owned()), ..SignWith::default() };
        let scenario = Scenario::single(WORLD, KeySource::PerIssuer, "hall", honest, vec![Act::SignWith(sign)]);
        for maker in strict() {
            let judged = judge_all(&maker, &scenario).remove(0);
            assert_eq!(judged.expectation.alone(), Some(Rule::KeyAcceptable), "{key} {alg}");
            assert!(matches!(judged.verdict, Ok(Verdict::Reject(_))), "{key} {alg}");
        }
    }
    assert!(world.key("north-p256").is_some());
}

#[test]
fn the_other_ecdsa_signature_is_as_good_on_every_curve_and_der_is_not() {
    let forge = Forge::new(world(), Calendar::At(NOW));
    for alg in Primitive::ALL.into_iter().filter(|alg| alg.family() == Family::Ecdsa) {
        let key = forge.world().keys_of("north").find(|key| key.signs.contains(&alg)).expect("north has every curve");
        let honest = Honest { issuer: "north".to_owned(), key: Some(key.alias.clone()), ..Honest::default() };
        for (mangle, octets) in [("n-minus-s", None), ("der", Some(0x30))] {
            let act: Act = serde_json::from_value(serde_json::json!({ "mangle-signature": mangle })).expect("an act");
            let scenario = Scenario::single(WORLD, KeySource::PerIssuer, "hall", honest.clone(), vec![act]);
            let judged = judge_all(&reference::maker(), &scenario).remove(0);
            let expected = octets.is_none();
            assert_eq!(judged.expectation.acceptable().is_some(), expected, "{alg} {mangle}");
            assert_eq!(judged.verdict.expect("an answer").accepted(), expected, "{alg} {mangle}");
            let moves = forge.play(&scenario, 0).expect("it plays");
            let Some(Move::Present(presented)) = moves.last() else { panic!("a token is presented") };
            let Presented::Jws(jws) = &presented.provenance.presented else { panic!("it is a JWS") };
            let first = octets.is_none_or(|first| jws.signature[0] == first);
            // X.690 section 8.1.3: one octet of length below 128, then two.
            let long = jws.signature.len() > 130;
            assert!(first && (octets.is_none() || long == (jws.signature[1] == 0x81)), "{alg} {mangle}");
        }
    }
}
