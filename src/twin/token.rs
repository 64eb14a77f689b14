//! Token twins: replace parameters of the scenario by honest ones, as few as will do.

use crate::oracle::{Expectation, Latitude};
use crate::scenario::{Act, Honest, Kid, Present, Scenario, Step};

/// So many sets of replacements are tried that are smaller than one known to do.
const MAX_TRIES: usize = 160;

/// The scenario nearest to this one whose token at that step may only be accepted, except for what the standards leave open
/// about the original as well (so that a token without `kid` gets a twin without `kid`).
///
/// `judge` says what is lawful for the token at a step of a scenario, and `None` where the scenario cannot be played. The
/// search order is fixed: single replacements, earlier ones first. Where none will do alone, everything is replaced and as much
/// as possible put back, later ones first; what is left, mostly two, bounds the search for fewer.
pub fn token_twin(
    scenario: &Scenario,
    step: usize,
    original: &Expectation,
    judge: &mut dyn FnMut(&Scenario, usize) -> Option<Expectation>,
) -> Option<Scenario> {
    let mut cut = scenario.clone();
    cut.steps.truncate(step + 1);
    let Some(Step::Present(present)) = cut.steps.get(step) else { return None };
    let mut knobs = knobs(present);
    knobs.extend(policy_knobs(&cut));
    let disturbs = |step: &Step| matches!(step, Step::JwksUnreachable { .. });
    knobs.extend((0..cut.steps.len()).filter(|&at| disturbs(&cut.steps[at])).map(Knob::Reach));
    let mut twin = |chosen: &[Knob]| {
        let candidate = turned(&cut, step, chosen);
        let expectation = judge(&candidate, step)?;
        // A `crit` that lists something odd is refused by most, and a name that stands twice by many, so that a twin that keeps
        // it would show nothing. Neither would one whose issuer's keys cannot be had.
        let open = expectation.latitudes();
        let shows = expectation.acceptable().is_some()
            && open.is_subset(original.latitudes())
            && !open.contains(&Latitude::CritList)
            && !open.contains(&Latitude::OutOfReach)
            && !open.contains(&Latitude::DuplicateMember);
        shows.then_some(candidate)
    };
    if let Some(found) = knobs.iter().find_map(|knob| twin(&[*knob])) {
        return Some(found);
    }
    let mut nearest = twin(&knobs)?;
    let mut needed = knobs.clone();
    for index in (0..needed.len()).rev() {
        let knob = needed.remove(index);
        match twin(&needed) {
            Some(nearer) => nearest = nearer,
            None => needed.insert(index, knob),
        }
    }
    let fewer = (2..needed.len()).flat_map(|size| subsets(knobs.len(), size)).take(MAX_TRIES);
    let mut chosen = fewer.map(|chosen| chosen.into_iter().map(|index| knobs[index]).collect::<Vec<_>>());
    Some(chosen.find_map(|chosen| twin(&chosen)).unwrap_or(nearest))
}

/// The scenario with these replaced; they stand in the order of the acts, and are turned from the last to the first so that
/// indices stay true.
fn turned(cut: &Scenario, step: usize, chosen: &[Knob]) -> Scenario {
    let mut candidate = cut.clone();
    for &knob in chosen.iter().rev() {
        match (knob, &mut candidate.steps[step]) {
            (Knob::PolicyAct(step, act), _) => without_policy_act(&mut candidate, step, act),
            (Knob::Reach(step), _) => within_reach(&mut candidate, step),
            (knob, Step::Present(present)) => knob.turn(present),
            _ => {}
        }
    }
    candidate
}

/// One parameter that can be made honest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knob {
    /// The act signs with the honest key: `kid` mode and algorithm stay.
    Signer(usize),
    /// The act signs with the honest key and its algorithm; a `kid` that was the signer's own is then the honest key's.
    SignerAndAlgorithm(usize),
    /// The act is left out.
    Act(usize),
    /// What an honest issuer chooses is left to it.
    HonestKey,
    HonestAlg,
    HonestSubject,
    HonestTenant,
    /// That act of that step is not done to the policy. Last of all: a twin under the same policy shows more.
    PolicyAct(usize, usize),
    /// That step leaves the issuer's key set where it can be fetched.
    Reach(usize),
}

fn knobs(present: &Present) -> Vec<Knob> {
    let mut knobs = Vec::new();
    let named = |given: &Option<String>, knob: Knob| given.as_ref().map(|_| knob);
    for (index, act) in present.acts.iter().enumerate() {
        if let Act::SignWith(sign) = act {
            if sign.secret.is_none() && sign.key.is_some() {
                knobs.push(Knob::Signer(index));
            }
            if sign.key.is_some() || sign.secret.is_some() || sign.alg.is_some() {
                knobs.push(Knob::SignerAndAlgorithm(index));
            }
        }
    }
    let Honest { tenant, subject, key, alg, .. } = &present.honest;
    knobs.extend(named(key, Knob::HonestKey));
    knobs.extend(named(alg, Knob::HonestAlg));
    knobs.extend(named(subject, Knob::HonestSubject));
    knobs.extend(named(tenant, Knob::HonestTenant));
    knobs.extend((0..present.acts.len()).map(Knob::Act));
    knobs
}

fn policy_knobs(scenario: &Scenario) -> Vec<Knob> {
    let of_step = |(at, step): (usize, &Step)| match step {
        Step::UpdatePolicy { acts, .. } => (0..acts.len()).map(|act| Knob::PolicyAct(at, act)).collect(),
        _ => Vec::new(),
    };
    scenario.steps.iter().enumerate().flat_map(of_step).collect()
}

/// The step stays, so that the indices of other steps stay true; acts are taken from the last to the first for the same reason.
fn without_policy_act(scenario: &mut Scenario, step: usize, act: usize) {
    if let Some(Step::UpdatePolicy { acts, .. }) = scenario.steps.get_mut(step)
        && act < acts.len()
    {
        acts.remove(act);
    }
}

/// The step stays, as above.
fn within_reach(scenario: &mut Scenario, step: usize) {
    if let Some(Step::JwksUnreachable { issuer, .. }) = scenario.steps.get(step) {
        scenario.steps[step] = Step::JwksReachable { issuer: issuer.clone() };
    }
}

impl Knob {
    /// Turns it; acts are turned from the last to the first, so that indices stay true.
    fn turn(self, present: &mut Present) {
        match self {
            Knob::Signer(index) => {
                if let Some(Act::SignWith(sign)) = present.acts.get_mut(index) {
                    sign.key = None;
                }
            }
            Knob::SignerAndAlgorithm(index) => {
                if let Some(Act::SignWith(sign)) = present.acts.get_mut(index) {
                    (sign.key, sign.secret, sign.alg) = (None, None, None);
                    if matches!(sign.kid, Kid::Of(_)) {
                        sign.kid = Kid::Own;
                    }
                }
            }
            Knob::Act(index) => {
                // A splice that is left out takes nothing with it: its donor is made for it alone.
                if index < present.acts.len() {
                    present.acts.remove(index);
                }
            }
            Knob::HonestKey => present.honest.key = None,
            Knob::HonestAlg => present.honest.alg = None,
            Knob::HonestSubject => present.honest.subject = None,
            Knob::HonestTenant => present.honest.tenant = None,
            // No part of the token.
            Knob::PolicyAct(..) | Knob::Reach(_) => {}
        }
    }
}

/// All ways to choose `size` of `count` things, in lexical order.
fn subsets(count: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut next = (size <= count).then(|| (0..size).collect::<Vec<_>>());
    std::iter::from_fn(move || {
        let current = next.take()?;
        let mut following = current.clone();
        for place in (0..size).rev() {
            if following[place] < count - size + place {
                following[place] += 1;
                for later in place + 1..size {
                    following[later] = following[later - 1] + 1;
                }
                next = Some(following);
                break;
            }
        }
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use super::subsets;

    #[test]
    fn subsets_are_all_there_in_order() {
        let two: Vec<_> = subsets(4, 2).collect();
        assert_eq!(two, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(subsets(3, 0).count(), 1);
        assert_eq!(subsets(3, 3).count(), 1);
        assert_eq!(subsets(2, 3).count(), 0);
    }
}
