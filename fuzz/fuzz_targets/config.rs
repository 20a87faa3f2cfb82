#![no_main]

printmesh_fuzz::target!(printmesh_daemon::fuzzing::config);
