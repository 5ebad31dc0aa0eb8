// One call of a function of builtins.touchstone.
#pragma once

#include "nix.hh"
#include "rust/cxx.h"

#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace touchstone {

struct Answer;
struct Located;
struct Request;

// What a call keeps while Rust performs its request. Rust sees nothing of it but `locate`.
//
// Nothing in it is a Nix value: it may lie where the garbage collector does not look.
class Call
{
public:
    Call(nix::EvalState & state, nix::PosIdx pos, std::string name);

    // A string of the request, whose context is now that of the answer, too.
    void said(std::string_view text, const nix::NixStringContext & context);

    // A path of the request, copied to the store.
    void copied(std::string_view text, const nix::NixStringContext & context, nix::SourcePath path, nix::StorePath copy);

    // Where the evaluator lets the file at this path of the request be read. What it throws is kept for `settle`.
    Located locate(rust::Slice<const uint8_t> path) const noexcept;

    // Whether the user has interrupted the evaluation. That is kept for `settle`, too.
    bool interrupted() const noexcept;

    // Fails with a C++ exception, for tests.
    bool fail() const noexcept;

    // Throws what was thrown while Rust performed the request, or that the user has interrupted it.
    void settle() const;

    // Throws an EvalError of these words at this position.
    [[noreturn]] void refuse(std::string_view what, nix::PosIdx where) const;
    [[noreturn]] void refuse(std::string_view what) const;

    nix::EvalState & state;
    const nix::PosIdx pos;
    const std::string name;

    // The union of the contexts of all strings of the request.
    nix::NixStringContext context;

private:
    // Whether `work` was done: what it throws is kept.
    bool kept(const std::function<void()> & work) const noexcept;
    // What a string of the request that begins with a slash is.
    struct Known
    {
        // Elements of the union, each of which may be in the contexts of many strings.
        std::vector<const nix::NixStringContextElem *> context;
        // The path that it is the copy of.
        std::optional<std::pair<nix::SourcePath, nix::StorePath>> source;
    };

    // Adds a context to the union.
    std::vector<const nix::NixStringContextElem *> united(const nix::NixStringContext & context);

    const std::pair<const std::string, Known> * longest(std::string_view path) const;
    nix::NixStringContext contextOf(const std::pair<const std::string, Known> * known) const;
    std::string find(const std::string & path) const;
    std::string follow(const std::string & path, const nix::NixStringContext & context) const;
    std::string physical(const nix::SourcePath & path) const;

    // Of all strings of the request.
    std::map<std::string, Known, std::less<>> paths;
    mutable std::exception_ptr thrown;
};

// Adds `touchstone` to the builtins of every evaluation that begins later.
void register_builtins();

// Writes the set that a function was called with.
void writeRequest(Call & call, Request & request, nix::Value & argument);

// The answer as a value, each string of it with the call's context.
void readAnswer(const Call & call, const Answer & answer, nix::Value & result);

}
