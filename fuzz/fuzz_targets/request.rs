#![no_main]

printmesh_fuzz::target!(printmesh_api::fuzzing::request);
