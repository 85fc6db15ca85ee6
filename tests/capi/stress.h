/* What stress.c is made of: numbers from a seed, memory with a guard, calls that are counted. */
#ifndef STRESS_H
#define STRESS_H

#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xielu.h"

/* More than a test should take. */
#define LARGE ((size_t)8 << 20)
#define LAST_STATUS XIELU_STATUS_TEXT

#define CHECK(holds, problem)                                                                     \
    do {                                                                                          \
        if (!(holds)) {                                                                           \
            fail(problem, #holds, __LINE__);                                                      \
        }                                                                                         \
    } while (0)
/* The status of a call, which may be anything that is no mistake of the library. */
#define CALL(call) counted((int)(call), #call, __LINE__)
/* A call that is right. */
#define MUST(call) CHECK(CALL(call) == XIELU_STATUS_OK, "a right call was refused")

static uint64_t state, first_seed, calls[LAST_STATUS + 1];

static void fail(const char *problem, const char *what, int line)
{
    fprintf(stderr, "seed %llu, line %d: %s: %s\n", (unsigned long long)first_seed, line, problem,
            what);
    exit(EXIT_FAILURE);
}

static int counted(int status, const char *call, int line)
{
    if (status < 0 || status > LAST_STATUS || status == XIELU_STATUS_INTERNAL) {
        fail("a status that must not be", call, line);
    }
    calls[status]++;
    return status;
}

static void report(void)
{
    uint64_t all = 0;
    for (int i = 0; i <= LAST_STATUS; i++) {
        all += calls[i];
    }
    printf("%llu calls\n", (unsigned long long)all);
    for (int i = 0; i <= LAST_STATUS; i++) {
        printf("%8llu %s\n", (unsigned long long)calls[i], xielu_status_text(i));
    }
}

static void seed(uint64_t from)
{
    first_seed = from;
    state = from;
}

/* splitmix64. */
static uint64_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return n > 0 ? (size_t)(draw() % n) : 0;
}

static int one_in(size_t n)
{
    return below(n) == 0;
}

static size_t any_size(void)
{
    static const size_t some[] = {0,        1,        2,        3,           7,
                                  31,       32,       33,       64,          100,
                                  4096,     1u << 20, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2,
                                  SIZE_MAX / 4 + 1, SIZE_MAX / 8, INT32_MAX, (size_t)1 << 31};
    return some[below(sizeof some / sizeof *some)];
}

static float any_float(void)
{
    const float some[] = {0,      1,     -1,    0.5f,  1e-45f, 1e38f,    3.4e38f,   -3.4e38f,
                          1e-6f, -1e-6f, 88.0f, -104.0f, NAN,  INFINITY, -INFINITY};
    return some[below(sizeof some / sizeof *some)];
}

/* Memory that ends where nothing may be touched: as anything, and as bytes. */
typedef struct {
    void *at;
    unsigned char *p;
    size_t size;
    void *pages;
    size_t length;
} block;

static block take(size_t size)
{
    const size_t page = 4096;
    size_t inside = (size + page - 1) / page * page;
    block b = {NULL, NULL, size, NULL, inside + 2 * page};
    b.pages = mmap(NULL, b.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.pages == MAP_FAILED) {
        fail("no memory", "mmap", __LINE__);
    }
    unsigned char *first = b.pages;
    if (mprotect(first, page, PROT_NONE) || mprotect(first + page + inside, page, PROT_NONE)) {
        fail("no guard", "mprotect", __LINE__);
    }
    b.at = b.p = first + page + inside - size;
    return b;
}

static void give(block *b)
{
    munmap(b->pages, b->length);
}

static void fill(block *b, int byte)
{
    memset(b->p, byte, b->size);
}

static int filled(const block *b, int byte)
{
    for (size_t i = 0; i < b->size; i++) {
        if (b->p[i] != byte) {
            return 0;
        }
    }
    return 1;
}

static void scribble(block *b)
{
    for (size_t i = 0; i < b->size; i++) {
        b->p[i] = (unsigned char)draw();
    }
}

/* Floats of usual size, rarely another. */
static void values(block *b)
{
    float *p = b->at;
    for (size_t i = 0; i < b->size / sizeof *p; i++) {
        p[i] = one_in(500) ? any_float() : 0.01f * (float)((int)below(200) - 100);
    }
}

static block read_block(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        fail("cannot be read", path, __LINE__);
    }
    long size = ftell(f);
    rewind(f);
    block b = take(size > 0 ? (size_t)size : 0);
    if (fread(b.p, 1, b.size, f) != b.size) {
        fail("cannot be read", path, __LINE__);
    }
    fclose(f);
    return b;
}

#endif
