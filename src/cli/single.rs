//! Commands about one scenario: `reproduce`, `shrink`, `forge`.

use super::args::{ForgeArgs, ReproduceArgs, ShrinkArgs, WorldArgs};
use super::validators::{Named, all, named, worlds};
use crate::campaign::{Case, Evidence, Replayed, Seen, replay, shrink_finding};
use crate::clock;
use crate::error::Error;
use crate::finding::{Finding, Kind};
use crate::forge::{Forge, Move};
use crate::jose::NumericDate;
use crate::judgement::Exit;
use crate::report::text::relation_words;
use crate::report::token::decoded;
use crate::scenario::Scenario;
use crate::validator::Clock;
use crate::world::{Calendar, World};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Larger files are neither scenarios nor findings.
const MAX_FILE: u64 = 4 << 20;

/// A file that was read.
struct Loaded {
    scenario: Scenario,
    finding: Option<Finding>,
}

fn load(path: &Path) -> Result<Loaded, Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let wrong = |problem: String| Error::File { file: path.display().to_string(), problem };
    if std::fs::metadata(path).map_err(cannot)?.len() > MAX_FILE {
        return Err(wrong(format!("more than {MAX_FILE} bytes: neither a scenario nor a finding")));
    }
    let text = std::fs::read(path).map_err(cannot)?;
    let is_finding =
        serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|value| value.get("finding").is_some());
    if is_finding {
        let finding: Finding = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        return Ok(Loaded { scenario: finding.scenario.clone(), finding: Some(finding) });
    }
    let scenario = Scenario::from_json(&text)
        .map_err(|error| wrong(format!("{error}; a scenario is described in corpus/README.md")))?;
    Ok(Loaded { scenario, finding: None })
}

/// The chosen worlds; for a finding, with its seed.
fn worlds_for(args: &WorldArgs, loaded: &Loaded) -> Result<Vec<Arc<World>>, Error> {
    let worlds = worlds(args, loaded.finding.as_ref().map(|finding| finding.world_seed))?;
    let world = worlds.iter().find(|world| world.name == loaded.scenario.world).ok_or_else(|| {
        let names: Vec<_> = worlds.iter().map(|world| world.name.as_str()).collect();
        let name = &loaded.scenario.world;
        Error::Usage(format!(
            "the scenario is made for world `{name}`; chosen are {}: name its file with --world",
            names.join(", ")
        ))
    })?;
    if let Some(finding) = &loaded.finding
        && finding.world_digest != world.digest
    {
        eprintln!("wrongkey: note: world `{}` or its seed has changed since the finding was made", world.name);
    }
    Ok(worlds)
}

fn time_for(args: &WorldArgs, subject: &Named) -> Result<NumericDate, Error> {
    match args.now {
        None => Ok(clock::now()),
        Some(_) if (subject.maker)().describe().clock == Clock::System => Err(Error::Usage(format!(
            "--now: `{}` reads the machine's clock and cannot be told the time",
            subject.name
        ))),
        Some(now) => Ok(NumericDate(now)),
    }
}

/// How a replayed scenario ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    StillWrong,
    Inconclusive,
    Fixed,
}

pub(super) fn reproduce(args: &ReproduceArgs) -> Result<Exit, Error> {
    let loaded = load(&args.file)?;
    let worlds = worlds_for(&args.world, &loaded)?;
    let subjects = match (&args.names[..], &loaded.finding) {
        ([], Some(finding)) => vec![named(&finding.validator)?],
        ([], None) => all().into_iter().filter(|validator| validator.sort != "flawed").collect(),
        (names, _) => names.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
    };
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}scenario{BOLD:#}\n{}", loaded.scenario.to_json().trim_end());
    let mut endings = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let now = time_for(&args.world, subject)?;
        let replayed = replay(&worlds, &subject.maker, &loaded.scenario, now, args.timeout)?;
        if index == 0 {
            for case in &replayed.cases {
                forged_part(&mut out, case);
            }
        }
        endings.push(answer_part(&mut out, &replayed, loaded.finding.as_ref()));
    }
    super::print(&out, args.color);
    Ok(match endings.iter().min() {
        Some(Ending::StillWrong) => Exit::Findings,
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
    let _ = writeln!(out, "\n{BOLD}{} {}{BOLD:#}", description.name, description.version);
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
        Ending::StillWrong => writeln!(out, "  {RED}STILL WRONG{RED:#}"),
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
        Seen::Rejected(Evidence::NoTwin) => {
            ("reject; there is no lawful twin to show why".to_owned(), Ending::Inconclusive)
        }
        Seen::Rejected(Evidence::TwinRefused(_, why)) => {
            (format!("reject, but the lawful twin is refused as well: {why}"), Ending::Inconclusive)
        }
        Seen::Wrong { kind, answer, .. } => {
            let rules: Vec<_> = case.expectation.broken().iter().map(|rule| rule.name()).collect();
            let what = if *kind == Kind::FalseAccept { rules.join(" + ") } else { String::new() };
            (format!("{answer}: {} {what}", kind.name()), Ending::StillWrong)
        }
        Seen::Fault(fault) => {
            let same = finding.is_none_or(|finding| finding.kind == Kind::Fault);
            let text = crate::finding::tame(&fault.to_string(), 300);
            (format!("no answer: {text}"), if same { Ending::StillWrong } else { Ending::Inconclusive })
        }
        Seen::Skipped(reason) => (format!("not judged: {reason}"), Ending::Inconclusive),
    }
}

pub(super) fn shrink(args: &ShrinkArgs) -> Result<Exit, Error> {
    let loaded = load(&args.file)?;
    let worlds = worlds_for(&args.world, &loaded)?;
    let subject = named(&args.name)?;
    let now = time_for(&args.world, &subject)?;
    match shrink_finding(&worlds, &subject.maker, &loaded.scenario, now, args.timeout)? {
        Some((smallest, case)) => {
            let (text, _) = answer(&case, None);
            eprintln!("wrongkey: {} answers {text}", subject.name);
            super::print(&smallest.to_json(), super::args::Color::Never);
            Ok(Exit::Clean)
        }
        None => {
            eprintln!("wrongkey: {} answers this scenario lawfully: there is nothing to shrink", subject.name);
            Ok(Exit::Inconclusive)
        }
    }
}

pub(super) fn forge(args: &ForgeArgs) -> Result<Exit, Error> {
    let loaded = load(&args.file)?;
    let worlds = worlds_for(&args.world, &loaded)?;
    let world = worlds.iter().find(|world| world.name == loaded.scenario.world).map(Arc::clone);
    let world = world.ok_or_else(|| Error::Usage("the scenario's world is not among the chosen ones".to_owned()))?;
    let now = args.world.now.map_or_else(clock::now, NumericDate);
    let moves = Forge::new(world, Calendar::At(now)).play(&loaded.scenario, 0)?;
    let mut out = String::new();
    for happening in moves {
        let Move::Present(presented) = happening else { continue };
        if args.decoded {
            let _ = writeln!(out, "{BOLD}step {}{BOLD:#}", presented.step + 1);
            for (name, text) in decoded(&presented.token) {
                let _ = writeln!(out, "  {name:<9} {text}");
            }
        } else {
            let _ = writeln!(out, "{}", String::from_utf8_lossy(presented.token.as_bytes()));
        }
    }
    super::print(&out, args.color);
    Ok(Exit::Clean)
}
