//! Whether an adapter speaks the protocol: tried before anything that its validator answers counts.
//!
//! Honest tokens, a line that is no request, answers that must find their tokens, identities; and four tokens that nobody may
//! accept. Whoever accepts one of these has a finding like any other, and more often than not an adapter that is wired wrongly.

use super::Selection;
use crate::forge::{Forge, Move};
use crate::generate::{Site, baseline};
use crate::jose::{NumericDate, Token};
use crate::oracle::{Expectation, SignedIdentity, Told, expect};
use crate::policy::TrustPolicy;
use crate::scenario::{Act, Scenario, Step};
use crate::validator::process::Adapter;
use crate::validator::{Configured, Fault, Identity, Maker, Validator, Verdict};
use crate::world::{Calendar, World};
use std::sync::Arc;

/// A step of the conformance run that an adapter does not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {why}")]
pub struct Unfit {
    /// Which.
    pub step: &'static str,
    /// What it did instead.
    pub why: String,
}

/// What came of a conformance run that was passed.
#[derive(Clone, Debug)]
pub struct Conformed {
    /// The tokens that nobody may accept, each with a name.
    pub controls: Vec<(&'static str, Scenario)>,
    /// Those of them that it accepted.
    pub accepted: Vec<&'static str>,
}

const HONEST: &str = "honest tokens are accepted";
const MALFORMED: &str = "a line that is no JSON is passed over";
const MATCHED: &str = "each answer has the id of its request";
const IDENTITY: &str = "the identity is the token's";

/// Most honest tokens of one site that are tried until one is accepted.
const MOST: usize = 16;

/// Tries an adapter, and the validators that are made of it, on the first of the chosen sites whose policy it takes.
///
/// # Errors
/// The first step that it does not pass.
pub fn conform(
    adapter: &Adapter,
    maker: &Maker,
    worlds: &[Arc<World>],
    selection: &Selection,
    now: NumericDate,
) -> Result<Conformed, Unfit> {
    // On a thread of its own: when that is over, its process serves a worker.
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run(adapter, maker, worlds, &selection.sites(worlds), now));
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run(
    adapter: &Adapter,
    maker: &Maker,
    worlds: &[Arc<World>],
    sites: &[Site<'_>],
    now: NumericDate,
) -> Result<Conformed, Unfit> {
    let description = adapter.description();
    let mut why = "it takes keys from none of the chosen sources".to_owned();
    for site in sites.iter().filter(|site| description.key_sources.contains(&site.key_source)) {
        let Some(world) = worlds.iter().find(|world| world.name == site.world.name) else { continue };
        let forge = Forge::new(Arc::clone(world), Calendar::At(now));
        for scenario in baseline(site).into_iter().take(MOST) {
            let Some(shown) = Shown::of(&forge, &scenario, 0).filter(Shown::must_be_accepted) else { continue };
            let template = shown.policy.issuers.iter().any(crate::policy::TrustedIssuer::is_template);
            if template && !description.issuer_templates {
                "no policy that it takes: it has no issuer templates".clone_into(&mut why);
                break;
            }
            let mut validator = maker();
            match validator.configure(&shown.policy) {
                Ok(Configured::Ready) => {}
                Ok(Configured::Skip(reason)) => {
                    why = format!("no policy that it takes; it says: {reason}");
                    break;
                }
                Err(fault) => return Err(Unfit { step: HONEST, why: fault.to_string() }),
            }
            match shown.answer_of(&mut *validator) {
                Ok(Verdict::Accept { .. }) => {
                    return Run { adapter, validator, forge, scenario: &scenario, site }.go();
                }
                Ok(Verdict::Reject(reason)) => why = format!("it rejects one of {}: {reason}", site.party.alias),
                Ok(Verdict::Skip(reason)) => why = format!("it skips them: {reason}"),
                Err(fault) => return Err(Unfit { step: HONEST, why: fault.to_string() }),
            }
        }
    }
    Err(Unfit { step: HONEST, why })
}

/// One token of a scenario with one step.
struct Shown {
    policy: Arc<TrustPolicy>,
    token: Token,
    at: NumericDate,
    lawful: Expectation,
}

impl Shown {
    fn of(forge: &Forge, scenario: &Scenario, number: u64) -> Option<Self> {
        let mut told = None;
        for happening in forge.play(scenario, number).ok()? {
            match happening {
                Move::Trust { policy, at, .. } => told = Some((policy, at)),
                Move::Present(presented) => {
                    let (policy, at) = told?;
                    let lawful = expect(&[Told { at, policy: &policy }], &presented.provenance, presented.at);
                    return Some(Shown { policy, token: presented.token.clone(), at: presented.at, lawful });
                }
            }
        }
        None
    }

    /// A validator's answer. That it prints a secret is no matter of the protocol: it has a finding of its own in the run.
    fn answer_of(&self, validator: &mut dyn Validator) -> Result<Verdict, Fault> {
        match validator.validate(&self.token, self.at) {
            Err(Fault::Leak) => validator.validate(&self.token, self.at),
            answer => answer,
        }
    }

    fn must_be_accepted(&self) -> bool {
        self.lawful.acceptable().is_some() && !self.lawful.rejectable()
    }
}

/// A run at a site whose honest tokens are accepted.
struct Run<'r> {
    adapter: &'r Adapter,
    validator: Box<dyn Validator>,
    forge: Forge,
    scenario: &'r Scenario,
    site: &'r Site<'r>,
}

impl Run<'_> {
    fn go(mut self) -> Result<Conformed, Unfit> {
        let unfit = |step, fault: Fault| Unfit { step, why: fault.to_string() };
        self.adapter.disturb("{\"validate\": this is no JSON").map_err(|fault| unfit(MALFORMED, fault))?;
        self.accepts(1, MALFORMED)?;
        self.undisturbed(MALFORMED)?;
        let honest: Vec<Shown> = (2..6).filter_map(|number| Shown::of(&self.forge, self.scenario, number)).collect();
        let garbage = Token::new("garbage");
        let asked: Vec<(Token, NumericDate)> =
            honest.iter().flat_map(|one| [(garbage.clone(), one.at), (one.token.clone(), one.at)]).collect();
        let mut answers = self.validator.validate_all(&asked).into_iter();
        for one in &honest {
            // What it makes of garbage is a control's matter.
            if let Some(Err(fault)) = answers.next().filter(|answer| *answer != Err(Fault::Leak)) {
                return Err(unfit(MATCHED, fault));
            }
            let answer = match answers.next() {
                Some(Err(Fault::Leak)) => Some(one.answer_of(&mut *self.validator)),
                answer => answer,
            };
            match answer {
                Some(Ok(Verdict::Accept { identity, .. })) => self.is_the_tokens(one, identity.as_ref())?,
                Some(Err(fault)) => return Err(unfit(MATCHED, fault)),
                _ => {
                    let why = "asked for honest tokens and garbage in turn, it did not accept the honest ones";
                    return Err(Unfit { step: MATCHED, why: why.to_owned() });
                }
            }
        }
        self.undisturbed(MATCHED)?;
        Ok(self.controls())
    }

    fn accepts(&mut self, number: u64, step: &'static str) -> Result<(), Unfit> {
        let Some(shown) = Shown::of(&self.forge, self.scenario, number) else { return Ok(()) };
        match shown.answer_of(&mut *self.validator) {
            Ok(Verdict::Accept { .. }) => Ok(()),
            Ok(Verdict::Reject(why) | Verdict::Skip(why)) => {
                Err(Unfit { step, why: format!("after it an honest token is refused: {why}") })
            }
            Err(fault) => Err(Unfit { step, why: fault.to_string() }),
        }
    }

    /// That nothing went wrong which no single token caused.
    fn undisturbed(&mut self, step: &'static str) -> Result<(), Unfit> {
        self.validator.mishaps().first().map_or(Ok(()), |fault| Err(Unfit { step, why: fault.to_string() }))
    }

    fn is_the_tokens(&self, shown: &Shown, identity: Option<&Identity>) -> Result<(), Unfit> {
        let unfit = |why: String| Err(Unfit { step: IDENTITY, why });
        let Some(signed @ SignedIdentity { iss, sub, .. }) = shown.lawful.acceptable() else { return Ok(()) };
        match identity {
            None if self.adapter.says_identity() => {
                unfit("its hello lists the feature `identity`, and it accepts with none".to_owned())
            }
            Some(said) if (&said.iss, &said.sub) != (iss, sub) => {
                let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
                unfit(format!(
                    "it answers iss {} sub {} to a token with iss {} sub {}",
                    shown(&said.iss),
                    shown(&said.sub),
                    shown(iss),
                    shown(sub)
                ))
            }
            Some(Identity { audience: Some(said), .. }) if !signed.is_for(said) => {
                let names: Vec<&str> = signed.audience.iter().flatten().map(String::as_str).collect();
                unfit(format!("it answers aud {said:?} to a token with aud {names:?}"))
            }
            _ => Ok(()),
        }
    }

    fn controls(&mut self) -> Conformed {
        let mut controls = Vec::new();
        for (name, acts) in [
            ("unsigned", r#"[{"set-header":{"name":"alg","value":"none"}},{"strip-signature":{}}]"#.to_owned()),
            ("expired", r#"[{"set-claim":{"name":"exp","value":"-1d"}}]"#.to_owned()),
            ("garbage", r#"[{"raw":{"token":"garbage"}}]"#.to_owned()),
            ("unknown key", self.unknown_key()),
        ] {
            if let Some(scenario) = with_acts(self.scenario, &acts) {
                controls.push((name, scenario));
            }
        }
        let mut accepted = Vec::new();
        for (name, scenario) in &controls {
            let Some(shown) = Shown::of(&self.forge, scenario, 7) else { continue };
            let answer = shown.answer_of(&mut *self.validator);
            if shown.lawful.acceptable().is_none() && answer.is_ok_and(|verdict| verdict.accepted()) {
                accepted.push(*name);
            }
        }
        Conformed { controls, accepted }
    }

    /// Signs with a key that belongs to nobody.
    fn unknown_key(&self) -> String {
        let stranger = self.site.world.keys.iter().find(|key| key.owner.is_none());
        stranger.map_or_else(String::new, |key| format!(r#"[{{"sign-with":{{"key":"{}"}}}}]"#, key.alias))
    }
}

/// The same token with these acts, where they can be read.
fn with_acts(scenario: &Scenario, acts: &str) -> Option<Scenario> {
    let acts: Vec<Act> = serde_json::from_str(acts).ok()?;
    let mut scenario = scenario.clone();
    match scenario.steps.last_mut() {
        Some(Step::Present(present)) => present.acts = acts,
        _ => return None,
    }
    Some(scenario)
}
