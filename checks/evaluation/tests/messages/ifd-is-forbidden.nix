# arguments: --option allow-import-from-derivation false
with import ./prelude.nix;
touchstone.parse.pe { file = "${unbuilt { }}/stub.efi"; }
