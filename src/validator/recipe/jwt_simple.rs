//! An application on the crate `jwt-simple`: a typed key for each JWK and algorithm, chosen by `kid`, and the
//! `VerificationOptions` of those whom the key is for.

use super::application::{Accepted, Claims, Craft, Judge, Realm, Terms, with_members};
use crate::jose::{Jwk, Material, NumericDate, Token};
use crate::validator::Clock;
use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, ECDSAP256kPublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256PublicKey,
    ES256kPublicKey, ES384PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike as _, HS256Key, HS384Key, HS512Key,
    JWTClaims, MACLike as _, PS256PublicKey, PS384PublicKey, PS512PublicKey, RS256PublicKey, RS384PublicKey,
    RS512PublicKey, RSAPublicKeyLike as _, Token as Metadata, UnixTimeStamp, VerificationOptions,
};

pub(super) static CRAFT: Craft = Craft {
    name: "jwt-simple",
    pooled_name: "jwt-simple-pooled",
    version: "0.15.0",
    clock: Clock::Settable,
    algorithms: &[
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES256K",
        "EdDSA",
    ],
    settle,
};

/// The claims that `JWTClaims` has members for. Of these the options can ask for `iss`, `aud` and a `sub` of a given value.
const OWN_MEMBERS: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// `verify_token` of a key whose type says the algorithm.
type Verify = Box<dyn Fn(&str, VerificationOptions) -> Result<JWTClaims<Claims>, jwt_simple::Error> + Send>;

struct Key {
    kid: Option<String>,
    verify: Verify,
    options: VerificationOptions,
    thumbprint: String,
}

/// One call tells the crate which issuers a key is for, so no token is read before it is verified.
fn settle(terms: &Terms) -> Result<Judge, &'static str> {
    let mut keys = Vec::new();
    for realm in &terms.realms {
        let options = options(realm, terms)?;
        for (algorithm, jwk) in CRAFT.algorithms.iter().flat_map(|name| realm.keys.iter().map(move |jwk| (name, jwk))) {
            if realm.allows(algorithm)
                && let Some(verify) = verify_with(algorithm, jwk)
            {
                let thumbprint = jwk.material.thumbprint();
                keys.push(Key { kid: jwk.kid.clone(), verify, options: options.clone(), thumbprint });
            }
        }
    }
    let mut demanded = terms.required.clone();
    demanded.retain(|name| !OWN_MEMBERS.contains(&name.as_str()));
    Ok(Box::new(move |token, now| judge(&keys, &demanded, token, now)))
}

fn options(realm: &Realm, terms: &Terms) -> Result<VerificationOptions, &'static str> {
    if terms.understands_crit {
        return Err("no setting for extensions that are understood");
    }
    let required_signature_type = match terms.token_types.as_deref() {
        None | Some([]) => None,
        Some([one]) => Some(one.clone()),
        Some(_) => return Err("one token type"),
    };
    if realm.audiences.as_ref().is_some_and(Vec::is_empty) {
        return Err("no setting for a party that has no audience");
    }
    Ok(VerificationOptions {
        allowed_issuers: Some(realm.issuers.iter().cloned().collect()),
        allowed_audiences: realm.audiences.as_ref().map(|names| names.iter().cloned().collect()),
        required_subject: realm.subject.clone(),
        required_signature_type,
        time_tolerance: Some(Duration::from_secs(terms.leeway)),
        ..VerificationOptions::default()
    })
}

fn judge(keys: &[Key], demanded: &[String], token: &Token, now: NumericDate) -> Result<Accepted, String> {
    let text = token.as_str().ok_or("it is not text")?;
    let metadata = Metadata::decode_metadata(text).map_err(|error| error.to_string())?;
    let named = |key: &&Key| metadata.key_id().is_none_or(|kid| key.kid.as_deref() == Some(kid));
    let mut refusal = "no key of that kid".to_owned();
    for key in keys.iter().filter(named) {
        let artificial_time = Some(UnixTimeStamp::from_secs(u64::try_from(now.0).unwrap_or(0)));
        let options = VerificationOptions { artificial_time, ..key.options.clone() };
        match (key.verify)(text, options) {
            Ok(claims) => {
                let others = with_members(claims.custom, demanded)?;
                let key = Some(key.thumbprint.clone());
                return Ok(Accepted { iss: claims.issuer, sub: claims.subject, others, key });
            }
            Err(error) => refusal = error.to_string(),
        }
    }
    Err(refusal)
}

/// The key as the crate's type for that algorithm. `None` where it is no such key, or its JWK says that it is not for that.
fn verify_with(algorithm: &str, jwk: &Jwk) -> Option<Verify> {
    macro_rules! public {
        ($key:ty) => {{
            let key = <$key>::from_jwk(&serde_json::to_string(jwk).ok()?).ok()?;
            Some(Box::new(move |token: &str, options| key.verify_token(token, Some(options))) as Verify)
        }};
    }
    // The crate reads no JWK of a secret, only its octets.
    macro_rules! secret {
        ($key:ty) => {{
            let Material::Oct { k } = &jwk.material else { return None };
            let key = <$key>::from_bytes(k);
            Some(Box::new(move |token: &str, options| key.verify_token(token, Some(options))) as Verify)
        }};
    }
    match algorithm {
        "HS256" => secret!(HS256Key),
        "HS384" => secret!(HS384Key),
        "HS512" => secret!(HS512Key),
        "RS256" => public!(RS256PublicKey),
        "RS384" => public!(RS384PublicKey),
        "RS512" => public!(RS512PublicKey),
        "PS256" => public!(PS256PublicKey),
        "PS384" => public!(PS384PublicKey),
        "PS512" => public!(PS512PublicKey),
        "ES256" => public!(ES256PublicKey),
        "ES384" => public!(ES384PublicKey),
        "ES256K" => public!(ES256kPublicKey),
        "EdDSA" => public!(Ed25519PublicKey),
        _ => None,
    }
}
