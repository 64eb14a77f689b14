//! Findings that are known, each excused in `wrongkey.toml` with a reason. A waiver that excuses nothing any more says so.

use crate::alike::hint;
use crate::finding::Relation;
use crate::jose::NumericDate;
use crate::rule::{Rule, Severity};
use globset::{Glob, GlobMatcher};
use serde::Deserialize;
use std::collections::BTreeSet;

/// One excuse.
#[derive(Debug)]
pub struct Waiver {
    /// As it is written, for reports.
    pub text: String,
    /// Why.
    pub reason: String,
    validator: Option<GlobMatcher>,
    rule: Option<GlobMatcher>,
    class: Option<GlobMatcher>,
    origin: Option<GlobMatcher>,
    until: Option<NumericDate>,
}

/// A wrong answer, as far as a waiver looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Wrong<'f> {
    /// The validator's name.
    pub validator: &'f str,
    /// The broken rules.
    pub rules: &'f BTreeSet<Rule>,
    /// Classes that showed it.
    pub classes: &'f BTreeSet<String>,
    /// What makes two findings the same.
    pub origin: &'f str,
}

/// What a validator was shown, as far as a waiver looks at it.
#[derive(Clone, Debug)]
pub struct Shown<'s> {
    /// Rules that were tried.
    pub rules: BTreeSet<Rule>,
    /// Those that tokens broke alone, with who had signed them.
    pub alone: &'s BTreeSet<(Rule, Relation)>,
    /// Classes of which tokens were presented.
    pub classes: Vec<&'s str>,
    /// Kinds of acts and steps.
    pub acts: &'s BTreeSet<&'static str>,
    /// Whether nothing was left out of the catalogue.
    pub whole: bool,
}

/// A waiver as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaiverFile {
    validator: Option<String>,
    rule: Option<String>,
    class: Option<String>,
    origin: Option<String>,
    reason: Option<String>,
    until: Option<toml::value::Datetime>,
}

impl WaiverFile {
    /// Makes sense of it; otherwise says what is wrong and what would be right.
    pub(crate) fn read(self) -> Result<Waiver, String> {
        let reason = self
            .reason
            .filter(|reason| !reason.trim().is_empty())
            .ok_or("a waiver needs a `reason`: say why this finding is no danger here")?;
        let named = [("rule", &self.rule), ("class", &self.class), ("origin", &self.origin)];
        if named.iter().all(|(_, glob)| glob.is_none()) {
            return Err("a waiver needs `rule`, `class` or `origin`: say what it excuses".to_owned());
        }
        let glob = |name: &str, text: &Option<String>| -> Result<Option<GlobMatcher>, String> {
            let compiled = text.as_ref().map(|text| Glob::new(text).map(|glob| glob.compile_matcher()));
            compiled.transpose().map_err(|error| format!("`{name}`: {error}"))
        };
        if let Some(rule) = &self.rule
            && let Some(matcher) = glob("rule", &self.rule)?
            && !Rule::ALL.iter().any(|known| matcher.is_match(known.name()))
        {
            let hint = hint(rule, Rule::ALL.iter().map(|rule| rule.name()));
            return Err(format!("`rule`: {rule:?} matches no rule: see `wrongkey list rules`{hint}"));
        }
        if let Some(class) = &self.class
            && let Some(matcher) = glob("class", &self.class)?
            && !crate::generate::classes().iter().any(|known| matcher.is_match(known.id))
        {
            return Err(format!("`class`: {class:?} matches no class: see `wrongkey list classes`"));
        }
        let until = match &self.until {
            None => None,
            Some(date) => Some(end_of_day(date).ok_or("`until` is a date, as 2026-12-31")?),
        };
        let shown = named.into_iter().chain([("validator", &self.validator)]);
        let shown: Vec<_> = shown.filter_map(|(name, glob)| Some(format!("{name} {}", glob.as_ref()?))).collect();
        Ok(Waiver {
            text: shown.join(", "),
            reason,
            validator: glob("validator", &self.validator)?,
            rule: glob("rule", &self.rule)?,
            class: glob("class", &self.class)?,
            origin: glob("origin", &self.origin)?,
            until,
        })
    }
}

/// The last second of a date, by the proleptic Gregorian calendar.
fn end_of_day(date: &toml::value::Datetime) -> Option<NumericDate> {
    let date = date.date?;
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    // Years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468;
    Some(NumericDate(days * 86_400 + 86_399))
}

impl Waiver {
    /// Whether it holds for that validator at that time.
    #[must_use]
    pub fn in_force(&self, validator: &str, now: NumericDate) -> bool {
        !self.ended(now) && self.validator.as_ref().is_none_or(|glob| glob.is_match(validator))
    }

    /// Whether it excuses a wrong answer.
    #[must_use]
    pub fn excuses(&self, wrong: &Wrong<'_>, now: NumericDate) -> bool {
        let rules =
            |glob: &GlobMatcher| !wrong.rules.is_empty() && wrong.rules.iter().all(|rule| glob.is_match(rule.name()));
        let classes =
            |glob: &GlobMatcher| !wrong.classes.is_empty() && wrong.classes.iter().all(|class| glob.is_match(class));
        self.in_force(wrong.validator, now)
            && self.rule.as_ref().is_none_or(rules)
            && self.class.as_ref().is_none_or(classes)
            && self.origin.as_ref().is_none_or(|glob| glob.is_match(wrong.origin))
    }

    /// Whether it excuses that a rule has no evidence.
    #[must_use]
    pub fn excuses_rule(&self, validator: &str, rule: Rule, now: NumericDate) -> bool {
        let only_rule = self.class.is_none() && self.origin.is_none();
        let named = self.rule.as_ref().is_some_and(|glob| glob.is_match(rule.name()));
        only_rule && named && self.in_force(validator, now)
    }

    /// Whether it excuses that a class has no evidence.
    #[must_use]
    pub fn excuses_class(&self, validator: &str, class: &str, now: NumericDate) -> bool {
        let only_class = self.rule.is_none() && self.origin.is_none();
        let named = self.class.as_ref().is_some_and(|glob| glob.is_match(class));
        only_class && named && self.in_force(validator, now)
    }

    /// Whether something that was presented is of the sort that it covers; then it is stale if it excused nothing.
    #[must_use]
    pub fn covers(&self, validator: &str, shown: &Shown<'_>) -> bool {
        self.validator.as_ref().is_none_or(|glob| glob.is_match(validator))
            && self.rule.as_ref().is_none_or(|glob| shown.rules.iter().any(|rule| glob.is_match(rule.name())))
            && self.class.as_ref().is_none_or(|glob| shown.classes.iter().any(|class| glob.is_match(class)))
            && self.origin.as_ref().is_none_or(|glob| origin_covers(glob, validator, shown))
    }

    /// Whether its day is over.
    #[must_use]
    pub fn ended(&self, now: NumericDate) -> bool {
        self.until.is_some_and(|until| now > until)
    }

    /// Whether it excuses a whole critical rule, which every report says first.
    #[must_use]
    pub fn covers_critical_rule(&self) -> bool {
        let critical = |glob: &GlobMatcher| {
            Rule::ALL.iter().any(|rule| rule.severity() == Severity::Critical && glob.is_match(rule.name()))
        };
        self.class.is_none() && self.origin.is_none() && self.rule.as_ref().is_some_and(critical)
    }
}

/// Whether a glob over origins (validator, kind, rules, acts, signer) speaks of that validator and of what was tried.
fn origin_covers(glob: &GlobMatcher, validator: &str, shown: &Shown<'_>) -> bool {
    // A glob whose parts are no globs by themselves says too little to be called stale.
    let fits = |part: &str, text: &str| Glob::new(part).is_ok_and(|part| part.compile_matcher().is_match(text));
    let mut parts = glob.glob().glob().split('.');
    let of_validator = parts.next().is_some_and(|part| fits(part, validator));
    let (blamed, acts) = (parts.nth(1).unwrap_or("*"), parts.next().unwrap_or("*"));
    let signer = parts.next().unwrap_or("*");
    let signed = |rule: Rule| {
        let mut signers = shown.alone.iter().filter(|(alone, _)| *alone == rule).peekable();
        signers.peek().is_none() || signers.any(|(_, who)| fits(signer, who.name()))
    };
    // What breaks no rule comes of any token: who leaves out some may leave out the very one.
    let tried = |name: &str| match name {
        "none" => shown.whole,
        _ if name.chars().all(|c| c == '*') => shown.whole,
        _ => shown.rules.iter().any(|rule| fits(name, rule.name()) && signed(*rule)),
    };
    let done = |name: &str| fits(name, "honest") || shown.acts.iter().any(|kind| fits(name, kind));
    of_validator && blamed.split('+').all(tried) && acts.split('+').all(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FILE, parse};
    use crate::error::Error;

    fn one(text: &str) -> Result<Vec<Waiver>, Error> {
        parse(text, FILE).map(|config| config.waivers)
    }

    #[test]
    fn a_waiver_needs_a_reason_and_something_to_excuse() {
        for (text, says) in [
            ("[[waiver]]\nrule = 'TypeExpected'\n", "line 1: a waiver needs a `reason`"),
            ("\n[[waiver]]\nreason = 'x'\n", "line 2: a waiver needs `rule`"),
            ("[[waiver]]\nrule = 'Nope*'\nreason = 'x'\n", "matches no rule"),
            ("[[waiver]]\nclass = 'ZZ-*'\nreason = 'x'\n", "matches no class"),
            ("[[waiver]]\nrule = '['\nreason = 'x'\n", "`rule`"),
            ("[[waivers]]\nrule = 'TypeExpected'\n", "waivers"),
        ] {
            let error = one(text).unwrap_err().to_string();
            assert!(error.starts_with("wrongkey.toml: ") && error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_waiver_ends_with_its_day() {
        let waivers = one("[[waiver]]\nrule = 'TypeExpected'\nreason = 'x'\nuntil = 2026-12-31\n").unwrap();
        // 2026-12-31T23:59:59Z
        assert!(waivers[0].excuses_rule("v", Rule::TypeExpected, NumericDate(1_798_761_599)));
        assert!(!waivers[0].excuses_rule("v", Rule::TypeExpected, NumericDate(1_798_761_600)));
        assert!(!waivers[0].excuses_rule("v", Rule::IssuerTrusted, NumericDate(0)));
    }

    #[test]
    fn a_waiver_of_a_critical_rule_is_told_apart() {
        let waivers = one("[[waiver]]\nrule = 'Key*'\nreason = 'x'\n[[waiver]]\nrule = 'TypeExpected'\nreason = 'x'\n");
        let waivers = waivers.unwrap();
        assert!(waivers[0].covers_critical_rule());
        assert!(!waivers[1].covers_critical_rule());
    }
}
