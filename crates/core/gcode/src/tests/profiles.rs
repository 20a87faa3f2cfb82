//! Which printer a file was sliced for.

use serde::Deserialize;

use super::{
    BAMBU, ENDER3, KIRI, MADE_PROJECT, MK3S, MMU2S, ORCA, SUPER, ULTIMAKER_S5, read, whole,
};
use crate::{
    Metadata,
    profile::{BUILT_IN, Detected, Profile, Said, detect},
};

fn built_in() -> Vec<Profile> {
    #[derive(Deserialize)]
    struct File {
        profile: Vec<Profile>,
    }
    toml::from_str::<File>(BUILT_IN).unwrap().profile
}

fn said(model: Option<&str>, profile: Option<&str>) -> Metadata {
    Metadata {
        printer_model: model.map(str::to_owned),
        printer_profile: profile.map(str::to_owned),
        ..Metadata::default()
    }
}

fn name(metadata: &Metadata, profiles: &[Profile]) -> Option<String> {
    match detect(metadata, profiles) {
        Detected::Profile { profile, .. } => Some(profile.name.clone()),
        Detected::Several(_) | Detected::Unknown { .. } | Detected::Unnamed => None,
    }
}

#[test]
fn files_of_slicers_name_their_printer() {
    let profiles = built_in();
    let check = |file: &[u8], expected: Option<&str>| {
        let found = name(&read(file).unwrap().plates[0].metadata, &profiles);
        assert_eq!(found.as_deref(), expected);
    };
    check(MK3S, Some("MK3S"));
    check(MMU2S, Some("MK3S-MMU2S"));
    check(BAMBU, Some("P1S"));
    check(MADE_PROJECT, Some("P1S"));
    check(ORCA, Some("Voron-2.4-350"));
    check(ULTIMAKER_S5, Some("S5"));
    check(KIRI, Some("Ender-3"));
    check(SUPER, None);
    check(ENDER3, None);
}

#[test]
fn a_slicers_profile_counts_with_any_nozzle_where_no_model_is_named() {
    let profiles = built_in();
    let check = |stated: &str, expected: Option<&str>| {
        let found = name(&said(None, Some(stated)), &profiles);
        assert_eq!(found.as_deref(), expected, "{stated}");
    };
    check("Original Prusa MK4S", Some("MK4S"));
    check("Original Prusa MK4S HF0.4 nozzle", Some("MK4S"));
    check("Prusa CORE One HF 0.4 nozzle", Some("CORE-One"));
    check("Prusa CORE One L 0.6 nozzle", Some("CORE-One-L"));
    check("Creality Ender-3 V2 (0.3 mm nozzle)", Some("Ender-3-V2"));
    check("bambu lab x1 carbon 0.4 NOZZLE", None);
    check("bambu lab x1 carbon 0.4 nozzle", Some("X1C"));
    check("Original Prusa MK4S - my copy", None);
    check("Original Prusa MK4S with a big nozzle", None);
    check("nozzle", None);
    check("0.4 nozzle", None);
}

#[test]
fn alike_is_not_equal() {
    let profiles = built_in();
    for model in [
        "MK4", "MK4S", "MK4SMMU3", "XL", "XL5", "COREONE", "COREONEL",
    ] {
        assert!(
            name(&said(Some(model), None), &profiles).is_some(),
            "{model}"
        );
    }
    let unlike = [
        "Creality Ender-3 V3",
        "Creality Ender-3 V3 KE",
        "Creality Ender-3",
    ];
    let names = unlike.map(|model| name(&said(Some(model), None), &profiles).unwrap());
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    assert_eq!(
        name(&said(Some("X1"), None), &profiles).as_deref(),
        Some("Sidewinder-X1")
    );
    for model in ["MK4SX", "Ender", "Ender-3 Max", "i3", "Bambu", "", " MK4S"] {
        let found = detect(&said(Some(model), None), &profiles);
        assert_eq!(
            found,
            Detected::Unknown {
                said: model.to_owned()
            }
        );
    }
    assert_eq!(detect(&said(None, None), &profiles), Detected::Unnamed);
}

#[test]
fn a_model_that_nobody_knows_is_not_overruled_by_the_name_of_a_profile() {
    let metadata = said(Some("MK9"), Some("Original Prusa MK4S 0.4 nozzle"));
    assert_eq!(
        detect(&metadata, &built_in()),
        Detected::Unknown {
            said: "MK9".to_owned()
        }
    );
}

#[test]
fn when_several_profiles_have_the_words_a_person_decides() {
    let mut profiles = built_in();
    let mut twin = profiles[0].clone();
    twin.name = "twin".to_owned();
    profiles.push(twin);
    let metadata = said(Some(&profiles[0].models[0]), None);
    let Detected::Several(found) = detect(&metadata, &profiles) else {
        panic!("one of two was chosen");
    };
    assert_eq!(found.len(), 2);
}

#[test]
fn built_in_profiles_do_not_contradict_one_another() {
    let profiles = built_in();
    assert!(profiles.len() > 80);
    for profile in &profiles {
        let name = &profile.name;
        assert!(!profile.models.is_empty(), "{name}");
        for model in &profile.models {
            let Detected::Profile { profile, said } = detect(&said(Some(model), None), &profiles)
            else {
                panic!("{model} names no profile, or several");
            };
            assert_eq!((&profile.name, said), (name, Said::Model), "{model}");
        }
        for stated in &profile.profiles {
            for stated in [stated.clone(), format!("{stated} 0.4 nozzle")] {
                let Detected::Profile { profile, said } =
                    detect(&said(None, Some(&stated)), &profiles)
                else {
                    panic!("{stated} names no profile, or several");
                };
                assert_eq!((&profile.name, said), (name, Said::Profile), "{stated}");
            }
        }
        let is_typable = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        assert!(name.chars().all(is_typable), "{name}");
        assert!(
            profile
                .volume_mm
                .is_some_and(|sides| sides.iter().all(|mm| (100..600).contains(mm)))
        );
        assert!(
            profile
                .nozzle_c_max
                .is_none_or(|c| (230..=350).contains(&c)),
            "{name}"
        );
        assert!(
            profile.bed_c_max.is_none_or(|c| (60..=140).contains(&c)),
            "{name}"
        );
        assert!(
            profile.firmware.is_some() && profile.title.is_some() && profile.nozzle_mm.is_some()
        );
    }
}

#[test]
fn what_a_real_file_was_sliced_for_fits_its_profile() {
    let profiles = built_in();
    for file in [MK3S, MMU2S, BAMBU, ORCA] {
        let metadata = whole(file).unwrap();
        let Detected::Profile { profile, .. } = detect(&metadata, &profiles) else {
            panic!("{metadata:?}");
        };
        let [x, y, _] = profile.volume_mm.unwrap();
        let bed = metadata.bed.unwrap();
        assert_eq!((bed.width_mm, bed.depth_mm), (x.into(), y.into()));
        assert!(metadata.hottest_nozzle_c() <= profile.nozzle_c_max.or(Some(999)));
    }
}
