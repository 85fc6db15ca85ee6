/* A whole model on a Cortex-M4 without an operating system and without an allocator, from text to
 * text: weights and vocabulary in flash, everything else in static memory. Prints the text and the
 * ids that examples/c/generate.c prints. */
#include <stdio.h>
#include <string.h>

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
static xielu_tokenizer tokenizer;

static const char prompt[] = "The `Vec<T>` type is";
/* What xielu_tokenizer_memory says of the bundled model, and work for words of 16 bytes. */
static uint32_t vocabulary[6500];
static uint32_t work[16 * 7];
static uint32_t ids[CONTEXT];

/* Leaves the function with the first status that is not XIELU_STATUS_OK. */
#define TRY(call)                           \
    do {                                    \
        xielu_status status_ = (call);      \
        if (status_ != XIELU_STATUS_OK) {   \
            return status_;                 \
        }                                   \
    } while (0)

static xielu_status print_memory(const xielu_memory *m, size_t tokenizer_size)
{
    printf("layers %u of %u, cache %u of %u, scratch %u of %u, tokenizer %u of %u bytes\n",
           (unsigned)m->layers_size, (unsigned)sizeof layers, (unsigned)m->kv_cache_size,
           (unsigned)sizeof kv_cache, (unsigned)m->scratch_size, (unsigned)sizeof scratch,
           (unsigned)tokenizer_size, (unsigned)sizeof vocabulary);
    int fits = m->layers_size <= sizeof layers && m->kv_cache_size <= sizeof kv_cache &&
               m->scratch_size <= sizeof scratch && m->logits_size == sizeof logits &&
               tokenizer_size <= sizeof vocabulary;
    return fits ? XIELU_STATUS_OK : XIELU_STATUS_SHORT;
}

/* Prints the text that a token completes. */
static xielu_status print_token(xielu_text_stream *stream, uint32_t token)
{
    char text[128];
    size_t length;
    TRY(xielu_tokenizer_text(&tokenizer, stream, token, text, sizeof text, &length));
    printf("%.*s", (int)length, text);
    return XIELU_STATUS_OK;
}

static xielu_status generate(void)
{
    xielu_text_stream stream = {0};
    size_t n;
    xielu_config config;
    xielu_memory memory;
    xielu_decoder_options options = {0};
    xielu_sampler_options sampling = {0};
    options.context = CONTEXT;
    options.mlp_tile = 32;

    TRY(xielu_gguf_open(model_begin, (size_t)(model_end - model_begin), &gguf));
    TRY(xielu_gguf_config(&gguf, &config));
    TRY(xielu_decoder_memory(&config, &options, &memory));
    TRY(xielu_tokenizer_memory(&gguf, &n));
    TRY(print_memory(&memory, n));
    TRY(xielu_model_load(&gguf, layers, sizeof layers, &model));
    TRY(xielu_decoder_init(&model, &options, kv_cache, sizeof kv_cache, scratch, sizeof scratch,
                           &decoder));
    TRY(xielu_sampler_init(&sampling, &sampler));
    TRY(xielu_tokenizer_init(&gguf, vocabulary, sizeof vocabulary, &tokenizer));
    TRY(xielu_tokenizer_encode(&tokenizer, prompt, strlen(prompt), XIELU_TEXT_PROMPT, work,
                               sizeof work, ids, CONTEXT - TOKENS, &n));
    TRY(xielu_decoder_prompt(&decoder, ids, n));
    TRY(xielu_decoder_logits(&decoder, logits, VOCABULARY));
    for (size_t i = 0; i < n; i++) {
        TRY(print_token(&stream, ids[i]));
    }
    for (size_t i = 0; i < TOKENS; i++) {
        TRY(xielu_sampler_sample(&sampler, logits, VOCABULARY, &ids[i]));
        TRY(print_token(&stream, ids[i]));
        TRY(xielu_decoder_step(&decoder, ids[i], logits, VOCABULARY));
    }
    putchar('\n');
    for (size_t i = 0; i < TOKENS; i++) {
        printf("%u%s", (unsigned)ids[i], i + 1 < TOKENS ? " " : "\n");
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
