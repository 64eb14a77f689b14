//! From wrong answers to findings: replay alone, blame as little as possible, shrink, and tell findings apart.

use super::case::{Case, Seen, SiteId, TwinNote};
use super::examine::Examiner;
use super::pool::{AfterHang, Pulse};
use super::{Entry, Phase, Plan, lock, pool};
use crate::error::Error;
use crate::finding::{self, Finding, Kind, Relation, Twin, TwinKind};
use crate::jose::NumericDate;
use crate::rule::Rule;
use crate::scenario::{Scenario, Step};
use crate::shrink::shrink;
use crate::validator::{Description, Fault, Maker};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Wrong answers that look alike before shrinking.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    kind: Kind,
    rules: BTreeSet<Rule>,
    relation: Relation,
    acts: Vec<&'static str>,
}

struct Group {
    likeness: Likeness,
    first: Entry,
    classes: BTreeSet<String>,
    count: u64,
}

/// A wrong answer, replayed and shrunk.
#[derive(Clone)]
struct Shrunk {
    scenario: Arc<Scenario>,
    case: Case,
    reproduced: bool,
}

/// The findings of one round of a campaign after the other.
#[derive(Default)]
pub(super) struct Conclusions {
    findings: BTreeMap<String, Finding>,
    /// Origins by what the wrong answers looked like before shrinking: what is known need not be shrunk again.
    known: BTreeMap<Likeness, String>,
}

impl Conclusions {
    /// Replays and shrinks what is new among a round's wrong answers, and counts the rest. Returns the origins of new findings.
    pub(super) fn take_in(
        &mut self,
        plan: &Plan,
        maker: &Maker,
        description: &Description,
        groups: Groups,
        stop: &AtomicBool,
        tick: &mut dyn FnMut(),
    ) -> Vec<String> {
        let groups: Arc<Vec<Group>> = Arc::new(self.unknown(groups));
        let results: Arc<Vec<Mutex<Option<Shrunk>>>> = Arc::new(groups.iter().map(|_| Mutex::default()).collect());
        let work = {
            let (groups, results, plan, maker) =
                (Arc::clone(&groups), Arc::clone(&results), plan.clone(), Arc::clone(maker));
            let description = description.clone();
            let work = move |task: usize, pulse: &Pulse| {
                let shrunk = shrink_group(&plan, &maker, &description, &groups[task], pulse);
                let mut result = lock(&results[task]);
                if !pulse.is_abandoned() {
                    *result = Some(shrunk);
                }
            };
            Arc::new(work) as pool::Work
        };
        // What hangs while it is shrunk is kept as it was found.
        let mut hung = |_: usize| AfterHang::Drop;
        pool::run(groups.len(), plan.jobs, plan.timeout, stop, &work, &mut hung, tick);
        let mut new = Vec::new();
        for (group, result) in groups.iter().zip(results.iter()) {
            let shrunk = lock(result).take().unwrap_or_else(|| Shrunk {
                scenario: plan.stream.nth(group.first.index).scenario,
                case: group.first.case.clone(),
                reproduced: false,
            });
            let finding = describe(plan, description, group, &shrunk);
            self.known.insert(group.likeness.clone(), finding.origin.clone());
            match self.findings.get_mut(&finding.origin) {
                Some(known) => {
                    let mut other = finding;
                    // One that recurs is worth more than one that came earlier.
                    if other.reproduced && !known.reproduced {
                        std::mem::swap(known, &mut other);
                    }
                    known.count += other.count;
                    known.classes.extend(other.classes);
                }
                None => {
                    new.push(finding.origin.clone());
                    self.findings.insert(finding.origin.clone(), finding);
                }
            }
        }
        new
    }

    /// Counts those that are like what earlier rounds found; what is left is worth a finding.
    fn unknown(&mut self, groups: Groups) -> Vec<Group> {
        let mut left = Groups::default();
        for (likeness, group) in groups.0 {
            match known_as(&self.known, &likeness).and_then(|origin| self.findings.get_mut(origin)) {
                Some(finding) => {
                    finding.count += group.count;
                    finding.classes.extend(group.classes);
                }
                None => left.put(group),
            }
        }
        left.worth_a_finding(&self.known)
    }

    /// The finding of an origin.
    pub(super) fn finding(&self, origin: &str) -> Option<&Finding> {
        self.findings.get(origin)
    }

    /// The findings, worst first, and how many beyond the bound were left out.
    pub(super) fn into_findings(self, most: usize) -> (Vec<Finding>, usize) {
        let mut findings: Vec<Finding> = self.findings.into_values().collect();
        findings
            .sort_by(|a, b| (b.severity, a.kind, &a.rules, &a.origin).cmp(&(a.severity, b.kind, &b.rules, &b.origin)));
        let beyond = findings.len().saturating_sub(most);
        findings.truncate(most);
        (findings, beyond)
    }
}

/// What wrong answers of this likeness were found to be: as they are, or where there are too many ways already, as the first.
fn known_as<'k, T>(known: &'k BTreeMap<Likeness, T>, likeness: &Likeness) -> Option<&'k T> {
    let alike =
        |one: &&Likeness| (one.kind, &one.rules, one.relation) == (likeness.kind, &likeness.rules, likeness.relation);
    known.get(likeness).or_else(|| {
        let mut ways = known.keys().filter(alike);
        let first = ways.next()?;
        (ways.count() + 1 >= MAX_WAYS).then(|| &known[first])
    })
}

/// Most ways to act that are told apart among wrong answers of one kind, by the same rules and relation.
const MAX_WAYS: usize = 64;

/// Wrong answers by likeness; the first in the stream stands for all.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<Likeness, Group>);

impl Groups {
    pub(super) fn add(&mut self, plan: &Plan, entry: Entry, kind: Kind, rules: BTreeSet<Rule>) {
        let item = plan.stream.nth(entry.index);
        let acts = item.scenario.kinds().collect();
        let likeness = Likeness { kind, rules, relation: entry.case.relation, acts };
        let classes = match item.phase {
            Phase::Catalogue(id) => BTreeSet::from([id.to_owned()]),
            _ => BTreeSet::new(),
        };
        self.put(Group { likeness, first: entry, classes, count: 1 });
    }

    /// Takes in what later chunks found.
    pub(super) fn merge(&mut self, later: Groups) {
        for group in later.0.into_values() {
            self.put(group);
        }
    }

    fn put(&mut self, group: Group) {
        let alike = |known: &&Likeness| {
            let Likeness { kind, rules, relation, .. } = known;
            (*kind, rules, *relation) == (group.likeness.kind, &group.likeness.rules, group.likeness.relation)
        };
        let full = !self.0.contains_key(&group.likeness) && self.0.keys().filter(alike).count() >= MAX_WAYS;
        let key = match self.0.keys().find(alike) {
            Some(first) if full => first.clone(),
            _ => group.likeness.clone(),
        };
        match self.0.get_mut(&key) {
            Some(known) => {
                known.count += group.count;
                known.classes.extend(group.classes);
            }
            None => {
                self.0.insert(key, group);
            }
        }
    }

    /// In the order of the stream, without what smaller sets of rules explain, here or in what is known: where a token that
    /// breaks A and one that breaks B are both accepted, one that breaks both says nothing new.
    fn worth_a_finding(self, known: &BTreeMap<Likeness, String>) -> Vec<Group> {
        let accepts = self.0.keys().chain(known.keys()).filter(|likeness| likeness.kind == Kind::FalseAccept);
        let sets: BTreeSet<BTreeSet<Rule>> = accepts.map(|likeness| likeness.rules.clone()).collect();
        let explained = |likeness: &Likeness| {
            let smaller = sets.iter().filter(|set| set.len() < likeness.rules.len() && set.is_subset(&likeness.rules));
            let union: BTreeSet<Rule> = smaller.flatten().copied().collect();
            likeness.kind == Kind::FalseAccept && likeness.rules.len() > 1 && union == likeness.rules
        };
        let mut groups: Vec<Group> = self.0.into_values().filter(|group| !explained(&group.likeness)).collect();
        // Of findings with one origin the first in the stream stands for all.
        groups.sort_by_key(|group| group.first.index);
        groups
    }
}

fn shrink_group(plan: &Plan, maker: &Maker, description: &Description, group: &Group, pulse: &Pulse) -> Shrunk {
    let original = plan.stream.nth(group.first.index).scenario;
    let kept = |scenario: Arc<Scenario>, case: &Case, reproduced| Shrunk { scenario, case: case.clone(), reproduced };
    // A hang is not asked for again and again.
    if matches!(&group.first.case.seen, Seen::Fault(fault) if matches!(fault.bare(), Fault::Hang(_))) {
        return kept(original, &group.first.case, true);
    }
    let mut judge = Judge::new(plan, maker, description, pulse, &group.likeness, group.first.case.order);
    let number = plan.stream.number_of(group.first.index);
    let found = judge.sees(&original, number).map(|case| (original.as_ref().clone(), case)).or_else(|| {
        let whole = with_history(&mut judge, &group.first, &original)?;
        let case = judge.sees(&whole, number)?;
        Some((whole, case))
    });
    let Some((scenario, case)) = found else {
        return kept(original, &group.first.case, false);
    };
    let mut last = case;
    let smallest = shrink(scenario, |candidate| match judge.sees(candidate, number) {
        Some(case) if !pulse.is_abandoned() => {
            last = case;
            true
        }
        _ => false,
    });
    let twin = judge.with_twin(&smallest, number);
    Shrunk { scenario: Arc::new(smallest), case: twin.unwrap_or(last), reproduced: true }
}

/// The tokens shown before it to the same instance, as steps of one sequence: the honest ones with which its chunk opened the
/// door, and those of the chunk.
fn with_history(judge: &mut Judge<'_>, entry: &Entry, original: &Scenario) -> Option<Scenario> {
    let plan = judge.plan;
    let (lead, last) = original.as_led()?;
    let first = entry.index - entry.index % super::CHUNK;
    // Where something has changed before the token only the exhaustive core opens with honest ones.
    let opened = lead.is_empty() || plan.stream.phase_of(entry.index) == Phase::Exhaustive;
    let opening = if opened { judge.opening(&entry.case.site, lead) } else { Vec::new() };
    let mut steps = Vec::new();
    for index in first..entry.index {
        let item = plan.stream.nth(index);
        if let Some((before, present)) = item.scenario.as_led()
            && item.scenario.world == original.world
            && item.scenario.key_source == original.key_source
            && present.to == last.to
            && before == lead
        {
            steps.push(Step::Present(present.clone()));
        }
    }
    let around = lead.len() + opening.len() + 1;
    let surplus = steps.len().saturating_sub(crate::scenario::MAX_STEPS.saturating_sub(around));
    steps.drain(..surplus);
    steps.splice(0..0, lead.iter().cloned().chain(opening));
    steps.push(Step::Present(last.clone()));
    Some(Scenario { steps, ..original.clone() })
}

/// Says whether a scenario still shows the same wrong answer, each time on fresh instances.
struct Judge<'p> {
    plan: &'p Plan,
    maker: &'p Maker,
    pulse: &'p Pulse,
    likeness: &'p Likeness,
    /// The order of the policy under which it was seen.
    order: u64,
    examiner: Examiner,
}

impl<'p> Judge<'p> {
    fn new(
        plan: &'p Plan,
        maker: &'p Maker,
        description: &Description,
        pulse: &'p Pulse,
        likeness: &'p Likeness,
        order: u64,
    ) -> Self {
        let examiner = Examiner::new(Arc::clone(maker), description.clone(), &plan.worlds, plan.now, pulse.clone())
            .without_twins();
        Judge { plan, maker, pulse, likeness, order, examiner }
    }

    fn sees(&mut self, scenario: &Scenario, number: u64) -> Option<Case> {
        self.examiner.begin_at(self.order);
        let cases = self.examiner.examine(scenario, number).ok()?;
        cases.into_iter().rev().find(|case| same(self.likeness, case))
    }

    /// The honest tokens with which a chunk opens a site after this: up to the first that must be accepted there.
    fn opening(&mut self, site: &SiteId, lead: &[Step]) -> Vec<Step> {
        let mut opening = Vec::new();
        for honest in self.plan.stream.honest_at(site) {
            let steps = lead.iter().chain(&honest.steps).cloned().collect();
            self.examiner.forget();
            let Ok(cases) = self.examiner.examine(&Scenario { steps, ..honest.clone() }, 0) else { break };
            opening.extend(honest.steps.iter().cloned());
            if cases.iter().all(|case| !case.expectation.rejectable()) {
                break;
            }
        }
        opening
    }

    fn with_twin(&self, scenario: &Scenario, number: u64) -> Option<Case> {
        let mut examiner = Examiner::new(
            Arc::clone(self.maker),
            self.examiner.description().clone(),
            &self.plan.worlds,
            self.plan.now,
            self.pulse.clone(),
        );
        examiner.begin_at(self.order);
        let cases = examiner.examine(scenario, number).ok()?;
        cases.into_iter().rev().find(|case| same(self.likeness, case))
    }
}

fn same(likeness: &Likeness, case: &Case) -> bool {
    case.wrong().is_some_and(|(kind, rules)| kind == likeness.kind && rules == likeness.rules)
        && case.relation == likeness.relation
}

fn describe(plan: &Plan, description: &Description, group: &Group, shrunk: &Shrunk) -> Finding {
    let Likeness { kind, rules, relation, .. } = &group.likeness;
    let case = &shrunk.case;
    let origin = finding::origin(&description.name, *kind, rules, &shrunk.scenario, *relation);
    let world = plan.worlds.iter().find(|world| world.name == shrunk.scenario.world);
    let (answer, log, twin) = match &case.seen {
        Seen::Wrong { answer, twin, .. } => (answer.clone(), Vec::new(), twin.clone()),
        Seen::Fault(fault) => {
            let answer = finding::tame(&fault.bare().to_string(), super::examine::MAX_ANSWER);
            (answer, fault.log().map(str::to_owned).collect(), None)
        }
        _ => (String::new(), Vec::new(), None),
    };
    let world_flag = match world.map(|world| world.seed) {
        Some(seed) if seed != crate::world::DEFAULT_SEED => format!(" --world-seed {seed}"),
        _ => String::new(),
    };
    Finding {
        finding: finding::VERSION,
        validator: description.name.clone(),
        validator_version: description.version.clone(),
        kind: *kind,
        rules: rules.clone(),
        severity: finding::severity(*kind, case.expectation.severity()),
        scenario: shrunk.scenario.as_ref().clone(),
        step: case.step,
        answer,
        log,
        lawful: lawful_words(case),
        relation: *relation,
        twin: twin.map(describe_twin),
        token: finding::tame(&String::from_utf8_lossy(case.token.as_bytes()), 16_384),
        reproduced: shrunk.reproduced,
        classes: group.classes.clone(),
        count: group.count,
        world_digest: world.map(|world| world.digest.clone()).unwrap_or_default(),
        world_seed: world.map_or(crate::world::DEFAULT_SEED, |world| world.seed),
        seed: plan.stream.seed(),
        now: case.at,
        wrongkey: env!("CARGO_PKG_VERSION").to_owned(),
        reproduce: format!("wrongkey reproduce {} {}{world_flag}", finding::file_name(&origin), description.name),
        origin,
    }
}

fn describe_twin(twin: TwinNote) -> Twin {
    let note = match twin.kind {
        TwinKind::Policy => "the same token under the nearest policy that permits it",
        TwinKind::Token => "the nearest honest token under the same policy",
    };
    Twin { kind: twin.kind, note: note.to_owned(), scenario: twin.scenario }
}

/// What would have been lawful, in words.
pub(crate) fn lawful_words(case: &Case) -> String {
    let expectation = &case.expectation;
    match (expectation.acceptable(), expectation.rejectable()) {
        (None, _) => {
            let rules: Vec<_> = expectation.broken().iter().map(|rule| rule.name()).collect();
            format!("reject ({})", rules.join(", "))
        }
        (Some(signed), rejectable) => {
            let accept = format!(
                "accept, as iss {} sub {}",
                signed.iss.as_deref().unwrap_or("none"),
                signed.sub.as_deref().unwrap_or("none")
            );
            if rejectable { format!("{accept}, or reject") } else { accept }
        }
    }
}

/// What a replayed scenario came to.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The validator.
    pub description: Description,
    /// One case for each presented token, twins of rejections included.
    pub cases: Vec<Case>,
}

/// Orders of the policy in which a scenario is replayed before it counts as right: a validator that takes the first key for the
/// right one may be wrong in one order alone.
const ORDERS: u64 = 8;

/// Plays one scenario against a fresh validator, watched; again in other orders of the policy until something is wrong.
///
/// # Errors
/// Where the scenario cannot be played in these worlds, or nothing came back in time.
pub fn replay(
    worlds: &[Arc<World>],
    maker: &Maker,
    scenario: &Scenario,
    now: NumericDate,
    timeout: Duration,
) -> Result<Replayed, Error> {
    type Answer = Result<Vec<Case>, Error>;
    let result: Arc<Mutex<Option<Answer>>> = Arc::default();
    let in_hand = super::InHand::default();
    let description = super::describe(maker, timeout)?;
    let work = {
        let (result, in_hand, worlds, maker) =
            (Arc::clone(&result), Arc::clone(&in_hand), worlds.to_vec(), Arc::clone(maker));
        let (scenario, description) = (scenario.clone(), description.clone());
        let work = move |_: usize, pulse: &Pulse| {
            let examiner = Examiner::new(Arc::clone(&maker), description.clone(), &worlds, now, pulse.clone());
            let mut examiner = examiner.naming(Arc::clone(&in_hand));
            let mut answer = examiner.examine(&scenario, 0);
            for order in 1..ORDERS {
                let right = |cases: &Vec<Case>| cases.iter().all(|case| case.wrong().is_none());
                if pulse.is_abandoned() || !answer.as_ref().is_ok_and(right) {
                    break;
                }
                examiner.begin_at(order);
                let again = examiner.examine(&scenario, 0);
                if !again.as_ref().is_ok_and(right) {
                    answer = again;
                }
            }
            if !pulse.is_abandoned() {
                *lock(&result) = Some(answer);
            }
        };
        Arc::new(work) as pool::Work
    };
    pool::run(1, 1, timeout, &AtomicBool::new(false), &work, &mut |_| AfterHang::Drop, &mut || {});
    let answered = lock(&result).take();
    let cases = match answered {
        Some(answer) => answer?,
        None => {
            let case = lock(&in_hand)
                .take()
                .ok_or_else(|| Error::Usage(format!("{} hung before it was shown a token", description.name)))?;
            let mut case = Arc::unwrap_or_clone(case);
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            case.seen = Seen::Fault(Fault::Hang(millis));
            vec![case]
        }
    };
    Ok(Replayed { description, cases })
}

/// The smallest scenario with the same wrong answer as this one, and what that is; `None` where this one shows none.
///
/// # Errors
/// Where the scenario cannot be played in these worlds.
pub fn shrink_finding(
    worlds: &[Arc<World>],
    maker: &Maker,
    scenario: &Scenario,
    now: NumericDate,
    timeout: Duration,
) -> Result<Option<(Scenario, Case)>, Error> {
    let replayed = replay(worlds, maker, scenario, now, timeout)?;
    let Some((case, (kind, rules))) =
        replayed.cases.into_iter().rev().find_map(|case| case.wrong().map(|wrong| (case, wrong)))
    else {
        return Ok(None);
    };
    if matches!(&case.seen, Seen::Fault(fault) if matches!(fault.bare(), Fault::Hang(_))) {
        return Ok(Some((scenario.clone(), case)));
    }
    let likeness = Likeness { kind, rules, relation: case.relation, acts: Vec::new() };
    let mut last = case;
    let smallest = shrink(scenario.clone(), |candidate| {
        let seen = replay(worlds, maker, candidate, now, timeout).ok();
        let found = seen.and_then(|seen| seen.cases.into_iter().rev().find(|case| same(&likeness, case)));
        if let Some(case) = found {
            last = case;
            return true;
        }
        false
    });
    Ok(Some((smallest, last)))
}
