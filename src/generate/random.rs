//! Random scenarios, each choice made within what the choices before it allow: a site, an honest token, then what is done
//! to it, or steps around it.

use super::acts::{raw, set_claim, sign_now, the_same_again};
use super::atlas::Atlas;
use super::configure::{asking, configured, policy_act};
use super::palette::{Scene, chance, claim_name, header_name};
use super::playable::{has_layout, is_playable};
use super::site::{Site, is_secret};
use crate::jose::{Layout, Primitive, Serialization, Spelling};
use crate::policy::Replay;
use crate::scenario::{
    Act, Donor, Duplicate, Honest, KeyHeader, Kid, Mangle, Named, Place, Present, PublicForm, PublicText, Raw,
    Scenario, Segment, SetMember, SignWith, Span, Splice, Step, Value,
};
use crate::world::{Key, Publication};
use arbitrary::{Result, Unstructured};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Acts per token, by how often: never more than four, since who breaks five things at once shows none of them.
const ACTS: [usize; 16] = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4];

/// Kinds of acts by how often, as [`act_of`] numbers them: most mistakes are about who signs and what is claimed, and those
/// about spelling need few tries.
const KINDS: [u8; 28] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

/// One single token in so many comes to a party that was configured badly from the start: most of those show no more than that a
/// policy is read at all.
const CONFIGURED: u8 = 8;

/// What `seeded` gives a scenario to draw from: most need less than the least.
const BYTES: std::ops::Range<usize> = 128..1024;

/// A random scenario at one of the atlas's sites. It can be played: its world has what it names.
///
/// # Errors
/// Where `u` has fewer bytes than are needed; none are needed for the simplest scenario.
///
/// # Panics
/// Where the atlas has no site.
pub fn random(u: &mut Unstructured<'_>, atlas: &Atlas) -> Result<Scenario> {
    let site = atlas.site(u.choose_index(atlas.len())?);
    let mut scenario = if chance(u, 1, 6)? { sequence(u, site)? } else { single(u, site)? };
    atlas.restrict(&mut scenario);
    if is_playable(&scenario, site.world) {
        return Ok(scenario);
    }
    simplest(site).ok_or(arbitrary::Error::IncorrectFormat)
}

/// The scenario of that number in the stream of that seed, whatever came before it.
///
/// # Panics
/// Where the atlas has no site.
#[must_use]
pub fn seeded(seed: u64, index: u64, atlas: &Atlas) -> Scenario {
    let bytes = octets(seed, index);
    let fallback = || simplest(atlas.site(0)).unwrap_or_else(|| panic!("every site of an atlas has an honest issuer"));
    random(&mut Unstructured::new(&bytes), atlas).unwrap_or_else(|_| fallback())
}

/// Octets to draw from, the same for the same two numbers.
pub(super) fn octets(seed: u64, index: u64) -> Vec<u8> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    let mut rng = ChaCha20Rng::from_seed(key);
    let length = BYTES.start + rng.next_u32() as usize % BYTES.len();
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// An honest token of the first issuer.
pub(super) fn simplest(site: Site<'_>) -> Option<Scenario> {
    Some(site.first().next()?.token(Vec::new()))
}

fn single(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<Scenario> {
    if chance(u, 1, 8)?
        && let Some(scenario) = claimed(u, site)?
    {
        return Ok(scenario);
    }
    if chance(u, 1, CONFIGURED)? {
        return configured(u, site);
    }
    let honest = honest(u, site)?;
    let count = *u.choose(&ACTS)?;
    let acts = acts(u, Scene { site, honest: &honest }, count, &[])?;
    Ok(site.single(honest, acts))
}

/// A token that claims an issuer in whose name nobody here can sign, where the party trusts one: somebody else signs it, before
/// or after what else is done to it.
fn claimed(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<Option<Scenario>> {
    let unsigned: Vec<_> = site.claimable().filter(|trust| trust.honest_keys().is_empty()).collect();
    if unsigned.is_empty() {
        return Ok(None);
    }
    let honest = u.choose(&unsigned)?.honest();
    let scene = Scene { site, honest: &honest };
    let mut signed = sign_with(u, scene)?;
    if signed.key.is_none() && signed.secret.is_none() {
        signed.key = Some(scene.any_key(u)?.alias.clone());
    }
    let count = *u.choose(&ACTS)?;
    let mut acts = acts(u, scene, count, &[])?;
    let at = if chance(u, 1, 4)? { 0 } else { acts.iter().position(is_last).unwrap_or(acts.len()) };
    acts.insert(at, Act::SignWith(signed));
    Ok(Some(site.single(honest, acts)))
}

/// What an honest issuer would write: mostly one that the party trusts, mostly nothing special about it.
pub(super) fn honest(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<Honest> {
    let world = site.world;
    let trusts: Vec<_> = site.trusts().collect();
    let signing =
        |issuer: &&crate::world::Issuer| world.keys_of(&issuer.alias).any(|key| key.honest && key.private.is_some());
    let strangers: Vec<_> = site.strangers().filter(signing).collect();
    if !strangers.is_empty() && chance(u, 1, 16)? {
        return Ok(Honest { issuer: u.choose(&strangers)?.alias.clone(), ..Honest::default() });
    }
    let Some(first) = trusts.first() else { return Err(arbitrary::Error::EmptyChoose) };
    let trust = if trusts.len() > 1 { u.choose(&trusts)? } else { first };
    let mut honest = trust.honest();
    if !trust.issuer.tenants.is_empty() && chance(u, 1, 4)? {
        honest.tenant = Some(u.choose(&trust.issuer.tenants)?.clone());
    }
    if !world.subjects.is_empty() && chance(u, 1, 6)? {
        honest.subject = Some(u.choose(&world.subjects)?.alias.clone());
    }
    if chance(u, 1, 4)? {
        let key = *u.choose(&trust.honest_keys())?;
        honest = Honest { key: trust.honest_by(key).key, ..honest };
    }
    Ok(honest)
}

/// So many acts, unless one of them leaves nothing to act upon.
pub(super) fn acts(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, count: usize, names: &[String]) -> Result<Vec<Act>> {
    let mut acts = Vec::new();
    while acts.len() < count {
        let more = act(u, scene, names)?;
        let ends = more.iter().any(is_last);
        acts.extend(more);
        if ends {
            break;
        }
    }
    Ok(acts)
}

/// Whether members and signatures are out of reach after this act.
pub(super) fn is_last(act: &Act) -> bool {
    matches!(act, Act::Raw(Raw::Text { .. } | Raw::FlipBit { .. }))
}

/// An act of any kind, with the one that gives it its meaning where it needs one: a spelling is only something that nobody
/// signed where somebody has signed before, and a key that the token carries only tempts where it made the signature.
pub(super) fn act(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, names: &[String]) -> Result<Vec<Act>> {
    let kind = *u.choose(&KINDS)?;
    let act = act_of(u, scene, kind, names)?;
    if matches!(act, Act::Spell { part: Segment::Header | Segment::Payload, .. }) && chance(u, 1, 2)? {
        return Ok(vec![sign_now(), act]);
    }
    let Some(key) = carried(&act).and_then(|key| scene.site.world.key(key)) else { return Ok(vec![act]) };
    if !chance(u, 3, 4)? {
        return Ok(vec![act]);
    }
    let alg = algorithm(u, scene, key)?;
    let sign = Act::SignWith(SignWith { key: Some(key.alias.clone()), alg, ..SignWith::default() });
    // Whoever is their own issuer goes by the thumbprint of their key (OpenID Connect Core 1.0 section 7).
    if matches!(&act, Act::SetClaim(set) if set.name == "sub_jwk") {
        let name = || Value::Thumbprint(key.alias.clone());
        let iss = if chance(u, 1, 3)? { name() } else { Value::text("https://self-issued.me") };
        return Ok(vec![set_claim("iss", iss), set_claim("sub", name()), act, sign]);
    }
    Ok(vec![act, sign])
}

/// The key that an act makes the token carry.
fn carried(act: &Act) -> Option<&str> {
    match act {
        Act::EmbedKey { key, .. } => Some(key),
        Act::SetClaim(SetMember { name, value }) if matches!(name.as_str(), "cnf" | "sub_jwk") => match value {
            Value::Jwk(key) => Some(key),
            Value::Object(members) => match members.get("jwk") {
                Some(Value::Jwk(key)) => Some(key),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// An act of the same kind as another, anew.
pub(super) fn again(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, act: &Act, names: &[String]) -> Result<Act> {
    let kind = match act {
        // A search for a signature is nothing that is drawn: another way to sign is.
        Act::SignWith(_) | Act::SeekLeadingZero { .. } => 0,
        Act::SetClaim(_) => 1,
        Act::DropClaim(_) => 2,
        Act::SetHeader(_) => 3,
        Act::DropHeader(_) => 4,
        Act::DuplicateClaim(_) => 5,
        Act::DuplicateHeader(_) => 6,
        Act::StripSignature {} => 7,
        Act::Splice(_) => 8,
        Act::EmbedKey { .. } => 9,
        Act::Serialize { .. } => 10,
        Act::Spell { .. } => 11,
        Act::MangleSignature(_) => 12,
        Act::Raw(_) => 13,
    };
    act_of(u, scene, kind, names)
}

fn act_of(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, kind: u8, names: &[String]) -> Result<Act> {
    Ok(match kind {
        0 => Act::SignWith(sign_with(u, scene)?),
        1 => {
            let name = claim_name(u)?;
            Act::SetClaim(SetMember { name: name.to_owned(), value: scene.claim(u, name)? })
        }
        2 => Act::DropClaim(Named { name: claim_name(u)?.to_owned() }),
        3 => {
            let name = header_name(u)?;
            Act::SetHeader(SetMember { name: name.to_owned(), value: scene.header(u, name)? })
        }
        4 => Act::DropHeader(Named { name: (*u.choose(&["typ", "signer", "alg", "cty", "kid"])?).to_owned() }),
        5 => {
            let name = claim_name(u)?;
            Act::DuplicateClaim(Duplicate { name: name.to_owned(), value: scene.claim(u, name)?, at: place(u)? })
        }
        6 => {
            let name = header_name(u)?;
            Act::DuplicateHeader(Duplicate { name: name.to_owned(), value: scene.header(u, name)?, at: place(u)? })
        }
        7 => Act::StripSignature {},
        8 => Act::Splice(splice(u, scene, names)?),
        9 => match scene.carried_key(u)? {
            Some(key) => Act::EmbedKey { r#as: KeyHeader::Jwk, key: key.alias.clone() },
            None => Act::StripSignature {},
        },
        10 => {
            let forms = [Serialization::Flattened, Serialization::Detached, Serialization::Compact];
            Act::Serialize { r#as: *u.choose(&forms)? }
        }
        11 => Act::Spell { part: segment(u)?, r#as: *u.choose(&Spelling::ALL)? },
        12 => Act::MangleSignature(match u.int_in_range(0..=5)? {
            0 => Mangle::FlipBit(u.int_in_range(0..=2047)?),
            1 => Mangle::Truncate(u.int_in_range(1..=32)?),
            2 => Mangle::Extend(u.int_in_range(1..=32)?),
            3 => Mangle::Zero,
            4 => Mangle::NMinusS,
            _ => Mangle::Der,
        }),
        _ => raw(raw_text(u)?),
    })
}

/// Where the second of two members goes. Last, where it is the one that counts, more often than not.
fn place(u: &mut Unstructured<'_>) -> Result<Place> {
    Ok(if chance(u, 1, 5)? { Place::First } else { Place::Last })
}

fn segment(u: &mut Unstructured<'_>) -> Result<Segment> {
    u.choose(&[Segment::Header, Segment::Payload, Segment::Signature]).copied()
}

fn raw_text(u: &mut Unstructured<'_>) -> Result<Raw> {
    let text = |u: &mut Unstructured<'_>| -> Result<String> {
        let texts = ["", ".", "..", "...", " ", "\n", "e30", "e30.e30.", "=", "a.b.c", "\u{feff}", "null"];
        Ok((*u.choose(&texts)?).to_owned())
    };
    Ok(match u.int_in_range(0..=9)? {
        0 => Raw::Token(text(u)?),
        1..=2 => Raw::After(text(u)?),
        3..=4 => Raw::Before(text(u)?),
        5 => Raw::Segments(u.int_in_range(1..=2)?),
        6 => Raw::Text { part: segment(u)?, text: text(u)? },
        _ => Raw::FlipBit { part: segment(u)?, bit: u.int_in_range(0..=1023)? },
    })
}

fn sign_with(u: &mut Unstructured<'_>, scene: Scene<'_, '_>) -> Result<SignWith> {
    let symmetric = scene.site.allowed(&scene.honest.issuer).iter().any(|name| name.starts_with("HS"));
    // Where HMAC is allowed anyway a public text has only to be mistaken for the secret.
    if chance(u, if symmetric { 4 } else { 1 }, 8)?
        && let Some(sign) = sign_public(u, scene)?
    {
        return Ok(sign);
    }
    let kid = kid(u, scene, 8)?;
    if chance(u, 1, 6)? {
        return Ok(SignWith { kid, ..SignWith::default() });
    }
    let key = scene.any_key(u)?;
    let alg = algorithm(u, scene, key)?;
    Ok(SignWith { key: Some(key.alias.clone()), secret: None, alg, kid })
}

/// HMAC over what everybody knows of a key: an own one of the claimed issuer's before all others, and the forms that software
/// keeps keys in, or nothing at all, before all others. Who hands out nothing does so under a name that nobody has.
fn sign_public(u: &mut Unstructured<'_>, scene: Scene<'_, '_>) -> Result<Option<SignWith>> {
    let keys: Vec<_> = scene.site.world.keys.iter().filter(|key| key.owner.is_some() && !is_secret(key)).collect();
    let own: Vec<_> = keys.iter().copied().filter(|key| key.owner.as_ref() == Some(&scene.honest.issuer)).collect();
    let from = if !own.is_empty() && chance(u, 3, 4)? { &own } else { &keys };
    if from.is_empty() {
        return Ok(None);
    }
    let key = *u.choose(from)?;
    let layout = match u.int_in_range(0..=9)? {
        0..=3 if has_layout(key, Layout::SpkiPem) => Layout::SpkiPem,
        4..=5 => Layout::Empty,
        6..=7 if has_layout(key, Layout::Openssh) => *u.choose(&[Layout::Openssh, Layout::Jwk])?,
        _ => *u.choose(&Layout::ALL.iter().copied().filter(|&layout| has_layout(key, layout)).collect::<Vec<_>>())?,
    };
    let alg = if chance(u, 1, 4)? { Some((*u.choose(&["HS384", "HS512"])?).to_owned()) } else { None };
    let kid = if layout == Layout::Empty && chance(u, 2, 3)? { unknown_kid(u)? } else { kid(u, scene, 8)? };
    Ok(Some(SignWith {
        key: None,
        secret: Some(PublicText { of: key.alias.clone(), form: PublicForm::Layout(layout) }),
        alg,
        kid,
    }))
}

/// Its own so many times in twelve.
fn kid(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, own: u8) -> Result<Kid> {
    let which = u.int_in_range(0..=11)?;
    if which < own {
        return Ok(Kid::Own);
    }
    Ok(match u.int_in_range(0..=4)? {
        0 => Kid::Keep,
        1 => Kid::None,
        2 => unknown_kid(u)?,
        _ => Kid::Of(scene.any_key(u)?.alias.clone()),
    })
}

/// The name of no key; some of them are names of something all the same, in languages in which every object has them.
fn unknown_kid(u: &mut Unstructured<'_>) -> Result<Kid> {
    Ok(Kid::Text((*u.choose(&["unknown", "", "0", "__proto__", "constructor"])?).to_owned()))
}

/// Mostly one that the claimed issuer is allowed, where the key can sign by one: then only the key is wrong.
pub(super) fn algorithm(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, key: &Key) -> Result<Option<String>> {
    let named = |alg: Primitive| (alg != key.signs[0]).then(|| alg.name().to_owned());
    if chance(u, 1, 6)? {
        let fitting = Primitive::ALL.into_iter().filter(|&alg| key.jwk.material.fits(alg));
        return Ok(named(*u.choose(&fitting.collect::<Vec<_>>())?));
    }
    let allowed = scene.site.allowed(&scene.honest.issuer);
    Ok(key.signs.iter().copied().find(|alg| allowed.iter().any(|name| name == alg.name())).and_then(named))
}

fn splice(u: &mut Unstructured<'_>, scene: Scene<'_, '_>, names: &[String]) -> Result<Splice> {
    let part = segment(u)?;
    if !names.is_empty() && chance(u, 1, 2)? {
        return Ok(Splice { part, from: Some(u.choose(names)?.clone()), of: None });
    }
    let honest = if chance(u, 1, 2)? { honest(u, scene.site)? } else { scene.honest.clone() };
    let mut donor = Donor { honest, acts: Vec::new() };
    if chance(u, 1, 3)? {
        let name = header_name(u)?;
        let value = Scene { honest: &donor.honest, ..scene }.header(u, name)?;
        donor.acts = vec![Act::SetHeader(SetMember { name: name.to_owned(), value })];
    }
    Ok(Splice { part, from: None, of: Some(Box::new(donor)) })
}

/// Tokens with things happening between them.
fn sequence(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<Scenario> {
    let mut steps = Vec::new();
    let mut names = Vec::new();
    let mut publication = Publication::of(site.world);
    let rounds = u.int_in_range(1..=3)?;
    for round in 0..=rounds {
        let mut changed = None;
        if round > 0 {
            for _ in 0..u.int_in_range(0..=2)? {
                if let Some(step) = happening(u, site, &publication)?
                    && publication.apply(site.world, &step, "").is_ok()
                {
                    if let Step::UpdatePolicy { acts, .. } = &step {
                        changed = acts.last().cloned();
                    }
                    steps.push(step);
                }
            }
        }
        let asked = changed.as_ref().filter(|_| chance(u, 1, 2).unwrap_or(false));
        let asked = asked.map(|act| asking(u, site, act)).transpose()?.flatten();
        let present = match asked {
            Some((honest, acts)) => Present { name: None, to: site.party.alias.clone(), honest, acts },
            None => present(u, site, &names)?,
        };
        names.extend(present.name.clone());
        steps.push(Step::Present(present));
    }
    Ok(site.steps(steps))
}

/// A token in a sequence: honest more often than not, and sometimes named for later.
pub(super) fn present(u: &mut Unstructured<'_>, site: Site<'_>, names: &[String]) -> Result<Present> {
    let mut honest = honest(u, site)?;
    // After something has happened to a key it is that key's tokens that matter.
    if chance(u, 1, 4)? {
        let keys: Vec<_> = site.world.keys_of(&honest.issuer).filter(|key| key.private.is_some()).collect();
        honest.key = Some(u.choose(&keys)?.alias.clone());
    }
    let count = *u.choose(&[0, 0, 0, 1, 1, 2])?;
    let remembers = site.party.replay == Some(Replay::Refuse);
    let acts = if !names.is_empty() && chance(u, 1, if remembers { 2 } else { 8 })? {
        the_same_again(u.choose(names)?)
    } else {
        acts(u, Scene { site, honest: &honest }, count, names)?
    };
    let name = if chance(u, 1, 3)? { Some(format!("t{}", names.len() + 1)) } else { None };
    Ok(Present { name, to: site.party.alias.clone(), honest, acts })
}

/// Something that happens between tokens; `None` where nothing of the kind can.
pub(super) fn happening(u: &mut Unstructured<'_>, site: Site<'_>, publication: &Publication) -> Result<Option<Step>> {
    let world = site.world;
    let issuers: Vec<_> = site.trusts().map(|trust| trust.issuer).collect();
    let issuer = *u.choose(&issuers)?;
    let listed = publication.listed(&issuer.alias);
    Ok(match u.int_in_range(0..=6)? {
        0..=1 if !listed.is_empty() => Some(Step::RemoveKey { key: u.choose(listed)?.0.clone() }),
        2..=3 if !listed.is_empty() => {
            let is_listed = |key: &&Key| listed.iter().any(|(alias, _)| *alias == key.alias);
            let waits: Vec<_> = world.keys_of(&issuer.alias).filter(|key| !is_listed(key) && !is_secret(key)).collect();
            if waits.is_empty() {
                return Ok(None);
            }
            let key = u.choose(listed)?.0.clone();
            let to = u.choose(&waits)?.alias.clone();
            Some(Step::RotateKey { key, to, keep_kid: chance(u, 1, 3)?, overlap: chance(u, 1, 3)? })
        }
        4 => Some(Step::DisableIssuer { issuer: issuer.alias.clone() }),
        5 => Some(Step::AdvanceClock(Span(*u.choose(&[60, 600, 7200])?))),
        6 => Some(Step::UpdatePolicy {
            party: site.party.alias.clone(),
            acts: vec![policy_act(u, site, &issuer.alias)?],
        }),
        _ => None,
    })
}
