use super::*;
use crate::validator::Clock;
use crate::validator::endpoint::Settings;
use std::time::Duration;

const EVERYTHING: &str = r#"
[validators.gate]
exec = "python3 adapter.py"
setup = "pip install -r requirements.txt"
env = { MODE = "test" }
cwd = "services/gate"
world = "two-issuers"
party = ["api", "web"]
features = ["live-update", "large"]
clock = "system"
timeout = "500ms"
window = 16
leeway = "1m"

[validators.each]
command = "verify {token} {policy-file} {now}"
algorithms = ["RS256"]
leeway = "0s"

[validators.edge]
url = "http://127.0.0.1:8080/me"
method = "POST"
header = "X-Token: {token}"
cookie = ["a=b", "c=d"]
query = "q=1"
form = ["token={token}"]
accept-status = "204"
reject-status = "401,403"
identity = ["/sub", "iss=/iss"]
ca = "ca.pem"
rate = "100/s"
wait-for = "30s"
connections = 4
"#;

fn error(text: &str) -> String {
    parse(text, "wrongkey.toml").unwrap_err().to_string()
}

#[test]
fn every_member_arrives_where_it_belongs() {
    let config = parse(EVERYTHING, "wrongkey.toml").unwrap();
    let [gate, each, edge] = &config.validators[..] else { panic!("{:?}", config.validators) };
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let expected = Entry {
        name: "gate".to_owned(),
        line: 2,
        kind: Kind::Exec("python3 adapter.py".to_owned()),
        setup: Some("pip install -r requirements.txt".to_owned()),
        env: [("MODE".to_owned(), "test".to_owned())].into(),
        cwd: Some("services/gate".into()),
        worlds: texts(&["two-issuers"]),
        parties: texts(&["api", "web"]),
        algorithms: Vec::new(),
        features: Some([Feature::LiveUpdate, Feature::Large].into()),
        clock: Some(Clock::System),
        timeout: Some(Duration::from_millis(500)),
        window: Some(16),
        leeway: Some(Duration::from_secs(60)),
        ca: None,
    };
    assert_eq!(*gate, expected);
    assert_eq!(each.kind, Kind::Command("verify {token} {policy-file} {now}".to_owned()));
    assert_eq!((each.line, each.leeway, each.timeout), (15, Some(Duration::ZERO), None));
    assert_eq!(each.algorithms, ["RS256"]);
    let settings = Settings {
        method: Some("POST".to_owned()),
        headers: texts(&["X-Token: {token}"]),
        cookies: texts(&["a=b", "c=d"]),
        query: texts(&["q=1"]),
        form: texts(&["token={token}"]),
        json: None,
        accept_status: "204".to_owned(),
        reject_status: "401,403".to_owned(),
        identity: texts(&["/sub", "iss=/iss"]),
        rate: Some("100/s".to_owned()),
        wait_for: Duration::from_secs(30),
        connections: 4,
        ..Settings::new("http://127.0.0.1:8080/me")
    };
    assert_eq!((edge.line, &edge.kind), (20, &Kind::Url(Box::new(settings))));
    assert_eq!(edge.ca.as_deref(), Some(std::path::Path::new("ca.pem")));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_would_be_right() {
    let gate = |members: &str| format!("\n[validators.gate]\nexec = 'a'\n{members}\n");
    for (text, says) in [
        (gate("exce = 'b'"), &["line 4", "unknown field `exce`", "did you mean `exec`"][..]),
        (gate("acept-status = '1'"), &["line 4", "did you mean `accept-status`"]),
        ("[validator.gate]\nexec = 'a'".to_owned(), &["line 1", "did you mean `validators`?"]),
        (gate("url = 'http://a'"), &["line 4: `url`: it is exec already: keep one of them"]),
        ("[validators.gate]\ncommand = 'a'\nurl = 'b'".to_owned(), &["line 3: `url`: it is command already"]),
        ("\n[validators.gate]\ncwd = '.'".to_owned(), &["line 2: [validators.gate] needs `exec`, `command` or `url`"]),
        ("[validators.gate]\nexec = ' '".to_owned(), &["line 2: `exec` names nothing"]),
        ("[validators.gate]\nexec = 7".to_owned(), &["line 2", "expected a string"]),
        ("[validators.gate]\nexec = ['a', 'b']".to_owned(), &["line 2", "expected a string"]),
        (gate("window = 'many'"), &["line 4", "expected i64"]),
        (gate("window = 0"), &["line 4: `window`: a number from 1 to 65536"]),
        (gate("timeout = '5'"), &["line 4: `timeout`: a length of time, as 5s or 500ms"]),
        (gate("timeout = '1ms'"), &["line 4: `timeout`", "from 10ms to 1h"]),
        (gate("leeway = 'soon'"), &["line 4: `leeway`: a length of time"]),
        (gate("world = []"), &["line 4: `world`: it names none"]),
        (gate("party = 3"), &["line 4", "expected a text or a list of texts"]),
        (gate("party = [3]"), &["line 4", "expected a string"]),
        (gate("features = ['live-updates']"), &["line 4: `features`: \"live-updates\"", "did you mean `live-update`?"]),
        (gate("clock = 'mine'"), &["line 4: `clock`: \"mine\" is none of settable, system"]),
        (gate("env = { 'A=B' = 'c' }"), &["line 4: `env`: \"A=B\" cannot be set"]),
        (gate("env = { A = 1 }"), &["line 4", "expected a string"]),
        (gate("algorithms = 'RS256'"), &["line 4: `algorithms` goes with `command` and `url`"]),
        (gate("header = 'a: b'"), &["line 4: `header` goes with `url`, and this is `exec`"]),
        ("[validators.a]\nurl = 'b'\nwindow = 1".to_owned(), &["line 3: `window` goes with `exec`"]),
        ("[validators.a]\nurl = 'b'\nclock = 'system'".to_owned(), &["line 3: `clock` goes with `exec` and `command`"]),
        ("[validators.a]\ncommand = 'b'\nrate = '1/s'".to_owned(), &["line 3: `rate` goes with `url`"]),
        ("[validators.a]\nurl = 'b'\nform = 'c=d'\njson = '{}'".to_owned(), &["line 4: `json`: there is `form` too"]),
        (
            "[validators.a]\nurl = 'b'\nconnections = 1000".to_owned(),
            &["line 3: `connections`: a number from 1 to 256"],
        ),
        ("[validators.\"a.b\"]\nexec = 'b'".to_owned(), &["line 1: [validators.\"a.b\"] is no name"]),
        ("[validators.-a]\nexec = 'b'".to_owned(), &["line 1", "is no name"]),
        ("[validators.a]\nexec = 'b'\n[validators.a]\nexec = 'c'".to_owned(), &["line 3", "duplicate key"]),
        ("validators = 3".to_owned(), &["line 1", "expected a map"]),
        ("[validators]\na = 3".to_owned(), &["line 2", "invalid type"]),
    ] {
        let error = error(&text);
        assert!(error.starts_with("wrongkey.toml: "), "{error}");
        for words in says {
            assert!(error.contains(words), "{words:?} is not in {error}\n{text}");
        }
    }
}

#[test]
fn a_slip_in_a_waiver_finds_what_was_meant() {
    assert!(error("[[waivers]]\nrule = 'x'").contains("did you mean `waiver`"));
    assert!(error("[[waiver]]\nresaon = 'x'").contains("did you mean `reason`?"));
    let rule = error("[[waiver]]\nrule = 'TypeExpect'\nreason = 'x'");
    assert!(rule.contains("matches no rule") && rule.contains("did you mean `TypeExpected`?"), "{rule}");
}

#[test]
fn lines_of_an_inline_table_are_known() {
    let config = parse("# one\n\nvalidators.a = { exec = 'x' }\nvalidators.b.exec = 'y'\n", "t").unwrap();
    let lines: Vec<_> = config.validators.iter().map(|entry| (entry.name.as_str(), entry.line)).collect();
    assert_eq!(lines, [("a", 3), ("b", 4)]);
}
