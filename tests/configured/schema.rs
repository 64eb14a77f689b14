//! `wrongkey.schema.json`, by which an editor says while somebody types what the reader of the file would say afterwards.

use crate::root;
use serde_json::Value;
use std::collections::BTreeSet;
use wrongkey::config::parse;

fn schema() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("wrongkey.schema.json")).unwrap()).unwrap()
}

/// A TOML text as an editor shows it to a schema: a date is a text.
fn document(text: &str) -> Value {
    fn value(toml: toml::Value) -> Value {
        match toml {
            toml::Value::Datetime(date) => Value::String(date.to_string()),
            toml::Value::Array(list) => list.into_iter().map(value).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(name, member)| (name, value(member))).collect(),
            plain => serde_json::to_value(plain).unwrap(),
        }
    }
    value(toml::Value::Table(toml::from_str(text).unwrap()))
}

/// Words for another type of value than the one that is there, and words for people.
const PASSED_OVER: [&str; 13] = [
    "$defs",
    "$schema",
    "additionalProperties",
    "description",
    "items",
    "maximum",
    "minItems",
    "minimum",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "title",
];

/// Whether a document is valid by JSON Schema 2020-12, of which this knows the words that our schema uses, and no other: one
/// that it does not know is an error of the test.
fn valid(whole: &Value, schema: &Value, document: &Value) -> bool {
    let words = match schema {
        Value::Bool(valid) => return *valid,
        words => words.as_object().unwrap(),
    };
    let none = Value::Null;
    let text = |value: &Value, pattern: &Value| matches(pattern.as_str().unwrap(), value.as_str().unwrap());
    let part = |schema: &Value, document: &Value| valid(whole, schema, document);
    words.iter().all(|(word, said)| match (word.as_str(), document) {
        ("$ref", _) => {
            let place = said.as_str().unwrap().strip_prefix('#').unwrap();
            part(whole.pointer(place).unwrap(), document)
        }
        ("type", _) => match said.as_str().unwrap() {
            "object" => document.is_object(),
            "array" => document.is_array(),
            "string" => document.is_string(),
            "integer" => document.is_i64(),
            other => panic!("type {other}"),
        },
        ("enum", _) => said.as_array().unwrap().contains(document),
        ("anyOf", _) => said.as_array().unwrap().iter().any(|one| part(one, document)),
        ("oneOf", _) => said.as_array().unwrap().iter().filter(|one| part(one, document)).count() == 1,
        ("not", _) => !part(said, document),
        ("pattern", Value::String(_)) => text(document, said),
        ("minimum", Value::Number(number)) => number.as_f64() >= said.as_f64(),
        ("maximum", Value::Number(number)) => number.as_f64() <= said.as_f64(),
        ("minItems", Value::Array(list)) => list.len() as u64 >= said.as_u64().unwrap(),
        ("items", Value::Array(list)) => list.iter().all(|item| part(said, item)),
        ("required", Value::Object(members)) => {
            said.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }
        ("properties", Value::Object(members)) => {
            members.iter().all(|(name, member)| said.get(name).is_none_or(|schema| part(schema, member)))
        }
        ("propertyNames", Value::Object(members)) => {
            members.keys().all(|name| part(said, &Value::String(name.clone())))
        }
        ("additionalProperties", Value::Object(members)) => {
            let named = words.get("properties").unwrap_or(&none);
            members.iter().all(|(name, member)| named.get(name).is_some() || part(said, member))
        }
        // Words for another type of value, and words for people.
        (word, _) if PASSED_OVER.contains(&word) => true,
        (other, _) => panic!("{other}: {said}"),
    })
}

/// The regular expressions of the schema, which are few.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    match pattern {
        "[^ ]" => text.chars().any(|c| c != ' '),
        "^[^=]+$" => !text.is_empty() && !text.contains('='),
        "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
            begins && text.len() <= 64 && text.chars().all(plain)
        }
        "^[0-9]+(ms|s|m|h)$" => {
            let units = ["ms", "s", "m", "h"];
            units.iter().any(|unit| text.strip_suffix(unit).is_some_and(digits))
        }
        "^[0-9]+/[sm]$" => {
            text.split_once('/').is_some_and(|(count, unit)| digits(count) && ["s", "m"].contains(&unit))
        }
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => {
            let parts: Vec<_> = text.split('-').collect();
            parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.iter().all(|part| digits(part))
        }
        other => panic!("{other}"),
    }
}

fn is_valid(text: &str) -> bool {
    let schema = schema();
    valid(&schema, &schema, &document(text))
}

/// The blocks of TOML in the README.
fn examples() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```toml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn what_ships_is_valid_and_says_where_its_schema_is() {
    let shipped = std::fs::read_to_string(root().join("wrongkey.toml")).unwrap();
    assert!(shipped.starts_with("#:schema wrongkey.schema.json\n"), "editors look for it in the first line");
    assert!(is_valid(&shipped));
    assert!(!examples().is_empty());
    for example in examples() {
        assert!(is_valid(&example), "{example}");
    }
}

/// What reader and schema agree on.
#[test]
fn what_the_reader_takes_is_valid_and_what_it_refuses_is_not() {
    for good in [
        "",
        "[validators.a]\nexec = 'b'",
        "[validators.a]\nexec = 'b'\nenv = { C = 'd' }\nfeatures = []\nclock = 'system'\nwindow = 1\nleeway = '0s'",
        "[validators.a]\nexec = 'b'\nworld = 'c'\nparty = ['d', 'e']\ntimeout = '500ms'\nsetup = 'f'\ncwd = 'g'",
        "[validators.a]\ncommand = 'b'\nclock = 'settable'\nfeatures = ['live-update']",
        "[validators.a]\nurl = 'b'\nheader = 'c: d'\ncookie = []\nquery = ['e=f']\nform = 'g=h'\nidentity = '/i'",
        "[validators.a]\nurl = 'b'\njson = '{}'\nmethod = 'PUT'\naccept-status = '204'\nreject-status = '401'",
        "[validators.a]\nurl = 'b'\nca = 'c'\nrate = '1/m'\nwait-for = '1h'\nconnections = 256\nleeway = '1m'\nalgorithms = 'RS256'",
        "[[waiver]]\nvalidator = 'a'\nrule = 'TypeExpected'\nreason = 'b'\nuntil = 2026-12-31",
        "[[waiver]]\nclass = 'KS-*'\nreason = 'b'\n[[waiver]]\norigin = '*'\nreason = 'c'",
    ] {
        assert!(parse(good, "t").is_ok(), "{good}: {:?}", parse(good, "t"));
        assert!(is_valid(good), "{good}");
    }
    for bad in [
        "validator = 1",
        "[validators]\na = 1",
        "[validators.a]",
        "[validators.a]\ncwd = 'b'",
        "[validators.a]\nexec = ' '",
        "[validators.a]\nexec = 'b'\nurl = 'c'",
        "[validators.a]\nexec = 'b'\ncommand = 'c'",
        "[validators.a]\nexec = ['b']",
        "[validators.a]\nexec = 'b'\nexce = 'c'",
        "[validators.a]\nexec = 'b'\nalgorithms = ['RS256']",
        "[validators.a]\nexec = 'b'\nheader = 'c: d'",
        "[validators.a]\nexec = 'b'\nenv = { C = 1 }",
        "[validators.a]\nexec = 'b'\nenv = { 'C=D' = 'e' }",
        "[validators.a]\nexec = 'b'\nfeatures = ['fast']",
        "[validators.a]\nexec = 'b'\nclock = 'mine'",
        "[validators.a]\nexec = 'b'\nwindow = 0",
        "[validators.a]\nexec = 'b'\ntimeout = '5'",
        "[validators.a]\nexec = 'b'\nworld = []",
        "[validators.a]\nexec = 'b'\nparty = [1]",
        "[validators.'a.b']\nexec = 'b'",
        "[validators.a]\ncommand = 'b'\nwindow = 1",
        "[validators.a]\ncommand = 'b'\nrate = '1/s'",
        "[validators.a]\nurl = 'b'\nclock = 'system'",
        "[validators.a]\nurl = 'b'\nfeatures = []",
        "[validators.a]\nurl = 'b'\nform = 'c=d'\njson = '{}'",
        "[validators.a]\nurl = 'b'\nconnections = 257",
        "waiver = 1",
        "[[waiver]]\nrule = 'TypeExpected'",
        "[[waiver]]\nrule = 'TypeExpected'\nreason = ' '",
        "[[waiver]]\nreason = 'b'",
        "[[waiver]]\nrule = 'TypeExpected'\nreason = 'b'\nwho = 'c'",
        "[[waiver]]\nrule = 'TypeExpected'\nreason = 'b'\nuntil = 'soon'",
    ] {
        assert!(parse(bad, "t").is_err(), "{bad}");
        assert!(!is_valid(bad), "{bad}");
    }
}

#[test]
fn schema_and_reader_know_the_same_members() {
    // "unknown field `nosuch`, expected one of `a`, `b`"
    let known = |text: &str| -> BTreeSet<String> {
        let error = parse(text, "t").unwrap_err().to_string();
        let list = error.split("expected").nth(1).unwrap_or_else(|| panic!("{error}")).split("; did").next().unwrap();
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let schema = schema();
    for (text, place) in [
        ("nosuch = 1", "/properties"),
        ("[validators.a]\nnosuch = 1", "/$defs/validator/properties"),
        ("[[waiver]]\nnosuch = 1", "/$defs/waiver/properties"),
    ] {
        let listed: BTreeSet<String> = schema.pointer(place).unwrap().as_object().unwrap().keys().cloned().collect();
        assert_eq!(known(text), listed);
    }
}
