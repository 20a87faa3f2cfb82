#![no_main]

printmesh_fuzz::target!(printmesh_spoolman::fuzz_answer);
