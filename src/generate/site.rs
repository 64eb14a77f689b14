//! Where a class can be tried: one relying party of a world, taking its keys from one source.

use crate::jose::{Jwk, Material, Primitive};
use crate::policy::KeySource;
use crate::scenario::{Act, Honest, Kid, Present, Scenario, SignWith, Span, Step};
use crate::world::{Issuer, Key, Party, PartyIssuer, Publication, World};

/// A relying party of a world and where its keys come from.
#[derive(Clone, Copy, Debug)]
pub struct Site<'w> {
    /// The world.
    pub world: &'w World,
    /// The relying party.
    pub party: &'w Party,
    /// Where its keys come from.
    pub key_source: KeySource,
}

impl<'w> Site<'w> {
    /// Every relying party of a world with each of its key sources, in the world's order.
    #[must_use]
    pub fn all(world: &'w World) -> Vec<Site<'w>> {
        let of_party =
            |party: &'w Party| party.key_sources.iter().map(move |&key_source| Site { world, party, key_source });
        world.parties.iter().flat_map(of_party).collect()
    }

    /// The issuers that the party trusts and for which somebody can sign an honest token here.
    pub(super) fn trusts(self) -> impl Iterator<Item = Trust<'w>> {
        self.party.issuers.iter().filter_map(move |terms| {
            let trust = Trust { site: self, issuer: self.world.issuer(&terms.alias)?, terms };
            (!trust.honest_keys().is_empty()).then_some(trust)
        })
    }

    /// The first of them, for classes where another issuer would show nothing new.
    pub(super) fn first(self) -> impl Iterator<Item = Trust<'w>> {
        self.trusts().take(1)
    }

    /// Those and, after them, the issuers of which only public keys are here: for attacks in which somebody else signs
    /// before anything needs the issuer's own signature.
    pub(super) fn claimable(self) -> impl Iterator<Item = Trust<'w>> {
        let public_only = self.party.issuers.iter().filter_map(move |terms| {
            let trust = Trust { site: self, issuer: self.world.issuer(&terms.alias)?, terms };
            (trust.honest_keys().is_empty() && !trust.claimed_keys().is_empty()).then_some(trust)
        });
        self.trusts().chain(public_only)
    }

    /// Algorithms that the party allows the issuer of that name; none where it does not trust it.
    pub(super) fn allowed(self, issuer: &str) -> &'w [String] {
        let trust = self.party.issuers.iter().find(|terms| terms.alias == issuer).and_then(|terms| {
            let issuer = self.world.issuer(issuer)?;
            Some(Trust { site: self, issuer, terms })
        });
        trust.map_or(&[], Trust::allowed)
    }

    /// Issuers of the world that the party does not trust.
    pub(super) fn strangers(self) -> impl Iterator<Item = &'w Issuer> {
        let trusted = |issuer: &&Issuer| self.party.issuers.iter().any(|terms| terms.alias == issuer.alias);
        self.world.issuers.iter().filter(move |issuer| !trusted(issuer))
    }

    /// Keys of the attacker, whom nobody trusts.
    pub(super) fn attacker_keys(self) -> impl Iterator<Item = &'w Key> {
        self.world.keys.iter().filter(|key| key.owner.is_none() && key.private.is_some())
    }

    /// Claims that this party requires and that this issuer's honest tokens lack: without them a token would be
    /// refused for less than what it is made for.
    pub(super) fn completion(self, issuer: &Issuer) -> Vec<Act> {
        let asks = self.party.required_claims.iter().flatten().any(|claim| claim == "tid");
        let tenant = self.trusts().find_map(|trust| trust.tenants().first().cloned());
        match tenant {
            Some(tenant) if asks && issuer.tenants.is_empty() => {
                vec![super::acts::set_claim("tid", crate::scenario::Value::Tenant(tenant))]
            }
            _ => Vec::new(),
        }
    }

    /// How long to wait until an earlier key set may no longer be used.
    pub(super) fn patience(self) -> Span {
        let seconds = self.party.jwks_max_age.map_or(600, |age| age.saturating_add(60));
        Span(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    pub(super) fn single(self, honest: Honest, acts: Vec<Act>) -> Scenario {
        Scenario::single(&self.world.name, self.key_source, &self.party.alias, honest, acts)
    }

    pub(super) fn steps(self, steps: Vec<Step>) -> Scenario {
        Scenario { world: self.world.name.clone(), key_source: self.key_source, steps }
    }

    pub(super) fn present(self, honest: Honest, acts: Vec<Act>) -> Step {
        Step::Present(Present { name: None, to: self.party.alias.clone(), honest, acts })
    }
}

/// One issuer that the party of a site trusts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust<'w> {
    pub(super) site: Site<'w>,
    pub(super) issuer: &'w Issuer,
    pub(super) terms: &'w PartyIssuer,
}

impl<'w> Trust<'w> {
    /// Algorithms that the party allows this issuer.
    pub(super) fn allowed(self) -> &'w [String] {
        self.terms.algorithms.as_ref().unwrap_or(&self.issuer.algorithms)
    }

    pub(super) fn allows(self, alg: Primitive) -> bool {
        self.allowed().iter().any(|name| name == alg.name())
    }

    /// The keys that the party is told for this issuer.
    fn told_keys(self) -> impl Iterator<Item = &'w Key> {
        let site = self.site;
        let told = move |key: &&Key| match site.key_source {
            KeySource::PerIssuer | KeySource::Fetched => key.published || self.terms.secrets.contains(&key.alias),
            KeySource::Converged => {
                key.published && key.names_issuer && site.world.converged.contains(&self.issuer.alias)
            }
        };
        site.world.keys_of(&self.issuer.alias).filter(told)
    }

    /// Those of them with private halves to sign with.
    pub(super) fn listed_keys(self) -> Vec<&'w Key> {
        self.told_keys().filter(|key| key.private.is_some()).collect()
    }

    /// Those of them that honest tokens are signed with.
    pub(super) fn honest_keys(self) -> Vec<&'w Key> {
        let listed = self.listed_keys();
        let of_party = self.site.world.honest_keys(self.site.party, self.terms);
        of_party.filter(|key| listed.iter().any(|one| one.alias == key.alias)).collect()
    }

    /// Keys that a token of this issuer may be said to be by: the honest ones, or where there is none those of which only
    /// the public half is here.
    pub(super) fn claimed_keys(self) -> Vec<&'w Key> {
        let honest = self.honest_keys();
        if !honest.is_empty() {
            return honest;
        }
        let told: Vec<_> = self.told_keys().collect();
        let serving = self.site.world.serving_keys(self.site.party, self.terms);
        serving.filter(|key| told.iter().any(|one| one.alias == key.alias)).collect()
    }

    /// Algorithms with which a token by this key of the issuer's own is in order.
    pub(super) fn algorithms_of(self, key: &Key) -> Vec<Primitive> {
        let listed_for = |alg: &Primitive| key.jwk.alg.as_deref().is_none_or(|name| name == alg.name());
        key.signs.iter().copied().filter(|&alg| self.allows(alg) && listed_for(&alg)).collect()
    }

    /// Tenants that the party admits, where the issuer has any.
    pub(super) fn tenants(self) -> &'w [String] {
        if self.issuer.tenants.is_empty() {
            return &[];
        }
        self.terms.tenants.as_ref().unwrap_or(&self.issuer.tenants)
    }

    /// Tenants of the issuer that the party does not admit.
    pub(super) fn other_tenants(self) -> impl Iterator<Item = &'w String> {
        self.issuer.tenants.iter().filter(move |tenant| !self.tenants().contains(tenant))
    }

    /// The shortest honest token: whatever is left out is chosen when it is forged.
    pub(super) fn honest(self) -> Honest {
        let Site { world, party, .. } = self.site;
        let first = self.claimed_keys().first().map(|key| key.alias.clone());
        let chosen = world.default_key(party, &self.issuer.alias, &Publication::of(world)).map(|key| key.alias.clone());
        let key = first.filter(|first| Some(first) != chosen.as_ref());
        Honest { issuer: self.issuer.alias.clone(), key, ..Honest::default() }
    }

    /// An honest token by this key of the issuer's own.
    pub(super) fn honest_by(self, key: &Key) -> Honest {
        let first = self.honest_keys().first().is_some_and(|first| first.alias == key.alias);
        let honest = self.honest();
        if first { honest } else { Honest { key: Some(key.alias.clone()), ..honest } }
    }

    /// A token of this issuer and what is done to it.
    pub(super) fn token(self, acts: Vec<Act>) -> Scenario {
        self.site.single(self.honest(), acts)
    }

    /// One token for each list of acts.
    pub(super) fn tokens(self, lists: impl IntoIterator<Item = Vec<Act>>) -> Vec<Scenario> {
        lists.into_iter().map(|acts| self.token(acts)).collect()
    }

    pub(super) fn present(self, acts: Vec<Act>) -> Step {
        self.site.present(self.honest(), acts)
    }

    /// Signs for this issuer with any key, by the first of the key's algorithms that the issuer is allowed, so that the
    /// algorithm is no reason to refuse where that can be.
    pub(super) fn sign_with(self, key: &Key, kid: Kid) -> Act {
        let first_allowed = key.signs.iter().position(|&alg| self.allows(alg));
        let alg = first_allowed.filter(|&index| index > 0).map(|index| key.signs[index].name().to_owned());
        Act::SignWith(SignWith { key: Some(key.alias.clone()), secret: None, alg, kid })
    }

    /// Whether the key can sign with an algorithm that this issuer is allowed.
    pub(super) fn can_use(self, key: &Key) -> bool {
        key.signs.iter().any(|&alg| self.allows(alg))
    }

    /// Whether the party is told this very key for this issuer, by whatever name.
    pub(super) fn lists(self, key: &Key) -> bool {
        self.told_keys().any(|told| told.jwk.material == key.jwk.material)
    }

    /// Published keys of another issuer which are not this issuer's too.
    pub(super) fn foreign_keys(self, owner: &'w Issuer) -> Vec<&'w Key> {
        let of_owner = self.site.world.keys_of(&owner.alias).filter(|key| key.published && key.private.is_some());
        of_owner.filter(|key| !self.lists(key)).collect()
    }

    /// The keys of another issuer that make the cleanest forgery: its honest ones with an algorithm that this issuer is
    /// allowed, else others with such an algorithm, else its first.
    pub(super) fn cleanest_keys(self, owner: &'w Issuer) -> Vec<&'w Key> {
        let keys: Vec<_> = self.foreign_keys(owner).into_iter().filter(|key| permits_signing(&key.jwk)).collect();
        let usable: Vec<_> = keys.iter().copied().filter(|key| self.can_use(key)).collect();
        let honest: Vec<_> = usable.iter().copied().filter(|key| key.honest).collect();
        match (honest.is_empty(), usable.is_empty()) {
            (false, _) => honest,
            (true, false) => usable,
            (true, true) => keys.into_iter().take(1).collect(),
        }
    }

    /// The other issuers that the party trusts.
    pub(super) fn others(self) -> impl Iterator<Item = Trust<'w>> {
        self.site.trusts().filter(move |other| other.issuer.alias != self.issuer.alias)
    }
}

/// Whether a JWK says nothing against verifying signatures with it (RFC 7517 sections 4.2 and 4.3).
pub(super) fn permits_signing(jwk: &Jwk) -> bool {
    jwk.key_use.as_deref().is_none_or(|key_use| key_use == "sig") && operations_permit(jwk)
}

/// Whether `key_ops`, where it is there, has `verify` (RFC 7517 section 4.3).
pub(super) fn operations_permit(jwk: &Jwk) -> bool {
    jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"))
}

pub(super) fn is_rsa(key: &Key) -> bool {
    matches!(key.jwk.material, Material::Rsa { .. })
}

pub(super) fn is_secret(key: &Key) -> bool {
    matches!(key.jwk.material, Material::Oct { .. })
}
