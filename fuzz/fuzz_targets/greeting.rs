#![no_main]

printmesh_fuzz::target!(printmesh_net::fuzzing::greeting);
