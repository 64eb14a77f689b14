//! The value of a claim or header member, by aliases and relative times where it can be.

use super::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

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
    /// The same, its digits in place of `{}` in another number literal: `{}.5`, `{}000`.
    TimeAs {
        /// When.
        at: Span,
        /// The literal.
        form: String,
    },
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
    /// The name of an issuer with any text where its template has the tenant.
    IssuerWith {
        /// Its alias.
        of: String,
        /// That text.
        segment: Box<Value>,
    },
    /// The id of a tenant.
    Tenant(String),
    /// The name of a subject.
    Subject(String),
    /// The audience of a relying party.
    Audience(String),
    /// The first audience that an issuer may address at a relying party.
    AudienceOf {
        /// The relying party.
        party: String,
        /// The issuer.
        issuer: String,
    },
    /// The `kid` of a key.
    Kid(String),
    /// The name that an issuer's `signer` has, or the one that a relying party asks for.
    Signer(String),
    /// The public half of a key as a JWK, with nothing but the key itself (RFC 7638 section 3.2).
    Jwk(String),
    /// The RFC 7638 thumbprint of a key.
    Thumbprint(String),
    /// The first certificate of a key as `x5c` writes it (RFC 7515 section 4.1.6): the one it is published with, else one that
    /// it signs for itself.
    Certificate(String),
    /// A URL at the host of a key's owner, or at the attacker's: another place in each token.
    Url {
        /// The alias of the key.
        of: String,
        /// The name of the file there; absent: `jwks.json`.
        file: Option<String>,
    },
    /// The compact JSON of another value, as text.
    Quoted(Box<Value>),
    /// An object with these members, in the order of their names.
    Object(BTreeMap<String, Value>),
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
    /// Puts text before a character, counted from 0 and around the end.
    Insert(u32, String),
    /// Writes a character, counted from 0 and around the end, as RFC 3986 section 2.1 encodes it: `%2e`.
    PercentEncode(u32),
    /// Puts a letter of another script, which looks the same, in place of the last that has one.
    LookAlike,
    /// Writes every ASCII letter and digit in its full-width form, which Unicode's NFKC turns back.
    FullWidth,
    /// Edits the host of a URL alone.
    InHost(Box<Edit>),
    /// Edits what follows the host of a URL.
    InPath(Box<Edit>),
}

/// Latin letters and the Cyrillic ones that look the same.
const LOOK_ALIKE: [(char, char); 9] = [
    ('a', '\u{430}'),
    ('c', '\u{441}'),
    ('e', '\u{435}'),
    ('i', '\u{456}'),
    ('j', '\u{458}'),
    ('o', '\u{43e}'),
    ('p', '\u{440}'),
    ('x', '\u{445}'),
    ('y', '\u{443}'),
];

impl Edit {
    /// The text after the edit.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let around = |count: usize, at: u32| at as usize % count.max(1);
        match self {
            Edit::Insert(at, more) => {
                let mut characters: Vec<char> = text.chars().collect();
                let at = around(characters.len(), *at);
                characters.splice(at..at, more.chars());
                characters.into_iter().collect()
            }
            Edit::PercentEncode(at) => {
                let at = around(text.chars().count(), *at);
                let spell = |(index, character): (usize, char)| {
                    let mut octets = [0; 4];
                    let octets = character.encode_utf8(&mut octets).bytes();
                    if index == at {
                        octets.map(|octet| format!("%{octet:02x}")).collect()
                    } else {
                        character.to_string()
                    }
                };
                text.chars().enumerate().map(spell).collect()
            }
            Edit::LookAlike => {
                let like = |character: char| LOOK_ALIKE.iter().find(|row| row.0 == character).map(|row| row.1);
                let found = text.char_indices().rev().find_map(|(index, character)| Some((index, like(character)?)));
                found.map_or_else(
                    || text.to_owned(),
                    |(index, like)| format!("{}{like}{}", &text[..index], &text[index + 1..]),
                )
            }
            Edit::FullWidth => {
                let wide = |c: char| {
                    if c.is_ascii_alphanumeric() { char::from_u32(c as u32 + 0xfee0).unwrap_or(c) } else { c }
                };
                text.chars().map(wide).collect()
            }
            Edit::InHost(edit) => {
                let (before, host, after) = url_parts(text);
                format!("{before}{}{after}", edit.apply(host))
            }
            Edit::InPath(edit) => {
                let (before, host, after) = url_parts(text);
                format!("{before}{host}{}", edit.apply(after))
            }
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

/// What stands before the host of a URL, the host, and what follows; a text without `://` is all host.
fn url_parts(text: &str) -> (&str, &str, &str) {
    let start = text.find("://").map_or(0, |place| place + 3);
    let (before, rest) = text.split_at(start);
    let (host, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    (before, host, after)
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
    TimeAs(TimeAsWire),
    Text(String),
    Number(String),
    Json(String),
    Issuer(IssuerWire),
    IssuerWith(IssuerWithWire),
    Tenant(String),
    Subject(String),
    Audience(String),
    AudienceOf(AudienceWire),
    Kid(String),
    Signer(String),
    Jwk(String),
    Thumbprint(String),
    Certificate(String),
    Url(UrlWire),
    Quoted(Box<Value>),
    Object(BTreeMap<String, Value>),
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
struct IssuerWithWire {
    of: String,
    segment: Box<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UrlWire {
    of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeAsWire {
    at: Span,
    form: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AudienceWire {
    party: String,
    issuer: String,
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
            Value::TimeAs { at, form } => Made::TimeAs(TimeAsWire { at, form }),
            Value::Text(text) => Made::Text(text),
            Value::Number(literal) => Made::Number(literal),
            Value::Json(text) => Made::Json(text),
            Value::Issuer { of, tenant } => Made::Issuer(IssuerWire { of, tenant }),
            Value::IssuerWith { of, segment } => Made::IssuerWith(IssuerWithWire { of, segment }),
            Value::Tenant(alias) => Made::Tenant(alias),
            Value::Subject(alias) => Made::Subject(alias),
            Value::Audience(party) => Made::Audience(party),
            Value::AudienceOf { party, issuer } => Made::AudienceOf(AudienceWire { party, issuer }),
            Value::Kid(key) => Made::Kid(key),
            Value::Signer(issuer) => Made::Signer(issuer),
            Value::Jwk(key) => Made::Jwk(key),
            Value::Thumbprint(key) => Made::Thumbprint(key),
            Value::Certificate(key) => Made::Certificate(key),
            Value::Url { of, file } => Made::Url(UrlWire { of, file }),
            Value::Quoted(of) => Made::Quoted(of),
            Value::Object(members) => Made::Object(members),
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
                    Made::TimeAs(TimeAsWire { at, form }) => time_as(at, form)?,
                    Made::Text(text) if looks_like_time(&text) => Value::Text(text),
                    Made::Text(text) => Value::Literal(Scalar::Text(text)),
                    Made::Number(literal) => number(literal)?,
                    Made::Json(text) => Value::Json(text),
                    Made::Issuer(IssuerWire { of, tenant }) => Value::Issuer { of, tenant },
                    Made::IssuerWith(IssuerWithWire { of, segment }) => Value::IssuerWith { of, segment },
                    Made::Tenant(alias) => Value::Tenant(alias),
                    Made::Subject(alias) => Value::Subject(alias),
                    Made::Audience(party) => Value::Audience(party),
                    Made::AudienceOf(AudienceWire { party, issuer }) => Value::AudienceOf { party, issuer },
                    Made::Kid(key) => Value::Kid(key),
                    Made::Signer(issuer) => Value::Signer(issuer),
                    Made::Jwk(key) => Value::Jwk(key),
                    Made::Thumbprint(key) => Value::Thumbprint(key),
                    Made::Certificate(key) => Value::Certificate(key),
                    Made::Url(UrlWire { of, file }) => Value::Url { of, file: file.map(file_name).transpose()? },
                    Made::Quoted(of) => Value::Quoted(of),
                    Made::Object(members) => Value::Object(members),
                    Made::Edited(EditedWire { of, edit }) => Value::Edited { of, edit },
                }
            }
        })
    }
}

/// The last segment of a path, written plainly.
fn file_name(name: String) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
        return Err(format!("the `file` {name:?} of a `url` needs 1 to 100 letters, digits, `-`, `_` or `.`"));
    }
    Ok(name)
}

/// Whatever the date is, the literal must be a number.
fn time_as(at: Span, form: String) -> Result<Value, String> {
    if form.matches("{}").count() != 1 {
        return Err(format!("{form:?} needs one `{{}}`, where the date's digits go"));
    }
    for date in ["1", "-1"] {
        number(form.replace("{}", date))?;
    }
    Ok(Value::TimeAs { at, form })
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

#[cfg(test)]
mod tests {
    use super::{Edit, Value};

    #[test]
    fn edits_do_what_they_say() {
        let url = "https://a.example/b/v2.0";
        let in_host = |edit| Edit::InHost(Box::new(edit));
        let in_path = |edit| Edit::InPath(Box::new(edit));
        for (edit, edited) in [
            (Edit::Insert(5, "\0".to_owned()), "https\0://a.example/b/v2.0"),
            (Edit::Insert(24, "x".to_owned()), "xhttps://a.example/b/v2.0"),
            (Edit::PercentEncode(8), "https://%61.example/b/v2.0"),
            (Edit::LookAlike, "https://a.exampl\u{435}/b/v2.0"),
            (in_host(Edit::SwapCase), "https://A.EXAMPLE/b/v2.0"),
            (in_host(Edit::Suffix(":443".to_owned())), "https://a.example:443/b/v2.0"),
            (
                in_host(Edit::FullWidth),
                "https://\u{ff41}.\u{ff45}\u{ff58}\u{ff41}\u{ff4d}\u{ff50}\u{ff4c}\u{ff45}/b/v2.0",
            ),
            (in_path(Edit::Prefix("/.".to_owned())), "https://a.example/./b/v2.0"),
            (in_path(Edit::SwapCase), "https://a.example/B/V2.0"),
        ] {
            assert_eq!(edit.apply(url), edited, "{edit:?}");
        }
        assert_eq!(Edit::LookAlike.apply("1"), "1");
        assert_eq!(in_path(Edit::Suffix("/".to_owned())).apply("https://a.example"), "https://a.example/");
        for empty in [Edit::Insert(3, String::new()), Edit::PercentEncode(3), Edit::LookAlike, in_host(Edit::FullWidth)]
        {
            assert_eq!(empty.apply(""), "", "{empty:?}");
        }
    }

    #[test]
    fn a_date_in_another_form_is_a_number_whatever_the_date() {
        let read = |form: &str| {
            serde_json::from_value::<Value>(serde_json::json!({ "time-as": { "at": "+1h", "form": form } }))
        };
        for form in ["{}.5", "{}000", "{}e0", "{}"] {
            assert!(read(form).is_ok(), "{form}");
        }
        for wrong in ["", "0{}", "1{}", "{}{}", "{}.", "{}x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
