// libtouchstone: Touchstone's operations for C and what speaks its language (docs/c-abi.md).
//
// Written by `cargo xtask header` from rust/doors/capi/src; do not edit.

#ifndef TOUCHSTONE_H
#define TOUCHSTONE_H

#include <stddef.h>
#include <stdint.h>

// A value to begin with: test keys only, no time, nobody is told of progress.
#define TOUCHSTONE_OPTIONS_INIT { sizeof(struct TouchstoneOptions), 0, 0, 0, 0, 0 }

// The version of this interface: what touchstone_run() is told that its caller was compiled for.
//
// It changes only when a program that was compiled before would go wrong, and the name of the shared library
// (libtouchstone.so.1) changes with it.
#define TOUCHSTONE_ABI 1

// A flag of TouchstoneOptions: any private key that the process can read may be opened. Without it, only keys that are
// marked as test keys are (`touchstone keys generate --test`).
#define TOUCHSTONE_ANY_KEY 1

// A flag of TouchstoneOptions: `now` says what time it is. Without it there is no time, and no signer is refused for its
// certificate's dates.
#define TOUCHSTONE_HAS_TIME 2

// How a call ended. Treat every value that is not TOUCHSTONE_STATUS_DONE as a failure: others may be added.
enum TouchstoneStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The operation was done, and its answer is there. That something was looked at and found bad is an answer.
    TOUCHSTONE_STATUS_DONE = 0,
    // The request was refused or failed. What is there says why: {"code", "what", "file", "help"}. No output was written;
    // an operation that changes more of the machine, as `touchstone schema` says, may have done a part of it.
    TOUCHSTONE_STATUS_REFUSED = 1,
    // The call itself was wrong: another interface's version, NULL, options that this library does not know. What is there
    // says why, unless `answer` itself was NULL.
    TOUCHSTONE_STATUS_MISUSED = 2,
    // The library found a mistake of its own; this call is lost, and others are not touched. What is there says where.
    TOUCHSTONE_STATUS_BROKEN = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum TouchstoneStatus TouchstoneStatus;
#else
typedef int32_t TouchstoneStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a call may do beside what its request says. Begin with TOUCHSTONE_OPTIONS_INIT.
//
// Later versions may add fields behind the last one; `size` tells the library which of them the caller knows. What a caller
// sets and the library does not know is refused, never passed over.
typedef struct TouchstoneOptions {
    // sizeof(struct TouchstoneOptions).
    uint32_t size;
    // TOUCHSTONE_ANY_KEY, TOUCHSTONE_HAS_TIME.
    uint32_t flags;
    // With TOUCHSTONE_HAS_TIME: seconds since 1970-01-01 UTC. A certificate that is not valid then signs nothing.
    uint64_t now;
    // Told what the operation does next, a few words such as "assembling uki.efi", in the thread that called and before
    // touchstone_run() returns; `name` is gone afterwards. NULL if nobody wants to know. It must return: no longjmp, no
    // exception.
    void (*phase)(void *user, const char *name);
    // Told how many bytes of the present phase are done, likewise.
    void (*bytes)(void *user, uint64_t done, uint64_t total);
    // What both are given. The library does not look at it.
    void *user;
} TouchstoneOptions;

// What a call gives: text in UTF-8. It belongs to the caller, who gives it back with touchstone_free().
typedef struct TouchstoneAnswer {
    // The text, with a NUL behind it; none inside. NULL where there is none.
    const char *text;
    // How many bytes it has, without that NUL.
    size_t len;
} TouchstoneAnswer;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Performs a request.
//
// abi: TOUCHSTONE_ABI, always.
// request, request_len: a JSON object in UTF-8 with a field `operation`, as `touchstone run` takes it; no NUL is needed
// behind it. More than 64 MiB are refused, unread. It is not written to, and not needed any more after the call.
// options: which keys, what time, who is told of progress; NULL for TOUCHSTONE_OPTIONS_INIT.
// answer: where to put the answer, or why there is none. What it holds before is neither read nor freed.
//
// Every call is independent of every other: any thread may call at any time. Nothing is printed, no environment variable,
// locale or signal handler is used or changed. Relative paths in the request are relative to the process's folder.
//
// # Safety
// `request` points to `request_len` readable bytes, `options` to a TouchstoneOptions whose `size` is true, and
// `answer` to a TouchstoneAnswer that no other thread uses during the call.
TouchstoneStatus touchstone_run(uint32_t abi,
                                const char *request,
                                size_t request_len,
                                const struct TouchstoneOptions *options,
                                struct TouchstoneAnswer *answer);

// Gives an answer back. It holds none afterwards, so that giving it back twice does nothing; neither does NULL. A copy of an
// answer must not be given back as well.
//
// # Safety
// `answer` is NULL, or points to what touchstone_run() wrote, or to zeros.
void touchstone_free(struct TouchstoneAnswer *answer);

// The version of the interface that this library has: TOUCHSTONE_ABI of the header that it was built with.
uint32_t touchstone_abi(void);

// The version of Touchstone, such as "0.1.0". It is there as long as the library is.
const char *touchstone_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TOUCHSTONE_H */
