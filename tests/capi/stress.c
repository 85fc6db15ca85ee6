/* Hostile calls of every function, drawn from a seed.
 *
 * stress ROUNDS SEED MODEL.gguf...
 *
 * All memory that is handed over ends at a page that cannot be touched. A call must return a status
 * of the header that is not INTERNAL, must refuse what is known to be wrong, must not write where it
 * refuses, and what was accepted when it was made must then run. Prints how many calls there were. */
#include "stress.h"

/* Damages a copy of a file: cuts it, or changes bytes, most of them in its first kilobytes. */
static block damaged(const block *file, int *whole)
{
    size_t cut = one_in(4) ? below(file->size + 1) : 0;
    block copy = take(file->size - cut);
    memcpy(copy.p, file->p, copy.size);
    size_t changes = one_in(2) ? below(6) : 0;
    for (size_t i = 0; i < changes && copy.size > 0; i++) {
        copy.p[below(one_in(4) || copy.size < 4096 ? copy.size : 4096)] = (unsigned char)draw();
    }
    *whole = cut == 0 && changes == 0;
    return copy;
}

/* Activations and their gradients on n values; width 4 or 2 bytes. */
static void arrays(void)
{
    size_t n = one_in(4) ? below(3000) : below(70), half = below(3), width = half ? 2 : 4;
    block x = take(n * width), y = take(n * width), z = take(n * width), dx = take(n * width);
    scribble(&x);
    scribble(&z);
    xielu_raw raw = {any_float(), any_float(), any_float(), any_float()};
    if (one_in(2)) {
        MUST(xielu_raw_init(&raw));
    }
    xielu_activation f;
    memset(&f, 0xa5, sizeof f);
    int made = CALL(one_in(2)   ? xielu_freeze(&raw, &f)
                    : one_in(2) ? xielu_freeze_with_eps(&raw, &f)
                                : xielu_freeze_xiprelu(one_in(20) ? NULL : &raw, &f)) == 0;
    if (!made && one_in(2)) {
        f.kind = (uint32_t)below(7);
        f.alpha_p = f.alpha_n = f.beta = f.eps = any_float();
    }

    /* One thing wrong, or none. */
    void *px = x.p, *py = y.p;
    const xielu_activation *pf = &f;
    size_t count = n;
    int wrong = n > 1;
    switch (wrong ? below(10) : 9) {
    case 0: px = NULL; break;
    case 1: py = NULL; break;
    case 2: pf = NULL; break;
    case 3: px = x.p + 1; break;
    case 4: py = y.p + 1; break;
    case 5: py = x.p + width; break;
    case 6: px = x.p + width, py = x.p; break;
    case 7: count = SIZE_MAX / width + 2 + below(9); break;
    case 8: py = px, wrong = 0; break;
    default: wrong = 0;
    }
    fill(&y, 0x5a);
    int status = CALL(half == 0   ? xielu_activate_f32(pf, px, py, count)
                      : half == 1 ? xielu_activate_bf16(pf, px, py, count)
                                  : xielu_activate_f16(pf, px, py, count));
    CHECK(!wrong || status != 0, "a wrong call was accepted");
    CHECK(status == 0 || filled(&y, 0x5a), "written although refused");
    CHECK(!made || wrong || status == 0 || pf == NULL || n < 2, "a right call was refused");
    status = CALL(half == 0   ? xielu_swiglu_f32(z.at, px, py, count)
                  : half == 1 ? xielu_swiglu_bf16(z.at, px, py, count)
                              : xielu_swiglu_f16(z.at, px, py, count));
    CHECK(!wrong || pf == NULL || status != 0, "a wrong call was accepted");

    /* All of x: what lies beyond it may not be read. */
    px = px == NULL ? NULL : x.at;
    xielu_backward_options options = {raw, 1 + (uint32_t)below(3), one_in(10)};
    xielu_alpha_gradients alphas;
    void *pd = one_in(12) ? dx.p + 1 : one_in(12) ? x.p : dx.p;
    const xielu_backward_options *po = one_in(20) ? NULL : &options;
    fill(&dx, 0x5a);
    status = CALL(half == 0   ? xielu_backward_f32(po, px, z.at, pd, count, &alphas)
                  : half == 1 ? xielu_backward_bf16(po, px, z.at, pd, count, &alphas)
                              : xielu_backward_f16(po, px, z.at, pd, count, &alphas));
    int is_wrong = n > 1 && (pd != dx.at || po == NULL || count != n || px == NULL);
    CHECK(!is_wrong || status != 0, "a wrong call was accepted");
    CHECK(status == 0 || filled(&dx, 0x5a), "written although refused");
    give(&x), give(&y), give(&z), give(&dx);
}

/* Sizes of any shape, words of any status, and a sampler. */
static void sizes(void)
{
    xielu_config config = {.activation = (uint32_t)below(7)};
    size_t *fields[] = {&config.vocab_size,    &config.output_vocab_size, &config.hidden_size,
                        &config.intermediate_size, &config.num_layers,    &config.num_heads,
                        &config.num_kv_heads,  &config.head_dim,          &config.context_length};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = one_in(2) ? any_size() : 2 * (1 + below(500));
    }
    xielu_decoder_options o = {any_size(), any_size(), any_size(), (uint32_t)below(6), one_in(9)};
    xielu_memory memory;
    CALL(xielu_decoder_memory(one_in(30) ? NULL : &config, &o, one_in(30) ? NULL : &memory));
    (void)xielu_mlp_scratch_size(any_size(), any_size(), any_size(), any_size());
    (void)xielu_tokenizer_work_size(any_size());
    CHECK(xielu_status_text((int32_t)draw()) && xielu_status_text((int32_t)below(30)), "no text");
    CHECK(xielu_version() && xielu_abi_version() == XIELU_ABI_VERSION, "no version");
    block name = take(below(40));
    CALL(xielu_isa_name(one_in(9) ? NULL : name.at, name.size));
    give(&name);

    size_t n = below(50);
    block logits = take(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        ((float *)logits.at)[i] = any_float();
    }
    xielu_sampler_options so = {draw(), any_size(), any_float(), any_float()};
    xielu_sampler sampler;
    memset(&sampler, (int)draw(), sizeof sampler);
    int made = CALL(xielu_sampler_init(&so, &sampler)) == 0;
    uint32_t token = 77;
    float *p = one_in(20) ? NULL : logits.at;
    int status = CALL(xielu_sampler_sample(&sampler, p, n, &token));
    CHECK(status != 0 || (made && token < n), "a token that is not there");
    CHECK(status != 0 || p[token] == p[token], "NaN was drawn");
    CHECK(status == 0 || token == 77, "written although refused");
    give(&logits);
}

/* One layer of an open file. */
static void layer(const xielu_gguf *gguf, const xielu_config *config)
{
    xielu_mlp mlp;
    memset(&mlp, (int)draw(), sizeof mlp);
    int made = CALL(xielu_mlp_load(gguf, one_in(4) ? any_size() : below(5), &mlp)) == 0;
    size_t tile = one_in(2) ? 0 : one_in(2) ? 32 * below(9) : any_size(), tokens = below(4);
    size_t need = xielu_mlp_scratch_size(config->hidden_size, config->intermediate_size, tile, tokens);
    if (!made || need > LARGE || config->hidden_size > LARGE / 64) {
        return;
    }
    size_t n = tokens * config->hidden_size;
    block scratch = take(one_in(6) ? below(need + 1) : need);
    block x = take(n * sizeof(float)), y = take(n * sizeof(float));
    values(&x);
    fill(&y, 0x5a);
    size_t count = one_in(15) ? n + 1 + below(5) : n;
    float *out = one_in(20) ? x.at : y.at;
    int status = CALL(xielu_mlp_run(&mlp, tile, x.at, out, count, scratch.at,
                                    scratch.size));
    CHECK(status != 0 || count == n || n == 0, "a partial token was accepted");
    CHECK(status != 0 || scratch.size >= need || n == 0, "short scratch was accepted");
    CHECK(status != 0 || out == y.at || n == 0, "an overlap was accepted");
    give(&scratch), give(&x), give(&y);
}

/* A few steps of a decoder that was made: tokens of the vocabulary that fit must go through. */
static void steps(xielu_decoder *decoder, const xielu_config *config, size_t context, int whole)
{
    block logits = take(config->output_vocab_size * sizeof(float));
    size_t room = config->output_vocab_size, position;
    for (int i = 0; i < 5; i++) {
        uint32_t tokens[24];
        size_t n = below(24);
        int fits = 1;
        for (size_t k = 0; k < n; k++) {
            tokens[k] = one_in(40) ? (uint32_t)draw() : (uint32_t)below(config->vocab_size);
            fits &= tokens[k] < config->vocab_size;
        }
        MUST(xielu_decoder_position(decoder, &position));
        CHECK(position <= context, "beyond the context");
        fits &= n <= context - position;
        int status = CALL(xielu_decoder_prompt(decoder, tokens, n));
        CHECK(status != 0 || fits, "more tokens than fit, or one that is none");
        CHECK(status == 0 || !fits || !whole, "a made decoder does not run");
        float *out = one_in(15) ? NULL : logits.at;
        size_t count = one_in(15) ? room - 1 : one_in(15) ? SIZE_MAX : room;
        status = CALL(xielu_decoder_step(decoder, tokens[0], out, count));
        CHECK(status != 0 || (out != NULL && count == room), "wrong logits were accepted");
        CALL(xielu_decoder_logits(decoder, out, count));
        if (one_in(10)) {
            xielu_decoder moved = *decoder;
            status = CALL(xielu_decoder_step(&moved, 0, logits.at, room));
            CHECK(status == XIELU_STATUS_UNINITIALIZED, "a moved decoder was accepted");
        }
        MUST(xielu_decoder_rewind(decoder, one_in(2) ? any_size() : below(24)));
    }
    give(&logits);
}

/* A model and a decoder of an open file. */
static void decoder(const xielu_gguf *gguf, const xielu_config *config, int whole)
{
    xielu_decoder_options o = {1 + below(24), below(6), 32 * below(9), (uint32_t)below(5), 0};
    if (one_in(5)) {
        o.mlp_tile = any_size();
        o.batch = below(3) ? o.batch : any_size();
    }
    xielu_memory m;
    if (CALL(xielu_decoder_memory(config, &o, &m)) != 0 || m.layers_size > LARGE ||
        m.kv_cache_size > LARGE || m.scratch_size > LARGE || m.logits_size > LARGE) {
        return;
    }
    size_t less = below(8);
    block layers = take(m.layers_size - (less == 0 ? sizeof(void *) : 0));
    block kv = take(m.kv_cache_size - (less == 1));
    block scratch = take(m.scratch_size - (less == 2 ? sizeof(float) : 0));
    xielu_model model;
    xielu_decoder made;
    memset(&model, (int)draw(), sizeof model);
    memset(&made, (int)draw(), sizeof made);
    int loaded = CALL(xielu_model_load(gguf, layers.p, layers.size, &model)) == 0;
    CHECK(!loaded || less != 0, "short memory for layers was accepted");
    CHECK(loaded || !whole || less == 0, "a whole model was refused");
    size_t multiple = 0;
    CHECK((CALL(xielu_model_tile(&model, &multiple)) == 0) == loaded, "a tile of no model");
    int odd = one_in(10);
    void *where = odd ? (one_in(2) ? layers.at : (void *)(scratch.p + 1)) : scratch.at;
    int status = CALL(xielu_decoder_init(&model, &o, kv.at, kv.size, where, scratch.size, &made));
    CHECK(status != 0 || (loaded && !odd && (less == 0 || less > 2)), "a wrong decoder was made");
    CHECK(status == 0 || !loaded || odd || less == 1 || less == 2 ||
              (o.mlp_tile != 0 && o.mlp_tile % multiple != 0),
          "a right decoder was refused");
    if (status == 0) {
        steps(&made, config, o.context, whole);
    }
    give(&layers), give(&kv), give(&scratch);
}

/* Text to ids and back with the vocabulary of an open file. */
static void tokenizer(const xielu_gguf *gguf, int whole)
{
    static const char *const pieces[] = {"</s>", "<s>", " the", "\xe6\x97\xa5", "\n\n", "1234",
                                         "\xff", "\xf0\x9f\x99\x82", "'s", "  ", "x", "\xc3"};
    size_t size;
    if (CALL(xielu_tokenizer_memory(gguf, &size)) != 0 || size > LARGE) {
        return;
    }
    int short_by = one_in(8) ? 4 : 0;
    block memory = take(size - (size_t)short_by);
    scribble(&memory);
    xielu_tokenizer t;
    memset(&t, (int)draw(), sizeof t);
    int made = CALL(xielu_tokenizer_init(gguf, memory.at, memory.size, &t)) == 0;
    CHECK(!made || !short_by, "short memory was accepted");
    CHECK(made || short_by || !whole, "a whole vocabulary was refused");

    char words[200] = "";
    for (size_t i = below(20); i > 0; i--) {
        strcat(words, pieces[below(sizeof pieces / sizeof *pieces)]);
    }
    block text = take(strlen(words));
    memcpy(text.p, words, text.size);
    block work = take(one_in(6) ? 4 * below(60) : xielu_tokenizer_work_size(text.size));
    block ids = take(sizeof(uint32_t) * (one_in(6) ? below(10) : text.size + 2));
    size_t room = ids.size / sizeof(uint32_t), n = SIZE_MAX, length;
    int status = CALL(xielu_tokenizer_encode(&t, text.at, text.size, (uint32_t)below(4),
                                             work.at, work.size, ids.at, room,
                                             &n));
    CHECK(status != 0 || (made && n <= room), "more ids than there is room for");
    xielu_text_stream stream = {0, {0}};
    char out[64];
    for (size_t i = 0; status == 0 && i < n; i++) {
        uint32_t id = ((uint32_t *)ids.at)[i], end;
        size_t space = one_in(4) ? below(4) : sizeof out;
        int s = CALL(xielu_tokenizer_text(&t, &stream, id, out, space, &length));
        CHECK(s != 0 || length <= space, "more text than there is room for");
        CHECK(s != 0 || stream.held < 4, "more is held than a character");
        CALL(xielu_tokenizer_token(&t, id, out, below(sizeof out), &length));
        MUST(xielu_tokenizer_is_end(&t, id, &end));
        CHECK(end < 2, "neither yes nor no");
    }
    stream.held = (uint32_t)(one_in(2) ? below(6) : draw());
    for (size_t i = 0; i < sizeof stream.bytes; i++) {
        stream.bytes[i] = (uint8_t)draw();
    }
    CALL(xielu_tokenizer_text(&t, &stream, (uint32_t)below(1100), out, sizeof out, &length));
    CALL(xielu_tokenizer_text_end(&t, &stream, out, below(4), &length));
    uint32_t bos;
    CALL(xielu_tokenizer_bos(&t, one_in(9) ? NULL : &bos));
    xielu_tokenizer moved = t;
    status = CALL(xielu_tokenizer_bos(&moved, &bos));
    CHECK(status == XIELU_STATUS_UNINITIALIZED, "a moved tokenizer was accepted");
    give(&memory), give(&text), give(&work), give(&ids);
}

/* A file, whole or not, and all that is made of it. */
static void file(const block *original)
{
    int whole;
    block bytes = damaged(original, &whole);
    xielu_gguf gguf;
    memset(&gguf, (int)draw(), sizeof gguf);
    char words[160];
    int explained = CALL(xielu_gguf_explain(bytes.p, bytes.size, words, below(sizeof words)));
    CHECK(explained != 0 || words[0] == 0, "words without a problem");
    int opened = CALL(xielu_gguf_open(one_in(40) ? NULL : bytes.p, bytes.size, &gguf)) == 0;
    xielu_config config;
    memset(&config, 0, sizeof config);
    int shaped = CALL(xielu_gguf_config(&gguf, &config)) == 0;
    CHECK(!shaped || opened, "a shape of no file");
    xielu_raw raw;
    CALL(xielu_gguf_raw(&gguf, one_in(3) ? any_size() : below(5), &raw));
    uint32_t value;
    CALL(xielu_gguf_u32(&gguf, one_in(2) ? "general.alignment" : "tokenizer.ggml.eos_token_id",
                        &value));
    const char *text;
    size_t length;
    if (CALL(xielu_gguf_token(&gguf, one_in(2) ? (uint32_t)draw() : (uint32_t)below(1100), &text,
                              &length)) == 0) {
        const unsigned char *p = (const unsigned char *)text;
        CHECK(p >= bytes.p && p + length <= bytes.p + bytes.size, "text outside the file");
    }
    if (shaped) {
        layer(&gguf, &config);
        decoder(&gguf, &config, whole);
    }
    tokenizer(&gguf, whole && opened);
    give(&bytes);
}

/* Layers of matrices that fit, or do not. */
static void matrices(void)
{
    static const struct {
        uint32_t type, block, bytes;
    } types[] = {{0, 1, 4},     {1, 1, 2},     {2, 32, 18},   {8, 32, 34}, {12, 256, 144},
                 {13, 256, 176}, {14, 256, 210}, {30, 1, 2}, {3, 32, 20}, {99, 1, 1}};
    size_t hidden = one_in(2) ? 64 : 256, wide = one_in(2) ? 64 : 256;
    xielu_matrix m[3];
    block data[3];
    for (int i = 0; i < 3; i++) {
        size_t t = below(sizeof types / sizeof *types);
        size_t rows = i == 1 ? hidden : wide, cols = i == 1 ? wide : hidden;
        data[i] = take(rows * (cols / types[t].block) * types[t].bytes);
        for (size_t k = 0; k < data[i].size; k++) {
            data[i].p[k] = (unsigned char)(draw() & 0x3b);
        }
        xielu_matrix made = {.data = data[i].at, .size = data[i].size, .rows = rows, .cols = cols,
                             .dtype = types[t].type};
        if (one_in(12)) {
            size_t *fields[] = {&made.rows, &made.cols, &made.size};
            *fields[below(3)] = any_size();
        }
        m[i] = made;
    }
    xielu_activation f = {1 + (uint32_t)below(4), 0.8f, 1.3f, 0.5f, 0};
    xielu_mlp mlp;
    memset(&mlp, (int)draw(), sizeof mlp);
    int status = CALL(one_in(2) ? xielu_mlp_init_gated(&m[0], &m[2], &m[1], &mlp)
                                : xielu_mlp_init(&m[0], &m[1], one_in(20) ? NULL : &f, &mlp));
    size_t need = xielu_mlp_scratch_size(m[0].cols, m[0].rows, 0, 2);
    if (status == 0 && need < LARGE) {
        block x = take(2 * m[0].cols * sizeof(float)), y = take(x.size), scratch = take(need);
        values(&x);
        MUST(xielu_mlp_run(&mlp, 0, x.at, y.at, 2 * m[0].cols,
                           scratch.at, scratch.size));
        give(&x), give(&y), give(&scratch);
    }
    give(&data[0]), give(&data[1]), give(&data[2]);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: stress ROUNDS SEED MODEL.gguf...\n");
        return 2;
    }
    unsigned long rounds = strtoul(argv[1], NULL, 10);
    seed(strtoul(argv[2], NULL, 10));
    for (unsigned long round = 0; round < rounds; round++) {
        block original = read_block(argv[3 + round % (unsigned long)(argc - 3)]);
        arrays();
        arrays();
        sizes();
        matrices();
        file(&original);
        give(&original);
    }
    report();
    return 0;
}
