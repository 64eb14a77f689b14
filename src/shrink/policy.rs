//! Plainer acts on policies, and what a token repeats of them.

use super::{plainer_edit, without_runs};
use crate::scenario::{KeyIssuer, PolicyAct, PublicForm, PublicText, Scenario, Spoil, Step, Value};
use serde::Serialize;

/// Plainer acts that are about the same issuer or key.
pub(super) fn plainer_act(act: &PolicyAct) -> Vec<PolicyAct> {
    match act {
        PolicyAct::SetAudiences(names) => without_runs(names).into_iter().map(PolicyAct::SetAudiences).collect(),
        PolicyAct::SetLeeway(_) => vec![PolicyAct::SetLeeway(0)],
        PolicyAct::SetAlgorithms { issuer, algorithms } => {
            let fewer = without_runs(algorithms).into_iter();
            fewer.map(|algorithms| PolicyAct::SetAlgorithms { issuer: issuer.clone(), algorithms }).collect()
        }
        PolicyAct::SetTenants { issuer, tenants } => {
            let fewer = without_runs(tenants).into_iter();
            fewer.map(|tenants| PolicyAct::SetTenants { issuer: issuer.clone(), tenants }).collect()
        }
        PolicyAct::RenameIssuer { issuer, .. } => PLAIN_TEXTS.map(|name| rename(issuer, name)).into(),
        PolicyAct::EditIssuer { issuer, edit } => {
            let edited = plainer_edit(edit).map(|edit| PolicyAct::EditIssuer { issuer: issuer.clone(), edit });
            PLAIN_TEXTS.map(|name| rename(issuer, name)).into_iter().chain(edited).collect()
        }
        PolicyAct::ForgetKeys(issuer) => vec![PolicyAct::ListNoKeys(issuer.clone())],
        PolicyAct::SetKeyIssuer { key, to } => {
            let texts = PLAIN_TEXTS.map(|text| KeyIssuer::Text(text.to_owned()));
            let mut plainer = vec![KeyIssuer::Absent];
            match to {
                KeyIssuer::Absent => plainer.clear(),
                KeyIssuer::Text(_) | KeyIssuer::Of(_) => plainer.extend(texts),
                KeyIssuer::Json(_) => plainer.push(KeyIssuer::Json("0".to_owned())),
            }
            plainer.into_iter().map(|to| PolicyAct::SetKeyIssuer { key: key.clone(), to }).collect()
        }
        // What is no JWK at all is plainer than numbers that make no key.
        PolicyAct::SpoilKey { key, .. } => vec![PolicyAct::SpoilKey { key: key.clone(), how: Spoil::NoKty }],
        PolicyAct::SetSecret { issuer, secret } => {
            let secrets = plainer_secrets(secret).into_iter();
            secrets.map(|secret| PolicyAct::SetSecret { issuer: issuer.clone(), secret }).collect()
        }
        PolicyAct::AddIssuer(_)
        | PolicyAct::RemoveIssuer(_)
        | PolicyAct::ListKey { .. }
        | PolicyAct::ListNoKeys(_)
        | PolicyAct::MarkRevoked(_)
        | PolicyAct::SetKid { .. }
        | PolicyAct::Unset(_) => Vec::new(),
    }
}

/// The plainest text, and the plainest that says something.
const PLAIN_TEXTS: [&str; 2] = ["", "x"];

fn rename(issuer: &str, name: &str) -> PolicyAct {
    PolicyAct::RenameIssuer { issuer: issuer.to_owned(), name: name.to_owned() }
}

fn plainer_secrets(secret: &PublicText) -> Vec<PublicText> {
    PLAIN_TEXTS.map(|text| PublicText { form: PublicForm::Text(text.to_owned()), of: secret.of.clone() }).into()
}

/// What a party is told and a token repeats is plainer in both places or in none: a name, what is done to a name, a secret.
pub(super) fn plainer_together(scenario: &Scenario, all: &mut Vec<Scenario>) {
    let acts = scenario.steps.iter().flat_map(|step| match step {
        Step::UpdatePolicy { acts, .. } => acts.as_slice(),
        _ => &[],
    });
    for act in acts {
        match act {
            PolicyAct::RenameIssuer { issuer, name } => {
                let plain = PLAIN_TEXTS.into_iter().filter(|plain| plain.len() < name.len());
                all.extend(plain.filter_map(|plain| {
                    everywhere(
                        scenario,
                        &[swap(act, &rename(issuer, plain)), swap(&Value::text(name), &Value::text(plain))],
                    )
                }));
            }
            PolicyAct::EditIssuer { issuer, edit } => {
                let edited = Value::issuer(issuer).edited(edit.clone());
                all.extend(PLAIN_TEXTS.into_iter().filter_map(|plain| {
                    let swaps = [swap(act, &rename(issuer, plain)), swap(&edited, &Value::text(plain))];
                    everywhere(scenario, &swaps)
                }));
                all.extend(plainer_edit(edit).and_then(|plainer| everywhere(scenario, &[swap(edit, &plainer)])));
            }
            PolicyAct::SetSecret { secret, .. } => {
                let plainer = plainer_secrets(secret).into_iter();
                all.extend(plainer.filter_map(|plainer| everywhere(scenario, &[swap(secret, &plainer)])));
            }
            _ => {}
        }
    }
}

/// What is to be written in the place of what, both as a file has them.
type Swap = Option<(serde_json::Value, serde_json::Value)>;

fn swap<T: Serialize>(old: &T, new: &T) -> Swap {
    Some((serde_json::to_value(old).ok()?, serde_json::to_value(new).ok()?))
}

fn everywhere(scenario: &Scenario, swaps: &[Swap]) -> Option<Scenario> {
    fn visit(value: &mut serde_json::Value, old: &serde_json::Value, new: &serde_json::Value) {
        if value == old {
            value.clone_from(new);
            return;
        }
        match value {
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| visit(item, old, new)),
            serde_json::Value::Object(members) => members.values_mut().for_each(|member| visit(member, old, new)),
            _ => {}
        }
    }
    let mut file = serde_json::to_value(scenario).ok()?;
    for swap in swaps {
        let (old, new) = swap.as_ref()?;
        visit(&mut file, old, new);
    }
    serde_json::from_value(file).ok()
}
