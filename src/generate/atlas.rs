//! The places that random scenarios can happen at.

use super::site::Site;
use crate::policy::KeySource;
use crate::scenario::{Scenario, Step};
use crate::world::World;
use std::sync::Arc;

/// Worlds, and every site in them at which somebody honest can sign.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    worlds: Vec<Arc<World>>,
    /// World, relying party and key source, the first two by index.
    places: Vec<(usize, usize, KeySource)>,
    clock_stands_still: bool,
}

impl Atlas {
    /// Every site of these worlds.
    #[must_use]
    pub fn of(worlds: &[Arc<World>]) -> Self {
        Atlas::selecting(worlds, |_| true)
    }

    /// The sites of these worlds that are wanted.
    #[must_use]
    pub fn selecting(worlds: &[Arc<World>], wanted: impl Fn(&Site<'_>) -> bool) -> Self {
        let mut places = Vec::new();
        for (world_index, world) in worlds.iter().enumerate() {
            for (party_index, party) in world.parties.iter().enumerate() {
                for &key_source in &party.key_sources {
                    let site = Site { world, party, key_source };
                    if site.trusts().next().is_some() && wanted(&site) {
                        places.push((world_index, party_index, key_source));
                    }
                }
            }
        }
        Atlas { worlds: worlds.to_vec(), places, clock_stands_still: false }
    }

    /// The same atlas for validators whose clock cannot be set: in none of its scenarios does time pass.
    #[must_use]
    pub fn with_clock_standing_still(self) -> Self {
        Atlas { clock_stands_still: true, ..self }
    }

    /// Takes out of a scenario what this atlas has none of.
    pub(super) fn restrict(&self, scenario: &mut Scenario) {
        if self.clock_stands_still {
            scenario.steps.retain(|step| !matches!(step, Step::AdvanceClock(_)));
        }
    }

    /// How many sites there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The worlds.
    #[must_use]
    pub fn worlds(&self) -> &[Arc<World>] {
        &self.worlds
    }

    /// The world of that name.
    #[must_use]
    pub fn world(&self, name: &str) -> Option<&Arc<World>> {
        self.worlds.iter().find(|world| world.name == name)
    }

    /// All sites, in order.
    pub fn sites(&self) -> impl Iterator<Item = Site<'_>> {
        self.places.iter().map(|&(world, party, key_source)| {
            let world: &World = &self.worlds[world];
            Site { world, party: &world.parties[party], key_source }
        })
    }

    /// The site of that number.
    ///
    /// # Panics
    /// Where there are not that many.
    #[must_use]
    pub fn site(&self, index: usize) -> Site<'_> {
        let (world, party, key_source) = self.places[index];
        let world: &World = &self.worlds[world];
        Site { world, party: &world.parties[party], key_source }
    }

    /// The site at which a scenario's token for this party is presented.
    pub(super) fn site_of(&self, scenario: &Scenario, party: &str) -> Option<Site<'_>> {
        let named = |site: &Site<'_>| {
            site.world.name == scenario.world && site.party.alias == party && site.key_source == scenario.key_source
        };
        self.sites().find(named)
    }
}
