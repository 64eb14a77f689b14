//! Reading world files: what was written, then what it means, with every wrong name answered by file, place and remedy.

use super::{Issuer, Key, Party, PartyIssuer, Subject, Tenant, World, label};
use crate::error::Error;
use crate::jose::{Family, Jwk, Primitive};
use crate::key::{DerivedKind, Memo, PrivateKey, derive_octets, public_from_pem};
use crate::policy::{KeySource, Replay, TENANT_PLACE};
use crate::scenario::Span;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorldFile {
    world: u8,
    name: String,
    about: String,
    #[serde(default)]
    converged: Vec<String>,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    subjects: Vec<String>,
    issuers: toml::Table,
    keys: toml::Table,
    parties: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct IssuerFile {
    name: Option<String>,
    host: Option<String>,
    path: Option<String>,
    algorithms: Vec<String>,
    #[serde(default)]
    tenants: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct KeyFile {
    owner: Option<String>,
    shipped: Option<String>,
    derive: Option<DerivedKind>,
    derived_from: Option<String>,
    private_pem: Option<String>,
    public_pem: Option<String>,
    public_jwk: Option<toml::Table>,
    shipped_certificate: Option<String>,
    signs: Vec<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    cloud: Option<String>,
    #[serde(default = "yes")]
    published: bool,
    #[serde(default = "yes")]
    honest: bool,
    #[serde(default = "yes")]
    names_issuer: bool,
    issuer_member: Option<String>,
    not_before: Option<Span>,
    not_after: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PartyFile {
    audiences: Option<Vec<String>>,
    algorithms: Option<Vec<String>>,
    issuers: BTreeMap<String, PartyIssuerFile>,
    key_sources: Option<Vec<KeySource>>,
    token_types: Option<Vec<String>>,
    required_claims: Option<Vec<String>>,
    leeway: Option<u64>,
    crit_understood: Option<Vec<String>>,
    cloud: Option<String>,
    jwks_max_age: Option<u64>,
    enforce_key_lifetime: Option<bool>,
    replay: Option<Replay>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PartyIssuerFile {
    tenants: Option<Vec<String>>,
    subjects: Option<Vec<String>>,
    #[serde(default)]
    signer: SignerFile,
    #[serde(default)]
    secrets: Vec<String>,
    algorithms: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
}

/// Whether the header names the issuer's signer, or one whose name is derived from this text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`signer` is true, false or a text to derive a name from")]
enum SignerFile {
    Own(bool),
    Derived(String),
}

impl Default for SignerFile {
    fn default() -> Self {
        SignerFile::Own(false)
    }
}

fn yes() -> bool {
    true
}

/// RSA test keys inside the binary; the texts say that they protect nothing.
const SHIPPED_KEYS: [(&str, &str); 12] = [
    ("rsa-1", include_str!("keys/rsa-1.pem")),
    ("rsa-2", include_str!("keys/rsa-2.pem")),
    ("rsa-3", include_str!("keys/rsa-3.pem")),
    ("rsa-4", include_str!("keys/rsa-4.pem")),
    ("rsa-5", include_str!("keys/rsa-5.pem")),
    ("rsa-6", include_str!("keys/rsa-6.pem")),
    ("rsa-7", include_str!("keys/rsa-7.pem")),
    ("rsa-8", include_str!("keys/rsa-8.pem")),
    ("rsa-9", include_str!("keys/rsa-9.pem")),
    ("rsa-10", include_str!("keys/rsa-10.pem")),
    ("rsa-1024", include_str!("keys/rsa-1024.pem")),
    ("rsa-4096", include_str!("keys/rsa-4096.pem")),
];

/// Certificates of those keys.
const SHIPPED_CERTIFICATES: [(&str, &str); 2] =
    [("rsa-1-2016", include_str!("keys/rsa-1-2016.cert.pem")), ("rsa-2", include_str!("keys/rsa-2.cert.pem"))];

/// Larger files are no worlds.
const MAX_FILE: u64 = 4 << 20;

struct Reader<'f> {
    file: &'f str,
    folder: Option<&'f Path>,
    naming: &'f Naming,
    seed: u64,
}

/// What the names in a world follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Names, ids and derived keys follow from it.
    pub seed: u64,
    /// A URL without a slash at its end, below which every issuer lives: its host becomes the first segment of the path.
    pub issuer_base: Option<String>,
}

impl Naming {
    /// Names by this seed, each issuer at a host of its own.
    #[must_use]
    pub fn by(seed: u64) -> Self {
        Naming { seed, issuer_base: None }
    }

    /// An issuer's name below the base; as it is where there is none, or where the name is no URL.
    fn moved(&self, name: String) -> String {
        match (&self.issuer_base, name.split_once("://")) {
            (Some(base), Some((_, rest))) => format!("{base}/{rest}"),
            _ => name,
        }
    }
}

impl World {
    /// Reads a world file; paths in it are relative to it.
    ///
    /// # Errors
    /// Names the file, the place in it and what would be right.
    pub fn load(path: &Path, seed: u64) -> Result<World, Error> {
        World::load_named(path, &Naming::by(seed))
    }

    /// The same with other names.
    ///
    /// # Errors
    /// As [`World::load`].
    pub fn load_named(path: &Path, naming: &Naming) -> Result<World, Error> {
        let text = read_bounded(path)?;
        World::read(&text, &path.display().to_string(), path.parent(), naming)
    }

    /// Reads a world from text; `file` is what errors call it.
    ///
    /// # Errors
    /// Names the file, the place in it and what would be right.
    pub fn from_toml(text: &str, file: &str, folder: Option<&Path>, seed: u64) -> Result<World, Error> {
        World::read(text, file, folder, &Naming::by(seed))
    }

    pub(super) fn read(text: &str, file: &str, folder: Option<&Path>, naming: &Naming) -> Result<World, Error> {
        let seed = naming.seed;
        let reader = Reader { file, folder, naming, seed };
        let written: WorldFile = toml::from_str(text).map_err(|error| reader.wrong("the file", error.to_string()))?;
        if written.world != 1 {
            return Err(reader.wrong("world", format!("version {} is unknown: this wrongkey reads 1", written.world)));
        }
        if written.name.is_empty() || !written.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(reader.wrong("name", "letters, digits, `-`, `_` and `.` only".to_owned()));
        }
        let tenants = written.tenants.iter().map(|alias| Tenant { alias: alias.clone(), id: uuid(seed, alias) });
        let subjects =
            written.subjects.iter().map(|alias| Subject { alias: alias.clone(), id: label(seed, &["subject", alias]) });
        let mut world = World {
            name: written.name,
            about: written.about.trim().to_owned(),
            seed,
            tenants: tenants.collect(),
            subjects: subjects.collect(),
            issuers: Vec::new(),
            keys: Vec::new(),
            parties: Vec::new(),
            converged: written.converged,
            digest: {
                let base = naming.issuer_base.as_deref().unwrap_or_default();
                hex(&Sha256::digest([text.as_bytes(), &seed.to_be_bytes(), base.as_bytes()].concat())[..16])
            },
            memo: Memo::default(),
        };
        for (alias, table) in written.issuers {
            let issuer = reader.issuer(&world, &alias, table)?;
            world.issuers.push(issuer);
        }
        for (alias, table) in written.keys {
            let key = reader.key(&world, &alias, table)?;
            world.keys.push(key);
        }
        for (alias, table) in written.parties {
            let party = reader.party(&world, &alias, table)?;
            world.parties.push(party);
        }
        for alias in &world.converged {
            reader.known("converged", "issuer", alias, world.issuer(alias).is_some())?;
        }
        if world.parties.is_empty() {
            return Err(reader.wrong("parties", "a world needs at least one relying party".to_owned()));
        }
        Ok(world)
    }
}

impl Reader<'_> {
    fn wrong(&self, place: &str, problem: String) -> Error {
        Error::World { file: self.file.to_owned(), place: place.to_owned(), problem }
    }

    fn known(&self, place: &str, what: &str, alias: &str, is_known: bool) -> Result<(), Error> {
        if is_known {
            return Ok(());
        }
        Err(self.wrong(place, format!("there is no {what} `{alias}` in this world: declare it, or mend the name")))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, place: &str, table: toml::Value) -> Result<T, Error> {
        table.try_into().map_err(|error: toml::de::Error| self.wrong(place, error.message().to_owned()))
    }

    fn algorithms(&self, place: &str, names: &[String]) -> Result<(), Error> {
        match names.iter().find(|name| Primitive::from_name(name).is_none()) {
            Some(name) => {
                Err(self
                    .wrong(place, format!("unknown algorithm {name:?}: names of RFC 7518 section 3.1 and RFC 8037")))
            }
            None => Ok(()),
        }
    }

    fn issuer(&self, world: &World, alias: &str, table: toml::Value) -> Result<Issuer, Error> {
        let place = format!("issuers.{alias}");
        let written: IssuerFile = self.read(&place, table)?;
        self.algorithms(&format!("{place}.algorithms"), &written.algorithms)?;
        for tenant in &written.tenants {
            self.known(&format!("{place}.tenants"), "tenant", tenant, world.tenant(tenant).is_some())?;
        }
        let mut name = match (written.name, written.host, written.path) {
            (Some(name), None, None) => name,
            (Some(_), ..) => return Err(self.wrong(&place, "`name`, or `host` and `path`, not both".to_owned())),
            (None, host, path) => {
                let host = label(self.seed, &["host", host.as_deref().unwrap_or(alias)]);
                format!("https://{host}.example{}", path.unwrap_or_default())
            }
        };
        name = self.labelled(&place, &name)?;
        for tenant in &world.tenants {
            name = name.replace(&format!("{{tenant:{}}}", tenant.alias), &tenant.id);
        }
        name = self.naming.moved(name);
        if name.matches(TENANT_PLACE).count() > 1 {
            return Err(self.wrong(&place, format!("`{TENANT_PLACE}` stands twice in the name")));
        }
        if name.contains(TENANT_PLACE) == written.tenants.is_empty() {
            return Err(self
                .wrong(&place, format!("a name with `{TENANT_PLACE}` needs `tenants`, and only such a one has them")));
        }
        if world.issuers.iter().any(|other| other.name == name) {
            return Err(self.wrong(&place, "another issuer has the same name".to_owned()));
        }
        let signer = format!("arn:{}", label(self.seed, &["signer", alias]));
        Ok(Issuer { alias: alias.to_owned(), name, tenants: written.tenants, algorithms: written.algorithms, signer })
    }

    /// The text with a derived name in place of each `{label:…}`.
    fn labelled(&self, place: &str, text: &str) -> Result<String, Error> {
        let mut named = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{label:") {
            let (alias, after) =
                after.split_once('}').ok_or_else(|| self.wrong(place, "`{label:` needs a closing `}`".to_owned()))?;
            named.push_str(before);
            named.push_str(&label(self.seed, &["label", alias]));
            rest = after;
        }
        named.push_str(rest);
        Ok(named)
    }

    fn all_labelled(&self, place: &str, texts: &[String]) -> Result<Vec<String>, Error> {
        texts.iter().map(|text| self.labelled(place, text)).collect()
    }

    fn key(&self, world: &World, alias: &str, table: toml::Value) -> Result<Key, Error> {
        let place = format!("keys.{alias}");
        let written: KeyFile = self.read(&place, table)?;
        if let Some(owner) = &written.owner {
            self.known(&format!("{place}.owner"), "issuer", owner, world.issuer(owner).is_some())?;
        }
        let (base, private) = self.half(&place, alias, &written)?;
        let mut jwk = base;
        if let Some(name) = &written.shipped_certificate {
            let pem = SHIPPED_CERTIFICATES.iter().find(|row| row.0 == name).map(|row| row.1);
            let pem = pem.ok_or_else(|| self.wrong(&place, format!("no shipped certificate `{name}`")))?;
            let (_, der) = x509_cert::der::pem::decode_vec(pem.as_bytes())
                .map_err(|error| self.wrong(&place, format!("the certificate cannot be read: {error}")))?;
            jwk = jwk.with_certificates(vec![der]).map_err(|error| self.wrong(&place, error.to_string()))?;
        }
        self.algorithms(&format!("{place}.signs"), &written.signs)?;
        let signs: Vec<Primitive> = written.signs.iter().filter_map(|name| Primitive::from_name(name)).collect();
        if signs.is_empty() {
            return Err(self.wrong(&format!("{place}.signs"), "name at least one algorithm".to_owned()));
        }
        let misused = |alg: &Primitive| written.derive == Some(DerivedKind::X25519) && alg.family() == Family::EdDsa;
        if let Some(unfit) = signs.iter().find(|alg| !jwk.material.fits(**alg) && !misused(alg)) {
            return Err(
                self.wrong(&format!("{place}.signs"), format!("a {} key cannot sign {unfit}", jwk.material.kty()))
            );
        }
        jwk.kid = Some(written.kid.or(jwk.kid).unwrap_or_else(|| label(self.seed, &["kid", alias])));
        jwk.alg = written.alg.or(jwk.alg);
        jwk.key_use = written.r#use.or(jwk.key_use);
        jwk.key_ops = written.key_ops.or(jwk.key_ops);
        jwk.cloud_instance_name =
            written.cloud.map(|cloud| label(self.seed, &["cloud", &cloud])).or(jwk.cloud_instance_name);
        let secret = matches!(jwk.material, crate::jose::Material::Oct { .. });
        let issuer_member = written.issuer_member.as_ref().map(|text| {
            let owner = written.owner.as_ref().and_then(|owner| world.issuer(owner)).map_or("", |owner| &owner.name);
            serde_json::from_str(&text.replace("{issuer}", owner))
                .map_err(|error| self.wrong(&format!("{place}.issuer-member"), format!("is no JSON text: {error}")))
        });
        let issuer_member: Option<serde_json::Value> = issuer_member.transpose()?;
        Ok(Key {
            alias: alias.to_owned(),
            published: written.published && written.owner.is_some() && !secret,
            owner: written.owner,
            jwk,
            signs,
            honest: written.honest,
            not_before: written.not_before,
            not_after: written.not_after,
            names_issuer: written.names_issuer && issuer_member.is_none(),
            issuer_member,
            private,
        })
    }

    fn half(&self, place: &str, alias: &str, written: &KeyFile) -> Result<(Jwk, Option<PrivateKey>), Error> {
        let wrong = |error: crate::key::KeyError| self.wrong(place, error.to_string());
        if written.derived_from.is_some() && written.derive.is_none() {
            return Err(
                self.wrong(place, "`derived-from` goes with `derive`: it names the key to derive alike".to_owned())
            );
        }
        let with = |private: PrivateKey| (Jwk::new(private.material().clone()), Some(private));
        let given = (&written.shipped, written.derive, &written.private_pem, &written.public_pem, &written.public_jwk);
        match given {
            (Some(name), None, None, None, None) => {
                let pem = SHIPPED_KEYS.iter().find(|row| row.0 == name).map(|row| row.1);
                let names: Vec<_> = SHIPPED_KEYS.iter().map(|row| row.0).collect();
                let pem = pem.ok_or_else(|| {
                    self.wrong(place, format!("no shipped key `{name}`: one of {}", names.join(", ")))
                })?;
                Ok(with(PrivateKey::from_pem(pem).map_err(wrong)?))
            }
            (None, Some(kind), None, None, None) => {
                let label = written.derived_from.as_deref().unwrap_or(alias);
                Ok(with(PrivateKey::derive(kind, self.seed, label)))
            }
            (None, None, Some(path), None, None) => {
                Ok(with(PrivateKey::from_pem(&self.beside(place, path)?).map_err(wrong)?))
            }
            (None, None, None, Some(path), None) => {
                Ok((Jwk::new(public_from_pem(&self.beside(place, path)?).map_err(wrong)?), None))
            }
            (None, None, None, None, Some(table)) => {
                let json = serde_json::to_value(table).map_err(|error| self.wrong(place, error.to_string()))?;
                // RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: a secret is private too.
                if let Some(member) =
                    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().find(|m| json.get(m).is_some())
                {
                    let problem = format!("`public-jwk` holds a private key (`{member}`): use `private-pem`");
                    return Err(self.wrong(place, problem));
                }
                let jwk = serde_json::from_value(json).map_err(|error| self.wrong(place, error.to_string()))?;
                Ok((jwk, None))
            }
            _ => Err(self.wrong(
                place,
                "exactly one of `shipped`, `derive`, `private-pem`, `public-pem`, `public-jwk` says which key it is"
                    .to_owned(),
            )),
        }
    }

    fn beside(&self, place: &str, path: &str) -> Result<String, Error> {
        let folder =
            self.folder.ok_or_else(|| self.wrong(place, "a world without a file has no files beside it".to_owned()))?;
        read_bounded(&folder.join(path))
    }

    fn party(&self, world: &World, alias: &str, table: toml::Value) -> Result<Party, Error> {
        let place = format!("parties.{alias}");
        let written: PartyFile = self.read(&place, table)?;
        self.algorithms(&format!("{place}.algorithms"), written.algorithms.as_deref().unwrap_or_default())?;
        let audiences = match &written.audiences {
            Some(names) => self.all_labelled(&format!("{place}.audiences"), names)?,
            None => vec![format!("https://{}.example", label(self.seed, &["audience", alias]))],
        };
        let mut issuers = Vec::new();
        for (issuer, trust) in written.issuers {
            let place = format!("{place}.issuers.{issuer}");
            self.known(&place, "issuer", &issuer, world.issuer(&issuer).is_some())?;
            for tenant in trust.tenants.iter().flatten() {
                self.known(&place, "tenant", tenant, world.tenant(tenant).is_some())?;
            }
            for subject in trust.subjects.iter().flatten() {
                self.known(&place, "subject", subject, world.subject(subject).is_some())?;
            }
            for secret in &trust.secrets {
                let key = world.key(secret);
                self.known(&place, "key", secret, key.is_some())?;
                if !key.is_some_and(|key| matches!(key.jwk.material, crate::jose::Material::Oct { .. })) {
                    return Err(self.wrong(&place, format!("`{secret}` is no secret")));
                }
            }
            self.algorithms(&place, trust.algorithms.as_deref().unwrap_or_default())?;
            let of_issuer = world.issuer(&issuer);
            if let (Some(all), Some(of_issuer)) = (&written.algorithms, of_issuer) {
                let own = trust.algorithms.as_ref().unwrap_or(&of_issuer.algorithms);
                if let Some(name) = own.iter().find(|name| !all.contains(name)) {
                    let problem = format!("{name} is not among the party's `algorithms`: add it there");
                    return Err(self.wrong(&place, problem));
                }
            }
            let own_audiences = trust.audiences.map(|names| self.all_labelled(&place, &names)).transpose()?;
            if let Some(name) = own_audiences.iter().flatten().find(|name| !audiences.contains(name)) {
                let problem = format!("{name:?} is not among the party's `audiences`: add it there");
                return Err(self.wrong(&place, problem));
            }
            let signer = match trust.signer {
                SignerFile::Own(asked) => of_issuer.filter(|_| asked).map(|issuer| issuer.signer.clone()),
                SignerFile::Derived(text) => Some(format!("arn:{}", label(self.seed, &["signer", &text]))),
            };
            issuers.push(PartyIssuer {
                alias: issuer,
                tenants: trust.tenants,
                subjects: trust.subjects,
                signer,
                secrets: trust.secrets,
                algorithms: trust.algorithms,
                audiences: own_audiences,
            });
        }
        if issuers.is_empty() {
            return Err(
                self.wrong(&format!("{place}.issuers"), "a relying party trusts at least one issuer".to_owned())
            );
        }
        let nameless = written.audiences.as_ref().is_some_and(Vec::is_empty);
        if nameless && written.required_claims.iter().flatten().any(|claim| claim == "aud") {
            return Err(self.wrong(
                &format!("{place}.required-claims"),
                "a party without audiences refuses every token with `aud`: do not require it, or name one".to_owned(),
            ));
        }
        let key_sources = written.key_sources.unwrap_or_else(|| vec![KeySource::PerIssuer]);
        if key_sources.contains(&KeySource::Converged) && world.converged.is_empty() {
            return Err(self.wrong(
                &format!("{place}.key-sources"),
                "`converged` needs the world's `converged` list of issuers".to_owned(),
            ));
        }
        Ok(Party {
            alias: alias.to_owned(),
            audiences,
            algorithms: written.algorithms,
            issuers,
            token_types: written.token_types,
            required_claims: written.required_claims,
            leeway: written.leeway,
            crit_understood: written.crit_understood,
            cloud_instance: written.cloud.map(|cloud| label(self.seed, &["cloud", &cloud])),
            jwks_max_age: written.jwks_max_age,
            enforce_key_lifetime: written.enforce_key_lifetime,
            replay: written.replay,
            key_sources,
        })
    }
}

fn read_bounded(path: &Path) -> Result<String, Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(cannot)?.len();
    if size > MAX_FILE {
        return Err(Error::File {
            file: path.display().to_string(),
            problem: format!("{size} bytes: at most {MAX_FILE}"),
        });
    }
    std::fs::read_to_string(path).map_err(cannot)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A tenant id of the usual form (RFC 9562 version 4 layout).
fn uuid(seed: u64, alias: &str) -> String {
    let mut octets = derive_octets(seed, &["tenant", alias]);
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    let text = hex(&octets[..16]);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
