//! Installs NixOS generations on EFI system partitions, and activates them without interpreters.
#![forbid(unsafe_code)]
