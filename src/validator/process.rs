//! Validators in other processes, in any language, over protocol version 1 (`adapters/README.md`).
//!
//! An adapter is started once for each thread that works with it, and kept. A validator here is *virtual*: it remembers what
//! it was told and shown, and where another has used the process since, it is made anew from that. So a campaign may hold as
//! many as it likes, and a process that had to be started again goes on where the last one ended.

mod asked;
mod child;
mod fleet;
mod lane;
mod wire;

pub use child::Trace;

use super::program::{Program, StartError, lock};
use super::{Configured, Description, Fault, Maker, Validator, Verdict};
use crate::jose::{NumericDate, Token};
use crate::policy::{Replay, TrustPolicy, secret_forms};
use fleet::{Fleet, name};
use lane::{Event, Object, Policy};
use std::sync::Arc;

/// So many of the tokens that were shown one after the other are shown again to a validator that is made anew; whoever was
/// shown more does not live from what went before. A scenario has no more steps.
const MAX_SHOWN: usize = 64;

/// An adapter: a program that speaks the protocol.
#[derive(Clone)]
pub struct Adapter {
    fleet: Arc<Fleet>,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").field("program", self.fleet.program()).finish()
    }
}

impl Adapter {
    /// Starts a program and exchanges hellos with it. Its processes end with the last of what is made from this.
    ///
    /// # Errors
    /// Where it cannot be run, or says something else than hello.
    pub fn start(program: Program, trace: Option<Trace>) -> Result<Self, StartError> {
        Ok(Adapter { fleet: Fleet::new(program, trace)? })
    }

    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.fleet.hello().description
    }

    /// Whether it says that its accepts carry an identity.
    #[must_use]
    pub fn says_identity(&self) -> bool {
        self.fleet.hello().identity
    }

    /// Makes validators of it.
    #[must_use]
    pub fn maker(&self) -> Maker {
        let adapter = self.clone();
        Arc::new(move || Box::new(adapter.validator()))
    }

    /// One validator of it.
    #[must_use]
    pub fn validator(&self) -> Remote {
        let object = Object { number: self.fleet.number(), events: Vec::new(), has_leaked: false };
        Remote { fleet: Arc::clone(&self.fleet), object, shown: 0 }
    }

    /// Sends the calling thread's process a line that is no request. It must log it and pass over it.
    ///
    /// # Errors
    /// Where there is no process any more.
    pub fn disturb(&self, line: &str) -> Result<(), Fault> {
        let lane = self.fleet.lane();

        lock(&lane).disturb(&self.fleet, format!("{line}\n").as_bytes())
    }
}

/// A validator in another process.
pub struct Remote {
    fleet: Arc<Fleet>,
    object: Object,
    shown: usize,
}

impl Validator for Remote {
    fn describe(&self) -> Description {
        self.fleet.hello().description.clone()
    }

    /// Asked only where its answer is not known: of a first policy it is, once any validator of this adapter had it.
    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        let first = self.object.events.is_empty();
        if !self.remember(policy) {
            let why = "the policy is longer than a line may be without the feature `large`";
            return Ok(Configured::Skip(why.to_owned()));
        }
        let known = first.then(|| name(policy));
        if let Some(answer) = known.as_ref().and_then(|name| self.fleet.remembered(name)) {
            return answer;
        }
        let lane = self.fleet.lane();
        let answer = lock(&lane).catch_up(&self.fleet, &self.object);
        if let Some(name) = known {
            self.fleet.remember(name, &answer);
        }
        answer
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let mut answers = self.validate_all(&[(token.clone(), now)]);
        let answer = answers.pop().unwrap_or_else(|| Err(Fault::Broken("it was not asked".to_owned())));
        self.shown += 1;
        if self.shown <= MAX_SHOWN {
            // What broke it is not shown again: it would break it again.
            if answer.is_ok() {
                self.object.events.push(Event::Shown(token.clone(), now));
                let lane = self.fleet.lane();
                lock(&lane).has_shown(&self.object);
            }
        } else {
            self.forget();
        }
        answer
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        if let Some(why) = tokens.iter().find_map(|(token, _)| self.cannot_carry(token)) {
            return tokens.iter().map(|_| Err(Fault::Broken(why.clone()))).collect();
        }
        let lane = self.fleet.lane();

        lock(&lane).ask(&self.fleet, &mut self.object, tokens)
    }

    /// They are in its answer to the policy, which it is handed for this.
    fn key_texts(&mut self, policy: &TrustPolicy) -> Vec<String> {
        if !self.remember(policy) {
            return Vec::new();
        }
        let lane = self.fleet.lane();
        let mut lane = lock(&lane);
        let ready = lane.catch_up(&self.fleet, &self.object).is_ok_and(|answer| answer == Configured::Ready);
        if ready { std::mem::take(&mut lane.key_texts) } else { Vec::new() }
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        if self.fleet.hello().large || token.as_bytes().len() < wire::MAX_LINE / 8 {
            return None;
        }
        let mut line = Vec::new();
        wire::validate(&mut line, u64::MAX, token, NumericDate(i64::MAX));
        (line.len() > wire::MAX_LINE).then(|| "longer than a line may be without the feature `large`".to_owned())
    }

    fn mishaps(&mut self) -> Vec<Fault> {
        let lane = self.fleet.lane();

        std::mem::take(&mut lock(&lane).mishaps)
    }
}

impl Remote {
    /// Remembers a policy as the last one, where a line can hold it.
    fn remember(&mut self, policy: &TrustPolicy) -> bool {
        let text = wire::policy(policy);
        let fits = text.len() + 100 <= wire::MAX_LINE || self.fleet.hello().large;
        if fits {
            let secrets = policy.secret_octets().flat_map(secret_forms).collect();
            let refuses_replay = policy.replay == Some(Replay::Refuse);
            self.object.events.push(Event::Told(Arc::new(Policy { text, secrets, refuses_replay })));
        }
        fits
    }

    /// Forgets what was shown: it is not made anew from that any more.
    fn forget(&mut self) {
        let before = self.object.events.len();
        self.object.events.retain(|event| matches!(event, Event::Told(_)));
        if self.object.events.len() < before {
            let lane = self.fleet.lane();
            lock(&lane).has_shown(&self.object);
        }
    }
}
