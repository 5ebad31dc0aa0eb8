// Nix' headers, wherever the Nix at hand has them, and the few calls whose form differs between versions.
#pragma once

#if __has_include(<nix/expr/eval.hh>)
#  include <nix/expr/eval-settings.hh>
#  include <nix/expr/eval.hh>
#  include <nix/expr/json-to-value.hh>
#  include <nix/expr/primops.hh>
#  include <nix/store/globals.hh>
#  include <nix/store/store-api.hh>
#  include <nix/util/signals.hh>
#  include <nix/util/util.hh>
#else
#  include <eval-settings.hh>
#  include <eval.hh>
#  include <globals.hh>
#  include <json-to-value.hh>
#  include <primops.hh>
#  include <signals.hh>
#  include <store-api.hh>
#  include <util.hh>
#endif
