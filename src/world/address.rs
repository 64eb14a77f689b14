//! Where an issuer publishes: discovery documents and JWK Sets by the issuer's name.

use super::{Calendar, Issuer, Publication, World};
use crate::jose::JwkSet;
use crate::policy::TENANT_PLACE;

/// What stands in the place of the tenant in URLs that serve every tenant, as Microsoft Entra has it.
pub const EVERY_TENANT: &str = "common";

/// The path of a discovery document below an issuer (OpenID Connect Discovery 1.0 section 4).
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// The path of authorization server metadata, which stands before an issuer's path (RFC 8414 section 3.1).
pub const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
/// The path of an issuer's JWK Set below the issuer.
pub const JWKS: &str = "/.well-known/jwks.json";
/// The path of the set in which the keys of several issuers stand together, below each of these issuers.
pub const CONVERGED_JWKS: &str = "/.well-known/converged-jwks.json";

/// Where an issuer publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `https` or `http`.
    pub scheme: String,
    /// Host and port as the name has them.
    pub authority: String,
    /// The path without a slash at its end; `{tenantid}` may stand in it.
    pub path: String,
}

impl Address {
    /// The address in an issuer's name; `None` where the name is no URL with a host, or has a query or a fragment, which
    /// OpenID Connect Discovery 1.0 section 3 forbids.
    #[must_use]
    pub fn of(name: &str) -> Option<Address> {
        let (scheme, rest) = name.split_once("://")?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let good = matches!(scheme, "https" | "http")
            && !authority.is_empty()
            && authority.chars().all(plain)
            && !path.contains(|c: char| "?#\\".contains(c) || c.is_ascii_control() || c == ' ');
        good.then(|| Address {
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// The host in lower case, without the port.
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.authority)
    }

    /// Where the discovery document of the issuer is; for a template the one of every tenant.
    #[must_use]
    pub fn discovery_url(&self) -> String {
        self.below(OPENID_CONFIGURATION)
    }

    /// Where the issuer's JWK Set is; the tenants of a template share it.
    #[must_use]
    pub fn jwks_uri(&self) -> String {
        self.below(JWKS)
    }

    /// Where the set is in which the issuer's keys stand beside others'.
    #[must_use]
    pub fn converged_uri(&self) -> String {
        self.below(CONVERGED_JWKS)
    }

    fn below(&self, what: &str) -> String {
        let path = self.path.replace(TENANT_PLACE, EVERY_TENANT);
        format!("{}://{}{path}{what}", self.scheme, self.authority)
    }
}

/// The host in an authority, in lower case and without the port.
#[must_use]
pub fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

impl Issuer {
    /// Where it publishes; `None` where its name is no URL.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        Address::of(&self.name)
    }
}

impl World {
    /// The keys that an issuer lists at that time; none of them is a secret.
    #[must_use]
    pub fn key_set(&self, issuer: &str, publication: &Publication, calendar: Calendar) -> JwkSet {
        let keys = publication.listed(issuer).iter();
        let jwk = |(alias, kid): &(String, Option<String>)| {
            Some(self.published_jwk(self.key(alias)?, kid.as_deref(), calendar))
        };
        JwkSet::of(keys.filter_map(jwk).collect())
    }

    /// The keys of the issuers whose keys stand together, each with the name of its issuer where it has one.
    #[must_use]
    pub fn converged_set(&self, publication: &Publication, calendar: Calendar) -> JwkSet {
        let keys = self.converged.iter().flat_map(|issuer| {
            let name = self.issuer(issuer).map(|issuer| issuer.name.clone());
            publication.listed(issuer).iter().filter_map(move |(alias, kid)| {
                let key = self.key(alias)?;
                let mut jwk = self.published_jwk(key, kid.as_deref(), calendar);
                jwk.issuer = name.clone().filter(|_| key.names_issuer);
                if let Some(member) = &key.issuer_member {
                    jwk.set_issuer_member(member.clone());
                }
                Some(jwk)
            })
        });
        JwkSet::of(keys.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_of_an_issuer_are_found_by_its_name() {
        let plain = Address::of("https://a.example").unwrap();
        assert_eq!(plain.discovery_url(), "https://a.example/.well-known/openid-configuration");
        assert_eq!(plain.jwks_uri(), "https://a.example/.well-known/jwks.json");
        let template = Address::of("https://Login.example:8443/{tenantid}/v2.0/").unwrap();
        assert_eq!(template.discovery_url(), "https://Login.example:8443/common/v2.0/.well-known/openid-configuration");
        assert_eq!(template.host(), "login.example");
        assert_eq!(host_of("[::1]:80"), "[::1]");
        assert_eq!(host_of("[::1]"), "[::1]");
    }

    #[test]
    fn a_name_that_is_no_url_has_no_address() {
        for name in
            ["accounts", "urn:a", "https://", "ftp://a.example", "https://a@b.example", "https://a/?q", "https://a/#f"]
        {
            assert_eq!(Address::of(name), None, "{name}");
        }
    }
}
