//! The recipe of an attack: a world and a list of steps. A scenario is the only thing that is ever stored.
//!
//! Names are the world's aliases, times are relative, so that a file forges a good token again tomorrow. `corpus/README.md`
//! shows every step and act by example.

mod act;
mod policy_act;
mod span;
mod value;

pub use act::{
    Act, Donor, Duplicate, EcdsaInteger, KeyHeader, Kid, Mangle, Named, Place, PublicForm, PublicText, Raw, Segment,
    SetMember, SignWith, Splice,
};
pub use policy_act::{KeyIssuer, PolicyAct, Spoil};
pub use span::Span;
pub use value::{Edit, Scalar, Value};

use crate::policy::{Disturbance, KeySource};
use serde::{Deserialize, Serialize};

/// The version of the file format.
pub const VERSION: u8 = 1;

/// Most steps that a file may have.
pub const MAX_STEPS: usize = 64;
/// Most acts that a step may have.
pub const MAX_ACTS: usize = 64;
/// Most drafts inside one another that a `splice` may build.
pub const MAX_DEPTH: usize = 4;

/// A world and what happens in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Scenario {
    /// The world's name.
    pub world: String,
    /// Where the relying parties' keys come from.
    pub key_source: KeySource,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// A token is shown to a relying party.
    Present(Present),
    /// A key replaces another: the new one is listed, the old one no longer unless they overlap.
    RotateKey {
        /// The key in service.
        key: String,
        /// The key that takes its place.
        to: String,
        /// Whether the new key takes over the old one's `kid`.
        #[serde(default, skip_serializing_if = "is_false")]
        keep_kid: bool,
        /// Whether the old key stays listed.
        #[serde(default, skip_serializing_if = "is_false")]
        overlap: bool,
    },
    /// A key is no longer listed.
    RemoveKey {
        /// The key.
        key: String,
    },
    /// An issuer is no longer trusted by anybody.
    DisableIssuer {
        /// The issuer.
        issuer: String,
    },
    /// Time passes.
    AdvanceClock(Span),
    /// A relying party's policy changes.
    UpdatePolicy {
        /// Whose.
        party: String,
        /// How.
        acts: Vec<PolicyAct>,
    },
    /// An issuer's key set cannot be fetched from now on, or not as it should be. Only where keys are fetched.
    JwksUnreachable {
        /// The issuer.
        issuer: String,
        /// What is wrong.
        #[serde(default, skip_serializing_if = "is_cut")]
        how: Disturbance,
    },
    /// An issuer's key set can be fetched again.
    JwksReachable {
        /// The issuer.
        issuer: String,
    },
    /// Several tokens are presented at once.
    Together(Vec<Present>),
    /// A token is handed in for another.
    Exchange {
        /// The name of an earlier token.
        token: String,
        /// The relying party that exchanges.
        at: String,
    },
}

/// A token and whom it is shown to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Present {
    /// A name by which later steps can take parts of this token.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The relying party.
    pub to: String,
    /// What an honest issuer would write.
    pub honest: Honest,
    /// What the forger does to it, in order. None: the baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
}

/// The token that an honest issuer would write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Honest {
    /// Who issues it.
    pub issuer: String,
    /// For which tenant; absent: the first that the party admits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// For whom; absent: somebody fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Signed by which key; absent: the issuer's first that is listed for the party and in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With which algorithm; absent: the key's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

impl Step {
    /// The name in a scenario file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Step::Present(_) => "present",
            Step::RotateKey { .. } => "rotate-key",
            Step::RemoveKey { .. } => "remove-key",
            Step::DisableIssuer { .. } => "disable-issuer",
            Step::AdvanceClock(_) => "advance-clock",
            Step::UpdatePolicy { .. } => "update-policy",
            Step::JwksUnreachable { .. } => "jwks-unreachable",
            Step::JwksReachable { .. } => "jwks-reachable",
            Step::Together(_) => "together",
            Step::Exchange { .. } => "exchange",
        }
    }
}

impl Scenario {
    /// A scenario of one presented token.
    #[must_use]
    pub fn single(
        world: impl Into<String>,
        key_source: KeySource,
        party: impl Into<String>,
        honest: Honest,
        acts: Vec<Act>,
    ) -> Self {
        let present = Present { name: None, to: party.into(), honest, acts };
        Scenario { world: world.into(), key_source, steps: vec![Step::Present(present)] }
    }

    /// The one presented token, where that is all.
    #[must_use]
    pub fn as_single(&self) -> Option<&Present> {
        match self.steps.as_slice() {
            [Step::Present(present)] => Some(present),
            _ => None,
        }
    }

    /// The one presented token, at the end, and what changes before it; nothing, where the token is all.
    #[must_use]
    pub fn as_led(&self) -> Option<(&[Step], &Present)> {
        match self.steps.split_last() {
            Some((Step::Present(present), lead))
                if !lead
                    .iter()
                    .any(|step| matches!(step, Step::Present(_) | Step::Together(_) | Step::Exchange { .. })) =>
            {
                Some((lead, present))
            }
            _ => None,
        }
    }

    /// Every presented token with the index of its step.
    pub fn presents(&self) -> impl Iterator<Item = (usize, &Present)> {
        self.steps.iter().enumerate().flat_map(|(index, step)| {
            let presents: &[Present] = match step {
                Step::Present(present) => std::slice::from_ref(present),
                Step::Together(presents) => presents,
                _ => &[],
            };
            presents.iter().map(move |present| (index, present))
        })
    }

    /// What is done in it, by the names in a scenario file: its steps but for `present`, then the acts of each token.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        let steps = self.steps.iter().map(Step::kind).filter(|kind| *kind != "present");
        steps.chain(self.presents().flat_map(|(_, present)| present.acts.iter().map(Act::kind)))
    }

    /// How many steps at the beginning say how relying parties are configured and what they find when they first fetch: those
    /// `update-policy` and `jwks-unreachable` before anything else.
    #[must_use]
    pub fn configured(&self) -> usize {
        let first = |step: &&Step| matches!(step, Step::UpdatePolicy { .. } | Step::JwksUnreachable { .. });
        self.steps.iter().take_while(first).count()
    }

    /// Whether issuers list other keys once relying parties are configured.
    #[must_use]
    pub fn changes_keys_at_work(&self) -> bool {
        self.at_work().any(|step| matches!(step, Step::RotateKey { .. } | Step::RemoveKey { .. }))
    }

    /// Whether relying parties trust others, or otherwise, once they are configured.
    #[must_use]
    pub fn changes_policy_at_work(&self) -> bool {
        self.at_work().any(|step| matches!(step, Step::DisableIssuer { .. } | Step::UpdatePolicy { .. }))
    }

    /// What happens once relying parties are configured.
    fn at_work(&self) -> impl Iterator<Item = &Step> {
        self.steps[self.configured()..].iter()
    }

    /// The file form: readable JSON with a final newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only maps with non-text keys or failing writers make serde_json fail; a scenario has neither.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the file form.
    ///
    /// # Errors
    /// Says line, column and what is wrong there: an unknown step, act or field, a missing one, or too many of them.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

fn is_false(truth: &bool) -> bool {
    !truth
}

fn is_cut(how: &Disturbance) -> bool {
    *how == Disturbance::Cut
}

/// The file: either the short form of one token, or steps.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    scenario: u8,
    world: String,
    #[serde(default, skip_serializing_if = "is_per_issuer")]
    key_source: KeySource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    party: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    honest: Option<Honest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acts: Option<Vec<Act>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Step>>,
}

fn is_per_issuer(key_source: &KeySource) -> bool {
    *key_source == KeySource::PerIssuer
}

impl From<Scenario> for Wire {
    fn from(scenario: Scenario) -> Self {
        let mut wire = Wire {
            scenario: VERSION,
            world: scenario.world,
            key_source: scenario.key_source,
            party: None,
            honest: None,
            acts: None,
            steps: None,
        };
        match <[Step; 1]>::try_from(scenario.steps) {
            Ok([Step::Present(Present { name: None, to, honest, acts })]) => {
                wire.party = Some(to);
                wire.honest = Some(honest);
                wire.acts = Some(acts);
            }
            Ok([step]) => wire.steps = Some(vec![step]),
            Err(steps) => wire.steps = Some(steps),
        }
        wire
    }
}

impl TryFrom<Wire> for Scenario {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        if wire.scenario != VERSION {
            return Err(format!(
                "scenario version {} is unknown: this wrongkey reads version {VERSION}",
                wire.scenario
            ));
        }
        let steps = match (wire.steps, wire.party, wire.honest, wire.acts) {
            (Some(steps), None, None, None) => steps,
            (Some(_), ..) => {
                return Err("`steps` stands beside `party`, `honest` or `acts`: use one form or the other".to_owned());
            }
            (None, Some(to), Some(honest), acts) => {
                vec![Step::Present(Present { name: None, to, honest, acts: acts.unwrap_or_default() })]
            }
            (None, party, ..) => {
                let missing = if party.is_none() { "party" } else { "honest" };
                return Err(format!("missing field `{missing}`: give `party` and `honest`, or `steps`"));
            }
        };
        let scenario = Scenario { world: wire.world, key_source: wire.key_source, steps };
        scenario.check_bounds()?;
        Ok(scenario)
    }
}

impl Scenario {
    fn check_bounds(&self) -> Result<(), String> {
        if self.steps.len() > MAX_STEPS {
            return Err(format!("{} steps: at most {MAX_STEPS}", self.steps.len()));
        }
        for (index, present) in self.presents() {
            act::check(&present.acts, 0).map_err(|error| format!("step {}: {error}", index + 1))?;
        }
        Ok(())
    }
}
