//! Takes files in: streamed to disk, looked at, refused or kept. What a file says about itself is read here and not
//! believed from whoever sent it.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use printmesh_api::{
    limits::UPLOAD_BYTES_MAX,
    problem::{Problem, codes},
    reply::{Uploaded, UploadedPlate},
    service::Upload,
};
use printmesh_gcode::Container;
use printmesh_net::FileError;
use printmesh_queue::{FileHash, FileSpec};
use tokio::{io::AsyncWriteExt as _, runtime::Handle};

use crate::{
    model, problems,
    profiles::Profiles,
    serve::Door,
    sliced::{self, Unpacked},
    stored::Stored,
};

pub(crate) fn unique_name() -> Result<String, Problem> {
    let random = crate::key::random()?;
    Ok(data_encoding::HEXLOWER.encode(&random[..16]))
}

fn io_problem(what: &str, error: &std::io::Error) -> Problem {
    if printmesh_store::disk::is_disk_full(error) {
        return problems::disk_full();
    }
    problems::new("file.write", 1, format!("cannot take {what} in")).because(error.to_string())
}

// What is taken in here is not refused by the other hosts.
const _: () = assert!(UPLOAD_BYTES_MAX <= printmesh_queue::limits::FILE_BYTES_MAX);

impl Door {
    pub(crate) async fn take_in(
        &self,
        file_name: &str,
        mut body: Upload,
        path: PathBuf,
    ) -> Result<Uploaded, Problem> {
        let failed = |error: std::io::Error| io_problem(file_name, &error);
        let mut file = tokio::fs::File::create_new(&path).await.map_err(failed)?;
        let mut bytes = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| {
                problems::new("file.cut", 1, format!("{file_name} did not arrive whole"))
                    .because(error.to_string())
            })?;
            bytes += chunk.len() as u64;
            if bytes > UPLOAD_BYTES_MAX {
                return Err(problems::new(
                    codes::FILE_TOO_BIG,
                    2,
                    format!("{file_name} is too large"),
                )
                .because(format!("at most {UPLOAD_BYTES_MAX} bytes are taken in")));
            }
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        drop(file);
        if model::is_model(file_name) {
            return self.take_model_in(file_name, path).await;
        }
        let plates = self.unpack(file_name, &path).await?;
        let added = self.add_all(file_name, &plates).await;
        for plate in plates.iter().filter(|plate| plate.path != path) {
            tokio::fs::remove_file(&plate.path).await.ok();
        }
        let added = added?;
        let first = added
            .first()
            .ok_or_else(|| problems::new("file.empty", 2, format!("{file_name} is empty")))?;
        let slicer = plates
            .iter()
            .find_map(|plate| plate.metadata.slicer.as_ref());
        Ok(Uploaded {
            hash: first.hash.clone(),
            bytes: first.bytes,
            estimate_s: first.estimate_s,
            slicer: slicer.map(sliced::slicer),
            plates: added,
        })
    }

    /// Looks at what came in, off the loop: a large project takes a while.
    async fn unpack(&self, file_name: &str, path: &Path) -> Result<Vec<Unpacked>, Problem> {
        let (file_name, path) = (file_name.to_owned(), path.to_owned());
        let incoming = self.incoming.clone();
        let fresh = move || Ok(incoming.join(unique_name()?));
        tokio::task::spawn_blocking(move || sliced::unpack(&file_name, &path, fresh))
            .await
            .map_err(|error| problems::new("file.write", 1, error.to_string()))?
    }

    async fn add_all(
        &self,
        file_name: &str,
        plates: &[Unpacked],
    ) -> Result<Vec<UploadedPlate>, Problem> {
        let mut all = Vec::new();
        for plate in plates {
            let added = self.net.files().add(plate.path.clone()).await;
            let added = added.map_err(|error| file_problem(file_name, &error))?;
            let hash = FileHash(added.hash);
            self.mind
                .tell(printmesh_node::Input::FileAdded { hash })
                .await;
            all.push(UploadedPlate {
                hash: hash.to_string(),
                file_name: plate.file_name.clone(),
                bytes: added.size,
                estimate_s: plate.metadata.time_s,
            });
        }
        Ok(all)
    }

    /// Reads again what an uploaded file says about itself: the command line is not believed.
    pub(crate) async fn file_spec(&self, hash: &str, file_name: &str) -> Result<FileSpec, Problem> {
        let unknown = || {
            problems::new(
                "file.missing",
                9,
                format!("{file_name} is not on this host"),
            )
            .because("its bytes were not uploaded, or were dropped since")
            .fix("printmesh submit FILE", "upload and submit it in one go")
        };
        let hash: FileHash = hash.parse().map_err(|_| unknown())?;
        let files = self.net.files();
        let size = files.size(hash.0).await.ok().flatten();
        let size = size.ok_or_else(unknown)?;
        let mut stored = Stored::new(files.clone(), hash.0, size, Handle::current());
        let found = tokio::task::spawn_blocking(move || printmesh_gcode::inspect(&mut stored))
            .await
            .map_err(|error| problems::new("file.write", 1, error.to_string()))?
            .map_err(|rejected| sliced::rejection(file_name, &rejected))?;
        // Whatever was packed was unpacked when it came in; a client that names something else is told so.
        if found.container != Container::Text {
            return Err(unknown());
        }
        let metadata = found
            .plates
            .into_iter()
            .next()
            .ok_or_else(unknown)?
            .metadata;
        // A person may have added a profile since the last file came in.
        let (profile, _) = Profiles::load(&self.home)?.detect(&metadata);
        let name = PathBuf::from(file_name);
        let name = name
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("file.gcode");
        Ok(sliced::file_spec(hash, size, name, &metadata, profile))
    }
}

pub(crate) fn file_problem(file_name: &str, error: &FileError) -> Problem {
    if let FileError::Io { source, .. } = error
        && printmesh_store::disk::is_disk_full(source)
    {
        return problems::disk_full();
    }
    problems::new("file.write", 1, format!("cannot take {file_name} in"))
        .because(problems::chain(error))
}
