//! Shows scenarios to one kind of validator and says what came of each token.

mod ahead;
mod evidence;
mod instance;

use super::case::{Case, Evidence, Seen, SiteId};
use super::lock;
use super::parties::{Leaks, describe_accept, parties};
use super::pool::Pulse;
use super::tempted::tempted;
use super::workshop::{Bench, Workshop};
use crate::clock;
use crate::error::Error;
use crate::finding::{Kind, tame};
use crate::forge::{Forge, Move, Presentation};
use crate::jose::{Json, Material, NumericDate, Token, last};
use crate::oracle::{Expectation, Told, expect};
use crate::policy::{KeySource, TrustPolicy};
use crate::provenance::{Presented, Provenance};
use crate::scenario::{Scenario, Step};
use crate::validator::{Clock, Description, Fault, Maker, Verdict};
use crate::world::{Calendar, World};
use ahead::{Place, Prepared, Rehearsal, foreseen};
pub(super) use instance::Held;
use instance::Instance;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// A case closer than this many seconds to a moment at which the answer changes is not shown to a validator whose clock cannot be set.
const CLOCK_MARGIN: i64 = 10;
/// After so many seconds tokens for such a validator are forged for the present anew.
const CLOCK_DRIFT: i64 = 3;
/// The same in the exhaustive core, where no time is an axis: hardly a token is near such a moment, and a token that was
/// signed for one validator need not be signed again for the next.
const CLOCK_DRIFT_IN_CORE: i64 = 600;
/// The same where a chunk is rehearsed: what was asked ahead must be what is asked.
const CLOCK_DRIFT_AHEAD: i64 = 60;
/// Why an answer that took long is not judged.
const TOO_LATE: &str = "not judged: what is lawful changed while it was asked (clock not settable)";
/// Longest answer that is kept.
pub(super) const MAX_ANSWER: usize = 300;

/// For which rejections a twin is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seeks {
    All,
    /// Those for one broken rule: in the exhaustive core tokens nearer to a good one stand beside those that break several.
    Alone,
    Nothing,
}

/// Where an instance is kept: a site, and in JSON what has changed since it was first told whom to trust.
pub(super) type Door = (SiteId, String);

/// An instance that is kept for the next token.
struct Kept {
    lead: Vec<Step>,
    /// In which order its first policy stood.
    order: u64,
    instance: Instance,
}

/// Most instances that are kept after something has changed.
const MAX_CHANGED: usize = 16;

/// The name of what leads up to a token; nothing, where nothing does.
pub(super) fn lead_name(lead: &[Step]) -> String {
    // Only maps with non-text keys or failing writers make serde_json fail; a step has neither.
    if lead.is_empty() { String::new() } else { serde_json::to_string(lead).unwrap_or_default() }
}

/// Shows scenarios to instances of one validator.
pub struct Examiner {
    maker: Maker,
    description: Description,
    worlds: BTreeMap<String, Arc<World>>,
    calendar: Calendar,
    workshop: Arc<Workshop>,
    benches: BTreeMap<String, Arc<Bench>>,
    pulse: Pulse,
    doors: BTreeMap<Door, Kept>,
    twins: HashMap<TrustPolicy, Instance>,
    twin_answers: HashMap<(u64, u64), Result<(), String>>,
    configures: u64,
    leaks: Leaks,
    in_hand: InHand,
    seeks: Seeks,
    rehearsal: Option<Rehearsal>,
    prepared: Prepared,
    mishaps: Vec<String>,
    /// Faults of tokens that had been answered before.
    late: Vec<(Token, Fault)>,
    gone: Option<String>,
}

/// The case whose token the validator has in hand, for the watchdog to name.
pub(super) type InHand = Arc<Mutex<Option<Arc<Case>>>>;

impl Examiner {
    pub(super) fn new(
        maker: Maker,
        description: Description,
        worlds: &[Arc<World>],
        now: NumericDate,
        pulse: Pulse,
    ) -> Self {
        Examiner {
            maker,
            description,
            worlds: worlds.iter().map(|world| (world.name.clone(), Arc::clone(world))).collect(),
            calendar: Calendar::At(now),
            workshop: Arc::default(),
            benches: BTreeMap::new(),
            pulse,
            doors: BTreeMap::new(),
            twins: HashMap::new(),
            twin_answers: HashMap::new(),
            configures: 0,
            leaks: Leaks::default(),
            in_hand: InHand::default(),
            seeks: Seeks::All,
            rehearsal: None,
            prepared: Prepared::default(),
            mishaps: Vec::new(),
            late: Vec::new(),
            gone: None,
        }
    }

    /// Shows scenarios one after the other on the calling thread, unwatched and without twins, reusing one instance a site:
    /// what a fuzz target does.
    #[must_use]
    pub fn unwatched(maker: Maker, worlds: &[Arc<World>], calendar: Calendar) -> Self {
        let description = maker().describe();
        let mut examiner = Examiner::new(maker, description, worlds, calendar.now(), Pulse::new()).without_twins();
        examiner.calendar = calendar;
        examiner
    }

    /// The same, naming what it has in hand there.
    pub(super) fn naming(mut self, in_hand: InHand) -> Self {
        self.in_hand = in_hand;
        self
    }

    /// The same, without twins: for asking again and again whether something is still so.
    pub(super) fn without_twins(mut self) -> Self {
        self.seeks = Seeks::Nothing;
        self
    }

    /// The same, with what other workers have made.
    pub(super) fn sharing(mut self, workshop: Arc<Workshop>) -> Self {
        self.workshop = workshop;
        self
    }

    /// From now on twins are looked for like this.
    pub(super) fn seek(&mut self, seeks: Seeks) {
        self.seeks = seeks;
    }

    /// The world's forge; for a validator that reads the machine's clock, one for the present.
    pub(super) fn bench(&mut self, world: &str) -> Result<Arc<Bench>, Error> {
        self.renew(self.drift());
        if let Some(bench) = self.benches.get(world) {
            return Ok(Arc::clone(bench));
        }
        let found = self.worlds.get(world).ok_or_else(|| Error::Scenario {
            place: "world".to_owned(),
            problem: format!(
                "`{world}` is not one of the chosen worlds ({}): choose it with --world",
                self.worlds.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
        })?;
        let bench = self.workshop.bench(found, self.calendar);
        self.benches.insert(world.to_owned(), Arc::clone(&bench));
        Ok(bench)
    }

    /// Goes on to the present where the validator reads the machine's clock, and more than so many seconds have passed.
    fn renew(&mut self, drift: i64) {
        if self.description.clock == Clock::System && matches!(self.calendar, Calendar::At(_)) {
            let now = clock::now();
            if (now.0 - self.calendar.now().0).abs() > drift {
                self.calendar = Calendar::At(self.workshop.present(now, drift));
                self.benches.clear();
            }
        }
    }

    /// For how many seconds what was forged for the present is shown.
    fn drift(&self) -> i64 {
        match self.seeks {
            Seeks::Alone => CLOCK_DRIFT_IN_CORE,
            _ if self.asks_ahead() => CLOCK_DRIFT_AHEAD,
            _ => CLOCK_DRIFT,
        }
    }

    /// The validator.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Forgets every instance, so that the next token meets a fresh one.
    pub fn forget(&mut self) {
        self.doors.clear();
        self.twins.clear();
        self.twin_answers.clear();
        self.prepared.clear();
    }

    /// Forgets every instance; the next one is told its policy in this order, later ones in those that follow.
    pub(super) fn begin_at(&mut self, order: u64) {
        self.forget();
        self.configures = order;
    }

    /// Doors whose instance is at work, each with what leads up to it.
    pub(super) fn open_doors(&self) -> Vec<(SiteId, Vec<Step>)> {
        let ready =
            self.doors.iter().filter(|(_, kept)| matches!(kept.instance, Instance::Ready(_) | Instance::Planned(_)));
        ready.map(|((site, _), kept)| (site.clone(), kept.lead.clone())).collect()
    }

    /// Why this validator is not shown a scenario at all, where that is so.
    pub(super) fn unfit(&self, scenario: &Scenario) -> Option<String> {
        if !self.description.key_sources.contains(&scenario.key_source) {
            return Some(format!("it takes no keys from `{}`", scenario.key_source.name()));
        }
        // Whoever fetches keys need not be told of others.
        let fetched = scenario.key_source == KeySource::Fetched && self.description.fetches_jwks;
        let told_anew = scenario.changes_policy_at_work() || scenario.changes_keys_at_work() && !fetched;
        if !self.description.live_update && told_anew {
            return Some("it has no live update".to_owned());
        }
        let passes = |step: &Step| matches!(step, Step::AdvanceClock(_));
        if self.description.clock == Clock::System && scenario.steps.iter().any(passes) {
            return Some("not presented (clock not settable)".to_owned());
        }
        None
    }

    /// Plays a scenario and shows each token; `number` keeps tokens fresh.
    ///
    /// # Errors
    /// Where the scenario cannot be played in these worlds.
    pub fn examine(&mut self, scenario: &Scenario, number: u64) -> Result<Vec<Case>, Error> {
        let bench = self.bench(&scenario.world)?;
        let forge = &bench.forge;
        let lead = scenario.as_led().map(|(lead, _)| lead);
        let door = scenario
            .as_led()
            .map(|(lead, one)| ((scenario.world.clone(), one.to.clone(), scenario.key_source), lead_name(lead)));
        // The order in which the policy stands, or will stand, with the instance that gets the first token.
        let standing = door.as_ref().and_then(|door| self.doors.get(door));
        let order = standing.map_or(self.configures, |kept| kept.order);
        let moves = forge.play_as_sent(scenario, number, Some(order))?;
        let mut own: BTreeMap<String, Instance> = BTreeMap::new();
        let mut told: BTreeMap<String, Vec<(NumericDate, Arc<TrustPolicy>)>> = BTreeMap::new();
        let mut cases = Vec::new();
        let unfit = self.unfit(scenario);
        // What hangs before the first token is shown is laid at that token's door.
        *lock(&self.in_hand) =
            if lead.is_some() { None } else { first_case(forge, scenario, &moves, order).map(Arc::new) };
        for happening in moves {
            match happening {
                Move::Trust { party, policy, at } => {
                    if unfit.is_none() && lead.is_none() {
                        let order = self.next_order();
                        let instance = self.told(own.remove(&party), &policy, order);
                        own.insert(party.clone(), instance);
                    }
                    told.entry(party).or_default().push((at, policy));
                }
                Move::Present(presented) => {
                    let history = told.get(&presented.party).map_or(&[][..], Vec::as_slice);
                    let told: Vec<Told<'_>> = history.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
                    let site = (scenario.world.clone(), presented.party.clone(), scenario.key_source);
                    let case = Arc::new(blank(forge, &site, &presented, &told, order));
                    *lock(&self.in_hand) = Some(Arc::clone(&case));
                    let mut seen = if let Some(reason) = &unfit {
                        Seen::Skipped(reason.clone())
                    } else if self.too_close(&presented, &told, &case.expectation) {
                        Seen::Skipped("not presented (clock not settable)".to_owned())
                    } else {
                        let instance = match &door {
                            Some(door) => self.take_door(door, &told),
                            None => own.remove(&presented.party),
                        };
                        let (seen, instance) = self.show(instance, &case, &presented, &told);
                        match (instance, &door, lead) {
                            (Some(instance), Some(door), Some(lead)) => self.keep(door.clone(), lead, order, instance),
                            (Some(instance), ..) => {
                                own.insert(presented.party.clone(), instance);
                            }
                            (None, ..) => {}
                        }
                        seen
                    };
                    self.seek_twin(&mut seen, &case, scenario, &presented, &told, number);
                    if lead.is_some() {
                        lock(&self.in_hand).take();
                    }
                    let mut case = Arc::unwrap_or_clone(case);
                    case.seen = seen;
                    cases.push(case);
                }
            }
        }
        self.late.retain(|(token, fault)| match cases.iter_mut().find(|case| case.token == *token) {
            Some(case) if case.wrong().is_none() => {
                case.seen = Seen::of(fault.clone());
                false
            }
            known => known.is_none(),
        });
        Ok(cases)
    }

    /// The instance that is kept there, or a new one that is told all that was told so far.
    fn take_door(&mut self, door: &Door, told: &[Told<'_>]) -> Option<Instance> {
        if let Some(kept) = self.doors.remove(door) {
            return Some(kept.instance);
        }
        let place = Place::Door(door.clone());
        if let Some(prepared) = self.prepared.take(&place) {
            self.configures += told.len() as u64;
            return Some(prepared);
        }
        let mut instance = None;
        for told in told {
            let order = self.next_order();
            instance = Some(self.told(instance, told.policy, order));
        }
        self.place(instance.as_ref(), place);
        instance
    }

    /// In a rehearsal: where the instance is wanted.
    fn place(&mut self, instance: Option<&Instance>, place: Place) {
        if let (Some(rehearsal), Some(Instance::Planned(planned))) = (&mut self.rehearsal, instance) {
            rehearsal.placed(*planned, place);
        }
    }

    /// In which order the next policy is handed over.
    fn next_order(&mut self) -> u64 {
        self.configures += 1;
        self.configures - 1
    }

    fn keep(&mut self, door: Door, lead: &[Step], order: u64, instance: Instance) {
        let changed = |door: &Door| !door.1.is_empty();
        if changed(&door) && self.doors.keys().filter(|door| changed(door)).count() >= MAX_CHANGED {
            self.doors.retain(|door, _| !changed(door));
        }
        self.doors.insert(door, Kept { lead: lead.to_vec(), order, instance });
    }

    fn show(
        &mut self,
        instance: Option<Instance>,
        case: &Case,
        presented: &Presentation,
        told: &[Told<'_>],
    ) -> (Seen, Option<Instance>) {
        let mut held = match instance {
            Some(Instance::Ready(held)) => held,
            Some(Instance::Skipped(reason)) => return (Seen::Skipped(reason.clone()), Some(Instance::Skipped(reason))),
            Some(Instance::Broken(fault)) => return (Seen::of(fault.clone()), Some(Instance::Broken(fault))),
            Some(Instance::Planned(planned)) => {
                if let Some(rehearsal) = &mut self.rehearsal {
                    rehearsal.asked(planned, &presented.token, presented.at);
                }
                return (foreseen(case), Some(Instance::Planned(planned)));
            }
            None => return (Seen::Skipped("no policy was handed over".to_owned()), None),
        };
        if let Some(reason) = held.validator().and_then(|validator| validator.cannot_carry(&presented.token)) {
            return (Seen::Skipped(tame(&reason, MAX_ANSWER)), Some(Instance::Ready(held)));
        }
        let (verdict, held) = self.ask(held, &presented.token, presented.at);
        let policy = told.last().map(|told| told.policy);
        let seen = match verdict {
            Ok(_) if self.too_close(presented, told, &case.expectation) => Seen::Skipped(TOO_LATE.to_owned()),
            Err(fault) => Seen::of(fault),
            Ok(verdict) => match policy.and_then(|policy| self.leaks.in_answer(policy, &verdict)) {
                Some(answer) => Seen::Wrong { kind: Kind::Leak, answer, twin: None },
                None => self.judge(case, policy, &presented.provenance, &verdict),
            },
        };
        (seen, held.map(Instance::Ready))
    }

    fn judge(&self, case: &Case, policy: Option<&TrustPolicy>, provenance: &Provenance, verdict: &Verdict) -> Seen {
        let wrong = |kind, answer: String| Seen::Wrong { kind, answer, twin: None };
        let expectation = &case.expectation;
        match verdict {
            Verdict::Skip(reason) => {
                if self.lacks_algorithm(policy, provenance).is_some() {
                    Seen::Skipped(tame(reason, MAX_ANSWER))
                } else {
                    let reason = tame(reason, MAX_ANSWER);
                    Seen::Fault(Fault::Broken(format!("it skipped a token that it said it can judge: {reason}")))
                }
            }
            Verdict::Reject(reason) => {
                // Not everybody can say that it skips.
                if let Some(alg) = self.lacks_algorithm(policy, provenance) {
                    return Seen::Skipped(format!("{alg} is not among its algorithms"));
                }
                match (expectation.acceptable().is_some(), expectation.rejectable()) {
                    (false, _) => Seen::Rejected(Evidence::NoTwin),
                    (true, true) => Seen::Open { accepted: false },
                    (true, false) => wrong(Kind::FalseReject, format!("reject: {}", tame(reason, MAX_ANSWER))),
                }
            }
            Verdict::Accept { identity, key } => {
                let Some(signed) = expectation.acceptable() else {
                    return wrong(Kind::FalseAccept, describe_accept(verdict));
                };
                if let Some(key) = key
                    && signed.key.as_ref().map(Material::thumbprint).as_ref() != Some(key)
                {
                    return wrong(Kind::WrongIdentity, format!("accept, relying on key {}", tame(key, MAX_ANSWER)));
                }
                if let Some(identity) = identity {
                    let tenant = identity.tenant.is_none() || identity.tenant == signed.tenant;
                    let issuer = !self.description.says_issuer || identity.iss == signed.iss;
                    let audience = identity.audience.as_ref().is_none_or(|said| signed.is_for(said));
                    if !issuer || identity.sub != signed.sub || !tenant || !audience {
                        return wrong(Kind::WrongIdentity, describe_accept(verdict));
                    }
                }
                if expectation.unspecified() {
                    Seen::Open { accepted: true }
                } else {
                    Seen::Accepted { identified: identity.is_some() }
                }
            }
        }
    }

    /// The token's algorithm, where the claimed issuer's policy allows it and the validator did not say it has it: only then
    /// may a token be skipped.
    fn lacks_algorithm<'p>(&self, policy: Option<&TrustPolicy>, provenance: &'p Provenance) -> Option<&'p str> {
        let Presented::Jws(jws) = &provenance.presented else { return None };
        let (header, payload) = (jws.header.members()?, jws.payload.members()?);
        let alg = last(header, "alg").and_then(Json::as_str)?;
        let iss = last(payload, "iss").and_then(Json::as_str);
        let policy = policy?;
        let issuer = policy.issuer_named(iss?)?;
        // An issuer's own list narrows the one for all.
        let mut lists = [&policy.algorithms, &issuer.algorithms].into_iter().flatten();
        let allowed = lists.all(|list| list.iter().any(|name| name == alg));
        (allowed && !self.description.algorithms.contains(alg)).then_some(alg)
    }

    /// Whether what is lawful changes between the making of a token and now, or near to either, where a validator reads the
    /// machine's clock.
    fn too_close(&self, presented: &Presentation, told: &[Told<'_>], now: &Expectation) -> bool {
        if self.description.clock == Clock::Settable {
            return false;
        }
        let leeway = i64::try_from(self.description.leeway).unwrap_or(i64::MAX / 4);
        let behind = CLOCK_MARGIN.saturating_add(leeway);
        // What is asked now may be answered a little later; what has been asked was answered at some moment until now.
        let soon = if self.asks_ahead() { CLOCK_DRIFT } else { self.drift() };
        let ahead = behind.saturating_add((clock::now().0 - self.calendar.now().0).max(soon));
        if now.steady_for() > ahead.unsigned_abs() {
            return false;
        }
        let at = |offset: i64| expect(told, &presented.provenance, presented.at.plus(offset));
        !at(-behind).answers_like(&at(ahead))
    }
}

/// A case before anything was seen.
fn blank(forge: &Forge, site: &SiteId, presented: &Presentation, told: &[Told<'_>], order: u64) -> Case {
    let expectation = expect(told, &presented.provenance, presented.at);
    let policy = told.last().map(|told| told.policy);
    let (relation, signer, claimed) = parties(forge.world(), policy, &presented.provenance);
    Case {
        step: presented.step,
        site: site.clone(),
        expectation,
        seen: Seen::Skipped(String::new()),
        tempts: tempted(policy, &presented.provenance),
        relation,
        signer,
        claimed,
        token: presented.token.clone(),
        at: presented.at,
        order,
    }
}

/// The case of the first token of a scenario, before anything was seen.
fn first_case(forge: &Forge, scenario: &Scenario, moves: &[Move], order: u64) -> Option<Case> {
    let presented = moves.iter().find_map(|happening| match happening {
        Move::Present(presented) => Some(presented),
        Move::Trust { .. } => None,
    })?;
    let policy = moves.iter().find_map(|happening| match happening {
        Move::Trust { party, policy, at } if *party == presented.party => Some((*at, policy)),
        _ => None,
    });
    let told: Vec<Told<'_>> = policy.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
    let site = (scenario.world.clone(), presented.party.clone(), scenario.key_source);
    Some(blank(forge, &site, presented, &told, order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Token;
    use crate::validator::{Configured, Validator, flawed};
    use crate::world::DEFAULT_SEED;
    use std::time::Duration;

    #[test]
    fn what_ends_while_it_may_be_shown_is_not_shown_to_whoever_reads_the_machines_clock() {
        let worlds = [World::shipped("two-issuers", DEFAULT_SEED).unwrap()];
        let maker = flawed::maker(None);
        let description = Description { clock: Clock::System, ..maker().describe() };
        let ending = |seconds: i64, seeks: Seeks| {
            let mut examiner =
                Examiner::new(Arc::clone(&maker), description.clone(), &worlds, clock::now(), Pulse::new());
            examiner.seek(seeks);
            let scenario = format!(
                r#"{{"scenario":1,"world":"two-issuers","party":"api","honest":{{"issuer":"a"}},
                    "acts":[{{"set-claim":{{"name":"exp","value":"+{seconds}s"}}}}]}}"#
            );
            let scenario = Scenario::from_json(scenario.as_bytes()).unwrap();
            let mut cases = examiner.examine(&scenario, 0).unwrap();
            cases.pop().map(|case| matches!(case.seen, Seen::Skipped(_)))
        };
        assert_eq!([8, 300, 900].map(|seconds| ending(seconds, Seeks::All)), [Some(true), Some(false), Some(false)]);
        assert_eq!([8, 300, 900].map(|seconds| ending(seconds, Seeks::Alone)), [Some(true), Some(true), Some(false)]);
    }

    /// Takes its time and then accepts anything.
    struct Slow;

    impl Validator for Slow {
        fn describe(&self) -> Description {
            Description::new("slow", "1", Clock::System)
        }

        fn configure(&mut self, _: &TrustPolicy) -> Result<Configured, Fault> {
            Ok(Configured::Ready)
        }

        fn validate(&mut self, _: &Token, _: NumericDate) -> Result<Verdict, Fault> {
            std::thread::sleep(Duration::from_secs(7));
            Ok(Verdict::Accept { identity: None, key: None })
        }
    }

    #[test]
    fn an_answer_that_came_after_the_moment_at_which_it_changes_is_not_judged() {
        let worlds = [World::shipped("two-issuers", DEFAULT_SEED).unwrap()];
        let maker: Maker = Arc::new(|| Box::new(Slow));
        let seen = |name: &str, seconds: i64| {
            let mut examiner = Examiner::new(Arc::clone(&maker), Slow.describe(), &worlds, clock::now(), Pulse::new());
            examiner.seek(Seeks::Nothing);
            let scenario = format!(
                r#"{{"scenario":1,"world":"two-issuers","party":"api","honest":{{"issuer":"a"}},
                    "acts":[{{"set-claim":{{"name":"{name}","value":"+{seconds}s"}}}}]}}"#
            );
            let scenario = Scenario::from_json(scenario.as_bytes()).unwrap();
            examiner.examine(&scenario, 0).unwrap().pop().unwrap().seen
        };
        std::thread::scope(|scope| {
            let seen = &seen;
            let shown = [("exp", 17), ("nbf", 17), ("exp", 900), ("nbf", 900)];
            let shown = shown.map(|(name, seconds)| scope.spawn(move || seen(name, seconds)));
            let [ended, began, ends, begins] = shown.map(|shown| shown.join().unwrap());
            for late in [ended, began] {
                assert!(matches!(&late, Seen::Skipped(why) if why == TOO_LATE), "{late:?}");
            }
            assert!(matches!(ends, Seen::Accepted { .. }), "{ends:?}");
            assert!(matches!(begins, Seen::Wrong { kind: Kind::FalseAccept, .. }), "{begins:?}");
        });
    }
}
