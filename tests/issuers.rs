//! The issuers of a world as they are served over loopback.
#![cfg(feature = "remote")]

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use wrongkey::issuers::{Issuers, Published, Trouble};
use wrongkey::jose::{JwkSet, NumericDate};
use wrongkey::scenario::Step;
use wrongkey::world::{Address, Calendar, DEFAULT_SEED, Publication, World};

const NOW: Calendar = Calendar::At(NumericDate(1_790_000_000));

/// An answer: status, head and body.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.head, self.body))
    }

    fn set(&self) -> JwkSet {
        serde_json::from_value(self.json()).unwrap()
    }
}

/// Speaks HTTP/1.1 over a connection: asks once, and reads to the end. `None` where no answer comes.
fn asked(mut stream: impl Read + Write, host: &str, path: &str) -> Option<Got> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut octets = Vec::new();
    // TLS without a closing alert, or a connection that was cut.
    let _ = stream.read_to_end(&mut octets);
    let text = String::from_utf8(octets).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Got { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

fn connected(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn over_http(issuers: &Issuers, url: &str) -> Option<Got> {
    let (host, path) = parts(url);
    asked(connected(issuers.address()), host, path)
}

/// Trusts the server's own authority and nobody else.
fn over_https(issuers: &Issuers, url: &str) -> Option<Got> {
    let (host, path) = parts(url);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(issuers.ca().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let name = ServerName::try_from(host.split(':').next().unwrap().to_owned()).unwrap();
    let connection = rustls::ClientConnection::new(config, name).unwrap();
    asked(rustls::StreamOwned::new(connection, connected(issuers.address())), host, path)
}

fn parts(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").unwrap().1;
    rest.split_at(rest.find('/').unwrap())
}

fn served(world: &World, tls: bool) -> Issuers {
    let published = Published::of(world, &Publication::of(world), NOW);
    Issuers::start(SocketAddr::from(([127, 0, 0, 1], 0)), tls, published).unwrap_or_else(|error| panic!("{error}"))
}

fn home(world: &World, issuer: &str) -> Address {
    world.issuer(issuer).unwrap().address().unwrap()
}

#[test]
fn every_issuer_is_served_over_http_and_https_at_one_port() {
    for name in ["two-issuers", "storm-0558", "multi-tenant"] {
        let world = World::shipped(name, DEFAULT_SEED).unwrap();
        let issuers = served(&world, true);
        for issuer in &world.issuers {
            let address = issuer.address().unwrap();
            for ask in [over_http, over_https] {
                let found = ask(&issuers, &address.discovery_url()).unwrap();
                assert_eq!((found.status, found.json()["issuer"].as_str()), (200, Some(issuer.name.as_str())));
                assert!(found.head.contains("content-type: application/json"), "{}", found.head);
                let set = ask(&issuers, found.json()["jwks_uri"].as_str().unwrap()).unwrap().set();
                assert_eq!(set, world.key_set(&issuer.alias, &Publication::of(&world), NOW));
            }
            let converged = over_http(&issuers, &address.converged_uri()).unwrap();
            if world.converged.contains(&issuer.alias) {
                assert_eq!(converged.set(), world.converged_set(&Publication::of(&world), NOW));
            } else {
                assert_eq!(converged.status, 404);
            }
        }
    }
}

#[test]
fn a_host_that_is_not_in_the_world_is_the_attackers() {
    let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let issuers = served(&world, true);
    let attackers = world.key("mallory-rsa").unwrap().jwk.kid.clone();
    for ask in [over_http, over_https] {
        let set = ask(&issuers, "https://evil.example/4711/keys").unwrap().set();
        assert!(set.keys.iter().any(|jwk| jwk.kid == attackers));
    }
    let set = over_http(&issuers, &home(&world, "a").jwks_uri()).unwrap().set();
    assert!(!set.keys.iter().any(|jwk| jwk.kid == attackers));
    let log: Vec<(bool, &str, String)> =
        issuers.fetches_since(0).into_iter().map(|fetch| (fetch.attacker, fetch.scheme, fetch.path)).collect();
    let keys = || "/4711/keys".to_owned();
    assert_eq!(
        log,
        [(true, "http", keys()), (true, "https", keys()), (false, "http", "/.well-known/jwks.json".to_owned())]
    );
}

#[test]
fn a_client_that_trusts_another_authority_does_not_connect() {
    let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let (one, other) = (served(&world, true), served(&world, true));
    assert_ne!(one.ca(), other.ca());
    assert!(!one.ca().unwrap().contains("PRIVATE"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(other.ca().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let name = ServerName::try_from(home(&world, "a").host()).unwrap();
    let connection = rustls::ClientConnection::new(config, name).unwrap();
    assert!(asked(rustls::StreamOwned::new(connection, connected(one.address())), "a.example", "/").is_none());
    assert_eq!(one.fetches(), 0);
}

#[test]
fn what_is_served_is_what_has_happened_so_far() {
    let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let issuers = served(&world, false);
    let kid = |alias: &str| world.key(alias).unwrap().jwk.kid.clone();
    let listed = |alias: &str| {
        let set = over_http(&issuers, &home(&world, "a").jwks_uri()).unwrap().set();
        set.keys.iter().any(|jwk| jwk.kid == kid(alias))
    };
    assert!(listed("a-rs") && !listed("a-next"));
    let mut publication = Publication::of(&world);
    let rotate = Step::RotateKey { key: "a-rs".to_owned(), to: "a-next".to_owned(), keep_kid: false, overlap: false };
    publication.apply(&world, &rotate, "here").unwrap();
    issuers.show(Published::of(&world, &publication, NOW));
    assert!(!listed("a-rs") && listed("a-next"));
    let disable = Step::DisableIssuer { issuer: "a".to_owned() };
    publication.apply(&world, &disable, "here").unwrap();
    issuers.show(Published::of(&world, &publication, NOW));
    assert_eq!(over_http(&issuers, &home(&world, "a").jwks_uri()).unwrap().status, 404);
    assert_eq!(over_http(&issuers, &home(&world, "b").jwks_uri()).unwrap().status, 200);
    assert!(issuers.fetches_since(0).iter().all(|fetch| !fetch.attacker));
}

#[test]
fn an_issuer_in_trouble_answers_accordingly_and_the_others_as_ever() {
    let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let issuers = served(&world, true);
    let (name, url) = (&world.issuer("a").unwrap().name, home(&world, "a").jwks_uri());
    let good = over_http(&issuers, &url).unwrap();
    issuers.trouble(name, Some(Trouble::Unreachable));
    assert!(over_http(&issuers, &url).is_none());
    assert!(over_https(&issuers, &url).is_none());
    assert_eq!(issuers.fetches_since(1).iter().map(|fetch| fetch.status).collect::<Vec<_>>(), [0, 0]);
    issuers.trouble(name, Some(Trouble::Status(503)));
    assert_eq!(over_http(&issuers, &url).unwrap().status, 503);
    issuers.trouble(name, Some(Trouble::Truncated));
    let half = over_http(&issuers, &url).unwrap();
    assert!(half.status == 200 && serde_json::from_str::<Value>(&half.body).is_err());
    let elsewhere = "https://evil.example/4711";
    issuers.trouble(name, Some(Trouble::Redirect(elsewhere.to_owned())));
    let led = over_http(&issuers, &url).unwrap();
    assert!(led.status == 302 && led.head.contains(&format!("location: {elsewhere}")), "{}", led.head);
    issuers.trouble(name, Some(Trouble::Slow(Duration::from_secs(3_600))));
    let slow = connected(issuers.address());
    slow.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (host, path) = parts(&url);
    assert!(asked(slow, host, path).is_none(), "no answer for an hour");
    issuers.trouble(name, Some(Trouble::Slow(Duration::from_millis(1))));
    assert_eq!(over_http(&issuers, &url).unwrap().body, good.body);
    issuers.trouble(name, Some(Trouble::Unreachable));
    assert_eq!(over_http(&issuers, &home(&world, "b").jwks_uri()).unwrap().status, 200);
    issuers.trouble(name, None);
    assert_eq!(over_http(&issuers, &url).unwrap().body, good.body);
}

#[test]
fn a_document_may_be_kept_for_as_long_as_the_policies_say() {
    let rotation = World::shipped("rotation", DEFAULT_SEED).unwrap();
    let least = rotation.parties.iter().filter_map(|party| party.jwks_max_age).min().unwrap();
    let kept = over_http(&served(&rotation, false), &home(&rotation, "staying").jwks_uri()).unwrap();
    assert!(kept.head.contains(&format!("cache-control: max-age={least}")), "{}", kept.head);
    let other = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let kept = over_http(&served(&other, false), &home(&other, "a").jwks_uri()).unwrap();
    assert!(!kept.head.contains("cache-control"), "{}", kept.head);
}

#[test]
fn two_servers_of_one_seed_serve_the_same_documents() {
    let world = World::shipped("storm-0558", 3).unwrap();
    let again = World::shipped("storm-0558", 3).unwrap();
    let (one, other) = (served(&world, false), served(&again, true));
    for issuer in &world.issuers {
        for url in [issuer.address().unwrap().discovery_url(), issuer.address().unwrap().jwks_uri()] {
            assert_eq!(over_http(&one, &url).unwrap().body, over_http(&other, &url).unwrap().body);
        }
    }
}

#[test]
fn a_client_that_says_nothing_or_nonsense_keeps_nobody_waiting() {
    let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let issuers = served(&world, true);
    let silent: Vec<TcpStream> = (0..40).map(|_| connected(issuers.address())).collect();
    let mut nonsense = connected(issuers.address());
    nonsense.write_all(&[22, 3, 1, 0xff, 0xff, 0, 0, 0]).unwrap();
    let mut garbage = connected(issuers.address());
    garbage.write_all(b"\0\x01\x02 no http\r\n\r\n").unwrap();
    assert_eq!(over_http(&issuers, &home(&world, "a").jwks_uri()).unwrap().status, 200);
    assert_eq!(over_https(&issuers, &home(&world, "a").jwks_uri()).unwrap().status, 200);
    drop(silent);
    // A host that is spelled otherwise is the same (RFC 3986 section 3.2.2), and one with no name at all is nobody's.
    let upper = home(&world, "a").jwks_uri().replace(".example", ".EXAMPLE:443");
    assert_eq!(over_http(&issuers, &upper).unwrap().set().keys.len(), 5);
    let nobody = asked(connected(issuers.address()), "", "/x").unwrap();
    assert!(nobody.status == 200 && issuers.fetches_since(3)[0].attacker);
}

#[test]
fn a_taken_port_and_an_address_that_others_reach_are_refused() {
    let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
    let first = served(&world, false);
    let again = |listen: SocketAddr| {
        let error = Issuers::start(listen, false, Published::default()).err().unwrap();
        error.to_string()
    };
    assert!(again(first.address()).contains("the port is taken"));
    assert!(again(SocketAddr::from(([0, 0, 0, 0], 0))).contains("not a loopback address"));
    drop(first);
}
