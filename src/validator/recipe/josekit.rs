//! An application on the crate `josekit`: a verifier for each JWK and algorithm, chosen by `kid`, and a
//! `JwtPayloadValidator` for those whom the key is for.

use super::application::{Accepted, Craft, Judge, Realm, Terms};
use crate::jose::{Jwk, NumericDate, Token};
use crate::validator::Clock;
use josekit::jws::{
    ES256, ES256K, ES384, ES512, EdDSA, HS256, HS384, HS512, JwsVerifier, PS256, PS384, PS512, RS256, RS384, RS512,
};
use josekit::jwt::{self, JwtPayload, JwtPayloadValidator};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) static CRAFT: Craft = Craft {
    name: "josekit",
    pooled_name: "josekit-pooled",
    version: "0.10.3",
    clock: Clock::Settable,
    algorithms: &[
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
        "ES256K", "EdDSA",
    ],
    settle,
};

struct Key {
    verifier: Box<dyn JwsVerifier>,
    realm: Arc<Checks>,
    thumbprint: String,
}

/// What a `JwtPayloadValidator` is told.
struct Checks {
    issuers: Vec<String>,
    audience: Option<String>,
    subject: Option<String>,
}

fn settle(terms: &Terms) -> Result<Judge, &'static str> {
    if terms.leeway != 0 {
        return Err("no setting for a leeway");
    }
    if terms.understands_crit {
        return Err("no extension is understood");
    }
    let mut keys = Vec::new();
    for realm in &terms.realms {
        let checks = Arc::new(Checks::new(realm)?);
        for (algorithm, jwk) in CRAFT.algorithms.iter().flat_map(|name| realm.keys.iter().map(move |jwk| (name, jwk))) {
            if realm.allows(algorithm)
                && let Some(verifier) = verifier(algorithm, jwk)
            {
                keys.push(Key { verifier, realm: Arc::clone(&checks), thumbprint: jwk.material.thumbprint() });
            }
        }
    }
    Ok(Box::new(move |token, now| judge(&keys, token, now)))
}

/// The crate's verifier for that algorithm. `None` where the key is not for it.
fn verifier(algorithm: &str, jwk: &Jwk) -> Option<Box<dyn JwsVerifier>> {
    let jwk = josekit::jwk::Jwk::from_bytes(serde_json::to_vec(jwk).ok()?).ok()?;
    macro_rules! of {
        ($algorithm:expr) => {
            $algorithm.verifier_from_jwk(&jwk).ok().map(|verifier| Box::new(verifier) as Box<dyn JwsVerifier>)
        };
    }
    match algorithm {
        "HS256" => of!(HS256),
        "HS384" => of!(HS384),
        "HS512" => of!(HS512),
        "RS256" => of!(RS256),
        "RS384" => of!(RS384),
        "RS512" => of!(RS512),
        "PS256" => of!(PS256),
        "PS384" => of!(PS384),
        "PS512" => of!(PS512),
        "ES256" => of!(ES256),
        "ES384" => of!(ES384),
        "ES512" => of!(ES512),
        "ES256K" => of!(ES256K),
        "EdDSA" => of!(EdDSA),
        _ => None,
    }
}

fn judge(keys: &[Key], token: &Token, now: NumericDate) -> Result<Accepted, String> {
    let header = jwt::decode_header(token.as_bytes()).map_err(|error| error.to_string())?;
    let kid = header.claim("kid").and_then(josekit::Value::as_str);
    let mut refusal = "no key of that kid".to_owned();
    for key in keys.iter().filter(|key| kid.is_none() || key.verifier.key_id() == kid) {
        let decoded = jwt::decode_with_verifier(token.as_bytes(), &*key.verifier);
        match decoded.and_then(|(payload, _)| key.realm.validated(payload, now)) {
            Ok(payload) => {
                let text = |claim: Option<&str>| claim.map(str::to_owned);
                let (iss, sub) = (text(payload.issuer()), text(payload.subject()));
                let others = payload.claims_set().clone().into_iter().collect();
                return Ok(Accepted { iss, sub, others, key: Some(key.thumbprint.clone()) });
            }
            Err(error) => refusal = error.to_string(),
        }
    }
    Err(refusal)
}

impl Checks {
    fn new(realm: &Realm) -> Result<Self, &'static str> {
        let audience = match realm.audiences.as_deref() {
            None => None,
            Some([one]) => Some(one.clone()),
            Some(_) => return Err("exactly one audience"),
        };
        Ok(Checks { issuers: realm.issuers.clone(), audience, subject: realm.subject.clone() })
    }

    /// The validator takes one issuer, so of several it is told the one that the verified payload names.
    fn validated(&self, payload: JwtPayload, now: NumericDate) -> Result<JwtPayload, josekit::JoseError> {
        let mut validator = JwtPayloadValidator::new();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.0).unwrap_or(0));
        validator.set_base_time(time);
        validator.set_max_issued_time(time);
        let named = self.issuers.iter().find(|name| payload.issuer() == Some(name.as_str()));
        // Where it names none of them, any will do: the validator refuses.
        if let Some(issuer) = named.or(self.issuers.first()) {
            validator.set_issuer(issuer);
        }
        if let Some(audience) = &self.audience {
            validator.set_audience(audience);
        }
        if let Some(subject) = &self.subject {
            validator.set_subject(subject);
        }
        validator.validate(&payload)?;
        Ok(payload)
    }
}
