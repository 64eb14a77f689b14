//! The exhaustive core: every combination, within a stated bound, of who signs, for whom, how the token names its key, and
//! what has become of that key. Nothing is drawn and nothing is left to chance: what a clean run shows is a theorem about
//! the bound.
//!
//! The product is indexed. Each scenario is made from its number when it is asked for; no list of them is kept. What cannot
//! be said ("an Ed25519 key signs RS256") and what would say the same twice is folded, and every fold is counted.

mod axes;
mod group;
mod told;

pub use axes::{Axis, Fold, FoldedBy};

use super::site::Site;
use crate::policy::KeySource;
use crate::scenario::{Scenario, Step};
use crate::world::{Publication, World};
use axes::{AUDIENCES, Alg, KIDS, STATUSES, Status, TENANTS, reach, status_of_keys};
use group::{Group, Signer};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use told::Told;

/// The worlds that the exhaustive core takes unless others are chosen.
pub const EXHAUSTIVE_WORLDS: [&str; 4] = ["storm-0558", "two-issuers", "multi-tenant", "kid-collision"];

/// The exhaustive core of some worlds, as one indexed product.
#[derive(Clone, Debug, Default)]
pub struct Exhaustive {
    cores: Vec<Core>,
}

/// The exhaustive core of one world.
#[derive(Clone, Debug)]
pub struct Core {
    world: Arc<World>,
    first: usize,
    presentations: usize,
    tokens: usize,
    groups: Vec<Group>,
    blocks: Vec<Block>,
    axes: Vec<Axis>,
    folds: Vec<Fold>,
}

/// All that one signer can put before one relying party in one issuer's name, with keys from one source and after one thing
/// has happened to the signing key.
#[derive(Clone, Copy, Debug)]
struct Block {
    group: usize,
    status: Status,
    /// Index of its first scenario in the core.
    start: usize,
}

impl Exhaustive {
    /// The product over these worlds, at the sites that are wanted.
    #[must_use]
    pub fn of(worlds: &[Arc<World>], wanted: impl Fn(&Site<'_>) -> bool) -> Self {
        let mut cores: Vec<Core> = Vec::new();
        for world in worlds {
            let first = cores.last().map_or(0, |core| core.first + core.presentations);
            cores.push(Core::of(world, &wanted, first));
        }
        Exhaustive { cores }
    }

    /// The core of each world, in order.
    #[must_use]
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// How many scenarios there are; each presents one token.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cores.last().map_or(0, |core| core.first + core.presentations)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scenario at an index.
    ///
    /// # Panics
    /// Where there are not that many.
    #[must_use]
    pub fn nth(&self, index: usize) -> Scenario {
        let core = self.core_at(index);
        let (block, inner) = core.place(index - core.first);
        let group = &core.groups[block.group];
        let mut steps = core.lead(group, block.status);
        steps.push(Step::Present(group.present(&core.world, inner)));
        Scenario { world: core.world.name.clone(), key_source: group.key_source, steps }
    }

    /// The number of the token that the scenario at an index presents. The same token has the same number at each key source
    /// and whatever has become of its key, so that it need be signed but once.
    ///
    /// # Panics
    /// Where there are not that many.
    #[must_use]
    pub fn token_of(&self, index: usize) -> u64 {
        let core = self.core_at(index);
        let (block, inner) = core.place(index - core.first);
        core.groups[block.group].number(inner)
    }

    /// A digest of what the token of the scenario at an index says: that of two tokens is the same where they are the same
    /// octets but for what keeps each of them fresh.
    ///
    /// # Panics
    /// Where there are not that many.
    #[must_use]
    pub fn content_of(&self, index: usize) -> u64 {
        let core = self.core_at(index);
        let (block, inner) = core.place(index - core.first);
        core.groups[block.group].content(inner, core.wait(block))
    }

    fn core_at(&self, index: usize) -> &Core {
        assert!(index < self.len(), "{index} of {} scenarios", self.len());
        &self.cores[self.cores.partition_point(|core| core.first <= index) - 1]
    }
}

impl Core {
    fn of(world: &Arc<World>, wanted: &impl Fn(&Site<'_>) -> bool, first: usize) -> Self {
        let axes = axes::of(world, wanted);
        let mut core = Core {
            world: Arc::clone(world),
            first,
            presentations: 0,
            tokens: 0,
            groups: Vec::new(),
            blocks: Vec::new(),
            axes,
            folds: Vec::new(),
        };
        let mut folds = Folds::default();
        for party in &world.parties {
            let sites = party.key_sources.iter().map(|&key_source| Site { world, party, key_source });
            let told: Vec<Told<'_>> = sites.filter(wanted).map(Told::at).collect();
            for signer in Signer::all(world) {
                for issuer in 0..world.issuers.len() {
                    for told in &told {
                        core.add(told, signer, issuer, &mut folds);
                    }
                }
            }
        }
        core.folds = folds.into_folds();
        core.tokens = core.distinct();
        core
    }

    /// Adds a block for each status, or the reason why there is none.
    fn add(&mut self, told: &Told<'_>, signer: Signer, issuer: usize, folds: &mut Folds) {
        let cell = TENANTS.len() * AUDIENCES.len() * Alg::CLASSES.len() * KIDS.len();
        let alike = told.alike(signer, &self.world.issuers[issuer].alias);
        let group = if alike.is_none() { Group::of(told, signer, issuer) } else { None };
        for status in STATUSES {
            if let Err((by, why)) = reach(told.site, signer, status) {
                folds.add(by, why, cell);
            } else if let Some(why) = alike {
                folds.add(FoldedBy::Symmetry, why, cell);
            } else if let Some(group) = &group {
                let len = group.fold(status, folds);
                if len > 0 {
                    self.blocks.push(Block { group: self.groups.len(), status, start: self.presentations });
                    self.presentations += len;
                }
            } else {
                folds.add(FoldedBy::Rule, "no token can be begun in the issuer's name: no key of it is here", cell);
            }
        }
        self.groups.extend(group);
    }

    /// The block that holds a scenario, and the scenario's place in it.
    fn place(&self, index: usize) -> (&Block, usize) {
        let block = &self.blocks[self.blocks.partition_point(|block| block.start <= index) - 1];
        (block, index - block.start)
    }

    /// What happens before the token is presented.
    fn lead(&self, group: &Group, status: Status) -> Vec<Step> {
        let Some(key) = group.signer.key(&self.world) else { return Vec::new() };
        let change = match status {
            Status::AsPublished => return Vec::new(),
            Status::Removed => Step::RemoveKey { key: key.alias.clone() },
            Status::IssuerDisabled => Step::DisableIssuer { issuer: key.owner.clone().unwrap_or_default() },
        };
        let party = &self.world.parties[group.party];
        let site = Site { world: &self.world, party, key_source: KeySource::PerIssuer };
        let wait = party.jwks_max_age.is_some_and(|age| age > 0).then(|| Step::AdvanceClock(site.patience()));
        std::iter::once(change).chain(wait).collect()
    }

    /// How many tokens differ in more than what keeps them fresh. Relying parties are shown tokens of their own; those of two
    /// parties are the same where both are dressed alike.
    fn distinct(&self) -> usize {
        let mut counted = HashSet::new();
        let mut seen = HashSet::new();
        for block in &self.blocks {
            // Neither the key source nor what has become of the key changes a token, but for when it is made.
            let later = self.wait(block);
            if counted.insert((block.group, later, block.status == Status::AsPublished)) {
                let group = &self.groups[block.group];
                seen.extend((0..group.len_in(block.status)).map(|number| group.content(number, later)));
            }
        }
        seen.len()
    }

    /// For how long the party goes on with what it was told, where something has changed: the token is made after that.
    fn wait(&self, block: &Block) -> Option<u64> {
        let max_age = self.world.parties[self.groups[block.group].party].jwks_max_age;
        max_age.filter(|&age| age > 0 && block.status != Status::AsPublished)
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The axes with their values.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// All combinations of the axes' values: those that are presented and those that are folded.
    #[must_use]
    pub fn combinations(&self) -> u64 {
        self.axes.iter().map(|axis| axis.values.len() as u64).product()
    }

    /// What was folded and why, each with how many combinations.
    #[must_use]
    pub fn folds(&self) -> &[Fold] {
        &self.folds
    }

    /// How many tokens are presented.
    #[must_use]
    pub fn presentations(&self) -> usize {
        self.presentations
    }

    /// How many of them differ, octet by octet, where `jti`, `iat` and a subject that is fresh are held fixed.
    #[must_use]
    pub fn distinct_tokens(&self) -> usize {
        self.tokens
    }

    /// Keys of the world by what they are at the start: in service, not yet, past, not listed, the attacker's.
    #[must_use]
    pub fn key_statuses(&self) -> Vec<(&'static str, usize)> {
        status_of_keys(&self.world, &Publication::of(&self.world))
    }
}

/// Folds by reason while they are counted.
#[derive(Default)]
struct Folds(BTreeMap<(FoldedBy, &'static str), u64>);

impl Folds {
    fn add(&mut self, by: FoldedBy, why: &'static str, count: usize) {
        if count > 0 {
            *self.0.entry((by, why)).or_default() += count as u64;
        }
    }

    fn into_folds(self) -> Vec<Fold> {
        self.0.into_iter().map(|((by, why), count)| Fold { by, why, count }).collect()
    }
}
