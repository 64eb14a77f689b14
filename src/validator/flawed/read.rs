//! Reads a token: three parts, base64url, JSON. Every way to read too much is one flaw.

use super::{Flaw, Refusal};
use crate::jose::{Json, Token, encode_base64url};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// Takes unused bits and any padding; the alphabet is changed beforehand.
const LAX: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a token says, and what its signature has to cover.
pub(super) struct Jws {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// The octets that the signer signed (RFC 7515 section 5.2): as received, never put together again.
    pub(super) signing_input: Vec<u8>,
    /// Header and payload as this validator would have written them; only with [`Flaw::ReserialisedInput`].
    pub(super) respelled_input: Option<Vec<u8>>,
    pub(super) signature: Vec<u8>,
}

impl Jws {
    pub(super) fn read(token: &Token, flaw: Option<Flaw>) -> Result<Self, Refusal> {
        let text = token.as_str().ok_or("not text")?;
        let flattened = if flaw == Some(Flaw::FlattenedAccepted) { as_compact(text) } else { None };
        let text = flattened.as_deref().unwrap_or(text);

        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("not three parts");
        };
        let header_json = decode(header, flaw).ok_or("the header is not base64url")?;
        let payload_json = decode(payload, flaw).ok_or("the payload is not base64url")?;
        let respelled_input = (flaw == Some(Flaw::ReserialisedInput)).then(|| {
            let part = |json: &[u8]| respell(json).map(encode_base64url_text).unwrap_or_default();
            format!("{}.{}", part(&header_json), part(&payload_json)).into_bytes()
        });
        let signing_input = format!("{header}.{payload}").into_bytes();
        let header = members(&header_json, flaw).map_err(|_| "the header is not a JSON object")?;
        let claims = members(&payload_json, flaw).map_err(|_| "the payload is not a JSON object")?;
        // As a type does that is read with serde's `deny_unknown_fields`.
        let unknown = |name: &String| !READ.contains(&name.as_str()) && name != "iat";
        if flaw == Some(Flaw::UnknownMembersRefused) && header.keys().chain(claims.keys()).any(unknown) {
            return Err("a member that it does not know");
        }
        Ok(Jws {
            header,
            claims,
            signing_input,
            respelled_input,
            signature: decode(signature, flaw).ok_or("the signature is not base64url")?,
        })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }
}

/// The members of a JSON object: of those that stand twice the last, unless a flaw takes another for it.
fn members(json: &[u8], flaw: Option<Flaw>) -> Result<Map<String, Value>, serde_json::Error> {
    let Pairs(pairs) = serde_json::from_slice(json)?;
    let mut members = Map::new();
    for (name, value) in pairs {
        let known = READ.iter().find(|known| known.eq_ignore_ascii_case(&name));
        let name = match known.filter(|_| flaw == Some(Flaw::MemberNamesFolded)) {
            Some(known) => (*known).to_owned(),
            None => name,
        };
        if flaw != Some(Flaw::FirstMemberWins) || !members.contains_key(&name) {
            members.insert(name, value);
        }
    }
    Ok(members)
}

/// Members whose names mean something here.
const READ: [&str; 13] =
    ["alg", "kid", "typ", "crit", "b64", "signer", "iss", "sub", "aud", "exp", "nbf", "jti", "tid"];

/// The members of an object in order, all of them.
struct Pairs(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The claims of anything that has three parts, without asking for more.
pub(super) fn claims_unverified(token: &Token) -> Option<Map<String, Value>> {
    let payload = token.as_str()?.split('.').nth(1)?;
    serde_json::from_slice(&decode(payload, Some(Flaw::LaxBase64))?).ok()
}

fn decode(text: &str, flaw: Option<Flaw>) -> Option<Vec<u8>> {
    if flaw == Some(Flaw::LaxBase64) {
        return LAX.decode(text.replace('+', "-").replace('/', "_")).ok();
    }
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The flattened JSON serialization (RFC 7515 section 7.2.2) as the compact one.
fn as_compact(text: &str) -> Option<String> {
    let members: Map<String, Value> = serde_json::from_str(text).ok()?;
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    Some(format!("{}.{}.{}", member("protected")?, member("payload")?, member("signature")?))
}

/// The same JSON, members in the same order, without white space and without escapes that are not needed. Numbers keep
/// their literals. `None` where it is no JSON.
fn respell(json: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(json).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if first == '"' { string_literal(rest)? } else { &rest[..first.len_utf8()] };
        if first == '"' {
            out.push_str(&Json::String(serde_json::from_str(taken).ok()?).write());
        } else if !first.is_ascii_whitespace() {
            out.push(first);
        }
        rest = &rest[taken.len()..];
    }
    Some(out)
}

/// The string literal that the text starts with, quotes included.
fn string_literal(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find_map(|(index, character)| {
        let closes = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        closes.then_some(index)
    })?;
    Some(&text[..=end])
}

#[allow(clippy::needless_pass_by_value, reason = "it stands at the end of an Option chain")]
fn encode_base64url_text(text: String) -> String {
    encode_base64url(text.as_bytes())
}
