//! `wrongkey test`.

use super::alike::hint;
use super::args::{Format, TestArgs};
use super::store::{Store, check_report, write};
use super::validators::{Named, named, time, worlds};
use crate::campaign::{self, Outcome, Phase, Plan, Progress, Selection, Stream};
use crate::error::Error;
use crate::generate::{Class, Site, classes};
use crate::judgement::{Exit, judge, shows_cross_issuer, stale};
use crate::policy::KeySource;
use crate::report::{Control, Judged, Run, json, text};
use crate::rule::Rule;
use crate::waiver::Config;
use crate::world::World;
use globset::{Glob, GlobMatcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Recipes judged when none is named.
const DEFAULTS: [&str; 1] = ["jsonwebtoken"];
/// The recipe whose mistake every run without names must find.
const CONTROL: &str = "jsonwebtoken-pooled";

pub(super) fn test(args: &TestArgs) -> Result<Exit, Error> {
    let config = Config::find(args.config.as_deref(), &current_folder()?)?;
    let worlds = worlds(&args.world, None)?;
    let selection = select(args, &worlds)?;
    let (control, subjects) = subjects(args)?;
    let now = time(&args.world, subjects.iter().chain(&control))?;
    for path in &args.reports {
        check_report(path)?;
    }
    let unsigned = unsigned(&selection.sites(&worlds));
    let mut store = Store::check(&args.out, world_files(args, &worlds))?;
    let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), args.random as usize, args.seed));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let plan = Plan {
        worlds: worlds.clone(),
        stream,
        now,
        jobs: args.jobs.map_or(cores, usize::from),
        timeout: args.timeout,
        max_findings: args.max_findings,
    };
    let progress = Arc::new(Progress::default());
    stop_on_interrupt(&progress)?;
    // From here on the run is real; everything before this line only looked.
    store.begin()?;
    let control = match control {
        None => None,
        Some(control) => Some(judge_control(&plan, &control, &progress, args, &mut store)?),
    };
    let mut validators = Vec::new();
    for subject in &subjects {
        if progress.stop.load(Ordering::Acquire) {
            break;
        }
        let mut outcome = campaign_of(&plan, subject, &progress, args)?;
        store.keep(&mut outcome.findings);
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
        unsigned,
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

/// The files of those worlds that are not shipped, by the worlds' names.
fn world_files(args: &TestArgs, worlds: &[Arc<World>]) -> BTreeMap<String, PathBuf> {
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

/// Which part of the worlds and classes was asked for.
fn select(args: &TestArgs, worlds: &[Arc<World>]) -> Result<Selection, Error> {
    let all: Vec<&str> = worlds.iter().flat_map(|world| &world.parties).map(|party| party.alias.as_str()).collect();
    if let Some(party) = args.parties.iter().find(|party| !all.contains(&party.as_str())) {
        let hint = hint(party, all.iter().copied());
        let names = all.join(", ");
        return Err(Error::Usage(format!("--party: no chosen world has `{party}`: they have {names}{hint}")));
    }
    let selection = Selection {
        parties: args.parties.clone(),
        key_sources: args.key_sources.iter().map(|&source| KeySource::from(source)).collect(),
        classes: chosen_classes(&args.only, &args.skip)?,
    };
    if selection.sites(worlds).is_empty() {
        let asked: Vec<_> = selection.key_sources.iter().map(|source| source.name()).collect();
        return Err(Error::Usage(format!(
            "--key-source: no chosen relying party takes keys from `{}`: choose another source, party or world",
            asked.join("`, `")
        )));
    }
    Ok(selection)
}

/// The sensitivity control, where no validator is named, and the validators.
fn subjects(args: &TestArgs) -> Result<(Option<Named>, Vec<Named>), Error> {
    if args.names.is_empty() {
        let subjects = DEFAULTS.iter().map(|name| named(name)).collect::<Result<_, _>>()?;
        return Ok((Some(named(CONTROL)?), subjects));
    }
    // One that is named twice is judged once.
    let first = args.names.iter().enumerate().filter(|(at, name)| !args.names[..*at].contains(name));
    Ok((None, first.map(|(_, name)| named(name)).collect::<Result<_, _>>()?))
}

fn judge_control(
    plan: &Plan,
    control: &Named,
    progress: &Arc<Progress>,
    args: &TestArgs,
    store: &mut Store,
) -> Result<Control, Error> {
    let mut outcome = campaign_of(plan, control, progress, args)?;
    store.keep(&mut outcome.findings);
    let found = shows_cross_issuer(&outcome.findings).cloned();
    let baseline = (0..plan.stream.len()).take_while(|&i| plan.stream.nth(i).phase == Phase::Baseline).count();
    let after = outcome.first_cross_issuer.map(|index| index.saturating_sub(baseline) + 1);
    let tried = outcome.tally.rules.get(&Rule::KeyBelongsToIssuer).is_some_and(|tally| tally.alone > 0);
    Ok(Control { outcome, found, after, tried })
}

fn campaign_of(plan: &Plan, subject: &Named, progress: &Arc<Progress>, args: &TestArgs) -> Result<Outcome, Error> {
    progress.done.store(0, Ordering::Relaxed);
    let bar = if super::on_terminal() && !args.quiet {
        let style = indicatif::ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {pos}/{len} {elapsed}");
        let bar = indicatif::ProgressBar::new(plan.stream.len() as u64).with_prefix(subject.name.clone());
        style.map_or(bar.clone(), |style| bar.with_style(style))
    } else {
        indicatif::ProgressBar::hidden()
    };
    let outcome = campaign::run(plan, &subject.maker, progress, &mut || {
        bar.set_position(progress.done.load(Ordering::Relaxed) as u64);
    });
    bar.finish_and_clear();
    outcome
}

/// Whether a class was asked for.
type Chosen = Arc<dyn Fn(&Class) -> bool + Send + Sync>;

fn chosen_classes(only: &[String], skip: &[String]) -> Result<Chosen, Error> {
    let matchers = |flag: &str, globs: &[String]| -> Result<Vec<GlobMatcher>, Error> {
        let compile = |text: &String| {
            let glob = Glob::new(text).map_err(|error| Error::Usage(format!("{flag}: {error}")))?.compile_matcher();
            if classes().iter().any(|class| names(&glob, class)) {
                return Ok(glob);
            }
            let known = Rule::ALL.iter().map(|rule| rule.name()).chain(classes().iter().map(|class| class.id));
            let hint = hint(text, known);
            Err(Error::Usage(format!(
                "{flag}: {text:?} matches no rule and no class: see `wrongkey list rules` and `wrongkey list classes`{hint}"
            )))
        };
        globs.iter().map(compile).collect()
    };
    let (only, skip) = (matchers("--only", only)?, matchers("--skip", skip)?);
    Ok(Arc::new(move |class: &Class| {
        (only.is_empty() || only.iter().any(|glob| names(glob, class))) && !skip.iter().any(|glob| names(glob, class))
    }))
}

fn names(glob: &GlobMatcher, class: &Class) -> bool {
    glob.is_match(class.id) || class.aims.is_some_and(|rule| glob.is_match(rule.name()))
}

fn stop_on_interrupt(progress: &Arc<Progress>) -> Result<(), Error> {
    let progress = Arc::clone(progress);
    let handler = move || {
        // The second time nobody wants to wait.
        if progress.stop.swap(true, Ordering::AcqRel) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Error::Usage(format!("interrupts cannot be caught: {error}")))
}

fn current_folder() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|source| Error::Read { path: PathBuf::from("."), source })
}
