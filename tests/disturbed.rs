//! Issuers in trouble: whoever fetches keys stays sound while they cannot be had, come late or lead elsewhere, and who does not is
//! found.
#![cfg(feature = "remote")]

mod common;

use common::NOW;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use wrongkey::campaign::{Case, Outcome, Plan, Progress, Seen, Selection, Stream, replay, run};
use wrongkey::finding::{Finding, Kind};
use wrongkey::issuers::fetching;
use wrongkey::jose::{JwkSet, NumericDate, Token};
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::rule::Rule;
use wrongkey::scenario::Scenario;
use wrongkey::validator::reference::Reference;
use wrongkey::validator::{Clock, Configured, Description, Fault, Identity, Maker, Validator, Verdict};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// The classes about what goes wrong where issuers publish.
const CLASSES: [&str; 5] = ["KL-12", "KL-13", "KR-26", "KR-27", "KR-28"];

/// What a client does where it fetches and something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Uses the last good set as long as it may be used, and then none.
    Sound,
    /// Looks once, when it is told whom to trust, and begins only where all is well.
    LooksFirst,
    /// Uses the last good set for ever.
    KeepsForEver,
    /// Uses the last good set of whoever it is.
    Borrows,
    /// Lets pass what it has no key for.
    LetsPass,
    /// Takes what has no signature where it has no key.
    TakesUnsigned,
    /// Never tries again.
    GivesUp,
    /// Goes where a redirect leads.
    FollowsRedirects,
    /// Does not read which issuer a discovery document is of.
    IgnoresIssuer,
    /// Adds a set to those of the name that the discovery document gives.
    BelievesIssuer,
    /// Gives no answer where it has no key.
    Breaks,
    /// Fetches what the `jku` of a token names once that token has been answered.
    LooksLater,
}

/// The strict reference validator, with keys from such a client.
struct Client {
    habit: Habit,
    handed: Option<TrustPolicy>,
    /// The last good sets by issuer, with the time at which they were fetched.
    good: BTreeMap<String, (NumericDate, JwkSet)>,
    given_up: BTreeSet<String>,
    /// What it has yet to look at.
    later: Option<String>,
}

fn client(habit: Habit) -> Maker {
    Arc::new(move || {
        Box::new(Client { habit, handed: None, good: BTreeMap::new(), given_up: BTreeSet::new(), later: None })
    })
}

impl Client {
    fn document(&self, url: &str) -> Option<Value> {
        let resolver = self.handed.as_ref()?.resolver.as_deref()?;
        let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
        let mut stream = TcpStream::connect(resolver.strip_prefix("http://")?).ok()?;
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        if head.starts_with("HTTP/1.1 302") && self.habit == Habit::FollowsRedirects {
            return self.document(head.lines().find_map(|line| line.strip_prefix("location: "))?);
        }
        head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).ok())?
    }

    /// Fetches an issuer's set, and keeps it where it is good.
    fn look(&mut self, issuer: &TrustedIssuer, now: NumericDate) -> Option<()> {
        let document = self.document(issuer.discovery_url.as_deref()?)?;
        let named = document["issuer"].as_str()?.to_owned();
        if named != issuer.issuer && !matches!(self.habit, Habit::IgnoresIssuer | Habit::BelievesIssuer) {
            return None;
        }
        let set: JwkSet = serde_json::from_value(self.document(document["jwks_uri"].as_str()?)?).ok()?;
        if self.habit == Habit::BelievesIssuer {
            let known = self.good.entry(named).or_insert_with(|| (now, JwkSet::default()));
            known.1.keys.extend(set.keys);
        } else {
            self.good.insert(issuer.issuer.clone(), (now, set));
        }
        Some(())
    }

    /// The keys of an issuer as this client has them; none where it has no set.
    fn keys(&mut self, issuer: &TrustedIssuer, now: NumericDate) -> Option<JwkSet> {
        let looks = self.habit != Habit::LooksFirst && !self.given_up.contains(&issuer.issuer);
        let looked = looks && self.look(issuer, now).is_some();
        if !looked && self.habit == Habit::GivesUp {
            self.given_up.insert(issuer.issuer.clone());
        }
        let age = self.handed.as_ref().and_then(|handed| handed.jwks_max_age).unwrap_or(0);
        let fresh = |at: &NumericDate| age > 0 && u64::try_from(now.0 - at.0).is_ok_and(|ago| ago <= age);
        let keeps = looked || matches!(self.habit, Habit::KeepsForEver | Habit::LooksFirst | Habit::BelievesIssuer);
        let own = self.good.get(&issuer.issuer).filter(|(at, _)| keeps || fresh(at)).map(|(_, set)| set.clone());
        if own.is_none() && self.habit == Habit::Borrows {
            return Some(JwkSet::of(self.good.values().flat_map(|(_, set)| set.keys.clone()).collect()));
        }
        own
    }
}

/// A member of the header (0) or the payload (1) that is text.
fn said(token: &Token, part: usize, name: &str) -> Option<String> {
    let text = std::str::from_utf8(token.as_bytes()).ok()?;
    let octets = wrongkey::jose::decode_base64url(text.split('.').nth(part)?)?;
    Some(serde_json::from_slice::<Value>(&octets).ok()?[name].as_str()?.to_owned())
}

impl Validator for Client {
    fn describe(&self) -> Description {
        let sources = BTreeSet::from([KeySource::Fetched]);
        Description { key_sources: sources, ..Description::new("client", "1", Clock::Settable) }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        assert!(policy.issuers.iter().all(|issuer| issuer.disturbed.is_none() && issuer.jwks.is_none()));
        self.handed = Some(policy.clone());
        let first = self.habit == Habit::LooksFirst;
        for issuer in policy.issuers.iter().filter(|_| first) {
            let looked = self.look(issuer, NOW);
            looked.ok_or_else(|| Fault::Broken(format!("no keys of {}", issuer.issuer)))?;
        }
        Ok(Configured::Ready)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        if let Some(url) = self.later.take() {
            let _ = self.document(&url);
        }
        self.later = said(token, 0, "jku").filter(|_| self.habit == Habit::LooksLater);
        let handed = self.handed.clone().ok_or_else(|| Fault::Broken("it was told nothing".to_owned()))?;
        let mut policy = TrustPolicy { key_source: KeySource::PerIssuer, resolver: None, ..handed };
        for issuer in &mut policy.issuers {
            let keys = self.keys(issuer, now);
            if keys.is_none() && said(token, 1, "iss").as_ref() == Some(&issuer.issuer) {
                let unsigned = said(token, 0, "alg").as_deref() == Some("none");
                match self.habit {
                    Habit::LetsPass => return Ok(believed(token)),
                    Habit::TakesUnsigned if unsigned => return Ok(believed(token)),
                    Habit::Breaks => return Err(Fault::Broken("no key".to_owned())),
                    _ => {}
                }
            }
            issuer.jwks = Some(keys.unwrap_or_default());
            (issuer.discovery_url, issuer.jwks_uri) = (None, None);
        }
        let mut judge = Reference::default();
        match judge.configure(&policy)? {
            Configured::Ready => judge.validate(token, now),
            Configured::Skip(reason) => Err(Fault::Broken(reason)),
        }
    }
}

fn believed(token: &Token) -> Verdict {
    Verdict::accept(Identity { iss: said(token, 1, "iss"), sub: said(token, 1, "sub"), ..Identity::default() })
}

fn worlds() -> Vec<Arc<World>> {
    let world = |name: &str| {
        let mut world = World::shipped(name, DEFAULT_SEED).unwrap();
        Arc::get_mut(&mut world).unwrap().let_fetch();
        world
    };
    ["two-issuers", "rotation"].map(world).into()
}

/// What comes of the classes above, or of those of them that are named.
fn outcome(habit: Habit, classes: &'static [&'static str], jobs: usize) -> Outcome {
    let worlds = worlds();
    let selection = Selection {
        key_sources: vec![KeySource::Fetched],
        classes: Arc::new(|class| classes.contains(&class.id)),
        ..Selection::default()
    };
    let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), 0, 0));
    let maker = fetching(client(habit), &worlds, Calendar::At(NOW));
    let plan = Plan { worlds, stream, now: NOW, jobs, timeout: Duration::from_secs(20), max_findings: 50 };
    run(&plan, &maker, &Arc::new(Progress::default()), &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn found(outcome: &Outcome, kind: Kind, rules: &[Rule]) -> Finding {
    let rules: BTreeSet<Rule> = rules.iter().copied().collect();
    let found = outcome.findings.iter().find(|it| it.kind == kind && it.rules == rules && it.reproduced);
    found.unwrap_or_else(|| panic!("no {kind:?} {rules:?} in {:#?}", outcome.findings)).clone()
}

#[test]
fn a_sound_one_is_clean_and_every_class_is_evidence() {
    let outcome = outcome(Habit::Sound, &CLASSES, 2);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    assert!(outcome.tally.baseline_held() && outcome.unplayable.is_empty(), "{:?}", outcome.unplayable);
    assert!(outcome.tally.closed_badly.is_empty(), "{:?}", outcome.tally.closed_badly);
    for class in CLASSES {
        let counts = &outcome.tally.classes[class];
        assert!(counts.presented > 0 && counts.confirmed > 0, "{class}: {counts:?}");
        assert!(counts.inconclusive == 0 && counts.faults == 0, "{class}: {counts:?}");
    }
    for rule in [Rule::KeyBelongsToIssuer, Rule::KeyInService, Rule::SignatureMatches] {
        let counts = &outcome.tally.rules[&rule];
        assert!(counts.confirmed > 0 && counts.inconclusive == 0, "{rule}: {counts:?}");
    }
}

#[test]
fn one_that_begins_only_where_all_is_well_is_not_blamed_for_it() {
    let outcome = outcome(Habit::LooksFirst, &["KL-13", "KR-26", "KR-27", "KR-28"], 2);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    let skipped = &outcome.tally.classes["KR-26"].skipped;
    assert!(skipped.keys().any(|why| why.contains("does not begin while")), "{skipped:?}");
}

#[test]
fn the_last_good_set_must_not_be_used_for_ever() {
    let outcome = outcome(Habit::KeepsForEver, &["KL-12"], 2);
    let found = found(&outcome, Kind::FalseAccept, &[Rule::KeyInService]);
    assert!(found.scenario.to_json().contains("jwks-unreachable"), "{}", found.scenario.to_json());
    assert_eq!(outcome.findings.len(), 1, "{:#?}", outcome.findings);
}

#[test]
fn another_issuers_set_is_no_help() {
    let outcome = outcome(Habit::Borrows, &["KL-13"], 2);
    found(&outcome, Kind::FalseAccept, &[Rule::KeyBelongsToIssuer]);
}

#[test]
fn where_no_key_can_be_had_nothing_passes() {
    found(&outcome(Habit::LetsPass, &["KL-12"], 2), Kind::FalseAccept, &[Rule::KeyBelongsToIssuer]);
    let unsigned = outcome(Habit::TakesUnsigned, &["KL-12"], 2);
    found(&unsigned, Kind::FalseAccept, &[Rule::SignatureMatches]);
    assert_eq!(unsigned.findings.len(), 1, "{:#?}", unsigned.findings);
}

#[test]
fn whoever_never_tries_again_refuses_honest_tokens() {
    found(&outcome(Habit::GivesUp, &["KL-12"], 2), Kind::FalseReject, &[]);
}

#[test]
fn a_document_of_another_issuer_must_not_be_used() {
    for class in [&["KR-26"], &["KR-28"]] {
        let habit = if class == &["KR-26"] { Habit::IgnoresIssuer } else { Habit::BelievesIssuer };
        let outcome = outcome(habit, class, 2);
        let found = found(&outcome, Kind::FalseAccept, &[Rule::KeyBelongsToIssuer]);
        assert!(found.classes.contains(class[0]), "{found:#?}");
    }
}

#[test]
fn no_answer_is_a_fault_even_then() {
    found(&outcome(Habit::Breaks, &["KL-12"], 1), Kind::Fault, &[]);
}

#[test]
fn the_same_is_seen_for_any_number_of_jobs() {
    let seen = |jobs| {
        let outcome = outcome(Habit::IgnoresIssuer, &CLASSES, jobs);
        outcome.findings.iter().map(|finding| format!("{finding:?}")).collect::<Vec<_>>()
    };
    assert_eq!(seen(1), seen(3));
}

/// What comes of the tokens of one scenario in `two-issuers`.
fn shown(habit: Habit, steps: &str) -> Vec<Case> {
    let worlds = worlds();
    let maker = fetching(client(habit), &worlds, Calendar::At(NOW));
    let text = format!(r#"{{ "scenario": 1, "world": "two-issuers", "key_source": "fetched", "steps": [ {steps} ] }}"#);
    let scenario = Scenario::from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let replayed = replay(&worlds, &maker, &scenario, NOW, Duration::from_secs(20));
    replayed.unwrap_or_else(|error| panic!("{error}")).cases
}

const HONEST_A: &str = r#"{ "present": { "to": "api", "honest": { "issuer": "a" } } }"#;
const HONEST_B: &str = r#"{ "present": { "to": "api", "honest": { "issuer": "b" } } }"#;

fn unreachable(how: &str) -> String {
    format!(r#"{{ "jwks-unreachable": {{ "issuer": "a", "how": {how} }} }}"#)
}

#[test]
fn an_honest_token_may_be_refused_while_its_issuers_keys_cannot_be_had_and_a_while_after() {
    for how in [r#""cut""#, r#""status""#, r#""truncated""#, r#""redirect""#, r#"{ "discovery-of": "b" }"#] {
        let gone = unreachable(how);
        let back = r#"{ "jwks-reachable": { "issuer": "a" } }"#;
        let steps = [HONEST_A, &gone, HONEST_A, HONEST_B, back, HONEST_A, r#"{ "advance-clock": "10m" }"#, HONEST_A];
        let seen: Vec<Seen> = shown(Habit::Sound, &steps.join(",")).into_iter().map(|case| case.seen).collect();
        let [first, refused, other, again, last] = &seen[..] else { panic!("{seen:?}") };
        for accepted in [first, other, last] {
            assert!(matches!(accepted, Seen::Accepted { .. }), "{how}: {seen:?}");
        }
        assert!(matches!(refused, Seen::Open { accepted: false }), "{how}: {seen:?}");
        assert!(matches!(again, Seen::Open { accepted: true }), "{how}: {seen:?}");
    }
    // Late is in time.
    let late = shown(Habit::Sound, &[HONEST_A, &unreachable(r#""slow""#), HONEST_A].join(","));
    assert!(
        late.iter().all(|case| matches!(case.seen, Seen::Accepted { .. } | Seen::Open { accepted: true })),
        "{late:?}"
    );
}

/// What a redirect or a document of a stranger's leads to is fetched for one token.
#[test]
fn a_fetch_elsewhere_is_laid_at_the_token_in_hand() {
    let ways = [(Habit::FollowsRedirects, r#""redirect""#), (Habit::IgnoresIssuer, r#"{ "discovery-of": "c" }"#)];
    for (habit, how) in ways {
        let cases = shown(habit, &[HONEST_A, &unreachable(how), HONEST_A, HONEST_A].join(","));
        let fetched: Vec<String> = cases.iter().filter_map(forbidden).collect();
        assert!(matches!(cases[0].seen, Seen::Accepted { .. }), "{cases:?}");
        assert!(fetched.len() == 2 && fetched[0] != fetched[1], "{how}: {fetched:?}");
        // The sound one is led there as well, and does not go.
        let stays = shown(Habit::Sound, &[HONEST_A, &unreachable(how), HONEST_A].join(","));
        assert!(stays.iter().all(|case| forbidden(case).is_none()), "{how}: {stays:?}");
    }
}

#[test]
fn a_fetch_after_the_answer_is_laid_at_the_token_that_names_it() {
    let jku = r#"{ "present": { "to": "api", "honest": { "issuer": "a" },
        "acts": [ { "embed-key": { "as": "jku", "key": "mallory-rsa" } }, { "sign-with": { "key": "mallory-rsa" } } ] } }"#;
    let seen = |habit| shown(habit, &[HONEST_A, jku, HONEST_B, HONEST_A].join(","));
    let late = seen(Habit::LooksLater);
    let fetched: Vec<bool> = late.iter().map(|case| forbidden(case).is_some()).collect();
    assert_eq!(fetched, [false, true, false, false], "{late:?}");
    assert!(matches!(late[2].seen, Seen::Accepted { .. }), "{late:?}");
    assert!(seen(Habit::Sound).iter().all(|case| forbidden(case).is_none()));
}

fn forbidden(case: &Case) -> Option<String> {
    match &case.seen {
        Seen::Wrong { kind: Kind::ForbiddenFetch, answer, .. } => Some(answer.clone()),
        _ => None,
    }
}

#[test]
fn where_nobody_fetches_the_step_is_refused_with_a_remedy() {
    let worlds = worlds();
    let text =
        format!(r#"{{ "scenario": 1, "world": "two-issuers", "steps": [ {}, {HONEST_A} ] }}"#, unreachable(r#""cut""#));
    let scenario = Scenario::from_json(text.as_bytes()).unwrap();
    let maker = wrongkey::validator::reference::maker();
    let error = replay(&worlds, &maker, &scenario, NOW, Duration::from_secs(20)).unwrap_err().to_string();
    assert!(error.contains("step 1 (jwks-unreachable)") && error.contains("`key_source` is `fetched`"), "{error}");
}
