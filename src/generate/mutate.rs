//! One change to a scenario that a fuzzer holds as the bytes of its file.

use super::atlas::Atlas;
use super::configure::{any_issuer, asking, policy_act};
use super::palette::{Scene, chance};
use super::playable::is_playable;
use super::random::{act, again, happening, honest, is_last, octets, present, random, seeded, simplest};
use super::site::Site;
use crate::scenario::{Act, Honest, MAX_STEPS, PolicyAct, Present, Scenario, Step};
use crate::world::Publication;
use arbitrary::{Result, Unstructured};
use std::sync::Arc;

/// More acts than this are taken away again rather than added to.
const MANY_ACTS: usize = 3;

/// More steps than this likewise.
const MANY_STEPS: usize = 6;

/// One mutation in so many begins anew. A walk from a scenario that is no lead is a walk away from others: a corpus of small
/// steps alone needs several times as many of them as there are fresh scenarios until one shows the same.
const FRESH: u8 = 4;

/// Changes to a lead, by how often.
const CHANGES: [usize; 8] = [1, 1, 1, 1, 2, 2, 3, 4];

/// Numbers of guided scenarios differ from those of random ones.
const GUIDED: u64 = 1 << 62;

/// How often a change is tried that turns out to change nothing, or to ask for what cannot be played.
const TRIES: usize = 16;

/// Changes one thing in the scenario that these bytes are the file of: an act, a parameter, the honest part, the relying
/// party, the key source, a step. Now and then, and where the bytes are no scenario of the atlas, it is a fresh one. The answer is a file again,
/// of at most `max_size` bytes, and can be played; it is empty only where not even the simplest scenario is that short.
#[must_use]
pub fn mutate(bytes: &[u8], max_size: usize, seed: u32, atlas: &Atlas) -> Vec<u8> {
    let drawn = octets(u64::from(seed), u64::MAX);
    let mut u = Unstructured::new(&drawn);
    let known = Scenario::from_json(bytes).ok().filter(|scenario| {
        let played = |world| is_playable(scenario, world);
        atlas.world(&scenario.world).is_some_and(|world| played(world))
    });
    let encoded = |scenario: &Scenario| {
        let text = serde_json::to_vec(scenario).unwrap_or_default();
        (!text.is_empty() && text.len() <= max_size).then_some(text)
    };
    if let Some(scenario) = known
        && !chance(&mut u, 1, FRESH).unwrap_or(false)
        && let Some(text) = vary(&mut u, &scenario, atlas, encoded)
    {
        return text;
    }
    if atlas.is_empty() {
        return Vec::new();
    }
    let fresh = |_| random(&mut u, atlas).ok().as_ref().and_then(encoded);
    let plain = || atlas.sites().filter_map(simplest).find_map(|scenario| encoded(&scenario));
    (0..TRIES).find_map(fresh).or_else(plain).unwrap_or_default()
}

/// One change that can be played and that `fits` has a use for.
fn vary<T>(
    u: &mut Unstructured<'_>,
    scenario: &Scenario,
    atlas: &Atlas,
    fits: impl Fn(&Scenario) -> Option<T>,
) -> Option<T> {
    (0..TRIES).find_map(|_| {
        let mut changed = change(u, scenario, atlas).ok()??;
        atlas.restrict(&mut changed);
        let plays = atlas.world(&changed.world).is_some_and(|world| is_playable(&changed, world));
        if plays && changed != *scenario { fits(&changed) } else { None }
    })
}

/// The scenario of that number in a search that goes on from leads: one of them, the later ones more often, with one or a few
/// changes. Without leads it is a fresh one.
///
/// # Panics
/// Where the atlas has no site.
#[must_use]
pub fn guided(seed: u64, number: u64, leads: &[Arc<Scenario>], atlas: &Atlas) -> Scenario {
    let drawn = octets(seed, number | GUIDED);
    let mut u = Unstructured::new(&drawn);
    let mut found = lead(&mut u, leads).ok().cloned();
    for _ in 0..*u.choose(&CHANGES).unwrap_or(&1) {
        found = found.and_then(|scenario| vary(&mut u, &scenario, atlas, |changed| Some(changed.clone())));
    }
    found.unwrap_or_else(|| seeded(seed, number | GUIDED, atlas))
}

/// Half of the time one of the latest quarter.
fn lead<'l>(u: &mut Unstructured<'_>, leads: &'l [Arc<Scenario>]) -> Result<&'l Scenario> {
    let first = if chance(u, 1, 2)? { leads.len() / 4 * 3 } else { 0 };
    u.choose(&leads[first..]).map(AsRef::as_ref)
}

fn change(u: &mut Unstructured<'_>, scenario: &Scenario, atlas: &Atlas) -> Result<Option<Scenario>> {
    let mut changed = scenario.clone();
    let presents: Vec<usize> = scenario
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step, Step::Present(_)))
        .map(|(at, _)| at)
        .collect();
    if presents.is_empty() {
        return Ok(None);
    }
    let what = u.int_in_range(0..=99)?;
    let at = *u.choose(&presents)?;
    let names: Vec<String> = scenario.steps[..at]
        .iter()
        .filter_map(|step| match step {
            Step::Present(present) => present.name.clone(),
            _ => None,
        })
        .collect();
    let Step::Present(present) = &mut changed.steps[at] else { return Ok(None) };
    let Some(site) = atlas.site_of(scenario, &present.to) else { return Ok(None) };
    let changes_policy = scenario.steps.iter().any(|step| matches!(step, Step::UpdatePolicy { .. }));
    match what {
        0..68 => change_acts(u, site, present, &names)?,
        68..81 => change_honest(u, site, &mut present.honest)?,
        81..90 => return elsewhere(u, scenario, atlas),
        90..95 if changes_policy => return change_policy(u, scenario, site),
        _ => return change_steps(u, scenario, site).map(Some),
    }
    Ok(Some(changed))
}

fn change_acts(u: &mut Unstructured<'_>, site: Site<'_>, present: &mut Present, names: &[String]) -> Result<()> {
    let honest = present.honest.clone();
    let scene = Scene { site, honest: &honest };
    let acts = &mut present.acts;
    let what = u.int_in_range(0..=9)?;
    if acts.is_empty() || what < 3 && acts.len() < MANY_ACTS {
        let more = act(u, scene, names)?;
        // Before what makes the rest unreachable.
        let end = acts.iter().position(is_last).unwrap_or(acts.len());
        let at = if more.iter().any(is_last) { acts.len() } else { u.int_in_range(0..=end)? };
        acts.splice(at..at, more);
        return Ok(());
    }
    let at = u.choose_index(acts.len())?;
    match what {
        0..=5 => drop(acts.remove(at)),
        6..=7 => acts[at] = again(u, scene, &acts[at].clone(), names)?,
        _ => {
            let other: Vec<Act> = act(u, scene, names)?;
            acts.splice(at..=at, other);
        }
    }
    Ok(())
}

fn change_honest(u: &mut Unstructured<'_>, site: Site<'_>, part: &mut Honest) -> Result<()> {
    let fresh = honest(u, site)?;
    match u.int_in_range(0..=4)? {
        0 => *part = fresh,
        1 => part.tenant = fresh.tenant,
        2 => part.subject = fresh.subject,
        3 => {
            let keys: Vec<_> = site.world.keys_of(&part.issuer).filter(|key| key.private.is_some()).collect();
            part.key = if keys.is_empty() || chance(u, 1, 3)? { None } else { Some(u.choose(&keys)?.alias.clone()) };
            part.alg = None;
        }
        _ => {
            let key = part.key.as_ref().and_then(|alias| site.world.key(alias));
            let named = key.map(|key| u.choose(&key.signs).copied()).transpose()?;
            part.alg = named.map(|alg| alg.name().to_owned());
        }
    }
    Ok(())
}

/// The same at another relying party of the world, or with another key source.
fn elsewhere(u: &mut Unstructured<'_>, scenario: &Scenario, atlas: &Atlas) -> Result<Option<Scenario>> {
    let sites: Vec<_> = atlas.sites().filter(|site| site.world.name == scenario.world).collect();
    if sites.is_empty() {
        return Ok(None);
    }
    let site = u.choose(&sites)?;
    let mut changed = Scenario { key_source: site.key_source, ..scenario.clone() };
    for step in &mut changed.steps {
        match step {
            Step::Present(present) => present.to.clone_from(&site.party.alias),
            Step::UpdatePolicy { party, .. } => party.clone_from(&site.party.alias),
            _ => {}
        }
    }
    Ok(Some(changed))
}

fn change_steps(u: &mut Unstructured<'_>, scenario: &Scenario, site: Site<'_>) -> Result<Scenario> {
    let mut changed = scenario.clone();
    let steps = &mut changed.steps;
    let at = u.choose_index(steps.len())?;
    let what = u.int_in_range(0..=9)?;
    if steps.len() > 1 && (what < 5 || steps.len() >= MANY_STEPS.min(MAX_STEPS)) {
        steps.remove(at);
        return Ok(changed);
    }
    match what {
        0..=6 => {
            let mut publication = Publication::of(site.world);
            for step in &steps[..at] {
                // What cannot happen is found out when the whole is looked at.
                let _ = publication.apply(site.world, step, "");
            }
            if let Some(step) = happening(u, site, &publication)? {
                steps.insert(at, step);
            }
        }
        7..=8 => {
            let token = Step::Present(present(u, site, &[])?);
            steps.insert(at, token);
        }
        _ => {
            let issuer = any_issuer(u, site)?;
            let act = policy_act(u, site, &issuer)?;
            let asked = if chance(u, 1, 2)? { asking(u, site, &act)? } else { None };
            if let (Some((honest, acts)), Step::Present(present)) = (asked, &mut steps[at]) {
                *present = Present { honest, acts, ..present.clone() };
            }
            steps.insert(at, Step::UpdatePolicy { party: site.party.alias.clone(), acts: vec![act] });
        }
    }
    Ok(changed)
}

/// One act more, one less or another one in a policy that changes; nothing where none does.
fn change_policy(u: &mut Unstructured<'_>, scenario: &Scenario, site: Site<'_>) -> Result<Option<Scenario>> {
    let mut changed = scenario.clone();
    let mut updates: Vec<&mut Vec<PolicyAct>> = changed
        .steps
        .iter_mut()
        .filter_map(|step| if let Step::UpdatePolicy { acts, .. } = step { Some(acts) } else { None })
        .collect();
    if updates.is_empty() {
        return Ok(None);
    }
    let which = u.choose_index(updates.len())?;
    let acts = &mut *updates[which];
    let issuer = any_issuer(u, site)?;
    match u.int_in_range(0..=3)? {
        0 if acts.len() > 1 => drop(acts.remove(u.choose_index(acts.len())?)),
        0..=1 if acts.len() < MANY_ACTS => acts.push(policy_act(u, site, &issuer)?),
        _ if !acts.is_empty() => {
            let at = u.choose_index(acts.len())?;
            acts[at] = policy_act(u, site, &issuer)?;
        }
        _ => {}
    }
    Ok(Some(changed))
}
