//! The public side of a world as files, for gateways and applications that are given keys and do not fetch them.
//!
//! ```text
//! manifest.json                     who is there, and in which file what of them stands
//! policies/PARTY/KEY-SOURCE.json    what a relying party is told
//! jwks/ISSUER.json                  an issuer's JWK Set
//! converged-jwks.json               the set in which the keys of several issuers stand together, where the world has one
//! keys/ISSUER/KEY.pem               each key of the set (SubjectPublicKeyInfo)
//! discovery/ISSUER.json             an issuer's discovery document (OpenID Connect Discovery 1.0 section 3)
//! ```
//!
//! The names in capitals are the world's aliases; characters other than letters, digits, `-`, `_` and `.` are written as `%`
//! and two hexadecimal digits for each octet.

use super::documents::discovery;
use crate::jose::{Jwk, JwkSet, Layout};
use crate::key::public_text;
use crate::policy::KeySource;
use crate::world::{Calendar, Issuer, Party, Publication, World};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Files by their path, with `/` between its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What stands in `manifest.json`.
    pub manifest: Value,
    /// All files, the manifest among them.
    pub files: BTreeMap<String, String>,
}

/// The public side of a world at that time. The same world and time give the same octets. Secrets that parties share with
/// issuers are left out; the manifest says where.
#[must_use]
pub fn export(world: &World, calendar: Calendar) -> Export {
    let mut files = BTreeMap::new();
    let publication = Publication::of(world);
    let issuers: Vec<Value> =
        world.issuers.iter().map(|issuer| of_issuer(world, issuer, &publication, calendar, &mut files)).collect();
    let parties: Vec<Value> =
        world.parties.iter().map(|party| of_party(world, party, &publication, calendar, &mut files)).collect();
    let mut manifest = json!({
        "manifest": 1,
        "world": world.name,
        "about": world.about,
        "world_seed": world.seed,
        "world_digest": world.digest,
        "made_at": calendar.now().0,
        "issuers": issuers,
        "parties": parties,
    });
    if !world.converged.is_empty() {
        let name = "converged-jwks.json".to_owned();
        manifest["converged_jwks"] = json!(name);
        manifest["converged_issuers"] = json!(world.converged);
        files.insert(name, pretty(&world.converged_set(&publication, calendar)));
    }
    files.insert("manifest.json".to_owned(), pretty(&manifest));
    Export { manifest, files }
}

fn of_issuer(
    world: &World,
    issuer: &Issuer,
    publication: &Publication,
    calendar: Calendar,
    files: &mut BTreeMap<String, String>,
) -> Value {
    let name = file_name(&issuer.alias);
    let set = world.key_set(&issuer.alias, publication, calendar);
    let listed = publication.listed(&issuer.alias);
    let keys: Vec<Value> =
        listed.iter().zip(&set.keys).map(|((alias, _), jwk)| of_key(world, &name, alias, jwk, &set, files)).collect();
    let tenants = issuer.tenants.iter().filter_map(|alias| world.tenant(alias));
    let tenants: BTreeMap<&str, &str> = tenants.map(|tenant| (tenant.alias.as_str(), tenant.id.as_str())).collect();
    let mut entry = json!({ "alias": issuer.alias, "issuer": issuer.name, "algorithms": issuer.algorithms });
    if !tenants.is_empty() {
        entry["tenants"] = json!(tenants);
    }
    let path = format!("jwks/{name}.json");
    files.insert(path.clone(), pretty(&set));
    entry["jwks"] = json!(path);
    if let (Some(document), Some(address)) = (discovery(&issuer.name, &issuer.algorithms, None), issuer.address()) {
        let path = format!("discovery/{name}.json");
        files.insert(path.clone(), pretty(&document));
        entry["discovery"] = json!(path);
        entry["discovery_url"] = json!(address.discovery_url());
        entry["jwks_uri"] = json!(address.jwks_uri());
    }
    entry["keys"] = json!(keys);
    entry
}

fn of_key(
    world: &World,
    issuer: &str,
    alias: &str,
    jwk: &Jwk,
    set: &JwkSet,
    files: &mut BTreeMap<String, String>,
) -> Value {
    let signs = world.key(alias).map(|key| key.signs.iter().map(|alg| alg.name()).collect::<Vec<_>>());
    let mut entry = json!({
        "alias": alias,
        "kid": jwk.kid,
        "kty": jwk.material.kty(),
        "algorithms": signs,
        "thumbprint": jwk.material.thumbprint(),
    });
    if let Some(lifetime) = jwk.lifetime() {
        entry["not_before"] = json!(lifetime.not_before.map(|date| date.0));
        entry["not_after"] = json!(lifetime.not_after.map(|date| date.0));
    }
    // A key that is no good may have no such form.
    let pem = public_text(jwk, set, Layout::SpkiPem).ok().and_then(|text| String::from_utf8(text).ok());
    if let Some(pem) = pem {
        let path = format!("keys/{issuer}/{}.pem", file_name(alias));
        files.insert(path.clone(), pem);
        entry["pem"] = json!(path);
    }
    entry
}

fn of_party(
    world: &World,
    party: &Party,
    publication: &Publication,
    calendar: Calendar,
    files: &mut BTreeMap<String, String>,
) -> Value {
    let mut policies: BTreeMap<&str, String> = BTreeMap::new();
    for &source in &party.key_sources {
        let policy = world.policy(party, source, publication, calendar).without_secrets();
        let path = format!("policies/{}/{}.json", file_name(&party.alias), source.name());
        files.insert(path.clone(), pretty(&policy));
        policies.insert(source.name(), path);
    }
    let sharing = party.issuers.iter().filter(|trust| !trust.secrets.is_empty());
    let sharing: Vec<&str> = sharing.map(|trust| trust.alias.as_str()).collect();
    let trusted: Vec<&str> = party.issuers.iter().map(|trust| trust.alias.as_str()).collect();
    let mut entry =
        json!({ "alias": party.alias, "audiences": party.audiences, "issuers": trusted, "policies": policies });
    if !sharing.is_empty() && party.key_sources.contains(&KeySource::PerIssuer) {
        entry["secrets_left_out"] = json!(sharing);
    }
    entry
}

fn pretty(value: &impl Serialize) -> String {
    // Only maps with non-text keys or failing writers make serde_json fail; these have neither.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// An alias as the name of a file, which stays in its folder; different aliases have different names.
fn file_name(alias: &str) -> String {
    let plain = |index: usize, octet: u8| {
        octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_') || (octet == b'.' && index > 0)
    };
    let spelled = alias.bytes().enumerate().map(|(index, octet)| {
        if plain(index, octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") }
    });
    spelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Material, NumericDate};
    use crate::key::public_from_pem;
    use crate::policy::TrustPolicy;
    use crate::world::DEFAULT_SEED;

    const NOW: Calendar = Calendar::At(NumericDate(1_790_000_000));

    #[test]
    fn every_file_of_every_shipped_world_reads_back_as_what_the_manifest_says_it_is() {
        for name in World::shipped_names() {
            let world = World::shipped(name, DEFAULT_SEED).unwrap();
            let made = export(&world, NOW);
            assert_eq!(made, export(&world, NOW));
            let mut left: BTreeMap<_, _> = made.files.clone();
            let mut take = |path: &Value| left.remove(path.as_str().unwrap()).unwrap_or_else(|| panic!("{path}"));
            let manifest: Value = serde_json::from_str(&take(&json!("manifest.json"))).unwrap();
            assert_eq!(manifest, made.manifest);
            let all = |value: &Value| value.as_array().unwrap().clone();
            for entry in all(&manifest["issuers"]) {
                let set: JwkSet = serde_json::from_str(&take(&entry["jwks"])).unwrap();
                assert!(set.strays.is_empty());
                let document: Value = serde_json::from_str(&take(&entry["discovery"])).unwrap();
                assert_eq!((&document["issuer"], &document["jwks_uri"]), (&entry["issuer"], &entry["jwks_uri"]));
                let keys = all(&entry["keys"]);
                assert_eq!(keys.len(), set.keys.len());
                for (key, jwk) in keys.iter().zip(&set.keys) {
                    assert_eq!(key["kid"].as_str(), jwk.kid.as_deref());
                    let pem = take(&key["pem"]);
                    match (public_from_pem(&pem), &jwk.material) {
                        (Ok(read), material) => assert_eq!(read, *material, "{name} {key}"),
                        // An exponent of 1, and RFC 8410, are not what that reads.
                        (Err(_), Material::Okp { .. }) => {}
                        (Err(error), Material::Rsa { e, .. }) => assert_eq!(*e, [1], "{name} {key}: {error}"),
                        (Err(error), _) => panic!("{name} {key}: {error}"),
                    }
                }
            }
            for entry in all(&manifest["parties"]) {
                for (source, path) in entry["policies"].as_object().unwrap() {
                    let policy: TrustPolicy = serde_json::from_str(&take(path)).unwrap();
                    assert_eq!(policy.key_source.name(), source);
                    assert_eq!(policy.secret_octets().count(), 0);
                }
            }
            if let Some(path) = manifest.get("converged_jwks") {
                let set: JwkSet = serde_json::from_str(&take(path)).unwrap();
                assert_eq!(set, world.converged_set(&Publication::of(&world), NOW));
            }
            assert!(left.is_empty(), "{name}: the manifest does not name {left:?}");
        }
    }

    #[test]
    fn a_secret_is_left_out_and_the_manifest_says_so() {
        let world = World::shipped("two-issuers", DEFAULT_SEED).unwrap();
        let made = export(&world, NOW);
        let web = made.manifest["parties"].as_array().unwrap().iter().find(|party| party["alias"] == "web").unwrap();
        assert_eq!(web["secrets_left_out"], json!(["b"]));
        let Material::Oct { k } = &world.key("b-secret").unwrap().jwk.material else { panic!("a secret") };
        let secret = crate::jose::encode_base64url(k);
        let policy = world.policy(world.party("web").unwrap(), KeySource::PerIssuer, &Publication::of(&world), NOW);
        assert!(pretty(&policy).contains(&secret), "it is there to be left out");
        assert!(!made.files.values().any(|text| text.contains(&secret) || text.contains("\"secrets\"")));
    }

    #[test]
    fn an_alias_cannot_leave_its_folder() {
        assert_eq!(file_name("a-1_b.c"), "a-1_b.c");
        assert_eq!(file_name("../x"), "%2E.%2Fx");
        assert_eq!(file_name("%2E"), "%252E");
        assert_eq!(file_name("ä b"), "%C3%A4%20b");
    }
}
