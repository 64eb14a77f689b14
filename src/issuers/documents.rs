//! What stands at a URL of a world: an issuer's discovery document or key set, or what the attacker puts there.

use crate::jose::{JwkSet, Material};
use crate::policy::{TENANT_PLACE, tenant_in};
use crate::world::{
    CONVERGED_JWKS, Calendar, EVERY_TENANT, Issuer, JWKS, OPENID_CONFIGURATION, Publication, SERVER_METADATA, World,
    host_of,
};
use serde_json::{Value, json};

/// What a host answers to a request for a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A document of an issuer.
    Issuer {
        /// The issuer's alias.
        alias: String,
        /// The document.
        body: Value,
    },
    /// The host is an issuer's, and has nothing there.
    Nothing,
    /// The host is nobody's in this world: the attacker answers.
    Attacker(Value),
}

/// The discovery document of an issuer (OpenID Connect Discovery 1.0 section 3), for one tenant where its id is given.
/// `None` where the issuer's name is no URL.
#[must_use]
pub fn discovery(issuer: &Issuer, tenant: Option<&str>) -> Option<Value> {
    let address = issuer.address()?;
    let name = tenant.map_or_else(|| issuer.name.clone(), |id| issuer.name.replace(TENANT_PLACE, id));
    let base = address.jwks_uri();
    let base = base.strip_suffix(JWKS).unwrap_or(&base);
    Some(json!({
        "issuer": name,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": address.jwks_uri(),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": issuer.algorithms,
    }))
}

/// The keys of the attacker that can be published.
#[must_use]
pub fn attackers_set(world: &World, calendar: Calendar) -> JwkSet {
    let own = world.keys.iter().filter(|key| key.owner.is_none());
    let public = own.filter(|key| !matches!(key.jwk.material, Material::Oct { .. }));
    JwkSet::of(public.map(|key| world.published_jwk(key, None, calendar)).collect())
}

/// What the host of that authority answers to a request for that path, given what has happened so far. The query means
/// nothing; a `{tenantid}` in the path may be percent-encoded.
#[must_use]
pub fn answer(world: &World, publication: &Publication, calendar: Calendar, authority: &str, path: &str) -> Answer {
    let host = host_of(authority);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = decoded(path);
    let at_home = |issuer: &&Issuer| issuer.address().is_some_and(|address| address.host() == host);
    let mut here: Vec<&Issuer> = world.issuers.iter().filter(at_home).collect();
    if here.is_empty() {
        return Answer::Attacker(attackers_document(world, calendar, authority, &path));
    }
    // A name as it stands wins over a template that fits as well.
    here.sort_by_key(|issuer| issuer.name.contains(TENANT_PLACE));
    here.into_iter()
        .find_map(|issuer| {
            let body = document_of(world, publication, calendar, issuer, &path)?;
            Some(Answer::Issuer { alias: issuer.alias.clone(), body })
        })
        .unwrap_or(Answer::Nothing)
}

/// Braces are all that needs decoding in the paths of a world.
fn decoded(path: &str) -> String {
    ["%7B", "%7b"]
        .iter()
        .fold(path.to_owned(), |path, open| path.replace(open, "{"))
        .replace("%7D", "}")
        .replace("%7d", "}")
}

fn document_of(
    world: &World,
    publication: &Publication,
    calendar: Calendar,
    issuer: &Issuer,
    path: &str,
) -> Option<Value> {
    let own = issuer.address()?.path;
    let before = [OPENID_CONFIGURATION, SERVER_METADATA].into_iter().find_map(|place| path.strip_prefix(place));
    if let Some(whose) = before.or_else(|| path.strip_suffix(OPENID_CONFIGURATION)) {
        return discovery(issuer, Whose::of(world, issuer, &own, whose)?.id());
    }
    if let Some(whose) = path.strip_suffix(JWKS) {
        Whose::of(world, issuer, &own, whose)?;
        return serde_json::to_value(world.key_set(&issuer.alias, publication, calendar)).ok();
    }
    let whose = path.strip_suffix(CONVERGED_JWKS).filter(|_| world.converged.contains(&issuer.alias))?;
    Whose::of(world, issuer, &own, whose)?;
    serde_json::to_value(world.converged_set(publication, calendar)).ok()
}

/// Whose documents a path asks for.
enum Whose<'w> {
    /// The issuer's; for a template those of every tenant.
    Issuer,
    /// One tenant's.
    Tenant(&'w str),
}

impl<'w> Whose<'w> {
    fn of(world: &'w World, issuer: &Issuer, own: &str, path: &str) -> Option<Self> {
        let everybody = own.replace(TENANT_PLACE, EVERY_TENANT);
        if path == own || path == everybody {
            return Some(Whose::Issuer);
        }
        let id = tenant_in(own, path)?;
        let tenants = issuer.tenants.iter().filter_map(|alias| world.tenant(alias));
        tenants.map(|tenant| tenant.id.as_str()).find(|known| *known == id).map(Whose::Tenant)
    }

    fn id(&self) -> Option<&'w str> {
        match self {
            Whose::Issuer => None,
            Whose::Tenant(id) => Some(id),
        }
    }
}

/// The attacker answers every path: as an issuer that was asked for its metadata, or with the attacker's keys.
fn attackers_document(world: &World, calendar: Calendar, authority: &str, path: &str) -> Value {
    let before = [OPENID_CONFIGURATION, SERVER_METADATA].into_iter().find_map(|place| path.strip_prefix(place));
    let own = before.or_else(|| path.strip_suffix(OPENID_CONFIGURATION));
    let Some(own) = own else {
        return serde_json::to_value(attackers_set(world, calendar)).unwrap_or_default();
    };
    let issuer = format!("https://{authority}{own}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}{JWKS}"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
    })
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
        answer(world, &Publication::of(world), NOW, authority, &format!("/{path}"))
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
        assert_eq!(at(&world, "https://evil.example/x/y"), Answer::Attacker(serde_json::to_value(set).unwrap()));
    }
}
