//! The body of the target `files`: the first line of the input says what all after it is, a `world`, `scenario`, `config` or
//! `policy` file. Reading must end, with a value or with an error that names a place; and what was read, written and read
//! again is the same.

use super::{NOW, Played};
use crate::config::{self, Config, Entry};
use crate::error::Error;
use crate::finding::tame;
use crate::policy::TrustPolicy;
use crate::scenario::Scenario;
use crate::world::{Calendar, DEFAULT_SEED, Publication, World};

/// What a file is called in errors.
const NAME: &str = "input";

/// First lines, and the readers that they choose.
const KINDS: [(&str, Reader); 4] = [("world", world), ("scenario", scenario), ("config", config), ("policy", policy)];

/// Reads a text; what is wrong with the text, or with us.
type Reader = fn(&str) -> Result<&'static str, Trouble>;

enum Trouble {
    /// The text is refused, in these words.
    Refused(String),
    /// What was promised does not hold: the name of the promise, and what happened instead.
    Broken(&'static str, String),
}

/// First lines that say what the rest is.
#[must_use]
pub fn file_kinds() -> [&'static str; 4] {
    KINDS.map(|(name, _)| name)
}

/// Judges one input. Returns whether its first line says what it is: a fuzzer keeps no other.
///
/// # Panics
/// Where something that is promised of files does not hold: the message begins with what, and holds the file.
pub fn run_file(input: &[u8]) -> bool {
    match play_file(input) {
        Played::Unplayable(_) => false,
        Played::Lawful(_) => true,
        Played::Wrong(message) => panic!("{message}"),
    }
}

/// Reads one file and says what came of it.
#[must_use]
pub fn play_file(input: &[u8]) -> Played {
    let Ok(input) = std::str::from_utf8(input) else {
        return Played::Unplayable("it is not UTF-8".to_owned());
    };
    let (line, text) = input.split_once('\n').unwrap_or((input, ""));
    let Some((name, reader)) = KINDS.iter().find(|(name, _)| *name == line) else {
        return Played::Unplayable(format!("its first line is none of {}", file_kinds().join(", ")));
    };
    match reader(text) {
        Ok(what) => Played::Lawful(format!("{name}: {what}")),
        Err(Trouble::Refused(why)) if names_a_place(name, &why) => Played::Lawful(format!("{name}: refused: {why}")),
        Err(Trouble::Refused(why)) => wrong("PlaceNamed", name, &why, text),
        Err(Trouble::Broken(promise, what)) => wrong(promise, name, &what, text),
    }
}

fn wrong(promise: &str, name: &str, what: &str, text: &str) -> Played {
    Played::Wrong(format!("{promise}: {name}\n{}\n{text}", tame(what, 1_000)))
}

/// Whether an error says where: the line of the text, or the table, step or member.
fn names_a_place(kind: &str, error: &str) -> bool {
    let line = [" at line ", ": line ", "error at line "].iter().any(|words| error.contains(words));
    match kind {
        // "world input: keys.a.signs: …"
        "world" => error.strip_prefix("world input: ").is_some_and(|rest| {
            rest.split_once(": ").is_some_and(|(place, _)| !place.is_empty() && (line || place != "the file"))
        }),
        // Of what is only wrong as a whole the step or the member is named.
        "scenario" => {
            line || error.starts_with("step ") || error.contains('`') || error.contains(" steps: ") || version(error)
        }
        _ => line,
    }
}

/// The first member of the file says its version.
fn version(error: &str) -> bool {
    error.starts_with("scenario version ")
}

fn scenario(text: &str) -> Result<&'static str, Trouble> {
    let read = |text: &str| Scenario::from_json(text.as_bytes()).map_err(|error| error.to_string());
    let scenario = read(text).map_err(Trouble::Refused)?;
    same(Ok(&scenario), read(&scenario.to_json()).as_ref())?;
    Ok("read, written and read again")
}

fn policy(text: &str) -> Result<&'static str, Trouble> {
    let policy: TrustPolicy = serde_json::from_str(text).map_err(|error| Trouble::Refused(error.to_string()))?;
    policy_again(&policy)?;
    Ok("read, written and read again")
}

fn policy_again(policy: &TrustPolicy) -> Result<(), Trouble> {
    let written = serde_json::to_string(policy).map_err(|error| error.to_string());
    let again = written.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    same(Ok(policy), again.as_ref())
}

fn config(text: &str) -> Result<&'static str, Trouble> {
    let read = |text: &str| config::parse(text, NAME).map_err(|error: Error| error.to_string());
    let config = read(text).map_err(Trouble::Refused)?;
    let again = written(text).and_then(|text| read(&text));
    same(Ok(&shown(&config)), again.map(|config| shown(&config)).as_ref())?;
    Ok("read, written and read again")
}

/// All that a configuration says, but for the lines and the order in which it says it.
fn shown(config: &Config) -> String {
    let mut validators: Vec<Entry> = config.validators.iter().map(|entry| Entry { line: 0, ..entry.clone() }).collect();
    validators.sort_by(|one, other| one.name.cmp(&other.name));
    format!("{validators:?} {:?}", config.waivers)
}

/// A world tells the same policies after it was written in another way, and each can be told over the wire.
fn world(text: &str) -> Result<&'static str, Trouble> {
    let read = |text: &str| World::from_toml(text, NAME, None, DEFAULT_SEED).map_err(|error| error.to_string());
    let world = read(text).map_err(Trouble::Refused)?;
    let policies = policies(&world);
    policies.iter().try_for_each(policy_again)?;
    let again = written(text).and_then(|text| read(&text));
    same(Ok(&policies), again.map(|world| self::policies(&world)).as_ref())?;
    Ok("read, written and read again")
}

fn policies(world: &World) -> Vec<TrustPolicy> {
    let start = Publication::of(world);
    let of_party = |party| move |&source| (party, source);
    let places = world.parties.iter().flat_map(|party| party.key_sources.iter().map(of_party(party)));
    places.map(|(party, source)| world.policy(party, source, &start, Calendar::Timeless(NOW))).collect()
}

/// The same TOML in the spelling of a writer.
fn written(text: &str) -> Result<String, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    toml::to_string(&table).map_err(|error| error.to_string())
}

fn same<T: PartialEq + std::fmt::Debug>(
    first: Result<&T, &String>,
    second: Result<&T, &String>,
) -> Result<(), Trouble> {
    if first == second {
        return Ok(());
    }
    Err(Trouble::Broken("ReadBack", format!("first {first:?}\nthen {second:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_place_is_told_from_one_with() {
        for (kind, placed, lost) in [
            ("world", "world input: keys.a.signs: name at least one algorithm", "world input: the file: it is wrong"),
            ("world", "world input: the file: TOML parse error at line 3, column 1", "world input: : it is wrong"),
            ("scenario", "unknown field `x`", "too long"),
            ("scenario", "step 2: 65 acts: at most 64", "65 acts"),
            ("config", "input: line 3: a waiver needs a `reason`", "input: a waiver needs a `reason`"),
            ("policy", "invalid type: null, expected a string at line 1 column 9", "missing field `policy`"),
        ] {
            assert!(names_a_place(kind, placed), "{placed}");
            assert!(!names_a_place(kind, lost), "{lost}");
        }
    }

    #[test]
    fn a_promise_that_is_not_kept_is_told_by_its_name() {
        let Err(Trouble::Broken(promise, what)) = same(Ok(&1), Ok(&2)) else { panic!("they differ") };
        assert_eq!((promise, what.as_str()), ("ReadBack", "first Ok(1)\nthen Ok(2)"));
        assert!(same(Ok(&1), Ok(&1)).is_ok());
        assert!(same(Ok(&1), Err(&"refused".to_owned())).is_err());
        let Played::Wrong(message) = wrong("ReadBack", "world", &what, "text") else { panic!("it is wrong") };
        assert_eq!(message, "ReadBack: world\nfirst Ok(1)\\u{a}then Ok(2)\ntext");
    }
}
