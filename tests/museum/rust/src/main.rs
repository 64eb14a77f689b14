//! An application on jsonwebtoken that looks its keys up by `kid`, as the crate's documentation teaches it for a JWK Set: a
//! `Validation` for each key, with the issuer, the audiences, the claims that must be there, and `validate_nbf`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::str::FromStr as _;

const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

fn main() {
    let mut service = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(request) = serde_json::from_str::<Value>(&line) else {
            eprintln!("cannot read {line:?}");
            continue;
        };
        let answer = if request.get("hello").is_some() {
            json!({ "hello": { "protocol": 1, "name": "jsonwebtoken-by-kid", "version": std::env::args().nth(1),
                "clock": "system", "key_sources": ["per-issuer"], "features": ["live-update", "identity"],
                "algorithms": ALGORITHMS } })
        } else if let Some(configure) = request.get("configure") {
            let settled = Service::new(&configure["policy"]);
            let answer = match &settled {
                Ok(_) => json!({ "id": configure["id"], "ok": true }),
                Err(why) => json!({ "id": configure["id"], "skip": why }),
            };
            service = settled.ok();
            answer
        } else if let (Some(validate), Some(service)) = (request.get("validate"), &service) {
            let id = &validate["id"];
            let token = match (&validate["token"], &validate["token_b64"]) {
                (Value::String(text), _) => text.clone().into_bytes(),
                (_, text) => STANDARD.decode(text.as_str().unwrap_or_default()).unwrap_or_default(),
            };
            match service.identify(&token) {
                Ok(claims) => json!({ "id": id, "accept": { "iss": claims["iss"], "sub": claims["sub"] } }),
                Err(why) => json!({ "id": id, "reject": why }),
            }
        } else {
            eprintln!("cannot answer {line:?}");
            continue;
        };
        if writeln!(std::io::stdout(), "{answer}").is_err() {
            return;
        }
    }
}

/// The application under one policy: what stands under each `kid`.
struct Service {
    keys: BTreeMap<String, (DecodingKey, Validation)>,
    subjects: BTreeMap<String, Vec<String>>,
    types: Vec<String>,
}

impl Service {
    fn new(policy: &Value) -> Result<Self, String> {
        let beyond = ["crit_understood", "enforce_key_lifetime", "cloud_instance"];
        if beyond.iter().any(|name| ![Value::Null, json!([]), json!(false)].contains(&policy[name])) {
            return Err("no setting for one of its members".to_owned());
        }
        if policy["key_source"] != "per-issuer" || policy["replay"] == "refuse" {
            return Err("a key set for each issuer and no replay store".to_owned());
        }
        if ![Value::Null, json!(["compact"])].contains(&policy["serializations"]) {
            return Err("only the compact serialization".to_owned());
        }
        let mut service = Service {
            keys: BTreeMap::new(),
            subjects: BTreeMap::new(),
            types: texts(&policy["token_types"]).unwrap_or_default(),
        };
        for issuer in policy["issuers"].as_array().into_iter().flatten() {
            let name = issuer["issuer"].as_str().unwrap_or_default();
            if name.contains("{tenantid}") || issuer.get("signer").is_some() {
                return Err("no issuer templates and no setting for the header member signer".to_owned());
            }
            if let Some(subjects) = texts(&issuer["subjects"]) {
                service.subjects.insert(name.to_owned(), subjects);
            }
            let keys = ["jwks", "secrets"].iter().filter_map(|part| issuer[part]["keys"].as_array());
            for jwk in keys.flatten() {
                service.add(jwk, issuer, policy);
            }
        }
        Ok(service)
    }

    /// A key that the crate cannot take is left out.
    fn add(&mut self, jwk: &Value, issuer: &Value, policy: &Value) {
        let Ok(read) = serde_json::from_value::<Jwk>(jwk.clone()) else { return };
        let (Some(kid), Ok(key)) = (read.common.key_id.clone(), DecodingKey::from_jwk(&read)) else { return };
        let own = read.common.key_algorithm.map(|name: KeyAlgorithm| name.to_string());
        let names = narrowed(texts(&policy["algorithms"]), texts(&issuer["algorithms"]));
        let names = names.unwrap_or_else(|| ALGORITHMS.map(str::to_owned).to_vec());
        // The crate wants all of a key's algorithms to be of the key's family.
        let of_its_kind = |name: &&String| match jwk["kty"].as_str() {
            Some("oct") => name.starts_with("HS"),
            Some("RSA") => name.starts_with("RS") || name.starts_with("PS"),
            Some("EC") => name.starts_with("ES"),
            _ => *name == "EdDSA",
        };
        let names = names.iter().filter(of_its_kind).filter(|name| own.as_ref().is_none_or(|own| own == *name));
        let algorithms: Vec<Algorithm> = names.filter_map(|name| Algorithm::from_str(name).ok()).collect();
        let Some(first) = algorithms.first() else { return };
        let mut validation = Validation::new(*first);
        validation.algorithms = algorithms;
        validation.set_issuer(&[issuer["issuer"].as_str().unwrap_or_default()]);
        match narrowed(texts(&policy["audiences"]), texts(&issuer["audiences"])) {
            None => validation.validate_aud = false,
            // As it comes, the crate refuses a token that names any.
            Some(audiences) if audiences.is_empty() => {}
            Some(audiences) => validation.set_audience(&audiences),
        }
        validation.set_required_spec_claims(&texts(&policy["required_claims"]).unwrap_or_default());
        validation.leeway = policy["leeway"].as_u64().unwrap_or(0);
        validation.validate_nbf = true;
        self.keys.entry(kid).or_insert((key, validation));
    }

    /// The claims of a token that is let in.
    fn identify(&self, token: &[u8]) -> Result<Value, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        let found = header.kid.as_ref().and_then(|kid| self.keys.get(kid));
        let (key, validation) = found.ok_or("no key of that kid")?;
        let claims = decode::<Value>(token, key, validation).map_err(|error| error.to_string())?.claims;
        let typ = header.typ.map(|typ| typ.to_lowercase()).unwrap_or_default();
        let is = |one: &String| typ.trim_start_matches("application/") == one.to_lowercase();
        if !self.types.is_empty() && !self.types.iter().any(is) {
            return Err("another typ".to_owned());
        }
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        if self.subjects.get(&text("iss")).is_some_and(|subjects| !subjects.contains(&text("sub"))) {
            return Err("another subject".to_owned());
        }
        Ok(claims)
    }
}

/// A list of texts; `None` where nothing is said.
fn texts(list: &Value) -> Option<Vec<String>> {
    let texts = list.as_array()?.iter();
    Some(texts.filter_map(|one| one.as_str().map(str::to_owned)).collect())
}

fn narrowed(everyone: Option<Vec<String>>, own: Option<Vec<String>>) -> Option<Vec<String>> {
    match (everyone, own) {
        (Some(everyone), Some(own)) => Some(own.into_iter().filter(|name| everyone.contains(name)).collect()),
        (everyone, own) => own.or(everyone),
    }
}
