//! A Spoolman for tests: the part of its documented API that is spoken here, and its faults. Weights may be changed by
//! somebody else at any time, as in the real one.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What goes wrong with each question from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mischief {
    /// Nothing.
    #[default]
    None,
    /// It hangs up before it has done anything.
    HangUpBefore,
    /// It does what it is told and hangs up without an answer.
    HangUpAfter,
    /// It takes the question and never answers.
    Silence,
    /// It does nothing and answers with this status and body.
    Answer(u16, String),
}

#[derive(Debug)]
struct Kept {
    material: String,
    color: Option<String>,
    /// Grams of filament that were on it when it was new; `None` = nobody knows.
    initial: Option<f64>,
    used: f64,
}

#[derive(Debug, Default)]
struct Shelf {
    spools: BTreeMap<u32, Kept>,
    mischief: Mischief,
    uses: u64,
}

/// A Spoolman on a port of this machine.
#[derive(Debug)]
pub struct Fake {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
    task: JoinHandle<()>,
}

impl Fake {
    /// Starts one with no spools on a free loopback port.
    pub async fn start() -> Self {
        Self::start_at(0).await.expect("a free port")
    }

    /// Starts one on this port: where an earlier one was.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start_at(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let shelf = Arc::<Mutex<Shelf>>::default();
        let task = tokio::spawn(serve(listener, Arc::clone(&shelf)));
        Ok(Self {
            address,
            shelf,
            task,
        })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a spool onto the shelf, with so many grams left.
    pub fn put(&self, id: u32, material: &str, color: Option<&str>, grams: Option<f64>) {
        let kept = Kept {
            material: material.to_owned(),
            color: color.map(str::to_owned),
            initial: grams,
            used: 0.0,
        };
        lock(&self.shelf).spools.insert(id, kept);
    }

    /// Somebody else takes so many grams of a spool.
    pub fn take(&self, id: u32, grams: f64) {
        if let Some(spool) = lock(&self.shelf).spools.get_mut(&id) {
            spool.used += grams;
        }
    }

    /// Somebody throws a spool away.
    pub fn throw_away(&self, id: u32) {
        lock(&self.shelf).spools.remove(&id);
    }

    /// What goes wrong from now on.
    pub fn mischief(&self, mischief: Mischief) {
        lock(&self.shelf).mischief = mischief;
    }

    /// Grams that were used of a spool so far, and how often it was told so.
    pub fn used(&self, id: u32) -> (f64, u64) {
        let shelf = lock(&self.shelf);
        (
            shelf.spools.get(&id).map_or(0.0, |spool| spool.used),
            shelf.uses,
        )
    }

    /// Goes down; nothing listens on its port any more.
    pub async fn stop(mut self) {
        self.task.abort();
        (&mut self.task).await.ok();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shelf: Arc<Mutex<Shelf>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shelf = Arc::clone(&shelf);
        tokio::spawn(async move { drop(answer(stream, &shelf).await) });
    }
}

async fn answer(stream: TcpStream, shelf: &Mutex<Shelf>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let mischief = lock(shelf).mischief.clone();
    let is_mute = mischief == Mischief::HangUpAfter;
    let (status, text) = match mischief {
        Mischief::HangUpBefore => return Ok(()),
        Mischief::Silence => return std::future::pending().await,
        Mischief::Answer(status, text) => (status, text),
        Mischief::None | Mischief::HangUpAfter => {
            let (status, value) = lock(shelf).asked(&first, &body);
            (status, value.to_string())
        }
    };
    if is_mute {
        return Ok(());
    }
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

impl Shelf {
    fn asked(&mut self, first: &str, body: &[u8]) -> (u16, Value) {
        let not_found = || (404, json!({ "message": "No such spool." }));
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
        match (method, parts.as_slice()) {
            ("GET", ["spool", id]) => {
                let id = id.parse().unwrap_or(0);
                let spool = self.spools.get(&id);
                spool.map_or_else(not_found, |spool| (200, spool.shown(id)))
            }
            ("PUT", ["spool", id, "use"]) => {
                let id = id.parse().unwrap_or(0);
                let asked: Value = serde_json::from_slice(body).unwrap_or_default();
                let (weight, length) = (&asked["use_weight"], &asked["use_length"]);
                let Some(grams) = weight.as_f64().filter(|_| length.is_null()) else {
                    let message = "Only specify either use_weight or use_length.";
                    return (400, json!({ "message": message }));
                };
                let Some(spool) = self.spools.get_mut(&id) else {
                    return not_found();
                };
                spool.used += grams;
                self.uses += 1;
                (200, spool.shown(id))
            }
            _ => (404, json!({ "message": "Not Found" })),
        }
    }
}

impl Kept {
    fn shown(&self, id: u32) -> Value {
        let mut spool = json!({
            "id": id,
            "registered": "2026-01-01T00:00:00Z",
            "filament": {
                "id": 1, "registered": "2026-01-01T00:00:00Z", "name": "Some", "material": self.material,
                "density": 1.27, "diameter": 1.75, "vendor": {"id": 1, "name": "Somebody"}, "extra": {},
            },
            "used_weight": self.used,
            "archived": false,
            "extra": {},
        });
        if let Some(color) = &self.color {
            spool["filament"]["color_hex"] = color.as_str().into();
        }
        if let Some(initial) = self.initial {
            spool["initial_weight"] = initial.into();
            spool["remaining_weight"] = (initial - self.used).max(0.0).into();
        }
        spool
    }
}
