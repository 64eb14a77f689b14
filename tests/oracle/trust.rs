//! Issuers, tenants, converged sets, and what changes in time: keys and issuers that go and come, and tokens shown again.

use super::made::Must::{Accept, Either};
use super::made::{
    A, B, KEY_A, KEY_B, Made, NOW, STRANGER, TEMPLATE, changed, converged, expectation, honest, issuer, jwk, number,
    policy, reject, says, says_after, strings, text, texts, with,
};
use std::sync::LazyLock;
use wrongkey::forge::{Forge, Move};
use wrongkey::jose::{Json, Jwk, NumericDate, Serialization};
use wrongkey::key::{DerivedKind, PrivateKey};
use wrongkey::oracle::{Expectation, Latitude, Oracle, Told, expect};
use wrongkey::policy::{Replay, TrustPolicy, TrustedIssuer};
use wrongkey::rule::Rule;
use wrongkey::scenario::Scenario;
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

const T1: &str = "https://login.example/t1/v2.0";

fn of_tenant(iss: &str, tid: &str) -> Made {
    honest().claim("iss", text(iss)).claim("tid", text(tid))
}

fn template(tenants: Option<&[&str]>) -> TrustedIssuer {
    TrustedIssuer { tenants: tenants.and_then(strings), ..issuer(TEMPLATE, &[jwk(&KEY_A, Some("a1"))]) }
}

#[test]
fn an_audience_is_the_names_that_were_signed_in_any_order_and_number() {
    let is_for = |aud: Option<Json>, said: &[&str]| {
        let any = with(|policy| {
            policy.audiences = None;
            policy.required_claims = None;
        });
        let token = aud.map_or_else(|| honest().no_claim("aud"), |aud| honest().claim("aud", aud));
        let said: Vec<String> = said.iter().copied().map(str::to_owned).collect();
        expectation(&[(0, any)], &token).acceptable().map(|who| who.is_for(&said))
    };
    let yes = |aud: Json, said: &[&str]| assert_eq!(is_for(Some(aud.clone()), said), Some(true), "{aud:?} {said:?}");
    let no = |aud: Json, said: &[&str]| assert_eq!(is_for(Some(aud.clone()), said), Some(false), "{aud:?} {said:?}");
    yes(text("a"), &["a"]);
    yes(texts(&["a"]), &["a"]);
    yes(texts(&["a", "b"]), &["b", "a"]);
    yes(texts(&["a", "b", "a"]), &["b", "a"]);
    yes(texts(&["a", "b"]), &["a", "b", "b"]);
    yes(text(""), &[]);
    yes(texts(&[]), &[]);
    no(text("a"), &[]);
    no(text("a"), &["A"]);
    no(text("a b"), &["a", "b"]);
    no(texts(&["a", "b"]), &["a"]);
    no(texts(&["a"]), &["a", "b"]);
    no(texts(&[]), &["a"]);
    assert_eq!([is_for(None, &[]), is_for(None, &["a"])], [Some(true), Some(false)]);
    // What is no audience can be said in any way.
    yes(number("7"), &["7"]);
    yes(Json::Array(vec![text("a"), number("7")]), &["a"]);
}

#[test]
fn a_tenant_stands_in_iss_and_in_its_claim_and_is_admitted() {
    let admits = |tenants| with(|policy| policy.issuers = vec![template(tenants)]);
    let wrong = reject(&[Rule::TenantAdmitted]);
    says(&admits(None), &of_tenant(T1, "t1"), &Accept);
    says(&admits(Some(&["t1"])), &of_tenant(T1, "t1"), &Accept);
    for tenants in [&["t2"][..], &["T1"], &[]] {
        says(&admits(Some(tenants)), &of_tenant(T1, "t1"), &wrong);
    }
    for tid in ["t2", "T1", "t1 "] {
        says(&admits(None), &of_tenant(T1, tid), &wrong);
    }
    says(&admits(None), &of_tenant(T1, "t1").claim("tid", Json::Null), &wrong);
    says(&admits(None), &of_tenant(T1, ""), &reject(&[Rule::RequiredClaimsPresent]));
    says(&admits(None), &of_tenant(T1, "t1").no_claim("tid"), &reject(&[Rule::RequiredClaimsPresent]));
    for segment in ["", "a/b", "{tenantid}", "..", "a?b", "a b"] {
        let name = TEMPLATE.replace("{tenantid}", segment);
        says(&admits(None), &of_tenant(&name, segment), &reject(&[Rule::IssuerTrusted]));
    }
    let twice = with(|policy| policy.issuers = vec![issuer("https://l.example/{tenantid}/{tenantid}", &[])]);
    says(&twice, &of_tenant("https://l.example/t/t", "t"), &reject(&[Rule::IssuerTrusted]));
    let said = expectation(&[(0, admits(None))], &of_tenant(T1, "t1"));
    assert_eq!(said.acceptable().and_then(|who| who.tenant.as_deref()), Some("t1"));
}

#[test]
fn a_literal_issuer_wins_over_a_template() {
    let both = with(|policy| policy.issuers = vec![template(None), issuer(T1, &[jwk(&KEY_B, Some("b1"))])]);
    says(&both, &of_tenant(T1, "t1"), &reject(&[Rule::KeyBelongsToIssuer]));
    let literal = of_tenant(T1, "other").by(&KEY_B).head("kid", text("b1"));
    says(&both, &literal, &Accept);
    // Whoever shows the tenant claim shows what the signer wrote.
    let said = expectation(&[(0, both)], &literal);
    assert_eq!(said.acceptable().and_then(|who| who.tenant.as_deref()), Some("other"));
}

#[test]
fn where_two_templates_fit_the_token_may_be_read_by_either_or_refused() {
    let other = "https://login.example/t1/{tenantid}";
    let two = with(|policy| policy.issuers = vec![template(None), issuer(other, &[jwk(&KEY_B, Some("b1"))])]);
    says(&two, &of_tenant(T1, "t1"), &Either);
    says(&two, &of_tenant(T1, "v2.0").by(&KEY_B).head("kid", text("b1")), &Either);
    says(&two, &of_tenant("https://login.example/t2/v2.0", "t2"), &Accept);
    let said = expectation(&[(0, two)], &of_tenant(T1, "t1").by(&STRANGER));
    assert_eq!(said.alone(), Some(Rule::KeyBelongsToIssuer));
    assert!(said.latitudes().contains(&Latitude::SeveralTemplates));
}

#[test]
fn in_a_converged_set_a_key_belongs_to_the_issuer_that_it_names() {
    let of_both = [issuer(A, &[]), issuer(B, &[])];
    let owned = |a, b| converged(&of_both, &[(&KEY_A, a), (&KEY_B, b)]);
    let foreign = reject(&[Rule::KeyBelongsToIssuer]);
    let right = owned(Some(A), Some(B));
    says(&right, &honest(), &Accept);
    says(&right, &honest().by(&KEY_B), &foreign);
    for owner in [None, Some(""), Some(" "), Some(B), Some("https://a.example/"), Some("https://{tenantid}")] {
        says(&owned(owner, Some(B)), &honest(), &foreign);
    }
    // The template that names the key's owner, and another that fits by accident only.
    let of_template = [template(None)];
    says(&converged(&of_template, &[(&KEY_A, Some(TEMPLATE))]), &of_tenant(T1, "t1"), &Accept);
    says(&converged(&of_template, &[(&KEY_A, Some(T1))]), &of_tenant(T1, "t1"), &Accept);
    says(&converged(&of_template, &[(&KEY_A, Some("https://login.example/t2/v2.0"))]), &of_tenant(T1, "t1"), &foreign);
    let accident = converged(&of_template, &[(&KEY_A, Some("https://login.example/t1/{tenantid}"))]);
    says(&accident, &of_tenant(T1, "t1"), &foreign);
    says(&converged(&of_template, &[(&KEY_A, Some(TEMPLATE))]), &of_tenant(T1, "t2"), &reject(&[Rule::TenantAdmitted]));
    // A literal issuer with a template key: the contract's sentence lets it belong, once `tid` stands in the template.
    let literal = converged(&[issuer(T1, &[])], &[(&KEY_A, Some(TEMPLATE))]);
    says(&literal, &of_tenant(T1, "t1"), &Either);
    says(&literal, &of_tenant(T1, "t2"), &foreign);
    says(&literal, &of_tenant(T1, "t1").no_claim("tid"), &foreign);
}

#[test]
fn subject_signer_and_cloud_bind_where_the_policy_names_them() {
    let a = |change: fn(&mut TrustedIssuer)| with(|policy| change(&mut policy.issuers[0]));
    let named = a(|issuer| issuer.subjects = strings(&["alice"]));
    says(&named, &honest(), &Accept);
    says(&named, &honest().claim("sub", text("Alice")), &reject(&[Rule::SubjectAdmitted]));
    says(&named, &honest().no_claim("sub"), &reject(&[Rule::RequiredClaimsPresent]));
    let signed = a(|issuer| issuer.signer = Some("one".to_owned()));
    says(&signed, &honest().head("signer", text("one")), &Accept);
    says(&signed, &honest(), &reject(&[Rule::SignerNamed]));
    says(&signed, &honest().claim("signer", text("one")), &reject(&[Rule::SignerNamed]));
    let cloud = |ours: Option<&str>, theirs: Option<&str>| {
        let key = changed(jwk(&KEY_A, Some("a1")), |jwk| jwk.cloud_instance_name = theirs.map(str::to_owned));
        with(|policy| {
            policy.cloud_instance = ours.map(str::to_owned);
            policy.issuers[0] = issuer(A, &[key]);
        })
    };
    says(&cloud(Some("x"), Some("x")), &honest(), &Accept);
    says(&cloud(Some("x"), Some("y")), &honest(), &reject(&[Rule::CloudMatches]));
    says(&cloud(Some("x"), None), &honest(), &Accept);
    says(&cloud(None, Some("y")), &honest(), &Accept);
}

#[test]
fn a_jwt_is_compact_unless_the_policy_says_otherwise_and_detached_is_nobodys() {
    let takes = |list: &[Serialization]| with(|policy| policy.serializations = Some(list.to_vec()));
    let unexpected = reject(&[Rule::SerializationExpected]);
    let flattened = || honest().as_(Serialization::Flattened);
    says(&policy(), &flattened(), &unexpected);
    says(&with(|policy| policy.serializations = None), &flattened(), &unexpected);
    says(&takes(&[Serialization::Flattened]), &flattened(), &Accept);
    says(&takes(&[Serialization::Flattened]), &honest(), &unexpected);
    says(&takes(&[]), &honest(), &unexpected);
    let detached = honest().by(&STRANGER).as_(Serialization::Detached);
    says(&takes(&[Serialization::Compact, Serialization::Detached]), &detached, &unexpected);
}

fn caching(max_age: Option<u64>, keys: &[Jwk]) -> TrustPolicy {
    with(|policy| {
        policy.jwks_max_age = max_age;
        policy.issuers[0] = issuer(A, keys);
    })
}

#[test]
fn a_key_that_went_may_be_used_for_jwks_max_age_and_no_second_longer() {
    let listed = |max_age| caching(max_age, &[jwk(&KEY_A, Some("a1"))]);
    let removed = |max_age| caching(max_age, &[]);
    let gone = reject(&[Rule::KeyInService]);
    let after = |max_age, ago| [(1000, listed(max_age)), (ago, removed(max_age))];
    says_after(&after(None, 0), &honest(), &gone);
    says_after(&after(Some(0), 0), &honest(), &gone);
    says_after(&after(Some(300), 300), &honest(), &Either);
    says_after(&after(Some(300), 301), &honest(), &gone);
    // Listed anew it is in service.
    says_after(&[(900, listed(None)), (800, removed(None)), (700, listed(None))], &honest(), &Accept);
    // One that never was listed stays a stranger.
    says_after(&after(Some(300), 1), &honest().by(&STRANGER), &reject(&[Rule::KeyBelongsToIssuer]));
}

#[test]
fn a_new_key_may_be_unknown_for_jwks_max_age_and_no_second_longer() {
    let rotated = |max_age, ago| {
        let old = caching(max_age, &[jwk(&STRANGER, Some("a0"))]);
        [(1000, old), (ago, caching(max_age, &[jwk(&KEY_A, Some("a1"))]))]
    };
    says_after(&rotated(Some(300), 300), &honest(), &Either);
    says_after(&rotated(Some(300), 301), &honest(), &Accept);
    says_after(&rotated(None, 0), &honest(), &Accept);
    // Of a new issuer there is no earlier set.
    let without = with(|policy| {
        policy.jwks_max_age = Some(300);
        policy.issuers.remove(0);
    });
    says_after(&[(9, without), (5, caching(Some(300), &[jwk(&KEY_A, Some("a1"))]))], &honest(), &Accept);
}

#[test]
fn a_disabled_issuer_is_out_of_service_and_so_is_a_key_that_went_before_it() {
    let listed = || caching(Some(300), &[jwk(&KEY_A, Some("a1"))]);
    let disabled = || {
        with(|policy| {
            policy.jwks_max_age = Some(300);
            policy.issuers.remove(0);
        })
    };
    let gone = reject(&[Rule::KeyInService]);
    says_after(&[(1000, listed()), (300, disabled())], &honest(), &Either);
    says_after(&[(1000, listed()), (301, disabled())], &honest(), &gone);
    says_after(&[(1000, listed()), (500, caching(Some(300), &[])), (10, disabled())], &honest(), &gone);
    says_after(&[(1000, listed()), (10, disabled())], &honest().by(&STRANGER), &reject(&[Rule::KeyBelongsToIssuer]));
    says_after(&[(1000, disabled()), (10, disabled())], &honest(), &reject(&[Rule::IssuerTrusted]));
}

#[test]
fn a_token_that_had_to_be_accepted_is_refused_when_it_comes_again() {
    let once = || with(|policy| policy.replay = Some(Replay::Refuse));
    let replayed = reject(&[Rule::ReplayRefused]);
    says(&once(), &honest(), &Accept);
    says_after(&[(60, once())], &honest().shown_before(30, 1, true), &replayed);
    says_after(&[(60, policy())], &honest().shown_before(30, 1, true), &Accept);
    // Remembered by `jti`, by octets or both; without `jti` there is nothing to remember it by.
    says_after(&[(60, once())], &honest().shown_before(30, 1, false), &Either);
    says_after(&[(60, once())], &honest().no_claim("jti").shown_before(30, 1, true), &Either);
    // It may have been refused before.
    says_after(&[(60, once())], &honest().mirrored().shown_before(30, 1, true), &Either);
    // It had to be refused before: now is its first time.
    let early = honest().claim("nbf", Json::integer(NOW - 10));
    says_after(&[(60, once())], &early.shown_before(30, 1, true), &Accept);
    let stranger = || with(|policy| (policy.replay, policy.issuers[0].issuer) = (Some(Replay::Refuse), "x".to_owned()));
    says_after(&[(30, stranger()), (30, once())], &honest().shown_before(30, 1, true), &Accept);
    says_after(&[(30, stranger()), (30, once())], &honest().shown_before(30, 2, true), &replayed);
    // Nobody was asked to remember it then.
    says_after(&[(60, policy()), (20, once())], &honest().shown_before(30, 1, true), &Either);
}

/// What the oracle says of each token that a scenario of a shipped world presents.
fn said_of(scenario: &str) -> Vec<Expectation> {
    let scenario = Scenario::from_json(scenario.as_bytes()).expect("it reads");
    let world = World::shipped(&scenario.world, DEFAULT_SEED).expect("it is shipped");
    let moves = Forge::new(world, Calendar::At(NumericDate(NOW))).play(&scenario, 0).expect("it plays");
    let mut told = Vec::new();
    let mut said = Vec::new();
    for happening in moves {
        match happening {
            Move::Trust { policy, at, .. } => told.push((at, policy)),
            Move::Present(shown) => {
                let views: Vec<Told<'_>> = told.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
                said.push(expect(&views, &shown.provenance, shown.at));
            }
        }
    }
    said
}

#[test]
fn a_token_of_an_issuer_that_becomes_trusted_at_that_second_was_not_accepted_before() {
    let again = r#"{ "splice": { "part": "header", "from": "t" } }, { "splice": { "part": "payload", "from": "t" } },
        { "splice": { "part": "signature", "from": "t" } }"#;
    let present = |acts: &str| {
        format!(r#"{{ "present": {{ "as": "t", "to": "once", "honest": {{ "issuer": "c" }}, "acts": [{acts}] }} }}"#)
    };
    let steps =
        [present(""), r#"{ "update-policy": { "party": "once", "acts": [{ "add-issuer": "c" }] } }"#.to_owned()];
    let steps = [&steps[..], &[present(again), present(again)]].concat().join(",");
    let said = said_of(&format!(r#"{{ "scenario": 1, "world": "two-issuers", "steps": [{steps}] }}"#));
    assert_eq!(said[0].alone(), Some(Rule::IssuerTrusted));
    assert!(!said[1].rejectable(), "{:?}", said[1]);
    assert_eq!(said[2].alone(), Some(Rule::ReplayRefused));
}

#[test]
fn white_space_around_a_flattened_token_is_json_and_around_a_compact_one_is_not() {
    let with = |acts: &str| {
        let head = r#""scenario": 1, "world": "two-issuers", "party": "api", "honest": { "issuer": "a" }"#;
        said_of(&format!(r#"{{ {head}, "acts": [{acts}] }}"#)).remove(0)
    };
    let flattened = r#"{ "serialize": { "as": "flattened" } }"#;
    let newline = r#"{ "raw": { "after": "\n" } }"#;
    assert_eq!(with(newline).alone(), Some(Rule::WellFormed));
    assert_eq!(with(&format!("{flattened}, {newline}")).alone(), Some(Rule::SerializationExpected));
    let letter = with(&format!(r#"{flattened}, {{ "raw": {{ "after": "x" }} }}"#));
    assert!(letter.broken().contains(&Rule::WellFormed));
}

#[test]
fn an_oracle_without_a_rule_accepts_what_only_that_rule_forbids() {
    let told = policy();
    let made = honest().by(&KEY_B);
    let views = [Told { at: NumericDate(NOW), policy: &told }];
    let said = Oracle::without(Rule::KeyBelongsToIssuer).expect(&views, &made.write().1, views[0].at);
    assert!(said.acceptable().is_some());
}

#[test]
fn another_name_of_the_same_algorithm_may_be_known_or_not() {
    static ED: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::derive(DerivedKind::Ed25519, 7, "ed"));
    static OTHER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::derive(DerivedKind::Ed25519, 7, "other"));
    let signed = |name: &str, key| honest().eddsa(key).head("alg", text(name)).head("kid", text("a1"));
    let told = |listed: &[&str], of_key: Option<&str>| {
        let listing = changed(jwk(&ED, Some("a1")), |jwk| jwk.alg = of_key.map(str::to_owned));
        with(|policy| {
            policy.issuers[0] =
                TrustedIssuer { algorithms: strings(listed), ..issuer(A, std::slice::from_ref(&listing)) }
        })
    };
    says(&told(&["EdDSA"], Some("EdDSA")), &signed("EdDSA", &ED), &Accept);
    for (name, listed, of_key) in [
        ("Ed25519", "EdDSA", None),
        ("Ed25519", "EdDSA", Some("Ed25519")),
        ("EdDSA", "Ed25519", None),
        ("EdDSA", "EdDSA", Some("Ed25519")),
    ] {
        let policy = told(&[listed], of_key);
        says(&policy, &signed(name, &ED), &Either);
        let open = expectation(&[(0, policy.clone())], &signed(name, &ED));
        assert_eq!(*open.latitudes(), [Latitude::FullySpecifiedName].into(), "{name} {listed} {of_key:?}");
        // It is no excuse for another key.
        says(&policy, &signed(name, &OTHER), &reject(&[Rule::KeyBelongsToIssuer]));
    }
    // The reference has it by one name alone.
    let newer = told(&["Ed25519"], Some("Ed25519"));
    assert!(expectation(&[(0, newer.clone())], &signed("Ed25519", &ED)).unspecified());
    let rules = expectation(&[(0, newer)], &signed("Ed25519", &OTHER)).broken().clone();
    assert_eq!(rules, [Rule::KeyBelongsToIssuer].into());
    // Other curves and other algorithms are called otherwise.
    says(&told(&["EdDSA"], None), &signed("Ed448", &ED), &reject(&[Rule::SignatureMatches]));
    says(&told(&["ES256"], None), &signed("Ed25519", &ED), &reject(&[Rule::AlgorithmAllowed]));
    says(&told(&["EdDSA"], Some("ES256")), &signed("Ed25519", &ED), &reject(&[Rule::AlgorithmAllowed]));
    let under_curve = with(|policy| policy.issuers[0].algorithms = strings(&["Ed25519"]));
    says(&under_curve, &honest(), &reject(&[Rule::AlgorithmAllowed]));
}
