//! Takes files in: streamed to disk, looked at, refused or kept. What a file says about itself is read here and not
//! believed from whoever sent it.

use std::path::PathBuf;

use futures_util::StreamExt as _;
use printmesh_api::{
    problem::{Problem, codes},
    reply::Uploaded,
    request,
    service::{UPLOAD_BYTES_MAX, Upload},
};
use printmesh_net::FileError;
use printmesh_queue::{FileHash, FileSpec};
use tokio::io::AsyncWriteExt as _;

use crate::{problems, serve::Door};

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
        let inspected = path.clone();
        let metadata = tokio::task::spawn_blocking(move || inspect_file(&inspected))
            .await
            .map_err(|error| problems::new("file.write", 1, error.to_string()))?
            .map_err(failed)?
            .map_err(|rejected| rejection(file_name, &rejected))?;
        let added = self
            .net
            .files()
            .add(path)
            .await
            .map_err(|error| file_problem(file_name, &error))?;
        let hash = FileHash(added.hash);
        self.mind
            .tell(printmesh_node::Input::FileAdded { hash })
            .await;
        Ok(Uploaded {
            hash: hash.to_string(),
            bytes: added.size,
            estimate_s: metadata.time_s,
            slicer: metadata.slicer.as_ref().map(slicer),
        })
    }

    /// Reads again what an uploaded file says about itself: the command line is not believed.
    pub(crate) async fn file_spec(&self, set: &request::NewSet) -> Result<FileSpec, Problem> {
        let unknown = || {
            problems::new(
                "file.missing",
                9,
                format!("{} is not on this host", set.file_name),
            )
            .because("its bytes were not uploaded, or were dropped since")
            .fix("printmesh submit FILE", "upload and submit it in one go")
        };
        let hash: FileHash = set.hash.parse().map_err(|_| unknown())?;
        let files = self.net.files();
        let ends = files
            .head_tail(hash.0, printmesh_gcode::HEAD_BYTES as u64)
            .await
            .map_err(|_| unknown())?;
        let metadata = printmesh_gcode::inspect(&ends.head, &ends.tail, ends.size)
            .map_err(|rejected| rejection(&set.file_name, &rejected))?;
        let name = PathBuf::from(&set.file_name);
        let name = name
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("file.gcode");
        Ok(FileSpec {
            hash,
            size: ends.size,
            name: name.to_owned(),
            estimate_s: metadata.time_s,
            material: metadata.material,
            slicer: metadata.slicer.as_ref().map(slicer),
            model: metadata.printer_model,
            nozzle_um: metadata.nozzle_mm.map(|mm| (mm * 1000.0) as u32),
            needs: printmesh_queue::Needs::default(),
        })
    }
}

fn slicer(slicer: &printmesh_gcode::Slicer) -> String {
    match &slicer.version {
        Some(version) => format!("{} {version}", slicer.name),
        None => slicer.name.clone(),
    }
}

fn rejection(file_name: &str, rejected: &printmesh_gcode::Rejected) -> Problem {
    match rejected {
        printmesh_gcode::Rejected::Empty => {
            problems::new("file.empty", 2, format!("{file_name} is empty"))
        }
        printmesh_gcode::Rejected::NotGcode { .. } => problems::new(
            "file.not-gcode",
            2,
            format!("{file_name} cannot be printed"),
        )
        .because(rejected.to_string())
        .fix("", "export it as plain G-code from your slicer"),
    }
}

fn file_problem(file_name: &str, error: &FileError) -> Problem {
    if let FileError::Io { source, .. } = error
        && printmesh_store::disk::is_disk_full(source)
    {
        return problems::disk_full();
    }
    problems::new("file.write", 1, format!("cannot take {file_name} in"))
        .because(problems::chain(error))
}

fn inspect_file(
    path: &std::path::Path,
) -> std::io::Result<Result<printmesh_gcode::Metadata, printmesh_gcode::Rejected>> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let len = file.metadata()?.len();
    let mut head = Vec::new();
    (&mut file)
        .take(printmesh_gcode::HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let tail_at = len.saturating_sub(printmesh_gcode::TAIL_BYTES as u64);
    file.seek(SeekFrom::Start(tail_at))?;
    let mut tail = Vec::new();
    file.take(printmesh_gcode::TAIL_BYTES as u64)
        .read_to_end(&mut tail)?;
    Ok(printmesh_gcode::inspect(&head, &tail, len))
}
