//! An application on the crate `jsonwebtoken`: key by `kid` out of a set, and a `Validation` that says the rest.
//!
//! Its two forms differ in one thing: whether there is such a set for each issuer or one for all.

use super::beyond::beyond;
use crate::jose::{Jwk, NumericDate, Serialization, Token};
use crate::policy::{KeySource, Replay, TENANT_PLACE, TrustPolicy, TrustedIssuer, tenant_in};
use crate::validator::{Clock, Configured, Description, Fault, Identity, Validator, Verdict};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr as _;

/// The version of the crate that is built in; a test compares it with `Cargo.lock`.
pub(super) const VERSION: &str = "11.1.0";

/// Every algorithm of the crate.
const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// The claims that `Validation::required_spec_claims` knows.
const SPEC_CLAIMS: [&str; 5] = ["exp", "nbf", "aud", "iss", "sub"];

/// Claims as the crate's examples read them.
type Claims = HashMap<String, Value>;

/// How the application keeps its trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A realm for each issuer.
    PerIssuer,
    /// One realm for all.
    Pooled,
}

/// An application on the crate.
pub(super) struct Application {
    trust: Trust,
    configured: Option<Settings>,
}

struct Settings {
    /// What was told, to know which tokens are beyond the crate.
    policy: TrustPolicy,
    realms: Vec<Realm>,
    /// The claim that names the tenant, for each issuer name that came from a template.
    tenant_claims: HashMap<String, String>,
    /// Required claims that the crate has no setting for: the application's claims type demands them.
    own_claims: Vec<String>,
}

/// Issuers and keys that are trusted together.
struct Realm {
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

impl Application {
    pub(super) fn new(trust: Trust) -> Self {
        Application { trust, configured: None }
    }
}

impl Validator for Application {
    fn describe(&self) -> Description {
        let (name, key_sources) = match self.trust {
            Trust::PerIssuer => ("jsonwebtoken", BTreeSet::from([KeySource::PerIssuer])),
            Trust::Pooled => ("jsonwebtoken-pooled", BTreeSet::from([KeySource::PerIssuer, KeySource::Converged])),
        };
        let mut description = Description::new(name, VERSION, Clock::System);
        description.key_sources = key_sources;
        description.algorithms = ALGORITHMS.map(String::from).into();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.configured = None;
        match Settings::new(self.trust, policy) {
            Ok(settings) => {
                self.configured = Some(settings);
                Ok(Configured::Ready)
            }
            Err(reason) => Ok(Configured::Skip(reason.to_owned())),
        }
    }

    /// The crate reads the system's clock; `now` is not used.
    fn validate(&mut self, token: &Token, _now: NumericDate) -> Result<Verdict, Fault> {
        let Some(settings) = &self.configured else {
            return Err(Fault::Broken("it has no policy".to_owned()));
        };
        let accepted = match self.trust {
            Trust::PerIssuer => settings.realm_of_claimed_issuer(token),
            Trust::Pooled => settings.realms.first().ok_or_else(|| "nobody is trusted".to_owned()),
        };
        Ok(match accepted.and_then(|realm| settings.decode_in(realm, token)) {
            Ok((claims, key)) => {
                Verdict::Accept { identity: Some(settings.identity(&claims)), key: Some(key.thumbprint.clone()) }
            }
            Err(reason) => match beyond(&settings.policy, &ALGORITHMS, token) {
                Some(alg) => Verdict::Skip(format!("the crate has no {alg}")),
                None => Verdict::Reject(reason),
            },
        })
    }
}

impl Settings {
    /// `Err` says why an application on this crate has no setting for the policy.
    fn new(trust: Trust, policy: &TrustPolicy) -> Result<Self, &'static str> {
        let not_compact = |list: &Vec<Serialization>| list.as_slice() != [Serialization::Compact];
        match policy.key_source {
            KeySource::Fetched => return Err("it fetches no keys"),
            KeySource::Converged if trust == Trust::PerIssuer => return Err("a key set for each issuer only"),
            _ => {}
        }
        if policy.serializations.as_ref().is_some_and(not_compact) {
            return Err("only the compact serialization");
        }
        if policy.replay == Some(Replay::Refuse) {
            return Err("no replay store");
        }
        if policy.issuers.iter().any(|issuer| issuer.signer.is_some()) {
            return Err("no setting for the header member `signer`");
        }
        let named: Vec<(&TrustedIssuer, Vec<String>)> = policy
            .issuers
            .iter()
            .map(|issuer| Ok((issuer, names(policy, issuer)?)))
            .collect::<Result<_, &'static str>>()?;
        let realms = match trust {
            Trust::PerIssuer => realm_for_each(policy, &named)?,
            Trust::Pooled => vec![realm_for_all(policy, &named)?],
        };
        let required = policy.required_claims.iter().flatten();
        let templates = named.iter().filter(|(issuer, _)| issuer.is_template());
        Ok(Settings {
            policy: policy.clone(),
            realms,
            tenant_claims: templates
                .flat_map(|(issuer, names)| {
                    let claim = issuer.tenant_claim.as_deref().unwrap_or("tid");
                    names.iter().map(|name| (name.clone(), claim.to_owned()))
                })
                .collect(),
            own_claims: required.filter(|name| !SPEC_CLAIMS.contains(&name.as_str())).cloned().collect(),
        })
    }

    /// The token is read without any check first, to learn whose rules and keys to check it by.
    fn realm_of_claimed_issuer(&self, token: &Token) -> Result<&Realm, String> {
        let claims: Claims = dangerous::insecure_decode_claims(token.as_bytes()).map_err(|error| error.to_string())?;
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or("no iss")?;
        let realm = self.realms.iter().find(|realm| realm.issuers.iter().any(|one| one == issuer));
        realm.ok_or_else(|| "the issuer is not trusted".to_owned())
    }

    fn decode_in<'r>(&self, realm: &'r Realm, token: &Token) -> Result<(Claims, &'r Key), String> {
        let header = decode_header(token.as_bytes()).map_err(|error| error.to_string())?;
        // With a `kid`: the first key of that name, as `JwkSet::find` gives it. Without: one after the other.
        let keys: Vec<&Key> = match &header.kid {
            Some(kid) => realm.keys.iter().find(|key| key.kid.as_ref() == Some(kid)).into_iter().collect(),
            None => realm.keys.iter().collect(),
        };
        let mut refusal = "no key of that kid".to_owned();
        for key in keys {
            match decode::<Claims>(token.as_bytes(), &key.decoding, &key.validation) {
                Ok(data) => return self.with_own_claims(data.claims).map(|claims| (claims, key)),
                Err(error) => refusal = error.to_string(),
            }
        }
        Err(refusal)
    }

    /// What a claims type with these members would do in the crate's deserialisation: a missing one is an error.
    fn with_own_claims(&self, claims: Claims) -> Result<Claims, String> {
        match self.own_claims.iter().find(|name| claims.get(*name).is_none_or(Value::is_null)) {
            Some(name) => Err(format!("missing field `{name}`")),
            None => Ok(claims),
        }
    }

    fn identity(&self, claims: &Claims) -> Identity {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let iss = text("iss");
        let tenant_claim = iss.as_ref().and_then(|iss| self.tenant_claims.get(iss));
        Identity { sub: text("sub"), tenant: tenant_claim.and_then(|claim| text(claim)), iss }
    }
}

/// The concrete names of an issuer. The crate compares whole names, so a template becomes one name for each tenant.
fn names(policy: &TrustPolicy, issuer: &TrustedIssuer) -> Result<Vec<String>, &'static str> {
    if !issuer.is_template() {
        return Ok(vec![issuer.issuer.clone()]);
    }
    let tenants = issuer.tenants.as_ref().ok_or("no issuer templates without a list of tenants")?;
    let names = tenants.iter().map(|tenant| issuer.issuer.replace(TENANT_PLACE, tenant));
    let literal = |name: &String| policy.issuers.iter().any(|one| one.issuer == *name);
    Ok(names.filter(|name| tenant_in(&issuer.issuer, name).is_some() && !literal(name)).collect())
}

fn realm_for_each(policy: &TrustPolicy, named: &[(&TrustedIssuer, Vec<String>)]) -> Result<Vec<Realm>, &'static str> {
    let mut realms = Vec::new();
    for (issuer, names) in named {
        let subject = subject(issuer)?;
        let decoding: Vec<_> = issuer.own_keys().filter_map(decoding_key).collect();
        for name in names {
            let mut validation = Validation::default();
            validation.set_issuer(&[name]);
            validation.sub.clone_from(&subject);
            set_audiences(&mut validation, audiences(policy, issuer));
            set_clock_and_claims(&mut validation, policy);
            let algorithms = algorithms(policy, issuer);
            let keys = decoding.iter().map(|key| key.with(&validation, algorithms.as_ref())).collect();
            realms.push(Realm { issuers: vec![name.clone()], keys });
        }
    }
    Ok(realms)
}

fn realm_for_all(policy: &TrustPolicy, named: &[(&TrustedIssuer, Vec<String>)]) -> Result<Realm, &'static str> {
    let subjects: Vec<_> = named.iter().map(|(issuer, _)| subject(issuer)).collect::<Result<_, _>>()?;
    if subjects.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err("one subject for all issuers");
    }
    let issuers: Vec<String> = named.iter().flat_map(|(_, names)| names).cloned().collect();
    let mut validation = Validation::default();
    validation.set_issuer(&issuers);
    validation.sub = subjects.into_iter().next().flatten();
    set_audiences(&mut validation, union(named.iter().map(|(issuer, _)| audiences(policy, issuer))));
    set_clock_and_claims(&mut validation, policy);
    let algorithms = union(named.iter().map(|(issuer, _)| algorithms(policy, issuer)));
    let set = policy.converged_jwks.as_ref().filter(|_| policy.key_source == KeySource::Converged);
    let jwks = named.iter().flat_map(|(issuer, _)| issuer.own_keys()).chain(set.into_iter().flat_map(|set| &set.keys));
    let keys = jwks.filter_map(decoding_key).map(|key| key.with(&validation, algorithms.as_ref())).collect();
    Ok(Realm { issuers, keys })
}

/// `Validation::sub` takes one subject.
fn subject(issuer: &TrustedIssuer) -> Result<Option<String>, &'static str> {
    match issuer.subjects.as_deref() {
        None => Ok(None),
        Some([one]) => Ok(Some(one.clone())),
        Some(_) => Err("exactly one subject for an issuer"),
    }
}

/// The audiences that hold for an issuer; `None` where nobody asks.
fn audiences(policy: &TrustPolicy, issuer: &TrustedIssuer) -> Option<Vec<String>> {
    narrowed(policy.audiences.as_ref(), issuer.audiences.as_ref())
}

fn algorithms(policy: &TrustPolicy, issuer: &TrustedIssuer) -> Option<Vec<String>> {
    narrowed(policy.algorithms.as_ref(), issuer.algorithms.as_ref())
}

fn narrowed(all: Option<&Vec<String>>, own: Option<&Vec<String>>) -> Option<Vec<String>> {
    match (all, own) {
        (Some(all), Some(own)) => Some(own.iter().filter(|one| all.contains(one)).cloned().collect()),
        (list, None) | (None, list) => list.cloned(),
    }
}

/// What any of the issuers may do; `None` where one of them may do everything.
fn union(lists: impl Iterator<Item = Option<Vec<String>>>) -> Option<Vec<String>> {
    let lists: Option<Vec<Vec<String>>> = lists.collect();
    lists.map(|lists| lists.concat())
}

fn set_audiences(validation: &mut Validation, audiences: Option<Vec<String>>) {
    match audiences {
        // Nobody asks for an audience: the crate says so by this flag only.
        None => validation.validate_aud = false,
        // No name of our own: as it comes, the crate refuses a token that names any.
        Some(audiences) if audiences.is_empty() => {}
        Some(audiences) => validation.set_audience(&audiences),
    }
}

fn set_clock_and_claims(validation: &mut Validation, policy: &TrustPolicy) {
    validation.leeway = policy.leeway.unwrap_or(0);
    validation.validate_exp = true;
    validation.validate_nbf = true;
    validation.required_spec_claims = policy.required_claims.iter().flatten().cloned().collect::<HashSet<_>>();
}

/// A key that the crate could read, before it is known for whom it is used.
struct Listed {
    kid: Option<String>,
    decoding: DecodingKey,
    thumbprint: String,
}

/// Reads a key as an application reads a published JWK Set: as JSON. A key that the crate cannot take is left out.
fn decoding_key(jwk: &Jwk) -> Option<Listed> {
    let read: jsonwebtoken::jwk::Jwk = serde_json::from_value(serde_json::to_value(jwk).ok()?).ok()?;
    let decoding = DecodingKey::from_jwk(&read).ok()?;
    Some(Listed { kid: read.common.key_id, decoding, thumbprint: jwk.material.thumbprint() })
}

impl Listed {
    /// The crate wants all permitted algorithms to be of the key's family, so each key gets those that are.
    fn with(&self, validation: &Validation, algorithms: Option<&Vec<String>>) -> Key {
        let family = self.decoding.family();
        let mut validation = validation.clone();
        validation.algorithms = match algorithms {
            None => family.algorithms().to_vec(),
            Some(names) => {
                let algorithms = names.iter().filter_map(|name| Algorithm::from_str(name).ok());
                algorithms.filter(|algorithm| algorithm.family() == family).collect()
            }
        };
        Key { kid: self.kid.clone(), decoding: self.decoding.clone(), validation, thumbprint: self.thumbprint.clone() }
    }
}
