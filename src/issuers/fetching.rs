//! Validators that fetch their keys: each is handed URLs in the place of keys, and what its policy lists is served to it.
//!
//! A campaign tells a validator a policy and shows it tokens, whatever the key source. This stands between the two where the
//! keys are fetched: when the keys of an issuer change, the validator is not told; the issuer publishes others.
//!
//! It also sees what is fetched while a token is judged. What a policy does not name and the token does (`jku`, `x5u`, an `iss`
//! that nobody trusts) must not be fetched (RFC 8725 section 3.10), whatever the answer is. A fetch is laid at the token
//! that names its host; one that comes after the answer, or that no token in hand names, is laid at nobody's door.

use super::documents::Published;
use super::server::{Fetch, Issuers};
use crate::jose::{NumericDate, Token, decode_base64url};
use crate::policy::{KeySource, TrustPolicy};
use crate::validator::{Configured, Description, Fault, Maker, Validator, Verdict};
use crate::world::{Address, Calendar, Publication, World, host_of};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};

/// Makes the same validators, for which the issuers of these worlds are served where their keys are fetched: one server a
/// thread, which lives for as long as one of its validators.
#[must_use]
pub fn fetching(maker: Maker, worlds: &[Arc<World>], calendar: Calendar) -> Maker {
    let worlds: Arc<[Arc<World>]> = worlds.into();
    Arc::new(move || {
        Box::new(Fetching { inner: maker(), worlds: Arc::clone(&worlds), calendar, server: None, told: None })
    })
}

thread_local! {
    /// The server of this thread's validators.
    static SERVER: RefCell<Weak<Issuers>> = const { RefCell::new(Weak::new()) };
}

struct Fetching {
    inner: Box<dyn Validator>,
    worlds: Arc<[Arc<World>]>,
    calendar: Calendar,
    server: Option<Arc<Issuers>>,
    told: Option<Told>,
}

/// What a validator with key source `fetched` was told last.
struct Told {
    /// As it was handed over, issuers in the order of their names.
    handed: TrustPolicy,
    published: Arc<Published>,
    /// Whom it was told to trust before, where that may be remembered for a while.
    earlier: BTreeSet<String>,
}

impl Fetching {
    /// This thread's server.
    fn server(&mut self) -> Result<Arc<Issuers>, Fault> {
        if let Some(server) = &self.server {
            return Ok(Arc::clone(server));
        }
        let server = match SERVER.with_borrow(Weak::upgrade) {
            Some(server) => server,
            None => {
                let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let server = Issuers::start(listen, false, Published::default());
                Arc::new(server.map_err(|error| Fault::Gone(format!("the issuers cannot be served to it: {error}")))?)
            }
        };
        SERVER.set(Arc::downgrade(&server));
        self.server = Some(Arc::clone(&server));
        Ok(server)
    }

    /// What everybody publishes under a policy. Of the worlds the one is meant that has most of the policy's issuers.
    fn published(&self, policy: &TrustPolicy) -> Published {
        let known = |world: &World| {
            world.issuers.iter().filter(|issuer| policy.issuers.iter().any(|told| told.issuer == issuer.name)).count()
        };
        let world = self.worlds.iter().rev().max_by_key(|world| known(world));
        let published = world.map(|world| Published::of(world, &Publication::of(world), self.calendar));
        published.unwrap_or_default().as_told(policy)
    }

    /// From here on the server shows what was told to this validator; a mark before the next fetch.
    fn show(&self) -> u64 {
        match (&self.server, &self.told) {
            (Some(server), Some(told)) => {
                server.show(Arc::clone(&told.published));
                server.fetches()
            }
            _ => 0,
        }
    }

    /// What was fetched since that mark and must not be: by index, the tokens that name it, each with the first such URL.
    fn forbidden(&self, mark: u64, tokens: &[&Token]) -> Vec<(usize, String)> {
        let (Some(server), Some(told)) = (&self.server, &self.told) else { return Vec::new() };
        let fetches = server.fetches_since(mark);
        let suspects: Vec<&Fetch> = fetches.iter().filter(|fetch| !told.names(fetch)).collect();
        if suspects.is_empty() {
            return Vec::new();
        }
        let texts: Vec<Vec<String>> = tokens.iter().map(|token| readable(token)).collect();
        let mut blamed: BTreeMap<usize, String> = BTreeMap::new();
        for fetch in suspects {
            let host = host_of(&fetch.host);
            let place = format!("{host}{}", fetch.path);
            let holding = |needle: &str| {
                let holds = |text: &Vec<String>| text.iter().any(|part| part.to_ascii_lowercase().contains(needle));
                texts.iter().position(holds)
            };
            // At the host of somebody who is trusted only the very URL tells the token's from the policy's.
            let trusted = told.trusts_host(&host);
            let whole = holding(&place.to_ascii_lowercase());
            let index = if trusted { whole } else { whole.or_else(|| holding(&host)) };
            if let Some(index) = index {
                blamed.entry(index).or_insert_with(|| format!("{}://{}{}", fetch.scheme, fetch.host, fetch.path));
            }
        }
        blamed.into_iter().collect()
    }
}

impl Told {
    /// Whether a document of an issuer was fetched that the policy names, or an earlier one that may still be in use.
    fn names(&self, fetch: &Fetch) -> bool {
        let now = |name: &String| self.handed.issuers.iter().any(|told| told.issuer == *name);
        fetch.issuer.as_ref().is_some_and(|name| now(name) || self.earlier.contains(name))
    }

    fn trusts_host(&self, host: &str) -> bool {
        let hosts = self.handed.issuers.iter().filter_map(|told| Address::of(&told.issuer));
        hosts.into_iter().any(|address| address.host() == host)
    }
}

/// What a token says, as far as base64url hides it: its runs of characters of that alphabet, decoded, and the token itself.
fn readable(token: &Token) -> Vec<String> {
    let text = String::from_utf8_lossy(token.as_bytes()).into_owned();
    let letters = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let decoded = text.split(letters).filter_map(|run| {
        // A last character alone holds no octet.
        let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
        let octets = decode_base64url(whole)?;
        // RFC 8259 section 7: a solidus may be escaped.
        Some(String::from_utf8_lossy(&octets).replace("\\/", "/"))
    });
    let mut parts: Vec<String> = decoded.collect();
    parts.push(text);
    parts
}

impl Validator for Fetching {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        if policy.key_source != KeySource::Fetched {
            return self.inner.configure(policy);
        }
        let server = self.server()?;
        let handed = match by_url(policy, &server) {
            Ok(handed) => handed,
            Err(reason) => return Ok(Configured::Skip(reason)),
        };
        let mut sorted = handed.clone();
        sorted.issuers.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        let mut earlier = BTreeSet::new();
        if let Some(before) = self.told.as_ref().filter(|_| policy.jwks_max_age.is_some_and(|age| age > 0)) {
            earlier.clone_from(&before.earlier);
            earlier.extend(before.handed.issuers.iter().map(|told| told.issuer.clone()));
        }
        let published = Arc::new(self.published(policy));
        let before = self.told.replace(Told { handed: sorted, published, earlier });
        self.show();
        match (before, &self.told) {
            (Some(before), Some(now)) if before.handed == now.handed => {
                // What changed are keys, which the issuers show and nobody announces.
                let bounded = policy.jwks_max_age.is_some();
                let reason = "its policy does not say for how long a fetched set may be kept";
                Ok(if bounded { Configured::Ready } else { Configured::Skip(reason.to_owned()) })
            }
            (Some(_), _) if !self.inner.describe().live_update => {
                Ok(Configured::Skip("it has no live update".to_owned()))
            }
            _ => self.inner.configure(&handed),
        }
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let mark = self.show();
        let answer = self.inner.validate(token, now);
        match self.forbidden(mark, &[token]).pop() {
            Some((_, url)) => Err(Fault::ForbiddenFetch(url)),
            None => answer,
        }
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        let mark = self.show();
        let mut answers = self.inner.validate_all(tokens);
        let tokens: Vec<&Token> = tokens.iter().map(|(token, _)| token).collect();
        for (index, url) in self.forbidden(mark, &tokens) {
            if let Some(answer) = answers.get_mut(index) {
                *answer = Err(Fault::ForbiddenFetch(url));
            }
        }
        answers
    }

    /// Where keys are fetched it holds none before a token asks for one.
    fn key_texts(&mut self, policy: &TrustPolicy) -> Vec<String> {
        if policy.key_source == KeySource::Fetched { Vec::new() } else { self.inner.key_texts(policy) }
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        self.inner.cannot_carry(token)
    }

    fn mishaps(&mut self) -> Vec<Fault> {
        self.inner.mishaps()
    }
}

/// The policy with URLs in the place of keys.
fn by_url(policy: &TrustPolicy, server: &Issuers) -> Result<TrustPolicy, String> {
    let mut handed = policy.clone();
    handed.resolver = Some(format!("http://{}", server.address()));
    let mut places: Vec<Address> = Vec::new();
    for issuer in &mut handed.issuers {
        if issuer.secrets.is_some() {
            return Err("a secret cannot be fetched".to_owned());
        }
        let place = Address::of(&issuer.issuer).ok_or("an issuer's name is no URL to fetch from")?;
        if places.contains(&place) {
            return Err("two issuers publish at one place".to_owned());
        }
        issuer.jwks = None;
        issuer.jwks_uri = Some(place.jwks_uri());
        issuer.discovery_url = Some(place.discovery_url());
        places.push(place);
    }
    Ok(handed)
}
