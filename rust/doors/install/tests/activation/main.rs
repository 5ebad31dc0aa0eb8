//! Activation, beside a real Nix and with the program itself.

mod nix;
