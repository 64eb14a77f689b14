//! `wrongkey serve`.

use crate::support::{NOW, Place};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A server that ends with this value.
struct Server {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("wrongkey"));
        command.arg("serve").args(arguments).current_dir(place.path(""));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Server { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    #[cfg(unix)]
    fn interrupted(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fetched(address: &str, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn address(opening: &Value) -> String {
    opening["http"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn addresses_and_requests_are_printed_until_it_is_interrupted() {
    let place = Place::new();
    let mut server =
        Server::start(&place, &["--world", "two-issuers", "--now", NOW, "--tls", "--ca", "ca.pem", "--format", "json"]);
    let opening = server.json();
    let pem = std::fs::read_to_string(place.path("ca.pem")).unwrap();
    assert_eq!(opening["ca"].as_str(), Some(pem.as_str()));
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(opening["https"].as_str().unwrap(), opening["http"].as_str().unwrap().replace("http:", "https:"));
    for issuer in opening["issuers"].as_array().unwrap() {
        let url = issuer["jwks_uri"].as_str().unwrap();
        let (host, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let set: Value = serde_json::from_str(&fetched(&address(&opening), host, &format!("/{path}"))).unwrap();
        assert!(!set["keys"].as_array().unwrap().is_empty());
        let fetch = server.json();
        assert_eq!(fetch["fetch"]["issuer"], issuer["issuer"]);
        assert_eq!((&fetch["fetch"]["host"], &fetch["fetch"]["status"]), (&host.into(), &200.into()));
    }
    assert_eq!(server.interrupted(), Some(130));
    assert_eq!(place.listing().len(), 1, "nothing but ca.pem is written");
}

#[test]
fn every_issuer_lives_below_the_base() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = format!("http://issuers.localhost:{port}");
    let mut server =
        Server::start(&place, &["--world", "storm-0558", "--now", NOW, "--issuer-base", &base, "--format", "json"]);
    let opening = server.json();
    assert_eq!(address(&opening), format!("127.0.0.1:{port}"));
    for issuer in opening["issuers"].as_array().unwrap() {
        let url = issuer["discovery_url"].as_str().unwrap();
        let path = url.strip_prefix(&base).unwrap_or_else(|| panic!("{url}"));
        let host = format!("issuers.localhost:{port}");
        let document: Value = serde_json::from_str(&fetched(&address(&opening), &host, path)).unwrap();
        assert_eq!(document["issuer"], issuer["issuer"]);
        assert!(document["issuer"].as_str().unwrap().starts_with(&base));
    }
}

#[test]
fn as_text_each_request_is_a_line() {
    let place = Place::new();
    let mut server = Server::start(&place, &["--world", "two-issuers", "--now", NOW]);
    let first = server.line();
    let address = first.trim().rsplit("http://").next().unwrap().to_owned();
    fetched(&address, "evil.example", "/4711/keys");
    let line = std::iter::repeat_with(|| server.line()).find(|line| line.contains("4711")).unwrap();
    assert!(line.contains("200 GET http://evil.example/4711/keys of the attacker"), "{line}");
}

#[test]
fn what_cannot_be_served_is_said() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let serve = |arguments: &[&str]| place.run(&[&["serve"][..], arguments].concat()).ends(2);
    serve(&["--world", "two-issuers", "--listen", &taken]).complains(&["--listen", &taken, "the port is taken"]);
    serve(&["--world", "two-issuers", "--listen", "0.0.0.0:0"]).complains(&["not a loopback address"]);
    serve(&["--world", "two-isuers"]).complains(&["did you mean `two-issuers`?"]);
    serve(&["--world", "two-issuers", "--issuer-base", "issuers"])
        .complains(&["--issuer-base: \"issuers\" is not a URL"]);
    serve(&["--world", "two-issuers", "--ca", "no/such/ca.pem"]).complains(&["cannot write no/such/ca.pem"]);
    assert!(place.listing().is_empty());
}
