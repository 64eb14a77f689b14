//! An HTTP endpoint as a validator: a request with the token in it, and what the status of the answer means.
//!
//! The endpoint was configured beforehand by whoever runs it, so exactly one policy is its own: that of the site it was made
//! for. Nothing can be handed over to it, and under any other policy it is not asked.

mod client;
mod policy;
mod request;
mod settings;
mod surplus;
mod wire;

pub use super::endpoint::Settings;
pub use settings::BadSetting;

use super::{Clock, Configured, Description, Fault, Maker, Validator, Verdict};
use crate::jose::{NumericDate, Token};
use crate::policy::{Replay, TrustPolicy};
use client::{Client, Failure};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// An endpoint, ready to be asked; shared by every validator that stands for it.
///
/// # Panics
/// Whatever asks it waits for the answer, and panics where nobody may wait: inside of an asynchronous runtime.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    client: Arc<Client>,
    algorithms: BTreeSet<String>,
    /// Whom it trusts.
    own: TrustPolicy,
    mishaps: Mutex<Vec<Fault>>,
}

/// Why an endpoint is not judged at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It gives no answer, or none of a server that is up.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// A request with no token in it is not refused, so that an accepted token shows nothing.
    #[error("does not refuse a request without a token: {0}")]
    NeedsNoToken(String),
}

/// Faults that are kept until somebody asks for them.
const MAX_MISHAPS: usize = 64;

impl Endpoint {
    /// An endpoint that was told this policy by whoever runs it.
    ///
    /// # Errors
    /// Where a setting cannot be understood, or two contradict each other.
    pub fn new(settings: Settings, own: TrustPolicy) -> Result<Self, BadSetting> {
        let client = Arc::new(Client::new(&settings, own.replay == Some(Replay::Refuse))?);
        let algorithms = settings.checked_algorithms(&own)?;
        Ok(Endpoint { settings, client, algorithms, own, mishaps: Mutex::default() })
    }

    /// Waits until it answers, as long as its settings say, and makes sure that a request without a token is refused.
    ///
    /// # Errors
    /// Where either is not so.
    pub fn ready(&self) -> Result<(), NotReady> {
        self.client.refuses_without_token()
    }

    /// Makes validators that stand for it.
    #[must_use]
    pub fn maker(self) -> Maker {
        let endpoint = Arc::new(self);
        endpoint.makers()
    }

    /// The same, where somebody else asks it as well.
    #[must_use]
    pub fn makers(self: Arc<Self>) -> Maker {
        Arc::new(move || Box::new(Http { endpoint: Arc::clone(&self), told: false }))
    }

    /// The token's answer. What a fault of the connection was is asked once more by whoever knows that nobody else was at work.
    fn ask(&self, token: &Token) -> Result<Verdict, Failure> {
        self.client.ask(token)
    }

    fn note(&self, fault: Fault) {
        let mut mishaps = self.mishaps.lock().unwrap_or_else(PoisonError::into_inner);
        if mishaps.len() < MAX_MISHAPS {
            mishaps.push(fault);
        }
    }
}

/// The words of a command line that shows a token to an endpoint with curl.
///
/// # Errors
/// Where a setting cannot be understood, or the request cannot carry the token.
pub fn curl(settings: &Settings, token: &Token) -> Result<Vec<String>, BadSetting> {
    let form = request::Form::new(settings)?;
    form.curl(token).map_err(|why| BadSetting::new("url", format!("the token cannot be sent: {why}")))
}

/// A validator that stands for an endpoint.
struct Http {
    endpoint: Arc<Endpoint>,
    /// Whether it was told the policy that is its own.
    told: bool,
}

impl Validator for Http {
    fn describe(&self) -> Description {
        let Endpoint { settings, algorithms, own, .. } = &*self.endpoint;
        let mut description = Description::new(settings.shown_name(), "", Clock::System);
        description.live_update = false;
        description.fixed_policy = true;
        description.key_sources = BTreeSet::from([own.key_source]);
        description.algorithms = algorithms.clone();
        description.leeway = settings.leeway;
        description.at_once = self.endpoint.client.at_once();
        description.keeps_time = true;
        description.says_issuer = self.endpoint.client.says_issuer();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.told = policy::same(&self.endpoint.own, policy);
        Ok(if self.told {
            Configured::Ready
        } else {
            Configured::Skip("the endpoint's policy cannot be changed".to_owned())
        })
    }

    fn validate(&mut self, token: &Token, _: NumericDate) -> Result<Verdict, Fault> {
        if !self.told {
            return Err(Fault::Broken("it was not told its own policy".to_owned()));
        }
        self.endpoint.ask(token).map_err(Failure::into_fault)
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        if !self.told || tokens.len() < 2 {
            return tokens.iter().map(|(token, now)| self.validate(token, *now)).collect();
        }
        let endpoint = &*self.endpoint;
        let client = &endpoint.client;
        let lent = tokens.iter().map(|(token, _)| token.clone()).collect();
        let kept = client.keeps_connections();
        let mut answers = client.ask_all(&lent);
        if kept && !client.keeps_connections() {
            // Each of these may be the answer to another.
            answers = client.ask_all(&lent);
        }
        let answers = answers.into_iter().zip(tokens).map(|(answer, (token, _))| match answer {
            // Whoever was on the way when another token brought the server down is innocent, and may have been seen.
            Err(failure) if failure.may_be_anothers() && client.refuses_replay() => {
                let fault = failure.into_fault();
                let why =
                    format!("{fault}, with others on the way; what it has seen it refuses, so it is not asked again");
                endpoint.note(fault);
                Err(Fault::Unjudged(why))
            }
            // Alone the guilty one does it again.
            Err(failure) if failure.may_be_anothers() => {
                let again = endpoint.ask(token);
                if again.is_ok() {
                    endpoint.note(failure.into_fault());
                }
                again.map_err(Failure::into_fault)
            }
            answer => answer.map_err(Failure::into_fault),
        });
        answers.collect()
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        self.endpoint.client.cannot_carry(token)
    }

    fn mishaps(&mut self) -> Vec<Fault> {
        let mut mishaps = std::mem::take(&mut *self.endpoint.mishaps.lock().unwrap_or_else(PoisonError::into_inner));
        mishaps.extend(self.endpoint.client.surplus());
        mishaps
    }
}
