//! The museum: releases of real packages, before and after a published advisory, told apart by the general catalogue.
//!
//! `scripts/museum.sh` installs every release of `museum/museum.toml` with its ecosystem's own client and judges it. Without it,
//! what is installed is judged, and whoever has installed nothing is told so.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wrongkey::clock;
use wrongkey::finding::{Kind, Relation};
use wrongkey::rule::Rule;
use wrongkey::world::{DEFAULT_SEED, World};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A vulnerable and a fixed release of one package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    package: String,
    ecosystem: Ecosystem,
    vulnerable: String,
    fixed: String,
    /// What is installed beside the package, as the client wants it said.
    #[serde(default)]
    with: Vec<String>,
    advisory: String,
    /// What is wrong, in a few words.
    flaw: String,
    /// The program, in the folder of the ecosystem.
    application: String,
    world: String,
    party: Option<String>,
    /// What the finding must be: its kind, one of its rules, and the rest of its origin.
    kind: Kind,
    rule: Rule,
    acts: String,
    relation: Relation,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ecosystem {
    Python,
    Node,
    Rust,
}

impl Ecosystem {
    fn name(self) -> &'static str {
        match self {
            Ecosystem::Python => "python",
            Ecosystem::Node => "node",
            Ecosystem::Rust => "rust",
        }
    }

    /// The programs that it takes to install a release and to run it.
    fn tools(self) -> &'static [&'static str] {
        match self {
            Ecosystem::Python => &["python3"],
            Ecosystem::Node => &["node", "npm"],
            Ecosystem::Rust => &["cargo"],
        }
    }
}

/// A release in its own folder, relative to the repository.
struct Release<'r> {
    row: &'r Row,
    version: &'r str,
    folder: String,
}

/// A command that installs a release, and files that must be there first.
struct Recipe {
    folder: PathBuf,
    command: Command,
    inputs: Vec<(&'static str, String)>,
}

fn rows() -> BTreeMap<String, Row> {
    toml::from_str(&document("tests/museum/museum.toml")).unwrap()
}

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_table_for_people_is_that_of_the_rows() {
    let mut table = String::from(
        "| package | vulnerable | fixed | advisory | what is wrong | application | world | the finding |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows().values() {
        let Row { package, vulnerable, fixed, advisory, flaw, application, world, rule, acts, relation, .. } = row;
        let ecosystem = row.ecosystem.name();
        let (rule, relation) = (rule.name(), relation.name());
        let place = row.party.as_ref().map_or(String::new(), |party| format!(", `{party}`"));
        table.push_str(&format!(
            "| {package} ({ecosystem}) | {vulnerable} | {fixed} | {advisory} | {flaw} | [`{application}`]({ecosystem}/{application}) \
             | `{world}`{place} | {rule}: `{acts}`, signed by `{relation}` |\n"
        ));
    }
    let readme = document("tests/museum/README.md");
    assert!(readme.contains(&table), "tests/museum/README.md does not hold this table:\n\n{table}");
}

#[test]
fn every_row_names_what_there_is() {
    for (name, row) in rows() {
        let application = format!("tests/museum/{}/{}", row.ecosystem.name(), row.application);
        assert!(Path::new(ROOT).join(&application).is_file(), "{name}: {application}");
        let world = World::shipped(&row.world, DEFAULT_SEED).unwrap_or_else(|| panic!("{name}: {}", row.world));
        assert!(row.party.iter().all(|party| world.parties.iter().any(|one| one.alias == *party)), "{name}: party");
        if let Ecosystem::Rust = row.ecosystem {
            for release in [&row.vulnerable, &row.fixed] {
                let pinned = format!("name = \"{}\"\nversion = \"{release}\"", row.package);
                assert!(document(&format!("tests/museum/rust/{release}.lock")).contains(&pinned), "{name}: {release}");
            }
        }
    }
}

/// The museum's judge, on a recipe that pools the keys of all issuers and on one that does not.
#[test]
fn only_a_flaw_that_is_there_and_then_is_not_tells_releases_apart() {
    let judged = |recipe: &str| {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["test", recipe, "--world", "two-issuers", "--only", "KS-*", "--format", "json"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrongkey"));
        result(command.args(arguments).current_dir(folder.path())).unwrap()
    };
    let (pooled, sound) = (judged("jsonwebtoken-pooled"), judged("jsonwebtoken"));
    let version = pooled["validators"][0]["version"].as_str().unwrap();
    let row = |rule: Rule, fixed: &str| Row {
        package: String::new(),
        ecosystem: Ecosystem::Rust,
        vulnerable: version.to_owned(),
        fixed: fixed.to_owned(),
        with: Vec::new(),
        advisory: String::new(),
        flaw: String::new(),
        application: String::new(),
        world: "two-issuers".to_owned(),
        party: None,
        kind: Kind::FalseAccept,
        rule,
        acts: "sign-with".to_owned(),
        relation: Relation::OtherTrusted,
    };
    let told = row(Rule::KeyBelongsToIssuer, version);
    assert_eq!(told.told_apart(&pooled, &sound), Ok(()));
    assert!(told.told_apart(&sound, &sound).is_err());
    assert!(told.told_apart(&pooled, &pooled).is_err());
    assert!(told.told_apart(&sound, &pooled).is_err());
    assert!(row(Rule::IssuerTrusted, version).told_apart(&pooled, &sound).is_err());
    assert!(row(Rule::KeyBelongsToIssuer, "0.0.1").told_apart(&pooled, &sound).is_err(), "another release was judged");
    let mut refused = sound;
    refused["validators"][0]["baseline"]["held"] = false.into();
    assert!(told.told_apart(&pooled, &refused).is_err(), "a release that refuses everything is not fixed");
}

/// `MUSEUM_ROWS`, where it is set, names the rows whose releases are installed and judged; all, where it is empty.
#[test]
fn every_vulnerable_release_is_told_from_the_fixed_one() {
    let asked = std::env::var("MUSEUM_ROWS").ok();
    let chosen: Vec<&str> = asked.iter().flat_map(|names| names.split_whitespace()).collect();
    let mut rows = rows();
    for name in &chosen {
        assert!(rows.contains_key(*name), "museum.toml has no row {name}: {:?}", rows.keys());
    }
    rows.retain(|name, _| chosen.is_empty() || chosen.contains(&name.as_str()));
    if asked.is_none() {
        let all = rows.len();
        rows.retain(|name, row| row.releases(name).iter().all(|release| release.recipe().is_installed()));
        if rows.len() < all {
            // Past the capture of a test's output: whoever runs it is to read this.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: the releases of {} of {all} rows of the museum are not installed: `scripts/museum.sh` installs and judges them",
                all - rows.len()
            );
        }
    }
    let mut failed = Vec::new();
    for (name, row) in &rows {
        if let Some(tool) = row.ecosystem.tools().iter().find(|tool| !is_here(tool)) {
            println!("{name:<26} skipped, there is no {tool} here");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{name}: there is no {tool} here");
            continue;
        }
        let came = row.visit(name);
        let seconds = came
            .as_ref()
            .map_or(String::new(), |(install, judge)| format!("{install:>6.1} s to install {judge:>6.1} s to judge"));
        println!("{name:<26} {} {seconds}", if came.is_ok() { "told apart" } else { "FAILED" });
        failed.extend(came.err().map(|why| format!("{name}: {why}")));
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Whether a program can be started.
fn is_here(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|ran| ran.status.success())
}

impl Row {
    /// The vulnerable one and the fixed one.
    fn releases(&self, name: &str) -> [Release<'_>; 2] {
        [&self.vulnerable, &self.fixed].map(|version| Release {
            row: self,
            version,
            folder: format!("target/museum/{name}/{version}"),
        })
    }

    /// Installs both releases and judges them; how many seconds each took.
    fn visit(&self, name: &str) -> Result<(f64, f64), String> {
        let releases = self.releases(name);
        let start = clock::instant();
        for release in &releases {
            release.install().map_err(|why| format!("{} cannot be installed: {why}", release.version))?;
        }
        let installed = start.elapsed().as_secs_f64();
        let [vulnerable, fixed] = releases.map(|release| release.judge());
        self.told_apart(&vulnerable?, &fixed?)?;
        Ok((installed, start.elapsed().as_secs_f64() - installed))
    }

    /// Whether the vulnerable release shows the flaw and the fixed one refused what would show it.
    fn told_apart(&self, vulnerable: &Value, fixed: &Value) -> Result<(), String> {
        for (result, version) in [(vulnerable, &self.vulnerable), (fixed, &self.fixed)] {
            let judged = &result["validators"][0];
            if judged["version"] != **version {
                return Err(format!("{version} was to be judged, and {} was", judged["version"]));
            }
            if judged["baseline"]["held"] != true {
                return Err(format!("{version} refused honest tokens: {}", judged["baseline"]));
            }
        }
        if !self.shows(vulnerable) {
            return Err(format!("{} shows nothing of it: {}", self.vulnerable, origins(vulnerable)));
        }
        if self.shows(fixed) {
            return Err(format!("{} shows it too: {}", self.fixed, origins(fixed)));
        }
        if fixed["validators"][0]["rules"][self.rule.name()]["confirmed"].as_u64().unwrap_or(0) == 0 {
            return Err(format!("nothing shows that {} keeps {}", self.fixed, self.rule.name()));
        }
        Ok(())
    }

    fn shows(&self, result: &Value) -> bool {
        let rest = format!(".{}.{}", self.acts, self.relation.name());
        findings(result).iter().any(|finding| {
            finding["kind"] == self.kind.name()
                && finding["rules"].as_array().is_some_and(|rules| rules.iter().any(|rule| *rule == self.rule.name()))
                && finding["origin"].as_str().is_some_and(|origin| origin.ends_with(&rest))
                && finding["reproduced"] == true
        })
    }
}

fn findings(result: &Value) -> &[Value] {
    result["validators"][0]["findings"].as_array().map_or(&[], Vec::as_slice)
}

fn origins(result: &Value) -> String {
    let origins: Vec<&str> = findings(result).iter().filter_map(|finding| finding["origin"].as_str()).collect();
    origins.join(", ")
}

impl Release<'_> {
    fn path(&self, name: &str) -> PathBuf {
        Path::new(ROOT).join(&self.folder).join(name)
    }

    /// How it is installed.
    fn recipe(&self) -> Recipe {
        let Row { package, with, ecosystem, .. } = self.row;
        let mut command;
        let mut inputs = Vec::new();
        match ecosystem {
            Ecosystem::Python => {
                command = Command::new("python3");
                command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]);
                command.args(["--target", &self.folder]).arg(format!("{package}=={}", self.version)).args(with);
            }
            Ecosystem::Node => {
                command = Command::new("npm");
                command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
                command.args(["--prefix", &self.folder]).arg(format!("{package}@{}", self.version)).args(with);
            }
            Ecosystem::Rust => {
                command = Command::new("cargo");
                command.args(["install", "--quiet", "--locked", "--root", &self.folder]);
                command.args(["--path", &format!("{}/source", self.folder)]);
                // What both releases are built on is built once.
                command.env("CARGO_TARGET_DIR", Path::new(ROOT).join(&self.folder).with_file_name("build"));
                let source = |name: &str| document(&format!("tests/museum/rust/{name}"));
                inputs.push(("source/Cargo.toml", source("Cargo.toml").replace("RELEASE", self.version)));
                inputs.push(("source/Cargo.lock", source(&format!("{}.lock", self.version))));
                inputs.push(("source/src/main.rs", source("src/main.rs")));
            }
        }
        Recipe { folder: self.path(""), command, inputs }
    }

    /// Installs it, unless the same was installed before.
    fn install(&self) -> Result<(), String> {
        let mut recipe = self.recipe();
        if recipe.is_installed() {
            return Ok(());
        }
        let what = recipe.what();
        let write = |name: &str, text: &str| {
            let path = self.path(name);
            let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            folder.and_then(|()| std::fs::write(&path, text)).map_err(|error| format!("{}: {error}", path.display()))
        };
        // What an earlier attempt left.
        let _ = std::fs::remove_dir_all(self.path(""));
        for (name, text) in &recipe.inputs {
            write(name, text)?;
        }
        let command = &mut recipe.command;
        let ran = command.current_dir(ROOT).output().map_err(|error| format!("{command:?}: {error}"))?;
        if !ran.status.success() {
            return Err(format!("{command:?}\n{}", String::from_utf8_lossy(&ran.stderr)));
        }
        write("installed", &what)
    }

    /// The whole catalogue of the row's world, shown to the application on this release.
    fn judge(&self) -> Result<Value, String> {
        let Row { application, world, party, ecosystem, .. } = self.row;
        let exec = match ecosystem {
            Ecosystem::Python => format!("python3 tests/museum/python/{application}"),
            Ecosystem::Node => format!("node tests/museum/node/{application}"),
            Ecosystem::Rust => format!("{}/bin/museum-jsonwebtoken {}", self.folder, self.version),
        };
        let program = std::env::var("WRONGKEY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_wrongkey").to_owned());
        let mut command = Command::new(program);
        command.args(["test", "--exec", &exec, "--world", world, "--format", "json"]);
        command.args(party.iter().flat_map(|party| ["--party", party]));
        // The catalogue alone must do: nothing that somebody has stored is replayed.
        let stored = tempfile::tempdir().map_err(|error| error.to_string())?;
        command.arg("--corpus").arg(stored.path()).arg("--out").arg(stored.path().join("out"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PYTHONPATH", format!("{}:{ROOT}/adapters/python", self.path("").display()));
        command.env("NODE_PATH", self.path("node_modules"));
        result(command.current_dir(ROOT))
    }
}

impl Recipe {
    fn what(&self) -> String {
        format!("{:?}\n{:?}", self.command, self.inputs)
    }

    /// Whether the same was carried out before.
    fn is_installed(&self) -> bool {
        std::fs::read_to_string(self.folder.join("installed")).is_ok_and(|installed| installed == self.what())
    }
}

/// Runs `wrongkey` and reads its result.
fn result(command: &mut Command) -> Result<Value, String> {
    let ran = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&ran.stdout);
    serde_json::from_str(&text)
        .map_err(|error| format!("{command:?}: {error}\n{text}{}", String::from_utf8_lossy(&ran.stderr)))
}
