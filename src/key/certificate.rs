//! Self-signed certificates over test keys, for tokens that carry one (RFC 7515 section 4.1.6). Whoever has a key can make one:
//! it says nothing about whose the key is.

use super::{PrivateKey, public_text::spki_der};
use crate::jose::{Family, Material, Primitive};
use std::str::FromStr as _;
use std::time::Duration;
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{Any, BitString, UtcTime};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

/// The first second of 2020 and the last of 2049, after which a UTCTime ends (RFC 5280 section 4.1.2.5.1).
const VALIDITY: [u64; 2] = [1_577_836_800, 2_524_607_999];

/// The certificate that the owner of a key makes of it, in DER (RFC 5280 section 4.1): the same octets each time. Its name is the
/// thumbprint of the key. `None` for a secret.
pub(super) fn self_signed(key: &PrivateKey) -> Option<Vec<u8>> {
    let (by, algorithm) = algorithm(key.material())?;
    let name = Name::from_str(&format!("CN={}", key.material().thumbprint())).ok()?;
    let end = |seconds| UtcTime::from_unix_duration(Duration::from_secs(seconds)).ok().map(Time::from);
    let tbs_certificate = TbsCertificate {
        // RFC 5280 section 4.1.2.1: without extensions it is one of version 1.
        version: Version::V1,
        serial_number: SerialNumber::new(&[1]).ok()?,
        signature: algorithm.clone(),
        issuer: name.clone(),
        validity: Validity { not_before: end(VALIDITY[0])?, not_after: end(VALIDITY[1])? },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(&spki_der(key.material())?).ok()?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: None,
    };
    let octets = key.sign(by, &tbs_certificate.to_der().ok()?).ok()?.octets;
    let octets = if by.family() == Family::Ecdsa { ecdsa_der(&octets) } else { octets };
    let signature = BitString::from_bytes(&octets).ok()?;
    Certificate { tbs_certificate, signature_algorithm: algorithm, signature }.to_der().ok()
}

/// With what a key of that kind signs a certificate: RFC 4055 section 5, RFC 5758 section 3.2, RFC 8410 section 3.
fn algorithm(material: &Material) -> Option<(Primitive, AlgorithmIdentifierOwned)> {
    let (name, oid) = match material {
        Material::Rsa { .. } => ("RS256", "1.2.840.113549.1.1.11"),
        Material::Ec { crv, .. } => match crv.as_str() {
            "P-256" => ("ES256", "1.2.840.10045.4.3.2"),
            "P-384" => ("ES384", "1.2.840.10045.4.3.3"),
            "P-521" => ("ES512", "1.2.840.10045.4.3.4"),
            _ => ("ES256K", "1.2.840.10045.4.3.2"),
        },
        Material::Okp { .. } => ("EdDSA", "1.3.101.112"),
        Material::Oct { .. } => return None,
    };
    let parameters = matches!(material, Material::Rsa { .. }).then(Any::null);
    Some((Primitive::from_name(name)?, AlgorithmIdentifierOwned { oid: ObjectIdentifier::new(oid).ok()?, parameters }))
}

/// R and S as an ASN.1 SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3).
pub(crate) fn ecdsa_der(octets: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let first = half.iter().position(|&octet| octet != 0).unwrap_or(half.len().saturating_sub(1));
        let mut body = half[first..].to_vec();
        if body.first().is_some_and(|octet| octet & 0x80 != 0) {
            body.insert(0, 0);
        }
        [vec![2, u8::try_from(body.len()).unwrap_or(0x7f)], body].concat()
    };
    let (r, s) = octets.split_at(octets.len() / 2);
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    // X.690 section 8.1.3: from 128 on a length says in how many octets it is written. P-521 has up to 138.
    let start = if length < 128 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [start, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::DerivedKind;
    use aws_lc_rs::signature;

    #[test]
    fn a_certificate_is_over_its_key_and_signed_by_it() {
        let rsa = PrivateKey::from_pem(include_str!("../world/keys/rsa-3.pem")).unwrap();
        let derived = |kind| PrivateKey::derive(kind, 0, "k");
        let cases: [(PrivateKey, &dyn signature::VerificationAlgorithm); 5] = [
            (rsa, &signature::RSA_PKCS1_2048_8192_SHA256),
            (derived(DerivedKind::P256), &signature::ECDSA_P256_SHA256_ASN1),
            (derived(DerivedKind::P384), &signature::ECDSA_P384_SHA384_ASN1),
            (derived(DerivedKind::P521), &signature::ECDSA_P521_SHA512_ASN1),
            (derived(DerivedKind::Ed25519), &signature::ED25519),
        ];
        for (key, algorithm) in cases {
            let der = key.certificate().unwrap();
            let read = Certificate::from_der(der).unwrap();
            let tbs = &read.tbs_certificate;
            assert_eq!(tbs.subject_public_key_info.to_der().unwrap(), spki_der(key.material()).unwrap());
            assert_eq!((&tbs.issuer, &tbs.signature), (&tbs.subject, &read.signature_algorithm));
            let public = tbs.subject_public_key_info.subject_public_key.raw_bytes();
            let made = read.signature.raw_bytes();
            let over = tbs.to_der().unwrap();
            signature::UnparsedPublicKey::new(algorithm, public).verify(&over, made).unwrap();
            assert_eq!(key.certificate(), Some(der), "the same each time");
            // It reads as the certificate of a JWK does.
            let jwk = crate::jose::Jwk::new(key.material().clone()).with_certificates(vec![der.to_vec()]).unwrap();
            assert_eq!(jwk.lifetime().unwrap().not_before.unwrap().0, 1_577_836_800);
        }
        assert_eq!(derived(DerivedKind::Secret).certificate(), None);
    }
}
