//! Names: which there are, where each comes from, and what is wrong with some.

use crate::adapters::line;
use crate::support::Place;
use crate::{QUICK, place, table};

#[test]
fn a_list_says_where_each_validator_comes_from() {
    let config = [
        "# Ours.\n",
        &table("gate", "sound", ""),
        "[validators.each]\ncommand = 'verify {token}'\n[validators.edge]\nurl = 'http://127.0.0.1:1/me'\n",
    ];
    let place = place(&config.concat());
    let row = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).to_owned()
    };
    let text = place.run(&["list", "validators"]).ends(0).out;
    for (name, sort, from, about) in [
        ("gate", "process", "wrongkey.toml:2 ", line("sound").as_str()),
        ("each", "command", "wrongkey.toml:5 ", "verify {token}"),
        ("edge", "endpoint", "wrongkey.toml:7 ", "http://127.0.0.1:1/me"),
        ("reference", "reference", "built in ", "the strict reference validator"),
        ("sound", "flawed", "built in ", ""),
    ] {
        let line = row(&text, name);
        assert!(line.contains(sort) && line.contains(from) && line.contains(about), "{line}");
    }
    let rows = place.json(&["list", "validators"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows[0]["name"], "gate");
    assert!(rows[0]["from"].as_str().unwrap().ends_with("wrongkey.toml:2"), "{}", rows[0]);
    assert!(rows.iter().any(|row| row["name"] == "jsonwebtoken" && row["from"] == "built in"));
    // Elsewhere there are only those that are built in.
    let elsewhere = Place::new().json(&["list", "validators"]);
    assert_eq!(elsewhere.as_array().unwrap().len() + 3, rows.len());
}

#[test]
fn a_name_that_is_built_in_or_mistyped_is_refused() {
    let place = place(&format!("\n{}", table("reference", "sound", "")));
    for arguments in [&["test", "sound"][..], &["list", "validators"], &["hunt", "sound", "--for", "1s"]] {
        let ran = place.run(arguments).ends(2);
        ran.complains(&["wrongkey.toml: line 2: [validators.reference] `reference` is built in: choose another name"]);
    }
    place.file("wrongkey.toml", table("payment-gate", "sound", ""));
    for arguments in
        [&["test", "payment-gaet"][..], &["reproduce", "s.json", "payment-gaet"], &["shrink", "s.json", "payment-gaet"]]
    {
        place.file("s.json", crate::support::STORM);
        place
            .run(arguments)
            .ends(2)
            .complains(&["there is no validator `payment-gaet`", "did you mean `payment-gate`?"]);
    }
}

#[test]
fn a_broken_table_is_refused_by_every_command_that_reads_it() {
    let place = place("[validators.gate]\nexec = 'a'\nurl = 'http://b'\n");
    place.file("s.json", crate::support::STORM);
    for arguments in [
        &["test", "sound"][..],
        &["hunt", "sound", "--for", "1s"],
        &["reproduce", "s.json", "sound"],
        &["shrink", "s.json", "sound"],
        &["list", "validators"],
    ] {
        place.run(arguments).ends(2).complains(&["wrongkey.toml: line 3: `url`: it is exec already"]);
    }
    for arguments in [&["test", "sound"][..], &["list", "validators"], &["shrink", "s.json", "sound"]] {
        place.run(&[arguments, &["--config", "nosuch.toml"]].concat()).ends(2).complains(&["cannot read nosuch.toml"]);
    }
    // What does not read it is not held up.
    place.run(&["list", "rules"]).ends(0);
    place.run(&["forge", "s.json"]).ends(0);
}

#[test]
fn worlds_and_parties_of_several_must_be_the_same() {
    let one = table("one", "sound", "world = 'two-issuers'\nparty = 'api'");
    let place = place(&[&one, &table("two", "sound", "world = 'rotation'")[..]].concat());
    let ran = place.run(&["test", "one", "two"]).ends(2);
    ran.complains(&["wrongkey.toml: line 5: `world`: `two` says rotation, and `one` in line 1 says two-issuers"]);
    let both = ["test", "one", "two", "--world", "two-issuers"];
    place.run(&[&both[..], &QUICK].concat()).ends(0).says(&["\none ", "\ntwo "]);
    for (members, says) in [
        ("world = 'two-isuers'", &["`world`: `two-isuers` is neither", "did you mean `two-issuers`?"][..]),
        ("world = 'mine.toml'", &["`world`: cannot read ", "mine.toml"]),
        ("world = 'two-issuers'\nparty = 'apu'", &["`party`: no chosen world has `apu`", "did you mean `api`?"]),
    ] {
        place.file("wrongkey.toml", table("gate", "sound", members));
        place.run(&["test", "gate"]).ends(2).complains(&[&["wrongkey.toml: line 1: "], says].concat());
    }
}

#[test]
fn a_world_file_is_looked_for_beside_the_configuration() {
    let place = place("");
    let world = crate::root().join("examples/worlds/own-keys.toml");
    let text = std::fs::read_to_string(&world).unwrap();
    let name = text.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"').to_owned();
    place.file("deep/worlds/own-keys.toml", &text);
    for key in std::fs::read_dir(world.with_file_name("keys")).unwrap() {
        let key = key.unwrap();
        let name = key.file_name().into_string().unwrap();
        place.file(&format!("deep/worlds/keys/{name}"), std::fs::read(key.path()).unwrap());
    }
    place.file("deep/wrongkey.toml", table("gate", "sound", "world = 'worlds/own-keys.toml'"));
    let result =
        place.json(&[&["test", "gate", "--config", "deep/wrongkey.toml"], &QUICK[2..], &["--only", "TM-01"]].concat());
    assert_eq!(result["worlds"].as_array().unwrap().len(), 1, "{result}");
    assert!(result["worlds"].to_string().contains(&name), "{}", result["worlds"]);
}
