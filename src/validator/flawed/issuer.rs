//! Whom a token claims to be from, and for which of its tenants.

use super::names::claimed_loosely;
use super::read::Jws;
use super::trust::{Claimed, Trust, tenant_claim};
use super::{Flaw, Flawed, Refusal};
use crate::policy::{TENANT_PLACE, tenant_in};
use serde_json::{Map, Value};

impl Flawed {
    /// Whom the token claims to be from: exactly one trusted issuer, unless a flaw sees more in it.
    pub(super) fn claimed_issuers<'t>(&self, trust: &'t Trust, jws: &Jws) -> Result<Vec<Claimed<'t>>, Refusal> {
        let claims = &jws.claims;
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
