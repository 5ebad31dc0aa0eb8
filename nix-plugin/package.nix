# What nixpkgs' Rust builds: `touchstone`, static, without keys in tokens and TPMs, beside the launcher of sealed generations, the installer and
# Nix' pre-build hook of the signing agent; `touchstone-full`, dynamic, with them, which is also the agent, beside the installer;
# `touchstone-stage1`, static, what verified initrds begin with; `touchstone-nix`, the plugin, for one Nix; `libtouchstone`, the C library; and
# `probe`, static, the guest and builder of the boot checks.
{ pkgs }:

let
  inherit (builtins.fromTOML (builtins.readFile ../Cargo.toml)) workspace;

  # `rustPlatform` decides how it is linked, `program` is cargo's name of it; `others` are built into the same package.
  build = { pname, program ? pname, ... }@arguments: package (arguments // { inherit program; meta.mainProgram = program; });
  package = { rustPlatform, pname, program, others ? [ ], description, meta ? { }, ... }@arguments: rustPlatform.buildRustPackage ({
    inherit pname;
    inherit (workspace.package) version;
    src = builtins.path {
      name = "touchstone-source";
      path = ../.;
      # Documents and Nix files do not change the binary, so they do not rebuild it.
      filter = path: type: !(builtins.elem (baseNameOf path) [ "target" "docs" ".git" ".ci" ])
        && builtins.match ".*\\.(nix|md)" path == null;
    };
    cargoLock.lockFile = ../Cargo.lock;
    cargoBuildFlags = builtins.concatMap (name: [ "--package" name ]) ([ program ] ++ others);
    # The tests need Debian's packages and a virtual machine: `cargo xtask test`.
    doCheck = false;
    meta = {
      inherit description;
      license = [ pkgs.lib.licenses.mit pkgs.lib.licenses.asl20 ];
      platforms = [ "x86_64-linux" "aarch64-linux" ];
    } // meta;
  } // removeAttrs arguments [ "rustPlatform" "program" "others" "description" "meta" ]);

  # A library, which is loaded into programs of others: it unwinds.
  library = { rustPlatform, ... }@arguments: package ({ buildType = "release"; } // arguments);

  static = { inherit (pkgs.pkgsStatic) rustPlatform; buildType = "static"; };
in
{
  touchstone = build (static // {
    pname = "touchstone";
    others = [ "touchstone-launcher" "touchstone-install" "touchstone-pre-build-hook" ];
    description = "Boot trust for NixOS: command line and derivation builder";
  });
  # A static program cannot load a token's module, and tpm2-tss loads what reaches the TPM.
  touchstone-full = build {
    inherit (pkgs) rustPlatform;
    pname = "touchstone-full";
    program = "touchstone";
    others = [ "touchstone-install" ];
    description = "Boot trust for NixOS: command line and installer with keys in PKCS#11 tokens and TPMs";
    buildType = "release";
    buildFeatures = [ "token" "tpm" ];
    nativeBuildInputs = [ pkgs.pkg-config ];
    buildInputs = [ pkgs.tpm2-tss ];
    # Found by its name where a key's URI names no module.
    postFixup = "patchelf --add-rpath ${pkgs.p11-kit}/lib $out/bin/touchstone $out/bin/touchstone-install";
  };
  # Alone: built together with others it would get what these want of the crates that all share.
  touchstone-stage1 = build (static // {
    pname = "touchstone-stage1";
    description = "Gate of a verified initrd, and verifier of the system's closure";
  });
  # It fits the Nix for which it is compiled: `touchstone-nix.override { nix = config.nix.package; }`.
  touchstone-nix = pkgs.lib.makeOverridable
    ({ nix }: library {
      inherit (pkgs) rustPlatform;
      pname = "touchstone-nix";
      program = "touchstone-nix";
      others = [ "touchstone-nix-front" ];
      description = "Boot trust for NixOS: plugin by which Nix computes values while it evaluates";
      nativeBuildInputs = [ pkgs.pkg-config ];
      buildInputs = [ nix pkgs.boost pkgs.nlohmann_json ];
      # Nix may be told the folder of a plugin, of which it loads whatever lies there.
      postInstall = ''
        mkdir --parents $out/lib/nix/plugins $out/lib/touchstone-nix
        mv $out/lib/libtouchstone_nix.so $out/lib/nix/plugins/libtouchstone-nix.so
        mv $out/lib/libtouchstone_nix_inner.so $out/lib/touchstone-nix/libtouchstone-nix-inner.so
      '';
      passthru = { inherit nix; nixVersion = pkgs.lib.getVersion nix; };
    })
    { inherit (pkgs) nix; };

  libtouchstone = library {
    inherit (pkgs) rustPlatform;
    pname = "libtouchstone";
    program = "touchstone-capi";
    description = "Boot trust for NixOS: C library";
    postInstall = ''
      mv $out/lib/libtouchstone.so $out/lib/libtouchstone.so.1
      ln --symbolic libtouchstone.so.1 $out/lib/libtouchstone.so
      install -D --mode=644 rust/doors/capi/include/touchstone.h $out/include/touchstone.h
      install -D --mode=644 rust/doors/capi/touchstone.pc.in $out/lib/pkgconfig/touchstone.pc
      substituteInPlace $out/lib/pkgconfig/touchstone.pc --replace-fail @prefix@ $out --replace-fail @version@ ${workspace.package.version}
    '';
  };

  probe = build (static // {
    pname = "touchstone-probe";
    description = "Guest and builder of Touchstone's boot checks";
  });
}
