//! Carries the core's questions about spools to this host's Spoolman, one after the other: what was told is never overtaken by
//! a look. What follows from the answers is the core's business (`core/node/src/spools.rs`).

use std::time::Duration;

use printmesh_api::{problem::Problem, request::SlotChange};
use printmesh_node::{Input, SpoolFault, SpoolReading};
use printmesh_spoolman::{Client, Fault, Spool};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{mind::Mind, problems};

/// Where this host's Spoolman is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spoolman {
    /// `http://HOST[:PORT][/BASE]`.
    pub url: String,
    /// Seconds between two looks at what is loaded.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
}

fn poll_s() -> u64 {
    60
}

impl Spoolman {
    /// Returns a client for it.
    ///
    /// # Errors
    /// `config.bad`.
    pub(crate) fn client(&self) -> Result<Client, Problem> {
        let address = self.url.parse().map_err(|error| {
            let title = "spoolman.url cannot be so".to_owned();
            problems::new("config.bad", 2, title).because(problems::chain(&error))
        })?;
        Ok(Client::new(address))
    }
}

/// A question.
pub(crate) enum Ask {
    Look { spool: u32 },
    Use { id: u64, spool: u32, mg: u64 },
}

/// Starts to answer questions; without a Spoolman each answer is that there is none.
pub(crate) fn start(mind: Mind, client: Option<Client>, poll_s: u64) -> mpsc::UnboundedSender<Ask> {
    // Unbounded: each print asks one question, and each is answered within seconds.
    let (sender, mut asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(poll_s.max(1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ask = asked.recv() => match ask {
                    None => return,
                    Some(Ask::Look { spool }) => {
                        let result = look(client.as_ref(), spool).await;
                        mind.tell(Input::Spool { spool, result }).await;
                    }
                    Some(Ask::Use { id, spool, mg }) => {
                        let result = match &client {
                            Some(client) => client.use_up(spool, mg).await.map(reading).map_err(fault),
                            None => Err(none()),
                        };
                        mind.tell(Input::SpoolUsed { id, result }).await;
                    }
                },
                _ = tick.tick(), if client.is_some() => {
                    let Ok(spools) = mind.read(|node| node.spools()).await else { return };
                    let mut down = None;
                    for spool in spools {
                        let result = match &down {
                            // Who cannot be reached for one is not tried for each.
                            Some(fault) => Err(Clone::clone(fault)),
                            None => look(client.as_ref(), spool).await,
                        };
                        if let Err(fault @ SpoolFault::Down(_)) = &result {
                            down = Some(fault.clone());
                        }
                        mind.tell(Input::Spool { spool, result }).await;
                    }
                }
            }
        }
    });
    sender
}

/// Fills in what is in spools that somebody says are loaded now.
///
/// # Errors
/// `spoolman.none`, `spool.unknown`, `spoolman.down`: nothing is changed then.
pub(crate) async fn fill(client: Option<&Client>, slots: &mut [SlotChange]) -> Result<(), Problem> {
    for slot in slots {
        let Some(number) = slot.spool else { continue };
        let Some(client) = client else {
            return Err(
                problems::new("spoolman.none", 5, "this host knows no Spoolman").fix(
                    "",
                    "put `[spoolman]` and `url = \"http://HOST:7912\"` into config.toml, then restart",
                ),
            );
        };
        let spool = client.spool(number).await.map_err(|fault| {
            let why = problems::chain(&fault);
            match fault {
                Fault::NoSuchSpool(_) => {
                    problems::new("spool.unknown", 3, format!("there is no spool {number}"))
                }
                Fault::Unreachable(_)
                | Fault::Unanswered(_)
                | Fault::Refused { .. }
                | Fault::Foreign(_) => {
                    let title = format!("Spoolman does not say what is on spool {number}");
                    problems::new("spoolman.down", 9, title).because(why).fix(
                        format!("printmesh printer load PRINTER {}=MATERIAL", slot.slot),
                        "say it yourself",
                    )
                }
            }
        })?;
        if spool.archived {
            let title = format!("spool {number} is put away");
            return Err(problems::new("spool.archived", 5, title)
                .because("Spoolman has it among its archived ones"));
        }
        let reading = reading(spool);
        (slot.material, slot.color, slot.left_mg) =
            (reading.material, reading.color, reading.left_mg);
        if slot.material.is_none() {
            let title = format!("nobody has said what material is on spool {number}");
            return Err(problems::new("spool.unknown", 3, title));
        }
    }
    Ok(())
}

fn none() -> SpoolFault {
    SpoolFault::Down("config.toml names no Spoolman".to_owned())
}

async fn look(client: Option<&Client>, spool: u32) -> Result<SpoolReading, SpoolFault> {
    match client {
        Some(client) => client.spool(spool).await.map(reading).map_err(fault),
        None => Err(none()),
    }
}

fn reading(spool: Spool) -> SpoolReading {
    SpoolReading {
        material: spool.material,
        color: spool.color,
        left_mg: spool.left_mg,
        used_mg: spool.used_mg,
    }
}

fn fault(fault: Fault) -> SpoolFault {
    let text = problems::chain(&fault);
    match fault {
        Fault::Unreachable(_) => SpoolFault::Down(text),
        Fault::Unanswered(_) | Fault::Foreign(_) => SpoolFault::Unsure(text),
        Fault::NoSuchSpool(_) | Fault::Refused { .. } => SpoolFault::Refused(text),
    }
}
