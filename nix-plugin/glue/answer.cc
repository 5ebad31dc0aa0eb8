// The answer as a value: as fromJSON makes it, each string with the context of the request. Names of attributes have none.
#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

static void addContext(EvalState & state, Value & v, const NixStringContext & context)
{
    switch (v.type()) {
    case nString:
        mkString(state, v, v.string_view(), context);
        break;
    case nList:
        for (auto item : items(v))
            addContext(state, *item, context);
        break;
    case nAttrs:
        for (auto & attribute : *v.attrs())
            addContext(state, *attribute.value, context);
        break;
    default:
        break;
    }
}

void readAnswer(const Call & call, std::string_view json, Value & result)
{
    try {
        parseJSON(call.state, json, result);
    } catch (Error & e) {
        // What JSON can say and Nix cannot: a NUL in a string, an integer of more than 63 bits.
        call.refuse(std::string("the answer is no Nix value: ") + e.what());
    }
    if (!call.context.empty())
        addContext(call.state, result, call.context);
}

}
