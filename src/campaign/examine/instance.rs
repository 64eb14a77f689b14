//! Validators at work: making them, handing policies over, asking; each call is guarded.

use super::ahead::{Answers, Planned};
use super::{Examiner, MAX_ANSWER};
use crate::finding::tame;
use crate::jose::{NumericDate, Token};
use crate::policy::{TrustPolicy, TrustedIssuer};
use crate::validator::{Configured, Description, Fault, Validator, Verdict};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Longest account of a fault that is kept, and longest line of a log.
const MAX_FAULT: usize = 2_000;

/// A validator at work under a policy.
pub(super) enum Instance {
    Ready(Held),
    /// It does not work under this policy, for this reason.
    Skipped(String),
    /// It broke while it was made or configured.
    Broken(Fault),
    /// It stands for one, in a rehearsal.
    Planned(Planned),
}

/// A validator whose end is guarded too: what panics while it is dropped must not take us with it.
pub(in crate::campaign) struct Held {
    /// There until it is dropped.
    validator: Option<Box<dyn Validator>>,
    /// What it has answered already.
    pub(super) answers: Answers,
}

impl Held {
    pub(in crate::campaign) fn new(validator: Box<dyn Validator>) -> Self {
        Held { validator: Some(validator), answers: Answers::default() }
    }

    pub(in crate::campaign) fn describe(&self) -> Option<Description> {
        self.validator.as_ref().map(|validator| validator.describe())
    }

    /// The texts that it says it holds as keys under a policy, and what went wrong meanwhile.
    pub(in crate::campaign) fn key_texts(&mut self, policy: &TrustPolicy) -> (Vec<String>, Vec<String>) {
        let Some(validator) = self.validator() else { return Default::default() };
        let texts = validator.key_texts(policy);
        (texts, validator.mishaps().into_iter().map(|fault| tamed(fault).to_string()).collect())
    }

    pub(super) fn validator(&mut self) -> Option<&mut Box<dyn Validator>> {
        self.validator.as_mut()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(validator) = self.validator.take() {
            // Nothing can be told of it any more: it has given its answers.
            let _ = catch_unwind(AssertUnwindSafe(move || drop(validator)));
        }
    }
}

impl Examiner {
    /// A new instance under a policy that stands in this order, or the one there is after its trust has changed.
    pub(super) fn told(&mut self, instance: Option<Instance>, policy: &TrustPolicy, order: u64) -> Instance {
        if !self.description.issuer_templates && policy.issuers.iter().any(TrustedIssuer::is_template) {
            return Instance::Skipped("no issuer templates".to_owned());
        }
        let policy = policy.reordered(order);
        if let Some(rehearsal) = &mut self.rehearsal {
            return match instance {
                None => Instance::Planned(rehearsal.told(None, policy)),
                Some(Instance::Planned(planned)) => Instance::Planned(rehearsal.told(Some(planned), policy)),
                Some(other) => other,
            };
        }
        let configured = match instance {
            None => self.made().and_then(|held| self.hand_over(held, &policy)),
            Some(Instance::Ready(held)) => self.hand_over(held, &policy),
            Some(other) => return other,
        };
        match configured {
            Ok((Configured::Ready, held)) => Instance::Ready(held),
            Ok((Configured::Skip(reason), _)) => Instance::Skipped(tame(&reason, MAX_ANSWER)),
            Err(fault) => Instance::Broken(fault),
        }
    }

    /// A new validator.
    pub(super) fn made(&self) -> Result<Held, Fault> {
        self.guarded(|| Held::new((self.maker)()))
    }

    /// Hands a policy over as it stands.
    pub(super) fn hand_over(&mut self, mut held: Held, policy: &TrustPolicy) -> Result<(Configured, Held), Fault> {
        let Some(validator) = held.validator() else { return Err(Fault::Broken("it has ended".to_owned())) };
        let configured = self.guarded(|| validator.configure(policy))?;
        self.note_mishaps(&mut held);
        Ok((configured.map_err(tamed).inspect_err(|fault| self.note_end(fault))?, held))
    }

    /// Calls into the validator: the watchdog knows, and a panic is a fault.
    pub(super) fn guarded<T>(&self, call: impl FnOnce() -> T) -> Result<T, Fault> {
        let watched = !self.description.keeps_time;
        if watched {
            self.pulse.begins();
        }
        let result = catch_unwind(AssertUnwindSafe(call));
        if watched {
            self.pulse.ends();
        }
        result.map_err(|panic| {
            let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
            Fault::Panic(tame(message.as_deref().unwrap_or("no message"), MAX_ANSWER))
        })
    }

    /// The validator's answer, and the validator where it is still fit for use.
    pub(super) fn ask(
        &mut self,
        mut held: Held,
        token: &Token,
        at: NumericDate,
    ) -> (Result<Verdict, Fault>, Option<Held>) {
        let answered = match held.answers.take(token, at) {
            Some(answer) => Ok(answer),
            None => match held.validator() {
                Some(validator) => self.guarded(|| validator.validate(token, at)),
                None => Err(Fault::Broken("it has ended".to_owned())),
            },
        };
        self.note_mishaps(&mut held);
        match answered {
            Ok(verdict) => (verdict.map_err(tamed).inspect_err(|fault| self.note_end(fault)), Some(held)),
            Err(fault) => (Err(fault), None),
        }
    }

    /// Keeps what went wrong at a validator without a single token being the cause, or by one that was answered before.
    pub(super) fn note_mishaps(&mut self, held: &mut Held) {
        let late = held.validator().map(|validator| validator.late()).unwrap_or_default();
        self.late.extend(late.into_iter().map(|(token, fault)| (token, tamed(fault))));
        if !self.description.keeps_time {
            return;
        }
        let mishaps = held.validator().map(|validator| validator.mishaps()).unwrap_or_default();
        self.mishaps.extend(mishaps.into_iter().map(|fault| tamed(fault).to_string()));
    }

    /// Remembers that it is gone.
    pub(super) fn note_end(&mut self, fault: &Fault) {
        if let Fault::Gone(_) = fault {
            self.gone.get_or_insert_with(|| fault.to_string());
        }
    }

    /// What went wrong since the last call without a single token being the cause.
    pub(in crate::campaign) fn take_mishaps(&mut self) -> Vec<String> {
        std::mem::take(&mut self.mishaps)
    }

    /// Faults since the last call of tokens that had been answered before.
    pub(in crate::campaign) fn take_late(&mut self) -> Vec<(Token, Fault)> {
        std::mem::take(&mut self.late)
    }

    /// Why the validator is gone for good, where it is.
    pub(in crate::campaign) fn gone(&self) -> Option<&str> {
        self.gone.as_deref()
    }
}

/// A fault in the validator's own words, made safe to show.
fn tamed(fault: Fault) -> Fault {
    match fault {
        Fault::Broken(words) => Fault::Broken(tame(&words, MAX_FAULT)),
        Fault::Gone(words) => Fault::Gone(tame(&words, MAX_FAULT)),
        Fault::ForbiddenFetch(url) => Fault::ForbiddenFetch(tame(&url, MAX_FAULT)),
        Fault::Logged { fault, log } => {
            let lines: Vec<String> = log.lines().map(|line| tame(line, MAX_FAULT)).collect();
            tamed(*fault).with_log(&lines.join("\n"))
        }
        other => other,
    }
}
