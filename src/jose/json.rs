//! JSON as somebody wrote it: number literals, member order and duplicate names are kept (RFC 8259).

/// One JSON value. Unlike `serde_json::Value` it keeps what parsers disagree about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, by its literal; the literal need not be legal JSON.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Members in order; a name may stand there more than once.
    Object(Vec<Member>),
}

/// One name and its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The name, unescaped.
    pub name: String,
    /// The value.
    pub value: Json,
}

impl Member {
    /// A member.
    pub fn new(name: impl Into<String>, value: Json) -> Self {
        Member { name: name.into(), value }
    }
}

/// The last member of that name, which is what a reader that keeps the last one sees (RFC 7519 section 4).
#[must_use]
pub fn last<'a>(members: &'a [Member], name: &str) -> Option<&'a Json> {
    members.iter().rev().find(|member| member.name == name).map(|member| &member.value)
}

impl Json {
    /// A string value.
    pub fn string(text: impl Into<String>) -> Self {
        Json::String(text.into())
    }

    /// A whole number.
    #[must_use]
    pub fn integer(number: i64) -> Self {
        Json::Number(number.to_string())
    }

    /// The text, where this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// What `serde_json` read, with object members in the order it gives.
    #[must_use]
    pub fn from_serde(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Number(number) => Json::Number(number.to_string()),
            Value::String(text) => Json::String(text.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Json::from_serde).collect()),
            Value::Object(members) => {
                Json::Object(members.iter().map(|(name, value)| Member::new(name, Json::from_serde(value))).collect())
            }
        }
    }

    /// The canonical spelling: no white space, only the escapes that RFC 8259 section 7 demands.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.write_into(&mut out, Style::Canonical);
        out
    }

    pub(super) fn write_into(&self, out: &mut String, style: Style) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Json::Number(literal) => out.push_str(literal),
            Json::String(text) => write_string(text, out, style),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_into(out, style);
                }
                out.push(']');
            }
            Json::Object(members) => write_object(members, out, style),
        }
    }
}

/// How strings and gaps are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Canonical,
    /// White space after every colon and comma (legal, RFC 8259 section 2).
    Spaced,
    /// The first character of every string as `\u00xx`, and `/` as `\/` (legal, section 7).
    Escaped,
    /// Both.
    SpacedAndEscaped,
}

impl Style {
    fn spaced(self) -> bool {
        matches!(self, Style::Spaced | Style::SpacedAndEscaped)
    }

    fn escaped(self) -> bool {
        matches!(self, Style::Escaped | Style::SpacedAndEscaped)
    }
}

pub(super) fn write_object(members: &[Member], out: &mut String, style: Style) {
    out.push('{');
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(if style.spaced() { ", " } else { "," });
        }
        write_string(&member.name, out, style);
        out.push_str(if style.spaced() { ": " } else { ":" });
        member.value.write_into(out, style);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String, style: Style) {
    use std::fmt::Write as _;
    out.push('"');
    for (index, character) in text.chars().enumerate() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            '/' if style.escaped() => out.push_str("\\/"),
            first if index == 0 && style.escaped() && first.is_ascii() => {
                let _ = write!(out, "\\u{:04x}", first as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
