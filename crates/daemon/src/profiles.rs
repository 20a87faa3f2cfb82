//! Printer profiles: those that come with the program, and a host's own in `profiles/*.toml` of its home.
//!
//! An own profile wins over a built-in one of the same name. Which profile a file is for is decided in `core/gcode`.

use std::{fs, io, path::Path};

use printmesh_api::{problem::Problem, sliced};
use printmesh_gcode::{
    Metadata,
    profile::{BUILT_IN, Detected, Firmware, Profile, Said, detect},
};
use printmesh_store::disk;
use serde::Deserialize;

use crate::{limits::PROFILES_BYTES_MAX, problems};

/// Where a host's own profiles lie in its home.
const FOLDER: &str = "profiles";

/// Where a profile stands that comes with the program.
const BUILT_IN_ORIGIN: &str = "built-in";

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
            all.origins.push(BUILT_IN_ORIGIN.to_owned());
        }
        Ok(all)
    }

    /// Takes a file of own profiles into a home; returns their names. Nothing is kept that cannot be used.
    ///
    /// # Errors
    /// `profile.bad` when it cannot be read or understood; `name.taken` when there is such a file or such an own profile.
    pub fn add(home: &Path, path: &Path) -> Result<Vec<String>, Problem> {
        let text = read(path)?;
        let file: File = toml::from_str(&text).map_err(|error| {
            bad(path, "cannot understand").because(error.to_string().trim().to_owned())
        })?;
        let names: Vec<String> = file.profile.iter().map(|it| it.name.clone()).collect();
        if names.is_empty() {
            return Err(bad(path, "cannot use").because("there is no [[profile]] in it"));
        }
        let before = Self::load(home)?;
        for (n, name) in names.iter().enumerate() {
            let twin = names[..n].iter().any(|other| same(other, name));
            let own = before.place(name).filter(|place| before.is_own(*place));
            if twin || own.is_some() {
                let title = format!("there is a profile {name} already");
                return Err(problems::new("name.taken", 5, title).fix(
                    format!("printmesh profile remove {name}"),
                    "take the other one out first",
                ));
            }
        }
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        let folder = home.join(FOLDER);
        let target = folder.join(stem).with_extension("toml");
        if target.exists() {
            let title = format!("there is a file {} already", target.display());
            return Err(problems::new("name.taken", 5, title).fix("", "call yours something else"));
        }
        let kept = fs::create_dir_all(&folder)
            .and_then(|()| disk::write_durably(&target, text.as_bytes(), 0o644));
        kept.map_err(|error| bad(&target, "cannot write").because(error.to_string()))?;
        Ok(names)
    }

    /// Takes an own profile out of a home.
    ///
    /// # Errors
    /// `profile.unknown`; `profile.fixed` when it is built in, or not alone in its file.
    pub fn remove(home: &Path, name: &str) -> Result<String, Problem> {
        let all = Self::load(home)?;
        let place = all.place(name).ok_or_else(|| unknown(name))?;
        let name = all.profiles[place].name.clone();
        let fixed = |why: String| {
            let title = format!("{name} cannot be removed");
            problems::new("profile.fixed", 5, title).because(why)
        };
        if !all.is_own(place) {
            return Err(fixed("it comes with the program".to_owned()).fix(
                "printmesh profile add FILE.toml",
                "an own profile of that name wins over it",
            ));
        }
        let origin = &all.origins[place];
        if all.origins.iter().filter(|other| *other == origin).count() > 1 {
            return Err(fixed(format!("others are in {origin} too"))
                .fix("", "take it out of that file with an editor"));
        }
        fs::remove_file(origin)
            .map_err(|error| bad(Path::new(origin), "cannot remove").because(error.to_string()))?;
        Ok(name)
    }

    fn is_own(&self, place: usize) -> bool {
        self.origins[place] != BUILT_IN_ORIGIN
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
        let place = self.place(name).ok_or_else(|| unknown(name))?;
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

fn unknown(name: &str) -> Problem {
    problems::new("profile.unknown", 3, format!("there is no profile {name}"))
        .fix("printmesh profile list", "see which there are")
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
    if bytes > PROFILES_BYTES_MAX {
        let why = format!("it is larger than {PROFILES_BYTES_MAX} bytes");
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
    fn an_own_profile_is_taken_in_and_out_again() {
        let home = tempfile::tempdir().unwrap();
        let add = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::write(&path, text).unwrap();
            Profiles::add(home.path(), &path)
        };
        let mine = "# kept as it is\n[[profile]]\nname = \"Mine\"\nmodels = [\"Mine\"]\n";
        assert_eq!(add("mine.toml", mine).unwrap(), ["Mine"]);
        let kept = fs::read_to_string(home.path().join("profiles/mine.toml")).unwrap();
        assert_eq!(kept, mine);
        let code = |result: Result<Vec<String>, Problem>| result.unwrap_err().code;
        assert_eq!(code(add("other.toml", mine)), "name.taken");
        assert_eq!(
            code(add("mine.toml", "[[profile]]\nname = \"new\"\n")),
            "name.taken"
        );
        assert_eq!(code(add("x.toml", "")), "profile.bad");
        assert_eq!(
            code(add("x.toml", "[[profile]]\nname = 1\n")),
            "profile.bad"
        );
        let twins = "[[profile]]\nname = \"a\"\n[[profile]]\nname = \"A\"\n";
        assert_eq!(code(add("x.toml", twins)), "name.taken");
        let two = "[[profile]]\nname = \"a\"\n[[profile]]\nname = \"MK4S\"\n";
        assert_eq!(add("two.toml", two).unwrap(), ["a", "MK4S"]);
        let remove = |name: &str| Profiles::remove(home.path(), name);
        assert_eq!(remove("a").unwrap_err().code, "profile.fixed");
        assert_eq!(remove("mini").unwrap_err().code, "profile.fixed");
        assert_eq!(remove("nobody").unwrap_err().code, "profile.unknown");
        assert_eq!(remove("mine").unwrap(), "Mine");
        let all = Profiles::load(home.path()).unwrap();
        assert!(all.get("Mine").is_none() && all.get("a").is_some());
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
