derivation {
  name = "sandbox";
  system = "x86_64-linux";
  builder = "${./builder}";
}
