//! A gateway that fetches its keys from the issuers that the same command serves.

use super::server::{Asked, Reply, Server};
use super::support::Place;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use wrongkey::clock;
use wrongkey::jose::{JwkSet, NumericDate, decode_base64url};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::validator::reference::Reference;
use wrongkey::validator::{Validator, Verdict};
use wrongkey::world::{Address, Calendar, DEFAULT_SEED, Naming, Publication, World};

/// A port that nobody has at the moment, and what stands before it in names.
fn base() -> (u16, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (port, format!("http://issuers.localhost:{port}"))
}

/// The document at a URL below the base.
fn fetched(port: u16, url: &str) -> Option<Value> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}

/// What the operator was told about party `api`.
fn policy(base: &str) -> TrustPolicy {
    let naming = Naming { issuer_base: Some(base.to_owned()), ..Naming::by(DEFAULT_SEED) };
    let world: Arc<World> = World::shipped_named("two-issuers", &naming).unwrap();
    let party = world.party("api").unwrap();
    let now: NumericDate = clock::now();
    world.policy(party, KeySource::PerIssuer, &Publication::of(&world), Calendar::At(now))
}

/// A gateway that knows its issuers by name; a nosy one looks up whatever `iss` says first.
fn gateway(port: u16, base: &str, nosy: bool) -> Server {
    let told = policy(base);
    Server::start(move |asked: &Asked| {
        let Some(token) = asked.token() else { return Reply::status(401) };
        let mut policy = told.clone();
        for issuer in &mut policy.issuers {
            assert!(issuer.issuer.starts_with("http://issuers.localhost:"));
            let set = fetched(port, &Address::of(&issuer.issuer).unwrap().jwks_uri());
            issuer.jwks = set.and_then(|set| serde_json::from_value::<JwkSet>(set).ok());
        }
        let text = String::from_utf8_lossy(token.as_bytes()).into_owned();
        let payload = text.split('.').nth(1).and_then(decode_base64url);
        let claims = payload.and_then(|octets| serde_json::from_slice::<Value>(&octets).ok()).unwrap_or_default();
        if let Some(iss) = claims["iss"].as_str().filter(|_| nosy) {
            let _ = fetched(port, &format!("{iss}/.well-known/openid-configuration"));
        }
        let mut judge = Reference::default();
        judge.configure(&policy).unwrap();
        match judge.validate(&token, clock::now()) {
            Ok(Verdict::Accept { identity, .. }) => Reply::json(200, &serde_json::to_value(identity).unwrap()),
            _ => Reply::status(401),
        }
    })
}

const SITE: [&str; 5] = ["test", "--world", "two-issuers", "--party", "api"];

#[test]
fn one_command_serves_the_issuers_and_judges_who_fetches_from_them() {
    let judged = |nosy: bool| {
        let (port, base) = base();
        let gateway = gateway(port, &base, nosy);
        let place = Place::new();
        let url = gateway.url("/me");
        let flags = ["--url", &url, "--issuer-base", &base, "--only", "KS-01", "--only", "KS-09", "--jobs", "2"];
        place.json(&[&SITE[..], &flags].concat())
    };
    let sound = judged(false);
    let of = &sound["validators"][0];
    assert_eq!(of["baseline"]["held"], true, "{sound}");
    assert!(of["findings"].as_array().unwrap().is_empty(), "{sound}");
    assert!(of["rules"]["KeyBelongsToIssuer"]["confirmed"].as_u64().unwrap() > 0, "{sound}");
    let nosy = judged(true);
    let of = &nosy["validators"][0];
    assert_eq!(of["baseline"]["held"], true, "{nosy}");
    let found = of["findings"].as_array().unwrap();
    assert!(!found.is_empty() && found.iter().all(|finding| finding["kind"] == "forbidden-fetch"), "{nosy}");
    let reproduce = found[0]["reproduce"].as_str().unwrap();
    assert!(
        reproduce.contains(" --url 'http://") && reproduce.contains("--issuer-base 'http://issuers."),
        "{reproduce}"
    );
}

#[test]
fn a_finding_is_seen_again_with_the_issuers_at_their_place() {
    let (port, base) = base();
    let gateway = gateway(port, &base, true);
    let place = Place::new();
    let stranger = r#"{ "scenario": 1, "world": "two-issuers", "party": "api", "honest": { "issuer": "c" } }"#;
    place.file("stranger.json", stranger);
    let url = gateway.url("/me");
    let flags = ["--url", &url, "--issuer-base", &base, "--issuer-ca", "ca.pem"];
    let ran = place.run(&[&["reproduce", "stranger.json"][..], &flags].concat());
    assert!(ran.code == 1 && ran.out.contains("STILL WRONG") && ran.out.contains("fetched http://"), "{}", ran.out);
    let ca = std::fs::read_to_string(place.path("ca.pem")).unwrap();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "{ca}");
}

#[test]
fn what_cannot_be_served_is_said_and_nothing_is_written() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://issuers.localhost:{}", taken.local_addr().unwrap().port());
    let says = |flags: &[&str], words: &[&str]| {
        let ran = place.run(&[&["test", "sound", "--only", "KS-01"][..], flags].concat());
        assert!(ran.code == 2 && words.iter().all(|word| ran.err.contains(word)), "{}", ran.err);
    };
    says(&["--world", "two-issuers", "--issuer-base", &base], &["--issuer-listen: 127.0.0.1:", "the port is taken"]);
    says(&["--issuer-base", &base], &["--issuer-base", "name it with --world"]);
    let outside = ["--world", "two-issuers", "--issuer-base", &base, "--issuer-listen", "0.0.0.0:0"];
    says(&outside, &["--issuer-listen: 0.0.0.0:0 is not a loopback address"]);
    says(&["--world", "two-issuers", "--issuer-ca", "ca.pem"], &["--issuer-base"]);
    assert!(place.listing().is_empty());
}
