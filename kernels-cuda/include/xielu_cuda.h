/* C functions of xielu on CUDA devices: activations, their gradients and MLP layers, queued on a
 * stream.
 *
 * Nothing but a driver is needed; it is loaded by xielu_cuda_open. Pointers to values are device
 * addresses aligned to their element (16-byte boundaries are fastest). Calls that take a stream
 * return once the work is queued: they allocate nothing and wait for nothing, so they can be
 * captured in a graph. The first call of each kernel compiles it; make one before capturing.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */


#ifndef XIELU_CUDA_H
#define XIELU_CUDA_H

/* Made by cbindgen from src/capi.rs. */

#include <stdbool.h>
#include <stdint.h>

/*
 alpha_p*x^2 + beta*x for x > 0, alpha_n*(e^min(x, eps) - 1 - x) + beta*x otherwise.
 */
#define XIELU_CUDA_XIELU 0

/*
 alpha_p*x^2 + beta*x for x > 0, alpha_n*x^2 + beta*x otherwise.
 */
#define XIELU_CUDA_XIPRELU 1

/*
 max(0, x)^2. Takes no coefficients.
 */
#define XIELU_CUDA_RELU2 2

/*
 Values are floats.
 */
#define XIELU_CUDA_F32 0

/*
 Values are bfloat16.
 */
#define XIELU_CUDA_BF16 1

/*
 Values are IEEE halves.
 */
#define XIELU_CUDA_F16 2

/*
 What a function returns. xielu_cuda_last_error says more.
 */
enum xielu_cuda_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   The work is queued.
   */
  XIELU_CUDA_OK = 0,
  /*
   No CUDA driver can be loaded, or it or the device is too old.
   */
  XIELU_CUDA_NO_DRIVER = 1,
  /*
   The driver reported an error.
   */
  XIELU_CUDA_DRIVER_ERROR = 2,
  /*
   An argument cannot be right; nothing was queued.
   */
  XIELU_CUDA_INVALID = 3,
  /*
   A mistake inside the library.
   */
  XIELU_CUDA_INTERNAL = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum xielu_cuda_status xielu_cuda_status;
#else
typedef int32_t xielu_cuda_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 A device with its kernels. Any thread may use it, several at once too.
 */
typedef struct xielu_cuda xielu_cuda;

/*
 The MLP of one layer on a device, with working memory: one stream at a time may use it.
 */
typedef struct xielu_cuda_mlp xielu_cuda_mlp;

/*
 The effective scalars of a layer. All are finite, and eps <= 0.
 */
typedef struct xielu_cuda_coefficients {
  /*
   softplus of the stored alpha_p.
   */
  float alpha_p;
  /*
   beta + softplus of the stored alpha_n for xIELU; without beta for xIPReLU.
   */
  float alpha_n;
  /*
   Slope at 0.
   */
  float beta;
  /*
   0 for the ideal xIELU; the checkpoint's (-1e-6) to repeat the reference's clamp.
   */
  float eps;
  /*
   sigmoid of the stored alpha_p; only gradients need it.
   */
  double sigmoid_p;
  /*
   sigmoid of the stored alpha_n; only gradients need it.
   */
  double sigmoid_n;
} xielu_cuda_coefficients;

/*
 What a call computes with: a function, its scalars (one of the two pointers, none for ReLU²),
 the type of its values and where it is queued.
 */
typedef struct xielu_cuda_call {
  /*
   A stream (CUstream, cudaStream_t), or NULL.
   */
  void *stream;
  /*
   XIELU_CUDA_XIELU, XIELU_CUDA_XIPRELU or XIELU_CUDA_RELU2; SwiGLU's functions ignore it.
   */
  uint32_t function;
  /*
   XIELU_CUDA_F32, XIELU_CUDA_BF16 or XIELU_CUDA_F16.
   */
  uint32_t dtype;
  /*
   Scalars in host memory, read during the call.
   */
  const struct xielu_cuda_coefficients *coefficients;
  /*
   Scalars in device memory, as xielu_cuda_freeze writes them.
   */
  const void *device_coefficients;
} xielu_cuda_call;

/*
 Operands of xielu_cuda_backward; NULL where a gradient is not wanted.
 */
typedef struct xielu_cuda_gradients {
  /*
   What the forward function was given.
   */
  const void *x;
  /*
   The gradient of its result.
   */
  const void *dy;
  /*
   Where the gradient of x goes; may be x or dy.
   */
  void *dx;
  /*
   Where the gradient by the stored alpha_p goes, one float on the device.
   */
  float *draw_p;
  /*
   Where the gradient by the stored alpha_n goes, one float on the device.
   */
  float *draw_n;
  /*
   Of xielu_cuda_workspace_size bytes, if one of the two is wanted.
   */
  void *workspace;
  /*
   Elements.
   */
  uint64_t n;
  /*
   Adds to dx instead of replacing it.
   */
  bool accumulate_dx;
  /*
   Adds to draw_p and draw_n instead of replacing them.
   */
  bool accumulate_alphas;
} xielu_cuda_gradients;

/*
 Operands of xielu_cuda_swiglu_backward.
 */
typedef struct xielu_cuda_swiglu_gradients {
  /*
   As given to the forward function.
   */
  const void *gate;
  /*
   As given to the forward function.
   */
  const void *up;
  /*
   The gradient of its result.
   */
  const void *dy;
  /*
   Where the gradient of gate goes; may be one of the inputs.
   */
  void *d_gate;
  /*
   Where the gradient of up goes; may be one of the inputs.
   */
  void *d_up;
  /*
   Elements.
   */
  uint64_t n;
  /*
   Adds to both instead of replacing them.
   */
  bool accumulate;
} xielu_cuda_swiglu_gradients;

/*
 A weight matrix in host memory, row by row in GGUF's blocks. It is copied.
 */
typedef struct xielu_cuda_matrix {
  /*
   The blocks, at any alignment.
   */
  const void *data;
  /*
   Their bytes: what the shape takes.
   */
  uint64_t bytes;
  /*
   The type's name in GGUF tools, such as "Q4_K" or "BF16".
   */
  const char *dtype;
  /*
   Outputs.
   */
  uint64_t rows;
  /*
   Values of an input.
   */
  uint64_t cols;
} xielu_cuda_matrix;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 What went wrong in the last call of this thread that failed: text until the next such call.
 */
const char *xielu_cuda_last_error(void);

/*
 Opens a device by number, in its primary context. `*out` is NULL if that fails.
 */
xielu_cuda_status xielu_cuda_open(uint32_t device, struct xielu_cuda **out);

/*
 Closes what xielu_cuda_open gave; NULL is ignored. No other call may use it any more, and its
 work is done.
 */
void xielu_cuda_close(struct xielu_cuda *cuda);

/*
 y[i] = f(x[i]) for n elements on the device; y may be x.
 */
xielu_cuda_status xielu_cuda_forward(const struct xielu_cuda *cuda,
                                     const struct xielu_cuda_call *call,
                                     const void *x,
                                     void *y,
                                     uint64_t n);

/*
 The n / 32 Q8_0 blocks (34 bytes each) of f(x[i]).
 */
xielu_cuda_status xielu_cuda_forward_q8_0(const struct xielu_cuda *cuda,
                                          const struct xielu_cuda_call *call,
                                          const void *x,
                                          void *blocks,
                                          uint64_t n);

/*
 y[i] = silu(gate[i]) * up[i] for n elements; y may be gate or up.
 */
xielu_cuda_status xielu_cuda_swiglu(const struct xielu_cuda *cuda,
                                    const struct xielu_cuda_call *call,
                                    const void *gate,
                                    const void *up,
                                    void *y,
                                    uint64_t n);

/*
 The n / 32 Q8_0 blocks of silu(gate[i]) * up[i].
 */
xielu_cuda_status xielu_cuda_swiglu_q8_0(const struct xielu_cuda *cuda,
                                         const struct xielu_cuda_call *call,
                                         const void *gate,
                                         const void *up,
                                         void *blocks,
                                         uint64_t n);

/*
 Bytes of workspace that the alphas' gradients over n elements need.
 */
uint64_t xielu_cuda_workspace_size(uint64_t n);

/*
 dx[i] = dy[i] * f'(x[i]), and the gradients by the stored alphas, in one pass.
 */
xielu_cuda_status xielu_cuda_backward(const struct xielu_cuda *cuda,
                                      const struct xielu_cuda_call *call,
                                      const struct xielu_cuda_gradients *gradients);

/*
 d_gate[i] = dy[i] * up[i] * silu'(gate[i]) and d_up[i] = dy[i] * silu(gate[i]).
 */
xielu_cuda_status xielu_cuda_swiglu_backward(const struct xielu_cuda *cuda,
                                             const struct xielu_cuda_call *call,
                                             const struct xielu_cuda_swiglu_gradients *gradients);

/*
 Bytes that a matrix takes on a device; 0 if there is no such type, or they cannot be counted.
 */
uint64_t xielu_cuda_matrix_bytes(const char *dtype, uint64_t rows, uint64_t cols);

/*
 down(f(up(x))), or with a gate down(silu(gate(x)) * up(x)), for up to `tokens` tokens at once:
 copies the weights to the device and allocates working memory. up and gate are [ffn, hidden],
 down [hidden, ffn]; gate may be NULL. Of the call, the function and its coefficients in host
 memory count, and not even those with a gate. `*out` is NULL if that fails.
 */
xielu_cuda_status xielu_cuda_mlp_open(const struct xielu_cuda *cuda,
                                      const struct xielu_cuda_call *call,
                                      const struct xielu_cuda_matrix *gate,
                                      const struct xielu_cuda_matrix *up,
                                      const struct xielu_cuda_matrix *down,
                                      uint64_t tokens,
                                      struct xielu_cuda_mlp **out);

/*
 y = mlp(x), or y += mlp(x) if `add`, queued on the stream: floats on the device, [tokens, hidden]
 both.
 */
xielu_cuda_status xielu_cuda_mlp_forward(const struct xielu_cuda *cuda,
                                         struct xielu_cuda_mlp *mlp,
                                         void *stream,
                                         const float *x,
                                         uint64_t tokens,
                                         float *y,
                                         bool add);

/*
 Frees what xielu_cuda_mlp_open gave; NULL is ignored. Its work is done.
 */
void xielu_cuda_mlp_close(struct xielu_cuda_mlp *mlp);

/*
 Makes coefficients at `out` (32 bytes on the device) of stored scalars that are there already,
 of the call's dtype. The call's coefficients are ignored.
 */
xielu_cuda_status xielu_cuda_freeze(const struct xielu_cuda *cuda,
                                    const struct xielu_cuda_call *call,
                                    const void *alpha_p,
                                    const void *alpha_n,
                                    float beta,
                                    float eps,
                                    void *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* XIELU_CUDA_H */
