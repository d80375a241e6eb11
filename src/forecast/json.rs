//! One line of JSON (RFC 8259), read whole: enough for events, and errors that say where and what.

use std::fmt;

/// A value. Numbers keep their text too, so that an id is written back as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64, String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The fault of a line, with its column (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    column: usize,
    found: String,
    expected: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Malformed {
            column,
            found,
            expected,
        } = self;
        write!(f, "column {column}: found {found}, expected {expected}")
    }
}

/// Deeper than this no event is.
const DEPTH: usize = 8;

impl Json {
    /// Reads a line that holds one value and nothing else.
    ///
    /// # Errors
    /// The first place that is not JSON.
    pub(super) fn read(line: &str) -> Result<Json, Malformed> {
        let mut reader = Reader { text: line, at: 0 };
        let value = reader.value(DEPTH)?;
        reader.space();
        if reader.at < line.len() {
            return Err(reader.fault("the end of the line"));
        }
        Ok(value)
    }

    /// The member of an object.
    pub(super) fn member(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, it)| it),
            _ => None,
        }
    }
}

impl fmt::Display for Json {
    /// As JSON again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(_, text) => f.write_str(text),
            Json::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
            Json::List(_) => f.write_str("a list"),
            Json::Object(_) => f.write_str("an object"),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn fault(&self, expected: &'static str) -> Malformed {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => format!("`{}`", c.escape_debug()),
            None => "the end of the line".to_owned(),
        };
        let column = self
            .text
            .get(..self.at)
            .map_or(0, |before| before.chars().count())
            + 1;
        Malformed {
            column,
            found,
            expected,
        }
    }

    fn eat(&mut self, byte: u8, expected: &'static str) -> Result<(), Malformed> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(self.fault(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth == 0 => Err(self.fault("at most 8 levels")),
            Some(b'{') => self.object(depth - 1),
            Some(b'[') => self.list(depth - 1),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, Malformed> {
        let words = [
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("null", Json::Null),
        ];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault("a value"))
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Json::Number(value, text.to_owned())),
            _ => {
                self.at = start;
                Err(self.fault("a number"))
            }
        }
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.eat(b'"', "`\"`")?;
        let mut text = String::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next() else {
                return Err(self.fault("`\"`"));
            };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return Err(self.fault("no control character in a string")),
                c => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        self.at += 1;
        let expected = "an escape of RFC 8259 section 7";
        let known = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let hex = self.text.get(self.at + 1..self.at + 5);
                let code = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                let Some(code) = code else {
                    return Err(self.fault(expected));
                };
                self.at += 5;
                // Half of a surrogate pair names no character; no id needs one.
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return Err(self.fault(expected)),
        };
        self.at += 1;
        Ok(known)
    }

    fn list(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
                continue;
            }
            self.eat(b']', "`,` or `]`")?;
            return Ok(Json::List(items));
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a member's name in quotes"));
            }
            let name = self.string()?;
            self.eat(b':', "`:`")?;
            members.push((name, self.value(depth)?));
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
                continue;
            }
            self.eat(b'}', "`,` or `}`")?;
            return Ok(Json::Object(members));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_an_id_written_back_as_it_came() {
        let line = r#" {"t": 32043.186, "ev":"a\"b\u0041", "l":[1,-2e1,[]], "o":{}, "y":true, "n":null} "#;
        let read = Json::read(line).unwrap();
        assert_eq!(
            read.member("t"),
            Some(&Json::Number(32043.186, "32043.186".to_owned()))
        );
        assert_eq!(read.member("ev").unwrap().to_string(), r#""a\"bA""#);
        assert_eq!(read.member("y"), Some(&Json::Bool(true)));
        assert_eq!(read.member("z"), None);
    }

    #[test]
    fn a_fault_says_where_and_what() {
        for (line, told) in [
            ("", "column 1: found the end of the line, expected a value"),
            (
                "{\"a\":1",
                "column 7: found the end of the line, expected `,` or `}`",
            ),
            ("{a:1}", "column 2: found `a`, expected a member's name in quotes"),
            ("[1,]", "column 4: found `]`, expected a value"),
            ("1.2.3", "column 1: found `1`, expected a number"),
            ("1e999", "column 1: found `1`, expected a number"),
            (
                "\"é\\q\"",
                "column 4: found `q`, expected an escape of RFC 8259 section 7",
            ),
            ("{} {}", "column 4: found `{`, expected the end of the line"),
            (
                "[[[[[[[[[1]]]]]]]]]",
                "column 9: found `[`, expected at most 8 levels",
            ),
        ] {
            assert_eq!(Json::read(line).unwrap_err().to_string(), told, "{line}");
        }
    }
}
