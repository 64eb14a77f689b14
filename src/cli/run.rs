//! `wrongkey test`.

use super::args::{Format, TestArgs};
use super::validators::{Named, named, worlds};
use crate::campaign::{self, Outcome, Phase, Plan, Progress, Selection, Stream};
use crate::clock;
use crate::error::Error;
use crate::finding::{Finding, file_name};
use crate::generate::{Class, classes};
use crate::jose::NumericDate;
use crate::judgement::{Exit, judge, shows_cross_issuer, stale};
use crate::policy::KeySource;
use crate::report::{Control, Judged, Run, json, text};
use crate::rule::Rule;
use crate::validator::Clock;
use crate::waiver::Config;
use globset::{Glob, GlobMatcher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Recipes judged when none is named.
const DEFAULTS: [&str; 1] = ["jsonwebtoken"];
/// The recipe whose mistake every run without names must find.
const CONTROL: &str = "jsonwebtoken-pooled";

pub(super) fn test(args: &TestArgs) -> Result<Exit, Error> {
    let config = Config::find(args.config.as_deref(), &current_folder()?)?;
    let worlds = worlds(&args.world, None)?;
    for party in &args.parties {
        if !worlds.iter().any(|world| world.party(party).is_some()) {
            let all = worlds.iter().flat_map(|world| &world.parties).map(|party| party.alias.as_str());
            let all: Vec<_> = all.collect();
            return Err(Error::Usage(format!("--party: no chosen world has `{party}`: one of {}", all.join(", "))));
        }
    }
    let selection = Selection {
        parties: args.parties.clone(),
        key_sources: args.key_sources.iter().map(|&source| KeySource::from(source)).collect(),
        classes: chosen_classes(&args.only, &args.skip)?,
    };
    if selection.sites(&worlds).is_empty() {
        return Err(Error::Usage("no relying party of the chosen worlds takes keys from there".to_owned()));
    }
    let mut subjects = Vec::new();
    for name in &args.names {
        subjects.push(named(name)?);
    }
    let control = if args.names.is_empty() {
        for name in DEFAULTS {
            subjects.push(named(name)?);
        }
        Some(named(CONTROL)?)
    } else {
        None
    };
    refuse_time(args, subjects.iter().chain(&control))?;
    let now = args.world.now.map_or_else(clock::now, NumericDate);
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
    let control = match control {
        None => None,
        Some(control) => Some(judge_control(&plan, &control, &progress, args)?),
    };
    let mut validators = Vec::new();
    for subject in &subjects {
        if progress.stop.load(Ordering::Acquire) {
            break;
        }
        let outcome = campaign_of(&plan, subject, &progress, args)?;
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
    } else if control.as_ref().is_some_and(|control| control.found.is_none() && control_applies(control)) {
        exits.push(Exit::Inconclusive);
    }
    let mut run = Run {
        now,
        seed: args.seed,
        worlds,
        config,
        control,
        validators,
        stale_waivers,
        exit: Exit::worst(exits),
        out: None,
    };
    write_findings(&mut run, &args.out)?;
    let document = json::render(&run);
    for path in &args.reports {
        write(path, &document)?;
    }
    match args.format {
        Format::Json => super::print(&document, super::args::Color::Never),
        Format::Text => super::print(&text::render(&run, args.verbose, args.quiet), args.color),
    }
    let softened = matches!(run.exit, Exit::Bug | Exit::Usage | Exit::Interrupted);
    Ok(if args.exit_zero && !softened { Exit::Clean } else { run.exit })
}

/// The control can only be found where something was presented that shows it.
fn control_applies(control: &Control) -> bool {
    let cross = control.outcome.tally.rules.get(&Rule::KeyBelongsToIssuer);
    cross.is_some_and(|tally| tally.alone > 0)
}

fn judge_control(plan: &Plan, control: &Named, progress: &Arc<Progress>, args: &TestArgs) -> Result<Control, Error> {
    let outcome = campaign_of(plan, control, progress, args)?;
    let found = shows_cross_issuer(&outcome.findings).cloned();
    let baseline = (0..plan.stream.len()).take_while(|&i| plan.stream.nth(i).phase == Phase::Baseline).count();
    let after = outcome.first_cross_issuer.map(|index| index.saturating_sub(baseline) + 1);
    Ok(Control { outcome, found, after })
}

fn campaign_of(plan: &Plan, subject: &Named, progress: &Arc<Progress>, args: &TestArgs) -> Result<Outcome, Error> {
    progress.done.store(0, Ordering::Relaxed);
    let bar = if super::on_terminal() && !args.quiet {
        let style = indicatif::ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len}");
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

/// A validator that reads the machine's clock cannot be shown tokens of another time.
fn refuse_time<'n>(args: &TestArgs, subjects: impl Iterator<Item = &'n Named>) -> Result<(), Error> {
    if args.world.now.is_none() {
        return Ok(());
    }
    for subject in subjects {
        if (subject.maker)().describe().clock == Clock::System {
            return Err(Error::Usage(format!(
                "--now: `{}` reads the machine's clock and cannot be told the time; name validators that can, as `reference`",
                subject.name
            )));
        }
    }
    Ok(())
}

fn chosen_classes(only: &[String], skip: &[String]) -> Result<Arc<dyn Fn(&Class) -> bool + Send + Sync>, Error> {
    let matchers = |flag: &str, globs: &[String]| -> Result<Vec<GlobMatcher>, Error> {
        let compile = |text: &String| {
            let glob = Glob::new(text).map_err(|error| Error::Usage(format!("{flag}: {error}")))?.compile_matcher();
            if classes().iter().any(|class| names(&glob, class)) {
                return Ok(glob);
            }
            Err(Error::Usage(format!(
                "{flag}: {text:?} matches no rule and no class: see `wrongkey list rules` and `wrongkey list classes`"
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

/// Writes every finding, the control's too. A former run is kept beside the new one.
fn write_findings(run: &mut Run, out: &Path) -> Result<(), Error> {
    let all = run.validators.iter().flat_map(|judged| &judged.outcome.findings).count();
    if all == 0 && run.control.as_ref().is_none_or(|control| control.outcome.findings.is_empty()) {
        return Ok(());
    }
    let folder = out.join("findings");
    keep_former(out)?;
    std::fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
    let judged = run.validators.iter_mut().flat_map(|judged| &mut judged.outcome.findings);
    let control = run.control.iter_mut().flat_map(|control| &mut control.outcome.findings);
    for finding in judged.chain(control) {
        write_finding(&folder, finding)?;
    }
    if let Some(control) = &mut run.control {
        control.found = shows_cross_issuer(&control.outcome.findings).cloned();
    }
    run.out = Some(out.display().to_string());
    Ok(())
}

fn write_finding(folder: &Path, finding: &mut Finding) -> Result<(), Error> {
    let path = folder.join(file_name(&finding.origin));
    finding.reproduce = finding.reproduce.replace(&file_name(&finding.origin), &shell_word(&path));
    let mut text = serde_json::to_string_pretty(finding).unwrap_or_default();
    text.push('\n');
    write(&path, &text)
}

/// A path as one word of a POSIX shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn keep_former(out: &Path) -> Result<(), Error> {
    if !out.exists() {
        return Ok(());
    }
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let free = (1..).map(|number| out.with_file_name(format!("{name}.{number}"))).find(|path| !path.exists());
    let Some(free) = free else { return Ok(()) };
    std::fs::rename(out, &free).map_err(|source| Error::Write { path: free, source })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}
