/* A whole model on a Cortex-M4 without an operating system and without an allocator: weights in
 * flash, everything else in static memory. Prints the ids that examples/c/generate.c prints. */
#include <stdio.h>

#include "xielu.h"

/* From model.S. */
extern const unsigned char model_begin[], model_end[];

#define CONTEXT 64
#define TOKENS 40
#define VOCABULARY 1024

/* What xielu_decoder_memory says of the bundled model; checked before use. */
static void *layers[400];
static unsigned char kv_cache[CONTEXT * 1024];
static float scratch[1100];
static float logits[VOCABULARY];

static xielu_gguf gguf;
static xielu_model model;
static xielu_decoder decoder;
static xielu_sampler sampler;

static const uint32_t prompt[] = {443, 372, 56, 539, 30, 54, 32, 66, 459, 313};
#define PROMPT (sizeof prompt / sizeof *prompt)

/* Leaves the function with the first status that is not XIELU_STATUS_OK. */
#define TRY(call)                           \
    do {                                    \
        xielu_status status_ = (call);      \
        if (status_ != XIELU_STATUS_OK) {   \
            return status_;                 \
        }                                   \
    } while (0)

static xielu_status print_memory(const xielu_memory *m)
{
    printf("layers %u of %u, cache %u of %u, scratch %u of %u bytes\n", (unsigned)m->layers_size,
           (unsigned)sizeof layers, (unsigned)m->kv_cache_size, (unsigned)sizeof kv_cache,
           (unsigned)m->scratch_size, (unsigned)sizeof scratch);
    int fits = m->layers_size <= sizeof layers && m->kv_cache_size <= sizeof kv_cache &&
               m->scratch_size <= sizeof scratch && m->logits_size == sizeof logits;
    return fits ? XIELU_STATUS_OK : XIELU_STATUS_SHORT;
}

static xielu_status generate(void)
{
    xielu_config config;
    xielu_memory memory;
    xielu_decoder_options options = {0};
    xielu_sampler_options sampling = {0};
    options.context = CONTEXT;
    options.mlp_tile = 32;

    TRY(xielu_gguf_open(model_begin, (size_t)(model_end - model_begin), &gguf));
    TRY(xielu_gguf_config(&gguf, &config));
    TRY(xielu_decoder_memory(&config, &options, &memory));
    TRY(print_memory(&memory));
    TRY(xielu_model_load(&gguf, layers, sizeof layers, &model));
    TRY(xielu_decoder_init(&model, &options, kv_cache, sizeof kv_cache, scratch, sizeof scratch,
                           &decoder));
    TRY(xielu_sampler_init(&sampling, &sampler));
    TRY(xielu_decoder_prompt(&decoder, prompt, PROMPT));
    TRY(xielu_decoder_logits(&decoder, logits, VOCABULARY));
    for (int i = 0; i < TOKENS; i++) {
        uint32_t id;
        TRY(xielu_sampler_sample(&sampler, logits, VOCABULARY, &id));
        printf("%u%s", (unsigned)id, i + 1 < TOKENS ? " " : "\n");
        TRY(xielu_decoder_step(&decoder, id, logits, VOCABULARY));
    }
    return XIELU_STATUS_OK;
}

int main(void)
{
    xielu_status status = generate();
    if (status != XIELU_STATUS_OK) {
        printf("%s\n", xielu_status_text(status));
    }
    return status;
}
