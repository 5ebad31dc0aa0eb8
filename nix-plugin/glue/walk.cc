// What a request is made of, forced attribute by attribute.
#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

static rust::Slice<const uint8_t> bytes(std::string_view text)
{
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

namespace {

class Walk
{
    Call & call;
    Request & request;
    EvalState & state;

    // Where the value stands that Rust refuses.
    PosIdx at;

public:
    Walk(Call & call, Request & request)
        : call(call)
        , request(request)
        , state(call.state)
        , at(call.pos)
    {
    }

    void begin(Value & argument)
    {
        state.forceAttrs(argument, call.pos, "while evaluating the argument of " + call.name);
        try {
            attributes(argument);
            request.close();
        } catch (const rust::Error & refusal) {
            call.refuse(refusal.what(), at);
        }
    }

private:
    // All names first: what nobody asked for is not evaluated.
    void attributes(Value & set)
    {
        auto inOrder = set.attrs()->lexicographicOrder(state.symbols);
        for (auto & attribute : inOrder) {
            at = attribute->pos;
            request.admit(bytes(state.symbols[attribute->name]));
        }
        for (auto & attribute : inOrder) {
            request.attribute(bytes(state.symbols[attribute->name]));
            value(*attribute->value, attribute->pos);
        }
    }

    void list(Value & list, PosIdx pos)
    {
        for (auto item : items(list)) {
            request.item();
            value(*item, pos);
        }
    }

    void value(Value & v, PosIdx pos)
    {
        checkInterrupt();
        at = pos;
        force(v, pos);
        switch (v.type()) {
        case nNull:
            return request.null();
        case nBool:
            return request.boolean(v.boolean());
        case nInt:
            return request.integer(v.integer().value);
        case nFloat:
            return request.number(v.fpoint());
        case nString:
            return string(v);
        case nPath:
            return path(v, pos);
        case nList:
            request.open_list();
            list(v, pos);
            return request.close();
        case nAttrs:
            return set(v, pos);
        default:
            return request.refuse(std::string(showType(v)));
        }
    }

    // The trace says which attribute it was.
    void force(Value & v, PosIdx pos)
    {
        try {
            state.forceValue(v, pos);
        } catch (Error & e) {
            trace(e, pos);
            throw;
        }
    }

    void trace(Error & e, PosIdx pos)
    {
        e.addTrace(
            state.positions[pos],
            "while evaluating the attribute '%1%' of the argument of %2%",
            std::string(request.place()),
            call.name);
    }

    void string(Value & v)
    {
        NixStringContext context;
        copyContext(v, context);
        text(v.string_view(), context);
    }

    void text(std::string_view text, const NixStringContext & context)
    {
        request.text(bytes(text));
        call.said(text, context);
    }

    // As in a derivation's attribute.
    void path(Value & v, PosIdx pos)
    {
        NixStringContext context;
        auto source = v.path();
        auto copy = copied(context, source, pos);
        auto text = state.store->printStorePath(copy);
        request.text(bytes(text));
        call.copied(text, context, std::move(source), std::move(copy));
    }

    StorePath copied(NixStringContext & context, const SourcePath & source, PosIdx pos)
    {
        try {
            return state.copyPathToStore(context, source);
        } catch (Error & e) {
            trace(e, pos);
            throw;
        }
    }

    // As toJSON sees it: what has a `__toString` or an `outPath` is that.
    void set(Value & v, PosIdx pos)
    {
        if (converted(v, pos))
            return;
        if (auto outPath = v.attrs()->get(outPathOf(state))) {
            // A set may be its own `outPath`: then Nix says that the calls are too deep.
            auto depth = state.addCallDepth(pos);
            return value(*outPath->value, outPath->pos);
        }
        request.open_attributes();
        attributes(v);
        request.close();
    }

    // Whether it had a `__toString`, which is written then.
    bool converted(Value & v, PosIdx pos)
    {
        NixStringContext context;
        std::optional<std::string> converted;
        try {
            converted = state.tryAttrsToString(pos, v, context, false, true);
        } catch (Error & e) {
            trace(e, pos);
            throw;
        }
        if (converted)
            text(*converted, context);
        return converted.has_value();
    }
};

}

void writeRequest(Call & call, Request & request, Value & argument)
{
    Walk(call, request).begin(argument);
}

}
