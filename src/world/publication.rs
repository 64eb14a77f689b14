//! Which keys are listed and who is trusted, after what has happened so far.

use super::World;
use super::configuration::check;
use crate::error::Error;
use crate::policy::Disturbance;
use crate::scenario::{PolicyAct, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The public state of a world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    listed: BTreeMap<String, Vec<(String, Option<String>)>>,
    disabled: BTreeSet<String>,
    /// What is wrong where an issuer publishes, by alias.
    disturbed: BTreeMap<String, Disturbance>,
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

    /// What is wrong where an issuer publishes.
    #[must_use]
    pub fn disturbed(&self, issuer: &str) -> Option<&Disturbance> {
        self.disturbed.get(issuer)
    }

    /// Lets a step happen. Steps that change neither trust nor what is published change nothing.
    ///
    /// # Errors
    /// Where the step names what the world does not have.
    pub fn apply(&mut self, world: &World, step: &Step, place: &str) -> Result<(), Error> {
        let wrong = |problem: String| Error::Scenario { place: place.to_owned(), problem };
        let key_named = |alias: &String| {
            world.key(alias).ok_or_else(|| wrong(format!("world {} has no key `{alias}`", world.name)))
        };
        let issuer_named = |alias: &str| match world.issuer(alias) {
            Some(_) => Ok(()),
            None => Err(wrong(format!("world {} has no issuer `{alias}`", world.name))),
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
                issuer_named(issuer)?;
                self.disabled.insert(issuer.clone());
            }
            Step::JwksUnreachable { issuer, how } => {
                issuer_named(issuer)?;
                if let Some(other) = how.other() {
                    issuer_named(other)?;
                    if other == issuer {
                        return Err(wrong(format!("`{issuer}` cannot be taken for itself: name another issuer")));
                    }
                }
                self.disturbed.insert(issuer.clone(), how.clone());
            }
            Step::JwksReachable { issuer } => {
                issuer_named(issuer)?;
                self.disturbed.remove(issuer);
            }
            Step::UpdatePolicy { party, acts } => {
                if world.party(party).is_none() {
                    return Err(wrong(format!("world {} has no party `{party}`", world.name)));
                }
                for act in acts {
                    check(world, act).map_err(wrong)?;
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

    /// What has been done to the policy of a relying party, in order.
    pub(super) fn policy_acts<'p>(&'p self, party: &'p str) -> impl Iterator<Item = &'p PolicyAct> {
        self.policy_acts.iter().filter(move |(whose, _)| whose == party).map(|(_, act)| act)
    }

    /// The same state before anything was done to a policy.
    pub(super) fn without_policy_acts(&self) -> Publication {
        Publication { policy_acts: Vec::new(), ..self.clone() }
    }
}
