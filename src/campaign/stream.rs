//! The scenarios of a campaign as one indexed stream: baseline, replay, catalogue, exhaustive core, random; in a hunt,
//! generations after them.

use super::SiteId;
use crate::forge::BY_NUMBER;
use crate::generate::{self, Atlas, Class, Exhaustive, Site};
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
    /// A combination of the exhaustive core.
    Exhaustive,
    /// Drawn from the seed.
    Random,
    /// Changed from one that showed something new.
    Guided,
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
    /// Whether a relying party and a key source are chosen.
    #[must_use]
    pub fn takes(&self, party: &String, key_source: KeySource) -> bool {
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
    exhaustive: Exhaustive,
    random: usize,
    seed: u64,
    atlas: Arc<Atlas>,
    honest: Arc<BTreeMap<SiteId, Vec<Scenario>>>,
    /// Where HMAC over what a validator says it holds as keys is to be tried.
    asked: Vec<SiteId>,
    chosen: usize,
    generation: Option<Generation>,
}

/// A part of a hunt.
#[derive(Debug)]
struct Generation {
    /// Scenarios of the whole hunt before it.
    before: u64,
    /// Of them those of the search.
    searched: u64,
    /// What showed something new before it.
    leads: Vec<Arc<Scenario>>,
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
                honest.entry(id).or_insert_with(Vec::new).push(scenario.clone());
                fixed.push(Item { phase: Phase::Baseline, scenario: Arc::new(scenario) });
            }
        }
        let replays = replays.into_iter();
        fixed.extend(replays.map(|(name, scenario)| Item { phase: Phase::Replay(name), scenario: Arc::new(scenario) }));
        let classes = generate::classes();
        for (class, scenario) in generate::catalogue(&sites, &*selection.classes) {
            fixed.push(Item { phase: Phase::Catalogue(classes[class].id), scenario: Arc::new(scenario) });
        }
        let asked =
            generate::class_of_key_texts().filter(|class| (selection.classes)(class)).map_or(&[][..], |_| &sites);
        let asked =
            asked.iter().map(|site| (site.world.name.clone(), site.party.alias.clone(), site.key_source)).collect();
        let atlas = Atlas::selecting(worlds, |site| selection.takes(&site.party.alias, site.key_source));
        Stream {
            fixed,
            exhaustive: Exhaustive::default(),
            random,
            seed,
            atlas: Arc::new(atlas),
            honest: Arc::new(honest),
            asked,
            chosen: classes.iter().filter(|class| (selection.classes)(class)).count(),
            generation: None,
        }
    }

    /// So many scenarios of a hunt after this stream's own and the `searched` ones of earlier generations. Every second one is
    /// drawn from the seed alone, as [`Stream::new`] draws its random ones; the others are changed from a lead.
    pub(super) fn generation(&self, searched: u64, count: usize, leads: Vec<Arc<Scenario>>) -> Stream {
        Stream {
            fixed: Vec::new(),
            exhaustive: Exhaustive::default(),
            random: count,
            seed: self.seed,
            atlas: Arc::clone(&self.atlas),
            honest: Arc::clone(&self.honest),
            asked: Vec::new(),
            chosen: self.chosen,
            generation: Some(Generation { before: self.len() as u64 + searched, searched, leads }),
        }
    }

    /// The same with the exhaustive core between the catalogue and the random scenarios.
    #[must_use]
    pub fn with_exhaustive(self, exhaustive: Exhaustive) -> Self {
        Stream { exhaustive, ..self }
    }

    /// Where a validator is to be asked which texts it holds as keys.
    pub(super) fn asks_for_key_texts_at(&self) -> &[SiteId] {
        &self.asked
    }

    /// The same with these at the end of the catalogue: HMAC over what a validator says it holds as keys.
    pub(super) fn with_key_texts(&self, scenarios: Vec<Scenario>) -> Stream {
        let phase = generate::class_of_key_texts().map_or(Phase::Random, |class| Phase::Catalogue(class.id));
        let more = scenarios.into_iter().map(|scenario| Item { phase: phase.clone(), scenario: Arc::new(scenario) });
        Stream {
            fixed: self.fixed.iter().cloned().chain(more).collect(),
            exhaustive: self.exhaustive.clone(),
            random: self.random,
            seed: self.seed,
            atlas: Arc::clone(&self.atlas),
            honest: Arc::clone(&self.honest),
            asked: Vec::new(),
            chosen: self.chosen,
            generation: None,
        }
    }

    /// The exhaustive core; empty unless it was asked for.
    #[must_use]
    pub fn exhaustive(&self) -> &Exhaustive {
        &self.exhaustive
    }

    /// How many classes of the catalogue were chosen, whether or not these worlds can express them.
    #[must_use]
    pub fn chosen(&self) -> usize {
        self.chosen
    }

    /// How many scenarios there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fixed.len() + self.exhaustive.len() + self.random
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scenario at an index below [`Stream::len`]; the same index gives the same scenario.
    #[must_use]
    pub fn nth(&self, index: usize) -> Item {
        match self.place(index) {
            Place::Fixed(item) => item.clone(),
            Place::Exhaustive(number) => {
                Item { phase: Phase::Exhaustive, scenario: Arc::new(self.exhaustive.nth(number)) }
            }
            Place::Drawn(number) => {
                let (phase, scenario) = self.drawn(number);
                Item { phase, scenario: Arc::new(scenario) }
            }
        }
    }

    /// Where the scenario at an index comes from, without making it.
    #[must_use]
    pub fn phase_of(&self, index: usize) -> Phase {
        match self.place(index) {
            Place::Fixed(item) => item.phase.clone(),
            Place::Exhaustive(_) => Phase::Exhaustive,
            Place::Drawn(number) if self.is_guided(number) => Phase::Guided,
            Place::Drawn(_) => Phase::Random,
        }
    }

    /// The kinds of acts and steps at an index, but for what is made only when it is asked for.
    pub(super) fn kinds_of(&self, index: usize) -> impl Iterator<Item = &'static str> {
        let fixed = self.fixed.get(index).map(|item| &item.scenario);
        fixed.into_iter().flat_map(|scenario| scenario.kinds())
    }

    fn is_guided(&self, index: u64) -> bool {
        self.generation.as_ref().is_some_and(|generation| !(generation.searched + index).is_multiple_of(2))
    }

    fn drawn(&self, index: u64) -> (Phase, Scenario) {
        let Some(generation) = &self.generation else {
            return (Phase::Random, generate::seeded(self.seed, index, &self.atlas));
        };
        let number = generation.searched + index;
        if self.is_guided(index) {
            return (Phase::Guided, generate::guided(self.seed, number / 2, &generation.leads, &self.atlas));
        }
        (Phase::Random, generate::seeded(self.seed, number / 2, &self.atlas))
    }

    /// What keeps the tokens of the scenario at an index apart from all others of the campaign. In the exhaustive core one
    /// token is shown several times, each time to another validator.
    pub(super) fn number_of(&self, index: usize) -> u64 {
        match self.place(index) {
            Place::Exhaustive(number) => BY_NUMBER | self.exhaustive.token_of(number),
            Place::Fixed(_) | Place::Drawn(_) => self.number_in_all(index),
        }
    }

    /// What the token of the scenario at an index says, in the exhaustive core.
    pub(super) fn content_of(&self, index: usize) -> Option<u64> {
        match self.place(index) {
            Place::Exhaustive(number) => Some(self.exhaustive.content_of(number)),
            Place::Fixed(_) | Place::Drawn(_) => None,
        }
    }

    /// How many scenarios of the campaign stand before this one.
    pub(super) fn number_in_all(&self, index: usize) -> u64 {
        self.generation.as_ref().map_or(0, |generation| generation.before) + index as u64
    }

    /// What to call the scenario at an index.
    #[must_use]
    pub fn name_of(&self, index: usize) -> String {
        match self.place(index) {
            Place::Fixed(Item { phase: Phase::Replay(file), .. }) => file.clone(),
            Place::Fixed(Item { phase: Phase::Catalogue(id), .. }) => (*id).to_owned(),
            Place::Fixed(_) => format!("baseline {index}"),
            Place::Exhaustive(number) => format!("exhaustive {number}"),
            Place::Drawn(index) => {
                let number = self.generation.as_ref().map_or(index, |generation| (generation.searched + index) / 2);
                let word = if self.is_guided(index) { "guided" } else { "random" };
                format!("{word} {number} of seed {}", self.seed)
            }
        }
    }

    fn place(&self, index: usize) -> Place<'_> {
        if let Some(item) = self.fixed.get(index) {
            return Place::Fixed(item);
        }
        let after = index - self.fixed.len();
        match after.checked_sub(self.exhaustive.len()) {
            None => Place::Exhaustive(after),
            Some(number) => Place::Drawn(number as u64),
        }
    }

    /// The seed of the random scenarios.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Honest tokens to show at a site.
    pub(super) fn honest_at(&self, site: &SiteId) -> &[Scenario] {
        self.honest.get(site).map_or(&[], Vec::as_slice)
    }
}

/// The part of the stream that an index lies in.
enum Place<'s> {
    Fixed(&'s Item),
    Exhaustive(usize),
    Drawn(u64),
}
