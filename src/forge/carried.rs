//! Keys that a token carries in its header, and places where it says that they are.

use super::Situation;
use crate::jose::{Json, Material, encode_base64, encode_base64url};
use crate::scenario::KeyHeader;
use crate::world::{Key, World};
use aws_lc_rs::digest;

/// The name of the file of a JWK Set, where nothing else is said.
const KEYS: &str = "jwks.json";

/// What the header member says of a key; `act` tells places in one token apart.
pub(super) fn carried(
    world: &World,
    situation: &Situation,
    key: &Key,
    r#as: KeyHeader,
    act: usize,
) -> Result<Json, String> {
    if matches!(key.jwk.material, Material::Oct { .. }) && r#as != KeyHeader::Jku {
        return Err("a secret is not carried in a header: name a key pair".to_owned());
    }
    let first = || certificate(key);
    Ok(match r#as {
        KeyHeader::Jwk => Json::from_serde(&serde_json::to_value(&key.jwk).map_err(|error| error.to_string())?),
        KeyHeader::X5c => Json::Array(certificates(key)?.iter().map(|der| Json::string(encode_base64(der))).collect()),
        KeyHeader::X5t => Json::string(thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY, &first()?)),
        KeyHeader::X5tS256 => Json::string(thumbprint(&digest::SHA256, &first()?)),
        KeyHeader::Jku => Json::string(url(world, situation, key, None, act)?),
        KeyHeader::X5u => {
            let file = format!("{}.pem", key.jwk.material.thumbprint());
            Json::string(url(world, situation, key, Some(&file), act)?)
        }
    })
}

/// RFC 7515 sections 4.1.7 and 4.1.8.
fn thumbprint(algorithm: &'static digest::Algorithm, der: &[u8]) -> String {
    encode_base64url(digest::digest(algorithm, der).as_ref())
}

fn certificates(key: &Key) -> Result<Vec<Vec<u8>>, String> {
    key.certificates().ok_or_else(|| format!("`{}` has no certificate, and nobody here can make one", key.alias))
}

/// The first certificate of a key.
pub(super) fn certificate(key: &Key) -> Result<Vec<u8>, String> {
    certificates(key)?.into_iter().next().ok_or_else(|| format!("`{}` has an empty chain", key.alias))
}

/// Where a token says that something about this key is: at the key's owner, or at the attacker's host, and in each token at
/// another place, so that whoever fetches it shows for which token.
pub(super) fn url(
    world: &World,
    situation: &Situation,
    key: &Key,
    file: Option<&str>,
    act: usize,
) -> Result<String, String> {
    let number = situation.nonce.number(situation.step, act);
    let place = world.label(&["url", &number.to_string()]);
    let file = file.unwrap_or(KEYS);
    match key.owner.as_ref().and_then(|owner| world.issuer(owner)) {
        None => Ok(format!("https://{}.example/{place}/{file}", world.label(&["attacker"]))),
        Some(owner) => {
            let address = owner.address().ok_or("the name of its issuer is no URL to put a JWK Set at")?;
            Ok(format!("{}://{}/{place}/{file}", address.scheme, address.authority))
        }
    }
}
