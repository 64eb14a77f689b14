//! What stands at a URL: an issuer's discovery document or key set, or what the attacker puts there.

use crate::jose::{JwkSet, Material};
use crate::key::armoured;
use crate::policy::{TENANT_PLACE, TrustPolicy, tenant_in};
use crate::world::{
    Address, CONVERGED_JWKS, Calendar, EVERY_TENANT, JWKS, OPENID_CONFIGURATION, Publication, SERVER_METADATA, World,
    host_of,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Files of the attacker's in which everybody's public keys stand behind the attacker's own, or before them.
const OWN_FIRST: &str = "own-first.json";
const OWN_LAST: &str = "own-last.json";

/// What a host answers to a request for a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A document of an issuer.
    Issuer {
        /// The issuer's name.
        issuer: String,
        /// The document.
        body: Value,
    },
    /// The host is an issuer's, and has nothing there.
    Nothing,
    /// The host is nobody's: the attacker answers, with JSON, or with text that stands for itself.
    Attacker(Value),
}

/// What everybody publishes at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Published {
    issuers: Vec<Publisher>,
    converged: JwkSet,
    attackers: JwkSet,
    /// Certificates of those keys as PEM, by the thumbprint of the key.
    certificates: BTreeMap<String, String>,
    /// For how many seconds a document may be kept, where somebody says so.
    pub max_age: Option<u64>,
}

/// An issuer at its address.
#[derive(Clone, Debug, PartialEq)]
struct Publisher {
    name: String,
    address: Address,
    algorithms: Vec<String>,
    /// Ids of the tenants that a template is for; `None`: any.
    tenants: Option<Vec<String>>,
    keys: JwkSet,
    /// Whether the set in which the keys of several issuers stand is published here as well.
    converged: bool,
    /// A disabled issuer publishes nothing.
    disabled: bool,
}

/// The discovery document of an issuer (OpenID Connect Discovery 1.0 section 3), for one tenant of a template where its id is
/// given. `None` where the issuer's name is no URL.
#[must_use]
pub fn discovery(name: &str, algorithms: &[String], tenant: Option<&str>) -> Option<Value> {
    let address = Address::of(name)?;
    let issuer = tenant.map_or_else(|| name.to_owned(), |id| name.replace(TENANT_PLACE, id));
    Some(metadata(&issuer, &address.jwks_uri(), algorithms))
}

/// Metadata with every member that OpenID Connect Discovery 1.0 section 3 requires; the endpoints lead nowhere.
fn metadata(issuer: &str, jwks_uri: &str, algorithms: &[String]) -> Value {
    let base = jwks_uri.strip_suffix(JWKS).unwrap_or(jwks_uri);
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": jwks_uri,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
    })
}

impl Published {
    /// What the issuers of a world publish, given what has happened so far. A document may be kept for as long as the least
    /// patient of the world's relying parties keeps it. An issuer whose name is no URL has no place to publish at.
    #[must_use]
    pub fn of(world: &World, publication: &Publication, calendar: Calendar) -> Self {
        let issuers = world.issuers.iter().filter_map(|issuer| {
            let ids = issuer.tenants.iter().filter_map(|alias| Some(world.tenant(alias)?.id.clone()));
            Some(Publisher {
                name: issuer.name.clone(),
                address: issuer.address()?,
                algorithms: issuer.algorithms.clone(),
                tenants: Some(ids.collect()),
                keys: world.key_set(&issuer.alias, publication, calendar),
                converged: world.converged.contains(&issuer.alias),
                disabled: !publication.trusts(&issuer.alias),
            })
        });
        let own = world.keys.iter().filter(|key| key.owner.is_none());
        let public = own.filter(|key| !matches!(key.jwk.material, Material::Oct { .. }));
        let certified = public.clone().filter_map(|key| {
            let chain = key.certificates()?;
            Some((key.jwk.material.thumbprint(), chain.iter().map(|der| armoured("CERTIFICATE", der)).collect()))
        });
        Published {
            issuers: issuers.collect(),
            certificates: certified.collect(),
            converged: world.converged_set(publication, calendar),
            attackers: JwkSet::of(public.map(|key| world.published_jwk(key, None, calendar)).collect()),
            max_age: world.parties.iter().filter_map(|party| party.jwks_max_age).min(),
        }
    }

    /// The same, but whom a relying party trusts publishes what its policy lists, and that may be kept for as long as the
    /// policy says.
    #[must_use]
    pub fn as_told(mut self, policy: &TrustPolicy) -> Self {
        self.max_age = policy.jwks_max_age;
        for told in &policy.issuers {
            let Some(address) = Address::of(&told.issuer) else { continue };
            self.issuers.retain(|issuer| issuer.name != told.issuer && issuer.address != address);
            let algorithms = told.algorithms.clone().or_else(|| policy.algorithms.clone());
            self.issuers.push(Publisher {
                name: told.issuer.clone(),
                address,
                algorithms: algorithms.unwrap_or_default(),
                tenants: if told.is_template() { told.tenants.clone() } else { Some(Vec::new()) },
                keys: told.jwks.clone().unwrap_or_default(),
                converged: false,
                disabled: false,
            });
        }
        self
    }

    /// What the host of that authority answers to a request for that path. The query means nothing; a `{tenantid}` in the
    /// path may be percent-encoded. Of a literal issuer and a template at one address the literal one is meant.
    #[must_use]
    pub fn answer(&self, authority: &str, path: &str) -> Answer {
        let host = host_of(authority);
        let path = decoded(path.split(['?', '#']).next().unwrap_or_default());
        let mut here: Vec<&Publisher> = self.issuers.iter().filter(|issuer| issuer.address.host() == host).collect();
        if here.is_empty() {
            return Answer::Attacker(self.attackers_document(authority, &path));
        }
        here.sort_by_key(|issuer| issuer.tenants.as_ref().is_none_or(|tenants| !tenants.is_empty()));
        let found = here.into_iter().filter(|issuer| !issuer.disabled).find_map(|issuer| {
            let body = self.document_of(issuer, &path)?;
            Some(Answer::Issuer { issuer: issuer.name.clone(), body })
        });
        found.unwrap_or(Answer::Nothing)
    }

    fn document_of(&self, issuer: &Publisher, path: &str) -> Option<Value> {
        if let Some(whose) = before_path(path).or_else(|| path.strip_suffix(OPENID_CONFIGURATION)) {
            return discovery(&issuer.name, &issuer.algorithms, issuer.asked(whose)?.id());
        }
        let (whose, set) = match path.strip_suffix(JWKS) {
            Some(whose) => (whose, &issuer.keys),
            None => (path.strip_suffix(CONVERGED_JWKS).filter(|_| issuer.converged)?, &self.converged),
        };
        issuer.asked(whose)?;
        serde_json::to_value(set).ok()
    }

    /// The attacker answers every path: as an issuer that was asked for its metadata, with a certificate (RFC 7515 section
    /// 4.1.5), or with the attacker's keys; before or behind them stand everybody else's, where the file is named so.
    fn attackers_document(&self, authority: &str, path: &str) -> Value {
        let Some(own) = before_path(path).or_else(|| path.strip_suffix(OPENID_CONFIGURATION)) else {
            let file = path.rsplit('/').next().unwrap_or_default();
            if let Some(pem) = file.strip_suffix(".pem").and_then(|name| self.certificates.get(name)) {
                return Value::String(pem.clone());
            }
            let others = || self.issuers.iter().flat_map(|issuer| issuer.keys.keys.iter().cloned());
            let mut keys = self.attackers.keys.clone();
            match file {
                OWN_FIRST => keys.extend(others()),
                OWN_LAST => keys = others().chain(keys).collect(),
                _ => {}
            }
            return serde_json::to_value(JwkSet::of(keys)).unwrap_or_default();
        };
        let issuer = format!("https://{authority}{own}");
        let algorithms = ["RS256", "PS256", "ES256", "EdDSA"].map(String::from);
        metadata(&issuer, &format!("{issuer}{JWKS}"), &algorithms)
    }
}

/// The path that stands behind a well-known prefix.
fn before_path(path: &str) -> Option<&str> {
    [OPENID_CONFIGURATION, SERVER_METADATA].into_iter().find_map(|place| path.strip_prefix(place))
}

/// Braces are all that needs decoding in the paths of a world.
fn decoded(path: &str) -> String {
    path.replace("%7B", "{").replace("%7b", "{").replace("%7D", "}").replace("%7d", "}")
}

/// Whose documents a path asks for.
enum Whose<'p> {
    /// The issuer's; for a template those of every tenant.
    Issuer,
    /// One tenant's.
    Tenant(&'p str),
}

impl<'p> Whose<'p> {
    fn id(&self) -> Option<&'p str> {
        match self {
            Whose::Issuer => None,
            Whose::Tenant(id) => Some(id),
        }
    }
}

impl Publisher {
    fn asked<'p>(&self, path: &'p str) -> Option<Whose<'p>> {
        let own = &self.address.path;
        if path == own || path == own.replace(TENANT_PLACE, EVERY_TENANT) {
            return Some(Whose::Issuer);
        }
        let id = tenant_in(own, path)?;
        let known = self.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|tenant| tenant == id));
        known.then_some(Whose::Tenant(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::NumericDate;
    use crate::world::DEFAULT_SEED;
    use std::collections::BTreeSet;

    const NOW: Calendar = Calendar::At(NumericDate(1_790_000_000));

    fn at(world: &World, url: &str) -> Answer {
        let (authority, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        Published::of(world, &Publication::of(world), NOW).answer(authority, &format!("/{path}"))
    }

    fn body(answer: Answer) -> Value {
        match answer {
            Answer::Issuer { body, .. } | Answer::Attacker(body) => body,
            Answer::Nothing => panic!("nothing there"),
        }
    }

    #[test]
    fn every_issuer_of_every_shipped_world_is_found_by_discovery() {
        for name in World::shipped_names() {
            let world = World::shipped(name, DEFAULT_SEED).unwrap();
            for issuer in &world.issuers {
                let address = issuer.address().unwrap();
                let found = body(at(&world, &address.discovery_url()));
                assert_eq!(found["issuer"], issuer.name.as_str());
                let set: JwkSet =
                    serde_json::from_value(body(at(&world, found["jwks_uri"].as_str().unwrap()))).unwrap();
                assert_eq!(set, world.key_set(&issuer.alias, &Publication::of(&world), NOW), "{name} {}", issuer.alias);
                assert!(!set.keys.iter().any(|jwk| matches!(jwk.material, Material::Oct { .. })));
                let converged = at(&world, &address.converged_uri());
                assert_eq!(matches!(converged, Answer::Issuer { .. }), world.converged.contains(&issuer.alias));
            }
        }
    }

    #[test]
    fn a_tenant_has_a_discovery_document_of_its_own_and_a_stranger_has_none() {
        let world = World::shipped("storm-0558", DEFAULT_SEED).unwrap();
        let issuer = world.issuer("enterprise").unwrap();
        let contoso = world.tenant("contoso").unwrap();
        let own = world.issuer_name(issuer, Some(contoso));
        assert_eq!(body(at(&world, &format!("{own}{OPENID_CONFIGURATION}")))["issuer"], own.as_str());
        let template = issuer.name.replace('{', "%7B").replace('}', "%7d");
        assert_eq!(body(at(&world, &format!("{template}{OPENID_CONFIGURATION}")))["issuer"], issuer.name.as_str());
        // A tenant of the consumer issuer is none of this one's.
        let consumers = world.issuer_name(issuer, world.tenant("consumers"));
        assert_eq!(at(&world, &format!("{consumers}{OPENID_CONFIGURATION}")), Answer::Nothing);
    }

    #[test]
    fn authority_metadata_stands_before_the_path() {
        let world = World::shipped("multi-tenant", DEFAULT_SEED).unwrap();
        let address = world.issuer("vendor").unwrap().address().unwrap();
        let url = format!("https://{}{SERVER_METADATA}{}?x=1", address.authority, address.path);
        assert_eq!(body(at(&world, &url))["issuer"], world.issuer("vendor").unwrap().name.as_str());
    }

    #[test]
    fn a_host_that_is_nobodys_is_the_attackers() {
        let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
        let found = at(&world, "https://evil.example/a/.well-known/openid-configuration");
        let Answer::Attacker(found) = found else { panic!("{found:?}") };
        assert_eq!(found["issuer"], "https://evil.example/a");
        let set: JwkSet = serde_json::from_value(body(at(&world, found["jwks_uri"].as_str().unwrap()))).unwrap();
        let kids: BTreeSet<_> = set.keys.iter().map(|jwk| jwk.kid.clone().unwrap()).collect();
        let own =
            ["mallory-rsa", "mallory-ec", "mallory-ed"].map(|alias| world.key(alias).unwrap().jwk.kid.clone().unwrap());
        assert_eq!(kids, BTreeSet::from(own));
        assert_eq!(at(&world, "https://evil.example/x/y"), Answer::Attacker(serde_json::to_value(&set).unwrap()));
        let first_and_last = |file: &str| {
            let found = body(at(&world, &format!("https://evil.example/x/{file}")));
            let found: JwkSet = serde_json::from_value(found).unwrap();
            assert!(found.keys.len() > set.keys.len());
            [found.keys.first(), found.keys.last()].map(|jwk| set.keys.contains(jwk.unwrap()))
        };
        assert_eq!(first_and_last("own-first.json"), [true, false]);
        assert_eq!(first_and_last("own-last.json"), [false, true]);
        let key = world.key("mallory-ec").unwrap();
        let pem = body(at(&world, &format!("https://evil.example/x/{}.pem", key.jwk.material.thumbprint())));
        let (_, der) = x509_cert::der::pem::decode_vec(pem.as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(Some(vec![der]), key.certificates());
    }
}
