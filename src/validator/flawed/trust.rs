//! The policy as the pipeline uses it, and what a flaw does not forget when it changes.

use super::Flaw;
use super::key::Key;
use crate::jose::{Jwk, JwkSet, Serialization};
use crate::policy::{KeySource, TENANT_PLACE, TrustPolicy, TrustedIssuer, tenant_in};
use std::sync::Arc;

/// The policy with its keys parsed.
pub(super) struct Trust {
    pub(super) policy: TrustPolicy,
    /// For each of the policy's issuers its own keys, in the same order.
    pub(super) own: Vec<Vec<Arc<Key>>>,
    pub(super) converged: Vec<Arc<Key>>,
}

/// The trusted issuer that a token claims to be from.
pub(super) struct Claimed<'t> {
    pub(super) issuer: &'t TrustedIssuer,
    pub(super) own: &'t [Arc<Key>],
    /// The trusted name: a template's with the tenant in its place.
    pub(super) name: String,
    /// What `iss` says, for the identity.
    pub(super) iss: Option<String>,
}

/// Why no validator of this kind can work under a policy.
pub(super) fn unsupported(policy: &TrustPolicy) -> Option<&'static str> {
    let other = |list: &Vec<Serialization>| list.iter().any(|one| *one != Serialization::Compact);
    if policy.key_source == KeySource::Fetched {
        Some("it fetches no keys")
    } else if policy.serializations.as_ref().is_some_and(other) {
        Some("only the compact serialization")
    } else {
        None
    }
}

impl Trust {
    pub(super) fn new(policy: TrustPolicy) -> Self {
        let key = |jwk: &Jwk| Arc::new(Key::new(jwk.clone()));
        // Secrets stand with their issuer under every key source: they are in no published set.
        let own = policy.issuers.iter().map(|issuer| issuer.own_keys().map(key).collect()).collect();
        let set = policy.converged_jwks.as_ref().filter(|_| policy.key_source == KeySource::Converged);
        let converged = set.into_iter().flat_map(|set| &set.keys).map(key).collect();
        Trust { policy, own, converged }
    }

    pub(super) fn claimed(&self, issuer: &TrustedIssuer, name: String, iss: Option<String>) -> Option<Claimed<'_>> {
        let mut issuers = self.policy.issuers.iter().zip(&self.own);
        let (issuer, own) = issuers.find(|(one, _)| one.issuer == issuer.issuer)?;
        Some(Claimed { issuer, own, name, iss })
    }

    /// What a map that is filled issuer by issuer has under a `kid`: every application with one cache of keys has it.
    pub(super) fn last_of(&self, kid: &str) -> Option<&Arc<Key>> {
        let mut all = self.own.iter().flatten().chain(&self.converged).rev();
        all.find(|key| key.jwk.kid.as_deref() == Some(kid))
    }

    pub(super) fn named(&self, name: &str) -> Option<Claimed<'_>> {
        self.claimed(self.policy.issuer_named(name)?, name.to_owned(), Some(name.to_owned()))
    }
}

/// Takes every key out of a set in which the flaw cannot read one.
pub(super) fn drop_unread(flaw: Option<Flaw>, policy: &mut TrustPolicy) {
    if flaw == Some(Flaw::OneBadKeyDropsAll) {
        let own = policy.issuers.iter_mut().flat_map(|issuer| &mut issuer.jwks);
        for set in own.chain(&mut policy.converged_jwks).filter(|set| !set.strays.is_empty()) {
            set.keys.clear();
        }
    }
}

/// Whatever the flaw does not forget when trust changes; without a flaw that is nothing.
pub(super) fn carry_over(flaw: Option<Flaw>, before: TrustPolicy, policy: &mut TrustPolicy) {
    if flaw == Some(Flaw::RefreshAppends) {
        for issuer in &mut policy.issuers {
            if let Some(old) = before.issuers.iter().find(|old| old.issuer == issuer.issuer) {
                append(&mut issuer.jwks, old.jwks.as_ref(), |_| true);
                append(&mut issuer.secrets, old.secrets.as_ref(), |_| true);
            }
        }
        append(&mut policy.converged_jwks, before.converged_jwks.as_ref(), |_| true);
    }
    if flaw == Some(Flaw::DisabledIssuerTrusted) {
        let listed = |name: &str| policy.issuers.iter().any(|issuer| issuer.issuer == name);
        let gone: Vec<_> = before.issuers.into_iter().filter(|issuer| !listed(&issuer.issuer)).collect();
        let theirs = |jwk: &Jwk| jwk.issuer.as_ref().is_some_and(|name| gone.iter().any(|one| one.issuer == *name));
        append(&mut policy.converged_jwks, before.converged_jwks.as_ref(), theirs);
        policy.issuers.extend(gone);
    }
}

/// Adds keys of an old set that the new one does not have.
fn append(set: &mut Option<JwkSet>, old: Option<&JwkSet>, which: impl Fn(&Jwk) -> bool) {
    for jwk in old.iter().flat_map(|old| &old.keys).filter(|jwk| which(jwk)) {
        let set = set.get_or_insert_default();
        if !set.keys.contains(jwk) {
            set.keys.push(jwk.clone());
        }
    }
}

pub(super) fn tenant_claim(issuer: &TrustedIssuer) -> &str {
    issuer.tenant_claim.as_deref().unwrap_or("tid")
}

/// The part of a name that is the trusted one, with a tenant where that is a template.
pub(super) fn name_within<'n>(trusted: &str, name: &'n str, anywhere: bool) -> Option<&'n str> {
    let (before, after) = trusted.split_once(TENANT_PLACE).map_or((trusted, None), |(b, a)| (b, Some(a)));
    let mut places = name.match_indices(before).map(|(place, _)| place).filter(|place| anywhere || *place == 0);
    places.find_map(|place| {
        let found = &name[place..];
        let Some(after) = after else {
            return Some(&found[..before.len()]);
        };
        let rest = &found[before.len()..];
        let tenant = if after.is_empty() { rest.find('/').unwrap_or(rest.len()) } else { rest.find(after)? };
        let found = &found[..before.len() + tenant + after.len()];
        tenant_in(trusted, found).map(|_| found)
    })
}
