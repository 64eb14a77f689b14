//! What shrinks to what.

use super::*;
use crate::scenario::{PolicyAct, Spoil};

fn read(text: &str) -> Scenario {
    Scenario::from_json(text.as_bytes()).expect(text)
}

fn long() -> Scenario {
    read(
        r#"{ "scenario": 1, "world": "two-issuers", "steps": [
            { "present": { "as": "t1", "to": "api", "honest": { "issuer": "a" } } },
            { "rotate-key": { "key": "a-rs", "to": "a-next", "keep_kid": true, "overlap": true } },
            { "advance-clock": "90m" },
            { "update-policy": { "party": "api", "acts": [ { "set-leeway": 30 }, { "unset": "audiences" } ] } },
            { "present": { "to": "api", "honest": { "issuer": "b", "key": "b-ps", "alg": "PS256" }, "acts": [
                { "set-claim": { "name": "aud", "value": [ { "audience": "api" }, "x" ] } },
                { "set-claim": { "name": "iss", "value": { "edited": { "of": { "issuer": { "of": "a" } }, "edit": { "suffix": "/very/long" } } } } },
                { "duplicate-header": { "name": "kid", "value": { "kid": "a-rs" }, "at": "last" } },
                { "sign-with": { "key": "a-rs", "alg": "PS256", "kid": "keep" } },
                { "splice": { "part": "payload", "of": { "honest": { "issuer": "a", "key": "a-rs" }, "acts": [ { "raw": { "after": "tail" } } ] } } },
                { "mangle-signature": { "flip-bit": 100 } } ] } } ] }"#,
    )
}

#[test]
fn every_simplification_is_smaller_and_presents_a_token_and_can_be_read() {
    let mut queue = vec![long()];
    for _ in 0..300 {
        let Some(scenario) = queue.pop() else { break };
        for simpler in simplifications(&scenario) {
            assert!(size(&simpler) < size(&scenario));
            assert!(simpler.presents().next().is_some());
            assert_eq!(read(&simpler.to_json()), simpler);
            queue.push(simpler);
        }
    }
}

#[test]
fn a_scenario_that_may_become_anything_becomes_one_honest_token() {
    let smallest = shrink(long(), |_| true);
    assert_eq!(smallest, read(r#"{"scenario":1,"world":"two-issuers","party":"api","honest":{"issuer":"a"}}"#));
}

#[test]
fn what_must_stay_stays_and_nothing_else() {
    let signs = |scenario: &Scenario| {
        let mut acts = scenario.presents().flat_map(|(_, present)| &present.acts);
        acts.any(|act| matches!(act, Act::SignWith(sign) if sign.key.as_deref() == Some("a-rs")))
    };
    let smallest = shrink(long(), signs);
    let wanted = r#"{"scenario":1,"world":"two-issuers","party":"api","honest":{"issuer":"b"},
        "acts":[{"sign-with":{"key":"a-rs"}}]}"#;
    assert_eq!(smallest, read(wanted));
}

#[test]
fn a_value_keeps_its_json_type() {
    let with = |value: &str| {
        let acts = format!(r#"[{{"set-claim":{{"name":"aud","value":{value}}}}}]"#);
        read(&format!(
            r#"{{"scenario":1,"world":"two-issuers","party":"api","honest":{{"issuer":"a"}},"acts":{acts}}}"#
        ))
    };
    for (from, to) in [
        (r#"{"audience":"web"}"#, r#""""#),
        (r#"{"time-text":"+1h"}"#, r#""""#),
        (r#"["x",{"audience":"web"}]"#, "[]"),
        (r#""+2h""#, "0"),
        ("17", "0"),
        (r#"{"json":"{\"a\":1}"}"#, r#"{"json":"{}"}"#),
        ("null", "null"),
        ("true", "true"),
    ] {
        let one_act = |scenario: &Scenario| scenario.presents().any(|(_, present)| !present.acts.is_empty());
        assert_eq!(shrink(with(from), one_act), with(to), "{from}");
    }
}

fn configured(policy: &str, acts: &str) -> Scenario {
    read(&format!(
        r#"{{ "scenario": 1, "world": "two-issuers", "steps": [
            {{ "update-policy": {{ "party": "api", "acts": [ {policy} ] }} }},
            {{ "present": {{ "to": "api", "honest": {{ "issuer": "a" }}, "acts": [ {acts} ] }} }} ] }}"#
    ))
}

fn policy_acts(scenario: &Scenario) -> impl Iterator<Item = &PolicyAct> {
    scenario.steps.iter().flat_map(|step| match step {
        Step::UpdatePolicy { acts, .. } => acts.as_slice(),
        _ => &[],
    })
}

#[test]
fn of_many_policy_acts_the_needed_one_stays() {
    let many = read(
        r#"{ "scenario": 1, "world": "two-issuers", "steps": [
            { "update-policy": { "party": "api", "acts": [ { "set-leeway": 30 }, { "forget-keys": "b" },
                { "set-audiences": [ "one", "two" ] } ] } },
            { "update-policy": { "party": "api", "acts": [ { "set-kid": { "key": "a-rs", "of": "b-ps" } },
                { "spoil-key": { "key": "a-rs", "how": "even-modulus" } }, { "list-key": { "key": "b-ps", "issuer": "a" } } ] } },
            { "present": { "to": "api", "honest": { "issuer": "a" } } } ] }"#,
    );
    let spoils = |act: &PolicyAct| matches!(act, PolicyAct::SpoilKey { how: Spoil::EvenModulus, .. });
    let smallest = shrink(many.clone(), |scenario| policy_acts(scenario).any(spoils));
    assert_eq!(smallest, configured(r#"{ "spoil-key": { "key": "a-rs", "how": "even-modulus" } }"#, ""));
    let audience =
        |act: &PolicyAct| matches!(act, PolicyAct::SetAudiences(names) if names.iter().any(|name| name == "two"));
    let smallest = shrink(many.clone(), |scenario| policy_acts(scenario).any(audience));
    assert_eq!(smallest, configured(r#"{ "set-audiences": [ "two" ] }"#, ""));
    // Two that are needed together stand in one step.
    let listed = |act: &PolicyAct| matches!(act, PolicyAct::ListKey { .. });
    let smallest = shrink(many, |scenario| {
        policy_acts(scenario).any(listed) && policy_acts(scenario).any(|act| matches!(act, PolicyAct::SetLeeway(_)))
    });
    let both = r#"{ "set-leeway": 0 }, { "list-key": { "key": "b-ps", "issuer": "a" } }"#;
    assert_eq!(smallest, configured(both, ""));
}

#[test]
fn a_policy_act_becomes_the_plainest_of_its_kind() {
    for (from, to) in [
        (
            r#"{ "rename-issuer": { "issuer": "a", "name": "https://" } }"#,
            r#"{ "rename-issuer": { "issuer": "a", "name": "" } }"#,
        ),
        (
            r#"{ "edit-issuer": { "issuer": "a", "edit": { "insert": [ 30, "/" ] } } }"#,
            r#"{ "rename-issuer": { "issuer": "a", "name": "" } }"#,
        ),
        (
            r#"{ "set-algorithms": { "issuer": "a", "algorithms": [ "RS256", "PS256" ] } }"#,
            r#"{ "set-algorithms": { "issuer": "a", "algorithms": [] } }"#,
        ),
        (r#"{ "forget-keys": "a" }"#, r#"{ "forget-keys": "a" }"#),
        (
            r#"{ "set-key-issuer": { "key": "a-rs", "to": { "of": "b" } } }"#,
            r#"{ "set-key-issuer": { "key": "a-rs", "to": "absent" } }"#,
        ),
        (
            r#"{ "set-key-issuer": { "key": "a-rs", "to": { "json": "{}" } } }"#,
            r#"{ "set-key-issuer": { "key": "a-rs", "to": "absent" } }"#,
        ),
        (
            r#"{ "spoil-key": { "key": "a-rs", "how": "unknown-kty" } }"#,
            r#"{ "spoil-key": { "key": "a-rs", "how": "no-kty" } }"#,
        ),
        (
            r#"{ "set-secret": { "issuer": "a", "secret": { "of": "a-rs", "layout": "spki-pem" } } }"#,
            r#"{ "set-secret": { "issuer": "a", "secret": { "of": "a-rs", "text": "" } } }"#,
        ),
        (
            r#"{ "set-tenants": { "issuer": "a", "tenants": [] } }"#,
            r#"{ "set-tenants": { "issuer": "a", "tenants": [] } }"#,
        ),
    ] {
        let told = |scenario: &Scenario| policy_acts(scenario).next().is_some();
        assert_eq!(shrink(configured(from, ""), told), configured(to, ""), "{from}");
    }
}

#[test]
fn what_a_token_repeats_of_the_policy_becomes_plainer_with_it() {
    let written = |scenario: &Scenario| {
        let acts: Vec<Act> = scenario.presents().flat_map(|(_, present)| present.acts.clone()).collect();
        acts.into_iter().next()
    };
    let iss = |value: &str| format!(r#"{{ "set-claim": {{ "name": "iss", "value": {value} }} }}"#);
    let edited = r#"{ "edited": { "of": { "issuer": { "of": "a" } }, "edit": { "suffix": "/very/long" } } }"#;
    let named = configured(r#"{ "rename-issuer": { "issuer": "a", "name": "https://" } }"#, &iss(r#""https://""#));
    let named_x = configured(r#"{ "rename-issuer": { "issuer": "a", "name": "x" } }"#, &iss(r#""x""#));
    // The party knows the issuer by the very name that the token gives, and the name says something.
    let knows = |scenario: &Scenario| {
        let Some(Act::SetClaim(set)) = written(scenario) else { return false };
        policy_acts(scenario).any(|act| match act {
            PolicyAct::RenameIssuer { name, .. } => !name.is_empty() && set.value == Value::text(name),
            PolicyAct::EditIssuer { issuer, edit } => set.value == Value::issuer(issuer).edited(edit.clone()),
            _ => false,
        })
    };
    assert_eq!(shrink(named, knows), named_x);
    let suffixed = r#"{ "edit-issuer": { "issuer": "a", "edit": { "suffix": "/very/long" } } }"#;
    assert_eq!(shrink(configured(suffixed, &iss(edited)), knows), named_x);
    let still_edited = |scenario: &Scenario| {
        knows(scenario) && policy_acts(scenario).any(|act| matches!(act, PolicyAct::EditIssuer { .. }))
    };
    assert_eq!(
        shrink(configured(suffixed, &iss(edited)), still_edited),
        configured(&suffixed.replace("/very/long", "1"), &iss(&edited.replace("/very/long", "1")))
    );
    let secret = |text: &str| {
        let secret = format!(r#"{{ "of": "a-rs", {text} }}"#);
        configured(
            &format!(r#"{{ "set-secret": {{ "issuer": "a", "secret": {secret} }} }}"#),
            &format!(r#"{{ "sign-with": {{ "secret": {secret} }} }}"#),
        )
    };
    let shared = |scenario: &Scenario| {
        let Some(Act::SignWith(SignWith { secret: Some(signs), .. })) = written(scenario) else { return false };
        policy_acts(scenario).any(|act| matches!(act, PolicyAct::SetSecret { secret, .. } if *secret == signs))
    };
    assert_eq!(shrink(secret(r#""layout": "spki-pem""#), shared), secret(r#""text": """#));
}

#[test]
fn a_scenario_that_nothing_simpler_equals_stays_as_it_is() {
    assert_eq!(shrink(long(), |_| false), long());
}

#[test]
fn shrinking_ends_after_so_many_tries() {
    let mut tries = 0;
    let _ = shrink(long(), |_| {
        tries += 1;
        false
    });
    assert!(tries <= MAX_TRIES);
}
