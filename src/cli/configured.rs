//! Validators that `wrongkey.toml` names, beside those that are built in.

use super::args::{TIMEOUT, WorldArgs};
use super::endpoint::{self, Site};
use super::processes;
use super::setup::{self, Failed};
use super::store::quoted;
use super::validators::{Named, all, built_in, one_world};
use crate::alike::hint;
use crate::clock;
use crate::config::{Config, Entry, Feature, Kind};
use crate::error::Error;
use crate::policy::KeySource;
use crate::validator::declared::declared;
use crate::validator::http::{BadSetting, Settings};
use crate::validator::program::Program;
use crate::world::{DEFAULT_SEED, Naming, World};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All validators that can be named in a run.
pub(super) struct Names<'c> {
    config: &'c Config,
    /// The configuration, where it was named on the command line.
    given: Option<&'c Path>,
}

/// The configuration of a run.
pub(super) fn configuration(given: Option<&Path>) -> Result<Config, Error> {
    let here = std::env::current_dir().map_err(|source| Error::Read { path: PathBuf::from("."), source })?;
    Config::find(given, &here)
}

impl<'c> Names<'c> {
    /// The names of a configuration. None of them may be one that is built in.
    pub(super) fn of(config: &'c Config, given: Option<&'c Path>) -> Result<Self, Error> {
        let built_in = all();
        let taken = |entry: &&Entry| built_in.iter().any(|named| named.name == entry.name);
        if let Some(entry) = config.validators.iter().find(taken) {
            let name = &entry.name;
            let problem = format!("[validators.{name}] `{name}` is built in: choose another name");
            return Err(config.wrong(entry.line, &problem));
        }
        Ok(Names { config, given })
    }

    /// Those of the configuration, each with its line.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'c Entry, String)> {
        let file = self.config.path.as_deref().unwrap_or(Path::new("")).display().to_string();
        self.config.validators.iter().map(move |entry| (entry, format!("{file}:{}", entry.line)))
    }

    fn entry(&self, name: &str) -> Option<&'c Entry> {
        self.config.validators.iter().find(|entry| entry.name == name)
    }

    /// Whether this is an endpoint.
    pub(super) fn is_endpoint(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| matches!(entry.kind, Kind::Url(_)))
    }

    /// What the configuration says of the worlds and parties of these, where the command line says nothing. All that say
    /// something must say the same: a run shows the same tokens to everybody.
    pub(super) fn scope(
        &self,
        names: &[String],
        worlds: &mut Vec<String>,
        parties: &mut Vec<String>,
    ) -> Result<(), Error> {
        let entries: Vec<&Entry> = names.iter().filter_map(|name| self.entry(name)).collect();
        if worlds.is_empty()
            && let Some(entry) = self.only(&entries, "world", |entry| &entry.worlds)?
        {
            *worlds = self.worlds(entry)?;
        }
        if parties.is_empty()
            && let Some(entry) = self.only(&entries, "party", |entry| &entry.parties)?
        {
            self.check_parties(entry, worlds)?;
            parties.clone_from(&entry.parties);
        }
        Ok(())
    }

    /// The first that says something, where nobody says something else.
    fn only(
        &self,
        entries: &[&'c Entry],
        member: &str,
        of: impl Fn(&Entry) -> &Vec<String>,
    ) -> Result<Option<&'c Entry>, Error> {
        let mut saying = entries.iter().filter(|entry| !of(entry).is_empty());
        let Some(first) = saying.next() else { return Ok(None) };
        if let Some(other) = saying.find(|entry| of(entry) != of(first)) {
            return Err(self.config.wrong(
                other.line,
                &format!(
                    "`{member}`: `{}` says {}, and `{}` in line {} says {}: judge them one by one, or say --{member}",
                    other.name,
                    of(other).join(", "),
                    first.name,
                    first.line,
                    of(first).join(", ")
                ),
            ));
        }
        Ok(Some(first))
    }

    /// Its worlds as the command line would name them: a file's path is relative to the configuration.
    fn worlds(&self, entry: &Entry) -> Result<Vec<String>, Error> {
        let world = |name: &String| {
            if World::shipped_names().any(|shipped| shipped == name) {
                return Ok(name.clone());
            }
            let path = self.config.folder().join(name);
            let typed = if path.exists() { path.display().to_string() } else { name.clone() };
            match one_world(&typed, &Naming::by(DEFAULT_SEED)) {
                Ok(_) => Ok(typed),
                Err(Error::Usage(problem)) => Err(self.config.wrong(entry.line, &format!("`world`: {problem}"))),
                Err(Error::Read { path, source }) => {
                    let problem = format!("`world`: cannot read {}: {source}", path.display());
                    Err(self.config.wrong(entry.line, &problem))
                }
                Err(other) => Err(other),
            }
        };
        entry.worlds.iter().map(world).collect()
    }

    fn check_parties(&self, entry: &Entry, worlds: &[String]) -> Result<(), Error> {
        let args = WorldArgs { worlds: worlds.to_vec(), world_seed: None, now: None, issuer_base: None };
        let worlds = super::validators::worlds(&args, None)?;
        let known: Vec<&str> =
            worlds.iter().flat_map(|world| &world.parties).map(|party| party.alias.as_str()).collect();
        match entry.parties.iter().find(|party| !known.contains(&party.as_str())) {
            None => Ok(()),
            Some(party) => {
                let hint = hint(party, known.iter().copied());
                let problem = format!("`party`: no chosen world has `{party}`: they have {}{hint}", known.join(", "));
                Err(self.config.wrong(entry.line, &problem))
            }
        }
    }

    /// The chosen worlds, or the shipped ones and beside them those that these name: a stored scenario says which is its own.
    pub(super) fn worlds_beside(&self, args: &WorldArgs, names: &[String]) -> Result<WorldArgs, Error> {
        let mut args = args.clone();
        if !args.worlds.is_empty() {
            return Ok(args);
        }
        let mut files = BTreeSet::new();
        for entry in names.iter().filter_map(|name| self.entry(name)) {
            files.extend(self.worlds(entry)?);
        }
        files.retain(|name| !World::shipped_names().any(|shipped| shipped == name));
        if !files.is_empty() {
            args.worlds = World::shipped_names().map(str::to_owned).chain(files).collect();
        }
        Ok(args)
    }

    /// The validator of that name, whatever it is, for one scenario; an endpoint is the party that this shows tokens to.
    pub(super) fn one(
        &self,
        name: &str,
        timeout: Option<Duration>,
        trace: bool,
        site: impl FnOnce() -> Result<Site, Error>,
    ) -> Result<Named, Error> {
        match self.named(name, timeout, trace)? {
            Some(named) => Ok(named),
            None => self.endpoint(name, timeout, site),
        }
    }

    /// The validator of that name: a built-in one, or a program of the configuration, set up. None, where it is an endpoint.
    pub(super) fn named(&self, name: &str, timeout: Option<Duration>, trace: bool) -> Result<Option<Named>, Error> {
        if let Some(named) = built_in(name) {
            return Ok(Some(named));
        }
        let entry = self.known(name)?;
        let (kind, line) = match &entry.kind {
            Kind::Url(_) => return Ok(None),
            Kind::Exec(line) => ("exec", line),
            Kind::Command(line) => ("command", line),
        };
        let wrong = |problem: String| self.wrong(entry, &format!("`{kind}`: {problem}"));
        let program = Program::parse(line).map_err(wrong)?;
        let folder = self.set_up(entry)?;
        let window = entry.window.unwrap_or(program.window);
        let timeout = timeout.or(entry.timeout).unwrap_or(TIMEOUT);
        let program = Program { env: entry.env.clone(), cwd: Some(folder), timeout, window, ..program };
        let named = match &entry.kind {
            Kind::Command(_) => processes::command(program),
            _ => processes::adapter(program, trace),
        };
        let named = named.map_err(|error| match error {
            Error::Usage(why) => wrong(why),
            other => other,
        })?;
        let named = self.declared(entry, named)?;
        Ok(Some(Named { name: name.to_owned(), again: self.again(name), ..named }))
    }

    /// The endpoint of that name, set up.
    pub(super) fn endpoint(
        &self,
        name: &str,
        timeout: Option<Duration>,
        site: impl FnOnce() -> Result<Site, Error>,
    ) -> Result<Named, Error> {
        let entry = self.known(name)?;
        let Kind::Url(written) = &entry.kind else {
            return Err(self.wrong(entry, "is no endpoint: name it where programs are named"));
        };
        let settings = self.settings(entry, written, timeout.or(entry.timeout).unwrap_or(TIMEOUT))?;
        let wrong = |bad: BadSetting| self.wrong(entry, &format!("`{}`: {}", bad.setting, bad.problem));
        let named = endpoint::named(settings, &site()?, clock::now(), wrong)?;
        self.set_up(entry)?;
        Ok(Named { name: name.to_owned(), again: self.again(name), ..named })
    }

    fn known(&self, name: &str) -> Result<&'c Entry, Error> {
        self.entry(name).ok_or_else(|| {
            let known = all();
            let known = known.iter().map(|named| named.name.as_str());
            let hint = hint(name, known.chain(self.config.validators.iter().map(|entry| entry.name.as_str())));
            Error::Usage(format!("there is no validator `{name}`: see `wrongkey list validators`{hint}"))
        })
    }

    /// How to name it on the command line, where its name does not do.
    fn again(&self, name: &str) -> Option<String> {
        self.given.map(|path| format!("{name} --config {}", quoted(&path.display().to_string())))
    }

    fn wrong(&self, entry: &Entry, problem: &str) -> Error {
        self.config.wrong(entry.line, &format!("[validators.{}] {problem}", entry.name))
    }

    /// Runs its set-up, and says where its programs run.
    fn set_up(&self, entry: &Entry) -> Result<PathBuf, Error> {
        let folder = self.config.folder();
        let folder = entry.cwd.as_ref().map_or_else(|| folder.to_owned(), |cwd| folder.join(cwd));
        let Some(line) = &entry.setup else { return Ok(folder) };
        match setup::run(line, &entry.env, &folder, setup::LONGEST) {
            Ok(()) => Ok(folder),
            Err(Failed::NotRun(why)) => Err(self.wrong(entry, &format!("`setup`: {why}"))),
            Err(Failed::Ended(why)) => Err(Error::NotReady {
                validator: format!("`{}`", entry.name),
                problem: format!("is not set up: {why}"),
            }),
        }
    }

    /// What a program says of itself, and what the configuration says of it.
    fn declared(&self, entry: &Entry, named: Named) -> Result<Named, Error> {
        let mut description = (named.maker)().describe();
        description.name.clone_from(&entry.name);
        description.clock = entry.clock.unwrap_or(description.clock);
        description.leeway = entry.leeway.map_or(description.leeway, |leeway| leeway.as_secs());
        if !entry.algorithms.is_empty() {
            description.algorithms = entry.algorithms.iter().cloned().collect();
        }
        if let Some(features) = &entry.features {
            let has = [
                (Feature::LiveUpdate, description.live_update),
                (Feature::IssuerTemplates, description.issuer_templates),
                (Feature::FetchesJwks, description.fetches_jwks),
            ];
            if let Some((feature, _)) = has.iter().find(|(feature, has)| features.contains(feature) && !has) {
                let problem = format!("`features`: it does not say that it has `{}`: leave it out", feature.name());
                return Err(self.config.wrong(entry.line, &problem));
            }
            description.live_update &= features.contains(&Feature::LiveUpdate);
            description.issuer_templates &= features.contains(&Feature::IssuerTemplates);
            description.fetches_jwks &= features.contains(&Feature::FetchesJwks);
            if !features.contains(&Feature::FetchesJwks) {
                description.key_sources.remove(&KeySource::Fetched);
            }
        }
        Ok(Named { maker: declared(named.maker, description), ..named })
    }

    /// What its endpoint is made from: what is written there, and what holds for every kind of validator.
    fn settings(&self, entry: &Entry, written: &Settings, timeout: Duration) -> Result<Settings, Error> {
        let ca = entry.ca.as_ref().map(|ca| {
            let path = self.config.folder().join(ca);
            std::fs::read_to_string(&path).map_err(|source| {
                self.config.wrong(entry.line, &format!("`ca`: cannot read {}: {source}", path.display()))
            })
        });
        Ok(Settings {
            name: Some(entry.name.clone()),
            ca: ca.transpose()?,
            leeway: entry.leeway.map_or(written.leeway, |leeway| leeway.as_secs()),
            algorithms: entry.algorithms.clone(),
            timeout,
            ..written.clone()
        })
    }
}
