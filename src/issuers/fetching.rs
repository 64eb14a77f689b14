//! Validators that fetch their keys: each is handed URLs in the place of keys, and what its policy lists is served to it.
//!
//! A campaign tells a validator a policy and shows it tokens, whatever the key source. This stands between the two where the
//! keys are fetched: when the keys of an issuer change, the validator is not told; the issuer publishes others.
//!
//! It also sees what is fetched while a token is judged. What a policy does not name and the token does (`jku`, `x5u`, an `iss`
//! that nobody trusts) must not be fetched (RFC 8725 section 3.10), whatever the answer is. A fetch is laid at the token
//! that names its host; one that comes after the answer at the token of late that names the very URL, and what no token
//! names at nobody's door.
//!
//! What is wrong where an issuer publishes comes with the policy as well, and nobody is told of it either. Where it leads
//! elsewhere the address holds a mark of the token in hand, so that a fetch is laid at the right one.

use super::blame::{Suspect, mark_of, url_of};
use super::documents::{Published, discovery};
use super::server::{Fetch, Issuers, Trouble};
use crate::jose::{Jwk, NumericDate, Token};
use crate::policy::{Disturbance, KeySource, TrustPolicy};
use crate::validator::{Configured, Description, Fault, Maker, Validator, Verdict};
use crate::world::{Address, Calendar, Publication, World, host_of};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How late a slow answer is: longer than anything takes on loopback, and well within the time that a validator has for a token
/// even where it fetches several documents one after the other.
const SLOW: Duration = Duration::from_millis(30);
/// The status of an issuer that does not serve (RFC 9110 section 15.6.4).
const UNAVAILABLE: u16 = 503;

/// Makes the same validators, for which the issuers of these worlds are served where their keys are fetched: one server a
/// thread, which lives for as long as one of its validators.
#[must_use]
pub fn fetching(maker: Maker, worlds: &[Arc<World>], calendar: Calendar) -> Maker {
    let worlds: Arc<[Arc<World>]> = worlds.into();
    Arc::new(move || {
        let worlds = Arc::clone(&worlds);
        Box::new(Fetching { inner: maker(), worlds, calendar, server: None, fixed: false, told: None })
    })
}

/// Makes the same validators, which have been told where to fetch from: this server, which shows the same to all of them.
#[must_use]
pub fn watching(maker: Maker, server: Arc<Issuers>) -> Maker {
    Arc::new(move || {
        let (worlds, server) = (Arc::from([]), Some(Arc::clone(&server)));
        let calendar = Calendar::At(NumericDate(0));
        Box::new(Fetching { inner: maker(), worlds, calendar, server, fixed: true, told: None })
    })
}

/// Most tokens that are remembered, and the longest one, in octets: who fetches later than that goes unseen.
const MAX_RECENT: usize = 64;
/// The longest token that is remembered.
const MAX_TOKEN: usize = 16 << 10;

thread_local! {
    /// The server of this thread's validators.
    static SERVER: RefCell<Weak<Issuers>> = const { RefCell::new(Weak::new()) };
    /// What this thread's validators were shown lately.
    static MEMORY: RefCell<Memory> = const { RefCell::new(Memory::new()) };
}

/// Tokens of late, and what was fetched for them after their answers.
struct Memory {
    recent: VecDeque<Token>,
    /// Up to which fetch everything has been looked at.
    seen: u64,
    late: Vec<(Token, Fault)>,
}

impl Memory {
    const fn new() -> Self {
        Memory { recent: VecDeque::new(), seen: 0, late: Vec::new() }
    }

    /// Looks at a fetch that no token in hand explains.
    fn lay(&mut self, fetch: &Fetch) {
        if let Some(token) = self.recent.iter().rev().find(|token| Suspect::new(token).names_place(fetch)) {
            self.late.push((token.clone(), Fault::ForbiddenFetch(url_of(fetch))));
        }
    }

    fn remember(&mut self, token: &Token) {
        if token.as_bytes().len() <= MAX_TOKEN {
            if self.recent.len() >= MAX_RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(token.clone());
        }
    }
}

struct Fetching {
    inner: Box<dyn Validator>,
    worlds: Arc<[Arc<World>]>,
    calendar: Calendar,
    server: Option<Arc<Issuers>>,
    /// Whether the server shows the same to everybody: what it shows is not changed.
    fixed: bool,
    told: Option<Told>,
}

/// What a validator with key source `fetched` was told last.
struct Told {
    /// As it was handed over, issuers in the order of their names.
    handed: TrustPolicy,
    /// The keys in the place of which URLs were handed over, issuers in that order too and each one's keys in one of their own.
    keys: Vec<Vec<Jwk>>,
    published: Arc<Published>,
    /// Whom it was told to trust before, where that may be remembered for a while.
    earlier: BTreeSet<String>,
    /// What is wrong where issuers publish, by name.
    disturbed: BTreeMap<String, Disturbance>,
    /// A host of nobody's, to which is led who follows.
    elsewhere: String,
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
        if SERVER.with_borrow(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(&server))) {
            MEMORY.set(Memory::new());
        }
        SERVER.set(Arc::downgrade(&server));
        self.server = Some(Arc::clone(&server));
        Ok(server)
    }

    /// The world that a policy is of: the one that has most of its issuers.
    fn world_of(&self, policy: &TrustPolicy) -> Option<&Arc<World>> {
        let known = |world: &World| {
            world.issuers.iter().filter(|issuer| policy.issuers.iter().any(|told| told.issuer == issuer.name)).count()
        };
        self.worlds.iter().rev().max_by_key(|world| known(world))
    }

    /// What everybody publishes under a policy.
    fn published(&self, policy: &TrustPolicy) -> Published {
        let world = self.world_of(policy);
        let published = world.map(|world| Published::of(world, &Publication::of(world), self.calendar));
        published.unwrap_or_default().as_told(policy)
    }

    /// Looks back at what was fetched since anybody last looked: nobody has a token in hand now.
    fn look_back(&self) {
        if self.fixed {
            return;
        }
        MEMORY.with_borrow_mut(|memory| {
            let (foreign, end) = self.foreign(memory.seen);
            for fetch in foreign {
                memory.lay(&fetch);
            }
            memory.seen = end;
        });
    }

    /// From here on the server shows what was told to this validator, while these octets are in hand; the number of the next
    /// fetch.
    fn show(&self, in_hand: &[u8]) -> u64 {
        match (&self.server, &self.told) {
            (Some(server), Some(told)) => {
                if !self.fixed {
                    server.show_all(Arc::clone(&told.published), told.troubles(in_hand));
                }
                server.fetches()
            }
            _ => 0,
        }
    }

    /// What was fetched since then and must not have been, and the number of the fetch after all these.
    fn foreign(&self, since: u64) -> (Vec<Fetch>, u64) {
        let (Some(server), Some(told)) = (&self.server, &self.told) else { return (Vec::new(), since) };
        let fetches = server.fetches_since(since);
        let end = fetches.last().map_or(since, |fetch| fetch.number + 1);
        (fetches.into_iter().filter(|fetch| !told.names(fetch)).collect(), end)
    }

    /// What was fetched since then, while these were in hand, and must not be: by index, the tokens that name it, each with the
    /// first such URL.
    fn forbidden(&self, since: u64, tokens: &[&Token]) -> Vec<(usize, String)> {
        let Some(told) = &self.told else { return Vec::new() };
        let (foreign, end) = self.foreign(since);
        if !self.fixed {
            MEMORY.with_borrow_mut(|memory| {
                memory.seen = end.max(memory.seen);
                tokens.iter().for_each(|token| memory.remember(token));
            });
        }
        if foreign.is_empty() {
            return Vec::new();
        }
        let suspects: Vec<Suspect> = tokens.iter().map(|token| Suspect::new(token)).collect();
        let position = |names: &dyn Fn(&Suspect) -> bool| suspects.iter().position(names);
        let mut blamed: BTreeMap<usize, String> = BTreeMap::new();
        for fetch in foreign {
            // At the host of somebody who is trusted only the very URL tells the token's from the policy's.
            let trusted = told.trusts_host(&host_of(&fetch.host));
            let index = position(&|suspect| suspect.names_place(&fetch) || suspect.names_issuer(&fetch));
            match index.or_else(|| position(&|suspect| !trusted && suspect.names_host(&fetch))) {
                Some(index) => drop(blamed.entry(index).or_insert_with(|| url_of(&fetch))),
                None => MEMORY.with_borrow_mut(|memory| memory.lay(&fetch)),
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

    /// What goes wrong at the server, each address that leads elsewhere with a mark of what is in hand.
    fn troubles(&self, in_hand: &[u8]) -> BTreeMap<String, Trouble> {
        if self.disturbed.is_empty() {
            return BTreeMap::new();
        }
        let mark = mark_of(in_hand);
        // Metadata of one issuer that leads to the key set of one.
        let metadata = |names: &str, leads_to: &str| {
            let mut document = discovery(names, &[], None)?;
            document["jwks_uri"] = format!("{}?{mark}", Address::of(leads_to)?.jwks_uri()).into();
            Some(Trouble::Discovery(document))
        };
        let trouble = |(name, disturbance): (&String, &Disturbance)| {
            let trouble = match disturbance {
                Disturbance::Cut => Trouble::Unreachable,
                Disturbance::Slow => Trouble::Slow(SLOW),
                Disturbance::Status => Trouble::Status(UNAVAILABLE),
                Disturbance::Truncated => Trouble::Truncated,
                Disturbance::Redirect => Trouble::Redirect(format!("https://{}/{mark}", self.elsewhere)),
                Disturbance::DiscoveryOf(other) => metadata(other, other)?,
                Disturbance::PosesAs(other) => metadata(other, name)?,
            };
            Some((name.clone(), trouble))
        };
        self.disturbed.iter().filter_map(trouble).collect()
    }

    fn trusts_host(&self, host: &str) -> bool {
        let hosts = self.handed.issuers.iter().filter_map(|told| Address::of(&told.issuer));
        hosts.into_iter().any(|address| address.host() == host)
    }
}

impl Validator for Fetching {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        if self.fixed {
            self.told = Some(Told {
                handed: policy.clone(),
                keys: Vec::new(),
                published: Arc::default(),
                earlier: BTreeSet::new(),
                disturbed: BTreeMap::new(),
                elsewhere: String::new(),
            });
            return self.inner.configure(policy);
        }
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
        let disturbed = policy.issuers.iter().filter_map(|told| Some((told.issuer.clone(), told.disturbed.clone()?)));
        let attacker = self.world_of(policy).map_or("attacker".to_owned(), |world| world.label(&["attacker"]));
        let now = Told {
            handed: sorted,
            keys: keys_of(policy),
            published,
            earlier,
            disturbed: disturbed.collect(),
            elsewhere: format!("{attacker}.example"),
        };
        if let Some(before) = self.told.as_ref().filter(|before| before.handed == now.handed) {
            // What changed are keys, which the issuers show and nobody announces, or what is wrong there.
            let bounded = before.keys == now.keys || policy.jwks_max_age.is_some();
            self.told = Some(now);
            let reason = "its policy does not say for how long a fetched set may be kept";
            return Ok(if bounded { Configured::Ready } else { Configured::Skip(reason.to_owned()) });
        }
        if self.told.is_some() && !self.inner.describe().live_update {
            return Ok(Configured::Skip("it has no live update".to_owned()));
        }
        let is_disturbed = !now.disturbed.is_empty();
        self.told = Some(now);
        let since = self.show(&[]);
        let answer = self.inner.configure(&handed);
        let mark = mark_of(&[]);
        if let Some(fetch) = self.foreign(since).0.iter().find(|fetch| fetch.path.contains(&mark)) {
            return Err(Fault::ForbiddenFetch(url_of(fetch)));
        }
        match answer {
            // Whoever wants its keys at once cannot begin.
            Err(Fault::Broken(why)) if is_disturbed => {
                Ok(Configured::Skip(format!("it does not begin while an issuer's keys cannot be had: {why}")))
            }
            answer => answer,
        }
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        self.look_back();
        let since = self.show(token.as_bytes());
        let answer = self.inner.validate(token, now);
        match self.forbidden(since, &[token]).pop() {
            Some((_, url)) => Err(Fault::ForbiddenFetch(url)),
            None => answer,
        }
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        // Of several in hand nobody could say for which an address was given out.
        if self.told.as_ref().is_some_and(|told| !told.disturbed.is_empty()) {
            return tokens.iter().map(|(token, now)| self.validate(token, *now)).collect();
        }
        self.look_back();
        let since = self.show(&[]);
        let mut answers = self.inner.validate_all(tokens);
        let tokens: Vec<&Token> = tokens.iter().map(|(token, _)| token).collect();
        for (index, url) in self.forbidden(since, &tokens) {
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

    fn late(&mut self) -> Vec<(Token, Fault)> {
        let mut late = self.inner.late();
        if !self.fixed {
            self.look_back();
            late.extend(MEMORY.with_borrow_mut(|memory| std::mem::take(&mut memory.late)));
        }
        late
    }

    fn mishaps(&mut self) -> Vec<Fault> {
        self.inner.mishaps()
    }
}

/// The keys of a policy's issuers, whatever the order in which it stands.
fn keys_of(policy: &TrustPolicy) -> Vec<Vec<Jwk>> {
    let mut issuers: Vec<_> = policy.issuers.iter().collect();
    issuers.sort_by(|one, other| one.issuer.cmp(&other.issuer));
    let sorted = |keys: Vec<Jwk>| {
        let mut keys = keys;
        keys.sort_by_cached_key(|jwk| (jwk.material.thumbprint(), jwk.kid.clone()));
        keys
    };
    issuers.into_iter().map(|issuer| sorted(issuer.own_keys().cloned().collect())).collect()
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
        issuer.disturbed = None;
        issuer.jwks_uri = Some(place.jwks_uri());
        issuer.discovery_url = Some(place.discovery_url());
        places.push(place);
    }
    Ok(handed)
}
