#![no_main]

printmesh_fuzz::target!(printmesh_store::fuzzing::file_name);
