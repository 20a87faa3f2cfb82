#![no_main]

printmesh_fuzz::target!(printmesh_queue::fuzzing::change);
