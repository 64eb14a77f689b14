//! How a token must be spelled, which serializations are read, and what the reference says of itself.

use super::*;

#[test]
fn parts_of_a_token_are_spelled_in_one_way() {
    let good = sign(1, HEADER, &format!(r#"{{"iss":"{A}"}}"#));
    assert!(accepts(&policy(), &good));
    let parts: Vec<&str> = good.split('.').collect();
    let payload = format!("{}.", parts[1]);
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        ".".repeat(100_000),
        parts[0].to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        format!(".{}.{}", parts[1], parts[2]),
        format!("{good}."),
        format!("{good}.{}", parts[2]),
        format!("{good}="),
        format!("{good}=="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{good}\0"),
        format!("\u{feff}{good}"),
        format!("Bearer {good}"),
        format!("\"{good}\""),
        format!("[\"{good}\"]"),
        format!("{good}~"),
        good.replacen(&payload, &format!("{}=.", parts[1]), 1),
        "A".repeat(crate::validator::reference::MAX_TOKEN + 1),
    ] {
        assert!(!accepts(&policy(), &token), "{:?}", token.get(..200));
    }
    for octets in [&b"\xff"[..], b"\xff.\xff.\xff", b"\0", b"{", b"{\"", b"  {}  "] {
        assert!(!answer(&policy(), octets).accepted(), "{octets:?}");
    }
    for (header, payload) in [
        ("[]", "{}"),
        (HEADER, "[]"),
        (HEADER, "null"),
        (HEADER, ""),
        ("", "{}"),
        (r#"{"alg":"EdDSA","alg":"EdDSA"}"#, r#"{"iss":"https://a.example"}"#),
        (HEADER, r#"{"iss":"https://a.example","iss":"https://a.example"}"#),
        (HEADER, r#"{"iss":"https://a.example"}{}"#),
        (HEADER, "\u{feff}{\"iss\":\"https://a.example\"}"),
    ] {
        assert!(!accepts(&policy(), &sign(1, header, payload)), "{header} {payload}");
    }
}

#[test]
fn flattened_tokens_need_permission_and_bring_no_header_of_their_own() {
    use Serialization::{Compact, Flattened};
    let compact = sign(1, HEADER, &format!(r#"{{"iss":"{A}"}}"#));
    let parts: Vec<&str> = compact.split('.').collect();
    let json = |more: &str| {
        format!(r#"{{"protected":"{}","payload":"{}","signature":"{}"{more}}}"#, parts[0], parts[1], parts[2])
    };
    let permitting = |permitted: &[Serialization]| with(|policy| policy.serializations = Some(permitted.to_vec()));
    let both = permitting(&[Compact, Flattened]);
    for (policy, reads_compact, reads_flattened) in [
        (policy(), true, false),
        (permitting(&[Compact]), true, false),
        (permitting(&[Flattened]), false, true),
        (both.clone(), true, true),
        (permitting(&[]), false, false),
        (permitting(&[Serialization::General, Serialization::Detached, Serialization::Nested]), false, false),
    ] {
        assert_eq!((accepts(&policy, &compact), accepts(&policy, &json(""))), (reads_compact, reads_flattened));
    }
    assert!(accepts(&both, &json(r#","more":1"#)) && accepts(&both, &format!(" \r\n{} ", json(""))));
    for more in [
        r#","header":{}"#,
        r#","header":{"kid":"k1"}"#,
        r#","header":null"#,
        r#","signatures":[]"#,
        r#","payload":"e30""#,
        r#","\u0070ayload":"e30""#,
    ] {
        assert!(!accepts(&both, &json(more)), "{more}");
    }
    for token in [
        format!(r#"{{"payload":"{}","signature":"{}"}}"#, parts[1], parts[2]),
        format!(r#"{{"protected":"{}","signature":"{}"}}"#, parts[0], parts[2]),
        format!(r#"{{"protected":"{}","payload":"{}"}}"#, parts[0], parts[1]),
        format!(r#"{{"protected":"{}","payload":1,"signature":"{}"}}"#, parts[0], parts[2]),
        format!(
            r#"{{"payload":"{}","signatures":[{{"protected":"{}","signature":"{}"}}]}}"#,
            parts[1], parts[0], parts[2]
        ),
        format!("{}{}", json(""), json("")),
        format!("[{}]", json("")),
        format!("\u{c}{}", json("")),
    ] {
        assert!(!accepts(&both, &token), "{token}");
    }
}

#[test]
fn it_says_what_it_is() {
    let description = crate::validator::reference::maker()().describe();
    assert_eq!((description.name.as_str(), description.algorithms.len()), ("reference", 14));
    assert!(
        description.live_update
            && description.issuer_templates
            && !description.key_sources.contains(&KeySource::Fetched)
    );
}
