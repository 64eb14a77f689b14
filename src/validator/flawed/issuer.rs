//! Whom a token claims to be from, and for which of its tenants.

use super::names::claimed_loosely;
use super::read::Jws;
use super::trust::{Claimed, Trust, tenant_claim};
use super::{Flaw, Flawed, Refusal};
use crate::jose::Jwk;
use crate::policy::{TENANT_PLACE, TrustedIssuer, tenant_in};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::sync::LazyLock;

impl Flawed {
    /// Whom the token claims to be from: exactly one trusted issuer, unless a flaw sees more in it.
    pub(super) fn claimed_issuers<'t>(&self, trust: &'t Trust, jws: &Jws) -> Result<Vec<Claimed<'t>>, Refusal> {
        let claims = &jws.claims;
        if let Some(claimed) = self.claimed_without_lookup(trust, jws) {
            return Ok(claimed);
        }
        let repeated = jws.header.get("iss").filter(|_| self.flaw == Some(Flaw::IssuerFromHeader));
        match repeated.or_else(|| claims.get("iss")) {
            Some(Value::String(iss)) if self.flaw == Some(Flaw::IssuerByKey) && trust.named(iss).is_none() => {
                Ok(claimed_by_anybody(trust, claims, Some(iss)))
            }
            Some(Value::String(iss)) => {
                let claimed = trust.named(iss).or_else(|| claimed_loosely(self.flaw, trust, iss, claims));
                assert!(
                    claimed.is_some() || self.flaw != Some(Flaw::PanicsOnUnknownIssuer),
                    "an issuer that is not in the table"
                );
                Ok(vec![claimed.ok_or("the issuer is not trusted")?])
            }
            Some(Value::Array(names)) if self.flaw == Some(Flaw::IssuerArray) => {
                let claimed = names.iter().filter_map(Value::as_str).find_map(|name| trust.named(name));
                Ok(vec![claimed.ok_or("no issuer of the list is trusted")?])
            }
            None if self.flaw == Some(Flaw::MissingIssuerAllowed) => Ok(claimed_by_anybody(trust, claims, None)),
            None => Err("no iss"),
            Some(_) => Err("iss is not text"),
        }
    }

    /// Whom the flaw takes the token to be from without looking `iss` up among the trusted names.
    fn claimed_without_lookup<'t>(&self, trust: &'t Trust, jws: &Jws) -> Option<Vec<Claimed<'t>>> {
        let claims = &jws.claims;
        let iss = claims.get("iss").and_then(Value::as_str);
        match self.flaw? {
            Flaw::IssuerIgnored => Some(claimed_by_anybody(trust, claims, iss)),
            Flaw::OwnNameTrusted => {
                let is_ours = trust.policy.audiences.iter().flatten().any(|own| Some(own.as_str()) == iss);
                is_ours.then(|| claimed_by_anybody(trust, claims, iss))
            }
            Flaw::SelfIssuedTrusted => key_of_the_subject(claims).map(|_| vec![without_terms(iss)]),
            Flaw::PrototypeNames if iss.is_some_and(is_in_every_object) => Some(vec![without_terms(iss)]),
            Flaw::EmptyIssuerMatchesMissing if !claims.contains_key("iss") => Some(vec![trust.named("")?]),
            Flaw::KeyIssuerByKid => {
                trust.named(iss?)?;
                let owners = claimed_by_anybody(trust, claims, iss).into_iter();
                let owners: Vec<_> = owners.filter(|owner| has_key_named(trust, owner, jws.kid())).collect();
                (!owners.is_empty()).then_some(owners)
            }
            _ => None,
        }
    }

    pub(super) fn check_tenant(
        &self,
        claimed: &Claimed<'_>,
        claims: &Map<String, Value>,
    ) -> Result<Option<String>, Refusal> {
        if !claimed.issuer.is_template() {
            return Ok(None);
        }
        let tenant = claims.get(tenant_claim(claimed.issuer)).and_then(Value::as_str).ok_or("no tenant claim")?;
        let named = tenant_in(&claimed.issuer.issuer, &claimed.name);
        let same = |one: &str| match self.flaw {
            Some(Flaw::TenantCaseFolded) => one.eq_ignore_ascii_case(tenant),
            _ => one == tenant,
        };
        if !named.is_some_and(same) && self.flaw != Some(Flaw::TenantMismatchIgnored) {
            return Err("the tenant claim is not the tenant of the issuer");
        }
        let admitted = claimed.issuer.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|one| same(one)));
        if !admitted && self.flaw != Some(Flaw::TenantAllowListIgnored) {
            return Err("the tenant is not admitted");
        }
        Ok(Some(tenant.to_owned()))
    }
}

/// Every trusted issuer, for flaws that let the key decide whose token it is.
fn claimed_by_anybody<'t>(trust: &'t Trust, claims: &Map<String, Value>, iss: Option<&str>) -> Vec<Claimed<'t>> {
    let claimed = trust.policy.issuers.iter().filter_map(|issuer| {
        let tenant = claims.get(tenant_claim(issuer)).and_then(Value::as_str).unwrap_or_default();
        trust.claimed(issuer, issuer.issuer.replace(TENANT_PLACE, tenant), iss.map(str::to_owned))
    });
    claimed.collect()
}

/// Whether one of the issuer's keys has this name.
fn has_key_named(trust: &Trust, issuer: &Claimed<'_>, kid: Option<&str>) -> bool {
    let owner = Some(&issuer.issuer.issuer);
    let converged = trust.converged.iter().filter(|key| key.jwk.issuer.as_ref() == owner);
    kid.is_some() && issuer.own.iter().chain(converged).any(|key| key.jwk.kid.as_deref() == kid)
}

/// An issuer of whom nothing is said: no terms, and no keys.
fn without_terms(iss: Option<&str>) -> Claimed<'static> {
    static NOTHING: LazyLock<TrustedIssuer> = LazyLock::new(TrustedIssuer::default);
    Claimed { issuer: &NOTHING, own: &[], name: iss.unwrap_or_default().to_owned(), iss: iss.map(str::to_owned) }
}

/// The key of whoever is their own issuer (OpenID Connect Core 1.0 section 7): `sub` is its thumbprint, and `iss` is that
/// too or the name that all of them have.
pub(super) fn key_of_the_subject(claims: &Map<String, Value>) -> Option<Jwk> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let jwk = Jwk::deserialize(claims.get("sub_jwk")?).ok()?;
    let sub = text("sub").filter(|sub| *sub == jwk.material.thumbprint())?;
    let iss = text("iss")?;
    (iss == sub || iss == "https://self-issued.me").then_some(jwk)
}

/// Names under which every object has something in languages where it inherits from another.
pub(super) fn is_in_every_object(name: &str) -> bool {
    matches!(name, "__proto__" | "constructor" | "toString" | "valueOf" | "hasOwnProperty")
}
