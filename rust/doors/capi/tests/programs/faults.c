/* A library that is wrong is a failure and not the end of the process. Argument: the library, which is opened and closed. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <touchstone.h>

typedef TouchstoneStatus run_function(uint32_t, const char *, size_t, const TouchstoneOptions *, TouchstoneAnswer *);
typedef void free_function(TouchstoneAnswer *);

static run_function *run;
static free_function *give_back;

/* A panic names a line of the source, and not what it was about. */
static int breaks(const char *request, const char *place) {
    TouchstoneAnswer answer;
    TouchstoneStatus status = run(TOUCHSTONE_ABI, request, strlen(request), NULL, &answer);
    int so = status == TOUCHSTONE_STATUS_BROKEN && strstr(answer.text, "\"internal.panic\"") != NULL &&
             strstr(answer.text, place) != NULL && strstr(answer.text, "a secret") == NULL;
    if (!so)
        fprintf(stderr, "%s: %d %s\n", request, status, answer.text);
    give_back(&answer);
    return so;
}

static int serves(void) {
    TouchstoneAnswer answer;
    TouchstoneStatus status = run(TOUCHSTONE_ABI, "{}", 2, NULL, &answer);
    int so = status == TOUCHSTONE_STATUS_REFUSED && strstr(answer.text, "\"request.malformed\"") != NULL;
    give_back(&answer);
    return so;
}

static void *many(void *failed) {
    for (int i = 0; i < 50; i++)
        if (!breaks("panic", "perform.rs:") || !serves() || !breaks("panic in a thread", "a thread of its own"))
            __atomic_store_n((int *)failed, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    int failed = 0;
    for (int round = 0; round < 3; round++) {
        void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        *(void **)&run = dlsym(library, "touchstone_run");
        *(void **)&give_back = dlsym(library, "touchstone_free");
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, many, &failed);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        dlclose(library);
    }
    puts("served on");
    return failed;
}
