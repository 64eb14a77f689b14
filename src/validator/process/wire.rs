//! The lines of protocol version 1: what is written, and what is made of what is read.

use crate::jose::{NumericDate, Token, encode_base64};
use crate::policy::{KeySource, TrustPolicy};
use crate::validator::{Clock, Configured, Description, Identity, Verdict};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::io::{self, Write};

/// The version of the protocol.
pub(super) const PROTOCOL: u64 = 1;

/// Lines beyond this many octets go only to an adapter with the feature `large`, and none is read that is longer.
pub(super) const MAX_LINE: usize = 1 << 20;

/// Longest reason that is kept, in characters.
const MAX_REASON: usize = 1_024;
/// Longest member of an identity that is kept as it is. No token that is shown names anybody so long.
const MAX_MEMBER: usize = 1 << 16;

/// Compact JSON in which every character beyond ASCII is escaped.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|character: char| !character.is_ascii()) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut units = [0; 2];
            let character = rest[at..].chars().next().unwrap_or_default();
            for unit in character.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Puts a value behind what is there.
fn push(line: &mut Vec<u8>, value: &impl Serialize) {
    // Only maps with non-text keys or failing writers make serde_json fail: there are none here.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(line, Ascii));
}

/// The first line.
pub(super) fn hello() -> Vec<u8> {
    format!("{{\"hello\":{{\"protocol\":{PROTOCOL},\"harness\":\"wrongkey {}\"}}}}\n", env!("CARGO_PKG_VERSION")).into()
}

/// A policy as it is sent.
pub(super) fn policy(policy: &TrustPolicy) -> Vec<u8> {
    let mut text = Vec::new();
    push(&mut text, policy);
    text
}

/// A line that hands over a policy.
pub(super) fn configure(id: u64, fresh: bool, policy: &[u8]) -> Vec<u8> {
    let mut line = format!("{{\"configure\":{{\"id\":{id},\"fresh\":{fresh},\"policy\":").into_bytes();
    line.extend_from_slice(policy);
    line.extend_from_slice(b"}}\n");
    line
}

/// A line that asks for a verdict, put behind those that are there.
pub(super) fn validate(lines: &mut Vec<u8>, id: u64, token: &Token, now: NumericDate) {
    let _ = write!(lines, "{{\"validate\":{{\"id\":{id},");
    match token.as_str() {
        Some(text) => {
            lines.extend_from_slice(b"\"token\":");
            push(lines, &text);
        }
        None => {
            lines.extend_from_slice(b"\"token_b64\":");
            push(lines, &encode_base64(token.as_bytes()));
        }
    }
    let _ = write!(lines, ",\"now\":{now}}}}}");
    lines.push(b'\n');
}

/// What an adapter says of itself.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) description: Description,
    /// Whether it takes lines beyond [`MAX_LINE`].
    pub(super) large: bool,
    /// Whether it says whose identity it accepts.
    pub(super) identity: bool,
}

/// Reads the first line of an adapter.
///
/// # Errors
/// Where it is none, in words that follow the program's name.
pub(super) fn read_hello(line: &[u8], window: usize) -> Result<Hello, String> {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(200)]).trim_end().to_owned();
    let value: Value = serde_json::from_slice(line).map_err(|_| {
        format!("printed {:?} where its hello should be: nothing but the protocol belongs on standard output", shown())
    })?;
    let Some(hello) = value.get("hello") else {
        return Err(format!("answered the hello with {:?}: wanted is a line with the member `hello`", shown()));
    };
    let wrong =
        |member: &str, wanted: &str| format!("says hello with a `{member}` that is not {wanted}: {:?}", shown());
    match hello.get("protocol").and_then(Value::as_u64) {
        Some(PROTOCOL) => {}
        Some(other) => return Err(format!("speaks protocol version {other}: this wrongkey speaks {PROTOCOL}")),
        None => return Err(wrong("protocol", "a number")),
    }
    let text = |member: &str| match hello.get(member) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(wrong(member, "a text")),
    };
    let list = |member: &str| match hello.get(member) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Some(_) => Err(wrong(member, "a list of texts")),
    };
    let clock = match hello.get("clock").and_then(Value::as_str) {
        Some("settable") => Clock::Settable,
        Some("system") => Clock::System,
        _ => return Err(wrong("clock", "`settable` or `system`")),
    };
    let mut description = Description::new(text("name")?, text("version")?, clock);
    let features: Vec<String> = list("features")?;
    let has = |name: &str| features.iter().any(|feature| feature == name);
    description.live_update = has("live-update");
    description.fetches_jwks = has("fetches-jwks");
    description.issuer_templates = has("issuer-templates");
    let sources = [KeySource::PerIssuer, KeySource::Converged, KeySource::Fetched];
    let named = list("key_sources")?;
    description.key_sources =
        sources.into_iter().filter(|source| named.iter().any(|name| name == source.name())).collect();
    if description.key_sources.is_empty() {
        return Err(wrong("key_sources", "a list with `per-issuer`, `converged` or `fetched` in it"));
    }
    description.algorithms = list("algorithms")?.into_iter().collect();
    description.at_once = window;
    description.keeps_time = true;
    Ok(Hello { description, large: has("large"), identity: has("identity") })
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) says: Says,
    /// The texts that it says it holds as keys under the policy that it was handed.
    pub(super) key_texts: Vec<String>,
}

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(super) enum Says {
    Configured(Configured),
    /// The policy is in error, for this reason.
    NotConfigured(String),
    Verdict(Verdict),
    /// It has an id and says nothing that the protocol knows.
    Nonsense,
}

/// Members that belong to the protocol. Any other is passed over.
#[derive(Deserialize)]
struct Wire {
    id: Option<u64>,
    #[serde(default, deserialize_with = "there")]
    ok: Option<Value>,
    #[serde(default, deserialize_with = "there")]
    skip: Option<Value>,
    #[serde(default, deserialize_with = "there")]
    error: Option<Value>,
    #[serde(default, deserialize_with = "there")]
    accept: Option<Value>,
    #[serde(default, deserialize_with = "there")]
    reject: Option<Value>,
    key_texts: Option<Value>,
}

/// `null` is something, and not the same as nothing.
fn there<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Reads a line; `None` where it is no answer at all.
pub(super) fn read_answer(line: &[u8], to_configure: bool) -> Option<Answer> {
    let wire: Wire = serde_json::from_slice(line).ok()?;
    let id = wire.id?;
    let text = |value: Value| value.as_str().map(|text| beginning(text, MAX_REASON));
    let mut key_texts = Vec::new();
    let says = if to_configure {
        let texts = wire.key_texts.map(serde_json::from_value).transpose();
        key_texts = texts.as_ref().ok().cloned().flatten().unwrap_or_default();
        match (wire.ok.filter(|_| texts.is_ok()), wire.skip, wire.error) {
            (Some(Value::Bool(true)), None, None) => Some(Says::Configured(Configured::Ready)),
            (None, Some(reason), None) => text(reason).map(|reason| Says::Configured(Configured::Skip(reason))),
            (None, None, Some(why)) => text(why).map(Says::NotConfigured),
            _ => None,
        }
    } else {
        match (wire.accept, wire.reject, wire.skip) {
            (Some(accept), None, None) => accepted(&accept).map(Says::Verdict),
            (None, Some(reason), None) => text(reason).map(|reason| Says::Verdict(Verdict::Reject(reason))),
            (None, None, Some(reason)) => text(reason).map(|reason| Says::Verdict(Verdict::Skip(reason))),
            _ => None,
        }
    };
    Some(Answer { id, says: says.unwrap_or(Says::Nonsense), key_texts })
}

/// The beginning of a text: what is kept of many answers at a time must not grow with what an adapter likes to print.
fn beginning(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(['…']).collect()
}

/// The verdict in an `accept`. A member of the wrong JSON type is somebody whom no token can name.
fn accepted(accept: &Value) -> Option<Verdict> {
    if *accept == Value::Bool(true) {
        return Some(Verdict::Accept { identity: None, key: None });
    }
    let members = accept.as_object()?;
    let text = |name: &str| match members.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(beginning(text, MAX_MEMBER)),
        Some(other) => Some(format!("{} (no text)", beginning(&other.to_string(), MAX_MEMBER))),
    };
    let length = |items: &[Value]| items.iter().filter_map(Value::as_str).map(str::len).sum::<usize>() + items.len();
    let audience = match members.get("aud") {
        Some(Value::Array(items)) if items.iter().all(Value::is_string) && length(items) <= MAX_MEMBER => {
            Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => text("aud").map(|name| vec![name]),
    };
    let identity = Identity { iss: text("iss"), sub: text("sub"), tenant: text("tid"), audience };
    Some(Verdict::Accept { identity: Some(identity), key: text("key") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_ascii_on_one_line() {
        let mut lines = Vec::new();
        validate(&mut lines, 3, &Token::new("a\u{e9}\u{1f511}\n\u{2028}\"b"), NumericDate(7));
        let text = String::from_utf8(lines).unwrap();
        assert!(text.is_ascii() && text.ends_with('\n') && text.lines().count() == 1, "{text}");
        assert_eq!(text, "{\"validate\":{\"id\":3,\"token\":\"a\\u00e9\\ud83d\\udd11\\n\\u2028\\\"b\",\"now\":7}}\n");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["validate"]["token"], "a\u{e9}\u{1f511}\n\u{2028}\"b");
        let mut lines = Vec::new();
        validate(&mut lines, 4, &Token::new([0xff, 0x2e]), NumericDate(-1));
        assert_eq!(lines, b"{\"validate\":{\"id\":4,\"token_b64\":\"/y4=\",\"now\":-1}}\n");
    }

    #[test]
    fn answers_are_read_as_the_protocol_has_them() {
        let reads = |text: &str, to_configure| read_answer(text.as_bytes(), to_configure).map(|a| (a.id, a.says));
        let ready = Says::Configured(Configured::Ready);
        assert_eq!(reads(r#"{"id":1,"ok":true,"key_texts":[],"x":{}}"#, true), Some((1, ready)));
        let texts = |text: &str| read_answer(text.as_bytes(), true).map(|answer| answer.key_texts).unwrap_or_default();
        assert_eq!(texts(r#"{"id":1,"ok":true,"key_texts":["a","b\n"]}"#), ["a", "b\n"]);
        assert_eq!([r#"{"id":1,"ok":true}"#, r#"{"id":1,"ok":true,"key_texts":null}"#].map(texts), [[""; 0]; 2]);
        let skip = Says::Configured(Configured::Skip("no".to_owned()));
        assert_eq!(reads(r#"{"id":1,"skip":"no"}"#, true), Some((1, skip)));
        assert_eq!(reads(r#"{"id":1,"error":"no"}"#, true), Some((1, Says::NotConfigured("no".to_owned()))));
        for nonsense in [
            r#"{"id":1,"ok":true,"key_texts":"a"}"#,
            r#"{"id":1,"ok":true,"key_texts":[7]}"#,
            r#"{"id":1}"#,
            r#"{"id":1,"ok":false}"#,
            r#"{"id":1,"ok":true,"skip":"x"}"#,
            r#"{"id":1,"skip":1}"#,
        ] {
            assert_eq!(reads(nonsense, true), Some((1, Says::Nonsense)), "{nonsense}");
        }
        let accept = |identity| Says::Verdict(Verdict::Accept { identity, key: None });
        assert_eq!(reads(r#"{"id":2,"accept":true}"#, false), Some((2, accept(None))));
        let somebody =
            Identity { iss: Some("i".to_owned()), sub: Some("7 (no text)".to_owned()), ..Identity::default() };
        assert_eq!(
            reads(r#"{"id":2,"accept":{"iss":"i","sub":7,"tid":null}}"#, false),
            Some((2, accept(Some(somebody))))
        );
        for (aud, names) in [
            ("null", None),
            (r#""a""#, Some(&["a"][..])),
            (r#"["a","b"]"#, Some(&["a", "b"])),
            ("[]", Some(&[])),
            ("7", Some(&["7 (no text)"])),
            (r#"["a",7]"#, Some(&[r#"["a",7] (no text)"#])),
        ] {
            let audience = names.map(|names| names.iter().copied().map(str::to_owned).collect());
            let for_them = Identity { audience, ..Identity::default() };
            let line = format!(r#"{{"id":2,"accept":{{"aud":{aud}}}}}"#);
            assert_eq!(reads(&line, false), Some((2, accept(Some(for_them)))), "{aud}");
        }
        assert_eq!(reads(r#"{"id":2,"reject":""}"#, false), Some((2, Says::Verdict(Verdict::Reject(String::new())))));
        for nonsense in [
            r#"{"id":2}"#,
            r#"{"id":2,"accept":false}"#,
            r#"{"id":2,"accept":null}"#,
            r#"{"id":2,"reject":null}"#,
            r#"{"id":2,"accept":true,"reject":"x"}"#,
            r#"{"id":2,"ok":true}"#,
        ] {
            assert_eq!(reads(nonsense, false), Some((2, Says::Nonsense)), "{nonsense}");
        }
        for garbage in
            ["", "hello", "[]", "{}", r#"{"id":-1,"ok":true}"#, r#"{"id":1.5}"#, r#"{"id":"1"}"#, r#"{"id":1,"id":2}"#]
        {
            assert_eq!(reads(garbage, false), None, "{garbage}");
        }
    }

    #[test]
    fn of_what_is_endless_the_beginning_is_kept() {
        let long = "\u{1f511}".repeat(200_000);
        let size = |line: Value| match read_answer(line.to_string().as_bytes(), false).unwrap().says {
            Says::Verdict(Verdict::Reject(reason) | Verdict::Skip(reason)) => reason.len(),
            Says::Verdict(Verdict::Accept { identity: Some(who), key }) => {
                let texts = [who.iss, who.sub, who.tenant, key].into_iter().flatten().chain(who.audience.unwrap());
                texts.map(|text| text.len()).sum()
            }
            other => panic!("{other:?}"),
        };
        assert!((4_096..5_000).contains(&size(serde_json::json!({"id": 1, "reject": long}))));
        assert!((4_096..5_000).contains(&size(serde_json::json!({"id": 1, "skip": long}))));
        let members =
            serde_json::json!({"iss": long, "sub": [long], "tid": long, "key": long, "aud": vec!["a"; 70_000]});
        let kept = size(serde_json::json!({"id": 1, "accept": members}));
        assert!((MAX_MEMBER..20 * MAX_MEMBER).contains(&kept), "{kept}");
    }

    #[test]
    fn a_hello_says_what_an_adapter_can() {
        let whole = r#"{"hello":{"protocol":1,"name":"n","version":"1","clock":"system","key_sources":["per-issuer","x"],
            "features":["live-update","large","y"],"algorithms":["ES256"],"z":1}}"#;
        let hello = read_hello(whole.as_bytes(), 8).unwrap();
        assert!(hello.large && hello.description.live_update && !hello.description.issuer_templates);
        assert_eq!(hello.description.key_sources, [KeySource::PerIssuer].into());
        assert_eq!(hello.description.algorithms, ["ES256".to_owned()].into());
        assert_eq!((hello.description.clock, hello.description.at_once), (Clock::System, 8));
        for (from, to, why) in [
            ("\"protocol\":1", "\"protocol\":2", "speaks protocol version 2"),
            ("\"protocol\":1", "\"protocol\":\"1\"", "`protocol`"),
            ("\"name\":\"n\"", "\"name\":\"\"", "`name`"),
            ("\"system\"", "\"sundial\"", "`clock`"),
            ("[\"per-issuer\",\"x\"]", "[\"x\"]", "`key_sources`"),
            ("[\"ES256\"]", "[256]", "`algorithms`"),
            ("{\"hello\"", "{\"hallo\"", "member `hello`"),
            ("{\"hello\"", "Welcome!", "where its hello should be"),
        ] {
            let wrong = whole.replace(from, to);
            let error = read_hello(wrong.as_bytes(), 8).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
