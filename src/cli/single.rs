//! Commands about one scenario: `reproduce`, `shrink`, `forge`.

use super::args::{ForgeArgs, ReproduceArgs, ShrinkArgs, TIMEOUT, WorldArgs};
use super::configured::{Names, configuration};
use super::endpoint::site_of;
use super::fetch::{let_fetch, serve_below, serve_to};
use super::store::quoted;
use super::stored::{Loaded, load};
use super::validators::{all, time, worlds};
use crate::campaign::{Case, Evidence, Replayed, Seen, replay, shrink_finding};
use crate::error::Error;
use crate::finding::{Finding, Kind, tame};
use crate::forge::{Forge, Move};
use crate::judgement::Exit;
use crate::policy::KeySource;
use crate::report::text::{relation_words, validator_name};
use crate::report::token::decoded;
use crate::rule::Rule;
use crate::validator::http::{self, Settings};
use crate::validator::program::end_all;
use crate::world::{Calendar, World};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Longest line that is shown of a scenario, or of an answer.
const MAX_LINE: usize = 2_000;

/// The chosen worlds; for a finding, with its seed.
fn worlds_for(args: &WorldArgs, loaded: &Loaded) -> Result<Vec<Arc<World>>, Error> {
    let mut worlds = worlds(args, loaded.finding.as_ref().map(|finding| finding.world_seed))?;
    let_fetch(&mut worlds, loaded.scenario.key_source == KeySource::Fetched);
    let world = worlds.iter().find(|world| world.name == loaded.scenario.world).ok_or_else(|| {
        let names: Vec<_> = worlds.iter().map(|world| world.name.as_str()).collect();
        let name = &loaded.scenario.world;
        loaded.wrong(format!(
            "world: it is made for `{name}`, and chosen are {}: name the world's file with --world",
            names.join(", ")
        ))
    })?;
    if let Some(finding) = &loaded.finding
        && finding.world_digest != world.digest
    {
        super::note(&format!("world `{}` or its seed has changed since the finding was made", world.name));
    }
    Ok(worlds)
}

/// How a replayed scenario ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    StillWrong,
    StillFaulty,
    Inconclusive,
    Fixed,
}

/// Nobody wants to wait, and what was started for us ends with us.
fn end_on_interrupt() -> Result<(), Error> {
    let handler = || {
        end_all();
        std::process::exit(i32::from(Exit::Interrupted.code()));
    };
    ctrlc::set_handler(handler).map_err(|error| Error::Usage(format!("interrupts cannot be caught: {error}")))
}

pub(super) fn reproduce(args: &ReproduceArgs) -> Result<Exit, Error> {
    end_on_interrupt()?;
    let loaded = load(&args.file)?;
    let config = configuration(args.config.as_deref())?;
    let known = Names::of(&config, args.config.as_deref())?;
    let flags = args.endpoint.url.is_some() || args.process.any();
    let names = match (&args.names[..], &loaded.finding) {
        ([], _) if flags => Vec::new(),
        ([], Some(finding)) => vec![finding.validator.clone()],
        ([], None) => {
            all().into_iter().filter(|validator| validator.sort != "flawed").map(|validator| validator.name).collect()
        }
        (names, _) => names.to_vec(),
    };
    let worlds = worlds_for(&known.worlds_beside(&args.world, &names)?, &loaded)?;
    let site = || site_of(&loaded.scenario, &worlds);
    let one = |name: &String| known.one(name, args.timeout, args.trace, site);
    let mut subjects: Vec<_> = names.iter().map(one).collect::<Result<_, _>>()?;
    let endpoint = args.endpoint.validator(site, args.timeout, crate::clock::now())?;
    subjects.extend(endpoint);
    subjects.extend(args.process.validators(args.timeout, args.trace)?);
    let now = time(&args.world, &subjects)?;
    serve_to(&mut subjects, &worlds, now);
    let its: Vec<_> = worlds.iter().filter(|world| world.name == loaded.scenario.world).cloned().collect();
    let _served = serve_below(&args.world, &args.issuers, &mut subjects, &its, now)?;
    for ready in subjects.iter().filter_map(|subject| subject.ready.as_ref()) {
        ready()?;
    }
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}scenario{BOLD:#}");
    for line in loaded.scenario.to_json().lines() {
        let _ = writeln!(out, "{}", tame(line, MAX_LINE));
    }
    let mut endings = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let replayed = replay(&worlds, &subject.maker, &loaded.scenario, now, args.timeout.unwrap_or(TIMEOUT));
        let replayed = replayed.map_err(|error| loaded.blame(error))?;
        if index == 0 {
            for case in &replayed.cases {
                forged_part(&mut out, case);
            }
        }
        endings.push(answer_part(&mut out, &replayed, loaded.finding.as_ref()));
    }
    super::print(&out);
    Ok(match endings.iter().min() {
        Some(Ending::StillWrong) => Exit::Findings,
        Some(Ending::StillFaulty) => Exit::Faults,
        Some(Ending::Fixed) => Exit::Clean,
        Some(Ending::Inconclusive) | None => Exit::Inconclusive,
    })
}

/// What was forged, and what is lawful.
fn forged_part(out: &mut String, case: &Case) {
    let _ =
        writeln!(out, "\n{BOLD}token of step {}{BOLD:#}, shown to {} of {}", case.step + 1, case.site.1, case.site.0);
    for (name, text) in decoded(&case.token) {
        let _ = writeln!(out, "  {name:<9} {text}");
    }
    let _ = writeln!(
        out,
        "  who       {}: signer {}, claimed issuer {}",
        relation_words(case.relation),
        case.signer,
        case.claimed
    );
    for rule in case.expectation.broken() {
        let _ = writeln!(out, "  {RED}breaks{RED:#}    {}: {}", rule.name(), rule.demand());
        let _ = writeln!(out, "            {}; without it {}", rule.source(), rule.why());
    }
    if case.expectation.unspecified() {
        let open: Vec<_> = case.expectation.latitudes().iter().map(|latitude| format!("{latitude:?}")).collect();
        let _ = writeln!(out, "  open      the standards leave it open ({})", open.join(", "));
    } else if case.expectation.acceptable().is_some() {
        let _ = writeln!(out, "  lawful    accept");
    }
}

fn answer_part(out: &mut String, replayed: &Replayed, finding: Option<&Finding>) -> Ending {
    let description = &replayed.description;
    let _ = writeln!(out, "\n{BOLD}{}{BOLD:#}", validator_name(description));
    let mut ending = Ending::Fixed;
    for case in &replayed.cases {
        let (text, this) = answer(case, finding);
        let _ = writeln!(out, "  step {}: {text}", case.step + 1);
        ending = ending.min(this);
    }
    if replayed.cases.is_empty() {
        ending = Ending::Inconclusive;
    }
    let _ = match ending {
        Ending::StillWrong | Ending::StillFaulty => writeln!(out, "  {RED}STILL WRONG{RED:#}"),
        Ending::Inconclusive => writeln!(out, "  {YELLOW}INCONCLUSIVE{YELLOW:#}"),
        Ending::Fixed => writeln!(out, "  {GREEN}FIXED{GREEN:#}"),
    };
    ending
}

fn answer(case: &Case, finding: Option<&Finding>) -> (String, Ending) {
    match &case.seen {
        Seen::Accepted { .. } => ("accept, as it should be".to_owned(), Ending::Fixed),
        Seen::Open { accepted } => {
            (format!("{}, which the standards leave open", if *accepted { "accept" } else { "reject" }), Ending::Fixed)
        }
        Seen::Rejected(Evidence::Confirmed(_)) => ("reject, and the lawful twin is accepted".to_owned(), Ending::Fixed),
        Seen::Rejected(Evidence::NoTwin | Evidence::NotSought) => {
            ("reject; there is no lawful twin to show why".to_owned(), Ending::Inconclusive)
        }
        Seen::Rejected(Evidence::TwinRefused(_, why)) => {
            (format!("reject, but the lawful twin is refused as well: {why}"), Ending::Inconclusive)
        }
        Seen::Wrong { kind, answer, .. } => {
            let (_, rules) = case.wrong().unwrap_or((*kind, BTreeSet::new()));
            let rules: Vec<_> = rules.into_iter().map(Rule::name).collect();
            let what = if rules.is_empty() { String::new() } else { format!(" {}", rules.join(" + ")) };
            (format!("{answer}: {}{what}", kind.name()), Ending::StillWrong)
        }
        Seen::Fault(fault) => {
            let same = finding.is_none_or(|finding| finding.kind == Kind::Fault);
            let mut text = tame(&fault.bare().to_string(), MAX_LINE);
            for line in fault.log() {
                let _ = write!(text, "\n    {}", tame(line, MAX_LINE));
            }
            (format!("no answer: {text}"), if same { Ending::StillFaulty } else { Ending::Inconclusive })
        }
        Seen::Skipped(reason) => (format!("not judged: {reason}"), Ending::Inconclusive),
    }
}

pub(super) fn shrink(args: &ShrinkArgs) -> Result<Exit, Error> {
    end_on_interrupt()?;
    let loaded = load(&args.file)?;
    let config = configuration(args.config.as_deref())?;
    let known = Names::of(&config, args.config.as_deref())?;
    let worlds = worlds_for(&known.worlds_beside(&args.world, args.name.as_slice())?, &loaded)?;
    let mut subjects = args.process.validators(args.timeout, false)?;
    subjects.extend(args.endpoint.validator(
        || site_of(&loaded.scenario, &worlds),
        args.timeout,
        crate::clock::now(),
    )?);
    if let Some(name) = &args.name {
        subjects.push(known.one(name, args.timeout, false, || site_of(&loaded.scenario, &worlds))?);
    }
    if subjects.len() != 1 {
        return Err(Error::Usage(
            "shrink takes one validator: a name, --url or one --exec or one --command".to_owned(),
        ));
    }
    let now = time(&args.world, &subjects)?;
    serve_to(&mut subjects, &worlds, now);
    let its: Vec<_> = worlds.iter().filter(|world| world.name == loaded.scenario.world).cloned().collect();
    let _served = serve_below(&args.world, &args.issuers, &mut subjects, &its, now)?;
    let subject = &subjects[0];
    if let Some(ready) = &subject.ready {
        ready()?;
    }
    let shrunk = shrink_finding(&worlds, &subject.maker, &loaded.scenario, now, args.timeout.unwrap_or(TIMEOUT));
    match shrunk.map_err(|error| loaded.blame(error))? {
        Some((smallest, case)) => {
            let (text, _) = answer(&case, None);
            super::note(&format!("{} answers {text}", subject.name));
            super::print(&smallest.to_json());
            Ok(Exit::Clean)
        }
        None => {
            super::note(&format!("{} answers this scenario lawfully: there is nothing to shrink", subject.name));
            Ok(Exit::Inconclusive)
        }
    }
}

pub(super) fn forge(args: &ForgeArgs) -> Result<Exit, Error> {
    let loaded = load(&args.file)?;
    let worlds = worlds_for(&args.world, &loaded)?;
    let Some(world) = worlds.into_iter().find(|world| world.name == loaded.scenario.world) else {
        return Err(loaded.wrong("world: it is not among the chosen ones".to_owned()));
    };
    let now = time(&args.world, [])?;
    let moves = Forge::new(world, Calendar::At(now)).play(&loaded.scenario, 0);
    for happening in moves.map_err(|error| loaded.blame(error))? {
        let Move::Present(presented) = happening else { continue };
        if args.decoded {
            let mut out = String::new();
            let _ = writeln!(out, "{BOLD}step {}{BOLD:#}, for {}", presented.step + 1, presented.party);
            for (name, text) in decoded(&presented.token) {
                let _ = writeln!(out, "  {name:<9} {text}");
            }
            super::print(&out);
        } else if let Some(url) = &args.curl {
            let words = http::curl(&Settings::new(url), &presented.token);
            let words = words.map_err(|bad| Error::Usage(format!("--curl: {}", bad.problem)))?;
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            super::print(&format!("{}\n", words.join(" ")));
        } else {
            super::print_data(presented.token.as_bytes());
        }
    }
    Ok(Exit::Clean)
}
