#![no_main]

printmesh_fuzz::target!(printmesh_gcode::fuzzing::project);
