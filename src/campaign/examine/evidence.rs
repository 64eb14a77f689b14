//! What a rejection is worth: its twin is looked for, and shown.

use super::{Examiner, Held, Instance, MAX_ANSWER, Seeks};
use crate::campaign::case::{Evidence, Seen, TwinNote};
use crate::campaign::workshop::{TWIN, hashed, lawful_in};
use crate::finding::{Kind, TwinKind, tame};
use crate::forge::{Move, Presentation};
use crate::jose::{NumericDate, Token};
use crate::oracle::{Expectation, Told};
use crate::policy::TrustPolicy;
use crate::scenario::Scenario;
use crate::twin::{policy_twin, token_twin};
use crate::validator::{Fault, Verdict};
use std::collections::BTreeMap;

/// Most instances kept for twins.
const MAX_TWINS: usize = 64;

/// So many tokens of a twin are made until one may be accepted.
const MAX_TOKENS: u64 = 4;
/// The first bit of a number that tells them apart.
const MORE: u32 = 48;

impl Examiner {
    /// Looks for the twin of a rejection, and shows it; names the twin of a false accept.
    pub(super) fn seek_twin(
        &mut self,
        seen: &mut Seen,
        expectation: &Expectation,
        scenario: &Scenario,
        presented: &Presentation,
        told: &[Told<'_>],
        number: u64,
    ) {
        match seen {
            _ if self.seeks == Seeks::Nothing => {}
            Seen::Rejected(evidence) if self.seeks == Seeks::Alone && expectation.alone().is_none() => {
                *evidence = Evidence::NotSought;
            }
            Seen::Rejected(evidence) => {
                *evidence = self.evidence(expectation, scenario, presented, told, number);
            }
            Seen::Wrong { kind: Kind::FalseAccept, twin, .. } => {
                *twin = if policy_twin(told, &presented.provenance, presented.at, expectation).is_some() {
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
        expectation: &Expectation,
        scenario: &Scenario,
        presented: &Presentation,
        told: &[Told<'_>],
        number: u64,
    ) -> Evidence {
        if let Some(policy) = policy_twin(told, &presented.provenance, presented.at, expectation)
            && let Some(answer) = self.ask_under(policy, &presented.token, presented.at)
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
                let answer = self.ask_scenario(&twin, presented.step, number);
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

    /// Whether a policy twin is accepted; `None` where the validator does not work under that policy.
    fn ask_under(&mut self, policy: TrustPolicy, token: &Token, at: NumericDate) -> Option<Result<(), String>> {
        let instance = self.twins.remove(&policy).unwrap_or_else(|| self.told(None, &policy));
        if self.twins.len() >= MAX_TWINS {
            self.twins.clear();
        }
        let Instance::Ready(held) = instance else {
            self.twins.insert(policy, instance);
            return None;
        };
        let (verdict, validator) = self.ask(held.release()?, token, at);
        if let Some(validator) = validator {
            self.twins.insert(policy, Instance::Ready(Held::new(validator)));
        }
        Some(accepted(verdict))
    }

    /// Whether a token twin is accepted, on a fresh instance.
    fn ask_scenario(&mut self, twin: &Scenario, step: usize, number: u64) -> Option<Result<(), String>> {
        let bench = self.bench(&twin.world).ok()?;
        // It was sketched when it was looked for. Once in a while a spelling or a zero octet hangs on the octets that are
        // signed, and the next token is as good.
        let played = (0..MAX_TOKENS).map(|more| bench.forge.play(twin, number ^ TWIN ^ (more << MORE)).ok());
        let lawful = |moves: &Vec<Move>| lawful_in(moves, step).is_some_and(|lawful| lawful.acceptable().is_some());
        let moves = played.flatten().find(lawful)?;
        let mut own: BTreeMap<String, Instance> = BTreeMap::new();
        let mut answer = None;
        for happening in moves {
            match happening {
                Move::Trust { party, policy, .. } => {
                    let instance = self.told(own.remove(&party), &policy);
                    own.insert(party, instance);
                }
                Move::Present(presented) => {
                    let Some(Instance::Ready(held)) = own.remove(&presented.party) else { return None };
                    let (verdict, validator) = self.ask(held.release()?, &presented.token, presented.at);
                    if presented.step == step {
                        answer = Some(accepted(verdict));
                    }
                    own.insert(presented.party.clone(), Instance::Ready(Held::new(validator?)));
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
