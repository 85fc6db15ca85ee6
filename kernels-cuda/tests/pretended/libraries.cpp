// cuBLAS and cuRAND as far as candle opens a device with them, beside the pretended driver.
// Nothing is computed: what would need them fails.

namespace {

constexpr int OK = 0;
char handle;

}  // namespace

extern "C" {

int cublasCreate_v2(void** out) {
    *out = &handle;
    return OK;
}

int cublasDestroy_v2(void*) { return OK; }
int cublasSetStream_v2(void*, void*) { return OK; }

int curandCreateGenerator(void** out, int) {
    *out = &handle;
    return OK;
}

int curandDestroyGenerator(void*) { return OK; }
int curandSetStream(void*, void*) { return OK; }
int curandSetPseudoRandomGeneratorSeed(void*, unsigned long long) { return OK; }

}  // extern "C"
