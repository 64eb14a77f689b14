//! The forms in which applications keep public keys.

use serde::{Deserialize, Serialize};

macro_rules! layouts {
    ($($variant:ident, $sentence:literal;)+) => {
        /// How a public key, or something that is public about it, is written as text or octets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Layout {
            $(#[doc = $sentence] $variant,)+
        }

        impl Layout {
            /// All of them.
            pub const ALL: &'static [Layout] = &[$(Layout::$variant,)+];
        }
    };
}

layouts! {
    SpkiPem, "`-----BEGIN PUBLIC KEY-----` (RFC 7468 section 13), `\\n`, with a final newline.";
    SpkiPemTrimmed, "The same without the final newline.";
    SpkiPemCrlf, "The same with CR LF.";
    SpkiPemLeadingNewline, "The same after a newline.";
    SpkiPemComment, "The same after a line of comment.";
    SpkiPemOneLine, "The same with the base64 in one line.";
    SpkiBase64, "That base64 alone, in one line.";
    Pkcs1Pem, "`-----BEGIN RSA PUBLIC KEY-----`; RSA only.";
    Pkcs1PemTrimmed, "The same without the final newline.";
    Pkcs1PemCrlf, "The same with CR LF.";
    Pkcs1PemLeadingNewline, "The same after a newline.";
    Openssh, "An OpenSSH line without comment and newline; there is none for secp256k1.";
    OpensshNewline, "The same with a newline at its end.";
    Der, "SubjectPublicKeyInfo as octets.";
    Pkcs1Der, "RSAPublicKey (RFC 8017 appendix A.1.1) as octets; RSA only.";
    CertificatePem, "The first certificate of `x5c` as PEM with a final newline, where the key has one.";
    CertificateDer, "The same certificate as octets.";
    X5c, "The same certificate as `x5c` writes it.";
    Jwk, "Compact JSON of the JWK as the policy last listed it.";
    Jwks, "Compact JSON of the whole JWK Set that it stands in, as the policy last had it.";
    JwksAlone, "Compact JSON of a JWK Set with that JWK alone.";
    Modulus, "The big-endian modulus, or the curve coordinates one after the other.";
    Exponent, "The big-endian public exponent; RSA only.";
    Point, "The point as SEC 1 section 2.3.3 writes it, uncompressed; elliptic curves only.";
    ModulusText, "The modulus, or the first coordinate, as the JWK writes it.";
    Kty, "The `kty` of the JWK.";
    Alg, "The `alg` of the JWK, where it has one.";
    Kid, "The `kid`.";
    Path, "The name of a file in which an application may keep the key: its `kid` and `.pem`.";
    Empty, "Nothing at all.";
}
