//! Files that hold a scenario, and those of them that a run replays first: corpus folders, and what the former run found.

use super::args::RunArgs;
use super::store::FINDINGS;
use crate::campaign::Selection;
use crate::config::Config;
use crate::error::Error;
use crate::finding::Finding;
use crate::forge::Forge;
use crate::generate::is_playable;
use crate::jose::NumericDate;
use crate::report::Stored;
use crate::scenario::Scenario;
use crate::world::{Calendar, World};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Larger files are neither scenarios nor findings.
const MAX_FILE: u64 = 4 << 20;

/// Folders inside one another that are looked into.
const MAX_DEPTH: usize = 16;

/// The folder beside the configuration.
const CORPUS: &str = "corpus";

/// Where to read on about scenario files.
const REMEDY: &str = "; corpus/README.md describes scenarios";

/// A file that was read.
pub(super) struct Loaded {
    path: PathBuf,
    pub(super) scenario: Scenario,
    pub(super) finding: Option<Finding>,
}

/// Reads a scenario or a finding.
pub(super) fn load(path: &Path) -> Result<Loaded, Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let wrong = |problem: String| Error::File { file: path.display().to_string(), problem };
    if std::fs::metadata(path).map_err(cannot)?.len() > MAX_FILE {
        return Err(wrong(format!("more than {MAX_FILE} bytes: neither a scenario nor a finding")));
    }
    let text = std::fs::read(path).map_err(cannot)?;
    let is_finding =
        serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|value| value.get("finding").is_some());
    if is_finding {
        let finding: Finding = serde_json::from_slice(&text)
            .map_err(|error| wrong(format!("{error}; it is a finding of another version, or was edited")))?;
        return Ok(Loaded { path: path.to_owned(), scenario: finding.scenario.clone(), finding: Some(finding) });
    }
    let scenario = Scenario::from_json(&text).map_err(|error| wrong(format!("{error}{REMEDY}")))?;
    Ok(Loaded { path: path.to_owned(), scenario, finding: None })
}

impl Loaded {
    /// An error of playing the scenario, with the file it stands in.
    pub(super) fn blame(&self, error: Error) -> Error {
        match error {
            Error::Scenario { place, problem } => self.wrong(format!("{place}: {problem}{REMEDY}")),
            Error::NotRun { .. } => {
                self.wrong(format!("{error}: leave it out, or use a version that lists it as run in corpus/README.md"))
            }
            other => other,
        }
    }

    pub(super) fn wrong(&self, problem: String) -> Error {
        Error::File { file: self.path.display().to_string(), problem }
    }
}

/// The stored scenarios to replay, each with the name of its file, and what is told of them.
///
/// A file that cannot be understood is an error; a scenario that has no place in this run is counted with the reason. `--only`
/// asks for some classes and nothing else, so that only folders that are named are replayed beside it.
pub(super) fn replays(
    args: &RunArgs,
    config: &Config,
    worlds: &[Arc<World>],
    selection: &Selection,
    now: NumericDate,
) -> Result<(Vec<(String, Scenario)>, Stored), Error> {
    let everything = args.only.is_empty();
    let mut files = Vec::new();
    let former = args.out.join(FINDINGS);
    if everything && former.is_dir() {
        collect(&former, MAX_DEPTH, &mut files)?;
    }
    let findings = files.len();
    for folder in folders(args, config, everything)? {
        collect(&folder, MAX_DEPTH, &mut files)?;
    }
    let forges: BTreeMap<&str, Forge> =
        worlds.iter().map(|world| (world.name.as_str(), Forge::new(Arc::clone(world), Calendar::At(now)))).collect();
    let mut replays = Vec::new();
    let mut stored = Stored::default();
    let mut known: HashSet<Scenario> = HashSet::new();
    for (number, path) in files.iter().enumerate() {
        let loaded = load(path).map_err(|error| misplaced(error, number < findings))?;
        if known.contains(&loaded.scenario) {
            continue;
        }
        match unfit(&loaded, selection, worlds, &forges, number < findings)? {
            Some(reason) => *stored.skipped.entry(reason.to_owned()).or_default() += 1,
            None => {
                known.insert(loaded.scenario.clone());
                replays.push((path.display().to_string(), loaded.scenario));
            }
        }
    }
    stored.replayed = replays.len() as u64;
    Ok((replays, stored))
}

/// The folders that are named, or the one beside the configuration.
fn folders(args: &RunArgs, config: &Config, everything: bool) -> Result<Vec<PathBuf>, Error> {
    if let Some(missing) = args.corpora.iter().find(|folder| !folder.is_dir()) {
        return Err(Error::Usage(format!(
            "--corpus: {} is no folder: name one with scenario files",
            missing.display()
        )));
    }
    if !args.corpora.is_empty() {
        return Ok(args.corpora.clone());
    }
    let beside = config.path.as_ref().and_then(|path| Some(path.parent()?.join(CORPUS)));
    Ok(beside.filter(|folder| everything && folder.is_dir()).into_iter().collect())
}

/// Every `.json` file below a folder, in the order of their names.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let cannot = |source| Error::Read { path: folder.to_owned(), source };
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(cannot)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(cannot)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

/// Says why the file was read at all.
fn misplaced(error: Error, is_former: bool) -> Error {
    match error {
        Error::File { file, problem } if is_former => {
            let problem = format!("{problem}; what the former run found is replayed: move the file away");
            Error::File { file, problem }
        }
        other => other,
    }
}

/// Why a stored scenario has no place in this run.
fn unfit(
    loaded: &Loaded,
    selection: &Selection,
    worlds: &[Arc<World>],
    forges: &BTreeMap<&str, Forge>,
    is_former: bool,
) -> Result<Option<&'static str>, Error> {
    let scenario = &loaded.scenario;
    let Some(forge) = forges.get(scenario.world.as_str()) else {
        return Ok(Some("its world is not among the chosen ones"));
    };
    if !is_playable(scenario, forge.world()) {
        match forge.play(scenario, 0) {
            Ok(_) => {}
            Err(Error::NotRun { .. }) => return Ok(Some("this version does not run one of its steps or acts")),
            Err(_) if is_former => return Ok(Some("its world has changed since it was found")),
            Err(error) => return Err(loaded.blame(error)),
        }
    }
    let sites = selection.sites(worlds);
    let chosen = |to: &str| {
        sites.iter().any(|site| {
            site.world.name == scenario.world && site.party.alias == to && site.key_source == scenario.key_source
        })
    };
    let everywhere = scenario.presents().all(|(_, present)| chosen(&present.to));
    Ok((!everywhere).then_some("its relying party or key source is not among the chosen ones"))
}
