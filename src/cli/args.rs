//! What can be typed.

use crate::config::length as span;
use crate::policy::KeySource;
use crate::rule::Severity;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Proves that a token validator never accepts a signature made by a key that had no right to make it.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// When to colour; NO_COLOR is respected
    #[arg(long, value_enum, global = true, default_value_t = Color::Auto, hide_possible_values = true, value_name = "auto|always|never")]
    pub(super) color: Color,
}

/// What the contract says of them, in the order in which the first counts.
const EXIT_CODES: &str = "\
Exit codes; of several the first counts:
   70  a bug of wrongkey's own
    2  usage or configuration; nothing was run
  130  interrupted; what was found is kept
    1  findings
    4  only faults: crashes and hangs
    3  inconclusive: something was not shown
    5  a waiver excuses nothing any more
    0  clean
";

/// Headings of `--help`.
const SELECTION: &str = "What is tried";
const RUN: &str = "How it runs";
const RESULT: &str = "What counts";
const OUTPUT: &str = "What is written";
const ENDPOINT: &str = "An HTTP endpoint as validator";
const ISSUERS: &str = "Issuers at a fixed place";
const PROCESS: &str = "A process as validator";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judges validators: with no name the built-in recipes, and one known to be wrong that must be found
    #[command(after_help = EXIT_CODES)]
    Test(TestArgs),
    /// The same as `test` without an end: random and guided scenarios until the time is over
    #[command(after_help = EXIT_CODES)]
    Hunt(HuntArgs),
    /// Replays a finding, scenario or crash file: STILL WRONG (1), FIXED (0) or INCONCLUSIVE (3)
    Reproduce(ReproduceArgs),
    /// Prints the smallest scenario that shows the same finding
    Shrink(ShrinkArgs),
    /// Prints the token of a scenario
    Forge(ForgeArgs),
    /// Explains a rule (KeyBelongsToIssuer) or a class (KS-01)
    Explain(ExplainArgs),
    /// Lists rules, classes, worlds or validators
    List(ListArgs),
    /// The public side of a world: policies, JWK Sets, PEM files, discovery documents
    #[command(subcommand)]
    World(WorldCommand),
    /// Serves a world's issuers over HTTP on loopback until interrupted: discovery documents and JWK Sets
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// A shipped world's name or a world file
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) world: String,
    /// Seed of the world's names and derived keys
    #[arg(long, value_name = "U64", allow_negative_numbers = true)]
    pub(super) world_seed: Option<u64>,
    /// The time that lifetimes of keys are relative to, in seconds since 1970 [default: the present]
    #[arg(long, value_name = "UNIX", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=253_402_300_799))]
    pub(super) now: Option<i64>,
    /// A loopback address; port 0 takes a free one [default: 127.0.0.1, at the port of --issuer-base or a free one]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Speak HTTPS too, at the same port, with certificates of an authority made for this run
    #[arg(long)]
    pub(super) tls: bool,
    /// Write the authority's certificate there, as PEM; goes with --tls and asks for it
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// A URL below which every issuer lives, as https://issuers.localhost:9443
    #[arg(long, value_name = "URL")]
    pub(super) issuer_base: Option<String>,
    /// What to print on standard output: the addresses, then a line for each request
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum WorldCommand {
    /// Prints who is there, with names, addresses and keys; as JSON everything that `export` writes
    Show(WorldShowArgs),
    /// Writes it to files, for gateways with static keys: what is where stands in manifest.json
    Export(WorldExportArgs),
}

/// One world, and when.
#[derive(Debug, Args)]
pub(super) struct OneWorld {
    /// A shipped world's name or a world file
    #[arg(value_name = "NAME|FILE")]
    pub(super) name: String,
    /// Seed of the world's names and derived keys
    #[arg(long, value_name = "U64", allow_negative_numbers = true)]
    pub(super) world_seed: Option<u64>,
    /// The time that lifetimes of keys are relative to, in seconds since 1970 [default: the present]
    #[arg(long, value_name = "UNIX", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=253_402_300_799))]
    pub(super) now: Option<i64>,
    /// A URL below which every issuer lives, as https://issuers.localhost:9443
    #[arg(long, value_name = "URL")]
    pub(super) issuer_base: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct WorldShowArgs {
    #[command(flatten)]
    pub(super) world: OneWorld,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct WorldExportArgs {
    #[command(flatten)]
    pub(super) world: OneWorld,
    /// A new or an empty folder
    #[arg(long, value_name = "DIR", default_value = "wrongkey-world")]
    pub(super) dir: PathBuf,
}

/// Which worlds, and when.
#[derive(Clone, Debug, Args)]
pub(super) struct WorldArgs {
    /// A shipped world's name or a world file; repeatable [default: all shipped worlds]
    #[arg(long = "world", value_name = "NAME|FILE", help_heading = SELECTION)]
    pub(super) worlds: Vec<String>,
    /// Seed of the worlds' names and derived keys
    #[arg(long, value_name = "U64", allow_negative_numbers = true, help_heading = SELECTION)]
    pub(super) world_seed: Option<u64>,
    /// Time of forging, in seconds since 1970 [default: the present]
    #[arg(long, value_name = "UNIX", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=253_402_300_799), help_heading = SELECTION)]
    pub(super) now: Option<i64>,
    /// A URL below which every issuer of the one chosen world lives, as https://issuers.localhost:9443; they are served there
    /// while the command runs, but for `forge`
    #[arg(long, value_name = "URL", help_heading = ISSUERS)]
    pub(super) issuer_base: Option<String>,
}

/// The issuers of the one world of a run, served at a fixed port while it lasts.
#[derive(Clone, Debug, Args)]
pub(super) struct IssuerArgs {
    /// Serve the issuers at this loopback address [default: 127.0.0.1, at the port of --issuer-base]
    #[arg(long, value_name = "ADDRESS:PORT", requires = "issuer_base", help_heading = ISSUERS)]
    pub(super) issuer_listen: Option<SocketAddr>,
    /// Speak HTTPS too, at the same port; with an https --issuer-base always
    #[arg(long, requires = "issuer_base", help_heading = ISSUERS)]
    pub(super) issuer_tls: bool,
    /// Write the certificate of the issuers' authority there, as PEM; asks for HTTPS
    #[arg(long, value_name = "FILE", requires = "issuer_base", help_heading = ISSUERS)]
    pub(super) issuer_ca: Option<PathBuf>,
}

/// An HTTP endpoint: where it is, where the token stands in a request, and what the answers mean.
#[derive(Clone, Debug, Args)]
pub(super) struct EndpointArgs {
    /// An endpoint that was configured for one relying party of one world [world: the one chosen, else storm-0558]
    #[arg(long, value_name = "URL", help_heading = ENDPOINT)]
    pub(super) url: Option<String>,
    /// A header field; repeatable [default, where nothing has {token} in it: 'Authorization: Bearer {token}']
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "url", help_heading = ENDPOINT)]
    pub(super) headers: Vec<String>,
    /// A cookie, as session={token}; repeatable
    #[arg(long = "cookie", value_name = "NAME=VALUE", requires = "url", help_heading = ENDPOINT)]
    pub(super) cookies: Vec<String>,
    /// A parameter of the query, as access_token={token}; repeatable
    #[arg(long = "query", value_name = "NAME=VALUE", requires = "url", help_heading = ENDPOINT)]
    pub(super) query: Vec<String>,
    /// A field of a form in the body, as token={token}; repeatable
    #[arg(long = "form", value_name = "NAME=VALUE", requires = "url", help_heading = ENDPOINT)]
    pub(super) form: Vec<String>,
    /// A JSON body, as '{"token":"{token}"}'
    #[arg(long, value_name = "JSON", requires = "url", conflicts_with = "form", help_heading = ENDPOINT)]
    pub(super) json: Option<String>,
    /// The method [default: GET, with a body POST]
    #[arg(long, value_name = "METHOD", requires = "url", help_heading = ENDPOINT)]
    pub(super) method: Option<String>,
    /// Statuses that accept a token [default: 200-299]
    #[arg(long, value_name = "STATUSES", requires = "url", help_heading = ENDPOINT)]
    pub(super) accept_status: Option<String>,
    /// Statuses that refuse one; any other is a fault [default: 400,401,403]
    #[arg(long, value_name = "STATUSES", requires = "url", help_heading = ENDPOINT)]
    pub(super) reject_status: Option<String>,
    /// JSON pointer to the subject in an accepting answer, as /sub; also iss=/iss, tid=/tenant; repeatable
    #[arg(long, value_name = "POINTER", requires = "url", help_heading = ENDPOINT)]
    pub(super) identity: Vec<String>,
    /// Certificates, as PEM, of who may vouch for an https server
    #[arg(long, value_name = "FILE", requires = "url", help_heading = ENDPOINT)]
    pub(super) ca: Option<PathBuf>,
    /// How long to wait until it is there [default: no time]
    #[arg(long, value_name = "TIME", value_parser = wait, requires = "url", help_heading = ENDPOINT)]
    pub(super) wait_for: Option<Duration>,
    /// Most requests: 100/s, 30/m
    #[arg(long, value_name = "RATE", requires = "url", help_heading = ENDPOINT)]
    pub(super) rate: Option<String>,
    /// Clock skew that it allows whatever its policy says: 60s
    #[arg(long, value_name = "TIME", value_parser = wait, requires = "url", help_heading = ENDPOINT)]
    pub(super) leeway: Option<Duration>,
    /// Algorithms that it has, as RS256,ES256 [default: all that its policy names]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "url", help_heading = ENDPOINT)]
    pub(super) algorithms: Vec<String>,
    /// Connections of one worker [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), requires = "url", help_heading = ENDPOINT)]
    pub(super) connections: Option<u16>,
}

/// Validators in other processes.
#[derive(Clone, Debug, Args)]
pub(super) struct ProcessArgs {
    /// A program that speaks the protocol of adapters/README.md, with its arguments; repeatable. No shell is in between
    #[arg(long, value_name = "'CMD ARGS'", help_heading = PROCESS)]
    pub(super) exec: Vec<String>,
    /// A program that judges one token and ends: 0 accepts, 1 rejects, 89 skips; repeatable. Without {now} it reads the clock
    #[arg(long, value_name = "'CMD {token} {policy-file} {now}'", help_heading = PROCESS)]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Every combination of signer, claimed issuer, tenant, audience, algorithm, kid and key status too
    /// [worlds: those chosen, else storm-0558, two-issuers, multi-tenant and kid-collision]
    #[arg(long, help_heading = RUN)]
    pub(super) exhaustive: bool,
    /// So many random scenarios after the catalogue
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = RUN)]
    pub(super) random: u32,
}

#[derive(Debug, Args)]
pub(super) struct HuntArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// How long: 45s, 30m, 2h; several validators share it. The catalogue is always finished
    #[arg(long = "for", value_name = "TIME", value_parser = length, required_unless_present = "scenarios", help_heading = RUN)]
    pub(super) length: Option<Duration>,
    /// End after so many random and guided scenarios of each validator: a hunt that ended by time can be run again
    #[arg(long, value_name = "N", help_heading = RUN)]
    pub(super) scenarios: Option<u64>,
}

/// What `test` and `hunt` have in common.
#[derive(Clone, Debug, Args)]
pub(super) struct RunArgs {
    /// Validators (`wrongkey list validators`)
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) process: ProcessArgs,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    #[command(flatten)]
    pub(super) issuers: IssuerArgs,
    /// A relying party; repeatable [default: all]; an endpoint is one
    #[arg(long = "party", value_name = "NAME", help_heading = SELECTION)]
    pub(super) parties: Vec<String>,
    /// Where keys come from; repeatable [default: all that the validator supports]
    #[arg(long = "key-source", value_name = "SOURCE", value_enum, help_heading = SELECTION)]
    pub(super) key_sources: Vec<Source>,
    /// Only classes whose id, or the rule they aim at, matches; repeatable
    #[arg(long, value_name = "GLOB", help_heading = SELECTION)]
    pub(super) only: Vec<String>,
    /// No classes whose id, or the rule they aim at, matches; repeatable
    #[arg(long, value_name = "GLOB", help_heading = SELECTION)]
    pub(super) skip: Vec<String>,
    /// A folder of scenario files to replay first; repeatable [default: `corpus` beside wrongkey.toml, and the findings
    /// of the former run in --out; with --only none]
    #[arg(long = "corpus", value_name = "DIR", help_heading = SELECTION)]
    pub(super) corpora: Vec<PathBuf>,
    /// Seed of the random scenarios
    #[arg(long, value_name = "U64", allow_negative_numbers = true, default_value_t = 0, help_heading = RUN)]
    pub(super) seed: u64,
    /// Workers [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = RUN)]
    pub(super) jobs: Option<u16>,
    /// Longest wait for one answer: 5s, 500ms [default: the configuration's, else 5s]
    #[arg(long, value_name = "TIME", value_parser = timeout, help_heading = RUN)]
    pub(super) timeout: Option<Duration>,
    /// The least severity of a finding that fails the run
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::High, help_heading = RESULT)]
    pub(super) fail_on: FailOn,
    /// Most findings to keep of one validator
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = RUN)]
    pub(super) max_findings: usize,
    /// End with 0 whatever is found; usage errors still end with 2
    #[arg(long, help_heading = RESULT)]
    pub(super) exit_zero: bool,
    /// What to print on standard output
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = OUTPUT)]
    pub(super) format: Format,
    /// Also writes the result to a file: json=PATH; repeatable
    #[arg(long = "report", value_name = "KIND=PATH", value_parser = report, help_heading = OUTPUT)]
    pub(super) reports: Vec<PathBuf>,
    /// Where findings go; a former run is kept beside it
    #[arg(long, value_name = "DIR", default_value = "wrongkey-out", help_heading = OUTPUT)]
    pub(super) out: PathBuf,
    /// Configuration with validators and waivers [default: wrongkey.toml, looked for upward]
    #[arg(long, value_name = "FILE", help_heading = RESULT)]
    pub(super) config: Option<PathBuf>,
    /// Print the result and the findings only, and no progress
    #[arg(short, long, overrides_with = "verbose", help_heading = OUTPUT)]
    pub(super) quiet: bool,
    /// Print counts of every class too
    #[arg(short, long, overrides_with = "quiet", help_heading = OUTPUT)]
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
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) process: ProcessArgs,
    /// Show every line that is exchanged with a process, on standard error
    #[arg(long, help_heading = PROCESS)]
    pub(super) trace: bool,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    #[command(flatten)]
    pub(super) issuers: IssuerArgs,
    /// Longest wait for one answer [default: the configuration's, else 5s]
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub(super) timeout: Option<Duration>,
    /// Configuration with validators [default: wrongkey.toml, looked for upward]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// A finding or a scenario
    pub(super) file: PathBuf,
    /// The validator
    #[arg(value_name = "NAME", required_unless_present_any = ["url", "exec", "command"])]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) process: ProcessArgs,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    #[command(flatten)]
    pub(super) issuers: IssuerArgs,
    /// Longest wait for one answer [default: the configuration's, else 5s]
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub(super) timeout: Option<Duration>,
    /// Configuration with validators [default: wrongkey.toml, looked for upward]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
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
    /// Print a command that sends it there with curl, as a bearer token
    #[arg(long, value_name = "URL", conflicts_with = "decoded")]
    pub(super) curl: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A rule or a class
    #[arg(value_name = "ID")]
    pub(super) id: String,
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
    /// For validators: a configuration that names some [default: wrongkey.toml, looked for upward]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
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
    Fetched,
}

impl From<Source> for KeySource {
    fn from(source: Source) -> Self {
        match source {
            Source::PerIssuer => KeySource::PerIssuer,
            Source::Converged => KeySource::Converged,
            Source::Fetched => KeySource::Fetched,
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

/// How long a validator has for one token, where nobody says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

fn timeout(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(3_600);
    span(text, Duration::from_millis(10), most, "a length of time, as 5s or 500ms, from 10ms to 1h")
}

fn wait(text: &str) -> Result<Duration, String> {
    span(text, Duration::ZERO, Duration::from_secs(3_600), "a length of time, as 30s or 2m, of at most 1h")
}

fn length(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(31 * 86_400);
    span(text, Duration::from_secs(1), most, "a length of time, as 45s, 30m or 2h, from 1s to 744h")
}

fn report(text: &str) -> Result<PathBuf, String> {
    match text.split_once('=') {
        Some(("json", path)) if !path.is_empty() => Ok(PathBuf::from(path)),
        Some(("json", _)) => Err("json= needs a path".to_owned()),
        _ => Err("json=PATH: this version writes json only".to_owned()),
    }
}
