//! Which request lies on which HTTP route: one table, read by the client and by the server.
//!
//! A row names the variant's `op`; `{field}` in the path and the `query` columns are fields of that variant, every other
//! field travels in the JSON body. Uploads and events are no requests and have their routes in `server.rs`.

use axum::http::Method;
use serde_json::{Map, Value};

use crate::{
    problem::{Problem, codes},
    request::Request,
};

/// Root of all routes; the version rises only when an existing field or route changes its meaning.
pub const ROOT: &str = "/api/v1";
/// Where files are uploaded, below [`ROOT`].
pub const BLOBS: &str = "/blobs";
/// Where events are streamed, below [`ROOT`].
pub const EVENTS: &str = "/events";

/// One row of the table.
pub(crate) struct Route {
    op: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) query: &'static [(&'static str, Kind)],
}

/// How a query value becomes JSON.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Flag,
    Number,
}

const fn row(op: &'static str, method: Method, path: &'static str) -> Route {
    Route {
        op,
        method,
        path,
        query: &[],
    }
}

/// The table.
pub(crate) const ROUTES: &[Route] = &[
    row("status", Method::GET, "/status"),
    row("queue-list", Method::GET, "/queues"),
    row("queue-create", Method::POST, "/queues"),
    row("lan-queue", Method::POST, "/lan"),
    row("queue-show", Method::GET, "/queues/{queue}"),
    row("queue-rename", Method::PATCH, "/queues/{queue}"),
    row("queue-share", Method::POST, "/queues/{queue}/tickets"),
    row("ticket-list", Method::GET, "/queues/{queue}/tickets"),
    row(
        "ticket-revoke",
        Method::DELETE,
        "/queues/{queue}/tickets/{ticket}",
    ),
    row("queue-leave", Method::POST, "/queues/{queue}/leave"),
    row("queue-peers", Method::GET, "/queues/{queue}/peers"),
    row("queue-voters", Method::GET, "/queues/{queue}/voters"),
    row("queue-voters-set", Method::PUT, "/queues/{queue}/voters"),
    row("queue-recover", Method::POST, "/queues/{queue}/recover"),
    row(
        "queue-rotate-key",
        Method::POST,
        "/queues/{queue}/rotate-key",
    ),
    row("queue-free-heat", Method::POST, "/queues/{queue}/free-heat"),
    row("queue-join", Method::POST, "/join"),
    row("queue-set", Method::PATCH, "/queues/{queue}/settings"),
    row("queue-order", Method::PUT, "/order"),
    row(
        "member-approve",
        Method::POST,
        "/queues/{queue}/members/{member}/approve",
    ),
    row(
        "member-deny",
        Method::POST,
        "/queues/{queue}/members/{member}/deny",
    ),
    row(
        "member-release",
        Method::POST,
        "/queues/{queue}/members/{member}/release",
    ),
    row("member-list", Method::GET, "/queues/{queue}/members"),
    row(
        "member-show",
        Method::GET,
        "/queues/{queue}/members/{member}",
    ),
    row(
        "member-role",
        Method::PUT,
        "/queues/{queue}/members/{member}/role",
    ),
    row(
        "member-remove",
        Method::DELETE,
        "/queues/{queue}/members/{member}",
    ),
    row("job-submit", Method::POST, "/jobs"),
    Route {
        op: "job-list",
        method: Method::GET,
        path: "/jobs",
        query: &[("queue", Kind::Text), ("all", Kind::Flag)],
    },
    row("job-show", Method::GET, "/jobs/{job}"),
    row("job-edit", Method::PATCH, "/jobs/{job}"),
    row("job-move", Method::POST, "/jobs/{job}/move"),
    row("job-cancel", Method::POST, "/jobs/{job}/cancel"),
    row("job-start", Method::POST, "/jobs/{job}/start"),
    row("job-hold", Method::POST, "/jobs/{job}/hold"),
    row("job-release", Method::POST, "/jobs/{job}/release"),
    row("job-resolve", Method::POST, "/copies/{copy}/resolve"),
    row("printer-add", Method::POST, "/printers"),
    row("printer-list", Method::GET, "/printers"),
    row("printer-show", Method::GET, "/printers/{printer}"),
    row("printer-edit", Method::PATCH, "/printers/{printer}"),
    row("printer-why", Method::GET, "/printers/{printer}/why"),
    row("printer-remove", Method::DELETE, "/printers/{printer}"),
    row("printer-pause", Method::POST, "/printers/{printer}/pause"),
    row("printer-resume", Method::POST, "/printers/{printer}/resume"),
    row("printer-ready", Method::POST, "/ready"),
    row("autoprint", Method::PUT, "/autoprint"),
    row("match", Method::POST, "/match"),
    Route {
        op: "todo",
        method: Method::GET,
        path: "/todo",
        query: &[("queue", Kind::Text), ("limit", Kind::Number)],
    },
    Route {
        op: "history",
        method: Method::GET,
        path: "/history",
        query: &[
            ("queue", Kind::Text),
            ("printer", Kind::Text),
            ("limit", Kind::Number),
        ],
    },
    Route {
        op: "simulate",
        method: Method::GET,
        path: "/simulate",
        query: &[
            ("queue", Kind::Text),
            ("turnaround_s", Kind::Number),
            ("until_ms", Kind::Number),
        ],
    },
    row("daemon-status", Method::GET, "/daemon"),
    row("daemon-stop", Method::POST, "/daemon/stop"),
];

/// A request as HTTP carries it.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query, percent-encoded.
    pub(crate) target: String,
    /// JSON object; `None` = no body.
    pub(crate) body: Option<Vec<u8>>,
}

/// Spells a request as HTTP.
///
/// # Errors
/// When it names its resource by an empty text: no path says that.
pub(crate) fn call_of(request: &Request) -> Result<Call, Problem> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(request) else {
        unreachable!("a request is a JSON object: an enum tagged with `op`")
    };
    let op = fields.remove("op");
    let op = op.as_ref().and_then(Value::as_str).unwrap_or_default();
    let route = ROUTES
        .iter()
        .find(|route| route.op == op)
        .expect("every request has a row: held by a test");

    let mut target = ROOT.to_owned();
    for segment in route.path.split('/').skip(1) {
        target.push('/');
        match field_of(segment) {
            Some(field) => {
                let name = text(fields.remove(field));
                if name.is_empty() {
                    let title = format!("an empty text names no {field}");
                    return Err(Problem::new(codes::REQUEST_BAD, 2, title));
                }
                target.push_str(&encode(&name));
            }
            None => target.push_str(segment),
        }
    }
    let mut separator = '?';
    for (field, _) in route.query {
        let value = fields.remove(*field).unwrap_or_default();
        if !value.is_null() {
            target.push(separator);
            target.push_str(field);
            target.push('=');
            target.push_str(&encode(&text(Some(value))));
            separator = '&';
        }
    }
    let body = (route.method != Method::GET && !fields.is_empty())
        .then(|| Value::Object(fields).to_string().into_bytes());
    Ok(Call {
        method: route.method.clone(),
        target,
        body,
    })
}

/// Reads the request that came in on `route`.
///
/// # Errors
/// A usage [`Problem`] naming the field that is missing or has a wrong shape.
pub(crate) fn request_of<'a>(
    route: &Route,
    path: impl Iterator<Item = (&'a str, &'a str)>,
    query: impl Iterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> Result<Request, Problem> {
    let mut fields = match body {
        [] => Map::new(),
        bytes => serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?,
    };
    for (name, value) in query {
        let Some((_, kind)) = route.query.iter().find(|(field, _)| *field == name) else {
            return Err(bad(&format!("unknown query field `{name}`")));
        };
        let value = match kind {
            Kind::Text => Value::from(value),
            Kind::Flag => Value::from(value == "true" || value == "1"),
            Kind::Number => Value::from(
                value
                    .parse::<u64>()
                    .map_err(|_| bad(&format!("`{name}` must be a whole number")))?,
            ),
        };
        fields.insert(name.to_owned(), value);
    }
    // Last, so that a body can name neither another resource nor another request.
    for (name, value) in path {
        fields.insert(name.to_owned(), Value::from(value));
    }
    fields.insert("op".to_owned(), Value::from(route.op));
    serde_json::from_value(Value::Object(fields)).map_err(|error| bad(&error.to_string()))
}

fn field_of(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn bad(why: &str) -> Problem {
    Problem::new(codes::REQUEST_BAD, 2, "this is no request that I know").because(why)
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes every write");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_row_and_every_row_a_request() {
        // serde names all variants when it meets an unknown one: the only list that cannot be forgotten.
        let error = serde_json::from_str::<Request>(r#"{"op":"?"}"#).unwrap_err();
        let error = error.to_string();
        let mut variants: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        let mut rows: Vec<_> = ROUTES.iter().map(|route| route.op).collect();
        variants.sort_unstable();
        rows.sort_unstable();
        assert_eq!(variants, rows);
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        let call = call_of(&Request::PrinterShow {
            printer: "rack2/mk4 #1?ä".to_owned(),
        })
        .unwrap();
        assert_eq!(call.target, "/api/v1/printers/rack2%2Fmk4%20%231%3F%C3%A4");
        assert_eq!(call.method, Method::GET);
        assert!(call.body.is_none());
    }

    #[test]
    fn an_empty_text_names_nothing() {
        let request = Request::JobHold { job: String::new() };
        let problem = call_of(&request).err().unwrap();
        assert_eq!((problem.code.as_str(), problem.exit), ("request.bad", 2));
        assert_eq!(problem.title, "an empty text names no job");
    }

    #[test]
    fn a_body_cannot_name_another_job() {
        let route = ROUTES.iter().find(|route| route.op == "job-hold").unwrap();
        let body = br#"{"op":"job-cancel","job":"other"}"#;
        let request = request_of(route, [("job", "kmz")].into_iter(), [].into_iter(), body);
        assert_eq!(
            request.unwrap(),
            Request::JobHold {
                job: "kmz".to_owned()
            }
        );
    }

    #[test]
    fn a_wrong_shape_is_a_usage_problem_that_names_it() {
        let route = ROUTES.iter().find(|route| route.op == "history").unwrap();
        let query = [("limit", "many")];
        let problem = request_of(route, [].into_iter(), query.into_iter(), b"").unwrap_err();
        assert_eq!((problem.code.as_str(), problem.exit), ("request.bad", 2));
        assert!(problem.why.unwrap().contains("limit"));
    }
}
