//! Binary G-code: what it says, what it becomes as text, and what is wrong with it.

use super::{
    build::{Binary, Packing, binary},
    read, slicer, unpacked, whole,
};
use crate::{Container, Rejected, ThumbnailFormat};

const ALL: [Packing; 4] = [
    Packing::None,
    Packing::Deflate,
    Packing::Heatshrink11,
    Packing::Heatshrink12,
];

#[test]
fn metadata_and_pictures_are_read_however_they_are_packed() {
    for packing in ALL {
        for has_checksums in [true, false] {
            let file = binary(has_checksums, packing, Packing::Heatshrink12, 2);
            let found = read(&file).unwrap();
            assert_eq!(found.container, Container::Binary);
            let found = &found.plates[0].metadata;
            assert_eq!(found.slicer, slicer("PrusaSlicer", "2.8.1"));
            assert_eq!(found.time_s, Some(221));
            assert_eq!(found.filament_g, Some(0.8));
            assert_eq!(found.printer_model.as_deref(), Some("MK4SMMU3"));
            assert_eq!(found.max_z_mm, Some(6.2));
            assert_eq!(found.bed.unwrap().height_mm, Some(220.0));
            let tools: Vec<_> = found
                .tools
                .iter()
                .map(|tool| (tool.number, tool.colour.as_deref(), tool.nozzle_c))
                .collect();
            assert_eq!(
                tools,
                [
                    (0, Some("ff8000"), Some(220)),
                    (1, Some("00ff00"), Some(240))
                ]
            );
            let pictures: Vec<_> = found
                .thumbnails
                .iter()
                .map(|picture| (picture.format, picture.width, picture.height))
                .collect();
            assert_eq!(
                pictures,
                [
                    (ThumbnailFormat::Jpg, 16, 12),
                    (ThumbnailFormat::Qoi, 313, 173)
                ]
            );
        }
    }
}

#[test]
fn unpacked_it_is_text_that_says_the_same() {
    for packing in ALL {
        for encoding in [0, 1, 2] {
            let file = binary(true, Packing::Deflate, packing, encoding);
            let text = unpacked(&file, 1).unwrap();
            let said = whole(&file).unwrap();
            let said_by_text = whole(&text).unwrap();
            // Only text shows how many layers there are.
            assert_eq!(said_by_text.layer_count, Some(1));
            assert_eq!(
                said_by_text,
                crate::Metadata {
                    layer_count: Some(1),
                    ..said
                }
            );
            let text = String::from_utf8(text).unwrap();
            let commands: Vec<_> = text
                .lines()
                .filter(|line| !line.starts_with("; "))
                .collect();
            let expected = [
                "M73 P0 R4",
                "G28 ; home",
                "G1 X10 Y10.5 F9000",
                "G1 X20.25 E1.5",
                ";LAYER_CHANGE",
                ";Z:0.2",
                "G1 X10 Y-10.5 E.5",
                "M104 S0",
                "G1 Z300",
            ];
            let commands: Vec<_> = commands
                .into_iter()
                .filter(|line| !line.is_empty() && *line != ";")
                .collect();
            assert_eq!(commands, expected, "encoding {encoding}");
        }
    }
}

#[test]
fn a_byte_that_changed_anywhere_is_found() {
    let file = binary(true, Packing::Deflate, Packing::Heatshrink12, 2);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        // In the metadata the first look finds it, in the G-code the second.
        let found = match at < 10 {
            true => whole(&changed).is_err() || unpacked(&changed, 1).is_err(),
            false => unpacked(&changed, 1).is_err(),
        };
        assert!(found, "byte {at}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused_without_reading_its_gcode() {
    let file = binary(true, Packing::Deflate, Packing::Heatshrink12, 2);
    let mut ends = Vec::new();
    for end in 4..file.len() {
        match whole(&file[..end]) {
            Ok(_) => ends.push(end),
            Err(Rejected::Damaged { .. }) => {}
            Err(other) => panic!("{end}: {other}"),
        }
    }
    // Nothing says how many blocks there are: the end of the first block of G-code is as good an end as that of the second.
    assert_eq!(ends.len(), 1, "{ends:?}");
}

#[test]
fn what_this_version_does_not_know_is_named() {
    let file = || binary(false, Packing::None, Packing::None, 0);
    let changed = |at: usize, value: u8| {
        let mut changed = file();
        changed[at] = value;
        whole(&changed)
    };
    let foreign = |what| Err(Rejected::Foreign { what });
    assert_eq!(changed(4, 2), foreign("another version of binary G-code"));
    assert_eq!(changed(8, 7), foreign("a checksum of an unknown kind"));
    assert_eq!(changed(10, 9), foreign("a block of an unknown kind"));
    assert_eq!(changed(12, 9), foreign("a compression of an unknown kind"));
    assert_eq!(changed(18, 9), foreign("metadata in an unknown encoding"));
    let file = Binary::new(true)
        .block(1, Packing::None, &[3], b"G28\n")
        .bytes;
    assert!(whole(&file).is_ok(), "there may be a printer that takes it");
    let error = unpacked(&file, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file has G-code in an unknown encoding, which this version does not read"
    );
    let file = Binary::new(true)
        .block(0, Packing::None, &[0], b"Producer=x\n")
        .bytes;
    let what = "it holds no G-code";
    assert_eq!(whole(&file), Err(Rejected::Damaged { what }));
}

#[test]
fn a_block_that_claims_more_than_it_may_hold_is_refused_before_room_is_made() {
    for packing in [1_u16, 2, 3] {
        let mut file = Binary::new(false).bytes;
        file.extend(4_u16.to_le_bytes());
        file.extend(packing.to_le_bytes());
        file.extend(u32::MAX.to_le_bytes());
        file.extend(4_u32.to_le_bytes());
        file.extend([0, 0, 1, 2, 3, 4]);
        assert!(matches!(whole(&file), Err(Rejected::TooMuch { .. })));
    }
}

#[test]
fn a_block_that_unpacks_to_more_than_it_says_is_refused() {
    let honest = Binary::new(false).block(4, Packing::Deflate, &[0], &[b'a'; 100_000]);
    let mut file = honest.bytes;
    file[14..18].copy_from_slice(&10_u32.to_le_bytes());
    let what = "a block cannot be unpacked";
    assert_eq!(whole(&file), Err(Rejected::Damaged { what }));
}

#[test]
fn no_more_metadata_is_unpacked_than_a_print_can_have() {
    let block = vec![b'\n'; 1000];
    let mut file = Binary::new(false);
    for _ in 0..65 {
        file = file.block(4, Packing::Deflate, &[0], &block);
    }
    let too_much = Rejected::TooMuch {
        what: "blocks of metadata",
        max: 64,
    };
    assert_eq!(whole(&file.bytes), Err(too_much));
}

#[test]
fn a_file_that_does_not_say_who_made_it_has_no_slicer() {
    let file = Binary::new(true)
        .block(0, Packing::None, &[0], b"Produced on=some day\n")
        .block(1, Packing::None, &[0], b"G28\nG1 X1\n")
        .bytes;
    assert_eq!(whole(&file).unwrap().slicer, None);
    assert_eq!(whole(&unpacked(&file, 1).unwrap()).unwrap().slicer, None);
}

#[test]
fn a_name_in_the_metadata_cannot_end_its_comment() {
    let file = Binary::new(true)
        .block(
            0,
            Packing::None,
            &[0],
            b"Producer=PrusaSlicer 2.8\rM104 S999\n",
        )
        .block(3, Packing::None, &[0], b"printer_model=MK4S\rM104 S999\n")
        .block(1, Packing::None, &[0], b"G28\nG1 X1\n")
        .bytes;
    let text = String::from_utf8(unpacked(&file, 1).unwrap()).unwrap();
    let lines: Vec<_> = text.split(['\n', '\r']).collect();
    assert!(lines.iter().all(|line| !line.starts_with("M104")), "{text}");
}

#[test]
fn no_more_blocks_are_walked_over_than_a_print_can_have() {
    let mut file = Binary::new(false);
    for _ in 0..70_000 {
        file = file.block(1, Packing::None, &[0], b"");
    }
    let too_much = Rejected::TooMuch {
        what: "blocks",
        max: 65_536,
    };
    assert_eq!(whole(&file.bytes), Err(too_much));
}
