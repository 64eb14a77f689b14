//! Which keys are listed and who is trusted, after what has happened so far.

use super::{Calendar, PartyIssuer, World};
use crate::error::Error;
use crate::policy::{KeySource, TrustPolicy};
use crate::scenario::{PolicyAct, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The public state of a world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    listed: BTreeMap<String, Vec<(String, Option<String>)>>,
    disabled: BTreeSet<String>,
    policy_acts: Vec<(String, PolicyAct)>,
}

impl Publication {
    /// The state at the start.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let mut publication = Publication::default();
        for key in world.keys.iter().filter(|key| key.published) {
            if let Some(owner) = &key.owner {
                publication.listed.entry(owner.clone()).or_default().push((key.alias.clone(), None));
            }
        }
        publication
    }

    /// The keys that an issuer lists: aliases, and the `kid` where it is not the key's own.
    #[must_use]
    pub fn listed(&self, issuer: &str) -> &[(String, Option<String>)] {
        self.listed.get(issuer).map_or(&[], Vec::as_slice)
    }

    /// Whether an issuer has not been disabled.
    #[must_use]
    pub fn trusts(&self, issuer: &str) -> bool {
        !self.disabled.contains(issuer)
    }

    /// Lets a step happen. Steps that change no trust change nothing.
    ///
    /// # Errors
    /// Where the step names what the world does not have.
    pub fn apply(&mut self, world: &World, step: &Step, place: &str) -> Result<(), Error> {
        let wrong = |problem: String| Error::Scenario { place: place.to_owned(), problem };
        let key_named = |alias: &String| {
            world.key(alias).ok_or_else(|| wrong(format!("world {} has no key `{alias}`", world.name)))
        };
        match step {
            Step::RemoveKey { key } => {
                self.take_out(&key_named(key)?.alias).ok_or_else(|| wrong(format!("the key `{key}` is not listed")))?;
            }
            Step::RotateKey { key, to, keep_kid, overlap } => {
                let (old, new) = (key_named(key)?, key_named(to)?);
                if new.owner.is_none() || new.owner != old.owner {
                    return Err(wrong(format!("`{to}` is not a key of the issuer that owns `{key}`")));
                }
                let issuer = new.owner.clone().unwrap_or_default();
                if self.listed(&issuer).iter().any(|(alias, _)| alias == to) {
                    return Err(wrong(format!("the key `{to}` is listed already")));
                }
                if !self.listed(&issuer).iter().any(|(alias, _)| alias == key) {
                    return Err(wrong(format!("the key `{key}` is not listed")));
                }
                if !overlap {
                    self.take_out(key);
                }
                let kid = if *keep_kid { old.jwk.kid.clone() } else { None };
                self.listed.entry(issuer).or_default().push((to.clone(), kid));
            }
            Step::DisableIssuer { issuer } => {
                if world.issuer(issuer).is_none() {
                    return Err(wrong(format!("world {} has no issuer `{issuer}`", world.name)));
                }
                self.disabled.insert(issuer.clone());
            }
            Step::UpdatePolicy { party, acts } => {
                if world.party(party).is_none() {
                    return Err(wrong(format!("world {} has no party `{party}`", world.name)));
                }
                for act in acts {
                    check_act(world, act).map_err(wrong)?;
                    self.policy_acts.push((party.clone(), act.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_out(&mut self, key: &str) -> Option<()> {
        for keys in self.listed.values_mut() {
            if let Some(index) = keys.iter().position(|(alias, _)| alias == key) {
                keys.remove(index);
                return Some(());
            }
        }
        None
    }

    pub(super) fn apply_policy_acts(
        &self,
        world: &World,
        party: &str,
        policy: &mut TrustPolicy,
        source: KeySource,
        calendar: Calendar,
    ) {
        for (_, act) in self.policy_acts.iter().filter(|(whose, _)| whose == party) {
            let name_of = |alias: &String| world.issuer(alias).map(|issuer| issuer.name.clone());
            match act {
                PolicyAct::AddIssuer(alias) => {
                    let Some(mut whole) = world.party(party).cloned() else { continue };
                    whole.issuers = vec![PartyIssuer { alias: alias.clone(), ..PartyIssuer::default() }];
                    let bare = Publication { policy_acts: Vec::new(), ..self.clone() };
                    let told = world.policy(&whole, source, &bare, calendar);
                    policy.issuers.retain(|issuer| told.issuers.iter().all(|new| new.issuer != issuer.issuer));
                    policy.issuers.extend(told.issuers);
                }
                PolicyAct::RemoveIssuer(alias) => {
                    let name = name_of(alias);
                    policy.issuers.retain(|issuer| Some(&issuer.issuer) != name.as_ref());
                }
                PolicyAct::SetAudiences(names) => policy.audiences = Some(names.clone()),
                PolicyAct::SetAlgorithms { issuer, algorithms } => {
                    let name = name_of(issuer);
                    for told in policy.issuers.iter_mut().filter(|told| Some(&told.issuer) == name.as_ref()) {
                        told.algorithms = Some(algorithms.clone());
                    }
                }
                PolicyAct::SetTenants { issuer, tenants } => {
                    let name = name_of(issuer);
                    for told in policy.issuers.iter_mut().filter(|told| Some(&told.issuer) == name.as_ref()) {
                        let ids = tenants.iter().filter_map(|alias| Some(world.tenant(alias)?.id.clone()));
                        told.tenants = Some(ids.collect());
                    }
                }
                PolicyAct::SetLeeway(seconds) => policy.leeway = Some(*seconds),
                PolicyAct::Unset(member) => unset(policy, member),
            }
        }
    }
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

fn check_act(world: &World, act: &PolicyAct) -> Result<(), String> {
    let issuer = |alias: &String| match world.issuer(alias) {
        Some(_) => Ok(()),
        None => Err(format!("world {} has no issuer `{alias}`", world.name)),
    };
    match act {
        PolicyAct::AddIssuer(alias)
        | PolicyAct::RemoveIssuer(alias)
        | PolicyAct::SetAlgorithms { issuer: alias, .. } => issuer(alias),
        PolicyAct::SetTenants { issuer: alias, tenants } => {
            issuer(alias)?;
            match tenants.iter().find(|tenant| world.tenant(tenant).is_none()) {
                Some(tenant) => Err(format!("world {} has no tenant `{tenant}`", world.name)),
                None => Ok(()),
            }
        }
        PolicyAct::Unset(member) if !FORGETTABLE.contains(&member.as_str()) => {
            Err(format!("`{member}` cannot be unset; one of {} can", FORGETTABLE.join(", ")))
        }
        PolicyAct::SetAudiences(_) | PolicyAct::SetLeeway(_) | PolicyAct::Unset(_) => Ok(()),
    }
}
