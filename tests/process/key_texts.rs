//! Texts that an application keeps as keys, in a form that nobody could guess: HMAC over exactly these is tried, once it says them.

use crate::support::line;
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

/// What came of showing an adapter the class in world `symmetric`, whose parties allow both families of algorithms.
fn judged(arguments: &str, folder: &Path) -> Value {
    let mut command = Command::cargo_bin("wrongkey").unwrap();
    command.current_dir(folder).args(["test", "--exec", &line(arguments), "--world", "symmetric", "--only", "AL-25"]);
    let ran = command.args(["--exit-zero", "--format", "json"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut result: Value = serde_json::from_slice(&ran.stdout).unwrap();
    result["validators"][0].take()
}

fn kinds(judged: &Value) -> Vec<String> {
    let findings = judged["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_an_application_keeps_as_keys_is_tried_where_it_says_so_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |judged: &Value| judged["presented"].as_u64().unwrap();
    let silent = judged("sound keeps-texts", folder.path());
    assert_eq!(kinds(&silent), [""; 0], "no layout of ours is that text");
    let sound = judged("sound says-texts", folder.path());
    assert_eq!(kinds(&sound), [""; 0]);
    assert!(shown(&sound) > shown(&silent) + 20, "{} {}", shown(&sound), shown(&silent));
    let found = judged("sound keeps-texts says-texts", folder.path());
    assert_eq!(shown(&found), shown(&sound));
    assert_eq!(kinds(&found), ["false-accept"]);
    let finding = &found["findings"][0];
    assert_eq!(finding["rules"], serde_json::json!(["KeyBelongsToIssuer"]), "{finding}");
    assert!(finding.to_string().contains("-----BEGIN PUBLIC KEY-----"), "{finding}");
    // What is stored is the scenario, and it needs nobody to say the text again.
    let path = std::fs::read_dir(folder.path().join("wrongkey-out/findings")).unwrap().next().unwrap().unwrap().path();
    let reproduced = |arguments: &str| {
        let mut command = Command::cargo_bin("wrongkey").unwrap();
        command.current_dir(folder.path()).arg("reproduce").arg(&path);
        String::from_utf8(command.args(["--exec", &line(arguments)]).output().unwrap().stdout).unwrap()
    };
    assert!(reproduced("sound keeps-texts").contains("STILL WRONG"));
    assert!(reproduced("sound").contains("FIXED"));
}

#[test]
fn a_secret_among_them_is_a_leak_and_goes_no_further() {
    let folder = tempfile::tempdir().unwrap();
    // It would take the token, and nobody could make it who does not know the secret.
    let found = judged("sound keeps-texts says-secrets", folder.path());
    assert_eq!(kinds(&found), ["leak"]);
    assert!(!found.to_string().contains("beside it"), "{found}");
    // Printed after each answer it is none of the protocol's business either.
    assert_eq!(kinds(&judged("sound prints-secret", folder.path())), ["leak"]);
    for file in std::fs::read_dir(folder.path().join("wrongkey-out/findings")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("beside it"), "{text}");
    }
}
