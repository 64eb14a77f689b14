//! `wrongkey test` and `wrongkey hunt`.

use super::args::{Format, HuntArgs, RunArgs, Source, TIMEOUT, TestArgs};
use super::choice::{select, take_what_they_take};
use super::configured::{Names, configuration};
use super::endpoint::{only_site, worlds_of};
use super::fetch::{fetches, let_fetch, serve_below, serve_to};
use super::processes::{check_parties, conformance};
use super::store::{Store, check_report, write};
use super::stored::replays;
use super::validators::{Named, built_in, length, time};
use crate::campaign::{self, Limits, Outcome, Phase, Plan, Progress, Selection, Stream};
use crate::clock;
use crate::error::Error;
use crate::finding::Relation;
use crate::generate::{EXHAUSTIVE_WORLDS, Exhaustive, Site};
use crate::judgement::{Exit, judge, shows_cross_issuer, stale};
use crate::report::{Control, Judged, Run, json, text};
use crate::rule::Rule;
use crate::scenario::Scenario;
use crate::validator::program::end_all;
use crate::validator::recipe::recipes;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The recipe whose mistake every run without names must find.
const CONTROL: &str = "jsonwebtoken-pooled";

/// What follows the catalogue.
enum Search {
    /// The exhaustive core, where it is wanted, and so many random scenarios.
    Bounded { exhaustive: bool, random: u32 },
    /// Random and guided ones, for so long in all and at most so many of each validator.
    Hunt(Option<Duration>, Option<u64>),
}

pub(super) fn test(args: &TestArgs) -> Result<Exit, Error> {
    judged(&args.run, &Search::Bounded { exhaustive: args.exhaustive, random: args.random })
}

pub(super) fn hunt(args: &HuntArgs) -> Result<Exit, Error> {
    judged(&args.run, &Search::Hunt(args.length, args.scenarios))
}

fn judged(args: &RunArgs, search: &Search) -> Result<Exit, Error> {
    // Before anything is started that would have to be ended.
    let (progress, begun) = (Arc::new(Progress::default()), Arc::new(AtomicBool::new(false)));
    stop_on_interrupt(&progress, &begun)?;
    let ended = judged_until_stopped(args, search, &progress, &begun);
    // What is ended by an interrupt has not failed.
    let interrupted = progress.stop.load(Ordering::Acquire) && !begun.load(Ordering::Acquire);
    if interrupted { Ok(Exit::Interrupted) } else { ended }
}

fn judged_until_stopped(
    args: &RunArgs,
    search: &Search,
    progress: &Arc<Progress>,
    real: &AtomicBool,
) -> Result<Exit, Error> {
    let config = configuration(args.config.as_deref())?;
    let names = Names::of(&config, args.config.as_deref())?;
    let args = &scoped(args, &names)?;
    let at_endpoint = args.endpoint.url.is_some() || args.names.iter().any(|name| names.is_endpoint(name));
    let mut worlds = worlds_of(at_endpoint, &args.world)?;
    for path in &args.reports {
        check_report(path)?;
    }
    let mut store = Store::check(&args.out, world_files(args, &worlds))?;
    let (control, mut subjects) = subjects(args, &names)?;
    subjects.extend(args.process.validators(args.timeout, false)?);
    let_fetch(&mut worlds, args.key_sources.contains(&Source::Fetched) || subjects.iter().any(fetches));
    let mut selection = select(args, &worlds)?;
    take_what_they_take(&mut selection, subjects.iter().chain(&control), &worlds);
    for name in args.names.iter().filter(|name| names.is_endpoint(name)) {
        if subjects.iter().all(|subject| subject.name != *name) {
            subjects.push(names.endpoint(name, args.timeout, || only_site(&mut selection, &worlds))?);
        }
    }
    let endpoint = args.endpoint.validator(|| only_site(&mut selection, &worlds), args.timeout, clock::now())?;
    subjects.extend(endpoint);
    check_parties(&subjects, &args.parties, &worlds)?;
    if let Some(twice) =
        subjects.iter().enumerate().find_map(|(at, one)| subjects[..at].iter().find(|known| known.name == one.name))
    {
        return Err(Error::Usage(format!("two validators are called `{}`: judge them one by one", twice.name)));
    }
    let now = time(&args.world, subjects.iter().chain(&control))?;
    serve_to(&mut subjects, &worlds, now);
    let unsigned = unsigned(&selection.sites(&worlds));
    let (mut replays, stored) = replays(args, &config, &worlds, &selection, now)?;
    replays.extend(conformance(&subjects, &worlds, &selection, now)?);
    let (core, random) = match search {
        Search::Bounded { exhaustive: true, random } => (exhaustive(args, &worlds, &selection), *random),
        Search::Bounded { random, .. } => (Exhaustive::default(), *random),
        Search::Hunt(..) => (Exhaustive::default(), 0),
    };
    let stream = Stream::new(&worlds, &selection, replays, random as usize, args.seed).with_exhaustive(core);
    let stream = Arc::new(stream);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let plan = Plan {
        worlds: worlds.clone(),
        stream,
        now,
        jobs: args.jobs.map_or(cores, usize::from),
        timeout: args.timeout.unwrap_or(TIMEOUT),
        max_findings: args.max_findings,
    };
    if let Some(timeout) = args.timeout {
        let flags = format!("--timeout {}", length(timeout));
        subjects.iter_mut().for_each(|subject| subject.again_with(&flags));
    }
    let _served = serve_below(&args.world, &args.issuers, &mut subjects, &worlds, now)?;
    for ready in subjects.iter().filter_map(|subject| subject.ready.as_ref()) {
        ready()?;
    }
    // From here on the run is real; everything before this line only looked.
    store.begin()?;
    real.store(true, Ordering::Release);
    let control = match control {
        None => None,
        Some(control) => Some(judge_control(&plan, &control, progress, args, &mut store)?),
    };
    let mut validators: Vec<Judged> = Vec::new();
    let begun = clock::instant();
    for (number, subject) in subjects.iter().enumerate() {
        if progress.stop.load(Ordering::Acquire) {
            break;
        }
        let mut outcome = match search {
            Search::Bounded { .. } => campaign_of(&plan, subject, progress, args)?,
            Search::Hunt(length, scenarios) => {
                // Who comes later gets what those before have left.
                let until = length.map(|length| share(begun + length, subjects.len() - number));
                let limits = Limits { until, scenarios: *scenarios };
                let leads = validators.iter().flat_map(|judged| &judged.outcome.findings);
                let leads = leads.map(|finding| Arc::new(finding.scenario.clone())).collect();
                hunt_of(&plan, subject, &limits, leads, progress, args, &mut store)?
            }
        };
        store.keep(&mut outcome.findings, subject);
        let judgement = judge(&outcome, &config, args.fail_on.into(), now);
        validators.push(Judged { outcome, judgement });
    }
    let stale_waivers = {
        let pairs: Vec<_> = validators.iter().map(|judged| (&judged.outcome, &judged.judgement)).collect();
        stale(&config, &pairs)
    };
    let mut exits: Vec<Exit> = validators.iter().flat_map(|judged| judged.judgement.exits.iter().copied()).collect();
    if !stale_waivers.is_empty() {
        exits.push(Exit::StaleWaiver);
    }
    if progress.stop.load(Ordering::Acquire) {
        exits.push(Exit::Interrupted);
    } else if control.as_ref().is_some_and(|control| control.found.is_none() && control.tried) {
        exits.push(Exit::Inconclusive);
    }
    let exit = Exit::worst(exits);
    let run = Run {
        now,
        seed: args.seed,
        worlds,
        exhaustive: plan.stream.exhaustive().clone(),
        unsigned,
        stored,
        config,
        control,
        validators,
        stale_waivers,
        exit,
        forgiven: args.exit_zero && exit != Exit::Interrupted,
        out: store.folder(),
    };
    let document = json::render(&run);
    match args.format {
        Format::Json => super::print(&document),
        Format::Text => super::print(&text::render(&run, args.verbose, args.quiet)),
    }
    // What cannot be written is said last, when everything else has been.
    let failures = args.reports.iter().filter_map(|path| write(path, &document).err());
    let failures: Vec<Error> = store.into_failure().into_iter().chain(failures).collect();
    for failure in &failures {
        super::complain(failure);
    }
    Ok(match (failures.is_empty(), run.forgiven) {
        (false, _) => Exit::Usage,
        (true, true) => Exit::Clean,
        (true, false) => exit,
    })
}

/// What was asked for, with what the configuration says of the validators that are named.
fn scoped(args: &RunArgs, names: &Names<'_>) -> Result<RunArgs, Error> {
    let mut args = args.clone();
    names.scope(&args.names, &mut args.world.worlds, &mut args.parties)?;
    Ok(args)
}

/// The files of those worlds that are not shipped, by the worlds' names.
fn world_files(args: &RunArgs, worlds: &[Arc<World>]) -> BTreeMap<String, PathBuf> {
    let named = args.world.worlds.iter().zip(worlds);
    let own = named.filter(|(name, _)| !World::shipped_names().any(|shipped| shipped == *name));
    own.map(|(file, world)| (world.name.clone(), PathBuf::from(file))).collect()
}

/// Issuers in whose name nobody here can sign: no honest token of theirs can be shown, at most forged ones.
fn unsigned(sites: &[Site<'_>]) -> BTreeSet<(String, String)> {
    let mut unsigned = BTreeSet::new();
    for site in sites {
        for trust in &site.party.issuers {
            if site.world.honest_keys(site.party, trust).next().is_none() {
                unsigned.insert((site.world.name.clone(), trust.alias.clone()));
            }
        }
    }
    unsigned
}

/// The exhaustive core of the worlds that were named, or else of those that it is made for.
fn exhaustive(args: &RunArgs, worlds: &[Arc<World>], selection: &Selection) -> Exhaustive {
    let named = !args.world.worlds.is_empty();
    let taken = worlds.iter().filter(|world| named || EXHAUSTIVE_WORLDS.contains(&world.name.as_str()));
    Exhaustive::of(&taken.cloned().collect::<Vec<_>>(), |site| selection.takes(&site.party.alias, site.key_source))
}

/// The sensitivity control, where no validator is named, and the validators, but for endpoints.
fn subjects(args: &RunArgs, names: &Names<'_>) -> Result<(Option<Named>, Vec<Named>), Error> {
    if args.names.is_empty() && args.endpoint.url.is_none() && !args.process.any() {
        let sound = recipes().into_iter().filter(|recipe| recipe.sound);
        return Ok((built_in(CONTROL), sound.filter_map(|recipe| built_in(recipe.name)).collect()));
    }
    // One that is named twice is judged once.
    let first = args.names.iter().enumerate().filter(|(at, name)| !args.names[..*at].contains(name));
    let named = first.filter_map(|(_, name)| names.named(name, args.timeout, false).transpose());
    Ok((None, named.collect::<Result<_, _>>()?))
}

fn judge_control(
    plan: &Plan,
    control: &Named,
    progress: &Arc<Progress>,
    args: &RunArgs,
    store: &mut Store,
) -> Result<Control, Error> {
    let mut outcome = campaign_of(plan, control, progress, args)?;
    store.keep(&mut outcome.findings, control);
    let found = shows_cross_issuer(&outcome.findings).cloned();
    let baseline = (0..plan.stream.len()).take_while(|&i| plan.stream.nth(i).phase == Phase::Baseline).count();
    let after = outcome.first_cross_issuer.map(|index| index.saturating_sub(baseline) + 1);
    let tried = outcome.tally.alone.contains(&(Rule::KeyBelongsToIssuer, Relation::OtherTrusted));
    Ok(Control { outcome, found, after, tried })
}

fn campaign_of(plan: &Plan, subject: &Named, progress: &Arc<Progress>, args: &RunArgs) -> Result<Outcome, Error> {
    const SHOWN: &str = "{prefix} {wide_bar:.cyan/dim} {pos}/{len} {elapsed}";
    const PLAIN: &str = "{prefix} {wide_bar} {pos}/{len} {elapsed}";
    let coloured = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let shown = if coloured { SHOWN } else { PLAIN };
    let bar = bar(Some(plan.stream.len() as u64), shown, subject, progress, args);
    let outcome = campaign::run(plan, &subject.maker, progress, &mut || {
        bar.set_position(progress.done.load(Ordering::Relaxed) as u64);
    });
    bar.finish_and_clear();
    outcome
}

/// Searches, and keeps what is found as soon as it is: a search may last for days.
fn hunt_of(
    plan: &Plan,
    subject: &Named,
    limits: &Limits,
    leads: Vec<Arc<Scenario>>,
    progress: &Arc<Progress>,
    args: &RunArgs,
    store: &mut Store,
) -> Result<Outcome, Error> {
    const SHOWN: &str = "{prefix} {spinner} {human_pos} scenarios, {per_sec}, {msg}, {elapsed}";
    let bar = bar(None, SHOWN, subject, progress, args);
    let mut found = |mut findings: Vec<crate::finding::Finding>| store.keep(&mut findings, subject);
    let outcome = campaign::hunt(plan, &subject.maker, limits, leads, progress, &mut found, &mut || {
        bar.set_position(progress.done.load(Ordering::Relaxed) as u64);
        let found = progress.found.load(Ordering::Relaxed);
        bar.set_message(format!("{found} finding{}", if found == 1 { "" } else { "s" }));
    });
    bar.finish_and_clear();
    outcome
}

/// Progress, to a terminal and to nothing else.
fn bar(
    length: Option<u64>,
    shown: &str,
    subject: &Named,
    progress: &Progress,
    args: &RunArgs,
) -> indicatif::ProgressBar {
    progress.done.store(0, Ordering::Relaxed);
    progress.found.store(0, Ordering::Relaxed);
    if !super::on_terminal() || args.quiet {
        return indicatif::ProgressBar::hidden();
    }
    let bar = length.map_or_else(indicatif::ProgressBar::new_spinner, indicatif::ProgressBar::new);
    let bar = bar.with_prefix(subject.name.clone());
    indicatif::ProgressStyle::with_template(shown).map_or(bar.clone(), |style| bar.with_style(style))
}

/// When the first of so many has had its share of the time.
fn share(end: Instant, of: usize) -> Instant {
    let now = clock::instant();
    now + end.saturating_duration_since(now) / u32::try_from(of).unwrap_or(1).max(1)
}

fn stop_on_interrupt(progress: &Arc<Progress>, begun: &Arc<AtomicBool>) -> Result<(), Error> {
    let (progress, begun) = (Arc::clone(progress), Arc::clone(begun));
    let handler = move || {
        // Until the run has begun there is nothing to keep; the second time nobody wants to wait.
        if progress.stop.swap(true, Ordering::AcqRel) || !begun.load(Ordering::Acquire) {
            end_all();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Error::Usage(format!("interrupts cannot be caught: {error}")))
}
