//! Carries effects out. Nothing here decides: every result goes back to the mind as an input.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use printmesh_api::reply::Event;
use printmesh_net::{FileError, Files, Net, PeerKey};
use printmesh_node::{Effect, FetchFailure, Input, Node};
use printmesh_queue::{FileHash, HostId};
use printmesh_store::Imports;
use tokio::{
    sync::{broadcast, mpsc},
    task::AbortHandle,
};

use crate::{
    convert, limits,
    mind::Mind,
    notify,
    printers::{Printers, Script, Start},
    problems, relays,
    slicer::{Model, Slicers},
    spools::Ask,
};

/// What effects need.
pub(crate) struct Effects {
    pub(crate) mind: Mind,
    pub(crate) net: Net,
    pub(crate) imports: Arc<Imports>,
    pub(crate) printers: Printers,
    pub(crate) slicers: Arc<Slicers>,
    pub(crate) spools: mpsc::UnboundedSender<Ask>,
    /// People are told of these.
    pub(crate) notices: mpsc::Sender<Event>,
    /// Where this host keeps its files.
    pub(crate) home: PathBuf,
    /// Transfers that nobody waits for yet.
    pub(crate) ahead: BTreeMap<FileHash, AbortHandle>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) told: u64,
}

impl Effects {
    /// `decided_ms` is when the node wanted it, by the monotonic clock.
    pub(crate) fn carry_out(&mut self, effect: Effect, node: &Node, decided_ms: u64) {
        match effect {
            // Answered by the loop, which knows who asked.
            Effect::Reply { .. } => {}
            Effect::Tell(event) => {
                self.told += 1;
                let event = convert::event(node, self.told, event);
                if !event.kind.ends_with(".progress") {
                    tracing::info!(
                        target: "printmesh_daemon::events",
                        kind = event.kind,
                        job = event.job_name,
                        copy = event.copy,
                        printer = event.printer,
                        state = event.state,
                        text = event.text,
                    );
                }
                if event.kind == notify::KIND && self.notices.try_send(event.clone()).is_err() {
                    tracing::debug!("no program tells people");
                }
                // Nobody listens most of the time.
                self.events.send(event).ok();
            }
            Effect::Send { to, bytes } => self.net.send(peer(to), bytes),
            Effect::SetPeers(peers) => {
                let peers: BTreeMap<PeerKey, _> = peers
                    .into_iter()
                    .map(|(host, addresses)| (peer(host), addresses))
                    .collect();
                self.net.set_peers(peers);
            }
            Effect::SetRelays(members) => {
                let members = members.into_iter();
                let members = members.map(|(host, urls)| (peer(host), relays::parsed(&urls)));
                self.net.set_relays(members.collect());
            }
            Effect::Join {
                attempt,
                host,
                addresses,
                relays,
            } => {
                let relays = relays::parsed(&relays);
                self.net.join(attempt, peer(host), addresses, relays);
            }
            Effect::JoinSend {
                conversation,
                bytes,
                last,
            } => {
                self.net.join_send(conversation, bytes, last);
            }
            Effect::AcceptJoins(accept) => self.net.accept_joins(accept),
            Effect::OfferLan(offer) => self.net.offer_lan(offer),
            Effect::Fetch {
                hash,
                size,
                from,
                ahead,
            } => self.fetch(hash, size, from, ahead),
            Effect::StopFetch { hash } => {
                if let Some(fetch) = self.ahead.remove(&hash) {
                    fetch.abort();
                }
            }
            Effect::Import {
                job,
                job_name,
                set,
                file_name,
                hash,
            } => {
                let (mind, files, imports) = (
                    self.mind.clone(),
                    self.net.files().clone(),
                    Arc::clone(&self.imports),
                );
                tokio::spawn(async move {
                    let result = import(
                        &mind,
                        &files,
                        imports,
                        job.to_string(),
                        job_name,
                        file_name,
                        hash,
                    )
                    .await;
                    let imported = Input::Imported {
                        job,
                        set,
                        hash,
                        result,
                    };
                    mind.tell(imported).await;
                });
            }
            Effect::Slice {
                job,
                job_name,
                set,
                file_name,
                hash,
                profile,
            } => {
                let (mind, files, imports) = (
                    self.mind.clone(),
                    self.net.files().clone(),
                    Arc::clone(&self.imports),
                );
                let slicers = Arc::clone(&self.slicers);
                tokio::spawn(async move {
                    let model = Model {
                        job: job.to_string(),
                        job_name,
                        file_name,
                        hash,
                        profile,
                    };
                    let result = slicers.slice(&mind, &files, imports, model).await;
                    mind.tell(Input::Sliced {
                        job,
                        set,
                        hash,
                        result,
                    })
                    .await;
                });
            }
            Effect::TryPrinter { id, name, at } => self.printers.try_out(id, name, at),
            Effect::ConnectPrinter { name, at } => self.printers.connect(name, at),
            Effect::DisconnectPrinter { name } => self.printers.disconnect(&name),
            Effect::StartPrint {
                printer,
                print,
                fence,
                path,
                hash,
                guard,
            } => {
                let request = Start {
                    guard,
                    print,
                    fence,
                    path,
                    hash,
                    decided_ms,
                };
                self.printers.start(printer, request);
            }
            Effect::ClearBed {
                printer,
                print,
                fence,
                gcode,
                guard,
            } => {
                let script = Script {
                    print,
                    fence,
                    gcode,
                    guard,
                    decided_ms,
                };
                self.printers.clear(printer, script);
            }
            // It ends with the daemon only.
            Effect::LookAtSpool { spool } => _ = self.spools.send(Ask::Look { spool }),
            Effect::UseSpool { id, spool, mg } => {
                _ = self.spools.send(Ask::Use { id, spool, mg });
            }
            Effect::PausePrint { printer, print } => self.printers.pause(&printer, &print),
            Effect::ResumePrint { printer, print } => self.printers.resume(&printer, &print),
            Effect::StopPrint { printer, print } => self.printers.stop(&printer, &print),
        }
    }

    fn fetch(&mut self, hash: FileHash, size: u64, from: Vec<HostId>, ahead: bool) {
        let (mind, files) = (self.mind.clone(), self.net.files().clone());
        let home = self.home.clone();
        let task = tokio::spawn(async move {
            if let Some(why) = ahead.then(|| no_room(&home, size)).flatten() {
                tracing::info!(%hash, why, "does not fetch a file of the next copy yet");
                let result = Err(FetchFailure::Local(why));
                mind.tell(Input::Fetched { hash, result }).await;
                return;
            }
            let (progress, mut told) = mpsc::channel(4);
            let watcher = mind.clone();
            let watch = tokio::spawn(async move {
                while let Some((done, total)) = told.recv().await {
                    watcher
                        .tell(Input::FetchProgress { hash, done, total })
                        .await;
                }
            });
            let from = from.into_iter().map(peer).collect();
            let fetched = files
                .fetch(hash.0, size, from, |now| {
                    // Progress is for people: some may be skipped, none may slow the transfer down.
                    progress.try_send((now.done, now.total)).ok();
                })
                .await;
            drop(progress);
            watch.await.ok();
            let result = match fetched {
                Ok(()) => files
                    .keep(hash.0)
                    .await
                    .map_err(|error| FetchFailure::Local(problems::chain(&error))),
                Err(error @ printmesh_net::FetchError::NobodyHasIt { .. }) => {
                    tracing::warn!(%hash, why = problems::chain(&error), "could not fetch a file");
                    Err(FetchFailure::NobodyHasIt)
                }
                Err(error) => {
                    tracing::warn!(%hash, why = problems::chain(&error), "could not fetch a file");
                    Err(FetchFailure::Local(problems::chain(&error)))
                }
            };
            mind.tell(Input::Fetched { hash, result }).await;
        });
        if ahead {
            self.ahead.retain(|_, fetch| !fetch.is_finished());
            self.ahead.insert(hash, task.abort_handle());
        }
    }
}

/// Why there is no room for a file that nobody waits for yet.
fn no_room(home: &Path, size: u64) -> Option<String> {
    let free = printmesh_store::disk::free_space(home);
    match free {
        Ok(free) if free >= size.saturating_add(limits::AHEAD_FREE_BYTES) => None,
        Ok(_) => Some("the disk is short".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// Puts a file of the store into the imports folder, verified and on disk for good.
pub(crate) async fn import(
    mind: &Mind,
    files: &Files,
    imports: Arc<Imports>,
    job: String,
    job_name: String,
    file_name: String,
    hash: FileHash,
) -> Result<String, String> {
    let place = move || imports.place(&job, &job_name, &file_name, &hash.to_string());
    let placed = tokio::task::spawn_blocking(place)
        .await
        .map_err(|error| error.to_string())?;
    let placement = placed.map_err(|error| problems::chain(&error))?;
    if !placement.already_there_and_verified {
        let partial = placement.partial_path();
        if let Err(error) = files.export(hash.0, &partial).await {
            if matches!(error, FileError::Missing { .. } | FileError::Damaged { .. }) {
                // What is damaged is let go, so that it can be fetched anew.
                files.release(hash.0).await.ok();
                mind.tell(Input::FileLost { hash }).await;
            }
            return Err(problems::chain(&error));
        }
        let finishing = placement.clone();
        tokio::task::spawn_blocking(move || finishing.commit())
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| problems::chain(&error))?;
    }
    placement
        .path
        .into_os_string()
        .into_string()
        .map_err(|path| format!("{} is not UTF-8", path.display()))
}

pub(crate) fn peer(host: HostId) -> PeerKey {
    PeerKey(host.0)
}
