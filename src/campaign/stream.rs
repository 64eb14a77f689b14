//! The scenarios of a campaign as one indexed stream: baseline, replay, catalogue, random.

use super::SiteId;
use crate::generate::{self, Atlas, Class, Site};
use crate::policy::KeySource;
use crate::scenario::Scenario;
use crate::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a scenario comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// An honest token of an issuer, algorithm and key.
    Baseline,
    /// A stored file.
    Replay(String),
    /// A class of the catalogue, by its id.
    Catalogue(&'static str),
    /// Drawn from the seed.
    Random,
}

/// One scenario of the stream.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it comes from.
    pub phase: Phase,
    /// The scenario.
    pub scenario: Arc<Scenario>,
}

/// Which part of the worlds and classes to take.
#[derive(Clone)]
pub struct Selection {
    /// Relying parties by alias; empty: all.
    pub parties: Vec<String>,
    /// Key sources; empty: all.
    pub key_sources: Vec<KeySource>,
    /// Which classes.
    pub classes: Arc<dyn Fn(&Class) -> bool + Send + Sync>,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { parties: Vec::new(), key_sources: Vec::new(), classes: Arc::new(|_| true) }
    }
}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selection").field("parties", &self.parties).field("key_sources", &self.key_sources).finish()
    }
}

impl Selection {
    fn takes(&self, party: &String, key_source: KeySource) -> bool {
        (self.parties.is_empty() || self.parties.contains(party))
            && (self.key_sources.is_empty() || self.key_sources.contains(&key_source))
    }

    /// The chosen sites of these worlds.
    #[must_use]
    pub fn sites<'w>(&self, worlds: &'w [Arc<World>]) -> Vec<Site<'w>> {
        let mut sites = Vec::new();
        for world in worlds {
            for party in &world.parties {
                for &key_source in &party.key_sources {
                    if self.takes(&party.alias, key_source) {
                        sites.push(Site { world, party, key_source });
                    }
                }
            }
        }
        sites
    }
}

/// The scenarios of a campaign.
#[derive(Debug)]
pub struct Stream {
    fixed: Vec<Item>,
    random: usize,
    seed: u64,
    atlas: Atlas,
    honest: BTreeMap<SiteId, Scenario>,
}

impl Stream {
    /// Baseline, then the stored scenarios, then the catalogue, then so many random ones.
    #[must_use]
    pub fn new(
        worlds: &[Arc<World>],
        selection: &Selection,
        replays: Vec<(String, Scenario)>,
        random: usize,
        seed: u64,
    ) -> Self {
        let sites = selection.sites(worlds);
        let mut honest = BTreeMap::new();
        let mut fixed = Vec::new();
        for site in &sites {
            for scenario in generate::baseline(site) {
                let id = (site.world.name.clone(), site.party.alias.clone(), site.key_source);
                honest.entry(id).or_insert_with(|| scenario.clone());
                fixed.push(Item { phase: Phase::Baseline, scenario: Arc::new(scenario) });
            }
        }
        let replays = replays.into_iter();
        fixed.extend(replays.map(|(name, scenario)| Item { phase: Phase::Replay(name), scenario: Arc::new(scenario) }));
        let classes = generate::classes();
        for (class, scenario) in generate::catalogue(&sites, &*selection.classes) {
            fixed.push(Item { phase: Phase::Catalogue(classes[class].id), scenario: Arc::new(scenario) });
        }
        let atlas = Atlas::selecting(worlds, |site| selection.takes(&site.party.alias, site.key_source));
        Stream { fixed, random, seed, atlas, honest }
    }

    /// How many scenarios there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fixed.len() + self.random
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scenario at an index below [`Stream::len`]; the same index gives the same scenario.
    #[must_use]
    pub fn nth(&self, index: usize) -> Item {
        match self.fixed.get(index) {
            Some(item) => item.clone(),
            None => {
                let number = (index - self.fixed.len()) as u64;
                let scenario = generate::seeded(self.seed, number, &self.atlas);
                Item { phase: Phase::Random, scenario: Arc::new(scenario) }
            }
        }
    }

    /// What to call the scenario at an index.
    #[must_use]
    pub fn name_of(&self, index: usize) -> String {
        match self.nth(index).phase {
            Phase::Baseline => format!("baseline {index}"),
            Phase::Replay(file) => file,
            Phase::Catalogue(id) => id.to_owned(),
            Phase::Random => format!("random {} of seed {}", index - self.fixed.len(), self.seed),
        }
    }

    /// The seed of the random scenarios.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn honest_at(&self, site: &SiteId) -> Option<&Scenario> {
        self.honest.get(site)
    }
}
