//! The requirements on validators, each with its source and severity.
//!
//! Most are about tokens: what breaks one must not be accepted, and what that means is decided in `oracle`. The others are
//! about conduct: no token breaks them, and they are watched while tokens are judged, whatever the answers are.

use serde::{Deserialize, Serialize};

/// How much a broken rule matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Robustness.
    Low,
    /// Malleability, false rejects, faults.
    Medium,
    /// A protection that the standard demands is missing.
    High,
    /// A forged identity, or acceptance across scopes.
    Critical,
}

impl Severity {
    /// The lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

macro_rules! rules {
    (of tokens { $($token:tt)+ } of conduct { $($conduct:tt)+ }) => {
        rules! { @all $($token)+ $($conduct)+ }

        impl Rule {
            /// Those about tokens: which of them a token breaks the oracle concludes.
            pub const OF_TOKENS: &'static [Rule] = rules! { @names $($token)+ };

            /// Those about conduct: whether one of them is broken is seen while a token is judged.
            pub const OF_CONDUCT: &'static [Rule] = rules! { @names $($conduct)+ };
        }
    };
    (@names $($(#[doc = $doc:literal])+ $name:ident, $severity:ident, $source:literal, $why:literal;)+) => {
        &[$(Rule::$name,)+]
    };
    (@all $($(#[doc = $doc:literal])+ $name:ident, $severity:ident, $source:literal, $why:literal;)+) => {
        /// One requirement: on every accepted token, or on what a validator does while it judges one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// All of them, in the order in which reports show them.
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)+];

            /// The name, as in reports, waivers and `wrongkey explain`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Rule::$name => stringify!($name),)+ }
            }

            /// How much it matters.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Rule::$name => Severity::$severity,)+ }
            }

            /// The sections that demand it.
            #[must_use]
            pub fn source(self) -> &'static str {
                match self { $(Rule::$name => $source,)+ }
            }

            /// What it demands, in one sentence.
            #[must_use]
            pub fn demand(self) -> &'static str {
                match self { $(Rule::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// What goes wrong without it.
            #[must_use]
            pub fn why(self) -> &'static str {
                match self { $(Rule::$name => $why,)+ }
            }
        }
    };
}

rules! {
    of tokens {
        /// The presented signature was made over the presented signing input, with the primitive that `alg` names.
        SignatureMatches, Critical, "RFC 7515 section 5.2; RFC 7518 section 3.6; RFC 8725 sections 3.2 and 3.3",
            "anybody writes any token: `alg` none, a tampered claim, a signature moved from another token";
        /// The key that signed is, or was, listed for the issuer that the token claims.
        KeyBelongsToIssuer, Critical, "RFC 8725 section 3.8; RFC 7515 sections 4.1.1 and 10.3; RFC 7519 section 11.1; RFC 9068 section 4",
            "a good signature by a key of one issuer opens the accounts of another, as in Storm-0558";
        /// The key that signed is still listed, and its issuer still trusted.
        KeyInService, Critical, "OpenID Connect Core 1.0 section 10.1.1; policy",
            "a key that was removed because it leaked keeps opening doors until somebody forgets it on purpose";
        /// The time lies within the lifetime that the key's JWK shows, where the policy asks for that.
        KeyLifetimeHonoured, High, "RFC 5280 section 4.1.2.5; OpenID Federation 1.0 (historical keys); policy",
            "the Storm-0558 key was years past its end and its signatures were still taken";
        /// `iss` is text and names an issuer that the relying party trusts, character by character.
        IssuerTrusted, Critical, "RFC 8725 section 3.8; RFC 7519 sections 2 and 4.1.1; RFC 9068 section 4",
            "prefixes, substrings, patterns and lists let a stranger look like the issuer";
        /// The tenant in `iss`, the tenant claim and the admitted tenants agree.
        TenantAdmitted, Critical, "policy (issuer template, `tid`); RFC 8725 section 3.8",
            "one customer of a multi-tenant issuer signs in as another";
        /// The key that signed belongs to the cloud that the relying party lives in.
        CloudMatches, Critical, "policy (`cloud_instance_name`); RFC 8725 section 3.8",
            "keys of one sovereign cloud are valid signatures everywhere else";
        /// `sub` is one of the subjects that this issuer may name.
        SubjectAdmitted, High, "RFC 8725 section 3.8; policy",
            "an issuer trusted for a few robots signs for an administrator";
        /// The header member `signer` names the one signer that the policy gives.
        SignerNamed, Critical, "policy (shared signing keys); RFC 8725 section 3.8",
            "one key signs for every customer of a load balancer; only `signer` tells them apart";
        /// `alg` is one that the issuer and the key are listed for.
        AlgorithmAllowed, Critical, "RFC 8725 section 3.1; RFC 7517 section 4.4",
            "an algorithm chosen by the token is an algorithm chosen by the attacker";
        /// `aud` names the relying party.
        AudienceIncludesUs, Critical, "RFC 7519 section 4.1.3; RFC 8725 section 3.9; RFC 9068 section 4",
            "a token for the least of services opens the greatest";
        /// Every claim that the policy requires is there.
        RequiredClaimsPresent, Critical, "RFC 9068 section 2.2; RFC 8725 sections 3.8 and 3.9; policy",
            "a check that only runs when the claim is there is switched off by leaving it out";
        /// The JWK's `use` and `key_ops` permit verifying signatures.
        KeyUsePermits, High, "RFC 7517 sections 4.2 and 4.3",
            "an encryption key is kept, shared and replaced by other rules than a signing key";
        /// The key is strong enough for its algorithm.
        KeyAcceptable, High, "RFC 7518 sections 3.2, 3.3 and 3.5; RFC 8725 section 3.5",
            "a short modulus or secret is found by computing";
        /// The time is before `exp`, leeway included, where `exp` is there.
        NotExpired, High, "RFC 7519 section 4.1.4",
            "a stolen token never ends";
        /// The time is not before `nbf`, leeway included, where `nbf` is there.
        NotBeforeReached, High, "RFC 7519 section 4.1.5",
            "a token issued for later works now";
        /// `typ` is one of the types that the policy permits.
        TypeExpected, High, "RFC 8725 section 3.11; RFC 9068 section 4",
            "an ID token, a logout token or a proof is taken for an access token";
        /// Every extension in `crit` is understood.
        CritUnderstood, High, "RFC 7515 section 4.1.11; RFC 7797 section 6",
            "an extension that the signer marked as binding is passed over";
        /// The token has a serialization that the policy permits.
        SerializationExpected, High, "RFC 7519 sections 1 and 7.2; RFC 7797",
            "two readers of one JSON object see two tokens";
        /// A token that was accepted before is refused, where the policy asks for that.
        ReplayRefused, Medium, "RFC 7519 section 4.1.7; policy",
            "whoever overhears a token once can use it again";
        /// What was verified are the octets as received, not a new spelling of them.
        ReceivedBytesVerified, Medium, "RFC 7515 section 5.2",
            "a signature over something put together again covers something that nobody sent";
        /// The token is spelled as base64url and JSON demand.
        WellFormed, Medium, "RFC 7515 sections 2, 5.2 and 7.1; RFC 7519 section 7.2; RFC 8725 section 3.7",
            "several spellings of one token pass each other's caches and replay stores";
    }
    of conduct {
        /// No URL is fetched that the token names and the policy does not, whatever the answer is.
        UrlNotFetched, High, "RFC 8725 section 3.10; RFC 7515 sections 4.1.2 and 4.1.5",
            "anybody makes the validator send requests where they like, into its own network too, and hands it keys";
        /// No answer and no log shows a secret that the policy entrusts to the validator.
        SecretNotPrinted, High, "RFC 7515 section 10.1; RFC 7517 section 9.2; RFC 7518 section 8.1",
            "whoever reads the log of a refusal signs as the issuer from then on";
    }
}

impl Rule {
    /// Whether it is about conduct: no token breaks it.
    #[must_use]
    pub fn is_of_conduct(self) -> bool {
        Rule::OF_CONDUCT.contains(&self)
    }

    /// The rule of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Rule> {
        Rule::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
