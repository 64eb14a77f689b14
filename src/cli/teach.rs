//! Commands that teach: `explain` and `list`.

use super::args::{ExplainArgs, Format, ListArgs, What};
use super::configured::{Names, configuration};
use super::fetch::let_fetch;
use super::validators::{Named, all};
use crate::alike::hint;
use crate::config::Kind;
use crate::error::Error;
use crate::finding::tame;
use crate::generate::{Absent, Class, Interface, Site, absent, classes};
use crate::judgement::Exit;
use crate::rule::Rule;
use crate::scenario::Scenario;
use crate::world::{DEFAULT_SEED, World};
use anstyle::Style;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Longest text of a configuration that is shown in a list.
const MAX_ABOUT: usize = 200;

const BOLD: Style = Style::new().bold();

pub(super) fn explain(args: &ExplainArgs) -> Result<Exit, Error> {
    let mut out = String::new();
    if let Some(&rule) = Rule::ALL.iter().find(|rule| rule.name().eq_ignore_ascii_case(&args.id)) {
        explain_rule(&mut out, rule);
    } else if let Some(class) = classes().iter().find(|class| class.id.eq_ignore_ascii_case(&args.id)) {
        explain_class(&mut out, class);
    } else if let Some(absent) = absent().find(|absent| absent.id.eq_ignore_ascii_case(&args.id)) {
        explain_absent(&mut out, absent);
    } else {
        return Err(Error::Usage(format!(
            "{:?} is neither a rule nor a class: see `wrongkey list rules` and `wrongkey list classes`{}",
            args.id,
            hint(&args.id, Rule::ALL.iter().map(|rule| rule.name()).chain(classes().iter().map(|class| class.id)))
        )));
    }
    super::print(&out);
    Ok(Exit::Clean)
}

fn explain_rule(out: &mut String, rule: Rule) {
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {}", rule.name(), rule.severity().name());
    let _ = writeln!(out, "  what     {}", rule.demand());
    let _ = writeln!(out, "  why      without it {}", rule.why());
    let _ = writeln!(out, "  source   {}", rule.source());
    if rule.is_of_conduct() {
        let _ = writeln!(out, "  how      no token breaks it: it is watched while tokens are judged");
    }
    let aiming: Vec<&str> = classes().iter().filter(|class| class.aims == Some(rule)).map(|class| class.id).collect();
    if !aiming.is_empty() {
        let _ = writeln!(out, "  classes  {}", aiming.join(", "));
    }
    if let Some(class) = classes().iter().find(|class| class.aims == Some(rule)) {
        example(out, class);
    }
}

fn explain_class(out: &mut String, class: &Class) {
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {}", class.id, class.title);
    match class.aims {
        Some(rule) => {
            let _ = writeln!(out, "  rule     {} ({}): {}", rule.name(), rule.severity().name(), rule.demand());
            let _ = writeln!(out, "  why      without it {}", rule.why());
        }
        None => {
            let _ = writeln!(out, "  rule     none: a positive control, which a sound validator accepts");
        }
    }
    let _ = writeln!(out, "  source   {}", class.source);
    example(out, class);
}

fn explain_absent(out: &mut String, absent: &Absent) {
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {}", absent.id, absent.title);
    let _ = writeln!(out, "  not there: this class is not in the catalogue");
    let _ = writeln!(out, "  needs    {}: {}", absent.needs.name(), absent.needs.sentence());
}

fn example(out: &mut String, class: &Class) {
    let mut worlds: Vec<Arc<World>> =
        World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect();
    // Where somebody fetches only what cannot be shown elsewhere.
    let first = first_of(class, &worlds).or_else(|| {
        let_fetch(&mut worlds, true);
        first_of(class, &worlds)
    });
    if let Some(scenario) = first {
        let _ = writeln!(out, "  example\n{}", scenario.to_json().trim_end());
    }
}

fn first_of(class: &Class, worlds: &[Arc<World>]) -> Option<Scenario> {
    let sites = worlds.iter().flat_map(|world| Site::all(world));
    sites.into_iter().find_map(|site| class.scenarios(&site).into_iter().next())
}

pub(super) fn list(args: &ListArgs) -> Result<Exit, Error> {
    if args.summary && args.what != What::Classes {
        return Err(Error::Usage("--summary goes with `list classes`".to_owned()));
    }
    let rows: Vec<serde_json::Value> = match args.what {
        What::Rules => Rule::ALL
            .iter()
            .map(|rule| {
                json!({ "name": rule.name(), "severity": rule.severity().name(), "of": if rule.is_of_conduct() { "conduct" } else { "tokens" }, "source": rule.source(), "demand": rule.demand() })
            })
            .collect(),
        What::Classes if args.summary => summary(),
        What::Classes => {
            let there = classes().iter().map(|class| {
                json!({ "name": class.id, "rule": class.aims.map_or("accept", Rule::name), "title": class.title, "source": class.source })
            });
            there.chain(absent().map(absent_row)).collect()
        }
        What::Worlds => World::shipped_names()
            .filter_map(|name| World::shipped(name, DEFAULT_SEED))
            .map(|world| {
                let parties: Vec<_> = world.parties.iter().map(|party| party.alias.as_str()).collect();
                json!({ "name": world.name, "parties": parties.join(", "), "about": world.about.replace('\n', " ") })
            })
            .collect(),
        What::Validators => validators(args)?,
    };
    match args.format {
        Format::Json => {
            let mut text = serde_json::to_string_pretty(&rows).unwrap_or_default();
            text.push('\n');
            super::print(&text);
        }
        Format::Text => {
            let (absent, there): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.get("needs").is_some());
            let mut text = table(&there);
            if !absent.is_empty() {
                let _ = write!(text, "\nnot there, and what each would need:\n{}\n{}", table(&absent), interfaces());
            }
            super::print(&text);
        }
    }
    Ok(Exit::Clean)
}

/// Those that are built in, and those of the configuration.
fn validators(args: &ListArgs) -> Result<Vec<serde_json::Value>, Error> {
    let config = configuration(args.config.as_deref())?;
    let names = Names::of(&config, args.config.as_deref())?;
    let own = names.entries().map(|(entry, from)| {
        let (sort, about) = match &entry.kind {
            Kind::Exec(line) => ("process", line),
            Kind::Command(line) => ("command", line),
            Kind::Url(request) => ("endpoint", &request.url),
        };
        json!({ "name": entry.name, "sort": sort, "from": from, "about": tame(about, MAX_ABOUT) })
    });
    let row = |validator: &Named| json!({ "name": validator.name, "sort": validator.sort, "from": "built in", "about": validator.about });
    Ok(own.chain(all().iter().map(row)).collect())
}

fn absent_row(absent: &Absent) -> serde_json::Value {
    json!({ "name": absent.id, "needs": absent.needs.name(), "title": absent.title, "interface": absent.needs.sentence() })
}

/// The interfaces that absent classes need, each once.
fn interfaces() -> String {
    let needed = Interface::ALL.iter().filter(|interface| absent().any(|absent| absent.needs == **interface));
    let rows: Vec<_> =
        needed.map(|interface| json!({ "name": interface.name(), "about": interface.sentence() })).collect();
    table(&rows)
}

/// How many classes of each group are there, and how many are not.
fn summary() -> Vec<serde_json::Value> {
    let group = |id: &'static str| {
        id.split_once(['-', '/']).filter(|(group, _)| group.len() == 2).map_or("storm-0558", |row| row.0)
    };
    let mut groups: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for class in classes() {
        groups.entry(group(class.id)).or_default().0 += 1;
    }
    for absent in absent() {
        groups.entry(group(absent.id)).or_default().1 += 1;
    }
    let row = |(name, (there, absent))| json!({ "name": name, "classes": there, "absent": absent });
    groups.into_iter().map(row).collect()
}

/// Columns as wide as their widest value; the last one runs on.
fn table(rows: &[serde_json::Value]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().filter_map(serde_json::Value::as_object).map(ordered).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &cells {
        for (column, cell) in row.iter().enumerate() {
            if column + 1 == row.len() {
                let _ = writeln!(out, "{cell}");
            } else {
                let _ = write!(out, "{cell:width$}  ", width = widths[column]);
            }
        }
    }
    out
}

/// Name first, then short members, the sentence last. Sources are left to `explain` and to JSON: they are long.
fn ordered(row: &serde_json::Map<String, serde_json::Value>) -> Vec<String> {
    const ORDER: [&str; 12] = [
        "name", "severity", "rule", "needs", "sort", "from", "classes", "absent", "parties", "title", "demand", "about",
    ];
    let cell = |name: &&str| {
        let value = row.get(*name)?;
        Some(value.as_str().map_or_else(|| format!("{value} {name}"), str::to_owned))
    };
    ORDER.iter().filter_map(cell).collect()
}
