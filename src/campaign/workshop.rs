//! What all workers of a campaign share: forges, since making one derives every policy of its world, and what was lawful
//! for twins already tried, since the same few honest tokens are the twins of many.

use super::lock;
use crate::forge::{Forge, Move};
use crate::jose::NumericDate;
use crate::oracle::{Expectation, Told, expect};
use crate::scenario::Scenario;
use crate::world::{Calendar, World};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};

/// Most answers that a bench keeps: about 2 MB, of which those in use are few.
const MAX_LAWFUL: usize = 4_096;

/// Twins have numbers of their own, so that their `jti` and subject differ from those of the tokens they belong to.
pub(super) const TWIN: u64 = 1 << 63;

/// A bench older than this by its clock, in seconds, is put away when a newer one of its world is made: time goes on only
/// where a validator reads the machine's clock.
const STALE: i64 = 10;

/// The benches of a campaign.
#[derive(Debug, Default)]
pub(super) struct Workshop {
    benches: Mutex<BTreeMap<(String, NumericDate), Arc<Bench>>>,
    present: Mutex<Option<NumericDate>>,
}

impl Workshop {
    /// The time for which all workers forge whose validators read the machine's clock: at most so many seconds ago. Were each
    /// to take its own second, nothing of what another has made would serve it.
    pub(super) fn present(&self, now: NumericDate, drift: i64) -> NumericDate {
        let mut present = lock(&self.present);
        match *present {
            Some(known) if (now.0 - known.0).abs() <= drift => known,
            _ => *present.insert(now),
        }
    }

    /// The bench for a world at a time.
    pub(super) fn bench(&self, world: &Arc<World>, calendar: Calendar) -> Arc<Bench> {
        let mut benches = lock(&self.benches);
        let at = (world.name.clone(), calendar.now());
        if let Some(bench) = benches.get(&at).filter(|bench| bench.forge.calendar() == calendar) {
            return Arc::clone(bench);
        }
        benches.retain(|(name, made), _| *name != world.name || made.0 + STALE > calendar.now().0);
        let bench = Arc::new(Bench { forge: Forge::new(Arc::clone(world), calendar), lawful: Mutex::default() });
        benches.insert(at, Arc::clone(&bench));
        bench
    }
}

/// A world's forge at one time.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) forge: Forge,
    lawful: Mutex<HashMap<(u64, u64), Option<Expectation>>>,
}

impl Bench {
    /// What is lawful for the token at a step of a twin; `None` where the scenario cannot be played. It does not depend on
    /// what is fresh in each token, so that an answer serves for every twin of the same making.
    pub(super) fn lawful(&self, twin: &Scenario, step: usize) -> Option<Expectation> {
        let at = (hashed(0, twin, step), hashed(1, twin, step));
        if let Some(known) = lock(&self.lawful).get(&at) {
            return known.clone();
        }
        let answer = self.forge.sketch(twin, TWIN).ok().and_then(|moves| lawful_in(&moves, step));
        let mut lawful = lock(&self.lawful);
        if lawful.len() >= MAX_LAWFUL {
            lawful.clear();
        }
        lawful.insert(at, answer.clone());
        answer
    }
}

/// Half of a hash of a scenario and a step.
pub(super) fn hashed(half: u8, scenario: &Scenario, step: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (half, scenario, step).hash(&mut hasher);
    hasher.finish()
}

/// What is lawful for the token at a step, of what happens in a scenario.
pub(super) fn lawful_in(moves: &[Move], step: usize) -> Option<Expectation> {
    let presented = moves.iter().find_map(|happening| match happening {
        Move::Present(presented) if presented.step == step => Some(presented),
        _ => None,
    })?;
    let before = moves.iter().take_while(|happening| !matches!(happening, Move::Present(one) if one.step == step));
    let told = before.filter_map(|happening| match happening {
        Move::Trust { party, policy, at } if *party == presented.party => Some(Told { at: *at, policy }),
        _ => None,
    });
    Some(expect(&told.collect::<Vec<_>>(), &presented.provenance, presented.at))
}
