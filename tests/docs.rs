//! What the documents say is so: every scenario in `corpus/README.md` is played, every command in `README.md` is run.
//!
//! In the README's `console` blocks `…` stands for anything within a line, and alone in a line for any lines. After a change
//! of the catalogue `WRONGKEY_BLESS=1 cargo test --test docs` brings its numbers up to date.

use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use wrongkey::error::Error;
use wrongkey::forge::{Forge, Move};
use wrongkey::jose::{Layout, NumericDate, Serialization, Spelling};
use wrongkey::policy::{Disturbance, KeySource};
use wrongkey::scenario::{
    Act, Edit, KeyHeader, KeyIssuer, Kid, Mangle, Place, PolicyAct, Raw, Scenario, Segment, Spoil, Step, Value,
};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// A fenced block: what stands after the fence, the line it begins in, and its text.
struct Block {
    info: String,
    line: usize,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some(Block { info: info.to_owned(), line: index + 2, text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The whole scenario that an example stands for.
fn whole(block: &Block) -> Option<String> {
    let acts = |acts: &str| {
        format!(
            r#"{{ "scenario": 1, "world": "storm-0558", "party": "both-mail", "honest": {{ "issuer": "enterprise" }}, "acts": [{acts}] }}"#
        )
    };
    Some(match block.info.split(' ').collect::<Vec<_>>()[..] {
        ["json"] => block.text.clone(),
        ["json", "acts", ..] => acts(&block.text),
        ["json", "steps", ..] => {
            format!(r#"{{ "scenario": 1, "world": "two-issuers", "steps": [{}] }}"#, block.text)
        }
        ["json", "value"] => acts(&format!(r#"{{ "set-claim": {{ "name": "example", "value": {} }} }}"#, block.text)),
        _ => return None,
    })
}

#[test]
fn every_example_of_a_scenario_is_played_or_refused_by_name() {
    let mut kinds = BTreeSet::new();
    let mut played = 0;
    for block in blocks(&document("corpus/README.md")) {
        let Some(text) = whole(&block) else { continue };
        let place = format!("corpus/README.md:{}", block.line);
        let scenario = Scenario::from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error}\n{text}"));
        let again = Scenario::from_json(scenario.to_json().as_bytes()).unwrap();
        assert_eq!(again, scenario, "{place}: it does not survive writing and reading");
        let world = World::shipped(&scenario.world, DEFAULT_SEED);
        let mut world = world.unwrap_or_else(|| panic!("{place}: no such world"));
        if scenario.key_source == KeySource::Fetched {
            Arc::get_mut(&mut world).unwrap().let_fetch();
        }
        let moves = Forge::new(Arc::clone(&world), Calendar::At(NumericDate(1_790_000_000))).play(&scenario, 0);
        let steps = scenario.steps.iter().map(Step::kind);
        let acts = scenario.presents().flat_map(|(_, present)| present.acts.iter().map(Act::kind));
        let these: BTreeSet<&str> = steps.chain(acts).collect();
        if block.info.ends_with(" refused") {
            match moves {
                Err(Error::NotRun { what, .. }) => {
                    assert!(these.contains(what.split(' ').next().unwrap()), "{place}: {what} is refused instead");
                }
                other => panic!("{place}: it is said to be refused, and is not: {other:?}"),
            }
        } else {
            let moves = moves.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(moves.iter().any(|happening| matches!(happening, Move::Present(_))), "{place}");
            played += 1;
        }
        kinds.extend(these);
    }
    assert!(played > 40, "{played}");
    let missing =
        |names: Vec<String>| names.into_iter().filter(|name| !kinds.contains(name.as_str())).collect::<Vec<_>>();
    assert_eq!(missing(variants::<Step>()), [""; 0], "steps without an example");
    assert_eq!(missing(variants::<Act>()), [""; 0], "acts without an example");
}

/// The names that a type of the format knows, as the reader of the format lists them when it meets another.
fn variants<T: DeserializeOwned + Debug>() -> Vec<String> {
    let error = serde_json::from_str::<T>(r#"{ "nosuch": 1 }"#).unwrap_err().to_string();
    let (_, list) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    let names: Vec<String> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(names.len() > 1, "{error}");
    names
}

#[test]
fn the_description_of_scenarios_names_everything_in_the_format() {
    let text = document("corpus/README.md");
    let missing = |what: &str, names: Vec<String>| {
        for name in names {
            let named = [format!("`{name}`"), format!("\"{name}\""), format!("`{{\"{name}\"")];
            assert!(named.iter().any(|form| text.contains(form)), "{what} `{name}` is not in corpus/README.md");
        }
    };
    missing("act", variants::<Act>());
    missing("step", variants::<Step>());
    missing("policy act", variants::<PolicyAct>());
    missing("spoil", variants::<Spoil>());
    missing("disturbance", variants::<Disturbance>());
    missing("key issuer", variants::<KeyIssuer>());
    missing("value", variants::<Value>());
    missing("edit", variants::<Edit>());
    missing("kid", variants::<Kid>());
    missing("layout", variants::<Layout>());
    missing("spelling", variants::<Spelling>());
    missing("mangle", variants::<Mangle>());
    missing("raw", variants::<Raw>());
    missing("serialization", variants::<Serialization>());
    missing("key header", variants::<KeyHeader>());
    missing("segment", variants::<Segment>());
    missing("place", variants::<Place>());
    missing("key source", variants::<KeySource>());
    assert!(text.contains(&format!("At most {} steps", wrongkey::scenario::MAX_STEPS)));
    assert!(text.contains(&format!("{} acts a step", wrongkey::scenario::MAX_ACTS)));
}

/// A folder with what the README's commands need of the repository.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["corpus", "examples", "wrongkey.toml"] {
        copy(&Path::new(ROOT).join(name), &folder.path().join(name));
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

/// Runs `wrongkey` with the words of a command line; gives back standard output and the exit code.
fn run(folder: &Path, words: &str) -> (String, i32) {
    let mut command = assert_cmd::Command::cargo_bin("wrongkey").unwrap();
    let output = command.current_dir(folder).args(words.split(' ')).env_remove("CLICOLOR_FORCE").output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn every_command_of_the_readme_runs() {
    let folder = checkout();
    let mut seen = BTreeSet::new();
    for block in blocks(&document("README.md")).into_iter().filter(|block| block.info == "sh") {
        for line in block.text.lines() {
            let place = format!("README.md:{}: {line}", block.line);
            seen.insert(line.to_owned());
            let words = line.strip_prefix("wrongkey ").or_else(|| line.strip_prefix("cargo run --release -- "));
            match (words, line) {
                // It installs what it needs; `scripts/adapters.sh` judges it.
                (Some("test pyjwt --config adapters/adapters.toml"), _) => {
                    assert!(document("adapters/adapters.toml").contains("\n[validators.pyjwt]\n"), "{place}");
                }
                (Some(words), _) => {
                    let (out, code) = run(folder.path(), words);
                    assert!(code == 0 && !out.is_empty(), "{place}: ends with {code}\n{out}");
                }
                // This is what is running.
                (None, "cargo test") => {}
                (None, line) if line.contains("cargo fuzz run scenario ") => {
                    assert!(document("fuzz/Cargo.toml").contains("name = \"scenario\""), "{place}");
                    assert!(line.starts_with("RUSTC_BOOTSTRAP=1 cargo fuzz run scenario -s none "), "{place}");
                    assert!(line.ends_with(" corpus") && folder.path().join("corpus").is_dir(), "{place}");
                }
                _ => panic!("{place}: no test runs this"),
            }
        }
    }
    for command in ["cargo run --release -- test", "cargo test"] {
        assert!(seen.contains(command), "README.md has no `{command}`");
    }
}

#[test]
fn every_adapter_is_listed_sound_and_pooled_and_its_language_can_be_installed() {
    let config: toml::Table = toml::from_str(&document("adapters/adapters.toml")).unwrap();
    let installs = document("adapters/install.sh");
    let languages = installs.lines().find_map(|line| line.strip_prefix("languages=(")?.strip_suffix(')')).unwrap();
    let mut left: BTreeSet<&str> = languages.split(' ').collect();
    let validators = config["validators"].as_table().unwrap();
    let text = |name: &str, member: &str| validators[name][member].as_str().unwrap();
    // One that fetches its keys is another way to run a sound one.
    let plain = |name: &&String| !name.ends_with("-pooled") && !name.ends_with("-remote");
    for name in validators.keys().filter(plain) {
        let pooled = format!("{name}-pooled");
        assert_eq!(text(&pooled, "exec"), format!("{} --pooled", text(name, "exec")), "{name}");
        assert_eq!(text(&pooled, "setup"), text(name, "setup"), "{name}");
        let language = text(name, "setup").strip_prefix("./install.sh ").unwrap();
        assert!(languages.split(' ').any(|known| known == language), "{name}: {language}");
        // By this `scripts/adapters.sh` knows whose it is.
        assert!(text(name, "exec").contains(&format!("{language}/")), "{name}");
        left.remove(language);
    }
    assert!(left.is_empty(), "no adapter is in {left:?}");
    assert!(
        validators.keys().filter_map(|name| name.strip_suffix("-pooled")).all(|name| validators.contains_key(name))
    );
}

#[test]
fn every_output_in_the_readme_is_real() {
    let folder = checkout();
    let readme = document("README.md");
    let mut blessed = readme.clone();
    let mut wrong = Vec::new();
    for block in blocks(&readme).into_iter().filter(|block| block.info == "console") {
        for part in block.text.split("$ wrongkey ").skip(1) {
            let (words, expected) = part.split_once('\n').unwrap();
            let (out, _) = run(folder.path(), words);
            if !fits(&expected.lines().collect::<Vec<_>>(), &out.lines().collect::<Vec<_>>()) {
                wrong.push(format!("$ wrongkey {words}\nis not\n{expected}\nbut\n{out}"));
                blessed = blessed.replace(part, &format!("{words}\n{}", renumber(expected, &out)));
            }
        }
    }
    if std::env::var_os("WRONGKEY_BLESS").is_some() {
        std::fs::write(Path::new(ROOT).join("README.md"), blessed).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether lines are as expected.
fn fits(expected: &[&str], lines: &[&str]) -> bool {
    match (expected.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first.trim() == "…" => {
            (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..]))
        }
        (Some((first, expected)), Some((line, lines))) => line_fits(first, line) && fits(expected, lines),
        _ => false,
    }
}

/// Whether a line is as expected: the pieces between `…` stand in it in order, the outer ones at its ends.
fn line_fits(expected: &str, line: &str) -> bool {
    let Some((start, rest)) = expected.split_once('…') else { return expected == line };
    let Some(mut line) = line.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split('…').collect();
    let end = pieces.pop().unwrap_or("");
    for piece in pieces {
        let Some(at) = line.find(piece) else { return false };
        line = &line[at + piece.len()..];
    }
    line.ends_with(end)
}

/// The expected lines with the numbers of those lines of the output that differ from them in numbers only.
fn renumber(expected: &str, out: &str) -> String {
    let shape = |line: &str| -> String {
        let bare: String = line.chars().filter(|c| !c.is_ascii_digit()).collect();
        bare.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut lines = out.lines();
    let mut renumbered = String::new();
    for line in expected.lines() {
        let real = if line.contains('…') { None } else { lines.clone().find(|real| shape(real) == shape(line)) };
        if let Some(real) = real {
            lines.by_ref().find(|line| *line == real);
        }
        renumbered.push_str(real.unwrap_or(line));
        renumbered.push('\n');
    }
    renumbered
}

#[test]
fn the_comparison_is_strict_about_what_is_not_left_out() {
    let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
    assert!(fits(&lines("a\n…\nd"), &lines("a\nb\nc\nd")));
    assert!(fits(&lines("a … c"), &lines("a b c")));
    assert!(!fits(&lines("a\n…\nd"), &lines("a\nb")));
    assert!(!fits(&lines("a\nd"), &lines("a\nb\nd")));
    assert!(!fits(&lines("a … c"), &lines("a b d")));
    assert!(!fits(&lines("a\n"), &lines("a\nb")));
    assert_eq!(renumber("n 12/34\n…\nx 5 y\n", "n 1/2\nfoo\nx 77 y\n"), "n 1/2\n…\nx 77 y\n");
}

#[test]
fn the_readmes_validator_is_the_one_that_is_tested() {
    let readme = document("README.md");
    let blocks = blocks(&readme);
    let rust: Vec<_> = blocks.iter().filter(|block| block.info == "rust").collect();
    assert_eq!(rust.len(), 1);
    let tested = document("tests/own_validator.rs");
    assert!(tested.ends_with(&rust[0].text), "tests/own_validator.rs does not end with README.md:{}", rust[0].line);
}

#[test]
fn the_readmes_configurations_can_be_read() {
    let readme = document("README.md");
    for block in blocks(&readme).into_iter().filter(|block| block.info == "toml") {
        let config = wrongkey::config::parse(&block.text, "README.md").unwrap();
        assert!(!(config.waivers.is_empty() && config.validators.is_empty()), "README.md:{}", block.line);
    }
}

#[test]
fn exit_codes_are_the_same_everywhere() {
    use wrongkey::judgement::Exit;
    let readme = document("README.md");
    let (help, _) = run(Path::new(ROOT), "test --help");
    let exits = [
        Exit::Bug,
        Exit::Usage,
        Exit::Interrupted,
        Exit::Findings,
        Exit::Faults,
        Exit::Inconclusive,
        Exit::StaleWaiver,
        Exit::Clean,
    ];
    let mut order = exits.to_vec();
    order.sort();
    let order: Vec<String> = order.iter().map(|exit| exit.code().to_string()).collect();
    assert!(readme.contains(&format!("the first of {}", order.join(", "))));
    let listed = help.lines().skip_while(|line| !line.starts_with("Exit codes")).skip(1);
    let listed: Vec<String> = listed.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert_eq!(listed, order);
    for code in order {
        assert!(readme.contains(&format!("| {code} | ")), "{code}");
    }
}

#[test]
fn documents_name_no_place_on_this_machine() {
    for name in ["README.md", "CHANGELOG.md", "corpus/README.md"] {
        let text = document(name);
        for word in [ROOT, "/home/", "/root/", "/tmp/"] {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
}

#[test]
fn links_of_the_readme_lead_somewhere() {
    for (name, folder) in [("README.md", ""), ("corpus/README.md", "corpus")] {
        let text = document(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let known = link.starts_with("https://") || Path::new(ROOT).join(folder).join(link).exists();
            assert!(known, "{name}: {link}");
        }
    }
}

/// The crates that the library brings with these features.
fn crates(features: &[&str]) -> usize {
    // On one platform, whichever this is.
    let on = ["--target", "x86_64-unknown-linux-gnu"];
    let tree = ["tree", "--locked", "-e", "normal", "--prefix", "none", "--no-dedupe", "--format", "{p}"];
    let output = std::process::Command::new(env!("CARGO"))
        .args(tree)
        .args(on)
        .args(features)
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let named = text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>()).filter(|crate_| crate_.len() == 2);
    named.collect::<BTreeSet<_>>().len()
}

#[test]
fn the_readme_says_how_many_crates_the_library_brings() {
    let readme = document("README.md").replace('\n', " ");
    let bare = ["--no-default-features"];
    let strategy = ["--no-default-features", "--features", "proptest"];
    let said = format!(
        "{} crates ({} with the strategy, {} with the command line",
        crates(&bare),
        crates(&strategy),
        crates(&[])
    );
    assert!(readme.contains(&said), "README.md does not say: {said}");
}
