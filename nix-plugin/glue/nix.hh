// Nix' headers, wherever the Nix at hand has them, and the few calls whose form differs between versions.
#pragma once

#if __has_include(<nix/expr/eval.hh>)
#  include <nix/expr/eval.hh>
#  include <nix/expr/primops.hh>
#  include <nix/store/local-fs-store.hh>
#  include <nix/store/store-api.hh>
#  include <nix/util/signals.hh>
#  include <nix/util/util.hh>
#else
#  include <eval.hh>
#  include <local-fs-store.hh>
#  include <primops.hh>
#  include <signals.hh>
#  include <store-api.hh>
#  include <util.hh>
#endif

#include <filesystem>

// What differs between versions is asked of the types themselves, in templates: a version that has the one form does not look at the other.
namespace touchstone {

// The items of a list (listView since 2.30).
template<class Value>
auto items(Value & list)
{
    if constexpr (requires { list.listView(); })
        return list.listView();
    else
        return list.listItems();
}

// Makes a string, with a context if one is given (of the evaluator's own memory since 2.33).
template<class State, class Value, class... Context>
void mkString(State & state, Value & v, std::string_view text, const Context &... context)
{
    if constexpr (requires { v.mkString(text, context..., state.mem); })
        v.mkString(text, context..., state.mem);
    else
        v.mkString(text, context...);
}

// Makes a string with the context of another one, the very same (of a memory that it shares since 2.33).
template<class State, class Value>
void mkStringLike(State & state, Value & v, std::string_view text, const Value & other)
{
    mkString(state, v, text);
    if constexpr (requires { v.mkStringNoCopy(v.string_data(), other.context()); })
        v.mkStringNoCopy(v.string_data(), other.context());
    else
        v.mkString(v.c_str(), other.context());
}

// The name `outPath` (beside other names since 2.32).
template<class State>
auto outPathOf(State & state)
{
    if constexpr (requires { state.s.outPath; })
        return state.s.outPath;
    else
        return state.sOutPath;
}

// Where a path of a store lies that is not in its place (`--store /elsewhere`). Since 2.27 the evaluator's own file system knows.
template<class State>
std::string realPath(State & state, const std::string & path, const nix::NixStringContext & context)
{
    if constexpr (requires { state.toRealPath(path, context); })
        return state.toRealPath(path, context);
    else
        return path;
}

// The place of a path of the store and of the rest below it, if no link leads elsewhere: links are followed by the evaluator alone.
inline std::optional<std::string> withoutLinks(const std::filesystem::path & object, const std::string & rest)
{
    std::error_code failed;
    auto store = std::filesystem::canonical(object.parent_path(), failed);
    if (failed)
        return std::nullopt;
    std::filesystem::path place = (store / object.filename()).string() + rest;
    auto leadsTo = std::filesystem::weakly_canonical(place, failed);
    if (failed || leadsTo != place)
        return std::nullopt;
    return place.string();
}

// Where a path of the store, or below one, lies on this machine, if it is in the store.
template<class Store, class Local = nix::LocalFSStore>
std::optional<std::string> placeInStore(Store & store, const std::string & path)
{
    auto local = dynamic_cast<Local *>(&store);
    if (!local || !store.isInStore(path))
        return std::nullopt;
    try {
        auto [storePath, below] = store.toStorePath(path);
        if (!store.isValidPath(storePath))
            return std::nullopt;
        std::filesystem::path place;
        // A path itself, since 2.34.
        if constexpr (requires { local->toRealPath(storePath); })
            place = local->toRealPath(storePath);
        else
            place = local->toRealPath(store.printStorePath(storePath));
        // A text that may begin with a slash, or, since 2.34, one that always does.
        std::string rest;
        if constexpr (requires { below.abs(); })
            rest = below.isRoot() ? "" : below.abs();
        else
            rest = below;
        return withoutLinks(place, rest);
    } catch (nix::BadStorePath &) {
        return std::nullopt;
    }
}

// What plugins have registered until now.
template<class Register>
auto registeredPrimOps()
{
    if constexpr (requires { Register::primOps(); })
        return &Register::primOps();
    else
        return Register::primOps;
}

// A function of Nix; without parameters, a constant that is made when it is asked for (`impl` since 2.34).
template<class PrimOp, class Function>
PrimOp primOp(std::string name, std::vector<std::string> parameters, const char * documentation, Function function)
{
    auto arity = parameters.size();
    if constexpr (requires(PrimOp known) { known.impl; })
        return {
            .name = std::move(name),
            .args = std::move(parameters),
            .arity = arity,
            .doc = documentation,
            .impl = std::move(function),
        };
    else
        return {
            .name = std::move(name),
            .args = std::move(parameters),
            .arity = arity,
            .doc = documentation,
            .fun = std::move(function),
        };
}

}
