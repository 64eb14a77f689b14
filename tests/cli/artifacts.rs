//! Nothing that is written or printed holds a private key: every artifact is searched for every private octet string.

use crate::support::{NOW, Place, STORM_FLAW};
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wrongkey::world::{DEFAULT_SEED, World};

/// A private octet string in one of its spellings.
struct Needle {
    what: String,
    octets: Vec<u8>,
}

/// All of them, looked for at once.
struct Needles {
    all: Vec<Needle>,
    automaton: AhoCorasick,
}

/// Shorter strings turn up by accident.
const SHORTEST: usize = 8;

/// Every private octet string of the shipped worlds in every spelling that software writes keys in.
fn needles() -> Needles {
    let mut needles = Vec::new();
    for name in World::shipped_names() {
        let world = World::shipped(name, DEFAULT_SEED).unwrap();
        let private = world.private_octets();
        assert!(private.len() >= world.keys.len(), "every key has a private half");
        for (number, octets) in private.iter().enumerate() {
            add_spellings(&mut needles, &format!("{name} {number}"), octets);
        }
    }
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/world/keys")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.contains("PRIVATE KEY") {
            continue;
        }
        let lines: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.contains("BEGIN"))
            .filter(|line| line.len() >= 32 && !line.contains("-----"))
            .collect();
        // The modulus stands among the first lines, and is public; what follows the exponent is private.
        for line in &lines[8..] {
            let what = format!("{} PEM line", path.display());
            needles.push(Needle { what, octets: line.as_bytes().to_vec() });
        }
    }
    let automaton = AhoCorasick::new(needles.iter().map(|needle| &needle.octets)).unwrap();
    Needles { all: needles, automaton }
}

fn add_spellings(needles: &mut Vec<Needle>, what: &str, octets: &[u8]) {
    assert!(octets.len() >= SHORTEST);
    let mut add = |form: &str, octets: Vec<u8>| needles.push(Needle { what: format!("{what} {form}"), octets });
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let decimals: Vec<String> = octets.iter().map(u8::to_string).collect();
    add("raw", octets.to_vec());
    add("raw, backwards", octets.iter().rev().copied().collect());
    add("hex", hex.clone().into_bytes());
    add("HEX", hex.to_uppercase().into_bytes());
    add("decimals", decimals.join(",").into_bytes());
    // In the middle of a longer text base64 has one of three phases; the characters at the ends depend on the neighbours.
    for phase in 0..3 {
        let padded = [&vec![0; phase], octets].concat();
        for (form, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
            let text = engine.encode(&padded);
            let first = [0, 2, 3][phase];
            let last = text.trim_end_matches('=').len() - usize::from(padded.len() % 3 != 0);
            add(&format!("{form}, phase {phase}"), text.as_bytes()[first..last].to_vec());
        }
    }
}

/// The first of the needles that an artifact holds. White space, and the ways in which JSON and shells write it, are passed over:
/// keys come in lines.
fn found<'n>(needles: &'n Needles, artifact: &[u8]) -> Option<&'n str> {
    let mut squeezed = Vec::with_capacity(artifact.len());
    let mut rest = artifact;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = match tail.first() {
            Some(b'n' | b'r' | b't') if octet == b'\\' => &tail[1..],
            _ => {
                if !octet.is_ascii_whitespace() {
                    squeezed.push(octet);
                }
                tail
            }
        };
    }
    let hit = needles.automaton.find(artifact).or_else(|| needles.automaton.find(&squeezed))?;
    Some(&needles.all[hit.pattern()].what)
}

/// Every file below a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Everything that runs leave behind, by name.
fn artifacts() -> BTreeMap<String, Vec<u8>> {
    let place = Place::new();
    let mut artifacts = BTreeMap::new();
    let mut run = |arguments: &[&str]| {
        let output = place.command().args(arguments).output().unwrap();
        let name = arguments.join(" ");
        artifacts.insert(format!("{name}: standard output"), output.stdout);
        artifacts.insert(format!("{name}: standard error"), output.stderr);
    };
    let random = ["--random", "20", "--now", NOW];
    let leaky = [STORM_FLAW, "flawed-prints-secret", "flawed-hmac-over-public-pem", "flawed-kid-cache-across-issuers"];
    let both = ["--report", "json=one.json", "--verbose"];
    run(&[&["test"][..], &leaky, &random, &both].concat());
    run(&["test", "--format", "json", "--out", "second", "--report", "json=two.json"]);
    run(&["test", "flawed-panics-on-unknown-issuer", "--color", "always", "--out", "third"]);
    for what in ["rules", "classes", "worlds", "validators"] {
        run(&["list", what, "--format", "json"]);
    }
    for world in World::shipped_names() {
        // Everything that is exported, in one text.
        run(&["world", "show", world, "--format", "json"]);
    }
    for finding in place.findings().iter().take(12) {
        let file = finding.to_str().unwrap();
        let name = file.rsplit('/').next().unwrap().split('.').next().unwrap();
        run(&["reproduce", file]);
        run(&["forge", file]);
        run(&["forge", file, "--decoded"]);
        if name == STORM_FLAW {
            run(&["shrink", file, name]);
        }
    }
    let mut paths = Vec::new();
    files(&place.path(""), &mut paths);
    for path in paths {
        artifacts.insert(path.display().to_string(), std::fs::read(&path).unwrap());
    }
    artifacts
}

#[test]
fn no_artifact_holds_a_private_key() {
    let needles = needles();
    let artifacts = artifacts();
    assert!(artifacts.len() > 40, "{}", artifacts.len());
    assert!(artifacts.values().map(Vec::len).sum::<usize>() > 200_000);
    for (name, artifact) in &artifacts {
        assert_eq!(found(&needles, artifact), None, "{name}");
    }
    // The same search, over a copy of the same artifacts with a key planted in one of them, fails for every form.
    let findings = artifacts.iter().filter(|(name, _)| name.contains("/findings/"));
    let (name, artifact) = findings.min_by_key(|(_, artifact)| artifact.len()).unwrap();
    for (form, planted) in plants() {
        let mut copy = artifact.clone();
        copy.splice(copy.len() / 2..copy.len() / 2, planted);
        assert!(found(&needles, &copy).is_some(), "{form} planted in {name} is not found");
    }
}

/// Private keys of the shipped worlds as they would leak.
fn plants() -> Vec<(String, Vec<u8>)> {
    let pem = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/world/keys/rsa-3.pem")).unwrap();
    let json = |text: &str| serde_json::to_string(text).unwrap().into_bytes();
    let mut plants = vec![
        ("a PEM file".to_owned(), pem.clone().into_bytes()),
        ("a PEM file in JSON".to_owned(), json(&pem)),
        ("a PEM file with CRLF".to_owned(), pem.replace('\n', "\r\n").into_bytes()),
        ("a PEM file in one line".to_owned(), pem.replace('\n', "").into_bytes()),
        ("one line of a PEM file".to_owned(), pem.lines().nth(20).unwrap().as_bytes().to_vec()),
    ];
    for name in World::shipped_names() {
        let world = World::shipped(name, DEFAULT_SEED).unwrap();
        for (number, octets) in world.private_octets().into_iter().enumerate() {
            let mut plant = |form: &str, planted: Vec<u8>| plants.push((format!("{name} {number} {form}"), planted));
            plant("raw", octets.clone());
            plant("in hex", octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>().into_bytes());
            plant("in HEX", octets.iter().map(|octet| format!("{octet:02X}")).collect::<String>().into_bytes());
            plant("in hex, by lines", {
                let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
                hex.chunks(4).map(|chunk| chunk.concat() + "\n").collect::<String>().into_bytes()
            });
            plant(
                "as a JWK member",
                format!("\"d\":\"{}\"", URL_SAFE.encode(&octets).trim_end_matches('=')).into_bytes(),
            );
            plant("in base64", STANDARD.encode(&octets).into_bytes());
            plant("in base64 after others", STANDARD.encode([b"x", &octets[..], b"yz"].concat()).into_bytes());
            plant("as a debug print", format!("{octets:?}").into_bytes());
        }
    }
    plants
}
