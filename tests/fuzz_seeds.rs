//! What a fuzzer starts from: the seeds and dictionaries of `fuzz/` are what the format and the worlds make of them.
//!
//! After a change of either `WRONGKEY_BLESS=1 cargo test --test fuzz_seeds` brings them up to date.

mod common;

use common::{NOW, shared_worlds, worlds};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wrongkey::config;
use wrongkey::forge::{Forge, Move};
use wrongkey::generate::{Site, baseline};
use wrongkey::harness::fuzz::{Played, TokenTarget, file_kinds, play_file};
use wrongkey::jose::{Jwk, Layout, Primitive, Serialization, Spelling, decode_base64url, encode_base64url};
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::rule::Rule;
use wrongkey::scenario::{
    Act, Edit, Honest, KeyHeader, KeyIssuer, Kid, Mangle, Place, PolicyAct, Raw, Scenario, Segment, SignWith, Spoil,
    Step, Value,
};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// Claims and header members by their registered names, with those that issuers of our worlds use.
const MEMBERS: [&str; 29] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "tid",
    "typ",
    "alg",
    "kid",
    "cty",
    "crit",
    "jku",
    "jwk",
    "x5u",
    "x5c",
    "x5t",
    "x5t#S256",
    "zip",
    "b64",
    "enc",
    "epk",
    "signer",
    "azp",
    "scope",
    "nonce",
    "cnf",
    "client_id",
];

/// The names of all algorithms, and the one that is none.
fn algorithms() -> Vec<&'static str> {
    std::iter::once("none").chain(Primitive::ALL.into_iter().map(Primitive::name)).collect()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a file's content with what it should be, or brings it up to date.
fn is_up_to_date(path: &Path, wanted: &[u8]) {
    if std::env::var_os("WRONGKEY_BLESS").is_some() {
        return std::fs::write(path, wanted).unwrap();
    }
    let found = std::fs::read(path).unwrap_or_default();
    assert!(found == wanted, "{} is stale: WRONGKEY_BLESS=1 cargo test --test fuzz_seeds", path.display());
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// One honest token for each place of each world, and for each algorithm of it; of the first also forms that any reader of
/// tokens must know how to refuse.
fn token_seeds() -> BTreeMap<String, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    for world in shared_worlds() {
        let forge = Forge::new(Arc::clone(&world), Calendar::Timeless(NOW));
        let mut algorithms = BTreeSet::new();
        for site in Site::all(&world) {
            let place = [&world.name, &site.party.alias, site.key_source.name()].map(str::to_owned);
            let mut first = true;
            for scenario in baseline(&site) {
                let moves = forge.play(&scenario, 0).unwrap();
                let Some(Move::Present(presented)) = moves.last() else { panic!("no token") };
                let alg = presented.provenance.events[0].primitive.name();
                if algorithms.insert(alg) || first {
                    let input = [place.join(" ").as_bytes(), b"\n", presented.token.as_bytes()].concat();
                    if seeds.is_empty() {
                        seeds.extend(refused(&input));
                    }
                    seeds.insert(format!("{}-{alg}", place.join("-")), input);
                }
                first = false;
            }
        }
    }
    seeds
}

fn refused(input: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (line, token) = std::str::from_utf8(input).unwrap().split_once('\n').unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let text = |part: &str| String::from_utf8(decode_base64url(part).unwrap()).unwrap();
    let none = encode_base64url(text(header).replacen("\"RS256\"", "\"none\"", 1).as_bytes());
    let twice = encode_base64url(text(header).replacen('{', r#"{"alg":"none","#, 1).as_bytes());
    let later = encode_base64url(text(payload).replacen("\"exp\":", "\"exp\":9", 1).as_bytes());
    let forms = [
        ("unsigned", format!("{none}.{payload}.")),
        ("two-algorithms", format!("{twice}.{payload}.{signature}")),
        ("later", format!("{header}.{later}.{signature}")),
        ("padded", format!("{header}=.{payload}.{signature}")),
        ("five-parts", format!("{header}.{payload}.{signature}..")),
        ("detached", format!("{header}..{signature}")),
        ("flattened", format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#)),
        ("bearer", format!("Bearer {token}\r\n")),
        ("truncated", token[..token.len() - 4].to_owned()),
        ("empty", String::new()),
    ];
    forms.map(|(name, token)| (format!("refused-{name}"), format!("{line}\n{token}").into_bytes())).into()
}

#[test]
fn the_seeds_of_token_are_the_honest_tokens_of_the_worlds_and_some_that_are_refused() {
    let folder = root("fuzz/seeds/token");
    let wanted = token_seeds();
    if std::env::var_os("WRONGKEY_BLESS").is_some() {
        for name in files(&folder).keys().filter(|name| !wanted.contains_key(*name)) {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
    }
    for (name, input) in &wanted {
        assert!(input.len() <= 4_096, "{name} is longer than a fuzzer reads");
        is_up_to_date(&folder.join(name), input);
    }
    let names: Vec<_> = files(&folder).into_keys().collect();
    assert_eq!(names, wanted.into_keys().collect::<Vec<_>>(), "WRONGKEY_BLESS=1 cargo test --test fuzz_seeds");
}

#[test]
fn of_the_seeds_of_token_each_validator_accepts_the_honest_ones_and_no_other() {
    let mut target = TokenTarget::named(None).unwrap();
    for (name, input) in token_seeds() {
        let Played::Lawful(answers) = target.play(&input) else { panic!("{name}") };
        let honest = !name.starts_with("refused-");
        for validator in ["reference", "sound"] {
            let word = if honest { "accepts" } else { "rejects" };
            assert!(answers.contains(&format!("{validator} {word}")), "{name}: {answers}");
        }
        assert!(honest || !answers.contains("accepts"), "{name}: {answers}");
    }
    assert_eq!(target.never_accepted(), [""; 0], "{}", target.told());
    assert!(target.counts().values().all(|count| count.accepted < count.shown), "{}", target.told());
}

#[test]
fn the_seeds_of_files_are_read_but_for_those_that_are_named_as_refused_and_are_of_each_kind() {
    let mut kinds = BTreeSet::new();
    for (name, input) in files(&root("fuzz/seeds/files")) {
        let Played::Lawful(what) = play_file(&input) else { panic!("{name}: {:?}", play_file(&input)) };
        let kind = what.split(':').next().unwrap().to_owned();
        assert!(name.starts_with(&kind), "{name}: {what}");
        assert_eq!(what.contains(": refused: "), name.ends_with("-refused"), "{name}: {what}");
        assert!(input.len() <= 4_096, "{name} is longer than a fuzzer reads");
        kinds.insert((kind, name.ends_with("-refused")));
    }
    for kind in file_kinds() {
        assert!(kinds.contains(&(kind.to_owned(), false)), "{kind}");
    }
    assert!(kinds.iter().any(|(_, refused)| *refused));
}

/// The names in an error's list of what would have been right.
fn expected(error: &str) -> Vec<String> {
    let (_, list) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names that a type of the format knows.
fn names<T: DeserializeOwned + Debug>() -> Vec<String> {
    expected(&serde_json::from_str::<T>(r#"{ "nosuch": 1 }"#).unwrap_err().to_string())
}

/// Everything in a scenario file that is not somebody's name.
fn scenario_words() -> BTreeSet<String> {
    let lists = [
        names::<Scenario>(),
        names::<Honest>(),
        names::<SignWith>(),
        names::<Act>(),
        names::<Step>(),
        names::<PolicyAct>(),
        names::<KeyIssuer>(),
        names::<Spoil>(),
        names::<Value>(),
        names::<Edit>(),
        names::<Kid>(),
        names::<Layout>(),
        names::<Spelling>(),
        names::<Mangle>(),
        names::<Raw>(),
        names::<Serialization>(),
        names::<KeyHeader>(),
        names::<Segment>(),
        names::<Place>(),
        names::<KeySource>(),
    ];
    let fields = ["as", "to", "name", "value", "part", "overlap", "keep_kid", "issuer", "party", "token"];
    lists.into_iter().flatten().chain(fields.map(str::to_owned)).collect()
}

fn world_words() -> BTreeSet<String> {
    let error = |text: &str| World::from_toml(text, "input", None, DEFAULT_SEED).unwrap_err().to_string();
    let head = "world = 1\nname = 'x'\nabout = 'x'\n";
    let issuer = "[issuers.a]\npath = ''\nalgorithms = ['ES256']\n";
    let places = [
        error("nosuch = 1"),
        error(&format!("{head}[issuers.a]\nnosuch = 1\n[keys]\n[parties]")),
        error(&format!("{head}{issuer}[keys.k]\nnosuch = 1\n[parties]")),
        error(&format!("{head}{issuer}[keys]\n[parties.p]\nnosuch = 1")),
        error(&format!("{head}{issuer}[keys]\n[parties.p.issuers.a]\nnosuch = 1")),
    ];
    places.iter().flat_map(|error| expected(error)).collect()
}

fn policy_words() -> BTreeSet<String> {
    let key = ["kty", "crv", "x", "y", "n", "e", "k", "kid", "alg", "use", "key_ops", "x5c", "nbf", "exp", "keys"];
    let lists = [names::<TrustPolicy>(), names::<TrustedIssuer>()];
    let jwk = serde_json::from_str::<Jwk>(r#"{ "kty": "oct", "k": "" }"#).map(|_| key.map(str::to_owned));
    lists.into_iter().flatten().chain(jwk.unwrap()).collect()
}

fn config_words() -> BTreeSet<String> {
    let error = |text: &str| config::parse(text, "input").unwrap_err().to_string();
    let tables = ["nosuch = 1", "[[waiver]]\nnosuch = 1", "[validators.a]\nnosuch = 1"];
    let lists = tables.map(|text| expected(&error(text)));
    lists.into_iter().flatten().chain(Rule::ALL.iter().map(|rule| rule.name().to_owned())).collect()
}

/// Names of the worlds: what a scenario calls things by.
fn aliases() -> BTreeSet<String> {
    let of_world = |world: Arc<World>| {
        let mut names = vec![world.name.clone()];
        names.extend(world.issuers.iter().map(|issuer| issuer.alias.clone()));
        names.extend(world.keys.iter().map(|key| key.alias.clone()));
        names.extend(world.parties.iter().map(|party| party.alias.clone()));
        names.extend(world.tenants.iter().map(|tenant| tenant.alias.clone()));
        names.extend(world.subjects.iter().map(|subject| subject.alias.clone()));
        names
    };
    worlds().into_iter().flat_map(of_world).collect()
}

/// A dictionary as libFuzzer reads it: a quoted text a line, in which quotes and backslashes are escaped.
fn dictionary(about: &str, words: impl IntoIterator<Item = String>) -> Vec<u8> {
    let words: BTreeSet<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let line = |word: &String| format!("\"{}\"\n", word.replace('\\', "\\\\").replace('"', "\\\""));
    let about = format!("# {about}\n# Made by `WRONGKEY_BLESS=1 cargo test --test fuzz_seeds`.\n");
    words.iter().map(line).fold(about, |text, line| text + &line).into_bytes()
}

#[test]
fn the_dictionaries_hold_what_the_formats_know() {
    let quoted = |word: &str| format!("\"{word}\"");
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();

    let words = scenario_words().into_iter().chain(aliases()).chain(own(&MEMBERS)).chain(own(&algorithms()));
    let about = "Names in scenarios: steps, acts and their fields, claims, algorithms, and whom the worlds know.";
    let scenario = dictionary(about, words.map(|word| quoted(&word)));
    let text = String::from_utf8(scenario.clone()).unwrap();
    for word in ["sign-with", "advance-clock", "storm-0558", "consumer-2023", "iss"] {
        assert!(text.contains(&format!("\"\\\"{word}\\\"\"\n")), "{word}");
    }
    is_up_to_date(&root("fuzz/dictionaries/scenario.dict"), &scenario);

    let forms = own(&[
        "{",
        "}",
        ":",
        ",",
        "[",
        "]",
        "null",
        "true",
        "{}",
        "[]",
        ".",
        "=",
        "\\u0000",
        "9999999999",
        "-1",
        "1e9",
    ]);
    let members = MEMBERS.into_iter().chain(algorithms()).chain(["JWT", "at+jwt"]).map(quoted);
    let pairs = algorithms().into_iter().map(|name| format!("\"alg\":\"{name}\""));
    let about = "What stands in headers and payloads.";
    let token = dictionary(about, members.chain(pairs).chain(forms));
    assert!(String::from_utf8(token.clone()).unwrap().contains("\"\\\"alg\\\":\\\"none\\\"\"\n"));
    is_up_to_date(&root("fuzz/dictionaries/token.dict"), &token);

    let toml = world_words().into_iter().chain(config_words()).map(|word| format!("{word} = "));
    let tables = own(&[
        "[[waiver]]",
        "[validators.gate]",
        "[issuers.a]",
        "[keys.a-1]",
        "[parties.mail]",
        "[parties.mail.issuers.a]",
        "{tenantid}",
    ]);
    let json = scenario_words().into_iter().chain(policy_words()).map(|word| quoted(&word));
    let about = "Members of world, scenario, configuration and policy files.";
    let files = dictionary(about, toml.chain(tables).chain(json).chain(own(&algorithms())).chain(own(&file_kinds())));
    let text = String::from_utf8(files.clone()).unwrap();
    for word in ["derive = ", "jwks-max-age = ", "secrets = ", "reason = ", "wait-for = ", "\\\"converged_jwks\\\""] {
        assert!(text.contains(&format!("\"{word}\"\n")), "{word}");
    }
    is_up_to_date(&root("fuzz/dictionaries/files.dict"), &files);
}
