// A CUDA driver without a device: memory is the host's, streams do their work at once, and a
// launch runs the kernel's host twin, which is linked into this library. It stands in for
// libcuda so that everything up to the driver's door can be tested where there is no GPU.
#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int OK = 0, INVALID_VALUE = 1, INVALID_DEVICE = 101, INVALID_PTX = 218, NOT_FOUND = 500;
constexpr int DEVICES = 2;
constexpr unsigned THREADS = 256;

using Twin = void (*)(uint64_t first, uint64_t last, uint64_t blocks, const void* args);

// 10 * major + minor of the compute capability.
int capability() {
    const char* pretended = std::getenv("XIELU_PRETENDED_CAPABILITY");
    return pretended ? std::atoi(pretended) : 90;
}

int contexts[DEVICES];
thread_local void* current = nullptr;

struct Module {
    std::string ptx;
};

void* own_library() {
    Dl_info info;
    return dladdr(reinterpret_cast<void*>(&own_library), &info)
               ? dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD)
               : nullptr;
}

}  // namespace

extern "C" {

int cuInit(unsigned) { return OK; }

int cuDriverGetVersion(int* version) {
    const char* pretended = std::getenv("XIELU_PRETENDED_DRIVER");
    *version = pretended ? std::atoi(pretended) : 12000;
    return OK;
}

int cuGetErrorName(int error, const char** text) {
    *text = error == INVALID_DEVICE ? "CUDA_ERROR_INVALID_DEVICE" : "CUDA_ERROR";
    return OK;
}

int cuGetErrorString(int error, const char** text) {
    *text = error == INVALID_DEVICE ? "invalid device ordinal" : "some CUDA error";
    return OK;
}

int cuDeviceGet(int* device, int ordinal) {
    if (ordinal < 0 || ordinal >= DEVICES) return INVALID_DEVICE;
    *device = ordinal;
    return OK;
}

int cuDeviceGetCount(int* count) {
    *count = DEVICES;
    return OK;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
    constexpr int MULTIPROCESSORS = 16;
    constexpr int MAJOR = 75, MINOR = 76;
    *value = attribute == MULTIPROCESSORS ? 3
             : attribute == MAJOR         ? capability() / 10
             : attribute == MINOR         ? capability() % 10
                                          : 0;
    return OK;
}

int cuDeviceGetName(char* name, int length, int) {
    std::strncpy(name, "pretended", length);
    return OK;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
    *context = &contexts[device];
    return OK;
}

int cuDevicePrimaryCtxRelease_v2(int) { return OK; }

int cuCtxSetCurrent(void* context) {
    current = context;
    return OK;
}

int cuCtxGetCurrent(void** context) {
    *context = current;
    return OK;
}

int cuCtxSynchronize() { return OK; }

int cuModuleLoadData(void** module, const void* image) {
    const char* ptx = static_cast<const char*>(image);
    const char* target = std::strstr(ptx, ".version 7.0\n.target sm_");
    if (!target) return INVALID_PTX;
    if (std::atoi(target + std::strlen(".version 7.0\n.target sm_")) > capability()) {
        return INVALID_PTX;
    }
    *module = new Module{ptx};
    return OK;
}

int cuModuleUnload(void* module) {
    delete static_cast<Module*>(module);
    return OK;
}

int cuModuleGetFunction(void** function, void* module, const char* name) {
    const std::string entry = std::string(".visible .entry ") + name + "(";
    if (static_cast<Module*>(module)->ptx.find(entry) == std::string::npos) return NOT_FOUND;
    *function = dlsym(own_library(), (std::string("twin_") + name).c_str());
    return *function ? OK : NOT_FOUND;
}

int cuFuncGetAttribute(int* value, int attribute, void*) {
    constexpr int REGISTERS = 4;
    *value = attribute == REGISTERS ? 40 : 0;
    return OK;
}

int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void*, void** params, void** extra) {
    const bool expected = gx > 0 && gy == 1 && gz == 1 && bx == THREADS && by == 1 && bz == 1;
    if (!expected || shared != 0 || extra || !current) return INVALID_VALUE;
    reinterpret_cast<Twin>(function)(0, gx, gx, params[0]);
    return OK;
}

int cuStreamCreate(void** stream, unsigned) {
    *stream = std::malloc(1);
    return OK;
}

int cuStreamDestroy_v2(void* stream) {
    std::free(stream);
    return OK;
}

int cuStreamSynchronize(void*) { return OK; }
int cuStreamWaitEvent(void*, void*, unsigned) { return OK; }

int cuEventCreate(void** event, unsigned) {
    *event = std::malloc(1);
    return OK;
}

int cuEventDestroy_v2(void* event) {
    std::free(event);
    return OK;
}

int cuEventRecord(void*, void*) { return OK; }
int cuEventQuery(void*) { return OK; }
int cuEventSynchronize(void*) { return OK; }

int cuEventElapsedTime(float* milliseconds, void*, void*) {
    *milliseconds = 1.0f;
    return OK;
}

// XIELU_PRETENDED_MEMORY is how many bytes are free.
int cuMemGetInfo_v2(size_t* free, size_t* total) {
    const char* pretended = std::getenv("XIELU_PRETENDED_MEMORY");
    *total = size_t(1) << 34;
    *free = pretended ? std::strtoull(pretended, nullptr, 10) : *total;
    return OK;
}

int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    // As a device's allocator does, on a large boundary.
    void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    *address = reinterpret_cast<uint64_t>(memory);
    return OK;
}

int cuMemFree_v2(uint64_t address) {
    std::free(reinterpret_cast<void*>(address));
    return OK;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) {
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return OK;
}

int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) {
    std::memcpy(to, reinterpret_cast<void*>(from), bytes);
    return OK;
}

int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void*) {
    std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
    return OK;
}

int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void*) {
    std::memset(reinterpret_cast<void*>(to), value, bytes);
    return OK;
}

}  // extern "C"
