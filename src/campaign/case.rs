//! What came of one presented token.

use super::examine::MAX_ANSWER;
use crate::finding::{Kind, Relation, TwinKind, tame};
use crate::jose::{NumericDate, Token};
use crate::oracle::Expectation;
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::scenario::Scenario;
use crate::validator::Fault;
use std::collections::BTreeSet;

/// Where a token was shown: world, relying party, key source.
pub(super) type SiteId = (String, String, KeySource);

/// What came of one presented token.
#[derive(Clone, Debug)]
pub struct Case {
    /// Index of the step.
    pub step: usize,
    /// World, relying party, key source.
    pub site: (String, String, KeySource),
    /// What would have been lawful.
    pub expectation: Expectation,
    /// What was seen.
    pub seen: Seen,
    /// Rules of conduct that judging this token gives occasion to break.
    pub tempts: BTreeSet<Rule>,
    /// Who signed, seen from the claimed issuer.
    pub relation: Relation,
    /// Alias of the issuer whose key signed, or `attacker`, `public text`, `nobody`.
    pub signer: String,
    /// Alias of the claimed issuer, or `none`, `other`.
    pub claimed: String,
    /// The token.
    pub token: Token,
    /// The time of forging.
    pub at: NumericDate,
    /// In which order issuers and keys stood in the first policy of the instance (see [`TrustPolicy::reordered`]). It means
    /// nothing, and a validator may take it to mean something.
    ///
    /// [`TrustPolicy::reordered`]: crate::policy::TrustPolicy::reordered
    pub order: u64,
}

/// What was seen of one presented token.
#[derive(Clone, Debug)]
pub enum Seen {
    /// Accepted, and that is the only lawful answer.
    Accepted {
        /// Whether the validator said who it is.
        identified: bool,
    },
    /// Rejected, and accepting would have been wrong.
    Rejected(Evidence),
    /// The standards leave it open.
    Open {
        /// Whether it accepted.
        accepted: bool,
    },
    /// A wrong answer.
    Wrong {
        /// Of which kind.
        kind: Kind,
        /// What it answered, tamed.
        answer: String,
        /// The twin, for a false accept.
        twin: Option<TwinNote>,
    },
    /// No answer.
    Fault(Fault),
    /// Not shown, or not judged, for this reason.
    Skipped(String),
}

/// What a rejection is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Its twin was accepted.
    Confirmed(TwinKind),
    /// Its twin was refused as well, with this answer: nothing is shown.
    TwinRefused(TwinKind, String),
    /// There is no twin.
    NoTwin,
    /// Several rules were broken, and tokens that break fewer of them are shown as well: no twin was looked for.
    NotSought,
}

/// A twin's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinNote {
    /// What was changed.
    pub kind: TwinKind,
    /// The scenario of a token twin.
    pub scenario: Option<Scenario>,
}

impl Seen {
    /// What is seen where there is no answer: forbidden conduct is wrong, and all else a fault.
    pub(super) fn of(fault: Fault) -> Seen {
        match fault {
            Fault::Leak => Seen::Wrong { kind: Kind::Leak, answer: Fault::Leak.to_string(), twin: None },
            Fault::ForbiddenFetch(url) => {
                let answer = format!("fetched {}", tame(&url, MAX_ANSWER));
                Seen::Wrong { kind: Kind::ForbiddenFetch, answer, twin: None }
            }
            Fault::Unjudged(why) => Seen::Skipped(tame(&why, MAX_ANSWER)),
            fault => Seen::Fault(fault),
        }
    }
}

impl Case {
    /// The kind and rules of a wrong answer.
    #[must_use]
    pub fn wrong(&self) -> Option<(Kind, BTreeSet<Rule>)> {
        match &self.seen {
            Seen::Wrong { kind: kind @ Kind::FalseAccept, .. } => Some((*kind, self.expectation.broken().clone())),
            Seen::Wrong { kind, .. } => Some((*kind, kind.conduct().into_iter().collect())),
            Seen::Fault(_) => Some((Kind::Fault, BTreeSet::new())),
            _ => None,
        }
    }
}
