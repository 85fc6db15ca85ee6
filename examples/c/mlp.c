/* One MLP layer of a trained model on your own vectors: whole, and in tiles.
 *
 * mlp MODEL.gguf [LAYER] */
#include <math.h>
#include <string.h>

#include "example.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: mlp MODEL.gguf [LAYER]\n");
        return 2;
    }
    size_t layer = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0;

    void *data;
    xielu_gguf gguf;
    xielu_config config;
    xielu_mlp mlp;
    open_model(argv[1], &data, &gguf);
    CHECK(xielu_gguf_config(&gguf, &config));
    CHECK(xielu_mlp_load(&gguf, layer, &mlp));

    size_t n = config.hidden_size;
    float *x = allocate(n * sizeof *x);
    float *whole = allocate(n * sizeof *whole);
    float *tiled = allocate(n * sizeof *tiled);
    for (size_t i = 0; i < n; i++) {
        x[i] = sinf(0.1f * (float)i);
    }

    /* The hidden vector held whole, then 32 of its values at a time. */
    size_t ffn = config.intermediate_size;
    size_t size[2] = {xielu_mlp_scratch_size(n, ffn, 0, 1), xielu_mlp_scratch_size(n, ffn, 32, 1)};
    void *scratch = allocate(size[0]);
    CHECK(xielu_mlp_run(&mlp, 0, x, whole, n, scratch, size[0]));
    CHECK(xielu_mlp_run(&mlp, 32, x, tiled, n, scratch, size[1]));

    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)tiled[i] - (double)whole[i];
        difference += d * d;
        norm += (double)whole[i] * (double)whole[i];
    }
    printf("whole: %.5f %.5f %.5f, %zu bytes of scratch\n", whole[0], whole[1], whole[2], size[0]);
    printf("tiled: %.5f %.5f %.5f, %zu bytes of scratch\n", tiled[0], tiled[1], tiled[2], size[1]);
    printf("they agree: %s\n", difference <= 1e-10 * norm ? "yes" : "no");

    free(scratch);
    free(tiled);
    free(whole);
    free(x);
    free(data);
    return EXIT_SUCCESS;
}
