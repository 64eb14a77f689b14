//! What the settings of an endpoint mean.

use super::request::TOKEN;
use crate::policy::TrustPolicy;
use crate::validator::endpoint::Settings;
use axum::http::StatusCode;
use std::collections::BTreeSet;
use std::time::Duration;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct BadSetting {
    /// Which, by the name of its flag.
    pub setting: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl BadSetting {
    pub(super) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        BadSetting { setting, problem: problem.into() }
    }
}

/// Most connections of one worker.
const MAX_CONNECTIONS: usize = 256;

impl Settings {
    /// What to call it in reports.
    pub(super) fn shown_name(&self) -> String {
        let place = || {
            let place = self.url.split_once("://").map_or(self.url.as_str(), |(_, place)| place);
            place.split(['?', '#']).next().unwrap_or(place).trim_end_matches('/').to_owned()
        };
        self.name.clone().unwrap_or_else(place)
    }

    pub(super) fn checked_connections(&self) -> Result<usize, BadSetting> {
        match self.connections {
            1..=MAX_CONNECTIONS => Ok(self.connections),
            _ => Err(BadSetting::new("connections", format!("a number from 1 to {MAX_CONNECTIONS}"))),
        }
    }

    /// The algorithms that it has, of those that its policy names.
    pub(super) fn checked_algorithms(&self, own: &TrustPolicy) -> Result<BTreeSet<String>, BadSetting> {
        let narrowed = own.issuers.iter().filter_map(|issuer| issuer.algorithms.as_ref());
        let named: BTreeSet<String> = narrowed.chain(&own.algorithms).flatten().cloned().collect();
        if self.algorithms.is_empty() {
            return Ok(named);
        }
        if let Some(unknown) = self.algorithms.iter().find(|name| !named.contains(*name)) {
            let named: Vec<_> = named.into_iter().collect();
            let problem = format!("{unknown:?} is none that its policy names: {}", named.join(", "));
            return Err(BadSetting::new("algorithms", problem));
        }
        Ok(self.algorithms.iter().cloned().collect())
    }

    /// The statuses that accept and those that refuse.
    pub(super) fn statuses(&self) -> Result<(Statuses, Statuses), BadSetting> {
        let accept = Statuses::parse(&self.accept_status, "accept-status")?;
        let reject = Statuses::parse(&self.reject_status, "reject-status")?;
        match accept.common(&reject) {
            Some(status) => Err(BadSetting::new(
                "reject-status",
                format!("{status} stands in --accept-status too: it can mean one thing"),
            )),
            None => Ok((accept, reject)),
        }
    }

    /// The least time between two requests.
    pub(super) fn pace(&self) -> Result<Option<Duration>, BadSetting> {
        let Some(rate) = &self.rate else { return Ok(None) };
        let wanted =
            || BadSetting::new("rate", format!("{rate:?}: so many requests in a second or a minute, as 100/s or 30/m"));
        let (count, unit) = rate.split_once('/').ok_or_else(wanted)?;
        let second = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            _ => return Err(wanted()),
        };
        let count = count.parse::<u32>().ok().filter(|&count| count > 0).ok_or_else(wanted)?;
        Ok(Some(second / count))
    }

    /// The pointers into an accepting answer.
    pub(super) fn pointers(&self) -> Result<Option<Pointers>, BadSetting> {
        let mut pointers = Pointers::default();
        for text in &self.identity {
            let (claim, pointer) =
                text.split_once('=').filter(|(claim, _)| !claim.starts_with('/')).unwrap_or(("sub", text));
            let place = match claim {
                "sub" => &mut pointers.sub,
                "iss" => &mut pointers.iss,
                "tid" => &mut pointers.tid,
                _ => {
                    let problem = format!("{claim:?} is none of iss, sub and tid: write /sub, or iss=/iss");
                    return Err(BadSetting::new("identity", problem));
                }
            };
            if !pointer.starts_with('/') {
                let problem = format!("{pointer:?} is no JSON pointer: it begins with a slash, as /sub (RFC 6901)");
                return Err(BadSetting::new("identity", problem));
            }
            if place.replace(pointer.to_owned()).is_some() {
                return Err(BadSetting::new("identity", format!("{claim} is named twice")));
            }
        }
        if self.identity.is_empty() {
            return Ok(None);
        }
        if pointers.sub.is_none() {
            return Err(BadSetting::new("identity", "it says nothing of the subject: add one like /sub"));
        }
        Ok(Some(pointers))
    }

    /// Whether anything has the token's place in it.
    pub(super) fn has_token(&self) -> bool {
        let lists = [&self.headers, &self.cookies, &self.query, &self.form];
        lists.into_iter().flatten().chain(&self.json).any(|text| text.contains(TOKEN))
    }
}

/// Where in an accepting answer it says who the caller is.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointers {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) tid: Option<String>,
}

/// A set of HTTP statuses.
#[derive(Clone, Debug)]
pub(super) struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    fn parse(text: &str, setting: &'static str) -> Result<Self, BadSetting> {
        let wanted = |part: &str| {
            let problem = format!("{part:?}: statuses from 100 to 999 and ranges of them, as 200-299 or 400,401,403");
            BadSetting::new(setting, problem)
        };
        let status = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=999).contains(status));
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = status(first.trim()).zip(status(last.trim())).filter(|(first, last)| first <= last);
            range.ok_or_else(|| wanted(part.trim()))
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Statuses)
    }

    pub(super) fn has(&self, status: StatusCode) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status.as_u16()))
    }

    fn common(&self, other: &Statuses) -> Option<u16> {
        let firsts = self.0.iter().flat_map(|one| other.0.iter().map(move |two| (one.0.max(two.0), one.1.min(two.1))));
        firsts.into_iter().find(|(first, last)| first <= last).map(|(first, _)| first)
    }
}
