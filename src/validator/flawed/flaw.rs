//! The list of mistakes, each with its name and what is wrong in one sentence.

macro_rules! flaws {
    ($($variant:ident, $name:literal, $mistake:literal;)+) => {
        /// One mistake that a validator can make. A [`Flawed`](super::Flawed) validator makes exactly one, or none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Flaw {
            $(#[doc = $mistake] $variant,)+
        }

        impl Flaw {
            /// All of them.
            pub const ALL: &'static [Flaw] = &[$(Flaw::$variant,)+];

            /// The name, in kebab case.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Flaw::$variant => $name,)+ }
            }

            /// What is wrong, in one sentence.
            #[must_use]
            pub fn mistake(self) -> &'static str {
                match self { $(Flaw::$variant => $mistake,)+ }
            }

            /// The flaw of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Flaw> {
                Flaw::ALL.iter().copied().find(|flaw| flaw.name() == name)
            }
        }
    };
}

flaws! {
    AcceptAll, "accept-all",
        "It accepts whatever it is shown.";
    RejectAll, "reject-all",
        "It rejects whatever it is shown.";

    SignatureOnlyOverMergedKeys, "signature-only-over-merged-keys",
        "It takes a trusted `iss` and a signature by any issuer's key, and never asks whether they belong together.";
    IssuerByPrefix, "issuer-by-prefix",
        "It trusts every `iss` that starts with a trusted name.";
    IssuerBySubstring, "issuer-by-substring",
        "It trusts every `iss` that contains a trusted name.";
    IssuerSlashIgnored, "issuer-slash-ignored",
        "It takes slashes off the end of `iss` before it compares.";
    IssuerCaseFolded, "issuer-case-folded",
        "It compares `iss` without regard to letter case.";
    IssuerPercentDecoded, "issuer-percent-decoded",
        "It undoes percent-encoding in `iss` before it compares.";
    IssuerUrlNormalised, "issuer-url-normalised",
        "It compares `iss` as a URL, without the port of its scheme, doubled slashes and dot segments.";
    IssuerTrimmed, "issuer-trimmed",
        "It takes white space off both ends of `iss` before it compares.";
    IssuerUntilNul, "issuer-until-nul",
        "It reads `iss` as far as its first NUL.";
    IssuerByLine, "issuer-by-line",
        "It trusts every `iss` of which one line is a trusted name.";
    IssuerAsPattern, "issuer-as-pattern",
        "It takes a dot in a trusted name for any character.";
    IssuerTemplateTrusted, "issuer-template-trusted",
        "It trusts a template's own text as the name of every tenant's issuer.";
    IssuerFromHeader, "issuer-from-header",
        "It looks the issuer up by the header's `iss` where there is one, and never reads the payload's.";
    IssuerArray, "issuer-array",
        "It takes a list as `iss` and trusts it when one member is trusted.";
    IssuerByKey, "issuer-by-key",
        "It takes an `iss` that it does not know for that of whichever issuer's key verifies the token.";
    IssuerIgnored, "issuer-ignored",
        "It judges by the rules of whichever issuer's key verifies the token, and never reads `iss`.";
    OwnNameTrusted, "own-name-trusted",
        "It takes a token that names the application itself as issuer for one of its own, by any key that it has.";
    SelfIssuedTrusted, "self-issued-trusted",
        "It lets anybody be their own issuer, with the key that the token carries in `sub_jwk`.";
    PrototypeNames, "prototype-names",
        "It looks issuers and keys up in objects, and finds one with nothing in it under names such as `constructor`.";
    MissingIssuerAllowed, "missing-issuer-allowed",
        "It takes a token without `iss` for whichever issuer's key verifies it.";
    EmptyIssuerMatchesMissing, "empty-issuer-matches-missing",
        "It takes a missing `iss` for an empty one, and that for the issuer whose configured name is empty.";
    KeyIssuerCheckPassesWithoutIssuer, "key-issuer-check-passes-without-issuer",
        "It lets a key of the converged set that names no issuer sign for everybody.";
    BlankKeyIssuerPasses, "blank-key-issuer-passes",
        "It lets a key of the converged set whose `issuer` is blank sign for everybody.";
    ConvergedByKid, "converged-by-kid",
        "It looks keys of the converged set up by `kid` alone and never reads the issuer that the key names.";
    KeyIssuerByKid, "key-issuer-by-kid",
        "It judges by the rules of the issuer whose key `kid` names, and asks of `iss` only that somebody of that name is trusted.";
    KeysByIssuerPrefix, "keys-by-issuer-prefix",
        "It looks keys up by the beginning of the issuer's name, and finds those of an issuer with a shorter name too.";
    KidCacheAcrossIssuers, "kid-cache-across-issuers",
        "It remembers the key of an accepted token by `kid` and uses it for every issuer.";
    IdentityBySubject, "identity-by-subject",
        "It keeps accounts by `sub` alone, and signs whoever comes later in as whoever came first.";
    KidTableOfAllIssuers, "kid-table-of-all-issuers",
        "It keeps the keys of all issuers in one table by `kid`, where of one name the last stays.";
    KidAsIndex, "kid-as-index",
        "It takes a `kid` of digits for a place in the issuer's list of keys.";

    AcceptsNone, "accepts-none",
        "It verifies nothing when `alg` is `none`, in any letter case.";
    HmacOverPublicPem, "hmac-over-public-pem",
        "It verifies HMAC with the PEM text of a public key as the secret, whatever algorithms are permitted.";
    HmacOverJwkText, "hmac-over-jwk-text",
        "It verifies HMAC with the JSON text of a public JWK as the secret, whatever algorithms are permitted.";
    HmacOverOpensshLine, "hmac-over-openssh-line",
        "It verifies HMAC with the OpenSSH line of a public key as the secret, whatever algorithms are permitted.";
    AlgorithmFromHeader, "algorithm-from-header",
        "It uses the algorithm that the token names and consults neither the permitted ones nor the key's own.";
    JwkAlgIgnored, "jwk-alg-ignored",
        "It never reads the `alg` of the key.";
    AlgorithmsPooled, "algorithms-pooled",
        "It permits every issuer the algorithms of all.";
    EmptyAlgorithmsPermitAll, "empty-algorithms-permit-all",
        "It takes an empty list of algorithms for none that was set, and permits them all.";
    CurveNotCompared, "curve-not-compared",
        "It verifies on whichever curve the key is, and never compares that with the one of the algorithm.";
    EmbeddedJwkTrusted, "embedded-jwk-trusted",
        "It verifies with the key that the token's own header carries.";
    EmbeddedCertificateTrusted, "embedded-certificate-trusted",
        "It verifies with the RSA key of the certificate that the token's own header carries, whoever signed that.";
    ConfirmationKeyTrusted, "confirmation-key-trusted",
        "It also verifies with the holder's key, which the token itself names in `cnf`.";
    LookupByKidEmptySecret, "lookup-by-kid-empty-secret",
        "Its key lookup answers an unknown `kid` with an empty secret.";

    UseEncAccepted, "use-enc-accepted",
        "It never reads the `use` of the key.";
    KeyOpsIgnored, "key-ops-ignored",
        "It never reads the `key_ops` of the key.";
    ShortKeysAccepted, "short-keys-accepted",
        "It accepts RSA keys under 2048 bits and secrets shorter than the hash.";
    OneBadKeyDropsAll, "one-bad-key-drops-all",
        "It has no key at all of a set in which it cannot read one.";
    EmptySetLetsPass, "empty-set-lets-pass",
        "It refuses a signature that none of the issuer's keys made only where the issuer has keys.";
    RefreshAppends, "refresh-appends",
        "It adds the keys of a new policy to the old ones and forgets none.";
    DisabledIssuerTrusted, "disabled-issuer-trusted",
        "It goes on trusting an issuer that a new policy no longer lists.";
    LifetimeIgnored, "lifetime-ignored",
        "It never asks whether the key is within its lifetime.";
    CloudIgnored, "cloud-ignored",
        "It never asks which cloud the key belongs to.";

    SubjectIgnored, "subject-ignored",
        "It lets an issuer name subjects that it may not name.";
    SignerIgnored, "signer-ignored",
        "It never reads the header member `signer`.";
    TenantAllowListIgnored, "tenant-allow-list-ignored",
        "It admits every tenant of a multi-tenant issuer.";
    TenantCaseFolded, "tenant-case-folded",
        "It compares tenants without regard to letter case.";
    TenantMismatchIgnored, "tenant-mismatch-ignored",
        "It never compares the tenant claim with the tenant in `iss`.";
    AudienceIgnored, "audience-ignored",
        "It never reads `aud`.";
    AudienceOptional, "audience-optional",
        "It checks `aud` only where the token has one.";
    AudiencesPooled, "audiences-pooled",
        "It lets every issuer address it by the names that any of them may use.";
    EmptyAudienceMeansAny, "empty-audience-means-any",
        "It takes an empty list of its own names for none that was set, and any `aud` for its own.";
    AudienceByPrefix, "audience-by-prefix",
        "It takes every `aud` that starts with one of its own names.";
    AudienceSplit, "audience-split",
        "It takes an `aud` that is one text for a list, divided by spaces and commas.";
    AudienceWildcard, "audience-wildcard",
        "It takes the audience `*` for everybody.";
    SubjectFromUsername, "subject-from-username",
        "It signs in whom `preferred_username` or `email` names, where one of them is there.";
    RequiredClaimsIgnored, "required-claims-ignored",
        "It misses no claim but `iss`.";

    ExpiredByAMinute, "expired-by-a-minute",
        "It accepts tokens for a minute more than the policy allows.";
    ExpiryIgnored, "expiry-ignored",
        "It never reads `exp`.";
    ExpiryInclusive, "expiry-inclusive",
        "It accepts a token in the very second in which it expires.";
    ReplayAccepted, "replay-accepted",
        "It remembers no token, though its policy refuses one that it has accepted before.";
    NotBeforeIgnored, "not-before-ignored",
        "It never reads `nbf`.";
    NumericStringExp, "numeric-string-exp",
        "It treats an `exp` or `nbf` that is text as if it were not there.";

    OnlyWholeDatesRead, "only-whole-dates-read",
        "It treats a date that is no whole number of 64 bits as if it were not there.";
    DatesIn32Bits, "dates-in-32-bits",
        "It keeps the lower 32 bits of every date.";
    MillisecondsGuessed, "milliseconds-guessed",
        "It takes a date after the year 9999 for one in milliseconds.";
    LeewayWraps, "leeway-wraps",
        "It adds and subtracts the leeway in 64 bits with a sign, and goes round.";

    TypeIgnored, "type-ignored",
        "It never reads `typ`.";
    CritIgnored, "crit-ignored",
        "It never reads `crit`.";
    FlattenedAccepted, "flattened-accepted",
        "It reads the flattened JSON serialization where only the compact one is permitted.";
    FirstMemberWins, "first-member-wins",
        "Of members that stand twice it takes the first.";
    MemberNamesFolded, "member-names-folded",
        "It reads member names without regard to letter case.";
    UnknownMembersRefused, "unknown-members-refused",
        "It refuses a token with a header member or a claim that it does not know.";
    LaxBase64, "lax-base64",
        "It decodes base64url with padding, with the standard alphabet and with unused bits set.";
    ReserialisedInput, "reserialised-input",
        "It also verifies the signature over header and payload as it would have written them itself.";
    SignatureNotVerified, "signature-not-verified",
        "It checks everything but the signature.";
    UnsignedIfEmpty, "unsigned-if-empty",
        "It verifies nothing when the signature is empty.";

    RefusesNoKid, "refuses-no-kid",
        "It refuses every token without `kid`, so its other refusals of such tokens prove nothing.";
    RefusesPs256, "refuses-ps256",
        "It claims to know PS256 and refuses every token signed with it.";
    SwapsSubject, "swaps-subject",
        "It answers with the subject of the token that it accepted before.";
    PanicsOnUnknownIssuer, "panics-on-unknown-issuer",
        "It panics when it does not know the issuer.";
    HangsOnExpired, "hangs-on-expired",
        "It stands still for an hour when a token has expired.";
    PrintsSecret, "prints-secret",
        "It prints a secret of its own into the reason for a refusal.";
}
