//! The body of the target `scenario`: the input is a scenario file; tokens are signed again with real keys each time, so that
//! the search lives beyond the signature check.

use super::{NOW, Played, makers, worlds};
use crate::campaign::{Case, Examiner, Seen};
use crate::config;
use crate::error::Error;
use crate::finding::{Kind, origin, tame};
use crate::generate::{self, Atlas};
use crate::rule::Rule;
use crate::scenario::Scenario;
use crate::validator::recipe::recipes;
use crate::validator::{Maker, reference};
use crate::waiver::{Waiver, Wrong};
use crate::world::Calendar;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Judges scenarios by the oracle, and panics at the first wrong answer that no waiver excuses.
pub struct ScenarioTarget {
    examiners: Vec<Examiner>,
    excuses: Excuses,
    atlas: Atlas,
}

/// Which wrong answers are no reason to panic.
struct Excuses {
    waivers: Vec<Waiver>,
    /// All that do not break this rule alone.
    other_than: Option<Rule>,
}

impl ScenarioTarget {
    /// A target for these validators in the shipped worlds.
    #[must_use]
    pub fn new(makers: &[Maker], waivers: Vec<Waiver>) -> Self {
        let worlds = worlds();
        let calendar = Calendar::Timeless(NOW);
        let examiner = |maker: &Maker| Examiner::unwatched(Arc::clone(maker), &worlds, calendar);
        let atlas = Atlas::of(&worlds).with_clock_standing_still();
        let excuses = Excuses { waivers, other_than: None };
        ScenarioTarget { examiners: makers.iter().map(examiner).collect(), excuses, atlas }
    }

    /// The same, passing over wrong answers that do not break this rule and no other: for measuring how soon one mistake is
    /// found.
    #[must_use]
    pub fn looking_for(mut self, rule: Rule) -> Self {
        self.excuses.other_than = Some(rule);
        self
    }

    /// A target for the reference and every recipe, with the waivers of a `wrongkey.toml`; or for the validators of a list
    /// of names with commas between them, for which nothing is waived: then it measures how long a search takes.
    ///
    /// # Errors
    /// Where the waivers cannot be read, or there is no validator of a name.
    pub fn named(names: Option<&str>, waivers: &str) -> Result<Self, Error> {
        let Some(names) = names else {
            let recipes = recipes().into_iter().map(|recipe| (recipe.maker)());
            let makers: Vec<Maker> = std::iter::once(reference::maker()).chain(recipes).collect();
            return Ok(ScenarioTarget::new(&makers, config::parse(waivers, config::FILE)?.waivers));
        };
        let makers: Vec<Maker> = makers(names)?.into_iter().map(|(_, maker)| maker).collect();
        Ok(ScenarioTarget::new(&makers, Vec::new()))
    }

    /// Judges one input. Returns whether it is a scenario that can be played: a fuzzer keeps no other.
    ///
    /// # Panics
    /// At a wrong answer: the message begins with the rule, and holds the readable scenario.
    pub fn run(&mut self, input: &[u8]) -> bool {
        match self.play(input) {
            Played::Unplayable(_) => false,
            Played::Lawful(_) => true,
            Played::Wrong(message) => panic!("{message}"),
        }
    }

    /// Judges one input and says what came of it.
    pub fn play(&mut self, input: &[u8]) -> Played {
        let scenario = match Scenario::from_json(input) {
            Ok(scenario) => scenario,
            Err(error) => return Played::Unplayable(error.to_string()),
        };
        let mut answers = Vec::new();
        for examiner in &mut self.examiners {
            let cases = match examiner.examine(&scenario, 0) {
                Ok(cases) => cases,
                Err(error) => return Played::Unplayable(error.to_string()),
            };
            if cases.iter().any(|case| blamed(examiner, &scenario, case, &self.excuses).is_some()) {
                // Once more on fresh instances: what only the inputs before it explain would not reproduce.
                examiner.forget();
                let cases = examiner.examine(&scenario, 0).unwrap_or_default();
                let wrong = cases.iter().find_map(|case| blamed(examiner, &scenario, case, &self.excuses));
                if let Some(message) = wrong {
                    return Played::Wrong(message);
                }
            }
            let words: Vec<_> = cases.iter().map(|case| answered(&case.seen)).collect();
            answers.push(format!("{} {}", examiner.description().name, words.join(", ")));
        }
        Played::Lawful(answers.join("; "))
    }

    /// The same as [`ScenarioTarget::mutate`], but that now and then the fuzzer changes the octets, by its dictionary and as it
    /// likes; that stands where a scenario comes of it. So texts are tried that nobody here has thought of.
    pub fn mutate_with(
        &self,
        data: &mut [u8],
        size: usize,
        max_size: usize,
        seed: u32,
        octets: &mut dyn FnMut(&mut [u8], usize, usize) -> usize,
    ) -> usize {
        let room = max_size.min(data.len());
        if seed.is_multiple_of(16) && size > 0 {
            let mut changed = data.to_vec();
            let filled = octets(&mut changed, size.min(room), room).min(room);
            if Scenario::from_json(&changed[..filled]).is_ok() {
                data[..filled].copy_from_slice(&changed[..filled]);
                return filled;
            }
        }
        self.mutate(data, size, max_size, seed)
    }

    /// Changes one thing in the scenario that is the first `size` octets of `data`, and returns the new size.
    pub fn mutate(&self, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
        let room = max_size.min(data.len());
        let mutated = generate::mutate(&data[..size.min(data.len())], room, seed, &self.atlas);
        let size = mutated.len().min(room);
        data[..size].copy_from_slice(&mutated[..size]);
        size
    }
}

/// An answer in a word; one that is wrong here is waived.
fn answered(seen: &Seen) -> &'static str {
    match seen {
        Seen::Accepted { .. } => "accepts",
        Seen::Rejected(_) => "rejects",
        Seen::Open { accepted: true } => "accepts (unspecified)",
        Seen::Open { accepted: false } => "rejects (unspecified)",
        Seen::Wrong { kind: Kind::FalseAccept | Kind::WrongIdentity, .. } => "accepts (waived)",
        Seen::Wrong { .. } => "rejects (waived)",
        Seen::Fault(_) => "gives no answer (waived)",
        Seen::Skipped(_) => "skips",
    }
}

/// What to say of a wrong answer that no waiver excuses.
fn blamed(examiner: &Examiner, scenario: &Scenario, case: &Case, excuses: &Excuses) -> Option<String> {
    let (kind, rules) = case.wrong()?;
    if excuses.other_than.is_some_and(|rule| rules != BTreeSet::from([rule])) {
        return None;
    }
    let description = examiner.description();
    let excused = |rules: &BTreeSet<Rule>| {
        let origin = origin(&description.name, kind, rules, scenario, case.relation);
        let wrong = Wrong { validator: &description.name, rules, classes: &BTreeSet::new(), origin: &origin };
        excuses.waivers.iter().any(|waiver| waiver.excuses(&wrong, NOW))
    };
    // What is waived for this validator stays waived beside others: tokens that break only the others are tried as well.
    if excused(&rules) || kind == Kind::FalseAccept && rules.iter().any(|rule| excused(&BTreeSet::from([*rule]))) {
        return None;
    }
    let names: Vec<_> = rules.iter().map(|rule| rule.name()).collect();
    // Services that group crashes do it by this line: it has nothing in it that differs between two of the same.
    let headline = match names.as_slice() {
        [] => format!("{}: {}", kind.name(), description.name),
        names => format!("{}: {} by {}", names.join("+"), kind.name(), description.name),
    };
    let answer = match &case.seen {
        Seen::Wrong { answer, .. } => answer.clone(),
        Seen::Fault(fault) => tame(&fault.to_string(), 300),
        _ => String::new(),
    };
    let token = tame(&String::from_utf8_lossy(case.token.as_bytes()), 4_096);
    Some(format!(
        "{headline}\n{} {} answered {answer} at step {}\n{}token {token}",
        description.name,
        description.version,
        case.step + 1,
        scenario.to_json()
    ))
}
