//! Which worlds' parts and which classes a run takes, as it was asked on the command line.

use super::args::RunArgs;
use super::validators::Named;
use crate::alike::hint;
use crate::campaign::Selection;
use crate::error::Error;
use crate::generate::{Class, classes};
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::world::World;
use globset::{Glob, GlobMatcher};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which part of the worlds and classes was asked for.
pub(super) fn select(args: &RunArgs, worlds: &[Arc<World>]) -> Result<Selection, Error> {
    let all: Vec<&str> = worlds.iter().flat_map(|world| &world.parties).map(|party| party.alias.as_str()).collect();
    if let Some(party) = args.parties.iter().find(|party| !all.contains(&party.as_str())) {
        let hint = hint(party, all.iter().copied());
        let names = all.join(", ");
        return Err(Error::Usage(format!("--party: no chosen world has `{party}`: they have {names}{hint}")));
    }
    let selection = Selection {
        parties: args.parties.clone(),
        key_sources: args.key_sources.iter().map(|&source| KeySource::from(source)).collect(),
        classes: chosen_classes(&args.only, &args.skip)?,
    };
    if selection.sites(worlds).is_empty() {
        let asked: Vec<_> = selection.key_sources.iter().map(|source| source.name()).collect();
        return Err(Error::Usage(format!(
            "--key-source: no chosen relying party takes keys from `{}`: choose another source, party or world",
            asked.join("`, `")
        )));
    }
    Ok(selection)
}

/// Where nobody asked for key sources and none who is judged takes keys from policies: those from which they take them. What does
/// not hang on where keys come from is tried with the first of the sources only, which must not be one that nobody takes.
pub(super) fn take_what_they_take<'s>(
    selection: &mut Selection,
    subjects: impl Iterator<Item = &'s Named>,
    worlds: &[Arc<World>],
) {
    let taken: BTreeSet<KeySource> =
        subjects.flat_map(|subject| (subject.maker)().describe().key_sources.into_iter()).collect();
    let narrowed = Selection { key_sources: taken.into_iter().collect(), ..selection.clone() };
    let inline = narrowed.key_sources.contains(&KeySource::PerIssuer);
    if !inline && selection.key_sources.is_empty() && !narrowed.sites(worlds).is_empty() {
        *selection = narrowed;
    }
}

/// Whether a class was asked for.
type Chosen = Arc<dyn Fn(&Class) -> bool + Send + Sync>;

fn chosen_classes(only: &[String], skip: &[String]) -> Result<Chosen, Error> {
    let matchers = |flag: &str, globs: &[String]| -> Result<Vec<GlobMatcher>, Error> {
        let compile = |text: &String| {
            let glob = Glob::new(text).map_err(|error| Error::Usage(format!("{flag}: {error}")))?.compile_matcher();
            if classes().iter().any(|class| names(&glob, class)) || watched(&glob) {
                return Ok(glob);
            }
            let known = Rule::ALL.iter().map(|rule| rule.name()).chain(classes().iter().map(|class| class.id));
            let hint = hint(text, known);
            Err(Error::Usage(format!(
                "{flag}: {text:?} matches no rule and no class: see `wrongkey list rules` and `wrongkey list classes`{hint}"
            )))
        };
        globs.iter().map(compile).collect()
    };
    let (only, skip) = (matchers("--only", only)?, matchers("--skip", skip)?);
    Ok(Arc::new(move |class: &Class| {
        (only.is_empty() || only.iter().any(|glob| names(glob, class) || watched(glob)))
            && !skip.iter().any(|glob| names(glob, class))
    }))
}

/// Whether a glob names a rule of conduct at which no class aims: every token gives occasion to break it.
fn watched(glob: &GlobMatcher) -> bool {
    let aimed_at = |rule: Rule| classes().iter().any(|class| class.aims == Some(rule));
    Rule::OF_CONDUCT.iter().any(|&rule| !aimed_at(rule) && glob.is_match(rule.name()))
}

fn names(glob: &GlobMatcher, class: &Class) -> bool {
    glob.is_match(class.id) || class.aims.is_some_and(|rule| glob.is_match(rule.name()))
}
