//! An application on the crate `jsonwebtoken`: key by `kid` out of a set, and a `Validation` that says the rest.

use super::application::{Accepted, Claims, Craft, Judge, Realm, Terms, Trust, with_members};
use crate::jose::{Jwk, Token};
use crate::validator::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};
use serde_json::Value;
use std::collections::HashSet;
use std::str::FromStr as _;

/// The crate reads the system's clock; the time it is given is not used.
pub(super) static CRAFT: Craft = Craft {
    name: "jsonwebtoken",
    pooled_name: "jsonwebtoken-pooled",
    version: "11.1.0",
    clock: Clock::System,
    algorithms: &[
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ],
    settle,
};

/// The claims that `Validation::required_spec_claims` knows.
const SPEC_CLAIMS: [&str; 5] = ["exp", "nbf", "aud", "iss", "sub"];

struct Settings {
    trust: Trust,
    sets: Vec<Set>,
    /// Required claims that the crate has no setting for: the application's claims type demands them.
    own_claims: Vec<String>,
}

/// The keys of a realm, with the issuers that they are used for.
struct Set {
    issuers: Vec<String>,
    keys: Vec<Key>,
}

/// A key as the crate takes it, and what to tell the crate when it is used.
struct Key {
    kid: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
    thumbprint: String,
}

fn settle(terms: &Terms) -> Result<Judge, &'static str> {
    let sets = terms.realms.iter().map(|realm| Set::new(realm, terms)).collect();
    let own_claims = terms.required.iter().filter(|name| !SPEC_CLAIMS.contains(&name.as_str())).cloned().collect();
    let settings = Settings { trust: terms.trust, sets, own_claims };
    Ok(Box::new(move |token, _| {
        let set = match settings.trust {
            Trust::PerIssuer => settings.set_of_claimed_issuer(token)?,
            Trust::Pooled => settings.sets.first().ok_or("nobody is trusted")?,
        };
        settings.decode_in(set, token)
    }))
}

impl Settings {
    /// The token is read without any check first, to learn whose rules and keys to check it by.
    fn set_of_claimed_issuer(&self, token: &Token) -> Result<&Set, String> {
        let claims: Claims = dangerous::insecure_decode_claims(token.as_bytes()).map_err(|error| error.to_string())?;
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or("no iss")?;
        let set = self.sets.iter().find(|set| set.issuers.iter().any(|one| one == issuer));
        set.ok_or_else(|| "the issuer is not trusted".to_owned())
    }

    fn decode_in(&self, set: &Set, token: &Token) -> Result<Accepted, String> {
        let header = decode_header(token.as_bytes()).map_err(|error| error.to_string())?;
        // With a `kid`: the first key of that name, as `JwkSet::find` gives it. Without: one after the other.
        let keys: Vec<&Key> = match &header.kid {
            Some(kid) => set.keys.iter().find(|key| key.kid.as_ref() == Some(kid)).into_iter().collect(),
            None => set.keys.iter().collect(),
        };
        let mut refusal = "no key of that kid".to_owned();
        for key in keys {
            match decode::<Claims>(token.as_bytes(), &key.decoding, &key.validation) {
                Ok(data) => {
                    let others = with_members(data.claims, &self.own_claims)?;
                    let text = |name: &str| others.get(name).and_then(Value::as_str).map(str::to_owned);
                    let (iss, sub) = (text("iss"), text("sub"));
                    return Ok(Accepted { iss, sub, others, key: Some(key.thumbprint.clone()) });
                }
                Err(error) => refusal = error.to_string(),
            }
        }
        Err(refusal)
    }
}

impl Set {
    fn new(realm: &Realm, terms: &Terms) -> Self {
        let mut validation = Validation::default();
        validation.set_issuer(&realm.issuers);
        validation.sub.clone_from(&realm.subject);
        match &realm.audiences {
            // Nobody asks for an audience: the crate says so by this flag only.
            None => validation.validate_aud = false,
            // No name of our own: as it comes, the crate refuses a token that names any.
            Some(audiences) if audiences.is_empty() => {}
            Some(audiences) => validation.set_audience(audiences),
        }
        validation.leeway = terms.leeway;
        validation.validate_exp = true;
        validation.validate_nbf = true;
        validation.required_spec_claims = terms.required.iter().cloned().collect::<HashSet<_>>();
        let keys = realm.keys.iter().filter_map(|jwk| Key::new(jwk, realm, &validation)).collect();
        Set { issuers: realm.issuers.clone(), keys }
    }
}

impl Key {
    /// Reads a key as an application reads a published JWK Set: as JSON. A key that the crate cannot take is left out. The
    /// crate wants all permitted algorithms to be of the key's family, so each key gets those that are.
    fn new(jwk: &Jwk, realm: &Realm, validation: &Validation) -> Option<Self> {
        let read: jsonwebtoken::jwk::Jwk = serde_json::from_value(serde_json::to_value(jwk).ok()?).ok()?;
        let decoding = DecodingKey::from_jwk(&read).ok()?;
        let family = decoding.family();
        let mut validation = validation.clone();
        validation.algorithms = match &realm.algorithms {
            None => family.algorithms().to_vec(),
            Some(names) => {
                let algorithms = names.iter().filter_map(|name| Algorithm::from_str(name).ok());
                algorithms.filter(|algorithm| algorithm.family() == family).collect()
            }
        };
        Some(Key { kid: read.common.key_id, decoding, validation, thumbprint: jwk.material.thumbprint() })
    }
}
