//! The public side of a world: `world show` and `world export`.

use super::args::{Format, OneWorld, WorldCommand, WorldExportArgs, WorldShowArgs};
use super::store::write;
use super::validators::{naming, one_world};
use crate::clock;
use crate::error::Error;
use crate::issuers::{Export, export};
use crate::jose::NumericDate;
use crate::judgement::Exit;
use crate::world::Calendar;
use anstyle::Style;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

const BOLD: Style = Style::new().bold();

pub(super) fn world(command: &WorldCommand) -> Result<Exit, Error> {
    match command {
        WorldCommand::Show(args) => show(args),
        WorldCommand::Export(args) => write_all(args),
    }
}

/// The public side of the chosen world at the chosen time.
fn public_side(args: &OneWorld) -> Result<Export, Error> {
    let world = one_world(&args.name, &naming(args.world_seed, args.issuer_base.as_deref())?)?;
    let now = args.now.map_or_else(clock::now, NumericDate);
    Ok(export(&world, Calendar::At(now)))
}

fn show(args: &WorldShowArgs) -> Result<Exit, Error> {
    let made = public_side(&args.world)?;
    match args.format {
        Format::Json => {
            let files = made.files.iter().filter(|(path, _)| *path != "manifest.json").map(|(path, text)| {
                // What is no JSON is PEM.
                let content = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                (path.clone(), content)
            });
            let files: serde_json::Map<String, Value> = files.collect();
            let whole = json!({ "manifest": made.manifest, "files": files });
            let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
            text.push('\n');
            super::print(&text);
        }
        Format::Text => super::print(&readable(&made.manifest)),
    }
    Ok(Exit::Clean)
}

/// The manifest for people. A world file may say anything, so every word of it is tamed.
fn readable(manifest: &Value) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  seed {}", word(&manifest["world"]), manifest["world_seed"]);
    let _ = writeln!(out, "  {}", word(&manifest["about"]));
    for issuer in entries(&manifest["issuers"]) {
        let _ = writeln!(out, "{BOLD}issuer {}{BOLD:#}  {}", word(&issuer["alias"]), word(&issuer["issuer"]));
        row(&mut out, "algorithms", &words(&issuer["algorithms"]));
        for (alias, id) in issuer["tenants"].as_object().into_iter().flatten() {
            row(&mut out, "tenant", &format!("{}  {}", super::tame_lines(alias), word(id)));
        }
        row(&mut out, "discovery", &word(&issuer["discovery_url"]));
        row(&mut out, "key set", &word(&issuer["jwks_uri"]));
        for key in entries(&issuer["keys"]) {
            let lifetime = ["not_before", "not_after"].map(|end| key[end].as_i64().map(|date| format!("{end} {date}")));
            let lifetime: Vec<String> = lifetime.into_iter().flatten().collect();
            let parts =
                [word(&key["alias"]), word(&key["kty"]), words(&key["algorithms"]), kid(key), lifetime.join(", ")];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            row(&mut out, "key", &parts.join("  "));
        }
    }
    for party in entries(&manifest["parties"]) {
        let _ = writeln!(out, "{BOLD}party {}{BOLD:#}", word(&party["alias"]));
        row(&mut out, "audiences", &words(&party["audiences"]));
        row(&mut out, "trusts", &words(&party["issuers"]));
        let sources: Vec<&str> =
            party["policies"].as_object().into_iter().flatten().map(|(source, _)| source.as_str()).collect();
        row(&mut out, "keys from", &sources.join(", "));
        row(&mut out, "not shown", &secrets(party));
    }
    if manifest.get("converged_jwks").is_some() {
        let _ = writeln!(out, "{BOLD}converged set{BOLD:#}");
        row(&mut out, "issuers", &words(&manifest["converged_issuers"]));
    }
    out
}

fn kid(key: &Value) -> String {
    key["kid"].as_str().map(|kid| format!("kid {}", super::tame_lines(kid))).unwrap_or_default()
}

fn secrets(party: &Value) -> String {
    let with = words(&party["secrets_left_out"]);
    if with.is_empty() { with } else { format!("secrets shared with {with}") }
}

fn entries(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> String {
    super::tame_lines(&value.as_str().unwrap_or_default().replace('\n', " "))
}

fn words(value: &Value) -> String {
    entries(value).iter().map(word).collect::<Vec<_>>().join(", ")
}

fn row(out: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "  {name:<11} {text}");
    }
}

/// Writes all files, or none where the folder is not free.
fn write_all(args: &WorldExportArgs) -> Result<Exit, Error> {
    let made = public_side(&args.world)?;
    check(&args.dir)?;
    for (path, text) in &made.files {
        let path = args.dir.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        }
        write(&path, text)?;
    }
    let files: String = made.files.keys().map(|path| format!("{}\n", args.dir.join(path).display())).collect();
    super::print(&files);
    Ok(Exit::Clean)
}

/// Makes sure that the folder is new or empty: nothing is written over, and nothing old is taken for a part of the export.
fn check(folder: &Path) -> Result<(), Error> {
    let refuse = |problem: String| Err(Error::Usage(format!("--dir: {} {problem}", folder.display())));
    if let Some(file) = folder.ancestors().find(|path| path.is_file()) {
        return refuse(format!("cannot be a folder: {} is a file", file.display()));
    }
    if !folder.exists() {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(folder).map_err(|source| Error::Read { path: folder.to_owned(), source })?;
    match entries.next() {
        Some(Ok(entry)) => {
            let name = entry.file_name();
            refuse(format!("holds `{}`: name a new or an empty folder", name.to_string_lossy()))
        }
        Some(Err(source)) => Err(Error::Read { path: folder.to_owned(), source }),
        None => Ok(()),
    }
}
