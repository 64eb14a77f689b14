//! Acts on the policy of a relying party, and tokens that ask after them: trust that was configured badly from the start, and
//! trust that changes while a validator is at work.

use super::acts::{set_claim, sign_secret};
use super::palette::{Scene, chance, edit};
use super::playable::has_layout;
use super::random::{acts, algorithm, honest};
use super::site::{Site, is_secret};
use crate::jose::Layout;
use crate::policy::{KeySource, TENANT_PLACE};
use crate::scenario::{
    Act, Edit, Honest, KeyIssuer, Kid, PolicyAct, PublicForm, PublicText, Scenario, SignWith, Spoil, Step, Value,
};
use crate::world::{Key, can_be_spoiled};
use arbitrary::{Result, Unstructured};

/// Acts on the first policy, by how often.
const POLICY_ACTS: [usize; 4] = [1, 1, 1, 2];

/// Acts on the token that asks after them, by how often.
const TOKEN_ACTS: [usize; 6] = [0, 0, 0, 0, 0, 1];

/// Kinds of acts by how often, as [`policy_act`] numbers them: what is said of names and keys has more ways to go wrong than what
/// is said of the rest.
const KINDS: [u8; 27] = [0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 11, 12, 12, 13, 13, 14, 15, 16];

/// Names that an issuer is configured under by mistake.
const NAMES: [&str; 4] = ["", " ", "x", "https://"];

/// Secrets that somebody chose; the last two are long enough for every hash.
const SECRETS: [&str; 5] = [
    "",
    "secret",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "correct horse battery staple correct horse battery staple correct",
    "d5f2a9c07b3e4816d5f2a9c07b3e4816a1b2c3d4e5f60718293a4b5c6d7e8f90",
];

/// A party that was told something else from the start than its world says, and a token that mostly asks after that.
pub(super) fn configured(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<Scenario> {
    let issuer = any_issuer(u, site)?;
    let mut told = Vec::new();
    for _ in 0..*u.choose(&POLICY_ACTS)? {
        told.push(policy_act(u, site, &issuer)?);
    }
    let after = if chance(u, 5, 6)? { told.last() } else { None };
    let (honest, mut done) = match after.map(|act| asking(u, site, act)).transpose()?.flatten() {
        Some(token) => token,
        None => (honest(u, site)?, Vec::new()),
    };
    let more = *u.choose(&TOKEN_ACTS)?;
    done.extend(acts(u, Scene { site, honest: &honest }, more, &[])?);
    let update = Step::UpdatePolicy { party: site.party.alias.clone(), acts: told };
    Ok(site.steps(vec![update, site.present(honest, done)]))
}

/// One of those that the party trusts.
pub(super) fn any_issuer(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<String> {
    let issuers: Vec<_> = site.trusts().map(|trust| trust.issuer).collect();
    Ok(u.choose(&issuers)?.alias.clone())
}

/// An act of any kind on what the party is told of this issuer, or of everybody.
pub(super) fn policy_act(u: &mut Unstructured<'_>, site: Site<'_>, issuer: &str) -> Result<PolicyAct> {
    let world = site.world;
    let issuer = issuer.to_owned();
    Ok(match *u.choose(&KINDS)? {
        0 => PolicyAct::AddIssuer(u.choose(&world.issuers)?.alias.clone()),
        1 => PolicyAct::RemoveIssuer(issuer),
        2 => {
            let names = &u.choose(&world.parties)?.audiences;
            PolicyAct::SetAudiences(if chance(u, 1, 4)? { Vec::new() } else { names.clone() })
        }
        3 => {
            let name = *u.choose(&["RS256", "PS256", "ES256", "EdDSA", "HS256"])?;
            let algorithms = if chance(u, 1, 4)? { Vec::new() } else { vec![name.to_owned()] };
            PolicyAct::SetAlgorithms { issuer, algorithms }
        }
        4 if !world.tenants.is_empty() => {
            PolicyAct::SetTenants { issuer, tenants: vec![u.choose(&world.tenants)?.alias.clone()] }
        }
        5 => PolicyAct::SetLeeway(*u.choose(&[0, 30, 300, u64::MAX])?),
        7 => PolicyAct::RenameIssuer { issuer, name: (*u.choose(&NAMES)?).to_owned() },
        8 => PolicyAct::EditIssuer { edit: edit_of_name(u, site, &issuer)?, issuer },
        9 => PolicyAct::ListKey { key: any_key(u, site, &issuer)?.alias.clone(), issuer },
        10 => PolicyAct::ListNoKeys(issuer),
        11 => PolicyAct::ForgetKeys(issuer),
        12 => {
            let key = own_key(u, site, &issuer)?.alias.clone();
            PolicyAct::SetKid { key, of: any_key(u, site, &issuer)?.alias.clone() }
        }
        13 if site.key_source == KeySource::Converged => {
            PolicyAct::SetKeyIssuer { key: own_key(u, site, &issuer)?.alias.clone(), to: key_issuer(u, site)? }
        }
        13..=14 => {
            let key = own_key(u, site, &issuer)?;
            let ways: Vec<Spoil> = Spoil::ALL.into_iter().filter(|&how| can_be_spoiled(key, how)).collect();
            PolicyAct::SpoilKey { key: key.alias.clone(), how: *u.choose(&ways)? }
        }
        16 => PolicyAct::MarkRevoked(own_key(u, site, &issuer)?.alias.clone()),
        15 => PolicyAct::SetSecret { secret: secret(u, site, &issuer)?, issuer },
        _ => {
            let members = [
                "audiences",
                "token_types",
                "required_claims",
                "leeway",
                "enforce_key_lifetime",
                "cloud_instance",
                "crit_understood",
                "jwks_max_age",
            ];
            PolicyAct::Unset((*u.choose(&members)?).to_owned())
        }
    })
}

/// A token whose answer the act decides: from the issuer that it is about, by the key that it is about, under the name that it
/// gives. `None` where the act is about nobody whose token could be made.
pub(super) fn asking(u: &mut Unstructured<'_>, site: Site<'_>, act: &PolicyAct) -> Result<Option<(Honest, Vec<Act>)>> {
    let of = |issuer: &str| honest_of(site, issuer);
    let by = |issuer: &str, key: &str| {
        let signs = site.world.key(key).is_some_and(|key| key.private.is_some());
        let honest = of(issuer)?;
        signs.then(|| Honest { key: Some(key.to_owned()), ..honest })
    };
    let plain = |honest: Option<Honest>| honest.map(|honest| (honest, Vec::new()));
    Ok(match act {
        PolicyAct::AddIssuer(issuer)
        | PolicyAct::RemoveIssuer(issuer)
        | PolicyAct::SetAlgorithms { issuer, .. }
        | PolicyAct::ListNoKeys(issuer)
        | PolicyAct::ForgetKeys(issuer) => plain(of(issuer)),
        PolicyAct::SetTenants { issuer, tenants } => {
            let has_tenants = site.world.issuer(issuer).is_some_and(|issuer| !issuer.tenants.is_empty());
            let tenant = if has_tenants && chance(u, 1, 2)? { tenants.first().cloned() } else { None };
            plain(of(issuer).map(|honest| Honest { tenant, ..honest }))
        }
        // Under the new name more often than under the old one, which nobody knows any more.
        PolicyAct::RenameIssuer { issuer, name } => {
            let named = set_claim("iss", Value::text(name));
            let acts = if chance(u, 2, 3)? { vec![named] } else { Vec::new() };
            of(issuer).map(|honest| (honest, acts))
        }
        PolicyAct::EditIssuer { issuer, edit } => {
            let named = set_claim("iss", Value::issuer(issuer).edited(edit.clone()));
            let acts = if chance(u, 2, 3)? { vec![named] } else { Vec::new() };
            of(issuer).map(|honest| (honest, acts))
        }
        PolicyAct::ListKey { key, issuer } => signed_by(u, site, issuer, key, Kid::Own)?,
        PolicyAct::SetKid { key, of } => {
            let Some(issuer) = owner(site, key) else { return Ok(None) };
            let kid = if chance(u, 1, 2)? { Kid::Of(of.clone()) } else { Kid::Own };
            let signer = if chance(u, 1, 4)? { of } else { key };
            signed_by(u, site, &issuer, signer, kid)?
        }
        PolicyAct::SetKeyIssuer { key, to: KeyIssuer::Of(issuer) } if chance(u, 1, 2)? => {
            signed_by(u, site, issuer, key, Kid::Own)?
        }
        PolicyAct::SetKeyIssuer { key, .. } | PolicyAct::SpoilKey { key, .. } | PolicyAct::MarkRevoked(key) => {
            plain(owner(site, key).and_then(|issuer| by(&issuer, key)))
        }
        PolicyAct::SetSecret { issuer, secret } => {
            let known = site.world.keys_of(issuer).find(|key| is_secret(key)).map(|key| key.alias.clone());
            let kid = known.map_or(Kid::Own, Kid::Of);
            let alg = site.allowed(issuer).iter().find(|name| name.starts_with("HS")).map(String::as_str);
            let sign = |key| sign_secret(key, secret.form.clone(), alg, kid);
            site.world.key(&secret.of).and_then(|key| Some((of(issuer)?, vec![sign(key)])))
        }
        PolicyAct::SetAudiences(_) | PolicyAct::SetLeeway(_) | PolicyAct::Unset(_) => None,
    })
}

/// What this issuer would write, where somebody can sign for it.
fn honest_of(site: Site<'_>, issuer: &str) -> Option<Honest> {
    if let Some(trust) = site.trusts().find(|trust| trust.issuer.alias == issuer) {
        return Some(trust.honest());
    }
    let key = site.world.keys_of(issuer).find(|key| key.honest && key.private.is_some())?;
    Some(Honest { issuer: issuer.to_owned(), key: Some(key.alias.clone()), ..Honest::default() })
}

/// A token of this issuer that somebody's key signs, by an algorithm that is allowed where there is one.
fn signed_by(
    u: &mut Unstructured<'_>,
    site: Site<'_>,
    issuer: &str,
    key: &str,
    kid: Kid,
) -> Result<Option<(Honest, Vec<Act>)>> {
    let key = site.world.key(key).filter(|key| key.private.is_some());
    let (Some(honest), Some(key)) = (honest_of(site, issuer), key) else { return Ok(None) };
    let alg = algorithm(u, Scene { site, honest: &honest }, key)?;
    let sign = Act::SignWith(SignWith { key: Some(key.alias.clone()), secret: None, alg, kid });
    Ok(Some((honest, vec![sign])))
}

fn owner(site: Site<'_>, key: &str) -> Option<String> {
    site.world.key(key)?.owner.clone()
}

/// A key of the issuer's own that signs.
fn own_key<'w>(u: &mut Unstructured<'_>, site: Site<'w>, issuer: &str) -> Result<&'w Key> {
    let own = |key: &Key| key.private.is_some() && key.owner.as_deref() == Some(issuer);
    let keys: Vec<_> = site.world.keys.iter().filter(|key| own(key)).collect();
    u.choose(&keys).copied()
}

/// Any key that signs: one of a kind that may be public before a secret, which stands in a public set by mistake alone.
fn any_key<'w>(u: &mut Unstructured<'_>, site: Site<'w>, issuer: &str) -> Result<&'w Key> {
    let keys: Vec<_> = site.world.keys.iter().filter(|key| key.private.is_some()).collect();
    let public: Vec<_> = keys.iter().copied().filter(|key| !is_secret(key)).collect();
    let own: Vec<_> = public.iter().copied().filter(|key| key.owner.as_deref() == Some(issuer)).collect();
    let some = [&own, &public, &public, &keys];
    let from = some[u.int_in_range(0..=some.len() - 1)?];
    u.choose(if from.is_empty() { &keys } else { from }).copied()
}

/// What somebody makes of a name; where it is a template half of the time the place of the tenant twice, or not at all.
fn edit_of_name(u: &mut Unstructured<'_>, site: Site<'_>, issuer: &str) -> Result<Edit> {
    let template = site.world.issuer(issuer).is_some_and(|issuer| issuer.name.contains(TENANT_PLACE));
    if template && chance(u, 1, 2)? {
        let twice = format!("{TENANT_PLACE}/{TENANT_PLACE}");
        return Ok(Edit::Replace(TENANT_PLACE.to_owned(), (*u.choose(&[twice.as_str(), "common", ""])?).to_owned()));
    }
    edit(u)
}

fn key_issuer(u: &mut Unstructured<'_>, site: Site<'_>) -> Result<KeyIssuer> {
    Ok(match u.int_in_range(0..=4)? {
        0 => KeyIssuer::Absent,
        1 => KeyIssuer::Text((*u.choose(&["", " ", "x"])?).to_owned()),
        2 => KeyIssuer::Json((*u.choose(&["7", "{}", "[]"])?).to_owned()),
        _ => KeyIssuer::Of(u.choose(&site.world.issuers)?.alias.clone()),
    })
}

/// A text that stands for what the party and the issuer share: of a key of the issuer's, what somebody chose, or what
/// everybody can read.
fn secret(u: &mut Unstructured<'_>, site: Site<'_>, issuer: &str) -> Result<PublicText> {
    let key = own_key(u, site, issuer)?;
    let form = if chance(u, 1, 3)? {
        let layouts: Vec<_> = Layout::ALL.iter().copied().filter(|&layout| has_layout(key, layout)).collect();
        PublicForm::Layout(*u.choose(&layouts)?)
    } else {
        PublicForm::Text((*u.choose(&SECRETS)?).to_owned())
    };
    Ok(PublicText { of: key.alias.clone(), form })
}
