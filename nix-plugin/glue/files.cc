// Files are found as the evaluator finds them: outputs are built if that is allowed, symbolic links followed, and nothing is read that
// the evaluation may not read.
#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

// How often a link may lead out of a store that lies elsewhere on the disk, and back into it.
static constexpr int maxDetours = 32;

// The text for a message.
static std::string shown(const std::string & text)
{
    return std::string(one_line({reinterpret_cast<const uint8_t *>(text.data()), text.size()}));
}

// The rest of the path below `begin`, if it is that or lies in it.
static std::optional<std::string_view> below(std::string_view begin, std::string_view path)
{
    while (begin.ends_with('/'))
        begin.remove_suffix(1);
    if (!path.starts_with(begin) || (path.size() > begin.size() && path[begin.size()] != '/'))
        return std::nullopt;
    return path.substr(begin.size());
}

// The longest string of the request that names the path or a folder that it lies in.
const std::pair<const std::string, Call::Known> * Call::longest(std::string_view path) const
{
    const std::pair<const std::string, Known> * longest = nullptr;
    for (auto & known : paths)
        if (below(known.first, path) && (!longest || known.first.size() > longest->first.size()))
            longest = &known;
    return longest;
}

// What no string names has the context of all.
NixStringContext Call::contextOf(const std::pair<const std::string, Known> * known) const
{
    if (!known)
        return context;
    NixStringContext its;
    for (auto element : known->second.context)
        its.insert(*element);
    return its;
}

std::string Call::find(const std::string & path) const
{
    if (!path.starts_with('/'))
        state
            .error<EvalError>("'%1%' is no absolute path: write a path (./file) or a string that begins with '/'", shown(path))
            .debugThrow();
    auto known = longest(path);
    // Without a place in the store (`--readonly`), what would have been copied is read.
    if (known && known->second.source && !state.store->isValidPath(known->second.source->second)) {
        auto & source = known->second.source->first;
        return physical((source / CanonPath(*below(known->first, path))).resolveSymlinks());
    }
    auto itsContext = contextOf(known);
    auto rewrites = state.realiseContext(itsContext);
    return follow(rewriteStrings(path, rewrites), itsContext);
}

std::string Call::follow(const std::string & path, const NixStringContext & itsContext) const
{
    auto place = path;
    for (int detours = 0; detours < maxDetours; detours++) {
        auto resolved = state.rootPath(CanonPath(realPath(state, place, itsContext))).resolveSymlinks();
        place = resolved.path.abs();
        if (realPath(state, place, itsContext) == place)
            return physical(resolved);
    }
    throw Error("too many symbolic links on the way to '%1%'", shown(path));
}

std::string Call::physical(const SourcePath & path) const
{
    // It throws what the evaluation may not read.
    auto place = path.getPhysicalPath();
    // A store may lie elsewhere, and stand for what has no place itself: a tree of git, say, since 2.32.
    if (path.accessor == state.rootFS)
        if (auto inStore = placeInStore(*state.store, path.path.abs()))
            return *inStore;
    if (place)
        return place->string();
    throw Error("the file '%1%' lies on no disk of this machine", shown(path.to_string()));
}

Located Call::locate(rust::Slice<const uint8_t> path) const noexcept
{
    Located located{false, {}};
    located.allowed = kept([&] {
        std::string text(reinterpret_cast<const char *>(path.data()), path.size());
        try {
            checkInterrupt();
            auto place = find(text);
            std::copy(place.begin(), place.end(), std::back_inserter(located.place));
        } catch (Error & e) {
            e.addTrace(state.positions[pos], "while looking for the file '%1%' of the request to %2%", shown(text), name);
            throw;
        }
    });
    return located;
}

}
