//! A strict validator that really verifies signatures: the second opinion on the oracle (design, section 2.6).
//!
//! It reads tokens, issuer names, keys and certificates by itself and shares no code with the oracle, so that one
//! mistake cannot hide in both. Where a standard leaves a choice, it refuses.

mod base64url;
mod date;
mod issuer;
mod json;
#[cfg(test)]
mod tests;
mod verify;

use self::issuer::IssuerName;
use self::json::{Object, Value};
use self::verify::{ALGORITHMS, Algorithm, Key, KeyTerms};
use super::{Clock, Configured, Description, Fault, Identity, Maker, Validator, Verdict};
use crate::jose::{JwkSet, NumericDate, Serialization, Token};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

/// The longest token that is read, in octets.
const MAX_TOKEN: usize = 1 << 20;

/// Header parameters that RFC 7515 section 4.1 and RFC 7518 sections 4.6.1, 4.7.1 and 4.8.1 define; they are no
/// extensions, so none of them may stand in `crit` (RFC 7515 section 4.1.11).
const REGISTERED: [&str; 18] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "epk", "apu", "apv", "iv",
    "tag", "p2s", "p2c",
];

/// Why a token is refused, for people.
type Refusal = &'static str;

/// The strict reference validator: compact tokens, flattened ones where the policy permits them, every signature
/// algorithm of RFC 7518 section 3.1, ES256K, Ed25519, and inline keys.
#[derive(Default)]
pub struct Reference {
    trust: Option<Trust>,
    /// Accepted tokens by issuer and `jti`, or by their octets, where the policy refuses them a second time.
    accepted: HashSet<Vec<u8>>,
}

/// Makes fresh reference validators.
#[must_use]
pub fn maker() -> Maker {
    Arc::new(|| Box::new(Reference::default()))
}

impl Validator for Reference {
    fn describe(&self) -> Description {
        let mut description = Description::new("reference", env!("CARGO_PKG_VERSION"), Clock::Settable);
        description.algorithms = ALGORITHMS.iter().map(|algorithm| algorithm.name.to_owned()).collect();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        // Trust that cannot be taken over ends the trust before it too.
        self.trust = None;
        if policy.policy != 1 {
            return Ok(Configured::Skip("only policies of version 1 are read".to_owned()));
        }
        if policy.key_source == KeySource::Fetched {
            return Ok(Configured::Skip("keys are not fetched".to_owned()));
        }
        self.trust = Some(Trust::new(policy));
        Ok(Configured::Ready)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let trust = self.trust.as_ref().ok_or_else(|| Fault::Broken("no policy was taken over".to_owned()))?;
        let judged = trust.judge(token.as_bytes(), now.0, &mut self.accepted);
        Ok(judged.unwrap_or_else(|refusal| Verdict::Reject(refusal.to_owned())))
    }
}

/// A policy made ready.
struct Trust {
    /// What was told; its issuers and shared keys stand below.
    told: TrustPolicy,
    issuers: Vec<Issuer>,
    /// The keys of all issuers, with key source `converged`.
    shared: Vec<Key>,
}

struct Issuer {
    told: TrustedIssuer,
    name: IssuerName,
    /// The keys that are this issuer's alone.
    keys: Vec<Key>,
}

impl Trust {
    fn new(policy: &TrustPolicy) -> Self {
        let terms = KeyTerms {
            cloud: policy.cloud_instance.as_deref(),
            lifetime_binds: policy.enforce_key_lifetime == Some(true),
        };
        let ready = |set: Option<&JwkSet>| -> Vec<Key> {
            set.into_iter().flat_map(|set| &set.keys).map(|jwk| Key::new(jwk, &terms)).collect()
        };
        let converged = policy.key_source == KeySource::Converged;
        let issuers = policy.issuers.iter().map(|issuer| {
            // The source that the policy names is the only one: keys that stand anywhere else are nobody's.
            let mut keys = ready(issuer.jwks.as_ref().filter(|_| !converged));
            keys.extend(ready(issuer.secrets.as_ref()));
            let told = TrustedIssuer { jwks: None, secrets: None, ..issuer.clone() };
            Issuer { name: IssuerName::read(&issuer.issuer), told, keys }
        });
        Trust {
            issuers: issuers.collect(),
            shared: ready(policy.converged_jwks.as_ref().filter(|_| converged)),
            told: TrustPolicy { issuers: Vec::new(), converged_jwks: None, decryption_keys: None, ..policy.clone() },
        }
    }

    fn judge(&self, token: &[u8], now: i64, accepted: &mut HashSet<Vec<u8>>) -> Result<Verdict, Refusal> {
        let parts = self.take_apart(token)?;
        let header = json::read_object(&parts.header).ok_or("the header is no json object, or names a member twice")?;
        let claims =
            json::read_object(&parts.payload).ok_or("the payload is no json object, or names a claim twice")?;

        let alg = header.get("alg").and_then(Value::text).ok_or("the header names no algorithm")?;
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.text().ok_or("the kid is not text")?),
        };
        self.check_extensions(&header)?;
        self.check_type(&header)?;

        let iss = claims.get("iss").and_then(Value::text).filter(|iss| !iss.is_empty()).ok_or("no issuer is named")?;
        let (issuer, tenant) = self.issuer_of(iss)?;
        issuer.check_tenant(tenant, &claims)?;
        issuer.check_subject_and_signer(&header, &claims)?;
        for algorithms in [&self.told.algorithms, &issuer.told.algorithms].into_iter().flatten() {
            listed(algorithms, alg).ok_or("the algorithm is not permitted")?;
        }
        self.check_required(&claims)?;
        for audiences in [&self.told.audiences, &issuer.told.audiences].into_iter().flatten() {
            check_audience(claims.get("aud"), audiences)?;
        }
        self.check_times(&claims, now)?;

        let Some(algorithm) = Algorithm::named(alg) else {
            // Whoever permits an algorithm by name and gets a refusal would blame the token.
            let permitted = self.told.algorithms.is_some() || issuer.told.algorithms.is_some();
            return if permitted && alg != "none" {
                Ok(Verdict::Skip("the algorithm is not implemented".to_owned()))
            } else {
                Err("the algorithm is unknown")
            };
        };
        let presented = Presented { algorithm, kid, input: &parts.input, signature: &parts.signature, now };
        let key = presented.key_among(issuer.keys.iter().chain(self.shared_keys_of(iss, tenant)))?;
        if self.told.replay == Some(Replay::Refuse) {
            // RFC 7519 section 4.1.7: unique within one issuer; no issuer name holds a NUL that would blur the border.
            let id = claims.get("jti").and_then(Value::text).map(|jti| format!("{iss}\0{jti}").into_bytes());
            if !accepted.insert(id.unwrap_or_else(|| token.to_vec())) {
                return Err("the token was accepted before");
            }
        }
        let identity = Identity {
            iss: Some(iss.to_owned()),
            sub: claims.get("sub").and_then(Value::text).map(str::to_owned),
            tenant: tenant.map(str::to_owned),
            audience: Some(audience_in(claims.get("aud"))),
        };
        Ok(Verdict::Accept { identity: Some(identity), key: Some(key.thumbprint.clone()) })
    }

    fn take_apart<'t>(&self, token: &'t [u8]) -> Result<Parts<'t>, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err("the token is too long");
        }
        let json = token.trim_ascii_start().first() == Some(&b'{');
        let serialization = if json { Serialization::Flattened } else { Serialization::Compact };
        // RFC 7519 section 1: a JWT is compact, unless the policy says otherwise.
        let permitted = match &self.told.serializations {
            None => serialization == Serialization::Compact,
            Some(serializations) => serializations.contains(&serialization),
        };
        if !permitted {
            return Err("the serialization is not permitted");
        }
        if json { Parts::of_flattened(token) } else { Parts::of_compact(token) }
    }

    /// RFC 7515 section 4.1.11 and RFC 7797 section 6.
    fn check_extensions(&self, header: &Object) -> Result<(), Refusal> {
        if !matches!(header.get("b64"), None | Some(Value::Bool(true))) {
            return Err("a payload that is not base64url is not read");
        }
        let names = match header.get("crit") {
            None => return Ok(()),
            Some(Value::Array(names)) if !names.is_empty() => names,
            Some(_) => return Err("crit is no list of names"),
        };
        let understood = self.told.crit_understood.as_deref().unwrap_or_default();
        for (index, name) in names.iter().enumerate() {
            let text = name.text().ok_or("crit is no list of names")?;
            if names.iter().take(index).any(|earlier| earlier == name) {
                return Err("crit names an extension twice");
            }
            if REGISTERED.contains(&text) || !header.contains_key(text) {
                return Err("crit names what is no extension in this header");
            }
            listed(understood, text).ok_or("crit names an extension that is not understood")?;
        }
        Ok(())
    }

    /// RFC 8725 section 3.11.
    fn check_type(&self, header: &Object) -> Result<(), Refusal> {
        let Some(types) = self.told.token_types.as_deref().filter(|types| !types.is_empty()) else { return Ok(()) };
        let typ = header.get("typ").and_then(Value::text).ok_or("the type is not named")?;
        let same = |permitted: &String| media_type(permitted).eq_ignore_ascii_case(media_type(typ));
        if types.iter().any(same) { Ok(()) } else { Err("the type is not permitted") }
    }

    /// The issuer of that name, and the tenant where the name fits a template.
    fn issuer_of<'n>(&self, iss: &'n str) -> Result<(&Issuer, Option<&'n str>), Refusal> {
        if let Some(issuer) = self.issuers.iter().find(|issuer| issuer.name.is_literally(iss)) {
            return Ok((issuer, None));
        }
        let mut fitting = self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.name.tenant_of(iss)?)));
        match (fitting.next(), fitting.next()) {
            (Some((issuer, tenant)), None) => Ok((issuer, Some(tenant))),
            (None, _) => Err("the issuer is not trusted"),
            // The order of issuers means nothing, so it cannot choose between two.
            (Some(_), Some(_)) => Err("the issuer fits two templates"),
        }
    }

    /// The keys of the converged set that belong to that issuer; one without a name on it belongs to nobody.
    fn shared_keys_of<'k>(&'k self, iss: &'k str, tenant: Option<&'k str>) -> impl Iterator<Item = &'k Key> + Clone {
        self.shared.iter().filter(move |key| key.issuer.as_ref().is_some_and(|issuer| issuer.becomes(iss, tenant)))
    }

    fn check_required(&self, claims: &Object) -> Result<(), Refusal> {
        for name in self.told.required_claims.iter().flatten() {
            let claim = claims.get(name).ok_or("a required claim is missing")?;
            let right = match name.as_str() {
                "iss" | "sub" | "jti" => matches!(claim, Value::String(_)),
                "exp" | "nbf" | "iat" => matches!(claim, Value::Number(_)),
                "aud" => match claim {
                    Value::Array(names) => names.iter().all(|name| name.text().is_some()),
                    other => other.text().is_some(),
                },
                _ => *claim != Value::Null,
            };
            if !right {
                return Err("a required claim has the wrong type");
            }
            if claim.text() == Some("") {
                return Err("a required claim is empty");
            }
        }
        Ok(())
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6.
    fn check_times(&self, claims: &Object, now: i64) -> Result<(), Refusal> {
        let now = i128::from(now);
        let leeway = i128::from(self.told.leeway.unwrap_or(0));
        let date = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(Value::Number(literal)) => Ok(Some(literal.as_str())),
            Some(_) => Err("a date is not a number"),
        };
        if let Some(exp) = date("exp")? {
            let order = date::compare(exp, now - leeway).ok_or("a date is beyond all bounds")?;
            if order != Ordering::Greater {
                return Err("the token has expired");
            }
        }
        if let Some(nbf) = date("nbf")? {
            let order = date::compare(nbf, now + leeway).ok_or("a date is beyond all bounds")?;
            if order == Ordering::Greater {
                return Err("the token is not valid yet");
            }
        }
        date("iat").map(|_| ())
    }
}

impl Issuer {
    fn check_tenant(&self, tenant: Option<&str>, claims: &Object) -> Result<(), Refusal> {
        let Some(tenant) = tenant else { return Ok(()) };
        let claim = self.told.tenant_claim.as_deref().unwrap_or("tid");
        if claims.get(claim).and_then(Value::text) != Some(tenant) {
            return Err("the tenant claim is not the tenant of the issuer");
        }
        match &self.told.tenants {
            Some(tenants) => listed(tenants, tenant).ok_or("the tenant is not admitted"),
            None => Ok(()),
        }
    }

    /// RFC 8725 section 3.8.
    fn check_subject_and_signer(&self, header: &Object, claims: &Object) -> Result<(), Refusal> {
        if let Some(subjects) = &self.told.subjects {
            let sub = claims.get("sub").and_then(Value::text);
            sub.and_then(|sub| listed(subjects, sub)).ok_or("the subject is not admitted")?;
        }
        match &self.told.signer {
            Some(signer) if header.get("signer").and_then(Value::text) != Some(signer) => {
                Err("the signer is not the one of this issuer")
            }
            _ => Ok(()),
        }
    }
}

/// RFC 7519 section 4.1.3.
fn check_audience(aud: Option<&Value>, audiences: &[String]) -> Result<(), Refusal> {
    if audiences.is_empty() {
        return if aud.is_none() { Ok(()) } else { Err("the token is for somebody, and we have no name") };
    }
    let ours = match aud {
        Some(Value::String(name)) => listed(audiences, name).is_some(),
        Some(Value::Array(names)) => {
            names.iter().all(|name| name.text().is_some())
                && names.iter().filter_map(Value::text).any(|name| listed(audiences, name).is_some())
        }
        _ => false,
    };
    if ours { Ok(()) } else { Err("the token is not for us") }
}

/// Whom the token is for; nobody, where what it says is no text.
fn audience_in(aud: Option<&Value>) -> Vec<String> {
    let names = match aud {
        Some(Value::Array(names)) => names.as_slice(),
        Some(name) => std::slice::from_ref(name),
        None => &[],
    };
    names.iter().filter_map(Value::text).map(str::to_owned).collect()
}

/// A media type without the `application/` that may be left out (RFC 7515 section 4.1.9).
fn media_type(text: &str) -> &str {
    const PREFIX: &str = "application/";
    match (text.get(..PREFIX.len()), text.get(PREFIX.len()..)) {
        (Some(prefix), Some(rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => text,
    }
}

fn listed(names: &[String], name: &str) -> Option<()> {
    names.iter().any(|listed| listed == name).then_some(())
}

/// A token taken apart: nothing in it is believed yet.
struct Parts<'t> {
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    /// RFC 7515 section 5.2 step 8: the octets as received.
    input: Cow<'t, [u8]>,
}

impl<'t> Parts<'t> {
    /// RFC 7515 section 7.1.
    fn of_compact(token: &'t [u8]) -> Result<Self, Refusal> {
        let mut segments = token.split(|&octet| octet == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err("the token has not three parts");
        };
        let input = token.get(..header.len() + 1 + payload.len()).ok_or("the token has not three parts")?;
        Parts::decoded(header, payload, signature, Cow::Borrowed(input))
    }

    /// RFC 7515 section 7.2.2. An unprotected header is refused, since nobody signed it.
    fn of_flattened(token: &[u8]) -> Result<Self, Refusal> {
        let members = json::read_object(token).ok_or("the token is no json object, or names a member twice")?;
        if members.contains_key("header") {
            return Err("an unprotected header is not read");
        }
        if members.contains_key("signatures") {
            return Err("the serialization is not permitted");
        }
        let part = |name: &str| members.get(name).and_then(Value::text).map(str::as_bytes);
        let (Some(header), Some(payload), Some(signature)) = (part("protected"), part("payload"), part("signature"))
        else {
            return Err("a part of the token is missing");
        };
        let input = Cow::Owned([header, b".", payload].concat());
        Parts::decoded(header, payload, signature, input)
    }

    fn decoded(header: &[u8], payload: &[u8], signature: &[u8], input: Cow<'t, [u8]>) -> Result<Self, Refusal> {
        let octets = |text: &[u8]| base64url::read(text).ok_or("a part of the token is not base64url");
        Ok(Parts { header: octets(header)?, payload: octets(payload)?, signature: octets(signature)?, input })
    }
}

/// What a key has to have signed.
struct Presented<'t> {
    algorithm: &'static Algorithm,
    kid: Option<&'t str>,
    input: &'t [u8],
    signature: &'t [u8],
    now: i64,
}

impl Presented<'_> {
    /// The key of the issuer that signed. `kid` is a hint (RFC 7515 section 4.1.4): it says which to try first.
    fn key_among<'k>(&self, keys: impl Iterator<Item = &'k Key> + Clone) -> Result<&'k Key, Refusal> {
        let hinted = |key: &&Key| self.kid.is_some() && key.kid.as_deref() == self.kid;
        let mut refusal = None;
        for key in keys.clone().filter(hinted).chain(keys.filter(|key| !hinted(key))) {
            match key.verify(self.algorithm, self.input, self.signature, self.now) {
                Ok(()) => return Ok(key),
                // The likeliest key's reason tells most.
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        Err(refusal.unwrap_or("the issuer has no key"))
    }
}
