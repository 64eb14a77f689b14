//! Validators that fetch their keys: the parties of the chosen worlds that can do so, and the servers for them.

use super::validators::Named;
use crate::issuers::fetching;
use crate::jose::NumericDate;
use crate::policy::KeySource;
use crate::world::{Calendar, World};
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
