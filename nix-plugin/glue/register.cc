// builtins.touchstone: an attribute set that is made when somebody asks for it.
#include "touchstone-nix/src/bridge.rs.h"

using namespace nix;

namespace touchstone {

static void finish(const Call & call, const Outcome & outcome)
{
    call.settle();
    std::string text(outcome.text);
    if (outcome.ending == Ending::Refused)
        call.refuse(text);
    if (outcome.ending == Ending::Panicked)
        call.refuse("internal error: " + text + "; please report it to the makers of Touchstone");
}

// Performs the call. What is no error of Nix' becomes one.
static void guarded(Call & call, const std::function<void()> & work)
{
    try {
        work();
    } catch (BaseError &) {
        throw;
    } catch (std::exception & e) {
        call.refuse(std::string("internal error: ") + e.what() + "; please report it to the makers of Touchstone");
    }
}

static void callFunction(const Function & function, Call & call, Value & argument, Value & result)
{
    auto request = begin(function);
    writeRequest(call, *request, argument);
    auto outcome = perform_request(*request, call);
    finish(call, outcome);
    readAnswer(call, *outcome.answer, result);
}

// The request and the answer are JSON texts: what `touchstone run` reads and prints.
static void callRun(Call & call, Value & argument, Value & result)
{
    auto request = call.state.forceString(argument, call.context, call.pos, "while evaluating the argument of " + call.name);
    auto outcome = perform_text({reinterpret_cast<const uint8_t *>(request.data()), request.size()}, call);
    finish(call, outcome);
    mkString(call.state, result, std::string_view(outcome.text.data(), outcome.text.size()), call.context);
}

// A failure of the plugin, for tests.
static void callFault(Call & call, Value & argument, Value & result)
{
    auto kind = call.state.forceStringNoCtx(argument, call.pos, "while evaluating the argument of " + call.name);
    finish(call, perform_fault(rust::Str(kind.data(), kind.size()), call));
    result.mkNull();
}

using Body = std::function<void(Call & call, Value & argument, Value & result)>;

static void mkFunction(Value & v, const std::string & name, const std::string & parameter, const char * documentation, Body body)
{
    auto qualified = "builtins.touchstone." + name;
    auto function = [qualified, body](EvalState & state, const PosIdx pos, Value ** args, Value & result) {
        Call call(state, pos, qualified);
        guarded(call, [&] { body(call, *args[0], result); });
    };
    // Never freed, as Nix' own: a value has no destructor.
    v.mkPrimOp(new PrimOp(primOp<PrimOp>("touchstone." + name, {parameter}, documentation, function)));
}

static void mkNames(EvalState & state, Value & v, const rust::Vec<rust::String> & names)
{
    auto list = state.buildList(names.size());
    for (size_t i = 0; i < names.size(); i++)
        mkString(state, *(list[i] = state.allocValue()), std::string_view(names[i].data(), names[i].size()));
    v.mkList(list);
}

static void mkOperations(EvalState & state, Value & v)
{
    auto effects = state.buildBindings(3);
    for (auto effect : {"value", "files", "world"})
        mkNames(state, effects.alloc(effect), operations_by_effect(effect));
    v.mkAttrs(effects);
}

static void mkDescribed(BindingsBuilder & set, std::string_view prefix)
{
    for (auto & function : functions()) {
        std::string name(function.name());
        if (!name.starts_with(prefix))
            continue;
        auto own = name.substr(prefix.size());
        if (own.find('.') != own.npos)
            continue;
        auto body = [&function](Call & call, Value & argument, Value & result) {
            callFunction(function, call, argument, result);
        };
        mkFunction(set.alloc(own), name, "request", reinterpret_cast<const char *>(function.documentation().data()), body);
    }
}

static const char * const runDocumentation =
    "Performs one request, a JSON text with an `operation`, and returns the answer's JSON text: byte for byte what `touchstone run` "
    "prints for it.\n\n"
    "Only operations that compute a value are performed (`builtins.touchstone.operations.value`), and none with an `output`.\n";

static void mkTouchstone(EvalState & state, const PosIdx, Value **, Value & v)
{
    auto parse = state.buildBindings(functions().size());
    mkDescribed(parse, "parse.");
    auto set = state.buildBindings(functions().size() + 7);
    mkDescribed(set, "");
    set.alloc("parse").mkAttrs(parse);
    mkString(state, set.alloc("version"), std::string(version()));
    mkString(state, set.alloc("contract"), std::string(contract()));
    mkString(state, set.alloc("nixVersion"), std::string(nix_version()));
    mkOperations(state, set.alloc("operations"));
    mkFunction(set.alloc("run"), "run", "request", runDocumentation, callRun);
    if (has_faults())
        mkFunction(set.alloc("fault"), "fault", "kind", "Fails, for tests.", callFault);
    v.mkAttrs(set);
}

static const char * const touchstoneDocumentation =
    "Touchstone's functions that compute a value during evaluation. `:doc builtins.touchstone.predictPcrs` and so on tell more.";

static bool registered()
{
    auto known = registeredPrimOps<RegisterPrimOp>();
    return known && std::ranges::any_of(*known, [](auto & primOp) { return primOp.name == "__touchstone"; });
}

void register_builtins()
{
    // A second copy of the plugin says the same.
    if (registered())
        return;
    RegisterPrimOp(primOp<PrimOp>("__touchstone", {}, touchstoneDocumentation, mkTouchstone));
}

}
