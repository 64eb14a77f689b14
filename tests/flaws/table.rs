//! What a campaign must find in each validator that is known to be wrong, written down before it was run.

use wrongkey::finding::Kind;
use wrongkey::rule::Rule::{self, *};
use wrongkey::validator::flawed::Flaw::{self, *};

/// One flaw and the finding that shows it.
pub(crate) struct Row {
    pub(crate) flaw: Flaw,
    pub(crate) kind: Kind,
    /// The rules that the finding blames, all of them.
    pub(crate) rules: &'static [Rule],
    /// The scenario that it shrinks to: `corpus/regressions/flawed-<name>/<file>.json`.
    pub(crate) file: &'static str,
    /// Rules beside these that other findings blame, since the same mistake breaks them too.
    pub(crate) other_rules: &'static [Rule],
    /// Kinds beside that one which other findings are of, since the same mistake makes them too.
    pub(crate) other_kinds: &'static [Kind],
}

const fn accepts(flaw: Flaw, rules: &'static [Rule], file: &'static str) -> Row {
    Row { flaw, kind: Kind::FalseAccept, rules, file, other_rules: &[], other_kinds: &[] }
}

const fn answers(flaw: Flaw, kind: Kind, file: &'static str) -> Row {
    Row { flaw, kind, rules: &[], file, other_rules: &[], other_kinds: &[] }
}

impl Row {
    const fn and(self, other_rules: &'static [Rule], other_kinds: &'static [Kind]) -> Row {
        Row { other_rules, other_kinds, ..self }
    }

    /// Where its scenario is written down.
    pub(crate) fn path(&self) -> String {
        format!("corpus/regressions/flawed-{}/{}.json", self.flaw.name(), self.file)
    }
}

/// A row for each flaw, except for [`Flaw::RefusesNoKid`], which gives no wrong answer: who refuses a token without `kid` may.
pub(crate) const ROWS: &[Row] = &[
    accepts(AcceptAll, &[SignatureMatches], "no-signature").and(Rule::OF_TOKENS, &[Kind::WrongIdentity]),
    answers(RejectAll, Kind::FalseReject, "honest-token"),
    accepts(SignatureOnlyOverMergedKeys, &[KeyBelongsToIssuer], "consumer-key-for-enterprise"),
    accepts(IssuerByPrefix, &[IssuerTrusted], "name-and-more"),
    accepts(IssuerBySubstring, &[IssuerTrusted], "name-and-more"),
    accepts(IssuerSlashIgnored, &[IssuerTrusted], "one-slash-more"),
    accepts(IssuerCaseFolded, &[IssuerTrusted], "other-letter-case"),
    accepts(IssuerPercentDecoded, &[IssuerTrusted], "percent-encoded"),
    accepts(IssuerUrlNormalised, &[IssuerTrusted], "the-same-url"),
    accepts(IssuerTrimmed, &[IssuerTrusted], "space-around"),
    accepts(IssuerUntilNul, &[IssuerTrusted], "nul-and-more"),
    accepts(IssuerByLine, &[IssuerTrusted], "one-line-of-two"),
    accepts(IssuerAsPattern, &[IssuerTrusted], "dots-replaced"),
    accepts(IssuerTemplateTrusted, &[IssuerTrusted], "template-not-filled"),
    accepts(IssuerFromHeader, &[IssuerTrusted], "header-says-otherwise"),
    // A key that a disabled issuer shares with another one still decides.
    accepts(IssuerByKey, &[IssuerTrusted], "stranger-with-a-trusted-key").and(&[KeyInService], &[]),
    // Whose key it is decides, and by whose rules: those of the issuer that is named are not asked.
    accepts(IssuerIgnored, &[KeyBelongsToIssuer], "consumer-key-for-enterprise")
        .and(&[IssuerTrusted, TenantAdmitted, AlgorithmAllowed], &[]),
    accepts(OwnNameTrusted, &[IssuerTrusted], "in-our-own-name"),
    accepts(SelfIssuedTrusted, &[IssuerTrusted], "own-issuer"),
    accepts(PrototypeNames, &[KeyBelongsToIssuer], "nothing-under-a-name-of-every-object"),
    accepts(IssuerArray, &[IssuerTrusted], "name-in-a-list"),
    accepts(MissingIssuerAllowed, &[RequiredClaimsPresent], "no-iss"),
    accepts(EmptyIssuerMatchesMissing, &[RequiredClaimsPresent], "neither-has-a-name"),
    accepts(KeyIssuerCheckPassesWithoutIssuer, &[KeyBelongsToIssuer], "orphan-key"),
    accepts(BlankKeyIssuerPasses, &[KeyBelongsToIssuer], "key-of-a-blank-issuer"),
    accepts(ConvergedByKid, &[KeyBelongsToIssuer], "storm-0558"),
    accepts(KeyIssuerByKid, &[KeyBelongsToIssuer], "consumer-key-for-enterprise")
        .and(&[TenantAdmitted, AlgorithmAllowed], &[]),
    accepts(KeysByIssuerPrefix, &[KeyBelongsToIssuer], "vendor-key-for-its-labs"),
    accepts(KidCacheAcrossIssuers, &[KeyBelongsToIssuer], "primed-by-an-honest-token"),
    answers(IdentityBySubject, Kind::WrongIdentity, "two-customers-of-one-name"),
    accepts(KidTableOfAllIssuers, &[KeyBelongsToIssuer], "consumer-key-for-enterprise"),
    answers(KidAsIndex, Kind::FalseReject, "kid-of-digits"),
    accepts(AcceptsNone, &[SignatureMatches], "alg-none"),
    accepts(HmacOverPublicPem, &[KeyBelongsToIssuer], "pem-of-a-trusted-key").and(&[AlgorithmAllowed], &[]),
    accepts(HmacOverJwkText, &[KeyBelongsToIssuer, AlgorithmAllowed], "jwk-of-a-trusted-key"),
    accepts(HmacOverOpensshLine, &[KeyBelongsToIssuer, AlgorithmAllowed], "line-of-a-trusted-key"),
    accepts(AlgorithmFromHeader, &[AlgorithmAllowed], "ps256-by-an-rs256-key"),
    accepts(JwkAlgIgnored, &[AlgorithmAllowed], "ps256-by-a-key-listed-for-rs256"),
    accepts(AlgorithmsPooled, &[AlgorithmAllowed], "ps256-of-another-issuer"),
    accepts(EmptyAlgorithmsPermitAll, &[AlgorithmAllowed], "no-algorithm-left"),
    accepts(CurveNotCompared, &[KeyAcceptable], "es384-on-p-256"),
    accepts(EmbeddedJwkTrusted, &[KeyBelongsToIssuer], "key-in-the-header"),
    accepts(EmbeddedCertificateTrusted, &[KeyBelongsToIssuer], "certificate-in-the-header"),
    accepts(ConfirmationKeyTrusted, &[KeyBelongsToIssuer], "key-of-the-holder"),
    accepts(LookupByKidEmptySecret, &[KeyBelongsToIssuer], "nothing-under-an-unknown-kid"),
    accepts(UseEncAccepted, &[KeyUsePermits], "encryption-key"),
    accepts(KeyOpsIgnored, &[KeyUsePermits], "wrapping-key"),
    accepts(ShortKeysAccepted, &[KeyAcceptable], "rsa-1024"),
    answers(OneBadKeyDropsAll, Kind::FalseReject, "beside-a-key-of-no-kind"),
    accepts(EmptySetLetsPass, &[KeyBelongsToIssuer], "no-keys"),
    accepts(RefreshAppends, &[KeyInService], "removed-key"),
    accepts(DisabledIssuerTrusted, &[KeyInService], "disabled-issuer"),
    accepts(LifetimeIgnored, &[KeyLifetimeHonoured], "key-of-2016"),
    accepts(CloudIgnored, &[CloudMatches], "sovereign-key"),
    accepts(SubjectIgnored, &[SubjectAdmitted], "administrator"),
    accepts(SignerIgnored, &[SignerNamed], "no-signer"),
    accepts(TenantAllowListIgnored, &[TenantAdmitted], "other-customer"),
    accepts(TenantCaseFolded, &[TenantAdmitted], "tenant-in-capitals"),
    accepts(TenantMismatchIgnored, &[TenantAdmitted], "two-customers"),
    accepts(AudienceIgnored, &[AudienceIncludesUs], "for-another-service"),
    accepts(AudienceOptional, &[RequiredClaimsPresent], "no-aud"),
    accepts(AudiencesPooled, &[AudienceIncludesUs], "name-that-another-issuer-may-use"),
    accepts(EmptyAudienceMeansAny, &[AudienceIncludesUs], "for-whoever-it-may-be"),
    accepts(AudienceByPrefix, &[AudienceIncludesUs], "name-and-more"),
    accepts(AudienceSplit, &[AudienceIncludesUs], "two-names-in-one"),
    accepts(AudienceWildcard, &[AudienceIncludesUs], "for-everybody"),
    answers(SubjectFromUsername, Kind::WrongIdentity, "empty-email"),
    accepts(RequiredClaimsIgnored, &[RequiredClaimsPresent], "no-sub"),
    accepts(ExpiredByAMinute, &[NotExpired], "this-second"),
    accepts(ExpiryIgnored, &[NotExpired], "of-1970"),
    accepts(ExpiryInclusive, &[NotExpired], "this-second"),
    accepts(ReplayAccepted, &[ReplayRefused], "the-same-again"),
    accepts(NotBeforeIgnored, &[NotBeforeReached], "in-an-hour"),
    accepts(NumericStringExp, &[NotExpired], "exp-as-text").and(&[NotBeforeReached], &[]),
    accepts(OnlyWholeDatesRead, &[NotExpired], "fraction-of-a-second").and(&[NotBeforeReached], &[]),
    accepts(DatesIn32Bits, &[NotBeforeReached], "in-the-next-century").and(&[NotExpired], &[Kind::FalseReject]),
    accepts(MillisecondsGuessed, &[NotBeforeReached], "in-milliseconds"),
    answers(LeewayWraps, Kind::FalseReject, "largest-leeway"),
    accepts(TypeIgnored, &[TypeExpected], "no-typ"),
    accepts(CritIgnored, &[CritUnderstood], "empty-crit"),
    accepts(FlattenedAccepted, &[SerializationExpected], "as-json"),
    accepts(FirstMemberWins, &[IssuerTrusted], "stranger-last").and(&[NotExpired, SignatureMatches], &[]),
    accepts(MemberNamesFolded, &[RequiredClaimsPresent], "issuer-in-capitals").and(&[TenantAdmitted], &[]),
    answers(UnknownMembersRefused, Kind::FalseReject, "claim-of-a-bound-key"),
    accepts(LaxBase64, &[WellFormed], "padded-signature"),
    accepts(ReserialisedInput, &[ReceivedBytesVerified], "escaped-after-signing"),
    // Whichever key it takes has signed for all it knows: another issuer's, a removed one's, and it names the wrong one.
    accepts(SignatureNotVerified, &[SignatureMatches], "one-bit")
        .and(&[KeyBelongsToIssuer, KeyInService, KeyAcceptable, ReceivedBytesVerified], &[Kind::WrongIdentity]),
    accepts(UnsignedIfEmpty, &[SignatureMatches], "no-signature"),
    answers(RefusesPs256, Kind::FalseReject, "honest-ps256"),
    answers(SwapsSubject, Kind::WrongIdentity, "two-honest-tokens"),
    answers(PanicsOnUnknownIssuer, Kind::Fault, "stranger"),
    answers(HangsOnExpired, Kind::Fault, "an-hour-ago"),
    Row { rules: &[SecretNotPrinted], ..answers(PrintsSecret, Kind::Leak, "any-refusal") },
];
