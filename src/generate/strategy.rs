//! Random scenarios for `proptest`, which shrink to the fewest steps and acts that still fail.

use super::atlas::Atlas;
use super::playable::is_playable;
use super::random::seeded;
use crate::scenario::Scenario;
use crate::shrink::simplifications;
use proptest::num::u64::ANY;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::collections::VecDeque;
use std::sync::Arc;

/// Scenarios as [`random`](super::random) makes them, at any site of the atlas. Failing ones shrink over steps, acts and
/// what they say; every value can be played.
#[must_use]
pub fn strategy(atlas: Arc<Atlas>) -> Scenarios {
    Scenarios { atlas }
}

/// See [`strategy`].
#[derive(Clone, Debug)]
pub struct Scenarios {
    atlas: Arc<Atlas>,
}

impl Strategy for Scenarios {
    type Tree = Shrinking;
    type Value = Scenario;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = ANY.new_tree(runner)?.current();
        let current = seeded(seed, 0, &self.atlas);
        Ok(Shrinking { atlas: Arc::clone(&self.atlas), current, failing: None, untried: VecDeque::new() })
    }
}

/// A scenario on its way to a smaller one.
#[derive(Clone, Debug)]
pub struct Shrinking {
    atlas: Arc<Atlas>,
    /// The smallest that is known to fail. Most never do, and pay for no copy.
    failing: Option<Scenario>,
    /// The one to try.
    current: Scenario,
    /// Simpler ones to try after it.
    untried: VecDeque<Scenario>,
}

impl ValueTree for Shrinking {
    type Value = Scenario;

    fn current(&self) -> Scenario {
        self.current.clone()
    }

    /// The current one fails: only what is simpler than it matters from now on.
    fn simplify(&mut self) -> bool {
        self.untried = simplifications(&self.current).into();
        self.failing = Some(self.current.clone());
        self.complicate()
    }

    /// The current one does not fail: the next, or back to the one that does.
    fn complicate(&mut self) -> bool {
        while let Some(next) = self.untried.pop_front() {
            if self.atlas.world(&next.world).is_some_and(|world| is_playable(&next, world)) {
                self.current = next;
                return true;
            }
        }
        if let Some(failing) = &self.failing {
            self.current = failing.clone();
        }
        false
    }
}
