//! The bodies of fuzz targets. The input is a scenario file; tokens are signed again with real keys each time, so that the
//! search lives beyond the signature check.

use crate::campaign::{Case, Examiner, Seen};
use crate::finding::{Kind, origin, tame};
use crate::generate::{self, Atlas};
use crate::jose::NumericDate;
use crate::scenario::Scenario;
use crate::validator::Maker;
use crate::waiver::{Waiver, Wrong};
use crate::world::{Calendar, DEFAULT_SEED, World};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The time of every fuzz target: a crash must reproduce tomorrow.
pub const NOW: NumericDate = NumericDate(1_790_000_000);

/// Judges scenarios by the oracle, and panics at the first wrong answer that no waiver excuses.
pub struct ScenarioTarget {
    examiners: Vec<Examiner>,
    waivers: Vec<Waiver>,
    atlas: Atlas,
}

impl ScenarioTarget {
    /// A target for these validators in the shipped worlds.
    #[must_use]
    pub fn new(makers: &[Maker], waivers: Vec<Waiver>) -> Self {
        let worlds: Vec<Arc<World>> =
            World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect();
        let calendar = Calendar::Timeless(NOW);
        let examiner = |maker: &Maker| Examiner::unwatched(Arc::clone(maker), &worlds, calendar);
        ScenarioTarget { examiners: makers.iter().map(examiner).collect(), waivers, atlas: Atlas::of(&worlds) }
    }

    /// Judges one input. Returns whether it is a scenario that can be played: a fuzzer keeps no other.
    ///
    /// # Panics
    /// At a wrong answer: the message begins with the rule, and holds the readable scenario.
    pub fn run(&mut self, input: &[u8]) -> bool {
        let Ok(scenario) = Scenario::from_json(input) else { return false };
        let mut played = false;
        for examiner in &mut self.examiners {
            let Ok(cases) = examiner.examine(&scenario, 0) else { return false };
            played = true;
            if cases.iter().any(|case| blamed(examiner, &scenario, case, &self.waivers).is_some()) {
                // Once more on fresh instances: what only the inputs before it explain would not reproduce.
                examiner.forget();
                let cases = examiner.examine(&scenario, 0).unwrap_or_default();
                for case in &cases {
                    if let Some(message) = blamed(examiner, &scenario, case, &self.waivers) {
                        panic!("{message}");
                    }
                }
            }
        }
        played
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

/// What to say of a wrong answer that no waiver excuses.
fn blamed(examiner: &Examiner, scenario: &Scenario, case: &Case, waivers: &[Waiver]) -> Option<String> {
    let (kind, rules) = case.wrong()?;
    let description = examiner.description();
    let origin = origin(&description.name, kind, &rules, scenario, case.relation);
    let wrong = Wrong { validator: &description.name, rules: &rules, classes: &BTreeSet::new(), origin: &origin };
    if waivers.iter().any(|waiver| waiver.excuses(&wrong, NOW)) {
        return None;
    }
    // A rule that is waived for this validator stays waived beside others: tokens that break only the others are tried as well.
    let unexcused = |rule: &&crate::rule::Rule| !waivers.iter().any(|w| w.excuses_rule(&description.name, **rule, NOW));
    if kind == Kind::FalseAccept && rules.iter().filter(unexcused).count() < rules.len() {
        return None;
    }
    let names: Vec<_> = rules.iter().map(|rule| rule.name()).collect();
    let what = if names.is_empty() { kind.name().to_owned() } else { names.join("+") };
    let answer = match &case.seen {
        Seen::Wrong { answer, .. } => answer.clone(),
        Seen::Fault(fault) => tame(&fault.to_string(), 300),
        _ => String::new(),
    };
    let token = tame(&String::from_utf8_lossy(case.token.as_bytes()), 4_096);
    Some(format!(
        "{what}: {} {} answered {answer} at step {}\n{}\ntoken {token}",
        description.name,
        description.version,
        case.step + 1,
        scenario.to_json()
    ))
}
