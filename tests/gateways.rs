//! Real gateways, each configured for the same relying party in a sound way and in one that unbinds keys from issuers.
//!
//! Whoever has not installed a gateway is told so and goes on; with `CI=true` it must be there.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What a sound configuration must not show.
const NEVER: [&str; 4] = ["KeyBelongsToIssuer", "IssuerTrusted", "SignatureMatches", "AlgorithmAllowed"];

/// A kind of finding and the rule it blames; no rule where none is broken.
type Found = BTreeSet<(String, String)>;

/// A child process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder of the configurations.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateways")
}

/// Where a program is. Where it is not, says what would install it.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = folder().join(".venv/bin");
    let found = [own].into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(program));
    if let Some(found) = found.into_iter().find(|file| file.is_file()) {
        return Some(found);
    }
    let missing = format!("`{program}` is not installed: `scripts/gateways.sh install` installs it");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    // Past the capture of a test's output: whoever runs it is to read this.
    let _ = writeln!(std::io::stderr(), "skipped: {missing}");
    None
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wrongkey() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wrongkey"))
}

/// The public side of world `two-issuers`, as a gateway with static keys gets it.
fn exported() -> (TempDir, Value) {
    let place = tempfile::tempdir().unwrap();
    let ran = wrongkey().args(["world", "export", "two-issuers", "--dir"]).arg(place.path().join("world")).output();
    assert!(ran.unwrap().status.success());
    let policy = std::fs::read(place.path().join("world/policies/api/per-issuer.json")).unwrap();
    (place, serde_json::from_slice(&policy).unwrap())
}

/// What the gateway on that port shows as party `api`.
fn judged(place: &TempDir, port: u16, more: &[&str]) -> Value {
    let url = format!("http://127.0.0.1:{port}/");
    let site = ["test", "--world", "two-issuers", "--party", "api", "--url", &url, "--wait-for", "60s"];
    let ran = wrongkey().args(site).args(["--format", "json"]).args(more).current_dir(place.path()).output().unwrap();
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| {
        panic!("{error}\n{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn found(result: &Value) -> Found {
    let mut found = Found::new();
    for finding in result["validators"][0]["findings"].as_array().unwrap() {
        let rules = finding["rules"].as_array().unwrap();
        let kind = text(&finding["kind"]);
        if rules.is_empty() {
            found.insert((kind.clone(), String::new()));
        }
        found.extend(rules.iter().map(|rule| (kind.clone(), text(rule))));
    }
    found
}

/// The rows of a gateway's table: what a sound configuration shows all the same.
fn listed(gateway: &str) -> Found {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with(gateway)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| false-") || line.starts_with("| fault"));
    let cell = |row: &str, at: usize| row.split('|').nth(at).unwrap().trim().trim_matches('`').to_owned();
    rows.map(|row| (cell(row, 1), cell(row, 2))).collect()
}

/// The honest tokens were accepted, and every rule that must hold was tried with accepted twins.
#[track_caller]
fn assert_shown(result: &Value) {
    let judged = &result["validators"][0];
    assert_eq!(judged["baseline"]["held"], true, "{}", judged["baseline"]);
    for rule in NEVER {
        assert!(judged["rules"][rule]["confirmed"].as_u64().unwrap() > 0, "{rule} {}", judged["rules"][rule]);
    }
}

#[track_caller]
fn assert_sound(result: &Value, gateway: &str) {
    assert_shown(result);
    let (found, listed) = (found(result), listed(gateway));
    let never: Vec<_> = found.iter().filter(|(_, rule)| NEVER.contains(&rule.as_str())).collect();
    assert!(never.is_empty(), "{never:?}");
    let unlisted: Vec<_> = found.difference(&listed).collect();
    assert!(unlisted.is_empty(), "not in tests/gateways/README.md: {unlisted:?}");
    let stale: Vec<_> = listed.difference(&found).collect();
    assert!(stale.is_empty(), "in tests/gateways/README.md and not found any more: {stale:?}");
    assert_eq!(result["validators"][0].get("unattributed_faults"), None);
}

#[track_caller]
fn assert_unsound(result: &Value) {
    assert_eq!(result["exit"], 1);
    let findings = result["validators"][0]["findings"].as_array().unwrap();
    let across = |finding: &Value| {
        finding["kind"] == "false-accept"
            && finding["rules"].as_array().unwrap().iter().any(|rule| rule == "KeyBelongsToIssuer")
            && finding["relation"] == "other-trusted"
            && finding["reproduced"] == true
    };
    assert!(findings.iter().any(across), "{findings:?}");
}

/// The lines that one text has and the other has not, how often they stand there included.
fn differing(one: &str, other: &str) -> (Vec<String>, Vec<String>) {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    one.lines().for_each(|line| *counts.entry(line.trim()).or_default() += 1);
    other.lines().for_each(|line| *counts.entry(line.trim()).or_default() -= 1);
    let lines = |wanted: fn(i32) -> bool| {
        counts.iter().filter(|(_, count)| wanted(**count)).map(|(line, _)| (*line).to_owned()).collect()
    };
    (lines(|count| count > 0), lines(|count| count < 0))
}

#[track_caller]
fn assert_differ_only_in(sound: &str, unsound: &str, words: &[&str]) {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let (gone, new) = differing(&read(sound), &read(unsound));
    assert!(!gone.is_empty() || !new.is_empty());
    for line in gone.iter().chain(&new) {
        assert!(words.iter().any(|word| line.contains(word)), "{line}");
    }
}

fn haproxy(program: &Path, config: &str, place: &TempDir, policy: &Value, port: u16) -> Running {
    let child = Command::new(program)
        .args(["-db", "-q", "-f"])
        .arg(folder().join(config))
        .env("PORT", port.to_string())
        .env("KEYS", place.path().join("world/keys"))
        .env("ISSUER_A", text(&policy["issuers"][0]["issuer"]))
        .env("ISSUER_B", text(&policy["issuers"][1]["issuer"]))
        .env("AUDIENCE", text(&policy["audiences"][0]))
        .stdin(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn haproxy_is_told_apart_by_the_lines_that_bind_keys_to_issuers() {
    assert_differ_only_in("haproxy-sound.cfg", "haproxy-unsound.cfg", &["acl issuer ", "acl signed_rs256 "]);
    let Some(program) = installed("haproxy") else { return };
    let (place, policy) = exported();
    let judge = |config: &str| {
        let port = free_port();
        let _running = haproxy(&program, config, &place, &policy, port);
        judged(&place, port, &["--algorithms", "RS256,ES256", "--identity", "/sub", "--identity", "iss=/iss"])
    };
    assert_sound(&judge("haproxy-sound.cfg"), "HAProxy");
    assert_unsound(&judge("haproxy-unsound.cfg"));
}

/// The issuers of the world at work, what they said of themselves, and what they have yet to say: a line for each fetch, less
/// than fits into a pipe.
fn serving() -> (Running, Value, impl BufRead) {
    let served =
        wrongkey().args(["serve", "--world", "two-issuers", "--format", "json"]).stdout(Stdio::piped()).spawn();
    let mut served = Running(served.unwrap());
    let mut first = String::new();
    let mut lines = BufReader::new(served.0.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    let said = serde_json::from_str(&first).unwrap();
    (served, said, lines)
}

fn envoy(program: &Path, config: &str, place: &TempDir, policy: &Value, said: &Value, port: u16) -> Running {
    let uri = |index: usize| {
        let issuers = said["issuers"].as_array().unwrap();
        let issuer = issuers.iter().find(|issuer| issuer["issuer"] == policy["issuers"][index]["issuer"]).unwrap();
        text(&issuer["jwks_uri"])
    };
    let served = text(&said["http"]);
    let filled = [
        ("$ISSUERS_PORT", served.rsplit_once(':').unwrap().1.to_owned()),
        ("$PORT", port.to_string()),
        ("$ISSUER_A", text(&policy["issuers"][0]["issuer"])),
        ("$ISSUER_B", text(&policy["issuers"][1]["issuer"])),
        ("$AUDIENCE", text(&policy["audiences"][0])),
        ("$JWKS_URI_A", uri(0)),
        ("$JWKS_URI_B", uri(1)),
    ];
    let written = std::fs::read_to_string(folder().join(config)).unwrap();
    let written = filled.iter().fold(written, |text, (name, value)| text.replace(name, value));
    let file = place.path().join(config);
    std::fs::write(&file, written).unwrap();
    let child = Command::new(program)
        .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "error", "-c"])
        .arg(file)
        .stdin(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn envoy_is_told_apart_by_the_lines_that_bind_keys_to_issuers() {
    assert_differ_only_in("envoy-sound.yaml", "envoy-unsound.yaml", &["issuer: $ISSUER_A", "issuer: $ISSUER_B"]);
    let Some(program) = installed("envoy") else { return };
    let (place, policy) = exported();
    let (_served, said, _lines) = serving();
    let judge = |config: &str| {
        let port = free_port();
        let _running = envoy(&program, config, &place, &policy, &said, port);
        judged(&place, port, &["--leeway", "60s"])
    };
    assert_sound(&judge("envoy-sound.yaml"), "Envoy");
    assert_unsound(&judge("envoy-unsound.yaml"));
}
