//! The RFCs' own examples, and keys that are no good.

use super::super::base64url;
use super::{ALGORITHMS, Algorithm, Key, KeyTerms};
use crate::jose::{Jwk, Material};
use aws_lc_rs::hmac;

struct Example {
    source: &'static str,
    alg: &'static str,
    material: Material,
    token: &'static str,
}

fn octets(text: &str) -> Vec<u8> {
    base64url::read(text.as_bytes()).expect("the RFC's base64url")
}

fn examples() -> Vec<Example> {
    let ec = |crv: &str, x: &str, y: &str| Material::Ec { crv: crv.to_owned(), x: octets(x), y: octets(y) };
    vec![
        Example {
            source: "RFC 7515 appendix A.1",
            alg: "HS256",
            material: Material::Oct {
                k: octets("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"),
            },
            token: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        },
        Example {
            source: "RFC 7515 appendix A.2",
            alg: "RS256",
            material: Material::Rsa {
                n: octets(
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                    T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
                    dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
                    GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
                ),
                e: octets("AQAB"),
            },
            token: "eyJhbGciOiJSUzI1NiJ9.\
                eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
                F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383\
                LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy\
                wlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        },
        Example {
            source: "RFC 7515 appendix A.3",
            alg: "ES256",
            material: ec(
                "P-256",
                "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            ),
            token: "eyJhbGciOiJFUzI1NiJ9.\
                eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        },
        Example {
            source: "RFC 7515 appendix A.4",
            alg: "ES512",
            material: ec(
                "P-521",
                "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
                "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
            ),
            token: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.\
                AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo\
                XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        },
        Example {
            source: "RFC 7520 section 4.2",
            alg: "PS384",
            material: Material::Rsa {
                n: octets(
                    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRB\
                    SFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD\
                    1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_\
                    qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
                ),
                e: octets("AQAB"),
            },
            token: "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.\
                SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h\
                ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3\
                ZXB0IG9mZiB0by4.\
                cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6\
                _1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3\
                lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6G\
                YmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        },
        Example {
            source: "RFC 8037 appendix A.4",
            alg: "EdDSA",
            material: Material::Okp {
                crv: "Ed25519".to_owned(),
                x: octets("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            },
            token: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        },
    ]
}

const NO_TERMS: KeyTerms<'static> = KeyTerms { cloud: None, lifetime_binds: false };

fn verifies(material: &Material, alg: &str, input: &[u8], signature: &[u8]) -> bool {
    let algorithm = Algorithm::named(alg).expect("an algorithm of the table");
    Key::new(&Jwk::new(material.clone()), &NO_TERMS).verify(algorithm, input, signature, 0).is_ok()
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    for Example { source, alg, material, token } in examples() {
        let (input, signature) = token.rsplit_once('.').expect("three parts");
        let signature = octets(signature);
        assert!(verifies(&material, alg, input.as_bytes(), &signature), "{source}");

        for octet in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[octet] ^= 1;
            assert!(!verifies(&material, alg, input.as_bytes(), &flipped), "{source}, octet {octet} of the signature");
        }
        let longer = [&signature[..], &[0]].concat();
        for other in [&[][..], &signature[1..], &signature[..signature.len() - 1], &longer, &vec![0; signature.len()]] {
            assert!(!verifies(&material, alg, input.as_bytes(), other), "{source}: another length");
        }
        assert!(!verifies(&material, alg, &input.as_bytes()[1..], &signature), "{source}: another input");
        for other in &ALGORITHMS {
            let fits = verifies(&material, other.name, input.as_bytes(), &signature);
            assert_eq!(fits, other.name == alg, "{source} read as {}", other.name);
        }
    }
}

#[test]
fn keys_that_are_weak_or_none_verify_nothing() {
    let tag = |secret: &[u8], hash| hmac::sign(&hmac::Key::new(hash, secret), b"input");
    for (alg, hash, least) in
        [("HS256", hmac::HMAC_SHA256, 32), ("HS384", hmac::HMAC_SHA384, 48), ("HS512", hmac::HMAC_SHA512, 64)]
    {
        for (length, enough) in [(least, true), (least - 1, false), (1, false)] {
            let secret = vec![7; length];
            let signature = tag(&secret, hash);
            let holds = verifies(&Material::Oct { k: secret }, alg, b"input", signature.as_ref());
            assert_eq!(holds, enough, "{alg} with {length} octets");
        }
    }
    let empty = |crv: &str| Material::Ec { crv: crv.to_owned(), x: Vec::new(), y: Vec::new() };
    for material in [
        Material::Oct { k: Vec::new() },
        Material::Rsa { n: Vec::new(), e: Vec::new() },
        Material::Rsa { n: vec![0; 256], e: vec![0] },
        Material::Rsa { n: vec![0xff; 256], e: vec![] },
        Material::Rsa { n: vec![0xff; 4096], e: vec![1, 0, 1] },
        Material::Ec { crv: "P-256".to_owned(), x: vec![0; 32], y: vec![0; 32] },
        Material::Ec { crv: "P-256".to_owned(), x: vec![1; 33], y: vec![1; 31] },
        empty("P-256"),
        empty("nonsense"),
        Material::Okp { crv: "Ed25519".to_owned(), x: vec![1; 31] },
        Material::Okp { crv: "X25519".to_owned(), x: vec![1; 32] },
    ] {
        for algorithm in &ALGORITHMS {
            for length in [0, 32, 64, 256] {
                assert!(!verifies(&material, algorithm.name, b"input", &vec![0; length]), "{material:?}");
            }
        }
    }
}
