//! The command line against a fake daemon on a real socket: grammar, requests, answers, exit codes.

mod files;
mod follow;
mod grammar;
mod samples;
mod show;
mod stage;
mod write;
