//! The recipe of an attack: a world and a list of steps. A scenario is the only thing that is ever stored.
//!
//! Names are the world's aliases, times are relative, so that a file forges a good token again tomorrow. `corpus/README.md`
//! shows every step and act by example.

mod span;
mod value;

pub use span::Span;
pub use value::{Edit, Scalar, Value};

use crate::jose::{Layout, Serialization, Spelling};
use crate::policy::KeySource;
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
    /// An issuer's key set cannot be fetched for a while.
    JwksUnreachable {
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

/// A draft inside an act: an honest token and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Donor {
    /// What an honest issuer would write.
    pub honest: Honest,
    /// What the forger does to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
}

/// One thing a forger does to a token. What is edited after a signature is not signed again; a token that no act has
/// signed is signed by the honest key at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Signs what stands there now.
    SignWith(SignWith),
    /// Sets a claim, in place where it stands.
    SetClaim(SetMember),
    /// Leaves a claim out.
    DropClaim(Named),
    /// Sets a header member, in place where it stands.
    SetHeader(SetMember),
    /// Leaves a header member out.
    DropHeader(Named),
    /// Writes a claim a second time.
    DuplicateClaim(Duplicate),
    /// Writes a header member a second time.
    DuplicateHeader(Duplicate),
    /// Leaves the signature empty.
    StripSignature {},
    /// Puts a part of another token in place of this one's.
    Splice(Splice),
    /// Carries a key in the header (RFC 7515 sections 4.1.2 to 4.1.8).
    EmbedKey {
        /// How.
        r#as: KeyHeader,
        /// Which key.
        key: String,
    },
    /// Puts the token into another serialization.
    Serialize {
        /// Which.
        r#as: Serialization,
    },
    /// Departs from the canonical spelling.
    Spell {
        /// Where.
        part: Segment,
        /// How.
        r#as: Spelling,
    },
    /// Changes the signature octets.
    MangleSignature(Mangle),
    /// Writes raw octets, which nobody signs.
    Raw(Raw),
}

/// Who signs, and what the header then says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignWith {
    /// The key; absent: the honest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// HMAC over a public text, in place of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PublicText>,
    /// The algorithm; absent: the key's own, `HS256` for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What `kid` says.
    #[serde(default, skip_serializing_if = "Kid::is_default")]
    pub kid: Kid,
}

/// What the `kid` header says after `sign-with`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kid {
    /// The signing key's own.
    #[default]
    Own,
    /// What it said before.
    Keep,
    /// Nothing: the member is left out.
    None,
    /// The `kid` of that key.
    Of(String),
    /// This text.
    Text(String),
}

impl Kid {
    fn is_default(&self) -> bool {
        *self == Kid::Own
    }
}

/// The public text of a key, used as an HMAC secret (the confusion of RFC 8725 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicText {
    /// The key.
    pub of: String,
    /// How its public half is written.
    pub layout: Layout,
}

/// A member to set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMember {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// A member by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// A member to write a second time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// Its name.
    pub name: String,
    /// The second value.
    pub value: Value,
    /// Where the second value goes: before all members, or after.
    pub at: Place,
}

/// An end of a list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// A part taken from another token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splice {
    /// Which part.
    pub part: Segment,
    /// From an earlier step's token, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// From a token made for this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Box<Donor>>,
}

/// A segment of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// The protected header.
    Header,
    /// The payload.
    Payload,
    /// The signature.
    Signature,
}

/// A header member that carries or names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeader {
    /// The key itself (RFC 7515 section 4.1.3).
    Jwk,
    /// A certificate chain (section 4.1.6).
    X5c,
    /// A URL of a JWK Set (section 4.1.2).
    Jku,
    /// A URL of certificates (section 4.1.5).
    X5u,
}

/// A change to the signature octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mangle {
    /// Turns one bit, counted from the first octet's highest, around the end.
    FlipBit(u32),
    /// Cuts so many octets off the end.
    Truncate(u32),
    /// Adds so many zero octets.
    Extend(u32),
    /// All zeros, same length.
    Zero,
    /// ECDSA: (r, n-s).
    NMinusS,
    /// ECDSA: ASN.1 DER in place of R and S side by side.
    Der,
}

/// Raw octets in place of, before or after a part, or of the whole token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Raw {
    /// The whole token is this text.
    Token(String),
    /// This text follows the token.
    After(String),
    /// This text stands before the token.
    Before(String),
    /// The token is cut to its first segments: 1 or 2.
    Segments(u8),
    /// The text of one segment (before base64url is undone) is this.
    Text {
        /// Which segment.
        part: Segment,
        /// Its text.
        text: String,
    },
    /// One bit of the decoded octets of the header or payload is turned.
    FlipBit {
        /// Which segment.
        part: Segment,
        /// Which bit, around the end.
        bit: u32,
    },
}

/// A change to a relying party's policy. Names are the world's aliases.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PolicyAct {
    /// Trusts one issuer more, with its published keys.
    AddIssuer(String),
    /// Trusts one issuer less.
    RemoveIssuer(String),
    /// Sets the audiences: literal names.
    SetAudiences(Vec<String>),
    /// Sets an issuer's algorithms.
    SetAlgorithms {
        /// The issuer.
        issuer: String,
        /// Names of RFC 7518.
        algorithms: Vec<String>,
    },
    /// Sets the admitted tenants of an issuer.
    SetTenants {
        /// The issuer.
        issuer: String,
        /// Aliases.
        tenants: Vec<String>,
    },
    /// Sets the leeway, in seconds.
    SetLeeway(u64),
    /// Forgets a member, which is then not asked.
    Unset(String),
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
            Step::Together(_) => "together",
            Step::Exchange { .. } => "exchange",
        }
    }
}

impl Act {
    /// The name in a scenario file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Act::SignWith(_) => "sign-with",
            Act::SetClaim(_) => "set-claim",
            Act::DropClaim(_) => "drop-claim",
            Act::SetHeader(_) => "set-header",
            Act::DropHeader(_) => "drop-header",
            Act::DuplicateClaim(_) => "duplicate-claim",
            Act::DuplicateHeader(_) => "duplicate-header",
            Act::StripSignature {} => "strip-signature",
            Act::Splice(_) => "splice",
            Act::EmbedKey { .. } => "embed-key",
            Act::Serialize { .. } => "serialize",
            Act::Spell { .. } => "spell",
            Act::MangleSignature(_) => "mangle-signature",
            Act::Raw(_) => "raw",
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
            check_acts(&present.acts, 0).map_err(|error| format!("step {}: {error}", index + 1))?;
        }
        Ok(())
    }
}

fn check_acts(acts: &[Act], depth: usize) -> Result<(), String> {
    if acts.len() > MAX_ACTS {
        return Err(format!("{} acts: at most {MAX_ACTS}", acts.len()));
    }
    for act in acts {
        match act {
            Act::Splice(Splice { from: None, of: Some(donor), .. }) => {
                if depth + 1 > MAX_DEPTH {
                    return Err(format!("splices inside one another: at most {MAX_DEPTH}"));
                }
                check_acts(&donor.acts, depth + 1)?;
            }
            Act::Splice(Splice { from: Some(_), of: None, .. }) => {}
            Act::Splice(_) => return Err("splice needs either `from` or `of`".to_owned()),
            Act::SignWith(SignWith { key: Some(_), secret: Some(_), .. }) => {
                return Err("sign-with takes `key` or `secret`, not both".to_owned());
            }
            Act::MangleSignature(Mangle::Extend(by)) if *by > 4096 => {
                return Err("mangle-signature: extend by at most 4096".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}
