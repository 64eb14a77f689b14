//! The relations: from a scenario and how it was played to playings that mean the same.

use crate::common::{NOW, shared_worlds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};
use wrongkey::forge::{Forge, Move};
use wrongkey::jose::{Jwk, JwkSet, Material, Spelling};
use wrongkey::key::{DerivedKind, PrivateKey};
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::scenario::{
    Act, Duplicate, Kid, Raw, Scalar, Scenario, Segment, SetMember, SignWith, Span, Splice, Step, Value,
};
use wrongkey::validator::{Clock, Description};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// What may change while the answer stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Issuers and keys stand in another order. RFC 7517 section 5: the order of keys implies no preference.
    Order,
    /// Every `kid` has another name, in the world and so in policies and tokens, which are signed anew. RFC 7515 section
    /// 4.1.4: the structure of its value is unspecified.
    Kids,
    /// Every clock and every date is another one by as much: tokens, the time of validation, lifetimes of keys.
    Clocks(i64),
    /// One more issuer is trusted, with keys of its own, under the names that the others' keys have. RFC 7517 section 4.5: a
    /// `kid` tells keys of one set apart.
    Issuer,
    /// Tokens say more than anybody asks, signed along. RFC 7519 section 4 and RFC 7515 section 4: what is not understood is
    /// ignored.
    Members,
}

/// Some other year of this decade.
pub(crate) const NEAR: [i64; 2] = [31_556_953, -150_000_001];

/// Beyond February 2106, where seconds since 1970 no longer fit in 32 bits.
pub(crate) const FAR: i64 = 3_000_000_017;

/// Those of the recipes whose crates keep seconds in 32 bits, as the project's waivers say.
pub(crate) const NOT_IN_2106: [&str; 1] = ["jwt-simple"];

/// A world as it is, and as the relations change it.
pub(crate) struct Ground {
    world: Arc<World>,
    settable: Forge,
    timeless: Forge,
    renamed: [Forge; 2],
    shifted: BTreeMap<i64, Forge>,
    /// RSA keys of 2048 bits that nobody in this world has.
    spare: Vec<Material>,
    /// The added issuer's keys, by `kid` and kind: it costs to derive one.
    added: Mutex<BTreeMap<(String, String), Material>>,
}

impl Ground {
    pub(crate) fn of(world: &str) -> &'static Ground {
        static GROUNDS: LazyLock<BTreeMap<String, Ground>> = LazyLock::new(|| {
            let worlds = shared_worlds();
            worlds.iter().map(|world| (world.name.clone(), Ground::new(world, &worlds))).collect()
        });
        &GROUNDS[world]
    }

    fn new(world: &Arc<World>, worlds: &[Arc<World>]) -> Self {
        let renamed = Arc::new(with_kids_renamed(&world.name));
        let own: BTreeSet<&Material> = world.keys.iter().map(|key| &key.jwk.material).collect();
        let all: BTreeSet<&Material> =
            worlds.iter().flat_map(|world| &world.keys).map(|key| &key.jwk.material).collect();
        let of_2048_bits =
            |material: &&&Material| matches!(material, Material::Rsa { .. } if material.bits() == Some(2048));
        let shifted = NEAR.into_iter().chain([FAR]);
        Ground {
            world: Arc::clone(world),
            settable: Forge::new(Arc::clone(world), Calendar::At(NOW)),
            timeless: Forge::new(Arc::clone(world), Calendar::Timeless(NOW)),
            renamed: [Calendar::At(NOW), Calendar::Timeless(NOW)].map(|at| Forge::new(Arc::clone(&renamed), at)),
            shifted: shifted.map(|by| (by, Forge::new(Arc::clone(world), Calendar::At(NOW.plus(by))))).collect(),
            spare: all.difference(&own).filter(of_2048_bits).map(|material| (*material).clone()).collect(),
            added: Mutex::default(),
        }
    }

    /// A key of the same kind that nobody in this world has.
    fn twin(&self, kid: &str, of: &Material) -> Material {
        let derived = |kind| PrivateKey::derive(kind, self.world.seed, &format!("added {kid}")).material().clone();
        let crv = match of {
            Material::Ec { crv, .. } => crv.as_str(),
            _ => "",
        };
        let mut added = self.added.lock().unwrap();
        let count = added.len();
        let new = || match of {
            Material::Rsa { .. } => self.spare[count % self.spare.len()].clone(),
            Material::Ec { .. } => derived(match crv {
                "P-384" => DerivedKind::P384,
                "P-521" => DerivedKind::P521,
                "secp256k1" => DerivedKind::Secp256k1,
                _ => DerivedKind::P256,
            }),
            Material::Okp { .. } => derived(DerivedKind::Ed25519),
            Material::Oct { .. } => derived(DerivedKind::LongSecret),
        };
        added.entry((kid.to_owned(), format!("{}{crv}", of.kty()))).or_insert_with(new).clone()
    }

    pub(crate) fn play(&self, timeless: bool, scenario: &Scenario) -> Vec<Move> {
        played(if timeless { &self.timeless } else { &self.settable }, scenario)
    }
}

fn played(forge: &Forge, scenario: &Scenario) -> Vec<Move> {
    forge.play(scenario, 0).unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_json()))
}

impl Relation {
    /// Whether a validator can be asked: who reads the machine's clock cannot be told another time.
    pub(crate) fn applies_to(self, description: &Description) -> bool {
        match self {
            Relation::Clocks(FAR) => {
                description.clock == Clock::Settable && !NOT_IN_2106.contains(&description.name.as_str())
            }
            Relation::Clocks(_) => description.clock == Clock::Settable,
            _ => true,
        }
    }

    /// Playings that mean the same as the original one; why there is none, where there is none.
    pub(crate) fn changed(
        self,
        ground: &Ground,
        timeless: bool,
        scenario: &Scenario,
        original: &[Move],
    ) -> Result<Vec<Vec<Move>>, &'static str> {
        let signs_anew = !matches!(self, Relation::Order | Relation::Issuer);
        if signs_anew && is_spelled_by_its_octets(scenario) {
            return Err("whether it is spelled otherwise depends on its octets");
        }
        match self {
            Relation::Order => reordered(original),
            Relation::Kids => {
                let renamed = with_names_of_kids_renamed(scenario)?;
                Ok(vec![played(&ground.renamed[usize::from(timeless)], &renamed)])
            }
            Relation::Clocks(by) => {
                if holds_a_date(scenario) {
                    return Err("a date of a token is absolute");
                }
                if policies(original).any(|policy| crosses(policy, by)) {
                    return Err("a certificate begins or ends in between");
                }
                Ok(vec![played(&ground.shifted[&by], scenario)])
            }
            Relation::Issuer => {
                let both =
                    [true, false].map(|first| with_policies(original, |policy| with_issuer(ground, policy, first)));
                let both: Option<Vec<_>> = both.into_iter().collect();
                both.ok_or("nobody is trusted, or a name like the new one's")
            }
            Relation::Members => {
                let more = with_members(scenario).ok_or("a member of that name is there")?;
                Ok(vec![ground.play(timeless, &more)])
            }
        }
    }
}

fn policies(moves: &[Move]) -> impl Iterator<Item = &TrustPolicy> {
    moves.iter().filter_map(|happening| match happening {
        Move::Trust { policy, .. } => Some(policy.as_ref()),
        Move::Present(_) => None,
    })
}

/// The same tokens under policies that are told otherwise.
fn with_policies(moves: &[Move], change: impl Fn(&TrustPolicy) -> Option<TrustPolicy>) -> Option<Vec<Move>> {
    let changed = moves.iter().map(|happening| match happening {
        Move::Trust { party, policy, at } => {
            Some(Move::Trust { party: party.clone(), policy: Arc::new(change(policy)?), at: *at })
        }
        Move::Present(presented) => Some(Move::Present(presented.clone())),
    });
    changed.collect()
}

/// In two other orders. Within one set each `kid` has to be one key's alone: else whoever takes the first key of a name may.
fn reordered(original: &[Move]) -> Result<Vec<Vec<Move>>, &'static str> {
    let has_one_twice = |keys: Vec<&Jwk>| {
        let kids: BTreeSet<_> = keys.iter().map(|jwk| &jwk.kid).collect();
        kids.len() < keys.len()
    };
    let ambiguous = |policy: &TrustPolicy| {
        let own = policy.issuers.iter().any(|issuer| has_one_twice(issuer.own_keys().collect()));
        own || policy.converged_jwks.iter().any(|set| has_one_twice(set.keys.iter().collect()))
    };
    if policies(original).any(ambiguous) {
        return Err("two keys of a set have one kid");
    }
    if policies(original).all(|policy| policy.reordered(1) == *policy) {
        return Err("there is one issuer with one key");
    }
    let orders = [1, 2].map(|number| with_policies(original, |policy| Some(policy.reordered(number))));
    Ok(orders.into_iter().flatten().collect())
}

/// Another name of the same length for every name: what one letter or digit becomes, no other does.
fn renamed(kid: &str) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let turned = |letter: u8| ALPHABET.iter().position(|one| *one == letter).map(|at| ALPHABET[(at + 13) % 36]);
    kid.chars().map(|c| u8::try_from(c).ok().and_then(turned).map_or(c, char::from)).collect()
}

fn with_kids_renamed(name: &str) -> World {
    let world = World::shipped(name, DEFAULT_SEED).and_then(Arc::into_inner);
    let mut world = world.unwrap_or_else(|| panic!("{name} is shipped, and nobody else has it yet"));
    for key in &mut world.keys {
        key.jwk.kid = key.jwk.kid.as_deref().map(renamed);
    }
    world
}

/// The same acts where they spell a `kid` out.
fn with_names_of_kids_renamed(scenario: &Scenario) -> Result<Scenario, &'static str> {
    let mut scenario = scenario.clone();
    let mut problem = None;
    for_acts(&mut scenario, &mut |acts| {
        for act in acts {
            match act {
                Act::SignWith(SignWith { kid: Kid::Text(text), .. }) => *text = renamed(text),
                Act::SetHeader(SetMember { name, value }) | Act::DuplicateHeader(Duplicate { name, value, .. })
                    if name == "kid" =>
                {
                    if let Value::Literal(Scalar::Text(text)) | Value::Text(text) = value {
                        *value = Value::text(renamed(text));
                    }
                }
                Act::Raw(Raw::Token(_) | Raw::Text { part: Segment::Header, .. }) => {
                    problem = Some("a header is written as raw text");
                }
                _ => {}
            }
        }
    });
    problem.map_or(Ok(scenario), Err)
}

/// All acts of a scenario, those of donors first.
fn for_acts(scenario: &mut Scenario, change: &mut dyn FnMut(&mut Vec<Act>)) {
    fn inside(acts: &mut Vec<Act>, change: &mut dyn FnMut(&mut Vec<Act>)) {
        for act in acts.iter_mut() {
            if let Act::Splice(Splice { of: Some(donor), .. }) = act {
                inside(&mut donor.acts, change);
            }
        }
        change(acts);
    }
    for step in &mut scenario.steps {
        match step {
            Step::Present(present) => inside(&mut present.acts, change),
            Step::Together(presents) => presents.iter_mut().for_each(|present| inside(&mut present.acts, change)),
            _ => {}
        }
    }
}

/// Whether a part is written in the other alphabet of base64, which only some octets show.
fn is_spelled_by_its_octets(scenario: &Scenario) -> bool {
    let mut found = false;
    for_acts(&mut scenario.clone(), &mut |acts| {
        found |= acts.iter().any(|act| matches!(act, Act::Spell { r#as: Spelling::StandardAlphabet, .. }));
    });
    found
}

/// Whether a date is written as a number of its own, which no shift moves.
fn holds_a_date(scenario: &Scenario) -> bool {
    let mut found = false;
    let relative = |value: &Value| {
        matches!(value, Value::Time(_) | Value::TimeText(_) | Value::TimeAs { .. })
            || matches!(value, Value::Literal(Scalar::Text(_) | Scalar::Null | Scalar::Bool(_)) | Value::Text(_))
    };
    for_acts(&mut scenario.clone(), &mut |acts| {
        for act in acts {
            if let Act::SetClaim(SetMember { name, value }) | Act::DuplicateClaim(Duplicate { name, value, .. }) = act {
                found |= ["exp", "nbf", "iat"].contains(&name.as_str()) && !relative(value);
            }
        }
    });
    found
}

/// Whether a certificate, whose dates are its own, is in force on one side of the shift only.
fn crosses(policy: &TrustPolicy, by: i64) -> bool {
    let own = policy.issuers.iter().flat_map(TrustedIssuer::own_keys);
    let mut keys = own.chain(policy.converged_jwks.iter().flat_map(|set| &set.keys));
    keys.any(|jwk| {
        let mut certified = jwk.clone();
        (certified.nbf, certified.exp) = (None, None);
        let certificate = certified.lifetime();
        certificate.is_some_and(|lifetime| {
            // Whatever else happens in a scenario happens within a year.
            let within = Span(366 * 86_400).0;
            let (from, to) = (NOW.plus(by.min(0) - within), NOW.plus(by.max(0) + within));
            [lifetime.not_before, lifetime.not_after].into_iter().flatten().any(|end| from <= end && end <= to)
        })
    })
}

/// The policy with one more issuer, first or last. It has a key for each `kid` that is there, of the same kind.
fn with_issuer(ground: &Ground, policy: &TrustPolicy, first: bool) -> Option<TrustPolicy> {
    let name = format!("https://{}.example", ground.world.label(&["issuer", "added"]));
    if policy.issuer_named(&name).is_some() {
        return None;
    }
    let own = policy.issuers.iter().flat_map(TrustedIssuer::own_keys);
    let listed = own.chain(policy.converged_jwks.iter().flat_map(|set| &set.keys));
    let by_kid: BTreeMap<&str, &Jwk> = listed.filter_map(|jwk| Some((jwk.kid.as_deref()?, jwk))).collect();
    let keys = by_kid.into_iter().map(|(kid, jwk)| {
        let mut twin = Jwk::new(ground.twin(kid, &jwk.material));
        twin.kid = Some(kid.to_owned());
        twin.issuer = (policy.key_source == KeySource::Converged).then(|| name.clone());
        twin
    });
    let (secrets, keys): (Vec<Jwk>, Vec<Jwk>) = keys.partition(|jwk| matches!(jwk.material, Material::Oct { .. }));
    let mut policy = policy.clone();
    let per_issuer = policy.key_source == KeySource::PerIssuer;
    // On the terms of another one, so that whoever could work under the policy still can.
    let like = policy.issuers.first()?;
    let added = TrustedIssuer {
        issuer: name,
        algorithms: like.algorithms.clone(),
        audiences: like.audiences.clone(),
        jwks: per_issuer.then(|| JwkSet::of(keys.clone())),
        secrets: (per_issuer && !secrets.is_empty()).then(|| JwkSet::of(secrets)),
        ..TrustedIssuer::default()
    };
    policy.issuers.insert(if first { 0 } else { policy.issuers.len() }, added);
    if let Some(set) = &mut policy.converged_jwks {
        let at = if first { 0 } else { set.keys.len() };
        set.keys.splice(at..at, keys);
    }
    Some(policy)
}

/// Claims that no policy here asks for, one of them known to OpenID Connect Core (section 5.1).
const CLAIMS: [(&str, &str); 5] = [
    ("email", r#""somebody@mail.example""#),
    ("roles", r#"["reader",7,null]"#),
    ("x-about", r#"{"iss":"https://other.example","exp":1}"#),
    ("x-flag", "true"),
    ("x-pad", r#"".....""#),
];

/// Header members that nobody has registered.
const HEADERS: [(&str, &str); 3] =
    [("x-hint", r#""as it comes""#), ("x-about", r#"{"alg":"none","kid":"0"}"#), ("x-pad", r#""...""#)];

/// Every token with these claims and header members, written before anything is done to it.
fn with_members(scenario: &Scenario) -> Option<Scenario> {
    let known = scenario.to_json();
    if CLAIMS.iter().chain(&HEADERS).any(|(name, _)| known.contains(&format!("\"{name}\""))) {
        return None;
    }
    let members = |list: &[(&str, &str)]| -> Vec<SetMember> {
        let member = |(name, json): &(&str, &str)| SetMember {
            name: (*name).to_owned(),
            value: Value::Json((*json).to_owned()),
        };
        list.iter().map(member).collect()
    };
    let mut more: Vec<Act> = members(&CLAIMS).into_iter().map(Act::SetClaim).collect();
    more.extend(members(&HEADERS).into_iter().map(Act::SetHeader));
    let mut scenario = scenario.clone();
    for_acts(&mut scenario, &mut |acts| drop(acts.splice(0..0, more.clone())));
    Some(scenario)
}

/// Base64url leaves as many bits unused as before: what is spelled with those set is spelled so on both sides.
#[test]
fn the_added_members_are_multiples_of_three_octets() {
    for members in [&CLAIMS[..], &HEADERS[..]] {
        let octets: usize = members.iter().map(|(name, json)| format!(",\"{name}\":{json}").len()).sum();
        assert_eq!(octets % 3, 0, "{members:?}");
    }
}
