//! The project in `examples/own-validator` is built and run as its owner would: by `cargo test` in its folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use wrongkey::generate::classes;

/// What its owner would wait for longer: `wrongkey`, a dependency there, optimised. Crates that are built as they are for this
/// project need not be built again.
fn profile() -> Vec<String> {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let packages = manifest["profile"]["dev"]["package"].as_table().unwrap();
    let settings = packages.iter().flat_map(|(package, settings)| {
        let settings = settings.as_table().unwrap();
        settings.iter().map(move |(name, value)| format!("profile.dev.package.{package:?}.{name}={value}"))
    });
    settings.chain(["profile.dev.package.wrongkey.opt-level=0".to_owned()]).collect()
}

/// `cargo test` there. It shares this project's folder of built crates.
fn cargo_test(arguments: &[&str]) -> Output {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Command::new(env!("CARGO"))
        .args(["test", "--locked", "--color", "never", "--test", "gate"])
        .args(profile().iter().flat_map(|setting| ["--config", setting]))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own-validator"))
        .env("CARGO_TARGET_DIR", built)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The tests that ended in that way.
fn ended(out: &str, how: &str) -> BTreeSet<String> {
    let tests = out.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(how)?.strip_suffix(" ... "));
    tests.map(str::to_owned).collect()
}

#[test]
fn a_project_of_its_own_has_a_test_for_each_class_and_those_that_see_its_mistake_fail() {
    let sound = cargo_test(&[]);
    let (out, told) = (text(&sound.stdout), text(&sound.stderr));
    assert!(sound.status.success(), "{out}{told}");
    let passed = ended(&out, "ok");
    let of_classes = passed.iter().filter(|name| name.starts_with("class::")).count();
    // One shows honest tokens.
    assert_eq!(of_classes, classes().len() + 1, "{passed:?}");
    for name in ["class::ks_01", "class::honest_tokens_are_accepted", "no_scenario_is_answered_wrongly"] {
        assert!(passed.contains(name), "{name} is not among {passed:?}");
    }
    assert!(told.contains("IA-19 not tried: no issuer templates"), "{told}");

    let wrong = cargo_test(&["--features", "wrong-key"]);
    let (out, told) = (text(&wrong.stdout), text(&wrong.stderr));
    assert!(!wrong.status.success(), "{out}{told}");
    let (passed, failed) = (ended(&out, "ok"), ended(&out, "FAILED"));
    for name in ["class::ks_01", "class::ks_02", "no_scenario_is_answered_wrongly"] {
        assert!(failed.contains(name), "{name} is not among {failed:?}\n{out}{told}");
    }
    for name in ["class::honest_tokens_are_accepted", "class::tm_01", "class::al_01"] {
        assert!(passed.contains(name), "{name} is not among {passed:?}");
    }
    let named = "rule      KeyBelongsToIssuer: The key that signed is, or was, listed for the issuer";
    assert!(out.contains("false-accept.KeyBelongsToIssuer.sign-with.other-trusted") && out.contains(named), "{out}");
}
