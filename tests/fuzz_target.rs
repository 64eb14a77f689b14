//! The body of the fuzz target `scenario`, run without a fuzzer: what it lets pass, what it panics at, and what it keeps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use wrongkey::generate::{Atlas, mutate};
use wrongkey::harness::fuzz::{
    Played, Replayed, ScenarioTarget, TokenTarget, abort_on_panic, hold_panics, play_file, replay,
};
use wrongkey::scenario::Scenario;
use wrongkey::world::{DEFAULT_SEED, World};

const STORM: &str = r#"{ "scenario": 1, "world": "storm-0558", "key_source": "converged", "party": "enterprise-mail",
    "honest": { "issuer": "enterprise", "tenant": "contoso" }, "acts": [ { "sign-with": { "key": "consumer-2023" } } ] }"#;

/// libFuzzer cuts inputs at this length.
const MAX_LEN: usize = 4_096;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The target as the fuzzer runs it.
fn usual() -> ScenarioTarget {
    let read = |path| std::fs::read_to_string(root(path)).unwrap();
    ScenarioTarget::named(None, &(read("wrongkey.toml") + &read("fuzz/waivers.toml"))).unwrap()
}

#[test]
fn every_scenario_of_the_corpus_plays_or_says_why_not_and_none_is_answered_wrongly() {
    let (mut usual, mut out) = (usual(), Vec::new());
    let replayed = replay(&mut |input| usual.play(input), &[root("corpus")], &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(replayed.exit_code(), 0, "{out}");
    // In a fuzz target time stands still, because libraries read the machine's clock.
    for line in out.lines().filter(|line| line.contains(".json: not played")) {
        assert!(line.contains("time only goes forward, and stands still where the clock cannot be set"), "{line}");
    }
}

#[test]
fn two_thousand_mutations_are_answered_as_is_lawful_or_waived() {
    let mut target = usual();
    let mut data = vec![0; MAX_LEN];
    let (mut size, mut played) = (0, 0);
    for seed in 0..2_000 {
        // A fuzzer goes back to what it has; a walk that never does drifts into long scenarios.
        if seed % 16 == 0 {
            size = STORM.len();
            data[..size].copy_from_slice(STORM.as_bytes());
        }
        size = target.mutate(&mut data, size, MAX_LEN, seed);
        match target.play(&data[..size]) {
            Played::Lawful(_) => played += 1,
            Played::Unplayable(_) => {}
            Played::Wrong(message) => panic!("mutation {seed}: {message}"),
        }
    }
    assert!(played >= 1_900, "{played}");
}

#[test]
fn unwaived_the_incident_is_a_panic_that_begins_with_the_rule_and_holds_the_scenario() {
    let mut target = ScenarioTarget::named(Some("jsonwebtoken-pooled"), "").unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| target.run(STORM.as_bytes()))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.starts_with("KeyBelongsToIssuer: false-accept by jsonwebtoken-pooled\njsonwebtoken-pooled 11"),
        "{message}"
    );
    let scenario = &message[message.find("\n{").unwrap()..message.find("\n}").unwrap() + 2];
    assert_eq!(
        Scenario::from_json(scenario.as_bytes()).unwrap(),
        Scenario::from_json(STORM.as_bytes()).unwrap(),
        "{message}"
    );
}

/// What a fuzzer's process prints that ends by a panic.
fn end_by_a_panic() {
    // The threads of tests have names; that of a fuzzer has none.
    let thread = std::thread::spawn(|| {
        hold_panics();
        let stranger = r#"{ "scenario": 1, "world": "two-issuers", "party": "api", "honest": { "issuer": "a" },
            "acts": [ { "set-claim": { "name": "iss", "value": "x" } } ] }"#;
        let mut panics = ScenarioTarget::named(Some("flawed-panics-on-unknown-issuer"), "").unwrap();
        assert!(matches!(panics.play(stranger.as_bytes()), Played::Wrong(_)));
        let mut pooled = ScenarioTarget::named(Some("jsonwebtoken-pooled"), "").unwrap();
        abort_on_panic(|| pooled.run(STORM.as_bytes()));
    });
    thread.join().unwrap();
}

#[test]
fn of_panics_only_the_one_that_leaves_a_target_is_told_and_its_rule_comes_first() {
    // It aborts, and so it does that in a process of its own, which is this very test once more.
    if std::env::var_os("WRONGKEY_TEST_ABORTS").is_some() {
        return end_by_a_panic();
    }
    let itself = "of_panics_only_the_one_that_leaves_a_target_is_told_and_its_rule_comes_first";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", itself])
        .env("WRONGKEY_TEST_ABORTS", "1")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), None, "it is ended by a signal\n{told}");
    let mut lines = told.lines();
    let first =
        "thread '<unnamed>' panicked at 'KeyBelongsToIssuer: false-accept by jsonwebtoken-pooled', src/harness/";
    assert!(lines.next().unwrap().starts_with(first), "{told}");
    assert!(lines.next().unwrap().starts_with("jsonwebtoken-pooled 11"), "{told}");
    assert!(told.contains(r#""key": "consumer-2023""#) && told.contains("\ntoken eyJ"), "{told}");
    assert!(!told.contains("an issuer that is not in the table"), "{told}");
}

#[test]
fn waived_or_rejected_the_incident_is_an_input_worth_keeping() {
    assert!(usual().run(STORM.as_bytes()));
    assert!(ScenarioTarget::named(Some("reference, sound,jsonwebtoken"), "").unwrap().run(STORM.as_bytes()));
}

#[test]
fn what_cannot_be_played_is_not_kept() {
    let mut target = usual();
    for input in ["", "\n", "{}", "no scenario", &STORM.replace("consumer-2023", "nobody's")] {
        assert!(!target.run(input.as_bytes()), "{input}");
    }
}

#[test]
fn a_validator_that_panics_is_a_fault_and_the_next_input_is_judged_all_the_same() {
    let mut target = ScenarioTarget::named(Some("flawed-panics-on-unknown-issuer"), "").unwrap();
    let unknown =
        STORM.replace(r#""sign-with": { "key": "consumer-2023" }"#, r#""set-claim": { "name": "iss", "value": "x" }"#);
    assert!(
        matches!(target.play(unknown.as_bytes()), Played::Wrong(message) if message.starts_with("fault: flawed-panics-on-unknown-issuer\n"))
    );
    assert!(target.run(STORM.as_bytes()));
}

#[test]
fn a_name_that_no_validator_has_is_an_error() {
    let error = ScenarioTarget::named(Some("reference,nobody"), "").err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("there is no validator `nobody`: one or more of reference, sound, jsonwebtoken, "),
        "{text}"
    );
    assert!(text.contains(", flawed-accept-all, "), "{text}");
}

#[test]
fn a_search_from_nothing_finds_the_incident_soon() {
    let mut target = ScenarioTarget::named(Some("jsonwebtoken-pooled"), "").unwrap();
    let worlds: Vec<_> = World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect();
    let atlas = Atlas::of(&worlds);
    let fresh = (0..5_000).map(|seed| mutate(b"", MAX_LEN, seed, &atlas));
    let found =
        |input: Vec<u8>| matches!(target.play(&input), Played::Wrong(text) if text.starts_with("KeyBelongsToIssuer:"));
    let after = fresh.map(found).position(|found| found);
    assert!(after.is_some());
}

#[test]
fn replaying_files_says_what_happened_to_each_and_ends_accordingly() {
    let folder = tempfile::tempdir().unwrap();
    let storm = folder.path().join("a.json");
    let text = folder.path().join("b/README.md");
    std::fs::create_dir(text.parent().unwrap()).unwrap();
    std::fs::write(&storm, STORM).unwrap();
    std::fs::write(&text, "words").unwrap();
    let play = |target: &mut ScenarioTarget, path: &Path| {
        let mut out = Vec::new();
        let replayed = replay(&mut |input| target.play(input), &[path.to_owned()], &mut out).unwrap();
        (replayed, String::from_utf8(out).unwrap())
    };

    let (replayed, out) = play(&mut usual(), folder.path());
    assert_eq!(replayed, Replayed { played: 1, wrong: 0, unplayable: 1 }, "{out}");
    assert_eq!(replayed.exit_code(), 0);
    assert!(
        out.contains("a.json: reference rejects; jsonwebtoken skips; jsonwebtoken-pooled accepts (waived); jwt-simple"),
        "{out}"
    );
    assert!(out.contains("README.md: not played: "), "{out}");
    assert!(out.ends_with("2 files: 1 played, 0 of them answered wrongly; 1 not played\n"), "{out}");

    let mut pooled = ScenarioTarget::named(Some("jsonwebtoken-pooled"), "").unwrap();
    let (replayed, out) = play(&mut pooled, &storm);
    assert_eq!(replayed.exit_code(), 1);
    assert!(out.contains("a.json: WRONG: KeyBelongsToIssuer: "), "{out}");

    let (replayed, _) = play(&mut pooled, &text);
    assert_eq!(replayed.exit_code(), 2);
    let error = replay(&mut |input| pooled.play(input), &[folder.path().join("absent")], &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

/// Changes octets as a fuzzer does, only more plainly: one is replaced, taken out or put in.
fn octets_of(seed: u32) -> impl FnMut(&mut [u8], usize, usize) -> usize {
    let mut state = seed;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(state >> 8).unwrap() % below.max(1)
    };
    move |data, size, max| {
        let (at, octet) = (next(size), b"\"{}[]:,.=\n\\/ aZ0_-\0\xff"[next(20)]);
        match next(3) {
            0 if size > 0 => data[at] = octet,
            1 if size > 0 => {
                data.copy_within(at + 1..size, at);
                return size - 1;
            }
            _ if size < max => {
                data.copy_within(at..size, at + 1);
                data[at] = octet;
                return size + 1;
            }
            _ => {}
        }
        size
    }
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(root("fuzz/seeds").join(target)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect()
}

/// The honest token of the smallest place, and what stands above it.
fn honest() -> (String, Vec<u8>) {
    let seed = seeds("token").into_iter().find(|(name, _)| name == "two-issuers-api-per-issuer-ES256").unwrap();
    (seed.0, seed.1)
}

#[test]
fn a_thousand_changed_tokens_are_refused_or_are_what_somebody_signed() {
    let mut target = TokenTarget::named(None).unwrap();
    let seeds = seeds("token");
    let (mut data, mut size, mut played) = (vec![0; MAX_LEN], 0, 0);
    for seed in 0..1_000 {
        if seed % 8 == 0 {
            let (_, input) = &seeds[seed as usize / 8 % seeds.len()];
            size = input.len();
            data[..size].copy_from_slice(input);
        }
        size = target.mutate(&mut data, size, MAX_LEN, seed, &mut octets_of(seed));
        played += usize::from(target.run(&data[..size]));
    }
    assert!(played >= 800, "{played}");
    assert!(target.counts().values().all(|count| count.shown > 100), "{}", target.told());
    // Another relying party's name above a token changes nothing of what was signed.
    assert!(target.counts()["reference"].accepted > 0, "{}", target.told());
}

#[test]
fn octets_that_nobody_signed_are_a_panic_that_begins_with_the_rule_and_says_what_they_are() {
    for (validator, seed) in [
        ("flawed-accepts-none", "refused-unsigned"),
        ("flawed-unsigned-if-empty", "refused-unsigned-by-nobody"),
        ("flawed-signature-not-verified", "refused-later"),
        ("flawed-accept-all", "refused-truncated"),
        ("flawed-accept-all", "refused-flattened"),
    ] {
        let mut target = TokenTarget::named(Some(validator)).unwrap();
        let (_, honest) = honest();
        assert!(target.run(&honest), "{validator}");
        let mut inputs = seeds("token");
        let text = String::from_utf8(honest).unwrap();
        let unsigned = &text[..=text.rfind('.').unwrap()];
        let header = wrongkey::jose::encode_base64url(br#"{"alg":"ES256","typ":"JWT","x":0}"#);
        let (line, token) = unsigned.split_once('\n').unwrap();
        let by_nobody = format!("{line}\n{header}{}", &token[token.find('.').unwrap()..]);
        inputs.push(("refused-unsigned-by-nobody".to_owned(), by_nobody.into_bytes()));
        let (_, input) = inputs.iter().find(|(name, _)| name == seed).unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| target.run(input)));
        let panic = panic.err().unwrap_or_else(|| panic!("{validator} {seed}: {:?}", target.play(input)));
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with(&format!("SignatureMatches: false-accept by {validator}\n")), "{message}");
        assert!(
            message.contains("\ntoken ") && (message.contains("\nheader {") || seed.ends_with("flattened")),
            "{message}"
        );
    }
}

#[test]
fn what_was_signed_may_be_accepted_however_it_is_spelled_but_a_panic_is_a_fault() {
    let (_, honest) = honest();
    let padded = [honest.as_slice(), b"=="].concat();
    let mut lax = TokenTarget::named(Some("flawed-lax-base64")).unwrap();
    assert_eq!(lax.play(&padded), Played::Lawful("flawed-lax-base64 accepts".to_owned()));

    let line = String::from_utf8(honest).unwrap();
    let (line, token) = line.split_once('\n').unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let stranger = wrongkey::jose::encode_base64url(br#"{"iss":"https://nobody.example"}"#);
    let input = format!("{line}\n{}.{stranger}.{}", parts[0], parts[2]);
    let mut panics = TokenTarget::named(Some("reference,flawed-panics-on-unknown-issuer")).unwrap();
    let Played::Wrong(message) = panics.play(input.as_bytes()) else { panic!("no fault") };
    assert!(message.starts_with("fault: flawed-panics-on-unknown-issuer\nit panicked: "), "{message}");
}

#[test]
fn a_token_below_no_known_line_is_not_kept() {
    let mut target = TokenTarget::named(None).unwrap();
    for input in ["", "two-issuers api per-issuer", "two-issuers api converged\nx", "nowhere\neyJ", "\n"] {
        assert!(!target.run(input.as_bytes()), "{input:?}");
    }
    assert!(target.run(b"two-issuers api per-issuer\n"));
    assert_eq!(target.never_accepted().len(), target.counts().len());
}

#[test]
fn a_token_that_a_party_takes_once_is_judged_the_same_each_time() {
    let (_, input) = seeds("token").into_iter().find(|(name, _)| name.starts_with("two-issuers-once-")).unwrap();
    let mut target = TokenTarget::named(Some("reference,sound")).unwrap();
    let first = target.play(&input);
    assert_eq!(first, Played::Lawful("reference accepts; sound accepts".to_owned()));
    assert_eq!(target.play(&input), first);
}

#[test]
fn three_thousand_changed_files_are_read_or_refused_with_a_place() {
    let seeds = seeds("files");
    let (mut data, mut size, mut read, mut played) = (vec![0; MAX_LEN], 0, 0, 0);
    for seed in 0..3_000 {
        if seed % 4 == 0 {
            let (_, input) = &seeds[seed as usize / 4 % seeds.len()];
            size = input.len();
            data[..size].copy_from_slice(input);
        }
        size = octets_of(seed)(&mut data, size, MAX_LEN);
        match play_file(&data[..size]) {
            Played::Lawful(what) => {
                played += 1;
                read += usize::from(!what.contains(": refused: "));
            }
            Played::Unplayable(_) => {}
            Played::Wrong(message) => panic!("change {seed}: {message}"),
        }
    }
    assert!(played >= 2_000 && read >= 100, "{read} of {played}");
}
