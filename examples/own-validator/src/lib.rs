//! The code that a service ships: who may knock, and who is there.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use std::collections::HashMap;

/// What the service is configured with.
#[derive(Default)]
pub struct Config {
    /// Our own names, one of which every token must be for.
    pub audiences: Vec<String>,
    /// The `typ` that tokens must have, where it matters.
    pub token_type: Option<String>,
    /// Claims that must be there beside `iss`, `sub` and `aud`: `exp`, `nbf`.
    pub required: Vec<String>,
    /// Clock skew to allow, in seconds.
    pub leeway: u64,
    /// Whom we trust, by the value of `iss`.
    pub issuers: HashMap<String, Issuer>,
}

/// An issuer that we trust.
pub struct Issuer {
    /// Its keys.
    pub keys: JwkSet,
    /// The algorithms that it signs with.
    pub algorithms: Vec<Algorithm>,
}

/// Who is there.
#[derive(Debug, Deserialize)]
pub struct User {
    /// Whose account it is.
    pub iss: String,
    /// The account.
    pub sub: String,
}

/// Lets users in.
#[derive(Default)]
pub struct Gate {
    config: Config,
}

impl Gate {
    /// A gate with this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Gate { config }
    }

    /// The user that the token is for.
    ///
    /// # Errors
    /// Says why the token is no good.
    pub fn authenticate(&self, token: &str) -> Result<User, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        if header.crit.is_some() {
            return Err("no extension is understood".to_owned());
        }
        if self.config.token_type.as_ref().is_some_and(|wanted| !is_type(header.typ.as_deref(), wanted)) {
            return Err("a token of another type".to_owned());
        }
        // Unverified: it only chooses the keys to verify with, and the issuer that the verified token must have.
        let claimed: TokenData<User> = dangerous::insecure_decode(token).map_err(|error| error.to_string())?;
        let issuer = self.config.issuers.get(&claimed.claims.iss).ok_or("an issuer that we do not trust")?;
        if !issuer.algorithms.contains(&header.alg) {
            return Err("an algorithm that this issuer does not use".to_owned());
        }
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&claimed.claims.iss]);
        validation.set_audience(&self.config.audiences);
        // What is compared must be there.
        let ours = ["iss", "sub", "aud"].map(str::to_owned);
        validation.set_required_spec_claims(&[&ours[..], &self.config.required].concat());
        validation.validate_nbf = true;
        validation.leeway = self.config.leeway;
        let mut refusal = "no such key".to_owned();
        for key in self.keys_for(issuer).filter(|key| fits(key, header.alg, header.kid.as_deref())) {
            let verified = DecodingKey::from_jwk(key).and_then(|key| decode::<User>(token, &key, &validation));
            match verified {
                Ok(token) if token.claims.sub.is_empty() => return Err("nobody".to_owned()),
                Ok(token) => return Ok(token.claims),
                Err(error) => refusal = error.to_string(),
            }
        }
        Err(refusal)
    }

    #[cfg(not(feature = "wrong-key"))]
    fn keys_for<'k>(&'k self, issuer: &'k Issuer) -> impl Iterator<Item = &'k Jwk> {
        issuer.keys.keys.iter()
    }

    #[cfg(feature = "wrong-key")]
    fn keys_for<'k>(&'k self, _: &'k Issuer) -> impl Iterator<Item = &'k Jwk> {
        self.config.issuers.values().flat_map(|issuer| &issuer.keys.keys)
    }
}

/// RFC 7515 section 4.1.9: case does not matter, nor whether `application/` stands before it.
fn is_type(typ: Option<&str>, wanted: &str) -> bool {
    let plain = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
    };
    typ.is_some_and(|typ| plain(typ) == plain(wanted))
}

/// Whether the JWK is one to verify such a signature with.
fn fits(key: &Jwk, algorithm: Algorithm, kid: Option<&str>) -> bool {
    let common = &key.common;
    kid.is_none_or(|kid| common.key_id.as_deref() == Some(kid))
        && common.key_algorithm.is_none_or(|own| Algorithm::try_from(own).is_ok_and(|own| own == algorithm))
        && common.public_key_use.as_ref().is_none_or(|own| *own == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|own| own.contains(&KeyOperations::Verify))
        && is_long_enough(key, algorithm)
        && is_of_its_curve(key, algorithm)
}

/// RFC 7518 section 3.2: a secret is as long as the hash.
fn is_long_enough(key: &Jwk, algorithm: Algorithm) -> bool {
    let octets = match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    };
    match &key.algorithm {
        AlgorithmParameters::OctetKey(secret) => secret.value.len() * 3 / 4 >= octets,
        _ => true,
    }
}

/// RFC 7518 section 3.4: each ECDSA algorithm has its curve.
fn is_of_its_curve(key: &Jwk, algorithm: Algorithm) -> bool {
    match &key.algorithm {
        AlgorithmParameters::EllipticCurve(point) => match algorithm {
            Algorithm::ES256 => point.curve == EllipticCurve::P256,
            Algorithm::ES384 => point.curve == EllipticCurve::P384,
            _ => false,
        },
        _ => true,
    }
}
