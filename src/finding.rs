//! A verdict outside the lawful ones, with all that is needed to see it again, and what makes two findings the same.

use crate::jose::NumericDate;
use crate::rule::{Rule, Severity};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The version of the file format.
pub const VERSION: u8 = 1;

/// What kind of wrong answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It accepted what every permitted reading refuses.
    FalseAccept,
    /// It accepted rightly and believes in somebody else, or relied on another key.
    WrongIdentity,
    /// It printed a secret of its own policy.
    Leak,
    /// It refused what every permitted reading accepts.
    FalseReject,
    /// It fetched a URL that the token names and its policy does not (RFC 8725 section 3.10).
    ForbiddenFetch,
    /// It gave no answer.
    Fault,
}

impl Kind {
    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::FalseAccept => "false-accept",
            Kind::WrongIdentity => "wrong-identity",
            Kind::Leak => "leak",
            Kind::FalseReject => "false-reject",
            Kind::ForbiddenFetch => "forbidden-fetch",
            Kind::Fault => "fault",
        }
    }

    /// The rule of conduct that every answer of this kind breaks.
    #[must_use]
    pub fn conduct(self) -> Option<Rule> {
        match self {
            Kind::Leak => Some(Rule::SecretNotPrinted),
            Kind::ForbiddenFetch => Some(Rule::UrlNotFetched),
            Kind::FalseAccept | Kind::WrongIdentity | Kind::FalseReject | Kind::Fault => None,
        }
    }
}

/// Who signed, seen from the issuer that the token claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The claimed issuer itself.
    Own,
    /// Another issuer that the party trusts.
    OtherTrusted,
    /// An issuer of the world that the party does not trust.
    Untrusted,
    /// The attacker.
    Attacker,
    /// Anybody who knows a public text.
    PublicText,
    /// Nobody: no signature matches.
    Nobody,
}

impl Relation {
    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Relation::Own => "own",
            Relation::OtherTrusted => "other-trusted",
            Relation::Untrusted => "untrusted",
            Relation::Attacker => "attacker",
            Relation::PublicText => "public-text",
            Relation::Nobody => "nobody",
        }
    }
}

/// How the rejection of the same thing done rightly was told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TwinKind {
    /// The same token under the nearest policy that permits it.
    Policy,
    /// The nearest honest token under the same policy.
    Token,
}

/// A finding, as it is stored. It holds scenarios and public data only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Version of this form: 1.
    pub finding: u8,
    /// What makes two findings the same.
    pub origin: String,
    /// The validator's name, without its version.
    pub validator: String,
    /// Its version.
    pub validator_version: String,
    /// What kind of wrong answer it is.
    pub kind: Kind,
    /// The broken rules: those of tokens for a false accept, one of conduct for a leak or a forbidden fetch; else none.
    pub rules: BTreeSet<Rule>,
    /// How much it matters.
    pub severity: Severity,
    /// The scenario, shrunk.
    pub scenario: Scenario,
    /// Index of the step that was answered wrongly.
    pub step: usize,
    /// What the validator answered; bounded, control characters escaped.
    pub answer: String,
    /// The last lines of what the validator logged before it gave no answer; bounded, control characters escaped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What would have been lawful, in words.
    pub lawful: String,
    /// Who signed.
    pub relation: Relation,
    /// The twin that shows what the lawful case looks like, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<Twin>,
    /// The exact token.
    pub token: String,
    /// Whether it recurred, alone, on a fresh validator.
    pub reproduced: bool,
    /// Classes that showed it.
    pub classes: BTreeSet<String>,
    /// How many presented tokens showed it.
    pub count: u64,
    /// Digest of the world.
    pub world_digest: String,
    /// Seed of the world's names.
    pub world_seed: u64,
    /// Seed of the generation.
    pub seed: u64,
    /// The time of forging.
    pub now: NumericDate,
    /// Our version.
    pub wrongkey: String,
    /// The command that shows it again.
    pub reproduce: String,
}

/// The lawful counterpart of a finding's token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twin {
    /// What was changed.
    pub kind: TwinKind,
    /// In words.
    pub note: String,
    /// The scenario of a token twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Scenario>,
}

/// The severity of a kind of wrong answer to a token that breaks rules as grave as that.
#[must_use]
pub fn severity(kind: Kind, of_rules: Option<Severity>) -> Severity {
    let otherwise = match kind {
        Kind::WrongIdentity => Severity::Critical,
        Kind::FalseAccept => of_rules.unwrap_or(Severity::Medium),
        Kind::Leak | Kind::ForbiddenFetch | Kind::FalseReject | Kind::Fault => Severity::Medium,
    };
    kind.conduct().map_or(otherwise, Rule::severity)
}

/// What makes two findings the same: validator, kind, rules, kinds of acts and steps after shrinking, and who signed.
#[must_use]
pub fn origin(validator: &str, kind: Kind, rules: &BTreeSet<Rule>, scenario: &Scenario, relation: Relation) -> String {
    let joined = |names: Vec<&str>, none: &str| if names.is_empty() { none.to_owned() } else { names.join("+") };
    let rules = joined(rules.iter().map(|rule| rule.name()).collect(), "none");
    let mut kinds: Vec<&str> = scenario.kinds().collect();
    kinds.dedup();
    // A secret is printed for reasons of its own: neither who signed nor what was done to the token tells two leaks apart.
    if kind == Kind::Leak {
        return format!("{validator}.{}.{rules}", kind.name());
    }
    format!("{validator}.{}.{rules}.{}.{}", kind.name(), joined(kinds, "honest"), relation.name())
}

/// The name of a finding's file: its origin where that is a good file name, shortened with a digest where it is not.
#[must_use]
pub fn file_name(origin: &str) -> String {
    let plain: String =
        origin.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '-' }).collect();
    if plain == origin && plain.len() <= 180 {
        return format!("{plain}.json");
    }
    let digest = Sha256::digest(origin);
    let tail: String = digest[..6].iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{}-{tail}.json", &plain[..plain.len().min(160)])
}

/// Text from outside, made safe to show: control characters and everything that is not printable escaped, length bounded.
#[must_use]
pub fn tame(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index >= most {
            out.push('…');
            break;
        }
        let invisible = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if invisible {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_tamed() {
        assert_eq!(tame("a\u{1b}[31mb\n", 100), "a\\u{1b}[31mb\\u{a}");
        assert_eq!(tame("abcdef", 3), "abc…");
        assert_eq!(tame("x\u{202e}y", 9), "x\\u{202e}y");
    }

    #[test]
    fn file_names_stay_in_their_folder() {
        assert_eq!(file_name("a.b-c"), "a.b-c.json");
        let odd = file_name("../../etc/passwd");
        assert!(!odd.contains('/'), "{odd}");
        assert_ne!(file_name(&"x".repeat(400)), file_name(&"x".repeat(401)));
    }
}
