//! Turns a scenario into what happens: policies handed over, and tokens with the record of who wrote and signed what.
//!
//! Forging is a function of the scenario, the world, the time and a number that keeps `jti`, `iat` and subject fresh: the
//! same four give the same octets.

mod carried;
mod draft;
mod value;

use crate::error::Error;
use crate::jose::{Json, NumericDate, Token, last};
use crate::policy::{KeySource, TrustPolicy};
use crate::provenance::{Earlier, Presented, Provenance};
use crate::scenario::{Present, Scenario, Step};
use crate::world::{Calendar, Publication, World};
use draft::Draft;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A number with this bit keeps tokens fresh by itself: the same draft in another scenario is the same octets. The
/// exhaustive core shows one token to one relying party several times, each time to another validator.
pub const BY_NUMBER: u64 = 1 << 60;

/// A world at a time, ready to forge.
#[derive(Debug)]
pub struct Forge {
    world: Arc<World>,
    calendar: Calendar,
    start: Arc<Publication>,
    policies: BTreeMap<(String, KeySource), Arc<TrustPolicy>>,
}

/// One thing that happens to a validator.
#[derive(Clone, Debug)]
pub enum Move {
    /// A relying party is told whom to trust: at the start, or because it has changed.
    Trust {
        /// The relying party's alias.
        party: String,
        /// What it is told.
        policy: Arc<TrustPolicy>,
        /// When.
        at: NumericDate,
    },
    /// A token is presented.
    Present(Box<Presentation>),
}

/// A token at a relying party's door.
#[derive(Clone, Debug)]
pub struct Presentation {
    /// Index of the step.
    pub step: usize,
    /// The relying party's alias.
    pub party: String,
    /// The token.
    pub token: Token,
    /// Who wrote and signed what.
    pub provenance: Provenance,
    /// When.
    pub at: NumericDate,
}

impl Forge {
    /// A world at a time.
    #[must_use]
    pub fn new(world: Arc<World>, calendar: Calendar) -> Self {
        let start = Arc::new(Publication::of(&world));
        let mut policies = BTreeMap::new();
        for party in &world.parties {
            for &source in &party.key_sources {
                let policy = world.policy(party, source, &start, calendar);
                policies.insert((party.alias.clone(), source), Arc::new(policy));
            }
        }
        Forge { world, calendar, start, policies }
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The time.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// What a relying party is told at the start; `None` where it does not exist or takes no keys from there.
    #[must_use]
    pub fn policy(&self, party: &str, source: KeySource) -> Option<&Arc<TrustPolicy>> {
        self.policies.get(&(party.to_owned(), source))
    }

    /// Plays a scenario. Each relying party in it is told its policy first, as the steps `update-policy` at the beginning have
    /// it: only what changes later is a change to a validator at work. Another `number` gives fresh tokens.
    ///
    /// # Errors
    /// Where the scenario names what the world does not have, asks for what no forger can do, or for a step or act that
    /// this version does not run.
    pub fn play(&self, scenario: &Scenario, number: u64) -> Result<Vec<Move>, Error> {
        self.play_with(Pen::Signs, scenario, number, None)
    }

    /// The same, but nothing is signed: in the place of each signature stand octets as many, of which only those of one key,
    /// algorithm and input are alike. It serves to ask what is lawful, which depends on who signed what and not on the octets.
    ///
    /// # Errors
    /// As [`Forge::play`], but for keys that fit an algorithm and are too small for it.
    pub fn sketch(&self, scenario: &Scenario, number: u64) -> Result<Vec<Move>, Error> {
        self.play_with(Pen::Sketches, scenario, number, None)
    }

    /// The same for a player who hands policies over in another order: the first one as [`TrustPolicy::reordered`] by
    /// `first`, the next by the number after it. It matters to whoever signs with the text of a JWK Set.
    ///
    /// # Errors
    /// As [`Forge::play`].
    pub fn play_as_sent(&self, scenario: &Scenario, number: u64, first: Option<u64>) -> Result<Vec<Move>, Error> {
        self.play_with(Pen::Signs, scenario, number, first)
    }

    fn play_with(&self, pen: Pen, scenario: &Scenario, number: u64, first: Option<u64>) -> Result<Vec<Move>, Error> {
        if scenario.world != self.world.name {
            return Err(Error::Scenario {
                place: "world".to_owned(),
                problem: format!("it is made for world `{}`, not `{}`", scenario.world, self.world.name),
            });
        }
        if let Some(present) = scenario.as_single() {
            let policy = self.policy_at_start(scenario.key_source, &present.to, "step 1")?;
            let trust = Move::Trust { party: present.to.clone(), policy, at: self.calendar.now() };
            let mut situation = Situation::start(self, scenario, number, pen);
            situation.orders.extend(first.map(|first| (present.to.clone(), first)));
            let presented = self.present(present, &situation, &mut BTreeMap::new())?;
            return Ok(vec![trust, Move::Present(Box::new(presented))]);
        }
        self.play_steps(pen, scenario, number, first)
    }

    fn play_steps(&self, pen: Pen, scenario: &Scenario, number: u64, first: Option<u64>) -> Result<Vec<Move>, Error> {
        let mut moves = Vec::new();
        let mut told: BTreeMap<String, Arc<TrustPolicy>> = BTreeMap::new();
        if scenario.presents().next().is_none() {
            return Err(Error::Scenario {
                place: "steps".to_owned(),
                problem: "no token is presented: add a `present` step".to_owned(),
            });
        }
        let mut situation = Situation::start(self, scenario, number, pen);
        let mut orders = first.map(|first| first..);
        let mut next_order = || orders.as_mut().and_then(Iterator::next);
        let mut tokens = BTreeMap::new();
        let mut shown: Vec<(Presentation, usize)> = Vec::new();
        let mut policies: BTreeMap<String, usize> = BTreeMap::new();
        let place = |index: usize, step: &Step| format!("step {} ({})", index + 1, step.kind());
        let configured = scenario.configured();
        let fetching = |step: &Step| matches!(step, Step::JwksUnreachable { .. } | Step::JwksReachable { .. });
        if let Some(index) = scenario.steps.iter().position(fetching)
            && scenario.key_source != KeySource::Fetched
        {
            let problem = "nobody fetches keys here: it happens where `key_source` is `fetched`".to_owned();
            return Err(Error::Scenario { place: place(index, &scenario.steps[index]), problem });
        }
        for (index, step) in scenario.steps[..configured].iter().enumerate() {
            Arc::make_mut(&mut situation.publication).apply(&self.world, step, &place(index, step))?;
        }
        for (index, present) in scenario.presents() {
            if !told.contains_key(&present.to) {
                let policy = self.first_policy(&situation, &present.to, &format!("step {}", index + 1))?;
                told.insert(present.to.clone(), Arc::clone(&policy));
                policies.insert(present.to.clone(), 1);
                situation.orders.extend(next_order().map(|order| (present.to.clone(), order)));
                moves.push(Move::Trust { party: present.to.clone(), policy, at: situation.calendar.now() });
            }
        }
        for (index, step) in scenario.steps.iter().enumerate().skip(configured) {
            situation.step = index;
            let place = place(index, step);
            match step {
                Step::Present(present) => {
                    let mut presented = self.present(present, &situation, &mut tokens)?;
                    presented.provenance.earlier =
                        shown.iter().filter_map(|(before, told)| before.recalled_by(&presented, *told)).collect();
                    shown.push((presented.clone(), policies.get(&present.to).copied().unwrap_or_default()));
                    moves.push(Move::Present(Box::new(presented)));
                }
                Step::AdvanceClock(span) => {
                    if span.0 < 0 || matches!(self.calendar, Calendar::Timeless(_)) {
                        let problem =
                            "time only goes forward, and stands still where the clock cannot be set".to_owned();
                        return Err(Error::Scenario { place, problem });
                    }
                    situation.calendar = situation.calendar.later(*span);
                }
                Step::RotateKey { .. }
                | Step::RemoveKey { .. }
                | Step::DisableIssuer { .. }
                | Step::JwksUnreachable { .. }
                | Step::JwksReachable { .. }
                | Step::UpdatePolicy { .. } => {
                    Arc::make_mut(&mut situation.publication).apply(&self.world, step, &place)?;
                    for (alias, before) in &mut told {
                        let Some(party) = self.world.party(alias) else { continue };
                        let now = self.world.policy(party, scenario.key_source, &situation.publication, self.calendar);
                        if now != **before {
                            *before = Arc::new(now);
                            *policies.entry(alias.clone()).or_default() += 1;
                            situation.orders.extend(next_order().map(|order| (alias.clone(), order)));
                            let policy = Arc::clone(before);
                            moves.push(Move::Trust { party: alias.clone(), policy, at: situation.calendar.now() });
                        }
                    }
                }
                Step::Together(_) | Step::Exchange { .. } => {
                    return Err(Error::NotRun { place: format!("step {}", index + 1), what: step.kind().to_owned() });
                }
            }
        }
        Ok(moves)
    }

    /// The policy that a relying party was last told, issuers and keys in the order in which it was told them.
    fn as_last_sent(&self, situation: &Situation, party: &str) -> Option<TrustPolicy> {
        let known = self.policy(party, situation.key_source).filter(|_| situation.publication == self.start);
        let policy = match known {
            Some(policy) => policy.as_ref().clone(),
            None => {
                let party = self.world.party(party)?;
                self.world.policy(party, situation.key_source, &situation.publication, self.calendar)
            }
        };
        Some(situation.orders.get(party).map_or_else(|| policy.clone(), |order| policy.reordered(*order)))
    }

    /// What a relying party is told before its first token.
    fn first_policy(&self, situation: &Situation, party: &str, place: &str) -> Result<Arc<TrustPolicy>, Error> {
        let policy = self.policy_at_start(situation.key_source, party, place)?;
        match self.world.party(party) {
            Some(party) if situation.publication != self.start => {
                let publication = &situation.publication;
                Ok(Arc::new(self.world.policy(party, situation.key_source, publication, self.calendar)))
            }
            _ => Ok(policy),
        }
    }

    fn policy_at_start(&self, key_source: KeySource, party: &str, place: &str) -> Result<Arc<TrustPolicy>, Error> {
        let wrong = |problem| Error::Scenario { place: place.to_owned(), problem };
        if self.world.party(party).is_none() {
            let names: Vec<_> = self.world.parties.iter().map(|party| party.alias.as_str()).collect();
            let names = names.join(", ");
            return Err(wrong(format!("world {} has no party `{party}`: one of {names}", self.world.name)));
        }
        let policy = self.policy(party, key_source).cloned();
        policy.ok_or_else(|| wrong(format!("party `{party}` takes no keys from `{}`", key_source.name())))
    }

    fn present(
        &self,
        present: &Present,
        situation: &Situation,
        tokens: &mut BTreeMap<String, Draft>,
    ) -> Result<Presentation, Error> {
        let mut draft = Draft::honest(self, situation, &present.to, &present.honest)?;
        draft.apply(self, situation, &present.to, &present.acts, tokens)?;
        draft.settle(self, situation)?;
        tokens.extend(present.name.as_ref().map(|name| (name.clone(), draft.clone())));
        let (token, provenance) = draft.write();
        Ok(Presentation {
            step: situation.step,
            party: present.to.clone(),
            token,
            provenance,
            at: situation.calendar.now(),
        })
    }
}

impl Presentation {
    /// What a relying party that remembers this token, and had been told so many policies, would recall when it sees the
    /// other one.
    fn recalled_by(&self, other: &Presentation, told: usize) -> Option<Earlier> {
        if self.party != other.party {
            return None;
        }
        let same_octets = self.token == other.token;
        let same_id = self.id().is_some() && self.id() == other.id();
        (same_octets || same_id).then_some(Earlier { at: self.at, told, same_octets })
    }

    /// `iss` and `jti`, where both were written as text (RFC 7519 section 4.1.7).
    fn id(&self) -> Option<(&str, &str)> {
        let Presented::Jws(jws) = &self.provenance.presented else { return None };
        let text = |name| last(jws.payload.members()?, name).and_then(Json::as_str);
        Some((text("iss")?, text("jti")?))
    }
}

/// How signatures come about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pen {
    Signs,
    Sketches,
}

/// Where a scenario stands while it is played.
struct Situation {
    step: usize,
    pen: Pen,
    key_source: KeySource,
    publication: Arc<Publication>,
    calendar: Calendar,
    nonce: Nonce,
    /// By party, in which order it was last told its policy; absent: as it stands.
    orders: BTreeMap<String, u64>,
}

impl Situation {
    fn start(forge: &Forge, scenario: &Scenario, number: u64, pen: Pen) -> Self {
        Situation {
            step: 0,
            pen,
            key_source: scenario.key_source,
            publication: Arc::clone(&forge.start),
            calendar: forge.calendar,
            nonce: Nonce::of(scenario, number),
            orders: BTreeMap::new(),
        }
    }
}

/// A place in a scenario, for errors.
#[derive(Clone, Copy)]
struct At {
    step: usize,
    /// Its index, and what it does.
    act: Option<(usize, &'static str)>,
}

impl At {
    /// A number that tells the acts of a token apart.
    fn number(self) -> usize {
        self.act.map_or(0, |(index, _)| index + 1)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.step + 1)?;
        match self.act {
            Some((index, kind)) => write!(f, ", act {} ({kind})", index + 1),
            None => Ok(()),
        }
    }
}

/// What makes tokens of one playing differ from those of another.
#[derive(Clone, Copy)]
struct Nonce {
    octets: [u8; 32],
    by_number: bool,
}

impl Nonce {
    fn of(scenario: &Scenario, number: u64) -> Self {
        let by_number = number & BY_NUMBER != 0;
        let mut digest = Sha256::new();
        digest.update(number.to_be_bytes());
        if !by_number {
            // Only maps with non-text keys or failing writers make serde_json fail; a scenario and a digest are neither.
            let written = serde_json::to_writer(&mut digest, scenario);
            debug_assert!(written.is_ok());
        }
        Nonce { octets: digest.finalize().into(), by_number }
    }

    /// A number for a token, by step and depth; where the number alone tells tokens apart, what came before does not.
    fn number(self, step: usize, depth: usize) -> u64 {
        let step = if self.by_number { 0 } else { step };
        let mut digest = Sha256::new();
        digest.update(self.octets);
        digest.update([u8::try_from(step).unwrap_or(255), u8::try_from(depth).unwrap_or(255)]);
        let octets: [u8; 32] = digest.finalize().into();
        octets[..8].iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
    }
}
