//! Printer profiles: those that come with the program, and a host's own in `profiles/*.toml` of its home.
//!
//! An own profile wins over a built-in one of the same name. Which profile a file is for is decided in `core/gcode`.

use std::{fs, io, path::Path};

use printmesh_api::{problem::Problem, sliced};
use printmesh_gcode::{
    Metadata,
    profile::{BUILT_IN, Detected, Firmware, Profile, Said, detect},
};
use serde::Deserialize;

use crate::problems;

/// Where a host's own profiles lie in its home.
const FOLDER: &str = "profiles";

/// Largest file of own profiles, in bytes: a thousand of them.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Every profile that a host knows.
pub struct Profiles {
    profiles: Vec<Profile>,
    /// Where each of them stands.
    origins: Vec<String>,
}

/// A file of profiles.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    profile: Vec<Profile>,
}

impl Profiles {
    /// Reads the built-in profiles, and those in the home. A home without any has none.
    ///
    /// # Errors
    /// `profile.bad` names the file that cannot be read or understood, or the name that two own profiles have.
    pub fn load(home: &Path) -> Result<Self, Problem> {
        let mut all = Self {
            profiles: Vec::new(),
            origins: Vec::new(),
        };
        let folder = home.join(FOLDER);
        for path in files(&folder)? {
            let text = read(&path)?;
            let file: File = toml::from_str(&text).map_err(|error| {
                bad(&path, "cannot understand").because(error.to_string().trim().to_owned())
            })?;
            for profile in file.profile {
                if let Some(twin) = all.place(&profile.name) {
                    let why = format!("{} is in {} too", profile.name, all.origins[twin]);
                    return Err(bad(&path, "cannot use").because(why));
                }
                all.profiles.push(profile);
                all.origins.push(path.display().to_string());
            }
        }
        let built_in: File = toml::from_str(BUILT_IN).expect("a test reads it");
        for mut profile in built_in.profile {
            if all.place(&profile.name).is_some() {
                continue;
            }
            // What an own profile is called for no longer means the built-in one.
            let own = &all.profiles[..];
            let is_own = |name: &String, of: fn(&Profile) -> &Vec<String>| {
                let mut taken = own.iter().flat_map(of);
                taken.any(|taken| same(taken, name))
            };
            profile
                .models
                .retain(|name| !is_own(name, |own| &own.models));
            profile
                .profiles
                .retain(|name| !is_own(name, |own| &own.profiles));
            all.profiles.push(profile);
            all.origins.push("built-in".to_owned());
        }
        Ok(all)
    }

    /// Returns every profile whose name, title or model has this text in it; own ones first.
    pub fn list(&self, filter: Option<&str>) -> Vec<sliced::Profile> {
        let wanted = filter.unwrap_or_default().to_lowercase();
        let is_wanted = |profile: &Profile| {
            let names = [Some(&profile.name), profile.title.as_ref()];
            let mut texts = names.into_iter().flatten().chain(&profile.models);
            texts.any(|text| text.to_lowercase().contains(&wanted))
        };
        let all = self.profiles.iter().zip(&self.origins);
        all.filter(|(profile, _)| is_wanted(profile))
            .map(|(profile, origin)| shown(profile, origin))
            .collect()
    }

    /// Returns the profile of this name; case does not matter.
    ///
    /// # Errors
    /// `profile.unknown`.
    pub fn show(&self, name: &str) -> Result<sliced::Profile, Problem> {
        let place = self.place(name).ok_or_else(|| {
            problems::new("profile.unknown", 3, format!("there is no profile {name}"))
                .fix("printmesh profile list", "see which there are")
        })?;
        Ok(shown(&self.profiles[place], &self.origins[place]))
    }

    /// Returns the profile of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Profile> {
        self.place(name).map(|place| &self.profiles[place])
    }

    /// Returns the name of the profile that a print was sliced for, and in plain words why it is that one, or none.
    pub(crate) fn detect(&self, metadata: &Metadata) -> (Option<String>, String) {
        match detect(metadata, &self.profiles) {
            Detected::Profile { profile, said } => {
                let why = match said {
                    Said::Model => "the slicer names the model",
                    Said::Profile => "the slicer names its profile",
                };
                (Some(profile.name.clone()), why.to_owned())
            }
            Detected::Several(several) => {
                let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
                (None, format!("several profiles fit: {}", names.join(", ")))
            }
            Detected::Unknown { said } => (None, format!("no profile knows {said}")),
            Detected::Unnamed => (None, "the file names no printer".to_owned()),
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        let mut names = self.profiles.iter();
        names.position(|profile| same(&profile.name, name))
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn bad(path: &Path, cannot: &str) -> Problem {
    problems::new("profile.bad", 2, format!("{cannot} {}", path.display())).fix(
        "printmesh profile show MK4S --json",
        "see the fields of a profile",
    )
}

/// The files of profiles in a folder, by name.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, Problem> {
    let unreadable = |error: io::Error| bad(folder, "cannot read").because(error.to_string());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: io::Error| bad(path, "cannot read").because(error.to_string());
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        let why = format!("it is larger than {FILE_BYTES_MAX} bytes");
        return Err(bad(path, "cannot read").because(why));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn shown(profile: &Profile, origin: &str) -> sliced::Profile {
    let firmware = profile.firmware.map(|firmware| match firmware {
        Firmware::Marlin => "marlin",
        Firmware::Buddy => "buddy",
        Firmware::Klipper => "klipper",
        Firmware::Reprap => "reprap",
        Firmware::Bambu => "bambu",
        Firmware::Griffin => "griffin",
    });
    sliced::Profile {
        name: profile.name.clone(),
        title: profile.title.clone(),
        origin: origin.to_owned(),
        models: profile.models.clone(),
        slicer_profiles: profile.profiles.clone(),
        volume_mm: profile.volume_mm,
        round: profile.round,
        nozzle_mm: profile.nozzle_mm,
        nozzle_c_max: profile.nozzle_c_max,
        bed_c_max: profile.bed_c_max,
        enclosed: profile.enclosed,
        firmware: firmware.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(FOLDER)).unwrap();
        for (name, text) in files {
            fs::write(home.path().join(FOLDER).join(name), text).unwrap();
        }
        home
    }

    fn detected(profiles: &Profiles, model: &str) -> Option<String> {
        let metadata = Metadata {
            printer_model: Some(model.to_owned()),
            ..Metadata::default()
        };
        profiles.detect(&metadata).0
    }

    #[test]
    fn a_home_without_profiles_has_the_built_in_ones() {
        let home = tempfile::tempdir().unwrap();
        let profiles = Profiles::load(home.path()).unwrap();
        assert_eq!(detected(&profiles, "MK4S").as_deref(), Some("MK4S"));
        let shown = profiles.show("mk4s").unwrap();
        assert_eq!(shown.volume_mm, Some([250, 210, 220]));
        assert_eq!(shown.origin, "built-in");
        assert_eq!(profiles.show("MK99").unwrap_err().code, "profile.unknown");
        assert_eq!(profiles.list(Some("core one")).len(), 2);
    }

    #[test]
    fn an_own_profile_wins_over_a_built_in_one() {
        let text = "[[profile]]\nname = \"big\"\nmodels = [\"MK4S\", \"Mine\"]\nvolume_mm = [300, 300, 300]\n\
            [[profile]]\nname = \"mini\"\nfirmware = \"klipper\"\n";
        let home = home(&[("own.toml", text), ("notes.txt", "no TOML")]);
        let profiles = Profiles::load(home.path()).unwrap();
        assert_eq!(detected(&profiles, "MK4S").as_deref(), Some("big"));
        assert_eq!(detected(&profiles, "mine").as_deref(), Some("big"));
        let mini = profiles.show("MINI").unwrap();
        assert_eq!(mini.firmware.as_deref(), Some("klipper"));
        assert!(mini.origin.ends_with("own.toml"));
        assert_eq!(
            detected(&profiles, "MINI"),
            None,
            "the built-in one is gone"
        );
        assert_eq!(profiles.list(None)[0].name, "big");
    }

    #[test]
    fn a_profile_that_cannot_be_understood_is_named() {
        let check = |files: &[(&str, &str)], words: &str| {
            let problem = Profiles::load(home(files).path()).err().unwrap();
            assert_eq!(problem.code, "profile.bad");
            let text = format!("{} {}", problem.title, problem.why.unwrap());
            assert!(text.contains(words), "{text}");
        };
        check(&[("own.toml", "[[profile]]\n")], "name");
        check(
            &[("own.toml", "[[profile]]\nname = \"a\"\nbed = 1\n")],
            "bed",
        );
        check(&[("own.toml", "[[printer]]\nname = \"a\"\n")], "printer");
        let own = "[[profile]]\nname = \"a\"\n";
        check(&[("a.toml", own), ("b.toml", own)], "a.toml too");
        check(&[("b.toml", &"#".repeat(2_000_000))], "larger than");
    }
}
