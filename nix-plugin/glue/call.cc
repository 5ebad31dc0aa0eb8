#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

Call::Call(EvalState & state, PosIdx pos, std::string name)
    : state(state)
    , pos(pos)
    , name(std::move(name))
{
}

void Call::said(std::string_view text, const NixStringContext & itsContext)
{
    auto elements = united(itsContext);
    // A placeholder of an output that is not known yet begins with a slash, too.
    if (text.starts_with('/')) {
        auto & known = paths[std::string(text)].context;
        known.insert(known.end(), elements.begin(), elements.end());
    }
}

std::vector<const NixStringContextElem *> Call::united(const NixStringContext & itsContext)
{
    std::vector<const NixStringContextElem *> elements;
    elements.reserve(itsContext.size());
    // An element of a std::set stays where it is.
    for (auto & element : itsContext)
        elements.push_back(&*context.insert(element).first);
    return elements;
}

void Call::copied(std::string_view text, const NixStringContext & itsContext, SourcePath path, StorePath copy)
{
    said(text, itsContext);
    paths[std::string(text)].source.emplace(std::move(path), std::move(copy));
}

bool Call::kept(const std::function<void()> & work) const noexcept
{
    try {
        work();
        return true;
    } catch (...) {
        // The first one is the cause.
        if (!thrown)
            thrown = std::current_exception();
        return false;
    }
}

bool Call::interrupted() const noexcept
{
    return !kept([] { checkInterrupt(); });
}

bool Call::fail() const noexcept
{
    return !kept([] { throw std::runtime_error("a fault was asked for"); });
}

void Call::settle() const
{
    if (thrown)
        std::rethrow_exception(thrown);
    checkInterrupt();
}

void Call::refuse(std::string_view what, PosIdx where) const
{
    state.error<EvalError>("%1%: %2%", Uncolored(name), Uncolored(std::string(what)))
        .atPos(where ? where : pos)
        .debugThrow();
}

void Call::refuse(std::string_view what) const
{
    refuse(what, pos);
}

}
