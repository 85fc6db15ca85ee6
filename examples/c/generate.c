/* A whole model, from text to text: the library allocates nothing, this program brings all memory
 * once.
 *
 * generate MODEL.gguf [PROMPT [TOKENS [TEMPERATURE]]]
 *
 * Prints the prompt, then text as it comes, until the model ends it or there are TOKENS tokens. The
 * last line has their ids. */
#include <string.h>

#include "example.h"

/* Prints the text that a token completes. */
static void print_token(const xielu_tokenizer *tokenizer, xielu_text_stream *stream, uint32_t token)
{
    char text[1024];
    size_t length;
    CHECK(xielu_tokenizer_text(tokenizer, stream, token, text, sizeof text, &length));
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

/* Prints what is left of a character that never became whole. */
static void print_end(const xielu_tokenizer *tokenizer, xielu_text_stream *stream)
{
    char text[3];
    size_t length;
    CHECK(xielu_tokenizer_text_end(tokenizer, stream, text, sizeof text, &length));
    fwrite(text, 1, length, stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: generate MODEL.gguf [PROMPT [TOKENS [TEMPERATURE]]]\n");
        return 2;
    }
    const char *prompt = argc > 2 ? argv[2] : "The `Vec<T>` type is";
    size_t most = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 60;
    float temperature = argc > 4 ? strtof(argv[4], NULL) : 0;

    void *data;
    xielu_gguf gguf;
    xielu_config config;
    open_model(argv[1], &data, &gguf);
    CHECK(xielu_gguf_config(&gguf, &config));

    /* Text to ids. No text has more ids than bytes, and two around it. */
    size_t memory_size;
    CHECK(xielu_tokenizer_memory(&gguf, &memory_size));
    void *memory = allocate(memory_size);
    xielu_tokenizer tokenizer;
    CHECK(xielu_tokenizer_init(&gguf, memory, memory_size, &tokenizer));
    size_t length = strlen(prompt);
    size_t work_size = xielu_tokenizer_work_size(length);
    void *work = allocate(work_size + 1);
    uint32_t *ids = allocate((length + 2 + most) * sizeof *ids);
    size_t n;
    CHECK(xielu_tokenizer_encode(&tokenizer, prompt, length, XIELU_TEXT_PROMPT, work, work_size, ids,
                                 length + 2, &n));
    if (n == 0) {
        fprintf(stderr, "the prompt is empty, and the model has no token that begins a text\n");
        return EXIT_FAILURE;
    }

    xielu_decoder_options options = {0};
    options.context = n + most;
    options.batch = 4;
    options.mlp_tile = 32;
    xielu_memory size;
    CHECK(xielu_decoder_memory(&config, &options, &size));
    void *layers = allocate(size.layers_size);
    void *kv_cache = allocate(size.kv_cache_size);
    void *scratch = allocate(size.scratch_size);
    float *logits = allocate(size.logits_size);

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

    xielu_text_stream stream = {0};
    for (size_t i = 0; i < n; i++) {
        print_token(&tokenizer, &stream, ids[i]);
    }
    CHECK(xielu_decoder_prompt(&decoder, ids, n));
    CHECK(xielu_decoder_logits(&decoder, logits, config.output_vocab_size));
    size_t end = n;
    while (end < n + most) {
        uint32_t *id = &ids[end], is_end;
        CHECK(xielu_sampler_sample(&sampler, logits, config.output_vocab_size, id));
        CHECK(xielu_tokenizer_is_end(&tokenizer, *id, &is_end));
        if (is_end) {
            break;
        }
        print_token(&tokenizer, &stream, *id);
        CHECK(xielu_decoder_step(&decoder, *id, logits, config.output_vocab_size));
        end++;
    }
    print_end(&tokenizer, &stream);
    putchar('\n');
    for (size_t i = n; i < end; i++) {
        printf("%u%s", (unsigned)ids[i], i + 1 < end ? " " : "");
    }
    putchar('\n');

    free(logits);
    free(scratch);
    free(kv_cache);
    free(layers);
    free(ids);
    free(work);
    free(memory);
    free(data);
    return EXIT_SUCCESS;
}
