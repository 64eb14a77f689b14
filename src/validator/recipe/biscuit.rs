//! An application on the crate `biscuit`: `decode_with_jwks` with the algorithm that is expected, then `validate` with
//! options that say the rest.

use super::application::{Accepted, Claims, Craft, Judge, Realm, Terms, with_members};
use crate::jose::{Jwk, NumericDate, Token};
use crate::validator::Clock;
use biscuit::jwa::SignatureAlgorithm;
use biscuit::jwk::{AlgorithmParameters, JWK, JWKSet};
use biscuit::{ClaimPresenceOptions, Empty, JWT, Presence, TemporalOptions, Timestamp, Validation, ValidationOptions};

/// The crate has no EdDSA, and no ES512 to verify with.
pub(super) static CRAFT: Craft = Craft {
    name: "biscuit",
    pooled_name: "biscuit-pooled",
    version: "0.8.0",
    clock: Clock::Settable,
    algorithms: &["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"],
    settle,
};

/// The claims that `RegisteredClaims` has members for; `ClaimPresenceOptions` asks for these.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

struct Settings {
    sets: Vec<Set>,
    presence: ClaimPresenceOptions,
    leeway: u32,
    /// Required claims that the crate has no setting for: the application's claims type demands them.
    own_claims: Vec<String>,
}

/// The keys of a realm and whose they are.
struct Set {
    issuers: Vec<String>,
    /// For each algorithm that is expected the keys that it can be used with: the crate takes one of it with a whole set.
    jwks: Vec<(SignatureAlgorithm, JWKSet<Empty>)>,
    audience: Validation<String>,
}

fn settle(terms: &Terms) -> Result<Judge, &'static str> {
    let sets = terms.realms.iter().map(Set::new).collect::<Result<Vec<_>, _>>()?;
    let wanted = |name: &str| match terms.required.iter().any(|required| required == name) {
        true => Presence::Required,
        false => Presence::Optional,
    };
    let presence = ClaimPresenceOptions {
        issued_at: wanted("iat"),
        not_before: wanted("nbf"),
        expiry: wanted("exp"),
        issuer: wanted("iss"),
        audience: wanted("aud"),
        subject: wanted("sub"),
        id: wanted("jti"),
    };
    let leeway = u32::try_from(terms.leeway).map_err(|_| "no leeway of more than a century")?;
    let mut own_claims = terms.required.clone();
    own_claims.retain(|name| !REGISTERED.contains(&name.as_str()));
    let settings = Settings { sets, presence, leeway, own_claims };
    Ok(Box::new(move |token, now| settings.judge(token, now).map_err(|error| error.to_string())))
}

impl Set {
    fn new(realm: &Realm) -> Result<Self, &'static str> {
        if realm.subject.is_some() {
            return Err("no setting for the subject");
        }
        let audience = match realm.audiences.as_deref() {
            None => Validation::Ignored,
            Some([one]) => Validation::Validate(one.clone()),
            Some(_) => return Err("exactly one audience"),
        };
        let keys: Vec<JWK<Empty>> = realm.keys.iter().filter_map(read).collect();
        let jwks = CRAFT.algorithms.iter().filter(|name| realm.allows(name)).filter_map(|name| {
            let algorithm = serde_json::from_value((*name).into()).ok()?;
            let fitting = keys.iter().filter(|key| fits(name, key));
            Some((algorithm, JWKSet { keys: fitting.cloned().collect() }))
        });
        Ok(Set { issuers: realm.issuers.clone(), jwks: jwks.collect(), audience })
    }
}

/// Whether a key is of the type that RFC 7518 section 3.1 wants for the algorithm.
fn fits(algorithm: &str, key: &JWK<Empty>) -> bool {
    match key.algorithm {
        AlgorithmParameters::EllipticCurve(_) => algorithm.starts_with("ES"),
        AlgorithmParameters::RSA(_) => algorithm.starts_with("RS") || algorithm.starts_with("PS"),
        AlgorithmParameters::OctetKey(_) => algorithm.starts_with("HS"),
        AlgorithmParameters::OctetKeyPair(_) => false,
    }
}

/// Reads a key as an application reads a published JWK Set: as JSON. A key that the crate cannot take is left out.
fn read(jwk: &Jwk) -> Option<JWK<Empty>> {
    serde_json::from_value(serde_json::to_value(jwk).ok()?).ok()
}

impl Settings {
    fn judge(&self, token: &Token, now: NumericDate) -> Result<Accepted, Box<dyn std::error::Error>> {
        let encoded = JWT::<Claims, Empty>::new_encoded(token.as_str().ok_or("it is not text")?);
        // The token is read without any check first, to learn whose rules and keys to check it by.
        let issuer = encoded.unverified_payload()?.registered.issuer.ok_or("no iss")?;
        let set = self.sets.iter().find(|set| set.issuers.contains(&issuer)).ok_or("the issuer is not trusted")?;
        // The crate takes one algorithm that is expected; of several it is the one that the header names.
        let header = encoded.unverified_header()?.registered;
        let expected = set.jwks.iter().find(|(algorithm, _)| *algorithm == header.algorithm);
        let (algorithm, jwks) = expected.ok_or("the algorithm is not expected")?;
        let decoded = match header.key_id {
            Some(_) => encoded.decode_with_jwks(jwks, Some(*algorithm))?,
            None => encoded.decode_with_jwks_ignore_kid(jwks)?,
        };
        let epsilon = *Timestamp::from(i64::from(self.leeway)) - *Timestamp::from(0);
        let options = ValidationOptions {
            claim_presence_options: self.presence,
            temporal_options: TemporalOptions { epsilon, now: Some(Timestamp::from(now.0).into()) },
            issued_at: Validation::Ignored,
            issuer: Validation::Validate(issuer),
            audience: set.audience.clone(),
            ..ValidationOptions::default()
        };
        decoded.validate(options)?;
        let (_, claims) = decoded.unwrap_decoded();
        let others = with_members(claims.private, &self.own_claims)?;
        Ok(Accepted { iss: claims.registered.issuer, sub: claims.registered.subject, others, key: None })
    }
}
