//! Validators that fetch their keys: the parties of the chosen worlds that can do so, and the servers for them.

use super::args::{IssuerArgs, WorldArgs};
use super::serve::Wanted;
use super::store::quoted;
use super::validators::{Named, naming};
use crate::error::Error;
use crate::issuers::{Issuers, fetching, watching};
use crate::jose::NumericDate;
use crate::policy::KeySource;
use crate::world::{Address, Calendar, World};
use std::sync::Arc;

/// Whether it takes keys that it fetches.
pub(super) fn fetches(subject: &Named) -> bool {
    (subject.maker)().describe().key_sources.contains(&KeySource::Fetched)
}

/// Lets the relying parties of these worlds fetch their keys too, as far as they can: where it is asked for, or where somebody
/// is judged who does. Nobody else has seen these worlds yet.
pub(super) fn let_fetch(worlds: &mut [Arc<World>], wanted: bool) {
    for world in worlds.iter_mut().filter(|_| wanted).filter_map(Arc::get_mut) {
        world.let_fetch();
    }
}

/// Serves the issuers of the worlds to those who fetch. An endpoint was told by its operator where to fetch from.
pub(super) fn serve_to(subjects: &mut [Named], worlds: &[Arc<World>], now: NumericDate) {
    for subject in subjects.iter_mut().filter(|subject| subject.sort != "endpoint" && fetches(subject)) {
        subject.maker = fetching(Arc::clone(&subject.maker), worlds, Calendar::At(now));
    }
}

/// Where the names of a world stand below a base: its issuers, served there for as long as this value lives. What an endpoint
/// fetches from it is seen.
pub(super) fn serve_below(
    names: &WorldArgs,
    issuers: &IssuerArgs,
    subjects: &mut [Named],
    worlds: &[Arc<World>],
    now: NumericDate,
) -> Result<Option<Arc<Issuers>>, Error> {
    let Some(base) = &names.issuer_base else { return Ok(None) };
    let [world] = worlds else {
        let problem = "the issuers of one world are served there: name it with --world";
        return Err(Error::Usage(format!("--issuer-base: {problem}")));
    };
    let named = naming(None, Some(base))?;
    let address = named.issuer_base.as_deref().and_then(Address::of);
    let wanted = Wanted {
        prefix: "--issuer-",
        listen: issuers.issuer_listen,
        tls: issuers.issuer_tls,
        ca: issuers.issuer_ca.as_deref(),
        base: address.as_ref(),
    };
    let server = Arc::new(wanted.started(world, Calendar::At(now))?);
    let flags = issuers.flags(base);
    for subject in subjects {
        if subject.sort == "endpoint" {
            subject.maker = watching(Arc::clone(&subject.maker), Arc::clone(&server));
        }
        subject.again_with(&flags);
    }
    Ok(Some(server))
}

impl IssuerArgs {
    /// The flags, as a shell takes them.
    fn flags(&self, base: &str) -> String {
        let listen = self.issuer_listen.map(|listen| format!("--issuer-listen {listen}"));
        let tls = self.issuer_tls.then(|| "--issuer-tls".to_owned());
        let ca = self.issuer_ca.as_ref().map(|path| format!("--issuer-ca {}", quoted(&path.display().to_string())));
        let base = Some(format!("--issuer-base {}", quoted(base)));
        [base, listen, tls, ca].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
