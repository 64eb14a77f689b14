//! The stored scenarios: each reads, plays, is written as we would write it, and shows what its name says.

mod common;

use common::{NOW, plays, shared_worlds};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wrongkey::campaign::{Case, Seen, quiet_panics, replay};
use wrongkey::rule::Rule::{self, *};
use wrongkey::scenario::Scenario;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::{Maker, reference};

/// What the last token of each seed breaks: nothing, where it may be accepted.
const SEEDS: &[(&str, &[Rule])] = &[
    ("key-scope/storm-0558", &[KeyBelongsToIssuer]),
    ("key-scope/storm-0558-key-of-2016", &[KeyBelongsToIssuer]),
    ("key-scope/the-other-way-round", &[KeyBelongsToIssuer]),
    ("key-scope/foreign-key-under-our-kid", &[KeyBelongsToIssuer]),
    ("key-scope/foreign-key-without-kid", &[KeyBelongsToIssuer]),
    ("key-scope/two-issuers-one-kid", &[KeyBelongsToIssuer]),
    ("key-scope/stranger-for-itself", &[IssuerTrusted]),
    ("key-scope/stranger-for-us", &[KeyBelongsToIssuer]),
    ("key-scope/jwk-without-issuer", &[KeyBelongsToIssuer]),
    ("key-scope/sovereign-cloud", &[CloudMatches]),
    ("key-scope/signer-of-another-customer", &[SignerNamed]),
    ("key-scope/robots-and-an-administrator", &[SubjectAdmitted]),
    ("key-scope/encryption-key", &[KeyUsePermits]),
    ("key-scope/one-kid-in-one-set", &[KeyBelongsToIssuer]),
    ("key-scope/one-key-two-issuers", &[IssuerTrusted]),
    ("key-scope/blank-issuer-in-the-jwk", &[KeyBelongsToIssuer]),
    ("key-scope/name-that-another-issuer-may-use", &[AudienceIncludesUs]),
    ("key-scope/sibling-on-the-same-host", &[KeyBelongsToIssuer]),
    ("key-scope/another-customer-behind-the-proxy", &[AudienceIncludesUs]),
    ("key-scope/key-of-the-holder", &[KeyBelongsToIssuer]),
    ("key-scope/two-people-of-one-name", &[]),
    ("key-scope/one-secret-two-issuers", &[]),
    ("key-scope/jwk-of-another-issuer", &[KeyBelongsToIssuer]),
    ("lifecycle/removed-key", &[KeyInService]),
    ("lifecycle/replaced-under-its-kid", &[KeyInService]),
    ("lifecycle/new-key-is-accepted", &[]),
    ("lifecycle/two-keys-one-kid", &[]),
    ("lifecycle/disabled-issuer", &[KeyInService]),
    ("lifecycle/key-past-its-certificate", &[KeyLifetimeHonoured]),
    ("lifecycle/tenant-no-longer-admitted", &[TenantAdmitted]),
    ("lifecycle/empty-key-set", &[KeyBelongsToIssuer]),
    ("lifecycle/empty-secret-where-none-is-found", &[KeyBelongsToIssuer]),
    ("lifecycle/unknown-key-beside-a-good-one", &[]),
    ("lifecycle/point-off-its-curve", &[KeyAcceptable]),
    ("lifecycle/empty-secret", &[KeyAcceptable]),
    ("lifecycle/secret-in-the-published-set", &[AlgorithmAllowed]),
    ("lifecycle/configured-under-one-kid", &[]),
    ("lifecycle/key-not-yet-valid", &[KeyLifetimeHonoured]),
    ("lifecycle/revoked-and-backdated", &[KeyInService]),
    ("lifecycle/issued-within-the-lifetime", &[KeyLifetimeHonoured]),
    ("lifecycle/token-outlives-its-issuer", &[KeyInService]),
    ("lifecycle/old-and-new-key", &[]),
    ("lifecycle/exponent-of-one", &[KeyAcceptable]),
    ("lifecycle/key-marked-revoked", &[]),
    ("resolution/key-in-the-header", &[KeyBelongsToIssuer]),
    ("state/cache-primed-by-an-honest-token", &[KeyBelongsToIssuer]),
    ("state/honest-after-an-attack", &[]),
    ("algorithm/none", &[SignatureMatches]),
    ("algorithm/public-key-as-secret", &[KeyBelongsToIssuer]),
    ("algorithm/other-padding", &[AlgorithmAllowed]),
    ("algorithm/not-the-jwks-own", &[AlgorithmAllowed]),
    ("algorithm/jwk-set-as-secret", &[KeyBelongsToIssuer]),
    ("algorithm/openssh-line-as-secret", &[KeyBelongsToIssuer]),
    ("algorithm/certificate-as-secret", &[KeyBelongsToIssuer]),
    ("algorithm/secret-of-the-manual", &[KeyBelongsToIssuer]),
    ("algorithm/secret-under-the-kid-of-a-key-pair", &[KeyBelongsToIssuer]),
    ("algorithm/another-curve", &[KeyAcceptable]),
    ("algorithm/key-for-agreement", &[KeyAcceptable]),
    ("algorithm/another-hash-than-it-says", &[SignatureMatches]),
    ("algorithm/unknown-algorithm", &[SignatureMatches]),
    ("algorithm/nothing-allowed", &[AlgorithmAllowed]),
    ("algorithm/public-key-behind-an-empty-line", &[KeyBelongsToIssuer]),
    ("identity/name-and-more", &[IssuerTrusted]),
    ("identity/name-in-a-list", &[IssuerTrusted]),
    ("identity/no-issuer", &[RequiredClaimsPresent]),
    ("identity/two-customers", &[TenantAdmitted]),
    ("identity/for-another-service", &[AudienceIncludesUs]),
    ("time/this-very-second", &[NotExpired]),
    ("time/the-clock-passes-exp", &[NotExpired]),
    ("form/extension-nobody-knows", &[CritUnderstood]),
    ("form/id-token", &[TypeExpected]),
    ("form/as-json", &[SerializationExpected]),
    ("encoding/padded", &[WellFormed]),
    ("encoding/escaped-after-signing", &[ReceivedBytesVerified]),
    ("encoding/second-issuer-last", &[IssuerTrusted]),
    ("signature/claim-changed-after-signing", &[SignatureMatches]),
    ("signature/payload-of-another-token", &[SignatureMatches]),
    ("signature/leading-zero-octet-left-out", &[SignatureMatches]),
    ("replay/the-same-again", &[ReplayRefused]),
    ("identity/dots-replaced", &[IssuerTrusted]),
    ("identity/look-alike-letter", &[IssuerTrusted]),
    ("identity/two-lines", &[IssuerTrusted]),
    ("identity/percent-encoded-host", &[IssuerTrusted]),
    ("identity/template-not-filled", &[IssuerTrusted]),
    ("identity/tenant-in-capitals", &[TenantAdmitted]),
    ("identity/issuer-by-another-member", &[RequiredClaimsPresent]),
    ("identity/audience-of-two-in-one", &[AudienceIncludesUs]),
    ("identity/email-of-somebody-else", &[]),
    ("identity/issuer-without-a-name", &[IssuerTrusted]),
    ("identity/template-with-two-places", &[IssuerTrusted]),
    ("identity/party-without-a-name", &[AudienceIncludesUs]),
    ("identity/nothing-required-of-a-stranger", &[IssuerTrusted]),
    ("time/beyond-every-integer", &[NotBeforeReached]),
    ("time/in-milliseconds", &[NotBeforeReached]),
    ("time/fraction-of-a-second", &[NotExpired]),
    ("time/second-exp-last", &[NotExpired]),
    ("time/a-century-later", &[]),
    ("control/escaped-before-signing", &[]),
    ("control/honest", &[]),
    ("control/without-kid", &[]),
    ("control/leading-zero-octet", &[]),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Every stored scenario under a folder, by its path from there without the ending.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "json") {
                let name = path.strip_prefix(folder).unwrap().with_extension("");
                let name: Vec<_> = name.iter().map(|part| part.to_str().unwrap()).collect();
                found.push((name.join("/"), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn read(name: &str, text: &str) -> Scenario {
    Scenario::from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What comes of a scenario's tokens.
fn cases(maker: &Maker, scenario: &Scenario, timeout: Duration) -> Vec<Case> {
    replay(&shared_worlds(), maker, scenario, NOW, timeout).unwrap_or_else(|error| panic!("{error}")).cases
}

fn maker(name: &str) -> Maker {
    if name == "reference" {
        return reference::maker();
    }
    if let Some(recipe) = recipes().into_iter().find(|recipe| recipe.name == name) {
        return (recipe.maker)();
    }
    let flaw = name.strip_prefix("flawed-").and_then(Flaw::from_name);
    flawed::maker(Some(flaw.unwrap_or_else(|| panic!("no validator is called {name}"))))
}

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT_PATIENCE: Duration = Duration::from_millis(400);

#[test]
fn every_file_reads_plays_and_is_written_as_we_would_write_it() {
    let files = files(&corpus());
    assert!(files.len() > 60, "{}", files.len());
    for (name, text) in files {
        let scenario = read(&name, &text);
        assert_eq!(scenario.to_json(), text, "{name} is not in its canonical form");
        assert!(!plays(&scenario, 0).is_empty(), "{name}");
    }
}

#[test]
fn no_two_files_hold_the_same_scenario_for_the_same_validator() {
    let mut seen = BTreeSet::new();
    for (name, text) in files(&corpus()) {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let folder = if folder.starts_with("regressions/") { folder } else { "scenarios".to_owned() };
        assert!(seen.insert((folder, text)), "{name} is there under another name");
    }
}

#[test]
fn every_regression_is_wrong_for_its_validator_and_right_for_the_one_without_a_flaw() {
    quiet_panics();
    let files = files(&corpus().join("regressions"));
    for (name, text) in &files {
        let scenario = read(name, text);
        let (validator, _) = name.split_once('/').unwrap_or_else(|| panic!("{name} is in no validator's folder"));
        let patience = if validator == "flawed-hangs-on-expired" { SHORT_PATIENCE } else { PATIENCE };
        let wrong = cases(&maker(validator), &scenario, patience);
        assert!(wrong.iter().any(|case| case.wrong().is_some()), "{name} is right: {wrong:#?}");
        for case in cases(&flawed::maker(None), &scenario, PATIENCE) {
            assert!(case.wrong().is_none(), "{name}: {case:#?}");
        }
    }
    let covered: BTreeSet<_> = files.iter().filter_map(|(name, _)| Some(name.split_once('/')?.0)).collect();
    for flaw in Flaw::ALL.iter().filter(|flaw| **flaw != Flaw::RefusesNoKid) {
        assert!(covered.contains(format!("flawed-{}", flaw.name()).as_str()), "{} has no regression", flaw.name());
    }
}

#[test]
fn every_seed_shows_what_it_is_there_for() {
    let files = files(&corpus().join("scenarios"));
    let there: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut listed: Vec<_> = SEEDS.iter().map(|(name, _)| *name).collect();
    listed.sort_unstable();
    assert_eq!(there, listed);
    for (name, text) in &files {
        let wanted: BTreeSet<Rule> =
            SEEDS.iter().filter(|(seed, _)| seed == name).flat_map(|row| row.1).copied().collect();
        let cases = cases(&flawed::maker(None), &read(name, text), PATIENCE);
        let last = cases.last().unwrap();
        assert_eq!(*last.expectation.broken(), wanted, "{name}");
        for case in &cases {
            assert!(case.wrong().is_none(), "{name}: {case:#?}");
        }
        // A rejection is worth something only beside an accepted twin.
        if let Seen::Rejected(evidence) = &last.seen {
            assert!(matches!(evidence, wrongkey::campaign::Evidence::Confirmed(_)), "{name}: {evidence:?}");
        }
    }
}

#[test]
fn the_incident_is_stored_as_the_one_act_that_it_was() {
    let wanted = r#"{"scenario":1,"world":"storm-0558","key_source":"converged","party":"enterprise-mail",
        "honest":{"issuer":"enterprise","tenant":"contoso"},"acts":[{"sign-with":{"key":"consumer-2023"}}]}"#;
    let stored = std::fs::read_to_string(corpus().join("scenarios/key-scope/storm-0558.json")).unwrap();
    assert_eq!(stored, read("here", wanted).to_json());
}

/// RFC 7517 section 4.5 asks for distinct names within a set. Where two keys of one issuer share a name a validator may take
/// either, and so may refuse the other's tokens.
#[test]
fn a_kid_that_two_keys_of_one_issuer_share_leaves_it_open_which_is_meant() {
    let (_, text) = files(&corpus()).into_iter().find(|(name, _)| name.ends_with("/two-keys-one-kid")).unwrap();
    let cases = cases(&reference::maker(), &read("two-keys-one-kid", &text), PATIENCE);
    assert!(cases.iter().all(|case| case.expectation.unspecified()), "{cases:#?}");
}
