//! What a forger does to a token.

use super::{Honest, MAX_ACTS, MAX_DEPTH, Value};
use crate::jose::{Layout, Serialization, Spelling};
use serde::{Deserialize, Serialize};

/// A draft inside an act: an honest token and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Donor {
    /// What an honest issuer would write.
    pub honest: Honest,
    /// What the forger does to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
}

/// One thing a forger does to a token. What is edited after a signature is not signed again; a token that no act has
/// signed is signed by the honest key at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Signs what stands there now.
    SignWith(SignWith),
    /// Sets a claim, in place where it stands.
    SetClaim(SetMember),
    /// Leaves a claim out.
    DropClaim(Named),
    /// Sets a header member, in place where it stands.
    SetHeader(SetMember),
    /// Leaves a header member out.
    DropHeader(Named),
    /// Writes a claim a second time.
    DuplicateClaim(Duplicate),
    /// Writes a header member a second time.
    DuplicateHeader(Duplicate),
    /// Counts `jti` up until R or S of the ECDSA signature that is made next begins with a zero octet: both stand there at full
    /// length all the same (RFC 7518 section 3.4).
    SeekLeadingZero {
        /// Which of the two.
        of: EcdsaInteger,
    },
    /// Leaves the signature empty.
    StripSignature {},
    /// Puts a part of another token in place of this one's.
    Splice(Splice),
    /// Carries a key in the header (RFC 7515 sections 4.1.2 to 4.1.8).
    EmbedKey {
        /// How.
        r#as: KeyHeader,
        /// Which key.
        key: String,
    },
    /// Puts the token into another serialization.
    Serialize {
        /// Which.
        r#as: Serialization,
    },
    /// Departs from the canonical spelling.
    Spell {
        /// Where.
        part: Segment,
        /// How.
        r#as: Spelling,
    },
    /// Changes the signature octets.
    MangleSignature(Mangle),
    /// Writes raw octets, which nobody signs.
    Raw(Raw),
}

/// Who signs, and what the header then says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignWith {
    /// The key; absent: the honest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// HMAC over a public text, in place of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PublicText>,
    /// The algorithm; absent: the key's own, `HS256` for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What `kid` says.
    #[serde(default, skip_serializing_if = "Kid::is_default")]
    pub kid: Kid,
}

/// What the `kid` header says after `sign-with`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kid {
    /// The signing key's own.
    #[default]
    Own,
    /// What it said before.
    Keep,
    /// Nothing: the member is left out.
    None,
    /// The `kid` of that key.
    Of(String),
    /// This text.
    Text(String),
}

impl Kid {
    fn is_default(&self) -> bool {
        *self == Kid::Own
    }
}

/// What everybody knows, used as an HMAC secret (the confusion of RFC 8725 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "PublicTextWire", into = "PublicTextWire")]
pub struct PublicText {
    /// The key that it has to do with: `kid` is its own unless something else is said.
    pub of: String,
    /// What it is.
    pub form: PublicForm,
}

/// Where a public text comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicForm {
    /// The public half of the key, written so.
    Layout(Layout),
    /// These very characters.
    Text(String),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicTextWire {
    of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layout: Option<Layout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl From<PublicText> for PublicTextWire {
    fn from(public: PublicText) -> Self {
        let (layout, text) = match public.form {
            PublicForm::Layout(layout) => (Some(layout), None),
            PublicForm::Text(text) => (None, Some(text)),
        };
        PublicTextWire { of: public.of, layout, text }
    }
}

impl TryFrom<PublicTextWire> for PublicText {
    type Error = &'static str;

    fn try_from(wire: PublicTextWire) -> Result<Self, Self::Error> {
        let form = match (wire.layout, wire.text) {
            (Some(layout), None) => PublicForm::Layout(layout),
            (None, Some(text)) => PublicForm::Text(text),
            _ => return Err("secret needs either `layout` or `text`"),
        };
        Ok(PublicText { of: wire.of, form })
    }
}

/// A member to set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMember {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// A member by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// A member to write a second time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// Its name.
    pub name: String,
    /// The second value.
    pub value: Value,
    /// Where the second value goes: before all members, or after.
    pub at: Place,
}

/// An end of a list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// A part taken from another token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splice {
    /// Which part.
    pub part: Segment,
    /// From an earlier step's token, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// From a token made for this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Box<Donor>>,
}

/// A segment of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// The protected header.
    Header,
    /// The payload.
    Payload,
    /// The signature.
    Signature,
}

/// A header member that carries or names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeader {
    /// The key itself (RFC 7515 section 4.1.3).
    Jwk,
    /// A certificate chain (section 4.1.6).
    X5c,
    /// A URL of a JWK Set (section 4.1.2).
    Jku,
    /// A URL of certificates (section 4.1.5).
    X5u,
    /// The SHA-1 thumbprint of a certificate (section 4.1.7).
    X5t,
    /// The SHA-256 thumbprint of a certificate (section 4.1.8).
    #[serde(rename = "x5t#S256")]
    X5tS256,
}

impl KeyHeader {
    /// All of them.
    pub const ALL: &'static [KeyHeader] =
        &[KeyHeader::Jwk, KeyHeader::X5c, KeyHeader::Jku, KeyHeader::X5u, KeyHeader::X5t, KeyHeader::X5tS256];

    /// The name of the header member.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            KeyHeader::Jwk => "jwk",
            KeyHeader::X5c => "x5c",
            KeyHeader::Jku => "jku",
            KeyHeader::X5u => "x5u",
            KeyHeader::X5t => "x5t",
            KeyHeader::X5tS256 => "x5t#S256",
        }
    }
}

/// One of the two integers of an ECDSA signature (RFC 7518 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EcdsaInteger {
    /// The first.
    R,
    /// The second.
    S,
}

/// A change to the signature octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mangle {
    /// Turns one bit, counted from the first octet's highest, around the end.
    FlipBit(u32),
    /// Cuts so many octets off the end.
    Truncate(u32),
    /// Adds so many zero octets.
    Extend(u32),
    /// All zeros, same length.
    Zero,
    /// ECDSA: (r, n-s).
    NMinusS,
    /// ECDSA: ASN.1 DER in place of R and S side by side.
    Der,
    /// ECDSA: R and S side by side, both without the zero octets that they begin with.
    DropZeros,
    /// ECDSA: R and S side by side, a zero octet before each.
    PadZeros,
}

/// Raw octets in place of, before or after a part, or of the whole token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Raw {
    /// The whole token is this text.
    Token(String),
    /// This text follows the token.
    After(String),
    /// This text stands before the token.
    Before(String),
    /// The token is cut to its first segments: 1 or 2.
    Segments(u8),
    /// The text of one segment (before base64url is undone) is this.
    Text {
        /// Which segment.
        part: Segment,
        /// Its text.
        text: String,
    },
    /// One bit of the decoded octets of the header or payload is turned.
    FlipBit {
        /// Which segment.
        part: Segment,
        /// Which bit, around the end.
        bit: u32,
    },
}

impl Act {
    /// The name in a scenario file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Act::SignWith(_) => "sign-with",
            Act::SetClaim(_) => "set-claim",
            Act::DropClaim(_) => "drop-claim",
            Act::SetHeader(_) => "set-header",
            Act::DropHeader(_) => "drop-header",
            Act::DuplicateClaim(_) => "duplicate-claim",
            Act::DuplicateHeader(_) => "duplicate-header",
            Act::SeekLeadingZero { .. } => "seek-leading-zero",
            Act::StripSignature {} => "strip-signature",
            Act::Splice(_) => "splice",
            Act::EmbedKey { .. } => "embed-key",
            Act::Serialize { .. } => "serialize",
            Act::Spell { .. } => "spell",
            Act::MangleSignature(_) => "mangle-signature",
            Act::Raw(_) => "raw",
        }
    }
}

/// Whether the acts stay within the bounds of the format.
pub(super) fn check(acts: &[Act], depth: usize) -> Result<(), String> {
    if acts.len() > MAX_ACTS {
        return Err(format!("{} acts: at most {MAX_ACTS}", acts.len()));
    }
    for act in acts {
        match act {
            Act::Splice(Splice { from: None, of: Some(donor), .. }) => {
                if depth + 1 > MAX_DEPTH {
                    return Err(format!("splices inside one another: at most {MAX_DEPTH}"));
                }
                check(&donor.acts, depth + 1)?;
            }
            Act::Splice(Splice { from: Some(_), of: None, .. }) => {}
            Act::Splice(_) => return Err("splice needs either `from` or `of`".to_owned()),
            Act::SignWith(SignWith { key: Some(_), secret: Some(_), .. }) => {
                return Err("sign-with takes `key` or `secret`, not both".to_owned());
            }
            Act::MangleSignature(Mangle::Extend(by)) if *by > 4096 => {
                return Err("mangle-signature: extend by at most 4096".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}
