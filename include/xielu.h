/* C functions of xielu: models trained with the xIELU activation, anywhere.
 *
 * Nothing is allocated: the caller brings all memory, and asks for its sizes first. Objects
 * (xielu_gguf, xielu_mlp, xielu_model, xielu_decoder, xielu_sampler, xielu_tokenizer) are structs
 * of the caller's that the library fills; they stay where they were made, need no closing, and are
 * used by one thread at a time. Functions return a status; NULL, misaligned, short and overlapping
 * memory and objects that were never made are refused, and nothing is written then. Lengths (n)
 * count elements, sizes (..._size) bytes. A pointer to no elements may be NULL.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef XIELU_H
#define XIELU_H

/* Made by cbindgen from src/capi. */

#include <stddef.h>
#include <stdint.h>

/**
 * The version of the functions and structs of this header. It changes when a program built with
 * an older header could not use this library.
 */
#define XIELU_ABI_VERSION 1

/**
 * alpha_p*x^2 + beta*x for x > 0, alpha_n*(e^min(x, eps) - 1 - x) + beta*x otherwise.
 */
#define XIELU_ACTIVATION_XIELU 1

/**
 * alpha_p*x^2 + beta*x for x > 0, alpha_n*x^2 + beta*x otherwise.
 */
#define XIELU_ACTIVATION_XIPRELU 2

/**
 * max(0, x)^2. Takes no parameters.
 */
#define XIELU_ACTIVATION_RELU2 3

/**
 * x * sigmoid(x). Takes no parameters.
 */
#define XIELU_ACTIVATION_SILU 4

/**
 * silu(gate) * up, the activation of gated models: what a config names, and xielu_swiglu_f32
 * computes.
 */
#define XIELU_ACTIVATION_SWIGLU 5

/**
 * Keys and values as IEEE halves: the default.
 */
#define XIELU_KV_F16 0

/**
 * Keys and values as bfloat16.
 */
#define XIELU_KV_BF16 1

/**
 * Keys and values as floats.
 */
#define XIELU_KV_F32 2

/**
 * Keys and values in 8 bits, with a scale for every 32: head_dim is a multiple of 32.
 */
#define XIELU_KV_Q8_0 3

/**
 * A prompt: special tokens in the text are recognised, and what the model has before and after
 * every text is there, once.
 */
#define XIELU_TEXT_PROMPT 0

/**
 * Part of a prompt: special tokens in the text are recognised, and nothing is added.
 */
#define XIELU_TEXT_PARSE 1

/**
 * Text that is only text: `</s>` is four characters.
 */
#define XIELU_TEXT_PLAIN 2

/**
 * What a function returns: XIELU_STATUS_OK, or why nothing came of it.
 */
enum xielu_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It worked.
     */
    XIELU_STATUS_OK = 0,
    /**
     * A pointer is NULL.
     */
    XIELU_STATUS_NULL = 1,
    /**
     * A pointer is not aligned for what it points to.
     */
    XIELU_STATUS_MISALIGNED = 2,
    /**
     * Memory is smaller than the matching size function says, or larger than the address space.
     */
    XIELU_STATUS_SHORT = 3,
    /**
     * Memory that is written overlaps other memory in use.
     */
    XIELU_STATUS_OVERLAP = 4,
    /**
     * An object was never made, or was moved since.
     */
    XIELU_STATUS_UNINITIALIZED = 5,
    /**
     * A field of an options struct has an unusable value.
     */
    XIELU_STATUS_OPTION = 6,
    /**
     * The length of an array does not fit the model or the other arrays.
     */
    XIELU_STATUS_LENGTH = 7,
    /**
     * The bytes are not a well-formed GGUF file.
     */
    XIELU_STATUS_GGUF = 8,
    /**
     * The model is of an architecture or has tensors of a type that is not supported.
     */
    XIELU_STATUS_UNSUPPORTED = 9,
    /**
     * The model lacks a metadata key or a tensor.
     */
    XIELU_STATUS_MISSING = 10,
    /**
     * A metadata key or a tensor of the model has an unusable value or shape.
     */
    XIELU_STATUS_INVALID = 11,
    /**
     * The shape of the model is unusable.
     */
    XIELU_STATUS_CONFIG = 12,
    /**
     * A scalar of an activation has an unusable value.
     */
    XIELU_STATUS_PARAMETER = 13,
    /**
     * The model has no such layer.
     */
    XIELU_STATUS_LAYER = 14,
    /**
     * The tile of the MLP cuts a block: it is no multiple of what xielu_model_tile says.
     */
    XIELU_STATUS_TILE = 15,
    /**
     * The KV cache has no room for so many tokens.
     */
    XIELU_STATUS_CONTEXT_FULL = 16,
    /**
     * A token id is beyond the vocabulary.
     */
    XIELU_STATUS_TOKEN = 17,
    /**
     * The file has nothing of that name or number.
     */
    XIELU_STATUS_NOT_FOUND = 18,
    /**
     * A mistake inside the library; please report it.
     */
    XIELU_STATUS_INTERNAL = 19,
    /**
     * A value is NaN, infinite or beyond the range of the KV cache's type.
     */
    XIELU_STATUS_NON_FINITE = 20,
    /**
     * Text is not UTF-8, or the vocabulary has no token for a byte of it.
     */
    XIELU_STATUS_TEXT = 21,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum xielu_status xielu_status;
#else
typedef int32_t xielu_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The scalars of one layer as trained and stored: before softplus.
 */
typedef struct {
    /**
     * Before softplus.
     */
    float alpha_p;
    /**
     * Before softplus and before beta is added.
     */
    float alpha_n;
    /**
     * Slope at 0; 0.5 in every released model.
     */
    float beta;
    /**
     * The reference's clamp; -1e-6 in every released model.
     */
    float eps;
} xielu_raw;

/**
 * A function with its effective parameters, from xielu_freeze or its siblings. A kind without
 * parameters needs its kind only.
 */
typedef struct {
    /**
     * One of XIELU_ACTIVATION_XIELU, _XIPRELU, _RELU2 and _SILU.
     */
    uint32_t kind;
    /**
     * softplus(raw alpha_p).
     */
    float alpha_p;
    /**
     * xIELU: beta + softplus(raw alpha_n); xIPReLU: softplus(raw alpha_n).
     */
    float alpha_n;
    /**
     * Slope at 0.
     */
    float beta;
    /**
     * xIELU: clamp of the exponent, 0 in the ideal function.
     */
    float eps;
} xielu_activation;

/**
 * What is differentiated, and on which threads.
 */
typedef struct {
    /**
     * The stored scalars. With eps = 0 xIELU is the ideal function; otherwise its derivative is
     * autograd's, beta - alpha_n for eps < x <= 0. xIPReLU has no eps.
     */
    xielu_raw raw;
    /**
     * XIELU_ACTIVATION_XIELU or XIELU_ACTIVATION_XIPRELU.
     */
    uint32_t kind;
    /**
     * Not 0: on the threads of the process's pool. The library must be built with them (feature
     * rayon).
     */
    uint32_t parallel;
} xielu_backward_options;

/**
 * What one layer's stored alphas gather over all elements, added up in a fixed order.
 */
typedef struct {
    /**
     * By the stored alpha_p: sigmoid(raw alpha_p) times the sum of `dy[i] * x[i]^2` over x > 0.
     */
    double draw_p;
    /**
     * By the stored alpha_n: sigmoid(raw alpha_n) times the sum of `dy[i] * (e^x[i] - 1 - x[i])`
     * over x <= 0; of `dy[i] * x[i]^2` for xIPReLU.
     */
    double draw_n;
} xielu_alpha_gradients;

/**
 * An open GGUF file: a view of the caller's bytes. Opaque; it stays where it was made. There is
 * nothing to close.
 */
typedef struct {
    size_t _opaque[32];
} xielu_gguf;

/**
 * The shape of a model: read from a file, or filled in to know sizes before there is one.
 */
typedef struct {
    /**
     * Tokens of the vocabulary.
     */
    size_t vocab_size;
    /**
     * Logits of a token, at most vocab_size. 0, to fill in, is as many.
     */
    size_t output_vocab_size;
    /**
     * Width of the residual stream: inputs and outputs of an MLP.
     */
    size_t hidden_size;
    /**
     * Width of the MLP's hidden vector.
     */
    size_t intermediate_size;
    /**
     * Number of layers.
     */
    size_t num_layers;
    /**
     * Query heads.
     */
    size_t num_heads;
    /**
     * Key and value heads; divides num_heads.
     */
    size_t num_kv_heads;
    /**
     * Width of one head; even.
     */
    size_t head_dim;
    /**
     * Longest context the model was trained for.
     */
    size_t context_length;
    /**
     * One of XIELU_ACTIVATION_XIELU, _XIPRELU, _RELU2 and _SWIGLU.
     */
    uint32_t activation;
} xielu_config;

/**
 * The MLP of one layer: views of weights that lie elsewhere. Opaque; it stays where it was made.
 */
typedef struct {
    size_t _opaque[48];
} xielu_mlp;

/**
 * A matrix of weights in the caller's memory, at any alignment: rows of cols values each, as GGUF
 * stores them.
 */
typedef struct {
    /**
     * The number that ggml and GGUF have for the type: F32 0, F16 1, Q4_0 2, Q8_0 8, BF16 30.
     * Others are refused as unsupported unless this library computes with them.
     */
    uint32_t dtype;
    /**
     * Outputs of the projection.
     */
    size_t rows;
    /**
     * Inputs of the projection: whole blocks of the type.
     */
    size_t cols;
    /**
     * The first row.
     */
    const void *data;
    /**
     * Bytes of all rows together, exactly.
     */
    size_t size;
} xielu_matrix;

/**
 * A model: views of weights in a file's bytes. Opaque; it stays where it was made.
 */
typedef struct {
    size_t _opaque[80];
} xielu_model;

/**
 * What trades memory for speed. All zeros are the least memory but for the MLP, which is whole.
 */
typedef struct {
    /**
     * Positions of the KV cache; 0 is what the model was trained for.
     */
    size_t context;
    /**
     * Tokens of a prompt that go through the layers together; 0 is 1.
     */
    size_t batch;
    /**
     * Hidden values of the MLP held at a time, a multiple of what xielu_model_tile says (32, or 256
     * where weights are K-quants); 0 is all.
     */
    size_t mlp_tile;
    /**
     * One of XIELU_KV_F16, XIELU_KV_BF16, XIELU_KV_F32 and XIELU_KV_Q8_0.
     */
    uint32_t kv_type;
    /**
     * Not 0: on the threads of the process's pool. The library must be built with them (feature
     * rayon).
     */
    uint32_t parallel;
} xielu_decoder_options;

/**
 * The memory of a decoder, in bytes, besides the file and the objects. SIZE_MAX is more than this
 * machine can address.
 */
typedef struct {
    /**
     * For xielu_model_load, aligned as a pointer.
     */
    size_t layers_size;
    /**
     * For xielu_decoder_init, at any alignment.
     */
    size_t kv_cache_size;
    /**
     * For xielu_decoder_init, aligned as a float.
     */
    size_t scratch_size;
    /**
     * The logits of one token: output_vocab_size floats.
     */
    size_t logits_size;
} xielu_memory;

/**
 * A decoder: a sequence of tokens on its way through a model. Opaque; it stays where it was made.
 */
typedef struct {
    size_t _opaque[48];
} xielu_decoder;

/**
 * How tokens are drawn. All zeros always take the likeliest.
 */
typedef struct {
    /**
     * The same seed draws the same tokens.
     */
    uint64_t seed;
    /**
     * Only the k likeliest tokens; 0 is all.
     */
    size_t top_k;
    /**
     * Divides the logits; 0 always takes the likeliest.
     */
    float temperature;
    /**
     * Only the likeliest tokens that together have this probability; 0 and 1 are all.
     */
    float top_p;
} xielu_sampler_options;

/**
 * Draws tokens. Opaque; it stays where it was made.
 */
typedef struct {
    uint64_t _opaque[6];
} xielu_sampler;

/**
 * How the logits of tokens that have occurred are lowered. All zeros change nothing.
 */
typedef struct {
    /**
     * Divides logits above 0 and multiplies the others; 0 and 1 change nothing.
     */
    float repetition;
    /**
     * Subtracted once from what occurred.
     */
    float presence;
    /**
     * Subtracted for each time that a token occurred.
     */
    float frequency;
} xielu_penalties;

/**
 * Which tokens may be drawn. All zeros are all.
 */
typedef struct {
    /**
     * Only the k likeliest tokens; 0 is all.
     */
    size_t top_k;
    /**
     * The sampler's; 0 forbids nothing, since the likeliest token is taken then.
     */
    float temperature;
    /**
     * Only the likeliest tokens that together have this probability; 0 and 1 are all.
     */
    float top_p;
    /**
     * Only tokens of at least this share of the likeliest one's probability; 0 is all.
     */
    float min_p;
    /**
     * Only the tokens that are about as surprising as is to be expected and that together have this
     * probability; 0 and 1 are all.
     */
    float typical_p;
} xielu_cuts;

/**
 * The vocabulary of a file, ready for use. Opaque; it stays where it was made.
 */
typedef struct {
    uint64_t _opaque[40];
} xielu_tokenizer;

/**
 * Text as it comes, token by token. All zeros before the first; the library keeps the bytes of a
 * character that is not whole in it.
 */
typedef struct {
    /**
     * How many bytes are held.
     */
    uint32_t held;
    /**
     * The bytes.
     */
    uint8_t bytes[4];
} xielu_text_stream;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * One line of English that says what a status means; never NULL.
 */
const char *xielu_status_text(int32_t status);

/**
 * The XIELU_ABI_VERSION that the library was built with: compare it with the header's.
 */
uint32_t xielu_abi_version(void);

/**
 * The library's version, such as "0.1.0".
 */
const char *xielu_version(void);

/**
 * Writes the name of the instruction set that the kernels use on this machine, such as "avx2".
 */
xielu_status xielu_isa_name(char *text, size_t text_size);

/**
 * Checks a whole model and says in words what the first thing wrong with it is, and where: more
 * than a status tells. The text is empty if nothing is wrong, and is cut where the room ends; 160
 * bytes are enough. Returns what xielu_gguf_open and xielu_model_load would.
 */
xielu_status xielu_gguf_explain(const void *data, size_t size, char *text, size_t text_size);

/**
 * Writes the scalars that training starts from: effective alpha_p = alpha_n = 0.8, beta = 0.5.
 */
xielu_status xielu_raw_init(xielu_raw *raw);

/**
 * The ideal function of stored scalars: alpha_p = softplus(raw alpha_p),
 * alpha_n = beta + softplus(raw alpha_n), no clamp.
 */
xielu_status xielu_freeze(const xielu_raw *raw, xielu_activation *activation);

/**
 * As xielu_freeze, with the clamp of Hugging Face's form.
 */
xielu_status xielu_freeze_with_eps(const xielu_raw *raw, xielu_activation *activation);

/**
 * The xIPReLU of stored scalars: alpha_p = softplus(raw alpha_p), alpha_n = softplus(raw alpha_n).
 */
xielu_status xielu_freeze_xiprelu(const xielu_raw *raw, xielu_activation *activation);

/**
 * `y[i] = f(x[i])` for n values. y may be x: then in place. Every instruction set gives the same
 * bits.
 */
xielu_status xielu_activate_f32(const xielu_activation *activation,
                                const float *x,
                                float *y,
                                size_t n);

/**
 * As xielu_activate_f32, for n bfloat16 values: computed in f32, rounded once.
 */
xielu_status xielu_activate_bf16(const xielu_activation *activation,
                                 const uint16_t *x,
                                 uint16_t *y,
                                 size_t n);

/**
 * As xielu_activate_f32, for n IEEE half values: computed in f32, rounded once.
 */
xielu_status xielu_activate_f16(const xielu_activation *activation,
                                const uint16_t *x,
                                uint16_t *y,
                                size_t n);

/**
 * `y[i] = silu(gate[i]) * up[i]` for n values. y may be up: then in place.
 */
xielu_status xielu_swiglu_f32(const float *gate, const float *up, float *y, size_t n);

/**
 * As xielu_swiglu_f32, for n bfloat16 values.
 */
xielu_status xielu_swiglu_bf16(const uint16_t *gate, const uint16_t *up, uint16_t *y, size_t n);

/**
 * As xielu_swiglu_f32, for n IEEE half values.
 */
xielu_status xielu_swiglu_f16(const uint16_t *gate, const uint16_t *up, uint16_t *y, size_t n);

/**
 * `dx[i] = dy[i] * f'(x[i])` for n values, and the gradients by the stored alphas. The same bits
 * for any number of threads, on every instruction set.
 */
xielu_status xielu_backward_f32(const xielu_backward_options *options,
                                const float *x,
                                const float *dy,
                                float *dx,
                                size_t n,
                                xielu_alpha_gradients *alphas);

/**
 * As xielu_backward_f32, for n bfloat16 values: computed in f32, rounded once.
 */
xielu_status xielu_backward_bf16(const xielu_backward_options *options,
                                 const uint16_t *x,
                                 const uint16_t *dy,
                                 uint16_t *dx,
                                 size_t n,
                                 xielu_alpha_gradients *alphas);

/**
 * As xielu_backward_f32, for n IEEE half values: computed in f32, rounded once.
 */
xielu_status xielu_backward_f16(const xielu_backward_options *options,
                                const uint16_t *x,
                                const uint16_t *dy,
                                uint16_t *dx,
                                size_t n,
                                xielu_alpha_gradients *alphas);

/**
 * Checks the size bytes at data, a whole file at any alignment, and opens it. Nothing is copied:
 * the bytes stay where they are as long as anything made from the file is used.
 */
xielu_status xielu_gguf_open(const void *data, size_t size, xielu_gguf *gguf);

/**
 * Reads the shape of the model.
 */
xielu_status xielu_gguf_config(const xielu_gguf *gguf, xielu_config *config);

/**
 * Reads the stored activation scalars of a layer, the first being 0.
 */
xielu_status xielu_gguf_raw(const xielu_gguf *gguf, size_t layer, xielu_raw *raw);

/**
 * Reads the metadata value of a key, such as "tokenizer.ggml.eos_token_id", that is a u32.
 */
xielu_status xielu_gguf_u32(const xielu_gguf *gguf, const char *key, uint32_t *value);

/**
 * Finds the text of a token in the file's vocabulary: *length bytes of UTF-8 at *text, within the
 * file and without a zero byte at the end. Byte-level vocabularies write a space as U+0120 and the
 * end of a line as U+010A.
 */
xielu_status xielu_gguf_token(const xielu_gguf *gguf,
                              uint32_t token,
                              const char **text,
                              size_t *length);

/**
 * Loads the MLP of a layer, the first being 0. The gguf object is not needed afterwards, the
 * file's bytes are.
 */
xielu_status xielu_mlp_load(const xielu_gguf *gguf, size_t layer, xielu_mlp *mlp);

/**
 * Makes an MLP of your own weights, down(f(up(x))): up is [intermediate, hidden], down is [hidden,
 * intermediate]. The matrices' data stays where it is as long as the MLP is used.
 */
xielu_status xielu_mlp_init(const xielu_matrix *up,
                            const xielu_matrix *down,
                            const xielu_activation *activation,
                            xielu_mlp *mlp);

/**
 * Makes a gated MLP of your own weights, down(silu(gate(x)) * up(x)): gate and up are
 * [intermediate, hidden], down is [hidden, intermediate]. As xielu_mlp_init.
 */
xielu_status xielu_mlp_init_gated(const xielu_matrix *gate,
                                  const xielu_matrix *up,
                                  const xielu_matrix *down,
                                  xielu_mlp *mlp);

/**
 * Bytes of scratch that xielu_mlp_run takes for so many tokens with tiles of so many hidden values
 * (a multiple of 32, or of 256 where down is of K-quants; 0 holds the hidden vector whole), whatever the weight types. SIZE_MAX is more
 * than this machine can address.
 */
size_t xielu_mlp_scratch_size(size_t hidden_size,
                              size_t intermediate_size,
                              size_t tile,
                              size_t tokens);

/**
 * y = mlp(x) for n values each: whole tokens of hidden_size values. tile is as in
 * xielu_mlp_scratch_size, which says how large scratch is; scratch is aligned as a float and what
 * it holds does not matter.
 */
xielu_status xielu_mlp_run(const xielu_mlp *mlp,
                           size_t tile,
                           const float *x,
                           float *y,
                           size_t n,
                           void *scratch,
                           size_t scratch_size);

/**
 * Finds every tensor of a model and checks its shape. layers is memory for the views, as large as
 * xielu_decoder_memory says and aligned as a pointer; the model uses it and the file's bytes as
 * long as it lives. The gguf object is not needed afterwards.
 */
xielu_status xielu_model_load(const xielu_gguf *gguf,
                              void *layers,
                              size_t layers_size,
                              xielu_model *model);

/**
 * Says what the mlp_tile of a decoder's options is a multiple of: 32, or 256 where a layer's down
 * projection is of K-quants (Q4_K, Q5_K, Q6_K).
 */
xielu_status xielu_model_tile(const xielu_model *model, size_t *multiple);

/**
 * Says how much memory a decoder takes.
 */
xielu_status xielu_decoder_memory(const xielu_config *config,
                                  const xielu_decoder_options *options,
                                  xielu_memory *memory);

/**
 * Makes a decoder at position 0. XIELU_STATUS_TILE if the tile is no multiple of what
 * xielu_model_tile says: xielu_decoder_memory, which does not know the weights, cannot tell. It uses the model, the cache and the scratch, whose sizes are
 * those of xielu_decoder_memory, as long as it lives; what they hold does not matter.
 */
xielu_status xielu_decoder_init(const xielu_model *model,
                                const xielu_decoder_options *options,
                                void *kv_cache,
                                size_t kv_cache_size,
                                void *scratch,
                                size_t scratch_size,
                                xielu_decoder *decoder);

/**
 * Decodes n tokens after what came before, in batches; xielu_decoder_logits then has what follows
 * the last. If they do not fit the cache, nothing is decoded. If one is beyond the vocabulary, the
 * batches before its own are.
 */
xielu_status xielu_decoder_prompt(xielu_decoder *decoder, const uint32_t *tokens, size_t n);

/**
 * Writes the logits of the last tokens of the last batch: n is a multiple of output_vocab_size, at
 * most as many tokens as the batch had. With n = output_vocab_size they say what follows the last token.
 */
xielu_status xielu_decoder_logits(xielu_decoder *decoder,
                                  float *logits,
                                  size_t n);

/**
 * Decodes one token and writes the n = output_vocab_size logits of what follows it.
 */
xielu_status xielu_decoder_step(xielu_decoder *decoder, uint32_t token, float *logits, size_t n);

/**
 * Says how many positions are decoded.
 */
xielu_status xielu_decoder_position(const xielu_decoder *decoder, size_t *position);

/**
 * Goes back to a position, no further than now, forgetting what came after.
 */
xielu_status xielu_decoder_rewind(xielu_decoder *decoder, size_t position);

/**
 * Makes a sampler at the start of its random sequence.
 */
xielu_status xielu_sampler_init(const xielu_sampler_options *options, xielu_sampler *sampler);

/**
 * Draws a token from n logits, at least one. One of minus infinity forbids its token; NaN and plus
 * infinity are XIELU_STATUS_NON_FINITE.
 */
xielu_status xielu_sampler_sample(xielu_sampler *sampler,
                                  const float *logits,
                                  size_t n,
                                  uint32_t *token);

/**
 * Lowers n logits by how often the token of the same place has occurred: what the caller counted,
 * of the whole text or of its last tokens. For xielu_sampler_sample.
 */
xielu_status xielu_penalize(const xielu_penalties *penalties,
                            const uint32_t *counts,
                            float *logits,
                            size_t n);

/**
 * Makes those of n logits minus infinity whose tokens may not be drawn: top-k, top-p, min-p and
 * typical-p, in this order. For xielu_sampler_sample of a sampler with the same temperature.
 */
xielu_status xielu_cut(const xielu_cuts *cuts, float *logits, size_t n);

/**
 * Says how many bytes of memory the tokenizer of a file takes: about 10 for each token and 18 for
 * each merge of its vocabulary.
 */
xielu_status xielu_tokenizer_memory(const xielu_gguf *gguf, size_t *memory_size);

/**
 * Indexes the vocabulary inside a file (byte-level BPE: tokenizer.ggml.model is "gpt2"). memory is
 * as large as xielu_tokenizer_memory says and aligned as a uint32_t; the tokenizer uses it and the
 * file's bytes as long as it lives. The gguf object is not needed afterwards.
 */
xielu_status xielu_tokenizer_init(const xielu_gguf *gguf,
                                  void *memory,
                                  size_t memory_size,
                                  xielu_tokenizer *tokenizer);

/**
 * Bytes of work that xielu_tokenizer_encode takes for text whose longest word has so many bytes;
 * text_size itself is always enough. SIZE_MAX is more than this machine can address.
 */
size_t xielu_tokenizer_work_size(size_t longest_word);

/**
 * Cuts text_size bytes of UTF-8 into tokens and writes their ids. *count is how many there are: if
 * that is more than capacity, the first are written and XIELU_STATUS_SHORT is returned; with
 * capacity 0 they are counted. No text has more ids than bytes, and two around it. mode is
 * one of XIELU_TEXT_PROMPT, XIELU_TEXT_PARSE and XIELU_TEXT_PLAIN; work is as large as
 * xielu_tokenizer_work_size says and aligned as a uint32_t.
 */
xielu_status xielu_tokenizer_encode(const xielu_tokenizer *tokenizer,
                                    const char *text,
                                    size_t text_size,
                                    uint32_t mode,
                                    void *work,
                                    size_t work_size,
                                    uint32_t *ids,
                                    size_t capacity,
                                    size_t *count);

/**
 * Writes the bytes of a token, any of the vocabulary: *count is how many there are. If that is
 * more than capacity, the first are written and XIELU_STATUS_SHORT is returned; with capacity 0
 * they are counted. A token need not be whole characters: xielu_tokenizer_text puts them together.
 */
xielu_status xielu_tokenizer_token(const xielu_tokenizer *tokenizer,
                                   uint32_t token,
                                   char *bytes,
                                   size_t capacity,
                                   size_t *count);

/**
 * Writes the text that a token completes, whole characters of UTF-8 without a zero byte at the
 * end: *length is how many bytes. Special tokens have none. If that is more than text_size, the
 * first bytes are written, XIELU_STATUS_SHORT is returned and the stream stays as it was. Bytes
 * that are no UTF-8 become U+FFFD.
 */
xielu_status xielu_tokenizer_text(const xielu_tokenizer *tokenizer,
                                  xielu_text_stream *stream,
                                  uint32_t token,
                                  char *text,
                                  size_t text_size,
                                  size_t *length);

/**
 * The end of a stream: writes U+FFFD, 3 bytes, for a character that is not whole, and *length is 3
 * or 0. The stream can then begin anew.
 */
xielu_status xielu_tokenizer_text_end(const xielu_tokenizer *tokenizer,
                                      xielu_text_stream *stream,
                                      char *text,
                                      size_t text_size,
                                      size_t *length);

/**
 * Says whether a token ends a text: *end is 1 or 0. A model has several such tokens.
 */
xielu_status xielu_tokenizer_is_end(const xielu_tokenizer *tokenizer,
                                    uint32_t token,
                                    uint32_t *end);

/**
 * Finds the token that stands at the beginning of texts. XIELU_STATUS_NOT_FOUND if the vocabulary
 * has none. XIELU_TEXT_PROMPT adds it where the model was trained with it.
 */
xielu_status xielu_tokenizer_bos(const xielu_tokenizer *tokenizer, uint32_t *token);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* XIELU_H */
