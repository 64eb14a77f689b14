//! What a rejection is worth: its twin is looked for, and shown.

use super::ahead::Place;
use super::{Examiner, Instance, MAX_ANSWER, Seeks};
use crate::campaign::case::{Case, Evidence, Seen, TwinNote};
use crate::campaign::workshop::{TWIN, hashed, lawful_in};
use crate::finding::{Kind, TwinKind, tame};
use crate::forge::{Move, Presentation};
use crate::oracle::{Expectation, Told};
use crate::policy::TrustPolicy;
use crate::scenario::Scenario;
use crate::twin::{policy_twin, token_twin};
use crate::validator::{Fault, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most instances kept for twins.
const MAX_TWINS: usize = 64;
/// The same where a chunk is rehearsed: what is told twice is asked in two parts.
const MAX_TWINS_AHEAD: usize = 1_024;

/// So many tokens of a twin are made until one may be accepted.
const MAX_TOKENS: u64 = 4;
/// The first bit of a number that tells them apart.
const MORE: u32 = 48;

impl Examiner {
    /// Looks for the twin of a rejection, and shows it; names the twin of a false accept.
    pub(super) fn seek_twin(
        &mut self,
        seen: &mut Seen,
        case: &Case,
        scenario: &Scenario,
        presented: &Presentation,
        told: &[Told<'_>],
        number: u64,
    ) {
        let expectation = &case.expectation;
        match seen {
            _ if self.seeks == Seeks::Nothing => {}
            Seen::Rejected(evidence) if self.seeks == Seeks::Alone && expectation.alone().is_none() => {
                *evidence = Evidence::NotSought;
            }
            Seen::Rejected(evidence) => {
                *evidence = self.evidence(case, scenario, presented, told, number);
            }
            Seen::Wrong { kind: Kind::FalseAccept, twin, .. } => {
                *twin = if self.policy_twin(told, presented, expectation).is_some() {
                    Some(TwinNote { kind: TwinKind::Policy, scenario: None })
                } else {
                    let found = self.find_token_twin(expectation, scenario, presented.step);
                    found.map(|scenario| TwinNote { kind: TwinKind::Token, scenario: Some(scenario) })
                };
            }
            _ => {}
        }
    }

    fn evidence(
        &mut self,
        case: &Case,
        scenario: &Scenario,
        presented: &Presentation,
        told: &[Told<'_>],
        number: u64,
    ) -> Evidence {
        let expectation = &case.expectation;
        if let Some(policy) = self.policy_twin(told, presented, expectation)
            && let Some(answer) = self.ask_under(policy, case.order, presented)
        {
            return match answer {
                Ok(()) => Evidence::Confirmed(TwinKind::Policy),
                Err(why) => Evidence::TwinRefused(TwinKind::Policy, why),
            };
        }
        let Some(twin) = self.find_token_twin(expectation, scenario, presented.step) else {
            return Evidence::NoTwin;
        };
        let name = (hashed(0, &twin, presented.step), hashed(1, &twin, presented.step));
        let answer = match self.twin_answers.get(&name) {
            Some(known) => Some(known.clone()),
            None => {
                let answer = self.ask_scenario(&twin, presented.step, number, case.order);
                if let Some(answer) = &answer {
                    self.twin_answers.insert(name, answer.clone());
                }
                answer
            }
        };
        match answer {
            Some(Ok(())) => Evidence::Confirmed(TwinKind::Token),
            Some(Err(why)) => Evidence::TwinRefused(TwinKind::Token, why),
            None => Evidence::NoTwin,
        }
    }

    /// The policy twin, for whoever takes another policy than the one that it has.
    fn policy_twin(
        &self,
        told: &[Told<'_>],
        presented: &Presentation,
        expectation: &Expectation,
    ) -> Option<TrustPolicy> {
        let takes_others = !self.description.fixed_policy;
        takes_others.then(|| policy_twin(told, &presented.provenance, presented.at, expectation))?
    }

    /// Whether a twin is accepted by an instance that is shown twins alone; `None` where it does not work under that policy.
    /// The policy stands in the order in which it stood for the original: nothing else is to explain the answer.
    fn ask_under(&mut self, policy: TrustPolicy, order: u64, presented: &Presentation) -> Option<Result<(), String>> {
        let instance = match self.twins.remove(&policy) {
            Some(instance) => instance,
            None if self.asks_ahead() => {
                let place = Place::Twin(Box::new(policy.clone()));
                self.prepared.take(&place).unwrap_or_else(|| {
                    let instance = self.told(None, &policy, order);
                    self.place(Some(&instance), place);
                    instance
                })
            }
            None => self.told(None, &policy, order),
        };
        if self.twins.len() >= if self.asks_ahead() { MAX_TWINS_AHEAD } else { MAX_TWINS } {
            self.twins.clear();
        }
        let (answer, instance) = self.ask_twin(instance, &policy, presented);
        if let Some(instance) = instance {
            self.twins.insert(policy, instance);
        }
        answer
    }

    /// Whether a twin is accepted, and the instance where it is still fit for use; nothing, where it cannot be judged.
    fn ask_twin(
        &mut self,
        instance: Instance,
        policy: &TrustPolicy,
        presented: &Presentation,
    ) -> (Option<Result<(), String>>, Option<Instance>) {
        let mut held = match instance {
            Instance::Ready(held) => held,
            Instance::Planned(planned) => {
                if let Some(rehearsal) = &mut self.rehearsal {
                    rehearsal.asked(planned, &presented.token, presented.at);
                }
                return (Some(Ok(())), Some(Instance::Planned(planned)));
            }
            other => return (None, Some(other)),
        };
        if held.validator().is_none_or(|validator| validator.cannot_carry(&presented.token).is_some()) {
            return (None, Some(Instance::Ready(held)));
        }
        let (verdict, held) = self.ask(held, &presented.token, presented.at);
        let answer = match verdict {
            // A policy that it does not take after all, as a command says that can be told none beforehand. Where it lacks the
            // algorithm, another twin would hide that the rejection may have to do with that.
            Ok(Verdict::Skip(_)) if self.lacks_algorithm(Some(policy), &presented.provenance).is_none() => None,
            verdict => Some(accepted(verdict)),
        };
        (answer, held.map(Instance::Ready))
    }

    /// Whether a token twin is accepted. One that stands alone is shown to an instance that is shown twins alone, any other to
    /// fresh ones.
    fn ask_scenario(&mut self, twin: &Scenario, step: usize, number: u64, order: u64) -> Option<Result<(), String>> {
        let bench = self.bench(&twin.world).ok()?;
        // It was sketched when it was looked for. Once in a while a spelling or a zero octet hangs on the octets that are
        // signed, and the next token is as good.
        let played = (0..MAX_TOKENS).map(|more| bench.forge.play(twin, number ^ TWIN ^ (more << MORE)).ok());
        let lawful = |moves: &Vec<Move>| lawful_in(moves, step).is_some_and(|lawful| lawful.acceptable().is_some());
        let moves = played.flatten().find(lawful)?;
        if let [Move::Trust { policy, .. }, Move::Present(presented)] = &moves[..] {
            return self.ask_under(policy.as_ref().clone(), order, presented);
        }
        let mut own: BTreeMap<String, (Instance, Arc<TrustPolicy>)> = BTreeMap::new();
        let mut answer = None;
        let mut orders = order..;
        for happening in moves {
            match happening {
                Move::Trust { party, policy, .. } => {
                    let former = own.remove(&party).map(|(instance, _)| instance);
                    let instance = self.told(former, &policy, orders.next()?);
                    own.insert(party, (instance, policy));
                }
                Move::Present(presented) => {
                    let (instance, policy) = own.remove(&presented.party)?;
                    let (said, instance) = self.ask_twin(instance, &policy, &presented);
                    if presented.step == step {
                        answer = said;
                    }
                    own.insert(presented.party.clone(), (instance?, policy));
                }
            }
        }
        answer
    }

    fn find_token_twin(&mut self, original: &Expectation, scenario: &Scenario, step: usize) -> Option<Scenario> {
        let bench = self.bench(&scenario.world).ok()?;
        token_twin(scenario, step, original, &mut |candidate, step| bench.lawful(candidate, step))
    }
}

fn accepted(verdict: Result<Verdict, Fault>) -> Result<(), String> {
    match verdict {
        Ok(Verdict::Accept { .. }) => Ok(()),
        Ok(Verdict::Reject(reason)) => Err(tame(&reason, MAX_ANSWER)),
        Ok(Verdict::Skip(reason)) => Err(format!("skipped: {}", tame(&reason, MAX_ANSWER))),
        Err(fault) => Err(tame(&fault.to_string(), MAX_ANSWER)),
    }
}
