//! The thing under test: the only trait, and the answers that it gives.
//!
//! A validator sees a policy, a token and a time. It never sees a world, a private key that is not its own, or what is
//! expected of it.

#[cfg(feature = "remote")]
pub mod command;
pub mod declared;
pub mod endpoint;
pub mod flawed;
#[cfg(feature = "remote")]
pub mod http;
#[cfg(feature = "remote")]
pub mod process;
#[cfg(feature = "remote")]
pub mod program;
pub mod recipe;
pub mod reference;

use crate::jose::{NumericDate, Token};
use crate::policy::{KeySource, TrustPolicy};
use std::collections::BTreeSet;

/// Whether a validator uses the time it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It uses the time given with each token.
    Settable,
    /// It reads the machine's clock.
    System,
}

/// What a validator is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name, without the version.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whose time it uses.
    pub clock: Clock,
    /// Whether `configure` may be called again on the same instance when trust has changed.
    pub live_update: bool,
    /// Whether it sees by itself that other keys are served where it fetches them. Without it and `live_update` no key changes
    /// under it.
    pub fetches_jwks: bool,
    /// Whether whoever runs it told it its one policy: under another nothing can be asked of it.
    pub fixed_policy: bool,
    /// Whether it takes issuer templates.
    pub issuer_templates: bool,
    /// Where its keys may come from.
    pub key_sources: BTreeSet<KeySource>,
    /// The algorithms it has, by the names of RFC 7518 and RFC 8037.
    pub algorithms: BTreeSet<String>,
    /// Seconds of clock skew that it allows whatever its policy says.
    pub leeway: u64,
    /// How many tokens it judges at a time. More than one: what can be asked together is asked by [`Validator::validate_all`].
    pub at_once: usize,
    /// Whether it keeps time itself: it answers [`Fault::Hang`] in the place of what hangs, and nobody watches it.
    pub keeps_time: bool,
    /// Whether the identity that it gives names the issuer. Where it does not, `iss` is not compared.
    pub says_issuer: bool,
}

/// Who a validator believes to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Identity {
    /// `iss`
    pub iss: Option<String>,
    /// `sub`
    pub sub: Option<String>,
    /// The tenant, where the issuer has tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The names in `aud`, where the validator says them; a text is a list of one (RFC 7519 section 4.1.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<String>>,
}

/// A validator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The token is good.
    Accept {
        /// Who it is; `None` where the validator does not say.
        identity: Option<Identity>,
        /// The RFC 7638 thumbprint of the key it relied on, where it says.
        key: Option<String>,
    },
    /// The token is not good; the text is for people.
    Reject(String),
    /// It cannot judge this token for a reason that its description gives.
    Skip(String),
}

impl Verdict {
    /// Accepts, saying who it is.
    #[must_use]
    pub fn accept(identity: Identity) -> Self {
        Verdict::Accept { identity: Some(identity), key: None }
    }

    /// Whether it accepts.
    #[must_use]
    pub fn accepted(&self) -> bool {
        matches!(self, Verdict::Accept { .. })
    }
}

/// Whether a validator can work under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configured {
    /// It can.
    Ready,
    /// It cannot, for this reason; no token is shown to it under this policy.
    Skip(String),
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It panicked, with this message.
    #[error("it panicked: {0}")]
    Panic(String),
    /// It did not answer in time.
    #[error("it did not answer within {0} ms")]
    Hang(u64),
    /// It broke off in its own words.
    #[error("it gave no answer: {0}")]
    Broken(String),
    /// It printed a secret of its own policy beside its answer, which is left out here.
    #[error("it printed a secret of its own policy")]
    Leak,
    /// It fetched this URL, which the token names and its policy does not (RFC 8725 section 3.10).
    #[error("it fetched {0}, which only the token names")]
    ForbiddenFetch(String),
    /// The token has no verdict, and that is not its doing: it was on the way when something else went wrong, and to show it
    /// again would show nothing.
    #[error("it was not judged: {0}")]
    Unjudged(String),
    /// It is gone and does not come back: nothing further is shown to it.
    #[error("it is gone: {0}")]
    Gone(String),
    /// One of the others, with what the validator logged before it.
    #[error("{fault}; its log ends: {}", log.replace('\n', " | "))]
    Logged {
        /// What happened.
        fault: Box<Fault>,
        /// The last lines of its log, of 2,048 characters at most.
        log: String,
    },
}

impl Fault {
    /// The same with the last lines of a log, where there is one.
    #[must_use]
    pub fn with_log(self, log: &str) -> Self {
        match last_lines(log) {
            "" => self,
            end => Fault::Logged { fault: Box::new(self), log: end.to_owned() },
        }
    }

    /// What happened, without a log.
    #[must_use]
    pub fn bare(&self) -> &Fault {
        match self {
            Fault::Logged { fault, .. } => fault.bare(),
            fault => fault,
        }
    }

    /// The last lines of what the validator logged, where that is known.
    pub fn log(&self) -> impl Iterator<Item = &str> {
        let log = if let Fault::Logged { log, .. } = self { log.as_str() } else { "" };
        log.lines()
    }
}

/// Most characters that are kept of the end of a log.
const MAX_LOG: usize = 2_048;

/// The end of a log: its last lines, whole as far as they fit.
fn last_lines(log: &str) -> &str {
    let log = log.trim();
    let surplus = log.chars().count().saturating_sub(MAX_LOG);
    let at = log.char_indices().nth(surplus).map_or(log.len(), |(at, _)| at);
    let (before, end) = log.split_at(at);
    if before.is_empty() || before.ends_with('\n') {
        return end;
    }
    // A line that does not begin here says little, unless there is no other.
    end.split_once('\n').map_or(end, |(_, whole)| whole)
}

/// Anything that says yes or no to a token.
///
/// ```
/// use wrongkey::jose::{NumericDate, Token};
/// use wrongkey::policy::TrustPolicy;
/// use wrongkey::validator::{Clock, Configured, Description, Fault, Validator, Verdict};
///
/// /// Refuses everything: secure, and useless.
/// struct Wall;
///
/// impl Validator for Wall {
///     fn describe(&self) -> Description {
///         Description::new("wall", "1.0", Clock::Settable)
///     }
///     fn configure(&mut self, _: &TrustPolicy) -> Result<Configured, Fault> {
///         Ok(Configured::Ready)
///     }
///     fn validate(&mut self, _: &Token, _: NumericDate) -> Result<Verdict, Fault> {
///         Ok(Verdict::Reject("no".to_owned()))
///     }
/// }
/// ```
pub trait Validator: Send {
    /// Name, version and abilities.
    fn describe(&self) -> Description;

    /// Hands over whom to trust. A new validator gets its first policy; a later one means that trust has changed and caches stay.
    ///
    /// # Errors
    /// A [`Fault`] where it breaks; a policy that it does not support is [`Configured::Skip`].
    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault>;

    /// Judges one token at the given time.
    ///
    /// # Errors
    /// A [`Fault`] where it gives no answer.
    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault>;

    /// Judges tokens that have nothing to do with each other, in any order or at once: one answer for each, in their order.
    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        tokens.iter().map(|(token, now)| self.validate(token, *now)).collect()
    }

    /// The public texts that it holds as keys under a policy, for a validator that is told nothing else: HMAC over exactly these
    /// is tried (RFC 8725 section 2.1). Of a policy's own secrets it says none.
    fn key_texts(&mut self, _policy: &TrustPolicy) -> Vec<String> {
        Vec::new()
    }

    /// Why a token cannot be carried to it at all, where that is so. It is not presented then, and nobody is to blame.
    fn cannot_carry(&self, _token: &Token) -> Option<String> {
        None
    }

    /// Faults since the last call of tokens that had been answered before, each with its token. It returns at once.
    fn late(&mut self) -> Vec<(Token, Fault)> {
        Vec::new()
    }

    /// Faults since the last call that no single token caused.
    fn mishaps(&mut self) -> Vec<Fault> {
        Vec::new()
    }
}

impl Description {
    /// A validator with live update, issuer templates, inline key sources and the algorithms that every shipped world needs.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>, clock: Clock) -> Self {
        Description {
            name: name.into(),
            version: version.into(),
            clock,
            live_update: true,
            fetches_jwks: false,
            fixed_policy: false,
            issuer_templates: true,
            key_sources: BTreeSet::from([KeySource::PerIssuer, KeySource::Converged]),
            algorithms: ["RS256", "PS256", "ES256", "EdDSA", "HS256"].map(String::from).into(),
            leeway: 0,
            at_once: 1,
            keeps_time: false,
            says_issuer: true,
        }
    }
}

/// Makes fresh validators of one kind: a campaign needs a new one for each worker, chunk and sequence, and after a panic.
pub type Maker = std::sync::Arc<dyn Fn() -> Box<dyn Validator> + Send + Sync>;
