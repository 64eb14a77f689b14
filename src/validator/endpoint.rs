//! What an HTTP endpoint is made from, as it is written on a command line or in a file.

use std::time::Duration;

/// What an endpoint is made from. Each member has the name of the flag that fills it, and every text is as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What to call it; without it, its host and path.
    pub name: Option<String>,
    /// Where it is: `http://127.0.0.1:8080/me`.
    pub url: String,
    /// The method of the request; without it GET, and POST where there is a body.
    pub method: Option<String>,
    /// Header fields, as `Authorization: Bearer {token}`. Where nothing has `{token}` in it, exactly this one is sent as well.
    pub headers: Vec<String>,
    /// Cookies, as `session={token}`.
    pub cookies: Vec<String>,
    /// Parameters of the query, as `access_token={token}`.
    pub query: Vec<String>,
    /// Fields of a form in the body, as `token={token}`.
    pub form: Vec<String>,
    /// A JSON text in the body, as `{"token":"{token}"}`.
    pub json: Option<String>,
    /// Statuses that mean that the token is good: `200-299`.
    pub accept_status: String,
    /// Statuses that mean that it is not: `400,401,403`.
    pub reject_status: String,
    /// JSON pointers (RFC 6901) to whom the endpoint takes the caller for: `/sub`, `iss=/iss`, `tid=/tenant`.
    pub identity: Vec<String>,
    /// Certificates of who may vouch for the server, as PEM; https needs them.
    pub ca: Option<String>,
    /// Most requests in a time: `100/s`.
    pub rate: Option<String>,
    /// Seconds of clock skew that it allows whatever its policy says.
    pub leeway: u64,
    /// The algorithms that it has, by their names in RFC 7518 and RFC 8037; none: all that its policy names. What it lacks and
    /// its policy allows is not held against it.
    pub algorithms: Vec<String>,
    /// Connections that one worker uses at a time.
    pub connections: usize,
    /// For one answer.
    pub timeout: Duration,
    /// How long to wait for the first answer.
    pub wait_for: Duration,
}

impl Settings {
    /// An endpoint there, everything else as it is without a flag.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Settings {
            name: None,
            url: url.into(),
            method: None,
            headers: Vec::new(),
            cookies: Vec::new(),
            query: Vec::new(),
            form: Vec::new(),
            json: None,
            accept_status: "200-299".to_owned(),
            reject_status: "400,401,403".to_owned(),
            identity: Vec::new(),
            ca: None,
            rate: None,
            leeway: 0,
            algorithms: Vec::new(),
            connections: 8,
            timeout: Duration::from_secs(5),
            wait_for: Duration::ZERO,
        }
    }
}
