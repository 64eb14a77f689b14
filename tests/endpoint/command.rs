//! `wrongkey` with `--url`, as people and pipelines use it.

use super::policy_of;
use super::server::{Asked, Reply, Server, judging};
use super::support::{Place, Ran, STORM, in_order};
use std::net::TcpListener;
use wrongkey::clock;
use wrongkey::validator::flawed::{self, Flaw};

/// An endpoint that stands for this party of a world.
fn serving(world: &str, party: &str, flaw: Option<Flaw>) -> Server {
    Server::start(judging(&flawed::maker(flaw), &policy_of(world, party, clock::now())))
}

/// `wrongkey test` of an endpoint that is told to be this party, by a few classes.
fn test(place: &Place, url: &str, world: &str, party: &str, more: &[&str]) -> Ran {
    let site = ["test", "--url", url, "--world", world, "--party", party];
    let quick = ["--only", "KeyBelongsToIssuer", "--only", "IssuerTrusted"];
    place.run(&[&site[..], &quick, more].concat())
}

/// What a finding must be seen again under.
const CONDITIONS: [&str; 10] =
    ["--leeway", "61s", "--rate", "5000/s", "--wait-for", "2500ms", "--connections", "3", "--timeout", "21s"];

#[test]
fn a_sound_endpoint_is_clean_and_one_that_pools_keys_is_not() {
    let place = Place::new();
    let sound = serving("two-issuers", "api", None);
    let identity = ["--identity", "/sub", "--identity", "iss=/iss"];
    test(&place, &sound.url("/me"), "two-issuers", "api", &identity).ends(0).says(&[
        &format!("{}/me", sound.address),
        "the endpoint's policy cannot be changed",
        "clean",
    ]);
    assert_eq!(place.findings().len(), 0);
    let pools = serving("two-issuers", "api", Some(Flaw::SignatureOnlyOverMergedKeys));
    let ran = test(
        &place,
        &pools.url("/me"),
        "two-issuers",
        "api",
        &[&["--header", "Authorization: Bearer {token}"], &CONDITIONS[..]].concat(),
    );
    let ran = ran.ends(1).says(&["KeyBelongsToIssuer", "false-accept"]);
    // The command that stands there shows it again, as it stands there.
    let command = ran.out.lines().find_map(|line| line.trim().strip_prefix("again     wrongkey "));
    let words = shell_words::split(command.unwrap()).unwrap();
    assert!(words.contains(&"Authorization: Bearer {token}".to_owned()), "{words:?}");
    for pair in CONDITIONS.chunks(2) {
        assert!(words.windows(2).any(|words| words == pair), "{pair:?} {words:?}");
    }
    let run = |words: &[String]| place.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    run(&words).ends(1).says(&["STILL WRONG", "KeyBelongsToIssuer"]);
    let elsewhere = |word: &String| word.replace(&pools.url("/me"), &sound.url("/me"));
    run(&words.iter().map(elsewhere).collect::<Vec<_>>()).ends(0).says(&["FIXED"]);
}

#[test]
fn a_scenario_is_shown_to_an_endpoint_and_shrunk_against_it() {
    let place = Place::new();
    let file = place.file("storm.json", STORM);
    let file = file.to_str().unwrap();
    let server = serving("storm-0558", "both-mail", Some(Flaw::SignatureOnlyOverMergedKeys));
    let url = server.url("/");
    place.run(&["reproduce", file, "--url", &url]).ends(1).says(&["STILL WRONG"]);
    let shrunk = place.run(&["shrink", file, "--url", &url]).ends(0);
    in_order(&shrunk.out, &["\"sign-with\"", "consumer-2023"]);
    place.run(&["shrink", file]).ends(2).complains(&["<NAME>"]);
    place.run(&["shrink", file, "reference", "--url", &url]).ends(2).complains(&["one validator"]);
}

#[test]
fn an_endpoint_that_is_not_there_or_takes_everybody_is_inconclusive_and_nothing_is_written() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let open = Server::start(|_: &Asked| Reply::status(200));
    let lost = Server::start(|_: &Asked| Reply::status(404));
    for (url, why) in [
        (&nowhere, "cannot be reached: the connection was refused"),
        (&nowhere.replace("http", "https"), "--ca: https needs it"),
        (&open.url("/"), "does not refuse a request without a token: it answers HTTP 200"),
        (&lost.url("/"), "neither an accept status nor a reject status"),
    ] {
        let code = if url.starts_with("https") { 2 } else { 3 };
        let ran = test(&place, url, "two-issuers", "api", &[]).ends(code).complains(&[why]);
        assert_eq!(ran.out, "");
    }
    assert!(place.listing().is_empty());
}

#[test]
fn an_endpoint_is_one_party_of_one_world() {
    let place = Place::new();
    let url = "http://127.0.0.1:1/";
    let usage = |arguments: &[&str], why: &str| {
        place.run(&[&["test", "--url", url], arguments].concat()).ends(2).complains(&[why]);
    };
    usage(&[], "storm-0558 has several: name one of both-mail, consumer-mail, enterprise-mail");
    usage(&["--world", "two-issuers"], "name one of api, desk, once, web");
    usage(&["--party", "api"], "no chosen world has `api`");
    usage(&["--world", "two-issuers", "--world", "rotation", "--party", "api"], "name one");
    usage(&["--party", "both-mail", "--now", "1790000000"], "reads the machine's clock");
    usage(&["--party", "both-mail", "--header", "nothing"], "--header: \"nothing\": a name, a colon");
    usage(&["--party", "both-mail", "--ca", "missing.pem"], "missing.pem");
    usage(&["--party", "both-mail", "--json", "1", "--form", "a={token}"], "cannot be used with");
    place.run(&["test", "--header", "a: b"]).ends(2).complains(&["--url"]);
}

#[test]
fn forge_prints_a_command_for_curl_that_sends_the_token() {
    let place = Place::new();
    let file = place.file("storm.json", STORM);
    let file = file.to_str().unwrap();
    let token = place.run(&["forge", file, "--now", "1790000000"]).ends(0).out;
    let url = "http://127.0.0.1:1/me?a=[1]";
    let ran = place.run(&["forge", file, "--now", "1790000000", "--curl", url]).ends(0);
    let words = shell_words::split(&ran.out).unwrap();
    let header = format!("authorization: Bearer {}", token.trim());
    assert_eq!(words, ["curl", "--globoff", "--include", "--header", &header, url]);
    let raw = r#"{"scenario":1,"world":"two-issuers","party":"api","honest":{"issuer":"a"},"acts":[{"raw":{"before":"\n"}}]}"#;
    let raw = place.file("raw.json", raw);
    place.run(&["forge", raw.to_str().unwrap(), "--curl", url]).ends(2).complains(&["0x0a"]);
    place.run(&["forge", file, "--curl", "nowhere"]).ends(2).complains(&["--curl", "http://"]);
}
