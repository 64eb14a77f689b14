//! The value of a claim or header member, by aliases and relative times where it can be.

use super::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value to write.
///
/// In a file a plain JSON scalar or list stands for itself, except that text of the form `+1h` is a `NumericDate` that far
/// from the time of forging. An object with one member makes a value: `{"text": …}`, `{"issuer": {"of": …}}` and so on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `null`, a truth value, a whole number or text, as it stands.
    Literal(Scalar),
    /// A list.
    List(Vec<Value>),
    /// `NumericDate`, relative to the time of forging.
    Time(Span),
    /// The same as text.
    TimeText(Span),
    /// Text, even where it looks like a time.
    Text(String),
    /// A number by its literal, which need not be legal JSON.
    Number(String),
    /// An object, by its text: any JSON.
    Json(String),
    /// The name of an issuer.
    Issuer {
        /// Its alias.
        of: String,
        /// The tenant to put into its template.
        tenant: Option<String>,
    },
    /// The id of a tenant.
    Tenant(String),
    /// The name of a subject.
    Subject(String),
    /// The audience of a relying party.
    Audience(String),
    /// The `kid` of a key.
    Kid(String),
    /// The name that an issuer's `signer` has.
    Signer(String),
    /// Another value's text, edited.
    Edited {
        /// The value.
        of: Box<Value>,
        /// What is done to it.
        edit: Edit,
    },
}

/// A scalar as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

/// A change to text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// Adds at the end.
    Suffix(String),
    /// Adds at the beginning.
    Prefix(String),
    /// Takes so many characters off the end.
    CutEnd(u32),
    /// Takes so many characters off the beginning.
    CutStart(u32),
    /// Turns the case of every ASCII letter.
    SwapCase,
    /// Puts text in place of other text, everywhere.
    Replace(String, String),
}

impl Edit {
    /// The text after the edit.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        match self {
            Edit::Suffix(more) => format!("{text}{more}"),
            Edit::Prefix(more) => format!("{more}{text}"),
            Edit::CutEnd(count) => {
                let keep = text.chars().count().saturating_sub(*count as usize);
                text.chars().take(keep).collect()
            }
            Edit::CutStart(count) => text.chars().skip(*count as usize).collect(),
            Edit::SwapCase => text
                .chars()
                .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect(),
            Edit::Replace(from, to) if from.is_empty() => format!("{to}{text}"),
            Edit::Replace(from, to) => text.replace(from, to),
        }
    }
}

impl Value {
    /// Text as it stands, written in a file as plainly as can be.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if looks_like_time(&text) { Value::Text(text) } else { Value::Literal(Scalar::Text(text)) }
    }

    /// A whole number.
    #[must_use]
    pub fn integer(number: i64) -> Self {
        Value::Literal(Scalar::Integer(number))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Value::Literal(Scalar::Null)
    }

    /// A truth value.
    #[must_use]
    pub fn bool(truth: bool) -> Self {
        Value::Literal(Scalar::Bool(truth))
    }

    /// The name of an issuer, with the tenant of the honest token where it has a template.
    pub fn issuer(alias: impl Into<String>) -> Self {
        Value::Issuer { of: alias.into(), tenant: None }
    }

    /// This value's text, edited.
    #[must_use]
    pub fn edited(self, edit: Edit) -> Self {
        Value::Edited { of: Box::new(self), edit }
    }
}

fn looks_like_time(text: &str) -> bool {
    (text.starts_with('+') || text.starts_with('-')) && text.parse::<Span>().is_ok()
}

/// The object form.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Made {
    Time(Span),
    TimeText(Span),
    Text(String),
    Number(String),
    Json(String),
    Issuer(IssuerWire),
    Tenant(String),
    Subject(String),
    Audience(String),
    Kid(String),
    Signer(String),
    Edited(EditedWire),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerWire {
    of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditedWire {
    of: Box<Value>,
    edit: Edit,
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let made = match self.clone() {
            Value::Literal(Scalar::Null) => return serializer.serialize_unit(),
            Value::Literal(Scalar::Bool(truth)) => return serializer.serialize_bool(truth),
            Value::Literal(Scalar::Integer(number)) => return serializer.serialize_i64(number),
            Value::Literal(Scalar::Text(text)) if looks_like_time(&text) => Made::Text(text),
            Value::Literal(Scalar::Text(text)) => return serializer.serialize_str(&text),
            Value::List(items) => return items.serialize(serializer),
            Value::Time(span) => return span.serialize(serializer),
            Value::TimeText(span) => Made::TimeText(span),
            Value::Text(text) => Made::Text(text),
            Value::Number(literal) => Made::Number(literal),
            Value::Json(text) => Made::Json(text),
            Value::Issuer { of, tenant } => Made::Issuer(IssuerWire { of, tenant }),
            Value::Tenant(alias) => Made::Tenant(alias),
            Value::Subject(alias) => Made::Subject(alias),
            Value::Audience(party) => Made::Audience(party),
            Value::Kid(key) => Made::Kid(key),
            Value::Signer(issuer) => Made::Signer(issuer),
            Value::Edited { of, edit } => Made::Edited(EditedWire { of, edit }),
        };
        made.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        Value::from_serde(serde_json::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Value {
    fn from_serde(value: serde_json::Value) -> Result<Self, String> {
        Ok(match value {
            serde_json::Value::Null => Value::null(),
            serde_json::Value::Bool(truth) => Value::bool(truth),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Value::integer(whole),
                None => Value::Number(number.to_string()),
            },
            serde_json::Value::String(text) if looks_like_time(&text) => Value::Time(text.parse()?),
            serde_json::Value::String(text) => Value::Literal(Scalar::Text(text)),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(Value::from_serde).collect::<Result<_, _>>()?)
            }
            object @ serde_json::Value::Object(_) => {
                let made: Made = serde_json::from_value(object).map_err(|error| format!("in a value: {error}"))?;
                match made {
                    Made::Time(span) => Value::Time(span),
                    Made::TimeText(span) => Value::TimeText(span),
                    Made::Text(text) if looks_like_time(&text) => Value::Text(text),
                    Made::Text(text) => Value::Literal(Scalar::Text(text)),
                    Made::Number(literal) => number(literal)?,
                    Made::Json(text) => Value::Json(text),
                    Made::Issuer(IssuerWire { of, tenant }) => Value::Issuer { of, tenant },
                    Made::Tenant(alias) => Value::Tenant(alias),
                    Made::Subject(alias) => Value::Subject(alias),
                    Made::Audience(party) => Value::Audience(party),
                    Made::Kid(key) => Value::Kid(key),
                    Made::Signer(issuer) => Value::Signer(issuer),
                    Made::Edited(EditedWire { of, edit }) => Value::Edited { of, edit },
                }
            }
        })
    }
}

/// A number literal must be legal JSON (RFC 8259 section 6), or the tree that we record would not be what readers see.
fn number(literal: String) -> Result<Value, String> {
    let rest = literal.strip_prefix('-').unwrap_or(&literal);
    let split = |text: &str, at: &[char]| match text.find(at) {
        Some(index) => (text[..index].to_owned(), Some(text[index + 1..].to_owned())),
        None => (text.to_owned(), None),
    };
    let (mantissa, exponent) = split(rest, &['e', 'E']);
    let (whole, fraction) = split(&mantissa, &['.']);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let legal = digits(&whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.as_deref().is_none_or(digits)
        && exponent.as_deref().is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
        && literal.len() <= 400;
    if !legal {
        return Err(format!("{literal:?} is no JSON number of at most 400 characters"));
    }
    Ok(Value::Number(literal))
}
