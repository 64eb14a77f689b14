//! What a relying party is told at the start, as far as it makes combinations alike: a validator knows its policy, the token
//! and the time, so what the policy does not name can be renamed, one for one, and nothing is another case than before.

use super::Signer;
use crate::generate::site::Site;
use crate::jose::Material;
use crate::policy::KeySource;
use crate::world::{Key, World};
use std::collections::BTreeSet;

/// Keys, their names and the tenants that stand in the first policy of a party.
pub(super) struct Told<'w> {
    pub(super) site: Site<'w>,
    keys: Vec<&'w Key>,
    kids: BTreeSet<&'w str>,
    tenants: BTreeSet<&'w str>,
}

impl<'w> Told<'w> {
    pub(super) fn at(site: Site<'w>) -> Self {
        let party = site.party;
        let shared = |key: &Key| party.issuers.iter().any(|terms| terms.secrets.contains(&key.alias));
        let listed = |key: &Key| match (&key.owner, site.key_source) {
            (None, _) => false,
            (Some(owner), KeySource::Converged) => key.published && site.world.converged.contains(owner),
            (Some(owner), KeySource::PerIssuer | KeySource::Fetched) => {
                key.published && party.issuers.iter().any(|terms| terms.alias == *owner)
            }
        };
        let keys: Vec<&Key> = site.world.keys.iter().filter(|key| listed(key) || shared(key)).collect();
        let kids = keys.iter().filter_map(|key| key.jwk.kid.as_deref()).collect();
        let tenants = party.issuers.iter().filter_map(|terms| terms.tenants.as_ref()).flatten();
        Told { site, keys, kids, tenants: tenants.map(String::as_str).collect() }
    }

    pub(super) fn trusts(&self, issuer: &str) -> bool {
        self.site.party.issuers.iter().any(|terms| terms.alias == issuer)
    }

    pub(super) fn names_kid(&self, kid: &str) -> bool {
        self.kids.contains(kid)
    }

    pub(super) fn names_tenant(&self, alias: &str) -> bool {
        self.tenants.contains(alias)
    }

    /// Why what a signer makes in an issuer's name is, but for names, what an earlier one makes; `None` where it is not.
    pub(super) fn alike(&self, signer: Signer, issuer: &str) -> Option<&'static str> {
        let Signer::Key(index) = signer else { return None };
        let key = &self.site.world.keys[index];
        let before = || self.site.world.keys[..index].iter();
        if self.site.key_source != KeySource::Converged && before().any(|other| self.told_alike(key, other)) {
            return Some("the party is told of two keys of one issuer that differ in nothing but their names");
        }
        let stranger = |key: &Key| self.is_stranger(key, issuer);
        if !self.trusts(issuer) && stranger(key) && before().any(|other| stranger(other) && are_of_a_kind(key, other)) {
            return Some(
                "the party is told neither of the issuer nor of two keys that differ in nothing but their names",
            );
        }
        None
    }

    /// Two keys of which the policy says the same, name and material left out.
    fn told_alike(&self, key: &Key, other: &Key) -> bool {
        let said = |key: &Key| {
            let mut jwk = key.jwk.clone();
            (jwk.kid, jwk.material) = (None, other.jwk.material.clone());
            jwk
        };
        let is_told = |key: &Key| self.keys.iter().any(|told| told.alias == key.alias);
        key.owner == other.owner
            && is_told(key) == is_told(other)
            && key.published == other.published
            && (key.not_before, key.not_after) == (other.not_before, other.not_after)
            && are_of_a_kind(key, other)
            && said(key) == said(other)
            && has_a_name_of_its_own(key, self.site.world)
            && has_a_name_of_its_own(other, self.site.world)
    }

    /// A key that the policy does not list and whose owner it does not name, and which is not the claimed issuer's own.
    fn is_stranger(&self, key: &Key, issuer: &str) -> bool {
        let named = key.jwk.kid.as_ref().is_some_and(|kid| self.kids.contains(kid.as_str()));
        !named
            && self.keys.iter().all(|told| told.jwk.material != key.jwk.material)
            && key.owner.as_ref().is_none_or(|owner| owner != issuer && !self.trusts(owner))
            && has_a_name_of_its_own(key, self.site.world)
    }
}

/// Whether it has a `kid`, and no other key of the world has it or is the same key.
fn has_a_name_of_its_own(key: &Key, world: &World) -> bool {
    let mut others = world.keys.iter().filter(|other| other.alias != key.alias);
    key.jwk.kid.is_some() && others.all(|other| other.jwk.kid != key.jwk.kid && other.jwk.material != key.jwk.material)
}

/// Whether one signs whatever the other signs.
fn are_of_a_kind(key: &Key, other: &Key) -> bool {
    let kind = |key: &Key| {
        let material = &key.jwk.material;
        let curve = match material {
            Material::Ec { crv, .. } | Material::Okp { crv, .. } => Some(crv.clone()),
            _ => None,
        };
        (material.kty(), curve, material.bits(), key.signs.first().copied(), key.private.is_some())
    };
    kind(key) == kind(other)
}
