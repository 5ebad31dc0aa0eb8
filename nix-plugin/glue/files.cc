// Files are found as the evaluator finds them: outputs are built if that is allowed, symbolic links followed, and nothing is read that
// the evaluation may not read.
#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

// How often a link may lead out of a store that lies elsewhere on the disk, and back into it.
static constexpr int maxDetours = 32;

static bool leadsTo(std::string_view begin, std::string_view path)
{
    while (begin.ends_with('/'))
        begin.remove_suffix(1);
    return path.starts_with(begin) && (path.size() == begin.size() || path[begin.size()] == '/');
}

// Of the longest string of the request that names the path or a folder that it lies in; of none, the context of all.
const NixStringContext & Call::contextOf(std::string_view path) const
{
    const std::pair<const std::string, NixStringContext> * longest = nullptr;
    for (auto & known : paths)
        if (leadsTo(known.first, path) && (!longest || known.first.size() > longest->first.size()))
            longest = &known;
    return longest ? longest->second : context;
}

std::string Call::find(const std::string & path) const
{
    if (!path.starts_with('/'))
        state
            .error<EvalError>("'%1%' is no absolute path: write a path (./file) or a string that begins with '/'", path)
            .debugThrow();
    auto & itsContext = contextOf(path);
    auto rewrites = state.realiseContext(itsContext);
    auto place = rewriteStrings(path, rewrites);
    for (int detours = 0; detours < maxDetours; detours++) {
        // A store of its own (`--store /elsewhere`) lies elsewhere on the disk than its paths say.
        auto real = realPath(state, place, itsContext);
        auto resolved = state.rootPath(CanonPath(real)).resolveSymlinks();
        place = resolved.path.abs();
        if (realPath(state, place, itsContext) != place)
            continue;
        if (auto physical = resolved.getPhysicalPath())
            return physical->string();
        throw Error("the file '%1%' lies on no disk of this machine", path);
    }
    throw Error("too many symbolic links on the way to '%1%'", path);
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
            e.addTrace(state.positions[pos], "while looking for the file '%1%' of the request to %2%", text, name);
            throw;
        }
    });
    return located;
}

}
