with import ./prelude.nix;
touchstone.run (builtins.toJSON { operation = "uki.assemble"; stub = "/nowhere"; output = "/tmp/uki.efi"; })
