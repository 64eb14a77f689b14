//! Tokens and policies made by hand: one honest token, its record, and what the oracle and two validators say of it.

use std::sync::LazyLock;
use wrongkey::jose::{
    Json, Jwk, JwkSet, Material, Member, NumericDate, Primitive, Serialization, Spelling, Token, spell_octets,
    spell_part,
};
use wrongkey::key::{DerivedKind, PrivateKey};
use wrongkey::oracle::{Expectation, Told, expect};
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::provenance::{Earlier, Jws, Part, Presented, Provenance, SigningEvent};
use wrongkey::rule::Rule;
use wrongkey::validator::{Configured, Verdict, flawed, reference};

pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const A: &str = "https://a.example";
pub(crate) const B: &str = "https://b.example";
pub(crate) const API: &str = "https://api.example";
pub(crate) const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";

fn derived(kind: DerivedKind, label: &str) -> PrivateKey {
    PrivateKey::derive(kind, 7, label)
}

pub(crate) static KEY_A: LazyLock<PrivateKey> = LazyLock::new(|| derived(DerivedKind::P256, "a"));
pub(crate) static KEY_B: LazyLock<PrivateKey> = LazyLock::new(|| derived(DerivedKind::P256, "b"));
pub(crate) static STRANGER: LazyLock<PrivateKey> = LazyLock::new(|| derived(DerivedKind::P256, "stranger"));
pub(crate) static SECRET: LazyLock<PrivateKey> = LazyLock::new(|| derived(DerivedKind::Secret, "secret"));
pub(crate) static SHORT: LazyLock<PrivateKey> = LazyLock::new(|| derived(DerivedKind::ShortSecret, "short"));

pub(crate) fn text(text: &str) -> Json {
    Json::string(text)
}

pub(crate) fn number(literal: &str) -> Json {
    Json::Number(literal.to_owned())
}

pub(crate) fn texts(items: &[&str]) -> Json {
    Json::Array(items.iter().map(|item| text(item)).collect())
}

pub(crate) fn strings(items: &[&str]) -> Option<Vec<String>> {
    Some(items.iter().map(|item| (*item).to_owned()).collect())
}

pub(crate) fn jwk(key: &PrivateKey, kid: Option<&str>) -> Jwk {
    let mut jwk = Jwk::new(key.material().clone());
    jwk.kid = kid.map(str::to_owned);
    jwk
}

/// The JWK with a change.
pub(crate) fn changed(mut jwk: Jwk, change: impl FnOnce(&mut Jwk)) -> Jwk {
    change(&mut jwk);
    jwk
}

pub(crate) fn set(keys: &[Jwk]) -> Option<JwkSet> {
    Some(JwkSet::of(keys.to_vec()))
}

pub(crate) fn issuer(name: &str, keys: &[Jwk]) -> TrustedIssuer {
    TrustedIssuer { issuer: name.to_owned(), jwks: set(keys), ..TrustedIssuer::default() }
}

/// Two issuers with a key each, of which the party asks what most ask.
pub(crate) fn policy() -> TrustPolicy {
    TrustPolicy {
        policy: 1,
        relying_party: "api".to_owned(),
        key_source: KeySource::PerIssuer,
        audiences: strings(&[API]),
        algorithms: None,
        token_types: None,
        required_claims: strings(&["iss", "sub", "aud", "exp"]),
        leeway: None,
        serializations: Some(vec![Serialization::Compact]),
        signatures: None,
        crit_understood: None,
        cloud_instance: None,
        jwks_max_age: None,
        enforce_key_lifetime: None,
        replay: None,
        decryption_keys: None,
        resolver: None,
        issuers: vec![issuer(A, &[jwk(&KEY_A, Some("a1"))]), issuer(B, &[jwk(&KEY_B, Some("b1"))])],
        converged_jwks: None,
    }
}

/// The policy with one change.
pub(crate) fn with(change: impl FnOnce(&mut TrustPolicy)) -> TrustPolicy {
    let mut policy = policy();
    change(&mut policy);
    policy
}

/// A converged set: the keys of both issuers with these `issuer` members.
pub(crate) fn converged(issuers: &[TrustedIssuer], keys: &[(&PrivateKey, Option<&str>)]) -> TrustPolicy {
    with(|policy| {
        policy.key_source = KeySource::Converged;
        policy.issuers = issuers.iter().map(|one| TrustedIssuer { jwks: None, ..one.clone() }).collect();
        let owned = |(key, owner): &(&PrivateKey, Option<&str>)| {
            changed(jwk(key, Some("a1")), |jwk| jwk.issuer = owner.map(str::to_owned))
        };
        policy.converged_jwks = Some(JwkSet::of(keys.iter().map(owned).collect()));
    })
}

/// A token while it is made.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) header: Vec<Member>,
    pub(crate) payload: Vec<Member>,
    signer: &'static PrivateKey,
    pub(crate) primitive: Primitive,
    signed: [Vec<Spelling>; 2],
    shown: Option<[Vec<Spelling>; 2]>,
    signature: Vec<Spelling>,
    mirrored: bool,
    serialization: Serialization,
    earlier: Vec<Earlier>,
}

/// The token that issuer A honestly writes for the party.
pub(crate) fn honest() -> Made {
    let member = |name: &str, value| Member::new(name, value);
    Made {
        header: vec![member("alg", text("ES256")), member("kid", text("a1"))],
        payload: vec![
            member("iss", text(A)),
            member("sub", text("alice")),
            member("aud", text(API)),
            member("exp", Json::integer(NOW + 3600)),
            member("iat", Json::integer(NOW - 100)),
            member("jti", text("one")),
        ],
        signer: &KEY_A,
        primitive: Primitive::ES256,
        signed: [Vec::new(), Vec::new()],
        shown: None,
        signature: Vec::new(),
        mirrored: false,
        serialization: Serialization::Compact,
        earlier: Vec::new(),
    }
}

fn put(members: &mut Vec<Member>, name: &str, value: Option<Json>) {
    members.retain(|member| member.name != name);
    members.extend(value.map(|value| Member::new(name, value)));
}

impl Made {
    pub(crate) fn claim(mut self, name: &str, value: Json) -> Self {
        put(&mut self.payload, name, Some(value));
        self
    }

    pub(crate) fn no_claim(mut self, name: &str) -> Self {
        put(&mut self.payload, name, None);
        self
    }

    pub(crate) fn head(mut self, name: &str, value: Json) -> Self {
        put(&mut self.header, name, Some(value));
        self
    }

    pub(crate) fn no_head(mut self, name: &str) -> Self {
        put(&mut self.header, name, None);
        self
    }

    /// A second member of that name before or after the one that is there.
    pub(crate) fn twice(mut self, name: &str, value: Json, first: bool) -> Self {
        let in_header = self.header.iter().any(|member| member.name == name);
        let members = if in_header { &mut self.header } else { &mut self.payload };
        members.insert(if first { 0 } else { members.len() }, Member::new(name, value));
        self
    }

    pub(crate) fn by(mut self, signer: &'static PrivateKey) -> Self {
        self.signer = signer;
        self
    }

    pub(crate) fn hmac(self, signer: &'static PrivateKey) -> Self {
        Made { signer, primitive: Primitive::HS256, ..self }.head("alg", text("HS256"))
    }

    pub(crate) fn eddsa(self, signer: &'static PrivateKey) -> Self {
        Made { signer, primitive: Primitive::EDDSA, ..self }.head("alg", text("EdDSA"))
    }

    /// Header and payload are written so, and that is signed.
    pub(crate) fn spelled(mut self, header: &[Spelling], payload: &[Spelling]) -> Self {
        self.signed = [header.to_vec(), payload.to_vec()];
        self
    }

    /// Header and payload are shown so, whatever was signed.
    pub(crate) fn respelled(mut self, header: &[Spelling], payload: &[Spelling]) -> Self {
        self.shown = Some([header.to_vec(), payload.to_vec()]);
        self
    }

    pub(crate) fn signature_spelled(mut self, spelling: Spelling) -> Self {
        self.signature.push(spelling);
        self
    }

    pub(crate) fn mirrored(mut self) -> Self {
        self.mirrored = true;
        self
    }

    pub(crate) fn as_(mut self, serialization: Serialization) -> Self {
        self.serialization = serialization;
        self
    }

    pub(crate) fn shown_before(mut self, seconds_ago: i64, told: usize, same_octets: bool) -> Self {
        self.earlier.push(Earlier { at: NumericDate(NOW - seconds_ago), told, same_octets });
        self
    }

    pub(crate) fn write(&self) -> (Token, Provenance) {
        let spelled = |spellings: &[Vec<Spelling>; 2]| {
            (spell_part(&self.header, &spellings[0]), spell_part(&self.payload, &spellings[1]))
        };
        let (header, payload) = spelled(&self.signed);
        let input = format!("{}.{}", header.text, payload.text).into_bytes();
        let made = self.signer.sign(self.primitive, &input).expect("the key fits");
        let event = SigningEvent {
            key: self.signer.material().clone(),
            primitive: self.primitive,
            input,
            signature: made.octets.clone(),
            mirror: made.mirror.clone(),
            header: self.header.clone().into(),
            payload: self.payload.clone().into(),
        };
        let (header, payload) = self.shown.as_ref().map_or((header, payload), spelled);
        let octets = if self.mirrored { made.mirror.expect("ECDSA has one") } else { made.octets };
        let signature = spell_octets(&octets, &self.signature);
        let (h, p, s) = (&header.text, &payload.text, &signature.text);
        let whole = match self.serialization {
            Serialization::Flattened => format!(r#"{{"payload":"{p}","protected":"{h}","signature":"{s}"}}"#),
            Serialization::Detached => format!("{h}..{s}"),
            _ => format!("{h}.{p}.{s}"),
        };
        let detached = self.serialization == Serialization::Detached;
        let jws = Jws {
            serialization: self.serialization,
            input: if detached { format!("{h}.") } else { format!("{h}.{p}") }.into_bytes(),
            header: Part::Written { members: self.header.clone().into(), departures: header.departures },
            payload: Part::Written { members: self.payload.clone().into(), departures: payload.departures },
            signature: octets,
            signature_departures: signature.departures,
            surrounded: false,
        };
        let presented = Presented::Jws(Box::new(jws));
        (Token::new(whole), Provenance { events: vec![event], presented, earlier: self.earlier.clone() })
    }
}

/// What must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    Accept,
    Reject(Vec<Rule>),
    Either,
}

pub(crate) fn reject(rules: &[Rule]) -> Must {
    Must::Reject(rules.to_vec())
}

/// What the oracle says under these policies, handed over so many seconds ago.
pub(crate) fn expectation(told: &[(i64, TrustPolicy)], made: &Made) -> Expectation {
    let told: Vec<Told<'_>> = told.iter().map(|(ago, policy)| Told { at: NumericDate(NOW - ago), policy }).collect();
    expect(&told, &made.write().1, NumericDate(NOW))
}

fn must(expectation: &Expectation) -> Must {
    match (expectation.acceptable().is_some(), expectation.rejectable()) {
        (true, false) => Must::Accept,
        (true, true) => Must::Either,
        (false, _) => Must::Reject(expectation.broken().iter().copied().collect()),
    }
}

/// After these policies the oracle says this, in any order of issuers and keys, and two validators answer within it.
pub(crate) fn says_after(told: &[(i64, TrustPolicy)], made: &Made, wanted: &Must) {
    let said = expectation(told, made);
    let (token, provenance) = made.write();
    assert_eq!(must(&said), *wanted, "{provenance:#?}\n{said:?}");
    for turn in 1..4 {
        let turned: Vec<_> = told.iter().map(|(ago, policy)| (*ago, policy.reordered(turn))).collect();
        assert_eq!(expectation(&turned, made), said, "in another order");
    }
    // A validator sees no earlier presentation here, so only first ones are compared.
    if !made.earlier.is_empty() {
        return;
    }
    for maker in [reference::maker(), flawed::maker(None)] {
        let mut validator = maker();
        let ready = told.iter().map(|(_, policy)| validator.configure(policy).expect("it configures"));
        if ready.last() != Some(Configured::Ready) {
            continue;
        }
        let name = validator.describe().name;
        match (validator.validate(&token, NumericDate(NOW)).expect("it answers"), &said) {
            (Verdict::Accept { identity, key }, said) => {
                let signed = said.acceptable().unwrap_or_else(|| panic!("{name} accepts {token:?}: {said:?}"));
                let identity = identity.expect("it says whom");
                assert_eq!((&identity.iss, &identity.sub), (&signed.iss, &signed.sub), "{name}");
                assert!(
                    identity.tenant.is_none() || identity.tenant == signed.tenant,
                    "{name} {identity:?} {signed:?}"
                );
                let audience = identity.audience.as_ref();
                assert!(audience.is_none_or(|said| signed.is_for(said)), "{name} {identity:?} {signed:?}");
                let signer = signed.key.as_ref().map(Material::thumbprint);
                assert!(key.is_none() || key == signer, "{name} relies on {key:?}, not {signed:?}");
            }
            (Verdict::Reject(why), said) => assert!(said.rejectable(), "{name} rejects {token:?}: {why}"),
            (Verdict::Skip(why), _) => panic!("{name} skips: {why}"),
        }
    }
}

/// Under this policy the oracle says this.
pub(crate) fn says(policy: &TrustPolicy, made: &Made, wanted: &Must) {
    says_after(&[(0, policy.clone())], made, wanted);
}
