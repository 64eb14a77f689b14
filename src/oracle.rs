//! What is lawful to answer. It reads the policies handed over so far, the provenance of the presented token and the time,
//! and concludes; it reads no token text, verifies no signature, and knows no act, class, package or CVE.
//!
//! Where the standards leave a choice the oracle takes the reading that accepts most and notes the [`Latitude`]; refusing by a
//! noted latitude is lawful too. So every permitted reading is covered, and an accept that no reading permits is never excused.

mod claims;
mod keys;

use crate::jose::{Departure, Json, Material, Member, NumericDate, Serialization, Spelling, last};
use crate::policy::{Replay, TrustPolicy, TrustedIssuer, tenant_in};
use crate::provenance::{Jws, Part, Presented, Provenance};
use crate::rule::{Rule, Severity};
use std::collections::BTreeSet;

/// Something that the standards leave open: a validator may refuse a token for it, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latitude {
    /// `kid` is missing, unknown, another key's or not this key's alone: it is a hint (RFC 7515 section 4.1.4).
    KidHint,
    /// A member name stands twice: refuse, or take the last (RFC 7515 section 4, RFC 7519 section 4).
    DuplicateMember,
    /// Member names differ only in case from ones that mean something (RFC 7515 section 4: names are case-sensitive).
    CaseVariant,
    /// Unused low bits of the last base64url character are not zero (RFC 4648 section 3.5).
    TrailingBits,
    /// `alg` of the token, the policy or the key is a fully specified name (RFC 9864 section 2.2), which is another name of what
    /// the polymorphic one says, and a newer one than many know.
    FullySpecifiedName,
    /// The other of the two ECDSA signatures.
    MirroredSignature,
    /// The header carries or names a key of its own, which need not be understood (RFC 7515 section 4.1.2 to 4.1.8).
    HeaderKey,
    /// `zip`, which RFC 7515 does not define for a JWS.
    Zip,
    /// U+FEFF before the JSON text, which a parser may ignore (RFC 8259 section 8.1).
    ByteOrderMark,
    /// `crit` names a parameter twice, a registered one or one that is not there: a recipient may refuse (RFC 7515 section
    /// 4.1.11). Or it names `b64`, and the policy does not say whether that is understood.
    CritList,
    /// `b64` is false and not critical: ignored where it is not understood (RFC 7515 section 4), and no JWT where it is
    /// (RFC 7797 section 7).
    Unencoded,
    /// `cty` says that the payload is a JWT, and it is a claims set (RFC 7519 section 7.2 step 8).
    ContentType,
    /// `iss`, `sub` or `aud` repeated in the header (RFC 7519 section 5.3).
    ClaimInHeader,
    /// `typ` names the type in another spelling of a media type (RFC 7515 section 4.1.9).
    TypeSpelling,
    /// `aud` names others beside us (RFC 7519 section 4.1.3 against OpenID Connect Core section 3.1.3.7).
    SeveralAudiences,
    /// `azp` names a party that the token was issued to, and it is none of our names (OpenID Connect Core section 3.1.3.7).
    AuthorizedParty,
    /// `aud` is there, and the policy does not ask for it: whoever has no name in it may refuse (RFC 7519 section 4.1.3).
    AudienceNotAsked,
    /// `iat` lies ahead; it serves to determine a token's age (RFC 7519 section 4.1.6).
    IssuedAhead,
    /// A member that no rule reads has a type other than its registered one.
    UnreadType,
    /// A number outside what implementations exchange reliably (RFC 8259 section 6), a date before 1970 or after 9999, or a
    /// date whose fraction of a second decides.
    OddNumber,
    /// Lists and objects inside one another, deeper than every parser goes (RFC 8259 section 9).
    DeepNesting,
    /// A key or issuer gone, or a key new, for less time than `jwks_max_age`.
    StillCached,
    /// What the issuer publishes cannot be had, or could not until lately: whoever has no key of its refuses (the contract,
    /// section 4, `jwks-unreachable`).
    OutOfReach,
    /// The key's lifetime ends or begins within the leeway, or the policy does not say whether it binds.
    LifetimeWithinLeeway,
    /// The key's `key_ops` name an operation twice, or something else than its `use` says: such a key may be refused (RFC
    /// 7517 section 4.3).
    KeyOperations,
    /// The key's `issuer` is a template that the tenant claim turns into `iss`, and that issuer is trusted by its literal name.
    TemplateForLiteral,
    /// Two templates of the policy fit `iss`, and their order means nothing.
    SeveralTemplates,
    /// The policy trusts an issuer with an empty or blank name, and the token names exactly that: it names nobody.
    NamelessIssuer,
    /// The secret stands in a published set, where only public keys belong (RFC 7517 section 9.2 has secrets kept).
    SecretPublished,
    /// The JWK says that it is revoked, in a member of OpenID Federation's historical keys: whoever does not know it ignores it
    /// (RFC 7517 section 4).
    MarkedRevoked,
    /// The secret is blank, or the text of a public key: everybody can know it, and nothing in the RFCs forbids its form.
    SecretGuessable,
    /// Another token with the same `iss` and `jti`, or the same one in a case that was open, was shown before.
    Reused,
}

/// Who an accepted token is from, as its signer wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedIdentity {
    /// `iss`
    pub iss: Option<String>,
    /// `sub`
    pub sub: Option<String>,
    /// The tenant in a template issuer's name; for a literal issuer what the tenant claim says, where it is there.
    pub tenant: Option<String>,
    /// The names in `aud`, none where it is not there; `None` where it holds anything that is no name.
    pub audience: Option<BTreeSet<String>>,
    /// The key that signed.
    pub key: Option<Material>,
}

impl SignedIdentity {
    /// Whether this is the audience that was signed. RFC 7519 section 4.1.3 has no order and no meaning for a name that stands
    /// twice, and an empty text names nobody. What was signed and is no audience can be said in any way.
    #[must_use]
    pub fn is_for(&self, said: &[String]) -> bool {
        self.audience.as_ref().is_none_or(|signed| *signed == names_among(said.iter().map(String::as_str)))
    }
}

/// Each name once; an empty text names nobody.
fn names_among<'n>(names: impl Iterator<Item = &'n str>) -> BTreeSet<String> {
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The names in an `aud`, where it is an audience (RFC 7519 section 4.1.3).
fn audience_in(value: Option<&Json>) -> Option<BTreeSet<String>> {
    match value {
        None => Some(BTreeSet::new()),
        Some(Json::String(name)) => Some(names_among(std::iter::once(name.as_str()))),
        Some(Json::Array(items)) => {
            items.iter().map(Json::as_str).collect::<Option<Vec<&str>>>().map(|names| names_among(names.into_iter()))
        }
        Some(_) => None,
    }
}

/// One lawful answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lawful {
    /// Accept, as this identity.
    Accept(SignedIdentity),
    /// Reject, for these rules; none where only a latitude permits it.
    Reject(BTreeSet<Rule>),
}

/// Every answer that is lawful. There is at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    broken: BTreeSet<Rule>,
    latitudes: BTreeSet<Latitude>,
    identity: SignedIdentity,
    /// `iss` or `aud` is among the required claims that are not there.
    unbound: bool,
    /// Seconds to the nearest moment at which a rule may say something else.
    steady_for: u64,
}

impl Expectation {
    /// The lawful answers.
    #[must_use]
    pub fn lawful(&self) -> BTreeSet<Lawful> {
        let mut lawful = BTreeSet::new();
        if self.broken.is_empty() {
            lawful.insert(Lawful::Accept(self.identity.clone()));
        }
        if !self.broken.is_empty() || !self.latitudes.is_empty() {
            lawful.insert(Lawful::Reject(self.broken.clone()));
        }
        lawful
    }

    /// Whether the lawful answers are the same ones.
    #[must_use]
    pub fn answers_like(&self, other: &Expectation) -> bool {
        self.broken == other.broken
            && self.rejectable() == other.rejectable()
            && (!self.broken.is_empty() || self.identity == other.identity)
    }

    /// The identity to accept, where accepting is lawful.
    #[must_use]
    pub fn acceptable(&self) -> Option<&SignedIdentity> {
        self.broken.is_empty().then_some(&self.identity)
    }

    /// Whether rejecting is lawful.
    #[must_use]
    pub fn rejectable(&self) -> bool {
        !self.broken.is_empty() || !self.latitudes.is_empty()
    }

    /// Whether both accepting and rejecting are lawful: the standards leave it open.
    #[must_use]
    pub fn unspecified(&self) -> bool {
        self.broken.is_empty() && !self.latitudes.is_empty()
    }

    /// The rules that every permitted reading finds broken; empty where accepting is lawful.
    #[must_use]
    pub fn broken(&self) -> &BTreeSet<Rule> {
        &self.broken
    }

    /// How much it would matter to accept: as much as the gravest broken rule. A missing claim is critical where it is `iss`
    /// or `aud`, which bind the token to somebody, and high otherwise.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        let of = |rule: &Rule| match rule {
            Rule::RequiredClaimsPresent if !self.unbound => Severity::High,
            rule => rule.severity(),
        };
        self.broken.iter().map(of).max()
    }

    /// The one broken rule, where it is alone.
    #[must_use]
    pub fn alone(&self) -> Option<Rule> {
        match self.broken.len() {
            1 => self.broken.first().copied(),
            _ => None,
        }
    }

    /// What the standards leave open about this token.
    #[must_use]
    pub fn latitudes(&self) -> &BTreeSet<Latitude> {
        &self.latitudes
    }

    /// For fewer seconds than this, before and after, the lawful answers are the same.
    #[must_use]
    pub fn steady_for(&self) -> u64 {
        self.steady_for
    }

    fn cmp_strictness(&self, other: &Self) -> std::cmp::Ordering {
        let key = |it: &Self| (it.broken.len(), it.latitudes.len());
        let rest = |it: &Self| (it.broken.clone(), it.latitudes.clone(), it.identity.clone());
        key(self).cmp(&key(other)).then_with(|| rest(self).cmp(&rest(other)))
    }
}

/// A policy and when it was handed over.
#[derive(Clone, Copy, Debug)]
pub struct Told<'p> {
    /// When.
    pub at: NumericDate,
    /// What.
    pub policy: &'p TrustPolicy,
}

/// Concludes. The plain one asks every rule; one that leaves a rule out exists to show that the rule matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oracle {
    without: Option<Rule>,
}

/// The lawful answers to a token, given the policies handed over so far (the last one is in force) and the time.
#[must_use]
pub fn expect(told: &[Told<'_>], provenance: &Provenance, now: NumericDate) -> Expectation {
    Oracle::default().expect(told, provenance, now)
}

impl Oracle {
    /// An oracle that does not know one rule.
    #[must_use]
    pub fn without(rule: Rule) -> Self {
        Oracle { without: Some(rule) }
    }

    /// As [`expect`].
    #[must_use]
    pub fn expect(&self, told: &[Told<'_>], provenance: &Provenance, now: NumericDate) -> Expectation {
        let count = told.last().map_or(0, |current| fitting(current.policy, provenance));
        let mut steady_for = u64::MAX;
        let readings = (0..count.max(1)).map(|reading| {
            let mut expectation = self.read(told, provenance, now, reading);
            steady_for = steady_for.min(expectation.steady_for);
            if count > 1 {
                expectation.latitudes.insert(Latitude::SeveralTemplates);
            }
            expectation
        });
        // The reading that accepts most; where several do, one that does not depend on the order of anything.
        let read = readings.min_by(Expectation::cmp_strictness).unwrap_or_default();
        Expectation { steady_for, ..read }
    }

    /// One reading: which of the issuers that fit `iss` it stands for.
    fn read(&self, told: &[Told<'_>], provenance: &Provenance, now: NumericDate, reading: usize) -> Expectation {
        let mut case = Case {
            told,
            now,
            reading,
            broken: BTreeSet::new(),
            latitudes: BTreeSet::new(),
            unbound: false,
            steady_for: u64::MAX,
        };
        let identity = match (&provenance.presented, told.last()) {
            (Presented::Jws(jws), Some(current)) => case.judge(current.policy, jws, provenance),
            // Octets that nobody signed, or nobody to trust.
            _ => {
                case.broken.insert(Rule::SignatureMatches);
                SignedIdentity::default()
            }
        };
        self.replay(&mut case, told, provenance);
        if let Some(rule) = self.without {
            case.broken.remove(&rule);
        }
        let Case { broken, latitudes, unbound, steady_for, .. } = case;
        Expectation { broken, latitudes, identity, unbound, steady_for }
    }
}

impl Oracle {
    /// RFC 7519 section 4.1.7: a token that was accepted before is refused where the policy asks for that. A token without
    /// `jti` names nothing to remember it by; one that was refused before need not be remembered.
    fn replay(&self, case: &mut Case<'_>, told: &[Told<'_>], provenance: &Provenance) {
        if told.last().is_none_or(|told| told.policy.replay != Some(Replay::Refuse)) {
            return;
        }
        let Presented::Jws(jws) = &provenance.presented else { return };
        let has_id =
            jws.payload.members().and_then(|payload| last(payload, "jti")).is_some_and(|jti| jti.as_str().is_some());
        for earlier in &provenance.earlier {
            let told_then = told.iter().take(earlier.told).filter(|told| told.at <= earlier.at);
            let told_then: Vec<Told<'_>> = told_then.copied().collect();
            // Whoever had not been asked to remember need not know it.
            let remembered = told_then.last().is_some_and(|told| told.policy.replay == Some(Replay::Refuse));
            let first_time = Provenance { earlier: Vec::new(), ..provenance.clone() };
            let then = self.expect(&told_then, &first_time, earlier.at);
            if earlier.same_octets && has_id && remembered && !then.rejectable() {
                case.breaks(Rule::ReplayRefused);
            } else if !earlier.same_octets || then.acceptable().is_some() {
                case.leaves_open(Latitude::Reused);
            }
        }
    }
}

/// After so many seconds, or after `jwks_max_age` where that is longer, whoever fetches has tried again. No RFC says when to;
/// clients in wide use wait for half a minute up to five.
const NEXT_TRY: u64 = 300;

/// One token being judged.
struct Case<'p> {
    told: &'p [Told<'p>],
    now: NumericDate,
    reading: usize,
    broken: BTreeSet<Rule>,
    latitudes: BTreeSet<Latitude>,
    unbound: bool,
    steady_for: u64,
}

/// The issuer that the token claims and what the policy says of it.
struct Claimed<'p> {
    name: String,
    trusted: &'p TrustedIssuer,
    /// The tenant in a template's place.
    tenant: Option<String>,
    /// What the tenant claim says.
    tenant_claim: Option<String>,
}

impl Claimed<'_> {
    fn tenant_claim_name(trusted: &TrustedIssuer) -> &str {
        trusted.tenant_claim.as_deref().unwrap_or("tid")
    }
}

/// How many of the policy's issuers the token's `iss` may stand for.
fn fitting(policy: &TrustPolicy, provenance: &Provenance) -> usize {
    let Presented::Jws(jws) = &provenance.presented else { return 0 };
    let iss = jws.payload.members().and_then(|payload| last(payload, "iss")).and_then(Json::as_str);
    iss.map_or(0, |iss| policy.issuers_named(iss).count())
}

impl<'p> Case<'p> {
    fn breaks(&mut self, rule: Rule) {
        self.broken.insert(rule);
    }

    /// A rule compares the present with this moment, and grants so many seconds at most.
    fn compares(&mut self, moment: NumericDate, grace: u64) {
        self.steady_for = self.steady_for.min(self.now.0.abs_diff(moment.0).saturating_sub(grace));
    }

    /// A claim that says whose token it is, or for whom, is not there.
    fn misses_a_bound(&mut self) {
        self.unbound = true;
        self.breaks(Rule::RequiredClaimsPresent);
    }

    fn leaves_open(&mut self, latitude: Latitude) {
        self.latitudes.insert(latitude);
    }

    fn judge(&mut self, policy: &'p TrustPolicy, jws: &Jws, provenance: &Provenance) -> SignedIdentity {
        let permitted = policy.serializations.as_deref().unwrap_or(&[Serialization::Compact]);
        // Detached it carries no claims: whatever the policy says, nobody can be signed in by it, and nothing else is asked.
        let detached = jws.serialization == Serialization::Detached;
        if detached || !permitted.contains(&jws.serialization) {
            self.breaks(Rule::SerializationExpected);
        }
        if detached {
            return SignedIdentity::default();
        }
        let (Part::Written { members: header, departures: a }, Part::Written { members: payload, departures: b }) =
            (&jws.header, &jws.payload)
        else {
            self.breaks(Rule::SignatureMatches);
            return SignedIdentity::default();
        };
        self.spelling(a.iter().chain(b).chain(&jws.signature_departures));
        if jws.surrounded {
            self.breaks(Rule::WellFormed);
        }
        for part in [header, payload] {
            self.names(part);
            self.values(part, 1);
        }
        self.header(policy, header);
        let claimed = self.issuer(policy, payload);
        self.claims(policy, claimed.as_ref(), header, payload);
        let signer = self.signature(jws, header, payload, provenance);
        let mut key = signer.as_ref().map(|signer| signer.key.clone());
        if let (Some(claimed), Some(signer)) = (&claimed, &signer) {
            self.algorithm(policy, claimed, signer);
            // Two spellings of one HMAC secret have two thumbprints, and a validator knows the one that it was given.
            key = self.key(policy, claimed, header, signer).or(key);
        }
        let text = |name| last(payload, name).and_then(|value| value.as_str()).map(str::to_owned);
        let tenant = claimed.and_then(|claimed| claimed.tenant.or(claimed.tenant_claim));
        let audience = audience_in(last(payload, "aud"));
        SignedIdentity { iss: text("iss"), sub: text("sub"), tenant, audience, key }
    }

    /// What RFC 7515 section 2, RFC 4648 and RFC 8259 make of a spelling.
    fn spelling<'d>(&mut self, departures: impl Iterator<Item = &'d Departure>) {
        for departure in departures {
            match departure {
                Spelling::JsonWhitespace | Spelling::JsonEscapes => {}
                Spelling::TrailingBits => self.leaves_open(Latitude::TrailingBits),
                Spelling::ByteOrderMark => self.leaves_open(Latitude::ByteOrderMark),
                Spelling::Padding
                | Spelling::StandardAlphabet
                | Spelling::LineBreak
                | Spelling::TrailingComma
                | Spelling::TrailingData => self.breaks(Rule::WellFormed),
            }
        }
    }

    fn names(&mut self, members: &[Member]) {
        const READ: [&str; 22] = [
            "alg", "kid", "typ", "crit", "b64", "signer", "jwk", "jku", "x5u", "x5c", "x5t", "zip", "iss", "sub",
            "aud", "exp", "nbf", "iat", "jti", "tid", "cty", "x5t#S256",
        ];
        for (index, member) in members.iter().enumerate() {
            if members[..index].iter().any(|earlier| earlier.name == member.name) {
                self.leaves_open(Latitude::DuplicateMember);
            }
            let differs_in_case = |name: &str| name != member.name && name.eq_ignore_ascii_case(&member.name);
            if READ.iter().any(|name| differs_in_case(name)) || members.iter().any(|m| differs_in_case(&m.name)) {
                self.leaves_open(Latitude::CaseVariant);
            }
        }
    }

    /// The issuer by its name, where it is text; a literal one wins over a template (the contract, section 2).
    fn issuer(&mut self, policy: &'p TrustPolicy, payload: &[Member]) -> Option<Claimed<'p>> {
        let name = match last(payload, "iss") {
            None => {
                self.misses_a_bound();
                return None;
            }
            Some(value) => match value.as_str() {
                Some("") if required(policy, "iss") => {
                    self.misses_a_bound();
                    return None;
                }
                Some(name) => name,
                None => {
                    self.breaks(Rule::IssuerTrusted);
                    return None;
                }
            },
        };
        let trusted = policy.issuers_named(name).nth(self.reading).or_else(|| self.formerly_trusted(name));
        let Some(trusted) = trusted else {
            self.breaks(Rule::IssuerTrusted);
            return None;
        };
        if name.trim().is_empty() {
            self.leaves_open(Latitude::NamelessIssuer);
        }
        self.reach(trusted);
        let tenant = if trusted.is_template() { tenant_in(&trusted.issuer, name).map(str::to_owned) } else { None };
        let tenant_claim = last(payload, Claimed::tenant_claim_name(trusted)).and_then(Json::as_str).map(str::to_owned);
        Some(Claimed { name: name.to_owned(), trusted, tenant, tenant_claim })
    }

    /// An issuer that an earlier policy trusted and this one does not: not a stranger, but out of service (KeyInService).
    fn formerly_trusted(&mut self, name: &str) -> Option<&'p TrustedIssuer> {
        let told = self.told;
        let (gone_at, issuer) =
            told.windows(2).rev().find_map(|pair| Some((pair[1].at, pair[0].policy.issuer_named(name)?)))?;
        self.out_of_service_since(gone_at);
        Some(issuer)
    }

    /// Whether whoever fetches may be without this issuer's keys.
    fn reach(&mut self, trusted: &TrustedIssuer) {
        let told = self.told;
        let disturbed = |policy: &TrustPolicy| {
            policy.issuers.iter().any(|issuer| issuer.issuer == trusted.issuer && issuer.disturbed.is_some())
        };
        if told.last().is_some_and(|told| disturbed(told.policy)) {
            return self.leaves_open(Latitude::OutOfReach);
        }
        let until = told.windows(2).rev().find(|pair| disturbed(pair[0].policy)).map(|pair| pair[1].at);
        let Some(until) = until else { return };
        let max_age = told.last().and_then(|told| told.policy.jwks_max_age).unwrap_or(0);
        let grace = max_age.max(NEXT_TRY);
        self.compares(until, grace);
        if self.now.0.saturating_sub(until.0) <= i64::try_from(grace).unwrap_or(i64::MAX) {
            self.leaves_open(Latitude::OutOfReach);
        }
    }

    /// Something was listed and is no longer, since then.
    fn out_of_service_since(&mut self, gone_at: NumericDate) {
        if self.may_be_cached(gone_at) {
            self.leaves_open(Latitude::StillCached);
        } else {
            self.breaks(Rule::KeyInService);
        }
    }

    /// Whether a key set that was superseded then may still be used.
    fn may_be_cached(&mut self, superseded_at: NumericDate) -> bool {
        let max_age = self.told.last().and_then(|told| told.policy.jwks_max_age).unwrap_or(0);
        if max_age > 0 {
            self.compares(superseded_at, max_age);
        }
        let ago = self.now.0.saturating_sub(superseded_at.0);
        // At the very second nobody can tell the order of the two events, unless no age is granted at all.
        max_age > 0 && u64::try_from(ago).is_ok_and(|ago| ago <= max_age)
    }
}

fn required(policy: &TrustPolicy, claim: &str) -> bool {
    policy.required_claims.iter().flatten().any(|name| name == claim)
}
