//! Asking many at a time. A chunk is rehearsed first, with the answers that would be lawful; what was asked in the rehearsal is
//! then asked together, and the chunk is examined with the answers. What the rehearsal did not foresee is asked one by one.

use super::{Door, Examiner, Held, Instance};
use crate::campaign::case::{Case, Evidence, Seen};
use crate::jose::{NumericDate, Token};
use crate::policy::TrustPolicy;
use crate::validator::{Configured, Fault, Verdict};
use std::collections::{HashMap, VecDeque};

/// For which of its places a chunk needs an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Door(Door),
    Twin(Box<TrustPolicy>),
}

/// What an instance is told and asked in a rehearsal.
#[derive(Default)]
struct Script {
    /// Where the instance is wanted; nowhere where each answer is waited for, as in a sequence.
    place: Option<Place>,
    /// Its policies, in the order in which they are handed over.
    told: Vec<TrustPolicy>,
    asked: Vec<(Token, NumericDate)>,
}

/// A rehearsal as far as it has come.
#[derive(Default)]
pub(super) struct Rehearsal {
    scripts: Vec<Script>,
}

/// An instance of a rehearsal: the number of its script.
#[derive(Clone, Copy)]
pub(super) struct Planned(usize);

impl Rehearsal {
    /// A new instance under a policy, or the one there is after its trust has changed.
    pub(super) fn told(&mut self, instance: Option<Planned>, policy: TrustPolicy) -> Planned {
        let planned = instance.unwrap_or_else(|| {
            self.scripts.push(Script::default());
            Planned(self.scripts.len() - 1)
        });
        self.scripts[planned.0].told.push(policy);
        planned
    }

    /// The instance is wanted there.
    pub(super) fn placed(&mut self, planned: Planned, place: Place) {
        self.scripts[planned.0].place = Some(place);
    }

    /// The instance is asked.
    pub(super) fn asked(&mut self, planned: Planned, token: &Token, at: NumericDate) {
        self.scripts[planned.0].asked.push((token.clone(), at));
    }
}

/// Answers of an instance to what it will be asked.
#[derive(Default)]
pub(super) struct Answers(HashMap<(Token, NumericDate), VecDeque<Result<Verdict, Fault>>>);

impl Answers {
    /// The answer to a question, once for each time it was asked.
    pub(super) fn take(&mut self, token: &Token, at: NumericDate) -> Option<Result<Verdict, Fault>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get_mut(&(token.clone(), at))?.pop_front()
    }
}

/// Instances that have been asked ahead, by where they are wanted.
#[derive(Default)]
pub(super) struct Prepared(HashMap<Place, VecDeque<Instance>>);

impl Prepared {
    pub(super) fn take(&mut self, place: &Place) -> Option<Instance> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get_mut(place)?.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// What would be seen of a lawful answer.
pub(super) fn foreseen(case: &Case) -> Seen {
    match case.expectation.acceptable() {
        Some(_) => Seen::Accepted { identified: true },
        None => Seen::Rejected(Evidence::NoTwin),
    }
}

impl Examiner {
    /// Whether this validator is asked many at a time. Where somebody has to watch it, the one that hangs must be known.
    pub(in crate::campaign) fn asks_ahead(&self) -> bool {
        self.description.at_once > 1 && self.description.keeps_time
    }

    /// What follows is a rehearsal: nothing is shown.
    pub(in crate::campaign) fn rehearse(&mut self) {
        self.forget();
        self.configures = 0;
        self.renew(0);
        self.rehearsal = Some(Rehearsal::default());
    }

    /// The rehearsal is over, and what was asked in it is asked together.
    pub(in crate::campaign) fn ask_ahead(&mut self) {
        let Some(Rehearsal { scripts }) = self.rehearsal.take() else { return };
        self.forget();
        self.configures = 0;
        for Script { place, told, asked } in scripts {
            let Some(place) = place else { continue };
            if self.gone.is_some() {
                return;
            }
            if let Some(instance) = self.prepare(&told, asked) {
                self.prepared.0.entry(place).or_default().push_back(instance);
            }
        }
    }

    /// An instance that was told all of this and has answered; none where it breaks: then it is asked one by one.
    fn prepare(&mut self, told: &[TrustPolicy], mut asked: Vec<(Token, NumericDate)>) -> Option<Instance> {
        let mut instance: Option<Held> = None;
        for policy in told {
            let held = match instance {
                Some(held) => held,
                None => self.made().ok()?,
            };
            match self.hand_over(held, policy).ok()? {
                (Configured::Ready, held) => instance = Some(held),
                (Configured::Skip(_), _) => return None,
            }
        }
        let mut held = instance?;
        asked.retain(|(token, _)| held.validator().is_some_and(|validator| validator.cannot_carry(token).is_none()));
        let answers = self.guarded(|| held.validator().map(|validator| validator.validate_all(&asked))).ok()??;
        for (question, answer) in asked.into_iter().zip(answers) {
            if let Err(fault) = &answer {
                self.note_end(fault);
            }
            held.answers.0.entry(question).or_default().push_back(answer);
        }
        self.note_mishaps(&mut held);
        Some(Instance::Ready(held))
    }
}
