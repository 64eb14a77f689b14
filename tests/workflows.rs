//! What runs on GitHub is what runs here: each step of a workflow is one call of a script that `.ci/run` calls too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wrongkey::judgement::Exit;
use yaml_rust2::{Yaml, YamlLoader};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn workflows() -> Vec<(String, Yaml)> {
    let entries = std::fs::read_dir(root(".github/workflows")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(documents.len(), 1, "{name}");
        (name, documents.remove(0))
    };
    let mut workflows: Vec<_> = entries.map(read).collect();
    workflows.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        workflows.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["nightly.yml", "pull-request.yml"]
    );
    workflows
}

fn jobs(workflow: &Yaml) -> Vec<(&str, &Yaml)> {
    let jobs = workflow["jobs"].as_hash().unwrap().iter();
    jobs.map(|(name, job)| (name.as_str().unwrap(), job)).collect()
}

fn steps(workflow: &Yaml) -> Vec<&Yaml> {
    jobs(workflow).into_iter().flat_map(|(_, job)| job["steps"].as_vec().unwrap()).collect()
}

/// The script of a step and its first argument; why it is no single call of a script.
fn call(run: &str) -> Result<(&str, &str), String> {
    // What GitHub puts in is a number or a word of the workflow's own.
    let mut plain = run.to_owned();
    for known in ["matrix.target", "github.run_number"] {
        plain = plain.replace(&format!("${{{{ {known} }}}}"), "1");
    }
    if let Some(sign) = plain.chars().find(|sign| "\n;|&<>$`(){}*?#'".contains(*sign)) {
        return Err(format!("`{run}` has a {sign:?} in it: put it into a script"));
    }
    let (script, arguments) = run.split_once(' ').unwrap_or((run, ""));
    let first = match arguments.strip_prefix('"') {
        Some(quoted) => &arguments[..=quoted.find('"').ok_or("a quote is open")? + 1],
        None => arguments.split(' ').next().unwrap_or_default(),
    };
    if !script.starts_with("scripts/") || !script.ends_with(".sh") {
        return Err(format!("`{run}` is no script of this repository"));
    }
    Ok((script, first))
}

#[test]
fn each_step_is_a_single_call_of_a_script_that_ci_calls_too() {
    let ci = text(".ci/run");
    let mut calls = BTreeSet::new();
    for (name, workflow) in workflows() {
        for step in steps(&workflow) {
            let Some(run) = step["run"].as_str() else {
                assert!(step["uses"].as_str().is_some(), "{name}: a step neither runs nor uses: {step:?}");
                continue;
            };
            let (script, first) = call(run).unwrap_or_else(|problem| panic!("{name}: {problem}"));
            assert!(is_executable(&root(script)), "{name}: {script} is no executable file");
            let called = match script {
                // The one list of what is installed stands there.
                "scripts/tools.sh" | "scripts/packages.sh" => {
                    let list = Path::new(script).file_stem().unwrap().to_string_lossy();
                    let whole = ci.contains(&format!("{script} \"${{{list}[@]}}\""));
                    whole && run.split(' ').skip(1).all(|name| ci.contains(&format!("    {name}\n")))
                }
                _ => ci.contains(&format!(" {script} {first}")),
            };
            assert!(called, "{name}: `.ci/run` does not call `{script} {first}`");
            calls.insert(format!("{script} {first}"));
        }
    }
    for wanted in [
        "scripts/of-readme.sh \"cargo test\"",
        "scripts/wrongkey.sh catalogue",
        "scripts/wrongkey.sh exhaustive",
        "scripts/wrongkey.sh hunt",
        "scripts/fuzz.sh run",
        "scripts/fuzz.sh cmin",
        "scripts/check.sh clippy",
        "scripts/check.sh format",
    ] {
        assert!(calls.contains(wanted), "no workflow runs `{wanted}`: {calls:?}");
    }
}

#[test]
fn more_than_one_call_is_seen_as_such() {
    assert_eq!(call("scripts/fuzz.sh run ${{ matrix.target }} 60"), Ok(("scripts/fuzz.sh", "run")));
    assert_eq!(call("scripts/of-readme.sh \"cargo test\""), Ok(("scripts/of-readme.sh", "\"cargo test\"")));
    for run in [
        "cargo test",
        "scripts/a.sh; true",
        "scripts/a.sh\nscripts/b.sh",
        "scripts/a.sh | tee log",
        "scripts/a.sh $HOME",
        "scripts/a.sh ${{ github.event.pull_request.title }}",
        "scripts/a.sh \"x",
    ] {
        assert!(call(run).is_err(), "{run}");
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[test]
fn a_workflow_may_read_the_source_and_no_more_and_ends_some_time() {
    for (name, workflow) in workflows() {
        let permissions = workflow["permissions"].as_hash().unwrap();
        let permissions: Vec<_> = permissions.iter().map(|(what, how)| (what.as_str(), how.as_str())).collect();
        assert_eq!(permissions, [(Some("contents"), Some("read"))], "{name}");
        assert!(workflow["concurrency"]["group"].as_str().is_some(), "{name}");
        for (job, content) in jobs(&workflow) {
            assert!(content["permissions"].is_badvalue(), "{name}: {job} asks for more");
            assert!(content["timeout-minutes"].as_i64().is_some_and(|minutes| minutes <= 120), "{name}: {job}");
        }
        for step in steps(&workflow) {
            let Some(action) = step["uses"].as_str() else { continue };
            let version = action.strip_prefix("actions/").and_then(|action| action.split_once("@v"));
            let pinned = version.is_some_and(|(_, version)| version.parse::<u8>().is_ok());
            assert!(pinned, "{name}: {action} is none of GitHub's own at a version");
            if action.starts_with("actions/checkout@") {
                assert_eq!(step["with"]["persist-credentials"].as_bool(), Some(false), "{name}");
            }
        }
    }
}

#[test]
fn what_was_found_is_uploaded_whatever_came_of_the_job() {
    for (name, workflow) in workflows() {
        for (job, content) in jobs(&workflow) {
            let steps = content["steps"].as_vec().unwrap();
            let runs =
                |script: &str| steps.iter().any(|step| step["run"].as_str().is_some_and(|run| run.starts_with(script)));
            for (script, folder) in
                [("scripts/wrongkey.sh ", "wrongkey-jobs"), ("scripts/fuzz.sh run", "fuzz/artifacts")]
            {
                let uploads = steps.iter().any(|step| {
                    step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/upload-artifact@"))
                        && step["with"]["path"].as_str() == Some(folder)
                        && step["if"].as_str() == Some("always()")
                });
                assert_eq!(runs(script), uploads, "{name}: {job}: {folder}");
            }
        }
    }
}

/// The program refuses a folder for findings that holds anything else, so that `wrongkey test` would fail ever after.
#[test]
fn scripts_leave_the_folder_of_a_plain_run_alone() {
    for entry in std::fs::read_dir(root("scripts")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("wrongkey-out"), "{}", path.display());
    }
}

fn explained(code: u8) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary");
    let output = Command::new(root("scripts/explain-exit.sh"))
        .args([&code.to_string(), "fuzz token"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    (output, std::fs::read_to_string(summary).unwrap())
}

#[test]
fn that_something_was_found_is_told_from_that_the_job_broke() {
    let told = |code: u8, title: &str| {
        let (output, summary) = explained(code);
        assert!(output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(&format!("fuzz token: {title} (exit {code}): ")), "{error}");
        assert!(summary.starts_with(&format!("- fuzz token: **{title}** (exit {code}): ")), "{summary}");
        let annotation = String::from_utf8(output.stdout).unwrap();
        let expected = format!("::error title=fuzz token%3A {title}::exit {code}: ");
        assert_eq!(annotation.starts_with(&expected), code != 0, "{annotation}");
        error.split_once("): ").unwrap().1.to_owned()
    };
    let ours = [
        (Exit::Clean, "clean"),
        (Exit::Findings, "found something"),
        (Exit::Usage, "the job broke"),
        (Exit::Inconclusive, "inconclusive"),
        (Exit::Faults, "found faults"),
        (Exit::StaleWaiver, "stale waiver"),
        (Exit::Bug, "the job broke"),
        (Exit::Interrupted, "interrupted"),
    ];
    let texts: BTreeSet<String> = ours.into_iter().map(|(exit, title)| told(exit.code(), title)).collect();
    assert_eq!(texts.len(), ours.len(), "each has a sentence of its own");
    for code in [101, 124, 137] {
        told(code, "the job broke");
    }
}

#[test]
fn each_fuzz_target_has_all_that_its_script_asks_for() {
    let entries = std::fs::read_dir(root("fuzz/fuzz_targets")).unwrap().map(|entry| entry.unwrap().path());
    let targets: BTreeSet<String> =
        entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(targets.iter().map(String::as_str).collect::<Vec<_>>(), ["files", "scenario", "token"]);
    let ci = text(".ci/run");
    for target in &targets {
        assert!(text("fuzz/Cargo.toml").contains(&format!("name = \"{target}\"\n")), "{target}");
        assert!(text(&format!("fuzz/dictionaries/{target}.dict")).lines().count() > 40, "{target}");
        let options = text(&format!("fuzz/options/{target}.options"));
        let mut lines = options.lines();
        assert_eq!(lines.next(), Some("[libfuzzer]"), "{target}");
        for line in lines {
            let (name, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{target}: {line}"));
            assert!(["max_len", "timeout"].contains(&name) && value.parse::<u32>().is_ok(), "{target}: {line}");
        }
        assert!(ci.contains(&format!("target/release/{target} ")), "`.ci/run` does not replay {target} on stable");
    }
    let looped = format!("for target in {}; do\n", ["scenario", "token", "files"].join(" "));
    assert!(ci.contains(&looped), "`.ci/run` does not run every target");
}

#[test]
fn a_script_that_is_asked_for_what_is_not_there_says_so() {
    for (script, arguments, says) in [
        ("scripts/fuzz.sh", &["run", "nothing", "1"][..], "there is no target nothing"),
        ("scripts/fuzz.sh", &["run"], "fuzz.sh run TARGET SECONDS"),
        ("scripts/fuzz.sh", &[], "fuzz.sh build"),
        ("scripts/check.sh", &["nothing"], "check.sh format|clippy"),
        ("scripts/of-readme.sh", &["rm -r nothing"], "README.md has no line `rm -r nothing`"),
    ] {
        let output = Command::new(root(script)).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(says), "{script} {arguments:?}: {error}");
    }
}
