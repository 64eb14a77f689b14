//! The borders of the house: which module may know which, and what the manifest promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Whom each module may name in `use crate::…` or `crate::…`. What is not here may know everybody.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("jose", &["jose"]),
    ("rule", &[]),
    ("policy", &["jose"]),
    ("scenario", &["jose", "policy"]),
    ("key", &["jose", "clock"]),
    ("error", &[]),
    ("world", &["jose", "key", "policy", "scenario", "error"]),
    ("provenance", &["jose"]),
    ("issuers", &["jose", "key", "policy", "world", "scenario", "validator", "clock", "error"]),
    ("forge", &["jose", "key", "policy", "world", "scenario", "provenance", "error"]),
    ("generate", &["jose", "policy", "world", "scenario", "rule", "shrink", "generate"]),
    ("validator", &["clock", "jose", "policy", "validator"]),
    ("oracle", &["jose", "policy", "provenance", "rule"]),
    ("twin", &["jose", "oracle", "policy", "provenance", "rule", "scenario"]),
    ("shrink", &["jose", "policy", "scenario"]),
];

/// The parts of the oracle's world that it must not reach even by name.
const FORBIDDEN_IN_ORACLE: &[&str] = &["serde_json", "decode_base64url", "from_json", "aws_lc_rs", "Token"];

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// The program text of each top-level module, without its tests and comments.
fn modules() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for path in files {
        let relative = path.strip_prefix(&src).unwrap();
        if relative.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        let module = relative.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in program.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let all = modules.entry(module.clone()).or_default();
            all.push_str(line);
            all.push('\n');
        }
    }
    modules
}

fn known(program: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, _) in program.match_indices("crate::") {
        let rest = &program[index + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = &list[..list.find('}').unwrap()];
            names.extend(list.split(',').map(|name| name.trim().split(':').next().unwrap().to_owned()));
        } else {
            names.insert(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
        }
    }
    names.remove("");
    names
}

#[test]
fn nobody_knows_more_than_the_house_allows() {
    let modules = modules();
    for (module, allowed) in MAY_KNOW {
        let program = modules.get(*module).unwrap_or_else(|| panic!("no module {module}"));
        for name in known(program) {
            assert!(allowed.contains(&name.as_str()), "`{module}` knows `{name}`, which the house does not allow");
        }
    }
}

#[test]
fn the_test_above_sees_what_it_is_meant_to_see() {
    assert_eq!(known("use crate::world::World;\nlet a = crate::forge::x();"), ["forge".into(), "world".into()].into());
    assert_eq!(known("use crate::{jose::Jwk, key};"), ["jose".into(), "key".into()].into());
    assert!(known(&modules()["campaign"]).contains("oracle"));
}

#[test]
fn the_oracle_reaches_no_parser_and_no_private_key() {
    let program = &modules()["oracle"];
    for name in FORBIDDEN_IN_ORACLE {
        assert!(!program.contains(name), "the oracle names `{name}`");
    }
}

#[test]
fn classes_packages_and_incidents_are_unknown_to_the_oracle() {
    let program = &modules()["oracle"];
    for class in wrongkey::generate::classes() {
        assert!(!program.contains(&format!("\"{}\"", class.id)), "the oracle knows class {}", class.id);
    }
    for word in ["CVE", "storm", "jsonwebtoken", "Act::"] {
        assert!(!program.contains(word), "the oracle knows {word}");
    }
}

#[test]
fn no_source_file_is_longer_than_it_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "fuzz/fuzz_targets", "benches"] {
        sources(&root.join(folder), &mut files);
    }
    for path in files {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines: a file that long becomes a folder", path.display());
    }
}

#[test]
fn no_dependency_needs_a_newer_rust_than_the_manifest_promises() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |text: &str| -> Vec<u64> { text.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    let promised = number("1.90");
    let mut checked = 0;
    for package in metadata["packages"].as_array().unwrap() {
        if let Some(needs) = package["rust_version"].as_str() {
            assert!(number(needs) <= [promised.clone(), vec![99]].concat(), "{} needs Rust {needs}", package["name"]);
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}
