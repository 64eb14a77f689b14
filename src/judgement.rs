//! From outcomes to an exit code: what counts, what is excused, and what has not been shown at all.

use crate::campaign::{ClassTally, Outcome, Tally};
use crate::config::Config;
use crate::finding::{Finding, Kind};
use crate::generate::{self, Class};
use crate::jose::NumericDate;
use crate::rule::{Rule, Severity};
use crate::waiver::{Shown, Wrong};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How the command ends. Several at once: the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// Our own bug.
    Bug,
    /// Usage or configuration.
    Usage,
    /// Interrupted; what was done is kept.
    Interrupted,
    /// Findings.
    Findings,
    /// Only faults.
    Faults,
    /// Inconclusive: the baseline failed, the sensitivity control was not found, or a rule has no evidence.
    Inconclusive,
    /// A waiver excuses nothing any more.
    StaleWaiver,
    /// The baseline held, nothing was found, and every rule has evidence.
    Clean,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Inconclusive => 3,
            Exit::Faults => 4,
            Exit::StaleWaiver => 5,
            Exit::Bug => 70,
            Exit::Interrupted => 130,
        }
    }

    /// The one that counts of several.
    #[must_use]
    pub fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
        exits.into_iter().min().unwrap_or(Exit::Clean)
    }
}

/// What is to be made of one validator's outcome.
#[derive(Debug)]
pub struct Judgement {
    /// Every way in which it does not end clean.
    pub exits: BTreeSet<Exit>,
    /// Index into the findings, and the waiver that excuses it.
    pub waived: Vec<(usize, usize)>,
    /// Why it is inconclusive, in sentences.
    pub inconclusive: Vec<String>,
    /// Rules that no token broke alone because all that would have were skipped, with the reasons.
    pub not_tried: BTreeMap<Rule, BTreeSet<String>>,
    /// Indices of waivers that excused something.
    pub used_waivers: BTreeSet<usize>,
}

/// Judges one validator's outcome.
#[must_use]
pub fn judge(outcome: &Outcome, config: &Config, fail_on: Severity, now: NumericDate) -> Judgement {
    let name = &outcome.description.name;
    let mut judgement = Judgement {
        exits: BTreeSet::new(),
        waived: Vec::new(),
        inconclusive: Vec::new(),
        not_tried: not_tried(outcome),
        used_waivers: BTreeSet::new(),
    };
    let waivers = || config.waivers.iter().enumerate();
    for (index, finding) in outcome.findings.iter().enumerate() {
        let Finding { validator, rules, classes, origin, .. } = finding;
        let wrong = Wrong { validator, rules, classes, origin };
        let excuses: Vec<usize> = waivers().filter(|(_, w)| w.excuses(&wrong, now)).map(|(index, _)| index).collect();
        if let Some(&waiver) = excuses.first() {
            judgement.waived.push((index, waiver));
            judgement.used_waivers.extend(excuses);
        } else if finding.kind == Kind::Fault {
            judgement.exits.insert(Exit::Faults);
        } else if finding.severity >= fail_on {
            judgement.exits.insert(Exit::Findings);
        }
    }
    if outcome.interrupted {
        judgement.exits.insert(Exit::Interrupted);
    }
    if outcome.broken_off {
        judgement.exits.insert(Exit::Faults);
        let why = outcome.gone.as_deref().unwrap_or("too many calls hung");
        judgement.inconclusive.push(format!("the run was broken off: {why}"));
    }
    let tally = &outcome.tally;
    if !tally.mishaps.is_empty() {
        judgement.exits.insert(Exit::Faults);
    }
    if !outcome.interrupted {
        judgement.inconclusive.extend(match tally.baseline_accepted {
            0 if tally.baseline_failures.is_empty() => Some("no honest token was judged: nothing was shown".to_owned()),
            _ => refused_at_the_start(tally),
        });
    }
    for (site, why) in &tally.closed_badly {
        judgement.inconclusive.push(closed_badly(site, why));
    }
    if !outcome.interrupted && !outcome.broken_off && tally.baseline_held() && shows_nothing(outcome) {
        let of_classes = tally.classes.iter().filter(|(name, _)| generate::class(name).is_some());
        let reasons = of_classes.flat_map(|(_, counts)| counts.skipped.keys().map(String::as_str));
        let reasons: BTreeSet<&str> = reasons.collect();
        let reasons =
            if reasons.is_empty() { vec!["no chosen world has room for it"] } else { Vec::from_iter(reasons) };
        judgement.inconclusive.push(format!("nothing of what was chosen was presented: {}", reasons.join("; ")));
    }
    for rule in tally.rules_without_evidence() {
        if rule.severity() < fail_on {
            continue;
        }
        if let Some((index, _)) = waivers().find(|(_, waiver)| waiver.excuses_rule(name, rule, now)) {
            judgement.used_waivers.insert(index);
            continue;
        }
        // Where classes were left out, others of them may be those whose tokens break it alone.
        let aiming: Vec<&str> =
            presented(tally).filter(|class| class.aims == Some(rule)).map(|class| class.id).collect();
        let shows = |class: &&str| tally.classes[*class].confirmed > 0;
        if !outcome.is_whole() && (aiming.is_empty() || aiming.iter().any(shows)) {
            continue;
        }
        let of_class = |class: &&str| waivers().find(|(_, waiver)| waiver.excuses_class(name, class, now));
        let excused: Option<Vec<usize>> = aiming.iter().map(|class| of_class(class).map(|(index, _)| index)).collect();
        match excused.filter(|_| !outcome.is_whole()) {
            Some(indices) => judgement.used_waivers.extend(indices),
            None => {
                let counts = tally.rules[&rule];
                judgement.inconclusive.push(format!(
                    "{rule} has no evidence: {} tokens broke it alone; {} rejected with a refused twin, {} with none",
                    counts.alone, counts.inconclusive, counts.no_twin
                ));
            }
        }
    }
    // Some classes have no twins, and others show what there is to show; unless all that were chosen are of that sort.
    let shown = outcome.is_whole() || presented(tally).any(|class| tally.classes[class.id].confirmed > 0);
    let without_twins = if shown { Vec::new() } else { tally.classes_without_twins() };
    for (class, counts) in tally.classes_without_evidence().into_iter().chain(without_twins) {
        if class_severity(class).is_none_or(|severity| severity < fail_on) {
            continue;
        }
        match waivers().find(|(_, waiver)| waiver.excuses_class(name, class, now)) {
            Some((index, _)) => {
                judgement.used_waivers.insert(index);
            }
            None => judgement.inconclusive.push(class_without_evidence(class, counts)),
        }
    }
    if !judgement.inconclusive.is_empty() && !outcome.broken_off {
        judgement.exits.insert(Exit::Inconclusive);
    }
    judgement
}

/// The classes of which tokens were presented.
fn presented(tally: &Tally) -> impl Iterator<Item = &'static Class> {
    let presented = |class: &&Class| tally.classes.get(class.id).is_some_and(|counts| counts.presented > 0);
    generate::classes().iter().filter(presented)
}

/// Whether nothing but honest tokens was presented, and controls where classes were chosen.
fn shows_nothing(outcome: &Outcome) -> bool {
    let Outcome { tally, chosen, .. } = outcome;
    let empty = |name: &str| name == "baseline" || name == "replay" && *chosen > 0;
    tally.classes.iter().all(|(name, counts)| empty(name) || counts.presented == 0)
}

/// Rules that some class aims at here, of which every token was skipped.
fn not_tried(outcome: &Outcome) -> BTreeMap<Rule, BTreeSet<String>> {
    let tally = &outcome.tally;
    let mut rules: BTreeMap<Rule, BTreeSet<String>> = BTreeMap::new();
    let tried = tally.rules_tried();
    for class in generate::classes() {
        let (Some(rule), Some(counts)) = (class.aims, tally.classes.get(class.id)) else { continue };
        if !tried.contains(&rule) && !counts.skipped.is_empty() {
            rules.entry(rule).or_default().extend(counts.skipped.keys().cloned());
        }
    }
    rules
}

fn class_severity(class: &str) -> Option<Severity> {
    let class = generate::classes().iter().find(|known| known.id == class)?;
    class.aims.map(Rule::severity)
}

/// What to say where honest tokens were refused at the start.
pub(crate) fn refused_at_the_start(tally: &Tally) -> Option<String> {
    let first = tally.baseline_failures.first()?;
    Some(format!(
        "{} of {} honest tokens were refused at the start; the first, for {} ({}): {}",
        tally.baseline_failures.len(),
        tally.baseline_failures.len() as u64 + tally.baseline_accepted,
        first.site,
        first.token,
        first.answer
    ))
}

/// What to say where an honest token was refused later.
pub(crate) fn closed_badly(site: &str, why: &str) -> String {
    format!("an honest token between the others was refused at {site}: {why}")
}

/// What to say of a class whose every twin was refused, or that has none.
pub(crate) fn class_without_evidence(class: &str, counts: &ClassTally) -> String {
    match counts.refused_twins.first() {
        Some(why) => format!(
            "{class} shows nothing: all {} tokens were rejected, and so were their lawful twins ({why})",
            counts.inconclusive
        ),
        None => {
            format!("{class} shows nothing: all {} tokens were rejected, and none has a lawful twin", counts.no_twin)
        }
    }
}

/// Indices of waivers that excuse nothing any more, though the run presented something of the sort that they cover.
#[must_use]
pub fn stale(config: &Config, outcomes: &[(&Outcome, &Judgement)]) -> Vec<usize> {
    if outcomes.iter().any(|(outcome, _)| outcome.interrupted || outcome.broken_off) {
        return Vec::new();
    }
    let unused = config.waivers.iter().enumerate().filter(|(index, waiver)| {
        let used = outcomes.iter().any(|(_, judgement)| judgement.used_waivers.contains(index));
        let covered = outcomes.iter().any(|(outcome, _)| {
            let Tally { alone, classes, acts, .. } = &outcome.tally;
            let presented = classes.iter().filter(|(_, tally)| tally.presented > 0);
            let shown = Shown {
                rules: outcome.tally.rules_tried(),
                alone,
                classes: presented.map(|(id, _)| id.as_str()).collect(),
                acts,
                whole: outcome.is_whole(),
            };
            waiver.covers(&outcome.description.name, &shown)
        });
        !used && covered
    });
    unused.map(|(index, _)| index).collect()
}

/// Whether findings show that a validator takes one issuer's key for another's token: what the sensitivity control must show.
#[must_use]
pub fn shows_cross_issuer(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| {
        finding.kind == Kind::FalseAccept && finding.rules.contains(&Rule::KeyBelongsToIssuer) && finding.reproduced
    })
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn of_several_exits_the_first_in_the_contracts_order_counts() {
        let order = [
            Exit::Bug,
            Exit::Usage,
            Exit::Interrupted,
            Exit::Findings,
            Exit::Faults,
            Exit::Inconclusive,
            Exit::StaleWaiver,
            Exit::Clean,
        ];
        assert_eq!(order.map(Exit::code), [70, 2, 130, 1, 4, 3, 5, 0]);
        for (index, &first) in order.iter().enumerate() {
            for &second in &order[index..] {
                assert_eq!(Exit::worst([first, second]), first);
                assert_eq!(Exit::worst([second, first]), first);
            }
        }
    }
}
