//! A stand-in for nixpkgs.
