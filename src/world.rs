//! Everybody who exists: issuers, tenants, keys with owner and lifetime, relying parties, and an attacker whom nobody trusts.
//!
//! A world is a TOML file. Readable names are aliases; hosts, `kid`s, tenant ids and subjects derive from the world's seed,
//! so that no name gives away to a validator what is being tried. What a relying party is told follows from the world, from
//! what has happened so far ([`Publication`]) and from the time ([`Calendar`]).

mod address;
mod calendar;
mod configuration;
mod file;
mod publication;

pub use address::{Address, CONVERGED_JWKS, EVERY_TENANT, JWKS, OPENID_CONFIGURATION, SERVER_METADATA, host_of};
pub use calendar::Calendar;
pub(crate) use configuration::can_be_spoiled;
pub use file::Naming;
pub use publication::Publication;

use crate::jose::{Jwk, JwkSet, Primitive, Serialization};
use crate::key::{Memo, PrivateKey, derive_octets};
use crate::policy::{KeySource, Replay, TENANT_PLACE, TrustPolicy, TrustedIssuer};
use crate::scenario::Span;
use std::sync::Arc;

/// A world: plain data, made once and shared.
#[derive(Debug)]
pub struct World {
    /// Its name.
    pub name: String,
    /// What it models, in a sentence or two.
    pub about: String,
    /// Names and derived keys follow from it.
    pub seed: u64,
    /// Who issues tokens.
    pub issuers: Vec<Issuer>,
    /// Customers of multi-tenant issuers.
    pub tenants: Vec<Tenant>,
    /// Named subjects.
    pub subjects: Vec<Subject>,
    /// All keys.
    pub keys: Vec<Key>,
    /// Who judges tokens.
    pub parties: Vec<Party>,
    /// Issuers whose keys stand together in one set; empty where the world has no such set.
    pub converged: Vec<String>,
    /// A digest of the file and the seed, in hex.
    pub digest: String,
    /// Costly signatures already made.
    pub memo: Memo,
}

/// Who issues tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its alias.
    pub alias: String,
    /// The value of `iss`, or a template with `{tenantid}`.
    pub name: String,
    /// Aliases of its tenants, where the name is a template.
    pub tenants: Vec<String>,
    /// Algorithms that relying parties allow it.
    pub algorithms: Vec<String>,
    /// The name of its share in a signing key that several use.
    pub signer: String,
}

/// A customer of a multi-tenant issuer.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its alias.
    pub alias: String,
    /// Its id, as in `tid`.
    pub id: String,
}

/// Somebody with a fixed name.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The alias.
    pub alias: String,
    /// The name, as in `sub`.
    pub id: String,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its alias.
    pub alias: String,
    /// Whose it is; `None`: the attacker's.
    pub owner: Option<String>,
    /// As it is published, without the members that depend on the time.
    pub jwk: Jwk,
    /// With which algorithms its owner signs; the first is its own.
    pub signs: Vec<Primitive>,
    /// Whether it is listed from the start.
    pub published: bool,
    /// Whether its owner uses it for honest tokens.
    pub honest: bool,
    /// Start of its lifetime, from now.
    pub not_before: Option<Span>,
    /// End of its lifetime, from now.
    pub not_after: Option<Span>,
    /// Whether the converged set names its issuer.
    pub names_issuer: bool,
    /// What the converged set has for the issuer's name instead.
    pub issuer_member: Option<serde_json::Value>,
    /// The private half, where we have it.
    pub private: Option<PrivateKey>,
}

impl Key {
    /// Its certificates in DER: those that it is published with, else one that it signs for itself where it can. `None` for a
    /// secret, and where there is neither.
    #[must_use]
    pub fn certificates(&self) -> Option<Vec<Vec<u8>>> {
        if !self.jwk.x5c.is_empty() {
            return Some(self.jwk.x5c.clone());
        }
        Some(vec![self.private.as_ref()?.certificate()?.to_vec()])
    }
}

/// A relying party.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its alias.
    pub alias: String,
    /// Its names in `aud`.
    pub audiences: Vec<String>,
    /// Algorithms of all its issuers together, where it is told them beside each issuer's own.
    pub algorithms: Option<Vec<String>>,
    /// Whom it trusts.
    pub issuers: Vec<PartyIssuer>,
    /// Permitted `typ` values.
    pub token_types: Option<Vec<String>>,
    /// Claims it requires.
    pub required_claims: Option<Vec<String>>,
    /// Its leeway in seconds.
    pub leeway: Option<u64>,
    /// Extensions it understands.
    pub crit_understood: Option<Vec<String>>,
    /// The cloud it lives in.
    pub cloud_instance: Option<String>,
    /// For how long it may use an earlier key set, in seconds.
    pub jwks_max_age: Option<u64>,
    /// Whether a key's lifetime binds it.
    pub enforce_key_lifetime: Option<bool>,
    /// What it does with a token seen before.
    pub replay: Option<Replay>,
    /// Where its keys may come from.
    pub key_sources: Vec<KeySource>,
}

/// A relying party's trust in one issuer.
#[derive(Clone, Debug, Default)]
pub struct PartyIssuer {
    /// The issuer's alias.
    pub alias: String,
    /// Admitted tenants; `None`: any.
    pub tenants: Option<Vec<String>>,
    /// Admitted subjects; `None`: any.
    pub subjects: Option<Vec<String>>,
    /// The signer that the header must name.
    pub signer: Option<String>,
    /// Keys that are secrets of this party and the issuer.
    pub secrets: Vec<String>,
    /// Algorithms, where they are fewer than the issuer's.
    pub algorithms: Option<Vec<String>>,
    /// Audiences that the issuer may address, where they are fewer than the party's.
    pub audiences: Option<Vec<String>>,
}

impl Party {
    /// What the party is called in the `aud` of an issuer that it trusts on these terms; `None` where it has no name.
    #[must_use]
    pub fn audience_for<'p>(&'p self, trust: Option<&'p PartyIssuer>) -> Option<&'p str> {
        let own = trust.and_then(|trust| trust.audiences.as_ref());
        own.unwrap_or(&self.audiences).first().map(String::as_str)
    }
}

/// The worlds inside the binary, in the order in which they are used.
const SHIPPED: [(&str, &str); 8] = [
    ("storm-0558", include_str!("world/storm-0558.toml")),
    ("two-issuers", include_str!("world/two-issuers.toml")),
    ("multi-tenant", include_str!("world/multi-tenant.toml")),
    ("kid-collision", include_str!("world/kid-collision.toml")),
    ("rotation", include_str!("world/rotation.toml")),
    ("shared-signer", include_str!("world/shared-signer.toml")),
    ("symmetric", include_str!("world/symmetric.toml")),
    ("all-algorithms", include_str!("world/all-algorithms.toml")),
];

/// The seed of names and derived keys unless another is given.
pub const DEFAULT_SEED: u64 = 558;

impl World {
    /// Names of the shipped worlds, in order.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|row| row.0)
    }

    /// A shipped world, or `None` where there is none of that name.
    ///
    /// # Panics
    /// Never: a test reads every shipped world.
    #[must_use]
    pub fn shipped(name: &str, seed: u64) -> Option<Arc<World>> {
        World::shipped_named(name, &Naming::by(seed))
    }

    /// The same with other names.
    ///
    /// # Panics
    /// Never, as [`World::shipped`].
    #[must_use]
    pub fn shipped_named(name: &str, naming: &Naming) -> Option<Arc<World>> {
        let text = SHIPPED.iter().find(|row| row.0 == name)?.1;
        Some(Arc::new(World::read(text, name, None, naming).unwrap_or_else(|error| panic!("{error}"))))
    }

    /// The issuer of that alias.
    #[must_use]
    pub fn issuer(&self, alias: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.alias == alias)
    }

    /// The tenant of that alias.
    #[must_use]
    pub fn tenant(&self, alias: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.alias == alias)
    }

    /// The subject of that alias.
    #[must_use]
    pub fn subject(&self, alias: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.alias == alias)
    }

    /// The key of that alias.
    #[must_use]
    pub fn key(&self, alias: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.alias == alias)
    }

    /// The relying party of that alias.
    #[must_use]
    pub fn party(&self, alias: &str) -> Option<&Party> {
        self.parties.iter().find(|party| party.alias == alias)
    }

    /// Keys of that owner.
    pub fn keys_of<'w>(&'w self, owner: &'w str) -> impl Iterator<Item = &'w Key> {
        self.keys.iter().filter(move |key| key.owner.as_deref() == Some(owner))
    }

    /// The keys that somebody could sign an honest token of this issuer for this party with: owned by it, listed (or a
    /// secret shared with the party), fit for signing, within their lifetime, with an algorithm that the party allows.
    pub fn honest_keys<'w>(&'w self, party: &'w Party, trust: &'w PartyIssuer) -> impl Iterator<Item = &'w Key> {
        self.serving_keys(party, trust).filter(|key| key.private.is_some())
    }

    /// The same, whether we have the private half or not: where we have not, only somebody else can sign for the issuer.
    pub fn serving_keys<'w>(&'w self, party: &'w Party, trust: &'w PartyIssuer) -> impl Iterator<Item = &'w Key> {
        let allowed = trust.algorithms.as_ref().or(self.issuer(&trust.alias).map(|issuer| &issuer.algorithms));
        self.keys_of(&trust.alias).filter(move |key| {
            let listed = key.published || trust.secrets.contains(&key.alias);
            let in_cloud = match (&party.cloud_instance, &key.jwk.cloud_instance_name) {
                (Some(party), Some(key)) => party == key,
                _ => true,
            };
            let signs =
                key.signs.iter().any(|alg| allowed.is_none_or(|list| list.iter().any(|name| name == alg.name())));
            key.honest && listed && in_cloud && signs
        })
    }

    /// The key that a token of this issuer for this party is by unless something else is said: the issuer's first that is
    /// in service, else any to sign with, else one in service of which only the public half is here.
    #[must_use]
    pub fn default_key<'w>(&'w self, party: &'w Party, issuer: &'w str, publication: &Publication) -> Option<&'w Key> {
        let trust = party.issuers.iter().find(|trust| trust.alias == issuer);
        let listed = publication.listed(issuer);
        let in_service = |key: &&Key| {
            let secret = trust.is_some_and(|trust| trust.secrets.contains(&key.alias));
            secret || listed.iter().any(|(alias, _)| *alias == key.alias)
        };
        trust
            .and_then(|trust| self.honest_keys(party, trust).find(in_service))
            .or_else(|| self.keys_of(issuer).find(|key| key.honest && key.private.is_some()))
            .or_else(|| trust.and_then(|trust| self.serving_keys(party, trust).find(in_service)))
    }

    /// The name in the header member `signer` for the issuer of that alias, or the one that the party of that alias asks for.
    #[must_use]
    pub fn signer(&self, alias: &str) -> Option<&str> {
        let asked = || self.party(alias)?.issuers.iter().find_map(|trust| trust.signer.as_deref());
        self.issuer(alias).map(|issuer| issuer.signer.as_str()).or_else(asked)
    }

    /// An issuer's name with the tenant in its place.
    #[must_use]
    pub fn issuer_name(&self, issuer: &Issuer, tenant: Option<&Tenant>) -> String {
        match tenant {
            Some(tenant) => issuer.name.replace(TENANT_PLACE, &tenant.id),
            None => issuer.name.clone(),
        }
    }

    /// A key as it is published at that time, with the `kid` it then has.
    #[must_use]
    pub fn published_jwk(&self, key: &Key, kid: Option<&str>, calendar: Calendar) -> Jwk {
        let mut jwk = key.jwk.clone();
        if let Some(kid) = kid {
            jwk.kid = Some(kid.to_owned());
        }
        jwk.nbf = key.not_before.map(|span| calendar.at(span));
        jwk.exp = key.not_after.map(|span| calendar.at(span));
        jwk
    }

    /// Lets every relying party that can do so fetch its keys too: one with a set for each issuer, each published at a place of
    /// its own, and without secrets, which nobody can fetch.
    pub fn let_fetch(&mut self) {
        let names: Vec<(String, Option<Address>)> =
            self.issuers.iter().map(|issuer| (issuer.alias.clone(), issuer.address())).collect();
        for party in &mut self.parties {
            let places: Option<Vec<&Address>> = party
                .issuers
                .iter()
                .filter(|trust| trust.secrets.is_empty())
                .map(|trust| names.iter().find(|(alias, _)| *alias == trust.alias)?.1.as_ref())
                .collect();
            let apart = places.is_some_and(|places| {
                places.len() == party.issuers.len()
                    && places.iter().enumerate().all(|(index, place)| !places[..index].contains(place))
            });
            let sources = &mut party.key_sources;
            if apart && sources.contains(&KeySource::PerIssuer) && !sources.contains(&KeySource::Fetched) {
                sources.push(KeySource::Fetched);
            }
        }
    }

    /// What a relying party is told, given what has happened so far. With key source `fetched` the sets are those that its
    /// issuers publish.
    #[must_use]
    pub fn policy(
        &self,
        party: &Party,
        source: KeySource,
        publication: &Publication,
        calendar: Calendar,
    ) -> TrustPolicy {
        let issuers = party.issuers.iter().filter(|trust| publication.trusts(&trust.alias)).filter_map(|trust| {
            let issuer = self.issuer(&trust.alias)?;
            let ids = |aliases: &Vec<String>| aliases.iter().filter_map(|a| Some(self.tenant(a)?.id.clone())).collect();
            let template = issuer.name.contains(TENANT_PLACE);
            let mut told = TrustedIssuer {
                issuer: issuer.name.clone(),
                tenant_claim: template.then(|| "tid".to_owned()),
                tenants: trust.tenants.as_ref().filter(|_| template).map(ids),
                algorithms: Some(trust.algorithms.clone().unwrap_or_else(|| issuer.algorithms.clone())),
                subjects: trust
                    .subjects
                    .as_ref()
                    .map(|aliases| aliases.iter().filter_map(|alias| Some(self.subject(alias)?.id.clone())).collect()),
                signer: trust.signer.clone(),
                audiences: trust.audiences.clone(),
                ..TrustedIssuer::default()
            };
            if source == KeySource::Fetched {
                let name = |alias: &str| Some(self.issuer(alias)?.name.clone());
                told.disturbed = publication.disturbed(&trust.alias).and_then(|how| how.naming(name));
            }
            if source != KeySource::Converged {
                // Whoever fetches is handed a URL in the place of this.
                told.jwks = Some(self.key_set(&trust.alias, publication, calendar));
            }
            if source == KeySource::PerIssuer {
                let secrets: Vec<Jwk> = trust
                    .secrets
                    .iter()
                    .filter_map(|alias| Some(self.published_jwk(self.key(alias)?, None, calendar)))
                    .collect();
                told.secrets = (!secrets.is_empty()).then_some(JwkSet::of(secrets));
            }
            Some(told)
        });
        let converged = (source == KeySource::Converged).then(|| self.converged_set(publication, calendar));
        let policy = TrustPolicy {
            policy: 1,
            relying_party: self.label(&["party", &party.alias]),
            key_source: source,
            audiences: Some(party.audiences.clone()),
            algorithms: party.algorithms.clone(),
            token_types: party.token_types.clone(),
            required_claims: party.required_claims.clone(),
            leeway: party.leeway,
            serializations: Some(vec![Serialization::Compact]),
            signatures: None,
            crit_understood: party.crit_understood.clone(),
            cloud_instance: party.cloud_instance.clone(),
            jwks_max_age: party.jwks_max_age,
            enforce_key_lifetime: party.enforce_key_lifetime,
            replay: party.replay,
            decryption_keys: None,
            resolver: None,
            issuers: issuers.collect(),
            converged_jwks: converged,
        };
        configuration::Told::new(self, party, publication, calendar).configured(policy)
    }

    /// Ten letters and digits that follow from the seed and labels.
    #[must_use]
    pub fn label(&self, labels: &[&str]) -> String {
        label(self.seed, labels)
    }

    /// The seed for the names of another world from the same file with aliases moved around.
    #[must_use]
    pub fn private_octets(&self) -> Vec<Vec<u8>> {
        self.keys.iter().filter_map(|key| key.private.as_ref()).flat_map(PrivateKey::private_octets).collect()
    }
}

/// Letters and digits that are hard to take for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";

fn label(seed: u64, labels: &[&str]) -> String {
    let octets = derive_octets(seed, labels);
    // A name that begins with a letter is a legal DNS label (RFC 1035 section 2.3.1).
    let letter = char::from(ALPHABET[usize::from(octets[0]) % 23]);
    std::iter::once(letter)
        .chain(octets[1..10].iter().map(|&octet| char::from(ALPHABET[usize::from(octet) % 32])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_world_can_be_read_and_every_party_has_honest_keys() {
        for name in World::shipped_names() {
            let world = World::shipped(name, DEFAULT_SEED).unwrap();
            assert_eq!(world.name, name);
            assert!(world.keys.iter().any(|key| key.owner.is_none()), "{name} has an attacker");
            for party in &world.parties {
                for trust in &party.issuers {
                    assert!(world.honest_keys(party, trust).next().is_some(), "{name} {} {}", party.alias, trust.alias);
                }
            }
        }
    }

    #[test]
    fn another_seed_gives_other_names() {
        let one = World::shipped("two-issuers", 1).unwrap();
        let two = World::shipped("two-issuers", 2).unwrap();
        assert_ne!(one.issuers[0].name, two.issuers[0].name);
        assert_ne!(one.digest, two.digest);
        assert_ne!(one.keys[0].jwk.kid, two.keys[0].jwk.kid);
    }

    #[test]
    fn every_issuer_moves_below_the_base_and_nothing_else_changes() {
        let naming = Naming { issuer_base: Some("https://issuers.localhost:9443".to_owned()), ..Naming::by(1) };
        for name in World::shipped_names() {
            let (own, moved) = (World::shipped(name, 1).unwrap(), World::shipped_named(name, &naming).unwrap());
            for (own, moved) in own.issuers.iter().zip(&moved.issuers) {
                let rest = own.name.strip_prefix("https://").unwrap();
                assert_eq!(moved.name, format!("https://issuers.localhost:9443/{rest}"));
                assert_eq!((&own.alias, &own.signer), (&moved.alias, &moved.signer));
            }
            for (own, moved) in own.keys.iter().zip(&moved.keys) {
                assert_eq!(own.jwk, moved.jwk);
            }
            for (own, moved) in own.parties.iter().zip(&moved.parties) {
                assert_eq!(own.audiences, moved.audiences);
            }
            assert_ne!(own.digest, moved.digest);
        }
    }

    #[test]
    fn no_alias_reaches_a_policy() {
        for name in World::shipped_names() {
            let world = World::shipped(name, DEFAULT_SEED).unwrap();
            for party in &world.parties {
                for &source in &party.key_sources {
                    let calendar = Calendar::At(crate::jose::NumericDate(1_790_000_000));
                    let policy = world.policy(party, source, &Publication::of(&world), calendar);
                    let text = serde_json::to_string(&policy).unwrap();
                    for alias in world.keys.iter().map(|k| &k.alias).chain(world.parties.iter().map(|p| &p.alias)) {
                        assert!(!text.contains(alias.as_str()), "{alias} in {text}");
                    }
                }
            }
        }
    }
}
