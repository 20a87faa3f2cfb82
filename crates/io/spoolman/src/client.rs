//! Asking a Spoolman: one connection for each question, bounded in time and size.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    Address,
    limits::{ANSWER_BYTES_MAX, MG_MAX},
};

/// A Spoolman that takes longer to let us in is down.
const CONNECT: Duration = Duration::from_secs(5);
/// One that takes longer to answer is as good as down; what it was told may still count.
const ANSWER: Duration = Duration::from_secs(15);

/// What a Spoolman says of a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Its number.
    pub id: u32,
    /// Material type, like `PETG`.
    pub material: Option<String>,
    /// Six or eight hex digits.
    pub color: Option<String>,
    /// Milligrams that are left; `None` = it was never weighed.
    pub left_mg: Option<u64>,
    /// Milligrams used since it was bought, as far as anybody has said.
    pub used_mg: u64,
    /// Put away.
    pub archived: bool,
}

/// Why a Spoolman gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached: it was told nothing.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It was told, and gave no whole answer: it may have booked that or not.
    #[error("it did not answer: {0}")]
    Unanswered(String),
    /// It has no such spool.
    #[error("it has no spool {0}")]
    NoSuchSpool(u32),
    /// It said no, and booked nothing.
    #[error("it refused (HTTP {status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It broke in the middle of it (HTTP 5xx), or its answer makes no sense: it may have booked that or not.
    #[error("its answer makes no sense: {0}")]
    Foreign(String),
}

/// Talks to one Spoolman.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
}

#[derive(Deserialize)]
struct SpoolJson {
    id: u32,
    filament: FilamentJson,
    remaining_weight: Option<f64>,
    #[serde(default)]
    used_weight: f64,
    #[serde(default)]
    archived: bool,
}

#[derive(Deserialize)]
struct FilamentJson {
    material: Option<String>,
    color_hex: Option<String>,
}

impl Client {
    /// Makes a client; nothing is asked yet.
    pub fn new(address: Address) -> Self {
        Self { address }
    }

    /// Asks what is known of a spool.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn spool(&self, id: u32) -> Result<Spool, Fault> {
        let asked = self.ask(Method::GET, format!("/spool/{id}"), Vec::new());
        read(id, asked.await?)
    }

    /// Tells that so many milligrams of a spool were used; the answer is what is known of it then.
    ///
    /// # Errors
    /// [`Fault`], which says whether it may have been booked.
    pub async fn use_up(&self, id: u32, mg: u64) -> Result<Spool, Fault> {
        let grams = mg as f64 / 1000.0;
        let body = serde_json::json!({ "use_weight": grams }).to_string();
        let asked = self.ask(Method::PUT, format!("/spool/{id}/use"), body.into_bytes());
        read(id, asked.await?)
    }

    async fn ask(
        &self,
        method: Method,
        path: String,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let unreachable = |error: &dyn std::fmt::Display| Fault::Unreachable(error.to_string());
        let connected = timeout(CONNECT, TcpStream::connect(&self.address.authority)).await;
        let stream = connected
            .map_err(|_| unreachable(&"nothing answers there"))?
            .map_err(|error| unreachable(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&error))?;
        // Driven beside us, and ends with the answer; its error reaches us through that.
        tokio::spawn(async move { drop(connection.await) });
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.address.base))
            .header(header::HOST, &self.address.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(&error))?;
        let unanswered = |error: &dyn std::fmt::Display| Fault::Unanswered(error.to_string());
        let answer = async {
            let response = sender.send_request(request).await;
            let response = response.map_err(|error| unanswered(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
            let body = body.await.map_err(|error| unanswered(&error))?;
            Ok((status, body.to_bytes()))
        };
        match timeout(ANSWER, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(unanswered(&"it takes too long")),
        }
    }
}

/// What the fuzz target calls: an answer of any status.
#[doc(hidden)]
pub fn fuzz_answer(data: &[u8]) {
    let Some((code, body)) = data.split_first() else {
        return;
    };
    let codes = [200, 201, 404, 422, 500];
    let code = codes[usize::from(*code) % codes.len()];
    let status = StatusCode::from_u16(code).unwrap_or_default();
    drop(read(1, (status, Bytes::copy_from_slice(body))));
}

fn read(id: u32, (status, body): (StatusCode, Bytes)) -> Result<Spool, Fault> {
    if status == StatusCode::NOT_FOUND {
        return Err(Fault::NoSuchSpool(id));
    }
    if !status.is_success() {
        let message = message(&body);
        let status = status.as_u16();
        return Err(match status {
            500.. => Fault::Foreign(format!("HTTP {status}: {message}")),
            _ => Fault::Refused { status, message },
        });
    }
    let spool: SpoolJson =
        serde_json::from_slice(&body).map_err(|error| Fault::Foreign(error.to_string()))?;
    if spool.id != id {
        return Err(Fault::Foreign(format!("it speaks of spool {}", spool.id)));
    }
    Ok(Spool {
        id,
        material: spool.filament.material.and_then(word),
        color: spool.filament.color_hex.and_then(word),
        // More was used than there was: nothing is left.
        left_mg: spool.remaining_weight.map(milligrams),
        used_mg: milligrams(spool.used_weight),
        archived: spool.archived,
    })
}

/// What fits into a line, or nothing.
fn word(text: String) -> Option<String> {
    let text: String = text
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(64)
        .collect();
    (!text.is_empty()).then_some(text)
}

fn milligrams(grams: f64) -> u64 {
    match grams.is_nan() {
        true => 0,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within bounds"
        )]
        false => (grams * 1000.0).round().clamp(0.0, MG_MAX) as u64,
    }
}

/// The `message` of an answer that says no; it never fills a log.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let said = serde_json::from_slice::<Said>(body);
    let said = said.map_or_else(
        |_| String::from_utf8_lossy(body).into_owned(),
        |said| said.message,
    );
    said.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Mischief};

    fn client(fake: &Fake) -> Client {
        Client::new(fake.url().parse().unwrap())
    }

    #[tokio::test]
    async fn a_spool_is_read_and_used_up_as_the_api_says() {
        let fake = Fake::start().await;
        fake.put(3, "PETG", Some("ff8800"), Some(750.5));
        fake.put(4, "PLA", None, None);
        let client = client(&fake);
        let three = client.spool(3).await.unwrap();
        assert_eq!(three.material.as_deref(), Some("PETG"));
        assert_eq!(three.color.as_deref(), Some("ff8800"));
        assert_eq!((three.left_mg, three.used_mg), (Some(750_500), 0));
        let used = client.use_up(3, 12_345).await.unwrap();
        assert_eq!((used.left_mg, used.used_mg), (Some(738_155), 12_345));
        assert_eq!(
            client.spool(4).await.unwrap().left_mg,
            None,
            "never weighed"
        );
        // More than there was: the service counts on, nothing is left.
        let empty = client.use_up(3, 900_000).await.unwrap();
        assert_eq!(empty.left_mg, Some(0));
        assert_eq!(client.spool(9).await, Err(Fault::NoSuchSpool(9)));
        assert_eq!(client.use_up(9, 1).await, Err(Fault::NoSuchSpool(9)));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_none() {
        let fake = Fake::start().await;
        let spool = r#"{"id": 3, "filament": {"material": "PETG"}, "used_weight": 0}"#;
        let answer = |bytes: usize| {
            let spaces = " ".repeat(bytes - spool.len());
            Mischief::Answer(200, format!("{spool}{spaces}"))
        };
        let client = client(&fake);
        fake.mischief(answer(ANSWER_BYTES_MAX));
        assert!(client.spool(3).await.is_ok());
        fake.mischief(answer(ANSWER_BYTES_MAX + 1));
        let refused = client.spool(3).await;
        assert!(matches!(refused, Err(Fault::Unanswered(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn each_fault_says_whether_something_may_have_been_booked() {
        let fake = Fake::start().await;
        fake.put(3, "PETG", None, Some(100.0));
        let client = client(&fake);
        fake.mischief(Mischief::HangUpBefore);
        assert!(matches!(
            client.use_up(3, 1000).await,
            Err(Fault::Unanswered(_))
        ));
        fake.mischief(Mischief::HangUpAfter);
        assert!(matches!(
            client.use_up(3, 1000).await,
            Err(Fault::Unanswered(_))
        ));
        fake.mischief(Mischief::Answer(500, "<html>oh no</html>".into()));
        assert!(matches!(client.spool(3).await, Err(Fault::Foreign(_))));
        fake.mischief(Mischief::Answer(200, "{\"id\":3}".into()));
        assert!(matches!(client.spool(3).await, Err(Fault::Foreign(_))));
        let other = "{\"id\":4,\"filament\":{},\"used_weight\":0}";
        fake.mischief(Mischief::Answer(200, other.into()));
        assert!(matches!(client.spool(3).await, Err(Fault::Foreign(_))));
        fake.mischief(Mischief::Answer(
            400,
            "{\"message\":\"both\\nof them\"}".into(),
        ));
        let refused = client.use_up(3, 1000).await.unwrap_err();
        assert_eq!(refused.to_string(), "it refused (HTTP 400): bothof them");
        fake.mischief(Mischief::None);
        assert_eq!(
            client.spool(3).await.unwrap().used_mg,
            1000,
            "the second one"
        );
        fake.stop().await;
        assert!(matches!(
            client.use_up(3, 1).await,
            Err(Fault::Unreachable(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_spoolman_that_never_answers_is_not_waited_for() {
        let fake = Fake::start().await;
        fake.mischief(Mischief::Silence);
        assert!(matches!(
            client(&fake).spool(1).await,
            Err(Fault::Unanswered(_))
        ));
    }

    #[test]
    fn weights_that_make_no_sense_are_bounded() {
        assert_eq!(milligrams(f64::NAN), 0);
        assert_eq!(milligrams(-3.0), 0);
        assert_eq!(milligrams(f64::INFINITY), 1_000_000_000);
        assert_eq!(milligrams(0.0125), 13);
    }
}
