//! Values worth writing: for each claim and header member the right ones, the almost right ones and the wrong ones.

use super::acts::json;
use super::site::{Site, is_secret};
use crate::policy::TENANT_PLACE;
use crate::scenario::{Edit, Honest, Scalar, Span, Value};
use crate::world::{Key, World};
use arbitrary::{Result, Unstructured};

/// Where a token is made: a site, and whom it claims to be from.
#[derive(Clone, Copy)]
pub(super) struct Scene<'s, 'w> {
    pub(super) site: Site<'w>,
    pub(super) honest: &'s Honest,
}

/// Claims by how often they are changed: those that somebody reads before those that nobody does.
const CLAIMS: [&str; 24] = [
    "iss",
    "iss",
    "iss",
    "iss",
    "aud",
    "aud",
    "aud",
    "aud",
    "exp",
    "exp",
    "exp",
    "nbf",
    "nbf",
    "sub",
    "sub",
    "tid",
    "tid",
    "iat",
    "jti",
    "scope",
    "cnf",
    "sub_jwk",
    "email",
    "preferred_username",
];

/// Header members by how often they are changed.
const HEADERS: [&str; 12] =
    ["alg", "alg", "kid", "typ", "typ", "signer", "signer", "crit", "cty", "x-note", "x-note", "b64"];

pub(super) fn claim_name(u: &mut Unstructured<'_>) -> Result<&'static str> {
    u.choose(&CLAIMS).copied()
}

pub(super) fn header_name(u: &mut Unstructured<'_>) -> Result<&'static str> {
    u.choose(&HEADERS).copied()
}

impl<'w> Scene<'_, 'w> {
    /// The claimed issuer's alias.
    fn issuer(&self) -> &str {
        &self.honest.issuer
    }

    pub(super) fn claim(&self, u: &mut Unstructured<'_>, name: &str) -> Result<Value> {
        match name {
            "iss" => self.iss(u),
            "aud" => self.aud(u),
            "exp" => time(u, &[3600, 60, 86_400, 0, -1, -3600, -86_400]),
            "nbf" => time(u, &[-3600, -1, 0, 60, 3600, 1 << 32]),
            "iat" => time(u, &[-1, -3600, 3600]),
            "sub" | "email" | "preferred_username" => self.sub(u),
            "tid" => self.tid(u),
            // RFC 7800 section 3.2; OpenID Connect Core 1.0 section 7.4.
            "cnf" => Ok(match self.carried_key(u)? {
                Some(key) => Value::Object([("jwk".to_owned(), Value::Jwk(key.alias.clone()))].into()),
                None => odd(u)?,
            }),
            "sub_jwk" => Ok(match self.carried_key(u)? {
                Some(key) => Value::Jwk(key.alias.clone()),
                None => odd(u)?,
            }),
            _ => plain(u),
        }
    }

    pub(super) fn header(&self, u: &mut Unstructured<'_>, name: &str) -> Result<Value> {
        Ok(match name {
            "alg" => match u.int_in_range(0..=5)? {
                0..=3 => Value::text(*u.choose(&["none", "RS256", "PS256", "HS256", "ES256", "EdDSA", "NONE", ""])?),
                _ => odd(u)?,
            },
            "kid" => match u.int_in_range(0..=3)? {
                0..=2 => Value::Kid(self.any_key(u)?.alias.clone()),
                _ => plain(u)?,
            },
            "typ" => match u.int_in_range(0..=5)? {
                0..=1 => Value::text("JWT"),
                2..=4 => Value::text(*u.choose(&["at+jwt", "secevent+jwt", "logout+jwt", "dpop+jwt"])?),
                _ => odd(u)?,
            },
            "signer" => {
                let named = Value::Signer(u.choose(&self.site.world.issuers)?.alias.clone());
                if chance(u, 1, 4)? { named.edited(edit(u)?) } else { named }
            }
            "crit" => {
                let names = ["x-note", "exp", "alg", "b64"];
                let listed = if chance(u, 1, 4)? { Vec::new() } else { vec![Value::text(*u.choose(&names)?)] };
                Value::List(listed)
            }
            "b64" => Value::bool(chance(u, 1, 2)?),
            "cty" => Value::text("JWT"),
            _ => plain(u)?,
        })
    }

    fn iss(&self, u: &mut Unstructured<'_>) -> Result<Value> {
        let own = || Value::issuer(self.issuer());
        Ok(match u.int_in_range(0..=13)? {
            0..=1 => own(),
            2..=5 => Value::issuer(&u.choose(&self.site.world.issuers)?.alias),
            6..=7 => own().edited(edit(u)?),
            8 => Value::List(vec![own()]),
            9 if !self.site.world.tenants.is_empty() => {
                Value::Issuer { of: self.issuer().to_owned(), tenant: Some(self.any_tenant(u)?) }
            }
            // A name that was made of the template, and is no tenant's.
            10 if !self.site.world.tenants.is_empty() => {
                let segment =
                    Box::new(Value::text(*u.choose(&[TENANT_PLACE, TENANT_PLACE, TENANT_PLACE, "common", ""])?));
                Value::IssuerWith { of: self.issuer().to_owned(), segment }
            }
            11 => Value::text(""),
            12 => Value::Audience(self.site.party.alias.clone()),
            _ => odd(u)?,
        })
    }

    fn aud(&self, u: &mut Unstructured<'_>) -> Result<Value> {
        let own = || Value::Audience(self.site.party.alias.clone());
        Ok(match u.int_in_range(0..=10)? {
            0 => own(),
            1..=3 => Value::Audience(u.choose(&self.site.world.parties)?.alias.clone()),
            4..=6 => own().edited(edit(u)?),
            7 => Value::List(vec![own()]),
            8 => Value::List(vec![own(), plain(u)?]),
            9 => Value::text("*"),
            _ => odd(u)?,
        })
    }

    fn sub(&self, u: &mut Unstructured<'_>) -> Result<Value> {
        let subjects = &self.site.world.subjects;
        Ok(match u.int_in_range(0..=4)? {
            0..=2 if !subjects.is_empty() => Value::Subject(u.choose(subjects)?.alias.clone()),
            0..=3 => Value::text(*u.choose(&["somebody", "root", "0"])?),
            _ => odd(u)?,
        })
    }

    fn tid(&self, u: &mut Unstructured<'_>) -> Result<Value> {
        Ok(match u.int_in_range(0..=4)? {
            0..=2 if !self.site.world.tenants.is_empty() => Value::Tenant(self.any_tenant(u)?),
            0..=3 => plain(u)?,
            _ => odd(u)?,
        })
    }

    fn any_tenant(&self, u: &mut Unstructured<'_>) -> Result<String> {
        Ok(u.choose(&self.site.world.tenants)?.alias.clone())
    }

    /// A key that a token may carry itself, one that nobody trusts before any other; `None` where there is none.
    pub(super) fn carried_key(&self, u: &mut Unstructured<'_>) -> Result<Option<&'w Key>> {
        let world: &'w World = self.site.world;
        let keys: Vec<_> = world.keys.iter().filter(|key| !is_secret(key) && key.private.is_some()).collect();
        let attackers: Vec<_> = keys.iter().copied().filter(|key| key.owner.is_none()).collect();
        let from = if !attackers.is_empty() && chance(u, 2, 3)? { &attackers } else { &keys };
        if from.is_empty() { Ok(None) } else { u.choose(from).map(|key| Some(*key)) }
    }

    /// Any key that can sign: a key of the claimed issuer's as often as all others together.
    pub(super) fn any_key(&self, u: &mut Unstructured<'_>) -> Result<&'w Key> {
        let world: &'w World = self.site.world;
        let keys: Vec<_> = world.keys.iter().filter(|key| key.private.is_some()).collect();
        let owned = |key: &&&Key| key.owner.as_deref() == Some(self.issuer());
        let own: Vec<_> = keys.iter().filter(owned).copied().collect();
        if !own.is_empty() && chance(u, 1, 2)? { u.choose(&own).copied() } else { u.choose(&keys).copied() }
    }
}

/// So many times in that many; never where nothing is left to draw from, so that what is drawn last is plain.
pub(super) fn chance(u: &mut Unstructured<'_>, times: u8, of: u8) -> Result<bool> {
    Ok(u.int_in_range(1..=of)? > of - times)
}

/// Text or a number that nobody reads.
pub(super) fn plain(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=3)? {
        0..=2 => Value::text(*u.choose(&["x", "read write", "0", "n-0S6_WzA2Mj"])?),
        _ => Value::integer(i64::from(u.int_in_range(0_i8..=100)?)),
    })
}

/// A value of a type that few expect.
pub(super) fn odd(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=6)? {
        0 => Value::null(),
        1 => Value::bool(chance(u, 1, 2)?),
        2 => Value::Literal(Scalar::Integer(0)),
        3 => Value::List(Vec::new()),
        4 => json("{}"),
        5 => Value::Number("1e3".to_owned()),
        _ => Value::text(""),
    })
}

fn time(u: &mut Unstructured<'_>, seconds: &[i64]) -> Result<Value> {
    let span = Span(*u.choose(seconds)?);
    Ok(match u.int_in_range(0..=10)? {
        0..=6 => Value::Time(span),
        7..=8 => Value::TimeText(span),
        9 => Value::TimeAs { at: span, form: (*u.choose(&["{}.5", "{}000", "{}0000000000"])?).to_owned() },
        _ => odd(u)?,
    })
}

pub(super) fn edit(u: &mut Unstructured<'_>) -> Result<Edit> {
    Ok(match u.int_in_range(0..=8)? {
        0..=1 => Edit::Suffix(
            (*u.choose(&["/", "1", "#", "?x", ".example.net", "@example.net", " ", "\0", "\n"])?).to_owned(),
        ),
        2 => Edit::Prefix((*u.choose(&["x", " ", "https://example.net/"])?).to_owned()),
        3 => Edit::CutEnd(u.int_in_range(1..=9)?),
        4 => Edit::CutStart(u.int_in_range(1..=9)?),
        5 => Edit::Insert(u.int_in_range(0..=40)?, (*u.choose(&["\n", "\0", "\u{200b}", "/"])?).to_owned()),
        6 => Edit::PercentEncode(u.int_in_range(0..=40)?),
        7 => Edit::Replace(".".to_owned(), (*u.choose(&["x", "/", "\u{3002}"])?).to_owned()),
        _ => u.choose(&[Edit::SwapCase, Edit::LookAlike, Edit::InHost(Box::new(Edit::SwapCase))])?.clone(),
    })
}
