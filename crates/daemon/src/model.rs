//! Takes models in: what is to be sliced by the host whose printer acquires it. Only STL, since that is one shape and no program.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use printmesh_api::{
    problem::Problem,
    reply::{Uploaded, UploadedPlate},
};
use printmesh_node::Input;
use printmesh_queue::{FileHash, FileSpec, Needs};

use crate::{intake::file_problem, problems, serve::Door};

/// Bytes before the triangles of a binary STL, their number included.
const HEAD: usize = 84;
/// Bytes of each triangle.
const TRIANGLE: u64 = 50;

/// Returns whether a file is a model by its name.
pub(crate) fn is_model(file_name: &str) -> bool {
    let ending = Path::new(file_name).extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("stl"))
}

/// Returns whether a file is an STL: as long as its number of triangles says, or text that begins like one.
fn is_stl(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut head = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut head)?;
    let count = head.get(80..HEAD).and_then(|count| count.try_into().ok());
    let triangles = count.map_or(0, u32::from_le_bytes);
    let is_binary = triangles > 0 && bytes == HEAD as u64 + u64::from(triangles) * TRIANGLE;
    Ok(is_binary || head.trim_ascii_start().starts_with(b"solid"))
}

impl Door {
    /// Keeps a model that was uploaded.
    pub(crate) async fn take_model_in(
        &self,
        file_name: &str,
        path: PathBuf,
    ) -> Result<Uploaded, Problem> {
        let looked_at = path.clone();
        let is_stl = tokio::task::spawn_blocking(move || is_stl(&looked_at)).await;
        if !matches!(is_stl, Ok(Ok(true))) {
            let title = format!("{file_name} is no STL");
            return Err(problems::new("file.damaged", 2, title).because(
                "it neither says how many triangles it has, nor begins like a text of them",
            ));
        }
        let added = self.net.files().add(path).await;
        let added = added.map_err(|error| file_problem(file_name, &error))?;
        let hash = FileHash(added.hash);
        self.mind.tell(Input::FileAdded { hash }).await;
        let plate = UploadedPlate {
            hash: hash.to_string(),
            file_name: file_name.to_owned(),
            bytes: added.size,
            estimate_s: None,
        };
        Ok(Uploaded {
            hash: plate.hash.clone(),
            bytes: plate.bytes,
            estimate_s: None,
            slicer: None,
            plates: vec![plate],
        })
    }

    /// Reads what a file of a new job is; a model says nothing but which profile slices it.
    pub(crate) async fn spec(
        &self,
        hash: &str,
        file_name: &str,
        slice: Option<&str>,
    ) -> Result<FileSpec, Problem> {
        if !is_model(file_name) {
            return self.file_spec(hash, file_name).await;
        }
        let Some(profile) = slice.filter(|profile| !profile.is_empty()) else {
            let title = format!("{file_name} is a model: it must be sliced before it is printed");
            return Err(problems::new("file.not-gcode", 2, title).fix(
                "printmesh submit FILE --slice PROFILE",
                "let the host of the printer slice it",
            ));
        };
        let known = hash.parse::<FileHash>().ok();
        let mut size = None;
        if let Some(hash) = known {
            size = self.net.files().size(hash.0).await.ok().flatten();
        }
        let (Some(hash), Some(size)) = (known, size) else {
            return Err(problems::new(
                "file.missing",
                9,
                format!("{file_name} is not on this host"),
            ));
        };
        let name = Path::new(file_name)
            .file_name()
            .and_then(|name| name.to_str());
        Ok(FileSpec {
            hash,
            size,
            name: name.unwrap_or("model.stl").to_owned(),
            estimate_s: None,
            material: None,
            slicer: None,
            model: None,
            nozzle_um: None,
            needs: Needs {
                slice: Some(profile.to_owned()),
                ..Needs::default()
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_stl_is_known_by_its_length_or_by_its_first_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.stl");
        let is = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            is_stl(&path).unwrap()
        };
        let mut binary = vec![0; HEAD + 2 * TRIANGLE as usize];
        binary[80] = 2;
        assert!(is(&binary));
        assert!(is(b"solid box\nfacet normal 0 0 1\n"));
        binary.pop();
        assert!(!is(&binary), "cut short");
        assert!(!is(b"G28\n") && !is(b"") && !is(&[0; HEAD]));
        assert!(is_model("in/Part.STL") && !is_model("part.gcode") && !is_model("stl"));
    }
}
