//! `[validators.NAME]`: a validator that a configuration names, as plain data.

use super::{Place, length};
use crate::alike::hint;
use crate::error::Error;
use crate::validator::Clock;
use crate::validator::endpoint::Settings;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// Longest name: it stands in the names of files.
const MAX_NAME: usize = 64;
/// Most requests that may be in flight.
const MAX_WINDOW: i64 = 65_536;
/// Most connections to an endpoint.
const MAX_CONNECTIONS: i64 = 256;
/// Longest time for anything.
const HOUR: Duration = Duration::from_secs(3_600);

/// A validator that a configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the command line calls it.
    pub name: String,
    /// The line, from 1, where it begins.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
    /// A command that is run once before it is judged, split as a shell splits it and run without one; it has ten minutes.
    pub setup: Option<String>,
    /// What is added to the environment of its programs.
    pub env: BTreeMap<String, String>,
    /// Where its programs run; without it, in the folder of the file.
    pub cwd: Option<PathBuf>,
    /// The worlds it is judged in: shipped names, or files.
    pub worlds: Vec<String>,
    /// The relying parties it is judged as.
    pub parties: Vec<String>,
    /// What it can do, where less than it says itself.
    pub features: Option<BTreeSet<Feature>>,
    /// The algorithms it has, by the names of RFC 7518 and RFC 8037, where it cannot say so itself; none: all.
    pub algorithms: Vec<String>,
    /// Whose time it uses, where it is not what it says itself.
    pub clock: Option<Clock>,
    /// For one token.
    pub timeout: Option<Duration>,
    /// Requests in flight.
    pub window: Option<usize>,
    /// Clock skew that it allows whatever its policy says.
    pub leeway: Option<Duration>,
    /// A file with certificates of who may vouch for an endpoint.
    pub ca: Option<PathBuf>,
}

/// What a validator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program that speaks the protocol, with its arguments.
    Exec(String),
    /// A program that is run once a token.
    Command(String),
    /// An HTTP endpoint. What holds for every kind stands in the [`Entry`], and its `ca` is read when it is used.
    Url(Box<Settings>),
}

/// An ability of a validator, by the name that the protocol has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// `exchange`
    Exchange,
    /// `fetches-jwks`
    FetchesJwks,
    /// `identity`
    Identity,
    /// `issuer-templates`
    IssuerTemplates,
    /// `large`
    Large,
    /// `live-update`
    LiveUpdate,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 6] = [
        Feature::Exchange,
        Feature::FetchesJwks,
        Feature::Identity,
        Feature::IssuerTemplates,
        Feature::Large,
        Feature::LiveUpdate,
    ];

    /// The name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Feature::Exchange => "exchange",
            Feature::FetchesJwks => "fetches-jwks",
            Feature::Identity => "identity",
            Feature::IssuerTemplates => "issuer-templates",
            Feature::Large => "large",
            Feature::LiveUpdate => "live-update",
        }
    }
}

type Text = Option<Spanned<String>>;
type Texts = Option<Spanned<OneOrMore>>;

/// The table as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct EntryFile {
    exec: Text,
    command: Text,
    url: Text,
    setup: Text,
    env: Option<Spanned<BTreeMap<String, String>>>,
    cwd: Text,
    world: Texts,
    party: Texts,
    features: Option<Spanned<Vec<String>>>,
    algorithms: Texts,
    clock: Text,
    timeout: Text,
    window: Option<Spanned<i64>>,
    leeway: Text,
    method: Text,
    header: Texts,
    cookie: Texts,
    query: Texts,
    form: Texts,
    json: Text,
    accept_status: Text,
    reject_status: Text,
    identity: Texts,
    ca: Text,
    rate: Text,
    wait_for: Text,
    connections: Option<Spanned<i64>>,
}

/// A text, or a list of texts.
struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl EntryFile {
    /// Makes sense of the table of that name, which begins at that octet.
    pub(super) fn read(&self, name: &str, start: usize, place: &Place<'_>) -> Result<Entry, Error> {
        let line = place.line(start);
        let wrong = |problem: String| place.wrong(line, &format!("[validators.{}] {problem}", shown(name)));
        if !is_name(name) {
            return Err(wrong(format!(
                "is no name: letters, digits, `-` and `_`, with a letter or digit first, at most {MAX_NAME}"
            )));
        }
        let kinds = [("exec", &self.exec), ("command", &self.command), ("url", &self.url)];
        let given: Vec<_> = kinds.iter().filter_map(|(kind, text)| Some((*kind, text.as_ref()?))).collect();
        let kind = match given[..] {
            [(kind, text)] => (kind, text),
            [] => return Err(wrong("needs `exec`, `command` or `url`: say what it is".to_owned())),
            [(one, _), (other, second), ..] => {
                let problem = format!("`{other}`: it is {one} already: keep one of them");
                return Err(place.wrong(place.line(second.span().start), &problem));
            }
        };
        if let Some((member, at, goes_with)) = self.misplaced(kind.0) {
            let problem = format!("`{member}` goes with {goes_with}, and this is `{}`: leave it out", kind.0);
            return Err(place.wrong(place.line(at), &problem));
        }
        if kind.1.get_ref().trim().is_empty() {
            return Err(place.wrong(place.line(kind.1.span().start), &format!("`{}` names nothing", kind.0)));
        }
        let text = kind.1.get_ref().clone();
        Ok(Entry {
            name: name.to_owned(),
            line,
            kind: match kind.0 {
                "exec" => Kind::Exec(text),
                "command" => Kind::Command(text),
                _ => Kind::Url(Box::new(self.endpoint(text, place)?)),
            },
            setup: plain(&self.setup),
            env: self.env(place)?,
            cwd: plain(&self.cwd).map(PathBuf::from),
            worlds: some(&self.world, "world", place)?,
            parties: some(&self.party, "party", place)?,
            features: self.features(place)?,
            algorithms: some(&self.algorithms, "algorithms", place)?,
            clock: self.clock(place)?,
            timeout: time(&self.timeout, "timeout", Duration::from_millis(10), place)?,
            window: number(self.window.as_ref(), "window", MAX_WINDOW, place)?,
            leeway: time(&self.leeway, "leeway", Duration::ZERO, place)?,
            ca: plain(&self.ca).map(PathBuf::from),
        })
    }

    /// Members that do not go with that kind: name, place, and what they go with.
    fn misplaced(&self, kind: &str) -> Option<(&'static str, usize, &'static str)> {
        fn at<T>(member: &'static str, value: &Option<Spanned<T>>) -> Option<(&'static str, usize)> {
            value.as_ref().map(|value| (member, value.span().start))
        }
        let of_url = [
            at("method", &self.method),
            at("header", &self.header),
            at("cookie", &self.cookie),
            at("query", &self.query),
            at("form", &self.form),
            at("json", &self.json),
            at("accept-status", &self.accept_status),
            at("reject-status", &self.reject_status),
            at("identity", &self.identity),
            at("ca", &self.ca),
            at("rate", &self.rate),
            at("wait-for", &self.wait_for),
            at("connections", &self.connections),
        ];
        let of_program = [at("features", &self.features), at("clock", &self.clock)];
        let of_silent = [at("algorithms", &self.algorithms)];
        let of_exec = [at("window", &self.window)];
        let first = |members: &[Option<(&'static str, usize)>], goes_with: &'static str| {
            members.iter().flatten().next().map(|&(member, at)| (member, at, goes_with))
        };
        match kind {
            "url" => first(&of_program, "`exec` and `command`").or_else(|| first(&of_exec, "`exec`")),
            "command" => first(&of_url, "`url`").or_else(|| first(&of_exec, "`exec`")),
            _ => first(&of_url, "`url`").or_else(|| first(&of_silent, "`command` and `url`")),
        }
    }

    fn endpoint(&self, url: String, place: &Place<'_>) -> Result<Settings, Error> {
        let list = |texts: &Texts| texts.as_ref().map(|texts| texts.get_ref().0.clone()).unwrap_or_default();
        if let (Some(_), Some(json)) = (&self.form, &self.json) {
            return Err(place.wrong(place.line(json.span().start), "`json`: there is `form` too: keep one of them"));
        }
        let usual = Settings::new(url);
        let connections = number(self.connections.as_ref(), "connections", MAX_CONNECTIONS, place)?;
        Ok(Settings {
            method: plain(&self.method),
            headers: list(&self.header),
            cookies: list(&self.cookie),
            query: list(&self.query),
            form: list(&self.form),
            json: plain(&self.json),
            accept_status: plain(&self.accept_status).unwrap_or_else(|| usual.accept_status.clone()),
            reject_status: plain(&self.reject_status).unwrap_or_else(|| usual.reject_status.clone()),
            identity: list(&self.identity),
            rate: plain(&self.rate),
            wait_for: time(&self.wait_for, "wait-for", Duration::ZERO, place)?.unwrap_or(usual.wait_for),
            connections: connections.unwrap_or(usual.connections),
            ..usual
        })
    }

    fn env(&self, place: &Place<'_>) -> Result<BTreeMap<String, String>, Error> {
        let Some(env) = &self.env else { return Ok(BTreeMap::new()) };
        let unfit =
            |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
        if let Some((name, _)) = env.get_ref().iter().find(unfit) {
            let problem = format!("`env`: {name:?} cannot be set: a name without `=`, and no NUL in either");
            return Err(place.wrong(place.line(env.span().start), &problem));
        }
        Ok(env.get_ref().clone())
    }

    fn features(&self, place: &Place<'_>) -> Result<Option<BTreeSet<Feature>>, Error> {
        let Some(names) = &self.features else { return Ok(None) };
        let known = || Feature::ALL.iter().map(|feature| feature.name());
        let feature = |name: &String| {
            Feature::ALL.into_iter().find(|feature| feature.name() == name).ok_or_else(|| {
                let all: Vec<_> = known().collect();
                let problem = format!("`features`: {name:?} is none of {}{}", all.join(", "), hint(name, known()));
                place.wrong(place.line(names.span().start), &problem)
            })
        };
        names.get_ref().iter().map(feature).collect::<Result<_, _>>().map(Some)
    }

    fn clock(&self, place: &Place<'_>) -> Result<Option<Clock>, Error> {
        let Some(clock) = &self.clock else { return Ok(None) };
        match clock.get_ref().as_str() {
            "settable" => Ok(Some(Clock::Settable)),
            "system" => Ok(Some(Clock::System)),
            other => {
                let problem = format!("`clock`: {other:?} is none of settable, system");
                Err(place.wrong(place.line(clock.span().start), &problem))
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.len() <= MAX_NAME && name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A name as it may be shown: a key may be any text.
fn shown(name: &str) -> String {
    if is_name(name) { name.to_owned() } else { format!("{:?}", name.chars().take(MAX_NAME).collect::<String>()) }
}

fn plain(text: &Text) -> Option<String> {
    text.as_ref().map(|text| text.get_ref().clone())
}

/// One or more names; an empty list says nothing and is more likely a slip.
fn some(texts: &Texts, member: &str, place: &Place<'_>) -> Result<Vec<String>, Error> {
    let Some(texts) = texts else { return Ok(Vec::new()) };
    if texts.get_ref().0.is_empty() {
        let problem = format!("`{member}`: it names none: leave it out, or name one");
        return Err(place.wrong(place.line(texts.span().start), &problem));
    }
    Ok(texts.get_ref().0.clone())
}

fn time(text: &Text, member: &str, least: Duration, place: &Place<'_>) -> Result<Option<Duration>, Error> {
    let Some(text) = text else { return Ok(None) };
    let wanted = if least.is_zero() {
        "a length of time, as 30s or 2m, of at most 1h"
    } else {
        "a length of time, as 5s or 500ms, from 10ms to 1h"
    };
    let length = length(text.get_ref(), least, HOUR, wanted);
    length.map(Some).map_err(|wanted| place.wrong(place.line(text.span().start), &format!("`{member}`: {wanted}")))
}

fn number(value: Option<&Spanned<i64>>, member: &str, most: i64, place: &Place<'_>) -> Result<Option<usize>, Error> {
    let Some(value) = value else { return Ok(None) };
    let number = usize::try_from(*value.get_ref()).ok().filter(|_| (1..=most).contains(value.get_ref()));
    number
        .map(Some)
        .ok_or_else(|| place.wrong(place.line(value.span().start), &format!("`{member}`: a number from 1 to {most}")))
}
