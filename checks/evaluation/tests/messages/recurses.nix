with import ./prelude.nix;
let request = { path = "${request.path}"; };
in touchstone.parse.storePath request
