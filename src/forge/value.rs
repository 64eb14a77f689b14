//! What a value of a scenario stands for in a world at a time.

use super::carried::{certificate, url};
use super::{At, Forge, Situation};
use crate::error::Error;
use crate::jose::{Json, Jwk, Material, Member, encode_base64};
use crate::policy::TENANT_PLACE;
use crate::scenario::{Honest, Value};

pub(super) fn resolve(
    forge: &Forge,
    situation: &Situation,
    honest: &Honest,
    value: &Value,
    place: At,
) -> Result<Json, Error> {
    use crate::scenario::Scalar;
    let world = forge.world();
    let wrong = |problem: String| Error::Scenario { place: place.to_string(), problem };
    let unknown = |what: &str, alias: &str| wrong(format!("world {} has no {what} `{alias}`", world.name));
    let again = |value: &Value| resolve(forge, situation, honest, value, place);
    Ok(match value {
        Value::Literal(Scalar::Null) => Json::Null,
        Value::Literal(Scalar::Bool(truth)) => Json::Bool(*truth),
        Value::Literal(Scalar::Integer(number)) => Json::integer(*number),
        Value::Literal(Scalar::Text(text)) | Value::Text(text) => Json::string(text),
        Value::List(items) => Json::Array(items.iter().map(again).collect::<Result<_, _>>()?),
        Value::Time(span) => Json::integer(situation.calendar.at(*span).0),
        Value::TimeText(span) => Json::string(situation.calendar.at(*span).0.to_string()),
        Value::TimeAs { at, form } => Json::Number(form.replace("{}", &situation.calendar.at(*at).0.to_string())),
        Value::Number(literal) => Json::Number(literal.clone()),
        Value::Json(text) => {
            let read: serde_json::Value =
                serde_json::from_str(text).map_err(|error| wrong(format!("`json` is not JSON: {error}")))?;
            Json::from_serde(&read)
        }
        Value::Issuer { of, tenant } => {
            let issuer = world.issuer(of).ok_or_else(|| unknown("issuer", of))?;
            let alias = tenant.as_ref().or(honest.tenant.as_ref()).or(issuer.tenants.first());
            let tenant = alias.map(|alias| world.tenant(alias).ok_or_else(|| unknown("tenant", alias))).transpose()?;
            Json::string(world.issuer_name(issuer, tenant))
        }
        Value::IssuerWith { of, segment } => match again(segment)? {
            Json::String(text) => {
                Json::string(world.issuer(of).ok_or_else(|| unknown("issuer", of))?.name.replace(TENANT_PLACE, &text))
            }
            _ => return Err(wrong("the `segment` of `issuer-with` needs a value that is text".to_owned())),
        },
        Value::Tenant(alias) => Json::string(&world.tenant(alias).ok_or_else(|| unknown("tenant", alias))?.id),
        Value::Subject(alias) => Json::string(&world.subject(alias).ok_or_else(|| unknown("subject", alias))?.id),
        Value::Audience(alias) => {
            let party = world.party(alias).ok_or_else(|| unknown("party", alias))?;
            Json::string(party.audiences.first().map_or("", String::as_str))
        }
        Value::Kid(alias) => {
            Json::string(world.key(alias).ok_or_else(|| unknown("key", alias))?.jwk.kid.as_deref().unwrap_or_default())
        }
        Value::AudienceOf { party, issuer } => {
            let party = world.party(party).ok_or_else(|| unknown("party", party))?;
            let trust = party.issuers.iter().find(|trust| trust.alias == *issuer);
            Json::string(party.audience_for(trust).unwrap_or_default())
        }
        Value::Signer(alias) => Json::string(world.signer(alias).ok_or_else(|| unknown("issuer or party", alias))?),
        Value::Jwk(alias) => {
            let material = &world.key(alias).ok_or_else(|| unknown("key", alias))?.jwk.material;
            if matches!(material, Material::Oct { .. }) {
                return Err(wrong(format!("`{alias}` is a secret and has no public half")));
            }
            let json = serde_json::to_value(Jwk::new(material.clone())).map_err(|error| wrong(error.to_string()))?;
            Json::from_serde(&json)
        }
        Value::Thumbprint(alias) => {
            Json::string(world.key(alias).ok_or_else(|| unknown("key", alias))?.jwk.material.thumbprint())
        }
        Value::Certificate(alias) => {
            let key = world.key(alias).ok_or_else(|| unknown("key", alias))?;
            Json::string(encode_base64(&certificate(key).map_err(wrong)?))
        }
        Value::Url { of, file } => {
            let key = world.key(of).ok_or_else(|| unknown("key", of))?;
            Json::string(url(world, situation, key, file.as_deref(), place.number()).map_err(wrong)?)
        }
        Value::Quoted(of) => Json::string(again(of)?.write()),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| Ok(Member::new(name, again(value)?));
            Json::Object(members.iter().map(member).collect::<Result<_, Error>>()?)
        }
        Value::Edited { of, edit } => match again(of)? {
            Json::String(text) => Json::String(edit.apply(&text)),
            _ => return Err(wrong("`edited` needs a value that is text".to_owned())),
        },
    })
}
