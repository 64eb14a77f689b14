//! Validators that fetch their keys: each is handed URLs in the place of keys, and what its policy lists is served to it.
//!
//! A campaign tells a validator a policy and shows it tokens, whatever the key source. This stands between the two where the
//! keys are fetched: when the keys of an issuer change, the validator is not told; the issuer publishes others.

use super::documents::Published;
use super::server::Issuers;
use crate::jose::{NumericDate, Token};
use crate::policy::{KeySource, TrustPolicy};
use crate::validator::{Configured, Description, Fault, Maker, Validator, Verdict};
use crate::world::{Address, Calendar, Publication, World};
use std::cell::RefCell;
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

    /// From here on the server shows what was told to this validator.
    fn show(&self) {
        if let (Some(server), Some(told)) = (&self.server, &self.told) {
            server.show(Arc::clone(&told.published));
        }
    }
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
        let before = self.told.replace(Told { handed: sorted, published: Arc::new(self.published(policy)) });
        self.show();
        match (before, &self.told) {
            (Some(before), Some(now)) if before.handed == now.handed => {
                // What changed are keys, which the issuers show and nobody announces.
                let bounded = policy.jwks_max_age.is_some();
                let reason = "its policy does not say for how long a fetched set may be kept";
                Ok(if bounded { Configured::Ready } else { Configured::Skip(reason.to_owned()) })
            }
            _ => self.inner.configure(&handed),
        }
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        self.show();
        self.inner.validate(token, now)
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        self.show();
        self.inner.validate_all(tokens)
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
