// The answer as a value: as fromJSON makes it, each string with the context of the request. Names of attributes have none.
#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

namespace {

class Reader
{
    EvalState & state;

    // A string with the context of the request, which all others share.
    Value contextual;

public:
    Reader(const Call & call)
        : state(call.state)
    {
        mkString(state, contextual, "", call.context);
    }

    void read(const Answer & answer, Value & v)
    {
        switch (answer.kind()) {
        case Kind::Boolean:
            return v.mkBool(answer.boolean());
        case Kind::Integer:
            return v.mkInt(answer.integer());
        case Kind::Float:
            return v.mkFloat(answer.number());
        case Kind::Text:
            return mkStringLike(state, v, view(answer.text()), contextual);
        case Kind::List:
            return list(answer, v);
        case Kind::Set:
            return set(answer, v);
        default:
            return v.mkNull();
        }
    }

private:
    static std::string_view view(rust::Str text)
    {
        return {text.data(), text.size()};
    }

    void list(const Answer & answer, Value & v)
    {
        auto list = state.buildList(answer.length());
        for (size_t i = 0; i < answer.length(); i++)
            read(answer.part(i), *(list[i] = state.allocValue()));
        v.mkList(list);
    }

    void set(const Answer & answer, Value & v)
    {
        auto set = state.buildBindings(answer.length());
        for (size_t i = 0; i < answer.length(); i++)
            read(answer.part(i), set.alloc(view(answer.name(i))));
        v.mkAttrs(set);
    }
};

}

void readAnswer(const Call & call, const Answer & answer, Value & result)
{
    Reader(call).read(answer, result);
}

}
