//! Makes a scenario smaller while it stays what it is: whoever shrinks says what that means.

mod policy;

use crate::scenario::{
    Act, Donor, Duplicate, Edit, Honest, Kid, Mangle, Present, Raw, Scalar, Scenario, SetMember, SignWith, Span,
    Splice, Step, Value,
};

/// Most scenarios that [`shrink`] tries.
pub const MAX_TRIES: usize = 2_000;

/// The smallest scenario that is still the same, as far as one can get by the first step that helps, and the next.
#[must_use]
pub fn shrink(scenario: Scenario, mut still: impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut smallest = scenario;
    let mut tries = 0;
    'smaller: loop {
        for candidate in simplifications(&smallest) {
            if tries == MAX_TRIES {
                return smallest;
            }
            tries += 1;
            if still(&candidate) {
                smallest = candidate;
                continue 'smaller;
            }
        }
        return smallest;
    }
}

/// Every scenario that is one step simpler, the most drastic first: steps go before acts, acts before what they say. Each
/// has fewer steps, else fewer acts, else a shorter file, and each presents at least one token.
#[must_use]
pub fn simplifications(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    fewer_steps(scenario, &mut all);
    fewer_acts(scenario, &mut all);
    plainer(scenario, &mut all);
    let size = size(scenario);
    all.retain(|candidate| candidate.presents().next().is_some() && self::size(candidate) < size);
    all
}

/// What shrinking makes smaller, the most important first.
fn size(scenario: &Scenario) -> (usize, usize, usize) {
    let acts = |step: &Step| match step {
        Step::UpdatePolicy { acts, .. } => acts.len(),
        Step::Present(present) => count(&present.acts),
        Step::Together(presents) => presents.iter().map(|present| count(&present.acts) + 1).sum(),
        _ => 0,
    };
    let text = serde_json::to_string(scenario).map_or(usize::MAX, |text| text.len());
    (scenario.steps.len(), scenario.steps.iter().map(acts).sum(), text)
}

fn count(acts: &[Act]) -> usize {
    let inner = |act: &Act| match act {
        Act::Splice(Splice { of: Some(donor), .. }) => count(&donor.acts),
        _ => 0,
    };
    acts.len() + acts.iter().map(inner).sum::<usize>()
}

fn fewer_steps(scenario: &Scenario, all: &mut Vec<Scenario>) {
    let with = |steps: Vec<Step>| Scenario { steps, ..scenario.clone() };
    if scenario.steps.len() > 1 {
        for step in &scenario.steps {
            match step {
                Step::Present(present) => all.push(with(vec![Step::Present(nameless(present))])),
                Step::Together(presents) => {
                    all.extend(presents.iter().map(|present| with(vec![Step::Present(nameless(present))])));
                }
                _ => {}
            }
        }
    }
    all.extend(without_runs(&scenario.steps).into_iter().map(with));
    for (index, pair) in scenario.steps.windows(2).enumerate() {
        if let [Step::UpdatePolicy { party, acts }, Step::UpdatePolicy { party: same, acts: more }] = pair
            && party == same
        {
            let both = Step::UpdatePolicy { party: party.clone(), acts: [acts.as_slice(), more].concat() };
            let mut steps = replaced(&scenario.steps, index, both);
            steps.remove(index + 1);
            all.push(with(steps));
        }
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        if let Step::Together(presents) = step {
            for fewer in without_runs(presents) {
                all.push(with(replaced(&scenario.steps, index, Step::Together(fewer))));
            }
        }
    }
}

fn nameless(present: &Present) -> Present {
    Present { name: None, ..present.clone() }
}

/// The list without its second half, its first, and so on in ever smaller runs, at last without each single member.
fn without_runs<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    let mut length = items.len();
    while length > 0 {
        for start in (0..items.len()).step_by(length).rev() {
            let end = (start + length).min(items.len());
            lists.push(items[..start].iter().chain(&items[end..]).cloned().collect());
        }
        length /= 2;
    }
    lists
}

fn replaced<T: Clone>(items: &[T], index: usize, item: T) -> Vec<T> {
    let mut items = items.to_vec();
    items[index] = item;
    items
}

/// The scenario with each present step as these changes make it.
fn each_present(scenario: &Scenario, all: &mut Vec<Scenario>, changes: impl Fn(&Present) -> Vec<Present>) {
    for (index, step) in scenario.steps.iter().enumerate() {
        let steps: Vec<Step> = match step {
            Step::Present(present) => changes(present).into_iter().map(Step::Present).collect(),
            Step::Together(presents) => {
                let one = |(at, present)| {
                    let changed = changes(present).into_iter();
                    changed.map(move |present| Step::Together(replaced(presents, at, present))).collect::<Vec<_>>()
                };
                presents.iter().enumerate().flat_map(one).collect()
            }
            _ => Vec::new(),
        };
        let with = |step| Scenario { steps: replaced(&scenario.steps, index, step), ..scenario.clone() };
        all.extend(steps.into_iter().map(with));
    }
}

fn fewer_acts(scenario: &Scenario, all: &mut Vec<Scenario>) {
    each_present(scenario, all, |present| {
        let with = |acts| Present { acts, ..present.clone() };
        let mut fewer: Vec<_> = without_runs(&present.acts).into_iter().map(with).collect();
        for (index, act) in present.acts.iter().enumerate() {
            if let Act::Splice(splice @ Splice { of: Some(donor), .. }) = act {
                let inner = without_runs(&donor.acts).into_iter().map(|acts| {
                    let donor = Donor { acts, ..donor.as_ref().clone() };
                    Act::Splice(Splice { of: Some(Box::new(donor)), ..splice.clone() })
                });
                fewer.extend(inner.map(|act| with(replaced(&present.acts, index, act))));
            }
        }
        fewer
    });
    for (index, step) in scenario.steps.iter().enumerate() {
        if let Step::UpdatePolicy { party, acts } = step {
            let with = |acts| Step::UpdatePolicy { party: party.clone(), acts };
            let steps = without_runs(acts).into_iter().map(|acts| replaced(&scenario.steps, index, with(acts)));
            all.extend(steps.map(|steps| Scenario { steps, ..scenario.clone() }));
        }
    }
}

fn plainer(scenario: &Scenario, all: &mut Vec<Scenario>) {
    each_present(scenario, all, |present| {
        let honests = plainer_honest(&present.honest);
        let mut plain: Vec<_> = honests.into_iter().map(|honest| Present { honest, ..present.clone() }).collect();
        for (index, act) in present.acts.iter().enumerate() {
            let acts = plainer_act(act).into_iter().map(|act| replaced(&present.acts, index, act));
            plain.extend(acts.map(|acts| Present { acts, ..present.clone() }));
        }
        if present.name.is_some() {
            plain.push(nameless(present));
        }
        plain
    });
    for (index, step) in scenario.steps.iter().enumerate() {
        let steps = plainer_step(step).into_iter().map(|step| replaced(&scenario.steps, index, step));
        all.extend(steps.map(|steps| Scenario { steps, ..scenario.clone() }));
    }
    policy::plainer_together(scenario, all);
    // The key source that a file need not name.
    all.push(Scenario { key_source: Default::default(), ..scenario.clone() });
}

fn plainer_step(step: &Step) -> Vec<Step> {
    match step {
        Step::RotateKey { key, to, keep_kid, overlap } => {
            let with = |keep_kid, overlap| Step::RotateKey { key: key.clone(), to: to.clone(), keep_kid, overlap };
            let mut steps = Vec::new();
            if *keep_kid {
                steps.push(with(false, *overlap));
            }
            if *overlap {
                steps.push(with(*keep_kid, false));
            }
            steps
        }
        Step::JwksUnreachable { issuer, .. } => {
            vec![Step::JwksUnreachable { issuer: issuer.clone(), how: Default::default() }]
        }
        Step::AdvanceClock(span) => [60, 3600].map(|seconds| Step::AdvanceClock(Span(seconds.min(span.0)))).into(),
        Step::Together(presents) => match presents.as_slice() {
            [one] => vec![Step::Present(one.clone())],
            _ => Vec::new(),
        },
        Step::UpdatePolicy { party, acts } => {
            let mut steps = Vec::new();
            for (index, act) in acts.iter().enumerate() {
                let plainer = policy::plainer_act(act).into_iter().map(|act| replaced(acts, index, act));
                steps.extend(plainer.map(|acts| Step::UpdatePolicy { party: party.clone(), acts }));
            }
            steps
        }
        _ => Vec::new(),
    }
}

fn plainer_honest(honest: &Honest) -> Vec<Honest> {
    let mut all = Vec::new();
    if [&honest.tenant, &honest.subject, &honest.key, &honest.alg].into_iter().flatten().count() > 1 {
        all.push(Honest { issuer: honest.issuer.clone(), ..Honest::default() });
    }
    if honest.key.is_some() {
        all.push(Honest { key: None, ..honest.clone() });
    }
    if honest.alg.is_some() {
        all.push(Honest { alg: None, ..honest.clone() });
    }
    if honest.subject.is_some() {
        all.push(Honest { subject: None, ..honest.clone() });
    }
    if honest.tenant.is_some() {
        all.push(Honest { tenant: None, ..honest.clone() });
    }
    all
}

fn plainer_act(act: &Act) -> Vec<Act> {
    let member = |set: &SetMember| -> Vec<SetMember> {
        let values = plainer_values(&set.value).into_iter();
        values.map(|value| SetMember { name: set.name.clone(), value }).collect()
    };
    // Said once it is a plainer act than said twice.
    let duplicate = |twice: &Duplicate| -> (SetMember, Vec<Duplicate>) {
        let once = SetMember { name: twice.name.clone(), value: twice.value.clone() };
        let values = plainer_values(&twice.value).into_iter();
        (once, values.map(|value| Duplicate { value, ..twice.clone() }).collect())
    };
    match act {
        Act::SignWith(sign) => plainer_signing(sign).into_iter().map(Act::SignWith).collect(),
        Act::SetClaim(set) => member(set).into_iter().map(Act::SetClaim).collect(),
        Act::SetHeader(set) => member(set).into_iter().map(Act::SetHeader).collect(),
        Act::DuplicateClaim(twice) => {
            let (once, plainer) = duplicate(twice);
            [Act::SetClaim(once)].into_iter().chain(plainer.into_iter().map(Act::DuplicateClaim)).collect()
        }
        Act::DuplicateHeader(twice) => {
            let (once, plainer) = duplicate(twice);
            [Act::SetHeader(once)].into_iter().chain(plainer.into_iter().map(Act::DuplicateHeader)).collect()
        }
        Act::Splice(splice @ Splice { of: Some(donor), .. }) => {
            let with = |donor| Act::Splice(Splice { of: Some(Box::new(donor)), ..splice.clone() });
            let honests = plainer_honest(&donor.honest).into_iter();
            let mut acts: Vec<_> = honests.map(|honest| with(Donor { honest, ..donor.as_ref().clone() })).collect();
            for (index, inner) in donor.acts.iter().enumerate() {
                let inner = plainer_act(inner).into_iter().map(|inner| replaced(&donor.acts, index, inner));
                acts.extend(inner.map(|acts| with(Donor { acts, ..donor.as_ref().clone() })));
            }
            acts
        }
        Act::MangleSignature(mangle) => match mangle {
            Mangle::FlipBit(_) => vec![Act::MangleSignature(Mangle::FlipBit(0))],
            Mangle::Truncate(_) => vec![Act::MangleSignature(Mangle::Truncate(1))],
            Mangle::Extend(_) => vec![Act::MangleSignature(Mangle::Extend(1))],
            _ => vec![Act::StripSignature {}],
        },
        Act::Raw(raw) => plainer_raw(raw).into_iter().map(Act::Raw).collect(),
        _ => Vec::new(),
    }
}

fn plainer_signing(sign: &SignWith) -> Vec<SignWith> {
    let mut all = vec![SignWith::default()];
    all.push(SignWith { kid: Kid::Own, ..sign.clone() });
    all.push(SignWith { alg: None, ..sign.clone() });
    if sign.key.is_some() {
        all.push(SignWith { key: None, ..sign.clone() });
    }
    if sign.secret.is_some() {
        all.push(SignWith { secret: None, alg: None, ..sign.clone() });
    }
    if let Kid::Text(_) = &sign.kid {
        all.push(SignWith { kid: Kid::Text(String::new()), ..sign.clone() });
    }
    all
}

/// Plainer values of the same JSON type: a wrong name is another defect than what is no name at all.
fn plainer_values(value: &Value) -> Vec<Value> {
    match value {
        Value::Edited { of, edit } => {
            let mut values = vec![of.as_ref().clone()];
            values.extend(plainer_edit(edit).map(|edit| Value::Edited { of: of.clone(), edit }));
            values.extend(plainer_values(of).into_iter().filter(is_text).map(|of| of.edited(edit.clone())));
            values
        }
        Value::List(items) => {
            let mut values: Vec<_> = without_runs(items).into_iter().map(Value::List).collect();
            for (index, item) in items.iter().enumerate() {
                let plain = plainer_values(item).into_iter();
                values.extend(plain.map(|item| Value::List(replaced(items, index, item))));
            }
            values
        }
        Value::Time(span) => {
            vec![Value::Time(Span(span.0.signum() * 3600)), Value::Time(Span(0)), Value::integer(0)]
        }
        Value::TimeAs { at, form } => {
            let at = Value::TimeAs { at: Span(at.0.signum() * 3600), form: form.clone() };
            vec![Value::Time(Span(0)), at, Value::integer(0)]
        }
        Value::IssuerWith { of, segment } => {
            let mut values = vec![Value::issuer(of), Value::text("")];
            let plainer = plainer_values(segment).into_iter().filter(is_text);
            values.extend(plainer.map(|segment| Value::IssuerWith { of: of.clone(), segment: Box::new(segment) }));
            values
        }
        Value::Issuer { of, tenant: Some(_) } => vec![Value::Issuer { of: of.clone(), tenant: None }, Value::text("")],
        Value::Literal(Scalar::Integer(_)) => vec![Value::integer(0)],
        Value::Number(literal) => {
            let sign = if literal.starts_with('-') { -1 } else { 1 };
            vec![Value::Time(Span(sign * 3600)), Value::integer(0)]
        }
        Value::Json(text) if text.starts_with('{') => vec![Value::Json("{}".to_owned())],
        Value::Literal(Scalar::Bool(_) | Scalar::Null) | Value::Json(_) => Vec::new(),
        _ => vec![Value::text("")],
    }
}

/// What an edit can be made to.
fn is_text(value: &Value) -> bool {
    !matches!(
        value,
        Value::List(_)
            | Value::Time(_)
            | Value::TimeAs { .. }
            | Value::Number(_)
            | Value::Json(_)
            | Value::Literal(Scalar::Null | Scalar::Bool(_) | Scalar::Integer(_))
    )
}

fn plainer_edit(edit: &Edit) -> Option<Edit> {
    Some(match edit {
        Edit::Suffix(_) => Edit::Suffix("1".to_owned()),
        Edit::Prefix(_) => Edit::Prefix("1".to_owned()),
        Edit::CutEnd(_) => Edit::CutEnd(1),
        Edit::CutStart(_) => Edit::CutStart(1),
        Edit::SwapCase => return None,
        Edit::InHost(edit) | Edit::InPath(edit) => edit.as_ref().clone(),
        Edit::Replace(..) | Edit::Insert(..) | Edit::PercentEncode(_) | Edit::LookAlike | Edit::FullWidth => {
            Edit::SwapCase
        }
    })
}

fn plainer_raw(raw: &Raw) -> Vec<Raw> {
    let halves = |text: &String| -> Vec<String> {
        let half: String = text.chars().take(text.chars().count() / 2).collect();
        let last = text.chars().last().map(String::from);
        [Some(String::new()), Some(half), last].into_iter().flatten().collect()
    };
    match raw {
        Raw::Token(text) => halves(text).into_iter().map(Raw::Token).collect(),
        Raw::After(text) => halves(text).into_iter().map(Raw::After).collect(),
        Raw::Before(text) => halves(text).into_iter().map(Raw::Before).collect(),
        Raw::Text { part, text } => halves(text).into_iter().map(|text| Raw::Text { part: *part, text }).collect(),
        Raw::FlipBit { part, .. } => vec![Raw::FlipBit { part: *part, bit: 0 }],
        Raw::Segments(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
