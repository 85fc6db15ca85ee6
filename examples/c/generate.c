/* A whole model: the library allocates nothing, this program brings all memory once.
 *
 * generate MODEL.gguf [TOKENS [TEMPERATURE]]
 *
 * The prompt is "The `Vec<T>` type is" as tokens of the bundled model; the xielu command has the
 * tokenizer. Prints the ids it generates, then the whole text. */
#include <string.h>

#include "example.h"

static const uint32_t prompt[] = {443, 372, 56, 539, 30, 54, 32, 66, 459, 313};
#define PROMPT (sizeof prompt / sizeof *prompt)

/* Prints a token's text; byte-level vocabularies write a space as U+0120, a line's end as U+010A. */
static void print_token(const xielu_gguf *gguf, uint32_t token)
{
    const char *text;
    size_t length;
    CHECK(xielu_gguf_token(gguf, token, &text, &length));
    for (size_t i = 0; i < length; i++) {
        if (i + 1 < length && memcmp(text + i, "\xc4\xa0", 2) == 0) {
            putchar(' ');
            i++;
        } else if (i + 1 < length && memcmp(text + i, "\xc4\x8a", 2) == 0) {
            putchar('\n');
            i++;
        } else {
            putchar(text[i]);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: generate MODEL.gguf [TOKENS [TEMPERATURE]]\n");
        return 2;
    }
    size_t n = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 60;
    float temperature = argc > 3 ? strtof(argv[3], NULL) : 0;

    void *data;
    xielu_gguf gguf;
    xielu_config config;
    open_model(argv[1], &data, &gguf);
    CHECK(xielu_gguf_config(&gguf, &config));

    xielu_decoder_options options = {0};
    options.context = PROMPT + n;
    options.batch = 4;
    options.mlp_tile = 32;
    xielu_memory size;
    CHECK(xielu_decoder_memory(&config, &options, &size));
    void *layers = allocate(size.layers_size);
    void *kv_cache = allocate(size.kv_cache_size);
    void *scratch = allocate(size.scratch_size);
    float *logits = allocate(size.logits_size);
    uint32_t *ids = allocate((n + 1) * sizeof *ids);

    xielu_model model;
    xielu_decoder decoder;
    CHECK(xielu_model_load(&gguf, layers, size.layers_size, &model));
    CHECK(xielu_decoder_init(&model, &options, kv_cache, size.kv_cache_size, scratch,
                             size.scratch_size, &decoder));

    xielu_sampler_options sampling = {0};
    sampling.seed = 1;
    sampling.top_k = 40;
    sampling.temperature = temperature;
    xielu_sampler sampler;
    CHECK(xielu_sampler_init(&sampling, &sampler));

    CHECK(xielu_decoder_prompt(&decoder, prompt, PROMPT));
    CHECK(xielu_decoder_logits(&decoder, logits, config.output_vocab_size));
    for (size_t i = 0; i < n; i++) {
        CHECK(xielu_sampler_sample(&sampler, logits, config.output_vocab_size, &ids[i]));
        CHECK(xielu_decoder_step(&decoder, ids[i], logits, config.output_vocab_size));
    }

    for (size_t i = 0; i < n; i++) {
        printf("%u%s", (unsigned)ids[i], i + 1 < n ? " " : "\n");
    }
    for (size_t i = 0; i < PROMPT; i++) {
        print_token(&gguf, prompt[i]);
    }
    for (size_t i = 0; i < n; i++) {
        print_token(&gguf, ids[i]);
    }
    putchar('\n');

    free(ids);
    free(logits);
    free(scratch);
    free(kv_cache);
    free(layers);
    free(data);
    return EXIT_SUCCESS;
}
