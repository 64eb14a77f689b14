//! All tokens that one signer can make for one relying party in one issuer's name.

use super::Folds;
use super::axes::{AUDIENCES, Alg, Audience, FoldedBy, KIDS, KidChoice, Status, TENANTS, Tenancy};
use super::told::Told;
use crate::generate::acts::{drop_claim, drop_header, set_claim, set_header, strip};
use crate::generate::playable::has_layout;
use crate::jose::{Layout, Primitive};
use crate::policy::KeySource;
use crate::scenario::{Act, Honest, Kid, Present, PublicForm, PublicText, SignWith, Value};
use crate::world::{Issuer, Key, Party, Publication, World};
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// The algorithms that a forger tries a key with, the weakest hash first.
const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

/// Whose key signs, by index in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    Key(usize),
    Nobody,
}

impl Signer {
    pub(super) fn all(world: &World) -> impl Iterator<Item = Signer> + use<> {
        (0..world.keys.len()).map(Signer::Key).chain([Signer::Nobody])
    }

    pub(super) fn key(self, world: &World) -> Option<&Key> {
        match self {
            Signer::Key(index) => Some(&world.keys[index]),
            Signer::Nobody => None,
        }
    }
}

/// How the token is signed and names its key.
#[derive(Clone, Copy, Debug)]
struct Form {
    by: By,
    kid: KidChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Key(Primitive),
    PublicText,
    /// An empty signature under an honest header.
    Nobody,
    /// `alg` is `none`.
    None,
}

/// The tokens of one signer, relying party and claimed issuer: forms x tenants x audiences.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) party: usize,
    pub(super) key_source: KeySource,
    pub(super) signer: Signer,
    issuer: usize,
    /// A key of the claimed issuer, by index.
    victim: usize,
    /// Another key of it.
    other: Option<usize>,
    /// A key whose `kid` other keys have too.
    shared: Option<usize>,
    /// Those that a key signs stand first.
    forms: Vec<Form>,
    signed: usize,
    tenants: Vec<Tenancy>,
    /// Values of the tenant axis that are, but for a name, one of those.
    alike: usize,
    audiences: Vec<Audience>,
    /// Forms that fold, with how many pairs of algorithm and `kid`.
    folded: Vec<(FoldedBy, &'static str, usize)>,
    said: Said,
}

impl Group {
    /// `None` where no token can be begun in the issuer's name.
    pub(super) fn of(told: &Told<'_>, signer: Signer, issuer: usize) -> Option<Self> {
        let (world, whose, claimed) = (told.site.world, told.site.party, &told.site.world.issuers[issuer]);
        let victim = victim(world, whose, claimed)?;
        let victim = world.keys.iter().position(|key| key.alias == victim.alias)?;
        let own = signer.key(world);
        let sayable = TENANTS.into_iter().filter(|&tenancy| tenants(world, whose, claimed, tenancy).is_some());
        let mut tenancies: Vec<Tenancy> = sayable.collect();
        let count = tenancies.len();
        if !told.trusts(&claimed.alias) {
            // Of tenants that the policy names nowhere, each in `iss` and in its claim alike, one stands for all.
            let mut stands = false;
            tenancies.retain(|&tenancy| match tenants(world, whose, claimed, tenancy) {
                Some((Some(named), Some(claim))) if named == claim && !told.names_tenant(&named) => {
                    !std::mem::replace(&mut stands, true)
                }
                _ => true,
            });
        }
        let mut group = Group {
            party: world.parties.iter().position(|party| party.alias == whose.alias)?,
            key_source: told.site.key_source,
            signer,
            issuer,
            victim,
            other: other_kid(world, own, &world.keys[victim]),
            shared: shared_kid(world, own, &world.keys[victim]),
            forms: Vec::new(),
            signed: 0,
            alike: count - tenancies.len(),
            tenants: tenancies,
            audiences: AUDIENCES.into_iter().filter(|&audience| names(world, whose, audience).is_some()).collect(),
            folded: Vec::new(),
            said: Said::default(),
        };
        let mut unsigned = Vec::new();
        for class in Alg::CLASSES {
            match algorithm(class, own, allowed(whose, claimed)) {
                Err((by, why)) => group.folded.push((by, why, KIDS.len())),
                Ok(by) => {
                    let forms = group.kids(told, by);
                    if matches!(by, By::Key(_)) { group.forms.extend(forms) } else { unsigned.extend(forms) }
                }
            }
        }
        group.signed = group.forms.len();
        group.forms.extend(unsigned);
        group.said = Said::of(&group, world);
        Some(group)
    }

    /// The ways to name the key that differ.
    fn kids(&mut self, told: &Told<'_>, by: By) -> Vec<Form> {
        let world = told.site.world;
        let claimed = &world.issuers[self.issuer].alias;
        let its_own = self.signer.key(world).is_some_and(|key| key.owner.as_ref() == Some(claimed));
        let is_stranger = |group: &Group, kid| {
            let text = group.kid_text(world, kid);
            !its_own && !told.trusts(claimed) && text.is_some_and(|kid| !told.names_kid(&kid))
        };
        let mut forms: Vec<Form> = Vec::new();
        for kid in KIDS {
            let form = Form { by, kid };
            let fold = match kid {
                KidChoice::Own if self.signer == Signer::Nobody => {
                    Some((FoldedBy::Rule, "nobody signs: no kid is its own"))
                }
                KidChoice::VictimsOther if self.other.is_none() => {
                    Some((FoldedBy::Rule, "the claimed issuer lists no other key with a kid"))
                }
                KidChoice::Shared if self.shared.is_none() => {
                    Some((FoldedBy::Rule, "no kid that is shared is neither the key's own nor the victim's"))
                }
                _ => {
                    let same = forms.iter().any(|known| self.kid_text(world, known.kid) == self.kid_text(world, kid));
                    let alike = || is_stranger(self, kid) && forms.iter().any(|known| is_stranger(self, known.kid));
                    match same {
                        true => Some((FoldedBy::Symmetry, "the same kid by two names")),
                        false => alike().then_some((
                            FoldedBy::Symmetry,
                            "the party is told neither of the issuer nor of two kids: they differ in nothing",
                        )),
                    }
                }
            };
            match fold {
                Some((by, why)) => self.folded.push((by, why, 1)),
                None => forms.push(form),
            }
        }
        forms
    }

    fn kid_text(&self, world: &World, kid: KidChoice) -> Option<String> {
        let of = |key: Option<&Key>| key.and_then(|key| key.jwk.kid.clone());
        match kid {
            KidChoice::Own => of(self.signer.key(world)),
            KidChoice::Victims => of(Some(&world.keys[self.victim])),
            KidChoice::VictimsOther => of(self.other.map(|index| &world.keys[index])),
            KidChoice::Shared => of(self.shared.map(|index| &world.keys[index])),
            KidChoice::Absent => None,
            KidChoice::Unknown => Some(unknown_kid(world)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.forms.len() * self.tenants.len() * self.audiences.len()
    }

    /// How many scenarios there are with that status.
    pub(super) fn len_in(&self, status: Status) -> usize {
        match status {
            Status::AsPublished => self.len(),
            Status::Removed | Status::IssuerDisabled => self.signed * self.tenants.len() * self.audiences.len(),
        }
    }

    /// How many scenarios there are with that status; what folds is counted.
    pub(super) fn fold(&self, status: Status, folds: &mut Folds) -> usize {
        let (tenants, audiences) = (self.tenants.len(), self.audiences.len());
        let pairs = Alg::CLASSES.len() * KIDS.len();
        folds.add(
            FoldedBy::Rule,
            "the claimed issuer has no such tenant",
            (TENANTS.len() - tenants - self.alike) * AUDIENCES.len() * pairs,
        );
        folds.add(
            FoldedBy::Symmetry,
            "the party is told neither of the issuer nor of two tenants: they differ in nothing",
            self.alike * AUDIENCES.len() * pairs,
        );
        folds.add(
            FoldedBy::Rule,
            "the party has no name, or there is no other party",
            tenants * (AUDIENCES.len() - audiences) * pairs,
        );
        for &(by, why, count) in &self.folded {
            folds.add(by, why, tenants * audiences * count);
        }
        if status == Status::AsPublished {
            return self.len();
        }
        let unsigned = self.forms.len() - self.signed;
        folds.add(
            FoldedBy::Symmetry,
            "no key signs: what becomes of keys says nothing",
            tenants * audiences * unsigned,
        );
        self.len_in(status)
    }

    /// The token of that number, and whom it is shown to.
    pub(super) fn present(&self, world: &World, number: usize) -> Present {
        let (tenants, audiences) = (self.tenants.len(), self.audiences.len());
        let audience = self.audiences[number % audiences];
        let tenancy = self.tenants[number / audiences % tenants];
        let form = self.forms[number / audiences / tenants];
        let (party, issuer) = (&world.parties[self.party], &world.issuers[self.issuer]);
        let mut honest = Honest {
            issuer: issuer.alias.clone(),
            key: Some(world.keys[self.victim].alias.clone()),
            ..Honest::default()
        };
        let mut acts = Vec::new();
        if let Some((named, claim)) = self::tenants(world, party, issuer, tenancy) {
            match claim {
                Some(claim) if named.as_ref() != Some(&claim) => acts.push(set_claim("tid", Value::Tenant(claim))),
                None if named.is_some() => acts.push(drop_claim("tid")),
                _ => {}
            }
            honest.tenant = named;
        }
        if let Some(names) = names(world, party, audience) {
            let name = |alias: &String| Value::Audience(alias.clone());
            match (audience, names.as_slice()) {
                (Audience::Own, _) => {}
                (Audience::Anothers, [one]) => acts.push(set_claim("aud", name(one))),
                (_, []) => acts.push(drop_claim("aud")),
                (_, list) => acts.push(set_claim("aud", Value::List(list.iter().map(name).collect()))),
            }
        }
        acts.extend(self.sign(world, form));
        Present { name: None, to: party.alias.clone(), honest, acts }
    }

    fn sign(&self, world: &World, form: Form) -> Vec<Act> {
        let alias = |index: usize| world.keys[index].alias.clone();
        let of = |key: Option<usize>| key.map_or_else(|| Kid::Keep, |index| Kid::Of(alias(index)));
        let kid = match form.kid {
            KidChoice::Own => Kid::Own,
            KidChoice::Victims => Kid::Of(alias(self.victim)),
            KidChoice::VictimsOther => of(self.other),
            KidChoice::Shared => of(self.shared),
            KidChoice::Absent => Kid::None,
            KidChoice::Unknown => Kid::Text(unknown_kid(world)),
        };
        match (form.by, self.signer.key(world)) {
            (By::Key(alg), Some(key)) => {
                let alg = (key.signs.first() != Some(&alg)).then(|| alg.name().to_owned());
                vec![Act::SignWith(SignWith { key: Some(key.alias.clone()), secret: None, alg, kid })]
            }
            (By::PublicText, Some(key)) => {
                let secret = Some(PublicText { of: key.alias.clone(), form: PublicForm::Layout(Layout::SpkiPem) });
                vec![Act::SignWith(SignWith { key: None, secret, alg: None, kid })]
            }
            (by, _) => {
                let mut acts = Vec::new();
                if by == By::None {
                    acts.push(set_header("alg", Value::Text("none".to_owned())));
                }
                match kid {
                    Kid::None => acts.push(drop_header("kid")),
                    Kid::Text(text) => acts.push(set_header("kid", Value::Text(text))),
                    // The victim's stands there already.
                    Kid::Of(key) if form.kid != KidChoice::Victims => acts.push(set_header("kid", Value::Kid(key))),
                    _ => {}
                }
                acts.push(strip());
                acts
            }
        }
    }

    /// A number for a token, the same at every key source and whatever has become of the signing key. Relying parties are shown
    /// tokens of their own, and two names of one key make two tokens.
    pub(super) fn number(&self, number: usize) -> u64 {
        let signer = match self.signer {
            Signer::Key(index) => Some(index),
            Signer::Nobody => None,
        };
        digest(&(self.party, signer, self.content(number, None))) & NUMBERS
    }

    /// A digest of what the token of that number says, with what keeps it fresh held fixed: the same in two groups where their
    /// tokens are the same octets. `later` is what the relying party waits for before the token is made.
    pub(super) fn content(&self, number: usize, later: Option<u64>) -> u64 {
        let Said { dress, forms, tenants, audiences } = &self.said;
        let (audience, rest) = (audiences[number % audiences.len()], number / audiences.len());
        let (tenant, form) = (tenants[rest % tenants.len()], forms[rest / tenants.len()]);
        digest(&(dress, later, form, tenant, audience))
    }
}

/// Short digests of what a group's tokens are made of.
#[derive(Clone, Debug, Default)]
struct Said {
    /// Signer, claimed issuer, and what an honest issuer writes for a party of this kind.
    dress: u64,
    forms: Vec<u64>,
    tenants: Vec<u64>,
    audiences: Vec<u64>,
}

impl Said {
    fn of(group: &Group, world: &World) -> Self {
        let (party, issuer) = (&world.parties[group.party], &world.issuers[group.issuer]);
        let terms = party.issuers.iter().find(|terms| terms.alias == issuer.alias);
        let subject = terms.and_then(|terms| terms.subjects.as_ref()?.first());
        let typ = party.token_types.as_ref().and_then(|types| types.first());
        let signer = terms.is_some_and(|terms| terms.signer.is_some());
        let key = group.signer.key(world).map(|key| key.jwk.material.thumbprint());
        let victim = &world.keys[group.victim];
        let form = |form: &Form| {
            let by = match form.by {
                By::Key(alg) => alg.name(),
                By::PublicText => "text",
                By::Nobody => honest_algorithm(victim, allowed(party, issuer)).name(),
                By::None => "none",
            };
            // `kid` is set in place where it stands, and a key that has none has it at the end.
            digest(&(by, group.kid_text(world, form.kid), victim.jwk.kid.is_some()))
        };
        let audience = |&audience: &Audience| {
            let names = names(world, party, audience).unwrap_or_default();
            let texts: Vec<_> = names.iter().map(|alias| world.party(alias).map(|party| &party.audiences)).collect();
            digest(&(matches!(audience, Audience::Own | Audience::Anothers), texts))
        };
        Said {
            dress: digest(&(&world.name, &issuer.alias, key, typ, signer, subject)),
            forms: group.forms.iter().map(form).collect(),
            tenants: group.tenants.iter().map(|&tenancy| digest(&tenants(world, party, issuer, tenancy))).collect(),
            audiences: group.audiences.iter().map(audience).collect(),
        }
    }
}

/// Higher bits tell other kinds of tokens from these.
const NUMBERS: u64 = (1 << 60) - 1;

/// Sixty-four bits tell a million tokens apart: two of them are alike by chance once in thirty million worlds.
fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// A key of the issuer that the party would use, or any that begins a token in its name.
fn victim<'w>(world: &'w World, party: &'w Party, issuer: &'w Issuer) -> Option<&'w Key> {
    world.default_key(party, &issuer.alias, &Publication::of(world))
}

/// A key that the victim's owner lists under a `kid` which is neither the signer's nor the victim's.
fn other_kid(world: &World, signer: Option<&Key>, victim: &Key) -> Option<usize> {
    let taken = [signer.and_then(|key| key.jwk.kid.as_ref()), victim.jwk.kid.as_ref()];
    world.keys.iter().position(|key| {
        key.published && key.owner == victim.owner && key.jwk.kid.is_some() && !taken.contains(&key.jwk.kid.as_ref())
    })
}

/// A key whose `kid` another key has too, and which is neither the signer's nor the victim's.
fn shared_kid(world: &World, signer: Option<&Key>, victim: &Key) -> Option<usize> {
    let taken = [signer.and_then(|key| key.jwk.kid.as_ref()), victim.jwk.kid.as_ref()];
    world.keys.iter().position(|key| {
        let alike = world.keys.iter().filter(|other| other.jwk.kid == key.jwk.kid).count();
        key.jwk.kid.is_some() && alike > 1 && !taken.contains(&key.jwk.kid.as_ref())
    })
}

/// Letters and digits like those of a `kid`, which no key has.
fn unknown_kid(world: &World) -> String {
    world.label(&["kid", "of no key"])
}

/// Algorithms that the party allows the issuer, or that the issuer names where the party does not trust it.
fn allowed<'w>(party: &'w Party, issuer: &'w Issuer) -> &'w [String] {
    let terms = party.issuers.iter().find(|terms| terms.alias == issuer.alias);
    terms.and_then(|terms| terms.algorithms.as_ref()).unwrap_or(&issuer.algorithms)
}

/// The algorithm of an honest token by this key.
fn honest_algorithm(key: &Key, allowed: &[String]) -> Primitive {
    let permitted = key.signs.iter().find(|alg| allowed.iter().any(|name| name == alg.name()));
    permitted.copied().unwrap_or(key.signs[0])
}

/// How a token of that class is signed by the key, or by nobody.
fn algorithm(class: Alg, key: Option<&Key>, allowed: &[String]) -> Result<By, (FoldedBy, &'static str)> {
    let Some(key) = key else {
        return match class {
            Alg::Own => Ok(By::Nobody),
            Alg::None => Ok(By::None),
            _ => Err((FoldedBy::Rule, "nobody signs: the algorithm is the honest one or none")),
        };
    };
    match class {
        Alg::None => return Err((FoldedBy::Symmetry, "alg none: whose key did not sign makes no difference")),
        Alg::PublicText if has_layout(key, Layout::SpkiPem) => return Ok(By::PublicText),
        Alg::PublicText => return Err((FoldedBy::Rule, "the key has no public text")),
        _ if key.private.is_none() => return Err((FoldedBy::Rule, "only the public half of the key is here")),
        _ => {}
    }
    let own = key.signs[0];
    let is_allowed = |alg: &Primitive| allowed.iter().any(|name| name == alg.name());
    let others = ALGORITHMS.iter().filter_map(|name| Primitive::from_name(name));
    let mut others = others.filter(|alg| *alg != own && key.jwk.material.fits(*alg));
    let found = match class {
        Alg::Own => Some(own),
        Alg::OtherAllowed => others.find(is_allowed),
        Alg::SameFamilyNotAllowed => others.find(|alg| alg.family() == own.family() && !is_allowed(alg)),
        _ => others.find(|alg| alg.family() != own.family() && !is_allowed(alg)),
    };
    found.map(By::Key).ok_or((FoldedBy::Rule, "the key has no algorithm of that class"))
}

/// The tenant in `iss`, where the issuer's name has a place for one, and the tenant claim; `None` where there are no such ones.
fn tenants(
    world: &World,
    party: &Party,
    issuer: &Issuer,
    tenancy: Tenancy,
) -> Option<(Option<String>, Option<String>)> {
    if issuer.tenants.is_empty() {
        // A literal issuer: a tenant claim says nothing of it, whether it is there or not.
        return match tenancy {
            Tenancy::Admitted => world.tenants.first().map(|tenant| (None, Some(tenant.alias.clone()))),
            Tenancy::None => Some((None, None)),
            _ => None,
        };
    }
    let terms = party.issuers.iter().find(|terms| terms.alias == issuer.alias);
    let admitted = terms.and_then(|terms| terms.tenants.as_ref()).unwrap_or(&issuer.tenants);
    let first = admitted.first()?.clone();
    let others = world.tenants.iter().map(|tenant| &tenant.alias);
    let other = others.clone().find(|alias| !admitted.contains(alias));
    let both = |alias: String| (Some(alias.clone()), Some(alias));
    match tenancy {
        Tenancy::Admitted => Some(both(first)),
        Tenancy::AlsoAdmitted => admitted.get(1).cloned().map(both),
        Tenancy::Other => other.cloned().map(both),
        Tenancy::Mixed => admitted.get(1).or(other).map(|claim| (Some(first), Some(claim.clone()))),
        Tenancy::None => Some((Some(first), None)),
    }
}

/// Aliases of the parties that `aud` names; `None` where there are no such ones.
fn names(world: &World, party: &Party, audience: Audience) -> Option<Vec<String>> {
    let own = || party.audiences.first().map(|_| party.alias.clone());
    let place = world.parties.iter().position(|one| one.alias == party.alias)?;
    let after = world.parties.iter().cycle().skip(place + 1).take(world.parties.len());
    let another = || {
        let mut others =
            after.clone().filter(|other| other.audiences.first().is_some_and(|name| !party.audiences.contains(name)));
        others.next().map(|other| other.alias.clone())
    };
    Some(match audience {
        Audience::Own | Audience::OwnInAList => vec![own()?],
        Audience::OwnAndAnothers => vec![own()?, another()?],
        Audience::AnothersAndOwn => vec![another()?, own()?],
        Audience::Anothers => vec![another()?],
        Audience::None => Vec::new(),
    })
}
