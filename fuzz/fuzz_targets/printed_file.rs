#![no_main]

printmesh_fuzz::target!(printmesh_printer::fuzzing::printed_file);
