//! One class of the catalogue at a time, so that each can be a `#[test]` of its own.

use super::{Verdict, verdict};
use crate::campaign::{ClassTally, Outcome, Plan, Progress, Selection, Stream, run};
use crate::clock;
use crate::config::Config;
use crate::generate::{self, Class, Site};
use crate::jose::NumericDate;
use crate::judgement;
use crate::policy::KeySource;
use crate::rule::Severity;
use crate::validator::{Maker, Validator};
use crate::world::{DEFAULT_SEED, World};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The shipped worlds, shared by all classes of a process: what was signed for one need not be signed again.
static WORLDS: LazyLock<Vec<Arc<World>>> =
    LazyLock::new(|| World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect());

/// The shipped worlds, made once in a process: what was signed in them once need not be signed again.
#[must_use]
pub fn shipped_worlds() -> Vec<Arc<World>> {
    WORLDS.clone()
}

/// One time for all of them, so that the honest tokens are the same.
static NOW: LazyLock<NumericDate> = LazyLock::new(clock::now);

/// Judges a validator by one class of the catalogue, wherever in the shipped worlds it can be tried, and panics with a readable
/// account of what is wrong: findings, honest tokens of the same relying parties that are refused, or that the class showed
/// nothing because the lawful twin of every token was refused too. [`class_tests!`](crate::class_tests) makes a `#[test]` of
/// each class.
///
/// A class that the validator cannot be tried by passes, and says so on standard error, past the capture of `cargo test`; so
/// does one of which findings are waived. Waivers stand in `wrongkey.toml` in the package's folder or above it. Whether one of
/// them excuses nothing any more only [`check`](super::check) can tell, since it takes the whole catalogue.
///
/// # Panics
/// Where the validator fails, and where there is no class of that id.
pub fn check_class(id: &str, make: impl Fn() -> Box<dyn Validator> + Send + Sync + 'static) {
    let config = Config::find(None, &std::env::current_dir().unwrap_or_else(|_| Path::new(".").to_owned()));
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let judged = judge_class(id, &(Arc::new(make) as Maker), &config);
    assert!(judged.verdict.is_clean(), "{id}: {}\n{}", judged.class.title, judged.verdict);
    // `eprintln!` would be captured, and nobody would see what was not tried.
    if let Some(note) = judged.note() {
        let _ = writeln!(std::io::stderr(), "{note}");
    }
}

/// What one class showed of a validator.
#[derive(Debug)]
pub struct JudgedClass {
    /// The class.
    pub class: &'static Class,
    /// What was found, and what was not shown.
    pub verdict: Verdict,
    /// How its tokens fared.
    pub tally: ClassTally,
}

impl JudgedClass {
    /// What a person should know although nothing is wrong: tokens that were not shown, and what is waived.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let id = self.class.id;
        let mut reasons: Vec<_> = self.tally.skipped.keys().map(String::as_str).collect();
        if reasons.is_empty() {
            reasons.push("its keys would have to be fetched, and only `wrongkey test` serves them");
        }
        let waived: BTreeSet<_> = self.verdict.waived.iter().map(|(_, reason)| reason.as_str()).collect();
        if self.tally.presented == 0 {
            return Some(format!("{id} not tried: {}", reasons.join("; ")));
        }
        (!waived.is_empty())
            .then(|| format!("{id} waived: {}", waived.into_iter().map(str::trim).collect::<Vec<_>>().join("; ")))
    }
}

/// Judges a validator by one class of the catalogue wherever in the shipped worlds it can be tried, with these waivers.
///
/// # Panics
/// Where there is no class of that id, and where no validator can be made.
#[must_use]
pub fn judge_class(id: &str, maker: &Maker, config: &Config) -> JudgedClass {
    let class = generate::class(id);
    let class = class.unwrap_or_else(|| panic!("there is no class `{id}`: `wrongkey list classes` names them all"));
    let sites: Vec<Site<'_>> = WORLDS.iter().flat_map(|world| Site::all(world)).collect();
    let sites: Vec<_> = sites.into_iter().filter(|site| !class.scenarios(site).is_empty()).collect();
    let within = |world: &&Arc<World>| sites.iter().any(|site| site.world.name == world.name);
    let worlds: Vec<Arc<World>> = WORLDS.iter().filter(within).cloned().collect();
    let key_sources: BTreeSet<KeySource> = sites.iter().map(|site| site.key_source).collect();
    let parties: BTreeSet<&String> = sites.iter().map(|site| &site.party.alias).collect();
    let selection = Selection {
        parties: parties.into_iter().cloned().collect(),
        key_sources: key_sources.into_iter().collect(),
        classes: Arc::new(move |one| one.id == class.id),
    };
    let outcome = campaign(&worlds, &selection, maker);
    let tally = outcome.tally.classes.get(id).cloned().unwrap_or_default();
    let mut judged = judgement::judge(&outcome, config, Severity::Low, *NOW);
    // For the rules that its tokens break other classes give evidence too; what this one can be blamed for is this.
    judged.inconclusive = refused_honest(&outcome);
    let without_evidence = outcome.tally.classes_without_evidence().into_iter().filter(|(class, _)| *class == id);
    let waived = config.waivers.iter().any(|waiver| waiver.excuses_class(&outcome.description.name, id, *NOW));
    if !waived {
        judged.inconclusive.extend(without_evidence.map(|(id, counts)| judgement::class_without_evidence(id, counts)));
    }
    JudgedClass { class, verdict: verdict(outcome, judged, config, Vec::new()), tally }
}

/// Honest tokens that were not accepted: then what was rejected shows nothing.
fn refused_honest(outcome: &Outcome) -> Vec<String> {
    let closed = outcome.tally.closed_badly.iter();
    let closed = closed.map(|(site, why)| judgement::closed_badly(site, why));
    judgement::refused_at_the_start(&outcome.tally).into_iter().chain(closed).collect()
}

/// Shows a validator the honest tokens of every relying party in the shipped worlds, and panics where one that it does not
/// skip is refused, or none is accepted. Among the tests that [`class_tests!`](crate::class_tests) makes this one tells a
/// validator that passes from one that skips everything.
///
/// # Panics
/// Where the validator fails.
pub fn check_honest(make: impl Fn() -> Box<dyn Validator> + Send + Sync + 'static) {
    let selection = Selection { classes: Arc::new(|_| false), ..Selection::default() };
    let outcome = campaign(&WORLDS, &selection, &(Arc::new(make) as Maker));
    let mut refused = refused_honest(&outcome);
    if outcome.tally.baseline_accepted == 0 && refused.is_empty() {
        let reasons: BTreeSet<_> = outcome.tally.sites_skipped.values().map(String::as_str).collect();
        let reasons: Vec<_> = reasons.into_iter().collect();
        refused.push(format!("no honest token was judged: {}", reasons.join("; ")));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

fn campaign(worlds: &[Arc<World>], selection: &Selection, maker: &Maker) -> Outcome {
    let plan = Plan {
        stream: Arc::new(Stream::new(worlds, selection, Vec::new(), 0, 0)),
        worlds: worlds.to_vec(),
        now: *NOW,
        jobs: 1,
        timeout: Duration::from_secs(5),
        max_findings: 20,
    };
    run(&plan, maker, &Arc::new(Progress::default()), &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}
