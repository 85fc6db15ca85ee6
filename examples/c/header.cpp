// The header in C++: it compiles, its types are standard layout, and the functions link.
#include <cstdint>
#include <cstdio>
#include <type_traits>

#include "xielu.h"

static_assert(std::is_standard_layout<xielu_decoder>::value, "C's layout");
static_assert(sizeof(xielu_status) == sizeof(std::int32_t), "C's size");

int main()
{
    xielu_raw raw{};
    xielu_activation f{};
    float x[2] = {1.0f, -1.0f};
    if (xielu_raw_init(&raw) != XIELU_STATUS_OK || xielu_freeze(&raw, &f) != XIELU_STATUS_OK ||
        xielu_activate_f32(&f, x, x, 2) != XIELU_STATUS_OK) {
        return 1;
    }
    if (xielu_activate_f32(&f, nullptr, x, 2) != XIELU_STATUS_NULL) {
        return 1;
    }
    std::printf("xielu %s: f(1) = %.4f, f(-1) = %.4f\n", xielu_version(), x[0], x[1]);
    return 0;
}
