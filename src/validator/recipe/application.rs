//! What every application has of its own, whatever crate it is built on: the policy written down issuer by issuer, and the
//! frame around the crate's calls. It decides nothing about a token.

use super::beyond::beyond;
use crate::jose::{Jwk, NumericDate, Serialization, Token};
use crate::policy::{KeySource, Replay, TENANT_PLACE, TrustPolicy, TrustedIssuer, tenant_in};
use crate::validator::{Clock, Configured, Description, Fault, Identity, Validator, Verdict};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// How an application keeps its trust. That is all in which the two forms of a recipe differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A realm for each issuer.
    PerIssuer,
    /// One realm for all.
    Pooled,
}

/// A crate as an application uses it.
pub(super) struct Craft {
    /// The name of the recipe that binds keys to issuers.
    pub(super) name: &'static str,
    /// The name of the recipe that does not.
    pub(super) pooled_name: &'static str,
    /// The version of the crate that is built in; a test compares it with `Cargo.lock`.
    pub(super) version: &'static str,
    pub(super) clock: Clock,
    /// Every algorithm of the crate.
    pub(super) algorithms: &'static [&'static str],
    /// Tells the crate what the terms are; `Err` says for what it has no setting.
    pub(super) settle: fn(&Terms) -> Result<Judge, &'static str>,
}

/// The crate at work under its settings: who is there, or why not.
pub(super) type Judge = Box<dyn Fn(&Token, NumericDate) -> Result<Accepted, String> + Send>;

/// Whom the crate let in.
pub(super) struct Accepted {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    /// The other claims, as the application's own claims type reads them.
    pub(super) others: Claims,
    /// The RFC 7638 thumbprint of the key, where the crate tells which one it was.
    pub(super) key: Option<String>,
}

/// Claims as the examples of most crates read them.
pub(super) type Claims = HashMap<String, Value>;

/// A policy as an application writes it down.
pub(super) struct Terms {
    pub(super) trust: Trust,
    /// One for each issuer; exactly one where trust is pooled.
    pub(super) realms: Vec<Realm>,
    pub(super) required: Vec<String>,
    pub(super) leeway: u64,
    pub(super) token_types: Option<Vec<String>>,
    /// Whether the party understands any extension of the header.
    pub(super) understands_crit: bool,
}

/// Issuers and keys that are trusted together.
pub(super) struct Realm {
    /// Names of issuers. The crates compare whole names, so a template becomes one name for each tenant.
    pub(super) issuers: Vec<String>,
    pub(super) keys: Vec<Jwk>,
    /// `None` where nobody asks.
    pub(super) audiences: Option<Vec<String>>,
    /// `None` where every algorithm will do.
    pub(super) algorithms: Option<Vec<String>>,
    pub(super) subject: Option<String>,
}

impl Realm {
    pub(super) fn allows(&self, algorithm: &str) -> bool {
        self.algorithms.as_ref().is_none_or(|names| names.iter().any(|name| name == algorithm))
    }
}

/// An application on a crate.
pub(super) struct Application {
    craft: &'static Craft,
    trust: Trust,
    configured: Option<Configuration>,
}

struct Configuration {
    judge: Judge,
    policy: TrustPolicy,
    /// The claim that names the tenant, for each issuer name that came from a template.
    tenant_claims: HashMap<String, String>,
}

impl Application {
    pub(super) fn new(craft: &'static Craft, trust: Trust) -> Self {
        Application { craft, trust, configured: None }
    }
}

impl Validator for Application {
    fn describe(&self) -> Description {
        let (name, key_sources) = match self.trust {
            Trust::PerIssuer => (self.craft.name, BTreeSet::from([KeySource::PerIssuer])),
            Trust::Pooled => (self.craft.pooled_name, BTreeSet::from([KeySource::PerIssuer, KeySource::Converged])),
        };
        let mut description = Description::new(name, self.craft.version, self.craft.clock);
        description.key_sources = key_sources;
        description.algorithms = self.craft.algorithms.iter().map(|&name| name.to_owned()).collect();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.configured = None;
        let judge = named(policy).and_then(|named| {
            let tenant_claims = tenant_claims(&named);
            let judge = (self.craft.settle)(&terms(self.trust, policy, &named)?)?;
            Ok(Configuration { judge, policy: policy.clone(), tenant_claims })
        });
        match judge {
            Ok(configuration) => {
                self.configured = Some(configuration);
                Ok(Configured::Ready)
            }
            Err(reason) => Ok(Configured::Skip(reason.to_owned())),
        }
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let Some(configuration) = &self.configured else {
            return Err(Fault::Broken("it has no policy".to_owned()));
        };
        Ok(match (configuration.judge)(token, now) {
            Ok(accepted) => Verdict::Accept { identity: Some(configuration.identity(&accepted)), key: accepted.key },
            Err(reason) => match beyond(&configuration.policy, self.craft.algorithms, token) {
                Some(algorithm) => Verdict::Skip(format!("the crate has no {algorithm}")),
                None => Verdict::Reject(reason),
            },
        })
    }
}

impl Configuration {
    fn identity(&self, accepted: &Accepted) -> Identity {
        let iss = accepted.iss.clone();
        let claim = iss.as_ref().and_then(|iss| self.tenant_claims.get(iss));
        let tenant = claim.and_then(|claim| accepted.others.get(claim)).and_then(Value::as_str);
        Identity { sub: accepted.sub.clone(), tenant: tenant.map(str::to_owned), iss, audience: None }
    }
}

/// An issuer with its concrete names.
type Named<'p> = (&'p TrustedIssuer, Vec<String>);

/// The issuers of a policy; `Err` says why no application on one of these crates has a setting for it.
fn named(policy: &TrustPolicy) -> Result<Vec<Named<'_>>, &'static str> {
    let not_compact = |list: &Vec<Serialization>| list.as_slice() != [Serialization::Compact];
    if policy.key_source == KeySource::Fetched {
        return Err("it fetches no keys");
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
    policy.issuers.iter().map(|issuer| Ok((issuer, names(policy, issuer)?))).collect()
}

fn names(policy: &TrustPolicy, issuer: &TrustedIssuer) -> Result<Vec<String>, &'static str> {
    if !issuer.is_template() {
        return Ok(vec![issuer.issuer.clone()]);
    }
    let tenants = issuer.tenants.as_ref().ok_or("no issuer templates without a list of tenants")?;
    let names = tenants.iter().map(|tenant| issuer.issuer.replace(TENANT_PLACE, tenant));
    let literal = |name: &String| policy.issuers.iter().any(|one| one.issuer == *name);
    Ok(names.filter(|name| tenant_in(&issuer.issuer, name).is_some() && !literal(name)).collect())
}

fn tenant_claims(named: &[Named<'_>]) -> HashMap<String, String> {
    let templates = named.iter().filter(|(issuer, _)| issuer.is_template());
    let claims = templates.flat_map(|(issuer, names)| {
        let claim = issuer.tenant_claim.as_deref().unwrap_or("tid");
        names.iter().map(|name| (name.clone(), claim.to_owned()))
    });
    claims.collect()
}

fn terms(trust: Trust, policy: &TrustPolicy, named: &[Named<'_>]) -> Result<Terms, &'static str> {
    let realms = match trust {
        Trust::PerIssuer if policy.key_source == KeySource::Converged => return Err("a key set for each issuer only"),
        Trust::PerIssuer => named.iter().map(|one| realm(policy, one)).collect::<Result<_, _>>()?,
        Trust::Pooled => vec![realm_of_all(policy, named)?],
    };
    Ok(Terms {
        trust,
        realms,
        required: policy.required_claims.iter().flatten().cloned().collect(),
        leeway: policy.leeway.unwrap_or(0),
        token_types: policy.token_types.clone(),
        understands_crit: policy.crit_understood.as_ref().is_some_and(|names| !names.is_empty()),
    })
}

fn realm(policy: &TrustPolicy, (issuer, names): &Named<'_>) -> Result<Realm, &'static str> {
    Ok(Realm {
        issuers: names.clone(),
        keys: issuer.own_keys().cloned().collect(),
        audiences: narrowed(policy.audiences.as_ref(), issuer.audiences.as_ref()),
        algorithms: narrowed(policy.algorithms.as_ref(), issuer.algorithms.as_ref()),
        subject: subject(issuer)?,
    })
}

fn realm_of_all(policy: &TrustPolicy, named: &[Named<'_>]) -> Result<Realm, &'static str> {
    let realms: Vec<Realm> = named.iter().map(|one| realm(policy, one)).collect::<Result<_, _>>()?;
    if realms.windows(2).any(|pair| pair[0].subject != pair[1].subject) {
        return Err("one subject for all issuers");
    }
    let set = policy.converged_jwks.as_ref().filter(|_| policy.key_source == KeySource::Converged);
    let mut all = Realm {
        issuers: Vec::new(),
        keys: Vec::new(),
        audiences: union(realms.iter().map(|realm| &realm.audiences)),
        algorithms: union(realms.iter().map(|realm| &realm.algorithms)),
        subject: realms.first().and_then(|realm| realm.subject.clone()),
    };
    for realm in realms {
        all.issuers.extend(realm.issuers);
        all.keys.extend(realm.keys);
    }
    all.keys.extend(set.into_iter().flat_map(|set| set.keys.iter().cloned()));
    Ok(all)
}

/// The crates that compare the subject take one.
fn subject(issuer: &TrustedIssuer) -> Result<Option<String>, &'static str> {
    match issuer.subjects.as_deref() {
        None => Ok(None),
        Some([one]) => Ok(Some(one.clone())),
        Some(_) => Err("exactly one subject for an issuer"),
    }
}

fn narrowed(all: Option<&Vec<String>>, own: Option<&Vec<String>>) -> Option<Vec<String>> {
    match (all, own) {
        (Some(all), Some(own)) => Some(own.iter().filter(|one| all.contains(one)).cloned().collect()),
        (list, None) | (None, list) => list.cloned(),
    }
}

/// What any of the issuers may do; `None` where one of them may do everything.
fn union<'l>(lists: impl Iterator<Item = &'l Option<Vec<String>>>) -> Option<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for list in lists {
        all.extend(list.as_ref()?.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
    }
    Some(all)
}

/// What a claims type with these members would do in a crate's deserialisation: a missing one is an error.
pub(super) fn with_members(claims: Claims, names: &[String]) -> Result<Claims, String> {
    match names.iter().find(|name| claims.get(*name).is_none_or(Value::is_null)) {
        Some(name) => Err(format!("missing field `{name}`")),
        None => Ok(claims),
    }
}
