//! The public half of a key as the texts and octets that applications keep it in, to be tried as HMAC secrets.

use super::KeyError;
use crate::jose::{Jwk, JwkSet, Layout, Material, encode_base64, encode_base64url};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::EncodePublicKey as _;

/// What is public of this key, written in that layout; `set` is the JWK Set that it stands in.
///
/// # Errors
/// Where the key has no such form: PKCS#1 is for RSA only, and of a secret nothing is public but how it is called.
pub fn public_text(jwk: &Jwk, set: &JwkSet, layout: Layout) -> Result<Vec<u8>, KeyError> {
    let unfit = || KeyError::Layout { kty: jwk.material.kty(), layout };
    let named = matches!(layout, Layout::Kid | Layout::Path | Layout::Kty | Layout::Alg | Layout::Empty);
    if matches!(jwk.material, Material::Oct { .. }) && !named {
        return Err(unfit());
    }
    let spki = || spki_der(&jwk.material).ok_or_else(unfit);
    let pem = || Ok(armoured("PUBLIC KEY", &spki()?));
    let pkcs1 = || pkcs1_der(&jwk.material).ok_or_else(unfit);
    let pkcs1_pem = || Ok(armoured("RSA PUBLIC KEY", &pkcs1()?));
    let line = || openssh(&jwk.material).ok_or_else(unfit);
    let certificate = || jwk.x5c.first().ok_or_else(unfit);
    let numbers = || numbers(&jwk.material).ok_or_else(unfit);
    Ok(match layout {
        Layout::SpkiPem => pem()?.into_bytes(),
        Layout::SpkiPemTrimmed => pem()?.trim_end().as_bytes().to_vec(),
        Layout::SpkiPemCrlf => pem()?.replace('\n', "\r\n").into_bytes(),
        Layout::SpkiPemLeadingNewline => format!("\n{}", pem()?).into_bytes(),
        Layout::SpkiPemComment => format!("# public key\n{}", pem()?).into_bytes(),
        Layout::SpkiPemOneLine => {
            let text = encode_base64(&spki()?);
            format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n").into_bytes()
        }
        Layout::SpkiBase64 => encode_base64(&spki()?).into_bytes(),
        Layout::Pkcs1Pem => pkcs1_pem()?.into_bytes(),
        Layout::Pkcs1PemTrimmed => pkcs1_pem()?.trim_end().as_bytes().to_vec(),
        Layout::Pkcs1PemCrlf => pkcs1_pem()?.replace('\n', "\r\n").into_bytes(),
        Layout::Pkcs1PemLeadingNewline => format!("\n{}", pkcs1_pem()?).into_bytes(),
        Layout::Openssh => line()?.into_bytes(),
        Layout::OpensshNewline => format!("{}\n", line()?).into_bytes(),
        Layout::Der => spki()?,
        Layout::Pkcs1Der => pkcs1()?,
        Layout::CertificatePem => armoured("CERTIFICATE", certificate()?).into_bytes(),
        Layout::CertificateDer => certificate()?.clone(),
        Layout::X5c => encode_base64(certificate()?).into_bytes(),
        Layout::Jwk => serde_json::to_vec(jwk).map_err(|_| unfit())?,
        Layout::Jwks => serde_json::to_vec(set).map_err(|_| unfit())?,
        Layout::JwksAlone => serde_json::to_vec(&JwkSet::of(vec![jwk.clone()])).map_err(|_| unfit())?,
        Layout::Modulus => numbers()?.concat(),
        Layout::ModulusText => numbers()?.first().map(|first| encode_base64url(first)).ok_or_else(unfit)?.into_bytes(),
        Layout::Exponent => match &jwk.material {
            Material::Rsa { e, .. } => e.clone(),
            _ => return Err(unfit()),
        },
        Layout::Point => match &jwk.material {
            Material::Ec { x, y, .. } => [&[4], x.as_slice(), y].concat(),
            _ => return Err(unfit()),
        },
        Layout::Kty => jwk.material.kty().as_bytes().to_vec(),
        Layout::Alg => jwk.alg.clone().ok_or_else(unfit)?.into_bytes(),
        Layout::Kid => jwk.kid.clone().ok_or_else(unfit)?.into_bytes(),
        Layout::Path => format!("{}.pem", jwk.kid.as_ref().ok_or_else(unfit)?).into_bytes(),
        Layout::Empty => Vec::new(),
    })
}

/// The modulus, or the coordinates.
fn numbers(material: &Material) -> Option<Vec<&[u8]>> {
    match material {
        Material::Rsa { n, .. } => Some(vec![n]),
        Material::Ec { x, y, .. } => Some(vec![x, y]),
        Material::Okp { x, .. } => Some(vec![x]),
        Material::Oct { .. } => None,
    }
}

fn rsa_key(material: &Material) -> Option<rsa::RsaPublicKey> {
    match material {
        Material::Rsa { n, e } => {
            // Unchecked: a key that is no good has its texts too.
            Some(rsa::RsaPublicKey::new_unchecked(rsa::BigUint::from_bytes_be(n), rsa::BigUint::from_bytes_be(e)))
        }
        _ => None,
    }
}

fn pkcs1_der(material: &Material) -> Option<Vec<u8>> {
    Some(rsa_key(material)?.to_pkcs1_der().ok()?.as_bytes().to_vec())
}

pub(super) fn spki_der(material: &Material) -> Option<Vec<u8>> {
    match material {
        Material::Rsa { .. } => Some(rsa_key(material)?.to_public_key_der().ok()?.as_bytes().to_vec()),
        Material::Ec { crv, x, y } => super::ec::spki_der(crv, x, y),
        Material::Okp { x, .. } if x.len() == 32 => {
            // RFC 8410 section 4.
            let mut der = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
            der.extend_from_slice(x);
            Some(der)
        }
        _ => None,
    }
}

/// DER as PEM (RFC 7468 section 2).
pub(crate) fn armoured(label: &str, der: &[u8]) -> String {
    let text = encode_base64(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4: name and numbers, each with its length before it.
fn openssh(material: &Material) -> Option<String> {
    fn field(out: &mut Vec<u8>, octets: &[u8]) {
        out.extend_from_slice(&u32::try_from(octets.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(octets);
    }
    fn number(out: &mut Vec<u8>, octets: &[u8]) {
        let sign: &[u8] = if octets.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
        field(out, &[sign, octets].concat());
    }
    let mut blob = Vec::new();
    let name = match material {
        Material::Rsa { n, e } => {
            field(&mut blob, b"ssh-rsa");
            number(&mut blob, e);
            number(&mut blob, n);
            "ssh-rsa"
        }
        Material::Ec { crv, x, y } => {
            // RFC 5656 section 10.1 has no short name for secp256k1, and OpenSSH no such key.
            let (name, curve) = match crv.as_str() {
                "P-256" => ("ecdsa-sha2-nistp256", "nistp256"),
                "P-384" => ("ecdsa-sha2-nistp384", "nistp384"),
                "P-521" => ("ecdsa-sha2-nistp521", "nistp521"),
                _ => return None,
            };
            field(&mut blob, name.as_bytes());
            field(&mut blob, curve.as_bytes());
            field(&mut blob, &[&[4], x.as_slice(), y].concat());
            name
        }
        Material::Okp { x, .. } => {
            field(&mut blob, b"ssh-ed25519");
            field(&mut blob, x);
            "ssh-ed25519"
        }
        _ => return None,
    };
    Some(format!("{name} {}", encode_base64(&blob)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{DerivedKind, PrivateKey, public_from_pem};

    /// What a key of every kind has, with everything that a JWK can say of it.
    fn listed(material: Material) -> (Jwk, JwkSet) {
        let (_, der) =
            x509_cert::der::pem::decode_vec(include_str!("../world/keys/rsa-2.cert.pem").as_bytes()).unwrap();
        let mut jwk = Jwk::new(material).with_certificates(vec![der]).unwrap();
        jwk.kid = Some("some-kid".to_owned());
        jwk.alg = Some("some-alg".to_owned());
        let other = Jwk::new(PrivateKey::derive(DerivedKind::P256, 0, "other").material().clone());
        (jwk.clone(), JwkSet::of(vec![other, jwk]))
    }

    fn texts(jwk: &Jwk, set: &JwkSet) -> Vec<(Layout, Vec<u8>)> {
        Layout::ALL.iter().filter_map(|&layout| Some((layout, public_text(jwk, set, layout).ok()?))).collect()
    }

    #[test]
    fn every_layout_that_a_key_has_is_another_text_and_the_pem_reads_back() {
        let rsa = PrivateKey::from_pem(include_str!("../world/keys/rsa-3.pem")).unwrap();
        let derived = |kind| PrivateKey::derive(kind, 0, "k");
        let kinds = [DerivedKind::P256, DerivedKind::P384, DerivedKind::P521, DerivedKind::Secp256k1];
        let counts = [(rsa, 29)]
            .into_iter()
            .chain(kinds.map(|kind| (derived(kind), if kind == DerivedKind::Secp256k1 { 22 } else { 24 })))
            .chain([(derived(DerivedKind::Ed25519), 23), (derived(DerivedKind::Secret), 5)]);
        for (key, count) in counts {
            let (jwk, set) = listed(key.material().clone());
            let texts = texts(&jwk, &set);
            assert_eq!(texts.len(), count, "{:?}", jwk.material);
            if let Some((_, pem)) = texts.iter().find(|(layout, _)| *layout == Layout::SpkiPem)
                && !matches!(jwk.material, Material::Okp { .. })
            {
                assert_eq!(public_from_pem(std::str::from_utf8(pem).unwrap()).unwrap(), jwk.material);
            }
            let distinct: std::collections::BTreeSet<_> = texts.iter().map(|(_, text)| text).collect();
            // The base64 of an Edwards-curve key fits into one line anyway.
            let alike = usize::from(matches!(jwk.material, Material::Okp { .. }));
            assert_eq!(distinct.len(), count - alike, "{:?}", jwk.material);
        }
    }

    #[test]
    fn of_a_secret_nothing_is_public_but_its_names() {
        let (jwk, set) = listed(PrivateKey::derive(DerivedKind::Secret, 0, "s").material().clone());
        assert!(public_text(&jwk, &set, Layout::Jwk).is_err());
        assert!(public_text(&jwk, &set, Layout::SpkiPem).is_err());
        let Material::Oct { k } = &jwk.material else { unreachable!() };
        for (layout, text) in texts(&jwk, &set) {
            assert!(!text.windows(8).any(|window| window == &k[..8]), "{layout:?}");
        }
    }

    #[test]
    fn an_openssh_line_is_as_ssh_keygen_writes_it() {
        // RFC 8037 appendix A.2 as RFC 8709 section 4 writes it.
        let x = crate::jose::decode_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let line = openssh(&Material::Okp { crv: "Ed25519".to_owned(), x }).unwrap();
        assert_eq!(line, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea");
    }
}
