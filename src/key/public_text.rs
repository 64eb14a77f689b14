//! The public half of a key as the texts and octets that applications keep it in, to be tried as HMAC secrets.

use super::KeyError;
use crate::jose::{Jwk, JwkSet, Layout, Material, encode_base64};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::EncodePublicKey as _;

/// The public half of this key, written in that layout.
///
/// # Errors
/// Where the key has no such form: a secret has none at all but `jwk`'s metadata, PKCS#1 is for RSA only.
pub fn public_text(jwk: &Jwk, layout: Layout) -> Result<Vec<u8>, KeyError> {
    let unfit = || KeyError::Layout { kty: jwk.material.kty(), layout };
    if matches!(jwk.material, Material::Oct { .. }) && !matches!(layout, Layout::Kid | Layout::Empty) {
        return Err(unfit());
    }
    let spki = || spki_der(&jwk.material).ok_or_else(unfit);
    let pem = || Ok(armoured("PUBLIC KEY", &spki()?));
    Ok(match layout {
        Layout::SpkiPem => pem()?.into_bytes(),
        Layout::SpkiPemTrimmed => pem()?.trim_end().as_bytes().to_vec(),
        Layout::SpkiPemCrlf => pem()?.replace('\n', "\r\n").into_bytes(),
        Layout::SpkiPemLeadingNewline => format!("\n{}", pem()?).into_bytes(),
        Layout::SpkiPemComment => format!("# public key\n{}", pem()?).into_bytes(),
        Layout::Pkcs1Pem => armoured("RSA PUBLIC KEY", &pkcs1_der(&jwk.material).ok_or_else(unfit)?).into_bytes(),
        Layout::Openssh => openssh(&jwk.material).ok_or_else(unfit)?.into_bytes(),
        Layout::Der => spki()?,
        Layout::Jwk => serde_json::to_vec(jwk).map_err(|_| unfit())?,
        Layout::Jwks => serde_json::to_vec(&JwkSet { keys: vec![jwk.clone()] }).map_err(|_| unfit())?,
        Layout::Modulus => match &jwk.material {
            Material::Rsa { n, .. } => n.clone(),
            Material::Ec { x, y, .. } => [x.as_slice(), y].concat(),
            Material::Okp { x, .. } => x.clone(),
            Material::Oct { .. } => return Err(unfit()),
        },
        Layout::Kid => jwk.kid.clone().ok_or_else(unfit)?.into_bytes(),
        Layout::Empty => Vec::new(),
    })
}

fn rsa_key(material: &Material) -> Option<rsa::RsaPublicKey> {
    match material {
        Material::Rsa { n, e } => {
            rsa::RsaPublicKey::new(rsa::BigUint::from_bytes_be(n), rsa::BigUint::from_bytes_be(e)).ok()
        }
        _ => None,
    }
}

fn pkcs1_der(material: &Material) -> Option<Vec<u8>> {
    Some(rsa_key(material)?.to_pkcs1_der().ok()?.as_bytes().to_vec())
}

fn spki_der(material: &Material) -> Option<Vec<u8>> {
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

fn armoured(label: &str, der: &[u8]) -> String {
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

    #[test]
    fn every_layout_is_another_text_and_the_pem_reads_back() {
        let pem_file = include_str!("../world/keys/rsa-3.pem");
        let mut jwk = Jwk::new(PrivateKey::from_pem(pem_file).unwrap().material().clone());
        jwk.kid = Some("some-kid".to_owned());
        let mut texts: Vec<_> = Layout::ALL.iter().map(|&layout| public_text(&jwk, layout).unwrap()).collect();
        let spki = String::from_utf8(texts[0].clone()).unwrap();
        assert_eq!(public_from_pem(&spki).unwrap(), jwk.material);
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), Layout::ALL.len());
    }

    #[test]
    fn a_secret_has_no_public_text() {
        let jwk = Jwk::new(PrivateKey::derive(DerivedKind::Secret, 0, "s").material().clone());
        assert!(public_text(&jwk, Layout::Jwk).is_err());
        assert!(public_text(&jwk, Layout::SpkiPem).is_err());
    }
}
