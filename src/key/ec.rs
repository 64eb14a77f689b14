//! Elliptic-curve keys: four curves, and ECDSA with the nonce of RFC 6979, so that a signature never differs.

use super::Signature;
use crate::jose::{Hash, Material};
use ecdsa::elliptic_curve::PrimeField as _;
use ecdsa::elliptic_curve::sec1::ToEncodedPoint as _;
use ecdsa::hazmat::sign_prehashed;
use ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A signature as octets, with the other one that is as valid. The crates' types have too much in common to write it four
/// times, and ask too much of a generic function.
macro_rules! with_mirror {
    ($curve:ident, $signature:expr) => {{
        let signature: $curve::ecdsa::Signature = $signature;
        let (r, s) = signature.split_scalars();
        let mirror = $curve::ecdsa::Signature::from_scalars(*r.as_ref(), -*s.as_ref()).ok();
        Signature { octets: signature.to_bytes().to_vec(), mirror: mirror.map(|mirror| mirror.to_bytes().to_vec()) }
    }};
}

/// The curves by the names of RFC 7518 section 6.2.1.1 and RFC 8812 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

/// A private key on one of them.
pub(super) enum EcKey {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    /// The crate signs with random nonces only, so [`sign_p521`] brings its own.
    P521(Box<p521::SecretKey>),
    Secp256k1(k256::ecdsa::SigningKey),
}

impl Curve {
    const ALL: [Curve; 4] = [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1];

    fn of(crv: &str) -> Option<Curve> {
        Curve::ALL.into_iter().find(|curve| curve.name() == crv)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
            Curve::Secp256k1 => "secp256k1",
        }
    }

    /// Octets of a coordinate or a private key.
    pub(super) fn width(self) -> usize {
        match self {
            Curve::P256 | Curve::Secp256k1 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }
}

impl EcKey {
    /// The key of that private number, big-endian at full width; `None` where it is not within the curve's order.
    pub(super) fn new(curve: Curve, scalar: &[u8]) -> Option<Self> {
        Some(match curve {
            Curve::P256 => EcKey::P256(p256::ecdsa::SigningKey::from_slice(scalar).ok()?),
            Curve::P384 => EcKey::P384(p384::ecdsa::SigningKey::from_slice(scalar).ok()?),
            Curve::P521 => EcKey::P521(Box::new(p521::SecretKey::from_slice(scalar).ok()?)),
            Curve::Secp256k1 => EcKey::Secp256k1(k256::ecdsa::SigningKey::from_slice(scalar).ok()?),
        })
    }

    /// A PKCS#8 private key in PEM.
    pub(super) fn from_pem(pem: &str) -> Option<Self> {
        if let Ok(key) = p256::SecretKey::from_pkcs8_pem(pem) {
            return Some(EcKey::P256(key.into()));
        }
        if let Ok(key) = p384::SecretKey::from_pkcs8_pem(pem) {
            return Some(EcKey::P384(key.into()));
        }
        if let Ok(key) = p521::SecretKey::from_pkcs8_pem(pem) {
            return Some(EcKey::P521(Box::new(key)));
        }
        k256::SecretKey::from_pkcs8_pem(pem).ok().map(|key| EcKey::Secp256k1(key.into()))
    }

    /// The public half.
    pub(super) fn material(&self) -> Material {
        match self {
            EcKey::P256(key) => material(Curve::P256, key.verifying_key().to_encoded_point(false).as_bytes()),
            EcKey::P384(key) => material(Curve::P384, key.verifying_key().to_encoded_point(false).as_bytes()),
            EcKey::P521(key) => material(Curve::P521, key.public_key().to_encoded_point(false).as_bytes()),
            EcKey::Secp256k1(key) => material(Curve::Secp256k1, key.verifying_key().to_encoded_point(false).as_bytes()),
        }
    }

    /// The private number.
    pub(super) fn octets(&self) -> Vec<u8> {
        match self {
            EcKey::P256(key) => key.to_bytes().to_vec(),
            EcKey::P384(key) => key.to_bytes().to_vec(),
            EcKey::P521(key) => key.to_bytes().to_vec(),
            EcKey::Secp256k1(key) => key.to_bytes().to_vec(),
        }
    }

    /// Signs the digest of the input by any hash, whether or not an algorithm pairs it with this curve: FIPS 186-5 section
    /// 6.4.1 takes as many leading bits of a digest as the curve's order has. `None` where the curve's crate will not.
    pub(super) fn sign(&self, hash: Hash, input: &[u8]) -> Option<Signature> {
        let digest = match hash {
            Hash::Sha256 => Sha256::digest(input).to_vec(),
            Hash::Sha384 => Sha384::digest(input).to_vec(),
            Hash::Sha512 => Sha512::digest(input).to_vec(),
        };
        match self {
            EcKey::P256(key) => Some(with_mirror!(p256, key.sign_prehash(&digest).ok()?)),
            EcKey::P384(key) => Some(with_mirror!(p384, key.sign_prehash(&digest).ok()?)),
            EcKey::P521(key) => sign_p521(key, &digest),
            EcKey::Secp256k1(key) => Some(with_mirror!(k256, key.sign_prehash(&digest).ok()?)),
        }
    }
}

/// RFC 6979 section 3.2 with HMAC SHA-512 for P-521, whose order has 521 bits: a digest of ours is shorter, so it stands
/// for itself, and of the 66 octets that are drawn the first 521 bits count (section 2.3.2).
fn sign_p521(key: &p521::SecretKey, digest: &[u8]) -> Option<Signature> {
    let mut z = p521::FieldBytes::default();
    let start = z.len().checked_sub(digest.len())?;
    z[start..].copy_from_slice(digest);
    let mut nonces = rfc6979::HmacDrbg::<Sha512>::new(&key.to_bytes(), &z, &[]);
    let scalar = key.to_nonzero_scalar();
    loop {
        let mut drawn = p521::FieldBytes::default();
        nonces.fill_bytes(&mut drawn);
        let mut carry = 0;
        for octet in &mut drawn {
            (*octet, carry) = (carry << 1 | *octet >> 7, *octet & 0x7f);
        }
        // Zero, and what is not within the order, is drawn again.
        let Some(nonce) = Option::<p521::Scalar>::from(p521::Scalar::from_repr(drawn)) else { continue };
        if let Ok((signature, _)) = sign_prehashed::<p521::NistP521, _>(scalar.as_ref(), nonce, &z) {
            return Some(with_mirror!(p521, signature));
        }
    }
}

/// SEC 1 section 2.3.3: an uncompressed point.
fn material(curve: Curve, point: &[u8]) -> Material {
    let (x, y) = point[1..].split_at(curve.width());
    Material::Ec { crv: curve.name().to_owned(), x: x.to_vec(), y: y.to_vec() }
}

/// The public key in a PEM text (SubjectPublicKeyInfo).
pub(super) fn public_from_pem(pem: &str) -> Result<Material, String> {
    if let Ok(key) = p384::PublicKey::from_public_key_pem(pem) {
        return Ok(material(Curve::P384, key.to_encoded_point(false).as_bytes()));
    }
    if let Ok(key) = p521::PublicKey::from_public_key_pem(pem) {
        return Ok(material(Curve::P521, key.to_encoded_point(false).as_bytes()));
    }
    if let Ok(key) = k256::PublicKey::from_public_key_pem(pem) {
        return Ok(material(Curve::Secp256k1, key.to_encoded_point(false).as_bytes()));
    }
    match p256::PublicKey::from_public_key_pem(pem) {
        Ok(key) => Ok(material(Curve::P256, key.to_encoded_point(false).as_bytes())),
        Err(error) => Err(error.to_string()),
    }
}

/// SubjectPublicKeyInfo (RFC 5480 section 2); `None` for coordinates that are no point of the curve.
pub(super) fn spki_der(crv: &str, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    let curve = Curve::of(crv)?;
    let point = [&[4], x, y].concat();
    let document = match curve {
        Curve::P256 => p256::PublicKey::from_sec1_bytes(&point).ok()?.to_public_key_der(),
        Curve::P384 => p384::PublicKey::from_sec1_bytes(&point).ok()?.to_public_key_der(),
        Curve::P521 => p521::PublicKey::from_sec1_bytes(&point).ok()?.to_public_key_der(),
        Curve::Secp256k1 => k256::PublicKey::from_sec1_bytes(&point).ok()?.to_public_key_der(),
    };
    Some(document.ok()?.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
        EcdsaVerificationAlgorithm, UnparsedPublicKey,
    };

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
    }

    /// Curve, private number, hash, message, r and s: RFC 6979 appendices A.2.5 to A.2.7, and for secp256k1, which it has
    /// not, the example that implementations of that curve share.
    const EXAMPLES: [(Curve, &str, Hash, &str, &str, &str); 5] = [
        (
            Curve::P256,
            "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
            Hash::Sha256,
            "sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            Curve::P384,
            "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
            Hash::Sha384,
            "sample",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
            "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (Curve::P521, P521, Hash::Sha512, "sample", SAMPLE_R, SAMPLE_S),
        (Curve::P521, P521, Hash::Sha512, "test", TEST_R, TEST_S),
        (
            Curve::Secp256k1,
            "0000000000000000000000000000000000000000000000000000000000000001",
            Hash::Sha256,
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
            "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
    ];

    const P521: &str = "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC\
                        1466F6D8FBEC67DB89EC0C08B0E996B83538";
    const SAMPLE_R: &str = "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD15\
                            2B534931D7D4E8455CC91F9B15BF05EC36E377FA";
    const SAMPLE_S: &str = "00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37F\
                            F0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A";
    const TEST_R: &str = "013E99020ABF5CEE7525D16B69B229652AB6BDF2AFFCAEF38773B4B7D08725F10CDB93482FDCC54EDCEE91ECA4166B2A\
                          7C6265EF0CE2BD7051B7CEF945BABD47EE6D";
    const TEST_S: &str = "01FBD0013C674AA79CB39849527916CE301C66EA7CE8B80682786AD60F98F7E78A19CA69EFF5C57400E3B3A0AD66CE09\
                          78214D13BAF4E9AC60752F7B155E2DE4DCE3";

    #[test]
    fn the_examples_of_rfc_6979_come_out() {
        for (curve, number, hash, message, r, s) in EXAMPLES {
            let key = EcKey::new(curve, &hex(number)).unwrap();
            let signature = key.sign(hash, message.as_bytes()).unwrap();
            assert_eq!(signature.octets, [hex(r), hex(s)].concat(), "{curve:?} {message}");
        }
    }

    fn verifies(material: &Material, input: &[u8], signature: &[u8]) -> bool {
        let Material::Ec { crv, x, y } = material else { unreachable!() };
        let algorithm: &EcdsaVerificationAlgorithm = match crv.as_str() {
            "P-256" => &ECDSA_P256_SHA256_FIXED,
            "P-384" => &ECDSA_P384_SHA384_FIXED,
            "P-521" => &ECDSA_P521_SHA512_FIXED,
            _ => &ECDSA_P256K1_SHA256_FIXED,
        };
        UnparsedPublicKey::new(algorithm, [&[4], x.as_slice(), y].concat()).verify(input, signature).is_ok()
    }

    #[test]
    fn another_implementation_verifies_what_is_signed_and_its_mirror_and_nothing_else() {
        let own = [Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha256];
        for (curve, hash) in Curve::ALL.into_iter().zip(own) {
            let mut number = vec![7; curve.width()];
            number[0] = 0;
            let key = EcKey::new(curve, &number).unwrap();
            for length in 0..20 {
                let input = vec![b'x'; length];
                let signature = key.sign(hash, &input).unwrap();
                assert_eq!(signature, key.sign(hash, &input).unwrap(), "{curve:?}");
                let mirror = signature.mirror.unwrap();
                assert_ne!(mirror, signature.octets);
                assert_eq!(signature.octets.len(), 2 * curve.width());
                assert!(verifies(&key.material(), &input, &signature.octets), "{curve:?}");
                assert!(verifies(&key.material(), &input, &mirror), "{curve:?} mirrored");
                assert!(!verifies(&key.material(), b"y", &signature.octets), "{curve:?}");
            }
        }
    }

    #[test]
    fn every_curve_signs_by_every_hash_and_only_its_own_verifies() {
        for (index, curve) in Curve::ALL.into_iter().enumerate() {
            let key = EcKey::new(curve, &vec![1; curve.width()]).unwrap();
            for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
                let signature = key.sign(hash, b"input").unwrap_or_else(|| panic!("{curve:?} {hash:?}"));
                let own = [Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha256][index] == hash;
                assert_eq!(verifies(&key.material(), b"input", &signature.octets), own, "{curve:?} {hash:?}");
            }
        }
    }

    #[test]
    fn pem_of_every_curve_is_read_back() {
        use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
        for curve in Curve::ALL {
            let key = EcKey::new(curve, &vec![1; curve.width()]).unwrap();
            let pem = match &key {
                EcKey::P256(key) => p256::SecretKey::from(key).to_pkcs8_pem(LineEnding::LF),
                EcKey::P384(key) => p384::SecretKey::from(key).to_pkcs8_pem(LineEnding::LF),
                EcKey::P521(key) => key.to_pkcs8_pem(LineEnding::LF),
                EcKey::Secp256k1(key) => k256::SecretKey::from(key).to_pkcs8_pem(LineEnding::LF),
            };
            let read = EcKey::from_pem(&pem.unwrap()).unwrap();
            assert_eq!((read.octets(), read.material()), (key.octets(), key.material()), "{curve:?}");
        }
    }
}
