//! `url`: an endpoint of the file, and the site that it stands for.

use crate::place;
use crate::server::{Server, judging};
use crate::support::STORM;
use wrongkey::clock;
use wrongkey::policy::KeySource;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::world::{Calendar, DEFAULT_SEED, Publication, World};

/// An endpoint that stands for this party of a world.
fn serving(world: &str, party: &str, flaw: Option<Flaw>) -> Server {
    let world = World::shipped(world, DEFAULT_SEED).unwrap();
    let party = world.party(party).unwrap();
    let policy = world.policy(party, KeySource::PerIssuer, &Publication::of(&world), Calendar::At(clock::now()));
    Server::start(judging(&flawed::maker(flaw), &policy))
}

const FEW: [&str; 2] = ["--only", "KeyBelongsToIssuer"];

#[test]
fn an_endpoint_of_the_file_is_judged_at_its_site_and_its_finding_seen_again() {
    let sound = serving("two-issuers", "api", None);
    let pools = serving("two-issuers", "api", Some(Flaw::SignatureOnlyOverMergedKeys));
    let table = |name: &str, server: &Server| {
        format!(
            "[validators.{name}]\nurl = '{}'\nheader = 'Authorization: Bearer {{token}}'\nworld = 'two-issuers'\nparty = 'api'\nwait-for = '10s'\n",
            server.url("/me")
        )
    };
    let place = place(&[table("good", &sound), table("bad", &pools)].concat());
    place
        .run(&[&["test", "good"], &FEW[..], &["--only", "IssuerTrusted"]].concat())
        .ends(0)
        .says(&["\ngood ", "clean"]);
    let ran = place.run(&[&["test", "bad"], &FEW[..]].concat()).ends(1).says(&["\nbad ", "KeyBelongsToIssuer"]);
    let command = ran.out.lines().find_map(|line| line.trim().strip_prefix("again     wrongkey "));
    let words: Vec<&str> = command.unwrap().split(' ').collect();
    assert_eq!(words.last(), Some(&"bad"), "{words:?}");
    place.run(&words).ends(1).says(&["STILL WRONG"]);
    place.run(&[&words[..words.len() - 1], &["good"]].concat()).ends(0).says(&["FIXED"]);
}

#[test]
fn an_endpoint_without_a_world_stands_in_the_usual_one() {
    let pools = serving("storm-0558", "both-mail", Some(Flaw::SignatureOnlyOverMergedKeys));
    let place = place(&format!("[validators.mail]\nurl = '{}'\nparty = 'both-mail'\n", pools.url("/")));
    place.run(&[&["test", "mail"], &FEW[..]].concat()).ends(1).says(&["worlds storm-0558 ", "KeyBelongsToIssuer"]);
    place.file("storm.json", STORM);
    place.run(&["shrink", "storm.json", "mail"]).ends(0).says(&["consumer-2023"]);
}

#[test]
fn what_is_wrong_with_an_endpoint_is_told_by_its_line() {
    let place = place("");
    for (members, says) in [
        ("rate = 'fast'", "`rate`: \"fast\": so many requests"),
        ("accept-status = '2xx'", "`accept-status`: \"2xx\""),
        ("identity = 'sub'", "`identity`: \"sub\" is no JSON pointer"),
        ("ca = 'nosuch.pem'", "`ca`: cannot read "),
    ] {
        place.file(
            "wrongkey.toml",
            format!("\n[validators.edge]\nurl = 'http://127.0.0.1:1/'\n{members}\nparty = 'both-mail'\n"),
        );
        place.run(&["test", "edge"]).ends(2).complains(&["wrongkey.toml: line 2: ", says]);
    }
    place.file("wrongkey.toml", "[validators.edge]\nurl = 'http://127.0.0.1:1/'\n");
    place.run(&["test", "edge"]).ends(2).complains(&["--party: an endpoint is one relying party"]);
    place.file("wrongkey.toml", "[validators.edge]\nurl = 'http://127.0.0.1:1/'\nparty = 'both-mail'\n");
    place.run(&["test", "edge"]).ends(3).complains(&["edge", "cannot be reached"]);
}
