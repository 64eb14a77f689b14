//! The crate `jsonwebtoken` as an adapter: `cargo run --release`, or with `--pooled` all keys in one set for a list of issuers.
//!
//! Keys are read when a policy comes, and looked up by `kid` among those of the issuer that the token names. The token is read
//! by the crate alone.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header, jwk};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::str::FromStr;

type Claims = Map<String, Value>;

const ALGORITHMS: [&str; 12] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];
/// The claims that `Validation::required_spec_claims` knows.
const SPEC_CLAIMS: [&str; 5] = ["exp", "nbf", "aud", "iss", "sub"];
/// What an application cannot tell the crate, and would have to write itself.
const NO_SETTING: [&str; 4] = ["cloud_instance", "enforce_key_lifetime", "decryption_keys", "resolver"];

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Hello {},
    Configure { id: u64, policy: Map<String, Value> },
    Validate { id: u64, token: Option<String> },
}

fn main() -> std::io::Result<()> {
    let pooled = std::env::args().any(|argument| argument == "--pooled");
    let mut input = BufReader::with_capacity(1 << 18, std::io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut trust = Trust::default();
    let mut line = Vec::new();
    loop {
        // What was answered is sent before there is nothing left to do.
        if input.buffer().is_empty() {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(Request::Hello {}) => hello(pooled),
            Ok(Request::Configure { id, policy }) => match Trust::new(&policy, pooled) {
                Ok(told) => {
                    trust = told;
                    json!({ "id": id, "ok": true })
                }
                Err(reason) => json!({ "id": id, "skip": reason }),
            },
            Ok(Request::Validate { id, token }) => {
                // Text that is not UTF-8 is no token to a crate that takes `&str`.
                match token.ok_or(Refusal::from("not UTF-8")).and_then(|token| trust.judge(&token)) {
                    Ok(claims) => {
                        json!({ "id": id, "accept": { "iss": claims.get("iss"), "sub": claims.get("sub") } })
                    }
                    Err(Refusal::NotJudged(reason)) => json!({ "id": id, "skip": reason }),
                    Err(Refusal::Rejected(reason)) => json!({ "id": id, "reject": reason }),
                }
            }
            Err(error) => {
                eprintln!("not understood: {error}");
                continue;
            }
        };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
    }
}

fn hello(pooled: bool) -> Value {
    let name = if pooled { "jsonwebtoken-adapter-pooled" } else { "jsonwebtoken-adapter" };
    json!({ "hello": { "protocol": 1, "name": name, "version": "11.1.0", "clock": "system",
        "key_sources": ["per-issuer"], "features": ["live-update", "identity"], "algorithms": ALGORITHMS } })
}

/// Why nobody is let in.
enum Refusal {
    Rejected(String),
    /// The crate lacks an algorithm that the claimed issuer may use.
    NotJudged(String),
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Refusal::Rejected(reason.to_owned())
    }
}

impl From<jsonwebtoken::errors::Error> for Refusal {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Refusal::Rejected(error.to_string())
    }
}

/// Whom an application trusts: sets of keys, each with the issuers that it is used for.
#[derive(Default)]
struct Trust {
    sets: Vec<Set>,
    by_issuer: HashMap<String, usize>,
    pooled: bool,
    token_types: Option<Vec<String>>,
    own_claims: Vec<String>,
}

struct Set {
    keys: Vec<Key>,
    /// Algorithms that are allowed there and that the crate does not have.
    lacking: Vec<String>,
}

/// A key as the crate takes it, and what to tell the crate when it is used.
struct Key {
    kid: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

impl Trust {
    fn new(policy: &Map<String, Value>, pooled: bool) -> Result<Self, String> {
        let asked = |name: &&&str| policy.get(**name).is_some_and(|value| *value != json!(false));
        if let Some(name) = NO_SETTING.iter().find(asked) {
            return Err(format!("the crate has no setting for {name}"));
        }
        if policy.get("replay") == Some(&json!("refuse")) {
            return Err("the crate remembers no tokens".to_owned());
        }
        if texts(policy.get("serializations")).is_some_and(|list| list != ["compact"]) {
            return Err("the crate reads compact tokens only".to_owned());
        }
        let issuers: Vec<&Map<String, Value>> =
            policy["issuers"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        for issuer in &issuers {
            if let Some(name) = ["tenants", "tenant_claim", "signer"].iter().find(|name| issuer.contains_key(**name)) {
                return Err(format!("the crate has no setting for {name}"));
            }
            if texts(issuer.get("subjects")).is_some_and(|subjects| subjects.len() != 1) {
                return Err("the crate takes one subject".to_owned());
            }
        }
        let required = texts(policy.get("required_claims")).unwrap_or_default();
        let groups: Vec<Vec<&Map<String, Value>>> =
            if pooled { vec![issuers.clone()] } else { issuers.iter().map(|issuer| vec![*issuer]).collect() };
        let mut trust = Trust { pooled, token_types: texts(policy.get("token_types")), ..Trust::default() };
        trust.own_claims = required.iter().filter(|name| !SPEC_CLAIMS.contains(&name.as_str())).cloned().collect();
        for (number, group) in groups.iter().enumerate() {
            let names: Vec<&str> = group.iter().filter_map(|issuer| issuer["issuer"].as_str()).collect();
            trust.by_issuer.extend(names.iter().map(|name| ((*name).to_owned(), number)));
            trust.sets.push(Set::new(policy, group, &names, &required));
        }
        Ok(trust)
    }

    fn judge(&self, token: &str) -> Result<Claims, Refusal> {
        let number = if self.pooled {
            0
        } else {
            // Read without any check, to learn by whose keys and rules it is to be checked.
            let claims: Claims = dangerous::insecure_decode_claims(token)?;
            let issuer = claims.get("iss").and_then(Value::as_str).ok_or("no iss")?;
            *self.by_issuer.get(issuer).ok_or("the issuer is not trusted")?
        };
        let set = self.sets.get(number).ok_or("nobody is trusted")?;
        let header = decode_header(token).map_err(|error| {
            let words = error.to_string();
            // The crate says which name of an algorithm it does not know.
            match set.lacking.iter().find(|name| words.contains(&format!("`{name}`,"))) {
                Some(name) => Refusal::NotJudged(format!("the crate has no {name}")),
                None => Refusal::Rejected(words),
            }
        })?;
        if let Some(types) = self.token_types.as_ref().filter(|types| !types.is_empty())
            && !header.typ.as_ref().is_some_and(|typ| types.contains(typ))
        {
            return Err("another type".into());
        }
        let mut refusal = Refusal::from("no key of that kid");
        for key in set.keys.iter().filter(|key| header.kid.is_none() || key.kid == header.kid) {
            match decode::<Claims>(token, &key.decoding, &key.validation) {
                Ok(data) => {
                    let missing = self.own_claims.iter().find(|name| !data.claims.contains_key(name.as_str()));
                    return missing.map_or(Ok(data.claims), |name| Err(Refusal::Rejected(format!("no {name}"))));
                }
                Err(error) => refusal = error.into(),
            }
        }
        Err(refusal)
    }
}

impl Set {
    fn new(policy: &Map<String, Value>, group: &[&Map<String, Value>], names: &[&str], required: &[String]) -> Self {
        let mut validation = Validation::default();
        validation.set_issuer(names);
        validation.leeway = policy.get("leeway").and_then(Value::as_u64).unwrap_or(0);
        validation.validate_nbf = true;
        validation.required_spec_claims = required.iter().cloned().collect::<HashSet<_>>();
        if let [issuer] = group {
            validation.sub = texts(issuer.get("subjects")).and_then(|subjects| subjects.first().cloned());
        }
        let of_issuer = |name: &str| match group {
            [issuer] => texts(issuer.get(name)),
            _ => None,
        };
        match of_issuer("audiences").or_else(|| texts(policy.get("audiences"))) {
            None => validation.validate_aud = false,
            Some(audiences) if audiences.is_empty() => {}
            Some(audiences) => validation.set_audience(&audiences),
        }
        let (mut keys, mut lacking) = (Vec::new(), Vec::new());
        for issuer in group {
            let allowed = texts(issuer.get("algorithms")).or_else(|| texts(policy.get("algorithms")));
            lacking.extend(allowed.iter().flatten().filter(|name| !ALGORITHMS.contains(&name.as_str())).cloned());
            for data in ["jwks", "secrets"].iter().filter_map(|name| issuer.get(*name)?["keys"].as_array()).flatten() {
                keys.extend(Key::new(data, allowed.as_deref(), &validation));
            }
        }
        Set { keys, lacking }
    }
}

impl Key {
    /// A key that the crate cannot take is left out.
    fn new(data: &Value, allowed: Option<&[String]>, validation: &Validation) -> Option<Self> {
        let read: jwk::Jwk = serde_json::from_value(data.clone()).ok()?;
        let decoding = DecodingKey::from_jwk(&read).ok()?;
        let family = decoding.family();
        let mut validation = validation.clone();
        validation.algorithms = match allowed {
            None => family.algorithms().to_vec(),
            Some(names) => {
                let algorithms = names.iter().filter_map(|name| Algorithm::from_str(name).ok());
                algorithms.filter(|algorithm| algorithm.family() == family).collect()
            }
        };
        Some(Key { kid: read.common.key_id, decoding, validation })
    }
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    Some(value?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
