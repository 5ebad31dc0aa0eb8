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
    context.insert(itsContext.begin(), itsContext.end());
    // A placeholder of an output that is not known yet begins with a slash, too.
    if (text.starts_with('/'))
        paths[std::string(text)].insert(itsContext.begin(), itsContext.end());
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
