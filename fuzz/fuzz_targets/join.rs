#![no_main]

printmesh_fuzz::target!(printmesh_node::fuzzing::join);
