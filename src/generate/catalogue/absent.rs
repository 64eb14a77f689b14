//! The attack classes of the table that are not in the catalogue, and the interface that each of them would need: what is
//! not tried is said, so that nobody takes its silence for a clean result.
//!
//! A row leaves this table in the commit that makes its class.

use std::fmt;

/// An attack class that is not there.
#[derive(Clone, Copy, Debug)]
pub struct Absent {
    /// Its id: group and number, as a class has it.
    pub id: &'static str,
    /// What it would try, in one sentence.
    pub title: &'static str,
    /// What would have to be there first.
    pub needs: Interface,
}

macro_rules! interfaces {
    ($($variant:ident, $name:literal, $sentence:literal;)+) => {
        /// What an absent class would need: a way to reach a validator, or a word in its policy, that is not there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Interface {
            $(#[doc = $sentence] $variant,)+
        }

        impl Interface {
            /// All of them.
            pub const ALL: &'static [Interface] = &[$(Interface::$variant,)+];

            /// The name, in kebab case.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Interface::$variant => $name,)+ }
            }

            /// What it is, in one sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Interface::$variant => $sentence,)+ }
            }
        }
    };
}

interfaces! {
    ServedIssuers, "served-issuers",
        "The world's issuers are served over HTTP, and the validator fetches their keys (`key_source: fetched`).";
    HttpEndpoint, "http-endpoint",
        "The token is presented to an HTTP endpoint, which answers with a status.";
    ConcurrentPresentation, "concurrent-presentation",
        "Several tokens are presented at the same time (the step `together`).";
    TokenExchange, "token-exchange",
        "A token is handed in for another one (the step `exchange`).";
    NestedTokens, "nested-tokens",
        "One token is carried inside another, and the validator says whom it takes for which (RFC 7519 section 7.2).";
    JweDecryption, "jwe-decryption",
        "The token is encrypted to a key of the relying party (RFC 7516).";
    GeneralSerialization, "general-serialization",
        "The token is in the general JSON serialization, with any number of signatures (RFC 7515 section 7.2.1).";
    UnprotectedHeader, "unprotected-header",
        "A token in a JSON serialization carries a header that nobody signed, under a policy that permits that serialization (RFC 7515 section 7.2).";
    SenderConstraint, "sender-constraint",
        "The validator is shown a proof of possession beside the token (RFC 9449, RFC 8705).";
    OpenIdClientFlow, "openid-client-flow",
        "The validator is an OpenID Connect client that remembers its own request: nonce, code, access token and state.";
    SelfIssuedIssuers, "self-issued-issuers",
        "The policy can enable issuers that are their own subjects (OpenID Connect Core 1.0 section 7).";
    Federation, "federation",
        "The policy names trust anchors, and the validator follows chains of entity statements (OpenID Federation 1.0).";
    ClientAssertions, "client-assertions",
        "The policy lists clients with keys of their own, which sign assertions and request objects (RFC 7523, RFC 9101).";
    RolesAndScopes, "roles-and-scopes",
        "The policy says which roles or OAuth scopes a key may grant, and the verdict says which were taken over.";
    ClaimValues, "claim-values",
        "The policy asks for values of claims beside the tenant's, such as `hd`, `org_id` or `realm`.";
    MaximumAge, "maximum-age",
        "The policy bounds how long a token may live, or how long ago its `iat` or `auth_time` may lie.";
    IssuerPatterns, "issuer-patterns",
        "The policy trusts issuers by a pattern, each with keys of its own that are looked up by the name.";
    IssuerAliases, "issuer-aliases",
        "The policy gives one issuer several names.";
    PublishedByHand, "published-by-hand",
        "A key set is published octet by octet, so that it can be malformed.";
    CertificateAuthorities, "certificate-authorities",
        "The policy names certification authorities, by whose chains a certificate that a token carries is believed (RFC 7515 section 4.1.6).";
    EveryRun, "every-run",
        "None: no token of its own shows it. Every run does it, and the tests of this project assert that it does.";
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every class of the table that is not in the catalogue, by group and number.
pub fn absent() -> impl Iterator<Item = &'static Absent> {
    [KS, KR, AL, IA, TM, PC].into_iter().flatten()
}

const KS: &[Absent] = &[
    Absent {
        id: "KS-23",
        title: "A key for one role, such as subscribers, signs a token for another, such as publishers.",
        needs: Interface::RolesAndScopes,
    },
    Absent {
        id: "KS-24",
        title: "A request object or an assertion of one client is signed by another client.",
        needs: Interface::ClientAssertions,
    },
    Absent {
        id: "KS-32",
        title: "The outer token is of one tenant, and the subject inside it is of another.",
        needs: Interface::NestedTokens,
    },
    Absent {
        id: "KS-33",
        title: "An unsigned token is trusted because the token around it is signed.",
        needs: Interface::NestedTokens,
    },
    Absent {
        id: "KS-38",
        title: "A trust anchor or an intermediate signs a statement about an entity that is not below it.",
        needs: Interface::Federation,
    },
];

const KR: &[Absent] = &[
    Absent {
        id: "KR-11",
        title: "`x5c` leads to a public authority, and nothing binds the key in it to the issuer.",
        needs: Interface::CertificateAuthorities,
    },
    Absent {
        id: "KR-12",
        title: "The certificate in `x5c` has ended, has not begun, or is for another use.",
        needs: Interface::CertificateAuthorities,
    },
    Absent {
        id: "KR-30",
        title: "A JWK of the issuer's set has `kid`, `alg` or `issuer` twice.",
        needs: Interface::PublishedByHand,
    },
    Absent {
        id: "KR-32",
        title: "The set is huge, or holds thousands of keys: the validator stays usable.",
        needs: Interface::PublishedByHand,
    },
];

const AL: &[Absent] = &[Absent {
    id: "AL-21",
    title: "`alg` stands in the unprotected header only, or is overridden there.",
    needs: Interface::UnprotectedHeader,
}];

const IA: &[Absent] = &[
    Absent {
        id: "IA-24",
        title: "A pattern for many accounts' issuers takes one account's issuer for another's.",
        needs: Interface::IssuerPatterns,
    },
    Absent {
        id: "IA-30",
        title: "An issuer that is known by two names is accepted under both, each as it stands.",
        needs: Interface::IssuerAliases,
    },
    Absent {
        id: "IA-41",
        title: "`hd`, `org_id` or `realm` names another organisation than the application serves.",
        needs: Interface::ClaimValues,
    },
    Absent {
        id: "IA-43",
        title: "`nonce`, `at_hash`, `c_hash` or `s_hash` is wrong or left out.",
        needs: Interface::OpenIdClientFlow,
    },
    Absent {
        id: "IA-44",
        title: "`scope` or `roles` is text, a list or an object, and one of them is read as more than it grants.",
        needs: Interface::RolesAndScopes,
    },
];

const TM: &[Absent] = &[Absent {
    id: "TM-16",
    title: "The token lives longer, or its subject signed in longer ago, than the application permits.",
    needs: Interface::MaximumAge,
}];

const PC: &[Absent] = &[
    Absent {
        id: "PC-03",
        title: "Every rejected token has a twin, with the right signer or under the policy that permits it, which is accepted.",
        needs: Interface::EveryRun,
    },
    Absent {
        id: "PC-05",
        title: "Honest tokens of several issuers are accepted while others are being judged.",
        needs: Interface::ConcurrentPresentation,
    },
    Absent {
        id: "PC-07",
        title: "A validator that rejects everything and one that accepts everything both fail the run.",
        needs: Interface::EveryRun,
    },
    Absent {
        id: "PC-08",
        title: "An attack differs from its twin in what its acts say and in nothing else.",
        needs: Interface::EveryRun,
    },
];
