//! An HTTP endpoint on the command line: which site it is, and what it is made from.

use super::args::{EndpointArgs, TIMEOUT, WorldArgs};
use super::store::quoted;
use super::validators::{Named, length, worlds};
use crate::campaign::Selection;
use crate::error::Error;
use crate::jose::NumericDate;
use crate::policy::KeySource;
use crate::scenario::Scenario;
use crate::validator::http::{BadSetting, Endpoint, Settings};
use crate::world::{Calendar, Publication, World};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The world of an endpoint for which none was named.
const WORLD: &str = "storm-0558";

/// Where an endpoint stands: it was configured with one policy.
pub(super) struct Site {
    world: Arc<World>,
    party: String,
    key_source: KeySource,
}

/// The worlds of a run: where there is an endpoint, the one that it was configured for.
pub(super) fn worlds_of(endpoint: bool, args: &WorldArgs) -> Result<Vec<Arc<World>>, Error> {
    if !endpoint {
        return worlds(args, None);
    }
    match &args.worlds[..] {
        [] => Ok(worlds(args, None)?.into_iter().filter(|world| world.name == WORLD).collect()),
        [_] => worlds(args, None),
        several => Err(Error::Usage(format!(
            "--world: an endpoint was configured for one world, and chosen are {}: name one",
            several.join(", ")
        ))),
    }
}

/// The one site that is chosen. Where a party takes its keys from several sources, they mean the same to an endpoint, and the
/// first is taken.
pub(super) fn only_site(selection: &mut Selection, worlds: &[Arc<World>]) -> Result<Site, Error> {
    let sites = selection.sites(worlds);
    let parties: BTreeSet<&str> = sites.iter().map(|site| site.party.alias.as_str()).collect();
    let (Some(first), [world], 1) = (sites.first(), worlds, parties.len()) else {
        let parties: Vec<_> = parties.into_iter().collect();
        return Err(Error::Usage(format!(
            "--party: an endpoint is one relying party, and {} has several: name one of {}",
            worlds.first().map_or("the world", |world| world.name.as_str()),
            parties.join(", ")
        )));
    };
    let site = Site { world: Arc::clone(world), party: first.party.alias.clone(), key_source: first.key_source };
    selection.parties = vec![site.party.clone()];
    selection.key_sources = vec![site.key_source];
    Ok(site)
}

/// The site that a stored scenario is shown at.
pub(super) fn site_of(scenario: &Scenario, worlds: &[Arc<World>]) -> Result<Site, Error> {
    let world = worlds.iter().find(|world| world.name == scenario.world);
    let parties: BTreeSet<&String> = scenario.presents().map(|(_, present)| &present.to).collect();
    match (world, parties.first()) {
        (Some(world), Some(party)) if parties.len() == 1 => {
            Ok(Site { world: Arc::clone(world), party: (*party).clone(), key_source: scenario.key_source })
        }
        _ => Err(Error::Usage(
            "--url: the scenario shows tokens to several relying parties, and an endpoint is one".to_owned(),
        )),
    }
}

impl EndpointArgs {
    /// The endpoint as a validator, where there is one.
    pub(super) fn validator(
        &self,
        site: impl FnOnce() -> Result<Site, Error>,
        timeout: Option<Duration>,
        now: NumericDate,
    ) -> Result<Option<Named>, Error> {
        let Some(settings) = self.settings(timeout.unwrap_or(TIMEOUT))? else { return Ok(None) };
        let named = named(settings, &site()?, now, |bad| Error::Usage(format!("--{bad}")))?;
        Ok(Some(Named { again: Some(self.flags()), ..named }))
    }

    /// The flags that name it, as a shell takes them.
    fn flags(&self) -> String {
        let ca = self.ca.as_ref().map(|path| path.display().to_string());
        let algorithms = (!self.algorithms.is_empty()).then(|| self.algorithms.join(","));
        let leeway = self.leeway.map(length);
        let wait_for = self.wait_for.map(length);
        let connections = self.connections.map(|connections| connections.to_string());
        let single = [
            ("url", &self.url),
            ("json", &self.json),
            ("method", &self.method),
            ("accept-status", &self.accept_status),
            ("reject-status", &self.reject_status),
            ("ca", &ca),
            ("algorithms", &algorithms),
            ("leeway", &leeway),
            ("rate", &self.rate),
            ("wait-for", &wait_for),
            ("connections", &connections),
        ];
        let repeated = [
            ("header", &self.headers),
            ("cookie", &self.cookies),
            ("query", &self.query),
            ("form", &self.form),
            ("identity", &self.identity),
        ];
        let single = single.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        let repeated = repeated.into_iter().flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)));
        let words: Vec<_> = single.chain(repeated).map(|(flag, value)| format!("--{flag} {}", quoted(value))).collect();
        words.join(" ")
    }

    fn settings(&self, timeout: Duration) -> Result<Option<Settings>, Error> {
        let Some(url) = &self.url else { return Ok(None) };
        let given = |given: &Option<String>, usual: String| given.clone().unwrap_or(usual);
        let usual = Settings::new(url);
        let ca = self
            .ca
            .as_ref()
            .map(|path| std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.clone(), source }));
        Ok(Some(Settings {
            method: self.method.clone(),
            headers: self.headers.clone(),
            cookies: self.cookies.clone(),
            query: self.query.clone(),
            form: self.form.clone(),
            json: self.json.clone(),
            accept_status: given(&self.accept_status, usual.accept_status.clone()),
            reject_status: given(&self.reject_status, usual.reject_status.clone()),
            identity: self.identity.clone(),
            ca: ca.transpose()?,
            rate: self.rate.clone(),
            leeway: self.leeway.map_or(usual.leeway, |leeway| leeway.as_secs()),
            algorithms: self.algorithms.clone(),
            connections: self.connections.map_or(usual.connections, usize::from),
            timeout,
            wait_for: self.wait_for.unwrap_or(usual.wait_for),
            ..usual
        }))
    }
}

/// An endpoint that was configured for a site; `wrong` says where a setting of it stands.
pub(super) fn named(
    settings: Settings,
    site: &Site,
    now: NumericDate,
    wrong: impl FnOnce(BadSetting) -> Error,
) -> Result<Named, Error> {
    let Site { world, party, key_source } = site;
    let party = world.party(party).ok_or_else(|| Error::Usage(format!("--party: {} has no `{party}`", world.name)))?;
    let policy = world.policy(party, *key_source, &Publication::of(world), Calendar::At(now));
    let about = format!("{} as {} of {}", settings.url, party.alias, world.name);
    let endpoint = Endpoint::new(settings, policy).map_err(wrong)?;
    let endpoint = Arc::new(endpoint);
    let maker = Arc::clone(&endpoint).makers();
    let name = maker().describe().name;
    let ready = {
        let name = name.clone();
        move || endpoint.ready().map_err(|why| Error::NotReady { validator: name.clone(), problem: why.to_string() })
    };
    Ok(Named { name, about, sort: "endpoint", maker, ready: Some(Arc::new(ready)), again: None, adapter: None })
}
