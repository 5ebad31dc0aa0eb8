# Systems, and derivations that ask the agent to sign for them. Nothing of the latter is built: the judge looks at what they are made of.
#   probe     a package with bin/touchstone-probe
#   kernel    a kernel (a PE image)
{ probe, kernel }:

let
  program = "${probe}/bin/touchstone-probe";
  built = name: attributes: derivation (attributes // {
    inherit name;
    system = "x86_64-linux";
    builder = program;
    __structuredAttrs = true;
  });
  linux = name: builtins.path { inherit name; path = kernel; };
  system = name: attributes: built "nixos-system-${name}" ({
    mode = "toplevel";
    kernel = linux "linux-6.12";
    initrd = "${built "initrd-linux-${name}" { mode = "initrd"; generation = name; }}/initrd";
    init = program;
    kernelParams = [ "noresume" "quiet" ];
    system = "x86_64-linux";
    nixosVersion = name;
    bootspec = { initrdSecrets = program; extensions = { }; };
  } // attributes);
  asks = { name ? "web-1-boot", toplevel, ... }@attributes: built name ({
    requiredSystemFeatures = [ "touchstone-agent" ];
  } // attributes);
in
rec {
  web = system "web" { };
  # The same, and none of the inputs of what asks for `web`.
  other = system "other" { };
  # With a kernel from a store path that is not called like one.
  strange = system "strange" { kernel = linux "edk2-uefi-shell"; };
  # With a kernel that is compressed as a whole.
  packed = system "packed" { kernel = builtins.path { name = "linux-6.12"; path = kernel + ".gz"; }; };
  undescribed = system "undescribed" { bootspec = null; };
  # A child that `web2` refers to.
  child = system "child" { kernelParams = [ "rescue" ]; };
  web2 = system "web2" { specialisations.child = child; };

  asking = {
    web = asks { toplevel = web; };
    # By another name than the policy knows, and without the feature.
    named = asks { name = "database-boot"; toplevel = web; };
    silent = derivation { name = "web-1-boot"; system = "x86_64-linux"; builder = program; toplevel = web; };
    # The same name, but another recipe.
    hostile = asks { toplevel = other; };
    strange = asks { toplevel = strange; };
    packed = asks { toplevel = packed; };
    undescribed = asks { toplevel = undescribed; };
    web2 = asks { toplevel = web2; };
    fixed = asks { toplevel = web; outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; };
    floating = asks { toplevel = web; __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; };
    # What it starts is known only when it has been built.
    behind = asks { toplevel = system "behind" { __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; }; };
    unconfined = asks { toplevel = web; __noChroot = true; };
    # By a path of the store, which is an input without a derivation.
    added = path: asks { toplevel = builtins.storePath path; };
  };
}
