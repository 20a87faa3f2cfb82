//! Makes binary G-code and projects, from the formats as they are described; wrong in a chosen way where a test wants that.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};

/// How a block is packed.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    None,
    Deflate,
    Heatshrink11,
    Heatshrink12,
}

/// Binary G-code in the making.
pub(super) struct Binary {
    pub(super) bytes: Vec<u8>,
    has_checksums: bool,
}

impl Binary {
    pub(super) fn new(has_checksums: bool) -> Self {
        let mut bytes = b"GCDE".to_vec();
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(u16::from(has_checksums).to_le_bytes());
        Self {
            bytes,
            has_checksums,
        }
    }

    pub(super) fn block(
        mut self,
        kind: u16,
        packing: Packing,
        params: &[u16],
        content: &[u8],
    ) -> Self {
        let (number, stored) = match packing {
            Packing::None => (0_u16, content.to_vec()),
            Packing::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).unwrap();
                (1, encoder.finish().unwrap())
            }
            Packing::Heatshrink11 => (2, heatshrink(content, 11)),
            Packing::Heatshrink12 => (3, heatshrink(content, 12)),
        };
        let mut block = Vec::new();
        block.extend(kind.to_le_bytes());
        block.extend(number.to_le_bytes());
        block.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        if number != 0 {
            block.extend(u32::try_from(stored.len()).unwrap().to_le_bytes());
        }
        block.extend(params.iter().flat_map(|param| param.to_le_bytes()));
        block.extend(stored);
        if self.has_checksums {
            let mut crc = Crc::new();
            crc.update(&block);
            block.extend(crc.sum().to_le_bytes());
        }
        self.bytes.extend(block);
        self
    }
}

/// As PrusaSlicer writes it: metadata, two pictures, settings, G-code in two blocks.
pub(super) fn binary(
    has_checksums: bool,
    metadata: Packing,
    gcode: Packing,
    encoding: u16,
) -> Vec<u8> {
    let text = |text: &str| match encoding {
        0 => text.as_bytes().to_vec(),
        _ => meatpack(text),
    };
    let print = b"filament used [mm]=252.22, 10.5\nfilament used [g]=0.75, 0.03\ntotal filament used [g]=0.80\nestimated printing time (normal mode)=3m 41s\n";
    Binary::new(has_checksums)
        .block(0, Packing::None, &[0], b"Producer=PrusaSlicer 2.8.1\nProduced on=2026-01-02 at 06:38:01 UTC\n")
        .block(3, Packing::None, &[0], b"printer_model=MK4SMMU3\nfilament_type=PLA;PETG;PLA\nnozzle_diameter=0.4,0.4,0.4\nextruder_colour=\"\"\nmax_layer_z=6.20\n")
        .block(5, Packing::None, &[1, 16, 12], b"\xFF\xD8\xFFsmall")
        .block(5, Packing::None, &[2, 313, 173], b"qoiflarge")
        .block(4, metadata, &[0], print)
        .block(2, metadata, &[0], b"bed_shape=0x0,250x0,250x210,0x210\nmax_print_height=220\nfilament_colour=#FF8000;#00FF00;#0000FF\nprinter_settings_id=Original Prusa MK4S MMU3\ntemperature=220,240,220\n")
        .block(1, gcode, &[encoding], &text("M73 P0 R4\nG28 ; home\nG1 X10 Y10.5 F9000\nG1 X20.25 E1.5\n"))
        .block(1, gcode, &[encoding], &text(";LAYER_CHANGE\n;Z:0.2\nG1 X10 Y-10.5 E.5\nM104 S0\nG1 Z300\n"))
        .bytes
}

/// Packs with the shortest distances that fit.
fn heatshrink(content: &[u8], window_bits: u32) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put = |value: usize, count: u32| {
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    };
    let mut at = 0;
    while at < content.len() {
        let longest = (1..=at.min(1 << window_bits))
            .map(|back| {
                let same = (0..16.min(content.len() - at))
                    .take_while(|&n| content[at + n] == content[at + n - back]);
                (same.count(), back)
            })
            .max_by_key(|&(count, back)| (count, usize::MAX - back));
        match longest {
            Some((count, back)) if count > 1 => {
                put(0, 1);
                put(back - 1, window_bits);
                put(count - 1, 4);
                at += count;
            }
            Some(_) | None => {
                put(1, 1);
                put(content[at].into(), 8);
                at += 1;
            }
        }
    }
    let bytes = bits.chunks(8).map(|bits| {
        let byte = bits
            .iter()
            .fold(0_u8, |byte, &bit| byte << 1 | u8::from(bit));
        byte << (8 - bits.len())
    });
    bytes.collect()
}

/// Packs G-code lines without their spaces, and leaves lines with comments as they are.
fn meatpack(text: &str) -> Vec<u8> {
    let mut packed = vec![0xFF, 0xFF, 247];
    let mut is_on = false;
    for line in text.split_inclusive('\n') {
        let wants = line.starts_with('G') && !line.contains(';');
        if wants != is_on {
            packed.extend([0xFF, 0xFF, if wants { 251 } else { 250 }]);
            is_on = wants;
        }
        if !wants {
            packed.extend(line.as_bytes());
            continue;
        }
        let line: Vec<u8> = line.bytes().filter(|&byte| byte != b' ').collect();
        for pair in line.chunks(2) {
            let half = |byte: u8| {
                let place = b"0123456789.E\nGX".iter().position(|&known| known == byte);
                place.map_or(0b1111, |place| u8::try_from(place).unwrap())
            };
            let (first, second) = (pair[0], pair.get(1).copied().unwrap_or(b'0'));
            packed.push(half(second) << 4 | half(first));
            packed.extend(
                [first, second]
                    .into_iter()
                    .filter(|&byte| half(byte) == 0b1111),
            );
        }
    }
    packed
}

/// A zip archive of these members; the last parameter says whether they are packed.
pub(super) fn archive(members: &[(&str, &[u8])], is_packed: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
    for (name, content) in members {
        let (mut entry, config) = archive
            .new_file(*name)
            .compression_method(match is_packed {
                true => rawzip::CompressionMethod::DEFLATE,
                false => rawzip::CompressionMethod::STORE,
            })
            .start()
            .unwrap();
        let descriptor = if is_packed {
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, Compression::default());
            let mut writer = config.wrap(encoder);
            writer.write_all(content).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content).unwrap();
            writer.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    out
}

pub(super) const SLICE_INFO: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<config>
  <header><header_item key="X-BBL-Client-Type" value="slicer"/><header_item key="X-BBL-Client-Version" value="02.04.00.70"/></header>
  <plate>
    <metadata key="index" value="1"/><metadata key="printer_model_id" value="C12"/><metadata key="nozzle_diameters" value="0.4"/>
    <metadata key="prediction" value="1719"/><metadata key="weight" value="12.84"/>
    <object identify_id="1" name="A &amp; B" skipped="false" />
    <filament id="4" tray_info_idx="GFG00" type="PETG" color="#101010" used_m="0.50" used_g="1.50" />
    <filament id="2" tray_info_idx="GFA00" type="PLA" color="#F72323FF" used_m="3.80" used_g="11.34" />
    <filament id="3" tray_info_idx="GFA00" type="PLA" color="#FFFFFF" used_m="0" used_g="0" />
  </plate>
  <plate>
    <metadata key="index" value="2"/><metadata key="prediction" value="60"/>
    <filament id="1" tray_info_idx="GFA00" type="PLA" color="#FFFFFF" used_m="1.00" used_g="2.98" />
  </plate>
</config>
"##;

const PLATE_GCODE: &str = "; HEADER_BLOCK_START\n; BambuStudio 02.04.00.70\n; model printing time: 20m 1s; total estimated time: 27m 14s\n\
    ; total layer number: 113\n; total filament length [mm] : 3800.00,500.00\n; total filament weight [g] : 11.34,1.50\n; max_z_height: 18.00\n\
    ; HEADER_BLOCK_END\n\n; CONFIG_BLOCK_START\n; curr_bed_type = Textured PEI Plate\n; filament_type = PLA;PLA;PLA;PETG\n; layer_height = 0.2\n\
    ; nozzle_diameter = 0.4\n; printer_model = Bambu Lab P1S\n; textured_plate_temp = 55,55,55,70\n; CONFIG_BLOCK_END\nM73 P0 R27\nG28\nG29\nG1 X1 Y1 E1\n";

pub(super) const SETTINGS: &str = r##"{
    "printer_model": "Bambu Lab X1", "printer_settings_id": "Bambu Lab P1S 0.4 nozzle", "printable_height": "250",
    "printable_area": ["0x0", "256x0", "256x256", "0x256"],
    "filament_settings_id": ["Bambu PLA", "Bambu; PLA", "Bambu PLA", "Bambu PETG"], "nozzle_diameter": ["0.4"], "version": 3
}"##;

/// A PNG's first bytes, for a picture of this size.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR".to_vec();
    png.extend(width.to_be_bytes());
    png.extend(height.to_be_bytes());
    png
}

/// As BambuStudio saves it: two plates, with settings and pictures.
pub(super) fn project(is_packed: bool) -> Vec<u8> {
    let second = PLATE_GCODE.replace("27m 14s", "1m 0s");
    archive(
        &[
            ("[Content_Types].xml", b"<Types/>"),
            ("3D/3dmodel.model", b"<model/>"),
            ("Metadata/plate_2.gcode", second.as_bytes()),
            ("Metadata/plate_1.gcode", PLATE_GCODE.as_bytes()),
            ("Metadata/plate_1.gcode.md5", b"00"),
            ("Metadata/plate_1.png", &png(512, 512)),
            ("Metadata/plate_1_small.png", &png(128, 128)),
            (
                "Metadata/plate_1.json",
                br#"{"bbox_all":[10.5,20,110.25,90],"bed_type":"textured_plate"}"#,
            ),
            ("Metadata/slice_info.config", SLICE_INFO.as_bytes()),
            ("Metadata/project_settings.config", SETTINGS.as_bytes()),
        ],
        is_packed,
    )
}
