//! Counts: per rule, per class, who signed for whom, and what was skipped and why.

use super::case::{Case, Evidence, Seen, SiteId};
use super::{Entry, Phase, Plan};
use crate::finding::{Kind, Relation};
use crate::rule::Rule;
use crate::validator::Description;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Counts of one rule: tokens that broke it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleTally {
    /// Presented and judged.
    pub alone: u64,
    /// Rejected, and the twin was accepted: the evidence.
    pub confirmed: u64,
    /// Accepted.
    pub accepted: u64,
    /// Rejected, and so was the twin.
    pub inconclusive: u64,
    /// Rejected, and there is no twin.
    pub no_twin: u64,
    /// No answer.
    pub faults: u64,
}

impl RuleTally {
    fn count(&mut self, case: &Case) {
        self.alone += 1;
        match &case.seen {
            Seen::Rejected(Evidence::Confirmed(_)) => self.confirmed += 1,
            Seen::Rejected(Evidence::TwinRefused(..)) => self.inconclusive += 1,
            Seen::Rejected(Evidence::NoTwin) => self.no_twin += 1,
            Seen::Wrong { kind: Kind::FalseAccept, .. } => self.accepted += 1,
            Seen::Fault(_) => self.faults += 1,
            _ => {}
        }
    }

    fn merge(&mut self, later: RuleTally) {
        self.alone += later.alone;
        self.confirmed += later.confirmed;
        self.accepted += later.accepted;
        self.inconclusive += later.inconclusive;
        self.no_twin += later.no_twin;
        self.faults += later.faults;
    }
}

/// Counts of one rule of conduct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConductTally {
    /// Tokens presented that gave occasion to break it.
    pub tempted: u64,
    /// Tokens over which it was broken.
    pub broken: u64,
}

/// Most reasons that are kept for the refusal of a class's twins.
const MAX_REASONS: usize = 3;
/// Most reasons that are kept for which tokens of a class were not shown.
const MAX_SKIPS: usize = 12;
/// What the reasons beyond are called.
const OTHER_REASONS: &str = "for other reasons";

impl ClassTally {
    fn count(&mut self, case: &Case) {
        self.presented += 1;
        match &case.seen {
            Seen::Accepted { .. } => self.accepted += 1,
            Seen::Rejected(Evidence::Confirmed(_)) => self.confirmed += 1,
            Seen::Rejected(Evidence::TwinRefused(_, why)) => {
                self.inconclusive += 1;
                self.twin_refused(why.clone());
            }
            Seen::Rejected(Evidence::NoTwin) => self.no_twin += 1,
            Seen::Rejected(Evidence::NotSought) => self.several += 1,
            Seen::Open { .. } => self.open += 1,
            Seen::Wrong { .. } => self.wrong += 1,
            Seen::Fault(_) => self.faults += 1,
            Seen::Skipped(_) => {}
        }
    }

    fn merge(&mut self, later: ClassTally) {
        self.presented += later.presented;
        self.accepted += later.accepted;
        self.confirmed += later.confirmed;
        self.inconclusive += later.inconclusive;
        self.no_twin += later.no_twin;
        self.several += later.several;
        self.open += later.open;
        self.wrong += later.wrong;
        self.faults += later.faults;
        for why in later.refused_twins {
            self.twin_refused(why);
        }
        for (reason, count) in later.skipped {
            self.skip(&reason, count);
        }
    }

    /// So many more were not shown, for this reason. Somebody who says something else each time fills neither memory nor report.
    fn skip(&mut self, reason: &str, count: u64) {
        if let Some(known) = self.skipped.get_mut(reason) {
            *known += count;
        } else {
            let reason = if self.skipped.len() < MAX_SKIPS { reason } else { OTHER_REASONS };
            *self.skipped.entry(reason.to_owned()).or_default() += count;
        }
    }

    fn twin_refused(&mut self, why: String) {
        if self.refused_twins.len() < MAX_REASONS {
            self.refused_twins.insert(why);
        }
    }
}

/// Counts of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassTally {
    /// Tokens presented and judged.
    pub presented: u64,
    /// Answered lawfully where one answer is lawful and it is accepting.
    pub accepted: u64,
    /// Rejected, and the twin was accepted.
    pub confirmed: u64,
    /// Rejected, and so was the twin.
    pub inconclusive: u64,
    /// Rejected, and there is no twin.
    pub no_twin: u64,
    /// Rejected for several rules, without a look for a twin: in the exhaustive core.
    #[serde(skip_serializing_if = "is_zero")]
    pub several: u64,
    /// Left open by the standards.
    pub open: u64,
    /// Answered wrongly.
    pub wrong: u64,
    /// No answer.
    pub faults: u64,
    /// Why the twins were refused, the first few reasons.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refused_twins: BTreeSet<String>,
    /// Not shown, by reason, the first few reasons.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<String, u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Counts of the exhaustive core of one world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CoreTally {
    /// What was seen.
    pub seen: ClassTally,
    /// Per rule.
    pub rules: BTreeMap<Rule, RuleTally>,
    /// Per rule the tokens that broke it alone, by short digests of what they say: one token counts once, however often it is
    /// shown.
    #[serde(skip)]
    pub distinct: BTreeMap<Rule, BTreeSet<u64>>,
}

/// One field of the signer by claimed issuer matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Tokens presented.
    pub presented: u64,
    /// Of these accepted.
    pub accepted: u64,
    /// Of these accepted wrongly.
    pub wrong: u64,
}

/// An honest token that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaselineFailure {
    /// World, relying party and key source.
    pub site: String,
    /// Which token.
    pub token: String,
    /// What the validator said.
    pub answer: String,
}

/// All counts of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Per rule.
    pub rules: BTreeMap<Rule, RuleTally>,
    /// Per rule of conduct.
    pub conduct: BTreeMap<Rule, ConductTally>,
    /// Per class id; baseline, replay, random and guided scenarios under those words.
    pub classes: BTreeMap<String, ClassTally>,
    /// Of them those of the exhaustive core, per world.
    pub cores: BTreeMap<String, CoreTally>,
    /// Kinds of the acts and steps of what was presented, as far as it stands in the catalogue or in a file.
    pub acts: BTreeSet<&'static str>,
    /// Rules that tokens broke alone, with who had signed them.
    pub alone: BTreeSet<(Rule, Relation)>,
    /// Per world: signer and claimed issuer.
    pub matrix: BTreeMap<String, BTreeMap<(String, String), Cell>>,
    /// Honest tokens accepted at the start.
    pub baseline_accepted: u64,
    /// Honest tokens refused at the start.
    pub baseline_failures: Vec<BaselineFailure>,
    /// Sites that the validator does not work at, with the reason.
    pub sites_skipped: BTreeMap<String, String>,
    /// Sites at which an honest token between the others was refused.
    pub closed_badly: BTreeMap<String, String>,
    /// Tokens presented and judged.
    pub presented: u64,
    /// Tokens for which several answers are lawful: accepted, rejected.
    pub open: (u64, u64),
    /// Tokens accepted without saying who it is.
    pub unidentified: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Missing answers.
    pub faults: u64,
    /// Faults that no single token caused, the first few.
    pub mishaps: Vec<String>,
}

/// Most faults without a token that are kept.
const MAX_MISHAPS: usize = 20;

/// A site in words.
#[must_use]
pub(super) fn site_name(site: &SiteId) -> String {
    format!("{} {} ({})", site.0, site.1, site.2.name())
}

impl Tally {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut tally = Tally::default();
        for world in &plan.worlds {
            tally.matrix.insert(world.name.clone(), BTreeMap::new());
        }
        tally
    }

    pub(super) fn mishaps(&mut self, mishaps: Vec<String>) {
        let room = MAX_MISHAPS.saturating_sub(self.mishaps.len());
        self.mishaps.extend(mishaps.into_iter().take(room));
    }

    pub(super) fn closed_badly(&mut self, site: &SiteId, why: &str) {
        self.closed_badly.insert(site_name(site), why.to_owned());
    }

    pub(super) fn count(&mut self, plan: &Plan, description: &Description, entry: &Entry) {
        let Entry { index, case } = entry;
        let phase = plan.stream.phase_of(*index);
        let site = site_name(&case.site);
        if let Seen::Skipped(reason) = &case.seen {
            self.classes.entry(class_of(&phase)).or_default().skip(reason, 1);
            if phase == Phase::Exhaustive {
                self.core(case).seen.skip(reason, 1);
            }
            if phase == Phase::Baseline {
                self.sites_skipped.insert(site, reason.clone());
            }
            return;
        }
        self.presented += 1;
        self.acts.extend(plan.stream.kinds_of(*index));
        if let Some(rule) = case.expectation.alone() {
            self.rules.entry(rule).or_default().count(case);
            self.alone.insert((rule, case.relation));
        }
        self.count_conduct(case);
        self.classes.entry(class_of(&phase)).or_default().count(case);
        if phase == Phase::Exhaustive {
            let core = self.core(case);
            core.seen.count(case);
            if let Some(rule) = case.expectation.alone() {
                core.rules.entry(rule).or_default().count(case);
                core.distinct.entry(rule).or_default().extend(plan.stream.content_of(*index));
            }
        }
        self.count_matrix(case);
        match &case.seen {
            Seen::Accepted { identified: false } => self.unidentified += 1,
            Seen::Open { accepted: true } => self.open.0 += 1,
            Seen::Open { accepted: false } => self.open.1 += 1,
            Seen::Wrong { .. } => self.wrong += 1,
            Seen::Fault(_) => self.faults += 1,
            _ => {}
        }
        if phase == Phase::Baseline {
            let failed = match &case.seen {
                Seen::Wrong { answer, .. } => Some(answer.clone()),
                Seen::Fault(fault) => Some(fault.to_string()),
                _ => None,
            };
            match failed {
                None => self.baseline_accepted += 1,
                Some(answer) => {
                    let token = describe_honest(plan, *index, description);
                    self.baseline_failures.push(BaselineFailure { site, token, answer });
                }
            }
        }
    }

    /// Adds what later chunks counted.
    pub(super) fn merge(&mut self, later: Tally) {
        for (rule, counts) in later.rules {
            self.rules.entry(rule).or_default().merge(counts);
        }
        for (rule, counts) in later.conduct {
            let own = self.conduct.entry(rule).or_default();
            own.tempted += counts.tempted;
            own.broken += counts.broken;
        }
        for (class, counts) in later.classes {
            self.classes.entry(class).or_default().merge(counts);
        }
        for (world, counts) in later.cores {
            let own = self.cores.entry(world).or_default();
            own.seen.merge(counts.seen);
            for (rule, counts) in counts.rules {
                own.rules.entry(rule).or_default().merge(counts);
            }
            for (rule, mut tokens) in counts.distinct {
                own.distinct.entry(rule).or_default().append(&mut tokens);
            }
        }
        self.acts.extend(later.acts);
        self.alone.extend(later.alone);
        for (world, cells) in later.matrix {
            let own = self.matrix.entry(world).or_default();
            for (at, cell) in cells {
                let own = own.entry(at).or_default();
                own.presented += cell.presented;
                own.accepted += cell.accepted;
                own.wrong += cell.wrong;
            }
        }
        self.baseline_accepted += later.baseline_accepted;
        self.baseline_failures.extend(later.baseline_failures);
        self.sites_skipped.extend(later.sites_skipped);
        self.closed_badly.extend(later.closed_badly);
        self.presented += later.presented;
        self.open = (self.open.0 + later.open.0, self.open.1 + later.open.1);
        self.unidentified += later.unidentified;
        self.wrong += later.wrong;
        self.faults += later.faults;
        self.mishaps(later.mishaps);
    }

    fn core(&mut self, case: &Case) -> &mut CoreTally {
        self.cores.entry(case.site.0.clone()).or_default()
    }

    fn count_conduct(&mut self, case: &Case) {
        let broken = match &case.seen {
            Seen::Wrong { kind, .. } => kind.conduct(),
            _ => None,
        };
        for &rule in &case.tempts {
            self.conduct.entry(rule).or_default().tempted += 1;
        }
        if let Some(rule) = broken {
            self.conduct.entry(rule).or_default().broken += 1;
        }
    }

    /// Rules that were tried: some token broke one alone, or gave occasion to break one.
    #[must_use]
    pub fn rules_tried(&self) -> BTreeSet<Rule> {
        self.rules.keys().chain(self.conduct.keys()).copied().collect()
    }

    fn count_matrix(&mut self, case: &Case) {
        let world = self.matrix.entry(case.site.0.clone()).or_default();
        let cell = world.entry((case.signer.clone(), case.claimed.clone())).or_default();
        cell.presented += 1;
        match &case.seen {
            Seen::Accepted { .. } | Seen::Open { accepted: true } | Seen::Wrong { kind: Kind::WrongIdentity, .. } => {
                cell.accepted += 1;
            }
            Seen::Wrong { kind: Kind::FalseAccept, .. } => {
                cell.accepted += 1;
                cell.wrong += 1;
            }
            _ => {}
        }
    }

    /// Rules that some token broke alone and for which there is no evidence: none was rejected with an accepted twin. Rules
    /// that have a finding are not among them.
    #[must_use]
    pub fn rules_without_evidence(&self) -> Vec<Rule> {
        let bare = |tally: &RuleTally| tally.alone > 0 && tally.confirmed == 0 && tally.accepted == 0;
        self.rules.iter().filter(|(_, tally)| bare(tally)).map(|(rule, _)| *rule).collect()
    }

    /// Classes whose every rejection has a refused twin: what the class tries has not been tried.
    #[must_use]
    pub fn classes_without_evidence(&self) -> Vec<(&str, &ClassTally)> {
        let bare = |tally: &ClassTally| tally.inconclusive > 0 && tally.confirmed == 0 && tally.wrong == 0;
        self.classes.iter().filter(|(_, tally)| bare(tally)).map(|(id, tally)| (id.as_str(), tally)).collect()
    }

    /// Classes whose every token was rejected without a twin: what the class tries is not told from anything else.
    #[must_use]
    pub fn classes_without_twins(&self) -> Vec<(&str, &ClassTally)> {
        let bare = |tally: &ClassTally| tally.no_twin > 0 && tally.no_twin == tally.presented;
        self.classes.iter().filter(|(_, tally)| bare(tally)).map(|(id, tally)| (id.as_str(), tally)).collect()
    }

    /// Whether every honest token of the start was accepted, and there was one.
    #[must_use]
    pub fn baseline_held(&self) -> bool {
        self.baseline_accepted > 0 && self.baseline_failures.is_empty()
    }
}

fn class_of(phase: &Phase) -> String {
    match phase {
        Phase::Baseline => "baseline".to_owned(),
        Phase::Replay(_) => "replay".to_owned(),
        Phase::Catalogue(id) => (*id).to_owned(),
        Phase::Exhaustive => "exhaustive".to_owned(),
        Phase::Random => "random".to_owned(),
        Phase::Guided => "guided".to_owned(),
    }
}

fn describe_honest(plan: &Plan, index: usize, description: &Description) -> String {
    let item = plan.stream.nth(index);
    let Some(present) = item.scenario.as_single() else { return format!("for {}", description.name) };
    let honest = &present.honest;
    let part = |name: &str, value: &Option<String>| value.as_ref().map_or(String::new(), |v| format!(", {name} {v}"));
    format!(
        "issuer {}{}{}{}",
        honest.issuer,
        part("tenant", &honest.tenant),
        part("key", &honest.key),
        part("alg", &honest.alg)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_who_says_something_else_each_time_fills_no_report() {
        let mut whole = ClassTally::default();
        for part in 0..10 {
            let mut later = ClassTally::default();
            (0..100).for_each(|number| later.skip(&format!("{part} {number}"), 1));
            later.skip("known", 5);
            whole.merge(later);
        }
        assert_eq!(whole.skipped.len(), MAX_SKIPS + 1);
        assert_eq!(whole.skipped.values().sum::<u64>(), 1_050);
        assert_eq!(whole.skipped["0 11"], 1);
    }
}
