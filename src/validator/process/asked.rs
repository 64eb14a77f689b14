//! The tokens of one call, their answers, and what is known of them meanwhile.

use crate::jose::{NumericDate, Token};
use crate::validator::{Fault, Verdict};
use std::collections::{BTreeSet, HashMap};

/// The tokens of one call, and what is known of them.
pub(super) struct Asked<'t> {
    pub(super) tokens: &'t [(Token, NumericDate)],
    pub(super) answers: Vec<Option<Result<Verdict, Fault>>>,
    /// Which token each id stands for.
    pub(super) ids: HashMap<u64, usize>,
    /// Those at which a secret was printed.
    pub(super) leaking: BTreeSet<usize>,
    /// Those of which one, perhaps, had a secret printed in the log.
    pub(super) unplaced: BTreeSet<usize>,
    /// Those that were in flight when something went wrong: it may have seen them already.
    pub(super) seen: BTreeSet<usize>,
}

impl<'t> Asked<'t> {
    pub(super) fn new(tokens: &'t [(Token, NumericDate)]) -> Self {
        Asked {
            tokens,
            answers: tokens.iter().map(|_| None).collect(),
            ids: HashMap::new(),
            leaking: BTreeSet::new(),
            unplaced: BTreeSet::new(),
            seen: BTreeSet::new(),
        }
    }

    /// A secret came into the log while these were shown.
    pub(super) fn leak_in_log(&mut self, batch: &[usize]) {
        match batch {
            [one] => self.leaking.extend(Some(*one)),
            several => self.unplaced.extend(several),
        }
    }

    /// Where a token that was seen before is refused, a refusal of one that may have been seen shows nothing: what it keeps of
    /// its replays may outlive its process.
    pub(super) fn unjudge_replays(&mut self) {
        for &index in &self.seen {
            if let Some(Ok(Verdict::Reject(_) | Verdict::Skip(_))) = &self.answers[index] {
                self.answers[index] = Some(Err(Fault::Unjudged(REFUSED_AGAIN.to_owned())));
            }
        }
    }

    pub(super) fn open(&self) -> Vec<usize> {
        (0..self.answers.len()).filter(|&index| self.answers[index].is_none()).collect()
    }

    /// What has no answer yet gets this one.
    pub(super) fn closed(self, fault: &Fault) -> Vec<Result<Verdict, Fault>> {
        self.answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(fault.clone()))).collect()
    }
}

/// Why a token that was refused has no verdict.
const REFUSED_AGAIN: &str =
    "it was in flight when something else went wrong, and refused when it was shown again: perhaps as a replay";
