//! The crate `jsonwebtoken`, as its documentation teaches: `decode` with a `DecodingKey` that is looked up by `kid`, and a
//! `Validation` that says everything else. `dangerous::insecure_decode_claims` shows the issuer, to choose the keys.

mod protocol;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header, jwk::Jwk};
use protocol::{Claims, Door, Library, Realm, Refusal, Terms};
use serde::Deserialize as _;
use serde_json::Value;
use std::str::FromStr as _;

const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// A key, and all that must hold of what it signs.
struct Key {
    kid: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

fn open(terms: &Terms, realm: &Realm) -> Door {
    let mut validation = Validation::default();
    validation.leeway = terms.leeway;
    validation.validate_nbf = true;
    validation.set_issuer(&realm.issuers);
    validation.set_required_spec_claims(&terms.required);
    match &realm.audiences {
        None => validation.validate_aud = false,
        Some(audiences) if audiences.is_empty() => {}
        Some(audiences) => validation.set_audience(audiences),
    }
    let keys: Vec<Key> = realm.keys.iter().filter_map(|jwk| usable(jwk, realm, &validation)).collect();
    Box::new(move |token| {
        let header = decode_header(token).map_err(said)?;
        let mut refusal = Refusal::from("no key of that kid");
        for key in keys.iter().filter(|key| header.kid.is_none() || key.kid == header.kid) {
            match decode::<Claims>(token, &key.decoding, &key.validation) {
                Ok(verified) => return Ok((verified.header.typ, verified.claims)),
                Err(error) => refusal = said(error),
            }
        }
        Err(refusal)
    })
}

/// A key that the crate cannot take is left out.
fn usable(jwk: &Value, realm: &Realm, validation: &Validation) -> Option<Key> {
    let jwk = Jwk::deserialize(jwk).ok()?;
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let mut validation = validation.clone();
    let allowed = realm.algorithms.iter().filter_map(|name| Algorithm::from_str(name).ok());
    validation.algorithms = allowed.filter(|algorithm| algorithm.family() == decoding.family()).collect();
    Some(Key { kid: jwk.common.key_id, decoding, validation })
}

fn said(error: jsonwebtoken::errors::Error) -> Refusal {
    error.to_string()
}

/// Read without any check, to learn by whose keys and rules it is to be checked.
fn issuer(token: &str) -> Result<Option<Value>, Refusal> {
    Ok(dangerous::insecure_decode_claims::<Claims>(token).map_err(said)?.remove("iss"))
}

fn main() -> std::io::Result<()> {
    Library { name: "jsonwebtoken-crate", version: "11.1.0", algorithms: &ALGORITHMS, issuer, open }.serve()
}
