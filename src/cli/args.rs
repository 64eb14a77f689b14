//! What can be typed.

use crate::policy::KeySource;
use crate::rule::Severity;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Proves that a token validator never accepts a signature made by a key that had no right to make it.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judges validators; with no name the built-in sound recipes, and one known to be wrong as sensitivity control
    Test(TestArgs),
    /// Replays a finding, a scenario or a crash file, and says STILL WRONG, FIXED or INCONCLUSIVE
    Reproduce(ReproduceArgs),
    /// Prints the smallest scenario that shows the same finding
    Shrink(ShrinkArgs),
    /// Prints the token of a scenario
    Forge(ForgeArgs),
    /// Explains a rule (KeyBelongsToIssuer) or a class (KS-01)
    Explain(ExplainArgs),
    /// Lists rules, classes, worlds or validators
    List(ListArgs),
}

/// Which worlds, and when.
#[derive(Debug, Args)]
pub(super) struct WorldArgs {
    /// A shipped world's name or a world file; repeatable [default: all shipped worlds]
    #[arg(long = "world", value_name = "NAME|FILE")]
    pub(super) worlds: Vec<String>,
    /// Seed of the worlds' names and derived keys
    #[arg(long, value_name = "U64")]
    pub(super) world_seed: Option<u64>,
    /// Time of forging, in seconds since 1970 [default: the present]
    #[arg(long, value_name = "UNIX", value_parser = clap::value_parser!(i64).range(0..=253_402_300_799))]
    pub(super) now: Option<i64>,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Validators (`wrongkey list validators`)
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    /// A relying party; repeatable [default: all]
    #[arg(long = "party", value_name = "NAME")]
    pub(super) parties: Vec<String>,
    /// Where keys come from; repeatable [default: all that the validator supports]
    #[arg(long = "key-source", value_name = "SOURCE", value_enum)]
    pub(super) key_sources: Vec<Source>,
    /// Only classes whose id, or the rule they aim at, matches; repeatable
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<String>,
    /// No classes whose id, or the rule they aim at, matches; repeatable
    #[arg(long, value_name = "GLOB")]
    pub(super) skip: Vec<String>,
    /// So many random scenarios after the catalogue
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) random: u32,
    /// Seed of the random scenarios
    #[arg(long, value_name = "U64", default_value_t = 0)]
    pub(super) seed: u64,
    /// Workers [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,
    /// Longest wait for one answer: 5s, 500ms
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    pub(super) timeout: Duration,
    /// The least severity of a finding that fails the run
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::High)]
    pub(super) fail_on: FailOn,
    /// Most findings to keep of one validator
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(super) max_findings: usize,
    /// End with 0 whatever is found; usage errors still end with 2
    #[arg(long)]
    pub(super) exit_zero: bool,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Also writes the result to a file: json=PATH; repeatable
    #[arg(long = "report", value_name = "KIND=PATH", value_parser = report)]
    pub(super) reports: Vec<PathBuf>,
    /// Where findings go; a former run is kept beside it
    #[arg(long, value_name = "DIR", default_value = "wrongkey-out")]
    pub(super) out: PathBuf,
    /// Configuration with waivers [default: wrongkey.toml, looked for upward]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// When to colour
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
    /// Print the result and the findings only
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Print counts of every class
    #[arg(short, long)]
    pub(super) verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReproduceArgs {
    /// A finding, a scenario, a corpus file or a libFuzzer crash file
    pub(super) file: PathBuf,
    /// Validators [default: the finding's, else the built-in ones]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    /// Longest wait for one answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    pub(super) timeout: Duration,
    /// When to colour
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// A finding or a scenario
    pub(super) file: PathBuf,
    /// The validator
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    /// Longest wait for one answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    pub(super) timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct ForgeArgs {
    /// A finding or a scenario
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    /// Print the parts decoded
    #[arg(long)]
    pub(super) decoded: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A rule or a class
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// When to colour
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// What to list
    #[arg(value_enum)]
    pub(super) what: What,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// For classes: counts by group
    #[arg(long)]
    pub(super) summary: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    Rules,
    Classes,
    Worlds,
    Validators,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Source {
    PerIssuer,
    Converged,
}

impl From<Source> for KeySource {
    fn from(source: Source) -> Self {
        match source {
            Source::PerIssuer => KeySource::PerIssuer,
            Source::Converged => KeySource::Converged,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    Critical,
    High,
    Medium,
    Low,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Critical => Severity::Critical,
            FailOn::High => Severity::High,
            FailOn::Medium => Severity::Medium,
            FailOn::Low => Severity::Low,
        }
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let wrong = || "a length of time, as 5s or 500ms, from 10ms to 1h".to_owned();
    let millis = match (text.strip_suffix("ms"), text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(number), ..) => number.parse::<u64>().map_err(|_| wrong())?,
        (None, Some(number), _) => number.parse::<u64>().ok().and_then(|n| n.checked_mul(1_000)).ok_or_else(wrong)?,
        (None, None, Some(number)) => {
            number.parse::<u64>().ok().and_then(|n| n.checked_mul(60_000)).ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    if !(10..=3_600_000).contains(&millis) {
        return Err(wrong());
    }
    Ok(Duration::from_millis(millis))
}

fn report(text: &str) -> Result<PathBuf, String> {
    match text.split_once('=') {
        Some(("json", path)) if !path.is_empty() => Ok(PathBuf::from(path)),
        Some(("json", _)) => Err("json= needs a path".to_owned()),
        _ => Err("json=PATH: this version writes json only".to_owned()),
    }
}
