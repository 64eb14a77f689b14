//! The forms in which applications keep public keys.

use serde::{Deserialize, Serialize};

/// How a public key is written as text or octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `-----BEGIN PUBLIC KEY-----`, `\n`, with a final newline.
    SpkiPem,
    /// The same without the final newline.
    SpkiPemTrimmed,
    /// The same with CR LF.
    SpkiPemCrlf,
    /// The same after a newline.
    SpkiPemLeadingNewline,
    /// The same after a line of comment.
    SpkiPemComment,
    /// `-----BEGIN RSA PUBLIC KEY-----`; RSA only.
    Pkcs1Pem,
    /// An OpenSSH line without comment.
    Openssh,
    /// SubjectPublicKeyInfo as octets.
    Der,
    /// Compact JSON of the JWK as the world publishes it.
    Jwk,
    /// Compact JSON of a JWK Set with that key alone.
    Jwks,
    /// The big-endian modulus, or the curve coordinates.
    Modulus,
    /// The `kid`.
    Kid,
    /// Nothing at all.
    Empty,
}

impl Layout {
    /// All of them.
    pub const ALL: [Layout; 13] = [
        Layout::SpkiPem,
        Layout::SpkiPemTrimmed,
        Layout::SpkiPemCrlf,
        Layout::SpkiPemLeadingNewline,
        Layout::SpkiPemComment,
        Layout::Pkcs1Pem,
        Layout::Openssh,
        Layout::Der,
        Layout::Jwk,
        Layout::Jwks,
        Layout::Modulus,
        Layout::Kid,
        Layout::Empty,
    ];
}
