/* xIELU over arrays of float, bfloat16 and IEEE half. */
#include "example.h"

#define N 9

int main(void)
{
    if (xielu_abi_version() != XIELU_ABI_VERSION) {
        fprintf(stderr, "this program was built for another libxielu\n");
        return EXIT_FAILURE;
    }

    /* What training starts from; a checkpoint's layer would be xielu_gguf_raw's. */
    xielu_raw raw;
    xielu_activation f;
    CHECK(xielu_raw_init(&raw));
    CHECK(xielu_freeze(&raw, &f));
    printf("alpha_p %g, alpha_n %g, beta %g\n", f.alpha_p, f.alpha_n, f.beta);

    float x[N], y[N];
    uint16_t bf16[N], half[N];
    for (int i = 0; i < N; i++) {
        /* -2 .. 2 in halves: exact in all three types. */
        static const uint16_t halves[N] = {0xc000, 0xbe00, 0xbc00, 0xb800, 0x0000,
                                           0x3800, 0x3c00, 0x3e00, 0x4000};
        static const uint16_t bf16s[N] = {0xc000, 0xbfc0, 0xbf80, 0xbf00, 0x0000,
                                          0x3f00, 0x3f80, 0x3fc0, 0x4000};
        x[i] = 0.5f * (float)(i - 4);
        half[i] = halves[i];
        bf16[i] = bf16s[i];
    }
    CHECK(xielu_activate_f32(&f, x, y, N));
    /* The 16-bit arrays in place. */
    CHECK(xielu_activate_bf16(&f, bf16, bf16, N));
    CHECK(xielu_activate_f16(&f, half, half, N));
    for (int i = 0; i < N; i++) {
        printf("f(%4.1f) = %.7f, as bfloat16 0x%04x, as half 0x%04x\n", x[i], y[i], bf16[i],
               half[i]);
    }
    return EXIT_SUCCESS;
}
