/* What C may rely on: each claim ends the program when it does not hold. Arguments: a real image, a folder to write in. */
#define _XOPEN_SOURCE 700
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <touchstone.h>
#include <unistd.h>

extern char **environ;

static int claims;

static void claim(int holds, const char *what, const TouchstoneAnswer *answer) {
    if (!holds) {
        fprintf(stderr, "not so: %s: %s\n", what, answer != NULL && answer->text != NULL ? answer->text : "");
        exit(1);
    }
    __atomic_fetch_add(&claims, 1, __ATOMIC_RELAXED);
}

static int has(const TouchstoneAnswer *answer, const char *text) {
    return answer->text != NULL && strlen(answer->text) == answer->len && strstr(answer->text, text) != NULL;
}

/* A call that must be refused with this code; the request may be anything. */
static void refused(uint32_t abi, const char *request, size_t len, const TouchstoneOptions *options, TouchstoneStatus wanted, const char *code) {
    TouchstoneAnswer answer = {NULL, 99};
    TouchstoneStatus status = touchstone_run(abi, request, len, options, &answer);
    claim(status == wanted, code, &answer);
    claim(has(&answer, code), code, &answer);
    claim(answer.text[answer.len - 1] == '\n', "a failure ends with a line feed", &answer);
    touchstone_free(&answer);
}

static void refuses_misuse(void) {
    const char *request = "{}";
    claim(touchstone_run(TOUCHSTONE_ABI, request, 2, NULL, NULL) == TOUCHSTONE_STATUS_MISUSED, "NULL for the answer", NULL);
    refused(TOUCHSTONE_ABI, NULL, 0, NULL, TOUCHSTONE_STATUS_MISUSED, "\"abi.misuse\"");
    refused(TOUCHSTONE_ABI, NULL, 7, NULL, TOUCHSTONE_STATUS_MISUSED, "\"abi.misuse\"");
    refused(0, request, 2, NULL, TOUCHSTONE_STATUS_MISUSED, "\"abi.version\"");
    refused(2, request, 2, NULL, TOUCHSTONE_STATUS_MISUSED, "version 2 of the interface; this library has 1");
    refused(UINT32_MAX, NULL, SIZE_MAX, NULL, TOUCHSTONE_STATUS_MISUSED, "\"abi.version\"");
}

/* Nothing of these can be read: the length is refused before the bytes. */
static void refuses_lengths_unread(void) {
    const char *nowhere = (const char *)(uintptr_t)1;
    const size_t limit = (size_t)64 << 20;
    refused(TOUCHSTONE_ABI, nowhere, limit + 1, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.too-large\"");
    refused(TOUCHSTONE_ABI, nowhere, SIZE_MAX / 2 + 1, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.too-large\"");
    refused(TOUCHSTONE_ABI, nowhere, SIZE_MAX, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.too-large\"");
    char *largest = calloc(limit, 1);
    memset(largest, ' ', limit);
    refused(TOUCHSTONE_ABI, largest, limit, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.malformed\"");
    free(largest);
}

static void refuses_what_is_no_request(void) {
    const char *requests[] = {"", "{", "[]", "\"\xff\"", "{\"operation\": 3}", "{\"operation\": \"no.such\"}", "{\"operation\": \"pe.digest\", \"file\": \"x\", \"y\": 1}"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        refused(TOUCHSTONE_ABI, requests[i], strlen(requests[i]), NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.malformed\"");
    refused(TOUCHSTONE_ABI, "{}\0{}", 5, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.malformed\"");
    char deep[4096];
    memset(deep, '[', sizeof deep);
    refused(TOUCHSTONE_ABI, deep, sizeof deep, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.malformed\"");
}

static void refuses_unknown_options(void) {
    TouchstoneOptions options = TOUCHSTONE_OPTIONS_INIT;
    const uint32_t sizes[] = {0, 1, 4, sizeof options - 1, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        options.size = sizes[i];
        refused(TOUCHSTONE_ABI, "{}", 2, &options, TOUCHSTONE_STATUS_MISUSED, "\"abi.misuse\"");
    }
    options.size = sizeof options;
    options.flags = (uint32_t)1 << 31;
    refused(TOUCHSTONE_ABI, "{}", 2, &options, TOUCHSTONE_STATUS_MISUSED, "0x80000000");
    struct {
        TouchstoneOptions known;
        uint64_t later;
    } larger = {TOUCHSTONE_OPTIONS_INIT, 0};
    larger.known.size = sizeof larger;
    refused(TOUCHSTONE_ABI, "{}", 2, &larger.known, TOUCHSTONE_STATUS_REFUSED, "\"request.malformed\"");
    larger.later = 1;
    refused(TOUCHSTONE_ABI, "{}", 2, &larger.known, TOUCHSTONE_STATUS_MISUSED, "\"abi.misuse\"");
}

static char digest_request[4200];

/* The answer of a real operation, which every caller below must get. */
static TouchstoneAnswer digest(void) {
    TouchstoneAnswer answer;
    TouchstoneStatus status = touchstone_run(TOUCHSTONE_ABI, digest_request, strlen(digest_request), NULL, &answer);
    claim(status == TOUCHSTONE_STATUS_DONE && has(&answer, "\"sha256\""), "the digest of an image", &answer);
    return answer;
}

static void gives_memory_back(void) {
    TouchstoneAnswer answer = digest(), zeros = {NULL, 0};
    answer.len = SIZE_MAX;
    touchstone_free(&answer);
    claim(answer.text == NULL && answer.len == 0, "an answer that was given back holds none", NULL);
    touchstone_free(&answer);
    touchstone_free(&zeros);
    touchstone_free(NULL);
}

static void *many_calls(void *expected) {
    const TouchstoneAnswer *of_main = expected;
    for (int i = 0; i < 20; i++) {
        TouchstoneAnswer answer = digest();
        claim(answer.len == of_main->len && memcmp(answer.text, of_main->text, answer.len) == 0, "each thread's answer", &answer);
        touchstone_free(&answer);
        refused(TOUCHSTONE_ABI, "{}", 2, NULL, TOUCHSTONE_STATUS_REFUSED, "\"request.malformed\"");
        refused(3, "{}", 2, NULL, TOUCHSTONE_STATUS_MISUSED, "version 3");
    }
    return NULL;
}

/* As little stack as the documentation asks for. */
static void serves_threads(void) {
    TouchstoneAnswer expected = digest();
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    claim(pthread_attr_setstacksize(&attributes, 512 << 10) == 0, "a stack of 512 KiB", NULL);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        claim(pthread_create(&threads[i], &attributes, many_calls, &expected) == 0, "a thread", NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
    touchstone_free(&expected);
}

static void serves_children(void) {
    pid_t child = fork();
    if (child == 0) {
        TouchstoneAnswer answer = digest();
        touchstone_free(&answer);
        _exit(0);
    }
    int status = 1;
    claim(waitpid(child, &status, 0) == child && status == 0, "a child's call", NULL);
}

struct told {
    pthread_t thread;
    int phases, bytes;
};

static void tell_phase(void *user, const char *name) {
    struct told *told = user;
    claim(pthread_equal(told->thread, pthread_self()) && strlen(name) > 0, "a phase, in the thread that called", NULL);
    told->phases++;
}

static void tell_bytes(void *user, uint64_t done, uint64_t total) {
    claim(done <= total, "bytes of a phase", NULL);
    ((struct told *)user)->bytes++;
}

static TouchstoneStatus run(const char *request, const TouchstoneOptions *options, TouchstoneAnswer *answer) {
    return touchstone_run(TOUCHSTONE_ABI, request, strlen(request), options, answer);
}

/* Keys that say that they are for tests open without being asked for; others do not. */
static void opens_the_keys_that_it_may(const char *image, const char *folder) {
    char request[20000], real[4200], test[4200];
    snprintf(real, sizeof real, "{\"operation\": \"keys.generate\", \"output\": \"%s/real\"}", folder);
    snprintf(test, sizeof test, "{\"operation\": \"keys.generate\", \"output\": \"%s/test\", \"test\": true}", folder);
    TouchstoneAnswer answer;
    TouchstoneOptions options = TOUCHSTONE_OPTIONS_INIT;
    refused(TOUCHSTONE_ABI, real, strlen(real), NULL, TOUCHSTONE_STATUS_REFUSED, "private key");
    options.flags = TOUCHSTONE_ANY_KEY;
    refused(TOUCHSTONE_ABI, real, strlen(real), &options, TOUCHSTONE_STATUS_REFUSED, "there is no clock");
    options.flags = TOUCHSTONE_ANY_KEY | TOUCHSTONE_HAS_TIME;
    options.now = 1780000000;
    claim(run(real, &options, &answer) == TOUCHSTONE_STATUS_DONE, "real keys", &answer);
    touchstone_free(&answer);
    claim(run(test, NULL, &answer) == TOUCHSTONE_STATUS_DONE, "test keys", &answer);
    touchstone_free(&answer);
    const char *sign = "{\"operation\": \"uki.assemble\", \"stub\": \"%s\", \"linux\": \"%s\", \"output\": \"%s/%s.efi\","
                       " \"sign\": {\"key\": \"%s/%s/db.key\", \"certificate\": \"%s/%s/db.pem\"}}";
    struct told told = {pthread_self(), 0, 0};
    options.flags = 0;
    options.phase = tell_phase;
    options.bytes = tell_bytes;
    options.user = &told;
    snprintf(request, sizeof request, sign, image, image, folder, "test", folder, "test", folder, "test");
    claim(run(request, &options, &answer) == TOUCHSTONE_STATUS_DONE, "signed with a test key", &answer);
    touchstone_free(&answer);
    claim(told.phases > 0 && told.bytes > 0, "progress was told of", NULL);
    snprintf(request, sizeof request, sign, image, image, folder, "real", folder, "real", folder, "real");
    refused(TOUCHSTONE_ABI, request, strlen(request), NULL, TOUCHSTONE_STATUS_REFUSED, "\"key.refused\"");
    refused(TOUCHSTONE_ABI, request, strlen(request), &options, TOUCHSTONE_STATUS_REFUSED, "\"key.refused\"");
    options.flags = TOUCHSTONE_ANY_KEY | TOUCHSTONE_HAS_TIME;
    options.now = UINT64_C(1) << 40;
    refused(TOUCHSTONE_ABI, request, strlen(request), &options, TOUCHSTONE_STATUS_REFUSED, "valid");
    options.flags = TOUCHSTONE_ANY_KEY;
    claim(run(request, &options, &answer) == TOUCHSTONE_STATUS_DONE, "signed with a real key, at no time", &answer);
    touchstone_free(&answer);
}

/* What belongs to the process, as text. */
static void state(char *text, size_t room) {
    size_t len = 0;
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        if (sigaction(number, NULL, &action) == 0)
            len += (size_t)snprintf(text + len, room - len, "%d:%p:%d ", number, (void *)(uintptr_t)action.sa_handler, action.sa_flags);
    }
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < 65; number++)
        len += (size_t)snprintf(text + len, room - len, "%d", sigismember(&mask, number));
    mode_t umasked = umask(022);
    umask(umasked);
    char here[4096];
    len += (size_t)snprintf(text + len, room - len, " %s %o %s", setlocale(LC_ALL, NULL), (unsigned)umasked, getcwd(here, sizeof here));
    for (char **variable = environ; *variable != NULL; variable++)
        len += (size_t)snprintf(text + len, room - len, " %s", *variable);
    claim(len < room, "room for the state of the process", NULL);
}

int main(int count, char **arguments) {
    static char before[1 << 17], after[1 << 17];
    if (count != 3)
        return 2;
    setlocale(LC_ALL, "");
    state(before, sizeof before);
    claim(touchstone_abi() == TOUCHSTONE_ABI, "header and library are of one interface", NULL);
    printf("%s\n", touchstone_version());
    snprintf(digest_request, sizeof digest_request, "{\"operation\": \"pe.digest\", \"file\": \"%s\"}", arguments[1]);
    refuses_misuse();
    refuses_lengths_unread();
    refuses_what_is_no_request();
    refuses_unknown_options();
    gives_memory_back();
    serves_children();
    serves_threads();
    opens_the_keys_that_it_may(arguments[1], arguments[2]);
    state(after, sizeof after);
    claim(strcmp(before, after) == 0, "the process is as it was", NULL);
    printf("%d\n", claims);
    return 0;
}
