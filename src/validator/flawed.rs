//! Validators that are known to be wrong: one sound pipeline, with one mistake at the place where a flaw makes it.
//!
//! They measure the harness: each must be found out, and the one without a flaw must come through clean.

mod claims;
mod flaw;
mod header;
mod issuer;
mod key;
mod names;
mod read;
mod signature;
#[cfg(test)]
mod tests;
mod trust;

pub use flaw::Flaw;

use super::{Clock, Configured, Description, Fault, Identity, Maker, Validator, Verdict};
use crate::jose::{NumericDate, Primitive, Token};
use crate::policy::{Replay, TrustPolicy};
use key::Key;
use read::Jws;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use trust::{Claimed, Trust, tenant_claim, unsupported};

/// Why a token is refused, for people.
type Refusal = &'static str;

/// Makes fresh validators with this flaw, or sound ones.
#[must_use]
pub fn maker(flaw: Option<Flaw>) -> Maker {
    Arc::new(move || Box::new(Flawed::new(flaw)))
}

/// A validator that makes one mistake, or none.
pub struct Flawed {
    flaw: Option<Flaw>,
    trust: Option<Trust>,
    /// Keys of accepted tokens; filled only with [`Flaw::KidCacheAcrossIssuers`].
    cache: HashMap<String, Arc<Key>>,
    /// Accepted tokens by `iss` and `jti`, or whole where they have none, for policies that refuse them a second time.
    accepted: HashSet<(String, String)>,
    /// Who was accepted first under each `sub`; filled only with [`Flaw::IdentityBySubject`].
    accounts: HashMap<String, Identity>,
    /// The subject of the last accepted token; read only with [`Flaw::SwapsSubject`].
    last_subject: Option<Option<String>>,
}

/// A token that passed, who it is and whose signature it has.
struct Accepted {
    identity: Identity,
    key: Option<Arc<Key>>,
}

impl Flawed {
    /// A validator with this flaw, or a sound one.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Flawed {
            flaw,
            trust: None,
            cache: HashMap::new(),
            accepted: HashSet::new(),
            accounts: HashMap::new(),
            last_subject: None,
        }
    }
}

impl Validator for Flawed {
    fn describe(&self) -> Description {
        let name = self.flaw.map_or_else(|| "sound".to_owned(), |flaw| format!("flawed-{}", flaw.name()));
        let mut description = Description::new(name, env!("CARGO_PKG_VERSION"), Clock::Settable);
        description.algorithms = key::ALGORITHMS.map(String::from).into();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        let before = self.trust.take();
        self.cache.clear();
        if let Some(reason) = unsupported(policy) {
            return Ok(Configured::Skip(reason.to_owned()));
        }
        let mut policy = policy.clone();
        if let Some(before) = before {
            trust::carry_over(self.flaw, before.policy, &mut policy);
        }
        trust::drop_unread(self.flaw, &mut policy);
        self.trust = Some(Trust::new(policy));
        Ok(Configured::Ready)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let Some(trust) = &self.trust else {
            return Err(Fault::Broken("it has no policy".to_owned()));
        };
        match self.flaw {
            Some(Flaw::AcceptAll) => return Ok(Verdict::accept(identity_unverified(&trust.policy, token))),
            Some(Flaw::RejectAll) => return Ok(Verdict::Reject("no".to_owned())),
            _ => {}
        }
        let judged = Jws::read(token, self.flaw).and_then(|jws| Ok((self.judge(trust, &jws, now)?, jws)));
        let (accepted, jws) = match judged {
            Ok(accepted) => accepted,
            Err(refusal) => return Ok(Verdict::Reject(self.worded(trust, refusal))),
        };
        let Accepted { mut identity, key } = accepted;
        if trust.policy.replay == Some(Replay::Refuse) && self.flaw != Some(Flaw::ReplayAccepted) {
            let jti = jws.claims.get("jti").and_then(Value::as_str).map(str::to_owned);
            let id = jti.unwrap_or_else(|| String::from_utf8_lossy(token.as_bytes()).into_owned());
            if !self.accepted.insert((identity.iss.clone().unwrap_or_default(), id)) {
                return Ok(Verdict::Reject("accepted before".to_owned()));
            }
        }
        if let (Some(Flaw::KidCacheAcrossIssuers), Some(kid), Some(key)) = (self.flaw, jws.kid(), &key) {
            self.cache.insert(kid.to_owned(), Arc::clone(key));
        }
        let previous = self.last_subject.replace(identity.sub.clone());
        if self.flaw == Some(Flaw::SwapsSubject)
            && let Some(previous) = previous
        {
            identity.sub = previous;
        }
        if let (Some(Flaw::IdentityBySubject), Some(sub)) = (self.flaw, &identity.sub) {
            identity = self.accounts.entry(sub.clone()).or_insert(identity.clone()).clone();
        }
        let key = key.map(|key| key.jwk.material.thumbprint());
        Ok(Verdict::Accept { identity: Some(identity), key })
    }
}

impl Flawed {
    /// The pipeline. Every rejection of the sound validator is in here, and every mistake stands where it is made.
    fn judge(&self, trust: &Trust, jws: &Jws, now: NumericDate) -> Result<Accepted, Refusal> {
        if trust.policy.serializations.as_ref().is_some_and(Vec::is_empty) {
            return Err("no serialization is permitted");
        }
        self.check_header(&trust.policy, &jws.header)?;
        let primitive = self.algorithm(&jws.header)?;
        let mut refusal = "no issuer is trusted";
        for claimed in self.claimed_issuers(trust, jws)? {
            match self.judge_for(trust, &claimed, jws, primitive, now) {
                Ok(accepted) => return Ok(accepted),
                Err(because) => refusal = because,
            }
        }
        Err(refusal)
    }

    /// The rest of the pipeline, once it is clear which issuer's rules hold. No primitive: nothing is to be verified.
    fn judge_for(
        &self,
        trust: &Trust,
        claimed: &Claimed<'_>,
        jws: &Jws,
        primitive: Option<Primitive>,
        now: NumericDate,
    ) -> Result<Accepted, Refusal> {
        let tenant = self.check_tenant(claimed, &jws.claims)?;
        self.check_signer(claimed, &jws.header)?;
        let key = match primitive {
            Some(primitive) => self.verify(trust, claimed, jws, primitive, now)?,
            None => None,
        };
        self.check_required_claims(&trust.policy, &jws.claims)?;
        self.check_times(&trust.policy, &jws.claims, now)?;
        self.check_audience(&trust.policy, claimed, &jws.claims)?;
        let mut sub = self.check_subject(claimed, &jws.claims)?;
        if self.flaw == Some(Flaw::SubjectFromUsername) {
            let names = ["preferred_username", "email"].iter().filter_map(|name| jws.claims.get(*name)?.as_str());
            sub = names.map(str::to_owned).next().or(sub);
        }
        Ok(Accepted { identity: Identity { iss: claimed.iss.clone(), sub, tenant, audience: None }, key })
    }

    fn worded(&self, trust: &Trust, refusal: Refusal) -> String {
        if self.flaw == Some(Flaw::PrintsSecret)
            && let Some(secret) = trust.policy.secret_octets().next()
        {
            let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
            return format!("{refusal} (key {hex})");
        }
        refusal.to_owned()
    }
}

/// What a token says of itself, believed as it stands.
fn identity_unverified(policy: &TrustPolicy, token: &Token) -> Identity {
    let claims = read::claims_unverified(token).unwrap_or_default();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let iss = text("iss");
    let issuer = iss.as_deref().and_then(|iss| policy.issuer_named(iss)).filter(|issuer| issuer.is_template());
    let tenant = issuer.and_then(|issuer| text(tenant_claim(issuer)));
    Identity { sub: text("sub"), tenant, iss, audience: None }
}
