//! Whole campaigns against endpoints: the same is found over HTTP as in process, and a server that stops judging hides nothing.

use super::common::shared_worlds;
use super::server::{Asked, Reply, Server, judging};
use super::{policy, policy_of};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, run};
use wrongkey::clock;
use wrongkey::config::Config;
use wrongkey::finding::{Kind, TwinKind};
use wrongkey::generate::Class;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::judgement::{Exit, judge};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::rule::{Rule, Severity};
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::http::{Endpoint, Settings};
use wrongkey::validator::{Configured, Description, Fault, Maker, Validator, Verdict};

/// A campaign at one site.
fn plan(world: &str, party: &str, classes: impl Fn(&Class) -> bool + Send + Sync + 'static, jobs: usize) -> Plan {
    let worlds: Vec<_> = shared_worlds().into_iter().filter(|known| known.name == world).collect();
    let selection = Selection {
        parties: vec![party.to_owned()],
        key_sources: vec![KeySource::PerIssuer],
        classes: Arc::new(classes),
    };
    let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), 0, 0));
    Plan { worlds, stream, now: clock::now(), jobs, timeout: Duration::from_secs(10), max_findings: 100 }
}

fn campaign(plan: &Plan, maker: &Maker) -> Outcome {
    run(plan, maker, &Arc::new(Progress::default()), &mut || {}).unwrap()
}

fn exits(outcome: &Outcome) -> BTreeSet<Exit> {
    judge(outcome, &Config::default(), Severity::High, clock::now()).exits
}

/// An endpoint under the policy of these tests.
fn endpoint(server: &Server, change: impl FnOnce(&mut Settings)) -> Maker {
    let mut settings = Settings::new(server.url("/me"));
    settings.name = Some("endpoint".to_owned());
    settings.timeout = Duration::from_secs(10);
    change(&mut settings);
    Endpoint::new(settings, policy()).unwrap().maker()
}

/// A validator in this process that can do as little as an endpoint: it has one policy, and reads the clock itself.
struct Settled {
    inner: Box<dyn Validator>,
    endpoint: Box<dyn Validator>,
}

impl Validator for Settled {
    fn describe(&self) -> Description {
        Description { name: "endpoint".to_owned(), at_once: 1, keeps_time: false, ..self.endpoint.describe() }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        match self.endpoint.configure(policy)? {
            Configured::Ready => self.inner.configure(policy),
            skip => Ok(skip),
        }
    }

    fn validate(&mut self, token: &Token, _: NumericDate) -> Result<Verdict, Fault> {
        let verdict = self.inner.validate(token, clock::now())?;
        Ok(match verdict {
            Verdict::Accept { identity, .. } => Verdict::Accept { identity, key: None },
            Verdict::Reject(why) => Verdict::Reject(format!("HTTP 401: {why}")),
            skip @ Verdict::Skip(_) => skip,
        })
    }
}

/// What was found, whoever found it and however the tokens came to differ.
fn found(outcome: &Outcome) -> BTreeSet<(Kind, Vec<Rule>, String)> {
    let of = |finding: &wrongkey::finding::Finding| {
        (finding.kind, finding.rules.iter().copied().collect(), finding.origin.clone())
    };
    outcome.findings.iter().map(of).collect()
}

#[test]
fn the_same_is_found_over_http_as_in_process() {
    let flaws =
        [None, Some(Flaw::SignatureOnlyOverMergedKeys), Some(Flaw::SubjectFromUsername), Some(Flaw::AudienceByPrefix)];
    for flaw in flaws {
        let server = Server::start(judging(&flawed::maker(flaw), &policy()));
        let identity = ["/sub", "iss=/iss", "tid=/tenant"].map(str::to_owned).to_vec();
        let over_http = endpoint(&server, |settings| settings.identity = identity);
        let in_process: Maker = {
            let over_http = Arc::clone(&over_http);
            Arc::new(move || Box::new(Settled { inner: flawed::maker(flaw)(), endpoint: over_http() }))
        };
        let plan = plan("two-issuers", "api", |class| ["KS", "IA", "AL"].contains(&&class.id[..2]), 2);
        let (http, here) = (campaign(&plan, &over_http), campaign(&plan, &in_process));
        assert_eq!(found(&http), found(&here), "{flaw:?}");
        assert_eq!(http.tally.rules, here.tally.rules, "{flaw:?}");
        assert_eq!(http.tally.baseline_accepted, here.tally.baseline_accepted);
        match flaw {
            None => assert_eq!(found(&http), BTreeSet::new()),
            Some(_) => assert!(!http.findings.is_empty(), "{flaw:?}"),
        }
        // Something was shown, by other tokens: the endpoint has no other policy.
        let twins =
            http.findings.iter().filter(|finding| finding.kind == Kind::FalseAccept).map(|finding| &finding.twin);
        assert!(twins.flatten().all(|twin| twin.kind == TwinKind::Token), "{:#?}", http.findings);
        assert!(http.tally.rules[&Rule::IssuerTrusted].confirmed > 0, "{:?}", http.tally.rules);
        let skipped = http.tally.classes.values().flat_map(|class| class.skipped.keys());
        assert!(skipped.clone().any(|why| why.contains("live update") || why.contains("cannot be changed")));
    }
}

#[test]
fn a_server_that_stops_judging_is_not_clean() {
    let classes = |class: &Class| class.id.starts_with("KS");
    let after = |status: u16, reject: &str| {
        let (judging, asked) = (judging(&flawed::maker(None), &policy()), AtomicUsize::new(0));
        let server = Server::start(move |one: &Asked| {
            let late = asked.fetch_add(1, Ordering::Relaxed) >= 30;
            if late { Reply::status(status) } else { judging(one) }
        });
        let maker = endpoint(&server, |settings| settings.reject_status = reject.to_owned());
        campaign(&plan("two-issuers", "api", classes, 1), &maker)
    };
    for (status, reject) in [(401, "401"), (429, "401,429")] {
        let outcome = after(status, reject);
        assert_eq!(exits(&outcome), BTreeSet::from([Exit::Inconclusive]), "{:?}", outcome.findings);
        assert!(outcome.findings.iter().all(|finding| finding.kind == Kind::FalseReject));
        assert!(!outcome.tally.closed_badly.is_empty());
    }
    let outcome = after(429, "401");
    assert!(exits(&outcome).is_superset(&BTreeSet::from([Exit::Faults, Exit::Inconclusive])), "{:?}", exits(&outcome));
}

#[test]
fn an_endpoint_that_says_no_issuer_is_asked_for_none() {
    let server = Server::start(judging(&flawed::maker(None), &policy()));
    let maker = endpoint(&server, |settings| settings.identity = vec!["/sub".to_owned()]);
    let outcome = campaign(&plan("two-issuers", "api", |class| class.id.starts_with("IA"), 1), &maker);
    assert_eq!(found(&outcome), BTreeSet::new());
    assert!(outcome.tally.baseline_accepted > 0);
}

#[test]
fn other_sites_are_not_shown_to_it() {
    let server = Server::start(judging(&flawed::maker(None), &policy()));
    let maker = endpoint(&server, |_| {});
    let outcome = campaign(&plan("two-issuers", "web", |class| class.id == "KS-01", 1), &maker);
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
    assert_eq!(outcome.tally.baseline_accepted, 0);
    assert_ne!(policy_of("two-issuers", "web", clock::now()), policy());
}

#[test]
fn an_algorithm_that_it_does_not_have_is_not_held_against_it() {
    let judging = judging(&flawed::maker(None), &policy());
    // It knows what it was asked for by the length of the signatures: 64 octets have 86 characters.
    let server = Server::start(move |asked: &Asked| match asked.token() {
        Some(token)
            if token.as_bytes().len() - token.as_bytes().iter().rposition(|&c| c == b'.').unwrap_or(0) == 87 =>
        {
            Reply::status(403)
        }
        _ => judging(asked),
    });
    let campaign = |algorithms: &[&str]| {
        let algorithms = algorithms.iter().map(|name| (*name).to_owned()).collect();
        let maker = endpoint(&server, |settings| settings.algorithms = algorithms);
        campaign(&plan("two-issuers", "api", |class| class.id == "KS-01", 1), &maker)
    };
    let (silent, said) = (campaign(&[]), campaign(&["RS256", "PS256"]));
    assert_eq!((silent.tally.baseline_accepted, silent.tally.baseline_failures.len()), (2, 2));
    assert_eq!((said.tally.baseline_accepted, said.tally.baseline_failures.len()), (2, 0));
    let skipped: BTreeSet<&String> = said.tally.classes.values().flat_map(|class| class.skipped.keys()).collect();
    assert!(skipped.iter().any(|why| why.contains("is not among its algorithms")), "{skipped:?}");
    assert!(said.tally.rules[&Rule::KeyBelongsToIssuer].confirmed > 0);
    assert_eq!(exits(&said), BTreeSet::new());
}
