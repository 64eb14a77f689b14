//! Validators by name, and worlds by name or file.

use super::args::WorldArgs;
use crate::alike::hint;
use crate::clock;
use crate::error::Error;
use crate::finding::tame;
use crate::jose::NumericDate;
use crate::validator::flawed::{self, Flaw};
use crate::validator::process::Adapter;
use crate::validator::recipe::recipes;
use crate::validator::{Clock, Maker, reference};
use crate::world::{Address, DEFAULT_SEED, Naming, World};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A validator that can be named.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) about: String,
    /// `recipe`, `reference` or `flawed`.
    pub(super) sort: &'static str,
    pub(super) maker: Maker,
    /// What is done, and must come out well, before it is judged.
    pub(super) ready: Option<Ready>,
    /// How to say on the command line who it is, where its name does not do.
    pub(super) again: Option<String>,
    /// Its adapter, which has to speak the protocol before what its validator answers counts.
    pub(super) adapter: Option<Adapter>,
}

impl Named {
    /// Says with these flags besides who it is, so that what is seen again is seen under the same conditions.
    pub(super) fn again_with(&mut self, flags: &str) {
        let name = self.again.take().unwrap_or_else(|| self.name.clone());
        self.again = Some(format!("{name} {flags}"));
    }
}

/// A length of time as a flag takes it.
pub(super) fn length(length: Duration) -> String {
    match length.subsec_millis() {
        0 => format!("{}s", length.as_secs()),
        _ => format!("{}ms", length.as_millis()),
    }
}

/// Makes sure that a validator can be judged.
pub(super) type Ready = Arc<dyn Fn() -> Result<(), Error> + Send + Sync>;

/// All that are built in.
pub(super) fn all() -> Vec<Named> {
    let mut all = vec![Named {
        name: "reference".to_owned(),
        about: "the strict reference validator".to_owned(),
        sort: "reference",
        maker: reference::maker(),
        ready: None,
        again: None,
        adapter: None,
    }];
    for recipe in recipes() {
        all.push(Named {
            name: recipe.name.to_owned(),
            about: recipe.about.to_owned(),
            sort: "recipe",
            maker: (recipe.maker)(),
            ready: None,
            again: None,
            adapter: None,
        });
    }
    all.push(Named {
        name: "sound".to_owned(),
        about: "the small validator that the flawed ones are made from, without a flaw".to_owned(),
        sort: "flawed",
        maker: flawed::maker(None),
        ready: None,
        again: None,
        adapter: None,
    });
    for &flaw in Flaw::ALL {
        all.push(Named {
            name: format!("flawed-{}", flaw.name()),
            about: flaw.mistake().to_owned(),
            sort: "flawed",
            maker: flawed::maker(Some(flaw)),
            ready: None,
            again: None,
            adapter: None,
        });
    }
    all
}

/// The built-in validator of that name.
pub(super) fn built_in(name: &str) -> Option<Named> {
    all().into_iter().find(|validator| validator.name == name)
}

/// The time of forging. A validator that reads the machine's clock cannot be shown tokens of another time.
pub(super) fn time<'n>(args: &WorldArgs, subjects: impl IntoIterator<Item = &'n Named>) -> Result<NumericDate, Error> {
    let Some(now) = args.now else { return Ok(clock::now()) };
    for subject in subjects {
        if (subject.maker)().describe().clock == Clock::System {
            return Err(Error::Usage(format!(
                "--now: `{}` reads the machine's clock and cannot be told the time; name validators that can, as `reference`",
                subject.name
            )));
        }
    }
    Ok(NumericDate(now))
}

/// The chosen worlds: all shipped ones unless some are named.
pub(super) fn worlds(args: &WorldArgs, default_seed: Option<u64>) -> Result<Vec<Arc<World>>, Error> {
    let seed = args.world_seed.or(default_seed).unwrap_or(DEFAULT_SEED);
    let naming = naming(Some(seed), args.issuer_base.as_deref())?;
    if args.worlds.is_empty() {
        return Ok(World::shipped_names().filter_map(|name| World::shipped_named(name, &naming)).collect());
    }
    let mut worlds: Vec<Arc<World>> = Vec::new();
    for name in &args.worlds {
        let world = one_world(name, &naming)?;
        if worlds.iter().any(|known| known.name == world.name) {
            return Err(Error::Usage(format!("--world: two worlds are named `{}`", world.name)));
        }
        worlds.push(world);
    }
    Ok(worlds)
}

/// A shipped world, or one from a file.
pub(super) fn one_world(name: &str, naming: &Naming) -> Result<Arc<World>, Error> {
    match World::shipped_named(name, naming) {
        Some(world) => Ok(world),
        None => file_world(name, naming).map(Arc::new),
    }
}

/// What the names of worlds follow from, as it was asked for.
pub(super) fn naming(seed: Option<u64>, issuer_base: Option<&str>) -> Result<Naming, Error> {
    let base = issuer_base.map(|text| {
        let address = Address::of(text).filter(|address| !address.path.contains(['{', '}']));
        address.map(|base| format!("{}://{}{}", base.scheme, base.authority, base.path)).ok_or_else(|| {
            let example = "a URL without query and fragment, as https://issuers.localhost:9443";
            Error::Usage(format!("--issuer-base: {:?} is not {example}", tame(text, 300)))
        })
    });
    Ok(Naming { seed: seed.unwrap_or(DEFAULT_SEED), issuer_base: base.transpose()? })
}

fn file_world(name: &str, naming: &Naming) -> Result<World, Error> {
    let path = Path::new(name);
    if !path.exists() && path.components().count() == 1 && path.extension().is_none() {
        let names: Vec<_> = World::shipped_names().collect();
        return Err(Error::Usage(format!(
            "`{name}` is neither a shipped world ({}) nor a file{}",
            names.join(", "),
            hint(name, names.iter().copied())
        )));
    }
    World::load_named(path, naming)
}
