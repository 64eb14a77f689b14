//! Where the token stands in a request, and which tokens cannot stand there.

use super::Settings;
use super::settings::BadSetting;
use crate::jose::Token;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use std::fmt::Write as _;

/// What stands in a template in the place of the token.
pub(super) const TOKEN: &str = "{token}";

/// Most octets of a token in the head of a request: servers take a few thousand in all.
const MAX_IN_HEAD: usize = 64 << 10;

/// A request with places for the token.
#[derive(Debug)]
pub(super) struct Form {
    method: Method,
    /// The URL up to its query, and what stands there already.
    url: String,
    headers: Vec<(HeaderName, Template)>,
    cookies: Vec<(String, Template)>,
    query: Vec<(String, Template)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    None,
    Form(Vec<(String, Template)>),
    Json(serde_json::Value),
}

/// A text with places for the token.
#[derive(Clone, Debug)]
struct Template(String);

impl Template {
    fn has_token(&self) -> bool {
        self.0.contains(TOKEN)
    }

    /// The text with the token in it; without one, nothing of a text that has a place for it.
    fn filled(&self, token: Option<&[u8]>) -> Option<Vec<u8>> {
        let mut pieces = self.0.split(TOKEN);
        let mut filled = pieces.next().unwrap_or_default().as_bytes().to_vec();
        for piece in pieces {
            filled.extend_from_slice(token?);
            filled.extend_from_slice(piece.as_bytes());
        }
        Some(filled)
    }
}

impl Form {
    pub(super) fn new(settings: &Settings) -> Result<Self, BadSetting> {
        let url = url(&settings.url)?;
        let mut headers = settings.headers.iter().map(|text| header(text)).collect::<Result<Vec<_>, _>>()?;
        if !settings.has_token() {
            headers.push((axum::http::header::AUTHORIZATION, Template(format!("Bearer {TOKEN}"))));
        }
        let cookies = pairs(&settings.cookies, "cookie")?;
        for (name, template) in &cookies {
            let rest = template.0.replace(TOKEN, "");
            if let Some(wrong) = name.bytes().chain(rest.bytes()).find(|&octet| !is_cookie_octet(octet)) {
                let problem = format!("{:?} cannot stand in a cookie (RFC 6265 section 4.1.1)", char::from(wrong));
                return Err(BadSetting::new("cookie", problem));
            }
        }
        let query = pairs(&settings.query, "query")?;
        let body = match (&settings.json, settings.form.is_empty()) {
            (None, true) => Body::None,
            (None, false) => Body::Form(pairs(&settings.form, "form")?),
            (Some(text), true) => Body::Json(serde_json::from_str(text).map_err(|error| {
                BadSetting::new("json", format!(r#"{error}: it takes a JSON text, as {{"token":"{{token}}"}}"#))
            })?),
            (Some(_), false) => return Err(BadSetting::new("json", "a body is a form or JSON: leave one out")),
        };
        let method = method(settings.method.as_deref(), &body)?;
        Ok(Form { method, url, headers, cookies, query, body })
    }

    /// The request with this token in it, or one without any.
    pub(super) fn with(&self, token: Option<&[u8]>) -> Result<Request<Vec<u8>>, String> {
        let mut url = self.url.clone();
        let mut next = if url.contains('?') { '&' } else { '?' };
        for (name, template) in &self.query {
            if let Some(value) = template.filled(token) {
                url.push(std::mem::replace(&mut next, '&'));
                url.push_str(name);
                url.push('=');
                encode(&value, &mut url);
            }
        }
        let mut request = Request::builder().method(self.method.clone()).uri(url);
        for (name, template) in &self.headers {
            if let Some(value) = template.filled(token) {
                let value = HeaderValue::from_bytes(&value).map_err(|error| error.to_string())?;
                request = request.header(name, value);
            }
        }
        let cookies = self.cookies.iter().filter_map(|(name, template)| Some((name, template.filled(token)?)));
        let cookies: Vec<Vec<u8>> =
            cookies.map(|(name, value)| [name.as_bytes(), b"=", value.as_slice()].concat()).collect();
        if !cookies.is_empty() {
            let value = HeaderValue::from_bytes(&cookies.join(&b"; "[..])).map_err(|error| error.to_string())?;
            request = request.header(COOKIE, value);
        }
        let typed = |request: axum::http::request::Builder, kind: &'static str| {
            let said = self.headers.iter().any(|(name, _)| name == CONTENT_TYPE);
            if said { request } else { request.header(CONTENT_TYPE, kind) }
        };
        let (request, body) = match &self.body {
            Body::None => (request, Vec::new()),
            Body::Form(fields) => {
                let mut body = String::new();
                for (name, template) in fields {
                    if let Some(value) = template.filled(token) {
                        if !body.is_empty() {
                            body.push('&');
                        }
                        body.push_str(name);
                        body.push('=');
                        encode(&value, &mut body);
                    }
                }
                (typed(request, "application/x-www-form-urlencoded"), body.into_bytes())
            }
            Body::Json(value) => {
                let token = token.map(std::str::from_utf8).transpose().map_err(|error| error.to_string())?;
                let value = fill_json(value, token).unwrap_or(serde_json::Value::Null);
                (typed(request, "application/json"), value.to_string().into_bytes())
            }
        };
        request.body(body).map_err(|error| error.to_string())
    }

    /// The words of a command line that sends this request with curl.
    pub(super) fn curl(&self, token: &Token) -> Result<Vec<String>, String> {
        if let Some(why) = self.cannot_carry(token) {
            return Err(why);
        }
        let request = self.with(Some(token.as_bytes()))?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        // What stands in braces and brackets is as it is.
        let mut words = ["curl", "--globoff", "--include"].map(str::to_owned).to_vec();
        if self.method != Method::GET {
            words.extend(["--request".to_owned(), self.method.to_string()]);
        }
        for (name, value) in request.headers() {
            words.extend(["--header".to_owned(), format!("{name}: {}", text(value.as_bytes()))]);
        }
        if !request.body().is_empty() {
            words.extend(["--data-raw".to_owned(), text(request.body())]);
        }
        words.push(request.uri().to_string());
        Ok(words)
    }

    /// Why a token cannot stand in this request as it is, where that is so.
    pub(super) fn cannot_carry(&self, token: &Token) -> Option<String> {
        let token = token.as_bytes();
        let in_header = self.headers.iter().any(|(_, template)| template.has_token());
        let in_cookie = self.cookies.iter().any(|(_, template)| template.has_token());
        let in_query = self.query.iter().any(|(_, template)| template.has_token());
        // What is not ASCII is read in more than one way, so that another token may arrive.
        let fits = |octet: &u8| octet.is_ascii_graphic() || matches!(octet, b' ' | b'\t');
        if in_header && let Some(octet) = token.iter().find(|&octet| !fits(octet)) {
            return Some(format!("a header field cannot carry the octet {octet:#04x} (RFC 9110 section 5.5)"));
        }
        // White space around a value is no part of it, so that another token would arrive.
        if in_header && [token.first(), token.last()].iter().flatten().any(|octet| matches!(octet, b' ' | b'\t')) {
            return Some("a header field cannot carry white space at its ends (RFC 9110 section 5.5)".to_owned());
        }
        if in_cookie && let Some(octet) = token.iter().find(|&&octet| !is_cookie_octet(octet)) {
            return Some(format!("a cookie cannot carry the octet {octet:#04x} (RFC 6265 section 4.1.1)"));
        }
        if (in_header || in_cookie || in_query) && token.len() > MAX_IN_HEAD {
            return Some(format!("the head of a request cannot carry {} octets", token.len()));
        }
        if matches!(self.body, Body::Json(_)) && std::str::from_utf8(token).is_err() {
            return Some("JSON cannot carry octets that are no UTF-8 (RFC 8259 section 8.1)".to_owned());
        }
        None
    }
}

fn url(text: &str) -> Result<String, BadSetting> {
    let wrong = |problem: String| BadSetting::new("url", format!("{text:?}: {problem}"));
    if text.contains(TOKEN) {
        return Err(wrong(format!(
            "the token stands in a parameter of the query: name it with --query 'access_token={TOKEN}'"
        )));
    }
    let uri: Uri = text.parse().map_err(|error| wrong(format!("{error}: it takes one as http://127.0.0.1:8080/me")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins with http:// or https://".to_owned()));
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("a name and password are sent with --header 'Authorization: Basic …'".to_owned()));
    }
    Ok(text.split('#').next().unwrap_or(text).to_owned())
}

fn header(text: &str) -> Result<(HeaderName, Template), BadSetting> {
    let wrong = |problem: String| BadSetting::new("header", format!("{text:?}: {problem}"));
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| wrong(format!("a name, a colon and a value, as 'Authorization: Bearer {TOKEN}'")))?;
    let name: HeaderName = name.trim().parse().map_err(|error| wrong(format!("{error}")))?;
    if name == COOKIE {
        return Err(wrong(format!("cookies are set with --cookie 'name={TOKEN}'")));
    }
    let value = value.trim();
    HeaderValue::from_str(&value.replace(TOKEN, "")).map_err(|error| wrong(format!("{error}")))?;
    Ok((name, Template(value.to_owned())))
}

fn pairs(texts: &[String], setting: &'static str) -> Result<Vec<(String, Template)>, BadSetting> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            let problem =
                format!("{text:?}: a name of letters, digits, - . _ ~, then = and a value, as access_token={TOKEN}");
            return Err(BadSetting::new(setting, problem));
        }
        Ok((name.to_owned(), Template(value.to_owned())))
    };
    texts.iter().map(pair).collect()
}

fn method(written: Option<&str>, body: &Body) -> Result<Method, BadSetting> {
    let bare = matches!(body, Body::None);
    let Some(written) = written else { return Ok(if bare { Method::GET } else { Method::POST }) };
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let method = known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(written)).ok_or_else(|| {
        BadSetting::new("method", format!("{written:?}: one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
    })?;
    if !bare && !takes_body(&method) {
        return Err(BadSetting::new(
            "method",
            format!("{method} has no body: use POST, PUT or PATCH, or leave the body out"),
        ));
    }
    Ok(method)
}

/// Whether a request of this method has a body, were it empty.
pub(super) fn takes_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Percent-encoding of everything that is not unreserved (RFC 3986 section 2.3).
fn encode(octets: &[u8], out: &mut String) {
    for &octet in octets {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
}

/// The octets of a cookie's value (RFC 6265 section 4.1.1), less the percent sign: many a reader decodes what follows it.
fn is_cookie_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"\",;\\%".contains(&octet)
}

/// The JSON value with the token in its texts; without one, the members that have a place for it are left out.
fn fill_json(value: &serde_json::Value, token: Option<&str>) -> Option<serde_json::Value> {
    use serde_json::Value;
    Some(match value {
        Value::String(text) if text.contains(TOKEN) => Value::String(text.replace(TOKEN, token?)),
        Value::Array(items) => Value::Array(items.iter().filter_map(|item| fill_json(item, token)).collect()),
        Value::Object(members) => {
            let filled = members.iter().filter_map(|(name, item)| Some((name.clone(), fill_json(item, token)?)));
            Value::Object(filled.collect())
        }
        other => other.clone(),
    })
}
