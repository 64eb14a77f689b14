//! Validators that fetch their keys from the served issuers are judged like all others: a sound one is clean, and what is wrong
//! with a wrong one is found.
#![cfg(feature = "remote")]

mod common;

use common::NOW;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use wrongkey::campaign::{Outcome, Plan, Progress, Seen, Selection, Stream, replay, run};
use wrongkey::finding::Kind;
use wrongkey::generate::Class;
use wrongkey::issuers::{Answer, Published, fetching};
use wrongkey::jose::{Jwk, JwkSet, Material, NumericDate, Token};
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::rule::{Rule, Severity};
use wrongkey::scenario::Scenario;
use wrongkey::validator::reference::Reference;
use wrongkey::validator::{Clock, Configured, Description, Fault, Maker, Validator, Verdict};
use wrongkey::world::{Calendar, DEFAULT_SEED, Publication, World};
use x509_cert::der::{Decode as _, Encode as _};

/// How a validator goes about fetching.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// For every token anew.
    Always,
    /// Once, and never again.
    Once,
    /// For every token anew, and all keys are everybody's.
    Pooled,
    /// As always; and wherever `iss` leads, before anything is asked about it.
    Discovers,
    /// As always; and what `jku` names, as one more set of every issuer.
    FollowsJku,
    /// As always; and what `jku` names, to no purpose.
    LooksAtJku,
    /// As always; and the certificates that `x5u` names, as keys of every issuer.
    FollowsX5u,
    /// As `FollowsJku`, where it begins with the name of an issuer that is trusted.
    AllowsByPrefix,
    /// As `FollowsJku`, where the name of an issuer's host that is trusted stands in it.
    AllowsBySubstring,
    /// As always; and wherever a `kid` leads that is a URL.
    FollowsKid,
}

/// The strict reference validator, with keys that it fetches.
struct Fetcher {
    habit: Habit,
    handed: Option<TrustPolicy>,
    filled: Option<TrustPolicy>,
    judge: Reference,
}

fn fetcher(habit: Habit) -> Maker {
    Arc::new(move || Box::new(Fetcher { habit, handed: None, filled: None, judge: Reference::default() }))
}

/// The JSON document at a URL, by way of the resolver.
fn fetched(resolver: &str, url: &str) -> Option<Value> {
    serde_json::from_str(&text_at(resolver, url)?).ok()
}

/// What stands at a URL (RFC 3986 section 3), by way of the resolver.
fn text_at(resolver: &str, url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next()?;
    let path = behind.split('#').next()?.trim_start_matches('/');
    let mut stream = TcpStream::connect(resolver.strip_prefix("http://")?).ok()?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// The RSA key of the first certificate in a PEM text.
fn certified(pem: &str) -> Option<Jwk> {
    let (_, der) = x509_cert::der::pem::decode_vec(pem.as_bytes()).ok()?;
    let certificate = x509_cert::Certificate::from_der(&der).ok()?;
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der().ok()?;
    let key = rsa::RsaPublicKey::from_public_key_der(&spki).ok()?;
    Some(Jwk::new(Material::Rsa { n: key.n().to_bytes_be(), e: key.e().to_bytes_be() }))
}

/// The keys that an issuer publishes now; `None` where they cannot be had, or discovery tells of another issuer (OpenID Connect
/// Discovery 1.0 section 4.3).
fn published(resolver: &str, issuer: &TrustedIssuer) -> Option<JwkSet> {
    let document = fetched(resolver, issuer.discovery_url.as_deref()?)?;
    if document["issuer"] != issuer.issuer.as_str() {
        return None;
    }
    assert_eq!(document["jwks_uri"].as_str(), issuer.jwks_uri.as_deref());
    serde_json::from_value(fetched(resolver, issuer.jwks_uri.as_deref()?)?).ok()
}

/// The same policy with the keys that its issuers publish now, and none where they cannot be had.
fn filled(handed: &TrustPolicy) -> Option<TrustPolicy> {
    let resolver = handed.resolver.as_deref()?;
    let mut policy = TrustPolicy { key_source: KeySource::PerIssuer, resolver: None, ..handed.clone() };
    for issuer in &mut policy.issuers {
        issuer.jwks = Some(published(resolver, issuer).unwrap_or_default());
        (issuer.discovery_url, issuer.jwks_uri) = (None, None);
    }
    Some(policy)
}

/// A member of the header (0) or the payload (1) that is text.
fn said(token: &Token, part: usize, name: &str) -> Option<String> {
    let text = std::str::from_utf8(token.as_bytes()).ok()?;
    let octets = wrongkey::jose::decode_base64url(text.split('.').nth(part)?)?;
    Some(serde_json::from_slice::<Value>(&octets).ok()?[name].as_str()?.to_owned())
}

impl Validator for Fetcher {
    fn describe(&self) -> Description {
        let sources = BTreeSet::from([KeySource::Fetched]);
        Description { key_sources: sources, ..Description::new("fetcher", "1", Clock::Settable) }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        assert_eq!(policy.key_source, KeySource::Fetched);
        assert!(policy.issuers.iter().all(|issuer| issuer.jwks.is_none() && issuer.secrets.is_none()));
        self.handed = Some(policy.clone());
        self.filled = None;
        Ok(Configured::Ready)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        if self.filled.is_none() || self.habit != Habit::Once {
            let handed = self.handed.as_ref().ok_or_else(|| Fault::Broken("it was told nothing".to_owned()))?;
            let mut policy = filled(handed).ok_or_else(|| Fault::Broken("a set cannot be fetched".to_owned()))?;
            let resolver = handed.resolver.clone().unwrap_or_default();
            if self.habit == Habit::Discovers
                && let Some(iss) = said(token, 1, "iss")
            {
                let _ = fetched(&resolver, &format!("{iss}/.well-known/openid-configuration"));
            }
            let host = |name: &str| name.split('/').nth(2).unwrap_or_default().to_owned();
            let name = if self.habit == Habit::FollowsKid { "kid" } else { "jku" };
            let place = said(token, 0, name).filter(|url| match self.habit {
                Habit::FollowsJku | Habit::LooksAtJku | Habit::FollowsKid => true,
                Habit::AllowsByPrefix => handed.issuers.iter().any(|issuer| url.starts_with(&issuer.issuer)),
                Habit::AllowsBySubstring => handed.issuers.iter().any(|issuer| url.contains(&host(&issuer.issuer))),
                _ => false,
            });
            let set = place.and_then(|url| fetched(&resolver, &url)).filter(|_| self.habit != Habit::LooksAtJku);
            let mut found: JwkSet = set.and_then(|set| serde_json::from_value(set).ok()).unwrap_or_default();
            if self.habit == Habit::FollowsX5u
                && let Some(pem) = said(token, 0, "x5u").and_then(|url| text_at(&resolver, &url))
            {
                found.keys.extend(certified(&pem));
            }
            if !found.keys.is_empty() {
                policy.issuers.iter_mut().flat_map(|issuer| &mut issuer.jwks).for_each(|own| {
                    own.keys.extend(found.keys.iter().cloned());
                });
            }
            if self.habit == Habit::Pooled {
                let all = policy.issuers.iter().flat_map(|issuer| &issuer.jwks).flat_map(|set| set.keys.clone());
                let all = JwkSet::of(all.collect());
                policy.issuers.iter_mut().for_each(|issuer| issuer.jwks = Some(all.clone()));
            }
            if self.filled.as_ref() != Some(&policy) {
                if let Configured::Skip(reason) = self.judge.configure(&policy)? {
                    return Err(Fault::Broken(reason));
                }
                self.filled = Some(policy);
            }
        }
        self.judge.validate(token, now)
    }
}

/// Shipped worlds whose parties may fetch.
fn worlds(names: &[&str]) -> Vec<Arc<World>> {
    let world = |name: &&str| {
        let mut world = World::shipped(name, DEFAULT_SEED).unwrap();
        Arc::get_mut(&mut world).unwrap().let_fetch();
        world
    };
    names.iter().map(world).collect()
}

fn outcome(habit: Habit, names: &[&str], jobs: usize) -> Outcome {
    outcome_of(habit, names, jobs, "")
}

/// The same of classes whose ids begin so.
fn outcome_of(habit: Habit, names: &[&str], jobs: usize, group: &'static str) -> Outcome {
    let worlds = worlds(names);
    let classes = Arc::new(move |class: &Class| class.id.starts_with(group));
    let selection = Selection { key_sources: vec![KeySource::Fetched], classes, ..Selection::default() };
    let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), 0, 0));
    let maker = fetching(fetcher(habit), &worlds, Calendar::At(NOW));
    let plan = Plan { worlds, stream, now: NOW, jobs, timeout: Duration::from_secs(20), max_findings: 50 };
    run(&plan, &maker, &Arc::new(Progress::default()), &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_sound_one_is_clean_and_its_rejections_are_evidence() {
    let outcome = outcome(Habit::Always, &["two-issuers", "rotation"], 2);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    assert!(outcome.tally.baseline_held());
    let conduct = outcome.tally.conduct[&Rule::UrlNotFetched];
    assert!(conduct.tempted > 0 && conduct.broken == 0, "{conduct:?}");
    assert!(!outcome.tally.conduct.contains_key(&Rule::SecretNotPrinted), "nobody here has a secret");
    for rule in [Rule::KeyBelongsToIssuer, Rule::IssuerTrusted, Rule::KeyInService, Rule::SignatureMatches] {
        let tally = &outcome.tally.rules[&rule];
        assert!(tally.confirmed > 0 && tally.faults == 0, "{rule}: {tally:?}");
    }
}

#[test]
fn one_that_pools_what_it_fetches_accepts_another_issuers_key() {
    let outcome = outcome(Habit::Pooled, &["two-issuers"], 2);
    let found = outcome.findings.iter().find(|finding| {
        finding.kind == Kind::FalseAccept && finding.rules.contains(&Rule::KeyBelongsToIssuer) && finding.reproduced
    });
    assert!(found.is_some(), "{:#?}", outcome.findings);
    assert!(outcome.tally.baseline_held());
}

#[test]
fn one_that_never_fetches_again_keeps_a_removed_key_for_too_long() {
    let outcome = outcome(Habit::Once, &["rotation"], 1);
    let found = outcome.findings.iter().find(|finding| {
        finding.kind == Kind::FalseAccept && finding.rules == [Rule::KeyInService].into() && finding.reproduced
    });
    let found = found.unwrap_or_else(|| panic!("{:#?}", outcome.findings));
    assert_eq!(found.scenario.key_source, KeySource::Fetched);
}

/// One that breaks when it is told a second time whom to trust.
struct ToldOnce {
    inner: Box<dyn Validator>,
    fetches_jwks: bool,
    told: bool,
}

impl Validator for ToldOnce {
    fn describe(&self) -> Description {
        Description { live_update: false, fetches_jwks: self.fetches_jwks, ..self.inner.describe() }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        assert!(!std::mem::replace(&mut self.told, true), "it is told a second time");
        self.inner.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        self.inner.validate(token, now)
    }
}

/// What comes of the token after this step, at one that is told once whom to trust.
fn after(step: &str, habit: Habit, fetches_jwks: bool) -> Seen {
    let worlds = worlds(&["rotation"]);
    let inner = fetcher(habit);
    let maker: Maker = Arc::new(move || Box::new(ToldOnce { inner: inner(), fetches_jwks, told: false }));
    let present =
        r#"{ "present": { "to": "strict", "honest": { "issuer": "departing", "key": "departing-second" } } }"#;
    let text = format!(
        r#"{{ "scenario": 1, "world": "rotation", "key_source": "fetched",
        "steps": [ {present}, {step}, {{ "advance-clock": "1d" }}, {present} ] }}"#
    );
    let scenario = Scenario::from_json(text.as_bytes()).unwrap();
    let maker = fetching(maker, &worlds, Calendar::At(NOW));
    let mut replayed = replay(&worlds, &maker, &scenario, NOW, Duration::from_secs(20)).unwrap();
    replayed.cases.pop().unwrap().seen
}

#[test]
fn whoever_fetches_need_not_be_told_that_a_key_is_removed() {
    let removed = r#"{ "remove-key": { "key": "departing-second" } }"#;
    let sound = after(removed, Habit::Always, true);
    assert!(matches!(sound, Seen::Rejected(_)), "{sound:?}");
    let stale = after(removed, Habit::Once, true);
    assert!(matches!(stale, Seen::Wrong { kind: Kind::FalseAccept, .. }), "{stale:?}");
    // Who is trusted stands in the policy, and so does the key of somebody who does not say that it fetches again.
    let disabled = r#"{ "disable-issuer": { "issuer": "departing" } }"#;
    for (step, fetches_jwks) in [(disabled, true), (removed, false)] {
        let seen = after(step, Habit::Always, fetches_jwks);
        assert!(matches!(&seen, Seen::Skipped(why) if why == "it has no live update"), "{step}: {seen:?}");
    }
}

#[test]
fn one_that_goes_wherever_iss_leads_fetches_what_it_must_not() {
    let outcome = outcome(Habit::Discovers, &["two-issuers"], 2);
    let found: Vec<_> = outcome.findings.iter().filter(|finding| finding.kind == Kind::ForbiddenFetch).collect();
    assert!(!found.is_empty() && found.iter().all(|finding| finding.reproduced), "{:#?}", outcome.findings);
    assert!(found.iter().all(|finding| finding.severity == Severity::High));
    assert!(found.iter().all(|finding| finding.rules == [Rule::UrlNotFetched].into()));
    let conduct = outcome.tally.conduct[&Rule::UrlNotFetched];
    assert!(conduct.broken > 0 && conduct.broken <= conduct.tempted, "{conduct:?}");
    // It answers rightly all the same, and what it may fetch is held against nobody.
    assert_eq!(found.len(), outcome.findings.len());
    assert!(outcome.tally.baseline_held());
}

#[test]
fn an_issuer_that_was_trusted_until_now_may_be_asked_while_that_may_be_remembered() {
    let worlds = worlds(&["two-issuers", "rotation"]);
    let maker = fetching(fetcher(Habit::Discovers), &worlds, Calendar::At(NOW));
    let seen = |world: &str, party: &str, issuer: &str| {
        let present = format!(r#"{{ "present": {{ "to": "{party}", "honest": {{ "issuer": "{issuer}" }} }} }}"#);
        let text = format!(
            r#"{{ "scenario": 1, "world": "{world}", "key_source": "fetched",
            "steps": [ {present}, {{ "disable-issuer": {{ "issuer": "{issuer}" }} }}, {present} ] }}"#
        );
        let scenario = Scenario::from_json(text.as_bytes()).unwrap();
        let mut replayed = replay(&worlds, &maker, &scenario, NOW, Duration::from_secs(20)).unwrap();
        replayed.cases.pop().unwrap().seen
    };
    let told_for_how_long = seen("rotation", "strict", "departing");
    assert!(matches!(told_for_how_long, Seen::Open { .. }), "{told_for_how_long:?}");
    let not_told = seen("two-issuers", "api", "a");
    assert!(matches!(not_told, Seen::Wrong { kind: Kind::ForbiddenFetch, .. }), "{not_told:?}");
}

/// What comes of one token that says where its key is.
fn with_jku(habit: Habit, key: &str) -> Seen {
    let worlds = worlds(&["two-issuers"]);
    let maker = fetching(fetcher(habit), &worlds, Calendar::At(NOW));
    let text = format!(
        r#"{{ "scenario": 1, "world": "two-issuers", "key_source": "fetched", "party": "api", "honest": {{ "issuer": "a" }},
        "acts": [ {{ "embed-key": {{ "as": "jku", "key": "{key}" }} }}, {{ "sign-with": {{ "key": "{key}" }} }} ] }}"#
    );
    let scenario = Scenario::from_json(text.as_bytes()).unwrap();
    let mut replayed = replay(&worlds, &maker, &scenario, NOW, Duration::from_secs(20)).unwrap();
    replayed.cases.pop().unwrap().seen
}

/// Classes by which somebody was found to fetch what the token alone names.
fn led_astray_by(habit: Habit) -> BTreeSet<String> {
    let outcome = outcome_of(habit, &["two-issuers"], 2, "KR-");
    assert!(outcome.tally.baseline_held());
    let conduct = outcome.tally.conduct[&Rule::UrlNotFetched];
    assert!(conduct.broken > 0 && conduct.broken <= conduct.tempted, "{conduct:?}");
    let found = outcome.findings.iter().filter(|finding| finding.rules == [Rule::UrlNotFetched].into());
    found.filter(|finding| finding.reproduced).flat_map(|finding| finding.classes.clone()).collect()
}

#[test]
fn each_way_to_be_led_elsewhere_is_found_by_the_class_that_tries_it() {
    let all = [
        (Habit::FollowsJku, &["KR-04", "KR-05", "KR-06", "KR-07"][..]),
        (Habit::FollowsX5u, &["KR-08"]),
        (Habit::AllowsByPrefix, &["KR-05", "KR-06"]),
        (Habit::AllowsBySubstring, &["KR-05", "KR-06"]),
        (Habit::FollowsKid, &["KR-15"]),
        (Habit::Discovers, &["KR-24"]),
    ];
    for (habit, classes) in all {
        let found = led_astray_by(habit);
        let missing: Vec<_> = classes.iter().filter(|class| !found.contains(**class)).collect();
        assert!(missing.is_empty(), "{missing:?}: {found:?}");
    }
    // Who compares beginnings goes to no other host by its plain name.
    assert!(!led_astray_by(Habit::AllowsByPrefix).contains("KR-07"));
}

#[test]
fn one_that_looks_nowhere_is_tempted_by_every_token_of_a_class_about_fetching() {
    let outcome = outcome_of(Habit::Always, &["storm-0558", "two-issuers", "multi-tenant"], 2, "KR-");
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    let about = wrongkey::generate::classes().iter().filter(|class| class.aims == Some(Rule::UrlNotFetched));
    let presented: Vec<_> = about.map(|class| (class.id, outcome.tally.classes[class.id].presented)).collect();
    assert!(presented.iter().all(|(_, count)| *count > 0), "{presented:?}");
    let conduct = outcome.tally.conduct[&Rule::UrlNotFetched];
    assert!(conduct.tempted >= presented.iter().map(|(_, count)| count).sum(), "{conduct:?} {presented:?}");
    assert_eq!(conduct.broken, 0);
}

#[test]
fn what_jku_names_must_not_be_fetched_whatever_the_answer() {
    let fetch = |seen: &Seen| match seen {
        Seen::Wrong { kind: Kind::ForbiddenFetch, answer, .. } => Some(answer.clone()),
        _ => None,
    };
    for habit in [Habit::FollowsJku, Habit::LooksAtJku] {
        // At the attacker's host, and at the host of an issuer that is trusted.
        for key in ["mallory-rsa", "a-rs"] {
            let seen = with_jku(habit, key);
            let answer = fetch(&seen).unwrap_or_else(|| panic!("{key}: {seen:?}"));
            assert!(answer.contains("/jwks.json"), "{answer}");
        }
    }
    assert!(matches!(with_jku(Habit::Always, "mallory-rsa"), Seen::Rejected(_)));
    // RFC 7515 section 4.1.2 leaves open what becomes of a good token with a `jku`.
    assert!(matches!(with_jku(Habit::Always, "a-rs"), Seen::Open { .. }));
}

#[test]
fn whoever_follows_jku_would_accept_the_attackers_token() {
    // Nobody watches here: what is served at the URL verifies the token.
    let world = &worlds(&["two-issuers"])[0];
    let published = Published::of(world, &Publication::of(world), Calendar::At(NOW));
    let Answer::Attacker(set) = published.answer("evil.example", "/x/jwks.json") else { panic!("the attacker's") };
    let set: JwkSet = serde_json::from_value(set).unwrap();
    assert!(set.keys.iter().any(|jwk| jwk.material == world.key("mallory-rsa").unwrap().jwk.material));
}

#[test]
fn a_party_with_a_secret_cannot_fetch_and_nobody_fetches_unasked() {
    let world = &worlds(&["two-issuers"])[0];
    let sources = |alias: &str| world.party(alias).unwrap().key_sources.contains(&KeySource::Fetched);
    assert_eq!(["api", "web", "desk", "once"].map(sources), [true, false, true, true]);
    let shipped = World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED));
    assert!(
        shipped.flat_map(|world| world.parties.clone()).all(|party| !party.key_sources.contains(&KeySource::Fetched))
    );
}
