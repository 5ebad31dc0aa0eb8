with import ./prelude.nix;
touchstone.predictPcrs {
  entries = [
    { name = "first"; uki = ./stub.efi; }
    { name = [ "second" ]; uki = ./stub.efi; }
  ];
}
