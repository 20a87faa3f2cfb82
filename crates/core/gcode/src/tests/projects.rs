//! Sliced projects with several plates.

use std::io::Cursor;

use super::{
    build::{SLICE_INFO, archive, png, project},
    read, slicer, unpacked, whole,
};
use crate::{Container, Rejected, inspect};

const GCODE: &[u8] = b"; BambuStudio 02.04.00.70\n; filament_type = PLA;PETG\nG28\nG1 X1\n";

#[test]
fn each_plate_is_a_print_of_its_own() {
    for is_packed in [true, false] {
        let found = read(&project(is_packed)).unwrap();
        assert_eq!(found.container, Container::Archive);
        let numbers: Vec<_> = found.plates.iter().map(|plate| plate.number).collect();
        assert_eq!(numbers, [1, 2]);
        let first = &found.plates[0].metadata;
        assert_eq!(first.slicer, slicer("BambuStudio", "02.04.00.70"));
        assert_eq!(first.time_s, Some(1719));
        assert_eq!(
            first.printer_model.as_deref(),
            Some("Bambu Lab P1S"),
            "as it was sliced"
        );
        assert_eq!(
            first.printer_profile.as_deref(),
            Some("Bambu Lab P1S 0.4 nozzle")
        );
        assert_eq!(first.bed.unwrap().height_mm, Some(250.0));
        assert_eq!(first.bed_c, Some(70), "of the filaments in use");
        let extent = first.extent.unwrap();
        assert_eq!(extent.min_mm, [10.5, 20.0, 0.0]);
        assert_eq!(extent.max_mm, [110.25, 90.0, 18.0]);
        let tools: Vec<_> = first
            .tools
            .iter()
            .map(|tool| {
                let (material, colour) = (tool.material.as_deref(), tool.colour.as_deref());
                (tool.number, material, colour, tool.used_g)
            })
            .collect();
        assert_eq!(
            tools,
            [
                (1, Some("PLA"), Some("f72323"), Some(11.34)),
                (3, Some("PETG"), Some("101010"), Some(1.5))
            ]
        );
        assert_eq!(first.tools[0].profile.as_deref(), Some("Bambu; PLA"));
        let sizes: Vec<_> = first.thumbnails.iter().map(|it| it.width).collect();
        assert_eq!(sizes, [128, 512]);

        let second = &found.plates[1].metadata;
        assert_eq!(second.time_s, Some(60));
        assert_eq!(second.materials().as_deref(), Some("PLA"));
        assert_eq!(second.tools[0].number, 0);
        assert!(second.thumbnails.is_empty());
    }
}

#[test]
fn unpacked_a_plate_is_text_that_says_the_same() {
    let file = project(true);
    for plate in read(&file).unwrap().plates {
        let text = unpacked(&file, plate.number).unwrap();
        let mut said = whole(&text).unwrap();
        let mut expected = plate.metadata;
        // These stand in the project's settings alone, and are not about this print.
        expected.printer_profile = None;
        expected.bed = None;
        for tool in &mut expected.tools {
            tool.profile = None;
        }
        said.printer_profile = None;
        assert_eq!(said, expected);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\nM73 P0 R27\nG28\nG29\nG1 X1 Y1 E1\n"));
    }
}

#[test]
fn a_plate_that_is_not_there_cannot_be_unpacked() {
    let error = unpacked(&project(true), 3).unwrap_err();
    assert_eq!(error.to_string(), "the project holds no sliced plate");
}

#[test]
fn a_filament_list_for_the_whole_file_counts_when_there_is_one_plate() {
    let info = br##"<config><filament id="2" type="PETG" color="#00FF00" used_m="1" used_g="3"/></config>"##;
    let members: [(&str, &[u8]); 2] = [
        ("Metadata/plate_1.gcode", GCODE),
        ("Metadata/slice_info.config", info),
    ];
    let found = whole(&archive(&members, true)).unwrap();
    assert_eq!(found.materials().as_deref(), Some("PETG"));
    assert_eq!(found.tools[0].number, 1);
}

#[test]
fn settings_that_cannot_be_read_are_as_if_they_were_not_there() {
    for info in [
        "",
        "<config>",
        "<!DOCTYPE config [<!ENTITY a \"b\">]><config>&a;</config>",
        "<config><plate><metadata key=\"index\" value=\"1\"/><filament id=\"0\" used_g=\"1\"/><filament id=\"65\" used_g=\"1\"/>\
         <filament id=\"1\" used_g=\"NaN\"/><filament id=\"-1\" used_g=\"1\"/></plate></config>",
        "\u{FEFF}{}",
    ] {
        let members: [(&str, &[u8]); 4] = [
            ("Metadata/plate_1.gcode", GCODE),
            ("Metadata/slice_info.config", info.as_bytes()),
            ("Metadata/project_settings.config", b"[1, 2"),
            ("Metadata/plate_1.json", b"{\"bbox_all\": [1, 2]}"),
        ];
        let found = whole(&archive(&members, true)).unwrap();
        assert_eq!(found.materials().as_deref(), Some("PLA;PETG"), "{info}");
    }
}

#[test]
fn a_name_in_the_settings_cannot_end_its_comment() {
    let info = SLICE_INFO
        .replace("PETG", "PETG&#10;M104 S999;&quot;x")
        .replace("C12", "C12&#10;M104 S999&#13;M104 S999");
    let members: [(&str, &[u8]); 2] = [
        ("Metadata/plate_1.gcode", GCODE),
        ("Metadata/slice_info.config", info.as_bytes()),
    ];
    let text = String::from_utf8(unpacked(&archive(&members, true), 1).unwrap()).unwrap();
    assert!(text.contains("PETG M104 S999  x"), "{text}");
    let lines: Vec<_> = text.split(['\n', '\r']).collect();
    assert!(lines.iter().all(|line| !line.starts_with("M104")), "{text}");
}

#[test]
fn an_archive_without_a_sliced_plate_is_named() {
    let check = |name: &str, expected: Rejected| {
        assert_eq!(
            read(&archive(&[(name, b"G28\n")], false)),
            Err(expected),
            "{name}"
        );
    };
    check("3D/3dmodel.model", Rejected::NotSliced);
    check("letter.txt", Rejected::NotGcode { looks_like: "ZIP" });
    check(
        "Metadata/plate_01.gcode",
        Rejected::NotGcode { looks_like: "ZIP" },
    );
    check(
        "Metadata/plate_-1.gcode",
        Rejected::NotGcode { looks_like: "ZIP" },
    );
    let letter = archive(&[("Metadata/plate_1.gcode", b"Good morning,\n")], true);
    assert_eq!(
        read(&letter),
        Err(Rejected::NotGcode { looks_like: "text" })
    );
}

#[test]
fn damage_is_found() {
    let file = project(true);
    assert!(matches!(
        read(&file[..file.len() / 2]),
        Err(Rejected::Damaged { .. })
    ));
    let gcode = [GCODE, &b"G1 X1 Y1 E1\n".repeat(1000)].concat();
    let stored = archive(&[("Metadata/plate_1.gcode", &gcode)], false);
    let mut changed = stored.clone();
    let at = stored.windows(3).rposition(|it| it == b"E1\n").unwrap();
    changed[at + 1] = b'9';
    assert!(unpacked(&stored, 1).is_ok());
    let error = unpacked(&changed, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file is damaged: a member of the archive cannot be unpacked"
    );
}

#[test]
fn a_bomb_is_not_unpacked() {
    // 64 MiB of settings in 64 KiB.
    let bomb = vec![b' '; 64 * 1024 * 1024];
    for name in [
        "Metadata/slice_info.config",
        "Metadata/project_settings.config",
    ] {
        let members: [(&str, &[u8]); 2] = [("Metadata/plate_1.gcode", GCODE), (name, &bomb)];
        let found = read(&archive(&members, true));
        assert!(matches!(found, Err(Rejected::TooMuch { .. })), "{found:?}");
    }
    // A picture that is too large is left out.
    let mut picture = png(9, 9);
    picture.resize(2 * 1024 * 1024, 0);
    let members: [(&str, &[u8]); 2] = [
        ("Metadata/plate_1.gcode", GCODE),
        ("Metadata/plate_1.png", &picture),
    ];
    assert!(
        whole(&archive(&members, true))
            .unwrap()
            .thumbnails
            .is_empty()
    );
}

#[test]
fn a_member_that_claims_more_gcode_than_a_disk_takes_is_refused() {
    let mut file = archive(&[("Metadata/plate_1.gcode", GCODE)], false);
    let directory = file.windows(4).rposition(|it| it == b"PK\x01\x02").unwrap();
    file[directory + 24..directory + 28].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    assert!(matches!(read(&file), Err(Rejected::TooMuch { .. })));
}

#[test]
fn plates_that_are_small_one_by_one_and_too_large_together_are_refused() {
    let members = [1, 2, 3].map(|n| (format!("Metadata/plate_{n}.gcode"), GCODE));
    let mut file = archive(&members.each_ref().map(|(name, it)| (&**name, *it)), false);
    let claim = 0x3000_0000_u32.to_le_bytes();
    let entries: Vec<_> = (0..file.len() - 4)
        .filter(|&at| file[at..].starts_with(b"PK\x01\x02"))
        .collect();
    let claims = |file: &mut Vec<u8>, at: usize| file[at + 24..at + 28].copy_from_slice(&claim);
    claims(&mut file, entries[0]);
    claims(&mut file, entries[1]);
    let found = read(&file);
    assert!(!matches!(found, Err(Rejected::TooMuch { .. })), "{found:?}");
    claims(&mut file, entries[2]);
    let found = read(&file);
    assert!(matches!(found, Err(Rejected::TooMuch { .. })), "{found:?}");
}

#[test]
fn too_many_members_or_plates_are_refused() {
    let names: Vec<_> = (1..=5000).map(|n| format!("Metadata/x{n}")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|it| (&**it, &b""[..])).collect();
    assert!(matches!(
        read(&archive(&members, false)),
        Err(Rejected::TooMuch { max: 4096, .. })
    ));
    let names: Vec<_> = (1..=65)
        .map(|n| format!("Metadata/plate_{n}.gcode"))
        .collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|it| (&**it, GCODE)).collect();
    assert!(matches!(
        read(&archive(&members, false)),
        Err(Rejected::TooMuch { max: 64, .. })
    ));
    assert_eq!(
        read(&archive(&members[..64], false)).unwrap().plates.len(),
        64
    );
}

#[test]
fn a_disk_that_fails_is_not_called_damage() {
    struct Failing(Cursor<Vec<u8>>);
    impl std::io::Read for Failing {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            match self.0.position() {
                0 => self.0.read(bytes),
                _ => Err(std::io::ErrorKind::TimedOut.into()),
            }
        }
    }
    impl std::io::Seek for Failing {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }
    let unreadable = Err(Rejected::Unreadable(std::io::ErrorKind::TimedOut));
    for file in [project(true), super::CUBE.to_vec()] {
        assert_eq!(inspect(&mut Failing(Cursor::new(file))), unreadable);
    }
}
