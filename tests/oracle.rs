//! The oracle, branch by branch and in both directions, on tokens and policies made by hand. Where the standards permit two
//! answers it permits two; a reading that they do not permit is never lawful. Every case is shown to the reference and to
//! the sound pipeline as well, whose answers must be lawful.

#[path = "oracle/configured.rs"]
mod configured;
#[path = "oracle/made.rs"]
mod made;
#[path = "oracle/trust.rs"]
mod trust;

use made::Must::{Accept, Either};
use made::{
    A, API, B, KEY_A, KEY_B, Made, NOW, SECRET, SHORT, STRANGER, changed, expectation, honest, issuer, jwk, number,
    policy, reject, says, set, strings, text, texts, with,
};
use std::sync::LazyLock;
use wrongkey::jose::{Json, Jwk, Material, Member, NumericDate, Spelling};
use wrongkey::key::PrivateKey;
use wrongkey::oracle::SignedIdentity;
use wrongkey::policy::TrustedIssuer;
use wrongkey::rule::{Rule, Severity};

#[test]
fn an_honest_token_must_be_accepted_as_what_its_signer_wrote() {
    says(&policy(), &honest(), &Accept);
    let said = expectation(&[(0, policy())], &honest());
    let identity = SignedIdentity {
        iss: Some(A.to_owned()),
        sub: Some("alice".to_owned()),
        tenant: None,
        audience: Some([API.to_owned()].into()),
        key: Some(KEY_A.material().clone()),
    };
    assert_eq!(said.acceptable(), Some(&identity));
}

#[test]
fn a_key_that_is_not_listed_for_the_claimed_issuer_is_never_excused() {
    let alone = reject(&[Rule::KeyBelongsToIssuer]);
    for kid in [Some("a1"), Some("b1"), None] {
        let forged = honest().by(&KEY_B);
        let forged = match kid {
            Some(kid) => forged.head("kid", text(kid)),
            None => forged.no_head("kid"),
        };
        says(&policy(), &forged, &alone);
        says(&policy(), &forged.by(&STRANGER), &alone);
    }
    // No latitude helps.
    let open = honest().by(&KEY_B).head("jwk", Json::Null).twice("kid", text("b1"), true).mirrored();
    says(&policy(), &open.head("zip", text("DEF")).claim("AUD", text("x")), &alone);
}

#[test]
fn of_two_members_the_last_counts_or_the_token_is_refused_and_never_the_first() {
    let cases: [(&str, Json, Rule); 9] = [
        ("iss", text("https://c.example"), Rule::IssuerTrusted),
        ("iss", text(B), Rule::KeyBelongsToIssuer),
        ("iss", texts(&[A]), Rule::IssuerTrusted),
        ("aud", text("https://other.example"), Rule::AudienceIncludesUs),
        ("exp", Json::integer(NOW - 1), Rule::NotExpired),
        ("exp", Json::Null, Rule::NotExpired),
        ("sub", text(""), Rule::RequiredClaimsPresent),
        ("alg", text("none"), Rule::SignatureMatches),
        ("alg", text("RS256"), Rule::SignatureMatches),
    ];
    for (name, bad, rule) in cases {
        says(&policy(), &honest().twice(name, bad.clone(), true), &Either);
        says(&policy(), &honest().twice(name, bad, false), &reject(&[rule]));
    }
    says(&policy(), &honest().twice("kid", text("b1"), false), &Either);
    let twice = honest().twice("sub", text("mallory"), true);
    let said = expectation(&[(0, policy())], &twice);
    assert_eq!(said.acceptable().and_then(|who| who.sub.as_deref()), Some("alice"), "the first is nobody");
    let inner = Json::Object(vec![Member::new("x", number("1")), Member::new("x", number("2"))]);
    says(&policy(), &honest().claim("cnf", inner), &Either);
    let crit = honest().head("crit", texts(&["x-bound"])).head("x-bound", text("1"));
    says(&policy(), &crit.clone().twice("crit", texts(&["alg"]), true), &reject(&[Rule::CritUnderstood]));
}

#[test]
fn a_name_in_another_case_is_another_name() {
    says(&policy(), &honest().claim("ISS", text(B)), &Either);
    says(&policy(), &honest().claim("Aud", text("https://other.example")), &Either);
    says(&policy(), &honest().claim("Sub", text("mallory")), &Either);
    let only = |name: &str, other: &str, value| honest().no_claim(name).claim(other, value);
    let absent = reject(&[Rule::RequiredClaimsPresent]);
    says(&policy(), &only("iss", "ISS", text(A)), &absent);
    says(&policy(), &only("exp", "EXP", Json::integer(NOW + 60)), &absent);
    says(&policy(), &honest().head("Crit", texts(&["x"])), &Either);
}

#[test]
fn iss_is_text_that_equals_a_trusted_name() {
    for name in ["https://a.example/", "https://A.example", " https://a.example", "https://a.exampl", "a.example"] {
        says(&policy(), &honest().claim("iss", text(name)), &reject(&[Rule::IssuerTrusted]));
    }
    for value in [Json::Null, number("1"), Json::Bool(true), texts(&[A]), texts(&[A, B]), Json::Object(vec![])] {
        says(&policy(), &honest().claim("iss", value), &reject(&[Rule::IssuerTrusted]));
    }
    says(&policy(), &honest().claim("iss", text("")), &reject(&[Rule::RequiredClaimsPresent]));
    says(&policy(), &honest().no_claim("iss"), &reject(&[Rule::RequiredClaimsPresent]));
    // Of a stranger no key is asked.
    says(&policy(), &honest().claim("iss", text("https://c.example")).by(&STRANGER), &reject(&[Rule::IssuerTrusted]));
}

#[test]
fn aud_must_name_the_party_and_may_name_others() {
    let other = "https://other.example";
    says(&policy(), &honest().claim("aud", texts(&[API])), &Accept);
    for open in [texts(&[API, other]), texts(&[other, API]), Json::Array(vec![text(API), number("42")])] {
        says(&policy(), &honest().claim("aud", open), &Either);
    }
    let nested = Json::Array(vec![texts(&[API])]);
    let bad = [text(other), texts(&[other]), texts(&[]), texts(&[""]), nested, Json::Null, number("0"), text("")];
    for value in bad {
        let rule = if value == text("") { Rule::RequiredClaimsPresent } else { Rule::AudienceIncludesUs };
        says(&policy(), &honest().claim("aud", value), &reject(&[rule]));
    }
    says(&policy(), &honest().no_claim("aud"), &reject(&[Rule::RequiredClaimsPresent]));
    let asked_by_list = with(|policy| policy.required_claims = None);
    says(&asked_by_list, &honest().no_claim("aud"), &reject(&[Rule::RequiredClaimsPresent]));
}

#[test]
fn an_issuers_own_audiences_narrow_the_partys() {
    let narrowed = with(|policy| {
        policy.audiences = strings(&[API, "https://two.example"]);
        policy.issuers[0].audiences = strings(&["https://two.example"]);
    });
    says(&narrowed, &honest(), &reject(&[Rule::AudienceIncludesUs]));
    says(&narrowed, &honest().claim("aud", text("https://two.example")), &Accept);
    says(&narrowed, &honest().claim("iss", text(B)).by(&KEY_B).head("kid", text("b1")), &Accept);
    let only_narrowed = with(|policy| {
        policy.audiences = None;
        policy.issuers[0].audiences = strings(&["https://two.example"]);
    });
    says(&only_narrowed, &honest(), &reject(&[Rule::AudienceIncludesUs]));
}

#[test]
fn a_party_without_a_name_is_meant_by_no_aud() {
    let nameless = with(|policy| {
        policy.audiences = Some(Vec::new());
        policy.required_claims = strings(&["iss", "sub", "exp"]);
    });
    says(&nameless, &honest(), &reject(&[Rule::AudienceIncludesUs]));
    says(&nameless, &honest().no_claim("aud"), &Accept);
    says(&nameless, &honest().claim("aud", texts(&[])), &Either);
    // Not asked at all, whoever has no name in `aud` may refuse by RFC 7519 section 4.1.3.
    let unset = with(|policy| {
        policy.audiences = None;
        policy.required_claims = strings(&["iss", "sub", "exp"]);
    });
    says(&unset, &honest().no_claim("aud"), &Accept);
    for value in [text(API), text("https://other.example"), number("42"), Json::Null] {
        says(&unset, &honest().claim("aud", value), &Either);
    }
    let required = with(|policy| policy.audiences = None);
    for value in [Json::Null, text("")] {
        says(&required, &honest().claim("aud", value), &reject(&[Rule::RequiredClaimsPresent]));
    }
    says(&required, &honest().claim("aud", number("42")), &Either);
}

#[test]
fn a_required_claim_is_there_and_no_empty_text() {
    let asks = |name: &str| with(|policy| policy.required_claims.iter_mut().for_each(|all| all.push(name.to_owned())));
    let absent = reject(&[Rule::RequiredClaimsPresent]);
    says(&asks("scope"), &honest(), &absent);
    for value in [text(""), Json::Null] {
        says(&asks("scope"), &honest().claim("scope", value), &absent);
    }
    for value in [text("read"), number("0"), texts(&[]), Json::Bool(false)] {
        says(&asks("scope"), &honest().claim("scope", value), &Accept);
    }
    for value in [Json::Null, number("1"), texts(&["alice"]), text("")] {
        says(&policy(), &honest().claim("sub", value), &absent);
    }
    // Nobody reads the tenant of a literal issuer.
    says(&asks("tid"), &honest().claim("tid", number("42")), &Either);
    says(&asks("tid"), &honest().claim("tid", Json::Null), &absent);
    says(&asks("iat"), &honest().claim("iat", text("1")), &absent);
    // Not required, a wrong type may be refused or passed over.
    let lax = with(|policy| policy.required_claims = None);
    for name in ["sub", "jti", "iat", "tid"] {
        says(&lax, &honest().claim(name, Json::Object(vec![])), &Either);
        says(&lax, &honest().no_claim(name), &Accept);
    }
    says(&lax, &honest().no_claim("exp"), &Accept);
}

#[test]
fn a_missing_claim_is_critical_where_it_binds_the_token_to_somebody() {
    let severity = |name| expectation(&[(0, policy())], &honest().no_claim(name)).severity();
    for (name, wanted) in [
        ("iss", Some(Severity::Critical)),
        ("aud", Some(Severity::Critical)),
        ("sub", Some(Severity::High)),
        ("exp", Some(Severity::High)),
        ("jti", None),
    ] {
        assert_eq!(severity(name), wanted, "{name}");
    }
}

#[test]
fn who_a_token_was_issued_to_may_be_asked_and_need_not() {
    says(&policy(), &honest().claim("azp", text(API)), &Accept);
    says(&policy(), &honest().claim("azp", text("https://other.example")), &Either);
    says(&policy(), &honest().claim("azp", Json::Null), &Either);
    says(&policy(), &honest().claim("client_id", text("https://other.example")), &Accept);
}

#[test]
fn exp_and_nbf_bind_to_the_second_and_the_leeway_widens_both() {
    let late = reject(&[Rule::NotExpired]);
    let early = reject(&[Rule::NotBeforeReached]);
    let at = |name: &str, offset: i64| honest().claim(name, Json::integer(NOW + offset));
    says(&policy(), &at("exp", 0), &late);
    says(&policy(), &at("exp", 1), &Accept);
    says(&policy(), &at("nbf", 1), &early);
    says(&policy(), &at("nbf", 0), &Accept);
    let patient = with(|policy| policy.leeway = Some(60));
    says(&patient, &at("exp", -60), &late);
    says(&patient, &at("exp", -59), &Accept);
    says(&patient, &at("nbf", 61), &early);
    says(&patient, &at("nbf", 60), &Accept);
    says(
        &policy(),
        &at("nbf", 9).claim("exp", Json::integer(NOW - 9)),
        &reject(&[Rule::NotExpired, Rule::NotBeforeReached]),
    );
    let endless = with(|policy| policy.leeway = Some(u64::MAX));
    says(&endless, &at("exp", -1000), &Accept);
    says(&endless, &at("nbf", 1000), &Accept);
    // Between two numbers that doubles do not tell apart nobody need know the side.
    for literal in ["-2251799813685248", "-18446742283709551615"] {
        says(&endless, &honest().claim("exp", number(literal)), &Either);
    }
    for value in [text("1890000000"), Json::Null, Json::Bool(true), texts(&[]), Json::Object(vec![])] {
        says(&policy(), &honest().claim("exp", value.clone()), &late);
        says(&policy(), &honest().claim("nbf", value), &early);
    }
    says(&policy(), &honest().claim("exp", text("")), &reject(&[Rule::RequiredClaimsPresent]));
    says(&policy(), &honest().claim("nbf", text("")), &early);
}

#[test]
fn odd_numbers_are_judged_on_their_side_and_may_be_refused() {
    for (literal, exp, nbf) in [
        ("1790003600.5", Accept, reject(&[Rule::NotBeforeReached])),
        ("1789990000.25", reject(&[Rule::NotExpired]), Accept),
        ("1790000000.0", reject(&[Rule::NotExpired]), Accept),
        // Between this second and the next or the last one.
        ("1790000000.5", Either, Either),
        ("1790000000.00000000000000000000001", Either, Either),
        ("1789999999.99999999999999999999999", reject(&[Rule::NotExpired]), Accept),
        ("1.8e9", Either, reject(&[Rule::NotBeforeReached])),
        ("1e3", reject(&[Rule::NotExpired]), Either),
        ("17900000000000000000000000001e-19", Either, Either),
        ("1e999", Either, reject(&[Rule::NotBeforeReached])),
        // The last second that has a date in every calendar, the next one, and this second in milliseconds.
        ("253402300799", Accept, reject(&[Rule::NotBeforeReached])),
        ("253402300800", Either, reject(&[Rule::NotBeforeReached])),
        ("1790000000000", Either, reject(&[Rule::NotBeforeReached])),
        ("99999999999999999999", Either, reject(&[Rule::NotBeforeReached])),
        ("18446744073709551617", Either, reject(&[Rule::NotBeforeReached])),
        ("-99999999999999999999", reject(&[Rule::NotExpired]), Either),
        ("-1e999", reject(&[Rule::NotExpired]), Either),
        ("-1", reject(&[Rule::NotExpired]), Either),
        ("-0", reject(&[Rule::NotExpired]), Either),
        ("-1.5", reject(&[Rule::NotExpired]), Either),
        ("0", reject(&[Rule::NotExpired]), Accept),
    ] {
        says(&policy(), &honest().claim("exp", number(literal)), &exp);
        says(&policy(), &honest().claim("nbf", number(literal)), &nbf);
    }
    for literal in ["1e400", "-99999999999999999999"] {
        says(&policy(), &honest().claim("level", number(literal)), &Either);
        says(&policy(), &honest().head("x-level", Json::Array(vec![number(literal)])), &Either);
    }
    for literal in ["1e3", "-0", "0.5", "9007199254740991"] {
        says(&policy(), &honest().claim("level", number(literal)), &Accept);
    }
    for literal in ["01", "+1", "1.", ".5", "NaN", "Infinity", "0x10", "1e", ""] {
        says(&policy(), &honest().claim("level", number(literal)), &reject(&[Rule::WellFormed]));
    }
}

#[test]
fn iat_ahead_and_deep_values_may_be_refused() {
    says(&policy(), &honest().claim("iat", Json::integer(NOW + 1)), &Either);
    says(&policy(), &honest().claim("iat", Json::integer(NOW)), &Accept);
    says(&policy(), &honest().claim("iat", number("1e999")), &Either);
    let nested = |depth| (0..depth).fold(text("x"), |inner, _| Json::Array(vec![inner]));
    says(&policy(), &honest().claim("x", nested(20)), &Accept);
    says(&policy(), &honest().claim("x", nested(70)), &Either);
}

#[test]
fn typ_is_compared_as_a_media_type_where_it_is_asked_for() {
    let typed = with(|policy| policy.token_types = strings(&["at+jwt"]));
    let of = |typ: &str| honest().head("typ", text(typ));
    says(&typed, &of("at+jwt"), &Accept);
    for same in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        says(&typed, &of(same), &Either);
    }
    for other in ["JWT", "", "at+jwt ", "application/application/at+jwt", "x/at+jwt", "at+jwt;v=1", "at+jwt\0"] {
        says(&typed, &of(other), &reject(&[Rule::TypeExpected]));
    }
    for value in [Json::Null, number("1"), texts(&["at+jwt"])] {
        says(&typed, &honest().head("typ", value.clone()), &reject(&[Rule::TypeExpected]));
        says(&policy(), &honest().head("typ", value), &Either);
    }
    says(&typed, &honest(), &reject(&[Rule::TypeExpected]));
    says(&typed, &honest().claim("typ", text("at+jwt")), &reject(&[Rule::TypeExpected]));
    says(&policy(), &of("logout+jwt"), &Accept);
}

#[test]
fn crit_binds_what_is_not_understood_and_leaves_open_what_only_producers_must_not() {
    let knows = with(|policy| policy.crit_understood = strings(&["x-bound"]));
    let crit = |value: Json| honest().head("crit", value).head("x-bound", text("1"));
    says(&knows, &crit(texts(&["x-bound"])), &Accept);
    says(&policy(), &crit(texts(&["x-bound"])), &reject(&[Rule::CritUnderstood]));
    let bad = [texts(&[]), Json::Null, text("x-bound"), number("1"), Json::Array(vec![number("1")])];
    for value in bad.into_iter().chain([texts(&["x-bound", "x-other"]), texts(&["alg", "x-other"])]) {
        says(&knows, &crit(value), &reject(&[Rule::CritUnderstood]));
    }
    // RFC 7515 section 4.1.11: recipients MAY consider these to be invalid.
    for value in [texts(&["alg"]), texts(&["x-bound", "kid"]), texts(&["x-bound", "x-bound"])] {
        says(&knows, &crit(value), &Either);
    }
    says(&knows, &honest().head("crit", texts(&["x-bound"])), &Either);
}

#[test]
fn b64_binds_where_crit_names_it() {
    let b64 = |value: Json| honest().head("b64", value);
    says(&policy(), &b64(Json::Bool(true)), &Accept);
    says(&policy(), &b64(number("0")), &Either);
    // RFC 7515 section 4: whoever does not understand it ignores it.
    says(&policy(), &b64(Json::Bool(false)), &Either);
    let critical = |value| b64(Json::Bool(value)).head("crit", texts(&["b64"]));
    says(&policy(), &critical(false), &reject(&[Rule::SerializationExpected]));
    says(&policy(), &critical(true), &Either);
    let knows = |names: &[&str]| with(|policy| policy.crit_understood = strings(names));
    says(&knows(&["b64"]), &critical(false), &reject(&[Rule::SerializationExpected]));
    says(&knows(&["b64"]), &critical(true), &Accept);
    says(&knows(&[]), &critical(true), &reject(&[Rule::CritUnderstood]));
}

#[test]
fn what_the_header_says_of_keys_content_and_claims_may_be_passed_over() {
    for name in ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "iss", "sub", "aud"] {
        says(&policy(), &honest().head(name, text("x")), &Either);
        says(&policy(), &honest().head(name, text("x")).by(&STRANGER), &reject(&[Rule::KeyBelongsToIssuer]));
    }
    for content in ["JWT", "jwt", "application/jwt"] {
        says(&policy(), &honest().head("cty", text(content)), &Either);
    }
    says(&policy(), &honest().head("cty", text("json")), &Accept);
    says(&policy(), &honest().head("x-note", text("x")), &Accept);
}

#[test]
fn kid_is_a_hint() {
    says(&policy(), &honest().no_head("kid"), &Either);
    for value in [text("b1"), text("unknown"), text(""), text("A1"), Json::Null, number("1")] {
        says(&policy(), &honest().head("kid", value), &Either);
    }
    let unnamed = with(|policy| policy.issuers[0] = issuer(A, &[jwk(&KEY_A, None)]));
    says(&unnamed, &honest().no_head("kid"), &Accept);
    let alike = with(|policy| policy.issuers[0] = issuer(A, &[jwk(&KEY_A, Some("a1")), jwk(&STRANGER, Some("a1"))]));
    says(&alike, &honest(), &Either);
    // What another issuer calls its key is no business of this one.
    let elsewhere = with(|policy| policy.issuers[1] = issuer(B, &[jwk(&KEY_B, Some("a1"))]));
    says(&elsewhere, &honest(), &Accept);
    says(&elsewhere, &honest().by(&KEY_B), &reject(&[Rule::KeyBelongsToIssuer]));
}

#[test]
fn a_spelling_that_was_signed_is_judged_as_a_spelling_and_one_that_was_not_as_other_octets() {
    use Spelling::{ByteOrderMark, JsonEscapes, JsonWhitespace, LineBreak, Padding, TrailingComma, TrailingData};
    for bad in [LineBreak, TrailingComma, TrailingData] {
        says(&policy(), &honest().spelled(&[bad], &[]), &reject(&[Rule::WellFormed]));
        says(&policy(), &honest().spelled(&[], &[bad]), &reject(&[Rule::WellFormed]));
    }
    for good in [JsonWhitespace, JsonEscapes] {
        says(&policy(), &honest().spelled(&[good], &[good]), &Accept);
        says(&policy(), &honest().respelled(&[good], &[]), &reject(&[Rule::ReceivedBytesVerified]));
        says(&policy(), &honest().respelled(&[], &[good]), &reject(&[Rule::ReceivedBytesVerified]));
    }
    // RFC 8259 section 8.1: a parser may ignore it.
    says(&policy(), &honest().spelled(&[ByteOrderMark], &[]), &Either);
    says(&policy(), &honest().spelled(&[], &[ByteOrderMark]), &Either);
    says(&policy(), &honest().respelled(&[], &[ByteOrderMark]), &reject(&[Rule::ReceivedBytesVerified]));
    for bad in [Padding, LineBreak] {
        says(&policy(), &honest().signature_spelled(bad), &reject(&[Rule::WellFormed]));
    }
}

/// The honest token, so long that header and payload leave bits over in their last character.
fn with_bits_left() -> Made {
    let left = |made: &Made| {
        let over = |members: &[Member]| !Json::Object(members.to_vec()).write().len().is_multiple_of(3);
        over(&made.header) && over(&made.payload)
    };
    let filled = |h: usize, p: usize| honest().head("x", text(&"x".repeat(h))).claim("x", text(&"x".repeat(p)));
    let made = (0..9).map(|size| filled(size / 3, size % 3)).find(left);
    made.expect("one of three lengths is no multiple of three")
}

#[test]
fn bits_left_over_may_be_refused_and_change_what_was_signed() {
    let bits = [Spelling::TrailingBits];
    says(&policy(), &with_bits_left().signature_spelled(Spelling::TrailingBits), &Either);
    says(&policy(), &with_bits_left().spelled(&bits, &[]), &Either);
    says(&policy(), &with_bits_left().spelled(&[], &bits), &Either);
    says(&policy(), &with_bits_left().respelled(&bits, &[]), &reject(&[Rule::ReceivedBytesVerified]));
    says(&policy(), &with_bits_left().respelled(&[], &bits), &reject(&[Rule::ReceivedBytesVerified]));
}

#[test]
fn the_other_ecdsa_signature_may_be_accepted_or_refused() {
    says(&policy(), &honest().mirrored(), &Either);
    says(&policy(), &honest().mirrored().by(&KEY_B), &reject(&[Rule::KeyBelongsToIssuer]));
}

#[test]
fn alg_is_the_primitive_by_its_exact_name_and_listed_for_party_issuer_and_key() {
    for name in ["none", "None", "es256", "ES384", "", "ES256 "] {
        says(&policy(), &honest().head("alg", text(name)), &reject(&[Rule::SignatureMatches]));
    }
    for value in [Json::Null, number("256"), texts(&["ES256"])] {
        says(&policy(), &honest().head("alg", value), &reject(&[Rule::SignatureMatches]));
    }
    says(&policy(), &honest().no_head("alg"), &reject(&[Rule::SignatureMatches]));
    let not_allowed = reject(&[Rule::AlgorithmAllowed]);
    says(&with(|policy| policy.algorithms = strings(&["RS256"])), &honest(), &not_allowed);
    says(&with(|policy| policy.algorithms = strings(&[])), &honest(), &not_allowed);
    says(&with(|policy| policy.issuers[0].algorithms = strings(&["RS256"])), &honest(), &not_allowed);
    says(&with(|policy| policy.issuers[1].algorithms = strings(&["RS256"])), &honest(), &Accept);
    let own = |alg: &str| changed(jwk(&KEY_A, Some("a1")), |jwk| jwk.alg = Some(alg.to_owned()));
    says(&with(|policy| policy.issuers[0] = issuer(A, &[own("ES384")])), &honest(), &not_allowed);
    says(&with(|policy| policy.issuers[0] = issuer(A, &[own("ES256")])), &honest(), &Accept);
}

#[test]
fn hmac_secrets_are_the_same_where_hmac_makes_them_the_same() {
    fn longer(change: fn(&mut Vec<u8>)) -> PrivateKey {
        let Material::Oct { k } = SECRET.material() else { panic!("a secret") };
        let mut k = k.clone();
        change(&mut k);
        PrivateKey::secret(k)
    }
    static PADDED: LazyLock<PrivateKey> = LazyLock::new(|| longer(|k| k.push(0)));
    static OTHER: LazyLock<PrivateKey> = LazyLock::new(|| longer(|k| k.push(1)));
    let shares = |key: &PrivateKey| {
        let secrets = set(&[jwk(key, Some("a1"))]);
        with(|policy| policy.issuers[0] = TrustedIssuer { secrets, ..issuer(A, &[]) })
    };
    says(&shares(&SECRET), &honest().hmac(&SECRET), &Accept);
    // The key that is reported is the one that was given, whatever the forger's was.
    says(&shares(&SECRET), &honest().hmac(&PADDED), &Accept);
    says(&shares(&SECRET), &honest().hmac(&OTHER), &reject(&[Rule::KeyBelongsToIssuer]));
    says(&shares(&SHORT), &honest().hmac(&SHORT), &reject(&[Rule::KeyAcceptable]));
}

#[test]
fn each_ecdsa_algorithm_has_its_curve() {
    use wrongkey::jose::Primitive;
    // RFC 7518 section 3.4: the key is on P-256, and signs by the hashes of ES384 and ES512 and with the name of ES256K.
    for alg in ["ES256", "ES384", "ES512", "ES256K"] {
        let allowed = with(|policy| policy.issuers[0].algorithms = strings(&[alg]));
        let mut made = honest().head("alg", text(alg));
        made.primitive = Primitive::from_name(alg).expect("a registered name");
        let must = if alg == "ES256" { Accept } else { reject(&[Rule::KeyAcceptable]) };
        says(&allowed, &made, &must);
        // ES256 and ES256K differ in nothing but the curve.
        made.primitive = Primitive::ES256;
        let must = match alg {
            "ES256" => Accept,
            "ES256K" => reject(&[Rule::KeyAcceptable]),
            _ => reject(&[Rule::SignatureMatches]),
        };
        says(&allowed, &made, &must);
    }
}

#[test]
fn use_and_key_ops_bind_where_they_are_there() {
    let listed = |jwk: Jwk| with(|policy| policy.issuers[0] = issuer(A, &[jwk]));
    let used = |name: &str| changed(jwk(&KEY_A, Some("a1")), |jwk| jwk.key_use = Some(name.to_owned()));
    let ops = |names: &[&str]| changed(jwk(&KEY_A, Some("a1")), |jwk| jwk.key_ops = strings(names));
    says(&listed(used("sig")), &honest(), &Accept);
    says(&listed(used("enc")), &honest(), &reject(&[Rule::KeyUsePermits]));
    says(&listed(ops(&["verify"])), &honest(), &Accept);
    says(&listed(ops(&["encrypt"])), &honest(), &reject(&[Rule::KeyUsePermits]));
    says(&listed(ops(&[])), &honest(), &reject(&[Rule::KeyUsePermits]));
    // Twice the same, or more than `use` says: the key may be refused, and the token need not be.
    let both = |names: &[&str]| changed(used("sig"), |jwk| jwk.key_ops = strings(names));
    says(&listed(ops(&["verify", "verify"])), &honest(), &Either);
    says(&listed(both(&["verify", "encrypt"])), &honest(), &Either);
    says(&listed(both(&["verify", "sign"])), &honest(), &Accept);
    says(&listed(both(&["encrypt"])), &honest(), &reject(&[Rule::KeyUsePermits]));
}

#[test]
fn a_key_listed_twice_may_be_used_by_either_listing_and_a_shared_one_by_either_issuer() {
    let good = || jwk(&KEY_A, Some("a1"));
    let enc = |kid: &str| changed(jwk(&KEY_A, Some(kid)), |jwk| jwk.key_use = Some("enc".to_owned()));
    let alg = |kid: &str| changed(jwk(&KEY_A, Some(kid)), |jwk| jwk.alg = Some("ES384".to_owned()));
    let listed = |keys: &[Jwk]| with(|policy| policy.issuers[0] = issuer(A, keys));
    says(&listed(&[good(), enc("a2")]), &honest(), &Accept);
    says(&listed(&[enc("a1"), good()]), &honest(), &Either);
    // The order of listings chooses no rule.
    let said = expectation(&[(0, listed(&[enc("a1"), alg("a1")]))], &honest());
    assert_eq!(said.broken().len(), 1);
    assert_eq!(said, expectation(&[(0, listed(&[alg("a1"), enc("a1")]))], &honest()));
    let shared = with(|policy| policy.issuers[1] = issuer(B, &[good()]));
    says(&shared, &honest(), &Accept);
    says(&shared, &honest().claim("iss", text(B)), &Accept);
}

#[test]
fn a_keys_lifetime_binds_where_the_policy_asks_and_ends_as_its_jwk_says() {
    let living = |enforce: Option<bool>, leeway, nbf: i64, exp: i64| {
        let dates = (Some(NumericDate(NOW + nbf)), Some(NumericDate(NOW + exp)));
        let key = changed(jwk(&KEY_A, Some("a1")), |jwk| {
            jwk.nbf = dates.0;
            jwk.exp = dates.1;
        });
        with(|policy| {
            policy.issuers[0] = issuer(A, &[key]);
            (policy.enforce_key_lifetime, policy.leeway) = (enforce, leeway);
        })
    };
    let outside = reject(&[Rule::KeyLifetimeHonoured]);
    says(&living(Some(true), None, 0, 1), &honest(), &Accept);
    says(&living(Some(true), None, -9, 0), &honest(), &outside);
    says(&living(Some(true), None, 1, 9), &honest(), &outside);
    says(&living(Some(true), Some(60), -99, -59), &honest(), &Either);
    says(&living(Some(true), Some(60), -99, -60), &honest(), &outside);
    says(&living(Some(true), Some(60), 60, 99), &honest(), &Either);
    says(&living(Some(false), None, -9, -1), &honest(), &Accept);
    says(&living(None, None, -9, -1), &honest(), &Either);
}
