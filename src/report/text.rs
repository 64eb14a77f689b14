//! The report that a person reads on a terminal. It is made with styles in it; whoever prints it strips them where they are not wanted.

use super::token::decoded;
use super::{Control, Judged, Run, exhaustive};
use crate::campaign::{Cell, Hunted, Outcome};
use crate::finding::{Finding, Relation, TwinKind, tame};
use crate::jose::Token;
use crate::judgement::Exit;
use crate::rule::{Rule, Severity};
use crate::scenario::Scenario;
use crate::validator::Description;
use anstyle::{AnsiColor, Style};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Longest line that is shown.
const MAX_LINE: usize = 4_000;
/// Most reasons for skipping that are shown.
const MAX_SKIPS: usize = 20;

fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The whole report; `verbose` adds every class, `quiet` leaves all but the result away.
#[must_use]
pub fn render(run: &Run, verbose: bool, quiet: bool) -> String {
    let mut out = String::new();
    for waiver in run.waived_critical() {
        let _ = writeln!(out, "{} {}: {}", paint(RED, "waived whole critical rule:"), waiver.text, waiver.reason);
    }
    if !quiet {
        let worlds: Vec<_> = run.worlds.iter().map(|world| world.name.as_str()).collect();
        let _ = writeln!(
            out,
            "wrongkey {} · worlds {} · seed {} · now {}\n",
            env!("CARGO_PKG_VERSION"),
            worlds.join(", "),
            run.seed,
            run.now
        );
    }
    stored_part(&mut out, run, quiet);
    for (world, issuer) in &run.unsigned {
        let _ = writeln!(
            out,
            "{} {world} has no private key of issuer {issuer}: no honest token of it can be shown, and forged ones that \
             claim it only where a public key of it is listed\n",
            paint(YELLOW, "gap:")
        );
    }
    if !quiet && !run.exhaustive.is_empty() {
        out.push_str(&exhaustive::bound(&run.exhaustive));
    }
    if let Some(control) = &run.control {
        control_part(&mut out, control, quiet);
    }
    for judged in &run.validators {
        validator_part(&mut out, run, judged, verbose, quiet);
    }
    for &index in &run.stale_waivers {
        let waiver = &run.config.waivers[index];
        let file = run.config.path.as_ref().map_or(String::new(), |path| format!(" of {}", path.display()));
        let ended = if waiver.ended(run.now) { "has ended" } else { "excuses nothing any more" };
        let _ = writeln!(
            out,
            "{} {} ({}) {ended}: take it out{file}",
            paint(YELLOW, "stale waiver:"),
            waiver.text,
            waiver.reason
        );
    }
    let _ = writeln!(out, "{}", result_line(run));
    out
}

fn stored_part(out: &mut String, run: &Run, quiet: bool) {
    let replayed = run.stored.replayed;
    if replayed > 0 && !quiet {
        let _ = writeln!(out, "{}", paint(DIM, format!("replayed first: {}", number(replayed, "stored scenario"))));
    }
    for (reason, &count) in &run.stored.skipped {
        let what = number(count, "stored scenario");
        let _ = writeln!(out, "{} {what} not replayed: {reason}", paint(YELLOW, "gap:"));
    }
    if (replayed > 0 && !quiet) || !run.stored.skipped.is_empty() {
        out.push('\n');
    }
}

fn result_line(run: &Run) -> String {
    let (style, text) = match run.exit {
        Exit::Clean => (GREEN, clean_words(run)),
        Exit::Findings => (RED, "findings".to_owned()),
        Exit::Faults => (RED, "faults: no answer to some tokens".to_owned()),
        Exit::Inconclusive => (YELLOW, "inconclusive: nothing is claimed".to_owned()),
        Exit::StaleWaiver => (YELLOW, "a waiver is stale".to_owned()),
        Exit::Interrupted => (YELLOW, "interrupted: what was done is kept".to_owned()),
        Exit::Usage => (RED, "usage".to_owned()),
        Exit::Bug => (RED, "a bug of wrongkey's own".to_owned()),
    };
    let code = run.exit.code();
    let code =
        if run.forgiven && code != 0 { format!("(exit 0, for --exit-zero; {code})") } else { format!("(exit {code})") };
    format!("{} {}", paint(style, format!("result: {text}")), paint(DIM, code))
}

/// What a clean run may claim, and no more.
fn clean_words(run: &Run) -> String {
    let waived: usize = run.validators.iter().map(|judged| judged.judgement.waived.len()).sum();
    let all: usize = run.validators.iter().map(|judged| judged.outcome.findings.len()).sum();
    let untried: BTreeSet<Rule> =
        run.validators.iter().flat_map(|judged| judged.judgement.not_tried.keys().copied()).collect();
    let mut but: Vec<String> = Vec::new();
    if waived > 0 {
        but.push(number(waived as u64, "waived finding"));
    }
    if all > waived {
        but.push(format!("{} below --fail-on", number((all - waived) as u64, "finding")));
    }
    let found = if but.is_empty() { String::new() } else { format!(" but {}", but.join(" and ")) };
    let untried = match untried.len() {
        0 => String::new(),
        count => format!(", but for {} that could not be tried", number(count as u64, "rule")),
    };
    let whole = run.validators.iter().all(|judged| judged.outcome.is_whole());
    let rule = if whole { "every rule" } else { "every class that was chosen" };
    format!("clean: the baseline held, nothing was found{found}, and {rule} has evidence{untried}")
}

fn control_part(out: &mut String, control: &Control, quiet: bool) {
    let name = validator_name(&control.outcome.description);
    match &control.found {
        Some(finding) => {
            let after =
                control.after.map_or(String::new(), |after| format!(", after {after} scenarios of the catalogue"));
            let _ = writeln!(
                out,
                "{} {name}: {}{after}",
                paint(BOLD, "sensitivity control"),
                paint(GREEN, "found, as it must be")
            );
            if !quiet {
                let _ = writeln!(
                    out,
                    "  {}",
                    paint(DIM, "a recipe known to be wrong (one pooled key set beside a list of issuers); not counted")
                );
                finding_part(out, finding, None, false);
            }
        }
        None => {
            let what = if control.tried {
                paint(RED, "NOT FOUND: this run could not have seen the mistake")
            } else {
                paint(DIM, "not tried: no token of this run would show its mistake")
            };
            let _ = writeln!(out, "{} {name}: {what}", paint(BOLD, "sensitivity control"));
        }
    }
    out.push('\n');
}

fn validator_part(out: &mut String, run: &Run, judged: &Judged, verbose: bool, quiet: bool) {
    let Judged { outcome, judgement } = judged;
    let tally = &outcome.tally;
    let _ = writeln!(
        out,
        "{}  {}",
        paint(BOLD, validator_name(&outcome.description)),
        paint(DIM, format!("{} judged in {:.1} s", tokens(tally.presented), outcome.duration.as_secs_f64()))
    );
    if let Some(hunted) = &outcome.hunted {
        hunted_part(out, run, hunted);
    }
    if !quiet {
        for (world, cells) in &tally.matrix {
            matrix_part(out, world, cells);
        }
        rules_part(out, outcome);
        if !run.exhaustive.is_empty() {
            out.push_str(&exhaustive::seen(&run.exhaustive, tally));
        }
        if verbose {
            classes_part(out, outcome);
        }
        skipped_part(out, judged);
    }
    let waived: BTreeMap<usize, usize> = judgement.waived.iter().copied().collect();
    let counted: Vec<_> = outcome.findings.iter().enumerate().filter(|(i, _)| !waived.contains_key(i)).collect();
    if !counted.is_empty() {
        let _ = writeln!(out, "\n  {}", paint(BOLD, number(counted.len() as u64, "finding")));
        for (_, finding) in &counted {
            finding_part(out, finding, run.out.as_deref(), outcome.interrupted);
        }
    }
    if outcome.findings_beyond > 0 {
        let more = number(outcome.findings_beyond as u64, "further finding");
        let _ = writeln!(out, "\n  {} {more} left out: raise --max-findings", paint(YELLOW, "gap:"));
    }
    if !waived.is_empty() && !quiet {
        let _ = writeln!(out, "\n  {}", paint(BOLD, number(waived.len() as u64, "waived finding")));
        // One reason may excuse several findings: it is said once.
        let mut by_waiver: BTreeMap<usize, BTreeMap<String, u64>> = BTreeMap::new();
        for (&index, &waiver) in &waived {
            *by_waiver.entry(waiver).or_default().entry(title(&outcome.findings[index])).or_default() += 1;
        }
        for (waiver, titles) in by_waiver {
            let times = |(title, count): (String, u64)| if count > 1 { format!("{title} ({count})") } else { title };
            let titles: Vec<String> = titles.into_iter().map(times).collect();
            let reason = paint(DIM, shown(run.config.waivers[waiver].reason.trim()));
            let _ = writeln!(out, "    {}  {reason}", paint(YELLOW, titles.join(", ")));
        }
    }
    for mishap in &tally.mishaps {
        let _ = writeln!(out, "  {} {}", paint(RED, "fault of no single token:"), shown(mishap));
    }
    for sentence in &judgement.inconclusive {
        let _ = writeln!(out, "  {} {}", paint(YELLOW, "inconclusive:"), shown(sentence));
    }
    out.push('\n');
}

/// How far a hunt came, and how to go the same way again.
fn hunted_part(out: &mut String, run: &Run, hunted: &Hunted) {
    let Hunted { scenarios, generations, leads } = hunted;
    let _ = writeln!(
        out,
        "  {}",
        paint(
            DIM,
            format!(
                "hunted: {} in {}, {} to search near; the same again: --scenarios {scenarios} --seed {}",
                number(*scenarios, "scenario"),
                number(*generations, "generation"),
                number(*leads, "lead"),
                run.seed
            )
        )
    );
}

fn matrix_part(out: &mut String, world: &str, cells: &BTreeMap<(String, String), Cell>) {
    if cells.is_empty() {
        return;
    }
    let signers: BTreeSet<&str> = cells.keys().map(|(signer, _)| signer.as_str()).collect();
    let claimed: BTreeSet<&str> = cells.keys().map(|(_, claimed)| claimed.as_str()).collect();
    let width = signers.iter().map(|signer| signer.len()).max().unwrap_or(0).max(8);
    let _ = writeln!(
        out,
        "\n  {}  {}",
        paint(BOLD, world),
        paint(DIM, "accepted / presented, by who signed (down) and whom the token claims (across)")
    );
    let column = claimed.iter().map(|claimed| claimed.len()).max().unwrap_or(0).max(11) + 2;
    let _ = write!(out, "    {:width$}", "");
    for name in &claimed {
        let _ = write!(out, "{name:>column$}");
    }
    out.push('\n');
    for signer in signers {
        let _ = write!(out, "    {signer:width$}");
        for name in &claimed {
            match cells.get(&(signer.to_owned(), (*name).to_owned())) {
                None => {
                    let _ = write!(out, "{:>column$}", "·");
                }
                Some(cell) => {
                    let text = format!("{:>column$}", format!("{}/{}", cell.accepted, cell.presented));
                    let style = if cell.wrong > 0 { RED } else { Style::new() };
                    let _ = write!(out, "{}", paint(style, text));
                }
            }
        }
        out.push('\n');
    }
}

fn rules_part(out: &mut String, outcome: &Outcome) {
    let tally = &outcome.tally;
    let _ = writeln!(
        out,
        "\n  {:<24} {:>6} {:>10} {:>9} {:>13}  {}",
        paint(BOLD, "rule broken alone       "),
        "tokens",
        "rejected*",
        "accepted",
        "inconclusive",
        paint(DIM, "* and the lawful twin was accepted: the evidence")
    );
    for rule in Rule::ALL {
        let Some(counts) = tally.rules.get(rule) else { continue };
        let other = counts.inconclusive + counts.no_twin + counts.faults;
        let style = if counts.accepted > 0 {
            RED
        } else if counts.confirmed == 0 {
            YELLOW
        } else {
            GREEN
        };
        let _ = writeln!(
            out,
            "  {} {:>6} {:>10} {:>9} {:>13}",
            paint(style, format!("{:<24}", rule.name())),
            counts.alone,
            counts.confirmed,
            counts.accepted,
            other
        );
    }
    for (rule, counts) in &tally.conduct {
        let (style, seen) = match counts.broken {
            0 => (GREEN, "never broken".to_owned()),
            broken => (RED, format!("broken {}", number(broken, "time"))),
        };
        let tempted = tokens(counts.tempted);
        let _ = writeln!(out, "  {} {tempted} gave occasion, {seen}", paint(style, format!("{:<24}", rule.name())));
    }
    let (accepted, rejected) = tally.open;
    if accepted + rejected > 0 {
        let _ = writeln!(
            out,
            "  {}",
            paint(DIM, format!("left open by the standards: {accepted} accepted, {rejected} rejected"))
        );
    }
    if tally.unidentified > 0 {
        let _ = writeln!(
            out,
            "  {} identity is not observable: {} accepted without saying who it is",
            paint(YELLOW, "gap:"),
            tokens(tally.unidentified)
        );
    }
}

fn classes_part(out: &mut String, outcome: &Outcome) {
    let _ = writeln!(out, "\n  {}", paint(BOLD, "classes"));
    for (id, counts) in &outcome.tally.classes {
        let _ = write!(
            out,
            "    {id:<48} presented {:>4}  accepted {:>4}  rejected* {:>4}  open {:>3}  wrong {:>3}  inconclusive {:>3}",
            counts.presented,
            counts.accepted,
            counts.confirmed,
            counts.open,
            counts.wrong,
            counts.inconclusive + counts.no_twin
        );
        for (reason, count) in &counts.skipped {
            let _ = write!(out, "  skipped {count}: {reason}");
        }
        out.push('\n');
    }
}

fn skipped_part(out: &mut String, judged: &Judged) {
    let Judged { outcome, judgement } = judged;
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for tally in outcome.tally.classes.values() {
        for (reason, count) in &tally.skipped {
            *reasons.entry(reason).or_default() += count;
        }
    }
    for (reason, count) in reasons.iter().take(MAX_SKIPS) {
        let _ = writeln!(out, "  {}", paint(DIM, format!("skipped {count}: {}", shown(reason))));
    }
    if reasons.len() > MAX_SKIPS {
        let rest: u64 = reasons.values().skip(MAX_SKIPS).sum();
        let more = number((reasons.len() - MAX_SKIPS) as u64, "further reason");
        let _ = writeln!(out, "  {}", paint(DIM, format!("skipped {rest}: for {more}")));
    }
    for (rule, reasons) in &judgement.not_tried {
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        let why = shown(&reasons.join("; "));
        let _ = writeln!(out, "  {} {rule} was not tried: {why}", paint(YELLOW, "gap:"));
    }
    if !outcome.unplayable.is_empty() {
        let (name, why) = &outcome.unplayable[0];
        let _ = writeln!(
            out,
            "  {} {} could not be played; the first, {name}: {}",
            paint(YELLOW, "gap:"),
            number(outcome.unplayable.len() as u64, "scenario"),
            shown(why)
        );
    }
}

fn title(finding: &Finding) -> String {
    let rules: Vec<_> = finding.rules.iter().map(|rule| rule.name()).collect();
    let what = match finding.kind {
        _ if !rules.is_empty() => rules.join(" + "),
        other => other.name().to_owned(),
    };
    format!("{} {what}", finding.severity.name())
}

/// One sentence on who signed.
#[must_use]
pub fn relation_words(relation: Relation) -> &'static str {
    match relation {
        Relation::Own => "signed by a key of the issuer that it claims",
        Relation::OtherTrusted => "signed by a key of another issuer that the party trusts",
        Relation::Untrusted => "signed by a key of an issuer that the party does not trust",
        Relation::Attacker => "signed by the attacker's key",
        Relation::PublicText => "signed by HMAC over a public text",
        Relation::Nobody => "signed by nobody: no signature covers what it says",
    }
}

/// A validator's name and version. It chose them, so they are tamed.
#[must_use]
pub fn validator_name(description: &Description) -> String {
    let name = format!("{} {}", shown(&description.name), shown(&description.version));
    // An endpoint says nothing of its version.
    name.trim_end().to_owned()
}

fn number(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn tokens(count: u64) -> String {
    number(count, "token")
}

/// Text that may hold what a validator said.
fn shown(text: &str) -> String {
    tame(text, MAX_LINE)
}

fn compact(scenario: &Scenario) -> String {
    shown(&serde_json::to_string(scenario).unwrap_or_default())
}

/// A finding in full. In an interrupted run none was replayed.
fn finding_part(out: &mut String, finding: &Finding, folder: Option<&str>, interrupted: bool) {
    let style = if finding.severity >= Severity::High { RED } else { YELLOW };
    let classes: Vec<_> = finding.classes.iter().take(6).map(String::as_str).collect();
    let more = finding.classes.len().saturating_sub(classes.len());
    let _ = writeln!(
        out,
        "\n  {}  {}",
        paint(style, format!("{} {}", finding.kind.name(), title(finding))),
        paint(DIM, tokens(finding.count))
    );
    for rule in &finding.rules {
        let _ = writeln!(out, "    {}  {}", paint(BOLD, rule.name()), rule.demand());
        let _ = writeln!(out, "    source    {}", rule.source());
        let _ = writeln!(out, "    why       without it {}", rule.why());
    }
    if !classes.is_empty() {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "    classes   {}{more}", classes.join(", "));
    }
    let _ = writeln!(out, "    scenario  {}", compact(&finding.scenario));
    for (name, text) in decoded(&Token::new(finding.token.as_bytes())) {
        let _ = writeln!(out, "    {name:<9} {text}");
    }
    let _ = writeln!(out, "    who       {}", relation_words(finding.relation));
    let _ = writeln!(out, "    answer    {}", paint(style, shown(&finding.answer)));
    for (index, line) in finding.log.iter().enumerate() {
        let _ = writeln!(out, "    {:<9} {}", if index == 0 { "log" } else { "" }, paint(DIM, shown(line)));
    }
    let _ = writeln!(out, "    lawful    {}", shown(&finding.lawful));
    match &finding.twin {
        None => {}
        Some(twin) => {
            let _ = writeln!(out, "    twin      {}", twin.note);
            if let (TwinKind::Token, Some(scenario)) = (twin.kind, &twin.scenario) {
                let _ = writeln!(out, "              {}", compact(scenario));
            }
        }
    }
    if !finding.reproduced {
        let why = if interrupted {
            "as it was found: the run was interrupted before it was replayed and shrunk"
        } else {
            "not reproducible: it did not recur on a fresh validator, alone or after the tokens before it"
        };
        let _ = writeln!(out, "    {}", paint(YELLOW, why));
    }
    if folder.is_some() {
        let _ = writeln!(out, "    again     {}", shown(&finding.reproduce));
    }
}
