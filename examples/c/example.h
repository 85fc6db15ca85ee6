/* What the examples share: files, memory, and errors that end the program. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include "xielu.h"

/* Ends the program if a call fails. */
#define CHECK(call) check((call), #call)

static inline void check(xielu_status status, const char *call)
{
    if (status != XIELU_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", call, xielu_status_text(status));
        exit(EXIT_FAILURE);
    }
}

static inline void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL) {
        fprintf(stderr, "no memory for %zu bytes\n", size);
        exit(EXIT_FAILURE);
    }
    return memory;
}

/* Reads a whole file. A program for large models would map it instead. */
static inline void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        end = ftell(file);
    }
    if (end < 0 || fseek(file, 0, SEEK_SET) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    void *data = allocate((size_t)end + 1);
    if (fread(data, 1, (size_t)end, file) != (size_t)end) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    *size = (size_t)end;
    return data;
}

/* Opens a model, or says what is wrong with it. */
static inline void open_model(const char *path, void **data, xielu_gguf *gguf)
{
    size_t size = 0;
    char problem[160];
    *data = read_file(path, &size);
    if (xielu_gguf_explain(*data, size, problem, sizeof problem) != XIELU_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", path, problem);
        exit(EXIT_FAILURE);
    }
    CHECK(xielu_gguf_open(*data, size, gguf));
}

#endif
