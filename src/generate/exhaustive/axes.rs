//! The axes of the exhaustive core, their values by name, and why some combinations fold.

use super::Signer;
use crate::generate::site::Site;
use crate::policy::KeySource;
use crate::world::{Publication, World};

/// One axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it is.
    pub name: &'static str,
    /// Its values.
    pub values: Vec<String>,
}

/// Combinations that are not presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Whether they cannot be said, or say the same as others.
    pub by: FoldedBy,
    /// Why, in a sentence.
    pub why: &'static str,
    /// How many.
    pub count: u64,
}

/// What folds combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoldedBy {
    /// Nobody can make such a token.
    Rule,
    /// It would be the same octets before a relying party that has been told the same.
    Symmetry,
}

impl FoldedBy {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FoldedBy::Rule => "rule",
            FoldedBy::Symmetry => "symmetry",
        }
    }
}

/// What has happened to the signing key since the relying party was first told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Nothing: it is in service, not yet, past its lifetime or not listed, as the world has it.
    AsPublished,
    Removed,
    IssuerDisabled,
}

pub(super) const STATUSES: [Status; 3] = [Status::AsPublished, Status::Removed, Status::IssuerDisabled];

/// The tenant in `iss` and the tenant claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenancy {
    Admitted,
    AlsoAdmitted,
    Other,
    /// One in `iss`, another in the claim.
    Mixed,
    None,
}

pub(super) const TENANTS: [Tenancy; 5] =
    [Tenancy::Admitted, Tenancy::AlsoAdmitted, Tenancy::Other, Tenancy::Mixed, Tenancy::None];

/// Whom `aud` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Own,
    OwnInAList,
    OwnAndAnothers,
    AnothersAndOwn,
    Anothers,
    None,
}

pub(super) const AUDIENCES: [Audience; 6] = [
    Audience::Own,
    Audience::OwnInAList,
    Audience::OwnAndAnothers,
    Audience::AnothersAndOwn,
    Audience::Anothers,
    Audience::None,
];

/// Classes of algorithms, seen from the signing key and the claimed issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alg {
    /// The key's own; where nobody signs, the honest one beside an empty signature.
    Own,
    OtherAllowed,
    SameFamilyNotAllowed,
    OtherFamilyNotAllowed,
    /// HMAC with the PEM text of the key as the secret.
    PublicText,
    /// `none`, and an empty signature.
    None,
}

impl Alg {
    pub(super) const CLASSES: [Alg; 6] = [
        Alg::Own,
        Alg::OtherAllowed,
        Alg::SameFamilyNotAllowed,
        Alg::OtherFamilyNotAllowed,
        Alg::PublicText,
        Alg::None,
    ];
}

/// What `kid` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KidChoice {
    Own,
    /// The one of the key that the claimed issuer would sign with.
    Victims,
    /// The one of another key of the claimed issuer.
    VictimsOther,
    /// One that several keys of the world have.
    Shared,
    Absent,
    /// One that no key has.
    Unknown,
}

pub(super) const KIDS: [KidChoice; 6] = [
    KidChoice::Own,
    KidChoice::Victims,
    KidChoice::VictimsOther,
    KidChoice::Shared,
    KidChoice::Absent,
    KidChoice::Unknown,
];

/// The axes of a world.
pub(super) fn of(world: &World, wanted: &impl Fn(&Site<'_>) -> bool) -> Vec<Axis> {
    let sites = Site::all(world).into_iter().filter(wanted);
    let sites = sites.map(|site| format!("{} ({})", site.party.alias, site.key_source.name())).collect();
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let nobody = "nobody".to_owned();
    let axis = |name, values| Axis { name, values };
    vec![
        axis("relying party and key source", sites),
        axis("signing key", world.keys.iter().map(|key| key.alias.clone()).chain([nobody]).collect()),
        axis("key status", words(&["as the world has it", "removed", "issuer disabled"])),
        axis("claimed issuer", world.issuers.iter().map(|issuer| issuer.alias.clone()).collect()),
        axis("tenant", words(&["admitted", "also admitted", "other", "one in iss and another in the claim", "none"])),
        axis(
            "audience",
            words(&["own", "own in a list", "own and another's", "another's and own", "another's", "none"]),
        ),
        axis(
            "alg",
            words(&[
                "own",
                "other allowed",
                "same family, not allowed",
                "other family, not allowed",
                "HMAC over public key",
                "none",
            ]),
        ),
        axis("kid", words(&["own", "victim's", "victim's other", "shared", "absent", "unknown"])),
    ]
}

/// Whether a status of the signing key differs, for this relying party, from nothing having happened.
pub(super) fn reach(site: Site<'_>, signer: Signer, status: Status) -> Result<(), (FoldedBy, &'static str)> {
    if status == Status::AsPublished {
        return Ok(());
    }
    let rule = |why| Err((FoldedBy::Rule, why));
    let symmetry = |why| Err((FoldedBy::Symmetry, why));
    let Some(key) = signer.key(site.world) else {
        return rule("nobody signs: there is no key that something could happen to");
    };
    let Some(owner) = &key.owner else {
        return rule("the attacker's key: nobody lists it, and no issuer of it can be disabled");
    };
    let trusted = site.party.issuers.iter().any(|terms| terms.alias == *owner);
    if status == Status::IssuerDisabled {
        return if trusted { Ok(()) } else { symmetry("the party does not trust the issuer that is disabled") };
    }
    if !key.published {
        return rule("the key is not listed: it cannot be removed");
    }
    let told = match site.key_source {
        KeySource::Converged => site.world.converged.contains(owner),
        KeySource::PerIssuer | KeySource::Fetched => trusted,
    };
    if told { Ok(()) } else { symmetry("the party is not told of the key that is removed") }
}

/// How many keys are what at the start.
pub(super) fn status_of_keys(world: &World, publication: &Publication) -> Vec<(&'static str, usize)> {
    let mut counts = [
        ("in service", 0),
        ("not yet in its lifetime", 0),
        ("past its lifetime", 0),
        ("not listed", 0),
        ("attacker's", 0),
    ];
    for key in &world.keys {
        let past = key.not_after.is_some_and(|end| end.0 < 0) || ended(key);
        let place = match &key.owner {
            None => 4,
            Some(owner) if !publication.listed(owner).iter().any(|(alias, _)| *alias == key.alias) => 3,
            Some(_) if past => 2,
            Some(_) if key.not_before.is_some_and(|start| start.0 > 0) => 1,
            Some(_) => 0,
        };
        counts[place].1 += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Whether the key's certificate ended before this program was written (2025-01-01).
fn ended(key: &crate::world::Key) -> bool {
    let end = key.jwk.lifetime().and_then(|lifetime| lifetime.not_after);
    end.is_some_and(|end| end.0 < 1_735_689_600)
}
