//! Reads JSON as RFC 8259 defines it and not a letter more: UTF-8 without a byte order mark, each name once, nothing
//! after the value, and a bound on depth (section 9 permits one).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many arrays and objects may stand inside one another.
const MAX_DEPTH: usize = 64;

/// The members of an object. Their order means nothing (section 1).
pub(super) type Object = BTreeMap<String, Value>;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// The literal, so that no precision is lost before somebody knows what the number is for.
    Number(String),
    String(String),
    Array(Vec<Value>),
    Object(Object),
}

impl Value {
    /// The text, where this is a string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// The one object that these octets are.
pub(super) fn read_object(octets: &[u8]) -> Option<Object> {
    match read(octets)? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// The one value that these octets are; `None` where they are no JSON text.
pub(super) fn read(octets: &[u8]) -> Option<Value> {
    let mut reader = Reader { text: std::str::from_utf8(octets).ok()?, at: 0 };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    (reader.at == reader.text.len()).then_some(value)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            b'{' => self.object(depth + 1).map(Value::Object),
            b'[' => self.array(depth + 1).map(Value::Array),
            b'"' => self.string().map(Value::String),
            b'-' | b'0'..=b'9' => self.number().map(Value::Number),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Object> {
        self.open(b'{', depth)?;
        let mut members = Object::new();
        if self.take(b'}') {
            return Some(members);
        }
        loop {
            let name = self.string()?;
            self.skip_space();
            self.demand(b':')?;
            self.skip_space();
            let value = self.value(depth)?;
            match members.entry(name) {
                Entry::Vacant(place) => place.insert(value),
                // RFC 7515 section 4 and RFC 7519 section 4 let a reader refuse; two values of one name are two tokens.
                Entry::Occupied(_) => return None,
            };
            self.skip_space();
            if self.take(b'}') {
                return Some(members);
            }
            self.demand(b',')?;
            self.skip_space();
        }
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Value>> {
        self.open(b'[', depth)?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Some(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.take(b']') {
                return Some(items);
            }
            self.demand(b',')?;
            self.skip_space();
        }
    }

    fn open(&mut self, bracket: u8, depth: usize) -> Option<()> {
        self.demand(bracket)?;
        self.skip_space();
        (depth <= MAX_DEPTH).then_some(())
    }

    /// Section 7.
    fn string(&mut self) -> Option<String> {
        self.demand(b'"')?;
        let mut text = String::new();
        loop {
            let plain = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            text.push_str(self.text.get(plain..self.at)?);
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => text.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.four_hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    // A low surrogate alone is no character, and `from_u32` says so.
                    return char::from_u32(first);
                }
                self.demand(b'\\')?;
                self.demand(b'u')?;
                let second = self.four_hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return None;
                }
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?
            }
            _ => return None,
        })
    }

    fn four_hex(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | char::from(self.next()?).to_digit(16)?;
        }
        Some(unit)
    }

    /// Section 6.
    fn number(&mut self) -> Option<String> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        self.text.get(start..self.at).map(str::to_owned)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        let rest = self.text.get(self.at..)?;
        rest.starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        Some(octet)
    }

    fn take(&mut self, octet: u8) -> bool {
        let there = self.peek() == Some(octet);
        self.at += usize::from(there);
        there
    }

    fn demand(&mut self, octet: u8) -> Option<()> {
        self.take(octet).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, Value, read, read_object};
    use proptest::prelude::*;

    #[test]
    fn legal_texts_are_read() {
        for text in [
            "null",
            "true",
            "false",
            "{}",
            "[]",
            "\"\"",
            " \t\r\n{ } ",
            "[1,2]",
            "[ 1 , [ ] , { } ]",
            "{\"a\":{\"a\":1}}",
            "0",
            "-0",
            "-1",
            "10",
            "1.5",
            "1e5",
            "1E+5",
            "1e-5",
            "-0.0e0",
            "1e999",
            "99999999999999999999",
            "0e0",
            "\"\u{feff}\"",
            "\"\u{7f}\"",
            "\"\u{2028}\"",
            "\"\\u0000\"",
        ] {
            assert!(read(text.as_bytes()).is_some(), "{text:?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "]",
            "\"",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{'a':1}",
            "{1:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\" 1}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}{}",
            "{} {}",
            "{}x",
            "{}\0",
            "\u{feff}{}",
            "\u{a0}{}",
            "\u{c}{}",
            "nul",
            "nulls",
            "True",
            "NaN",
            "Infinity",
            "-Infinity",
            "+1",
            "01",
            "-01",
            "1.",
            ".5",
            "-",
            "1e",
            "1e+",
            "0x10",
            "1_0",
            "--1",
            "- 1",
            "1 e5",
            "\"\n\"",
            "\"\t\"",
            "\"\0\"",
            "\"\u{1f}\"",
            "\"\\x41\"",
            "\"\\'\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\"\\U0041\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\ud800\"",
            "\"\\ud800x\"",
            "\"\\ud800\\n\"",
            "\"\\udc00\\ud800\"",
            "\"\\",
            "// c\n{}",
            "{}/**/",
            "'a'",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"b\":2,\"a\":3}",
            "{\"iss\":1,\"\\u0069ss\":2}",
            "{\"x\":{\"a\":1,\"a\":2}}",
            "[{\"a\":1,\"a\":2}]",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn octets_that_are_not_utf_8_are_refused() {
        for octets in [
            &b"\"\xff\""[..],
            b"\"\xc0\xaf\"",
            b"\"\xed\xa0\x80\"",
            b"\"\xf4\x90\x80\x80\"",
            b"\"\xe2\x82\"",
            b"{\0}\0",
            b"\xff\xfe{\0}\0",
            b"\0\0\0{\0\0\0}",
        ] {
            assert_eq!(read(octets), None, "{octets:?}");
        }
    }

    #[test]
    fn strings_are_unescaped_and_literals_kept() {
        for (text, value) in [
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u0041\u00e9\u20AC""#, "A\u{e9}\u{20ac}"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\uD83D\uDE00!""#, "\u{1f600}!"),
            ("\"é\"", "é"),
        ] {
            assert_eq!(read(text.as_bytes()), Some(Value::String(value.to_owned())), "{text}");
        }
        for literal in ["-0", "1.50", "1e999", "12345678901234567890123"] {
            assert_eq!(read(literal.as_bytes()), Some(Value::Number(literal.to_owned())));
        }
        // Names that differ in case, or by an invisible character, are different names.
        assert_eq!(
            read_object("{\"iss\":1,\"ISS\":2,\"iss\u{200b}\":3}".as_bytes()).map(|members| members.len()),
            Some(3)
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(MAX_DEPTH).as_bytes()).is_some());
        assert!(read(nested(MAX_DEPTH + 1).as_bytes()).is_none());
        assert!(read("{\"a\":".repeat(500_000).as_bytes()).is_none());
    }

    #[test]
    fn only_an_object_is_an_object() {
        assert!(read_object(b"{\"a\":1}").is_some());
        for text in ["[]", "[{}]", "\"{}\"", "1", "null", "true"] {
            assert!(read_object(text.as_bytes()).is_none(), "{text}");
        }
    }

    const PIECES: &str =
        r#"(\[|\{|\]|\}|:|,| |"a"|"b"|"\\u00e9"|"\\ud83d"|"\\ud83d\\ude00"|0|-1|2\.5|1e3|01|true|null){1,9}"#;

    proptest! {
        #[test]
        fn what_is_read_is_what_another_reader_reads(text in PIECES) {
            let theirs: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            match (read(text.as_bytes()), theirs) {
                // A number beyond what a double holds is legal JSON, and the other reader has no place for it.
                (Some(_), None) if text.contains("1e3") => {}
                (Some(ours), theirs) => prop_assert!(theirs.is_some_and(|theirs| same(&ours, &theirs)), "{}", text),
                (None, Some(_)) => {
                    // The only legal texts refused here are those with a name twice.
                    let twice = |name: &&str| text.matches(*name).count() > 1;
                    prop_assert!(["\"a\"", "\"b\"", "\\u00e9", "\\ude00"].iter().any(twice), "{}", text);
                }
                (None, None) => {}
            }
        }
    }

    fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
            (Value::Number(ours), serde_json::Value::Number(theirs)) => ours.parse().ok() == theirs.as_f64(),
            (Value::String(ours), serde_json::Value::String(theirs)) => ours == theirs,
            (Value::Array(ours), serde_json::Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
            }
            (Value::Object(ours), serde_json::Value::Object(theirs)) => {
                ours.len() == theirs.len()
                    && ours.iter().all(|(name, ours)| theirs.get(name).is_some_and(|theirs| same(ours, theirs)))
            }
            _ => false,
        }
    }
}
