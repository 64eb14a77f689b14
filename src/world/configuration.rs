//! What acts on a policy do to it: trust that changes while a validator is at work, and trust that was configured badly
//! from the start (design, section 6.7).

use super::{Calendar, Key, Party, PartyIssuer, Publication, World};
use crate::jose::{Jwk, JwkSet, Material};
use crate::key::{KeyError, public_text};
use crate::policy::{KeySource, TrustPolicy, TrustedIssuer};
use crate::scenario::{KeyIssuer, PolicyAct, PublicForm, PublicText, Span, Spoil};
use serde_json::{Value, json};

/// A policy while acts are done to it.
pub(super) struct Told<'w> {
    world: &'w World,
    party: &'w Party,
    publication: &'w Publication,
    calendar: Calendar,
    /// Issuers that are configured under another name than their own: alias and name.
    renamed: Vec<(&'w str, String)>,
}

impl<'w> Told<'w> {
    pub(super) fn new(world: &'w World, party: &'w Party, publication: &'w Publication, calendar: Calendar) -> Self {
        Told { world, party, publication, calendar, renamed: Vec::new() }
    }

    /// The policy after everything that was done to it.
    pub(super) fn configured(mut self, mut policy: TrustPolicy) -> TrustPolicy {
        for act in self.publication.policy_acts(&self.party.alias) {
            // An act that names what is not there was refused when the step happened.
            let _ = self.apply(act, &mut policy);
        }
        policy
    }

    fn apply(&mut self, act: &'w PolicyAct, policy: &mut TrustPolicy) -> Option<()> {
        match act {
            PolicyAct::AddIssuer(alias) => self.add_issuer(alias, policy),
            PolicyAct::RemoveIssuer(alias) => {
                let name = self.name_of(alias)?;
                policy.issuers.retain(|issuer| issuer.issuer != name);
            }
            PolicyAct::RenameIssuer { issuer, name } => self.rename(issuer, name.clone(), policy)?,
            PolicyAct::EditIssuer { issuer, edit } => {
                let name = edit.apply(&self.name_of(issuer)?);
                self.rename(issuer, name, policy)?;
            }
            PolicyAct::SetAudiences(names) => policy.audiences = Some(names.clone()),
            PolicyAct::SetAlgorithms { issuer, algorithms } => {
                self.entry(issuer, policy)?.algorithms = Some(algorithms.clone());
            }
            PolicyAct::SetTenants { issuer, tenants } => {
                let ids = tenants.iter().filter_map(|alias| Some(self.world.tenant(alias)?.id.clone())).collect();
                self.entry(issuer, policy)?.tenants = Some(ids);
            }
            PolicyAct::SetLeeway(seconds) => policy.leeway = Some(*seconds),
            PolicyAct::Unset(member) => unset(policy, member),
            PolicyAct::ListKey { key, issuer } => {
                let mut jwk = self.jwk(key)?;
                let name = self.name_of(issuer)?;
                let set = match policy.key_source {
                    KeySource::Converged => {
                        jwk.issuer = Some(name);
                        policy.converged_jwks.get_or_insert_default()
                    }
                    KeySource::PerIssuer | KeySource::Fetched => {
                        self.entry(issuer, policy)?.jwks.get_or_insert_default()
                    }
                };
                set.keys.push(jwk);
            }
            PolicyAct::ListNoKeys(alias) => self.clear_keys(alias, policy, Some(JwkSet::default()))?,
            PolicyAct::ForgetKeys(alias) => self.clear_keys(alias, policy, None)?,
            PolicyAct::SetKid { key, of } => {
                let kid = self.world.key(of)?.jwk.kid.clone();
                let material = &self.world.key(key)?.jwk.material;
                for jwk in sets(policy).flat_map(|set| &mut set.keys).filter(|jwk| jwk.material == *material) {
                    jwk.kid.clone_from(&kid);
                }
            }
            PolicyAct::SetKeyIssuer { key, to } => self.set_key_issuer(key, to, policy)?,
            PolicyAct::SpoilKey { key, how } => {
                let material = &self.world.key(key)?.jwk.material;
                sets(policy).for_each(|set| spoil(set, material, *how));
            }
            PolicyAct::MarkRevoked(key) => {
                let material = &self.world.key(key)?.jwk.material;
                let revoked = json!({ "revoked_at": self.calendar.at(Span(-86_400)).0 });
                for jwk in sets(policy).flat_map(|set| &mut set.keys).filter(|jwk| jwk.material == *material) {
                    jwk.revoked = Some(revoked.clone());
                }
            }
            PolicyAct::SetSecret { issuer, secret } => {
                let jwk = self.secret(secret)?;
                let secrets = self.entry(issuer, policy)?.secrets.get_or_insert_default();
                match secrets.keys.as_mut_slice() {
                    [] => secrets.keys.push(jwk),
                    known => known.iter_mut().for_each(|known| known.material = jwk.material.clone()),
                }
            }
        }
        Some(())
    }

    /// The name under which an issuer is configured by now.
    fn name_of(&self, alias: &str) -> Option<String> {
        let renamed = self.renamed.iter().rev().find(|(whose, _)| *whose == alias).map(|(_, name)| name.clone());
        renamed.or_else(|| Some(self.world.issuer(alias)?.name.clone()))
    }

    fn entry<'p>(&self, alias: &str, policy: &'p mut TrustPolicy) -> Option<&'p mut TrustedIssuer> {
        let name = self.name_of(alias)?;
        policy.issuers.iter_mut().find(|told| told.issuer == name)
    }

    fn jwk(&self, alias: &str) -> Option<Jwk> {
        Some(self.world.published_jwk(self.world.key(alias)?, None, self.calendar))
    }

    fn add_issuer(&self, alias: &str, policy: &mut TrustPolicy) {
        let trust = PartyIssuer { alias: alias.to_owned(), ..PartyIssuer::default() };
        let whole = Party { issuers: vec![trust], ..self.party.clone() };
        let bare = self.publication.without_policy_acts();
        let told = self.world.policy(&whole, policy.key_source, &bare, self.calendar);
        policy.issuers.retain(|issuer| told.issuers.iter().all(|new| new.issuer != issuer.issuer));
        policy.issuers.extend(told.issuers);
    }

    /// No issuer is listed twice: one that stands there under the new name makes room.
    fn rename(&mut self, alias: &'w str, name: String, policy: &mut TrustPolicy) -> Option<()> {
        let old = self.name_of(alias)?;
        if old != name && policy.issuers.iter().any(|told| told.issuer == old) {
            policy.issuers.retain(|told| told.issuer != name);
        }
        if let Some(told) = self.entry(alias, policy) {
            told.issuer.clone_from(&name);
        }
        self.renamed.push((alias, name));
        Some(())
    }

    fn clear_keys(&self, alias: &str, policy: &mut TrustPolicy, set: Option<JwkSet>) -> Option<()> {
        let name = self.name_of(alias)?;
        let own = self.world.issuer(alias)?.name.clone();
        if let Some(converged) = &mut policy.converged_jwks {
            converged.keys.retain(|jwk| jwk.issuer.as_ref().is_none_or(|owner| *owner != name && *owner != own));
        }
        let converged = policy.key_source == KeySource::Converged;
        let told = self.entry(alias, policy)?;
        told.jwks = set.filter(|_| !converged);
        told.secrets = None;
        Some(())
    }

    fn set_key_issuer(&self, key: &str, to: &KeyIssuer, policy: &mut TrustPolicy) -> Option<()> {
        let material = &self.world.key(key)?.jwk.material;
        let set = policy.converged_jwks.as_mut()?;
        let text = match to {
            KeyIssuer::Absent => None,
            KeyIssuer::Text(text) => Some(text.clone()),
            KeyIssuer::Of(issuer) => Some(self.name_of(issuer)?),
            KeyIssuer::Json(text) => {
                let value: Value = serde_json::from_str(text).ok()?;
                stray(set, material, |members| drop(members.insert("issuer".to_owned(), value.clone())));
                return Some(());
            }
        };
        for jwk in set.keys.iter_mut().filter(|jwk| jwk.material == *material) {
            jwk.issuer.clone_from(&text);
        }
        Some(())
    }

    fn secret(&self, secret: &PublicText) -> Option<Jwk> {
        let of = self.jwk(&secret.of)?;
        let mut jwk = Jwk::new(Material::Oct { k: octets(&of, secret).ok()? });
        jwk.kid = of.kid;
        Some(jwk)
    }
}

/// The secret that a text is; as a set the key stands alone.
fn octets(jwk: &Jwk, secret: &PublicText) -> Result<Vec<u8>, KeyError> {
    match &secret.form {
        PublicForm::Layout(layout) => public_text(jwk, &JwkSet::of(vec![jwk.clone()]), *layout),
        PublicForm::Text(text) => Ok(text.clone().into_bytes()),
    }
}

/// Every published set of a policy.
fn sets(policy: &mut TrustPolicy) -> impl Iterator<Item = &mut JwkSet> {
    policy.issuers.iter_mut().flat_map(|told| &mut told.jwks).chain(&mut policy.converged_jwks)
}

/// Turns the listings of a key into members of the list that are no key.
fn stray(set: &mut JwkSet, material: &Material, change: impl Fn(&mut serde_json::Map<String, Value>)) {
    let (spoiled, keys): (Vec<Jwk>, Vec<Jwk>) = std::mem::take(&mut set.keys).into_iter().partition(is(material));
    set.keys = keys;
    for jwk in spoiled {
        if let Ok(Value::Object(mut members)) = serde_json::to_value(jwk) {
            change(&mut members);
            set.strays.push(Value::Object(members));
        }
    }
}

fn is(material: &Material) -> impl Fn(&Jwk) -> bool {
    move |jwk| jwk.material == *material
}

fn spoil(set: &mut JwkSet, material: &Material, how: Spoil) {
    let text = |text: &str| Value::String(text.to_owned());
    let set_kty = |kty: &'static str| {
        move |members: &mut serde_json::Map<String, Value>| drop(members.insert("kty".to_owned(), text(kty)))
    };
    match how {
        Spoil::UnknownKty => stray(set, material, set_kty("MEGOLM")),
        Spoil::OtherKty => stray(
            set,
            material,
            set_kty(match material {
                Material::Rsa { .. } => "EC",
                Material::Ec { .. } | Material::Okp { .. } => "RSA",
                Material::Oct { .. } => "OKP",
            }),
        ),
        Spoil::NoKty => stray(set, material, |members| drop(members.remove("kty"))),
        Spoil::NoNumber => stray(set, material, |members| {
            for number in ["n", "x", "k"] {
                members.remove(number);
            }
        }),
        Spoil::OtherCurve | Spoil::OffCurve | Spoil::ExponentOne | Spoil::EvenModulus => {
            let Some(spoiled) = spoiled_numbers(material, how) else { return };
            for jwk in set.keys.iter_mut().filter(|jwk| jwk.material == *material) {
                jwk.material = spoiled.clone();
            }
        }
    }
}

/// Numbers that look like a key; `None` where this kind of key cannot be spoiled that way.
fn spoiled_numbers(material: &Material, how: Spoil) -> Option<Material> {
    let flip_last = |octets: &[u8]| {
        let mut octets = octets.to_vec();
        if let Some(last) = octets.last_mut() {
            *last ^= 1;
        }
        octets
    };
    Some(match (material, how) {
        (Material::Ec { crv, x, y }, Spoil::OtherCurve) => {
            let other = if crv == "P-384" { "P-256" } else { "P-384" };
            Material::Ec { crv: other.to_owned(), x: x.clone(), y: y.clone() }
        }
        (Material::Okp { x, .. }, Spoil::OtherCurve) => Material::Okp { crv: "X25519".to_owned(), x: x.clone() },
        // Of the two points with that x neither has this y, except for one key in 2^255.
        (Material::Ec { crv, x, y }, Spoil::OffCurve) => {
            Material::Ec { crv: crv.clone(), x: x.clone(), y: flip_last(y) }
        }
        (Material::Rsa { n, .. }, Spoil::ExponentOne) => Material::Rsa { n: n.clone(), e: vec![1] },
        (Material::Rsa { n, e }, Spoil::EvenModulus) => Material::Rsa { n: flip_last(n), e: e.clone() },
        _ => return None,
    })
}

/// Whether this kind of key can be spoiled that way.
pub(crate) fn can_be_spoiled(key: &Key, how: Spoil) -> bool {
    let by_members = matches!(how, Spoil::UnknownKty | Spoil::NoKty | Spoil::NoNumber | Spoil::OtherKty);
    by_members || spoiled_numbers(&key.jwk.material, how).is_some()
}

/// Members of a policy that can be forgotten.
const FORGETTABLE: [&str; 8] = [
    "audiences",
    "token_types",
    "required_claims",
    "leeway",
    "crit_understood",
    "cloud_instance",
    "jwks_max_age",
    "enforce_key_lifetime",
];

fn unset(policy: &mut TrustPolicy, member: &str) {
    match member {
        "audiences" => policy.audiences = None,
        "token_types" => policy.token_types = None,
        "required_claims" => policy.required_claims = None,
        "leeway" => policy.leeway = None,
        "crit_understood" => policy.crit_understood = None,
        "cloud_instance" => policy.cloud_instance = None,
        "jwks_max_age" => policy.jwks_max_age = None,
        "enforce_key_lifetime" => policy.enforce_key_lifetime = None,
        _ => {}
    }
}

/// Whether the world has what an act names.
pub(super) fn check(world: &World, act: &PolicyAct) -> Result<(), String> {
    let issuer = |alias: &String| match world.issuer(alias) {
        Some(_) => Ok(()),
        None => Err(format!("world {} has no issuer `{alias}`", world.name)),
    };
    let key = |alias: &String| world.key(alias).ok_or_else(|| format!("world {} has no key `{alias}`", world.name));
    match act {
        PolicyAct::AddIssuer(alias)
        | PolicyAct::RemoveIssuer(alias)
        | PolicyAct::RenameIssuer { issuer: alias, .. }
        | PolicyAct::EditIssuer { issuer: alias, .. }
        | PolicyAct::ListNoKeys(alias)
        | PolicyAct::ForgetKeys(alias)
        | PolicyAct::SetAlgorithms { issuer: alias, .. } => issuer(alias),
        PolicyAct::SetTenants { issuer: alias, tenants } => {
            issuer(alias)?;
            match tenants.iter().find(|tenant| world.tenant(tenant).is_none()) {
                Some(tenant) => Err(format!("world {} has no tenant `{tenant}`", world.name)),
                None => Ok(()),
            }
        }
        PolicyAct::ListKey { key: alias, issuer: whose } => {
            issuer(whose)?;
            key(alias).map(drop)
        }
        PolicyAct::MarkRevoked(alias) => key(alias).map(drop),
        PolicyAct::SetKid { key: alias, of } => {
            key(alias)?;
            key(of).map(drop)
        }
        PolicyAct::SetKeyIssuer { key: alias, to } => {
            key(alias)?;
            match to {
                KeyIssuer::Absent | KeyIssuer::Text(_) => Ok(()),
                KeyIssuer::Of(of) => issuer(of),
                KeyIssuer::Json(text) => match serde_json::from_str(text) {
                    Ok(Value::String(_) | Value::Null) => {
                        Err(format!("`json` {text} is text or nothing: use `text` or `absent`"))
                    }
                    Ok(_) => Ok(()),
                    Err(error) => Err(format!("`json` is not JSON: {error}")),
                },
            }
        }
        PolicyAct::SpoilKey { key: alias, how } => {
            let key = key(alias)?;
            if can_be_spoiled(key, *how) {
                Ok(())
            } else {
                Err(format!("a {} key cannot be spoiled that way", key.jwk.material.kty()))
            }
        }
        PolicyAct::SetSecret { issuer: whose, secret } => {
            issuer(whose)?;
            let key = key(&secret.of)?;
            octets(&key.jwk, secret).map(drop).map_err(|error| error.to_string())
        }
        PolicyAct::Unset(member) if !FORGETTABLE.contains(&member.as_str()) => {
            Err(format!("`{member}` cannot be unset; one of {} can", FORGETTABLE.join(", ")))
        }
        PolicyAct::SetAudiences(_) | PolicyAct::SetLeeway(_) | PolicyAct::Unset(_) => Ok(()),
    }
}
